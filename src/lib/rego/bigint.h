/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Integers of any size, sign and magnitude, 32-bit limbs with the least significant one first. */
#include "rego/value.h"

struct big {
	bool neg;
	uint32_t count; /* limbs; the highest is not 0; 0 limbs is zero */
	uint32_t *limb;
};

#define BIG_MAX_BITS (1u << 18)

struct big big_u64(struct mem *m, uint64_t v, bool neg);
struct big big_i64(struct mem *m, int64_t v);
/* Decimal digits only. */
struct big big_digits(struct mem *m, struct slice digits, bool neg);
/* Digits of any base up to 36; the caller has checked them. */
struct big big_parse(struct mem *m, struct slice digits, unsigned base, bool neg);
/* Text in a base of 2 to 36, lower case, NUL-terminated, with '-' when negative. */
char *big_text(struct mem *m, struct big a, unsigned base);
bool big_to_i64(struct big a, int64_t *ret);
uint32_t big_bits(struct big a); /* of the magnitude */
int big_cmp_abs(struct big a, struct big b);
struct big big_add(struct mem *m, struct big a, struct big b);
struct big big_sub(struct mem *m, struct big a, struct big b);
struct big big_mul(struct mem *m, struct big a, struct big b);
struct big big_mul_small(struct mem *m, struct big a, uint32_t b);
/* Truncated division; @b is not zero. */
struct big big_divmod(struct mem *m, struct big a, struct big b, struct big *ret_rem);
struct big big_shl(struct mem *m, struct big a, uint32_t bits);
struct big big_shr_abs(struct mem *m, struct big a, uint32_t bits); /* of the magnitude */
struct big big_pow10(struct mem *m, uint32_t exponent);
/* Bitwise on infinite two's complement; @op is '&', '|' or '^'. */
struct big big_bitop(struct mem *m, struct big a, struct big b, char op);
