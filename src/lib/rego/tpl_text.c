/* SPDX-License-Identifier: Apache-2.0 */
/* Constants of a template: numbers, characters, quoted strings. */
#include "rego/tpl.h"

static int hex(unsigned ch)
{
	if (ch - (unsigned)'0' < 10u)
		return ch - '0';
	if ((ch | 32u) - 'a' < 6u)
		return (ch | 32) - 'a' + 10;
	return -1;
}

/* @count digits of @base at *at; false when there are fewer. */
static bool digits(struct slice s, size_t *at, unsigned count, unsigned base, uint32_t *ret)
{
	*ret = 0;
	for (unsigned i = 0; i < count; i++, (*at)++) {
		int d = *at < s.size ? hex(s.data[*at]) : -1;
		if (d < 0 || (unsigned)d >= base)
			return false;
		*ret = *ret * base + (unsigned)d;
	}
	return true;
}

static void put_rune(struct buf *b, uint32_t r)
{
	if (r < 0x80) {
		buf_put_u8(b, (uint8_t)r);
		return;
	}
	if (r >= 0x10000) {
		buf_put_u8(b, (uint8_t)(0xf0 | r >> 18));
		buf_put_u8(b, (uint8_t)(0x80 | (r >> 12 & 63)));
	} else if (r >= 0x800)
		buf_put_u8(b, (uint8_t)(0xe0 | r >> 12));
	if (r >= 0x800)
		buf_put_u8(b, (uint8_t)(0x80 | (r >> 6 & 63)));
	else
		buf_put_u8(b, (uint8_t)(0xc0 | r >> 6));
	buf_put_u8(b, (uint8_t)(0x80 | (r & 63)));
}

/* Behind a backslash. */
static bool escape(struct slice s, size_t *at, uint8_t quote, struct buf *b)
{
	static const char from[] = "abfnrtv\\", to[] = "\a\b\f\n\r\t\v\\";
	uint8_t ch = *at < s.size ? s.data[(*at)++] : 0;
	const char *simple = ch ? strchr(from, ch) : NULL;
	uint32_t code;
	if (simple || ch == quote) {
		buf_put_u8(b, simple ? (uint8_t)to[simple - from] : quote);
		return true;
	}
	if (ch == 'x' || (ch >= '0' && ch < '8')) {
		*at -= ch != 'x';
		if (!digits(s, at, ch == 'x' ? 2 : 3, ch == 'x' ? 16 : 8, &code) || code > 255)
			return false;
		buf_put_u8(b, (uint8_t)code);
		return true;
	}
	if ((ch != 'u' && ch != 'U') || !digits(s, at, ch == 'u' ? 4 : 8, 16, &code))
		return false;
	if (code > 0x10ffff || code - 0xd800 < 0x800)
		return false;
	put_rune(b, code);
	return true;
}

struct slice tpl_unquote(struct tpl *t, const struct tpl_token *tok)
{
	struct slice s = {tok->text.data + 1, tok->text.size - 2};
	if (tok->kind == TPL_T_RAW || !memchr(s.data, '\\', s.size))
		return s;
	/* Never longer than its source. */
	uint8_t *copy = mem_alloc(t->c->m, s.size + 1);
	size_t size = 0;
	for (size_t at = 0; at < s.size;) {
		struct buf b = buf_init(16);
		bool ok = true;
		if (s.data[at] == '\\') {
			at++;
			ok = escape(s, &at, tok->text.data[0], &b);
		} else
			buf_put_u8(&b, s.data[at++]);
		ok = ok && !buf_error(&b) && b.size <= s.size - size;
		if (ok && b.size)
			memcpy(copy + size, b.data, b.size);
		size += ok ? b.size : 0;
		buf_done(&b);
		if (!ok) {
			tpl_error(t, "invalid syntax");
			break;
		}
	}
	return (struct slice){copy, size};
}

static struct tpl_value character(struct tpl *t, const struct tpl_token *tok)
{
	struct slice s = tpl_unquote(t, tok);
	int64_t code = s.size ? s.data[0] : 0;
	if (s.size == 0 || s.size > 4)
		goto bad;
	if (s.size > 1) {
		code &= s.size == 2 ? 31 : s.size == 3 ? 15 : 7;
		for (size_t i = 1; i < s.size; i++) {
			if ((s.data[i] & 0xc0) != 0x80)
				goto bad;
			code = code << 6 | (s.data[i] & 63);
		}
	}
	return tpl_int(t, code);
bad:
	tpl_error(t, "malformed character constant: %.*s", (int)MIN(tok->text.size, (size_t)80),
		(const char *)tok->text.data);
	return (struct tpl_value){0};
}

static struct tpl_value based(struct tpl *t, struct slice s, size_t at, unsigned base, bool minus)
{
	uint64_t v = 0;
	bool any = false;
	for (; at < s.size; at++) {
		int d = hex(s.data[at]);
		if (s.data[at] == '_' && at + 1 < s.size)
			continue;
		if (d < 0 || (unsigned)d >= base || v > (UINT64_MAX >> 1) / base)
			goto bad;
		v = v * base + (unsigned)d;
		any = true;
	}
	if (any && v <= INT64_MAX)
		return tpl_int(t, minus ? -(int64_t)v : (int64_t)v);
bad:
	tpl_error(t, "bad number syntax: \"%.*s\"", (int)MIN(s.size, (size_t)80),
		(const char *)s.data);
	return (struct tpl_value){0};
}

/* The decimal @s as JSON writes it: no sign '+', no '_', a digit on both sides of the point. */
static struct slice as_json(struct tpl *t, struct slice s)
{
	char *out = mem_alloc(t->c->m, s.size + 4);
	size_t n = 0, at = 0;
	if (s.size && (s.data[0] == '+' || s.data[0] == '-')) {
		if (s.data[0] == '-')
			out[n++] = '-';
		at++;
	}
	while (at + 1 < s.size && s.data[at] == '0' && s.data[at + 1] - (unsigned)'0' < 10u)
		at++;
	if (at < s.size && s.data[at] == '.')
		out[n++] = '0';
	for (; at < s.size; at++) {
		if (s.data[at] == '_')
			continue;
		out[n++] = (char)s.data[at];
		if (s.data[at] == '.' &&
			(at + 1 == s.size || s.data[at + 1] - (unsigned)'0' >= 10u))
			out[n++] = '0';
	}
	return slice_of(out, n);
}

struct tpl_value tpl_number(struct tpl *t, const struct tpl_token *tok)
{
	struct slice s = tok->text;
	if (tok->kind == TPL_T_CHAR)
		return character(t, tok);
	bool sign = s.size && (s.data[0] == '+' || s.data[0] == '-');
	size_t at = sign;
	bool real = false;
	for (size_t i = 0; i < s.size; i++)
		real |= s.data[i] == '.' || (s.data[i] | 32) == 'e';
	if (at + 1 < s.size && s.data[at] == '0') {
		uint8_t mark = s.data[at + 1] | 32;
		if (mark == 'x' || mark == 'b' || mark == 'o')
			return based(t, s, at + 2,
				mark == 'x'   ? 16
				: mark == 'b' ? 2
					      : 8,
				s.data[0] == '-');
		if (!real)
			return based(t, s, at + 1, 8, s.data[0] == '-');
	}
	if (!real)
		return based(t, s, at, 10, s.data[0] == '-');
	struct slice json = as_json(t, s);
	if (!num_text_ok(json)) {
		tpl_error(t, "bad number syntax: \"%.*s\"", (int)MIN(s.size, (size_t)80),
			(const char *)s.data);
		return (struct tpl_value){0};
	}
	rv v = num_from_text(t->c->m, json);
	return (struct tpl_value){TPL_FLOAT, num_from_double(t->c->m, num_to_double(v))};
}
