/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Errors: every fallible function returns 0 or a negative errno. Where a person must understand the
 * failure, the last parameter is an optional, caller-owned `struct err` that names what and where.
 *
 * Fixed meanings in husk:
 *   -EBADMSG       malformed input              -ENODATA      truncated input
 *   -E2BIG         over a named limit           -EOPNOTSUPP   unknown version or algorithm
 *   -EKEYREJECTED  signature or MAC is bad      -EACCES       refused by policy
 *   -ENOENT        absent                       -EEXIST       present already
 *   -ETIMEDOUT     deadline passed              -EPROTO       peer broke the protocol
 *   -ECANCELED     stopped on request           -ENOMEM       out of memory
 *   -ESTALE        expired or replayed          -EINVAL       the caller's argument is wrong
 */
#include <errno.h>

#include "base/compiler.h"

#define ERR_FIELD_SIZE 64
#define ERR_TEXT_SIZE 512
#define ERR_NO_OFFSET SIZE_MAX

/**
 * struct err - why a call failed
 * @code: negative errno, 0 while unset
 * @offset: byte offset in the input, or ERR_NO_OFFSET
 * @field: the field, claim, option or file at fault; "" when none
 * @text: one sentence for a person, without a trailing dot or newline; never contains secrets
 *
 * Owned by the caller (usually on the stack, zero-initialised), never allocated, never required.
 * Untouched on success.
 */
struct err {
	int code;
	size_t offset;
	char field[ERR_FIELD_SIZE];
	char text[ERR_TEXT_SIZE];
};

/**
 * err_set() - record a failure and return its code
 * @e: where to record; NULL records nothing
 * @code: negative errno
 * @fmt: printf format of the sentence. Untrusted text in arguments is escaped on output, not here.
 *
 * Return: @code, so that callers can `return err_set(reterr, -EBADMSG, "...")`.
 */
int err_set(struct err *e, int code, const char *fmt, ...) format_printf(3, 4);

/** err_at() - like err_set(), with the byte offset and field of the fault (field may be NULL). */
int err_at(struct err *e, int code, size_t offset, const char *field, const char *fmt, ...)
	format_printf(5, 6);

/**
 * err_wrap() - put context in front of a failure recorded below: "context: old text"
 *
 * Keeps offset and field. With an empty @e it records strerror(@code) as the old text.
 * Return: @code.
 */
int err_wrap(struct err *e, int code, const char *fmt, ...) format_printf(3, 4);

/**
 * err_text() - the sentence of a failure
 * @e: may be NULL
 * @code: what the call returned; used when @e holds no text
 *
 * Return: text owned by @e or static; never NULL.
 */
const char *err_text(const struct err *e, int code);
