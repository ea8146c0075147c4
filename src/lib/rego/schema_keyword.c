/* SPDX-License-Identifier: Apache-2.0 */
/* The keywords of JSON Schema that belong to one type: numbers, strings, arrays, objects. */
#include "rego/schema_match.h"

/* --- numbers and strings --- */

/* Whether a/b is an integer, exactly. */
static bool multiple(struct schema *s, rv a, rv b)
{
	struct mem *m = s->c->m;
	rv ten = value_int(m, 10);
	for (int i = 0; i < 400 && !(num_is_integer(a) && num_is_integer(b)); i++) {
		a = num_mul(m, a, ten);
		b = num_mul(m, b, ten);
	}
	struct big x, y, rest;
	if (!num_is_integer(a) || !num_is_integer(b) || !num_to_big(m, a, &x) ||
		!num_to_big(m, b, &y) || y.count == 0)
		return false;
	big_divmod(m, x, y, &rest);
	return rest.count == 0;
}

static void limit(struct schema *s, rv schema, const char *key, rv v, struct schema_result *r,
	const struct schema_place *p)
{
	rv n = schema_get(schema, key);
	bool exclusive = key[0] == 'e', maximum = strstr(key, "aximum");
	rv flag = exclusive ? NULL
			    : schema_get(schema, maximum ? "exclusiveMaximum" : "exclusiveMinimum");
	if (!n || n->type != REGO_NUMBER)
		return;
	exclusive |= flag && rego_is_true(flag);
	int order = num_compare(v, n);
	if (maximum ? order < 0 || (order == 0 && !exclusive)
		    : order > 0 || (order == 0 && !exclusive))
		return;
	schema_add(s, r, p,
		maximum ? (exclusive ? "number_lt" : "number_lte")
			: (exclusive ? "number_gt" : "number_gte"),
		"Must be %s %s%.10g", maximum ? "less than" : "greater than",
		exclusive ? "" : "or equal to ", num_to_double(n));
}

void schema_numbers(
	struct schema *s, rv schema, rv v, struct schema_result *r, const struct schema_place *p)
{
	rv factor = schema_get(schema, "multipleOf");
	if (factor && !multiple(s, v, factor))
		schema_add(s, r, p, "multiple_of", "Must be a multiple of %.10g",
			num_to_double(factor));
	limit(s, schema, "maximum", v, r, p);
	limit(s, schema, "exclusiveMaximum", v, r, p);
	limit(s, schema, "minimum", v, r, p);
	limit(s, schema, "exclusiveMinimum", v, r, p);
	r->score++;
}

static bool size_of(rv schema, const char *key, int64_t *ret)
{
	rv n = schema_get(schema, key);
	return n && rego_int(n, ret) == 0;
}

static int64_t code_points(rv v)
{
	int64_t n = 0;
	for (uint32_t i = 0; i < v->count; i++)
		n += ((uint8_t)v->text[i] & 0xc0) != 0x80;
	return n;
}

void schema_strings(
	struct schema *s, rv schema, rv v, struct schema_result *r, const struct schema_place *p)
{
	int64_t n, size = code_points(v);
	rv pattern = schema_get(schema, "pattern");
	if (size_of(schema, "minLength", &n) && size < n)
		schema_add(s, r, p, "string_gte",
			"String length must be greater than or equal to %lld", (long long)n);
	if (size_of(schema, "maxLength", &n) && size > n)
		schema_add(s, r, p, "string_lte",
			"String length must be less than or equal to %lld", (long long)n);
	struct regex *re = pattern ? call_regex(s->c, pattern) : NULL;
	if (re && !call_regex_match(s->c, re, value_slice(v)))
		schema_add(s, r, p, "pattern", "Does not match pattern '%.*s'",
			(int)MIN(pattern->count, 300u), pattern->text);
	r->score++;
}

/* --- arrays --- */

static void item(struct schema *s, rv schema, rv v, uint32_t i, struct schema_result *r,
	const struct schema_place *p)
{
	char name[16];
	snprintf(name, sizeof(name), "%u", i);
	struct schema_place inner = {p, value_slice(value_cstr(s->c->m, name))};
	struct schema_result one = schema_sub(s, schema, v->item[i], &inner);
	schema_merge(s, r, &one);
}

static void items(
	struct schema *s, rv schema, rv v, struct schema_result *r, const struct schema_place *p)
{
	rv list = schema_get(schema, "items"), more = schema_get(schema, "additionalItems");
	if (!list)
		return;
	if (list->type != REGO_ARRAY) {
		for (uint32_t i = 0; i < v->count; i++)
			item(s, list, v, i, r, p);
		return;
	}
	for (uint32_t i = 0; i < list->count && i < v->count; i++)
		item(s, list->item[i], v, i, r, p);
	if (list->count == 0 || list->count >= v->count || !more)
		return;
	if (more->type == REGO_BOOL) {
		if (!rego_is_true(more))
			schema_add(s, r, p, "array_no_additional_items",
				"No additional items allowed on array");
		return;
	}
	for (uint32_t i = list->count; i < v->count; i++)
		item(s, more, v, i, r, p);
}

static void unique(struct schema *s, rv v, struct schema_result *r, const struct schema_place *p)
{
	for (uint32_t j = 0; j < v->count; j++) {
		call_charge(s->c, 1 + j / 8);
		for (uint32_t i = j; i-- > 0;)
			if (value_eq(v->item[i], v->item[j])) {
				schema_add(s, r, p, "unique", "array items[%u,%u] must be unique",
					i, j);
				break;
			}
	}
}

static void contains(
	struct schema *s, rv schema, rv v, struct schema_result *r, const struct schema_place *p)
{
	struct schema_result best = {0};
	bool have = false;
	for (uint32_t i = 0; i < v->count; i++) {
		char name[16];
		snprintf(name, sizeof(name), "%u", i);
		struct schema_place inner = {p, value_slice(value_cstr(s->c->m, name))};
		struct schema_result one = schema_sub(s, schema, v->item[i], &inner);
		if (schema_fits(&one))
			return;
		if (!have || one.score > best.score)
			best = one;
		have = true;
	}
	schema_add(s, r, p, "contains", "At least one of the items must match");
	if (have)
		schema_merge(s, r, &best);
}

void schema_arrays(
	struct schema *s, rv schema, rv v, struct schema_result *r, const struct schema_place *p)
{
	int64_t n;
	rv one = schema_get(schema, "contains"), distinct = schema_get(schema, "uniqueItems");
	items(s, schema, v, r, p);
	if (size_of(schema, "minItems", &n) && v->count < n)
		schema_add(s, r, p, "array_min_items", "Array must have at least %lld items",
			(long long)n);
	if (size_of(schema, "maxItems", &n) && v->count > n)
		schema_add(s, r, p, "array_max_items", "Array must have at most %lld items",
			(long long)n);
	if (distinct && rego_is_true(distinct))
		unique(s, v, r, p);
	if (one && s->draft >= SCHEMA_DRAFT6)
		contains(s, one, v, r, p);
	r->score++;
}

/* --- objects --- */

static bool by_pattern(struct schema *s, rv map, rv key, rv v, struct schema_result *r,
	const struct schema_place *p)
{
	bool matched = false;
	for (uint32_t i = 0; map && i < map->count; i++) {
		struct regex *re = call_regex(s->c, map->pair[i].key);
		if (!re || !call_regex_match(s->c, re, value_slice(key)))
			continue;
		struct schema_place inner = {p, value_slice(key)};
		struct schema_result one = schema_sub(s, map->pair[i].val, v, &inner);
		matched = true;
		schema_merge(s, r, &one);
	}
	r->score += matched;
	return matched;
}

static void member(struct schema *s, rv schema, rv key, rv v, struct schema_result *r,
	const struct schema_place *p)
{
	rv properties = schema_get(schema, "properties");
	rv more = schema_get(schema, "additionalProperties");
	bool found = properties && value_get(properties, key);
	bool matched = by_pattern(s, schema_get(schema, "patternProperties"), key, v, r, p);
	if (found || matched || !more)
		return;
	if (more->type == REGO_BOOL) {
		if (!rego_is_true(more))
			schema_add(s, r, p, "additional_property_not_allowed",
				"Additional property %.*s is not allowed",
				(int)MIN(key->count, 200u), key->text);
		return;
	}
	struct schema_place inner = {p, value_slice(key)};
	struct schema_result one = schema_sub(s, more, v, &inner);
	schema_merge(s, r, &one);
}

void schema_objects(
	struct schema *s, rv schema, rv v, struct schema_result *r, const struct schema_place *p)
{
	int64_t n;
	rv required = schema_get(schema, "required"), names = schema_get(schema, "propertyNames");
	if (size_of(schema, "minProperties", &n) && v->count < n)
		schema_add(s, r, p, "array_min_properties", "Must have at least %lld properties",
			(long long)n);
	if (size_of(schema, "maxProperties", &n) && v->count > n)
		schema_add(s, r, p, "array_max_properties", "Must have at most %lld properties",
			(long long)n);
	for (uint32_t i = 0; required && i < required->count; i++) {
		if (value_get(v, required->item[i]))
			r->score++;
		else
			schema_add(s, r, p, "required", "%.*s is required",
				(int)MIN(required->item[i]->count, 200u), required->item[i]->text);
	}
	for (uint32_t i = 0; i < v->count; i++)
		member(s, schema, v->pair[i].key, v->pair[i].val, r, p);
	for (uint32_t i = 0; names && s->draft >= SCHEMA_DRAFT6 && i < v->count; i++) {
		rv key = v->pair[i].key;
		struct schema_result one = schema_sub(s, names, key, p);
		if (schema_fits(&one))
			continue;
		schema_add(s, r, p, "invalid_property_name",
			"Property name of \"%.*s\" does not match", (int)MIN(key->count, 200u),
			key->text);
		schema_merge(s, r, &one);
	}
	r->score++;
}

void schema_properties(
	struct schema *s, rv schema, rv v, struct schema_result *r, const struct schema_place *p)
{
	rv map = schema_get(schema, "properties");
	for (uint32_t i = 0; map && i < map->count; i++) {
		rv key = map->pair[i].key, value = value_get(v, key);
		struct schema_place inner = {p, value_slice(key)};
		if (value)
			schema_validate(s, map->pair[i].val, value, r, &inner);
	}
}
