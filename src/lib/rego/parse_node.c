/* SPDX-License-Identifier: Apache-2.0 */
/* What all parts of the parser stand on: the current token, failures and new nodes. */
#include "base/str.h"
#include "rego/parse.h"

void parse_enter(struct parse *p)
{
	if (++p->depth > p->max_depth)
		lex_fail(&p->lex, p->lex.loc, REGO_ERR_DEPTH, "rego_parse_error",
			"nested more than %u levels deep", p->max_depth);
}

/* The current token as OPA names it. */
static const char *token_name(struct parse *p, char *dst, size_t size)
{
	static const char *const names[] = {[TOK_EOF] = "eof token",
		[TOK_STRING] = "string token",
		[TOK_NUMBER] = "number token",
		[TOK_TEMPLATE] = "template-string-part token",
		[TOK_DOT] = ". token",
		[TOK_COMMA] = ", token",
		[TOK_COLON] = ": token",
		[TOK_SEMICOLON] = "; token",
		[TOK_LBRACE] = "{ token",
		[TOK_RBRACE] = "} token",
		[TOK_LBRACKET] = "[ token",
		[TOK_RBRACKET] = "] token",
		[TOK_LPAREN] = "( token",
		[TOK_RPAREN] = ") token",
		[TOK_ASSIGN] = "assign token",
		[TOK_UNIFY] = "eq token",
		[TOK_EQ] = "equal token",
		[TOK_NE] = "neq token",
		[TOK_LT] = "lt token",
		[TOK_LE] = "lte token",
		[TOK_GT] = "gt token",
		[TOK_GE] = "gte token",
		[TOK_PLUS] = "plus token",
		[TOK_MINUS] = "minus token",
		[TOK_MUL] = "mul token",
		[TOK_DIV] = "div token",
		[TOK_REM] = "rem token",
		[TOK_AND] = "and token",
		[TOK_OR] = "or token"};
	if (p->lex.tok != TOK_IDENT)
		return names[p->lex.tok];
	if (!parse_is_any_keyword(p) && !(p->module->kw_contains && parse_is_word(p, "contains")))
		return "identifier token";
	snprintf(dst, size, "%.*s keyword", SLICE_ARG(p->lex.text));
	return dst;
}

noreturn_fn void parse_fail(struct parse *p, const char *note)
{
	char name[32];
	struct loc loc = p->lex.loc;
	/* The end is where the last byte was. */
	if (p->lex.tok == TOK_EOF && loc.col > 1)
		loc.col--;
	lex_fail(&p->lex, loc, REGO_ERR_SYNTAX, "rego_parse_error", "unexpected %s%s%s",
		token_name(p, name, sizeof(name)), note ? ": " : "", note ? note : "");
}

bool parse_is_word(struct parse *p, const char *word)
{
	return p->lex.tok == TOK_IDENT && slice_eq_str(p->lex.text, word);
}

/* A keyword directly followed by '.' is a name: `default.foo`. */
static bool is_ref_start(struct parse *p)
{
	return p->lex.at < p->lex.source.size && p->lex.source.data[p->lex.at] == '.';
}

bool parse_is_keyword(struct parse *p, const char *word)
{
	return parse_is_word(p, word) && !is_ref_start(p);
}

bool parse_is_any_keyword(struct parse *p)
{
	static const char *const always[] = {"as", "default", "else", "false", "import", "not",
		"null", "package", "some", "true", "with"};
	if (p->lex.tok != TOK_IDENT || is_ref_start(p))
		return false;
	for (size_t i = 0; i < ARRAY_COUNT(always); i++)
		if (slice_eq_str(p->lex.text, always[i]))
			return true;
	const struct module *mod = p->module;
	return (mod->kw_in && parse_is_word(p, "in")) ||
	       (mod->kw_every && parse_is_word(p, "every")) ||
	       (mod->kw_if && parse_is_word(p, "if"));
}

bool parse_accept(struct parse *p, enum token tok)
{
	if (p->lex.tok != tok)
		return false;
	lex_next(&p->lex);
	return true;
}

void parse_expect(struct parse *p, enum token tok, const char *what)
{
	if (!parse_accept(p, tok))
		parse_fail(p, what);
}

struct node *parse_new(struct parse *p, enum node_kind kind, struct loc loc)
{
	struct node *n = mem_new(p->m, struct node);
	n->kind = kind;
	n->loc = loc;
	return n;
}

struct node *parse_const(struct parse *p, rv value, struct loc loc)
{
	struct node *n = parse_new(p, NODE_CONST, loc);
	n->value = value;
	return n;
}

void nodes_push(struct mem *m, struct nodes *l, struct node *n)
{
	if (l->count == l->capacity) {
		uint32_t capacity = l->capacity ? l->capacity * 2 : 4;
		struct node **item = mem_array(m, capacity, sizeof(*item));
		if (l->count)
			memcpy(item, l->item, l->count * sizeof(*item));
		l->item = item;
		l->capacity = capacity;
	}
	l->item[l->count++] = n;
}

void parse_finish(struct parse *p, struct node *n, struct nodes *l)
{
	n->item = l->item;
	n->count = l->count;
	if (l->count && l->item[l->count - 1]->loc.end > n->loc.end)
		n->loc.end = l->item[l->count - 1]->loc.end;
}

struct node *parse_operator(
	struct parse *p, const char *name, struct node *a, struct node *b, struct node *c)
{
	struct node *n = parse_new(p, NODE_CALL, a->loc);
	struct nodes l = {0};
	n->name = slice_str(name);
	nodes_push(p->m, &l, a);
	nodes_push(p->m, &l, b);
	if (c)
		nodes_push(p->m, &l, c);
	parse_finish(p, n, &l);
	return n;
}

struct node *parse_var_token(struct parse *p)
{
	struct node *n = parse_new(p, NODE_VAR, p->lex.loc);
	if (!slice_eq_str(p->lex.text, "_"))
		n->name = p->lex.text;
	lex_next(&p->lex);
	return n;
}
