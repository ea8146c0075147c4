/* SPDX-License-Identifier: Apache-2.0 */
/* Statements and bodies. */
#include "base/str.h"
#include "rego/fmt.h"

static int put_some(struct fmt *f, const struct literal *lit)
{
	uint32_t row = lit->loc.row;
	int r = FMT_OK;
	fmt_put(f, "some ");
	if (lit->expr) {
		for (uint32_t i = 0; r == FMT_OK && i < lit->expr->count; i++) {
			if (i > 0)
				fmt_put(f, i + 1 == lit->expr->count ? " in " : ", ");
			r = fmt_term(f, lit->expr->item[i], true);
		}
		return r;
	}
	for (uint32_t i = 0; r == FMT_OK && i < lit->decl_count; i++) {
		const struct node *n = lit->decl[i];
		if (n->loc.row > row) {
			fmt_end_line(f);
			fmt_start_line(f);
			fmt_put(f, "\t");
			row = n->loc.row;
		} else if (i > 0) {
			fmt_put(f, " ");
		}
		r = fmt_term(f, n, false);
		fmt_put(f, i + 1 < lit->decl_count ? "," : "");
	}
	return r;
}

static int put_every(struct fmt *f, const struct literal *lit)
{
	int r = FMT_OK;
	fmt_put(f, "every ");
	if (lit->key) {
		r = fmt_term(f, lit->key, false);
		fmt_put(f, ", ");
	}
	if (r == FMT_OK)
		r = fmt_term(f, lit->val, false);
	fmt_put(f, " in ");
	if (r == FMT_OK)
		r = fmt_term(f, lit->domain, false);
	if (r)
		return r;
	fmt_put(f, " {");
	struct loc around = lit->loc;
	around.end = lit->body->end;
	bool one_row = lit->body->count == 1 && lit->body->lit[0]->loc.row == lit->loc.row;
	r = fmt_inner_body(f, lit->body, lit->loc.row, around);
	fmt_put(f, one_row ? " }" : "}");
	return r;
}

/* An operator at the top of a statement: its operands need no brackets at their own top. */
static int put_expr(struct fmt *f, const struct node *n)
{
	const char *op = fmt_infix(n);
	int r = FMT_OK;
	if (fmt_is_member(n) && (!n->callee || f->v1 || f->module->kw_in)) {
		for (uint32_t i = 0; r == FMT_OK && i < n->count; i++) {
			if (i > 0)
				fmt_put(f, i + 1 == n->count ? " in " : ", ");
			r = fmt_term(f, n->item[i], true);
		}
		return r;
	}
	if (op) {
		r = fmt_term(f, n->item[0], fmt_is_member(n->item[0]));
		buf_printf(f->out, " %s ", op);
		return r ? r : fmt_term(f, n->item[1], fmt_is_member(n->item[1]));
	}
	return fmt_term(f, n, false);
}

static int put_with(struct fmt *f, const struct with *w, bool indented)
{
	int r = fmt_comments(f, w->loc.row);
	fmt_put(f, indented ? "with " : " with ");
	if (r == FMT_OK)
		r = fmt_term(f, w->target, false);
	fmt_put(f, " as ");
	return r ? r : fmt_term(f, w->value, false);
}

static int put_withs(struct fmt *f, const struct literal *lit)
{
	/* The row where the statement itself ends. */
	uint32_t end = lit->with[0].loc.offset, i = 0;
	while (end > lit->loc.offset &&
		(f->source.data[end - 1] == ' ' || f->source.data[end - 1] == '\t' ||
			f->source.data[end - 1] == '\r' || f->source.data[end - 1] == '\n'))
		end--;
	uint32_t row = fmt_row_at(f, lit->loc, end);
	unsigned level = f->level;
	int r = FMT_OK;
	if (lit->with[0].loc.row == row)
		r = put_with(f, &lit->with[i++], false);
	for (; r == FMT_OK && i < lit->with_count; i++) {
		bool below = lit->with[i].loc.row > row;
		if (below) {
			f->level = level + 1;
			fmt_end_line(f);
			fmt_start_line(f);
			row = lit->with[i].loc.row;
		}
		r = put_with(f, &lit->with[i], below);
	}
	f->level = level;
	return r;
}

static int put_literal(struct fmt *f, const struct literal *lit)
{
	int r = fmt_comments(f, lit->loc.row);
	if (r)
		return r;
	if (!f->inline_)
		fmt_start_line(f);
	bool lead = f->lead == lit && !lit->negated && lit->kind == LIT_EXPR;
	bool wrap = lead && fmt_is_union(lit->expr);
	f->lead = NULL;
	if (lead && !wrap && fmt_infix(lit->expr) && fmt_is_union(lit->expr->item[0]))
		f->wrap = lit->expr->item[0];
	fmt_put(f, lit->negated ? "not " : wrap ? "(" : "");
	if (lit->kind == LIT_SOME)
		r = put_some(f, lit);
	else if (lit->kind == LIT_EVERY)
		r = put_every(f, lit);
	else
		r = put_expr(f, lit->expr);
	fmt_put(f, wrap ? ")" : "");
	return r == FMT_OK && lit->with_count ? put_withs(f, lit) : r;
}

int fmt_literal(struct fmt *f, const struct literal *lit)
{
	size_t size = f->out->size;
	unsigned level = f->level, terms = f->terms;
	uint32_t next = f->next;
	struct comment *at_end = f->at_end;
	bool inline_ = f->inline_;
	/* Inside of another term the outermost one is what is written as it was. */
	int r = put_literal(f, lit);
	f->terms = terms;
	if (r == FMT_OK || terms > 0)
		return r;
	f->out->size = size;
	f->level = level;
	f->inline_ = inline_;
	/* The comment on the first row is among what is written as it was. */
	bool within = at_end && at_end->row == lit->loc.row &&
		      at_end->text.data < f->source.data + lit->loc.end;
	f->at_end = within ? NULL : at_end;
	f->next = next;
	fmt_comment_lines(f, lit->loc.row);
	if (!f->inline_)
		fmt_start_line(f);
	buf_put_slice(f->out, fmt_text(f, lit->loc));
	uint32_t end = fmt_end_row(f, lit->loc);
	while (f->next < f->comment_count && f->comment[f->next]->row <= end &&
		f->comment[f->next]->text.data < f->source.data + lit->loc.end)
		f->next++;
	if (!f->at_end && f->next < f->comment_count && f->comment[f->next]->row == end)
		f->at_end = f->comment[f->next++];
	f->verbatim = true;
	return FMT_OK;
}

int fmt_body(struct fmt *f, const struct body *b)
{
	int r = fmt_comments(f, b->lit[0]->loc.row);
	if (r)
		return r;
	for (uint32_t i = 0; i < b->count; i++) {
		if (i > 0 && b->lit[i]->loc.row > fmt_end_row(f, b->lit[i - 1]->loc) + 1)
			fmt_blank_line(f);
		fmt_start_line(f);
		r = fmt_literal(f, b->lit[i]);
		if (r)
			return r;
		fmt_end_line(f);
	}
	return FMT_OK;
}

int fmt_inner_body(struct fmt *f, const struct body *b, uint32_t from_row, struct loc around)
{
	uint32_t close = fmt_end_row(f, around), row = from_row, lines = 1;
	for (uint32_t i = 0; i < b->count; i++) {
		lines += i > 0 && b->lit[i]->loc.row > row;
		row = b->lit[i]->loc.row;
	}
	int r;
	if (b->lit[0]->loc.row > from_row || lines > 1) {
		fmt_end_line(f);
		f->level++;
		r = fmt_body(f, b);
		if (r == FMT_OK)
			r = fmt_comments(f, close);
		f->level--;
		fmt_start_line(f);
		return r;
	}
	fmt_put(f, " ");
	for (uint32_t i = 0; i < b->count; i++) {
		fmt_put(f, i ? "; " : "");
		r = fmt_literal(f, b->lit[i]);
		if (r)
			return r;
	}
	return fmt_comments(f, close);
}
