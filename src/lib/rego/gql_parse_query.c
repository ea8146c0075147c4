/* SPDX-License-Identifier: Apache-2.0 */
/* Parsing of GraphQL queries. */
#include "rego/gql.h"

static void put_selections(struct gql_node *n);

static rv parse_field(struct gql *g)
{
	struct gql_node n = gql_begin(g, "Comment");
	struct slice alias = gql_name(g);
	gql_put_str(&n, "Alias", alias);
	gql_put_str(&n, "Name", gql_skip(g, GT_COLON) ? gql_name(g) : alias);
	gql_put_arguments(&n, false);
	gql_put(&n, "Directives", gql_parse_directives(g, false));
	if (gql_peek(g).kind == GT_BRACE_L)
		put_selections(&n);
	return gql_done(&n);
}

static void require_selections(struct gql_node *n)
{
	struct gql_tok t = gql_peek(n->g);
	if (t.kind == GT_BRACE_L)
		put_selections(n);
	else
		gql_fail_at(n->g, t, "Expected {, found %s", gql_kind_name(t.kind));
}

static struct slice fragment_name(struct gql *g)
{
	struct gql_tok t = gql_peek(g);
	if (slice_eq_str(t.value, "on")) {
		gql_unexpected(g, t);
		return SLICE_EMPTY;
	}
	return gql_name(g);
}

static rv parse_spread(struct gql *g)
{
	gql_peek(g);
	rv comment = g->comment;
	gql_next(g);
	struct gql_tok t = gql_peek(g);
	struct gql_node n = gql_begin(g, NULL);
	gql_put(&n, "Comment", comment);
	if (t.kind == GT_NAME && !slice_eq_str(t.value, "on")) {
		gql_put_str(&n, "Name", fragment_name(g));
		gql_put(&n, "Directives", gql_parse_directives(g, false));
		return gql_done(&n);
	}
	struct slice condition = SLICE_EMPTY;
	if (slice_eq_str(t.value, "on")) {
		gql_next(g);
		condition = gql_name(g);
	}
	gql_put_str(&n, "TypeCondition", condition);
	gql_put(&n, "Directives", gql_parse_directives(g, false));
	require_selections(&n);
	return gql_done(&n);
}

static rv selection(struct gql *g)
{
	return gql_peek(g).kind == GT_SPREAD ? parse_spread(g) : parse_field(g);
}

static void put_selections(struct gql_node *n)
{
	struct list l = {0};
	if (gql_enter(n->g))
		gql_some(n->g, GT_BRACE_L, GT_BRACE_R, selection, &l);
	n->g->depth--;
	gql_put_list(n, "SelectionSet", &l);
}

static rv variable(struct gql *g)
{
	gql_parse_description(g);
	struct gql_node n = gql_begin(g, "Comment");
	gql_expect(g, GT_DOLLAR);
	gql_put_str(&n, "Variable", gql_name(g));
	gql_expect(g, GT_COLON);
	gql_put(&n, "Type", gql_parse_type(g));
	if (gql_skip(g, GT_EQUALS))
		gql_put(&n, "DefaultValue", gql_parse_value(g, true));
	gql_put(&n, "Directives", gql_parse_directives(g, false));
	gql_put(&n, "Used", &value_false);
	return gql_done(&n);
}

static rv parse_operation(struct gql *g, const struct gql_description *d)
{
	struct gql_tok t = gql_peek(g);
	struct list variables = {0};
	if (t.kind == GT_BRACE_L && d->present)
		gql_unexpected(g, d->tok);
	struct gql_node n = gql_begin(g, "Comment");
	struct slice name = SLICE_EMPTY, kind = SLICE_LIT("query");
	if (t.kind != GT_BRACE_L) {
		kind = gql_next(g).value;
		if (gql_peek(g).kind == GT_NAME)
			name = gql_next(g).value;
		gql_some(g, GT_PAREN_L, GT_PAREN_R, variable, &variables);
		gql_put_list(&n, "VariableDefinitions", &variables);
		gql_put(&n, "Directives", gql_parse_directives(g, false));
	}
	if (d->text.size)
		gql_put_str(&n, "Description", d->text);
	gql_put_str(&n, "Operation", kind);
	gql_put_str(&n, "Name", name);
	require_selections(&n);
	return gql_done(&n);
}

static rv parse_fragment(struct gql *g, const struct gql_description *d)
{
	struct list variables = {0};
	struct gql_node n = gql_begin(g, "Comment");
	gql_next(g);
	if (d->text.size)
		gql_put_str(&n, "Description", d->text);
	gql_put_str(&n, "Name", fragment_name(g));
	gql_some(g, GT_PAREN_L, GT_PAREN_R, variable, &variables);
	gql_put_list(&n, "VariableDefinition", &variables);
	gql_expect_word(g, "on");
	gql_put_str(&n, "TypeCondition", gql_name(g));
	gql_put(&n, "Directives", gql_parse_directives(g, false));
	require_selections(&n);
	return gql_done(&n);
}

rv gql_parse_query(struct call *c, struct slice text, struct gql_error *e)
{
	struct gql g = {.c = c, .e = e, .s = text, .line = 1};
	struct list operations = {0}, fragments = {0};
	while (gql_peek(&g).kind != GT_EOF && !e->set) {
		struct gql_description d = gql_parse_description(&g);
		struct gql_tok t = gql_peek(&g);
		if (t.kind == GT_BRACE_L || gql_word(&g, "query") || gql_word(&g, "mutation") ||
			gql_word(&g, "subscription"))
			list_push(c->m, &operations, parse_operation(&g, &d));
		else if (gql_word(&g, "fragment"))
			list_push(c->m, &fragments, parse_fragment(&g, &d));
		else
			gql_unexpected(&g, t);
	}
	struct gql_node n = gql_node(&g);
	gql_put_list(&n, "Operations", &operations);
	gql_put_list(&n, "Fragments", &fragments);
	return e->set ? NULL : gql_done(&n);
}
