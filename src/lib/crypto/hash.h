/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Hashes and HMAC. Names are the ecosystem's: "sha256", "sha384", "sha512", "sm3", "sha1".
 * SHA-1 exists only to replay event logs that carry it; no verdict may rest on it.
 */
#include "base/err.h"
#include "base/slice.h"

enum hash_alg { HASH_NONE, HASH_SHA1, HASH_SHA256, HASH_SHA384, HASH_SHA512, HASH_SM3 };

#define HASH_SIZE_MAX 64

/** struct digest - a hash value; @size bytes of @bytes count */
struct digest {
	size_t size;
	uint8_t bytes[HASH_SIZE_MAX];
};

static inline struct slice digest_slice(const struct digest *d)
{
	return (struct slice){d->bytes, d->size};
}

/** hash_size() - bytes of a digest: 20, 32, 48, 64, 32; 0 for an unknown algorithm */
size_t hash_size(enum hash_alg alg);
/** hash_name() - lower-case name, "none" when unknown */
const char *hash_name(enum hash_alg alg);
/** hash_from_name() - exact lower-case name without dash. Return: HASH_NONE when unknown. */
enum hash_alg hash_from_name(struct slice name);
/** hash_from_tpm() - of a TPM_ALG_ identifier; HASH_NONE when unknown. Spec: TCG Algorithm Registry. */
enum hash_alg hash_from_tpm(uint16_t id);

/** hash_once() - digest of @in. Return: 0, -EOPNOTSUPP, -EIO (library failure). */
must_check int hash_once(enum hash_alg alg, struct slice in, struct digest *ret);
/** hash_extend() - H(@old || @value): the rule of PCRs and RTMRs. @ret may be @old. */
must_check int hash_extend(
	enum hash_alg alg, struct slice old, struct slice value, struct digest *ret);

/* A running hash. Opaque; release with hash_free(). */
struct hash;
/** hash_new() - Return: 0, -EOPNOTSUPP, -ENOMEM */
must_check int hash_new(enum hash_alg alg, struct hash **ret);
/** hash_update() - failures latch and surface in hash_final() */
void hash_update(struct hash *h, struct slice in);
/** hash_final() - digest of everything so far; the object can only be freed afterwards */
must_check int hash_final(struct hash *h, struct digest *ret);
void hash_free(struct hash *h);
DEFINE_CLEANUP(struct hash *, hash_free);

/** hmac_once() - HMAC (RFC 2104). Return: 0, -EOPNOTSUPP, -EIO. */
must_check int hmac_once(enum hash_alg alg, struct slice key, struct slice in, struct digest *ret);
struct hmac;
must_check int hmac_new(enum hash_alg alg, struct slice key, struct hmac **ret);
void hmac_update(struct hmac *h, struct slice in);
must_check int hmac_final(struct hmac *h, struct digest *ret);
void hmac_free(struct hmac *h);
DEFINE_CLEANUP(struct hmac *, hmac_free);

/** random_bytes() - from the operating system. Return: 0, -EIO. */
must_check int random_bytes(void *dst, size_t size);
