/* SPDX-License-Identifier: Apache-2.0 */
/* Writing keys as PEM, SPKI and JWK. */
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/enc.h"
#include "crypto/key_internal.h"

static int from_bio(BIO *bio, bool good, struct buf *out)
{
	char *data = NULL;
	long size = good ? BIO_get_mem_data(bio, &data) : 0;
	if (size > 0)
		buf_put(out, data, (size_t)size);
	if (data && size > 0)
		explicit_bzero(data, (size_t)size);
	BIO_free(bio);
	return size > 0 ? buf_error(out) : -EIO;
}

int pkey_to_pem_public(const struct pkey *k, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_mem());
	return from_bio(bio, bio && PEM_write_bio_PUBKEY(bio, k->p) == 1, out);
}

int pkey_to_pem_private(const struct pkey *k, struct buf *out)
{
	if (!k->is_private)
		return -EINVAL;
	BIO *bio = BIO_new(BIO_s_mem());
	return from_bio(bio,
		bio && PEM_write_bio_PKCS8PrivateKey(bio, k->p, NULL, NULL, 0, NULL, NULL) == 1,
		out);
}

int pkey_to_spki(const struct pkey *k, struct buf *out)
{
	uint8_t *der = NULL;
	int size = i2d_PUBKEY(k->p, &der);
	if (size > 0)
		buf_put(out, der, (size_t)size);
	OPENSSL_free(der);
	return size > 0 ? buf_error(out) : -EIO;
}

static int put_bn(struct buf *out, const EVP_PKEY *p, const char *name, size_t size)
{
	BIGNUM *bn = NULL;
	int r = -EIO;

	if (EVP_PKEY_get_bn_param(p, name, &bn) == 1) {
		size_t want = size ? size : (size_t)BN_num_bytes(bn);
		uint8_t *room = buf_reserve(out, want);
		if (!room)
			r = buf_error(out);
		else if (BN_bn2binpad(bn, room, (int)want) == (int)want) {
			buf_commit(out, want);
			r = 0;
		}
	}
	BN_free(bn);
	return r;
}

int pkey_ec_point(const struct pkey *k, struct buf *out)
{
	const struct curve_info *curve = curve_of(k->type);
	if (!curve)
		return -EINVAL;
	buf_put_u8(out, 4);
	int r = put_bn(out, k->p, OSSL_PKEY_PARAM_EC_PUB_X, curve->size);
	return r < 0 ? r : put_bn(out, k->p, OSSL_PKEY_PARAM_EC_PUB_Y, curve->size);
}

static int set_b64(json_t *object, const char *name, struct slice bytes)
{
	cleanup_with(buf_done) struct buf text = buf_init(4096);
	b64_encode(&text, bytes, B64_URL);
	if (buf_error(&text) < 0)
		return buf_error(&text);
	return json_object_set_new(object, name, json_string(buf_str(&text))) == 0 ? 0 : -ENOMEM;
}

static int fill_jwk(const struct pkey *k, json_t *jwk)
{
	const struct curve_info *curve = curve_of(k->type);
	cleanup_with(buf_done) struct buf b = buf_init(4096);
	int r;

	if (curve) {
		r = pkey_ec_point(k, &b);
		if (r < 0 || json_object_set_new(jwk, "kty", json_string("EC")) < 0 ||
			json_object_set_new(jwk, "crv", json_string(curve->jose)) < 0)
			return -ENOMEM;
		r = set_b64(jwk, "x", slice_of(b.data + 1, curve->size));
		return r < 0 ? r
			     : set_b64(jwk, "y", slice_of(b.data + 1 + curve->size, curve->size));
	}
	if (k->type == KEY_RSA) {
		if (json_object_set_new(jwk, "kty", json_string("RSA")) < 0 ||
			put_bn(&b, k->p, OSSL_PKEY_PARAM_RSA_N, 0) < 0 ||
			set_b64(jwk, "n", buf_slice(&b)) < 0)
			return -ENOMEM;
		buf_clear(&b);
		r = put_bn(&b, k->p, OSSL_PKEY_PARAM_RSA_E, 0);
		return r < 0 ? r : set_b64(jwk, "e", buf_slice(&b));
	}
	uint8_t raw[32];
	size_t size = sizeof(raw);
	if (EVP_PKEY_get_raw_public_key(k->p, raw, &size) != 1 ||
		json_object_set_new(jwk, "kty", json_string("OKP")) < 0 ||
		json_object_set_new(jwk, "crv", json_string("Ed25519")) < 0)
		return -EIO;
	return set_b64(jwk, "x", slice_of(raw, size));
}

json_t *pkey_to_jwk(const struct pkey *k)
{
	json_t *jwk = json_object();
	if (jwk && fill_jwk(k, jwk) < 0) {
		json_decref(jwk);
		return NULL;
	}
	return jwk;
}

int pkey_thumbprint(const struct pkey *k, struct buf *out)
{
	struct digest d;
	json_t *jwk = pkey_to_jwk(k);
	/* RFC 7638: the required members only, in lexical order, without white space. */
	char *text = jwk ? json_dumps(jwk, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	int r = text ? hash_once(HASH_SHA256, slice_str(text), &d) : -ENOMEM;
	free(text);
	json_decref(jwk);
	if (r < 0)
		return r;
	b64_encode(out, digest_slice(&d), B64_URL);
	return buf_error(out);
}
