/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * struct rd: a checked reader over a slice. Every read is checked, because lengths steer control
 * flow. On failure nothing is consumed, the out parameter is untouched, and -ENODATA is returned.
 */
#include "base/err.h"
#include "base/slice.h"

struct rd {
	struct slice in;
	size_t pos; /* <= in.size always */
};

static inline struct rd rd_init(struct slice in)
{
	return (struct rd){in, 0};
}
static inline size_t rd_left(const struct rd *r)
{
	return r->in.size - r->pos;
}
static inline size_t rd_pos(const struct rd *r)
{
	return r->pos;
}
static inline bool rd_end(const struct rd *r)
{
	return rd_left(r) == 0;
}

must_check int rd_u8(struct rd *r, uint8_t *ret);
must_check int rd_u16le(struct rd *r, uint16_t *ret);
must_check int rd_u32le(struct rd *r, uint32_t *ret);
must_check int rd_u64le(struct rd *r, uint64_t *ret);
must_check int rd_u16be(struct rd *r, uint16_t *ret);
must_check int rd_u32be(struct rd *r, uint32_t *ret);
must_check int rd_u64be(struct rd *r, uint64_t *ret);
/** rd_slice() - a view of the next @size bytes, borrowed from the input */
must_check int rd_slice(struct rd *r, size_t size, struct slice *ret);
/** rd_copy() - copy the next @size bytes to @dst */
must_check int rd_copy(struct rd *r, void *dst, size_t size);
must_check int rd_skip(struct rd *r, size_t size);
/** rd_zero() - the next @size bytes must be zero. Return: 0, -ENODATA, -EBADMSG */
must_check int rd_zero(struct rd *r, size_t size);
/** rd_done() - nothing may follow. Return: 0, -EBADMSG when trailing bytes exist */
must_check int rd_done(const struct rd *r);
/** rd_rest() - everything that is left; consumes it */
struct slice rd_rest(struct rd *r);
