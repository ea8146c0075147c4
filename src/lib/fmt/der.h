/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Reading DER (X.690): definite lengths in their shortest form, single-byte tags. The caller walks;
 * there is no recursion.
 */
#include "base/rd.h"

#define DER_BOOLEAN 0x01
#define DER_INTEGER 0x02
#define DER_OCTET_STRING 0x04
#define DER_OID 0x06
#define DER_ENUMERATED 0x0A
#define DER_SEQUENCE 0x30

/** der_next() - one element. Return: 0 with its tag and content; -ENODATA, -EBADMSG. */
must_check int der_next(struct rd *r, uint8_t *ret_tag, struct slice *ret);
/** der_expect() - one element that must have tag @tag. Return: as above; -EBADMSG for another. */
must_check int der_expect(struct rd *r, uint8_t tag, struct slice *ret);
/** der_uint() - content of a non-negative INTEGER or ENUMERATED. Return: 0, -EBADMSG, -ERANGE. */
must_check int der_uint(struct slice content, uint64_t max, uint64_t *ret);
/** der_bool() - content of a BOOLEAN: 00 or FF. Return: 0, -EBADMSG. */
must_check int der_bool(struct slice content, bool *ret);
