/* SPDX-License-Identifier: Apache-2.0 */
/* uri.parse, uri.is_valid */
#include "rego/text.h"
#include "rego/uri.h"

static void put(struct call *c, struct list *l, const char *name, struct slice text)
{
	if (text.size == 0)
		return;
	list_push(c->m, l, value_cstr(c->m, name));
	list_push(c->m, l, value_string(c->m, text));
}

/* Parts as copies in the arena, which may be left by a jump while @u owns memory. */
static bool parse(struct call *c, struct slice text, struct uri *ret, struct err *e)
{
	struct uri u;
	int r = uri_parse(text, &u, e);
	struct buf *const part[] = {
		&u.scheme, &u.host, &u.path, &u.raw_path, &u.raw_query, &u.fragment};
	struct buf *const to[] = {&ret->scheme, &ret->host, &ret->path, &ret->raw_path,
		&ret->raw_query, &ret->fragment};
	bool failed = false;
	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(part); i++) {
		*to[i] = (struct buf){
			.data = arena_copy(c->m->arena, buf_slice(part[i])), .size = part[i]->size};
		failed |= !to[i]->data || buf_error(part[i]);
	}
	uri_done(&u);
	if (failed || (r < 0 && r != -EBADMSG))
		mem_escape(c->m, REGO_ERR_MEMORY);
	return r == 0;
}

static rv uri_parse_fn(struct call *c, const rv *arg, uint32_t count)
{
	struct uri u = {0};
	struct err e = {0};
	struct list l = {0};
	if (!arg_is(c, arg, 1, REGO_STRING))
		return NULL;
	struct slice text = value_slice(arg[0]);
	if (!parse(c, text, &u, &e))
		return call_fail(c, "parse %s: %s", text_quoted(c->m, text), err_text(&e, 0));
	put(c, &l, "scheme", buf_slice(&u.scheme));
	put(c, &l, "hostname", uri_hostname(&u));
	put(c, &l, "port", uri_port(&u));
	put(c, &l, "path", buf_slice(&u.path));
	put(c, &l, "raw_path", buf_slice(u.raw_path.size ? &u.raw_path : &u.path));
	put(c, &l, "raw_query", buf_slice(&u.raw_query));
	put(c, &l, "fragment", buf_slice(&u.fragment));
	return value_object(c->m, (const struct pair *)(const void *)l.item, l.count / 2);
}

static rv uri_is_valid(struct call *c, const rv *arg, uint32_t count)
{
	struct uri u = {0};
	if (arg[0]->type != REGO_STRING || arg[0]->count == 0)
		return &value_false;
	return value_bool(parse(c, value_slice(arg[0]), &u, NULL));
}

static const struct builtin items[] = {
	{.name = "uri.parse", .arity = 1, .fn = uri_parse_fn},
	{.name = "uri.is_valid", .arity = 1, .fn = uri_is_valid},
};
const struct builtin_table builtin_uri_table = {items, ARRAY_COUNT(items)};
