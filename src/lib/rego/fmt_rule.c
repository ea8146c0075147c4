/* SPDX-License-Identifier: Apache-2.0 */
/* Rules: heads, bodies, else chains, and the blank lines between them. */
#include "base/str.h"
#include "rego/fmt.h"

static bool is_true(const struct node *n)
{
	return n->kind == NODE_CONST && n->value == &value_true;
}

/* `p := 1` and `p := 1 if true` are the same rule: it is written without a body. */
static bool is_constant(const struct rule *r)
{
	if (r->orelse)
		return false;
	if (!r->body)
		return true;
	const struct literal *l = r->body->lit[0];
	return r->body->count == 1 && l->kind == LIT_EXPR && !l->negated && l->with_count == 0 &&
	       is_true(l->expr);
}

static bool is_set(const struct literal *l)
{
	return l->kind == LIT_EXPR && !l->negated && l->expr->kind == NODE_SET;
}

/* --- heads --- */

static int put_name(struct fmt *f, const struct node *h)
{
	if (h->kind == NODE_VAR) {
		buf_put_slice(f->out, h->name);
		return FMT_OK;
	}
	/* A keyword is a name only before a dot. */
	if (f->ref_heads || h->count != 2 || fmt_is_keyword(f, h->item[0]->name))
		return fmt_ref(f, (const struct node *const *)h->item, h->count);
	fmt_ref(f, (const struct node *const *)h->item, 1);
	bool quoted = h->item[1]->kind == NODE_CONST && h->item[1]->value->type == REGO_STRING;
	int r = FMT_OK;
	fmt_put(f, "[");
	f->verbatim = false;
	if (quoted)
		print_json_string(f->out, value_slice(h->item[1]->value));
	else
		r = fmt_term(f, h->item[1], false);
	fmt_put(f, f->verbatim ? "\n]" : "]");
	return r;
}

static bool is_ground(const struct node *n)
{
	if (n->kind == NODE_ARRAY || n->kind == NODE_SET || n->kind == NODE_OBJECT) {
		for (uint32_t i = 0; i < n->count; i++)
			if (!is_ground(n->item[i]))
				return false;
		return true;
	}
	return n->kind == NODE_CONST;
}

/* Whether the last part of the name is a key rather than a part of the path. */
static bool has_key(const struct rule *r)
{
	if (r->is_contains || r->head->kind != NODE_REF || r->head->count != 2 || r->is_function)
		return r->is_contains;
	return !r->has_if || !is_ground(r->head->item[1]);
}

static int put_value(struct fmt *f, const struct rule *r, bool constant)
{
	bool ref_constant = f->v1 && constant && !has_key(r) && !r->is_function;
	if (r->is_contains)
		return FMT_OK;
	if (!r->value) {
		/* Implied, but for what v1 would not take. */
		if (ref_constant || (constant && r->body))
			fmt_put(f, f->v1 ? " := true" : " = true");
		return FMT_OK;
	}
	if (is_true(r->value) && !constant && !r->is_default && !has_key(r))
		return FMT_OK;
	fmt_put(f, r->is_assign || f->v1 ? " := " : " = ");
	return fmt_term(f, r->value, false);
}

static int put_head(struct fmt *f, const struct rule *r, bool constant)
{
	int result = put_name(f, r->head);
	if (r->is_function && result == FMT_OK) {
		struct loc loc = r->loc;
		loc.offset = r->head->loc.end;
		loc.row = fmt_row_at(f, r->loc, loc.offset);
		loc.end = r->args_end;
		fmt_put(f, "(");
		if (r->arg_count)
			result = fmt_list(f, r->arg, r->arg_count, loc, 1, false);
		fmt_put(f, ")");
	}
	if (r->is_contains && result == FMT_OK) {
		fmt_put(f, f->contains ? " contains " : "[");
		result = fmt_term(f, r->key, false);
		fmt_put(f, f->contains ? "" : "]");
	}
	return result ? result : put_value(f, r, constant);
}

/* A head with comments that have no place: as it was. */
static void head(struct fmt *f, const struct rule *r, bool constant)
{
	size_t size = f->out->size;
	unsigned level = f->level;
	uint32_t next = f->next;
	struct comment *at_end = f->at_end;
	f->terms = 0;
	if (put_head(f, r, constant) == FMT_OK)
		return;
	f->out->size = size;
	f->level = level;
	/* The comment on the first row is among what is written as it was. */
	bool within = at_end && at_end->text.data < f->source.data + r->head_end;
	f->at_end = within ? NULL : at_end;
	f->next = next;
	f->inline_ = true;
	f->terms = 0;
	uint32_t from = r->is_default ? r->head->loc.offset : r->loc.offset;
	buf_put_slice(f->out, slice_cut(f->source, from, r->head_end - from));
	while (f->next < f->comment_count &&
		f->comment[f->next]->text.data < f->source.data + r->head_end)
		f->next++;
	f->verbatim = true;
}

/* --- bodies --- */

/* Whether "else" was the first word of its row. */
static bool begins_row(const struct fmt *f, uint32_t offset)
{
	while (offset > 0 &&
		(f->source.data[offset - 1] == ' ' || f->source.data[offset - 1] == '\t'))
		offset--;
	return offset == 0 || f->source.data[offset - 1] == '\n';
}

/* Whether what was written since @start takes one row; a term can be spread over several. */
static bool on_one_row(const struct fmt *f, size_t start)
{
	struct slice s = slice_cut(buf_slice(f->out), start, f->out->size - start);
	const uint8_t *end = s.size ? memchr(s.data, '\n', s.size) : NULL;

	return !end || end + 1 == s.data + s.size;
}

/* What stands between a definition, written from @start on, and its `else`. */
static void begin_else(struct fmt *f, const struct rule *r, size_t start)
{
	const struct rule *e = r->orelse;
	bool was_inline =
		e->loc.row > r->loc.row && !begins_row(f, e->loc.offset) && !on_one_row(f, start);
	bool comment =
		f->at_end || (f->next < f->comment_count && f->comment[f->next]->row < e->loc.row);
	if (!comment && was_inline && f->inline_) {
		fmt_put(f, " ");
	} else {
		fmt_blank_line(f);
		fmt_start_line(f);
	}
	fmt_comments(f, e->loc.row);
	if (!f->inline_)
		fmt_start_line(f);
}

static bool uses_if(const struct fmt *f, const struct rule *r)
{
	return (f->v1 || f->ifs) && (f->contains || !r->is_contains);
}

/* Whether the body goes on the row of the head. */
static bool is_inline(const struct fmt *f, const struct rule *r)
{
	const struct literal *first = r->body->lit[0];
	return r->body->count == 1 && !is_set(first) &&
	       first->loc.row == fmt_row_at(f, r->loc, r->head_end);
}

static void put_braced(struct fmt *f, const struct rule *r, bool guard_union)
{
	uint32_t close = fmt_row_at(f, r->loc, r->loc.end);
	/* The comment that followed a head written as it was. */
	bool comment = f->verbatim && f->next < f->comment_count &&
		       f->comment[f->next]->row < r->body->lit[0]->loc.row;
	fmt_put(f, comment ? " { " : " {");
	if (!comment)
		fmt_end_line(f);
	f->level++;
	/* A union at the start would be read as a comprehension. */
	f->lead = guard_union ? r->body->lit[0] : NULL;
	fmt_body(f, r->body);
	f->lead = NULL;
	/* A comment after "} {" belongs to the body that begins there. */
	if (r->next && r->next->loc.row == close)
		fmt_comment_lines(f, close);
	else
		fmt_comments(f, close);
	f->level--;
	fmt_start_line(f);
	fmt_put(f, "}");
}

static void put_one(struct fmt *f, const struct rule *r, bool is_else)
{
	bool constant = is_constant(r);
	if (!is_else)
		fmt_start_line(f);
	fmt_put(f, r->is_default ? "default " : "");
	f->last_line = constant;
	f->verbatim = false;
	if (is_else) {
		fmt_put(f, "else");
		f->terms = 0;
		if (r->value && (!is_true(r->value) || constant)) {
			/* Comments in between go below. */
			struct node value = *r->value;
			value.loc.row = r->loc.row;
			fmt_put(f, r->is_assign || f->v1 ? " := " : " = ");
			fmt_term(f, &value, false);
		}
	} else {
		head(f, r, constant);
	}
	f->terms = 0;
	if (constant) {
		fmt_end_line(f);
		return;
	}
	f->last_line = true;
	if (!r->body) {
		/* A value with an else chain. */
	} else if (uses_if(f, r)) {
		fmt_put(f, " if");
		if (is_inline(f, r)) {
			fmt_put(f, " ");
			fmt_literal(f, r->body->lit[0]);
			fmt_end_line(f);
		} else {
			put_braced(f, r, !is_else);
		}
	} else {
		put_braced(f, r, false);
	}
}

static void put_rule(struct fmt *f, const struct rule *r)
{
	size_t start = f->out->size;
	put_one(f, r, false);
	for (; r->orelse; r = r->orelse) {
		begin_else(f, r, start);
		start = f->out->size;
		put_one(f, r->orelse, true);
	}
}

/* A rule of one line, which may stand directly above the next one. */
static bool one_liner(const struct fmt *f, const struct rule *r)
{
	if ((r->body && r->body->count > 1) || r->is_default || r->orelse)
		return false;
	if (r->body && !is_constant(r) && !is_inline(f, r))
		return false;
	return uses_if(f, r);
}

void fmt_rules(struct fmt *f, struct rule **rule, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct rule *r = rule[i];
		fmt_comments(f, r->loc.row);
		size_t start = f->out->size;
		put_rule(f, r);
		if (i + 1 < count && on_one_row(f, start) && one_liner(f, r) &&
			one_liner(f, rule[i + 1]) && rule[i + 1]->loc.row == r->loc.row + 1)
			continue;
		fmt_blank_line(f);
	}
}
