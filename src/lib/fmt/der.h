/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Reading DER (X.690): definite lengths in their shortest form, single-byte tags. The caller walks;
 * there is no recursion. And the little writing that the guest needs.
 */
#include "base/buf.h"
#include "base/rd.h"

#define DER_BIT_STRING 0x03
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

/** der_put() - append one element; @content must be smaller than 64 KiB, more latches -E2BIG */
void der_put(struct buf *out, uint8_t tag, struct slice content);
/** der_put_uint() - append an INTEGER from big-endian bytes, leading zeros removed */
void der_put_uint(struct buf *out, struct slice be);
/**
 * der_put_rsa_spki() - append a SubjectPublicKeyInfo (RFC 8017 appendix A.1.1, RFC 5280 4.1.2.7)
 * @n, @e: big-endian modulus and exponent. OpenSSL's encoder does the same, but takes a guest without
 * KVM 50 ms for it.
 */
void der_put_rsa_spki(struct buf *out, struct slice n, struct slice e);
