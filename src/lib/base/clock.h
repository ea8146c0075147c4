/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Clocks and RFC 3339 text. Parsers take the time as an argument; only programs read clocks. */
#include "base/err.h"
#include "base/slice.h"

/** clock_mono_ms() - CLOCK_MONOTONIC in milliseconds */
uint64_t clock_mono_ms(void);
/** clock_boot_ms() - CLOCK_BOOTTIME in milliseconds: time since the kernel started */
uint64_t clock_boot_ms(void);
/** clock_unix_s() - seconds since the epoch */
int64_t clock_unix_s(void);
#define RFC3339_SIZE 32
/** rfc3339_format() - "YYYY-MM-DDTHH:MM:SSZ" in @dst. Return: @dst. */
const char *rfc3339_format(int64_t unix_s, char dst[RFC3339_SIZE]);
/** rfc3339_parse() - with 'Z' or a numeric offset; fractions are dropped. Return: 0, -EINVAL. */
must_check int rfc3339_parse(struct slice s, int64_t *ret_unix_s);
