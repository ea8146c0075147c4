/* SPDX-License-Identifier: Apache-2.0 */
/* Operators by precedence, where a '|' is one, and what a '-' or '.' before digits means. */
#include "base/str.h"
#include "rego/number.h"
#include "rego/parse.h"

/* Operators by level; the lowest level binds the loosest. */
static const char *operator_at(const struct parse *p, int level)
{
	switch (p->lex.tok) {
	case TOK_EQ:
		return level == 0 ? "equal" : NULL;
	case TOK_NE:
		return level == 0 ? "neq" : NULL;
	case TOK_LT:
		return level == 0 ? "lt" : NULL;
	case TOK_LE:
		return level == 0 ? "lte" : NULL;
	case TOK_GT:
		return level == 0 ? "gt" : NULL;
	case TOK_GE:
		return level == 0 ? "gte" : NULL;
	case TOK_OR:
		return level == 1 && !p->no_or ? "or" : NULL;
	case TOK_AND:
		return level == 2 ? "and" : NULL;
	case TOK_PLUS:
		return level == 3 ? "plus" : NULL;
	case TOK_MINUS:
		return level == 3 ? "minus" : NULL;
	case TOK_MUL:
		return level == 4 ? "mul" : NULL;
	case TOK_DIV:
		return level == 4 ? "div" : NULL;
	case TOK_REM:
		return level == 4 ? "rem" : NULL;
	default:
		return NULL;
	}
}

#define LEVELS 5

static struct node *parse_level_rest(struct parse *p, int level, struct node *left);

static struct node *parse_level(struct parse *p, int level)
{
	return level == LEVELS ? parse_primary(p)
			       : parse_level_rest(p, level, parse_level(p, level + 1));
}

static struct node *parse_level_rest(struct parse *p, int level, struct node *left)
{
	const char *name;
	/* Chains of one operator make deep trees on the left: they count as depth too. */
	unsigned added = 0;
	while ((name = operator_at(p, level)) != NULL) {
		lex_next(&p->lex);
		left = parse_operator(p, name, left, parse_level(p, level + 1), NULL);
		parse_enter(p);
		added++;
	}
	p->depth -= added;
	return left;
}

struct node *parse_relation(struct parse *p)
{
	return parse_level(p, 0);
}

struct node *parse_expr(struct parse *p)
{
	return parse_more_in(p, parse_relation(p));
}

/* `xs in ys`, or `k, v in xs` where a comma cannot mean anything else. */
struct node *parse_value(struct parse *p)
{
	struct node *n = parse_expr(p), *second;
	struct lexer before = p->lex;
	if (!p->module->kw_in || !parse_is(p, TOK_COMMA))
		return n;
	struct node *member = parse_pair_member(p, n, &second);
	if (member)
		return member;
	p->lex = before;
	return n;
}

struct node *parse_more_in(struct parse *p, struct node *left)
{
	unsigned added = 0;
	while (p->module->kw_in && parse_is_keyword(p, "in")) {
		lex_next(&p->lex);
		left = parse_operator(p, "internal.member_2", left, parse_relation(p), NULL);
		parse_enter(p);
		added++;
	}
	p->depth -= added;
	return left;
}

static bool is_operator(const struct node *n)
{
	return n->kind == NODE_CALL && !n->callee && !n->paren;
}

/* A relation or `in`: what binds looser than '|'. */
static bool is_loose(const struct node *n)
{
	static const char *const names[] = {
		"equal", "neq", "lt", "lte", "gt", "gte", "internal.member_2", "internal.member_3"};
	for (size_t i = 0; is_operator(n) && i < ARRAY_COUNT(names); i++)
		if (slice_eq_str(n->name, names[i]))
			return true;
	return false;
}

/* The expression was read up to a '|' that belongs to its last operand: read on from there. */
static struct node *resume_or(struct parse *p, struct node *n)
{
	if (!is_loose(n))
		return parse_level_rest(p, 1, n);
	struct node **last = &n->item[n->count - 1];
	*last = resume_or(p, *last);
	n->loc.end = MAX(n->loc.end, (*last)->loc.end);
	bool member = str_starts((const char *)n->name.data, "internal.");
	return member ? parse_more_in(p, n) : parse_level_rest(p, 0, n);
}

/*
 * The head of a comprehension is one term; an expression with operators before a '|' is an element
 * with a union in it.
 */
struct node *parse_comp_head(struct parse *p)
{
	p->no_or = true;
	struct node *n = parse_expr(p);
	p->no_or = false;
	if (!parse_is(p, TOK_OR) || !is_operator(n))
		return n;
	return parse_more_in(p, resume_or(p, n));
}

/* A number with what is before its digits: a sign, a bare point. */
static struct node *parse_number(struct parse *p, const char *prefix, struct loc loc)
{
	if (!parse_is(p, TOK_NUMBER))
		parse_fail(p, "expected number");
	struct slice digits = p->lex.text;
	size_t n = strlen(prefix);
	char *text = mem_alloc(p->m, n + digits.size + 1);
	memcpy(text, prefix, n);
	memcpy(text + n, digits.data, digits.size);
	struct slice all = slice_of(text, n + digits.size);
	if (!num_text_ok(all))
		parse_fail(p, "expected number");
	loc.end = p->lex.loc.end;
	struct node *number = parse_const(p, num_from_text(p->m, all), loc);
	lex_next(&p->lex);
	return number;
}

/* -1, -.5, or -x, which is 0 - x. */
struct node *parse_negative(struct parse *p)
{
	struct loc loc = p->lex.loc;
	lex_next(&p->lex);
	if (parse_accept(p, TOK_DOT))
		return parse_number(p, "-0.", loc);
	if (!parse_is(p, TOK_IDENT) || parse_is_any_keyword(p))
		return parse_number(p, "-", loc);
	struct node *of = parse_word(p);
	struct node *zero = parse_const(p, value_int(p->m, 0), loc);
	struct node *n = parse_operator(p, "minus", zero, of, NULL);
	n->loc = loc;
	n->loc.end = of->loc.end;
	return n;
}

struct node *parse_fraction(struct parse *p)
{
	struct loc loc = p->lex.loc;
	lex_next(&p->lex);
	return parse_number(p, "0.", loc);
}
