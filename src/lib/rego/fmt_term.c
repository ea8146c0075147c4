/* SPDX-License-Identifier: Apache-2.0 */
/* Terms: operators, references, calls, collections, comprehensions. */
#include "base/str.h"
#include "rego/fmt.h"

const char *fmt_infix(const struct node *n)
{
	static const char *const table[][2] = {{"eq", "="}, {"assign", ":="}, {"equal", "=="},
		{"neq", "!="}, {"lt", "<"}, {"lte", "<="}, {"gt", ">"}, {"gte", ">="},
		{"plus", "+"}, {"minus", "-"}, {"mul", "*"}, {"div", "/"}, {"rem", "%"},
		{"and", "&"}, {"or", "|"}};
	if (n->kind != NODE_CALL || n->count != 2)
		return NULL;
	struct slice name = n->callee ? n->callee->name : n->name;
	if (n->callee && n->callee->kind != NODE_VAR)
		return NULL;
	for (size_t i = 0; i < ARRAY_COUNT(table); i++)
		if (slice_eq_str(name, table[i][0]))
			return table[i][1];
	return NULL;
}

bool fmt_is_member(const struct node *n)
{
	struct slice name = n->name;
	if (n->kind != NODE_CALL)
		return false;
	if (n->callee) {
		const struct node *c = n->callee;
		if (c->kind != NODE_REF || c->count != 2 ||
			!slice_eq_str(c->item[0]->name, "internal") ||
			c->item[1]->kind != NODE_CONST)
			return false;
		name = value_slice(c->item[1]->value);
		return (n->count == 2 && slice_eq_str(name, "member_2")) ||
		       (n->count == 3 && slice_eq_str(name, "member_3"));
	}
	return slice_eq_str(name, "internal.member_2") || slice_eq_str(name, "internal.member_3");
}

bool fmt_is_union(const struct node *n)
{
	const char *op = fmt_infix(n);
	return op && streq(op, "|");
}

/* --- references --- */

static bool is_name(struct slice s)
{
	for (size_t i = 0; i < s.size; i++) {
		uint8_t c = s.data[i];
		bool letter = c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		if (!letter && !(i > 0 && c >= '0' && c <= '9'))
			return false;
	}
	return s.size > 0;
}

bool fmt_is_keyword(const struct fmt *f, struct slice s)
{
	static const char *const always[] = {"as", "default", "else", "false", "import", "not",
		"null", "package", "some", "true", "with"};
	const struct module *m = f->module;
	const struct {
		const char *word;
		bool active;
	} future[] = {{"contains", m->kw_contains}, {"every", m->kw_every}, {"if", m->kw_if},
		{"in", m->kw_in}};
	for (size_t i = 0; i < ARRAY_COUNT(always); i++)
		if (slice_eq_str(s, always[i]))
			return true;
	for (size_t i = 0; i < ARRAY_COUNT(future); i++)
		if (slice_eq_str(s, future[i].word))
			return f->v1 || future[i].active;
	return false;
}

static int put_key(struct fmt *f, const struct node *k)
{
	if (k->kind == NODE_CONST && k->value->type == REGO_STRING) {
		struct slice s = value_slice(k->value);
		/* A keyword keeps the form it had. */
		bool quoted =
			k->loc.end > k->loc.offset && f->source.data[k->loc.offset] != s.data[0];
		if (is_name(s) && !(fmt_is_keyword(f, s) && quoted)) {
			buf_put_u8(f->out, '.');
			buf_put_slice(f->out, s);
			return FMT_OK;
		}
		buf_put_u8(f->out, '[');
		print_json_string(f->out, s);
		buf_put_u8(f->out, ']');
		return FMT_OK;
	}
	bool verbatim = f->verbatim;
	f->verbatim = false;
	buf_put_u8(f->out, '[');
	int r = fmt_term(f, k, false);
	/* A comment may stand at the end of what was written as it was. */
	fmt_put(f, f->verbatim ? "\n]" : "]");
	f->verbatim = f->verbatim || verbatim;
	return r;
}

int fmt_ref(struct fmt *f, const struct node *const *item, uint32_t count)
{
	const struct node *head = item[0];
	int r = FMT_OK;
	if (head->kind == NODE_VAR)
		buf_put_slice(f->out, head->name.size ? head->name : SLICE_LIT("_"));
	else
		r = fmt_term(f, head, head->paren);
	for (uint32_t i = 1; r == FMT_OK && i < count; i++)
		r = put_key(f, item[i]);
	return r;
}

/* --- lists --- */

static int put_element(struct fmt *f, const struct node *n, bool paren_union)
{
	bool paren = fmt_is_union(n) && (paren_union || n->paren);
	fmt_put(f, paren ? "(" : "");
	int r = fmt_term(f, n, false);
	fmt_put(f, paren ? ")" : "");
	return r;
}

static int put_entry(struct fmt *f, struct node *const *item, uint32_t step, bool paren_unions)
{
	int r = put_element(f, item[0], paren_unions);
	if (r == FMT_OK && step == 2) {
		fmt_put(f, ": ");
		r = put_element(f, item[1], true);
	}
	return r;
}

/* Whether the first element was on a row of its own. */
static bool starts_below(const struct fmt *f, struct loc loc, const struct node *first)
{
	for (uint32_t i = loc.offset; i < first->loc.offset; i++)
		if (f->source.data[i] == '\n')
			return true;
	return false;
}

int fmt_list(struct fmt *f, struct node *const *item, uint32_t count, struct loc loc, uint32_t step,
	bool paren_unions)
{
	uint32_t close = fmt_end_row(f, loc), row = loc.row, lines = 1;
	for (uint32_t i = 0; i < count; i += step) {
		lines += i > 0 && item[i]->loc.row > row;
		row = item[i]->loc.row;
	}
	if (lines == 1)
		for (uint32_t i = f->next; i < f->comment_count; i++)
			if (f->comment[i]->row > loc.row && f->comment[i]->row < close)
				return FMT_COMMENT;
	bool call = loc.end == loc.offset; /* only what is inside counts */
	bool spread = lines > 1 || (count > 0 && !call && starts_below(f, loc, item[0]));
	if (spread) {
		f->delay = true;
		fmt_end_line(f);
		f->level++;
		fmt_start_line(f);
	}
	row = 0;
	for (uint32_t i = 0; i < count; i += step) {
		if (i > 0 && item[i]->loc.row > row) {
			fmt_put(f, ",");
			fmt_end_line(f);
			fmt_start_line(f);
		} else if (i > 0) {
			fmt_put(f, ", ");
		}
		row = item[i]->loc.row;
		int r = put_entry(f, item + i, step, paren_unions);
		if (r)
			return r;
	}
	if (spread) {
		fmt_put(f, ",");
		fmt_end_line(f);
		int r = fmt_comments(f, close);
		f->level--;
		fmt_start_line(f);
		return r;
	}
	return FMT_OK;
}

/* --- comprehensions --- */

static int put_comprehension(struct fmt *f, const struct node *n)
{
	bool object = n->kind == NODE_OBJECT_COMP;
	const struct node *t = n->item[n->count - 1];
	int r = FMT_OK;
	if (object) {
		r = put_element(f, n->item[0], true);
		fmt_put(f, ": ");
	} else if (t->loc.row > n->loc.row) {
		fmt_end_line(f);
		fmt_start_line(f);
	}
	if (r == FMT_OK) {
		bool paren = t->kind == NODE_CALL && (fmt_is_union(t) || t->paren);
		r = fmt_term(f, t, paren);
	}
	if (r)
		return r;
	fmt_put(f, " |");
	return fmt_inner_body(f, n->body, object ? n->loc.row : t->loc.row, n->loc);
}

/* --- calls --- */

/* In an operand, `in` must be bracketed where the source did so: it binds loosest of all. */
static int put_member(struct fmt *f, const struct node *n, bool nested)
{
	bool paren = n->count == 3 || (nested && n->paren);
	fmt_put(f, paren ? "(" : "");
	int r = FMT_OK;
	for (uint32_t i = 0; r == FMT_OK && i < n->count; i++) {
		if (i > 0)
			fmt_put(f, i + 1 == n->count ? " in " : ", ");
		r = fmt_term(f, n->item[i], true);
	}
	fmt_put(f, paren ? ")" : "");
	return r;
}

static int put_call(struct fmt *f, const struct node *n, bool parens)
{
	const char *op = fmt_infix(n);
	int r;
	if (fmt_is_member(n) && (!n->callee || f->v1 || f->module->kw_in))
		return put_member(f, n, parens);
	if (op) {
		fmt_put(f, parens ? "(" : "");
		r = fmt_term(f, n->item[0], true);
		buf_printf(f->out, " %s ", op);
		if (r == FMT_OK)
			r = fmt_term(f, n->item[1], true);
		fmt_put(f, parens ? ")" : "");
		return r;
	}
	r = n->callee->kind == NODE_REF
		    ? fmt_ref(f, (const struct node *const *)n->callee->item, n->callee->count)
		    : fmt_ref(f, (const struct node *const[]){n->callee}, 1);
	fmt_put(f, "(");
	struct loc loc = n->loc;
	loc.end = loc.offset;
	if (r == FMT_OK)
		r = fmt_list(f, n->item, n->count, loc, 1, false);
	fmt_put(f, ")");
	return r;
}

/* --- template strings --- */

static int put_template(struct fmt *f, const struct node *n)
{
	uint32_t last = n->item[n->count - 1]->loc.end;
	/* Comments between the braces: as it was. */
	for (uint32_t i = f->next; i < f->comment_count; i++)
		if (f->comment[i]->text.data > f->source.data + n->loc.offset &&
			f->comment[i]->text.data < f->source.data + last)
			return FMT_COMMENT;
	buf_put_slice(f->out, slice_cut(f->source, n->loc.offset, 2));
	int r = FMT_OK;
	for (uint32_t i = 0; r == FMT_OK && i < n->count; i++) {
		bool text = i % 2 == 0;
		fmt_put(f, text ? "" : "{");
		f->level += !text;
		if (text)
			buf_put_slice(f->out, fmt_text(f, n->item[i]->loc));
		else
			r = fmt_term(f, n->item[i], false);
		f->level -= !text;
		fmt_put(f, text ? "" : "}");
	}
	buf_put_slice(f->out, slice_cut(f->source, last, 1));
	return r;
}

/* --- all terms --- */

static int put_const(struct fmt *f, const struct node *n)
{
	bool bare = n->value->type == REGO_STRING && n->loc.end > n->loc.offset &&
		    f->source.data[n->loc.offset] != '"' && f->source.data[n->loc.offset] != '`';
	/* A name after a dot that is a string now. */
	if (n->loc.end > n->loc.offset && !bare)
		buf_put_slice(f->out, fmt_text(f, n->loc));
	else if (n->value->type == REGO_STRING)
		print_json_string(f->out, value_slice(n->value));
	else
		rego_print(f->out, n->value);
	return FMT_OK;
}

static int put_node(struct fmt *f, const struct node *n, bool parens)
{
	int r;
	switch (n->kind) {
	case NODE_CONST:
		return put_const(f, n);
	case NODE_VAR:
		return fmt_ref(f, &n, 1);
	case NODE_REF:
		return fmt_ref(f, (const struct node *const *)n->item, n->count);
	case NODE_CALL:
		return put_call(f, n, parens);
	case NODE_ARRAY:
		fmt_put(f, "[");
		r = fmt_list(f, n->item, n->count, n->loc, 1, true);
		fmt_put(f, "]");
		return r;
	case NODE_SET:
		if (n->count == 0) {
			fmt_put(f, "set()");
			return fmt_comments(f, fmt_end_row(f, n->loc));
		}
		__attribute__((__fallthrough__));
	case NODE_OBJECT:
		fmt_put(f, "{");
		r = fmt_list(f, n->item, n->count, n->loc, n->kind == NODE_SET ? 1 : 2, true);
		fmt_put(f, "}");
		return r;
	case NODE_TEMPLATE:
		return put_template(f, n);
	default:
		fmt_put(f, n->kind == NODE_ARRAY_COMP ? "[" : "{");
		r = put_comprehension(f, n);
		fmt_put(f, n->kind == NODE_ARRAY_COMP ? "]" : "}");
		return r;
	}
}

/* The term as it was, and its comments with it. */
static void put_verbatim(struct fmt *f, const struct node *n, uint32_t next)
{
	uint32_t end = fmt_end_row(f, n->loc);
	if (f->at_end && f->at_end->row >= n->loc.row && f->at_end->row <= end)
		f->at_end = NULL;
	buf_put_slice(f->out, fmt_text(f, n->loc));
	for (f->next = next; f->next < f->comment_count; f->next++) {
		const struct comment *c = f->comment[f->next];
		if (c->row > end || (c->row == end && !f->last_line))
			break;
		if (c->row == end && c->text.data >= f->source.data + n->loc.end) {
			fmt_put(f, " ");
			buf_put_slice(f->out, c->text);
		}
	}
	f->verbatim = true;
}

/* Whether comments would come into the middle of a line. */
static bool comments_in_line(const struct fmt *f, const struct node *n)
{
	uint8_t last = f->out->size ? f->out->data[f->out->size - 1] : '\n';
	return f->inline_ && last != '\t' && last != '\n' && f->next < f->comment_count &&
	       f->comment[f->next]->row < n->loc.row;
}

int fmt_term(struct fmt *f, const struct node *n, bool parens)
{
	if (comments_in_line(f, n))
		return FMT_ABOVE;
	size_t size = f->out->size;
	unsigned level = f->level;
	uint32_t next = f->next;
	struct comment *at_end = f->at_end;
	int r = fmt_comments(f, n->loc.row);
	if (r == FMT_OK) {
		if (!f->inline_)
			fmt_start_line(f);
		parens = parens || f->wrap == n;
		f->terms++;
		r = put_node(f, n, parens);
		f->terms--;
	}
	if (r != FMT_OK && f->terms == 0) {
		f->out->size = size;
		f->level = level;
		f->at_end = at_end;
		put_verbatim(f, n, next);
		f->inline_ = true;
		r = FMT_OK;
	}
	if (!f->inline_)
		fmt_start_line(f);
	return r;
}
