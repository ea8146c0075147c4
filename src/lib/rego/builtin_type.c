/* SPDX-License-Identifier: Apache-2.0 */
/* Types and casts. */
#include "rego/text.h"

#define IS(fn, t)                                                   \
	static rv fn(struct call *c, const rv *arg, uint32_t count) \
	{                                                           \
		return value_bool(arg[0]->type == (t));             \
	}
IS(is_null, REGO_NULL)
IS(is_boolean, REGO_BOOL)
IS(is_number, REGO_NUMBER)
IS(is_string, REGO_STRING)
IS(is_array, REGO_ARRAY)
IS(is_object, REGO_OBJECT)
IS(is_set, REGO_SET)

static rv type_name(struct call *c, const rv *arg, uint32_t count)
{
	return value_cstr(c->m, value_type_name(arg[0]));
}

/* Go's number syntax is wider than JSON's: a sign, leading zeros and a bare point are allowed. */
static rv parse_text(struct call *c, rv v)
{
	struct slice s = value_slice(v);
	char *text = mem_alloc(c->m, s.size + 4);
	size_t n = 0, i = 0;
	if (i < s.size && (s.data[i] == '-' || s.data[i] == '+'))
		if (s.data[i++] == '-')
			text[n++] = '-';
	while (i + 1 < s.size && s.data[i] == '0' && s.data[i + 1] >= '0' && s.data[i + 1] <= '9')
		i++;
	if (i < s.size && s.data[i] == '.')
		text[n++] = '0';
	while (i < s.size) {
		bool bare = s.data[i] == '.' && (i + 1 == s.size || (s.data[i + 1] | 0x20) == 'e');
		if (!bare)
			text[n++] = (char)s.data[i];
		i++;
	}
	if (!num_text_ok(slice_of(text, n)))
		return NULL;
	/* What is JSON already keeps its text. */
	return num_from_text(c->m, num_text_ok(s) ? s : slice_of(text, n));
}

static bool is_infinite_or_nan(struct slice s)
{
	static const char *const words[] = {"inf", "infinity", "nan"};
	if (s.size > 0 && (s.data[0] == '-' || s.data[0] == '+'))
		s = slice_cut(s, 1, s.size);
	for (size_t i = 0; i < ARRAY_COUNT(words); i++)
		if (s.size == strlen(words[i]) &&
			strncasecmp((const char *)s.data, words[i], s.size) == 0)
			return true;
	return false;
}

static rv to_number(struct call *c, const rv *arg, uint32_t count)
{
	rv v = arg[0];
	switch (v->type) {
	case REGO_NULL:
		return value_int(c->m, 0);
	case REGO_BOOL:
		return value_int(c->m, v->sub);
	case REGO_NUMBER:
		return v;
	case REGO_STRING:
		break;
	default:
		return call_type_error(c, 1, "one of {null, boolean, number, string}", v);
	}
	if (is_infinite_or_nan(value_slice(v)))
		return call_type_error(c, 1, "valid number string", v);
	rv n = parse_text(c, v);
	if (!n)
		return call_fail(c, "strconv.ParseFloat: parsing %s: invalid syntax",
			text_quoted(c->m, value_slice(v)));
	return n;
}

static rv cast(struct call *c, rv v, enum rego_type type)
{
	if (v->type == type)
		return v;
	if (type == REGO_ARRAY || type == REGO_SET)
		return call_type_error(c, 1, "one of {array, set}", v);
	return call_type_error(c, 1, value_type_of(type), v);
}

static rv cast_string(struct call *c, const rv *arg, uint32_t count)
{
	return cast(c, arg[0], REGO_STRING);
}
static rv cast_boolean(struct call *c, const rv *arg, uint32_t count)
{
	return cast(c, arg[0], REGO_BOOL);
}
static rv cast_null(struct call *c, const rv *arg, uint32_t count)
{
	return cast(c, arg[0], REGO_NULL);
}
static rv cast_object(struct call *c, const rv *arg, uint32_t count)
{
	return cast(c, arg[0], REGO_OBJECT);
}
static rv cast_array(struct call *c, const rv *arg, uint32_t count)
{
	if (arg[0]->type == REGO_SET)
		return value_array(c->m, arg[0]->item, arg[0]->count);
	return cast(c, arg[0], REGO_ARRAY);
}
static rv cast_set(struct call *c, const rv *arg, uint32_t count)
{
	if (arg[0]->type == REGO_ARRAY)
		return value_set(c->m, arg[0]->item, arg[0]->count);
	return cast(c, arg[0], REGO_SET);
}

/* is_* are undefined, not false, for other types when used as a bare statement in OPA v0; the
 * value false fails a statement just the same. */
static const struct builtin items[] = {
	{.name = "is_null", .arity = 1, .fn = is_null},
	{.name = "is_boolean", .arity = 1, .fn = is_boolean},
	{.name = "is_number", .arity = 1, .fn = is_number},
	{.name = "is_string", .arity = 1, .fn = is_string},
	{.name = "is_array", .arity = 1, .fn = is_array},
	{.name = "is_object", .arity = 1, .fn = is_object},
	{.name = "is_set", .arity = 1, .fn = is_set},
	{.name = "type_name", .arity = 1, .fn = type_name},
	{.name = "to_number", .arity = 1, .fn = to_number},
	{.name = "cast_string", .arity = 1, .fn = cast_string},
	{.name = "cast_boolean", .arity = 1, .fn = cast_boolean},
	{.name = "cast_null", .arity = 1, .fn = cast_null},
	{.name = "cast_object", .arity = 1, .fn = cast_object},
	{.name = "cast_array", .arity = 1, .fn = cast_array},
	{.name = "cast_set", .arity = 1, .fn = cast_set},
};
const struct builtin_table builtin_type_table = {items, ARRAY_COUNT(items)};
