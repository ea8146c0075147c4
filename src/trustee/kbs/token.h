/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Attestation tokens: signing (the vault's key), verification of tokens that guests bring, and
 * encryption of resources to the key that a token binds. Only the vault links this.
 */
#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "crypto/hash.h"
#include "trustee/as/protocol.h"
#include "trustee/kbs/config.h"

struct token_keys;

/**
 * token_keys_load() - the signing key and all keys whose tokens are accepted
 * @c: signer key_path (PEM, P-256 or P-384; absent makes a key that lives as long as the process),
 *     or public_key_path of a key in a device; cert_path, cert_url, published_key_paths (the last keys and the next one: in the key set, and
 *     their tokens are accepted); trusted_jwk_sets, trusted_certs_paths (roots of the certificates
 *     that tokens bring along), insecure_header_jwk
 *
 * Return: 0, or negative errno; @reterr names the file.
 */
must_check int token_keys_load(
	const struct kbs_config *c, struct token_keys **ret, struct err *reterr);
void token_keys_free(struct token_keys *k);
DEFINE_CLEANUP(struct token_keys *, token_keys_free);
/**
 * token_keys_replace() - trust the keys of a set that was fetched, instead of its last ones
 * @url: whose they are
 * @set: {"keys": [...]}; keys of other kinds are passed over; NULL: trust none any more
 * Return: 0; -EBADMSG (no set, or no key of use in it), -E2BIG, -ENOMEM: the last ones stay.
 */
must_check int token_keys_replace(
	struct token_keys *k, const char *url, const json_t *set, struct err *reterr);
/** token_sign() - append a compact JWS over @claims, with kid and jwk */
must_check int token_sign(
	const struct token_keys *k, const json_t *claims, struct buf *out, struct err *reterr);
/** token_start() - the same without its signature, into the empty @out */
must_check int token_start(
	const struct token_keys *k, const json_t *claims, struct buf *out, struct err *reterr);
/** token_sign_here() - sign what token_start() made, by a key that we have */
must_check int token_sign_here(const struct token_keys *k, struct buf *token, struct err *reterr);
/** token_digest() - what a device is to sign for it */
must_check int token_digest(const struct token_keys *k, struct slice token, struct digest *ret);
/**
 * token_finish() - append the signature of a device, raw r||s
 * Return: 0, -EKEYREJECTED (it is not by the published key), -EINVAL.
 */
must_check int token_finish(
	const struct token_keys *k, struct slice signature, struct buf *token, struct err *reterr);
/** token_jwks() - {"keys":[...]} with the signing key first and the published ones; new reference */
json_t *token_jwks(const struct token_keys *k);
/**
 * token_verify() - signature by a trusted key and expiry
 * @ret: new reference to the claims
 * Return: 0, -EBADMSG, -E2BIG (too many certificates), -EKEYREJECTED (no trusted key verifies it),
 * -ESTALE (expired).
 */
must_check int token_verify(const struct token_keys *k, struct slice token, int64_t now,
	json_t **ret, struct err *reterr);
/** token_tee_key() - the guest's public key in @claims as a JWK; borrowed, NULL when absent */
const json_t *token_tee_key(const struct kbs_config *c, const json_t *claims);
/**
 * token_encrypt() - flattened JWE JSON of @plain for @jwk
 * @protocol: 0.1.x gets the object that its clients read, see jwe_encrypt_legacy()
 * Return: 0, -EBADMSG (malformed key), -EOPNOTSUPP (key type or algorithm).
 */
must_check int token_encrypt(const json_t *jwk, enum as_protocol protocol, struct slice plain,
	struct buf *out, struct err *reterr);
