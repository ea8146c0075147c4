/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Attributes and ownership helpers that every module uses. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define must_check __attribute__((__warn_unused_result__))
#define format_printf(fmt_index, first) __attribute__((__format__(__printf__, fmt_index, first)))
#define noreturn_fn __attribute__((__noreturn__))
#define unused_arg __attribute__((unused))
#define HUSK_API __attribute__((visibility("default")))

#define ARRAY_COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/*
 * DEFINE_CLEANUP(type, func): makes `cleanup(func)` usable on a variable of pointer type `type`.
 * func accepts NULL. Usage: `cleanup(buf_free) struct buf *b = NULL;`
 */
#define DEFINE_CLEANUP(type, func)                  \
	static inline void func##_cleanup_(type *p) \
	{                                           \
		if (*p)                             \
			func(*p);                   \
	}                                           \
	struct func##_needs_a_semicolon
#define cleanup(func) __attribute__((__cleanup__(func##_cleanup_)))
/* For values that are emptied in place, e.g. `cleanup_with(buf_done) struct buf b = {0};` */
#define cleanup_with(func) __attribute__((__cleanup__(func)))

/* Hand ownership out of a scope: returns the value and leaves the variable empty. */
#define steal_ptr(p)                                 \
	({                                           \
		__typeof__(p) *steal_pp_ = &(p);     \
		__typeof__(p) steal_v_ = *steal_pp_; \
		*steal_pp_ = NULL;                   \
		steal_v_;                            \
	})
static inline int steal_fd(int *fd)
{
	int value = *fd;
	*fd = -1;
	return value;
}

static inline void free_ptr_cleanup_(void *p)
{
	void *value = *(void **)p;
	if (value)
		__builtin_free(value);
}
/* `cleanup(free_ptr) char *text = NULL;` frees text at the end of its scope. */

/* Built with AddressSanitizer, which also looks for leaks: never in a release build. */
#if defined(__SANITIZE_ADDRESS__)
#define WITH_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_SANITIZER 1
#endif
#endif
#ifndef WITH_SANITIZER
#define WITH_SANITIZER 0
#endif
