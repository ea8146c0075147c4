/* SPDX-License-Identifier: Apache-2.0 */
/* print, template strings, time.now_ns and what fits nowhere else. */
#include "base/buf.h"
#include "rego/eval.h"

/* Arguments are sets of at most one value: empty when the argument is undefined. */
static void put_optional(struct buf *out, rv v)
{
	if (v->count == 0)
		buf_put_str(out, "<undefined>");
	else if (v->item[0]->type == REGO_STRING)
		buf_put_slice(out, value_slice(v->item[0]));
	else
		rego_print(out, v->item[0]);
}

static rv print(struct call *c, const rv *arg, uint32_t count)
{
	const struct rego_eval_options *o = &c->ev->options;
	if (!o->print)
		return &value_true;
	struct buf line = buf_init(1 << 20);
	for (uint32_t i = 0; i < count; i++) {
		if (i)
			buf_put_u8(&line, ' ');
		put_optional(&line, arg[i]);
	}
	o->print(o->cookie, buf_slice(&line));
	buf_done(&line);
	return &value_true;
}

static rv template_string(struct call *c, const rv *arg, uint32_t count)
{
	struct buf text = buf_init(mem_room(c->m));
	for (uint32_t i = 0; i < count; i++)
		put_optional(&text, arg[i]);
	char *copy = buf_error(&text) ? NULL : arena_copy(c->m->arena, buf_slice(&text));
	size_t size = text.size;
	buf_done(&text);
	if (!copy)
		mem_escape(c->m, REGO_ERR_MEMORY);
	return value_string(c->m, slice_of(copy, size));
}

static rv now_ns(struct call *c, const rv *arg, uint32_t count)
{
	return value_int(c->m, c->ev->options.now_ns);
}

static rv runtime(struct call *c, const rv *arg, uint32_t count)
{
	return &value_empty_object;
}

static const struct builtin items[] = {
	{.name = "print", .variadic = 1, .fn = print},
	{.name = "internal.template_string", .variadic = 1, .fn = template_string},
	{.name = "time.now_ns", .arity = 0, .fn = now_ns},
	{.name = "opa.runtime", .arity = 0, .fn = runtime},
};
const struct builtin_table builtin_misc_table = {items, ARRAY_COUNT(items)};
