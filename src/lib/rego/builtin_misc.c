/* SPDX-License-Identifier: Apache-2.0 */
/* print, template strings and what fits nowhere else. */
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

static rv runtime(struct call *c, const rv *arg, uint32_t count)
{
	return &value_empty_object;
}

/* Notes are for OPA's tracer; there is none, but the argument is checked. */
static rv trace(struct call *c, const rv *arg, uint32_t count)
{
	return arg_is(c, arg, 1, REGO_STRING) ? &value_true : NULL;
}

static rv test_case(struct call *c, const rv *arg, uint32_t count)
{
	return &value_true;
}

/* What OPA's compiler turns print() into: an array of sets, as print() itself gets them. */
static rv internal_print(struct call *c, const rv *arg, uint32_t count)
{
	if (!arg_is(c, arg, 1, REGO_ARRAY))
		return NULL;
	for (uint32_t i = 0; i < arg[0]->count; i++)
		if (arg[0]->item[i]->type != REGO_SET)
			return call_type_error(c, 1, "set", arg[0]->item[i]);
	return print(c, arg[0]->item, arg[0]->count);
}

/* Calls within rules are replaced when they are compiled. */
static rv metadata(struct call *c, const rv *arg, uint32_t count)
{
	return call_fail(
		c, "the %s function must only be called within the scope of a rule", c->b->name);
}

static const struct builtin items[] = {
	{.name = "print", .variadic = 1, .fn = print},
	{.name = "internal.template_string", .variadic = 1, .fn = template_string},
	{.name = "rego.metadata.chain", .arity = 0, .fn = metadata},
	{.name = "rego.metadata.rule", .arity = 0, .fn = metadata},
	{.name = "trace", .arity = 1, .fn = trace},
	{.name = "internal.print", .arity = 1, .fn = internal_print},
	{.name = "internal.test_case", .arity = 1, .fn = test_case},
	{.name = "opa.runtime", .arity = 0, .fn = runtime},
};
const struct builtin_table builtin_misc_table = {items, ARRAY_COUNT(items)};
