/* SPDX-License-Identifier: Apache-2.0 */
/* Statements: expressions, `some`, `every`, `not`, `with`. */
#include "rego/parse.h"

struct literals {
	struct literal **item;
	uint32_t count, capacity;
};

static void literals_push(struct mem *m, struct literals *l, struct literal *lit)
{
	if (l->count == l->capacity) {
		uint32_t capacity = l->capacity ? l->capacity * 2 : 4;
		struct literal **item = mem_array(m, capacity, sizeof(*item));
		if (l->count)
			memcpy(item, l->item, l->count * sizeof(*item));
		l->item = item;
		l->capacity = capacity;
	}
	l->item[l->count++] = lit;
}

static void push_decl(struct parse *p, struct literal *lit, struct nodes *l)
{
	lit->decl = l->item;
	lit->decl_count = l->count;
	(void)p;
}

static void parse_some(struct parse *p, struct literal *lit)
{
	struct nodes l = {0};
	lex_next(&p->lex);
	lit->kind = LIT_SOME;
	do {
		nodes_push(p->m, &l, parse_relation(p));
	} while (parse_accept(p, TOK_COMMA));
	push_decl(p, lit, &l);
	if (p->module->kw_in && parse_is_keyword(p, "in")) {
		if (l.count > 2)
			parse_fail(p, "expected at most a key and a value before in");
		lex_next(&p->lex);
		struct node *domain = parse_relation(p);
		lit->expr = l.count == 1 ? parse_operator(
						   p, "internal.member_2", l.item[0], domain, NULL)
					 : parse_operator(p, "internal.member_3", l.item[0],
						   l.item[1], domain);
		return;
	}
	for (uint32_t i = 0; i < l.count; i++)
		if (l.item[i]->kind != NODE_VAR)
			lex_fail(&p->lex, l.item[i]->loc, REGO_ERR_SYNTAX, "rego_parse_error",
				"expected a variable after \"some\"");
}

static void parse_every(struct parse *p, struct literal *lit)
{
	lex_next(&p->lex);
	lit->kind = LIT_EVERY;
	if (!parse_is(p, TOK_IDENT))
		parse_fail(p, "expected value to be a variable");
	lit->val = parse_var_token(p);
	if (parse_accept(p, TOK_COMMA)) {
		lit->key = lit->val;
		if (!parse_is(p, TOK_IDENT))
			parse_fail(p, "expected value to be a variable");
		lit->val = parse_var_token(p);
	}
	if (!parse_is_word(p, "in"))
		parse_fail(p, "expected `x[, y] in xs { ... }` expression");
	lex_next(&p->lex);
	lit->domain = parse_relation(p);
	parse_expect(p, TOK_LBRACE, "missing body");
	lit->body = parse_body(p, TOK_RBRACE);
	parse_expect(p, TOK_RBRACE, "\"}\"");
}

void parse_with(struct parse *p, struct literal *lit)
{
	uint32_t capacity = 0;
	while (parse_is_keyword(p, "with")) {
		struct with w = {.loc = p->lex.loc};
		lex_next(&p->lex);
		w.target = parse_primary(p);
		if (!parse_is_keyword(p, "as"))
			parse_fail(p, "expected as keyword");
		lex_next(&p->lex);
		w.value = parse_expr(p);
		if (lit->with_count == capacity) {
			capacity = capacity ? capacity * 2 : 2;
			struct with *more = mem_array(p->m, capacity, sizeof(*more));
			if (lit->with_count)
				memcpy(more, lit->with, lit->with_count * sizeof(*more));
			lit->with = more;
		}
		lit->with[lit->with_count++] = w;
	}
}

/* `k, v in xs` as a statement; returns NULL and keeps both when no `in` follows. */
struct node *parse_pair_member(struct parse *p, struct node *key, struct node **ret_second)
{
	lex_next(&p->lex);
	struct node *val = parse_relation(p);
	if (p->module->kw_in && parse_is_keyword(p, "in")) {
		lex_next(&p->lex);
		struct node *domain = parse_relation(p);
		return parse_more_in(p, parse_operator(p, "internal.member_3", key, val, domain));
	}
	*ret_second = val;
	return NULL;
}

/* @list: where a comma may turn the first statement into a list; NULL elsewhere. */
static struct literal *parse_literal_or_list(struct parse *p, struct nodes *list)
{
	struct literal *lit = mem_new(p->m, struct literal);
	lit->loc = p->lex.loc;
	bool no_or = p->no_or;
	p->no_or = false;
	if (parse_is_keyword(p, "some")) {
		parse_some(p, lit);
	} else if (p->module->kw_every && parse_is_keyword(p, "every")) {
		parse_every(p, lit);
	} else {
		if (parse_is_keyword(p, "not")) {
			lit->negated = true;
			lex_next(&p->lex);
		}
		struct node *e = parse_expr(p);
		if (parse_is(p, TOK_ASSIGN) || parse_is(p, TOK_UNIFY)) {
			const char *name = parse_is(p, TOK_ASSIGN) ? "assign" : "eq";
			lex_next(&p->lex);
			e = parse_operator(p, name, e, parse_value(p), NULL);
		} else if (parse_is(p, TOK_COMMA)) {
			struct node *second = NULL;
			struct node *member = parse_pair_member(p, e, &second);
			if (!member) {
				if (!list || lit->negated)
					parse_fail(p, "expected in keyword");
				nodes_push(p->m, list, e);
				nodes_push(p->m, list, second);
				return NULL;
			}
			e = member;
		}
		lit->expr = e;
	}
	parse_with(p, lit);
	p->no_or = no_or;
	lit->loc.end = p->lex.last_end;
	return lit;
}

struct literal *parse_literal(struct parse *p)
{
	return parse_literal_or_list(p, NULL);
}

static struct body *finish_body(struct parse *p, struct literals *l)
{
	struct body *b = mem_new(p->m, struct body);
	b->lit = l->item;
	b->count = l->count;
	b->end = p->lex.loc.end;
	return b;
}

static struct body *parse_statements(struct parse *p, struct literals *l, enum token end)
{
	for (;;) {
		bool separated = parse_is(p, TOK_SEMICOLON) || p->lex.newline_before;
		while (parse_accept(p, TOK_SEMICOLON))
			;
		if (parse_is(p, end))
			break;
		if (l->count > 0 && !separated)
			parse_fail(p, end == TOK_RBRACE	    ? "expected \\n or ; or }"
				      : end == TOK_RBRACKET ? "expected \\n or ; or ]"
							    : "expected \\n or ;");
		literals_push(p->m, l, parse_literal(p));
	}
	return finish_body(p, l);
}

struct body *parse_body(struct parse *p, enum token end)
{
	struct literals l = {0};
	parse_enter(p);
	struct body *b = parse_statements(p, &l, end);
	parse_leave(p);
	if (b->count == 0)
		lex_fail(&p->lex, p->lex.loc, REGO_ERR_SYNTAX, "rego_parse_error",
			"found empty body");
	return b;
}

struct body *parse_comprehension(struct parse *p, enum token close, struct nodes *ret_items)
{
	struct literals l = {0};
	struct nodes list = {0};
	parse_enter(p);
	lex_next(&p->lex); /* '|' */
	struct literal *lit = parse_literal_or_list(p, &list);
	struct node *head = ret_items->item[ret_items->count - 1];
	if (!lit) {
		/* `{a | b, c}`: a set of a union and c. */
		ret_items->item[ret_items->count - 1] =
			parse_operator(p, "or", head, list.item[0], NULL);
		nodes_push(p->m, ret_items, list.item[1]);
		parse_leave(p);
		return NULL;
	}
	bool plain = lit->kind == LIT_EXPR && !lit->negated && lit->with_count == 0;
	if (plain && close == TOK_RBRACE && parse_is(p, TOK_COLON)) {
		ret_items->item[ret_items->count - 1] =
			parse_operator(p, "or", head, lit->expr, NULL);
		parse_leave(p);
		return NULL;
	}
	literals_push(p->m, &l, lit);
	struct body *b = parse_statements(p, &l, close);
	parse_leave(p);
	return b;
}
