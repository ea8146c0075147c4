/* SPDX-License-Identifier: Apache-2.0 */
/* Text in double quotes as Go's strconv.Quote writes it: in messages and in Rego text of values. */
#include "base/buf.h"
#include "base/str.h"
#include "rego/text.h"

/*
 * Code points from 0x80 on that are no letter, mark, number, punctuation or symbol. Those that no
 * version of Unicode has assigned yet count as printable here.
 */
static const struct {
	uint32_t first, last;
} hidden[] = {
	{0x80, 0xa0},
	{0xad, 0xad},
	{0x600, 0x605},
	{0x61c, 0x61c},
	{0x6dd, 0x6dd},
	{0x70f, 0x70f},
	{0x890, 0x891},
	{0x8e2, 0x8e2},
	{0x1680, 0x1680},
	{0x180e, 0x180e},
	{0x2000, 0x200f},
	{0x2028, 0x202f},
	{0x205f, 0x206f},
	{0x3000, 0x3000},
	{0xd800, 0xf8ff},
	{0xfdd0, 0xfdef},
	{0xfeff, 0xfeff},
	{0xfff0, 0xfffb},
	{0xfffe, 0xffff},
	{0x110bd, 0x110bd},
	{0x110cd, 0x110cd},
	{0x13430, 0x1343f},
	{0x1bca0, 0x1bca3},
	{0x1d173, 0x1d17a},
	{0xe0000, 0xe00ff},
	{0xe01f0, 0x10ffff},
};

bool text_printable(uint32_t code)
{
	if (code < 0x80)
		return code >= 0x20 && code != 0x7f;
	for (size_t i = 0; i < ARRAY_COUNT(hidden); i++)
		if (code <= hidden[i].last)
			return code < hidden[i].first;
	return false;
}

/* The escape of an ASCII character by a letter, 0 when it has none. */
static char letter_of(uint8_t ch)
{
	static const char from[] = "\a\b\f\n\r\t\v\\\"", to[] = "abfnrtv\\\"";
	const char *at = ch ? strchr(from, ch) : NULL;
	return at ? to[at - from] : 0;
}

uint32_t text_rune(struct slice s, size_t at, size_t *ret_size)
{
	uint8_t b = s.data[at];
	size_t n = b < 0x80 ? 1 : b >= 0xf0 ? 4 : b >= 0xe0 ? 3 : 2;
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t code = n == 1 ? b : b & (0x7fu >> n);
	*ret_size = 1;
	if ((n > 1 && b < 0xc2) || b > 0xf4 || n > s.size - at)
		return UINT32_MAX;
	for (size_t i = 1; i < n; i++) {
		if ((s.data[at + i] & 0xc0) != 0x80)
			return UINT32_MAX;
		code = code << 6 | (s.data[at + i] & 0x3f);
	}
	if (code < least[n] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return UINT32_MAX;
	*ret_size = n;
	return code;
}

/* @c: the first byte, which stands for itself when it is no part of UTF-8 (code UINT32_MAX). */
static void put_rune(struct buf *out, uint32_t code, uint8_t c, uint8_t quote, bool ascii)
{
	uint8_t utf8[4];
	char letter = code < 0x80 ? letter_of(c) : 0;
	if (code == quote || (letter && code != '"'))
		buf_printf(out, "\\%c", letter ? letter : quote);
	else if (code == UINT32_MAX || (!text_printable(code) && code < 0x80))
		buf_printf(out, "\\x%02x", c);
	else if (text_printable(code) && (!ascii || code < 0x80))
		buf_put(out, utf8, utf8_encode(code, utf8));
	else
		buf_printf(out, code < 0x10000 ? "\\u%04x" : "\\U%08x", code);
}

static void put_quoted(struct buf *out, struct slice s, bool ascii)
{
	buf_put_u8(out, '"');
	for (size_t i = 0, n; i < s.size; i += n)
		put_rune(out, text_rune(s, i, &n), s.data[i], '"', ascii);
	buf_put_u8(out, '"');
}

void print_quoted(struct buf *out, struct slice s)
{
	put_quoted(out, s, false);
}

void print_quoted_ascii(struct buf *out, struct slice s)
{
	put_quoted(out, s, true);
}

void print_quoted_rune(struct buf *out, uint32_t code, bool ascii)
{
	buf_put_u8(out, '\'');
	put_rune(out, code, (uint8_t)code, '\'', ascii);
	buf_put_u8(out, '\'');
}

const char *text_quoted(struct mem *m, struct slice s)
{
	/* No byte takes more than four in quotes, and messages are short. */
	struct buf b = buf_init(4 * QUOTED_MAX + 4);
	print_quoted(&b, slice_cut(s, 0, QUOTED_MAX));
	char *text = buf_error(&b) ? NULL : arena_copy(m->arena, buf_slice(&b));
	buf_done(&b);
	if (!text)
		mem_escape(m, REGO_ERR_MEMORY);
	return text;
}
