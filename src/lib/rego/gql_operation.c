/* SPDX-License-Identifier: Apache-2.0 */
/* The rules for the operations of a query and their variables. */
#include "rego/gql_walk.h"

static void walk_variables(struct gql_walk *w, rv variables)
{
	for (uint32_t i = 0; i < variables->count; i++) {
		struct slice name = gql_type_name(gql_get(variables->item[i], "Type"));
		if (!gql_type(w->s, name))
			gql_add(w, variables->item[i], "Unknown type \"%.*s\".", ARG(name));
	}
	for (uint32_t i = 0; i < variables->count; i++) {
		rv type = gql_get(variables->item[i], "Type"),
		   value = gql_get(variables->item[i], "DefaultValue");
		struct gql_expected x = {.type = type, .def = gql_type_of(w, type)};
		if (value)
			gql_walk_value(w, value, &x);
		gql_walk_directives(w, variables->item[i], "VARIABLE_DEFINITION");
	}
}

static void unused_variables(struct gql_walk *w, rv variables, struct slice operation)
{
	for (uint32_t i = 0; i < variables->count; i++) {
		struct slice name = gql_str(variables->item[i], "Variable");
		if (w->variable_used[i])
			continue;
		if (operation.size)
			gql_add(w, variables->item[i],
				"Variable \"$%.*s\" is never used in operation \"%.*s\".",
				ARG(name), ARG(operation));
		else
			gql_add(w, variables->item[i], "Variable \"$%.*s\" is never used.",
				ARG(name));
	}
}

static void check_variables(struct gql_walk *w, rv variables)
{
	for (uint32_t i = 0; i < variables->count; i++) {
		uint32_t before = 0;
		struct slice name = gql_str(variables->item[i], "Variable");
		for (uint32_t k = 0; k < i; k++)
			before += slice_eq(gql_str(variables->item[k], "Variable"), name);
		if (before == 1)
			gql_add(w, variables->item[i],
				"There can be only one variable named \"$%.*s\".", ARG(name));
	}
	for (uint32_t i = 0; i < variables->count; i++) {
		rv type = gql_get(variables->item[i], "Type");
		struct gql_type *t = gql_type_of(w, type);
		struct slice name = gql_str(variables->item[i], "Variable");
		struct slice text = gql_type_text(w->c, type);
		if (t && !gql_is_input(t))
			gql_add(w, variables->item[i],
				"Variable \"$%.*s\" cannot be non-input type \"%.*s\".", ARG(name),
				ARG(text));
	}
}

static void top_fields(struct gql_walk *w, rv set, struct list *out, uint8_t *seen)
{
	for (uint32_t i = 0; i < set->count; i++) {
		rv node = set->item[i];
		int64_t to;
		if (gql_get(node, "Alias")) {
			if (!gql_list_by_name(out, gql_str(node, "Name")))
				list_push(w->c->m, out, node);
		} else if (!gql_get(node, "Name")) {
			top_fields(w, gql_list(node, "SelectionSet"), out, seen);
		} else if ((to = gql_fragment(w, gql_str(node, "Name"))) >= 0 && !seen[to]) {
			seen[to] = 1;
			top_fields(w, gql_list(w->fragments->item[to], "SelectionSet"), out, seen);
		}
	}
}

static void single_field(struct gql_walk *w, rv operation)
{
	struct list fields = {0};
	struct slice name = gql_str(operation, "Name");
	char what[160];
	top_fields(w, gql_list(operation, "SelectionSet"), &fields,
		mem_array(w->c->m, w->fragments->count + 1, 1));
	if (name.size)
		snprintf(what, sizeof(what), "Subscription \"%.*s\"", ARG(name));
	else
		snprintf(what, sizeof(what), "Anonymous Subscription");
	if (fields.count > 1)
		gql_add(w, fields.item[1], "%s must select only one top level field.", what);
	for (uint32_t i = 0; i < fields.count; i++) {
		struct slice field = gql_str(fields.item[i], "Name");
		if (field.size > 1 && field.data[0] == '_' && field.data[1] == '_')
			gql_add(w, fields.item[i],
				"%s must not select an introspection top level field.", what);
	}
}

void gql_walk_operation(struct gql_walk *w, uint32_t index)
{
	rv node = w->operations->item[index], variables = gql_list(node, "VariableDefinitions");
	struct slice kind = gql_str(node, "Operation"), name = gql_str(node, "Name");
	bool mutation = slice_eq_str(kind, "mutation"),
	     subscription = slice_eq_str(kind, "subscription");
	struct gql_type *root = mutation       ? w->s->mutation
				: subscription ? w->s->subscription
					       : w->s->query;
	w->operation = node;
	w->variables = variables;
	w->variable_used = mem_array(w->c->m, variables->count + 1, sizeof(bool));
	walk_variables(w, variables);
	gql_walk_directives(w, node,
		mutation       ? "MUTATION"
		: subscription ? "SUBSCRIPTION"
			       : "QUERY");
	gql_walk_selections(w, root, gql_list(node, "SelectionSet"));
	if (!root)
		gql_add(w, node, "Schema does not support operation type \"%.*s\"", ARG(kind));
	if (name.size == 0 && w->operations->count > 1)
		gql_add(w, node, "This anonymous operation must be the only defined operation.");
	unused_variables(w, variables, name);
	gql_check_overlap(w, root, gql_list(node, "SelectionSet"));
	if (w->s->subscription && subscription)
		single_field(w, node);
	for (uint32_t i = 0; i < index; i++)
		if (slice_eq(gql_str(w->operations->item[i], "Name"), name)) {
			gql_add(w, node, "There can be only one operation named \"%.*s\".",
				ARG(name));
			break;
		}
	check_variables(w, variables);
	w->operation = NULL;
}
