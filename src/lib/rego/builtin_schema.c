/* SPDX-License-Identifier: Apache-2.0 */
/* json.match_schema, json.verify_schema */
#include "rego/schema.h"

/* Values as JSON has them: sets are arrays, keys are strings. NULL with the reason. */
static rv plain(struct call *c, rv v, const char **why)
{
	rv ret;
	if (v->type != REGO_STRING && v->type != REGO_OBJECT && v->type != REGO_ARRAY) {
		*why = "wrong type, expected string or object";
		return NULL;
	}
	struct slice text = value_slice(v->type == REGO_STRING ? v : value_to_json(c->m, v));
	if (rego_json_parse(c->m, text, VALUE_MAX_DEPTH, &ret, NULL) == 0)
		return ret;
	*why = "invalid JSON string";
	return NULL;
}

static rv verify_schema(struct call *c, const rv *arg, uint32_t count)
{
	const char *why = NULL;
	char text[512];
	struct schema s = {.c = c, .root = plain(c, arg[0], &why)};
	if (s.root && schema_check(&s)) {
		rv good[] = {&value_true, &value_null};
		return value_array(c->m, good, 2);
	}
	snprintf(text, sizeof(text), "jsonschema: %s", why ? why : s.why);
	rv bad[] = {&value_false, value_cstr(c->m, text)};
	return value_array(c->m, bad, 2);
}

static rv match_schema(struct call *c, const rv *arg, uint32_t count)
{
	const char *why = NULL;
	rv document = plain(c, arg[0], &why);
	struct schema s = {.c = c, .root = document ? plain(c, arg[1], &why) : NULL};
	if (!s.root)
		return call_fail(c, "%s", why);
	rv errors = schema_check(&s) ? schema_match(&s, document) : NULL;
	if (!errors)
		return call_fail(c, "%s", s.why);
	rv item[] = {value_bool(errors->count == 0), errors};
	return value_array(c->m, item, 2);
}

static const struct builtin items[] = {
	{.name = "json.match_schema", .arity = 2, .fn = match_schema},
	{.name = "json.verify_schema", .arity = 1, .fn = verify_schema},
};
const struct builtin_table builtin_schema_table = {items, ARRAY_COUNT(items)};
