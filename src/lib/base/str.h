/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Text: equality, bounded copy, UTF-8. */
#include "base/err.h"
#include "base/slice.h"

static inline bool streq(const char *a, const char *b)
{
	return __builtin_strcmp(a, b) == 0;
}
/* NULL equals only NULL. */
static inline bool streq_null(const char *a, const char *b)
{
	return a == b || (a && b && streq(a, b));
}
static inline bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}
static inline bool str_ends(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);
	return n >= m && streq(s + n - m, suffix);
}

/**
 * str_copy() - copy @src with its NUL into @dst of @size bytes
 * Return: 0, -E2BIG when it does not fit (dst is then "").
 */
must_check int str_copy(char *dst, size_t size, const char *src);
/** str_copy_slice() - likewise from a slice; -EBADMSG when it holds a NUL */
must_check int str_copy_slice(char *dst, size_t size, struct slice src);
/** slice_strdup() - malloc'ed NUL-terminated copy; NULL on ENOMEM or when @s holds a NUL */
char *slice_strdup(struct slice s);

/** utf8_valid() - well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms, <= U+10FFFF) */
bool utf8_valid(struct slice s);
/**
 * utf8_decode() - decode one code point at the start of @s
 * Return: its length in bytes (1 to 4), or 0 when malformed or @s is empty.
 */
size_t utf8_decode(struct slice s, uint32_t *ret_code);
/** utf8_encode() - write @code to @out. Return: bytes written, 0 when @code is not a scalar value.
 */
size_t utf8_encode(uint32_t code, uint8_t out[4]) __asm__("husk_utf8_encode");
/* The symbol is ours alone: static libjansson has a utf8_encode, too. */
