/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * struct buf: owned, growing bytes with a hard maximum. Errors latch: after the first failed append
 * the buffer keeps its error and ignores appends, so a builder checks once at the end with
 * buf_error(). The data is always followed by a NUL byte that is not counted, so text can be used
 * as a C string.
 */
#include "base/err.h"
#include "base/slice.h"

struct buf {
	uint8_t *data; /* owned; NULL while empty */
	size_t size;
	size_t capacity;
	size_t max;  /* hard maximum of size; 0 means BUF_DEFAULT_MAX */
	int error;   /* latched negative errno */
	bool secret; /* wipe memory before it is released or moved */
};

#define BUF_DEFAULT_MAX ((size_t)64 << 20)

static inline struct buf buf_init(size_t max)
{
	return (struct buf){.max = max};
}
/* A buffer whose memory is wiped whenever it is moved or released. */
static inline struct buf buf_init_secret(size_t max)
{
	return (struct buf){.max = max, .secret = true};
}
/* Releases the memory; the buffer is empty and usable afterwards. */
void buf_done(struct buf *b);
/* Empties without releasing; clears a latched error. */
void buf_clear(struct buf *b);

static inline struct slice buf_slice(const struct buf *b)
{
	return (struct slice){b->data, b->size};
}
/* The bytes as a C string; "" while empty. Borrowed until the next append. */
static inline const char *buf_str(const struct buf *b)
{
	return b->data ? (const char *)b->data : "";
}
/* 0, -E2BIG (maximum passed) or -ENOMEM. */
static inline int buf_error(const struct buf *b)
{
	return b->error;
}

void buf_put(struct buf *b, const void *data, size_t size);
void buf_put_slice(struct buf *b, struct slice s);
void buf_put_str(struct buf *b, const char *s);
void buf_put_u8(struct buf *b, uint8_t v);
void buf_put_u16le(struct buf *b, uint16_t v);
void buf_put_u32le(struct buf *b, uint32_t v);
void buf_put_u64le(struct buf *b, uint64_t v);
void buf_put_u16be(struct buf *b, uint16_t v);
void buf_put_u32be(struct buf *b, uint32_t v);
void buf_put_u64be(struct buf *b, uint64_t v);
void buf_put_zero(struct buf *b, size_t size);
void buf_printf(struct buf *b, const char *fmt, ...) format_printf(2, 3);

/**
 * buf_reserve() - make room for @size more bytes
 * Return: pointer to the room (valid until the next call on @b), NULL when the error latched.
 * Follow with buf_commit() of at most @size bytes.
 */
uint8_t *buf_reserve(struct buf *b, size_t size);
void buf_commit(struct buf *b, size_t size);
/** buf_consume() - drop the first @size bytes (at most what exists) */
void buf_consume(struct buf *b, size_t size);
/** buf_patch_u32be() and kin - overwrite at @offset, which must exist already */
void buf_patch_u32be(struct buf *b, size_t offset, uint32_t v);
void buf_patch_u16be(struct buf *b, size_t offset, uint16_t v);
/**
 * buf_take_str() - hand the bytes out as a malloc'ed, NUL-terminated string
 * Return: string to be freed with free(), NULL when an error is latched or memory ran out; @b is
 * empty.
 */
char *buf_take_str(struct buf *b);
