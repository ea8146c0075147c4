/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/objects.h>

#include "base/enc.h"
#include "base/str.h"
#include "x509_view.h"

/* Big numbers are JSON numbers. */
static val big_number(struct rego_eval *e, const BIGNUM *n)
{
	char *text = n ? BN_bn2dec(n) : NULL;
	val v = text ? rego_make_number(e, slice_str(text)) : NULL;
	if (text)
		OPENSSL_cleanse(text, strlen(text));
	OPENSSL_free(text);
	return v;
}

static BIGNUM *key_number(const EVP_PKEY *k, const char *name)
{
	BIGNUM *n = NULL;
	return EVP_PKEY_get_bn_param(k, name, &n) == 1 ? n : NULL;
}

static val number_of(struct rego_eval *e, const EVP_PKEY *k, const char *name)
{
	BIGNUM *n = key_number(k, name);
	val v = big_number(e, n);
	BN_clear_free(n);
	return v;
}

static val empty_object(struct rego_eval *e)
{
	return rego_make_object(e, NULL, 0);
}

static void put_public_members(struct ext_object *o, const EVP_PKEY *k)
{
	if (EVP_PKEY_is_a(k, "RSA") || EVP_PKEY_is_a(k, "RSA-PSS")) {
		ext_put(o, "N", number_of(o->e, k, OSSL_PKEY_PARAM_RSA_N));
		ext_put(o, "E", number_of(o->e, k, OSSL_PKEY_PARAM_RSA_E));
		return;
	}
	ext_put(o, "Curve", empty_object(o->e));
	ext_put(o, "X", number_of(o->e, k, OSSL_PKEY_PARAM_EC_PUB_X));
	ext_put(o, "Y", number_of(o->e, k, OSSL_PKEY_PARAM_EC_PUB_Y));
}

val view_public_key(struct rego_eval *e, EVP_PKEY *k, int *ret_algorithm)
{
	struct ext_object o = {.e = e};
	uint8_t raw[64];
	size_t size = sizeof(raw);
	*ret_algorithm = 0;
	if (!k)
		return rego_make_null();
	if (EVP_PKEY_is_a(k, "ED25519") && EVP_PKEY_get_raw_public_key(k, raw, &size) == 1) {
		*ret_algorithm = 4;
		return view_b64(e, slice_of(raw, size));
	}
	if (!EVP_PKEY_is_a(k, "RSA") && !EVP_PKEY_is_a(k, "EC"))
		return rego_make_null();
	*ret_algorithm = EVP_PKEY_is_a(k, "RSA") ? 1 : 3;
	put_public_members(&o, k);
	return ext_object(&o);
}

int view_signature_algorithm(int nid, int digest_nid)
{
	static const int nids[] = {0, NID_md2WithRSAEncryption, NID_md5WithRSAEncryption,
		NID_sha1WithRSAEncryption, NID_sha256WithRSAEncryption, NID_sha384WithRSAEncryption,
		NID_sha512WithRSAEncryption, NID_dsaWithSHA1, NID_dsa_with_SHA256,
		NID_ecdsa_with_SHA1, NID_ecdsa_with_SHA256, NID_ecdsa_with_SHA384,
		NID_ecdsa_with_SHA512};
	for (size_t i = 1; i < ARRAY_COUNT(nids); i++)
		if (nid == nids[i])
			return (int)i;
	if (nid == NID_ED25519)
		return 16;
	if (nid != NID_rsassaPss)
		return 0;
	return digest_nid == NID_sha256	  ? 13
	       : digest_nid == NID_sha384 ? 14
	       : digest_nid == NID_sha512 ? 15
					  : 0;
}

/* --- private keys --- */

static val rsa_private(struct rego_eval *e, EVP_PKEY *k)
{
	struct ext_object o = {.e = e}, pre = {.e = e};
	val primes[] = {number_of(e, k, OSSL_PKEY_PARAM_RSA_FACTOR1),
		number_of(e, k, OSSL_PKEY_PARAM_RSA_FACTOR2)};
	put_public_members(&o, k);
	ext_put(&o, "D", number_of(e, k, OSSL_PKEY_PARAM_RSA_D));
	ext_put(&o, "Primes", rego_make_array(e, primes, 2));
	ext_put(&pre, "Dp", number_of(e, k, OSSL_PKEY_PARAM_RSA_EXPONENT1));
	ext_put(&pre, "Dq", number_of(e, k, OSSL_PKEY_PARAM_RSA_EXPONENT2));
	ext_put(&pre, "Qinv", number_of(e, k, OSSL_PKEY_PARAM_RSA_COEFFICIENT1));
	ext_put(&pre, "CRTValues", rego_make_array(e, NULL, 0));
	ext_put(&o, "Precomputed", ext_object(&pre));
	return ext_object(&o);
}

/* Seed and public key of an Ed25519 key: 64 bytes. */
static bool ed25519_bytes(EVP_PKEY *k, uint8_t raw[64])
{
	size_t private_size = 32, public_size = 32;
	return EVP_PKEY_get_raw_private_key(k, raw, &private_size) == 1 && private_size == 32 &&
	       EVP_PKEY_get_raw_public_key(k, raw + 32, &public_size) == 1 && public_size == 32;
}

val view_private_key(struct rego_eval *e, EVP_PKEY *k)
{
	struct ext_object o = {.e = e};
	uint8_t raw[64];
	if (EVP_PKEY_is_a(k, "RSA"))
		return rsa_private(e, k);
	if (EVP_PKEY_is_a(k, "EC")) {
		put_public_members(&o, k);
		ext_put(&o, "D", number_of(e, k, OSSL_PKEY_PARAM_PRIV_KEY));
		return ext_object(&o);
	}
	if (!EVP_PKEY_is_a(k, "ED25519") || !ed25519_bytes(k, raw))
		return NULL;
	val v = view_b64(e, slice_of(raw, sizeof(raw)));
	OPENSSL_cleanse(raw, sizeof(raw));
	return v;
}

static void put_b64url(struct ext_object *o, const char *member, struct slice bytes)
{
	cleanup_with(buf_done) struct buf text = buf_init_secret(0);
	b64_encode(&text, bytes, B64_URL);
	ext_put_str(o, member, buf_slice(&text));
}

/* A number in big-endian bytes, padded to @size where that is not 0. */
static void put_jwk_number(
	struct ext_object *o, const char *member, const EVP_PKEY *k, const char *name, size_t size)
{
	uint8_t bytes[2048];
	BIGNUM *n = key_number(k, name);
	size_t need = n ? (size_t)BN_num_bytes(n) : 0;
	if (size < need)
		size = need;
	if (!n || size > sizeof(bytes) || BN_bn2binpad(n, bytes, (int)size) < 0)
		o->failed = true;
	else
		put_b64url(o, member, slice_of(bytes, size));
	BN_clear_free(n);
	OPENSSL_cleanse(bytes, sizeof(bytes));
}

static val rsa_jwk(struct rego_eval *e, EVP_PKEY *k)
{
	static const char *const part[][2] = {{"n", OSSL_PKEY_PARAM_RSA_N},
		{"e", OSSL_PKEY_PARAM_RSA_E}, {"d", OSSL_PKEY_PARAM_RSA_D},
		{"p", OSSL_PKEY_PARAM_RSA_FACTOR1}, {"q", OSSL_PKEY_PARAM_RSA_FACTOR2},
		{"dp", OSSL_PKEY_PARAM_RSA_EXPONENT1}, {"dq", OSSL_PKEY_PARAM_RSA_EXPONENT2},
		{"qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1}};
	struct ext_object o = {.e = e};
	ext_put_str(&o, "kty", SLICE_LIT("RSA"));
	for (size_t i = 0; i < ARRAY_COUNT(part); i++)
		put_jwk_number(&o, part[i][0], k, part[i][1], 0);
	return ext_object(&o);
}

static val ec_jwk(struct rego_eval *e, EVP_PKEY *k)
{
	static const char *const curve[][2] = {
		{"prime256v1", "P-256"}, {"secp384r1", "P-384"}, {"secp521r1", "P-521"}};
	struct ext_object o = {.e = e};
	char group[64];
	size_t size = (size_t)(EVP_PKEY_get_bits(k) + 7) / 8;
	if (EVP_PKEY_get_utf8_string_param(
		    k, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group), NULL) != 1)
		return NULL;
	for (size_t i = 0; i < ARRAY_COUNT(curve); i++) {
		if (!streq(group, curve[i][0]))
			continue;
		ext_put_str(&o, "kty", SLICE_LIT("EC"));
		ext_put_str(&o, "crv", slice_str(curve[i][1]));
		put_jwk_number(&o, "x", k, OSSL_PKEY_PARAM_EC_PUB_X, size);
		put_jwk_number(&o, "y", k, OSSL_PKEY_PARAM_EC_PUB_Y, size);
		put_jwk_number(&o, "d", k, OSSL_PKEY_PARAM_PRIV_KEY, size);
		return ext_object(&o);
	}
	return NULL;
}

val view_jwk(struct rego_eval *e, EVP_PKEY *k)
{
	struct ext_object o = {.e = e};
	uint8_t raw[64];
	if (EVP_PKEY_is_a(k, "RSA"))
		return rsa_jwk(e, k);
	if (EVP_PKEY_is_a(k, "EC"))
		return ec_jwk(e, k);
	if (!EVP_PKEY_is_a(k, "ED25519") || !ed25519_bytes(k, raw))
		return NULL;
	ext_put_str(&o, "kty", SLICE_LIT("OKP"));
	ext_put_str(&o, "crv", SLICE_LIT("Ed25519"));
	put_b64url(&o, "x", slice_of(raw + 32, 32));
	put_b64url(&o, "d", slice_of(raw, 32));
	OPENSSL_cleanse(raw, sizeof(raw));
	return ext_object(&o);
}
