/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/der.h"

static int read_length(struct rd *r, size_t *ret)
{
	uint8_t first, byte;
	size_t size = 0;

	if (rd_u8(r, &first) < 0)
		return -ENODATA;
	if (first < 0x80) {
		*ret = first;
		return 0;
	}
	unsigned count = first & 0x7F;
	if (count == 0 || count > 4)
		return -EBADMSG;
	for (unsigned i = 0; i < count; i++) {
		if (rd_u8(r, &byte) < 0)
			return -ENODATA;
		if (i == 0 && byte == 0)
			return -EBADMSG;
		size = size << 8 | byte;
	}
	if (size < 0x80)
		return -EBADMSG;
	*ret = size;
	return 0;
}

int der_next(struct rd *r, uint8_t *ret_tag, struct slice *ret)
{
	struct rd t = *r;
	struct slice content;
	uint8_t tag;
	size_t size = 0;

	if (rd_u8(&t, &tag) < 0)
		return -ENODATA;
	if ((tag & 0x1F) == 0x1F)
		return -EBADMSG;
	int e = read_length(&t, &size);
	if (e == 0)
		e = rd_slice(&t, size, &content);
	if (e < 0)
		return e;
	*r = t;
	*ret_tag = tag;
	*ret = content;
	return 0;
}

int der_expect(struct rd *r, uint8_t tag, struct slice *ret)
{
	struct rd t = *r;
	struct slice content;
	uint8_t found;

	int e = der_next(&t, &found, &content);
	if (e < 0)
		return e;
	if (found != tag)
		return -EBADMSG;
	*r = t;
	*ret = content;
	return 0;
}

int der_uint(struct slice content, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0;

	if (content.size == 0 || (content.data[0] & 0x80))
		return -EBADMSG;
	if (content.size > 1 && content.data[0] == 0 && !(content.data[1] & 0x80))
		return -EBADMSG;
	if (content.size > 9)
		return -ERANGE;
	for (size_t i = 0; i < content.size; i++) {
		if (value >> 56)
			return -ERANGE;
		value = value << 8 | content.data[i];
	}
	if (value > max)
		return -ERANGE;
	*ret = value;
	return 0;
}

int der_bool(struct slice content, bool *ret)
{
	if (content.size != 1 || (content.data[0] != 0 && content.data[0] != 0xFF))
		return -EBADMSG;
	*ret = content.data[0] != 0;
	return 0;
}
