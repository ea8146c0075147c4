/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Text to number: the whole string, no blanks, no sign where none is meant, range checked.
 * Return of all: 0, -EINVAL (not a number), -ERANGE (outside min..max). ret is untouched on
 * failure.
 */
#include "base/err.h"
#include "base/slice.h"

must_check int parse_u64(struct slice s, uint64_t min, uint64_t max, uint64_t *ret);
must_check int parse_u32(struct slice s, uint32_t min, uint32_t max, uint32_t *ret);
must_check int parse_i64(struct slice s, int64_t min, int64_t max, int64_t *ret);
/** parse_hex64() - 1 to 16 hex digits, optional 0x */
must_check int parse_hex64(struct slice s, uint64_t *ret);
/** parse_octal() - as in tar headers: octal digits only */
must_check int parse_octal(struct slice s, uint64_t *ret);
/** parse_size() - bytes with an optional suffix K, M, G, T (powers of 1024; also KiB, MiB, ...) */
must_check int parse_size(struct slice s, uint64_t min, uint64_t max, uint64_t *ret);
/** parse_bool() - true, false, yes, no, on, off, 1, 0 */
must_check int parse_bool(struct slice s, bool *ret);
