/* SPDX-License-Identifier: Apache-2.0 */
/* graphql.* */
#include "rego/gql.h"

/* The reference's sentence for a failure. Returns NULL. */
static rv report(struct call *c, const struct gql_error *e)
{
	size_t n = strlen(e->text);
	if (!e->located)
		return call_fail(c, "GraphQL parse error: input: %s", e->text);
	if (n > 2 && e->text[n - 1] == '\n' && e->text[n - 2] == '.')
		n -= 2;
	return call_fail(
		c, "%.*s in GraphQL string at location %u:%u", (int)n, e->text, e->line, e->col);
}

static rv schema_error(struct call *c, const struct gql_error *e)
{
	static const char what[] = "Error in gqlparser SchemaDocument to Schema conversion";
	if (e->located)
		return call_fail(c, "%s: input:%u:%u: %s", what, e->line, e->col, e->text);
	return call_fail(c, "%s: input:-1:-1: %s", what, e->text);
}

/* A document as text or as an object; NULL with @e set. */
static rv document(struct call *c, rv arg, bool schema, struct gql_error *e)
{
	if (arg->type == REGO_OBJECT)
		return arg;
	return schema ? gql_parse_schema(c, value_slice(arg), e)
		      : gql_parse_query(c, value_slice(arg), e);
}

static bool is_document(rv arg)
{
	return arg->type == REGO_STRING || arg->type == REGO_OBJECT;
}

/* Whether a query fits a schema; the errors in @e otherwise. */
static bool fits(struct call *c, struct gql_schema *s, rv query, struct gql_error *e)
{
	rv errors = gql_check_query(c, s, query, &e->line, &e->col);
	if (errors->count == 0)
		return true;
	snprintf(e->text, sizeof(e->text), "%.*s",
		(int)MIN(errors->count, (uint32_t)sizeof(e->text) - 1), errors->text);
	e->set = true;
	e->located = e->line > 0;
	return false;
}

static rv wrong_type(struct call *c, unsigned pos, rv arg)
{
	return call_operand_error(
		c, pos, "must be one of {string, object} but got %s", value_type_name(arg));
}

static rv parse(struct call *c, const rv *arg, uint32_t count)
{
	struct gql_error e = {0};
	if (!is_document(arg[0]))
		return wrong_type(c, 0, arg[0]);
	rv query = document(c, arg[0], false, &e);
	if (!query)
		return report(c, &e);
	if (!is_document(arg[1]))
		return wrong_type(c, 1, arg[1]);
	rv schema = document(c, arg[1], true, &e);
	if (!schema)
		return report(c, &e);
	struct gql_schema *s = gql_check_schema(c, schema, &e);
	if (!s)
		return schema_error(c, &e);
	if (!fits(c, s, query, &e))
		return report(c, &e);
	rv item[] = {gql_prune(c, query), gql_prune(c, schema)};
	return value_array(c->m, item, 2);
}

static rv verified(struct call *c, const rv *arg, rv *ret_query, rv *ret_schema)
{
	struct gql_error e = {0};
	if (!is_document(arg[0]) || !is_document(arg[1]))
		return &value_false;
	*ret_query = document(c, arg[0], false, &e);
	*ret_schema = *ret_query ? document(c, arg[1], true, &e) : NULL;
	struct gql_schema *s = *ret_schema ? gql_check_schema(c, *ret_schema, &e) : NULL;
	return value_bool(s && fits(c, s, *ret_query, &e));
}

static rv parse_and_verify(struct call *c, const rv *arg, uint32_t count)
{
	rv query = NULL, schema = NULL, ok = verified(c, arg, &query, &schema);
	bool good = rego_is_true(ok);
	rv item[] = {ok, good ? gql_prune(c, query) : &value_empty_object,
		good ? gql_prune(c, schema) : &value_empty_object};
	return value_array(c->m, item, 3);
}

static rv is_valid(struct call *c, const rv *arg, uint32_t count)
{
	rv query = NULL, schema = NULL;
	return verified(c, arg, &query, &schema);
}

static rv parse_query(struct call *c, const rv *arg, uint32_t count)
{
	struct gql_error e = {0};
	if (!arg_is(c, arg, 1, REGO_STRING))
		return NULL;
	rv doc = gql_parse_query(c, value_slice(arg[0]), &e);
	return doc ? gql_prune(c, doc) : report(c, &e);
}

static rv parse_schema(struct call *c, const rv *arg, uint32_t count)
{
	struct gql_error e = {0};
	if (!arg_is(c, arg, 1, REGO_STRING))
		return NULL;
	rv doc = gql_parse_schema(c, value_slice(arg[0]), &e);
	return doc ? gql_prune(c, doc) : report(c, &e);
}

static rv schema_is_valid(struct call *c, const rv *arg, uint32_t count)
{
	struct gql_error e = {0};
	rv doc = is_document(arg[0]) ? document(c, arg[0], true, &e) : NULL;
	return value_bool(doc && gql_check_schema(c, doc, &e));
}

static const struct builtin items[] = {
	{.name = "graphql.parse", .arity = 2, .fn = parse},
	{.name = "graphql.parse_and_verify", .arity = 2, .fn = parse_and_verify},
	{.name = "graphql.parse_query", .arity = 1, .fn = parse_query},
	{.name = "graphql.parse_schema", .arity = 1, .fn = parse_schema},
	{.name = "graphql.is_valid", .arity = 2, .fn = is_valid},
	{.name = "graphql.schema_is_valid", .arity = 1, .fn = schema_is_valid},
};
const struct builtin_table builtin_graphql_table = {items, ARRAY_COUNT(items)};
