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

void der_put(struct buf *out, uint8_t tag, struct slice content)
{
	if (content.size > UINT16_MAX) {
		out->error = out->error ? out->error : -E2BIG;
		return;
	}
	buf_put_u8(out, tag);
	if (content.size > 0xFF) {
		buf_put_u8(out, 0x82);
		buf_put_u8(out, (uint8_t)(content.size >> 8));
	} else if (content.size > 0x7F) {
		buf_put_u8(out, 0x81);
	}
	buf_put_u8(out, (uint8_t)content.size);
	buf_put_slice(out, content);
}

/* An element of what was built apart; its error, too. */
static void der_put_all(struct buf *out, uint8_t tag, const struct buf *content)
{
	if (buf_error(content) < 0)
		out->error = out->error ? out->error : buf_error(content);
	der_put(out, tag, buf_slice(content));
}

void der_put_uint(struct buf *out, struct slice be)
{
	cleanup_with(buf_done) struct buf value = buf_init(0);

	while (be.size > 1 && be.data[0] == 0)
		be = slice_cut(be, 1, be.size);
	if (be.size == 0 || (be.data[0] & 0x80))
		buf_put_u8(&value, 0);
	buf_put_slice(&value, be);
	der_put_all(out, DER_INTEGER, &value);
}

void der_put_rsa_spki(struct buf *out, struct slice n, struct slice e)
{
	/* SEQUENCE { rsaEncryption, NULL } */
	static const uint8_t algorithm[] = {0x30, 0x0D, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7,
		0x0D, 0x01, 0x01, 0x01, 0x05, 0x00};
	cleanup_with(buf_done) struct buf numbers = buf_init(0), key = buf_init(0),
					  info = buf_init(0);

	der_put_uint(&numbers, n);
	der_put_uint(&numbers, e);
	buf_put_u8(&key, 0); /* unused bits */
	der_put_all(&key, DER_SEQUENCE, &numbers);
	buf_put_slice(&info, slice_of(algorithm, sizeof(algorithm)));
	der_put_all(&info, DER_BIT_STRING, &key);
	der_put_all(out, DER_SEQUENCE, &info);
}
