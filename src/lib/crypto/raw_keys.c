/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/raw_keys.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

static int generate(const char *type, uint8_t private[RAW_KEY_SIZE], uint8_t public[RAW_KEY_SIZE])
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, type);
	size_t private_size = RAW_KEY_SIZE, public_size = RAW_KEY_SIZE;
	bool good = key && EVP_PKEY_get_raw_private_key(key, private, &private_size) == 1 &&
		    EVP_PKEY_get_raw_public_key(key, public, &public_size) == 1 &&
		    private_size == RAW_KEY_SIZE && public_size == RAW_KEY_SIZE;

	EVP_PKEY_free(key);
	return good ? 0 : -EIO;
}

int raw_x25519_generate(uint8_t private[RAW_KEY_SIZE], uint8_t public[RAW_KEY_SIZE])
{
	return generate("X25519", private, public);
}

int raw_ed25519_generate(uint8_t private[RAW_KEY_SIZE], uint8_t public[RAW_KEY_SIZE])
{
	return generate("ED25519", private, public);
}

int raw_ed25519_sign(
	const uint8_t private[RAW_KEY_SIZE], struct slice message, uint8_t ret[RAW_SIGNATURE_SIZE])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, private, RAW_KEY_SIZE);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t size = RAW_SIGNATURE_SIZE;
	bool good = key && ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
		    EVP_DigestSign(ctx, ret, &size, message.data, message.size) == 1 &&
		    size == RAW_SIGNATURE_SIZE;

	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return good ? 0 : -EIO;
}

int raw_p256_generate(uint8_t private[RAW_KEY_SIZE], uint8_t public[RAW_POINT_SIZE])
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	BIGNUM *scalar = NULL;
	size_t size = 0;
	bool good = key && EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &scalar) == 1 &&
		    BN_bn2binpad(scalar, private, RAW_KEY_SIZE) == RAW_KEY_SIZE &&
		    EVP_PKEY_get_octet_string_param(
			    key, OSSL_PKEY_PARAM_PUB_KEY, public, RAW_POINT_SIZE, &size) == 1 &&
		    size == RAW_POINT_SIZE;

	BN_clear_free(scalar);
	EVP_PKEY_free(key);
	return good ? 0 : -EIO;
}

/* NULL on failure. */
static EVP_PKEY *p256_key(const uint8_t private[RAW_KEY_SIZE])
{
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	BIGNUM *scalar = BN_secure_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	OSSL_PARAM *params = NULL;
	EVP_PKEY *key = NULL;

	if (builder && scalar && ctx && BN_bin2bn(private, RAW_KEY_SIZE, scalar) &&
		OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) ==
			1 &&
		OSSL_PARAM_BLD_push_BN_pad(
			builder, OSSL_PKEY_PARAM_PRIV_KEY, scalar, RAW_KEY_SIZE) == 1)
		params = OSSL_PARAM_BLD_to_param(builder);
	if (params && EVP_PKEY_fromdata_init(ctx) == 1)
		(void)EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params);
	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(ctx);
	BN_clear_free(scalar);
	OSSL_PARAM_BLD_free(builder);
	return key;
}

/* With s also n - s verifies: who looks for a signature by its bytes wants one of them only. */
static int put_low_s(const uint8_t *der, size_t size, struct buf *out)
{
	EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)size);
	BIGNUM *r = sig ? BN_dup(ECDSA_SIG_get0_r(sig)) : NULL;
	BIGNUM *s = sig ? BN_dup(ECDSA_SIG_get0_s(sig)) : NULL;
	BIGNUM *half = BN_new();
	const BIGNUM *n = group ? EC_GROUP_get0_order(group) : NULL;
	bool good = r && s && half && n && BN_rshift1(half, n) == 1;
	unsigned char *low = NULL;
	int low_size = 0;

	if (good && BN_cmp(s, half) > 0)
		good = BN_sub(s, n, s) == 1;
	if (good && ECDSA_SIG_set0(sig, r, s) == 1) {
		r = s = NULL;
		low_size = i2d_ECDSA_SIG(sig, &low);
	}
	if (low_size > 0)
		buf_put_slice(out, slice_of(low, (size_t)low_size));
	OPENSSL_free(low);
	BN_free(r);
	BN_free(s);
	BN_free(half);
	ECDSA_SIG_free(sig);
	EC_GROUP_free(group);
	return low_size > 0 ? buf_error(out) : -EIO;
}

int raw_p256_sign(const uint8_t private[RAW_KEY_SIZE], struct slice message, struct buf *out)
{
	EVP_PKEY *key = p256_key(private);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t der[80];
	size_t size = sizeof(der);
	bool good = key && ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
		    EVP_DigestSign(ctx, der, &size, message.data, message.size) == 1;

	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return good ? put_low_s(der, size, out) : -EIO;
}
