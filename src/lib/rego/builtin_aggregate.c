/* SPDX-License-Identifier: Apache-2.0 */
/* Aggregates and set algebra. */
#include "rego/builtin.h"
#include "rego/sort.h"
#include "rego/text.h"

static rv count_of(struct call *c, const rv *arg, uint32_t count)
{
	rv v = arg[0];
	if (value_is_collection(v))
		return value_int(c->m, v->count);
	if (v->type != REGO_STRING)
		return call_type_error(c, 1, "one of {array, object, set, string}", v);
	int64_t n = 0;
	for (size_t at = 0; at < v->count; n++)
		at += strings_step(value_slice(v), at);
	return value_int(c->m, n);
}

static bool is_list(rv v)
{
	return v->type == REGO_ARRAY || v->type == REGO_SET;
}

static rv over_numbers(struct call *c, rv v, rv (*op)(struct mem *, rv))
{
	if (!is_list(v))
		return call_type_error(c, 1, "one of {set, array}", v);
	for (uint32_t i = 0; i < v->count; i++)
		if (v->item[i]->type != REGO_NUMBER)
			return call_operand_error(c, 1,
				"must be %s of numbers but got %s containing %s",
				v->type == REGO_SET ? "set" : "array", value_type_name(v),
				value_type_name(v->item[i]));
	return op(c->m, v);
}

static rv sum(struct call *c, const rv *arg, uint32_t count)
{
	return over_numbers(c, arg[0], num_sum);
}

static rv product(struct call *c, const rv *arg, uint32_t count)
{
	return over_numbers(c, arg[0], num_product);
}

static rv extreme(struct call *c, rv v, int sign)
{
	if (!is_list(v))
		return call_type_error(c, 1, "one of {set, array}", v);
	rv best = NULL;
	for (uint32_t i = 0; i < v->count; i++)
		if (!best || value_compare(v->item[i], best) * sign >= 0)
			best = v->item[i];
	return best;
}

static rv maximum(struct call *c, const rv *arg, uint32_t count)
{
	return extreme(c, arg[0], 1);
}

static rv minimum(struct call *c, const rv *arg, uint32_t count)
{
	return extreme(c, arg[0], -1);
}

static rv sort(struct call *c, const rv *arg, uint32_t count)
{
	rv v = arg[0];
	if (!is_list(v))
		return call_type_error(c, 1, "one of {set, array}", v);
	if (v->type == REGO_SET)
		return value_array(c->m, v->item, v->count);
	/* Equal elements stay: a set would drop them. */
	rv *item = mem_array(c->m, v->count + 1, sizeof(rv));
	memcpy(item, v->item, v->count * sizeof(rv));
	sort_values(c->m, item, v->count);
	return value_array(c->m, item, v->count);
}

static rv all(struct call *c, const rv *arg, uint32_t count)
{
	if (!is_list(arg[0]))
		return call_type_error(c, 1, "one of {array, set}", arg[0]);
	for (uint32_t i = 0; i < arg[0]->count; i++)
		if (arg[0]->item[i] != &value_true)
			return &value_false;
	return &value_true;
}

static rv any(struct call *c, const rv *arg, uint32_t count)
{
	if (!is_list(arg[0]))
		return call_type_error(c, 1, "one of {array, set}", arg[0]);
	for (uint32_t i = 0; i < arg[0]->count; i++)
		if (arg[0]->item[i] == &value_true)
			return &value_true;
	return &value_false;
}

static bool two_sets(struct call *c, const rv *arg)
{
	return arg_is(c, arg, 1, REGO_SET) && arg_is(c, arg, 2, REGO_SET);
}

static rv intersect(struct mem *m, rv a, rv b)
{
	struct list l = {0};
	for (uint32_t i = 0; i < a->count; i++)
		if (value_find_item(b, a->item[i]) >= 0)
			list_push(m, &l, a->item[i]);
	return value_set_sorted(m, l.item, l.count);
}

static rv set_and(struct call *c, const rv *arg, uint32_t count)
{
	return two_sets(c, arg) ? intersect(c->m, arg[0], arg[1]) : NULL;
}

static rv set_or(struct call *c, const rv *arg, uint32_t count)
{
	if (!two_sets(c, arg))
		return NULL;
	struct list l = {0};
	for (uint32_t i = 0; i < arg[0]->count; i++)
		list_push(c->m, &l, arg[0]->item[i]);
	for (uint32_t i = 0; i < arg[1]->count; i++)
		list_push(c->m, &l, arg[1]->item[i]);
	return value_set(c->m, l.item, l.count);
}

static bool set_of_sets(struct call *c, const rv *arg)
{
	if (!arg_is(c, arg, 1, REGO_SET))
		return false;
	for (uint32_t i = 0; i < arg[0]->count; i++)
		if (arg[0]->item[i]->type != REGO_SET) {
			call_type_error(c, 1, "set", arg[0]->item[i]);
			return false;
		}
	return true;
}

static rv intersection(struct call *c, const rv *arg, uint32_t count)
{
	if (!set_of_sets(c, arg))
		return NULL;
	if (arg[0]->count == 0)
		return &value_empty_set;
	rv v = arg[0]->item[0];
	for (uint32_t i = 1; i < arg[0]->count; i++)
		v = intersect(c->m, v, arg[0]->item[i]);
	return v;
}

static rv union_of(struct call *c, const rv *arg, uint32_t count)
{
	if (!set_of_sets(c, arg))
		return NULL;
	struct list l = {0};
	for (uint32_t i = 0; i < arg[0]->count; i++)
		for (uint32_t k = 0; k < arg[0]->item[i]->count; k++)
			list_push(c->m, &l, arg[0]->item[i]->item[k]);
	return value_set(c->m, l.item, l.count);
}

static rv set_diff(struct call *c, const rv *arg, uint32_t count)
{
	if (!two_sets(c, arg))
		return NULL;
	struct list l = {0};
	for (uint32_t i = 0; i < arg[0]->count; i++)
		if (value_find_item(arg[1], arg[0]->item[i]) < 0)
			list_push(c->m, &l, arg[0]->item[i]);
	return value_set_sorted(c->m, l.item, l.count);
}

static const struct builtin items[] = {
	{.name = "count", .arity = 1, .fn = count_of},
	{.name = "sum", .arity = 1, .fn = sum},
	{.name = "product", .arity = 1, .fn = product},
	{.name = "max", .arity = 1, .fn = maximum},
	{.name = "min", .arity = 1, .fn = minimum},
	{.name = "sort", .arity = 1, .fn = sort},
	{.name = "all", .arity = 1, .fn = all},
	{.name = "any", .arity = 1, .fn = any},
	{.name = "and", .arity = 2, .fn = set_and},
	{.name = "or", .arity = 2, .fn = set_or},
	{.name = "intersection", .arity = 1, .fn = intersection},
	{.name = "union", .arity = 1, .fn = union_of},
	{.name = "set_diff", .arity = 2, .fn = set_diff},
};
const struct builtin_table builtin_aggregate_table = {items, ARRAY_COUNT(items)};
