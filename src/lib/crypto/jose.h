/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* JWS (RFC 7515) compact and JWE (RFC 7516) flattened, as the KBS protocol uses them. */
#include "crypto/key.h"

#define JWS_SIZE_MAX ((size_t)1 << 20)

/**
 * jws_sign() - compact JWS
 * @header: object; "alg" is set by this call
 * @payload: the bytes to carry
 */
must_check int jws_sign(const struct pkey *k, enum sig_alg alg, json_t *header,
	struct slice payload, struct buf *out);

/** jws_start() - likewise without the signature: what is to be signed, by a key that is elsewhere */
must_check int jws_start(enum sig_alg alg, json_t *header, struct slice payload, struct buf *out);
/** jws_end() - append that signature (raw r||s for ES*) to what jws_start() made */
must_check int jws_end(struct slice signature, struct buf *out);

/** struct jws - a parsed but NOT verified compact JWS */
struct jws {
	json_t *header;		  /* owned */
	struct buf payload;	  /* decoded */
	struct buf signature;	  /* decoded */
	struct slice signed_text; /* header.payload, borrowed from the input */
	enum sig_alg alg;	  /* SIG_NONE when unknown, and for "none" */
};
/** jws_parse() - Return: 0, -EBADMSG, -E2BIG. Duplicate header members are refused. */
must_check int jws_parse(struct slice text, struct jws *ret, struct err *reterr);
void jws_done(struct jws *j);
/**
 * jws_check() - verify the signature
 * @alg: what the caller expects; the header must say exactly this
 * Return: 0, -EKEYREJECTED, -EINVAL (key does not fit), -EOPNOTSUPP ("crit" header).
 */
must_check int jws_check(
	const struct jws *j, const struct pkey *k, enum sig_alg alg, struct err *reterr);

enum jwe_alg { JWE_NONE, JWE_ECDH_ES_A256KW, JWE_RSA_OAEP_256, JWE_RSA_OAEP };

/** jwe_alg_for_key() - from the "alg" member of a TEE key's JWK; JWE_NONE when not allowed for KBS
 * use: ECDH-ES+A256KW with P-256 or P-521, RSA-OAEP-256 with RSA */
enum jwe_alg jwe_alg_for_key(const json_t *jwk, const struct pkey *k);
/**
 * jwe_encrypt() - flattened JWE object, enc A256GCM (reference/protocol: docs/protocol/rcar.md)
 * Header bytes are compact JSON in the order alg, enc, epk{crv,kty,x,y}, because deployed clients
 * rebuild them to compute the AAD. Return: 0 with a new reference in @ret, -EOPNOTSUPP, -EINVAL,
 * -EIO.
 */
must_check int jwe_encrypt(
	const struct pkey *recipient, enum jwe_alg alg, struct slice plain, json_t **ret);
/**
 * jwe_encrypt_legacy() - what clients of the KBS protocol 0.1 read, which is no JWE: RSA1_5, the
 * header as plain JSON text and not authenticated, the tag behind the ciphertext, "tag" empty
 * Return: 0 with a new reference in @ret, -EINVAL (@recipient is not RSA), -ENOMEM, -EIO.
 */
must_check int jwe_encrypt_legacy(const struct pkey *recipient, struct slice plain, json_t **ret);
/**
 * jwe_decrypt() - flattened or general JWE; AAD is the received `protected` string
 * Return: 0, -EKEYREJECTED (no recipient matches, or a tag is bad), -EBADMSG, -EOPNOTSUPP.
 */
must_check int jwe_decrypt(
	const struct pkey *priv, const json_t *jwe, struct secret *ret, struct err *reterr);
