/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents against schemas. Where one of several schemas should fit and none does, the errors of
 * the one that came closest are shown: each passed part of a check counts one, each error costs two.
 */
#include <stdarg.h>

#include "base/buf.h"
#include "rego/schema.h"

struct result {
	struct list errors;
	int64_t score;
};

struct place {
	const struct place *parent; /* NULL: the root */
	struct slice name;
};

static void put_place(struct buf *b, const struct place *p)
{
	if (p->parent && p->parent->parent) {
		put_place(b, p->parent);
		buf_put_u8(b, '.');
	}
	buf_put_slice(b, p->name);
}

static rv field_of(struct schema *s, const struct place *p)
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

static void add(struct schema *s, struct result *r, const struct place *p, const char *type,
	const char *fmt, ...) format_printf(5, 6);
static void add(struct schema *s, struct result *r, const struct place *p, const char *type,
	const char *fmt, ...)
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

static void merge(struct schema *s, struct result *r, const struct result *other)
{
	for (uint32_t i = 0; i < other->errors.count; i++)
		list_push(s->c->m, &r->errors, other->errors.item[i]);
	r->score += other->score;
}

static void validate(struct schema *s, rv schema, rv v, struct result *r, const struct place *p);

static struct result sub(struct schema *s, rv schema, rv v, const struct place *p)
{
	struct result r = {0};
	validate(s, schema, v, &r, p);
	return r;
}

static bool fits(const struct result *r)
{
	return r->errors.count == 0;
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

static bool check_type(struct schema *s, rv schema, rv v, struct result *r, const struct place *p)
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
	add(s, r, p, "invalid_type", "Invalid type. Expected: %s, given: %s", expected, type_of(v));
	return false;
}

/* --- combinations --- */

static void any_of(struct schema *s, rv list, rv v, struct result *r, const struct place *p)
{
	struct result best = {0};
	bool have = false;
	for (uint32_t i = 0; i < list->count; i++) {
		struct result one = sub(s, list->item[i], v, p);
		if (fits(&one))
			return;
		if (!have || one.score > best.score)
			best = one;
		have = true;
	}
	add(s, r, p, "number_any_of", "Must validate at least one schema (anyOf)");
	if (have)
		merge(s, r, &best);
}

static void one_of(struct schema *s, rv list, rv v, struct result *r, const struct place *p)
{
	struct result best = {0};
	bool have = false;
	uint32_t valid = 0;
	for (uint32_t i = 0; i < list->count; i++) {
		struct result one = sub(s, list->item[i], v, p);
		if (fits(&one))
			valid++;
		else if (valid == 0 && (!have || one.score > best.score))
			best = one, have = true;
	}
	if (valid == 1)
		return;
	add(s, r, p, "number_one_of", "Must validate one and only one schema (oneOf)");
	if (valid == 0 && have)
		merge(s, r, &best);
}

static void all_of(struct schema *s, rv list, rv v, struct result *r, const struct place *p)
{
	uint32_t valid = 0;
	for (uint32_t i = 0; i < list->count; i++) {
		struct result one = sub(s, list->item[i], v, p);
		valid += fits(&one);
		merge(s, r, &one);
	}
	if (valid != list->count)
		add(s, r, p, "number_all_of", "Must validate all the schemas (allOf)");
}

static void dependencies(struct schema *s, rv map, rv v, struct result *r, const struct place *p)
{
	for (uint32_t i = 0; v->type == REGO_OBJECT && i < v->count; i++) {
		rv need = value_get(map, v->pair[i].key);
		if (need && need->type != REGO_ARRAY)
			validate(s, need, v, r, p);
		for (uint32_t k = 0; need && need->type == REGO_ARRAY && k < need->count; k++)
			if (!value_get(v, need->item[k]))
				add(s, r, p, "missing_dependency", "Has a dependency on %.*s",
					(int)MIN(need->item[k]->count, 200u), need->item[k]->text);
	}
}

static void condition(struct schema *s, rv schema, rv v, struct result *r, const struct place *p)
{
	rv then = schema_get(schema, "then"), otherwise = schema_get(schema, "else");
	struct result test = sub(s, schema_get(schema, "if"), v, p);
	rv branch = fits(&test) ? then : otherwise;
	if (!branch)
		return;
	struct result one = sub(s, branch, v, p);
	if (fits(&one))
		return;
	if (branch == then && fits(&test))
		add(s, r, p, "condition_then", "Must validate \"then\" as \"if\" was valid");
	else
		add(s, r, p, "condition_else", "Must validate \"else\" as \"if\" was not valid");
	merge(s, r, &one);
}

static void combinations(struct schema *s, rv schema, rv v, struct result *r, const struct place *p)
{
	static const struct {
		const char *key;
		void (*fn)(struct schema *, rv, rv, struct result *, const struct place *);
	} lists[] = {{"anyOf", any_of}, {"oneOf", one_of}, {"allOf", all_of}};
	for (size_t i = 0; i < ARRAY_COUNT(lists); i++) {
		rv list = schema_get(schema, lists[i].key);
		if (list && list->count > 0)
			lists[i].fn(s, list, v, r, p);
	}
	rv not = schema_get(schema, "not"), map = schema_get(schema, "dependencies");
	if (not ) {
		struct result one = sub(s, not, v, p);
		if (fits(&one))
			add(s, r, p, "number_not", "Must not validate the schema (not)");
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

static void common(struct schema *s, rv schema, rv v, struct result *r, const struct place *p)
{
	rv constant = schema_get(schema, "const"), list = schema_get(schema, "enum");
	rv format = schema_get(schema, "format");
	if (constant && s->draft >= SCHEMA_DRAFT6 && !value_eq(constant, v)) {
		rv field = field_of(s, p), text = shown(s, constant);
		add(s, r, p, "const", "%.*s does not match: %.*s", (int)MIN(field->count, 200u),
			field->text, (int)MIN(text->count, 300u), text->text);
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
		add(s, r, p, "enum", "%.*s must be one of the following: %s",
			(int)MIN(field->count, 200u), field->text, allowed);
	}
	if (format && format->count && !schema_format_ok(s->c, value_slice(format), v))
		add(s, r, p, "format", "Does not match format '%.*s'",
			(int)MIN(format->count, 100u), format->text);
	r->score++;
}

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

static void limit(
	struct schema *s, rv schema, const char *key, rv v, struct result *r, const struct place *p)
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
	add(s, r, p,
		maximum ? (exclusive ? "number_lt" : "number_lte")
			: (exclusive ? "number_gt" : "number_gte"),
		"Must be %s %s%.10g", maximum ? "less than" : "greater than",
		exclusive ? "" : "or equal to ", num_to_double(n));
}

static void numbers(struct schema *s, rv schema, rv v, struct result *r, const struct place *p)
{
	rv factor = schema_get(schema, "multipleOf");
	if (factor && !multiple(s, v, factor))
		add(s, r, p, "multiple_of", "Must be a multiple of %.10g", num_to_double(factor));
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

static void strings(struct schema *s, rv schema, rv v, struct result *r, const struct place *p)
{
	int64_t n, size = code_points(v);
	rv pattern = schema_get(schema, "pattern");
	if (size_of(schema, "minLength", &n) && size < n)
		add(s, r, p, "string_gte", "String length must be greater than or equal to %lld",
			(long long)n);
	if (size_of(schema, "maxLength", &n) && size > n)
		add(s, r, p, "string_lte", "String length must be less than or equal to %lld",
			(long long)n);
	struct regex *re = pattern ? call_regex(s->c, pattern) : NULL;
	if (re && !call_regex_match(s->c, re, value_slice(v)))
		add(s, r, p, "pattern", "Does not match pattern '%.*s'",
			(int)MIN(pattern->count, 300u), pattern->text);
	r->score++;
}

/* --- arrays --- */

static void item(
	struct schema *s, rv schema, rv v, uint32_t i, struct result *r, const struct place *p)
{
	char name[16];
	snprintf(name, sizeof(name), "%u", i);
	struct place inner = {p, value_slice(value_cstr(s->c->m, name))};
	struct result one = sub(s, schema, v->item[i], &inner);
	merge(s, r, &one);
}

static void items(struct schema *s, rv schema, rv v, struct result *r, const struct place *p)
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
			add(s, r, p, "array_no_additional_items",
				"No additional items allowed on array");
		return;
	}
	for (uint32_t i = list->count; i < v->count; i++)
		item(s, more, v, i, r, p);
}

static void unique(struct schema *s, rv v, struct result *r, const struct place *p)
{
	for (uint32_t j = 0; j < v->count; j++) {
		call_charge(s->c, 1 + j / 8);
		for (uint32_t i = j; i-- > 0;)
			if (value_eq(v->item[i], v->item[j])) {
				add(s, r, p, "unique", "array items[%u,%u] must be unique", i, j);
				break;
			}
	}
}

static void contains(struct schema *s, rv schema, rv v, struct result *r, const struct place *p)
{
	struct result best = {0};
	bool have = false;
	for (uint32_t i = 0; i < v->count; i++) {
		char name[16];
		snprintf(name, sizeof(name), "%u", i);
		struct place inner = {p, value_slice(value_cstr(s->c->m, name))};
		struct result one = sub(s, schema, v->item[i], &inner);
		if (fits(&one))
			return;
		if (!have || one.score > best.score)
			best = one;
		have = true;
	}
	add(s, r, p, "contains", "At least one of the items must match");
	if (have)
		merge(s, r, &best);
}

static void arrays(struct schema *s, rv schema, rv v, struct result *r, const struct place *p)
{
	int64_t n;
	rv one = schema_get(schema, "contains"), distinct = schema_get(schema, "uniqueItems");
	items(s, schema, v, r, p);
	if (size_of(schema, "minItems", &n) && v->count < n)
		add(s, r, p, "array_min_items", "Array must have at least %lld items",
			(long long)n);
	if (size_of(schema, "maxItems", &n) && v->count > n)
		add(s, r, p, "array_max_items", "Array must have at most %lld items", (long long)n);
	if (distinct && rego_is_true(distinct))
		unique(s, v, r, p);
	if (one && s->draft >= SCHEMA_DRAFT6)
		contains(s, one, v, r, p);
	r->score++;
}

/* --- objects --- */

static bool by_pattern(
	struct schema *s, rv map, rv key, rv v, struct result *r, const struct place *p)
{
	bool matched = false;
	for (uint32_t i = 0; map && i < map->count; i++) {
		struct regex *re = call_regex(s->c, map->pair[i].key);
		if (!re || !call_regex_match(s->c, re, value_slice(key)))
			continue;
		struct place inner = {p, value_slice(key)};
		struct result one = sub(s, map->pair[i].val, v, &inner);
		matched = true;
		merge(s, r, &one);
	}
	r->score += matched;
	return matched;
}

static void member(
	struct schema *s, rv schema, rv key, rv v, struct result *r, const struct place *p)
{
	rv properties = schema_get(schema, "properties");
	rv more = schema_get(schema, "additionalProperties");
	bool found = properties && value_get(properties, key);
	bool matched = by_pattern(s, schema_get(schema, "patternProperties"), key, v, r, p);
	if (found || matched || !more)
		return;
	if (more->type == REGO_BOOL) {
		if (!rego_is_true(more))
			add(s, r, p, "additional_property_not_allowed",
				"Additional property %.*s is not allowed",
				(int)MIN(key->count, 200u), key->text);
		return;
	}
	struct place inner = {p, value_slice(key)};
	struct result one = sub(s, more, v, &inner);
	merge(s, r, &one);
}

static void objects(struct schema *s, rv schema, rv v, struct result *r, const struct place *p)
{
	int64_t n;
	rv required = schema_get(schema, "required"), names = schema_get(schema, "propertyNames");
	if (size_of(schema, "minProperties", &n) && v->count < n)
		add(s, r, p, "array_min_properties", "Must have at least %lld properties",
			(long long)n);
	if (size_of(schema, "maxProperties", &n) && v->count > n)
		add(s, r, p, "array_max_properties", "Must have at most %lld properties",
			(long long)n);
	for (uint32_t i = 0; required && i < required->count; i++) {
		if (value_get(v, required->item[i]))
			r->score++;
		else
			add(s, r, p, "required", "%.*s is required",
				(int)MIN(required->item[i]->count, 200u), required->item[i]->text);
	}
	for (uint32_t i = 0; i < v->count; i++)
		member(s, schema, v->pair[i].key, v->pair[i].val, r, p);
	for (uint32_t i = 0; names && s->draft >= SCHEMA_DRAFT6 && i < v->count; i++) {
		rv key = v->pair[i].key;
		struct result one = sub(s, names, key, p);
		if (fits(&one))
			continue;
		add(s, r, p, "invalid_property_name", "Property name of \"%.*s\" does not match",
			(int)MIN(key->count, 200u), key->text);
		merge(s, r, &one);
	}
	r->score++;
}

static void properties(struct schema *s, rv schema, rv v, struct result *r, const struct place *p)
{
	rv map = schema_get(schema, "properties");
	for (uint32_t i = 0; map && i < map->count; i++) {
		rv key = map->pair[i].key, value = value_get(v, key);
		struct place inner = {p, value_slice(key)};
		if (value)
			validate(s, map->pair[i].val, value, r, &inner);
	}
}

static void typed(struct schema *s, rv schema, rv v, struct result *r, const struct place *p)
{
	combinations(s, schema, v, r, p);
	switch (v->type) {
	case REGO_NUMBER:
		numbers(s, schema, v, r, p);
		common(s, schema, v, r, p);
		break;
	case REGO_STRING:
		common(s, schema, v, r, p);
		strings(s, schema, v, r, p);
		break;
	case REGO_ARRAY:
		arrays(s, schema, v, r, p);
		common(s, schema, v, r, p);
		break;
	case REGO_OBJECT:
		objects(s, schema, v, r, p);
		common(s, schema, v, r, p);
		properties(s, schema, v, r, p);
		break;
	default:
		common(s, schema, v, r, p);
	}
}

static void validate(struct schema *s, rv schema, rv v, struct result *r, const struct place *p)
{
	call_charge(s->c, 4);
	if (schema->type == REGO_BOOL) {
		if (!rego_is_true(schema))
			add(s, r, p, "false", "False always fails validation");
		return;
	}
	if (++s->depth > SCHEMA_DEPTH_MAX) {
		schema_fail(s, "the schema or the document is nested too deeply");
	} else {
		rv ref = schema_get(schema, "$ref");
		rv target = ref ? schema_resolve(s, value_slice(ref)) : NULL;
		if (target) {
			validate(s, target, v, r, p);
		} else if (!ref && check_type(s, schema, v, r, p)) {
			typed(s, schema, v, r, p);
			r->score++;
		}
	}
	s->depth--;
}

rv schema_match(struct schema *s, rv document)
{
	struct result r = {0};
	struct place root = {NULL, SLICE_LIT("(Root)")};
	s->depth = 0;
	validate(s, s->root, document, &r, &root);
	return s->why[0] ? NULL : value_array(s->c->m, r.errors.item, r.errors.count);
}
