/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents against schemas. Where one of several schemas should fit and none does, the errors of
 * the one that came closest are shown: each passed part of a check counts one, each error costs two.
 */
#include <stdarg.h>

#include "base/buf.h"
#include "rego/schema_match.h"

static void put_place(struct buf *b, const struct schema_place *p)
{
	if (p->parent && p->parent->parent) {
		put_place(b, p->parent);
		buf_put_u8(b, '.');
	}
	buf_put_slice(b, p->name);
}

static rv field_of(struct schema *s, const struct schema_place *p)
{
	struct buf b = buf_init(mem_room(s->c->m));
	put_place(&b, p);
	char *copy = buf_error(&b) ? NULL : arena_copy(s->c->m->arena, buf_slice(&b));
	size_t size = b.size;
	buf_done(&b);
	if (!copy)
		mem_escape(s->c->m, REGO_ERR_MEMORY);
	return value_string(s->c->m, slice_of(copy, size));
}

void schema_add(struct schema *s, struct schema_result *r, const struct schema_place *p,
	const char *type, const char *fmt, ...)
{
	char text[600], whole[900];
	struct mem *m = s->c->m;
	rv field = field_of(s, p);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(whole, sizeof(whole), "%.*s: %s", (int)MIN(field->count, 250u), field->text, text);
	const struct pair pair[] = {{value_cstr(m, "desc"), value_cstr(m, text)},
		{value_cstr(m, "error"), value_cstr(m, whole)}, {value_cstr(m, "field"), field},
		{value_cstr(m, "type"), value_cstr(m, type)}};
	list_push(m, &r->errors, value_object(m, pair, ARRAY_COUNT(pair)));
	r->score -= 2;
}

void schema_merge(struct schema *s, struct schema_result *r, const struct schema_result *other)
{
	for (uint32_t i = 0; i < other->errors.count; i++)
		list_push(s->c->m, &r->errors, other->errors.item[i]);
	r->score += other->score;
}

struct schema_result schema_sub(struct schema *s, rv schema, rv v, const struct schema_place *p)
{
	struct schema_result r = {0};
	schema_validate(s, schema, v, &r, p);
	return r;
}

/* --- types --- */

static const char *type_of(rv v)
{
	switch (v->type) {
	case REGO_NULL:
		return "null";
	case REGO_BOOL:
		return "boolean";
	case REGO_NUMBER:
		return num_is_integer(v) ? "integer" : "number";
	case REGO_STRING:
		return "string";
	case REGO_OBJECT:
		return "object";
	default:
		return "array";
	}
}

static bool type_is(rv v, rv name)
{
	return value_str_is(name, type_of(v)) ||
	       (v->type == REGO_NUMBER && value_str_is(name, "number"));
}

static bool check_type(
	struct schema *s, rv schema, rv v, struct schema_result *r, const struct schema_place *p)
{
	rv type = schema_get(schema, "type");
	char expected[128] = "";
	if (!type || (type->type == REGO_ARRAY && type->count == 0))
		return true;
	if (type->type == REGO_STRING) {
		if (type_is(v, type))
			return true;
		snprintf(
			expected, sizeof(expected), "%.*s", (int)MIN(type->count, 60u), type->text);
	}
	uint32_t count = type->type == REGO_ARRAY ? type->count : 0;
	for (uint32_t i = 0; i < count; i++) {
		if (type_is(v, type->item[i]))
			return true;
		size_t n = strlen(expected);
		snprintf(expected + n, sizeof(expected) - n, "%s%.20s%s",
			i	    ? ","
			: count > 1 ? "["
				    : "",
			type->item[i]->text, count > 1 && i + 1 == count ? "]" : "");
	}
	schema_add(s, r, p, "invalid_type", "Invalid type. Expected: %s, given: %s", expected,
		type_of(v));
	return false;
}

/* --- combinations --- */

static void any_of(
	struct schema *s, rv list, rv v, struct schema_result *r, const struct schema_place *p)
{
	struct schema_result best = {0};
	bool have = false;
	for (uint32_t i = 0; i < list->count; i++) {
		struct schema_result one = schema_sub(s, list->item[i], v, p);
		if (schema_fits(&one))
			return;
		if (!have || one.score > best.score)
			best = one;
		have = true;
	}
	schema_add(s, r, p, "number_any_of", "Must validate at least one schema (anyOf)");
	if (have)
		schema_merge(s, r, &best);
}

static void one_of(
	struct schema *s, rv list, rv v, struct schema_result *r, const struct schema_place *p)
{
	struct schema_result best = {0};
	bool have = false;
	uint32_t valid = 0;
	for (uint32_t i = 0; i < list->count; i++) {
		struct schema_result one = schema_sub(s, list->item[i], v, p);
		if (schema_fits(&one))
			valid++;
		else if (valid == 0 && (!have || one.score > best.score))
			best = one, have = true;
	}
	if (valid == 1)
		return;
	schema_add(s, r, p, "number_one_of", "Must validate one and only one schema (oneOf)");
	if (valid == 0 && have)
		schema_merge(s, r, &best);
}

static void all_of(
	struct schema *s, rv list, rv v, struct schema_result *r, const struct schema_place *p)
{
	uint32_t valid = 0;
	for (uint32_t i = 0; i < list->count; i++) {
		struct schema_result one = schema_sub(s, list->item[i], v, p);
		valid += schema_fits(&one);
		schema_merge(s, r, &one);
	}
	if (valid != list->count)
		schema_add(s, r, p, "number_all_of", "Must validate all the schemas (allOf)");
}

static void dependencies(
	struct schema *s, rv map, rv v, struct schema_result *r, const struct schema_place *p)
{
	for (uint32_t i = 0; v->type == REGO_OBJECT && i < v->count; i++) {
		rv need = value_get(map, v->pair[i].key);
		if (need && need->type != REGO_ARRAY)
			schema_validate(s, need, v, r, p);
		for (uint32_t k = 0; need && need->type == REGO_ARRAY && k < need->count; k++)
			if (!value_get(v, need->item[k]))
				schema_add(s, r, p, "missing_dependency",
					"Has a dependency on %.*s",
					(int)MIN(need->item[k]->count, 200u), need->item[k]->text);
	}
}

static void condition(
	struct schema *s, rv schema, rv v, struct schema_result *r, const struct schema_place *p)
{
	rv then = schema_get(schema, "then"), otherwise = schema_get(schema, "else");
	struct schema_result test = schema_sub(s, schema_get(schema, "if"), v, p);
	rv branch = schema_fits(&test) ? then : otherwise;
	if (!branch)
		return;
	struct schema_result one = schema_sub(s, branch, v, p);
	if (schema_fits(&one))
		return;
	if (branch == then && schema_fits(&test))
		schema_add(s, r, p, "condition_then", "Must validate \"then\" as \"if\" was valid");
	else
		schema_add(s, r, p, "condition_else",
			"Must validate \"else\" as \"if\" was not valid");
	schema_merge(s, r, &one);
}

static void combinations(
	struct schema *s, rv schema, rv v, struct schema_result *r, const struct schema_place *p)
{
	static const struct {
		const char *key;
		void (*fn)(struct schema *, rv, rv, struct schema_result *,
			const struct schema_place *);
	} lists[] = {{"anyOf", any_of}, {"oneOf", one_of}, {"allOf", all_of}};
	for (size_t i = 0; i < ARRAY_COUNT(lists); i++) {
		rv list = schema_get(schema, lists[i].key);
		if (list && list->count > 0)
			lists[i].fn(s, list, v, r, p);
	}
	rv not = schema_get(schema, "not"), map = schema_get(schema, "dependencies");
	if (not ) {
		struct schema_result one = schema_sub(s, not, v, p);
		if (schema_fits(&one))
			schema_add(s, r, p, "number_not", "Must not validate the schema (not)");
	}
	if (map && map->count)
		dependencies(s, map, v, r, p);
	if (schema_get(schema, "if") && s->draft >= SCHEMA_DRAFT7)
		condition(s, schema, v, r, p);
	r->score++;
}

/* --- keywords for all types --- */

static rv shown(struct schema *s, rv v)
{
	return value_to_json(s->c->m, v);
}

static void common(
	struct schema *s, rv schema, rv v, struct schema_result *r, const struct schema_place *p)
{
	rv constant = schema_get(schema, "const"), list = schema_get(schema, "enum");
	rv format = schema_get(schema, "format");
	if (constant && s->draft >= SCHEMA_DRAFT6 && !value_eq(constant, v)) {
		rv field = field_of(s, p), text = shown(s, constant);
		schema_add(s, r, p, "const", "%.*s does not match: %.*s",
			(int)MIN(field->count, 200u), field->text, (int)MIN(text->count, 300u),
			text->text);
	}
	bool found = !list;
	for (uint32_t i = 0; list && i < list->count && !found; i++)
		found = value_eq(list->item[i], v);
	if (!found) {
		char allowed[400] = "";
		rv field = field_of(s, p);
		for (uint32_t i = 0; i < list->count; i++) {
			rv text = shown(s, list->item[i]);
			size_t n = strlen(allowed);
			snprintf(allowed + n, sizeof(allowed) - n, "%s%.*s", i ? ", " : "",
				(int)MIN(text->count, 300u), text->text);
		}
		schema_add(s, r, p, "enum", "%.*s must be one of the following: %s",
			(int)MIN(field->count, 200u), field->text, allowed);
	}
	if (format && format->count && !schema_format_ok(s->c, value_slice(format), v))
		schema_add(s, r, p, "format", "Does not match format '%.*s'",
			(int)MIN(format->count, 100u), format->text);
	r->score++;
}

static void typed(
	struct schema *s, rv schema, rv v, struct schema_result *r, const struct schema_place *p)
{
	combinations(s, schema, v, r, p);
	switch (v->type) {
	case REGO_NUMBER:
		schema_numbers(s, schema, v, r, p);
		common(s, schema, v, r, p);
		break;
	case REGO_STRING:
		common(s, schema, v, r, p);
		schema_strings(s, schema, v, r, p);
		break;
	case REGO_ARRAY:
		schema_arrays(s, schema, v, r, p);
		common(s, schema, v, r, p);
		break;
	case REGO_OBJECT:
		schema_objects(s, schema, v, r, p);
		common(s, schema, v, r, p);
		schema_properties(s, schema, v, r, p);
		break;
	default:
		common(s, schema, v, r, p);
	}
}

void schema_validate(
	struct schema *s, rv schema, rv v, struct schema_result *r, const struct schema_place *p)
{
	call_charge(s->c, 4);
	if (schema->type == REGO_BOOL) {
		if (!rego_is_true(schema))
			schema_add(s, r, p, "false", "False always fails validation");
		return;
	}
	if (++s->depth > SCHEMA_DEPTH_MAX) {
		schema_fail(s, "the schema or the document is nested too deeply");
	} else {
		rv ref = schema_get(schema, "$ref");
		rv target = ref ? schema_resolve(s, value_slice(ref)) : NULL;
		if (target) {
			schema_validate(s, target, v, r, p);
		} else if (!ref && check_type(s, schema, v, r, p)) {
			typed(s, schema, v, r, p);
			r->score++;
		}
	}
	s->depth--;
}

rv schema_match(struct schema *s, rv document)
{
	struct schema_result r = {0};
	struct schema_place root = {NULL, SLICE_LIT("(Root)")};
	s->depth = 0;
	schema_validate(s, s->root, document, &r, &root);
	return s->why[0] ? NULL : value_array(s->c->m, r.errors.item, r.errors.count);
}
