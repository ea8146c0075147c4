/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fields that answer under one name must be the same field with the same arguments, unless they can
 * never be asked of one object; in any case their types must fit. Fragments are collected into the
 * set they are spread in. Work is charged, so that a query made to be slow ends by the step budget.
 */
#include "rego/gql_walk.h"

struct found {
	struct found *next;
	rv field;
	rv def;
	struct gql_type *parent;
};

struct set {
	struct found *first, **end;
	uint8_t *seen; /* fragments that are in */
};

static void collect(struct gql_walk *w, struct set *set, struct gql_type *parent, rv selections)
{
	for (uint32_t i = 0; i < selections->count; i++) {
		rv node = selections->item[i];
		call_charge(w->c, 1);
		if (gql_get(node, "Alias") || gql_get(node, "Arguments")) {
			struct found *f = mem_new(w->c->m, struct found);
			*f = (struct found){.field = node,
				.def = gql_field_def(w, parent, node),
				.parent = parent};
			*set->end = f;
			set->end = &f->next;
		} else if (gql_get(node, "Name")) {
			int64_t to = gql_fragment(w, gql_str(node, "Name"));
			if (to < 0 || set->seen[to])
				continue;
			set->seen[to] = 1;
			rv def = w->fragments->item[to];
			collect(w, set, gql_type(w->s, gql_str(def, "TypeCondition")),
				gql_list(def, "SelectionSet"));
		} else {
			struct slice condition = gql_str(node, "TypeCondition");
			collect(w, set, condition.size ? gql_type(w->s, condition) : parent,
				gql_list(node, "SelectionSet"));
		}
	}
}

static struct set new_set(struct gql_walk *w)
{
	return (struct set){.seen = mem_array(w->c->m, w->fragments->count + 1, 1)};
}

static bool same_value(rv a, rv b)
{
	rv x = gql_list(a, "Children"), y = gql_list(b, "Children");
	if (gql_value_kind(a) != gql_value_kind(b) ||
		!slice_eq(gql_str(a, "Raw"), gql_str(b, "Raw")) || x->count != y->count)
		return false;
	for (uint32_t i = 0; i < x->count; i++) {
		struct slice name = gql_str(x->item[i], "Name");
		rv other = gql_value_kind(a) == GQL_OBJECT ? gql_by_name(y, name) : y->item[i];
		if (!other || !same_value(gql_get(x->item[i], "Value"), gql_get(other, "Value")))
			return false;
	}
	return true;
}

static bool same_arguments(rv a, rv b)
{
	rv x = gql_list(a, "Arguments"), y = gql_list(b, "Arguments");
	if (x->count != y->count)
		return false;
	for (uint32_t i = 0; i < x->count; i++) {
		rv other = gql_by_name(y, gql_str(x->item[i], "Name"));
		if (!other || !same_value(gql_get(x->item[i], "Value"), gql_get(other, "Value")))
			return false;
	}
	return true;
}

static bool types_conflict(struct gql_walk *w, rv a, rv b)
{
	for (;;) {
		rv ea = gql_get(a, "Elem"), eb = gql_get(b, "Elem");
		if (gql_true(a, "NonNull") != gql_true(b, "NonNull") || !ea != !eb)
			return true;
		if (!ea)
			break;
		a = ea;
		b = eb;
	}
	struct gql_type *x = gql_type(w->s, gql_type_name(a)),
			*y = gql_type(w->s, gql_type_name(b));
	return x && y && (gql_is_leaf(x) || gql_is_leaf(y)) && x != y;
}

static struct slice response_name(rv field)
{
	struct slice alias = gql_str(field, "Alias");
	return alias.size ? alias : gql_str(field, "Name");
}

static rv why_set(struct gql_walk *w, struct set *a, struct set *b, bool exclusive, unsigned depth);

/* Why two fields of one name conflict; NULL when they do not. */
static rv why(struct gql_walk *w, const struct found *a, const struct found *b, bool exclusive,
	unsigned depth)
{
	char text[500];
	call_charge(w->c, 4);
	if (!a->parent || !b->parent || a->field == b->field)
		return NULL;
	exclusive = exclusive || (a->parent != b->parent && gql_is(a->parent, "OBJECT") &&
					 gql_is(b->parent, "OBJECT") && a->def && b->def);
	struct slice x = gql_str(a->field, "Name"), y = gql_str(b->field, "Name");
	if (!exclusive && !slice_eq(x, y)) {
		snprintf(text, sizeof(text), "\"%.*s\" and \"%.*s\" are different fields", ARG(x),
			ARG(y));
		return value_cstr(w->c->m, text);
	}
	if (!exclusive && !same_arguments(a->field, b->field))
		return value_cstr(w->c->m, "they have differing arguments");
	rv ta = gql_get(a->def, "Type"), tb = gql_get(b->def, "Type");
	if (ta && tb && types_conflict(w, ta, tb)) {
		x = gql_type_text(w->c, ta);
		y = gql_type_text(w->c, tb);
		snprintf(text, sizeof(text), "they return conflicting types \"%.*s\" and \"%.*s\"",
			ARG(x), ARG(y));
		return value_cstr(w->c->m, text);
	}
	struct set sa = new_set(w), sb = new_set(w);
	sa.end = &sa.first;
	sb.end = &sb.first;
	collect(w, &sa, ta ? gql_type(w->s, gql_type_name(ta)) : NULL,
		gql_list(a->field, "SelectionSet"));
	collect(w, &sb, tb ? gql_type(w->s, gql_type_name(tb)) : NULL,
		gql_list(b->field, "SelectionSet"));
	return why_set(w, &sa, &sb, exclusive, depth + 1);
}

/* Conflicts between two sets, as one sentence; NULL when there are none. */
static rv why_set(struct gql_walk *w, struct set *a, struct set *b, bool exclusive, unsigned depth)
{
	char text[500] = "";
	size_t n = 0;
	if (depth > GQL_DEPTH_MAX)
		mem_fail(
			w->c->m, REGO_ERR_DEPTH, "depth", "the GraphQL query is nested too deeply");
	for (struct found *x = a->first; x; x = x->next)
		for (struct found *y = b->first; y; y = y->next) {
			struct slice name = response_name(x->field);
			call_charge(w->c, 1);
			if (!slice_eq(name, response_name(y->field)))
				continue;
			rv reason = why(w, x, y, exclusive, depth);
			if (!reason || n > 300)
				continue;
			n += (size_t)snprintf(text + n, sizeof(text) - n,
				"%ssubfields \"%.*s\" conflict because %.150s", n ? " and " : "",
				ARG(name), reason->text);
		}
	return n ? value_cstr(w->c->m, text) : NULL;
}

void gql_check_overlap(struct gql_walk *w, struct gql_type *parent, rv selections)
{
	struct set set = new_set(w);
	set.end = &set.first;
	if (selections->count == 0)
		return;
	collect(w, &set, parent, selections);
	for (struct found *a = set.first; a; a = a->next)
		for (struct found *b = a->next; b; b = b->next) {
			struct slice name = response_name(a->field);
			call_charge(w->c, 1);
			if (!slice_eq(name, response_name(b->field)))
				continue;
			rv reason = why(w, a, b, false, 0);
			if (reason)
				gql_add(w, b->field,
					"Fields \"%.*s\" conflict because %.300s. Use different "
					"aliases on the fields to fetch both if this was intentional.",
					ARG(name), reason->text);
		}
}
