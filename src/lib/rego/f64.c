/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Floating point with a 64-bit mantissa and round to nearest even, and its conversion from and to
 * decimal text, both exact. OPA computes with Go's big.Float, whose default precision this is.
 */
#include "rego/number.h"

#define EXP_LIMIT 100000 /* decimal; beyond it a number is refused as too large */

/* mant holds 128 bits, @sticky whether anything below is lost. */
static struct f64 normal(bool neg, unsigned __int128 mant, int64_t exp, bool sticky)
{
	struct f64 r = {.neg = neg};
	if (mant == 0)
		return r;
	uint64_t high = (uint64_t)(mant >> 64);
	int lead = high ? __builtin_clzll(high) : 64 + __builtin_clzll((uint64_t)mant);
	mant <<= lead;
	exp -= lead;
	uint64_t top = (uint64_t)(mant >> 64), low = (uint64_t)mant;
	exp += 64;
	bool half = low >> 63;
	bool rest = (low << 1) != 0 || sticky;
	if (half && (rest || (top & 1))) {
		top++;
		if (top == 0) {
			top = (uint64_t)1 << 63;
			exp++;
		}
	}
	r.mant = top;
	r.exp = (int32_t)exp;
	return r;
}

struct f64 f64_add(struct f64 a, struct f64 b)
{
	if (a.mant == 0)
		return b;
	if (b.mant == 0)
		return a;
	if (a.exp < b.exp || (a.exp == b.exp && a.mant < b.mant)) {
		struct f64 t = a;
		a = b;
		b = t;
	}
	/* a is the larger; keep 62 bits below it, and two above for the carry. */
	unsigned __int128 x = (unsigned __int128)a.mant << 62;
	int64_t exp = (int64_t)a.exp - 62;
	int64_t shift = (int64_t)a.exp - b.exp;
	unsigned __int128 y = (unsigned __int128)b.mant << 62;
	bool sticky = false;
	if (shift >= 127) {
		sticky = true;
		y = 0;
	} else if (shift > 0) {
		sticky = (y & (((unsigned __int128)1 << shift) - 1)) != 0;
		y >>= shift;
	}
	if (a.neg == b.neg)
		return normal(a.neg, x + y, exp, sticky);
	unsigned __int128 d = x - y;
	if (sticky)
		d--; /* the lost part makes the difference a little smaller */
	return normal(a.neg, d, exp, sticky);
}

struct f64 f64_mul(struct f64 a, struct f64 b)
{
	return normal(
		a.neg != b.neg, (unsigned __int128)a.mant * b.mant, (int64_t)a.exp + b.exp, false);
}

struct f64 f64_div(struct f64 a, struct f64 b)
{
	if (a.mant == 0)
		return a;
	/* Long division of mant * 2^66 by mant: at least 65 bits of quotient. */
	unsigned __int128 rem = a.mant, quot = 0;
	for (int i = 0; i < 67; i++) {
		quot <<= 1;
		if (rem >= b.mant) {
			rem -= b.mant;
			quot |= 1;
		}
		rem <<= 1;
	}
	return normal(a.neg != b.neg, quot, (int64_t)a.exp - b.exp - 66, rem != 0);
}

static struct f64 from_big(struct mem *m, struct big v, int64_t exp, bool sticky)
{
	uint32_t bits = big_bits(v);
	if (bits > 128) {
		uint32_t drop = bits - 128;
		struct big cut = big_shr_abs(m, v, drop);
		struct big back = big_shl(m, cut, drop);
		sticky = sticky || big_cmp_abs(back, v) != 0;
		v = cut;
		exp += drop;
	}
	unsigned __int128 mant = 0;
	for (uint32_t i = v.count; i-- > 0;)
		mant = mant << 32 | v.limb[i];
	return normal(v.neg, mant, exp, sticky);
}

/* Decimal text of the JSON grammar to digits * 10^exponent. */
static bool split_text(struct mem *m, struct slice s, struct big *ret_digits, int64_t *ret_exp)
{
	bool neg = s.size && s.data[0] == '-';
	uint8_t *digits = mem_alloc(m, s.size + 1);
	size_t count = 0, i = neg ? 1 : 0;
	int64_t exp = 0;
	for (; i < s.size && s.data[i] != 'e' && s.data[i] != 'E'; i++) {
		if (s.data[i] == '.') {
			exp = -(int64_t)(s.size - i - 1);
			for (size_t k = i; k < s.size; k++)
				if ((s.data[k] | 0x20) == 'e')
					exp = -(int64_t)(k - i - 1);
			continue;
		}
		digits[count++] = s.data[i];
	}
	if (i < s.size) {
		bool minus = false;
		int64_t e = 0;
		for (i++; i < s.size; i++) {
			if (s.data[i] == '-')
				minus = true;
			else if (s.data[i] != '+' && e < EXP_LIMIT * 10)
				e = e * 10 + (s.data[i] - '0');
		}
		exp += minus ? -e : e;
	}
	*ret_digits = big_digits(m, slice_of(digits, count), neg);
	*ret_exp = exp;
	return exp > -EXP_LIMIT && exp < EXP_LIMIT;
}

bool f64_from_num(struct mem *m, rv v, struct f64 *ret)
{
	if (v->sub == NUM_INT) {
		uint64_t mag = v->i < 0 ? 0 - (uint64_t)v->i : (uint64_t)v->i;
		*ret = normal(v->i < 0, mag, 0, false);
		return true;
	}
	struct big digits;
	int64_t exp;
	if (!split_text(m, value_slice(v), &digits, &exp))
		return false;
	if (exp >= 0) {
		*ret = from_big(m, big_mul(m, digits, big_pow10(m, (uint32_t)exp)), 0, false);
		return true;
	}
	struct big den = big_pow10(m, (uint32_t)-exp), rem;
	int64_t shift = (int64_t)big_bits(den) - big_bits(digits) + 130;
	if (shift < 0)
		shift = 0;
	struct big quot = big_divmod(m, big_shl(m, digits, (uint32_t)shift), den, &rem);
	quot.neg = digits.neg;
	*ret = from_big(m, quot, -shift, rem.count != 0);
	return true;
}

/*
 * Shortest digits: the decimal with the fewest digits inside the interval that rounds to f, the
 * closest of them (Steele and White, with exact integers). Returns digits and the position of the
 * decimal point.
 */
static size_t shortest(
	struct mem *m, struct f64 f, unsigned bits, bool quarter, char *out, int32_t *ret_point)
{
	/*
	 * value = mant * 2^exp; neighbours are half a unit away. Below a power of two it is a
	 * quarter, of which Go's big.Float takes no notice.
	 */
	bool boundary = quarter && f.mant == (uint64_t)1 << (bits - 1);
	bool even = !(f.mant & 1);
	struct big r = big_u64(m, f.mant, false), s = big_u64(m, 1, false);
	struct big up, down;
	uint32_t extra = boundary ? 2 : 1;
	if (f.exp >= 0) {
		r = big_shl(m, r, (uint32_t)f.exp + extra);
		s = big_shl(m, s, extra);
		up = big_shl(m, big_u64(m, 1, false), (uint32_t)f.exp + (boundary ? 1 : 0));
		down = big_shl(m, big_u64(m, 1, false), (uint32_t)f.exp);
	} else {
		r = big_shl(m, r, extra);
		s = big_shl(m, s, (uint32_t)-f.exp + extra);
		up = big_u64(m, boundary ? 2 : 1, false);
		down = big_u64(m, 1, false);
	}
	/* Estimate the decimal exponent, then correct it. */
	double log10v = ((double)f.exp + (double)bits - 1) * 0.30102999566398120;
	int32_t k = (int32_t)(log10v < 0 ? log10v - 1 : log10v);
	if (k >= 0) {
		s = big_mul(m, s, big_pow10(m, (uint32_t)k));
	} else {
		struct big p = big_pow10(m, (uint32_t)-k);
		r = big_mul(m, r, p);
		up = big_mul(m, up, p);
		down = big_mul(m, down, p);
	}
	for (;;) {
		int c = big_cmp_abs(big_add(m, r, up), s);
		if (even ? c < 0 : c <= 0)
			break;
		s = big_mul_small(m, s, 10);
		k++;
	}
	size_t count = 0;
	for (;;) {
		r = big_mul_small(m, r, 10);
		up = big_mul_small(m, up, 10);
		down = big_mul_small(m, down, 10);
		struct big rem;
		struct big q = big_divmod(m, r, s, &rem);
		unsigned digit = q.count ? q.limb[0] : 0;
		r = rem;
		if (count == 0 && digit == 0) { /* the estimate was one too high */
			k--;
			continue;
		}
		int cl = big_cmp_abs(r, down), ch = big_cmp_abs(big_add(m, r, up), s);
		bool low = even ? cl <= 0 : cl < 0, high = even ? ch >= 0 : ch > 0;
		if (!low && !high) {
			out[count++] = (char)('0' + digit);
			continue;
		}
		/* Half way between two digits, Go takes the even one. */
		int half = big_cmp_abs(big_mul_small(m, r, 2), s);
		if (high && (!low || half > 0 || (half == 0 && digit % 2)))
			digit++;
		out[count++] = (char)('0' + digit);
		break;
	}
	/* A last digit that became ten: carry, and drop the zero. */
	while (count > 1 && out[count - 1] > '9') {
		count--;
		out[count - 1]++;
	}
	if (out[0] > '9') {
		out[0] = '1';
		k++;
	}
	*ret_point = k;
	return count;
}

/* digits 0.d1d2d3... * 10^point as Go prints them: plain, or with an exponent. */
static rv print_digits(
	struct mem *m, bool neg, const char *digits, size_t count, int32_t point, bool plain)
{
	size_t room = count + (size_t)(point < 0 ? -point : point) + 32;
	char *text = mem_alloc(m, room);
	size_t n = 0;
	if (neg)
		text[n++] = '-';
	/* Go decides as if there were six digits. */
	if (!plain && (point - 1 < -4 || point - 1 >= 6)) {
		text[n++] = digits[0];
		if (count > 1) {
			text[n++] = '.';
			memcpy(text + n, digits + 1, count - 1);
			n += count - 1;
		}
		int32_t e = point - 1;
		n += (size_t)snprintf(
			text + n, room - n, "e%c%02d", e < 0 ? '-' : '+', e < 0 ? -e : e);
		return num_from_text(m, slice_of(text, n));
	}
	if (point <= 0) {
		text[n++] = '0';
		text[n++] = '.';
		for (int32_t i = point; i < 0; i++)
			text[n++] = '0';
		memcpy(text + n, digits, count);
		n += count;
	} else {
		for (size_t i = 0; i < MAX(count, (size_t)point); i++) {
			if (i == (size_t)point)
				text[n++] = '.';
			text[n++] = i < count ? digits[i] : '0';
		}
	}
	return num_from_text(m, slice_of(text, n));
}

static rv to_num(struct mem *m, struct f64 f, unsigned bits)
{
	if (f.mant == 0)
		return value_int(m, 0);
	int tz = __builtin_ctzll(f.mant);
	bool integer = f.exp >= 0 || (f.exp > -64 && -f.exp <= tz);
	char digits[64];
	int32_t point;
	size_t count = shortest(m, f, bits, false, digits, &point);
	return print_digits(m, f.neg, digits, count, point, integer);
}

rv f64_to_num(struct mem *m, struct f64 f)
{
	return to_num(m, f, 64);
}

struct f64 f64_round53(struct f64 f)
{
	uint64_t low = f.mant & 0x7ff;
	f.mant -= low;
	if (low > 0x400 || (low == 0x400 && (f.mant & 0x800))) {
		f.mant += 0x800;
		if (f.mant == 0) {
			f.mant = (uint64_t)1 << 63;
			f.exp++;
		}
	}
	return f;
}

rv f64_to_num53(struct mem *m, struct f64 f)
{
	f.mant >>= 11;
	f.exp += 11;
	return to_num(m, f, 53);
}

rv num_from_double(struct mem *m, double d)
{
	uint64_t raw;
	memcpy(&raw, &d, sizeof(raw));
	struct f64 f = {.neg = raw >> 63};
	int32_t e = (int32_t)(raw >> 52 & 0x7ff);
	f.mant = raw & (((uint64_t)1 << 52) - 1);
	if (e == 0x7ff)
		return NULL;
	if (e == 0)
		e = 1;
	else
		f.mant |= (uint64_t)1 << 52;
	f.exp = e - 1075;
	if (f.mant == 0)
		return value_int(m, 0);
	/* Subnormals have fewer bits; shortest() only needs the unit in the last place. */
	char digits[64];
	int32_t point;
	unsigned bits = 64 - (unsigned)__builtin_clzll(f.mant);
	size_t count = shortest(m, f, e == 1 ? 64 : bits, true, digits, &point);
	return print_digits(m, f.neg, digits, count, point, false);
}
