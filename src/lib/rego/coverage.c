/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Coverage: one mark per head and per statement of a program, and OPA's report over them. A line
 * counts as covered when something that begins or goes on in it is covered.
 */
#include "base/buf.h"
#include "base/str.h"
#include "rego/eval.h"

struct rego_coverage {
	const struct rego_program *p;
	uint8_t *mark;
};

struct rego_coverage *rego_coverage_new(const struct rego_program *p)
{
	struct rego_coverage *c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->p = p;
	c->mark = calloc(p->cover_count + 1, 1);
	if (!c->mark) {
		free(c);
		return NULL;
	}
	return c;
}

void rego_coverage_free(struct rego_coverage *c)
{
	if (c)
		free(c->mark);
	free(c);
}

uint8_t *coverage_marks(struct rego_coverage *c)
{
	return c->mark;
}

struct range {
	const char *file;
	uint32_t row, col, end_row, end_col;
	bool covered;
};

struct ranges {
	struct range *item;
	size_t count, capacity;
	bool failed;
};

static void add_range(struct ranges *l, const struct program_module *m, uint32_t row, uint32_t col,
	struct slice text, bool covered)
{
	if (l->count == l->capacity) {
		size_t capacity = l->capacity ? l->capacity * 2 : 64;
		struct range *more = realloc(l->item, capacity * sizeof(*more));
		l->failed = l->failed || !more;
		if (!more)
			return;
		l->item = more;
		l->capacity = capacity;
	}
	struct range r = {m->file, row, col, row, col, covered};
	for (size_t i = 0; i < text.size; i++) {
		r.end_col++;
		if (text.data[i] == '\n') {
			r.end_row++;
			r.end_col = 1;
		}
	}
	l->item[l->count++] = r;
}

static void add_def(struct ranges *l, const struct rego_coverage *c, const struct def *d)
{
	for (; d; d = d->orelse) {
		const struct program_module *m = d->module;
		const uint8_t *mark = c->mark + d->cover;
		add_range(l, m, d->row, d->col,
			slice_cut(m->source, d->offset,
				d->head_end > d->offset ? d->head_end - d->offset : 0),
			mark[0]);
		for (uint32_t i = 0; i < d->block.expr_count; i++) {
			const struct expr_info *x = &d->block.expr[i];
			add_range(l, m, x->row, x->col, slice_cut(m->source, x->offset, x->size),
				mark[1 + i]);
		}
	}
}

static int by_place(const void *x, const void *y)
{
	const struct range *a = x, *b = y;
	int order = __builtin_strcmp(a->file, b->file);
	if (order)
		return order;
	if (a->row != b->row)
		return a->row < b->row ? -1 : 1;
	return a->col < b->col ? -1 : a->col > b->col;
}

/* Uncovered ranges inside of covered ones are what was reached, but not to its end. */
static void collect(struct ranges *l, const struct rego_coverage *c)
{
	for (uint32_t i = 0; i < c->p->group_count; i++) {
		const struct group *g = c->p->group[i];
		for (uint32_t k = 0; k < g->def_count; k++)
			add_def(l, c, g->def[k]);
		add_def(l, c, g->fallback);
	}
	if (l->count > 1)
		qsort(l->item, l->count, sizeof(*l->item), by_place);
}

struct tally {
	size_t covered, not_covered;
};

/* Distinct lines of the ranges of one kind. */
static size_t lines(const struct range *r, size_t count, bool covered)
{
	size_t n = 0;
	uint32_t last = 0;
	for (size_t i = 0; i < count; i++) {
		if (r[i].covered != covered)
			continue;
		uint32_t from = MAX(r[i].row, last + 1);
		if (r[i].end_row >= from) {
			n += r[i].end_row - from + 1;
			last = r[i].end_row;
		}
	}
	return n;
}

static double percent(struct tally t)
{
	size_t all = t.covered + t.not_covered;
	return all ? 100.0 * (double)t.covered / (double)all : 0;
}

static void put_ranges(
	struct buf *out, const char *name, const struct range *r, size_t count, bool covered)
{
	bool first = true;
	for (size_t i = 0; i < count; i++) {
		if (r[i].covered != covered)
			continue;
		if (first)
			buf_printf(out, "\"%s\":[", name);
		buf_printf(out,
			"%s{\"start\":{\"row\":%u,\"col\":%u},\"end\":{\"row\":%u,\"col\":%u}}",
			first ? "" : ",", r[i].row, r[i].col, r[i].end_row, r[i].end_col);
		first = false;
	}
	if (!first)
		buf_put_str(out, "],");
}

static void put_tally(struct buf *out, struct tally t, bool all)
{
	if (t.covered || all)
		buf_printf(out, "\"covered_lines\":%zu,", t.covered);
	if (t.not_covered || all)
		buf_printf(out, "\"not_covered_lines\":%zu,", t.not_covered);
	buf_printf(out, "\"coverage\":%.6g", percent(t));
}

static struct tally put_files(struct buf *out, const struct ranges *l)
{
	struct tally total = {0};
	for (size_t i = 0, n; i < l->count; i += n) {
		const struct range *r = l->item + i;
		for (n = 0; i + n < l->count && streq(r[n].file, r[0].file);)
			n++;
		struct tally t = {lines(r, n, true), lines(r, n, false)};
		total.covered += t.covered;
		total.not_covered += t.not_covered;
		if (!out)
			continue;
		buf_put_str(out, i ? "," : "");
		print_json_string(out, slice_str(r[0].file));
		buf_put_str(out, ":{");
		put_ranges(out, "covered", r, n, true);
		put_ranges(out, "not_covered", r, n, false);
		put_tally(out, t, false);
		buf_put_u8(out, '}');
	}
	return total;
}

double rego_coverage_percent(const struct rego_coverage *c)
{
	struct ranges l = {0};
	collect(&l, c);
	struct tally t = put_files(NULL, &l);
	free(l.item);
	return l.failed ? 0 : percent(t);
}

void rego_coverage_json(const struct rego_coverage *c, struct buf *out)
{
	struct ranges l = {0};
	collect(&l, c);
	buf_put_str(out, "{\"files\":{");
	struct tally t = put_files(out, &l);
	buf_put_str(out, "},");
	put_tally(out, t, true);
	buf_put_u8(out, '}');
	free(l.item);
	if (l.failed && !out->error)
		out->error = -ENOMEM;
}
