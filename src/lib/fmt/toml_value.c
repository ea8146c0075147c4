/* SPDX-License-Identifier: Apache-2.0 */
/* Strings, numbers, booleans and dates of TOML. */
#include <math.h>

#include "base/clock.h"
#include "base/parse.h"
#include "base/str.h"
#include "fmt/toml_internal.h"

#define NUMBER_MAX 128

static int put_escape(struct toml *t, struct buf *out)
{
	static const char simple[] = "b\bt\tn\nf\fr\r\"\"\\\\";
	int c = toml_peek(t);

	for (size_t i = 0; i + 1 < sizeof(simple); i += 2) {
		if (c == simple[i]) {
			t->pos++;
			buf_put_u8(out, (uint8_t)simple[i + 1]);
			return 0;
		}
	}
	size_t digits = c == 'u' ? 4 : c == 'U' ? 8 : 0;
	uint64_t code;
	uint8_t utf8[4];
	struct slice hex = slice_cut(t->in, t->pos + 1, digits);
	if (digits == 0 || hex.size != digits || slice_starts(hex, SLICE_LIT("0x")) ||
		slice_starts(hex, SLICE_LIT("0X")) || parse_hex64(hex, &code) < 0)
		return toml_fail(t, -EBADMSG, "unknown escape in a string");
	size_t n = utf8_encode((uint32_t)code, utf8);
	if (n == 0)
		return toml_fail(t, -EBADMSG, "escape is not a Unicode character");
	t->pos += 1 + digits;
	buf_put(out, utf8, n);
	return 0;
}

/* A backslash at the end of a line swallows the break and the blanks that follow. */
static bool line_continuation(struct toml *t)
{
	size_t pos = t->pos;
	while (toml_peek(t) == ' ' || toml_peek(t) == '\t')
		t->pos++;
	if (!toml_newline(t)) {
		t->pos = pos;
		return false;
	}
	while (toml_peek(t) == ' ' || toml_peek(t) == '\t' || toml_newline(t)) {
		if (toml_peek(t) == ' ' || toml_peek(t) == '\t')
			t->pos++;
	}
	return true;
}

static int multi_line(struct toml *t, char quote, struct buf *out)
{
	char end[4] = {quote, quote, quote, 0};

	t->pos += 3;
	toml_newline(t);
	for (;;) {
		int c = toml_peek(t);
		if (toml_at(t, end)) {
			t->pos += 3;
			/* Up to two quotes may stand right before the closing three. */
			for (int i = 0; i < 2 && toml_peek(t) == quote; i++, t->pos++)
				buf_put_u8(out, (uint8_t)quote);
			return 0;
		}
		if (c < 0)
			return toml_fail(t, -EBADMSG, "string is not closed");
		if (c == '\n' || toml_at(t, "\r\n")) {
			toml_newline(t);
			buf_put_u8(out, '\n');
		} else if (c == '\\' && quote == '"') {
			t->pos++;
			if (!line_continuation(t)) {
				int r = put_escape(t, out);
				if (r < 0)
					return r;
			}
		} else if ((c < 0x20 && c != '\t') || c == 0x7F) {
			return toml_fail(t, -EBADMSG, "control character in a string");
		} else {
			buf_put_u8(out, (uint8_t)c);
			t->pos++;
		}
	}
}

static int single_line(struct toml *t, char quote, struct buf *out)
{
	t->pos++;
	for (;;) {
		int c = toml_peek(t);
		if (c == quote) {
			t->pos++;
			return 0;
		}
		if (c < 0 || c == '\n' || (c < 0x20 && c != '\t') || c == 0x7F)
			return toml_fail(t, -EBADMSG, "string is not closed on its line");
		t->pos++;
		if (c == '\\' && quote == '"') {
			int r = put_escape(t, out);
			if (r < 0)
				return r;
		} else {
			buf_put_u8(out, (uint8_t)c);
		}
	}
}

int toml_string(struct toml *t, bool key, struct buf *out)
{
	char quote = (char)toml_peek(t);
	bool multi = toml_at(t, quote == '"' ? "\"\"\"" : "'''");

	if (multi && key)
		return toml_fail(t, -EBADMSG, "a key cannot be a multi-line string");
	int r = multi ? multi_line(t, quote, out) : single_line(t, quote, out);
	if (r < 0)
		return r;
	if (buf_error(out) < 0)
		return toml_fail(t, buf_error(out), "string is too long");
	return utf8_valid(buf_slice(out)) ? 0
					  : toml_fail(t, -EBADMSG, "malformed UTF-8 in a string");
}

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

/* Removes underscores, each of which must stand between two digits. */
static int without_underscores(struct slice in, char *dst)
{
	size_t n = 0;
	for (size_t i = 0; i < in.size; i++) {
		if (in.data[i] != '_') {
			dst[n++] = (char)in.data[i];
			continue;
		}
		bool between = i > 0 && i + 1 < in.size &&
			       strchr("0123456789abcdefABCDEF", in.data[i - 1]) &&
			       strchr("0123456789abcdefABCDEF", in.data[i + 1]) &&
			       in.data[i + 1] != 0;
		if (!between)
			return -EBADMSG;
	}
	dst[n] = 0;
	return 0;
}

static int integer_base(const char *text, json_t **ret)
{
	unsigned shift = text[1] == 'x' ? 4 : text[1] == 'o' ? 3 : 1;
	uint64_t v = 0;

	if (text[2] == 0)
		return -EBADMSG;
	for (const char *p = text + 2; *p; p++) {
		unsigned d = is_digit(*p)	      ? (unsigned)(*p - '0')
			     : *p >= 'a' && *p <= 'f' ? (unsigned)(*p - 'a') + 10
			     : *p >= 'A' && *p <= 'F' ? (unsigned)(*p - 'A') + 10
						      : 99;
		if (d >= 1U << shift || v >> (63 - shift))
			return -EBADMSG;
		v = v << shift | d;
	}
	*ret = json_integer((json_int_t)v);
	return *ret ? 0 : -ENOMEM;
}

/* The grammar of a decimal float; strtod alone would accept far more. */
static bool is_float(const char *p)
{
	bool fraction = false, exponent = false;

	if (*p == '+' || *p == '-')
		p++;
	if (!is_digit(*p) || (*p == '0' && is_digit(p[1])))
		return false;
	while (is_digit(*p))
		p++;
	if (*p == '.') {
		fraction = true;
		if (!is_digit(*++p))
			return false;
		while (is_digit(*p))
			p++;
	}
	if (*p == 'e' || *p == 'E') {
		exponent = true;
		p++;
		if (*p == '+' || *p == '-')
			p++;
		if (!is_digit(*p))
			return false;
		while (is_digit(*p))
			p++;
	}
	return *p == 0 && (fraction || exponent);
}

static int number(struct slice word, json_t **ret)
{
	char text[NUMBER_MAX + 1];
	int64_t v;

	if (word.size > NUMBER_MAX || without_underscores(word, text) < 0)
		return -EBADMSG;
	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'o' || text[1] == 'b'))
		return integer_base(text, ret);
	if (is_float(text)) {
		double d = strtod(text, NULL);
		*ret = isfinite(d) ? json_real(d) : NULL;
		return *ret ? 0 : -EBADMSG;
	}
	const char *p = text + (text[0] == '+' || text[0] == '-');
	if (p[0] == '0' && p[1] != 0)
		return -EBADMSG; /* leading zeros */
	if (!is_digit(p[0]) ||
		parse_i64(slice_str(text[0] == '+' ? p : text), INT64_MIN, INT64_MAX, &v) < 0)
		return -EBADMSG;
	*ret = json_integer((json_int_t)v);
	return *ret ? 0 : -ENOMEM;
}

/* Local dates and times have no instant, so dates stay text; the shape is checked. */
static bool is_date(struct slice word)
{
	char full[64];
	int64_t ignored;
	const char *z = "";

	if (word.size > 40)
		return false;
	if (word.size >= 8 && word.data[2] == ':') {
		snprintf(full, sizeof(full), "2000-01-01T%.*sZ", SLICE_ARG(word));
		return rfc3339_parse(slice_str(full), &ignored) == 0;
	}
	if (word.size == 10) {
		snprintf(full, sizeof(full), "%.*sT00:00:00Z", SLICE_ARG(word));
		return rfc3339_parse(slice_str(full), &ignored) == 0;
	}
	if (word.size > 10) {
		struct slice tail = slice_cut(word, 19, word.size);
		bool offset = tail.size > 0 && (memchr(tail.data, 'Z', tail.size) ||
						       memchr(tail.data, 'z', tail.size) ||
						       memchr(tail.data, '+', tail.size) ||
						       memchr(tail.data, '-', tail.size));
		z = offset ? "" : "Z";
	}
	snprintf(full, sizeof(full), "%.*s%s", SLICE_ARG(word), z);
	return rfc3339_parse(slice_str(full), &ignored) == 0;
}

int toml_scalar(struct toml *t, json_t **ret)
{
	size_t n = 0;
	struct slice rest = slice_cut(t->in, t->pos, t->in.size);

	while (n < rest.size &&
		(is_digit(rest.data[n]) || strchr("+-._:", rest.data[n]) ||
			(rest.data[n] >= 'a' && rest.data[n] <= 'z') ||
			(rest.data[n] >= 'A' && rest.data[n] <= 'Z')) &&
		rest.data[n] != 0)
		n++;
	/* "1979-05-27 07:32:00": a blank may stand between date and time. */
	if (n == 10 && n + 3 < rest.size && rest.data[4] == '-' && rest.data[n] == ' ' &&
		is_digit(rest.data[n + 1]) && is_digit(rest.data[n + 2]) &&
		rest.data[n + 3] == ':') {
		n++;
		while (n < rest.size &&
			(is_digit(rest.data[n]) ||
				(rest.data[n] != 0 && strchr("+-.:Zz", rest.data[n]))))
			n++;
	}
	struct slice word = slice_cut(rest, 0, n);
	if (n == 0)
		return toml_fail(t, -EBADMSG, "value expected");
	if (slice_eq_str(word, "true") || slice_eq_str(word, "false")) {
		*ret = json_boolean(word.data[0] == 't');
	} else if (number(word, ret) < 0) {
		if (!is_date(word))
			return toml_fail(t, -EBADMSG,
				"value is not a string, number, boolean, date, array or table");
		*ret = json_stringn((const char *)word.data, word.size);
	}
	if (!*ret)
		return -ENOMEM;
	t->pos += n;
	return 0;
}
