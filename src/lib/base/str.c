/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

int str_copy(char *dst, size_t size, const char *src)
{
	return str_copy_slice(dst, size, slice_str(src));
}

int str_copy_slice(char *dst, size_t size, struct slice src)
{
	if (size == 0)
		return -E2BIG;
	dst[0] = 0;
	if (src.size >= size)
		return -E2BIG;
	if (src.size > 0 && memchr(src.data, 0, src.size))
		return -EBADMSG;
	if (src.size > 0)
		memcpy(dst, src.data, src.size);
	dst[src.size] = 0;
	return 0;
}

char *slice_strdup(struct slice s)
{
	if (s.size > 0 && memchr(s.data, 0, s.size))
		return NULL;
	char *p = malloc(s.size + 1);
	if (!p)
		return NULL;
	if (s.size > 0)
		memcpy(p, s.data, s.size);
	p[s.size] = 0;
	return p;
}

size_t utf8_decode(struct slice s, uint32_t *ret_code)
{
	if (s.size == 0)
		return 0;
	uint8_t b = s.data[0];
	size_t size;
	uint32_t code, least;

	if (b < 0x80) {
		*ret_code = b;
		return 1;
	}
	if (b >= 0xC2 && b <= 0xDF) {
		size = 2, code = b & 0x1F, least = 0x80;
	} else if ((b & 0xF0) == 0xE0) {
		size = 3, code = b & 0x0F, least = 0x800;
	} else if (b >= 0xF0 && b <= 0xF4) {
		size = 4, code = b & 0x07, least = 0x10000;
	} else {
		return 0;
	}
	if (s.size < size)
		return 0;
	for (size_t i = 1; i < size; i++) {
		if ((s.data[i] & 0xC0) != 0x80)
			return 0;
		code = code << 6 | (s.data[i] & 0x3F);
	}
	if (code < least || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
		return 0;
	*ret_code = code;
	return size;
}

size_t utf8_encode(uint32_t code, uint8_t out[4])
{
	if (code < 0x80) {
		out[0] = (uint8_t)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (uint8_t)(0xC0 | code >> 6);
		out[1] = (uint8_t)(0x80 | (code & 0x3F));
		return 2;
	}
	if (code < 0x10000) {
		if (code >= 0xD800 && code <= 0xDFFF)
			return 0;
		out[0] = (uint8_t)(0xE0 | code >> 12);
		out[1] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
		out[2] = (uint8_t)(0x80 | (code & 0x3F));
		return 3;
	}
	if (code > 0x10FFFF)
		return 0;
	out[0] = (uint8_t)(0xF0 | code >> 18);
	out[1] = (uint8_t)(0x80 | (code >> 12 & 0x3F));
	out[2] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
	out[3] = (uint8_t)(0x80 | (code & 0x3F));
	return 4;
}

bool utf8_valid(struct slice s)
{
	size_t pos = 0;
	while (pos < s.size) {
		uint32_t code;
		uint64_t eight;
		if (s.size - pos >= sizeof(eight)) {
			memcpy(&eight, s.data + pos, sizeof(eight));
			if (!(eight & 0x8080808080808080u)) {
				pos += sizeof(eight);
				continue;
			}
		}
		size_t n = utf8_decode(slice_cut(s, pos, 4), &code);
		if (n == 0)
			return false;
		pos += n;
	}
	return true;
}
