/* SPDX-License-Identifier: Apache-2.0 */
/* Parsing of GraphQL: what queries and schemas have in common. */
#include <stdarg.h>

#include "base/buf.h"
#include "rego/gql.h"

#define DEPTH_MAX 200

const char *gql_kind_name(enum gql_token kind)
{
	static const char *const names[] = {"<Invalid>", "<EOF>", "!", "$", "&", "(", ")", "...",
		":", "=", "@", "[", "]", "{", "}", "|", "Name", "Int", "Float", "String",
		"BlockString", "Comment"};
	return names[kind];
}

void gql_fail_at(struct gql *g, struct gql_tok t, const char *fmt, ...)
{
	va_list ap;
	if (g->e->set)
		return;
	va_start(ap, fmt);
	vsnprintf(g->e->text, sizeof(g->e->text), fmt, ap);
	va_end(ap);
	g->e->set = g->e->located = true;
	g->e->line = t.line;
	g->e->col = t.col;
}

/* Comments before a token become a group that the next node may take. */
struct gql_tok gql_peek(struct gql *g)
{
	if (g->e->set)
		return g->prev;
	if (g->peeked)
		return g->tok;
	struct list comments = {0};
	g->tok = gql_read(g);
	while (g->tok.kind == GT_COMMENT) {
		struct gql_node n = gql_node(g);
		gql_put_str(&n, "Value", g->tok.value);
		list_push(g->c->m, &comments, gql_done(&n));
		g->tok = gql_read(g);
	}
	if (comments.count) {
		struct gql_node n = gql_node(g);
		gql_put_list(&n, "List", &comments);
		g->comment = gql_done(&n);
	}
	g->peeked = true;
	return g->tok;
}

struct gql_tok gql_next(struct gql *g)
{
	if (g->e->set)
		return g->prev;
	g->prev = gql_peek(g);
	g->peeked = false;
	g->comment = NULL;
	if (g->prev.kind == GT_INVALID)
		*g->e = g->bad;
	return g->prev;
}

/* "Name "x"": the kind of a token, and its text where it has one. */
void gql_unexpected(struct gql *g, struct gql_tok t)
{
	if (t.value.size)
		gql_fail_at(g, t, "Unexpected %s \"%.*s\"", gql_kind_name(t.kind),
			(int)MIN(t.value.size, (size_t)200), t.value.data);
	else
		gql_fail_at(g, t, "Unexpected %s", gql_kind_name(t.kind));
}

bool gql_skip(struct gql *g, enum gql_token kind)
{
	if (g->e->set || gql_peek(g).kind != kind)
		return false;
	gql_next(g);
	return true;
}

struct gql_tok gql_expect(struct gql *g, enum gql_token kind)
{
	struct gql_tok t = gql_peek(g);
	if (t.kind == kind)
		return gql_next(g);
	gql_fail_at(g, t, "Expected %s, found %s", gql_kind_name(kind), gql_kind_name(t.kind));
	return t;
}

bool gql_word(struct gql *g, const char *word)
{
	struct gql_tok t = gql_peek(g);
	return !g->e->set && t.kind == GT_NAME && slice_eq_str(t.value, word);
}

void gql_expect_word(struct gql *g, const char *word)
{
	struct gql_tok t = gql_peek(g);
	if (gql_word(g, word))
		gql_next(g);
	else if (t.value.size)
		gql_fail_at(g, t, "Expected \"%s\", found %s \"%.*s\"", word, gql_kind_name(t.kind),
			(int)MIN(t.value.size, (size_t)200), t.value.data);
	else
		gql_fail_at(g, t, "Expected \"%s\", found %s", word, gql_kind_name(t.kind));
}

struct slice gql_name(struct gql *g)
{
	return gql_expect(g, GT_NAME).value;
}

bool gql_enter(struct gql *g)
{
	if (++g->depth <= DEPTH_MAX)
		return true;
	gql_fail_at(g, gql_peek(g), "exceeded maximum nesting depth of %d", DEPTH_MAX);
	return false;
}

/* --- nodes --- */

struct gql_node gql_node(struct gql *g)
{
	return (struct gql_node){.g = g};
}

void gql_put(struct gql_node *n, const char *name, rv v)
{
	if (!v)
		return;
	list_push(n->g->c->m, &n->l, value_cstr(n->g->c->m, name));
	list_push(n->g->c->m, &n->l, v);
}

void gql_put_str(struct gql_node *n, const char *name, struct slice v)
{
	gql_put(n, name, value_string(n->g->c->m, v));
}

void gql_put_list(struct gql_node *n, const char *name, const struct list *l)
{
	if (l->count)
		gql_put(n, name, value_array(n->g->c->m, l->item, l->count));
}

rv gql_done(struct gql_node *n)
{
	return value_object(
		n->g->c->m, (const struct pair *)(const void *)n->l.item, n->l.count / 2);
}

static rv position(struct gql *g, struct gql_tok t)
{
	return value_int(g->c->m, (int64_t)t.line << 32 | t.col);
}

/* A node that begins at the next token; takes the comments before it under @comment. */
struct gql_node gql_begin(struct gql *g, const char *comment)
{
	struct gql_node n = gql_node(g);
	gql_put(&n, "Position", position(g, gql_peek(g)));
	if (comment)
		gql_put(&n, comment, g->comment);
	return n;
}

static void gql_many(
	struct gql *g, enum gql_token open, enum gql_token close, gql_part part, struct list *l)
{
	if (!gql_skip(g, open))
		return;
	while (gql_peek(g).kind != close && !g->e->set)
		list_push(g->c->m, l, part(g));
	gql_next(g);
}

rv gql_some(struct gql *g, enum gql_token open, enum gql_token close, gql_part part, struct list *l)
{
	uint32_t before = l->count;
	if (!gql_skip(g, open))
		return NULL;
	while (gql_peek(g).kind != close && !g->e->set)
		list_push(g->c->m, l, part(g));
	if (l->count == before) {
		gql_fail_at(g, gql_peek(g), "expected at least one definition, found %s",
			gql_kind_name(gql_peek(g).kind));
		return NULL;
	}
	rv comment = g->comment;
	gql_next(g);
	return comment;
}

/* --- values and types --- */

static rv make_value(struct gql *g, struct gql_tok t, enum gql_value kind, struct slice raw,
	const struct list *children, rv comment)
{
	struct gql_node n = gql_node(g);
	gql_put(&n, "Position", position(g, t));
	gql_put_str(&n, "Raw", raw);
	gql_put(&n, "Kind", value_int(g->c->m, kind));
	gql_put(&n, "ExpectedTypeHasDefault", &value_false);
	gql_put(&n, "Comment", comment);
	if (children)
		gql_put_list(&n, "Children", children);
	return gql_done(&n);
}

static rv element(struct gql *g, bool constant)
{
	struct gql_node n = gql_node(g);
	gql_put_str(&n, "Name", SLICE_EMPTY);
	gql_put(&n, "Value", gql_parse_value(g, constant));
	return gql_done(&n);
}

static rv member(struct gql *g, bool constant)
{
	struct gql_node n = gql_begin(g, "Comment");
	gql_put_str(&n, "Name", gql_name(g));
	gql_expect(g, GT_COLON);
	gql_put(&n, "Value", gql_parse_value(g, constant));
	return gql_done(&n);
}

static rv any_element(struct gql *g)
{
	return element(g, false);
}

static rv constant_element(struct gql *g)
{
	return element(g, true);
}

static rv any_member(struct gql *g)
{
	return member(g, false);
}

static rv constant_member(struct gql *g)
{
	return member(g, true);
}

static rv parse_collection(struct gql *g, struct gql_tok t, bool constant)
{
	struct list l = {0};
	rv comment = g->comment, v = NULL;
	bool list = t.kind == GT_BRACKET_L;
	if (gql_enter(g)) {
		if (list)
			gql_many(g, GT_BRACKET_L, GT_BRACKET_R,
				constant ? constant_element : any_element, &l);
		else
			gql_many(g, GT_BRACE_L, GT_BRACE_R, constant ? constant_member : any_member,
				&l);
		v = make_value(g, t, list ? GQL_LIST : GQL_OBJECT, SLICE_EMPTY, &l, comment);
	}
	g->depth--;
	return v ? v : &value_null;
}

rv gql_parse_value(struct gql *g, bool constant)
{
	struct gql_tok t = gql_peek(g);
	enum gql_value kind;
	switch (t.kind) {
	case GT_BRACKET_L:
	case GT_BRACE_L:
		return parse_collection(g, t, constant);
	case GT_DOLLAR: {
		rv comment = g->comment;
		if (constant) {
			gql_unexpected(g, t);
			return &value_null;
		}
		gql_next(g);
		return make_value(g, t, GQL_VARIABLE, gql_name(g), NULL, comment);
	}
	case GT_INT:
		kind = GQL_INT;
		break;
	case GT_FLOAT:
		kind = GQL_FLOAT;
		break;
	case GT_STRING:
		kind = GQL_STRING;
		break;
	case GT_BLOCK:
		kind = GQL_BLOCK;
		break;
	case GT_NAME:
		kind = slice_eq_str(t.value, "true") || slice_eq_str(t.value, "false") ? GQL_BOOLEAN
		       : slice_eq_str(t.value, "null")				       ? GQL_NULL
										       : GQL_ENUM;
		break;
	default:
		gql_unexpected(g, t);
		return &value_null;
	}
	gql_next(g);
	return make_value(g, t, kind, t.value, NULL, NULL);
}

rv gql_parse_type(struct gql *g)
{
	struct gql_node n = gql_node(g);
	struct slice name = SLICE_EMPTY;
	if (!gql_enter(g)) {
		g->depth--;
		return &value_null;
	}
	if (gql_skip(g, GT_BRACKET_L)) {
		gql_put(&n, "Position", position(g, gql_peek(g)));
		gql_put(&n, "Elem", gql_parse_type(g));
		gql_expect(g, GT_BRACKET_R);
	} else {
		gql_put(&n, "Position", position(g, gql_peek(g)));
		name = gql_name(g);
	}
	gql_put_str(&n, "NamedType", name);
	gql_put(&n, "NonNull", value_bool(gql_skip(g, GT_BANG)));
	g->depth--;
	return gql_done(&n);
}

static rv argument(struct gql *g, bool constant)
{
	struct gql_node n = gql_begin(g, "Comment");
	gql_put_str(&n, "Name", gql_name(g));
	gql_expect(g, GT_COLON);
	gql_put(&n, "Value", gql_parse_value(g, constant));
	return gql_done(&n);
}

static rv any_argument(struct gql *g)
{
	return argument(g, false);
}

static rv constant_argument(struct gql *g)
{
	return argument(g, true);
}

void gql_put_arguments(struct gql_node *n, bool constant)
{
	struct list l = {0};
	gql_some(n->g, GT_PAREN_L, GT_PAREN_R, constant ? constant_argument : any_argument, &l);
	gql_put_list(n, "Arguments", &l);
}

/* NULL when there are none. */
rv gql_parse_directives(struct gql *g, bool constant)
{
	struct list l = {0};
	while (gql_peek(g).kind == GT_AT && !g->e->set) {
		gql_next(g);
		struct gql_node n = gql_begin(g, NULL);
		gql_put_str(&n, "Name", gql_name(g));
		gql_put_arguments(&n, constant);
		gql_put_str(&n, "Location", SLICE_EMPTY);
		list_push(g->c->m, &l, gql_done(&n));
	}
	return l.count ? value_array(g->c->m, l.item, l.count) : NULL;
}

struct gql_description gql_parse_description(struct gql *g)
{
	struct gql_description d = {.tok = gql_peek(g)};
	if (d.tok.kind != GT_STRING && d.tok.kind != GT_BLOCK)
		return d;
	d.present = true;
	d.comment = g->comment;
	d.text = gql_next(g).value;
	return d;
}
