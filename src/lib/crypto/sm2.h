/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* SM2 signatures with SM3 (GB/T 32918.2), as Hygon's processors make them. */
#include "base/slice.h"

#define SM2_SIZE 32

/** struct sm2_point - a public key, coordinates big-endian */
struct sm2_point {
	uint8_t x[SM2_SIZE], y[SM2_SIZE];
};

/** struct sm2_signature - big-endian */
struct sm2_signature {
	uint8_t r[SM2_SIZE], s[SM2_SIZE];
};

/**
 * sm2_verify() - @sig is over @in, by the signer @key who calls itself @id (1 to 8191 bytes)
 * Return: 0, -EKEYREJECTED (also: no point of the curve), -EINVAL (@id), -ENOMEM, -EIO.
 */
must_check int sm2_verify(const struct sm2_point *key, struct slice id, struct slice in,
	const struct sm2_signature *sig);
