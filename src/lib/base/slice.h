/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * struct slice: a const view of bytes that somebody else owns, passed by value. The view is valid
 * as long as its owner; functions that keep bytes say so and copy them.
 */
#include <string.h>

#include "base/compiler.h"

struct slice {
	const uint8_t *data; /* may be NULL when size is 0 */
	size_t size;	     /* bytes */
};

#define SLICE_EMPTY ((struct slice){NULL, 0})
/* A string literal without its NUL. */
#define SLICE_LIT(s) ((struct slice){(const uint8_t *)("" s), sizeof(s) - 1})

static inline struct slice slice_of(const void *data, size_t size)
{
	return (struct slice){(const uint8_t *)data, size};
}

/* View of a NUL-terminated string, without the NUL; NULL gives an empty slice. */
static inline struct slice slice_str(const char *s)
{
	return s ? (struct slice){(const uint8_t *)s, strlen(s)} : SLICE_EMPTY;
}

static inline bool slice_eq(struct slice a, struct slice b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool slice_eq_str(struct slice a, const char *s)
{
	return slice_eq(a, slice_str(s));
}

static inline bool slice_starts(struct slice a, struct slice prefix)
{
	return a.size >= prefix.size &&
	       (prefix.size == 0 || memcmp(a.data, prefix.data, prefix.size) == 0);
}

/* Bytes [from, from+size) cut to what exists; never reads past the end. */
static inline struct slice slice_cut(struct slice a, size_t from, size_t size)
{
	if (a.size == 0)
		return SLICE_EMPTY;
	if (from > a.size)
		from = a.size;
	if (size > a.size - from)
		size = a.size - from;
	return (struct slice){a.data + from, size};
}

/* "%.*s" arguments for a slice of text. */
#define SLICE_ARG(s)                              \
	(int)((s).size > 4096 ? 4096 : (s).size), \
		(const char *)((s).data ? (const char *)(s).data : "")
