/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/slice.h"
#include "vectors.h"

/**
 * cbor_json_compare() - that CBOR says what JSON does: integer keys as decimal text, byte strings
 * in hex. Return: 0, -1 (recorded with @name).
 */
must_check int cbor_json_compare(
	struct vector *v, const json_t *want, const char *name, struct slice in);
