/* SPDX-License-Identifier: Apache-2.0 */
/* Objects. */
#include "rego/builtin.h"

static rv get(struct call *c, const rv *arg, uint32_t count)
{
	if (!arg_is(c, arg, 1, REGO_OBJECT))
		return NULL;
	if (arg[1]->type != REGO_ARRAY) {
		rv v = value_get(arg[0], arg[1]);
		return v ? v : arg[2];
	}
	rv v = arg[0];
	for (uint32_t i = 0; v && i < arg[1]->count; i++)
		v = value_get(v, arg[1]->item[i]);
	return v ? v : arg[2];
}

static rv keys(struct call *c, const rv *arg, uint32_t count)
{
	if (!arg_is(c, arg, 1, REGO_OBJECT))
		return NULL;
	rv *item = mem_array(c->m, arg[0]->count + 1, sizeof(rv));
	for (uint32_t i = 0; i < arg[0]->count; i++)
		item[i] = arg[0]->pair[i].key;
	return value_set_sorted(c->m, item, arg[0]->count);
}

/* The keys that an operand names: of an object, or the elements of a set or array; as a set. */
static rv key_set(struct call *c, const rv *arg, unsigned pos)
{
	rv v = arg[pos - 1];
	if (v->type == REGO_SET)
		return v;
	if (v->type == REGO_ARRAY)
		return value_set(c->m, v->item, v->count);
	if (v->type == REGO_OBJECT)
		return keys(c, &v, 1);
	return call_type_error(c, pos, "one of {object, set, array}", v);
}

static rv choose(struct call *c, const rv *arg, bool keep)
{
	if (!arg_is(c, arg, 1, REGO_OBJECT))
		return NULL;
	rv set = key_set(c, arg, 2);
	if (!set)
		return NULL;
	struct pair *pair = mem_array(c->m, arg[0]->count + 1, sizeof(*pair));
	uint32_t n = 0;
	for (uint32_t i = 0; i < arg[0]->count; i++)
		if ((value_find_item(set, arg[0]->pair[i].key) >= 0) == keep)
			pair[n++] = arg[0]->pair[i];
	return value_object_sorted(c->m, pair, n);
}

static rv object_remove(struct call *c, const rv *arg, uint32_t count)
{
	return choose(c, arg, false);
}

static rv filter(struct call *c, const rv *arg, uint32_t count)
{
	return choose(c, arg, true);
}

/* Merges deeply; the right side wins. Bounded by the depth of values. */
static rv merge(struct mem *m, rv a, rv b)
{
	if (a->type != REGO_OBJECT || b->type != REGO_OBJECT)
		return b;
	struct pair *pair = mem_array(m, (size_t)a->count + b->count + 1, sizeof(*pair));
	uint32_t n = 0, i = 0, k = 0;
	while (i < a->count || k < b->count) {
		int order = i >= a->count   ? 1
			    : k >= b->count ? -1
					    : value_compare(a->pair[i].key, b->pair[k].key);
		if (order < 0) {
			pair[n++] = a->pair[i++];
		} else if (order > 0) {
			pair[n++] = b->pair[k++];
		} else {
			pair[n++] = (struct pair){
				a->pair[i].key, merge(m, a->pair[i].val, b->pair[k].val)};
			i++;
			k++;
		}
	}
	return value_object_sorted(m, pair, n);
}

static rv union_two(struct call *c, const rv *arg, uint32_t count)
{
	if (!arg_is(c, arg, 1, REGO_OBJECT) || !arg_is(c, arg, 2, REGO_OBJECT))
		return NULL;
	return merge(c->m, arg[0], arg[1]);
}

static rv union_n(struct call *c, const rv *arg, uint32_t count)
{
	if (!arg_is(c, arg, 1, REGO_ARRAY))
		return NULL;
	rv v = &value_empty_object;
	for (uint32_t i = 0; i < arg[0]->count; i++) {
		if (arg[0]->item[i]->type != REGO_OBJECT)
			return call_operand_error(c, 1,
				"must be array of objects but got array containing %s",
				value_type_name(arg[0]->item[i]));
		v = merge(c->m, v, arg[0]->item[i]);
	}
	return v;
}

static bool nested_subset(rv super, rv sub);

static bool subset_of(rv super, rv sub)
{
	for (uint32_t i = 0; i < sub->count; i++) {
		rv v = value_get(super, sub->pair[i].key), want = sub->pair[i].val;
		if (!v)
			return false;
		if (!value_eq(v, want) && !(v->type == want->type && nested_subset(v, want)))
			return false;
	}
	return true;
}

/* A subset in the form of a run of neighbours. */
static bool array_run(rv super, rv sub)
{
	for (uint32_t i = 0; i + sub->count <= super->count; i++) {
		uint32_t k = 0;
		while (k < sub->count && value_eq(super->item[i + k], sub->item[k]))
			k++;
		if (k == sub->count)
			return true;
	}
	return false;
}

/* Of values of the same type inside objects. */
static bool nested_subset(rv super, rv sub)
{
	if (super->type == REGO_OBJECT)
		return subset_of(super, sub);
	if (super->type == REGO_ARRAY)
		return array_run(super, sub);
	for (uint32_t i = 0; super->type == REGO_SET && i < sub->count; i++)
		if (value_find_item(super, sub->item[i]) < 0)
			return false;
	return super->type == REGO_SET;
}

static rv subset(struct call *c, const rv *arg, uint32_t count)
{
	rv super = arg[0], sub = arg[1];
	if (super->type == REGO_OBJECT && sub->type == REGO_OBJECT)
		return value_bool(subset_of(super, sub));
	if (super->type == REGO_ARRAY && sub->type == REGO_ARRAY)
		return value_bool(array_run(super, sub));
	bool list = super->type == REGO_ARRAY || super->type == REGO_SET;
	if (!list || sub->type != REGO_SET)
		return call_operand_error(c, NO_OPERAND,
			"both arguments object.subset must be of the same type or array and set");
	for (uint32_t i = 0; i < sub->count; i++) {
		bool found = super->type == REGO_SET && value_find_item(super, sub->item[i]) >= 0;
		for (uint32_t k = 0; super->type == REGO_ARRAY && !found && k < super->count; k++)
			found = value_eq(super->item[k], sub->item[i]);
		if (!found)
			return &value_false;
	}
	return &value_true;
}

static const struct builtin items[] = {
	{.name = "object.get", .arity = 3, .fn = get},
	{.name = "object.keys", .arity = 1, .fn = keys},
	{.name = "object.remove", .arity = 2, .fn = object_remove},
	{.name = "object.filter", .arity = 2, .fn = filter},
	{.name = "object.union", .arity = 2, .fn = union_two},
	{.name = "object.union_n", .arity = 1, .fn = union_n},
	{.name = "object.subset", .arity = 2, .fn = subset},
};
const struct builtin_table builtin_object_table = {items, ARRAY_COUNT(items)};
