/* SPDX-License-Identifier: Apache-2.0 */
/* Comparison and membership as values. As statements they are instructions of their own. */
#include "rego/builtin.h"

static rv equal(struct call *c, const rv *arg, uint32_t count)
{
	return value_bool(value_eq(arg[0], arg[1]));
}

static rv neq(struct call *c, const rv *arg, uint32_t count)
{
	return value_bool(!value_eq(arg[0], arg[1]));
}

static rv lt(struct call *c, const rv *arg, uint32_t count)
{
	return value_bool(value_compare(arg[0], arg[1]) < 0);
}

static rv lte(struct call *c, const rv *arg, uint32_t count)
{
	return value_bool(value_compare(arg[0], arg[1]) <= 0);
}

static rv gt(struct call *c, const rv *arg, uint32_t count)
{
	return value_bool(value_compare(arg[0], arg[1]) > 0);
}

static rv gte(struct call *c, const rv *arg, uint32_t count)
{
	return value_bool(value_compare(arg[0], arg[1]) >= 0);
}

static rv member_2(struct call *c, const rv *arg, uint32_t count)
{
	rv in = arg[1];
	if (in->type == REGO_SET)
		return value_bool(value_find_item(in, arg[0]) >= 0);
	for (uint32_t i = 0; value_is_collection(in) && i < in->count; i++)
		if (value_eq(in->type == REGO_OBJECT ? in->pair[i].val : in->item[i], arg[0]))
			return &value_true;
	return &value_false;
}

static rv member_3(struct call *c, const rv *arg, uint32_t count)
{
	if (!value_is_collection(arg[2]))
		return &value_false;
	rv v = value_get(arg[2], arg[0]);
	return value_bool(v && value_eq(v, arg[1]));
}

static const struct builtin items[] = {
	{.name = "equal", .arity = 2, .fn = equal},
	{.name = "neq", .arity = 2, .fn = neq},
	{.name = "lt", .arity = 2, .fn = lt},
	{.name = "lte", .arity = 2, .fn = lte},
	{.name = "gt", .arity = 2, .fn = gt},
	{.name = "gte", .arity = 2, .fn = gte},
	{.name = "internal.member_2", .arity = 2, .fn = member_2},
	{.name = "internal.member_3", .arity = 3, .fn = member_3},
};
const struct builtin_table builtin_compare_table = {items, ARRAY_COUNT(items)};
