/* SPDX-License-Identifier: Apache-2.0 */
/* Rules for values: types, variables, members of input objects. */
#include <stdlib.h>

#include "rego/gql_walk.h"

static bool among(const struct gql_type *t, const char *const *names)
{
	for (; *names; names++)
		if (slice_eq_str(t->name, *names))
			return true;
	return false;
}
#define AMONG(t, ...) among((t), (const char *const[]){__VA_ARGS__, NULL})

static int64_t variable_of(const struct gql_walk *w, rv value)
{
	struct slice name = gql_str(value, "Raw");
	for (uint32_t i = 0; w->operation && i < w->variables->count; i++)
		if (slice_eq(gql_str(w->variables->item[i], "Variable"), name))
			return i;
	return -1;
}

/* Whether the digits exceed @bits. */
static bool exceeds(struct slice raw, int64_t low, int64_t high)
{
	char text[32];
	char *end;
	if (raw.size >= sizeof(text))
		return true;
	memcpy(text, raw.data, raw.size);
	text[raw.size] = '\0';
	errno = 0;
	long long v = strtoll(text, &end, 10);
	return errno == ERANGE || (*end == '\0' && raw.size && (v < low || v > high));
}

static void wrong_type(struct gql_walk *w, rv value, const struct gql_expected *x)
{
	struct slice type = gql_type_text(w->c, x->type), text = gql_value_text(w->c, value);
	struct slice bare = type;
	const char *what = NULL;
	if (bare.size && bare.data[bare.size - 1] == '!')
		bare.size--;
	if (slice_eq_str(bare, "Int"))
		what = exceeds(gql_str(value, "Raw"), INT32_MIN, INT32_MAX)
			       ? "Int cannot represent non 32-bit signed integer value"
			       : "Int cannot represent non-integer value";
	else if (slice_eq_str(bare, "String") || slice_eq_str(type, "[String]"))
		what = "String cannot represent a non string value";
	else if (slice_eq_str(bare, "Boolean"))
		what = "Boolean cannot represent a non boolean value";
	else if (slice_eq_str(bare, "Float"))
		what = "Float cannot represent non numeric value";
	else if (slice_eq_str(bare, "ID"))
		what = "ID cannot represent a non-string and non-integer value";
	if (what)
		gql_add(w, value, "%s: %.*s", what, ARG(text));
	else if (gql_is(x->def, "ENUM"))
		gql_add(w, value, "Enum \"%.*s\" cannot represent non-enum value: %.*s.", ARG(type),
			ARG(text));
	else
		gql_add(w, value, "Expected value of type \"%.*s\", found %.*s.", ARG(type),
			ARG(text));
}

static void check_enum(struct gql_walk *w, rv value, const struct gql_expected *x, bool text)
{
	struct slice raw = gql_str(value, "Raw"), shown = gql_value_text(w->c, value);
	struct slice type = gql_type_text(w->c, x->type);
	static const char mean[] = "Did you mean the enum value";
	if (text) {
		struct slice more = gql_similar(w, mean, raw, &x->def->enums, true);
		gql_add(w, value, "Enum \"%.*s\" cannot represent non-enum value: %.*s.%.*s",
			ARG(type), ARG(shown), ARG(more));
	} else if (!gql_list_by_name(&x->def->enums, raw)) {
		struct slice more = gql_similar(w, mean, raw, &x->def->enums, true);
		gql_add(w, value, "Value \"%.*s\" does not exist in \"%.*s\" enum.%.*s", ARG(shown),
			ARG(type), ARG(more));
	}
}

static bool one_of(const struct gql_type *t)
{
	return gql_list_by_name(&t->directives, SLICE_LIT("oneOf"));
}

static void check_object(struct gql_walk *w, rv value, struct gql_type *t)
{
	rv children = gql_list(value, "Children");
	for (uint32_t i = 0; i < t->fields.count; i++) {
		rv field = t->fields.item[i], type = gql_get(field, "Type");
		struct slice name = gql_str(field, "Name");
		if (!gql_true(type, "NonNull") || gql_get(field, "DefaultValue") ||
			gql_by_name(children, name))
			continue;
		struct slice text = gql_type_text(w->c, type);
		gql_add(w, value, "Field \"%.*s.%.*s\" of required type \"%.*s\" was not provided.",
			ARG(t->name), ARG(name), ARG(text));
	}
	if (one_of(t) && children->count != 1) {
		gql_add(w, value, "OneOf Input Object \"%.*s\" must specify exactly one key.",
			ARG(t->name));
	} else if (one_of(t) && t->fields.count) {
		rv only = gql_get(children->item[0], "Value");
		struct slice name = gql_str(t->fields.item[0], "Name");
		if (!only || gql_value_kind(only) == GQL_NULL)
			gql_add(w, only ? only : value, "Field \"%.*s.%.*s\" must be non-null.",
				ARG(t->name), ARG(name));
	}
	for (uint32_t i = 0; i < children->count; i++) {
		struct slice name = gql_str(children->item[i], "Name");
		if (gql_list_by_name(&t->fields, name))
			continue;
		struct slice more = gql_similar(w, "Did you mean", name, &t->fields, true);
		gql_add(w, children->item[i], "Field \"%.*s\" is not defined by type \"%.*s\".%.*s",
			ARG(name), ARG(t->name), ARG(more));
	}
}

static void check_scalar(struct gql_walk *w, rv value, const struct gql_expected *x)
{
	struct gql_type *t = x->def;
	bool ok = true;
	switch (gql_value_kind(value)) {
	case GQL_INT:
		if (exceeds(gql_str(value, "Raw"), INT64_MIN, INT64_MAX))
			wrong_type(w, value, x);
		ok = AMONG(t, "Int", "Float", "ID");
		break;
	case GQL_FLOAT:
		ok = AMONG(t, "Float");
		break;
	case GQL_STRING:
	case GQL_BLOCK:
		ok = AMONG(t, "String", "ID");
		break;
	case GQL_BOOLEAN:
		ok = AMONG(t, "Boolean");
		break;
	case GQL_ENUM:
		ok = false;
		break;
	case GQL_LIST:
		ok = gql_get(x->type, "Elem");
		break;
	default:
		break;
	}
	if (!ok)
		wrong_type(w, value, x);
}

static void check_type(struct gql_walk *w, rv value, const struct gql_expected *x)
{
	enum gql_value kind = gql_value_kind(value);
	if (!x->def || !x->type)
		return;
	if (kind == GQL_NULL && gql_true(x->type, "NonNull")) {
		struct slice type = gql_type_text(w->c, x->type),
			     text = gql_value_text(w->c, value);
		gql_add(w, value, "Expected value of type \"%.*s\", found %.*s.", ARG(type),
			ARG(text));
	}
	bool custom = gql_is(x->def, "SCALAR") &&
		      !AMONG(x->def, "Int", "Float", "String", "Boolean", "ID");
	if (custom || kind == GQL_NULL || kind == GQL_VARIABLE)
		return;
	bool text = kind == GQL_STRING || kind == GQL_BLOCK;
	if (gql_is(x->def, "ENUM") && (text || kind == GQL_ENUM))
		check_enum(w, value, x, text);
	else if (kind == GQL_OBJECT)
		check_object(w, value, x->def);
	else
		check_scalar(w, value, x);
}

/* Whether a variable of type @have may stand where @want is expected. */
static bool fits(rv have, rv want, bool may_be_null)
{
	for (bool first = true;; first = false) {
		rv eh = gql_get(have, "Elem"), ew = gql_get(want, "Elem");
		if (!slice_eq(gql_str(have, "NamedType"), gql_str(want, "NamedType")) ||
			(eh && !ew))
			return false;
		if (gql_true(want, "NonNull") && !(first && may_be_null) &&
			!gql_true(have, "NonNull"))
			return false;
		if (!eh)
			return true;
		have = eh;
		want = ew;
	}
}

static void check_variable(struct gql_walk *w, rv value, const struct gql_expected *x)
{
	int64_t i = variable_of(w, value);
	if (i < 0 || !x->type)
		return;
	rv def = w->variables->item[i], fallback = gql_get(def, "DefaultValue");
	bool may_be_null = x->has_default || (fallback && gql_value_kind(fallback) != GQL_NULL);
	if (fits(gql_get(def, "Type"), x->type, may_be_null))
		return;
	struct slice have = gql_type_text(w->c, gql_get(def, "Type")),
		     want = gql_type_text(w->c, x->type), text = gql_value_text(w->c, value);
	gql_add(w, value,
		"Variable \"%.*s\" of type \"%.*s\" used in position expecting type \"%.*s\".",
		ARG(text), ARG(have), ARG(want));
}

static void check_one_of_variables(struct gql_walk *w, rv value, struct gql_type *t)
{
	rv children = gql_list(value, "Children");
	for (uint32_t i = 0; t && one_of(t) && i < children->count; i++) {
		rv child = gql_get(children->item[i], "Value");
		int64_t v =
			child && gql_value_kind(child) == GQL_VARIABLE ? variable_of(w, child) : -1;
		rv type = v >= 0 ? gql_get(w->variables->item[v], "Type") : NULL;
		if (!type || gql_true(type, "NonNull"))
			continue;
		struct slice text = gql_value_text(w->c, child), have = gql_type_text(w->c, type);
		gql_add(w, w->variables->item[v],
			"Variable \"%.*s\" is of type \"%.*s\" but must be non-nullable to be used "
			"for OneOf Input Object \"%.*s\".",
			ARG(text), ARG(have), ARG(t->name));
	}
}

static void check_undefined(struct gql_walk *w, rv value)
{
	int64_t i = variable_of(w, value);
	if (!w->operation)
		return;
	if (i >= 0) {
		w->variable_used[i] = true;
		return;
	}
	struct slice name = gql_str(w->operation, "Name"), text = gql_value_text(w->c, value);
	if (name.size)
		gql_add(w, value, "Variable \"%.*s\" is not defined by operation \"%.*s\".",
			ARG(text), ARG(name));
	else
		gql_add(w, value, "Variable \"%.*s\" is not defined.", ARG(text));
}

static void unique_members(struct gql_walk *w, rv children)
{
	for (uint32_t i = 0; i < children->count; i++) {
		struct slice name = gql_str(children->item[i], "Name");
		call_charge(w->c, 1 + i / 16);
		for (uint32_t k = 0; k < i; k++)
			if (slice_eq(gql_str(children->item[k], "Name"), name)) {
				gql_add(w, children->item[i],
					"There can be only one input field named \"%.*s\".",
					ARG(name));
				break;
			}
	}
}

/* What the member @name of an input object, or an element of a list, should be. */
static struct gql_expected expected_child(
	struct gql_walk *w, const struct gql_expected *x, rv child, bool list)
{
	struct gql_expected inner = {0};
	if (list) {
		inner.type = gql_get(x->type, "Elem");
		inner.def = inner.type ? x->def : NULL;
		return inner;
	}
	rv field = x->def ? gql_list_by_name(&x->def->fields, gql_str(child, "Name")) : NULL;
	rv fallback = gql_get(field, "DefaultValue");
	inner.type = gql_get(field, "Type");
	inner.def = inner.type ? gql_type(w->s, gql_type_name(inner.type)) : NULL;
	inner.has_default = fallback && gql_value_kind(fallback) != GQL_NULL;
	return inner;
}

void gql_walk_value(struct gql_walk *w, rv value, const struct gql_expected *x)
{
	enum gql_value kind = gql_value_kind(value);
	rv children = gql_list(value, "Children");
	if (++w->depth > GQL_DEPTH_MAX)
		mem_fail(w->c->m, REGO_ERR_DEPTH, "depth", "a GraphQL value is nested too deeply");
	call_charge(w->c, 1);
	for (uint32_t i = 0; kind >= GQL_LIST && i < children->count; i++) {
		struct gql_expected inner =
			expected_child(w, x, children->item[i], kind == GQL_LIST);
		rv child = gql_get(children->item[i], "Value");
		if (child)
			gql_walk_value(w, child, &inner);
	}
	w->depth--;
	if (kind == GQL_VARIABLE)
		check_undefined(w, value);
	if (kind == GQL_OBJECT)
		unique_members(w, children);
	check_type(w, value, x);
	if (kind == GQL_VARIABLE)
		check_variable(w, value, x);
	if (kind == GQL_OBJECT)
		check_one_of_variables(w, value, x->def);
}
