/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The formatter: source trees and comments to OPA's canonical layout.
 *
 * Theory of operation
 *
 * The layout follows the rows of the source: what stood on one row stays on one row, what was spread
 * over rows is written one element per row. A comment is written before the first node that begins
 * below it, or, when it shares the row of a node, kept in `at_end` until that line ends. Where a
 * comment has no such place (inside something that is written on one line), the outermost term
 * around it is written as it was.
 */
#include "base/buf.h"
#include "rego/ast.h"

struct fmt {
	struct mem *m;
	struct buf *out;
	struct module *module;
	struct slice source;
	struct comment **comment; /* those not written yet begin at `next` */
	uint32_t comment_count, next;
	struct comment *at_end; /* to be written when the line ends */
	bool delay;		/* ... but not the coming one */
	unsigned level;
	const struct literal *lead; /* a union at its start needs parentheses */
	const struct node *wrap;    /* a term that needs parentheses */
	unsigned terms;		    /* nesting of fmt_term() */
	bool inline_;		    /* something stands on the current line */
	bool last_line;		    /* a comment on the last row of a verbatim term belongs to it */
	bool verbatim;		    /* a term was written as it was */
	bool ifs, contains, v1, ref_heads;
};

/* Results of functions that write: a comment had no place. */
#define FMT_OK 0
#define FMT_COMMENT 1
#define FMT_ABOVE 2 /* likewise, and it stands before the term */

/* fmt.c */
void fmt_start_line(struct fmt *f);
void fmt_end_line(struct fmt *f);
void fmt_blank_line(struct fmt *f);
/* Write the comments above @row; keep the one on it for the end of the line. */
int fmt_comments(struct fmt *f, uint32_t row);
/* Write the comments up to @row, which is not the row of a node. */
void fmt_comment_lines(struct fmt *f, uint32_t row);
uint32_t fmt_row_at(const struct fmt *f, struct loc from, uint32_t offset);
static inline uint32_t fmt_end_row(const struct fmt *f, struct loc loc)
{
	return fmt_row_at(f, loc, loc.end);
}
static inline void fmt_put(struct fmt *f, const char *text)
{
	buf_put_str(f->out, text);
}
static inline struct slice fmt_text(const struct fmt *f, struct loc loc)
{
	return slice_cut(f->source, loc.offset, loc.end > loc.offset ? loc.end - loc.offset : 0);
}

/* fmt_term.c */
/* As an operand: an operator in it gets parentheses when @parens. */
int fmt_term(struct fmt *f, const struct node *n, bool parens);
int fmt_ref(struct fmt *f, const struct node *const *item, uint32_t count);
/* The operator a call is written with, NULL when it is written as a call. */
const char *fmt_infix(const struct node *n);
/* Whether a name would be read as a keyword. */
bool fmt_is_keyword(const struct fmt *f, struct slice s);
/* `in`, however it is written. */
bool fmt_is_member(const struct node *n);
bool fmt_is_union(const struct node *n);
int fmt_list(struct fmt *f, struct node *const *item, uint32_t count, struct loc loc, uint32_t step,
	bool paren_unions);

/* fmt_body.c */
int fmt_literal(struct fmt *f, const struct literal *lit);
int fmt_body(struct fmt *f, const struct body *b);
/* After the bar of a comprehension or the brace of `every`: up to the closing token. */
int fmt_inner_body(struct fmt *f, const struct body *b, uint32_t from_row, struct loc around);

/* fmt_rule.c */
void fmt_rules(struct fmt *f, struct rule **rule, uint32_t count);

/* ast_equal.c */
/*
 * Whether two modules mean the same: places, the words of comments and the order of imports do not
 * count. @ret_row: of the rule that differs.
 */
bool module_equal(const struct module *a, const struct module *b, uint32_t *ret_row);
