/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers. Callers: arithmetic built-ins, comparison and printing of numbers out of JSON. Attacker:
 * whoever sends the input document. Format: two JSON numbers and a shift, a line each. Asserts the laws
 * of order and of exact integer arithmetic, and that printed floats read back as the same.
 */
#include <assert.h>

#include "rego/number.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct job {
	struct mem *m;
	struct slice a, b;
	uint64_t steps;
};

static bool same(struct big a, struct big b)
{
	return a.neg == b.neg && big_cmp_abs(a, b) == 0;
}

static void integers(struct mem *m, rv a, rv b, struct big x, struct big y)
{
	struct big rem, sum = big_add(m, x, y), product = big_mul(m, x, y);
	rv s = num_add(m, a, b);
	assert(num_compare(s, num_from_big(m, sum)) == 0);
	assert(num_compare(num_sub(m, s, b), a) == 0);
	assert(num_compare(num_mul(m, a, b), num_from_big(m, product)) == 0);
	assert(num_compare(a, num_from_big(m, x)) == 0);
	if (y.count == 0)
		return;
	struct big q = big_divmod(m, x, y, &rem);
	assert(big_cmp_abs(rem, y) < 0 && (rem.count == 0 || rem.neg == x.neg));
	assert(same(big_add(m, big_mul(m, q, y), rem), x));
	assert(num_compare(num_rem(m, a, b), num_from_big(m, rem)) == 0);
	assert(same(big_bitop(m, x, y, '^'),
		big_sub(m, big_bitop(m, x, y, '|'), big_bitop(m, x, y, '&'))));
}

static void one(struct mem *m, rv a)
{
	struct f64 f, g;
	int64_t i;
	rv low = num_floor(m, a), high = num_ceil(m, a);
	assert(num_is_integer(low) && num_is_integer(high) && num_is_integer(num_round(m, a)));
	assert(num_compare(low, a) <= 0 && num_compare(a, high) <= 0);
	if (num_to_i64(a, &i))
		assert(num_compare(value_int(m, i), a) == 0);
	if (!f64_from_num(m, a, &f))
		return;
	assert(f64_from_num(m, f64_to_num(m, f), &g));
	/* Next to a power of two Go's digits, which these are, can be too few. */
	bool power = f.mant == (uint64_t)1 << 63;
	assert(power || (f.mant == g.mant && f.exp == g.exp && f.neg == g.neg) || f.mant == 0);
	assert(num_sign(num_abs(m, a)) >= 0);
	(void)num_from_double(m, num_to_double(a));
}

static void run(void *arg)
{
	struct job *j = arg;
	rv a = num_from_text(j->m, j->a), b = num_from_text(j->m, j->b);
	struct big x, y;
	assert(num_compare(a, a) == 0);
	assert(num_compare(a, b) == -num_compare(b, a));
	assert(num_sign(a) == num_compare(a, value_int(j->m, 0)));
	one(j->m, a);
	if (num_to_big(j->m, a, &x) && num_to_big(j->m, b, &y))
		integers(j->m, a, b, x, y);
	else if (num_sign(b) != 0)
		(void)num_mul(j->m, num_div(j->m, a, b), num_sub(j->m, a, b));
}

/* Long numbers are expensive, and say so before they are. */
static void spend(void *cookie, uint64_t steps)
{
	struct job *j = cookie;
	j->steps += steps;
	if (j->steps > 200000)
		mem_escape(j->m, REGO_ERR_STEPS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 512)
		return 0;
	const uint8_t *nl = size ? memchr(data, '\n', size) : NULL;
	size_t n = nl ? (size_t)(nl - data) : size;
	struct mem m = {.arena = arena_new(64 << 20)};
	struct job j = {&m, slice_of(data, n), slice_of(data + n + !!nl, size - n - !!nl), 0};
	m.spend = spend;
	m.cookie = &j;
	if (m.arena && num_text_ok(j.a) && num_text_ok(j.b))
		(void)!mem_guard(&m, run, &j, NULL);
	arena_free(m.arena);
	return 0;
}
