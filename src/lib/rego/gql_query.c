/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules for queries. One walk visits operations, then fragments; rules are applied to a node in
 * the order of their names, which is the order of the messages.
 */
#include <stdarg.h>

#include "rego/gql_walk.h"

void gql_add(struct gql_walk *w, rv node, const char *fmt, ...)
{
	char text[600];
	va_list ap;
	uint32_t line, col;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	gql_locate(node, &line, &col);
	char whole[640];
	if (w->errors.count == 0) {
		w->line = line;
		w->col = col;
		snprintf(whole, sizeof(whole), "%s\n", text);
	} else {
		snprintf(whole, sizeof(whole), "input:%u:%u: %s\n", line, col, text);
	}
	if (w->errors.count < GQL_ERRORS_MAX)
		list_push(w->c->m, &w->errors, value_cstr(w->c->m, whole));
}

static rv join_errors(struct gql_walk *w)
{
	struct buf b = buf_init(mem_room(w->c->m));
	for (uint32_t i = 0; i < w->errors.count; i++)
		buf_put_slice(&b, value_slice(w->errors.item[i]));
	char *copy = buf_error(&b) ? NULL : arena_copy(w->c->m->arena, buf_slice(&b));
	size_t size = b.size;
	buf_done(&b);
	if (!copy)
		mem_escape(w->c->m, REGO_ERR_MEMORY);
	return value_string(w->c->m, slice_of(copy, size));
}

struct gql_type *gql_type_of(struct gql_walk *w, rv type)
{
	return type ? gql_type(w->s, gql_type_name(type)) : NULL;
}

/* --- arguments and directives --- */

static void walk_arguments(struct gql_walk *w, rv args, rv defs)
{
	for (uint32_t i = 0; i < args->count; i++) {
		rv def = gql_by_name(defs, gql_str(args->item[i], "Name"));
		rv type = gql_get(def, "Type"), value = gql_get(args->item[i], "Value");
		rv fallback = gql_get(def, "DefaultValue");
		struct gql_expected x = {.type = type,
			.def = gql_type_of(w, type),
			.has_default = fallback && gql_value_kind(fallback) != GQL_NULL};
		if (value)
			gql_walk_value(w, value, &x);
	}
}

static void unique_arguments(struct gql_walk *w, rv args)
{
	for (uint32_t i = 0; i < args->count; i++) {
		struct slice name = gql_str(args->item[i], "Name");
		uint32_t before = 0;
		for (uint32_t n = 0; n < i; n++)
			before += slice_eq(gql_str(args->item[n], "Name"), name);
		if (before == 1)
			gql_add(w, args->item[i], "There can be only one argument named \"%.*s\".",
				ARG(name));
	}
}

static void required_arguments(
	struct gql_walk *w, rv node, const char *what, struct slice name, rv args, rv defs)
{
	for (uint32_t i = 0; i < defs->count; i++) {
		rv type = gql_get(defs->item[i], "Type");
		struct slice arg = gql_str(defs->item[i], "Name");
		if (!gql_true(type, "NonNull") || gql_get(defs->item[i], "DefaultValue") ||
			gql_by_name(args, arg))
			continue;
		struct slice text = gql_type_text(w->c, type);
		gql_add(w, node,
			"%s%.*s\" argument \"%.*s\" of type \"%.*s\" is required, but it was not "
			"provided.",
			what, ARG(name), ARG(arg), ARG(text));
	}
}

static void check_directive(struct gql_walk *w, rv dir, const char *location)
{
	struct slice name = gql_str(dir, "Name");
	struct gql_directive *d = gql_directive(w->s, name);
	rv args = gql_list(dir, "Arguments");
	if (d) {
		rv defs = gql_list(d->def, "Arguments");
		struct list names = {.item = (rv *)(uintptr_t)defs->item, .count = defs->count};
		for (uint32_t i = 0; i < args->count; i++) {
			struct slice arg = gql_str(args->item[i], "Name");
			if (gql_by_name(defs, arg))
				continue;
			struct slice more = gql_similar(w, "Did you mean", arg, &names, true);
			gql_add(w, dir, "Unknown argument \"%.*s\" on directive \"@%.*s\".%.*s",
				ARG(arg), ARG(name), ARG(more));
		}
		rv places = gql_list(d->def, "Locations");
		bool fits = false;
		for (uint32_t i = 0; i < places->count; i++)
			fits |= value_str_is(places->item[i], location);
		if (!fits)
			gql_add(w, dir, "Directive \"@%.*s\" may not be used on %s.", ARG(name),
				location);
		required_arguments(w, dir, "Directive \"@", name, args, defs);
	} else {
		gql_add(w, dir, "Unknown directive \"@%.*s\".", ARG(name));
	}
	unique_arguments(w, args);
}

void gql_walk_directives(struct gql_walk *w, rv node, const char *location)
{
	rv l = gql_list(node, "Directives");
	for (uint32_t i = 0; i < l->count; i++) {
		struct gql_directive *d = gql_directive(w->s, gql_str(l->item[i], "Name"));
		walk_arguments(w, gql_list(l->item[i], "Arguments"),
			d ? gql_list(d->def, "Arguments") : &value_empty_array);
		check_directive(w, l->item[i], location);
	}
	for (uint32_t i = 0; i < l->count; i++) {
		struct slice name = gql_str(l->item[i], "Name");
		struct gql_directive *d = gql_directive(w->s, name);
		for (uint32_t n = 0; n < i; n++)
			if (slice_eq(gql_str(l->item[n], "Name"), name) &&
				!(d && gql_true(d->def, "IsRepeatable"))) {
				gql_add(w, l->item[i],
					"The directive \"@%.*s\" can only be used once at this "
					"location.",
					ARG(name));
				break;
			}
	}
}

/* --- fields --- */

/* Types that a fragment could be on: interfaces that have the field, then objects. */
static void types_with(
	struct gql_walk *w, struct gql_type *parent, struct slice name, struct list *out)
{
	struct list objects = {0};
	for (uint32_t i = 0; i < parent->possible_count; i++) {
		struct gql_type *t = parent->possible[i];
		if (!gql_list_by_name(&t->fields, name))
			continue;
		list_push(w->c->m, &objects, t->def);
		for (uint32_t k = 0; k < t->interfaces.count; k++) {
			rv intf = t->interfaces.item[k];
			struct gql_type *of = intf->type == REGO_STRING
						      ? gql_type(w->s, value_slice(intf))
						      : NULL;
			if (of && gql_list_by_name(&of->fields, name) &&
				!gql_list_by_name(out, of->name))
				list_push(w->c->m, out, of->def);
		}
	}
	for (uint32_t i = 0; i < objects.count; i++)
		list_push(w->c->m, out, objects.item[i]);
}

static void unknown_field(struct gql_walk *w, rv field, struct gql_type *parent)
{
	struct slice name = gql_str(field, "Name"), more = SLICE_EMPTY;
	struct list types = {0};
	if (!gql_is(parent, "OBJECT"))
		types_with(w, parent, name, &types);
	if (types.count)
		more = gql_or_list(w, "Did you mean to use an inline fragment on", &types, true);
	else if (!gql_is(parent, "UNION"))
		more = gql_similar(w, "Did you mean", name, &parent->fields, true);
	gql_add(w, field, "Cannot query field \"%.*s\" on type \"%.*s\".%.*s", ARG(name),
		ARG(parent->name), ARG(more));
}

static void known_arguments(struct gql_walk *w, rv field, rv def, struct gql_type *parent)
{
	rv args = gql_list(field, "Arguments"), defs = gql_list(def, "Arguments");
	struct list names = {.item = (rv *)(uintptr_t)defs->item, .count = defs->count};
	struct slice name = gql_str(field, "Name");
	for (uint32_t i = 0; i < args->count; i++) {
		struct slice arg = gql_str(args->item[i], "Name");
		if (gql_by_name(defs, arg))
			continue;
		struct slice more = gql_similar(w, "Did you mean", arg, &names, true);
		gql_add(w, field, "Unknown argument \"%.*s\" on field \"%.*s.%.*s\".%.*s", ARG(arg),
			ARG(parent->name), ARG(name), ARG(more));
	}
}

static void scalar_leafs(struct gql_walk *w, rv field, rv def, struct gql_type *type)
{
	struct slice name = gql_str(field, "Name");
	bool selects = gql_list(field, "SelectionSet")->count > 0;
	struct slice text = gql_type_text(w->c, gql_get(def, "Type"));
	if (type && gql_is_leaf(type) && selects)
		gql_add(w, field,
			"Field \"%.*s\" must not have a selection since type \"%.*s\" has no "
			"subfields.",
			ARG(name), ARG(type->name));
	if (type && !gql_is_leaf(type) && !selects)
		gql_add(w, field,
			"Field \"%.*s\" of type \"%.*s\" must have a selection of subfields. Did you "
			"mean \"%.*s { ... }\"?",
			ARG(name), ARG(text), ARG(name));
}

rv gql_field_def(struct gql_walk *w, struct gql_type *parent, rv field)
{
	struct slice name = gql_str(field, "Name");
	if (slice_eq_str(name, "__typename"))
		return w->typename_def;
	return parent ? gql_list_by_name(&parent->fields, name) : NULL;
}

static void walk_field(struct gql_walk *w, struct gql_type *parent, rv field)
{
	rv def = gql_field_def(w, parent, field);
	struct gql_type *type = def ? gql_type_of(w, gql_get(def, "Type")) : NULL;
	rv args = gql_list(field, "Arguments"), defs = gql_list(def, "Arguments");
	walk_arguments(w, args, defs);
	gql_walk_directives(w, field, "FIELD");
	gql_walk_selections(w, type, gql_list(field, "SelectionSet"));
	if (parent && !def)
		unknown_field(w, field, parent);
	if (parent && def)
		known_arguments(w, field, def, parent);
	if (w->operation)
		gql_check_overlap(w, type, gql_list(field, "SelectionSet"));
	if (def) {
		required_arguments(w, field, "Field \"", gql_str(field, "Name"), args, defs);
		scalar_leafs(w, field, def, type);
	}
	unique_arguments(w, args);
}

/* --- fragments --- */

static bool may_be(struct gql_type *parent, struct gql_type *of)
{
	if (!parent || !gql_is_composite(parent) || !of || !gql_is_composite(of))
		return true;
	struct gql_type *self[] = {parent};
	bool object = gql_is(parent, "OBJECT");
	struct gql_type **list = object ? self : parent->possible;
	uint32_t count = object ? 1 : parent->possible_count;
	for (uint32_t i = 0; i < of->possible_count; i++)
		for (uint32_t k = 0; k < count; k++)
			if (of->possible[i] == list[k])
				return true;
	return false;
}

static void walk_inline(struct gql_walk *w, struct gql_type *parent, rv node)
{
	struct slice condition = gql_str(node, "TypeCondition");
	struct gql_type *of = condition.size ? gql_type(w->s, condition) : parent;
	gql_walk_directives(w, node, "INLINE_FRAGMENT");
	gql_walk_selections(w, of, gql_list(node, "SelectionSet"));
	if (condition.size && of && !gql_is_composite(of))
		gql_add(w, node, "Fragment cannot condition on non composite type \"%.*s\".",
			ARG(condition));
	if (condition.size && !of)
		gql_add(w, node, "Unknown type \"%.*s\".", ARG(condition));
	gql_check_overlap(w, of, gql_list(node, "SelectionSet"));
	if (condition.size && !may_be(parent, of))
		gql_add(w, node,
			"Fragment cannot be spread here as objects of type \"%.*s\" can never be of "
			"type \"%.*s\".",
			ARG(parent->name), ARG(condition));
}

int64_t gql_fragment(const struct gql_walk *w, struct slice name)
{
	for (uint32_t i = 0; i < w->fragments->count; i++)
		if (slice_eq(gql_str(w->fragments->item[i], "Name"), name))
			return i;
	return -1;
}

static void walk_spread(struct gql_walk *w, struct gql_type *parent, rv node)
{
	struct slice name = gql_str(node, "Name");
	int64_t i = gql_fragment(w, name);
	rv def = i >= 0 ? w->fragments->item[i] : NULL;
	struct slice condition = gql_str(def, "TypeCondition");
	struct gql_type *of = def ? gql_type(w->s, condition) : NULL;
	gql_walk_directives(w, node, "FRAGMENT_SPREAD");
	if (def && !w->seen[i]) {
		w->seen[i] = true;
		gql_walk_directives(w, def, "FRAGMENT_DEFINITION");
		gql_walk_selections(w, of, gql_list(def, "SelectionSet"));
	}
	if (!def)
		gql_add(w, node, "Unknown fragment \"%.*s\".", ARG(name));
	if (def && !w->in_fragments)
		w->used[i] = true;
	if (def && !may_be(parent, of))
		gql_add(w, node,
			"Fragment \"%.*s\" cannot be spread here as objects of type \"%.*s\" can "
			"never be of type \"%.*s\".",
			ARG(name), ARG(parent->name), ARG(condition));
}

void gql_walk_selections(struct gql_walk *w, struct gql_type *parent, rv set)
{
	if (++w->depth > GQL_DEPTH_MAX)
		mem_fail(
			w->c->m, REGO_ERR_DEPTH, "depth", "the GraphQL query is nested too deeply");
	for (uint32_t i = 0; i < set->count; i++) {
		rv node = set->item[i];
		call_charge(w->c, 1);
		if (gql_get(node, "Alias") || gql_get(node, "Arguments"))
			walk_field(w, parent, node);
		else if (gql_get(node, "Name"))
			walk_spread(w, parent, node);
		else
			walk_inline(w, parent, node);
	}
	w->depth--;
}

/* Spreads of a fragment, in fields and inline fragments too. */
static void find_spreads(struct gql_walk *w, rv set, struct list *out)
{
	for (uint32_t i = 0; i < set->count; i++) {
		rv node = set->item[i];
		bool spread = !gql_get(node, "Alias") && gql_get(node, "Name");
		if (spread)
			list_push(w->c->m, out, node);
		else
			find_spreads(w, gql_list(node, "SelectionSet"), out);
	}
}

/* @state: 0 unknown, 1 on the way, 2 done */
static void fragment_cycles(struct gql_walk *w, uint32_t index, uint8_t *state, unsigned depth)
{
	struct list spreads = {0};
	if (state[index] || depth > GQL_DEPTH_MAX)
		return;
	state[index] = 1;
	find_spreads(w, gql_list(w->fragments->item[index], "SelectionSet"), &spreads);
	for (uint32_t i = 0; i < spreads.count; i++) {
		struct slice name = gql_str(spreads.item[i], "Name");
		int64_t to = gql_fragment(w, name);
		if (to >= 0 && state[to] == 1)
			gql_add(w, spreads.item[i],
				"Cannot spread fragment \"%.*s\" within itself.", ARG(name));
		else if (to >= 0)
			fragment_cycles(w, (uint32_t)to, state, depth + 1);
	}
	state[index] = 2;
}

static void walk_fragment(struct gql_walk *w, uint32_t index)
{
	rv node = w->fragments->item[index];
	struct slice name = gql_str(node, "Name"), condition = gql_str(node, "TypeCondition");
	struct gql_type *of = gql_type(w->s, condition);
	gql_walk_directives(w, node, "FRAGMENT_DEFINITION");
	gql_walk_selections(w, of, gql_list(node, "SelectionSet"));
	if (of && !gql_is_composite(of))
		gql_add(w, node,
			"Fragment \"%.*s\" cannot condition on non composite type \"%.*s\".",
			ARG(name), ARG(condition));
	if (!of) {
		struct list types = {0};
		for (struct gql_type *t = w->s->types; t; t = t->next)
			if (!slice_eq_str(t->name, "Query__"))
				list_push(w->c->m, &types, t->def);
		struct slice more = gql_similar(w, "Did you mean", condition, &types, true);
		gql_add(w, node, "Unknown type \"%.*s\".%.*s", ARG(condition), ARG(more));
	}
	fragment_cycles(w, index, w->cycle, 0);
	w->in_fragments = true;
	if (!w->used[gql_fragment(w, name)])
		gql_add(w, node, "Fragment \"%.*s\" is never used.", ARG(name));
	gql_check_overlap(w, of, gql_list(node, "SelectionSet"));
	if (gql_fragment(w, name) != index)
		gql_add(w, node, "There can be only one fragment named \"%.*s\".", ARG(name));
}

static void forget_spreads(struct gql_walk *w)
{
	memset(w->seen, 0, w->fragments->count + 1);
}

rv gql_check_query(
	struct call *c, struct gql_schema *s, rv document, uint32_t *ret_line, uint32_t *ret_col)
{
	struct gql_error none = {0};
	struct gql_walk w = {.c = c, .s = s};
	w.operations = gql_list(document, "Operations");
	w.fragments = gql_list(document, "Fragments");
	size_t n = w.fragments->count + 1;
	w.seen = mem_array(c->m, n, sizeof(bool));
	w.used = mem_array(c->m, n, sizeof(bool));
	w.cycle = mem_array(c->m, n, 1);
	rv helper = gql_parse_schema(c, SLICE_LIT("type T { __typename: String }"), &none);
	w.typename_def = gql_list(gql_list(helper, "Definitions")->item[0], "Fields")->item[0];
	for (uint32_t i = 0; i < w.operations->count; i++) {
		forget_spreads(&w);
		gql_walk_operation(&w, i);
	}
	for (uint32_t i = 0; i < w.fragments->count; i++) {
		forget_spreads(&w);
		walk_fragment(&w, i);
	}
	*ret_line = w.line;
	*ret_col = w.col;
	return join_errors(&w);
}
