/* SPDX-License-Identifier: Apache-2.0 */
#include "rego/number.h"

bool num_text_ok(struct slice s)
{
	size_t i = 0;
	if (i < s.size && s.data[i] == '-')
		i++;
	size_t start = i;
	while (i < s.size && s.data[i] >= '0' && s.data[i] <= '9')
		i++;
	if (i == start || (i > start + 1 && s.data[start] == '0'))
		return false;
	if (i < s.size && s.data[i] == '.') {
		start = ++i;
		while (i < s.size && s.data[i] >= '0' && s.data[i] <= '9')
			i++;
		if (i == start)
			return false;
	}
	if (i < s.size && (s.data[i] == 'e' || s.data[i] == 'E')) {
		i++;
		if (i < s.size && (s.data[i] == '+' || s.data[i] == '-'))
			i++;
		start = i;
		while (i < s.size && s.data[i] >= '0' && s.data[i] <= '9')
			i++;
		if (i == start)
			return false;
	}
	return i == s.size;
}

/* Plain integers that fit, but not "-0", whose text OPA keeps. */
static bool plain_int(struct slice s, int64_t *ret)
{
	if (s.size == 0 || s.size > 20)
		return false;
	bool neg = s.data[0] == '-';
	uint64_t v = 0;
	for (size_t i = neg ? 1 : 0; i < s.size; i++) {
		unsigned d = (unsigned)s.data[i] - '0';
		if (d > 9 || __builtin_mul_overflow(v, (uint64_t)10, &v) ||
			__builtin_add_overflow(v, (uint64_t)d, &v))
			return false;
	}
	if (v > (uint64_t)INT64_MAX + (neg ? 1 : 0) || (neg && v == 0))
		return false;
	*ret = neg ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}

rv num_from_text(struct mem *m, struct slice text)
{
	int64_t i;
	if (plain_int(text, &i))
		return value_int(m, i);
	struct rego_value *v = mem_alloc(m, sizeof(*v) + text.size + 1);
	v->type = REGO_NUMBER;
	v->sub = NUM_DEC;
	v->count = (uint32_t)text.size;
	if (text.data)
		memcpy((char *)(uintptr_t)v->text, text.data, text.size);
	return v;
}

struct slice num_text(rv v, char scratch[24])
{
	if (v->sub == NUM_DEC)
		return value_slice(v);
	int n = snprintf(scratch, 24, "%lld", (long long)v->i);
	return slice_of(scratch, (size_t)n);
}

/* A decimal as 0.DIGITS * 10^exp, without leading and trailing zeros; a view of the text. */
struct dec {
	bool neg;
	bool zero;
	int64_t exp;
	struct slice text; /* digits, maybe with one '.' among them */
};

#define EXP_MAX ((int64_t)1 << 40)

static struct dec dec_of(struct slice s)
{
	struct dec d = {.neg = s.size && s.data[0] == '-'};
	if (d.neg)
		s = slice_cut(s, 1, s.size);
	size_t end = 0;
	while (end < s.size && s.data[end] != 'e' && s.data[end] != 'E')
		end++;
	int64_t e = 0;
	bool minus = false;
	for (size_t i = end + 1; i < s.size; i++) {
		if (s.data[i] == '-')
			minus = true;
		else if (s.data[i] != '+' && e < EXP_MAX)
			e = e * 10 + (s.data[i] - '0');
	}
	d.exp = minus ? -e : e;
	size_t dot = 0;
	while (dot < end && s.data[dot] != '.')
		dot++;
	size_t first = 0;
	while (first < end && (s.data[first] == '0' || s.data[first] == '.'))
		first++;
	while (end > first && (s.data[end - 1] == '0' || s.data[end - 1] == '.'))
		end--;
	if (first >= end) {
		d.zero = true;
		d.neg = false;
		return d;
	}
	d.exp += first < dot ? (int64_t)(dot - first) : -(int64_t)(first - dot - 1);
	d.text = slice_of(s.data + first, end - first);
	return d;
}

static int dec_compare(struct dec a, struct dec b)
{
	if (a.zero || b.zero) {
		if (a.zero && b.zero)
			return 0;
		return a.zero ? (b.neg ? 1 : -1) : (a.neg ? -1 : 1);
	}
	if (a.neg != b.neg)
		return a.neg ? -1 : 1;
	int sign = a.neg ? -1 : 1;
	if (a.exp != b.exp)
		return a.exp < b.exp ? -sign : sign;
	size_t i = 0, k = 0;
	for (;;) {
		if (i < a.text.size && a.text.data[i] == '.')
			i++;
		if (k < b.text.size && b.text.data[k] == '.')
			k++;
		if (i >= a.text.size || k >= b.text.size)
			break;
		if (a.text.data[i] != b.text.data[k])
			return a.text.data[i] < b.text.data[k] ? -sign : sign;
		i++;
		k++;
	}
	if (i < a.text.size)
		return sign;
	return k < b.text.size ? -sign : 0;
}

int num_compare(rv a, rv b)
{
	if (a->sub == NUM_INT && b->sub == NUM_INT)
		return a->i < b->i ? -1 : a->i > b->i;
	char sa[24], sb[24];
	return dec_compare(dec_of(num_text(a, sa)), dec_of(num_text(b, sb)));
}

static size_t dec_digits(struct dec d)
{
	size_t n = d.text.size;
	for (size_t i = 0; i < d.text.size; i++)
		n -= d.text.data[i] == '.';
	return n;
}

bool num_is_integer(rv v)
{
	if (v->sub == NUM_INT)
		return true;
	struct dec d = dec_of(value_slice(v));
	return d.zero || (d.exp > 0 && (uint64_t)d.exp >= dec_digits(d));
}

bool num_is_plain_integer(rv v)
{
	if (v->sub == NUM_INT)
		return true;
	for (uint32_t i = v->text[0] == '-'; i < v->count; i++)
		if (v->text[i] < '0' || v->text[i] > '9')
			return false;
	return true;
}

bool num_to_i64(rv v, int64_t *ret)
{
	if (v->sub == NUM_INT) {
		*ret = v->i;
		return true;
	}
	if (!num_is_integer(v))
		return false;
	struct dec d = dec_of(value_slice(v));
	if (d.zero) {
		*ret = 0;
		return true;
	}
	if (d.exp > 19)
		return false;
	char text[32];
	size_t n = 0;
	if (d.neg)
		text[n++] = '-';
	size_t digits = 0;
	for (size_t i = 0; i < d.text.size; i++)
		if (d.text.data[i] != '.') {
			text[n++] = (char)d.text.data[i];
			digits++;
		}
	for (; digits < (size_t)d.exp; digits++)
		text[n++] = '0';
	return plain_int(slice_of(text, n), ret);
}

bool num_to_big(struct mem *m, rv v, struct big *ret)
{
	if (v->sub == NUM_INT) {
		*ret = big_i64(m, v->i);
		return true;
	}
	if (!num_is_integer(v))
		return false;
	struct dec d = dec_of(value_slice(v));
	if (d.zero) {
		*ret = big_u64(m, 0, false);
		return true;
	}
	if (d.exp > BIG_MAX_BITS / 4)
		return false;
	uint8_t *digits = mem_alloc(m, (size_t)d.exp);
	size_t n = 0;
	for (size_t i = 0; i < d.text.size; i++)
		if (d.text.data[i] != '.')
			digits[n++] = d.text.data[i];
	while (n < (size_t)d.exp)
		digits[n++] = '0';
	*ret = big_digits(m, slice_of(digits, n), d.neg);
	return true;
}

rv num_from_big(struct mem *m, struct big v)
{
	int64_t i;
	if (big_to_i64(v, &i))
		return value_int(m, i);
	return num_from_text(m, slice_str(big_text(m, v, 10)));
}

double num_to_double(rv v)
{
	if (v->sub == NUM_INT)
		return (double)v->i;
	return strtod(v->text, NULL);
}

int num_sign(rv v)
{
	if (v->sub == NUM_INT)
		return v->i < 0 ? -1 : v->i > 0;
	struct dec d = dec_of(value_slice(v));
	return d.zero ? 0 : d.neg ? -1 : 1;
}

static void floats(struct mem *m, rv a, rv b, struct f64 *fa, struct f64 *fb)
{
	if (!f64_from_num(m, a, fa) || !f64_from_num(m, b, fb))
		mem_fail(m, REGO_ERR_MEMORY, "memory", "a number is too large to compute with");
}

rv num_add(struct mem *m, rv a, rv b)
{
	int64_t r;
	struct big x, y;
	struct f64 fx, fy;
	if (a->sub == NUM_INT && b->sub == NUM_INT && !__builtin_add_overflow(a->i, b->i, &r))
		return value_int(m, r);
	if (num_to_big(m, a, &x) && num_to_big(m, b, &y))
		return num_from_big(m, big_add(m, x, y));
	floats(m, a, b, &fx, &fy);
	return f64_to_num(m, f64_add(fx, fy));
}

rv num_sum(struct mem *m, rv list)
{
	rv sum = value_int(m, 0);
	bool exact = true;
	for (uint32_t i = 0; i < list->count && exact; i++)
		exact = num_is_integer(list->item[i]);
	for (uint32_t i = 0; i < list->count && exact; i++)
		sum = num_add(m, sum, list->item[i]);
	struct f64 f = {0}, g;
	for (uint32_t i = 0; i < list->count && !exact; i++) {
		floats(m, list->item[i], list->item[i], &g, &g);
		f = f64_add(f, g);
	}
	return exact ? sum : f64_to_num(m, f);
}

rv num_product(struct mem *m, rv list)
{
	rv product = value_int(m, 1);
	bool exact = true;
	for (uint32_t i = 0; i < list->count && exact; i++)
		exact = num_is_integer(list->item[i]);
	for (uint32_t i = 0; i < list->count && exact; i++)
		product = num_mul(m, product, list->item[i]);
	struct f64 f, g;
	floats(m, value_int(m, 1), value_int(m, 1), &f, &g);
	for (uint32_t i = 0; i < list->count && !exact; i++) {
		floats(m, list->item[i], list->item[i], &g, &g);
		f = f64_round53(f64_mul(f, g));
	}
	return exact ? product : f64_to_num53(m, f);
}

rv num_sub(struct mem *m, rv a, rv b)
{
	int64_t r;
	struct big x, y;
	struct f64 fx, fy;
	if (a->sub == NUM_INT && b->sub == NUM_INT && !__builtin_sub_overflow(a->i, b->i, &r))
		return value_int(m, r);
	if (num_to_big(m, a, &x) && num_to_big(m, b, &y))
		return num_from_big(m, big_sub(m, x, y));
	floats(m, a, b, &fx, &fy);
	fy.neg = !fy.neg;
	return f64_to_num(m, f64_add(fx, fy));
}

rv num_mul(struct mem *m, rv a, rv b)
{
	int64_t r;
	struct big x, y;
	struct f64 fx, fy;
	if (a->sub == NUM_INT && b->sub == NUM_INT && !__builtin_mul_overflow(a->i, b->i, &r))
		return value_int(m, r);
	if (num_to_big(m, a, &x) && num_to_big(m, b, &y))
		return num_from_big(m, big_mul(m, x, y));
	floats(m, a, b, &fx, &fy);
	return f64_to_num(m, f64_mul(fx, fy));
}

rv num_div(struct mem *m, rv a, rv b)
{
	struct f64 fx, fy;
	if (a->sub == NUM_INT && b->sub == NUM_INT && b->i != -1 && a->i % b->i == 0)
		return value_int(m, a->i / b->i);
	floats(m, a, b, &fx, &fy);
	return f64_to_num(m, f64_div(fx, fy));
}

rv num_rem(struct mem *m, rv a, rv b)
{
	struct big x, y, rem;
	if (a->sub == NUM_INT && b->sub == NUM_INT)
		return value_int(m, b->i == -1 ? 0 : a->i % b->i);
	if (!num_to_big(m, a, &x) || !num_to_big(m, b, &y))
		mem_fail(m, REGO_ERR_MEMORY, "memory", "a number is too large to compute with");
	(void)big_divmod(m, x, y, &rem);
	return num_from_big(m, rem);
}

rv num_abs(struct mem *m, rv v)
{
	struct f64 f;
	int sign = num_sign(v);
	if (sign == 0)
		return value_int(m, 0);
	if (num_is_plain_integer(v))
		return sign > 0 ? v : num_sub(m, value_int(m, 0), v);
	floats(m, v, v, &f, &f);
	f.neg = false;
	return f64_to_num(m, f);
}

/* The integer part towards zero and whether something was cut off, of a decimal. */
static struct big integer_part(struct mem *m, rv v, bool *ret_cut, unsigned *ret_next)
{
	struct dec d = dec_of(value_slice(v));
	*ret_cut = false;
	*ret_next = 0;
	if (d.zero)
		return big_u64(m, 0, false);
	if (d.exp > BIG_MAX_BITS / 4)
		mem_fail(m, REGO_ERR_MEMORY, "memory", "a number is too large to compute with");
	size_t want = d.exp > 0 ? (size_t)d.exp : 0, n = 0;
	uint8_t *digits = mem_alloc(m, want + 1);
	for (size_t i = 0; i < d.text.size; i++) {
		if (d.text.data[i] == '.')
			continue;
		if (n < want) {
			digits[n++] = d.text.data[i];
			continue;
		}
		if (!*ret_cut && d.exp >= 0)
			*ret_next = d.text.data[i] - '0';
		*ret_cut = true;
	}
	while (n < want)
		digits[n++] = '0';
	struct big r = big_digits(m, slice_of(digits, n), false);
	r.neg = d.neg;
	return r;
}

static rv step_away(struct mem *m, struct big v)
{
	bool neg = v.neg;
	v.neg = false;
	v = big_add(m, v, big_u64(m, 1, false));
	v.neg = neg;
	return num_from_big(m, v);
}

static rv cut_to(struct mem *m, rv v, int direction)
{
	if (num_is_plain_integer(v))
		return num_sign(v) ? v : value_int(m, 0);
	bool cut;
	unsigned next;
	struct big whole = integer_part(m, v, &cut, &next);
	bool away = direction == 0 ? next >= 5 : cut && (direction > 0) == !whole.neg;
	if (away)
		return step_away(m, whole);
	if (whole.count == 0)
		whole.neg = false;
	return num_from_big(m, whole);
}

rv num_round(struct mem *m, rv v)
{
	return cut_to(m, v, 0);
}

rv num_ceil(struct mem *m, rv v)
{
	return cut_to(m, v, 1);
}

rv num_floor(struct mem *m, rv v)
{
	return cut_to(m, v, -1);
}

bool num_to_index(rv v, int64_t *ret)
{
	char scratch[24];
	struct slice s = num_text(v, scratch);
	size_t neg = s.size && s.data[0] == '-';
	for (size_t i = 0; i < s.size; i++)
		if ((s.data[i] | 0x20) == 'e')
			return false;
	return s.size - neg <= 19 && num_is_integer(v) && num_to_i64(v, ret);
}

int rego_int(const struct rego_value *v, int64_t *ret)
{
	if (!v || v->type != REGO_NUMBER || !num_is_integer(v))
		return -EINVAL;
	return num_to_i64(v, ret) ? 0 : -ERANGE;
}
