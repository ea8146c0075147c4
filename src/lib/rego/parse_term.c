/* SPDX-License-Identifier: Apache-2.0 */
/* Terms: references, calls and collections. */
#include "base/str.h"
#include "rego/parse.h"

/* Comma-separated expressions up to @close, which is consumed; a trailing comma is allowed. */
static void parse_list(struct parse *p, struct nodes *l, enum token close, const char *what)
{
	bool no_or = p->no_or;
	p->no_or = false;
	while (!parse_is(p, close)) {
		nodes_push(p->m, l, parse_expr(p));
		if (!parse_accept(p, TOK_COMMA))
			break;
	}
	p->no_or = no_or;
	if (!parse_is(p, close))
		parse_fail(p, what);
}

static struct node *parse_array(struct parse *p)
{
	struct loc loc = p->lex.loc;
	struct nodes l = {0};
	lex_next(&p->lex);
	bool no_or = p->no_or;
	if (!parse_is(p, TOK_RBRACKET)) {
		nodes_push(p->m, &l, parse_comp_head(p));
		if (parse_is(p, TOK_OR)) {
			struct body *body = parse_comprehension(p, TOK_RBRACKET, &l);
			if (body) {
				struct node *n = parse_new(p, NODE_ARRAY_COMP, loc);
				n->body = body;
				parse_finish(p, n, &l);
				n->loc.end = p->lex.loc.end;
				p->no_or = no_or;
				return n;
			}
		}
		if (parse_accept(p, TOK_COMMA))
			parse_list(p, &l, TOK_RBRACKET, "expected \",\" or \"]\"");
	}
	p->no_or = no_or;
	if (!parse_is(p, TOK_RBRACKET))
		parse_fail(p, "expected \",\" or \"]\"");
	struct node *n = parse_new(p, NODE_ARRAY, loc);
	parse_finish(p, n, &l);
	n->loc.end = p->lex.loc.end;
	return n;
}

static struct node *object_rest(struct parse *p, struct loc loc, struct nodes *l)
{
	lex_next(&p->lex); /* ':' */
	nodes_push(p->m, l, parse_comp_head(p));
	if (parse_is(p, TOK_OR)) {
		struct nodes more = {0};
		nodes_push(p->m, &more, l->item[1]);
		struct body *body = parse_comprehension(p, TOK_RBRACE, &more);
		if (body) {
			struct node *n = parse_new(p, NODE_OBJECT_COMP, loc);
			n->body = body;
			parse_finish(p, n, l);
			return n;
		}
		if (more.count != 1)
			parse_fail(p, "expected \":\"");
		l->item[1] = more.item[0];
	}
	while (parse_accept(p, TOK_COMMA) && !parse_is(p, TOK_RBRACE)) {
		nodes_push(p->m, l, parse_expr(p));
		parse_expect(p, TOK_COLON, "expected \":\"");
		nodes_push(p->m, l, parse_expr(p));
	}
	struct node *n = parse_new(p, NODE_OBJECT, loc);
	parse_finish(p, n, l);
	return n;
}

static struct node *parse_braces_inner(struct parse *p, struct loc loc)
{
	struct nodes l = {0};
	if (parse_is(p, TOK_RBRACE))
		return parse_new(p, NODE_OBJECT, loc);
	nodes_push(p->m, &l, parse_comp_head(p));
	if (parse_is(p, TOK_COLON))
		return object_rest(p, loc, &l);
	if (parse_is(p, TOK_OR)) {
		struct body *body = parse_comprehension(p, TOK_RBRACE, &l);
		if (body) {
			struct node *n = parse_new(p, NODE_SET_COMP, loc);
			n->body = body;
			parse_finish(p, n, &l);
			return n;
		}
		if (parse_is(p, TOK_COLON) && l.count == 1)
			return object_rest(p, loc, &l);
	}
	if (parse_accept(p, TOK_COMMA))
		parse_list(p, &l, TOK_RBRACE, "non-terminated set");
	struct node *n = parse_new(p, NODE_SET, loc);
	parse_finish(p, n, &l);
	return n;
}

static struct node *parse_braces(struct parse *p)
{
	struct loc loc = p->lex.loc;
	bool no_or = p->no_or;
	lex_next(&p->lex);
	struct node *n = parse_braces_inner(p, loc);
	p->no_or = no_or;
	if (!parse_is(p, TOK_RBRACE))
		parse_fail(p, n->kind == NODE_OBJECT || n->kind == NODE_OBJECT_COMP
				      ? "non-terminated object"
				      : "non-terminated set");
	n->loc.end = p->lex.loc.end;
	return n;
}

static struct node *append_ref(struct parse *p, struct node *base, struct node *key);

/* `{a with input as x}` in a template is `[v | v := a with input as x][0]`. */
static struct node *value_with(struct parse *p, struct node *e)
{
	struct node *var = parse_new(p, NODE_VAR, e->loc);
	struct literal *lit = mem_new(p->m, struct literal);
	struct node *comp = parse_new(p, NODE_ARRAY_COMP, e->loc);
	struct body *body = mem_new(p->m, struct body);
	struct nodes head = {0};
	var->name = SLICE_LIT("<value>");
	lit->loc = e->loc;
	lit->expr = parse_operator(p, "assign", var, e, NULL);
	parse_with(p, lit);
	body->lit = mem_array(p->m, 1, sizeof(*body->lit));
	body->lit[0] = lit;
	body->count = 1;
	comp->body = body;
	nodes_push(p->m, &head, var);
	parse_finish(p, comp, &head);
	return append_ref(p, comp, parse_const(p, value_int(p->m, 0), e->loc));
}

static struct node *parse_template(struct parse *p)
{
	struct node *n = parse_new(p, NODE_TEMPLATE, p->lex.loc);
	struct nodes l = {0};
	bool raw = p->lex.template_raw, no_or = p->no_or;
	rv text;
	p->no_or = false;
	struct loc piece = {p->lex.row, 0, p->lex.at, 0};
	while (lex_template_text(&p->lex, raw, &text)) {
		piece.end = p->lex.at - 1;
		nodes_push(p->m, &l, parse_const(p, text, piece));
		lex_next(&p->lex);
		struct node *e = parse_expr(p);
		nodes_push(p->m, &l, parse_is_keyword(p, "with") ? value_with(p, e) : e);
		if (!parse_is(p, TOK_RBRACE))
			lex_fail(&p->lex, p->lex.loc, REGO_ERR_SYNTAX, "rego_parse_error",
				"expected } to end template string expression");
		/* The lexer stands right after the brace: the text goes on there. */
		piece = (struct loc){p->lex.row, 0, p->lex.at, 0};
	}
	piece.end = p->lex.at - 1;
	nodes_push(p->m, &l, parse_const(p, text, piece));
	p->no_or = no_or;
	parse_finish(p, n, &l);
	n->loc.end = p->lex.at;
	return n;
}

static struct node *parse_parens(struct parse *p)
{
	bool no_or = p->no_or;
	struct loc open = p->lex.loc;
	lex_next(&p->lex);
	p->no_or = false;
	struct node *n = parse_expr(p);
	if (parse_is(p, TOK_COMMA)) {
		struct node *second;
		n = parse_pair_member(p, n, &second);
		if (!n)
			parse_fail(p, "expected in keyword");
	}
	p->no_or = no_or;
	if (!parse_is(p, TOK_RPAREN))
		lex_fail(&p->lex, p->lex.loc, REGO_ERR_SYNTAX, "rego_parse_error",
			"non-terminated expression");
	n->paren = true;
	if (n->kind == NODE_CALL && !n->callee) {
		/* The place of an operator in parentheses is theirs. */
		n->loc = open;
		n->loc.end = p->lex.loc.end;
	}
	return n;
}

/* `set()` is the empty set: no literal could spell it. */
static bool is_set_call(const struct node *callee)
{
	return callee->kind == NODE_VAR && slice_eq_str(callee->name, "set");
}

static struct node *parse_call(struct parse *p, struct node *callee)
{
	struct node *n = parse_new(p, NODE_CALL, callee->loc);
	struct nodes l = {0};
	lex_next(&p->lex);
	parse_list(p, &l, TOK_RPAREN, "expected \",\" or \")\"");
	if (is_set_call(callee) && l.count == 0) {
		n->kind = NODE_SET;
		n->loc.end = p->lex.loc.end;
		return n;
	}
	n->callee = callee;
	parse_finish(p, n, &l);
	n->loc.end = p->lex.loc.end;
	return n;
}

static struct node *append_ref(struct parse *p, struct node *base, struct node *key)
{
	struct node *n = base;
	struct nodes l = {0};
	if (base->kind == NODE_REF && !base->paren) {
		l = (struct nodes){base->item, base->count, base->count};
	} else {
		n = parse_new(p, NODE_REF, base->loc);
		nodes_push(p->m, &l, base);
	}
	nodes_push(p->m, &l, key);
	n->item = l.item;
	n->count = l.count;
	return n;
}

/*
 * The current token is the last one of @base; what is glued to it makes a reference or call. On
 * return the token after is current.
 */
static struct node *parse_suffixes(struct parse *p, struct node *base)
{
	lex_next(&p->lex);
	while (!p->lex.space_before) {
		if (parse_is(p, TOK_DOT)) {
			lex_next(&p->lex);
			if (!parse_is(p, TOK_IDENT))
				parse_fail(p, "expected ident");
			struct loc loc = p->lex.loc;
			base = append_ref(
				p, base, parse_const(p, value_string(p->m, p->lex.text), loc));
		} else if (parse_is(p, TOK_LBRACKET)) {
			bool no_or = p->no_or;
			lex_next(&p->lex);
			p->no_or = false;
			struct node *key = parse_value(p);
			p->no_or = no_or;
			if (!parse_is(p, TOK_RBRACKET))
				parse_fail(p, "expected ]");
			base = append_ref(p, base, key);
		} else if (parse_is(p, TOK_LPAREN) &&
			   (base->kind == NODE_VAR || base->kind == NODE_REF) && !base->paren) {
			base = parse_call(p, base);
		} else {
			break;
		}
		base->loc.end = p->lex.loc.end;
		lex_next(&p->lex);
	}
	return base;
}

struct node *parse_ref_head(struct parse *p)
{
	if (!parse_is(p, TOK_IDENT) || parse_is_any_keyword(p))
		parse_fail(p, NULL);
	struct node *n = parse_new(p, NODE_VAR, p->lex.loc);
	n->name = p->lex.text;
	return parse_suffixes(p, n);
}

struct node *parse_word(struct parse *p)
{
	static const struct {
		const char *word;
		rv value;
	} words[] = {{"null", &value_null}, {"true", &value_true}, {"false", &value_false}};
	for (size_t i = 0; i < ARRAY_COUNT(words); i++)
		if (parse_is_keyword(p, words[i].word)) {
			struct node *n = parse_const(p, words[i].value, p->lex.loc);
			lex_next(&p->lex);
			return n;
		}
	if (parse_is_any_keyword(p))
		parse_fail(p, NULL);
	struct node *n = parse_new(p, NODE_VAR, p->lex.loc);
	if (!slice_eq_str(p->lex.text, "_"))
		n->name = p->lex.text;
	return parse_suffixes(p, n);
}

static struct node *parse_primary_inner(struct parse *p)
{
	struct node *n;
	switch (p->lex.tok) {
	case TOK_IDENT:
		return parse_word(p);
	case TOK_STRING:
		n = parse_const(p, p->lex.value, p->lex.loc);
		return parse_suffixes(p, n);
	case TOK_NUMBER:
		n = parse_const(p, p->lex.value, p->lex.loc);
		lex_next(&p->lex);
		return n;
	case TOK_MINUS:
		return parse_negative(p);
	case TOK_DOT:
		return parse_fraction(p);
	case TOK_TEMPLATE:
		n = parse_template(p);
		lex_next(&p->lex);
		return n;
	case TOK_LBRACKET:
		return parse_suffixes(p, parse_array(p));
	case TOK_LBRACE:
		return parse_suffixes(p, parse_braces(p));
	case TOK_LPAREN:
		return parse_suffixes(p, parse_parens(p));
	default:
		parse_fail(p, NULL);
	}
}

struct node *parse_primary(struct parse *p)
{
	parse_enter(p);
	struct node *n = parse_primary_inner(p);
	parse_leave(p);
	return n;
}
