/* SPDX-License-Identifier: Apache-2.0 */
#include "yaml_scalar.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"

static bool digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool among(struct slice s, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (slice_eq_str(s, names[i]))
			return true;
	return false;
}

#define AMONG(s, ...)                                  \
	among((s), (const char *const[]){__VA_ARGS__}, \
		sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static size_t digits_from(struct slice s, size_t at)
{
	size_t n = 0;
	while (at + n < s.size && digit(s.data[at + n]))
		n++;
	return n;
}

/* --- timestamps: only whether it is one --- */

static bool number_at(struct slice s, size_t *at, size_t min, size_t max, unsigned *ret)
{
	size_t n = MIN(digits_from(s, *at), max);
	if (n < min)
		return false;
	*ret = 0;
	for (size_t i = 0; i < n; i++)
		*ret = *ret * 10 + (s.data[(*at)++] - '0');
	return true;
}

static bool expect(struct slice s, size_t *at, char c)
{
	if (*at >= s.size || s.data[*at] != (uint8_t)c)
		return false;
	++*at;
	return true;
}

static bool zone_at(struct slice s, size_t at)
{
	unsigned hour, minute;
	if (at < s.size && s.data[at] == 'Z')
		return at + 1 == s.size;
	if (at >= s.size || (s.data[at] != '+' && s.data[at] != '-'))
		return false;
	at++;
	return number_at(s, &at, 2, 2, &hour) && expect(s, &at, ':') &&
	       number_at(s, &at, 2, 2, &minute) && at == s.size && hour <= 24 && minute < 60;
}

static bool is_time(struct slice s)
{
	static const uint8_t days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	unsigned year, month, day, hour, minute, second;
	size_t at = 0;
	if (digits_from(s, 0) != 4 || !number_at(s, &at, 4, 4, &year) || !expect(s, &at, '-') ||
		!number_at(s, &at, 1, 2, &month) || !expect(s, &at, '-') ||
		!number_at(s, &at, 1, 2, &day) || month < 1 || month > 12 || day < 1 ||
		day > days[month - 1])
		return false;
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	if (month == 2 && day == 29 && !leap)
		return false;
	if (at == s.size)
		return true;
	uint8_t sep = s.data[at++];
	if ((sep != 'T' && sep != 't' && sep != ' ') || !number_at(s, &at, 2, 2, &hour) ||
		!expect(s, &at, ':') || !number_at(s, &at, 1, 2, &minute) || !expect(s, &at, ':') ||
		!number_at(s, &at, 1, 2, &second) || hour > 23 || minute > 59 || second > 59)
		return false;
	if (at < s.size && (s.data[at] == '.' || s.data[at] == ',')) {
		size_t n = digits_from(s, at + 1);
		if (n == 0)
			return false;
		at += 1 + n;
	}
	return sep == ' ' ? at == s.size : zone_at(s, at);
}

/* --- numbers --- */

static int digit_value(uint8_t c)
{
	return digit(c)					? c - '0'
	       : (c | 0x20) >= 'a' && (c | 0x20) <= 'z' ? (c | 0x20) - 'a' + 10
							: 99;
}

/* As strconv with base 0, or the prefixes of YAML 1.2 for octals. */
static bool parse_int(struct slice s, struct scalar *ret)
{
	size_t at = 0;
	unsigned base = 10;
	bool sign = s.size && (s.data[0] == '-' || s.data[0] == '+');
	bool negative = sign && s.data[0] == '-';
	at += sign;
	if (s.size - at > 1 && s.data[at] == '0') {
		uint8_t c = s.data[at + 1] | 0x20;
		base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
		at += c == 'x' || c == 'b' || c == 'o' ? 2 : 1;
	}
	if (at >= s.size)
		return false;
	uint64_t v = 0;
	for (; at < s.size; at++) {
		int d = digit_value(s.data[at]);
		if (d >= (int)base || __builtin_mul_overflow(v, base, &v) ||
			__builtin_add_overflow(v, (uint64_t)d, &v))
			return false;
	}
	/* An unsigned number has no sign, a signed one 63 bits. */
	if (negative ? v > (uint64_t)INT64_MAX + 1 : sign && v > INT64_MAX)
		return false;
	*ret = (struct scalar){.kind = SCALAR_INT, .negative = negative && v, .magnitude = v};
	return true;
}

static bool parse_float(struct slice s, struct scalar *ret)
{
	char text[512];
	size_t at = s.size && (s.data[0] == '-' || s.data[0] == '+');
	size_t whole = digits_from(s, at), part = 0;
	at += whole;
	if (at < s.size && s.data[at] == '.') {
		part = digits_from(s, at + 1);
		at += 1 + part;
	}
	if (whole + part == 0)
		return false;
	if (at < s.size && (s.data[at] | 0x20) == 'e') {
		at++;
		at += at < s.size && (s.data[at] == '-' || s.data[at] == '+');
		size_t n = digits_from(s, at);
		if (n == 0)
			return false;
		at += n;
	}
	if (at != s.size || s.size >= sizeof(text))
		return false;
	memcpy(text, s.data, s.size);
	text[s.size] = '\0';
	double d = strtod(text, NULL);
	*ret = (struct scalar){.kind = SCALAR_FLOAT, .number = d};
	return isfinite(d);
}

struct scalar yaml_resolve(struct slice s)
{
	struct scalar v = {0};
	char plain[512];
	size_t n = 0;
	if (AMONG(s, "", "~", "null", "Null", "NULL"))
		v.kind = SCALAR_NULL;
	else if (AMONG(s, "true", "True", "TRUE"))
		v.kind = SCALAR_TRUE;
	else if (AMONG(s, "false", "False", "FALSE"))
		v.kind = SCALAR_FALSE;
	else if (AMONG(s, "<<"))
		v.kind = SCALAR_MERGE;
	else if (AMONG(s, ".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF",
			 "-.inf", "-.Inf", "-.INF"))
		v = (struct scalar){.kind = SCALAR_INF,
			.negative = s.data[0] == '-',
			.number = s.data[1] == 'n' || s.data[1] == 'N' ? NAN : INFINITY};
	if (v.kind != SCALAR_STR || s.size >= sizeof(plain))
		return v;
	if (s.data[0] == '.') {
		if (!parse_float(s, &v))
			v = (struct scalar){0};
		return v;
	}
	if (!digit(s.data[0]) && s.data[0] != '+' && s.data[0] != '-')
		return v;
	if (is_time(s))
		return (struct scalar){.kind = SCALAR_TIME};
	for (size_t i = 0; i < s.size; i++)
		if (s.data[i] != '_')
			plain[n++] = (char)s.data[i];
	if (!parse_int(slice_of(plain, n), &v) && !parse_float(slice_of(plain, n), &v))
		v = (struct scalar){0};
	return v;
}

/* Sexagesimal numbers of YAML 1.1: 1:30, 190:20:30.15 */
static bool is_base60(struct slice s)
{
	size_t at = s.size && (s.data[0] == '-' || s.data[0] == '+');
	size_t groups = 0;
	if (at >= s.size || !digit(s.data[at]))
		return false;
	while (at < s.size && (digit(s.data[at]) || s.data[at] == '_'))
		at++;
	while (at < s.size && s.data[at] == ':') {
		size_t n = digits_from(s, at + 1);
		if (n < 1 || n > 2 || (n == 2 && s.data[at + 1] > '5'))
			return false;
		at += 1 + n;
		groups++;
	}
	if (groups && at < s.size && s.data[at] == '.')
		for (at++; at < s.size && (digit(s.data[at]) || s.data[at] == '_');)
			at++;
	return groups && at == s.size;
}

bool yaml_needs_quotes(struct slice s)
{
	return yaml_resolve(s).kind != SCALAR_STR || is_base60(s) ||
	       AMONG(s, "y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "n", "N", "no", "No", "NO",
		       "off", "Off", "OFF");
}

/* The shortest text "D.DDDe+XX" that reads back. */
static void shortest(char *text, size_t size, double d, bool single)
{
	int digits = 0;
	for (;; digits++) {
		snprintf(text, size, "%.*e", digits, d);
		if (digits == 17 ||
			(single ? strtof(text, NULL) == (float)d : strtod(text, NULL) == d))
			return;
	}
}

/* The digits of "-D.DDD" with the point moved; zeros where there are none. */
static void put_positional(struct buf *out, const char *text, const char *end, int exp)
{
	if (*text == '-')
		buf_put_u8(out, (uint8_t)*text++);
	if (exp < 0) {
		buf_put_str(out, "0.");
		for (int i = -1; i > exp; i--)
			buf_put_u8(out, '0');
	}
	int place = exp;
	for (const char *p = text; p < end; p++) {
		if (*p == '.')
			continue;
		if (place == -1 && exp >= 0)
			buf_put_u8(out, '.');
		buf_put_u8(out, (uint8_t)*p);
		place--;
	}
	for (; place >= 0; place--)
		buf_put_u8(out, '0');
}

static void put_float(struct buf *out, double d, bool json, bool single)
{
	char text[40];
	if (d == 0) {
		buf_put_str(out, signbit(d) ? "-0" : "0");
		return;
	}
	shortest(text, sizeof(text), d, single);
	char *e = strchr(text, 'e');
	int exp = (int)strtol(e + 1, NULL, 10), magnitude = exp < 0 ? -exp : exp;
	if (json ? exp >= -6 && exp < 21 : exp >= -4 && exp < 6) {
		put_positional(out, text, e, exp);
		return;
	}
	buf_put(out, text, (size_t)(e - text));
	buf_printf(
		out, json && magnitude < 10 ? "e%c%d" : "e%c%02d", exp < 0 ? '-' : '+', magnitude);
}

void go_float(struct buf *out, double d, bool json)
{
	put_float(out, d, json, false);
}

void go_float32(struct buf *out, float d)
{
	put_float(out, (double)d, false, true);
}
