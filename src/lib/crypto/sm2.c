/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/sm2.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

#include "crypto/key_internal.h"

#define ID_MAX 8191 /* its length in bits has two bytes */

static EVP_PKEY *load_point(const struct sm2_point *key)
{
	uint8_t point[1 + 2 * SM2_SIZE] = {4};
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY *p = NULL;

	memcpy(point + 1, key->x, SM2_SIZE);
	memcpy(point + 1 + SM2_SIZE, key->y, SM2_SIZE);
	if (bld && OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, "SM2", 0) &&
		OSSL_PARAM_BLD_push_octet_string(
			bld, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)))
		params = OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "SM2", NULL);
	if (params && ctx && EVP_PKEY_fromdata_init(ctx) == 1 &&
		EVP_PKEY_fromdata(ctx, &p, EVP_PKEY_PUBLIC_KEY, params) != 1)
		p = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	return p;
}

/* Reading a point checks that it is on the curve; the cofactor is 1. */
static int verify_der(EVP_PKEY *p, struct slice id, struct slice in, struct slice sig)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx = NULL;
	int r = -EIO;

	if (ctx && EVP_DigestVerifyInit_ex(ctx, &pctx, "SM3", NULL, NULL, p, NULL) == 1 &&
		EVP_PKEY_CTX_set1_id(pctx, id.data, (int)id.size) == 1)
		r = EVP_DigestVerify(ctx, sig.data, sig.size, in.data, in.size) == 1
			    ? 0
			    : -EKEYREJECTED;
	EVP_MD_CTX_free(ctx);
	return r;
}

int sm2_verify(const struct sm2_point *key, struct slice id, struct slice in,
	const struct sm2_signature *sig)
{
	cleanup_with(buf_done) struct buf der = buf_init(128);
	uint8_t raw[2 * SM2_SIZE];

	if (id.size == 0 || id.size > ID_MAX || in.size == 0)
		return -EINVAL;
	memcpy(raw, sig->r, SM2_SIZE);
	memcpy(raw + SM2_SIZE, sig->s, SM2_SIZE);
	int r = ecdsa_raw_to_der(slice_of(raw, sizeof(raw)), SM2_SIZE, &der);
	EVP_PKEY *p = r == 0 ? load_point(key) : NULL;
	if (r == 0)
		r = p ? verify_der(p, id, in, buf_slice(&der)) : -EKEYREJECTED;
	EVP_PKEY_free(p);
	ERR_clear_error();
	return r;
}
