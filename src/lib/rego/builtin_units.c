/* SPDX-License-Identifier: Apache-2.0 */
/* units.parse, units.parse_bytes, semver.compare, semver.is_valid. */
#include <stdarg.h>

#include "rego/text.h"

/* --- units --- */

struct unit_name {
	const char *name;
	uint8_t power; /* of 1000, or of 1024 */
	bool binary;
};

static bool digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static uint8_t ascii_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

/* The reference names the function twice. */
static rv unit_fail(struct call *c, const char *fmt, ...) format_printf(2, 3);
static rv unit_fail(struct call *c, const char *fmt, ...)
{
	char text[200];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return call_fail(c, "%s: %s", c->b->name, text);
}

#define EXPONENT_DIGITS 6

/*
 * Where the unit of "-1.5e3Ki" begins: at the first letter but an `e` before a digit or a sign. What
 * is before it need not be a number. SIZE_MAX when an exponent has too many digits.
 */
static size_t number_end(struct slice s)
{
	for (size_t i = 0; i < s.size; i++) {
		uint8_t ch = s.data[i], next = i + 1 < s.size ? s.data[i + 1] : 0;
		bool sign = next == '+' || next == '-';
		if ((ch | 0x20) == 'e') {
			if (!digit(next) && !sign)
				return i;
			i += sign;
			size_t end = i + 1;
			while (end < s.size && digit(s.data[end]))
				end++;
			if (end - i - 1 > EXPONENT_DIGITS)
				return SIZE_MAX;
		} else if (!digit(ch) && ch != '.' && ch != '+' && ch != '-') {
			return i;
		}
	}
	return s.size;
}

/* "1." and ".5" are numbers here. */
static rv parse_amount(struct call *c, struct slice s)
{
	char *text = mem_alloc(c->m, s.size + 4);
	size_t n = 0, i = 0;
	if (i < s.size && (s.data[i] == '-' || s.data[i] == '+'))
		if (s.data[i++] == '-')
			text[n++] = '-';
	while (i + 1 < s.size && s.data[i] == '0' && digit(s.data[i + 1]))
		i++;
	if (i < s.size && s.data[i] == '.')
		text[n++] = '0';
	for (; i < s.size; i++) {
		if (s.data[i] == '.' && (i + 1 == s.size || !digit(s.data[i + 1])))
			continue;
		text[n++] = (char)s.data[i];
	}
	return num_text_ok(slice_of(text, n)) ? num_from_text(c->m, slice_of(text, n)) : NULL;
}

static struct slice without_quotes(struct call *c, struct slice s)
{
	char *text = mem_alloc(c->m, s.size + 1);
	size_t n = 0;
	for (size_t i = 0; i < s.size; i++)
		if (s.data[i] != '"')
			text[n++] = (char)s.data[i];
	return slice_of(text, n);
}

/* The product in floating point, which is how the reference counts bytes. */
static rv scale(struct call *c, rv v, const struct unit_name *u)
{
	struct f64 f, by = {.mant = 1};
	rv factor = value_int(c->m, 1);
	for (int i = 0; i < u->power; i++)
		factor = num_mul(c->m, factor, value_int(c->m, u->binary ? 1024 : 1000));
	if (!f64_from_num(c->m, v, &f) || !f64_from_num(c->m, factor, &by))
		return unit_fail(c, "the number is too large");
	return f64_to_num(c->m, f64_mul(f, by));
}

/* A fraction of integers as a number: as it is when whole, else with ten decimals. */
static rv ratio(struct call *c, struct big n, struct big d)
{
	struct mem *m = c->m;
	struct big rest, q = big_divmod(m, n, d, &rest);
	if (rest.count == 0)
		return num_from_big(m, q);
	bool neg = n.neg;
	n.neg = false;
	n = big_add(m, big_mul(m, big_mul_small(m, n, 2), big_pow10(m, 10)), d);
	q = big_divmod(m, n, big_mul_small(m, d, 2), &rest);
	const char *digits = big_text(m, q, 10);
	size_t size = strlen(digits), zeros = size < 11 ? 11 - size : 0;
	char *text = mem_alloc(m, size + zeros + 4);
	size_t at = 0;
	if (neg)
		text[at++] = '-';
	for (size_t i = 0; i < size + zeros; i++) {
		if (i == size + zeros - 10)
			text[at++] = '.';
		text[at++] = i < zeros ? '0' : digits[i - zeros];
	}
	return num_from_text(m, slice_of(text, at));
}

#define EXPONENT_MAX 9999

/*
 * The exact product. The milli of the reference is the double nearest to 1/1000, which is
 * 1152921504606847 / 2^60.
 */
static rv scale_exactly(struct call *c, rv v, const struct unit_name *u)
{
	struct mem *m = c->m;
	char scratch[24];
	struct slice s = num_text(v, scratch);
	char *digits = mem_alloc(m, s.size + 1);
	size_t n = 0, at = 0;
	int64_t exponent = 0, e = 0;
	bool neg = s.size && s.data[0] == '-', point = false;
	for (at += neg; at < s.size && (s.data[at] | 0x20) != 'e'; at++) {
		if (s.data[at] == '.')
			point = true;
		else {
			digits[n++] = (char)s.data[at];
			exponent -= point;
		}
	}
	if (at < s.size) {
		bool minus = ++at < s.size && s.data[at] == '-';
		for (at += minus || s.data[at] == '+'; at < s.size && e <= EXPONENT_MAX; at++)
			e = e * 10 + (s.data[at] - '0');
		exponent += minus ? -e : e;
	}
	if (e > EXPONENT_MAX)
		return unit_fail(c, "exponent too large");
	struct big top = big_digits(m, slice_of(digits, n), neg), bottom = big_i64(m, 1);
	if (exponent > 0)
		top = big_mul(m, top, big_pow10(m, (uint32_t)exponent));
	else
		bottom = big_pow10(m, (uint32_t)-exponent);
	if (u) {
		for (int i = 0; i < u->power; i++)
			top = big_mul_small(m, top, u->binary ? 1024 : 1000);
	} else {
		top = big_mul(m, top, big_i64(m, 1152921504606847));
		bottom = big_shl(m, bottom, 60);
	}
	return ratio(c, top, bottom);
}

static bool no_spaces(struct slice s)
{
	for (size_t i = 0; i < s.size; i++)
		if (s.data[i] == ' ')
			return false;
	return true;
}

/* The unit in lower case, but for the first letter with @keep, which tells M from m. */
static struct slice unit_text(struct call *c, struct slice s, bool keep)
{
	char *text = mem_alloc(c->m, s.size + 1);
	for (size_t i = 0; i < s.size; i++)
		text[i] = keep && i == 0 ? (char)s.data[i] : (char)ascii_lower(s.data[i]);
	return slice_of(text, s.size);
}

static const struct unit_name *find_unit(struct slice unit, bool bytes)
{
	static const struct unit_name names[] = {
		{"", 0, false},
		{"k", 1, false},
		{"m", 2, false},
		{"g", 3, false},
		{"t", 4, false},
		{"p", 5, false},
		{"e", 6, false},
		{"ki", 1, true},
		{"mi", 2, true},
		{"gi", 3, true},
		{"ti", 4, true},
		{"pi", 5, true},
		{"ei", 6, true},
	};
	uint8_t name[4] = {0};
	size_t n = unit.size;
	if (n > 3)
		return NULL;
	for (size_t i = 0; i < n; i++)
		name[i] = ascii_lower(unit.data[i]);
	if (bytes && n > 1 && name[n - 1] == 'b')
		n--;
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		if (slice_eq_str(slice_of(name, n), names[i].name))
			return &names[i];
	return NULL;
}

static rv parse_units(struct call *c, struct slice s, bool bytes)
{
	const char *what = bytes ? "byte amount" : "amount";
	s = without_quotes(c, s);
	if (!no_spaces(s))
		return unit_fail(c, "spaces not allowed in resource strings");
	size_t end = number_end(s);
	if (end == SIZE_MAX)
		return unit_fail(c, "exponent too large");
	if (end == 0)
		return unit_fail(c, "no %s provided", what);
	struct slice unit = unit_text(c, slice_cut(s, end, s.size), !bytes);
	bool milli = !bytes && slice_eq_str(unit, "m");
	const struct unit_name *u = find_unit(unit, bytes);
	if (!u)
		return unit_fail(c,
			bytes ? "byte unit %.*s not recognized" : "unit %.*s not recognized",
			(int)MIN(unit.size, (size_t)40), unit.data);
	rv v = parse_amount(c, slice_cut(s, 0, end));
	if (!v)
		return unit_fail(c, "could not parse %s to a number", what);
	if (!bytes)
		return scale_exactly(c, v, milli ? NULL : u);
	v = scale(c, v, u);
	if (!v)
		return NULL;
	return num_sign(v) < 0 ? num_ceil(c->m, v) : num_floor(c->m, v);
}

static rv units_parse(struct call *c, const rv *arg, uint32_t count)
{
	return arg_is(c, arg, 1, REGO_STRING) ? parse_units(c, value_slice(arg[0]), false) : NULL;
}

static rv units_parse_bytes(struct call *c, const rv *arg, uint32_t count)
{
	return arg_is(c, arg, 1, REGO_STRING) ? parse_units(c, value_slice(arg[0]), true) : NULL;
}

/* --- semver --- */

struct semver {
	struct slice core[3];
	struct slice pre;
};

static bool identifiers_ok(struct slice s, bool numbers_strict)
{
	size_t start = 0;
	for (size_t i = 0; i <= s.size; i++) {
		if (i < s.size && s.data[i] != '.') {
			uint8_t ch = s.data[i];
			if (!digit(ch) && ch != '-' && !((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z'))
				return false;
			continue;
		}
		if (i == start)
			return false;
		bool number = true;
		for (size_t k = start; k < i; k++)
			number = number && digit(s.data[k]);
		if (numbers_strict && number && i - start > 1 && s.data[start] == '0')
			return false;
		start = i + 1;
	}
	return true;
}

/* Numbers without leading zeros: by length, then text. */
static int compare_digits(struct slice a, struct slice b)
{
	if (a.size != b.size)
		return a.size < b.size ? -1 : 1;
	int order = a.size ? memcmp(a.data, b.data, a.size) : 0;
	return order < 0 ? -1 : order > 0;
}

static bool parse_semver(struct slice s, struct semver *v)
{
	*v = (struct semver){0};
	if (s.size && s.data[0] == 'v')
		s = slice_cut(s, 1, s.size);
	for (size_t i = 0; i < s.size; i++)
		if (s.data[i] == '+') {
			if (!identifiers_ok(slice_cut(s, i + 1, s.size), false))
				return false;
			s = slice_cut(s, 0, i);
			break;
		}
	for (size_t i = 0; i < s.size; i++)
		if (s.data[i] == '-') {
			v->pre = slice_cut(s, i + 1, s.size);
			if (!identifiers_ok(v->pre, true))
				return false;
			s = slice_cut(s, 0, i);
			break;
		}
	size_t at = 0;
	for (int i = 0; i < 3; i++) {
		size_t start = at;
		while (at < s.size && digit(s.data[at]))
			at++;
		v->core[i] = slice_cut(s, start, at - start);
		if (at == start || (at - start > 1 && s.data[start] == '0'))
			return false;
		if (compare_digits(v->core[i], SLICE_LIT("9223372036854775807")) > 0)
			return false;
		if (i < 2 && (at >= s.size || s.data[at++] != '.'))
			return false;
	}
	return at == s.size;
}

static bool all_digits(struct slice s)
{
	for (size_t i = 0; i < s.size; i++)
		if (!digit(s.data[i]))
			return false;
	return true;
}

static int compare_identifier(struct slice a, struct slice b)
{
	bool na = all_digits(a), nb = all_digits(b);
	if (na && nb)
		return compare_digits(a, b);
	if (na != nb)
		return na ? -1 : 1;
	size_t n = MIN(a.size, b.size);
	int order = n ? memcmp(a.data, b.data, n) : 0;
	if (order == 0)
		return a.size < b.size ? -1 : a.size > b.size;
	return order < 0 ? -1 : 1;
}

static struct slice next_identifier(struct slice *rest)
{
	size_t i = 0;
	while (i < rest->size && rest->data[i] != '.')
		i++;
	struct slice id = slice_cut(*rest, 0, i);
	*rest = slice_cut(*rest, i + 1, rest->size);
	return id;
}

static int compare_pre(struct slice a, struct slice b)
{
	if (a.size == 0 || b.size == 0)
		return a.size == b.size ? 0 : a.size == 0 ? 1 : -1;
	while (a.size > 0 && b.size > 0) {
		int order = compare_identifier(next_identifier(&a), next_identifier(&b));
		if (order)
			return order;
	}
	return a.size > 0 ? 1 : b.size > 0 ? -1 : 0;
}

static rv bad_semver(struct call *c, const rv *arg, unsigned pos)
{
	return call_fail(c, "operand %u: string %s is not a valid SemVer", pos,
		text_quoted(c->m, value_slice(arg[pos - 1])));
}

static rv semver_compare(struct call *c, const rv *arg, uint32_t count)
{
	struct semver a, b;
	for (unsigned i = 1; i <= 2; i++)
		if (!arg_is(c, arg, i, REGO_STRING))
			return NULL;
	if (!parse_semver(value_slice(arg[0]), &a))
		return bad_semver(c, arg, 1);
	if (!parse_semver(value_slice(arg[1]), &b))
		return bad_semver(c, arg, 2);
	int order = 0;
	for (int i = 0; i < 3 && order == 0; i++)
		order = compare_digits(a.core[i], b.core[i]);
	return value_int(c->m, order ? order : compare_pre(a.pre, b.pre));
}

static rv semver_is_valid(struct call *c, const rv *arg, uint32_t count)
{
	struct semver v;
	return value_bool(arg[0]->type == REGO_STRING && parse_semver(value_slice(arg[0]), &v));
}

static const struct builtin items[] = {
	{.name = "units.parse", .arity = 1, .fn = units_parse},
	{.name = "units.parse_bytes", .arity = 1, .fn = units_parse_bytes},
	{.name = "semver.compare", .arity = 2, .fn = semver_compare},
	{.name = "semver.is_valid", .arity = 1, .fn = semver_is_valid},
};
const struct builtin_table builtin_units_table = {items, ARRAY_COUNT(items)};
