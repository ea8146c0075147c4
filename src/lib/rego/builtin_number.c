/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic, rounding, ranges and bits. */
#include "rego/builtin.h"

static bool numbers(struct call *c, const rv *arg)
{
	return arg_is(c, arg, 1, REGO_NUMBER) && arg_is(c, arg, 2, REGO_NUMBER);
}

static rv plus(struct call *c, const rv *arg, uint32_t count)
{
	return numbers(c, arg) ? num_add(c->m, arg[0], arg[1]) : NULL;
}

static rv set_difference(struct call *c, rv a, rv b)
{
	struct list l = {0};
	for (uint32_t i = 0; i < a->count; i++)
		if (value_find_item(b, a->item[i]) < 0)
			list_push(c->m, &l, a->item[i]);
	return value_set_sorted(c->m, l.item, l.count);
}

static rv minus(struct call *c, const rv *arg, uint32_t count)
{
	if (arg[0]->type == REGO_SET && arg[1]->type == REGO_SET)
		return set_difference(c, arg[0], arg[1]);
	if (arg[0]->type == REGO_NUMBER && arg[1]->type == REGO_NUMBER)
		return num_sub(c->m, arg[0], arg[1]);
	if (arg[0]->type != REGO_NUMBER && arg[0]->type != REGO_SET)
		return call_type_error(c, 1, "one of {number, set}", arg[0]);
	/* As OPA has it: what the second operand is not, not what the first one calls for. */
	return call_type_error(c, 2, arg[1]->type == REGO_NUMBER ? "set" : "number", arg[1]);
}

static rv mul(struct call *c, const rv *arg, uint32_t count)
{
	return numbers(c, arg) ? num_mul(c->m, arg[0], arg[1]) : NULL;
}

static rv divide(struct call *c, const rv *arg, uint32_t count)
{
	if (!numbers(c, arg))
		return NULL;
	if (num_sign(arg[1]) == 0)
		return call_fail(c, "divide by zero");
	return num_div(c->m, arg[0], arg[1]);
}

static rv rem(struct call *c, const rv *arg, uint32_t count)
{
	if (!numbers(c, arg))
		return NULL;
	if (!num_is_integer(arg[0]) || !num_is_integer(arg[1]))
		return call_fail(c, "modulo on floating-point number");
	if (num_sign(arg[1]) == 0)
		return call_fail(c, "modulo by zero");
	return num_rem(c->m, arg[0], arg[1]);
}

static rv absolute(struct call *c, const rv *arg, uint32_t count)
{
	return arg_is(c, arg, 1, REGO_NUMBER) ? num_abs(c->m, arg[0]) : NULL;
}

static rv rounded(struct call *c, const rv *arg, uint32_t count)
{
	return arg_is(c, arg, 1, REGO_NUMBER) ? num_round(c->m, arg[0]) : NULL;
}

static rv ceiling(struct call *c, const rv *arg, uint32_t count)
{
	return arg_is(c, arg, 1, REGO_NUMBER) ? num_ceil(c->m, arg[0]) : NULL;
}

static rv floored(struct call *c, const rv *arg, uint32_t count)
{
	return arg_is(c, arg, 1, REGO_NUMBER) ? num_floor(c->m, arg[0]) : NULL;
}

static rv range_of(struct call *c, rv from, rv to, rv step)
{
	struct list l = {0};
	int order = num_compare(from, to);
	/* 1.0 and 1e2 are written as integers in the result. */
	for (rv at = num_add(c->m, from, value_int(c->m, 0));;
		at = order <= 0 ? num_add(c->m, at, step) : num_sub(c->m, at, step)) {
		int now = num_compare(at, to);
		if (order <= 0 ? now > 0 : now < 0)
			break;
		list_push(c->m, &l, at);
		if ((l.count & 255) == 0)
			call_charge(c, 256);
	}
	return value_array(c->m, l.item, l.count);
}

static bool whole(struct call *c, const rv *arg, unsigned pos)
{
	if (arg[pos - 1]->type != REGO_NUMBER) {
		call_type_error(c, pos, "integer", arg[pos - 1]);
		return false;
	}
	if (num_is_integer(arg[pos - 1]))
		return true;
	call_operand_error(c, pos, "must be integer number but got floating-point number");
	return false;
}

static rv range(struct call *c, const rv *arg, uint32_t count)
{
	if (!whole(c, arg, 1) || !whole(c, arg, 2))
		return NULL;
	return range_of(c, arg[0], arg[1], value_int(c->m, 1));
}

static rv range_step(struct call *c, const rv *arg, uint32_t count)
{
	if (!whole(c, arg, 1) || !whole(c, arg, 2) || !whole(c, arg, 3))
		return NULL;
	if (num_sign(arg[2]) <= 0)
		return call_fail(c, "numbers.range_step: step must be a positive integer");
	return range_of(c, arg[0], arg[1], arg[2]);
}

static rv bitop(struct call *c, const rv *arg, char op)
{
	struct big a, b;
	if (!whole(c, arg, 1) || !whole(c, arg, 2))
		return NULL;
	if (!num_to_big(c->m, arg[0], &a) || !num_to_big(c->m, arg[1], &b))
		return call_fail(c, "the number is too large");
	return num_from_big(c->m, big_bitop(c->m, a, b, op));
}

static rv bits_and(struct call *c, const rv *arg, uint32_t count)
{
	return bitop(c, arg, '&');
}

static rv bits_or(struct call *c, const rv *arg, uint32_t count)
{
	return bitop(c, arg, '|');
}

static rv bits_xor(struct call *c, const rv *arg, uint32_t count)
{
	return bitop(c, arg, '^');
}

static rv bits_negate(struct call *c, const rv *arg, uint32_t count)
{
	if (!whole(c, arg, 1))
		return NULL;
	return num_sub(c->m, value_int(c->m, -1), arg[0]);
}

static bool shift_args(
	struct call *c, const rv *arg, bool right, struct big *ret, uint32_t *ret_bits)
{
	int64_t bits;
	if (!whole(c, arg, 1) || !whole(c, arg, 2))
		return false;
	if (num_sign(arg[1]) < 0) {
		call_operand_error(
			c, 2, "must be an unsigned integer number but got a negative integer");
		return false;
	}
	if (!num_to_i64(arg[1], &bits))
		bits = INT64_MAX;
	/* All bits of any number are gone then. */
	if (right && bits > BIG_MAX_BITS)
		bits = BIG_MAX_BITS;
	if (bits > BIG_MAX_BITS || !num_to_big(c->m, arg[0], ret)) {
		call_fail(c, "the number is too large");
		return false;
	}
	*ret_bits = (uint32_t)bits;
	return true;
}

static rv bits_lsh(struct call *c, const rv *arg, uint32_t count)
{
	struct big a;
	uint32_t bits;
	return shift_args(c, arg, false, &a, &bits) ? num_from_big(c->m, big_shl(c->m, a, bits))
						    : NULL;
}

static rv bits_rsh(struct call *c, const rv *arg, uint32_t count)
{
	struct big a;
	uint32_t bits;
	if (!shift_args(c, arg, true, &a, &bits))
		return NULL;
	struct big r = big_shr_abs(c->m, a, bits);
	/* An arithmetic shift rounds towards minus infinity. */
	if (a.neg && big_cmp_abs(big_shl(c->m, r, bits), a) != 0) {
		r.neg = false;
		r = big_add(c->m, r, big_u64(c->m, 1, false));
	}
	r.neg = a.neg && r.count > 0;
	return num_from_big(c->m, r);
}

static rv format_int(struct call *c, const rv *arg, uint32_t count)
{
	int64_t base;
	struct big a;
	if (!arg_is(c, arg, 1, REGO_NUMBER) || !arg_is(c, arg, 2, REGO_NUMBER))
		return NULL;
	if (!num_is_plain_integer(arg[1]) || !num_to_i64(arg[1], &base) ||
		(base != 2 && base != 8 && base != 10 && base != 16))
		return call_operand_error(c, 2, "must be one of {2, 8, 10, 16}");
	rv v = num_sign(arg[0]) < 0 ? num_ceil(c->m, arg[0]) : num_floor(c->m, arg[0]);
	if (!num_to_big(c->m, v, &a))
		return call_fail(c, "the number is too large");
	return value_cstr(c->m, big_text(c->m, a, (unsigned)base));
}

static const struct builtin items[] = {
	{.name = "plus", .arity = 2, .fn = plus},
	{.name = "minus", .arity = 2, .fn = minus},
	{.name = "mul", .arity = 2, .fn = mul},
	{.name = "div", .arity = 2, .fn = divide},
	{.name = "rem", .arity = 2, .fn = rem},
	{.name = "abs", .arity = 1, .fn = absolute},
	{.name = "round", .arity = 1, .fn = rounded},
	{.name = "ceil", .arity = 1, .fn = ceiling},
	{.name = "floor", .arity = 1, .fn = floored},
	{.name = "numbers.range", .arity = 2, .fn = range},
	{.name = "numbers.range_step", .arity = 3, .fn = range_step},
	{.name = "bits.and", .arity = 2, .fn = bits_and},
	{.name = "bits.or", .arity = 2, .fn = bits_or},
	{.name = "bits.xor", .arity = 2, .fn = bits_xor},
	{.name = "bits.negate", .arity = 1, .fn = bits_negate},
	{.name = "bits.lsh", .arity = 2, .fn = bits_lsh},
	{.name = "bits.rsh", .arity = 2, .fn = bits_rsh},
	{.name = "format_int", .arity = 2, .fn = format_int},
};
const struct builtin_table builtin_number_table = {items, ARRAY_COUNT(items)};
