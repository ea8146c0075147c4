/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a value is a JSON schema. The sentences are those of the reference implementation. */
#include <stdarg.h>

#include "base/enc.h"
#include "rego/schema.h"

bool schema_fail(struct schema *s, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	if (!s->why[0])
		vsnprintf(s->why, sizeof(s->why), fmt, ap);
	va_end(ap);
	return false;
}

static bool invalid_type(struct schema *s, const char *expected, const char *given)
{
	return schema_fail(s, "Invalid type. Expected: %s, given: %s", expected, given);
}

static enum schema_draft schema_draft_of(rv root)
{
	rv uri = schema_get(root, "$schema");
	if (!uri || uri->type != REGO_STRING)
		return SCHEMA_HYBRID;
	return strstr(uri->text, "draft-04")   ? SCHEMA_DRAFT4
	       : strstr(uri->text, "draft-06") ? SCHEMA_DRAFT6
	       : strstr(uri->text, "draft-07") ? SCHEMA_DRAFT7
					       : SCHEMA_HYBRID;
}

/* --- references --- */

static rv step(struct call *c, rv v, struct slice token)
{
	char *text = mem_alloc(c->m, token.size + 1);
	size_t n = 0;
	for (size_t i = 0; i < token.size; i++) {
		uint8_t ch = token.data[i], code;
		if (ch == '~' && i + 1 < token.size) {
			text[n++] = token.data[++i] == '1' ? '/' : '~';
		} else if (ch == '%' && i + 2 < token.size &&
			   hex_decode_fixed(&code, 1, slice_cut(token, i + 1, 2)) == 0) {
			text[n++] = (char)code;
			i += 2;
		} else {
			text[n++] = (char)ch;
		}
	}
	if (v->type == REGO_OBJECT)
		return value_get_str(v, slice_of(text, n));
	if (v->type != REGO_ARRAY || n == 0 || n > 9)
		return NULL;
	size_t index = 0;
	for (size_t i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return NULL;
		index = index * 10 + (size_t)(text[i] - '0');
	}
	return index < v->count ? v->item[index] : NULL;
}

/* A part whose "$id" (or "id") is @id. */
static rv by_id(struct schema *s, rv v, rv id, unsigned depth)
{
	call_charge(s->c, 1);
	if (depth > SCHEMA_DEPTH_MAX || !value_is_collection(v))
		return NULL;
	rv own = schema_get(v, "$id"), old = schema_get(v, "id");
	if ((own && value_eq(own, id)) || (old && value_eq(old, id)))
		return v;
	for (uint32_t i = 0; i < v->count; i++) {
		rv found = by_id(
			s, v->type == REGO_OBJECT ? v->pair[i].val : v->item[i], id, depth + 1);
		if (found)
			return found;
	}
	return NULL;
}

static rv follow_pointer(struct schema *s, rv v, struct slice pointer)
{
	size_t at = 0;
	while (v && at < pointer.size) {
		size_t end = ++at;
		while (end < pointer.size && pointer.data[end] != '/')
			end++;
		v = step(s->c, v, slice_cut(pointer, at, end - at));
		at = end;
	}
	return v;
}

rv schema_resolve(struct schema *s, struct slice ref)
{
	size_t hash = 0;
	while (hash < ref.size && ref.data[hash] != '#')
		hash++;
	rv base = s->root, found = by_id(s, s->root, value_string(s->c->m, ref), 0);
	if (found)
		return found;
	if (hash > 0) {
		base = by_id(s, s->root, value_string(s->c->m, slice_cut(ref, 0, hash)), 0);
		if (!base)
			schema_fail(s, "Could not read schema %.*s: policies have no network here",
				(int)MIN(ref.size, (size_t)200), ref.data);
	}
	struct slice pointer = slice_cut(ref, hash + 1, ref.size);
	if (base && pointer.size && pointer.data[0] != '/')
		base = NULL;
	rv v = base ? follow_pointer(s, base, pointer) : NULL;
	size_t last = ref.size;
	while (last > 0 && ref.data[last - 1] != '/' && ref.data[last - 1] != '#')
		last--;
	struct slice name = slice_cut(ref, last, ref.size - last);
	if (!v)
		schema_fail(
			s, "Object has no key '%.*s'", (int)MIN(name.size, (size_t)200), name.data);
	return v;
}

/* --- keywords --- */

static bool check(struct schema *s, rv v);

static bool check_string(struct schema *s, rv v, const char *key)
{
	rv value = schema_get(v, key);
	return !value || value->type == REGO_STRING || invalid_type(s, "string", key);
}

static bool known_type(rv type)
{
	static const char *const names[] = {
		"array", "boolean", "integer", "number", "null", "object", "string"};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		if (value_str_is(type, names[i]))
			return true;
	return false;
}

static bool check_type_name(struct schema *s, rv type)
{
	return known_type(type) ||
	       schema_fail(s,
		       "has a primitive type that is NOT VALID -- given: /%.*s/ Expected valid "
		       "values are:[array boolean integer number null object string]",
		       (int)MIN(type->count, 100u), type->text);
}

static bool check_types(struct schema *s, rv v)
{
	rv type = schema_get(v, "type");
	if (!type)
		return true;
	if (type->type == REGO_STRING)
		return check_type_name(s, type);
	if (type->type != REGO_ARRAY)
		return invalid_type(s, "type", "string/Array Of Strings");
	for (uint32_t i = 0; i < type->count; i++) {
		rv name = type->item[i];
		if (name->type != REGO_STRING)
			return invalid_type(s, "type", "string/Array Of Strings");
		if (!check_type_name(s, name))
			return false;
		for (uint32_t k = 0; k < i; k++)
			if (value_eq(type->item[k], name))
				return schema_fail(s, "%s type is duplicated", name->text);
	}
	return true;
}

static bool check_each(struct schema *s, rv object)
{
	for (uint32_t i = 0; i < object->count; i++)
		if (!check(s, object->pair[i].val))
			return false;
	return true;
}

static bool check_properties(struct schema *s, rv v)
{
	rv map = schema_get(v, "properties");
	if (!map)
		return true;
	if (map->type != REGO_OBJECT)
		return schema_fail(s, "Properties must be of type object");
	return check_each(s, map);
}

static bool check_definitions(struct schema *s, rv v)
{
	rv map = schema_get(v, "definitions");
	if (!map)
		return true;
	bool ok = map->type == REGO_OBJECT;
	for (uint32_t i = 0; ok && i < map->count; i++)
		ok = schema_is(map->pair[i].val);
	return ok ? check_each(s, map) : invalid_type(s, "Array Of Schemas", "definitions");
}

static bool check_patterns(struct schema *s, rv v)
{
	rv map = schema_get(v, "patternProperties");
	if (!map)
		return true;
	if (map->type != REGO_OBJECT)
		return invalid_type(s, "Valid Schema", "patternProperties");
	for (uint32_t i = 0; i < map->count; i++) {
		rv key = map->pair[i].key;
		if (!call_regex(s->c, key))
			return schema_fail(s, "Invalid regex pattern '%.*s'",
				(int)MIN(key->count, 200u), key->text);
	}
	return check_each(s, map);
}

/* A boolean or a schema. */
static bool check_additional(struct schema *s, rv v, const char *key)
{
	rv value = schema_get(v, key);
	if (!value || value->type == REGO_BOOL)
		return true;
	return value->type == REGO_OBJECT ? check(s, value)
					  : invalid_type(s, "boolean/Valid Schema", key);
}

static bool check_list(struct schema *s, rv v, const char *key)
{
	rv list = schema_get(v, key);
	if (!list)
		return true;
	if (list->type != REGO_ARRAY)
		return schema_fail(s, "%s must be of an array", key);
	for (uint32_t i = 0; i < list->count; i++)
		if (!check(s, list->item[i]))
			return false;
	return true;
}

static bool check_items(struct schema *s, rv v)
{
	rv items = schema_get(v, "items");
	if (!items)
		return true;
	if (schema_is(items))
		return check(s, items);
	if (items->type != REGO_ARRAY)
		return invalid_type(s, "Valid Schema/Array Of Schemas", "items");
	for (uint32_t i = 0; i < items->count; i++)
		if (!schema_is(items->item[i]))
			return invalid_type(s, "Valid Schema/Array Of Schemas", "items");
	return check_list(s, v, "items");
}

static bool check_dependencies(struct schema *s, rv v)
{
	rv map = schema_get(v, "dependencies");
	if (!map)
		return true;
	if (map->type != REGO_OBJECT)
		return schema_fail(s, "dependencies must be of type object");
	for (uint32_t i = 0; i < map->count; i++) {
		rv value = map->pair[i].val;
		bool ok = schema_is(value) || value->type == REGO_ARRAY;
		for (uint32_t k = 0; ok && value->type == REGO_ARRAY && k < value->count; k++)
			ok = value->item[k]->type == REGO_STRING;
		if (!ok)
			return schema_fail(
				s, "Dependency must be of type Schema Or Array Of Strings");
		if (schema_is(value) && !check(s, value))
			return false;
	}
	return true;
}

static bool check_one(struct schema *s, rv v, const char *key, enum schema_draft since)
{
	rv value = schema_get(v, key);
	if (!value || s->draft < since)
		return true;
	if (schema_is(value))
		return check(s, value);
	if (key[0] == 'c')
		return schema_fail(s, "Expected: Valid Schema, given: Invalid JSON");
	return key[0] == 'p' ? invalid_type(s, "Valid Schema", "patternProperties")
			     : schema_fail(s, "%s must be of an object", key);
}

static bool check_number(struct schema *s, rv v, const char *key)
{
	rv n = schema_get(v, key);
	return !n || n->type == REGO_NUMBER || schema_fail(s, "%s must be of a Number", key);
}

/* In draft 4 a switch for the inclusive limit, later a limit of its own. */
static bool check_exclusive(struct schema *s, rv v, const char *key, const char *limit)
{
	rv n = schema_get(v, key);
	if (!n)
		return true;
	bool flag = n->type == REGO_BOOL, number = n->type == REGO_NUMBER;
	if (s->draft == SCHEMA_DRAFT4 && !flag)
		return invalid_type(s, "boolean", key);
	if (s->draft == SCHEMA_HYBRID && !flag && !number)
		return invalid_type(s, "boolean/number", key);
	if (s->draft != SCHEMA_DRAFT4 && s->draft != SCHEMA_HYBRID && !number)
		return invalid_type(s, "number", key);
	return !flag || schema_get(v, limit) ||
	       schema_fail(s, "%s cannot be used without %s", key, limit);
}

static bool check_size(struct schema *s, rv v, const char *key, int64_t *ret)
{
	rv n = schema_get(v, key);
	*ret = -1;
	if (!n)
		return true;
	if (n->type != REGO_NUMBER || rego_int(n, ret) < 0)
		return schema_fail(s, "%s must be of an integer", key);
	return *ret >= 0 || schema_fail(s, "%s must be greater than or equal to 0", key);
}

static bool check_sizes(struct schema *s, rv v, const char *low, const char *high, bool ordered)
{
	int64_t min, max;
	if (!check_size(s, v, low, &min) || !check_size(s, v, high, &max))
		return false;
	return !ordered || min < 0 || max < 0 || min <= max ||
	       schema_fail(s, "%s cannot be greater than %s", low, high);
}

static bool check_unique(struct schema *s, rv v, const char *key, bool strings)
{
	rv list = schema_get(v, key);
	if (!list)
		return true;
	if (list->type != REGO_ARRAY)
		return schema_fail(s, "%s must be of an array", key);
	for (uint32_t i = 0; i < list->count; i++) {
		if (strings && list->item[i]->type != REGO_STRING)
			return invalid_type(s, "string", key);
		call_charge(s->c, 1 + i / 16);
		for (uint32_t k = 0; k < i; k++)
			if (value_eq(list->item[k], list->item[i]))
				return schema_fail(s, "%s items must be unique", key);
	}
	return true;
}

static bool check_limits(struct schema *s, rv v)
{
	rv multiple = schema_get(v, "multipleOf"), unique = schema_get(v, "uniqueItems");
	rv pattern = schema_get(v, "pattern");
	if (multiple && multiple->type != REGO_NUMBER)
		return invalid_type(s, "Number", "multipleOf");
	if (multiple && num_sign(multiple) <= 0)
		return schema_fail(s, "multipleOf must be strictly greater than 0");
	if (!check_number(s, v, "minimum") ||
		!check_exclusive(s, v, "exclusiveMinimum", "minimum") ||
		!check_number(s, v, "maximum") ||
		!check_exclusive(s, v, "exclusiveMaximum", "maximum") ||
		!check_sizes(s, v, "minLength", "maxLength", true) ||
		!check_string(s, v, "pattern"))
		return false;
	if (pattern && !call_regex(s->c, pattern))
		return schema_fail(s, "pattern must be a valid regex");
	if (!check_string(s, v, "format") ||
		!check_sizes(s, v, "minProperties", "maxProperties", true) ||
		!check_unique(s, v, "required", true) ||
		!check_sizes(s, v, "minItems", "maxItems", false))
		return false;
	return !unique || unique->type == REGO_BOOL ||
	       schema_fail(s, "uniqueItems must be of a boolean");
}

static bool check_ref(struct schema *s, rv ref)
{
	for (uint32_t i = 0; i < s->seen.count; i++)
		if (value_eq(s->seen.item[i], ref))
			return true;
	list_push(s->c->m, &s->seen, ref);
	rv target = schema_resolve(s, value_slice(ref));
	if (!target)
		return false;
	return schema_is(target) ? check(s, target)
				 : schema_fail(s, "Valid Schema must be of type object");
}

static bool check_keywords(struct schema *s, rv v)
{
	rv ref = schema_get(v, "$ref");
	if (!check_string(s, v, "$id") || !check_definitions(s, v) ||
		!check_string(s, v, "title") || !check_string(s, v, "description") ||
		!check_string(s, v, "$ref"))
		return false;
	if (ref)
		return check_ref(s, ref);
	return check_types(s, v) && check_properties(s, v) &&
	       check_additional(s, v, "additionalProperties") && check_patterns(s, v) &&
	       check_one(s, v, "propertyNames", SCHEMA_DRAFT6) && check_dependencies(s, v) &&
	       check_items(s, v) && check_additional(s, v, "additionalItems") &&
	       check_limits(s, v) && check_one(s, v, "contains", SCHEMA_DRAFT6) &&
	       check_unique(s, v, "enum", false) && check_list(s, v, "oneOf") &&
	       check_list(s, v, "anyOf") && check_list(s, v, "allOf") &&
	       check_one(s, v, "not", SCHEMA_DRAFT4) && check_one(s, v, "if", SCHEMA_DRAFT7) &&
	       check_one(s, v, "then", SCHEMA_DRAFT7) && check_one(s, v, "else", SCHEMA_DRAFT7);
}

static bool check(struct schema *s, rv v)
{
	call_charge(s->c, 4);
	if (v->type == REGO_BOOL && s->draft >= SCHEMA_DRAFT6)
		return true;
	if (v->type != REGO_OBJECT)
		return schema_fail(s, "Expected: Valid Schema, given: Invalid JSON");
	if (++s->depth > SCHEMA_DEPTH_MAX)
		return schema_fail(s, "the schema is nested too deeply");
	bool ok = check_keywords(s, v);
	s->depth--;
	return ok;
}

bool schema_check(struct schema *s)
{
	s->draft = schema_draft_of(s->root);
	s->depth = 0;
	if (s->root->type != REGO_OBJECT && s->root->type != REGO_BOOL)
		return schema_fail(s, "schema is invalid");
	return check(s, s->root);
}
