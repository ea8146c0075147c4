/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdarg.h>

static void release(struct buf *b)
{
	if (b->secret && b->data)
		explicit_bzero(b->data, b->capacity);
	free(b->data);
}

void buf_done(struct buf *b)
{
	release(b);
	*b = (struct buf){.max = b->max, .secret = b->secret};
}

void buf_clear(struct buf *b)
{
	if (b->secret && b->data)
		explicit_bzero(b->data, b->capacity);
	b->size = 0;
	b->error = 0;
	if (b->data)
		b->data[0] = 0;
}

static int grow(struct buf *b, size_t extra)
{
	size_t max = b->max ? b->max : BUF_DEFAULT_MAX;

	if (extra > max || b->size > max - extra)
		return -E2BIG;
	size_t need = b->size + extra + 1; /* the NUL */
	if (b->data && need <= b->capacity)
		return 0;
	size_t capacity = b->capacity ? b->capacity : 64;
	while (capacity < need)
		capacity = capacity > SIZE_MAX / 2 ? need : capacity * 2;
	uint8_t *data;
	if (b->secret) {
		/* realloc could leave a copy of the secret behind. */
		data = malloc(capacity);
		if (!data)
			return -ENOMEM;
		if (b->data)
			memcpy(data, b->data, b->size);
		release(b);
	} else {
		data = realloc(b->data, capacity);
		if (!data)
			return -ENOMEM;
	}
	b->data = data;
	b->capacity = capacity;
	return 0;
}

uint8_t *buf_reserve(struct buf *b, size_t size)
{
	if (b->error)
		return NULL;
	int r = grow(b, size);
	if (r < 0) {
		b->error = r;
		return NULL;
	}
	b->data[b->size] = 0;
	return b->data + b->size;
}

void buf_commit(struct buf *b, size_t size)
{
	if (b->error || size == 0)
		return;
	if (b->capacity == 0 || size > b->capacity - 1 - b->size)
		abort(); /* the caller wrote past what it reserved: memory is already corrupt */
	b->size += size;
	b->data[b->size] = 0;
}

void buf_put(struct buf *b, const void *data, size_t size)
{
	uint8_t *room = buf_reserve(b, size);
	if (room && size > 0) {
		memcpy(room, data, size);
		buf_commit(b, size);
	}
}

void buf_put_slice(struct buf *b, struct slice s)
{
	buf_put(b, s.data, s.size);
}

void buf_put_str(struct buf *b, const char *s)
{
	buf_put(b, s, strlen(s));
}

void buf_put_u8(struct buf *b, uint8_t v)
{
	buf_put(b, &v, 1);
}

static void put_le(struct buf *b, uint64_t v, size_t size)
{
	uint8_t bytes[8];
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(v >> (8 * i));
	buf_put(b, bytes, size);
}

static void put_be(struct buf *b, uint64_t v, size_t size)
{
	uint8_t bytes[8];
	for (size_t i = 0; i < size; i++)
		bytes[size - 1 - i] = (uint8_t)(v >> (8 * i));
	buf_put(b, bytes, size);
}

void buf_put_u16le(struct buf *b, uint16_t v)
{
	put_le(b, v, 2);
}
void buf_put_u32le(struct buf *b, uint32_t v)
{
	put_le(b, v, 4);
}
void buf_put_u64le(struct buf *b, uint64_t v)
{
	put_le(b, v, 8);
}
void buf_put_u16be(struct buf *b, uint16_t v)
{
	put_be(b, v, 2);
}
void buf_put_u32be(struct buf *b, uint32_t v)
{
	put_be(b, v, 4);
}
void buf_put_u64be(struct buf *b, uint64_t v)
{
	put_be(b, v, 8);
}

void buf_put_zero(struct buf *b, size_t size)
{
	uint8_t *room = buf_reserve(b, size);
	if (room) {
		memset(room, 0, size);
		buf_commit(b, size);
	}
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	char small[256];
	va_list ap, again;

	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (n < 0) {
		b->error = b->error ? b->error : -EINVAL;
	} else if ((size_t)n < sizeof(small)) {
		buf_put(b, small, (size_t)n);
	} else {
		char *room = (char *)buf_reserve(b, (size_t)n);
		if (room) {
			vsnprintf(room, (size_t)n + 1, fmt, again);
			buf_commit(b, (size_t)n);
		}
	}
	va_end(again);
}

void buf_consume(struct buf *b, size_t size)
{
	if (size >= b->size) {
		size = b->size;
	}
	if (size == 0)
		return;
	memmove(b->data, b->data + size, b->size - size);
	if (b->secret)
		explicit_bzero(b->data + b->size - size, size);
	b->size -= size;
	b->data[b->size] = 0;
}

void buf_patch_u32be(struct buf *b, size_t offset, uint32_t v)
{
	if (b->error || b->size < 4 || offset > b->size - 4)
		return;
	for (size_t i = 0; i < 4; i++)
		b->data[offset + i] = (uint8_t)(v >> (24 - 8 * i));
}

void buf_patch_u16be(struct buf *b, size_t offset, uint16_t v)
{
	if (b->error || b->size < 2 || offset > b->size - 2)
		return;
	b->data[offset] = (uint8_t)(v >> 8);
	b->data[offset + 1] = (uint8_t)v;
}

char *buf_take_str(struct buf *b)
{
	if (!b->error && !b->data)
		(void)buf_reserve(b, 0);
	if (b->error) {
		buf_done(b);
		return NULL;
	}
	char *s = (char *)b->data;
	*b = (struct buf){.max = b->max, .secret = b->secret};
	return s;
}
