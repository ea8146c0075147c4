/* SPDX-License-Identifier: Apache-2.0 */
/* Lines, comments, package and imports of the formatter. */
#include "rego/fmt.h"

#include "base/str.h"

#define OUTPUT_MAX ((size_t)64 << 20)

void fmt_start_line(struct fmt *f)
{
	f->inline_ = true;
	for (unsigned i = 0; i < f->level; i++)
		buf_put_u8(f->out, '\t');
}

void fmt_end_line(struct fmt *f)
{
	f->inline_ = false;
	if (f->at_end && !f->delay) {
		buf_put_u8(f->out, ' ');
		buf_put_slice(f->out, f->at_end->text);
		f->at_end = NULL;
	}
	f->delay = false;
	buf_put_u8(f->out, '\n');
}

void fmt_blank_line(struct fmt *f)
{
	if (f->inline_)
		fmt_end_line(f);
	buf_put_u8(f->out, '\n');
}

uint32_t fmt_row_at(const struct fmt *f, struct loc from, uint32_t offset)
{
	uint32_t row = from.row;
	for (uint32_t i = from.offset; i < offset && i < f->source.size; i++)
		row += f->source.data[i] == '\n';
	return row;
}

static bool is_metadata(const struct comment *c)
{
	struct slice s = slice_cut(c->text, 1, c->text.size);
	while (s.size && (s.data[0] == ' ' || s.data[0] == '\t'))
		s = slice_cut(s, 1, s.size);
	return slice_eq_str(s, "METADATA");
}

static void put_comments(struct fmt *f, uint32_t count)
{
	bool in_metadata = false;
	for (uint32_t i = 0; i < count; i++) {
		const struct comment *c = f->comment[f->next + i];
		uint32_t gap = i ? c->row - f->comment[f->next + i - 1]->row : 0;
		if (gap > 1) {
			fmt_blank_line(f);
			in_metadata = false;
		} else if (gap == 1 && in_metadata && is_metadata(c)) {
			fmt_blank_line(f);
		}
		in_metadata = in_metadata || is_metadata(c);
		if (!f->inline_)
			fmt_start_line(f);
		buf_put_slice(f->out, c->text);
		fmt_end_line(f);
	}
	f->next += count;
}

void fmt_comment_lines(struct fmt *f, uint32_t row)
{
	uint32_t before = 0;
	while (f->next + before < f->comment_count && f->comment[f->next + before]->row < row)
		before++;
	uint32_t last = before ? f->comment[f->next + before - 1]->row : row;
	put_comments(f, before);
	if (before && row - last > 1)
		fmt_blank_line(f);
}

int fmt_comments(struct fmt *f, uint32_t row)
{
	fmt_comment_lines(f, row);
	if (f->next == f->comment_count || f->comment[f->next]->row != row)
		return FMT_OK;
	if (f->at_end) {
		f->at_end = NULL;
		f->next++;
		return FMT_COMMENT;
	}
	f->at_end = f->comment[f->next++];
	return FMT_OK;
}

/* --- package and imports --- */

static void put_package(struct fmt *f)
{
	const struct node *p = f->module->package;
	struct node head = {.kind = NODE_VAR, .name = value_slice(p->item[1]->value)};
	const struct node **path = mem_array(f->m, p->count, sizeof(*path));
	path[0] = &head;
	for (uint32_t i = 2; i < p->count; i++)
		path[i - 1] = p->item[i];
	fmt_comments(f, f->module->package_loc.row);
	fmt_start_line(f);
	fmt_put(f, "package ");
	fmt_ref(f, path, p->count - 1);
	fmt_blank_line(f);
}

static int path_order(const struct node *a, const struct node *b)
{
	uint32_t n = a->kind == NODE_REF ? a->count : 1, m = b->kind == NODE_REF ? b->count : 1;
	struct slice x = n > 1 ? a->item[0]->name : a->name, y = m > 1 ? b->item[0]->name : b->name;
	int order = memcmp(x.data, y.data, MIN(x.size, y.size));
	if (order == 0)
		order = x.size < y.size ? -1 : x.size > y.size;
	for (uint32_t i = 1; order == 0 && i < n && i < m; i++)
		order = value_compare(a->item[i]->value, b->item[i]->value);
	return order ? order : n < m ? -1 : n > m;
}

static int import_order(const struct import *a, const struct import *b)
{
	int order = path_order(a->path, b->path);
	if (order || a->directive)
		return order;
	struct slice x = a->renamed ? a->alias : SLICE_EMPTY;
	struct slice y = b->renamed ? b->alias : SLICE_EMPTY;
	order = x.size && y.size ? memcmp(x.data, y.data, MIN(x.size, y.size)) : 0;
	return order ? order : x.size < y.size ? -1 : x.size > y.size;
}

/* The comment on the row of an import goes with it, wherever it is sorted to. */
static const struct comment *take_comment(struct fmt *f, uint32_t row)
{
	for (uint32_t i = f->next; row && i < f->comment_count; i++) {
		struct comment *c = f->comment[i];
		if (c->row != row)
			continue;
		memmove(f->comment + i, f->comment + i + 1,
			(f->comment_count - i - 1) * sizeof(*f->comment));
		f->comment_count--;
		return c;
	}
	return NULL;
}

static void put_import(struct fmt *f, const struct import *imp, const struct comment *c)
{
	const struct node *p = imp->path;
	fmt_start_line(f);
	fmt_put(f, "import ");
	if (imp->directive) {
		/* Keywords are names here. */
		buf_put_slice(f->out, p->item[0]->name);
		for (uint32_t i = 1; i < p->count; i++) {
			buf_put_u8(f->out, '.');
			buf_put_slice(f->out, value_slice(p->item[i]->value));
		}
	} else if (p->kind == NODE_VAR) {
		buf_put_slice(f->out, p->name);
	} else {
		fmt_ref(f, (const struct node *const *)p->item, p->count);
	}
	if (imp->renamed) {
		fmt_put(f, " as ");
		buf_put_slice(f->out, imp->alias);
	}
	if (c) {
		buf_put_u8(f->out, ' ');
		buf_put_slice(f->out, c->text);
	}
	fmt_end_line(f);
}

/* Imports on rows that follow each other are sorted. */
static void put_imports(struct fmt *f, struct import **imp, uint32_t count)
{
	const struct comment **comment = mem_array(f->m, count + 1, sizeof(*comment));
	for (uint32_t i = 0; i < count; i++)
		comment[i] = take_comment(f, imp[i]->loc.row);
	for (uint32_t from = 0, to; from < count; from = to) {
		for (to = from + 1; to < count && imp[to]->loc.row - imp[to - 1]->loc.row <= 1;)
			to++;
		fmt_comments(f, imp[from]->loc.row);
		/* Few enough for insertion; equal ones keep their order. */
		for (uint32_t i = from + 1; i < to; i++)
			for (uint32_t k = i; k > from && import_order(imp[k], imp[k - 1]) < 0;
				k--) {
				struct import *t = imp[k];
				const struct comment *tc = comment[k];
				imp[k] = imp[k - 1];
				imp[k - 1] = t;
				comment[k] = comment[k - 1];
				comment[k - 1] = tc;
			}
		for (uint32_t i = from; i < to; i++)
			put_import(f, imp[i], comment[i]);
		fmt_blank_line(f);
	}
}

/* --- modules --- */

static bool path_is(const struct node *p, const char *first, const char *second)
{
	return p->kind == NODE_REF && p->count >= 2 && slice_eq_str(p->item[0]->name, first) &&
	       value_str_is(p->item[1]->value, second);
}

static bool is_rego_v1(const struct import *imp)
{
	return path_is(imp->path, "rego", "v1");
}

static struct import *rego_v1_import(struct fmt *f, uint32_t row)
{
	struct import *imp = mem_new(f->m, struct import);
	struct node *p = mem_new(f->m, struct node);
	p->kind = NODE_REF;
	p->count = 2;
	p->item = mem_array(f->m, 2, sizeof(*p->item));
	p->item[0] = mem_new(f->m, struct node);
	p->item[0]->kind = NODE_VAR;
	p->item[0]->name = SLICE_LIT("rego");
	p->item[1] = mem_new(f->m, struct node);
	p->item[1]->value = value_cstr(f->m, "v1");
	imp->path = p;
	imp->directive = true;
	imp->loc.row = row;
	return imp;
}

/* Which directives the result needs. */
static struct import **choose_imports(
	struct fmt *f, const struct rego_format_options *o, uint32_t *ret_count)
{
	uint32_t count = 0, row = 0;
	bool has_v1 = false;
	for (struct import *imp = f->module->imports; imp; imp = imp->next) {
		count++;
		has_v1 = has_v1 || is_rego_v1(imp);
		if (imp->directive)
			row = MAX(row, imp->loc.row);
	}
	struct import **list = mem_array(f->m, count + 2, sizeof(*list));
	count = 0;
	if (o->to_v1 && !has_v1 && !o->drop_imports && row == 0)
		list[count++] = rego_v1_import(f, 1);
	for (struct import *imp = f->module->imports; imp; imp = imp->next) {
		bool future = imp->directive && !is_rego_v1(imp);
		bool v1 = has_v1 || o->to_v1 || (o->drop_imports && f->v1);
		if ((future && v1) || (o->drop_imports && f->v1 && is_rego_v1(imp)))
			continue;
		list[count++] = imp;
	}
	if (o->to_v1 && !has_v1 && !o->drop_imports && row > 0) {
		uint32_t at = 0;
		while (at < count && list[at]->loc.row <= row)
			at++;
		memmove(list + at + 1, list + at, (count - at) * sizeof(*list));
		list[at] = rego_v1_import(f, row);
		count++;
	}
	*ret_count = count;
	return list;
}

static void find_features(struct fmt *f)
{
	for (const struct import *imp = f->module->imports; imp; imp = imp->next) {
		if (is_rego_v1(imp))
			f->contains = f->ifs = true;
		if (!imp->directive || !path_is(imp->path, "future", "keywords"))
			continue;
		bool all = imp->path->count == 2;
		f->contains =
			f->contains || all || value_str_is(imp->path->item[2]->value, "contains");
		f->ifs = f->ifs || all || value_str_is(imp->path->item[2]->value, "if");
	}
	for (const struct rule *r = f->module->rules; r; r = r->next) {
		uint32_t n = (r->head->kind == NODE_REF ? r->head->count : 1);
		if (n > 2 || (n == 2 && r->is_contains))
			f->ref_heads = true;
	}
}

/* Rules and imports may alternate: gather runs of each, in order of the source. */
static void put_module(struct fmt *f, const struct rego_format_options *o)
{
	uint32_t imports = 0, rules = 0, i = 0, k = 0;
	struct import **imp = choose_imports(f, o, &imports);
	for (struct rule *r = f->module->rules; r; r = r->next)
		rules++;
	struct rule **rule = mem_array(f->m, rules + 1, sizeof(*rule));
	for (struct rule *r = f->module->rules; r; r = r->next)
		rule[i++] = r;
	put_package(f);
	i = 0;
	while (i < imports || k < rules) {
		uint32_t from = i;
		while (i < imports && (k == rules || imp[i]->loc.row < rule[k]->loc.row))
			i++;
		put_imports(f, imp + from, i - from);
		from = k;
		while (k < rules && (i == imports || rule[k]->loc.row <= imp[i]->loc.row))
			k++;
		fmt_rules(f, rule + from, k - from);
	}
	for (; f->next < f->comment_count; f->next++) {
		if (!f->inline_)
			fmt_start_line(f);
		buf_put_slice(f->out, f->comment[f->next]->text);
		fmt_end_line(f);
	}
}

struct format_arg {
	struct mem m;
	const char *file;
	struct slice source;
	const struct rego_format_options *o;
	struct buf *out;
};

static void format_module(void *arg)
{
	struct format_arg *a = arg;
	enum rego_dialect from = a->o->to_v1 ? REGO_DIALECT_V0 : a->o->dialect;
	struct module *module = parse_commented(&a->m, a->file, a->source, from, 256);
	struct fmt f = {.m = &a->m, .out = a->out, .module = module, .source = a->source};
	f.v1 = a->o->dialect != REGO_DIALECT_V0 || a->o->to_v1;
	f.ifs = f.contains = f.v1;
	find_features(&f);
	f.comment_count = module->comments->count;
	f.comment = mem_array(&a->m, f.comment_count + 1, sizeof(struct comment *));
	for (uint32_t i = 0; i < f.comment_count; i++)
		f.comment[i] = &module->comments->item[i];
	put_module(&f, a->o);
	while (a->out->size > 1 && a->out->data[a->out->size - 1] == '\n' &&
		a->out->data[a->out->size - 2] == '\n')
		a->out->data[--a->out->size] = '\0';
	if (buf_error(a->out))
		mem_fail(&a->m, REGO_ERR_MEMORY, "memory", "%s: the result is too large", a->file);
	/* What was written must mean what was read. */
	enum rego_dialect to = a->o->to_v1 ? REGO_DIALECT_V1 : from;
	const struct module *again = parse_commented(&a->m, a->file, buf_slice(a->out), to, 256);
	uint32_t row;
	if (!module_equal(module, again, &row))
		mem_fail(&a->m, -EBADMSG, "rego_format_error",
			"%s:%u: the rule cannot be formatted without changing it", a->file, row);
}

int rego_format(const char *file, struct slice source, const struct rego_format_options *options,
	struct buf *out, struct err *reterr)
{
	static const struct rego_format_options none;
	struct buf text = buf_init(OUTPUT_MAX);
	struct format_arg a = {
		.file = file, .source = source, .o = options ? options : &none, .out = &text};
	if (!utf8_valid(source))
		return err_at(
			reterr, REGO_ERR_SYNTAX, 0, "rego_parse_error", "%s: not UTF-8 text", file);
	a.m.arena = arena_new((size_t)1 << 30);
	if (!a.m.arena)
		return -ENOMEM;
	int r = mem_guard(&a.m, format_module, &a, reterr);
	if (r == 0)
		buf_put_slice(out, buf_slice(&text));
	if (r == 0)
		r = buf_error(out);
	buf_done(&text);
	arena_free(a.m.arena);
	return r;
}
