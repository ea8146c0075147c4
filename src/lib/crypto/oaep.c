/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/oaep.h"

#define BLOCK_MAX 2048

/* @data ^= MGF1(@seed) (RFC 8017 section B.2.1). */
static int unmask(enum hash_alg hash, struct slice seed, uint8_t *data, size_t size)
{
	cleanup_with(buf_done) struct buf in = buf_init_secret(0);
	size_t step = hash_size(hash);
	struct digest d = {0};
	int r = 0;

	for (size_t at = 0; r == 0 && at < size; at += step) {
		buf_clear(&in);
		buf_put_slice(&in, seed);
		buf_put_u32be(&in, (uint32_t)(at / step));
		r = buf_error(&in);
		if (r == 0)
			r = hash_once(hash, buf_slice(&in), &d);
		for (size_t i = 0; r == 0 && i < step && at + i < size; i++)
			data[at + i] ^= d.bytes[i];
	}
	explicit_bzero(&d, sizeof(d));
	return r;
}

/* All ones when @v is 0, else 0; without a branch. */
static uint32_t is_zero(uint32_t v)
{
	return (uint32_t)(((uint64_t)v - 1) >> 32);
}

/* lHash || 0... || 1 || message. Return: where the message starts; 0: nowhere. */
static size_t find_message(
	const uint8_t *db, size_t size, const struct digest *label, size_t h, uint32_t wrong)
{
	uint32_t found = 0, start = 0;

	for (size_t i = 0; i < h; i++)
		wrong |= (uint32_t)(db[i] ^ label->bytes[i]);
	for (size_t i = h; i < size; i++) {
		uint32_t one = is_zero((uint32_t)(db[i] ^ 1)), zero = is_zero(db[i]);

		start |= ~found & one & (uint32_t)(i + 1);
		/* Before the one there are zeros only. */
		wrong |= ~found & ~one & ~zero & 1;
		found |= one;
	}
	wrong |= ~found & 1;
	return start & is_zero(wrong);
}

int oaep_decode(enum hash_alg hash, struct slice block, struct buf *out)
{
	size_t h = hash_size(hash), start;
	uint8_t em[BLOCK_MAX];
	struct digest label = {0};
	int r;

	if (h == 0)
		return -EOPNOTSUPP;
	if (block.size < 2 * h + 2 || block.size > sizeof(em))
		return -EBADMSG;
	memcpy(em, block.data, block.size);
	r = hash_once(hash, SLICE_EMPTY, &label);
	if (r == 0)
		r = unmask(hash, slice_of(em + 1 + h, block.size - 1 - h), em + 1, h);
	if (r == 0)
		r = unmask(hash, slice_of(em + 1, h), em + 1 + h, block.size - 1 - h);
	if (r == 0) {
		start = find_message(em + 1 + h, block.size - 1 - h, &label, h, em[0]);
		if (start)
			buf_put(out, em + 1 + h + start, block.size - 1 - h - start);
		r = start ? buf_error(out) : -EBADMSG;
	}
	explicit_bzero(em, sizeof(em));
	return r;
}
