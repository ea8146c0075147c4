/* SPDX-License-Identifier: Apache-2.0 */
#include "rego/bigint.h"

static struct big alloc(struct mem *m, uint32_t count)
{
	if (count > BIG_MAX_BITS / 32)
		mem_fail(m, REGO_ERR_MEMORY, "memory", "a number exceeds %u bits", BIG_MAX_BITS);
	return (struct big){.count = count, .limb = mem_array(m, count + 1, sizeof(uint32_t))};
}

static struct big trim(struct big a)
{
	while (a.count > 0 && a.limb[a.count - 1] == 0)
		a.count--;
	if (a.count == 0)
		a.neg = false;
	return a;
}

struct big big_u64(struct mem *m, uint64_t v, bool neg)
{
	struct big a = alloc(m, 2);
	a.limb[0] = (uint32_t)v;
	a.limb[1] = (uint32_t)(v >> 32);
	a.neg = neg;
	return trim(a);
}

struct big big_i64(struct mem *m, int64_t v)
{
	return big_u64(m, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, v < 0);
}

static unsigned digit_value(uint8_t c)
{
	return c <= '9' ? (unsigned)c - '0' : ((unsigned)c | 0x20) - 'a' + 10;
}

struct big big_parse(struct mem *m, struct slice digits, unsigned base, bool neg)
{
	if (digits.size > BIG_MAX_BITS / 4)
		mem_fail(m, REGO_ERR_MEMORY, "memory", "a number exceeds %u bits", BIG_MAX_BITS);
	/* At most 5.2 bits a digit. */
	struct big a = alloc(m, (uint32_t)(digits.size * 6 / 32) + 2);
	mem_spend(m, (uint64_t)a.count * digits.size / 10);
	a.count = 0;
	for (size_t i = 0; i < digits.size;) {
		/* As many digits at once as fit into a limb, or fewer. */
		uint32_t factor = 1;
		uint64_t carry = 0;
		for (unsigned n = 0; n < 6 && i < digits.size; n++, i++) {
			factor *= base;
			carry = carry * base + digit_value(digits.data[i]);
		}
		for (uint32_t k = 0; k < a.count; k++) {
			carry += (uint64_t)a.limb[k] * factor;
			a.limb[k] = (uint32_t)carry;
			carry >>= 32;
		}
		if (carry)
			a.limb[a.count++] = (uint32_t)carry;
	}
	a.neg = neg;
	return trim(a);
}

struct big big_digits(struct mem *m, struct slice digits, bool neg)
{
	return big_parse(m, digits, 10, neg);
}

static uint32_t div_small(struct big *a, uint32_t d)
{
	uint64_t rem = 0;
	for (uint32_t i = a->count; i-- > 0;) {
		rem = rem << 32 | a->limb[i];
		a->limb[i] = (uint32_t)(rem / d);
		rem %= d;
	}
	*a = trim(*a);
	return (uint32_t)rem;
}

static struct big copy(struct mem *m, struct big a)
{
	struct big c = alloc(m, a.count);
	if (a.count)
		memcpy(c.limb, a.limb, a.count * sizeof(uint32_t));
	c.neg = a.neg;
	return c;
}

/* Digits of @value in front of text[at], at least @least of them. Return: where they begin. */
static size_t put_digits(char *text, size_t at, uint32_t value, unsigned base, unsigned least)
{
	for (unsigned i = 0; i < least || value > 0; i++) {
		uint32_t rest = value / base;
		text[--at] = "0123456789abcdefghijklmnopqrstuvwxyz"[value - rest * base];
		value = rest;
	}
	return at;
}

char *big_text(struct mem *m, struct big a, unsigned base)
{
	size_t room = (size_t)a.count * 32 + 3, at = room - 1;
	char *text = mem_alloc(m, room);
	bool neg = a.neg;
	mem_spend(m, (uint64_t)a.count * a.count * (base == 10 ? 1 : 8));
	struct big rest = copy(m, a);
	rest.neg = false;
	uint32_t chunk = base == 10 ? 1000000000u : base;
	unsigned digits = base == 10 ? 9 : 1;
	if (rest.count == 0)
		text[--at] = '0';
	while (rest.count > 0) {
		uint32_t r = div_small(&rest, chunk);
		at = put_digits(text, at, r, base, rest.count == 0 ? 1 : digits);
		if (base != 10 && rest.count == 0)
			break;
	}
	if (neg)
		text[--at] = '-';
	return text + at;
}

bool big_to_i64(struct big a, int64_t *ret)
{
	if (a.count > 2)
		return false;
	uint64_t v = a.count > 0 ? a.limb[0] : 0;
	if (a.count > 1)
		v |= (uint64_t)a.limb[1] << 32;
	if (v > (uint64_t)INT64_MAX + (a.neg ? 1 : 0))
		return false;
	*ret = a.neg ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}

uint32_t big_bits(struct big a)
{
	if (a.count == 0)
		return 0;
	return a.count * 32 - (uint32_t)__builtin_clz(a.limb[a.count - 1]);
}

int big_cmp_abs(struct big a, struct big b)
{
	if (a.count != b.count)
		return a.count < b.count ? -1 : 1;
	for (uint32_t i = a.count; i-- > 0;)
		if (a.limb[i] != b.limb[i])
			return a.limb[i] < b.limb[i] ? -1 : 1;
	return 0;
}

static struct big add_abs(struct mem *m, struct big a, struct big b)
{
	if (a.count < b.count) {
		struct big t = a;
		a = b;
		b = t;
	}
	struct big r = alloc(m, a.count + 1);
	uint64_t carry = 0;
	for (uint32_t i = 0; i < a.count; i++) {
		carry += (uint64_t)a.limb[i] + (i < b.count ? b.limb[i] : 0);
		r.limb[i] = (uint32_t)carry;
		carry >>= 32;
	}
	r.limb[a.count] = (uint32_t)carry;
	return trim(r);
}

/* |a| >= |b| */
static struct big sub_abs(struct mem *m, struct big a, struct big b)
{
	struct big r = alloc(m, a.count);
	int64_t borrow = 0;
	for (uint32_t i = 0; i < a.count; i++) {
		int64_t d = (int64_t)a.limb[i] - (i < b.count ? b.limb[i] : 0) + borrow;
		r.limb[i] = (uint32_t)d;
		borrow = d < 0 ? -1 : 0;
	}
	return trim(r);
}

struct big big_add(struct mem *m, struct big a, struct big b)
{
	struct big r;
	if (a.neg == b.neg) {
		r = add_abs(m, a, b);
		r.neg = a.neg;
	} else if (big_cmp_abs(a, b) >= 0) {
		r = sub_abs(m, a, b);
		r.neg = a.neg;
	} else {
		r = sub_abs(m, b, a);
		r.neg = b.neg;
	}
	return trim(r);
}

struct big big_sub(struct mem *m, struct big a, struct big b)
{
	b.neg = !b.neg;
	return big_add(m, a, b);
}

struct big big_mul(struct mem *m, struct big a, struct big b)
{
	struct big r = alloc(m, a.count + b.count);
	mem_spend(m, (uint64_t)a.count * b.count);
	for (uint32_t i = 0; i < a.count; i++) {
		uint64_t carry = 0;
		for (uint32_t k = 0; k < b.count; k++) {
			carry += (uint64_t)a.limb[i] * b.limb[k] + r.limb[i + k];
			r.limb[i + k] = (uint32_t)carry;
			carry >>= 32;
		}
		r.limb[i + b.count] = (uint32_t)carry;
	}
	r.neg = a.neg != b.neg;
	return trim(r);
}

struct big big_mul_small(struct mem *m, struct big a, uint32_t b)
{
	struct big s = {.count = b ? 1 : 0, .limb = &b};
	return big_mul(m, a, s);
}

struct big big_shl(struct mem *m, struct big a, uint32_t bits)
{
	if (bits > BIG_MAX_BITS)
		mem_fail(m, REGO_ERR_MEMORY, "memory", "a number exceeds %u bits", BIG_MAX_BITS);
	uint32_t words = bits / 32, rest = bits % 32;
	struct big r = alloc(m, a.count + words + 1);
	for (uint32_t i = 0; i < a.count; i++) {
		uint64_t v = (uint64_t)a.limb[i] << rest;
		r.limb[i + words] |= (uint32_t)v;
		r.limb[i + words + 1] |= (uint32_t)(v >> 32);
	}
	r.neg = a.neg;
	return trim(r);
}

struct big big_shr_abs(struct mem *m, struct big a, uint32_t bits)
{
	uint32_t words = bits / 32, rest = bits % 32;
	if (words >= a.count)
		return alloc(m, 0);
	struct big r = alloc(m, a.count - words);
	for (uint32_t i = 0; i < r.count; i++) {
		uint64_t v = a.limb[i + words];
		if (i + words + 1 < a.count)
			v |= (uint64_t)a.limb[i + words + 1] << 32;
		r.limb[i] = (uint32_t)(v >> rest);
	}
	r.neg = a.neg;
	return trim(r);
}

/* Knuth's algorithm D on normalised operands. */
struct big big_divmod(struct mem *m, struct big a, struct big b, struct big *ret_rem)
{
	bool qneg = a.neg != b.neg, rneg = a.neg;
	a.neg = b.neg = false;
	if (big_cmp_abs(a, b) < 0) {
		if (ret_rem) {
			*ret_rem = copy(m, a);
			ret_rem->neg = rneg;
		}
		return alloc(m, 0);
	}
	if (b.count == 1) {
		struct big q = copy(m, a);
		uint32_t r = div_small(&q, b.limb[0]);
		if (ret_rem)
			*ret_rem = big_u64(m, r, rneg);
		q.neg = qneg;
		return trim(q);
	}
	uint32_t shift = (uint32_t)__builtin_clz(b.limb[b.count - 1]);
	struct big v = big_shl(m, b, shift), u = big_shl(m, a, shift);
	uint32_t n = v.count, steps = u.count - n;
	mem_spend(m, (uint64_t)n * (steps + 1));
	struct big w = alloc(m, u.count + 1);
	memcpy(w.limb, u.limb, u.count * sizeof(uint32_t));
	struct big q = alloc(m, steps + 1);
	for (uint32_t j = steps + 1; j-- > 0;) {
		uint64_t num = (uint64_t)w.limb[j + n] << 32 | w.limb[j + n - 1];
		uint64_t qhat = num / v.limb[n - 1], rhat = num % v.limb[n - 1];
		while (qhat > UINT32_MAX ||
			qhat * v.limb[n - 2] > (rhat << 32 | w.limb[j + n - 2])) {
			qhat--;
			rhat += v.limb[n - 1];
			if (rhat > UINT32_MAX)
				break;
		}
		int64_t borrow = 0;
		uint64_t carry = 0;
		for (uint32_t i = 0; i < n; i++) {
			carry += qhat * v.limb[i];
			int64_t d = (int64_t)w.limb[i + j] - (int64_t)(uint32_t)carry + borrow;
			w.limb[i + j] = (uint32_t)d;
			borrow = d < 0 ? -1 : 0;
			carry >>= 32;
		}
		int64_t d = (int64_t)w.limb[j + n] - (int64_t)carry + borrow;
		w.limb[j + n] = (uint32_t)d;
		if (d < 0) {
			qhat--;
			uint64_t add = 0;
			for (uint32_t i = 0; i < n; i++) {
				add += (uint64_t)w.limb[i + j] + v.limb[i];
				w.limb[i + j] = (uint32_t)add;
				add >>= 32;
			}
			w.limb[j + n] += (uint32_t)add;
		}
		q.limb[j] = (uint32_t)qhat;
	}
	if (ret_rem) {
		*ret_rem = big_shr_abs(m, trim(w), shift);
		ret_rem->neg = rneg;
		*ret_rem = trim(*ret_rem);
	}
	q.neg = qneg;
	return trim(q);
}

struct big big_pow10(struct mem *m, uint32_t exponent)
{
	struct big r = big_u64(m, 1, false), base = big_u64(m, 10, false);
	if (exponent > BIG_MAX_BITS / 4)
		mem_fail(m, REGO_ERR_MEMORY, "memory", "a number exceeds %u bits", BIG_MAX_BITS);
	for (; exponent > 0; exponent >>= 1) {
		if (exponent & 1)
			r = big_mul(m, r, base);
		if (exponent > 1)
			base = big_mul(m, base, base);
	}
	return r;
}

/* Limb @i of the infinite two's complement of @a; @carry starts as 1 for negative numbers. */
static uint32_t twos_limb(struct big a, uint32_t i, uint64_t *carry)
{
	uint32_t v = i < a.count ? a.limb[i] : 0;
	if (!a.neg)
		return v;
	*carry += (uint32_t)~v;
	v = (uint32_t)*carry;
	*carry >>= 32;
	return v;
}

struct big big_bitop(struct mem *m, struct big a, struct big b, char op)
{
	uint32_t count = MAX(a.count, b.count) + 1;
	struct big r = alloc(m, count);
	bool neg = op == '&' ? a.neg && b.neg : op == '|' ? a.neg || b.neg : a.neg != b.neg;
	uint64_t ca = 1, cb = 1, cr = 1;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t x = twos_limb(a, i, &ca), y = twos_limb(b, i, &cb);
		uint32_t z = op == '&' ? x & y : op == '|' ? x | y : x ^ y;
		if (neg) {
			cr += (uint32_t)~z;
			z = (uint32_t)cr;
			cr >>= 32;
		}
		r.limb[i] = z;
	}
	r.neg = neg;
	return trim(r);
}
