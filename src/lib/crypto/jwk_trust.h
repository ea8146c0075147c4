/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which keys may verify which tokens: key sets (RFC 7517) and endorsed keys. */
#include "crypto/jose.h"
#include "crypto/x509.h"

#define JWKS_KEYS_MAX 64
#define X5C_COUNT_MAX 8
#define X5C_CERT_MAX ((size_t)64 << 10)

/** jws_check_jwk() - verify @j with @jwk. Return: as jws_check(); -EBADMSG (key is malformed). */
must_check int jws_check_jwk(const struct jws *j, const json_t *jwk, struct err *reterr);
/**
 * jws_check_set() - verify @j with the key of @jwks that its header names by "kid"
 * @jwks: {"keys": [...]}
 * Return: as jws_check_jwk(); -EKEYREJECTED (no kid, no such key, or more than one); -EBADMSG (set).
 */
must_check int jws_check_set(const struct jws *j, const json_t *jwks, struct err *reterr);
/**
 * pkey_check_endorsed() - @key is that of the first certificate of @x5c, and the chain leads to one
 * of @roots
 * @x5c: array of certificates in base64, leaf first (RFC 7515, 4.1.6); NULL when there is none.
 * base64url, which the ecosystem's own service writes, and line ends are accepted, too: what counts
 * is signed.
 * @roots: trusted certificates in any order; those that are not self-signed only complete chains
 * @at: seconds since the epoch
 * Return: 0; -EKEYREJECTED (no certificate, another key, chain); -EBADMSG; -E2BIG; -ENOMEM.
 */
must_check int pkey_check_endorsed(const struct pkey *key, const json_t *x5c,
	struct cert *const *roots, size_t root_count, int64_t at, struct err *reterr);
