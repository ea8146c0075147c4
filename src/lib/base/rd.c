/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rd.h"

int rd_slice(struct rd *r, size_t size, struct slice *ret)
{
	if (size > rd_left(r))
		return -ENODATA;
	*ret = (struct slice){size || r->in.data ? r->in.data + r->pos : NULL, size};
	r->pos += size;
	return 0;
}

int rd_u8(struct rd *r, uint8_t *ret)
{
	struct slice s;
	if (rd_slice(r, 1, &s) < 0)
		return -ENODATA;
	*ret = s.data[0];
	return 0;
}

int rd_u16le(struct rd *r, uint16_t *ret)
{
	struct slice s;
	if (rd_slice(r, 2, &s) < 0)
		return -ENODATA;
	*ret = (uint16_t)(s.data[0] | s.data[1] << 8);
	return 0;
}

int rd_u16be(struct rd *r, uint16_t *ret)
{
	struct slice s;
	if (rd_slice(r, 2, &s) < 0)
		return -ENODATA;
	*ret = (uint16_t)(s.data[0] << 8 | s.data[1]);
	return 0;
}

int rd_u32le(struct rd *r, uint32_t *ret)
{
	struct slice s;
	if (rd_slice(r, 4, &s) < 0)
		return -ENODATA;
	*ret = (uint32_t)s.data[0] | (uint32_t)s.data[1] << 8 | (uint32_t)s.data[2] << 16 |
	       (uint32_t)s.data[3] << 24;
	return 0;
}

int rd_u32be(struct rd *r, uint32_t *ret)
{
	struct slice s;
	if (rd_slice(r, 4, &s) < 0)
		return -ENODATA;
	*ret = (uint32_t)s.data[3] | (uint32_t)s.data[2] << 8 | (uint32_t)s.data[1] << 16 |
	       (uint32_t)s.data[0] << 24;
	return 0;
}

int rd_u64le(struct rd *r, uint64_t *ret)
{
	uint32_t lo, hi;
	if (rd_left(r) < 8 || rd_u32le(r, &lo) < 0 || rd_u32le(r, &hi) < 0)
		return -ENODATA;
	*ret = (uint64_t)hi << 32 | lo;
	return 0;
}

int rd_u64be(struct rd *r, uint64_t *ret)
{
	uint32_t lo, hi;
	if (rd_left(r) < 8 || rd_u32be(r, &hi) < 0 || rd_u32be(r, &lo) < 0)
		return -ENODATA;
	*ret = (uint64_t)hi << 32 | lo;
	return 0;
}

int rd_copy(struct rd *r, void *dst, size_t size)
{
	struct slice s;
	if (rd_slice(r, size, &s) < 0)
		return -ENODATA;
	if (size > 0)
		memcpy(dst, s.data, size);
	return 0;
}

int rd_skip(struct rd *r, size_t size)
{
	struct slice s;
	return rd_slice(r, size, &s);
}

int rd_zero(struct rd *r, size_t size)
{
	struct slice s;
	struct rd saved = *r;
	if (rd_slice(r, size, &s) < 0)
		return -ENODATA;
	for (size_t i = 0; i < size; i++) {
		if (s.data[i] != 0) {
			*r = saved;
			return -EBADMSG;
		}
	}
	return 0;
}

int rd_done(const struct rd *r)
{
	return rd_end(r) ? 0 : -EBADMSG;
}

struct slice rd_rest(struct rd *r)
{
	struct slice s = SLICE_EMPTY;
	if (rd_left(r) > 0 && rd_slice(r, rd_left(r), &s) < 0)
		return SLICE_EMPTY;
	return s;
}
