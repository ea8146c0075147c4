/* SPDX-License-Identifier: Apache-2.0 */
#include "jwk.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <stdlib.h>

#include "base/enc.h"
#include "base/str.h"
#include "pem.h"

bool jwt_algorithm_known(struct slice name)
{
	return sig_from_name(name) != SIG_NONE || slice_eq_str(name, "HS256") ||
	       slice_eq_str(name, "HS384") || slice_eq_str(name, "HS512");
}

static void key_done(struct jwt_key *k)
{
	pkey_free(k->key);
	buf_done(&k->secret);
	free(k->kid);
	free(k->alg);
}

void jwt_keys_done(struct jwt_keys *k)
{
	for (size_t i = 0; i < k->count; i++)
		key_done(&k->item[i]);
	free(k->item);
	*k = (struct jwt_keys){0};
}

static int key_from_pem(struct slice type, struct slice der, struct jwt_key *ret, struct err *e)
{
	int r;
	if (slice_eq_str(type, "CERTIFICATE")) {
		cleanup(cert_free) struct cert *c = NULL;
		r = cert_from_der(der, &c, e);
		if (r < 0)
			return err_wrap(e, -EBADMSG, "failed to parse a PEM certificate");
		r = cert_key(c, &ret->key);
		return r == -ENOMEM ? r : 0; /* a key of another kind verifies nothing */
	}
	if (!slice_eq_str(type, "PUBLIC KEY"))
		return err_set(e, -EBADMSG, "failed to extract a Key from the PEM certificate");
	r = pkey_from_spki(der, &ret->key, e);
	if (r == -EOPNOTSUPP)
		return 0;
	return r < 0 ? err_wrap(e, -EBADMSG, "failed to parse a PEM public key") : 0;
}

static int copy_text(const json_t *jwk, const char *name, char **ret)
{
	const char *text = json_string_value(json_object_get(jwk, name));
	*ret = text ? strdup(text) : NULL;
	return text && !*ret ? -ENOMEM : 0;
}

static bool push_number(
	OSSL_PARAM_BLD *bld, const json_t *jwk, const char *member, const char *name, BIGNUM **ret)
{
	cleanup_with(buf_done) struct buf bytes = buf_init_secret(2048);
	const char *text = json_string_value(json_object_get(jwk, member));
	if (!text || b64_decode_any(&bytes, slice_str(text)) < 0)
		return false;
	*ret = BN_bin2bn(bytes.data, (int)bytes.size, NULL);
	return *ret && OSSL_PARAM_BLD_push_BN(bld, name, *ret) == 1;
}

/* Through PEM, which is how private RSA keys come into crypto/key.h. */
static int adopt_rsa(EVP_PKEY *k, struct jwt_key *ret, struct err *e)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	char *text = NULL;
	int r = -EBADMSG;
	if (bio && PEM_write_bio_PrivateKey(bio, k, NULL, NULL, 0, NULL, NULL) == 1) {
		long size = BIO_get_mem_data(bio, &text);
		r = pkey_from_pem(slice_of(text, (size_t)size), &ret->key, e);
	}
	BIO_free(bio);
	return r;
}

static int private_rsa(const json_t *jwk, struct jwt_key *ret, struct err *e)
{
	static const char *const part[][2] = {{"n", OSSL_PKEY_PARAM_RSA_N},
		{"e", OSSL_PKEY_PARAM_RSA_E}, {"d", OSSL_PKEY_PARAM_RSA_D},
		{"p", OSSL_PKEY_PARAM_RSA_FACTOR1}, {"q", OSSL_PKEY_PARAM_RSA_FACTOR2},
		{"dp", OSSL_PKEY_PARAM_RSA_EXPONENT1}, {"dq", OSSL_PKEY_PARAM_RSA_EXPONENT2},
		{"qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1}};
	BIGNUM *number[ARRAY_COUNT(part)] = {0};
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	EVP_PKEY *k = NULL;
	bool ok = bld && ctx && EVP_PKEY_fromdata_init(ctx) == 1;
	for (size_t i = 0; ok && i < ARRAY_COUNT(part); i++)
		ok = push_number(bld, jwk, part[i][0], part[i][1], &number[i]);
	OSSL_PARAM *params = ok ? OSSL_PARAM_BLD_to_param(bld) : NULL;
	ok = params && EVP_PKEY_fromdata(ctx, &k, EVP_PKEY_KEYPAIR, params) == 1;
	int r = ok ? adopt_rsa(k, ret, e)
		   : err_set(e, -EBADMSG, "the members of the private RSA key are no key");
	EVP_PKEY_free(k);
	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_BLD_free(bld);
	for (size_t i = 0; i < ARRAY_COUNT(part); i++)
		BN_clear_free(number[i]);
	ERR_clear_error();
	return r;
}

static int key_from_jwk(const json_t *jwk, struct jwt_key *ret, struct err *e)
{
	int r = copy_text(jwk, "kid", &ret->kid);
	if (r == 0)
		r = copy_text(jwk, "alg", &ret->alg);
	if (r < 0)
		return r;
	const char *kty = json_string_value(json_object_get(jwk, "kty"));
	bool rsa = kty && streq(kty, "RSA");
	if (rsa && json_object_get(jwk, "d"))
		return private_rsa(jwk, ret, e);
	if (!kty || !streq(kty, "oct")) {
		r = pkey_from_jwk(jwk, &ret->key, e);
		return rsa && r == -EOPNOTSUPP ? 0 : r; /* a size that verifies nothing */
	}
	ret->secret = buf_init_secret(0);
	const char *k = json_string_value(json_object_get(jwk, "k"));
	if (!k || b64_decode_any(&ret->secret, slice_str(k)) < 0 || ret->secret.size == 0)
		return err_set(
			e, -EBADMSG, "the member \"k\" of a symmetric key is missing or malformed");
	return 0;
}

int jwt_keys_parse_jwk(struct slice text, struct jwt_keys *ret, struct err *reterr)
{
	json_error_t je;
	json_t *json = json_loadb((const char *)text.data, text.size, 0, &je);
	if (!json)
		return err_set(reterr, -EBADMSG, "failed to unmarshal JWK: %s", je.text);
	const json_t *set = json_object_get(json, "keys");
	size_t count = json_is_array(set) ? json_array_size(set) : 1;
	int r = 0;
	if (!json_is_object(json) || (set && !json_is_array(set)) || count > JWT_KEYS_MAX)
		r = err_set(reterr, -EBADMSG, "it is neither a JWK nor a set of at most %d",
			JWT_KEYS_MAX);
	else if (!(ret->item = calloc(count + 1, sizeof(*ret->item))))
		r = -ENOMEM;
	for (size_t i = 0; r == 0 && i < count; i++) {
		const json_t *jwk = set ? json_array_get(set, i) : json;
		r = key_from_jwk(jwk, &ret->item[ret->count++], reterr);
	}
	json_decref(json);
	if (r < 0)
		jwt_keys_done(ret);
	return r;
}

static int parse_pem(struct slice text, struct jwt_keys *ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf der = {0};
	struct slice type;
	int r = pem_next(&text, &type, &der);
	if (r < 0)
		return r;
	if (text.size > 0)
		return err_set(reterr, -EBADMSG, "extra data after a PEM certificate block");
	ret->item = calloc(1, sizeof(*ret->item));
	if (!ret->item)
		return -ENOMEM;
	ret->count = 1;
	r = key_from_pem(type, buf_slice(&der), &ret->item[0], reterr);
	if (r < 0)
		jwt_keys_done(ret);
	return r;
}

int jwt_keys_parse(struct slice text, struct jwt_keys *ret, struct err *reterr)
{
	int r = parse_pem(text, ret, reterr);
	if (r != -ENOENT)
		return r;
	r = jwt_keys_parse_jwk(text, ret, reterr);
	if (r < 0)
		return r == -ENOMEM ? r
				    : err_wrap(reterr, -EBADMSG, "failed to parse a JWK key (set)");
	size_t kept = 0;
	for (size_t i = 0; i < ret->count; i++) {
		struct jwt_key *k = &ret->item[i];
		if (k->alg && k->alg[0] && !jwt_algorithm_known(slice_str(k->alg)))
			key_done(k);
		else
			ret->item[kept++] = *k;
	}
	ret->count = kept;
	return 0;
}
