/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Asymmetric keys: EC P-256, P-384, P-521, RSA (2048 to 8192 bits), Ed25519. A key is immutable and
 * may be used for one algorithm family only; signature functions name the algorithm and refuse a
 * key that does not fit it, so a pinned algorithm holds in both directions.
 */
#include <jansson.h>

#include "base/buf.h"
#include "base/secret.h"
#include "crypto/hash.h"

struct pkey;

enum key_type { KEY_NONE, KEY_P256, KEY_P384, KEY_P521, KEY_RSA, KEY_ED25519 };

enum sig_alg {
	SIG_NONE,
	SIG_ES256, /* P-256 with SHA-256, raw r||s */
	SIG_ES384, /* P-384 with SHA-384, raw r||s */
	SIG_ES512, /* P-521 with SHA-512, raw r||s */
	SIG_RS256, /* RSA PKCS#1 v1.5 */
	SIG_RS384,
	SIG_RS512,
	SIG_PS256, /* RSA-PSS, MGF1 of the same hash, salt of digest size */
	SIG_PS384,
	SIG_PS512,
	SIG_EDDSA, /* Ed25519 */
};

/** sig_from_name() - JOSE name ("ES256"). Return: SIG_NONE when unknown. */
enum sig_alg sig_from_name(struct slice name);
const char *sig_name(enum sig_alg alg);
/**
 * pkey_sig_alg() - the one algorithm that a key is used with in JOSE: ES256 for P-256 and so on
 * @rsa: which one when it is an RSA key, that has six
 * Return: SIG_NONE when the key does not sign, or @rsa is not one of an RSA key's.
 */
enum sig_alg pkey_sig_alg(const struct pkey *k, enum sig_alg rsa);

/** pkey_generate() - @rsa_bits only for KEY_RSA. Return: 0, -EOPNOTSUPP, -EINVAL, -EIO. */
must_check int pkey_generate(enum key_type type, unsigned rsa_bits, struct pkey **ret);
/** pkey_from_pem() - the first key in PEM text: PKCS#8, SEC1, PKCS#1, SPKI; unencrypted.
 * Return: 0, -EBADMSG, -EOPNOTSUPP (type or size not allowed). */
must_check int pkey_from_pem(struct slice pem, struct pkey **ret, struct err *reterr);
/** pkey_from_any() - PEM, DER (PKCS#8, PKCS#1, SEC1, SPKI) or the text of a JWK: a file that a
 * person gives. Return: as pkey_from_pem(). */
must_check int pkey_from_any(struct slice in, struct pkey **ret, struct err *reterr);
/** pkey_from_spki() - public key, DER SubjectPublicKeyInfo without trailing bytes */
must_check int pkey_from_spki(struct slice der, struct pkey **ret, struct err *reterr);
/** pkey_from_jwk() - JWK (RFC 7517); private when "d" is present. Members not needed are ignored.
 */
must_check int pkey_from_jwk(const json_t *jwk, struct pkey **ret, struct err *reterr);
/** pkey_from_ec_point() - uncompressed point 04||x||y on @type */
must_check int pkey_from_ec_point(enum key_type type, struct slice point, struct pkey **ret);
/** pkey_from_ed25519() - public key, 32 bytes. Return: 0, -EBADMSG. */
must_check int pkey_from_ed25519(struct slice raw, struct pkey **ret);
/** pkey_from_rsa() - public key from big-endian modulus and exponent */
must_check int pkey_from_rsa(struct slice n, struct slice e, struct pkey **ret);
void pkey_free(struct pkey *k);
DEFINE_CLEANUP(struct pkey *, pkey_free);

enum key_type pkey_type(const struct pkey *k);
bool pkey_is_private(const struct pkey *k);
/** pkey_equal() - same public key */
bool pkey_equal(const struct pkey *a, const struct pkey *b);
must_check int pkey_to_pem_public(const struct pkey *k, struct buf *out);
/** pkey_to_pem_private() - PKCS#8; @out should be a secret buffer */
must_check int pkey_to_pem_private(const struct pkey *k, struct buf *out);
must_check int pkey_to_spki(const struct pkey *k, struct buf *out);
/** pkey_ec_point() - append 04||x||y. Return: 0, -EINVAL (no EC key), -EIO. */
must_check int pkey_ec_point(const struct pkey *k, struct buf *out);
/** pkey_to_jwk() - public JWK with kty, crv/x/y or n/e (new reference); NULL on failure */
json_t *pkey_to_jwk(const struct pkey *k);
/** pkey_thumbprint() - RFC 7638, SHA-256, base64url appended to @out */
must_check int pkey_thumbprint(const struct pkey *k, struct buf *out);

/**
 * pkey_sign() - sign @in (the message, not its digest)
 * @out: raw r||s for ES*, the signature otherwise
 * Return: 0, -EINVAL (key does not fit @alg or is public), -EIO.
 */
must_check int pkey_sign(const struct pkey *k, enum sig_alg alg, struct slice in, struct buf *out);
/** pkey_verify() - Return: 0 good, -EKEYREJECTED bad, -EINVAL (key does not fit @alg), -EIO. */
must_check int pkey_verify(
	const struct pkey *k, enum sig_alg alg, struct slice in, struct slice sig);
/**
 * pkey_prepare() - make pkey_verify() by @alg (one of ES*) cheaper, for a key that is to be used often
 * What the library looks up for each signature is looked up once.
 * Return: 0, -EINVAL (key does not fit @alg), -EIO.
 */
must_check int pkey_prepare(struct pkey *k, enum sig_alg alg);
/**
 * pkey_verify_ecdsa() - raw r||s with @hash, whatever the curve of @k: COSE does not tie them
 * Return: as pkey_verify(); -EINVAL when @k is no EC key or @hash not SHA-2.
 */
must_check int pkey_verify_ecdsa(
	const struct pkey *k, enum hash_alg hash, struct slice in, struct slice sig);
/** pkey_sign_der() / pkey_verify_der() - as above, ECDSA signatures in DER (cosign, X.509) */
must_check int pkey_sign_der(
	const struct pkey *k, enum sig_alg alg, struct slice in, struct buf *out);
must_check int pkey_verify_der(
	const struct pkey *k, enum sig_alg alg, struct slice in, struct slice sig);

/** ecdh_derive() - x coordinate of the shared point; both keys on the same curve */
must_check int ecdh_derive(const struct pkey *priv, const struct pkey *peer, struct secret *ret);
/** rsa_oaep_encrypt() / rsa_oaep_decrypt() - OAEP with MGF1 of @hash */
must_check int rsa_oaep_encrypt(
	const struct pkey *k, enum hash_alg hash, struct slice in, struct buf *out);
/** rsa_pkcs1_encrypt() - PKCS#1 v1.5, which is for peers that know nothing better */
must_check int rsa_pkcs1_encrypt(const struct pkey *k, struct slice in, struct buf *out);
must_check int rsa_oaep_decrypt(
	const struct pkey *k, enum hash_alg hash, struct slice in, struct buf *out);
/** rsa_pkcs1_decrypt() - PKCS#1 v1.5, for old formats at rest. Never where a peer can ask often and
 * tell failures apart: the padding is an oracle. */
must_check int rsa_pkcs1_decrypt(const struct pkey *k, struct slice in, struct buf *out);
