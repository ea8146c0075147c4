/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Numbers. A JSON number keeps its text unless it is a plain int64_t, and comparison is exact.
 * Integers (1.0 and 1e30 are some) add, subtract and multiply exactly. Everything else is computed as
 * OPA does it: in binary floating point with a 64-bit mantissa (the product of a list: 53), printed
 * with the fewest digits that read back the same.
 */
#include "rego/bigint.h"

/* @text must be a number of the JSON grammar. */
rv num_from_text(struct mem *m, struct slice text);
/* Whether @text is a number of the JSON grammar (-, digits, fraction, exponent). */
bool num_text_ok(struct slice text);
int num_compare(rv a, rv b);
/* The text, in @scratch for a NUM_INT. */
struct slice num_text(rv v, char scratch[24]);
/* Whether the value is an integer (1.0 and 1e3 are), however large. */
bool num_is_integer(rv v);
/* Written without fraction and exponent. */
bool num_is_plain_integer(rv v);
bool num_to_i64(rv v, int64_t *ret);
/* Likewise, but as OPA reads a built-in's integers: 1.0 is one, 1e3 and what has 20 digits are not. */
bool num_to_index(rv v, int64_t *ret);
/* @v is an integer; false when its exponent is absurd. */
bool num_to_big(struct mem *m, rv v, struct big *ret);
rv num_from_big(struct mem *m, struct big v);
double num_to_double(rv v);
/* Shortest text that reads back as the same double, as Go's verb g writes it. */
rv num_from_double(struct mem *m, double d);

rv num_add(struct mem *m, rv a, rv b);
rv num_sub(struct mem *m, rv a, rv b);
rv num_mul(struct mem *m, rv a, rv b);
/* @b is not zero. */
rv num_div(struct mem *m, rv a, rv b);
/* Both integers, @b not zero; the sign follows @a. */
rv num_rem(struct mem *m, rv a, rv b);
/* Of all elements, exactly when all are integers. */
rv num_sum(struct mem *m, rv list);
rv num_product(struct mem *m, rv list);
int num_sign(rv v);
rv num_abs(struct mem *m, rv v);
rv num_round(struct mem *m, rv v);
rv num_ceil(struct mem *m, rv v);
rv num_floor(struct mem *m, rv v);

/* 64-bit-mantissa floating point: mant * 2^exp, the top bit of mant set, or mant == 0. */
struct f64 {
	bool neg;
	int32_t exp;
	uint64_t mant;
};
bool f64_from_num(struct mem *m, rv v, struct f64 *ret);
rv f64_to_num(struct mem *m, struct f64 f);
/* The nearest with a mantissa of 53 bits, and its number with as many digits as tell it apart. */
struct f64 f64_round53(struct f64 f);
rv f64_to_num53(struct mem *m, struct f64 f);
struct f64 f64_add(struct f64 a, struct f64 b);
struct f64 f64_mul(struct f64 a, struct f64 b);
struct f64 f64_div(struct f64 a, struct f64 b);
