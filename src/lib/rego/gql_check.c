/* SPDX-License-Identifier: Apache-2.0 */
/* From a schema document to a schema: merging of extensions, its roots, and the order of checks. */
#include "rego/gql_check.h"

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

static struct gql_type *add_type(struct gql_check *k, rv def, bool merge)
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

static void add_possible(struct gql_check *k, struct slice name, struct gql_type *t)
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

static void collect_definitions(struct gql_check *k, rv doc, bool built_in)
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

static void collect_possible(struct gql_check *k)
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

static void collect_directives(struct gql_check *k, rv doc)
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

/* --- the roots --- */

static struct gql_type **root_of(struct gql_schema *s, struct slice operation)
{
	return slice_eq_str(operation, "query")	     ? &s->query
	       : slice_eq_str(operation, "mutation") ? &s->mutation
						     : &s->subscription;
}

static void set_roots(struct gql_check *k, rv defs)
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
		gql_check_directives(k, defs->item[d], "SCHEMA", SLICE_EMPTY);
	}
}

static void check_root(struct gql_check *k, struct gql_type *t, const char *what)
{
	if (t && !gql_is(t, "OBJECT"))
		gql_fail(k->e, k->s->bad_root ? k->s->bad_root : t->def, "%s, it cannot be %.*s.",
			what, ARG(t->name));
}

static void finish_roots(struct gql_check *k, bool explicit)
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
static void add_introspection(struct gql_check *k)
{
	struct gql_type *extra = gql_type(k->s, SLICE_LIT("Query__"));
	if (k->s->query && extra)
		for (uint32_t i = 0; i < extra->fields.count; i++)
			list_push(k->c->m, &k->s->query->fields, extra->fields.item[i]);
}

static void check_all(struct gql_check *k, rv doc)
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
			gql_check_type(k, t);
	for (struct gql_type *t = k->s->types; t && !k->e->set; t = t->next)
		if (gql_is(t, "INPUT_OBJECT"))
			gql_check_cycle(k, t, 0);
	for (struct gql_directive *d = k->s->directives; d && !k->e->set; d = d->next)
		gql_check_directive(k, d);
	finish_roots(k, schema->count > 0);
}

struct gql_schema *gql_check_schema(struct call *c, rv document, struct gql_error *e)
{
	struct gql_error none = {0};
	struct gql_schema *s = mem_new(c->m, struct gql_schema);
	struct gql_check k = {.c = c, .s = s, .e = e};
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
