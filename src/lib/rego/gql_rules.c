/* SPDX-License-Identifier: Apache-2.0 */
/* The rules for definitions in a schema: names, arguments, interfaces, members, cycles. */
#include "rego/gql_check.h"

static void check_name(struct gql_check *k, rv node, struct slice name)
{
	if (name.size >= 2 && name.data[0] == '_' && name.data[1] == '_')
		gql_fail(k->e, node,
			"Name \"%.*s\" must not begin with \"__\", which is reserved by GraphQL "
			"introspection.",
			ARG(name));
}

static struct gql_type *check_type_ref(struct gql_check *k, rv type)
{
	struct slice name = gql_type_name(type);
	struct gql_type *t = gql_type(k->s, name);
	if (!t)
		gql_fail(k->e, type, "Undefined type %.*s.", ARG(name));
	return t;
}

static void check_input_names(struct gql_check *k, rv value)
{
	rv children = gql_list(value, "Children");
	for (uint32_t i = 0; i < children->count; i++) {
		rv child = children->item[i];
		call_charge(k->c, 1 + i / 8);
		for (uint32_t n = 0; gql_value_kind(value) == GQL_OBJECT && n < i; n++)
			if (slice_eq(gql_str(children->item[n], "Name"), gql_str(child, "Name"))) {
				struct slice name = gql_str(child, "Name");
				gql_fail(k->e, child,
					"There can be only one input field named \"%.*s\".",
					ARG(name));
			}
		check_input_names(k, gql_get(child, "Value"));
	}
}

static bool has_location(rv def, const char *location)
{
	rv l = gql_list(def, "Locations");
	for (uint32_t i = 0; i < l->count; i++)
		if (value_str_is(l->item[i], location))
			return true;
	return false;
}

static void check_directive_args(struct gql_check *k, rv dir, rv def)
{
	rv args = gql_list(dir, "Arguments"), defs = gql_list(def, "Arguments");
	struct slice name = gql_str(dir, "Name");
	for (uint32_t i = 0; i < args->count; i++) {
		struct slice arg = gql_str(args->item[i], "Name");
		if (!gql_by_name(defs, arg))
			gql_fail(k->e, args->item[i], "Undefined argument %.*s for directive %.*s.",
				ARG(arg), ARG(name));
		if (gql_by_name(args, arg) != args->item[i])
			gql_fail(k->e, args->item[i], "There can be only one argument named %.*s.",
				ARG(arg));
	}
	for (uint32_t i = 0; i < defs->count; i++) {
		struct slice arg = gql_str(defs->item[i], "Name");
		rv given = gql_by_name(args, arg);
		if (gql_true(gql_get(defs->item[i], "Type"), "NonNull") &&
			!gql_get(defs->item[i], "DefaultValue") &&
			(!given || gql_value_kind(gql_get(given, "Value")) == GQL_NULL))
			gql_fail(k->e, dir, "Argument %.*s for directive %.*s cannot be null.",
				ARG(arg), ARG(name));
	}
	for (uint32_t i = 0; i < args->count; i++)
		check_input_names(k, gql_get(args->item[i], "Value"));
}

/* @self: the directive whose definition this is part of, or empty */
static void check_directives(struct gql_check *k, const rv *dir, uint32_t count,
	const char *location, struct slice self, bool one_place)
{
	for (uint32_t i = 0; i < count; i++) {
		struct slice name = gql_str(dir[i], "Name");
		check_name(k, dir[i], name);
		if (self.size && slice_eq(self, name))
			gql_fail(k->e, dir[i], "Directive %.*s cannot refer to itself.", ARG(name));
		struct gql_directive *d = gql_directive(k->s, name);
		if (!d) {
			gql_fail(k->e, dir[i], "Undefined directive %.*s.", ARG(name));
			return;
		}
		for (uint32_t n = 0; one_place && n < i; n++)
			if (slice_eq(gql_str(dir[n], "Name"), name) &&
				!gql_true(d->def, "IsRepeatable"))
				gql_fail(k->e, dir[i],
					"The directive %.*s can only be used once at this location.",
					ARG(name));
		if (!has_location(d->def, location))
			gql_fail(k->e, dir[i], "Directive %.*s is not applicable on %s.", ARG(name),
				location);
		check_directive_args(k, dir[i], d->def);
	}
}

void gql_check_directives(struct gql_check *k, rv node, const char *location, struct slice self)
{
	rv l = gql_list(node, "Directives");
	check_directives(k, l->item, l->count, location, self, true);
}

static void check_args(struct gql_check *k, rv args, struct slice self)
{
	for (uint32_t i = 0; i < args->count; i++) {
		rv arg = args->item[i], type = gql_get(arg, "Type");
		struct slice name = gql_str(arg, "Name");
		check_name(k, arg, name);
		struct gql_type *t = check_type_ref(k, type);
		check_input_names(k, gql_get(arg, "DefaultValue"));
		if (t && !gql_is_input(t)) {
			struct slice text = gql_type_text(k->c, type);
			gql_fail(k->e, arg,
				"cannot use %.*s as argument %.*s because %.*s is not a valid "
				"input type",
				ARG(text), ARG(name), ARG(t->kind));
		}
		gql_check_directives(k, arg, "ARGUMENT_DEFINITION", self);
	}
}

static rv duplicate(struct gql_check *k, const rv *item, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		call_charge(k->c, 1 + count / 16);
		for (uint32_t n = i + 1; n < count; n++)
			if (slice_eq(gql_str(item[i], "Name"), gql_str(item[n], "Name")))
				return item[n];
	}
	return NULL;
}

static bool compatible(rv a, rv b)
{
	for (;;) {
		rv ea = gql_get(a, "Elem"), eb = gql_get(b, "Elem");
		if (!slice_eq(gql_str(a, "NamedType"), gql_str(b, "NamedType")) || (ea && !eb))
			return false;
		if (gql_true(b, "NonNull") && !gql_true(a, "NonNull"))
			return false;
		if (!ea)
			return true;
		a = ea;
		b = eb;
	}
}

static bool covariant(struct gql_check *k, rv required, rv actual)
{
	for (;;) {
		if (gql_true(required, "NonNull") && !gql_true(actual, "NonNull"))
			return false;
		struct slice name = gql_str(required, "NamedType"),
			     have = gql_str(actual, "NamedType");
		if (name.size) {
			struct gql_type *t = gql_type(k->s, name);
			if (slice_eq(name, have))
				return true;
			for (uint32_t i = 0; t && i < t->possible_count; i++)
				if (slice_eq(t->possible[i]->name, have))
					return true;
			return false;
		}
		required = gql_get(required, "Elem");
		actual = gql_get(actual, "Elem");
		if (!required || !actual)
			return !required;
	}
}

static void check_interface_field(
	struct gql_check *k, struct gql_type *t, struct gql_type *intf, rv required)
{
	struct slice name = gql_str(required, "Name");
	rv found = gql_list_by_name(&t->fields, name);
	if (!found) {
		gql_fail(k->e, t->def,
			"For %.*s to implement %.*s it must have a field called %.*s.",
			ARG(t->name), ARG(intf->name), ARG(name));
		return;
	}
	if (!covariant(k, gql_get(required, "Type"), gql_get(found, "Type"))) {
		struct slice type = gql_type_text(k->c, gql_get(required, "Type"));
		gql_fail(k->e, found,
			"For %.*s to implement %.*s the field %.*s must have type %.*s.",
			ARG(t->name), ARG(intf->name), ARG(name), ARG(type));
	}
	rv want = gql_list(required, "Arguments"), have = gql_list(found, "Arguments");
	for (uint32_t i = 0; i < want->count; i++) {
		struct slice arg = gql_str(want->item[i], "Name");
		rv given = gql_by_name(have, arg);
		if (!given)
			gql_fail(k->e, found,
				"For %.*s to implement %.*s the field %.*s must have the same "
				"arguments but it is missing %.*s.",
				ARG(t->name), ARG(intf->name), ARG(name), ARG(arg));
		else if (!compatible(gql_get(want->item[i], "Type"), gql_get(given, "Type")))
			gql_fail(k->e, given,
				"For %.*s to implement %.*s the field %.*s must have the same "
				"arguments but %.*s has the wrong type.",
				ARG(t->name), ARG(intf->name), ARG(name), ARG(arg));
	}
	for (uint32_t i = 0; i < have->count; i++) {
		struct slice arg = gql_str(have->item[i], "Name");
		if (!gql_by_name(want, arg) &&
			gql_true(gql_get(have->item[i], "Type"), "NonNull") &&
			!gql_get(have->item[i], "DefaultValue"))
			gql_fail(k->e, have->item[i],
				"For %.*s to implement %.*s any additional arguments on %.*s must be "
				"optional or have a default value but %.*s is required.",
				ARG(t->name), ARG(intf->name), ARG(name), ARG(arg));
	}
}

static bool lists(const struct list *names, struct slice name)
{
	for (uint32_t i = 0; i < names->count; i++)
		if (names->item[i]->type == REGO_STRING &&
			slice_eq(value_slice(names->item[i]), name))
			return true;
	return false;
}

static void check_implements(struct gql_check *k, struct gql_type *t, struct slice name)
{
	struct gql_type *intf = gql_type(k->s, name);
	if (!intf) {
		gql_fail(k->e, t->def, "Undefined type \"%.*s\".", ARG(name));
		return;
	}
	if (!gql_is(intf, "INTERFACE"))
		gql_fail(k->e, t->def, "\"%.*s\" is a non interface type %.*s.", ARG(name),
			ARG(intf->kind));
	if (intf == t)
		gql_fail(k->e, t->def,
			"Type %.*s cannot implement itself because it would create a circular "
			"reference.",
			ARG(t->name));
	for (uint32_t i = 0; i < intf->fields.count && !k->e->set; i++)
		check_interface_field(k, t, intf, intf->fields.item[i]);
	for (uint32_t i = 0; i < intf->interfaces.count; i++) {
		if (intf->interfaces.item[i]->type != REGO_STRING)
			continue;
		struct slice other = value_slice(intf->interfaces.item[i]);
		if (lists(&t->interfaces, other))
			continue;
		if (slice_eq(other, t->name))
			gql_fail(k->e, t->def,
				"Type %.*s cannot implement %.*s because it would create a "
				"circular reference.",
				ARG(t->name), ARG(name));
		else
			gql_fail(k->e, t->def,
				"Type %.*s must implement %.*s because it is implemented by %.*s.",
				ARG(t->name), ARG(other), ARG(name));
	}
}

static void check_fields(struct gql_check *k, struct gql_type *t)
{
	bool input = gql_is(t, "INPUT_OBJECT");
	for (uint32_t i = 0; i < t->fields.count && !k->e->set; i++) {
		rv field = t->fields.item[i], args = gql_list(field, "Arguments");
		struct slice name = gql_str(field, "Name");
		check_name(k, field, name);
		check_type_ref(k, gql_get(field, "Type"));
		check_input_names(k, gql_get(field, "DefaultValue"));
		rv twice = duplicate(k, args->item, args->count);
		struct slice arg = gql_str(twice, "Name");
		if (twice)
			gql_fail(k->e, twice, "Argument %.*s.%.*s(%.*s:) can only be defined once.",
				ARG(t->name), ARG(name), ARG(arg));
		check_args(k, args, SLICE_EMPTY);
		gql_check_directives(k, field,
			input ? "INPUT_FIELD_DEFINITION" : "FIELD_DEFINITION", SLICE_EMPTY);
	}
}

static void check_members(struct gql_check *k, struct gql_type *t)
{
	for (uint32_t i = 0; i < t->types.count; i++) {
		rv member = t->types.item[i];
		struct slice name = member->type == REGO_STRING ? value_slice(member) : SLICE_EMPTY;
		struct gql_type *of = gql_type(k->s, name);
		if (!of)
			gql_fail(k->e, t->def, "Undefined type \"%.*s\".", ARG(name));
		else if (!gql_is(of, "OBJECT"))
			gql_fail(k->e, t->def, "%.*s type \"%.*s\" must be OBJECT.", ARG(t->kind),
				ARG(name));
	}
	for (uint32_t i = 0; i < t->interfaces.count && !k->e->set; i++) {
		rv intf = t->interfaces.item[i];
		struct slice name = intf->type == REGO_STRING ? value_slice(intf) : SLICE_EMPTY;
		struct list before = {.item = t->interfaces.item, .count = i};
		if (lists(&before, name))
			gql_fail(k->e, t->def, "Type %.*s can only implement %.*s once.",
				ARG(t->name), ARG(name));
		check_implements(k, t, name);
	}
}

static void need_parts(
	struct gql_check *k, struct gql_type *t, const struct list *l, const char *what)
{
	if (l->count == 0)
		gql_fail(k->e, t->def, "%.*s %.*s: must define one or more %s.", ARG(t->kind),
			ARG(t->name), what);
}

static void check_enum(struct gql_check *k, struct gql_type *t)
{
	need_parts(k, t, &t->enums, "unique enum values");
	for (uint32_t i = 0; i < t->enums.count; i++) {
		rv value = t->enums.item[i];
		struct slice name = gql_str(value, "Name");
		check_name(k, value, name);
		if (slice_eq_str(name, "true") || slice_eq_str(name, "false") ||
			slice_eq_str(name, "null"))
			gql_fail(k->e, value, "%.*s %.*s: non-enum value %.*s.", ARG(t->kind),
				ARG(t->name), ARG(name));
		gql_check_directives(k, value, "ENUM_VALUE", SLICE_EMPTY);
	}
}

/* Types of fields have to fit: no input objects in objects, nothing else in input objects. */
static void check_field_kinds(struct gql_check *k, struct gql_type *t)
{
	bool input = gql_is(t, "INPUT_OBJECT");
	need_parts(k, t, &t->fields, input ? "input fields" : "fields");
	for (uint32_t i = 0; i < t->fields.count; i++) {
		rv field = t->fields.item[i];
		struct slice name = gql_str(field, "Name");
		struct gql_type *of = gql_type(k->s, gql_type_name(gql_get(field, "Type")));
		if (!of)
			continue;
		if (input && !gql_is_input(of))
			gql_fail(k->e, field,
				"%.*s %.*s: field must be one of SCALAR, ENUM, INPUT_OBJECT.",
				ARG(of->kind), ARG(name));
		if (!input && gql_is(of, "INPUT_OBJECT"))
			gql_fail(k->e, field,
				"%.*s %.*s: field must be one of SCALAR, OBJECT, INTERFACE, UNION, "
				"ENUM.",
				ARG(t->kind), ARG(t->name));
	}
}

static void check_twice(struct gql_check *k, struct gql_type *t)
{
	rv field = duplicate(k, t->fields.item, t->fields.count);
	rv value = duplicate(k, t->enums.item, t->enums.count);
	struct slice f = gql_str(field, "Name"), v = gql_str(value, "Name");
	if (field)
		gql_fail(k->e, field, "Field %.*s.%.*s can only be defined once.", ARG(t->name),
			ARG(f));
	if (value)
		gql_fail(k->e, value, "Enum value %.*s.%.*s can only be defined once.",
			ARG(t->name), ARG(v));
	for (uint32_t i = 0; i < t->types.count; i++)
		for (uint32_t n = i + 1; n < t->types.count; n++)
			if (value_eq(t->types.item[i], t->types.item[n]))
				gql_fail(k->e, t->def,
					"Union type %.*s can only include type %.*s once.",
					ARG(t->name), ARG(value_slice(t->types.item[n])));
}

void gql_check_type(struct gql_check *k, struct gql_type *t)
{
	char kind[32];
	check_fields(k, t);
	check_members(k, t);
	if (gql_is(t, "OBJECT") || gql_is(t, "INTERFACE") || gql_is(t, "INPUT_OBJECT"))
		check_field_kinds(k, t);
	else if (gql_is(t, "ENUM"))
		check_enum(k, t);
	else if (gql_is(t, "UNION"))
		need_parts(k, t, &t->types, "member types");
	check_twice(k, t);
	if (!t->built_in)
		check_name(k, t->def, t->name);
	snprintf(kind, sizeof(kind), "%.*s", ARG(t->kind));
	check_directives(k, t->directives.item, t->directives.count, kind, SLICE_EMPTY, false);
}

/* Input objects may not need themselves: depth first along fields that must have a value. */
void gql_check_cycle(struct gql_check *k, struct gql_type *t, unsigned depth)
{
	if (k->e->set || t->visit == 2)
		return;
	t->visit = 1;
	for (uint32_t i = 0; i < t->fields.count; i++) {
		rv field = t->fields.item[i], type = gql_get(field, "Type");
		struct slice name = gql_str(type, "NamedType");
		struct gql_type *of = name.size ? gql_type(k->s, name) : NULL;
		if (!of || !gql_true(type, "NonNull") || !gql_is(of, "INPUT_OBJECT"))
			continue;
		struct slice first = gql_str(field, "Name");
		if (of->visit == 1 || depth > 500)
			gql_fail(k->e, field,
				"Cannot reference Input Object \"%.*s\" within itself through a "
				"series of non-null fields: \"%.*s\".",
				ARG(of->name), ARG(first));
		else
			gql_check_cycle(k, of, depth + 1);
	}
	t->visit = 2;
}

void gql_check_directive(struct gql_check *k, struct gql_directive *d)
{
	rv args = gql_list(d->def, "Arguments"), twice = duplicate(k, args->item, args->count);
	struct slice arg = gql_str(twice, "Name");
	check_name(k, d->def, d->name);
	if (twice)
		gql_fail(k->e, twice, "Argument @%.*s(%.*s:) can only be defined once.",
			ARG(d->name), ARG(arg));
	check_directives(
		k, d->directives.item, d->directives.count, "DIRECTIVE_DEFINITION", d->name, true);
	check_args(k, args, d->name);
}
