/* SPDX-License-Identifier: Apache-2.0 */
#include "base/enc.h"

#include "base/enc_b64.h"
#include "base/str.h"

static const char g_hex[] = "0123456789abcdef";
static const char g_std[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char g_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Both digits of every byte; made once. */
static void hex_digits(void *to, struct slice in)
{
	static char pairs[256][2];
	char *p = to;

	for (unsigned i = 0; pairs[255][0] == 0 && i < 256; i++) {
		pairs[i][0] = g_hex[i >> 4];
		pairs[i][1] = g_hex[i & 15];
	}
	for (size_t i = 0; i < in.size; i++)
		memcpy(p + 2 * i, pairs[in.data[i]], 2);
}

void hex_encode(struct buf *out, struct slice in)
{
	uint8_t *p = in.size > SIZE_MAX / 2 ? NULL : buf_reserve(out, in.size * 2);
	if (!p)
		return;
	hex_digits(p, in);
	buf_commit(out, in.size * 2);
}

const char *hex_str(struct slice in, char *dst, size_t dst_size)
{
	if (dst_size == 0)
		return "";
	dst[0] = 0;
	if (in.size > (dst_size - 1) / 2)
		return dst;
	hex_digits(dst, in);
	dst[2 * in.size] = 0;
	return dst;
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int hex_decode_fixed(uint8_t *dst, size_t size, struct slice in)
{
	if (in.size % 2 != 0 || in.size / 2 != size)
		return -EBADMSG;
	for (size_t i = 0; i < in.size; i++) {
		if (hex_digit(in.data[i]) < 0)
			return -EBADMSG;
	}
	for (size_t i = 0; i < size; i++)
		dst[i] = (uint8_t)((unsigned)hex_digit(in.data[2 * i]) << 4 |
				   (unsigned)hex_digit(in.data[2 * i + 1]));
	return 0;
}

int hex_decode(struct buf *out, struct slice in)
{
	if (in.size % 2 != 0)
		return -EBADMSG;
	uint8_t *p = buf_reserve(out, in.size / 2);
	if (!p)
		return buf_error(out);
	int r = hex_decode_fixed(p, in.size / 2, in);
	if (r == 0)
		buf_commit(out, in.size / 2);
	return r;
}

void pct_encode(struct buf *out, struct slice in, const char *keep)
{
	for (size_t i = 0; i < in.size; i++) {
		uint8_t c = in.data[i];

		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c && (strchr("-._~", c) || strchr(keep, c))))
			buf_put_u8(out, c);
		else
			buf_printf(out, "%%%02X", c);
	}
}

/* The byte at @pos, which then lies behind its text. */
static int pct_byte(struct slice in, size_t *pos, uint8_t *ret)
{
	*ret = in.data[(*pos)++];
	if (*ret != '%')
		return 0;
	if (in.size - *pos < 2)
		return -EBADMSG;
	*pos += 2;
	return hex_decode_fixed(ret, 1, slice_of(in.data + *pos - 2, 2));
}

int pct_decode(struct buf *out, struct slice in)
{
	uint8_t byte;

	for (size_t pos = 0; pos < in.size;) {
		if (pct_byte(in, &pos, &byte) < 0)
			return -EBADMSG;
		buf_put_u8(out, byte);
	}
	return buf_error(out);
}

int pct_decode_text(char *dst, size_t size, struct slice in)
{
	size_t n = 0;
	uint8_t byte;

	for (size_t pos = 0; pos < in.size;) {
		if (pct_byte(in, &pos, &byte) < 0 || byte < 0x20 || byte == 0x7F)
			return -EBADMSG;
		if (n + 1 >= size)
			return -E2BIG;
		dst[n++] = (char)byte;
	}
	dst[n] = '\0';
	return utf8_valid(slice_of(dst, n)) ? 0 : -EBADMSG;
}

void b64_encode(struct buf *out, struct slice in, enum b64_variant variant)
{
	const char *alphabet = variant == B64_STD ? g_std : g_url;
	size_t size = in.size / 3 * 4 + (in.size % 3 ? 4 : 0);
	uint8_t *p = in.size > SIZE_MAX / 4 ? NULL : buf_reserve(out, size);
	if (!p)
		return;
	size_t n = 0;
	for (size_t i = 0; i < in.size; i += 3) {
		size_t left = in.size - i;
		uint32_t v = (uint32_t)in.data[i] << 16;
		if (left > 1)
			v |= (uint32_t)in.data[i + 1] << 8;
		if (left > 2)
			v |= in.data[i + 2];
		p[n++] = (uint8_t)alphabet[v >> 18];
		p[n++] = (uint8_t)alphabet[v >> 12 & 63];
		if (left > 1)
			p[n++] = (uint8_t)alphabet[v >> 6 & 63];
		else if (variant != B64_URL)
			p[n++] = '=';
		if (left > 2)
			p[n++] = (uint8_t)alphabet[v & 63];
		else if (variant != B64_URL)
			p[n++] = '=';
	}
	buf_commit(out, n);
}

#define B64_NONE 0x80

/* Values of all characters in an alphabet; made once. */
static const uint8_t *b64_table_of(bool url)
{
	static uint8_t both[2][256];
	uint8_t *table = both[url];
	const char *alphabet = url ? g_url : g_std;

	if (table[0] != B64_NONE) {
		memset(table, B64_NONE, 256);
		for (uint8_t i = 0; i < 64; i++)
			table[(uint8_t)alphabet[i]] = i;
	}
	return table;
}

/* Whole groups of four. Return: false when a character is none of the alphabet. */
static bool b64_groups(const uint8_t *in, size_t groups, const uint8_t table[256], uint8_t *out)
{
	uint8_t bad = 0;

	for (size_t i = 0; i < groups; i++, in += 4, out += 3) {
		uint8_t a = table[in[0]], b = table[in[1]], c = table[in[2]], d = table[in[3]];
		bad |= a | b | c | d;
		out[0] = (uint8_t)(a << 2 | b >> 4);
		out[1] = (uint8_t)(b << 4 | c >> 2);
		out[2] = (uint8_t)(c << 6 | d);
	}
	return !(bad & B64_NONE);
}

int b64_decode(struct buf *out, struct slice in, enum b64_variant variant)
{
	if (variant != B64_URL) {
		if (in.size % 4 != 0)
			return -EBADMSG;
		for (int i = 0; i < 2 && in.size > 0 && in.data[in.size - 1] == '='; i++)
			in.size--;
	}
	size_t tail = in.size % 4;
	if (tail == 1)
		return -EBADMSG;
	uint8_t *p = buf_reserve(out, in.size / 4 * 3 + (tail ? tail - 1 : 0));
	if (!p)
		return buf_error(out);
	const uint8_t *table = b64_table_of(variant != B64_STD);
	size_t groups = in.size / 4, n = groups * 3;
	bool bad = false;
	size_t wide = b64_groups_wide(in.data, groups, p, variant != B64_STD, &bad);
	if (bad || !b64_groups(in.data + 4 * wide, groups - wide, table, p + 3 * wide))
		return -EBADMSG;
	if (tail) {
		const uint8_t *q = in.data + groups * 4;
		uint8_t last[3] = {table[q[0]], table[q[1]], tail == 3 ? table[q[2]] : 0};
		/* Bits that the padding cuts off must be zero. */
		if (((last[0] | last[1] | last[2]) & B64_NONE) ||
			(last[tail - 1] & (tail == 2 ? 0xF : 3)))
			return -EBADMSG;
		p[n++] = (uint8_t)(last[0] << 2 | last[1] >> 4);
		if (tail == 3)
			p[n++] = (uint8_t)(last[1] << 4 | last[2] >> 2);
	}
	buf_commit(out, n);
	return 0;
}

int b64_decode_any(struct buf *out, struct slice in)
{
	bool url = in.size > 0 && (memchr(in.data, '-', in.size) || memchr(in.data, '_', in.size));
	if (url)
		return b64_decode(out, in, in.size % 4 == 0 ? B64_URL_PADDED : B64_URL);
	if (in.size % 4 == 0)
		return b64_decode(out, in, B64_STD);
	/* Unpadded text of the standard alphabet: '+' and '/' still need its own table. */
	cleanup_with(buf_done) struct buf padded = buf_init(0);
	buf_put_slice(&padded, in);
	while (padded.size % 4 != 0 && !padded.error)
		buf_put_u8(&padded, '=');
	if (buf_error(&padded) < 0)
		return buf_error(&padded);
	return b64_decode(out, buf_slice(&padded), B64_STD);
}

static void skip_line_ends(struct slice in, size_t *at)
{
	while (*at < in.size && (in.data[*at] == '\n' || in.data[*at] == '\r'))
		++*at;
}

/* Up to four characters. Return: how many were there, or -EBADMSG with *@at on the fault. */
static int b64_quantum(struct slice in, const uint8_t table[256], bool padded, size_t *at,
	uint8_t value[4], bool *end)
{
	int n = 0;
	while (n < 4) {
		skip_line_ends(in, at);
		if (*at == in.size) {
			if (n == 0 || (n > 1 && !padded))
				break;
			*at -= (size_t)n;
			return -EBADMSG;
		}
		uint8_t v = table[in.data[*at]];
		if (!(v & B64_NONE)) {
			value[n++] = v;
			++*at;
			continue;
		}
		if (!padded || in.data[*at] != '=' || n < 2)
			return -EBADMSG;
		++*at;
		if (n == 2) {
			skip_line_ends(in, at);
			if (*at == in.size)
				return -EBADMSG;
			if (in.data[*at] != '=') {
				--*at;
				return -EBADMSG;
			}
			++*at;
		}
		skip_line_ends(in, at);
		if (*at < in.size)
			return -EBADMSG;
		break;
	}
	*end = n < 4;
	return n;
}

int b64_decode_lenient(struct buf *out, struct slice in, enum b64_variant variant, size_t *ret_bad)
{
	const uint8_t *table = b64_table_of(variant != B64_STD);
	size_t at = 0, size = out->size;
	for (bool end = false; !end;) {
		uint8_t v[4] = {0};
		int n = b64_quantum(in, table, variant != B64_URL, &at, v, &end);
		if (n < 0) {
			if (ret_bad)
				*ret_bad = at;
			out->size = size;
			return n;
		}
		uint8_t bytes[3] = {(uint8_t)(v[0] << 2 | v[1] >> 4),
			(uint8_t)(v[1] << 4 | v[2] >> 2), (uint8_t)(v[2] << 6 | v[3])};
		if (n > 1)
			buf_put(out, bytes, (size_t)n - 1);
	}
	return buf_error(out);
}
