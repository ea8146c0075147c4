/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Base64 by the machine's wide registers; only enc.c asks. */
#include "base/compiler.h"

/**
 * b64_groups_wide() - decode groups of four characters as far as wide registers go
 * @in: @groups groups; @out: takes three bytes for each
 * @url: the alphabet with '-' and '_'
 * @ret_bad: set when one of the characters that were taken is none of the alphabet
 * Return: how many groups were taken, which may be none; the caller goes on behind them. It never
 * writes behind the bytes of all @groups.
 */
size_t b64_groups_wide(const uint8_t *in, size_t groups, uint8_t *out, bool url, bool *ret_bad);
