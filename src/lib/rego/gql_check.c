/* SPDX-License-Identifier: Apache-2.0 */
/* From a schema document to a schema: merging of extensions, and all rules for definitions. */
#include "base/buf.h"
#include "rego/gql.h"

/* What every schema has: the built-in scalars and directives, and the types of introspection. */
static const char g_prelude[] =
	"scalar Int scalar Float scalar String scalar Boolean scalar ID\n"
	"directive @defer(if: Boolean = true, label: String) on FRAGMENT_SPREAD | INLINE_FRAGMENT\n"
	"directive @include(if: Boolean!) on FIELD | FRAGMENT_SPREAD | INLINE_FRAGMENT\n"
	"directive @skip(if: Boolean!) on FIELD | FRAGMENT_SPREAD | INLINE_FRAGMENT\n"
	"directive @deprecated(reason: String = \"No longer supported\") on FIELD_DEFINITION |\n"
	" ARGUMENT_DEFINITION | INPUT_FIELD_DEFINITION | ENUM_VALUE | DIRECTIVE_DEFINITION\n"
	"directive @specifiedBy(url: String!) on SCALAR\n"
	"directive @oneOf on INPUT_OBJECT\n"
	"type __Schema { description: String types: [__Type!]! queryType: __Type!\n"
	" mutationType: __Type subscriptionType: __Type directives: [__Directive!]! }\n"
	"type __Type { kind: __TypeKind! name: String description: String specifiedByURL: String\n"
	" fields(includeDeprecated: Boolean = false): [__Field!] interfaces: [__Type!]\n"
	" possibleTypes: [__Type!] enumValues(includeDeprecated: Boolean = false): [__EnumValue!]\n"
	" inputFields(includeDeprecated: Boolean = false): [__InputValue!] ofType: __Type\n"
	" isOneOf: Boolean }\n"
	"enum __TypeKind { SCALAR OBJECT INTERFACE UNION ENUM INPUT_OBJECT LIST NON_NULL }\n"
	"type __Field { name: String! description: String\n"
	" args(includeDeprecated: Boolean = false): [__InputValue!]! type: __Type!\n"
	" isDeprecated: Boolean! deprecationReason: String }\n"
	"type __InputValue { name: String! description: String type: __Type! defaultValue: String\n"
	" isDeprecated: Boolean! deprecationReason: String }\n"
	"type __EnumValue { name: String! description: String isDeprecated: Boolean!\n"
	" deprecationReason: String }\n"
	"type __Directive { name: String! description: String isRepeatable: Boolean!\n"
	" locations: [__DirectiveLocation!]! args(includeDeprecated: Boolean = false):\n"
	" [__InputValue!]! }\n"
	"enum __DirectiveLocation { QUERY MUTATION SUBSCRIPTION FIELD FRAGMENT_DEFINITION\n"
	" FRAGMENT_SPREAD INLINE_FRAGMENT VARIABLE_DEFINITION SCHEMA SCALAR OBJECT\n"
	" FIELD_DEFINITION ARGUMENT_DEFINITION INTERFACE UNION ENUM ENUM_VALUE INPUT_OBJECT\n"
	" INPUT_FIELD_DEFINITION DIRECTIVE_DEFINITION }\n"
	"type Query__ { __schema: __Schema! __type(name: String!): __Type }\n";

#define ARG(s) (int)MIN((s).size, (size_t)120), (s).data

struct check {
	struct call *c;
	struct gql_schema *s;
	struct gql_error *e;
};

/* --- looking up --- */

static uint32_t hash(struct slice name)
{
	uint32_t h = 2166136261u;
	for (size_t i = 0; i < name.size; i++)
		h = (h ^ name.data[i]) * 16777619u;
	return h;
}

static struct gql_type **slot_of(struct gql_schema *s, struct slice name)
{
	uint32_t mask = s->type_slots - 1, i = hash(name) & mask;
	while (s->type_table[i] && !slice_eq(s->type_table[i]->name, name)) {
		i = (i + 1) & mask;
		call_charge(s->c, 1);
	}
	return &s->type_table[i];
}

struct gql_type *gql_type(struct gql_schema *s, struct slice name)
{
	return *slot_of(s, name);
}

struct gql_directive *gql_directive(struct gql_schema *s, struct slice name)
{
	for (struct gql_directive *d = s->directives; d; d = d->next)
		if (slice_eq(d->name, name))
			return d;
	return NULL;
}

bool gql_is_leaf(const struct gql_type *t)
{
	return gql_is(t, "ENUM") || gql_is(t, "SCALAR");
}

bool gql_is_composite(const struct gql_type *t)
{
	return gql_is(t, "OBJECT") || gql_is(t, "INTERFACE") || gql_is(t, "UNION");
}

bool gql_is_input(const struct gql_type *t)
{
	return gql_is_leaf(t) || gql_is(t, "INPUT_OBJECT");
}

/* --- collecting --- */

static void append(struct mem *m, struct list *l, rv array)
{
	for (uint32_t i = 0; i < array->count; i++)
		list_push(m, l, array->item[i]);
}

static struct gql_type *add_type(struct check *k, rv def, bool merge)
{
	struct mem *m = k->c->m;
	struct gql_type **slot = slot_of(k->s, gql_str(def, "Name"));
	if (!*slot) {
		*slot = mem_new(m, struct gql_type);
		**slot = (struct gql_type){
			.name = gql_str(def, "Name"), .kind = gql_str(def, "Kind"), .def = def};
		(*slot)->next = k->s->types;
		k->s->types = *slot;
		k->s->type_count++;
	}
	struct gql_type *t = *slot;
	if (merge) {
		append(m, &t->directives, gql_list(def, "Directives"));
		append(m, &t->interfaces, gql_list(def, "Interfaces"));
		append(m, &t->fields, gql_list(def, "Fields"));
		append(m, &t->types, gql_list(def, "Types"));
		append(m, &t->enums, gql_list(def, "EnumValues"));
	}
	return t;
}

static void add_possible(struct check *k, struct slice name, struct gql_type *t)
{
	struct gql_type *of = gql_type(k->s, name);
	if (!of || !t)
		return;
	if (of->possible_count == of->possible_capacity) {
		uint32_t capacity = of->possible_capacity ? 2 * of->possible_capacity : 4;
		struct gql_type **more = mem_array(k->c->m, capacity, sizeof(*more));
		if (of->possible_count)
			memcpy(more, of->possible, of->possible_count * sizeof(*more));
		of->possible = more;
		of->possible_capacity = capacity;
	}
	of->possible[of->possible_count++] = t;
}

static void collect_definitions(struct check *k, rv doc, bool built_in)
{
	rv defs = gql_list(doc, "Definitions"), exts = gql_list(doc, "Extensions");
	for (uint32_t i = 0; i < defs->count; i++) {
		struct slice name = gql_str(defs->item[i], "Name");
		if (gql_type(k->s, name))
			gql_fail(k->e, defs->item[i], "Cannot redeclare type %.*s.", ARG(name));
		add_type(k, defs->item[i], true)->built_in = built_in;
	}
	for (uint32_t i = 0; i < exts->count; i++) {
		rv ext = exts->item[i];
		struct gql_type *t = add_type(k, ext, false);
		struct slice kind = gql_str(ext, "Kind");
		if (!slice_eq(t->kind, kind))
			gql_fail(k->e, ext,
				"Cannot extend type %.*s because the base type is a %.*s, not %.*s.",
				ARG(t->name), ARG(t->kind), ARG(kind));
		add_type(k, ext, true);
	}
}

static void collect_possible(struct check *k)
{
	for (struct gql_type *t = k->s->types; t; t = t->next) {
		for (uint32_t i = 0; i < t->interfaces.count; i++)
			if (t->interfaces.item[i]->type == REGO_STRING)
				add_possible(k, value_slice(t->interfaces.item[i]), t);
		for (uint32_t i = 0; gql_is(t, "UNION") && i < t->types.count; i++)
			if (t->types.item[i]->type == REGO_STRING)
				add_possible(
					k, t->name, gql_type(k->s, value_slice(t->types.item[i])));
		if (gql_is(t, "OBJECT") || gql_is(t, "INPUT_OBJECT"))
			add_possible(k, t->name, t);
	}
}

static bool may_redeclare(struct slice name)
{
	static const char *const names[] = {
		"defer", "deprecated", "include", "oneOf", "skip", "specifiedBy"};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		if (slice_eq_str(name, names[i]))
			return true;
	return false;
}

static void collect_directives(struct check *k, rv doc)
{
	rv defs = gql_list(doc, "Directives"), exts = gql_list(doc, "DirectiveExtensions");
	for (uint32_t i = 0; i < defs->count; i++) {
		struct slice name = gql_str(defs->item[i], "Name");
		struct gql_directive *d = gql_directive(k->s, name);
		call_charge(k->c, defs->count);
		if (d && !may_redeclare(name))
			gql_fail(
				k->e, defs->item[i], "Cannot redeclare directive %.*s.", ARG(name));
		if (!d) {
			d = mem_new(k->c->m, struct gql_directive);
			d->next = k->s->directives;
			k->s->directives = d;
		}
		d->name = name;
		d->def = defs->item[i];
		d->directives = (struct list){0};
		append(k->c->m, &d->directives, gql_list(d->def, "Directives"));
	}
	for (uint32_t i = 0; i < exts->count; i++) {
		struct slice name = gql_str(exts->item[i], "Name");
		struct gql_directive *d = gql_directive(k->s, name);
		if (d)
			append(k->c->m, &d->directives, gql_list(exts->item[i], "Directives"));
		else
			gql_fail(k->e, exts->item[i],
				"Cannot extend directive @%.*s because it is not defined.",
				ARG(name));
	}
}

/* --- rules --- */

static void check_name(struct check *k, rv node, struct slice name)
{
	if (name.size >= 2 && name.data[0] == '_' && name.data[1] == '_')
		gql_fail(k->e, node,
			"Name \"%.*s\" must not begin with \"__\", which is reserved by GraphQL "
			"introspection.",
			ARG(name));
}

static struct gql_type *check_type_ref(struct check *k, rv type)
{
	struct slice name = gql_type_name(type);
	struct gql_type *t = gql_type(k->s, name);
	if (!t)
		gql_fail(k->e, type, "Undefined type %.*s.", ARG(name));
	return t;
}

static void check_input_names(struct check *k, rv value)
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

static void check_directive_args(struct check *k, rv dir, rv def)
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
static void check_directives(struct check *k, const rv *dir, uint32_t count, const char *location,
	struct slice self, bool one_place)
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

static void check_node_directives(struct check *k, rv node, const char *location, struct slice self)
{
	rv l = gql_list(node, "Directives");
	check_directives(k, l->item, l->count, location, self, true);
}

static void check_args(struct check *k, rv args, struct slice self)
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
		check_node_directives(k, arg, "ARGUMENT_DEFINITION", self);
	}
}

static rv duplicate(struct check *k, const rv *item, uint32_t count)
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

static bool covariant(struct check *k, rv required, rv actual)
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
	struct check *k, struct gql_type *t, struct gql_type *intf, rv required)
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

static void check_implements(struct check *k, struct gql_type *t, struct slice name)
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

static void check_fields(struct check *k, struct gql_type *t)
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
		check_node_directives(k, field,
			input ? "INPUT_FIELD_DEFINITION" : "FIELD_DEFINITION", SLICE_EMPTY);
	}
}

static void check_members(struct check *k, struct gql_type *t)
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

static void need_parts(struct check *k, struct gql_type *t, const struct list *l, const char *what)
{
	if (l->count == 0)
		gql_fail(k->e, t->def, "%.*s %.*s: must define one or more %s.", ARG(t->kind),
			ARG(t->name), what);
}

static void check_enum(struct check *k, struct gql_type *t)
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
		check_node_directives(k, value, "ENUM_VALUE", SLICE_EMPTY);
	}
}

/* Types of fields have to fit: no input objects in objects, nothing else in input objects. */
static void check_field_kinds(struct check *k, struct gql_type *t)
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

static void check_twice(struct check *k, struct gql_type *t)
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

static void check_type(struct check *k, struct gql_type *t)
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
static void find_cycle(struct check *k, struct gql_type *t, unsigned depth)
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
			find_cycle(k, of, depth + 1);
	}
	t->visit = 2;
}

static void check_directive_def(struct check *k, struct gql_directive *d)
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

/* --- the roots --- */

static struct gql_type **root_of(struct gql_schema *s, struct slice operation)
{
	return slice_eq_str(operation, "query")	     ? &s->query
	       : slice_eq_str(operation, "mutation") ? &s->mutation
						     : &s->subscription;
}

static void set_roots(struct check *k, rv defs)
{
	for (uint32_t d = 0; d < defs->count; d++) {
		rv types = gql_list(defs->item[d], "OperationTypes");
		for (uint32_t i = 0; i < types->count; i++) {
			rv entry = types->item[i];
			struct slice operation = gql_str(entry, "Operation"),
				     name = gql_str(entry, "Type");
			struct gql_type **root = root_of(k->s, operation);
			if (*root)
				gql_fail(k->e, entry, "There can be only one %.*s type in schema.",
					ARG(operation));
			*root = gql_type(k->s, name);
			if (*root && !gql_is(*root, "OBJECT") && !k->s->bad_root)
				k->s->bad_root = entry;
			if (!*root)
				gql_fail(k->e, entry,
					"Schema root %.*s refers to a type %.*s that does not exist.",
					ARG(operation), ARG(name));
		}
		check_node_directives(k, defs->item[d], "SCHEMA", SLICE_EMPTY);
	}
}

static void check_root(struct check *k, struct gql_type *t, const char *what)
{
	if (t && !gql_is(t, "OBJECT"))
		gql_fail(k->e, k->s->bad_root ? k->s->bad_root : t->def, "%s, it cannot be %.*s.",
			what, ARG(t->name));
}

static void finish_roots(struct check *k, bool explicit)
{
	struct gql_schema *s = k->s;
	if (!explicit) {
		if (!s->query)
			s->query = gql_type(s, SLICE_LIT("Query"));
		if (!s->mutation)
			s->mutation = gql_type(s, SLICE_LIT("Mutation"));
		if (!s->subscription)
			s->subscription = gql_type(s, SLICE_LIT("Subscription"));
	}
	check_root(k, s->query, "Query root type must be Object type");
	check_root(k, s->mutation, "Mutation root type must be Object type if provided");
	check_root(k, s->subscription, "Subscription root type must be Object type if provided");
}

/* By name: errors come in this order. A list sort, so that many types stay cheap. */
static struct gql_type *sorted(struct gql_type *l)
{
	if (!l || !l->next)
		return l;
	struct gql_type *slow = l, *fast = l->next;
	while (fast && (fast = fast->next)) {
		slow = slow->next;
		fast = fast->next;
	}
	struct gql_type *right = slow->next;
	slow->next = NULL;
	struct gql_type *a = sorted(l), *b = sorted(right), *head = NULL, **tail = &head;
	while (a && b) {
		size_t n = MIN(a->name.size, b->name.size);
		int order = n ? memcmp(a->name.data, b->name.data, n) : 0;
		bool first = order < 0 || (order == 0 && a->name.size <= b->name.size);
		struct gql_type **from = first ? &a : &b;
		*tail = *from;
		tail = &(*from)->next;
		*from = *tail;
	}
	*tail = a ? a : b;
	return head;
}

/* The fields __schema and __type, which queries find at their root. */
static void add_introspection(struct check *k)
{
	struct gql_type *extra = gql_type(k->s, SLICE_LIT("Query__"));
	if (k->s->query && extra)
		for (uint32_t i = 0; i < extra->fields.count; i++)
			list_push(k->c->m, &k->s->query->fields, extra->fields.item[i]);
}

static void check_all(struct check *k, rv doc)
{
	rv schema = gql_list(doc, "Schema");
	if (schema->count > 1)
		gql_fail(k->e, schema->item[1],
			"Cannot have multiple schema entry points, consider schema extensions "
			"instead.");
	set_roots(k, schema);
	set_roots(k, gql_list(doc, "SchemaExtension"));
	for (struct gql_type *t = k->s->types; t && !k->e->set; t = t->next)
		if (!t->built_in)
			check_type(k, t);
	for (struct gql_type *t = k->s->types; t && !k->e->set; t = t->next)
		if (gql_is(t, "INPUT_OBJECT"))
			find_cycle(k, t, 0);
	for (struct gql_directive *d = k->s->directives; d && !k->e->set; d = d->next)
		check_directive_def(k, d);
	finish_roots(k, schema->count > 0);
}

struct gql_schema *gql_check_schema(struct call *c, rv document, struct gql_error *e)
{
	struct gql_error none = {0};
	struct gql_schema *s = mem_new(c->m, struct gql_schema);
	struct check k = {.c = c, .s = s, .e = e};
	uint32_t count =
		gql_list(document, "Definitions")->count + gql_list(document, "Extensions")->count;
	s->c = c;
	for (s->type_slots = 64; s->type_slots < 2 * count + 64;)
		s->type_slots *= 2;
	s->type_table = mem_array(c->m, s->type_slots, sizeof(*s->type_table));
	rv prelude = gql_parse_schema(c, slice_str(g_prelude), &none);
	collect_definitions(&k, prelude, true);
	collect_directives(&k, prelude);
	collect_definitions(&k, document, false);
	collect_directives(&k, document);
	collect_possible(&k);
	s->types = sorted(s->types);
	if (!e->set)
		check_all(&k, document);
	if (!e->set)
		add_introspection(&k);
	return e->set ? NULL : s;
}
