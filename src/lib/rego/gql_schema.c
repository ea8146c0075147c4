/* SPDX-License-Identifier: Apache-2.0 */
/* Parsing of GraphQL schema documents. */
#include "rego/gql.h"

static const char g_before[] = "BeforeDescriptionComment", g_after[] = "AfterDescriptionComment",
		  g_end[] = "EndOfDefinitionComment";

static rv position_of(struct gql *g, struct gql_tok t)
{
	return value_int(g->c->m, (int64_t)t.line << 32 | t.col);
}

/* The word of a definition has been read; the node stands where its name does. */
static struct gql_node define(struct gql *g, const struct gql_description *d, rv comment)
{
	struct gql_node n = gql_node(g);
	gql_put(&n, "Position", position_of(g, gql_peek(g)));
	gql_put(&n, g_before, d->comment);
	gql_put(&n, g_after, comment);
	gql_put_str(&n, "Description", d->text);
	return n;
}

/* Parts of definitions carry descriptions of their own. */
static struct gql_node part(struct gql *g)
{
	struct gql_description d = gql_parse_description(g);
	if (d.text.size == 0)
		d.comment = NULL;
	struct gql_tok t = gql_peek(g);
	struct gql_node n = gql_node(g);
	gql_put(&n, "Position", position_of(g, t));
	gql_put(&n, g_before, d.comment);
	gql_put(&n, g_after, g->comment);
	gql_put_str(&n, "Description", d.text);
	gql_put_str(&n, "Name", gql_name(g));
	return n;
}

static void put_input(struct gql_node *n)
{
	struct gql *g = n->g;
	gql_expect(g, GT_COLON);
	gql_put(n, "Type", gql_parse_type(g));
	if (gql_skip(g, GT_EQUALS))
		gql_put(n, "DefaultValue", gql_parse_value(g, true));
	gql_put(n, "Directives", gql_parse_directives(g, true));
}

static rv input_value(struct gql *g)
{
	struct gql_node n = part(g);
	put_input(&n);
	return gql_done(&n);
}

static void put_argument_defs(struct gql_node *n)
{
	struct list l = {0};
	gql_some(n->g, GT_PAREN_L, GT_PAREN_R, input_value, &l);
	gql_put_list(n, "Arguments", &l);
}

static rv field_def(struct gql *g)
{
	struct gql_node n = part(g);
	put_argument_defs(&n);
	gql_expect(g, GT_COLON);
	gql_put(&n, "Type", gql_parse_type(g));
	gql_put(&n, "Directives", gql_parse_directives(g, true));
	return gql_done(&n);
}

static rv enum_value(struct gql *g)
{
	struct gql_node n = part(g);
	gql_put(&n, "Directives", gql_parse_directives(g, true));
	return gql_done(&n);
}

static rv operation_type(struct gql *g)
{
	struct gql_node n = gql_node(g);
	struct gql_tok t = gql_peek(g);
	gql_put(&n, "Position", position_of(g, t));
	gql_put(&n, "Comment", g->comment);
	t = gql_next(g);
	if (!slice_eq_str(t.value, "query") && !slice_eq_str(t.value, "mutation") &&
		!slice_eq_str(t.value, "subscription"))
		gql_unexpected(g, t);
	gql_put_str(&n, "Operation", t.value);
	gql_expect(g, GT_COLON);
	gql_put_str(&n, "Type", gql_name(g));
	return gql_done(&n);
}

/* Names between separators, the first of which may stand in front. */
static uint32_t put_names(struct gql_node *n, const char *member, enum gql_token separator)
{
	struct gql *g = n->g;
	struct list l = {0};
	gql_skip(g, separator);
	do
		list_push(g->c->m, &l, value_string(g->c->m, gql_name(g)));
	while (gql_skip(g, separator) && !g->e->set);
	gql_put_list(n, member, &l);
	return l.count;
}

static bool is_interface_like(const char *kind)
{
	return kind[0] == 'O' || (kind[0] == 'I' && kind[2] == 'T');
}

/* What follows the name of a type. Return: whether there was anything. */
static bool put_type_parts(struct gql_node *n, const char *kind)
{
	struct gql *g = n->g;
	struct list l = {0};
	bool any = false;
	if (is_interface_like(kind) && gql_word(g, "implements")) {
		gql_next(g);
		any |= put_names(n, "Interfaces", GT_AMP) > 0;
	}
	rv directives = gql_parse_directives(g, true);
	gql_put(n, "Directives", directives);
	any |= directives != NULL;
	if (kind[0] == 'U') {
		if (gql_skip(g, GT_EQUALS))
			any |= put_names(n, "Types", GT_PIPE) > 0;
		return any;
	}
	if (kind[0] == 'S')
		return any;
	bool is_enum = kind[0] == 'E', is_input = kind[0] == 'I' && kind[2] == 'P';
	rv comment = gql_some(g, GT_BRACE_L, GT_BRACE_R,
		is_enum	   ? enum_value
		: is_input ? input_value
			   : field_def,
		&l);
	gql_put_list(n, is_enum ? "EnumValues" : "Fields", &l);
	gql_put(n, g_end, comment);
	return any || l.count > 0;
}

/* The kind that a word introduces; NULL when it is none. */
static const char *kind_of(struct gql *g)
{
	static const char *const words[][2] = {{"scalar", "SCALAR"}, {"type", "OBJECT"},
		{"interface", "INTERFACE"}, {"union", "UNION"}, {"enum", "ENUM"},
		{"input", "INPUT_OBJECT"}};
	for (size_t i = 0; i < ARRAY_COUNT(words); i++)
		if (gql_word(g, words[i][0]))
			return words[i][1];
	return NULL;
}

/* @extension: it must add something. */
static rv parse_type_def(struct gql *g, const char *kind, const struct gql_description *d,
	rv comment, bool extension)
{
	if (!extension)
		comment = g->comment;
	gql_next(g);
	struct gql_node n = define(g, d, comment);
	gql_put_str(&n, "Kind", slice_str(kind));
	gql_put_str(&n, "Name", gql_name(g));
	bool any = put_type_parts(&n, kind);
	if (extension && !any)
		gql_unexpected(g, gql_peek(g));
	gql_put(&n, "BuiltIn", &value_false);
	return gql_done(&n);
}

static rv parse_schema_def(
	struct gql *g, const struct gql_description *d, rv comment, bool extension)
{
	struct list l = {0};
	if (!extension)
		comment = g->comment;
	gql_next(g);
	struct gql_node n = define(g, d, comment);
	rv directives = gql_parse_directives(g, true);
	gql_put(&n, "Directives", directives);
	rv end = gql_some(g, GT_BRACE_L, GT_BRACE_R, operation_type, &l);
	gql_put_list(&n, "OperationTypes", &l);
	gql_put(&n, g_end, end);
	if (extension && !directives && l.count == 0)
		gql_unexpected(g, gql_peek(g));
	return gql_done(&n);
}

static rv location(struct gql *g)
{
	static const char *const names[] = {"QUERY", "MUTATION", "SUBSCRIPTION", "FIELD",
		"FRAGMENT_DEFINITION", "FRAGMENT_SPREAD", "INLINE_FRAGMENT", "VARIABLE_DEFINITION",
		"SCHEMA", "SCALAR", "OBJECT", "FIELD_DEFINITION", "ARGUMENT_DEFINITION",
		"INTERFACE", "UNION", "ENUM", "ENUM_VALUE", "INPUT_OBJECT",
		"INPUT_FIELD_DEFINITION", "DIRECTIVE_DEFINITION"};
	struct gql_tok t = gql_expect(g, GT_NAME);
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		if (slice_eq_str(t.value, names[i]))
			return value_string(g->c->m, t.value);
	gql_unexpected(g, t);
	return &value_null;
}

static rv parse_directive_def(struct gql *g, const struct gql_description *d)
{
	struct list l = {0};
	rv comment = g->comment;
	gql_next(g);
	gql_expect(g, GT_AT);
	struct gql_node n = define(g, d, comment);
	gql_put_str(&n, "Name", gql_name(g));
	put_argument_defs(&n);
	gql_put(&n, "Directives", gql_parse_directives(g, true));
	bool repeatable = gql_word(g, "repeatable");
	if (repeatable)
		gql_next(g);
	gql_put(&n, "IsRepeatable", value_bool(repeatable));
	gql_expect_word(g, "on");
	gql_skip(g, GT_PIPE);
	do
		list_push(g->c->m, &l, location(g));
	while (gql_skip(g, GT_PIPE) && !g->e->set);
	gql_put_list(&n, "Locations", &l);
	return gql_done(&n);
}

static rv parse_directive_extension(struct gql *g, rv comment)
{
	static const struct gql_description none;
	gql_next(g);
	gql_expect(g, GT_AT);
	struct gql_node n = define(g, &none, comment);
	gql_put_str(&n, "Name", gql_name(g));
	rv directives = gql_parse_directives(g, true);
	if (!directives)
		gql_unexpected(g, gql_peek(g));
	gql_put(&n, "Directives", directives);
	gql_put(&n, "IsRepeatable", &value_false);
	return gql_done(&n);
}

struct document {
	struct list schema, schema_extension, directives, directive_extensions, definitions,
		extensions;
};

static void parse_extension(struct gql *g, struct document *doc)
{
	static const struct gql_description none;
	struct mem *m = g->c->m;
	rv comment = g->comment;
	gql_next(g);
	const char *kind = kind_of(g);
	if (kind)
		list_push(m, &doc->extensions, parse_type_def(g, kind, &none, comment, true));
	else if (gql_word(g, "schema"))
		list_push(m, &doc->schema_extension, parse_schema_def(g, &none, comment, true));
	else if (gql_word(g, "directive"))
		list_push(m, &doc->directive_extensions, parse_directive_extension(g, comment));
	else
		gql_unexpected(g, gql_peek(g));
}

static void parse_one(struct gql *g, struct document *doc)
{
	struct mem *m = g->c->m;
	struct gql_description d = gql_parse_description(g);
	struct gql_tok t = gql_peek(g);
	const char *kind = kind_of(g);
	if (kind) {
		list_push(m, &doc->definitions, parse_type_def(g, kind, &d, NULL, false));
	} else if (gql_word(g, "schema")) {
		list_push(m, &doc->schema, parse_schema_def(g, &d, NULL, false));
	} else if (gql_word(g, "directive")) {
		list_push(m, &doc->directives, parse_directive_def(g, &d));
	} else if (gql_word(g, "extend")) {
		if (d.text.size)
			gql_unexpected(g, d.tok);
		parse_extension(g, doc);
	} else {
		gql_unexpected(g, t);
	}
}

rv gql_parse_schema(struct call *c, struct slice text, struct gql_error *e)
{
	struct gql g = {.c = c, .e = e, .s = text, .line = 1};
	struct document doc = {0};
	while (gql_peek(&g).kind != GT_EOF && !e->set)
		parse_one(&g, &doc);
	struct gql_node n = gql_node(&g);
	gql_put_list(&n, "Schema", &doc.schema);
	gql_put_list(&n, "SchemaExtension", &doc.schema_extension);
	gql_put_list(&n, "Directives", &doc.directives);
	gql_put_list(&n, "DirectiveExtensions", &doc.directive_extensions);
	gql_put_list(&n, "Definitions", &doc.definitions);
	gql_put_list(&n, "Extensions", &doc.extensions);
	gql_put(&n, "Comment", g.comment);
	return e->set ? NULL : gql_done(&n);
}
