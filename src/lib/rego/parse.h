/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Recursive descent; every recursion passes parse_enter(), which bounds the depth. */
#include "rego/ast.h"

struct parse {
	struct lexer lex;
	struct mem *m;
	struct module *module; /* whose keywords are active */
	unsigned depth;
	unsigned max_depth;
	const char *pending; /* an error to be raised in the end */
	struct loc pending_loc;
	bool no_or; /* inside the head of a possible comprehension */
};

void parse_enter(struct parse *p);
static inline void parse_leave(struct parse *p)
{
	p->depth--;
}
/* "unexpected TOKEN: NOTE"; @note may be NULL */
noreturn_fn void parse_fail(struct parse *p, const char *note);
bool parse_is_word(struct parse *p, const char *word);
/* Whether the current word is an active keyword and not the start of a reference like `if.x`. */
bool parse_is_keyword(struct parse *p, const char *word);
bool parse_is_any_keyword(struct parse *p);
static inline bool parse_is(const struct parse *p, enum token tok)
{
	return p->lex.tok == tok;
}
bool parse_accept(struct parse *p, enum token tok);
void parse_expect(struct parse *p, enum token tok, const char *what);

struct node *parse_new(struct parse *p, enum node_kind kind, struct loc loc);
struct node *parse_const(struct parse *p, rv value, struct loc loc);
struct node *parse_operator(
	struct parse *p, const char *name, struct node *a, struct node *b, struct node *c);
struct nodes {
	struct node **item;
	uint32_t count, capacity;
};
void nodes_push(struct mem *m, struct nodes *l, struct node *n);
void parse_finish(struct parse *p, struct node *n, struct nodes *l);

/* `x in xs` and everything that binds tighter. */
struct node *parse_expr(struct parse *p);
/* What may be the head of a comprehension; the '|' is left when it is. */
struct node *parse_comp_head(struct parse *p);
/* Further `in xs` after an operand. */
struct node *parse_more_in(struct parse *p, struct node *left);
/* After `k`, at the comma of `k, v in xs`; NULL and the second term when no `in` follows. */
struct node *parse_pair_member(struct parse *p, struct node *key, struct node **ret_second);
/* Without `in`. */
struct node *parse_relation(struct parse *p);
struct node *parse_value(struct parse *p);
/* A word that is a value, or a name with what follows it. */
struct node *parse_word(struct parse *p);
/* After '-', and after '.' where a value is expected. */
struct node *parse_negative(struct parse *p);
struct node *parse_fraction(struct parse *p);
/* One operand: literal, reference, call, collection, parentheses. */
struct node *parse_primary(struct parse *p);
/* A name with its path and maybe arguments, as in heads of rules. */
struct node *parse_ref_head(struct parse *p);
struct node *parse_var_token(struct parse *p);

/* Statements up to @end, which is not consumed. */
struct body *parse_body(struct parse *p, enum token end);
struct literal *parse_literal(struct parse *p);
/* `with TARGET as VALUE`, any number of them. */
void parse_with(struct parse *p, struct literal *lit);
/* The body after '|', and the closing token. NULL and @ret_items when it is a list after all. */
struct body *parse_comprehension(struct parse *p, enum token close, struct nodes *ret_items);
