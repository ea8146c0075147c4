/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The freestanding vocabulary of the firmware. Every file that is not x86-bound also compiles for
 * the host, where tests/unit/test-fw-*.c and fuzz/fuzz-fw-*.c drive it.
 *
 * Errors are 0 or a negative errno, as everywhere. Why a boot was refused goes into a static text
 * through the last parameter, because there is no heap and no printf here.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define must_check __attribute__((__warn_unused_result__))
#define noreturn_fn __attribute__((__noreturn__))
#define ARRAY_COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))

void *memcpy(void *restrict dst, const void *restrict src, size_t size);
void *memmove(void *dst, const void *src, size_t size);
void *memset(void *dst, int value, size_t size);
int memcmp(const void *a, const void *b, size_t size);

/* Records the reason and returns the code, so that callers can `return fw_why(...)`. */
static inline int fw_why(const char **ret_why, int code, const char *why)
{
	*ret_why = why;
	return code;
}

static inline uint16_t get_u16le(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}
static inline uint32_t get_u32le(const uint8_t *p)
{
	return (uint32_t)get_u16le(p) | (uint32_t)get_u16le(p + 2) << 16;
}
static inline uint64_t get_u64le(const uint8_t *p)
{
	return get_u32le(p) | (uint64_t)get_u32le(p + 4) << 32;
}
static inline uint16_t get_u16be(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}
static inline uint32_t get_u32be(const uint8_t *p)
{
	return (uint32_t)get_u16be(p) << 16 | get_u16be(p + 2);
}
static inline void put_u16le(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}
static inline void put_u32le(uint8_t *p, uint32_t v)
{
	put_u16le(p, (uint16_t)v);
	put_u16le(p + 2, (uint16_t)(v >> 16));
}
static inline void put_u64le(uint8_t *p, uint64_t v)
{
	put_u32le(p, (uint32_t)v);
	put_u32le(p + 4, (uint32_t)(v >> 32));
}
static inline void put_u16be(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}
static inline void put_u32be(uint8_t *p, uint32_t v)
{
	put_u16be(p, (uint16_t)(v >> 16));
	put_u16be(p + 2, (uint16_t)v);
}
static inline void put_u64be(uint8_t *p, uint64_t v)
{
	put_u32be(p, (uint32_t)(v >> 32));
	put_u32be(p + 4, (uint32_t)v);
}
