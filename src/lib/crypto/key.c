/* SPDX-License-Identifier: Apache-2.0 */
/* Making, loading and exporting keys. Their use is in key_use.c. */
#include "crypto/key_internal.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/enc.h"
#include "base/str.h"
#include "fmt/json.h"

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192

const struct curve_info g_curves[3] = {
	{KEY_P256, "P-256", "prime256v1", 32},
	{KEY_P384, "P-384", "secp384r1", 48},
	{KEY_P521, "P-521", "secp521r1", 66},
};

const struct curve_info *curve_of(enum key_type type)
{
	for (size_t i = 0; i < ARRAY_COUNT(g_curves); i++) {
		if (g_curves[i].type == type)
			return &g_curves[i];
	}
	return NULL;
}

static enum key_type type_of(EVP_PKEY *p)
{
	char group[64];
	size_t size = 0;

	if (EVP_PKEY_is_a(p, "ED25519"))
		return KEY_ED25519;
	if (EVP_PKEY_is_a(p, "RSA")) {
		int bits = EVP_PKEY_get_bits(p);
		return bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX ? KEY_RSA : KEY_NONE;
	}
	if (EVP_PKEY_is_a(p, "EC") &&
		EVP_PKEY_get_group_name(p, group, sizeof(group), &size) == 1) {
		for (size_t i = 0; i < ARRAY_COUNT(g_curves); i++) {
			if (streq(group, g_curves[i].group))
				return g_curves[i].type;
		}
	}
	return KEY_NONE;
}

static bool has_private_part(EVP_PKEY *p, enum key_type type)
{
	uint8_t raw[32];
	size_t size = sizeof(raw);
	BIGNUM *d = NULL;
	bool yes;

	if (type == KEY_ED25519) {
		yes = EVP_PKEY_get_raw_private_key(p, raw, &size) == 1;
		explicit_bzero(raw, sizeof(raw));
		return yes;
	}
	yes = EVP_PKEY_get_bn_param(p,
		      type == KEY_RSA ? OSSL_PKEY_PARAM_RSA_D : OSSL_PKEY_PARAM_PRIV_KEY, &d) == 1;
	BN_clear_free(d);
	return yes;
}

/* Takes ownership of @p in every case. */
int pkey_adopt(EVP_PKEY *p, struct pkey **ret, struct err *reterr)
{
	enum key_type type = type_of(p);
	if (type == KEY_NONE) {
		EVP_PKEY_free(p);
		return err_set(reterr, -EOPNOTSUPP,
			"key type is not supported (use EC P-256/P-384/P-521, RSA of 2048 to 8192 "
			"bits, or Ed25519)");
	}
	struct pkey *k = calloc(1, sizeof(*k));
	if (!k) {
		EVP_PKEY_free(p);
		return -ENOMEM;
	}
	*k = (struct pkey){.p = p, .type = type, .is_private = has_private_part(p, type)};
	*ret = k;
	return 0;
}

void pkey_free(struct pkey *k)
{
	if (!k)
		return;
	EVP_PKEY_CTX_free(k->ready);
	EVP_PKEY_free(k->p);
	free(k);
}

enum key_type pkey_type(const struct pkey *k)
{
	return k->type;
}

bool pkey_is_private(const struct pkey *k)
{
	return k->is_private;
}

bool pkey_equal(const struct pkey *a, const struct pkey *b)
{
	return a->type == b->type && EVP_PKEY_eq(a->p, b->p) == 1;
}

int pkey_generate(enum key_type type, unsigned rsa_bits, struct pkey **ret)
{
	const struct curve_info *curve = curve_of(type);
	EVP_PKEY *p = NULL;

	if (curve)
		p = EVP_EC_gen(curve->group);
	else if (type == KEY_RSA && rsa_bits >= RSA_BITS_MIN && rsa_bits <= RSA_BITS_MAX)
		p = EVP_RSA_gen(rsa_bits);
	else if (type == KEY_RSA)
		return -EINVAL;
	else if (type == KEY_ED25519)
		p = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	else
		return -EOPNOTSUPP;
	return p ? pkey_adopt(p, ret, NULL) : -EIO;
}

static int no_passphrase(char *dst, int size, int rwflag, void *cookie)
{
	return -1;
}

int pkey_from_pem(struct slice pem, struct pkey **ret, struct err *reterr)
{
	if (pem.size == 0 || pem.size > 64 << 10)
		return err_set(reterr, -EBADMSG, "no PEM key found");
	if (pem_ec_read(pem, ret) == 0)
		return 0;
	BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
	if (!bio)
		return -ENOMEM;
	EVP_PKEY *p = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	if (!p) {
		BIO_free(bio);
		bio = BIO_new_mem_buf(pem.data, (int)pem.size);
		p = bio ? PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL) : NULL;
	}
	BIO_free(bio);
	ERR_clear_error();
	if (!p)
		return err_set(reterr, -EBADMSG,
			"no usable key in the PEM text (want an unencrypted private key or a "
			"public key)");
	return pkey_adopt(p, ret, reterr);
}

static int from_jwk_text(struct slice in, struct pkey **ret, struct err *reterr)
{
	json_t *jwk = NULL;

	int r = json_parse(in, 64 << 10, &jwk, reterr);
	if (r == 0)
		r = pkey_from_jwk(jwk, ret, reterr);
	json_decref(jwk);
	return r;
}

static int from_der(struct slice in, struct pkey **ret, struct err *reterr)
{
	const uint8_t *at = in.data;
	EVP_PKEY *p = d2i_AutoPrivateKey(NULL, &at, (long)in.size);

	ERR_clear_error();
	if (p && at == in.data + in.size)
		return pkey_adopt(p, ret, reterr);
	EVP_PKEY_free(p);
	return pkey_from_spki(in, ret, reterr);
}

int pkey_from_any(struct slice in, struct pkey **ret, struct err *reterr)
{
	size_t skip = 0;

	if (in.size == 0 || in.size > 64 << 10)
		return err_set(reterr, -EBADMSG, "no key of a possible size");
	while (skip < in.size && (in.data[skip] == ' ' || in.data[skip] == '\n'))
		skip++;
	if (skip < in.size && in.data[skip] == '{')
		return from_jwk_text(in, ret, reterr);
	return in.data[0] == 0x30 ? from_der(in, ret, reterr) : pkey_from_pem(in, ret, reterr);
}

int pkey_from_spki(struct slice der, struct pkey **ret, struct err *reterr)
{
	const uint8_t *at = der.data;
	if (der.size == 0 || der.size > 16 << 10)
		return err_set(reterr, -EBADMSG, "public key has an impossible size");
	if (spki_ec_read(der, ret) == 0)
		return 0;
	EVP_PKEY *p = d2i_PUBKEY(NULL, &at, (long)der.size);
	ERR_clear_error();
	if (!p || at != der.data + der.size) {
		EVP_PKEY_free(p);
		return err_set(reterr, -EBADMSG, "not a DER SubjectPublicKeyInfo");
	}
	return pkey_adopt(p, ret, reterr);
}

static int from_params(
	const char *kind, int selection, OSSL_PARAM_BLD *bld, struct pkey **ret, struct err *reterr)
{
	EVP_PKEY *p = NULL;
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
	bool good = params && ctx && EVP_PKEY_fromdata_init(ctx) == 1 &&
		    EVP_PKEY_fromdata(ctx, &p, selection, params) == 1;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	if (good) {
		/*
		 * A point off its curve, or a private part of another key, must never be used. The
		 * curves have cofactor 1, so a point on the curve is in the group, and the quick
		 * check says all that the full one does (SP 800-56A, 5.6.2.3.4).
		 */
		EVP_PKEY_CTX *check = EVP_PKEY_CTX_new_from_pkey(NULL, p, NULL);
		good = check && (EVP_PKEY_is_a(p, "EC") ? EVP_PKEY_public_check_quick(check)
							: EVP_PKEY_public_check(check)) == 1;
		if (good && selection == EVP_PKEY_KEYPAIR)
			good = EVP_PKEY_pairwise_check(check) == 1;
		EVP_PKEY_CTX_free(check);
	}
	ERR_clear_error();
	if (!good) {
		EVP_PKEY_free(p);
		return err_set(reterr, -EBADMSG, "key values are not a valid %s key", kind);
	}
	return pkey_adopt(p, ret, reterr);
}

static int ec_key(const struct curve_info *curve, struct slice point, struct slice d,
	struct pkey **ret, struct err *reterr)
{
	int r = -ENOMEM;
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	BIGNUM *priv = d.size > 0 ? BN_secure_new() : NULL;

	if (priv && !BN_bin2bn(d.data, (int)d.size, priv))
		goto out;
	if (bld && (d.size == 0 || priv) &&
		OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, curve->group, 0) &&
		OSSL_PARAM_BLD_push_octet_string(
			bld, OSSL_PKEY_PARAM_PUB_KEY, point.data, point.size) &&
		(!priv || OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, priv)))
		r = from_params(
			"EC", priv ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, bld, ret, reterr);
out:
	OSSL_PARAM_BLD_free(bld);
	BN_clear_free(priv);
	return r;
}

int pkey_from_ec_point(enum key_type type, struct slice point, struct pkey **ret)
{
	const struct curve_info *curve = curve_of(type);
	if (!curve || point.size != 1 + 2 * curve->size || point.data[0] != 4)
		return -EBADMSG;
	return ec_key(curve, point, SLICE_EMPTY, ret, NULL);
}

static int rsa_key(struct slice n, struct slice e, struct pkey **ret, struct err *reterr)
{
	int r = -ENOMEM;
	if (n.size == 0 || n.size > RSA_BITS_MAX / 8 + 1 || e.size == 0 || e.size > 8)
		return err_set(reterr, -EBADMSG, "RSA modulus or exponent has an impossible size");
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	BIGNUM *bn = BN_bin2bn(n.data, (int)n.size, NULL);
	BIGNUM *be = BN_bin2bn(e.data, (int)e.size, NULL);
	if (bld && bn && be && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn) &&
		OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, be))
		r = from_params("RSA", EVP_PKEY_PUBLIC_KEY, bld, ret, reterr);
	OSSL_PARAM_BLD_free(bld);
	BN_free(bn);
	BN_free(be);
	return r;
}

int pkey_from_rsa(struct slice n, struct slice e, struct pkey **ret)
{
	return rsa_key(n, e, ret, NULL);
}

static int jwk_bytes(const json_t *jwk, const char *name, struct buf *out, struct err *reterr)
{
	const char *text = json_string_value(json_object_get(jwk, name));
	if (!text)
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, name, "JWK member \"%s\" is missing",
			name);
	if (b64_decode(out, slice_str(text), B64_URL) < 0)
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, name,
			"JWK member \"%s\" is not base64url", name);
	return 0;
}

static int ec_from_jwk(const json_t *jwk, struct pkey **ret, struct err *reterr)
{
	const char *crv = json_string_value(json_object_get(jwk, "crv"));
	const struct curve_info *curve = NULL;
	cleanup_with(buf_done) struct buf point = buf_init(256);
	cleanup_with(buf_done) struct buf d = buf_init_secret(256);

	for (size_t i = 0; crv && i < ARRAY_COUNT(g_curves); i++) {
		if (streq(crv, g_curves[i].jose))
			curve = &g_curves[i];
	}
	if (!curve)
		return err_at(reterr, -EOPNOTSUPP, ERR_NO_OFFSET, "crv",
			"JWK curve is missing or not supported");
	buf_put_u8(&point, 4);
	int r = jwk_bytes(jwk, "x", &point, reterr);
	if (r == 0 && point.size != 1 + curve->size)
		r = err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "x",
			"JWK coordinate x must have %zu bytes", curve->size);
	if (r == 0)
		r = jwk_bytes(jwk, "y", &point, reterr);
	if (r == 0 && point.size != 1 + 2 * curve->size)
		r = err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "y",
			"JWK coordinate y must have %zu bytes", curve->size);
	if (r == 0 && json_object_get(jwk, "d"))
		r = jwk_bytes(jwk, "d", &d, reterr);
	return r < 0 ? r : ec_key(curve, buf_slice(&point), buf_slice(&d), ret, reterr);
}

static int okp_from_jwk(const json_t *jwk, struct pkey **ret, struct err *reterr)
{
	const char *crv = json_string_value(json_object_get(jwk, "crv"));
	cleanup_with(buf_done) struct buf x = buf_init(64);
	cleanup_with(buf_done) struct buf d = buf_init_secret(64);

	if (!crv || !streq(crv, "Ed25519"))
		return err_at(reterr, -EOPNOTSUPP, ERR_NO_OFFSET, "crv",
			"JWK curve is missing or not supported");
	int r = jwk_bytes(jwk, "x", &x, reterr);
	if (r == 0 && json_object_get(jwk, "d"))
		r = jwk_bytes(jwk, "d", &d, reterr);
	if (r < 0)
		return r;
	EVP_PKEY *p =
		d.size > 0 ? EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, d.data, d.size)
			   : EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, x.data, x.size);
	ERR_clear_error();
	return p ? pkey_adopt(p, ret, reterr)
		 : err_set(reterr, -EBADMSG, "key values are not a valid Ed25519 key");
}

int pkey_from_ed25519(struct slice raw, struct pkey **ret)
{
	EVP_PKEY *p = raw.size == 32 ? EVP_PKEY_new_raw_public_key_ex(
					       NULL, "ED25519", NULL, raw.data, raw.size)
				     : NULL;
	ERR_clear_error();
	return p ? pkey_adopt(p, ret, NULL) : -EBADMSG;
}

#define RSA_PARTS 8

/* Private: with all of RFC 7518, 6.3.2, but for "oth". */
static int rsa_private_from_jwk(const json_t *jwk, struct pkey **ret, struct err *reterr)
{
	static const struct {
		const char *jose, *param;
	} parts[RSA_PARTS] = {{"n", OSSL_PKEY_PARAM_RSA_N}, {"e", OSSL_PKEY_PARAM_RSA_E},
		{"d", OSSL_PKEY_PARAM_RSA_D}, {"p", OSSL_PKEY_PARAM_RSA_FACTOR1},
		{"q", OSSL_PKEY_PARAM_RSA_FACTOR2}, {"dp", OSSL_PKEY_PARAM_RSA_EXPONENT1},
		{"dq", OSSL_PKEY_PARAM_RSA_EXPONENT2}, {"qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1}};
	BIGNUM *numbers[RSA_PARTS] = {NULL};
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	int r = bld ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < RSA_PARTS; i++) {
		cleanup_with(buf_done) struct buf bytes = buf_init_secret(2048);
		r = jwk_bytes(jwk, parts[i].jose, &bytes, reterr);
		if (r == 0)
			numbers[i] = BN_bin2bn(bytes.data, (int)bytes.size, NULL);
		if (r == 0 && (!numbers[i] ||
				      OSSL_PARAM_BLD_push_BN(bld, parts[i].param, numbers[i]) != 1))
			r = -ENOMEM;
	}
	if (r == 0)
		r = from_params("RSA", EVP_PKEY_KEYPAIR, bld, ret, reterr);
	for (size_t i = 0; i < RSA_PARTS; i++)
		BN_clear_free(numbers[i]);
	OSSL_PARAM_BLD_free(bld);
	return r;
}

int pkey_from_jwk(const json_t *jwk, struct pkey **ret, struct err *reterr)
{
	const char *kty = json_string_value(json_object_get(jwk, "kty"));

	if (kty && streq(kty, "EC"))
		return ec_from_jwk(jwk, ret, reterr);
	if (kty && streq(kty, "OKP"))
		return okp_from_jwk(jwk, ret, reterr);
	if (kty && streq(kty, "RSA")) {
		cleanup_with(buf_done) struct buf n = buf_init(2048);
		cleanup_with(buf_done) struct buf e = buf_init(64);
		if (json_object_get(jwk, "d"))
			return rsa_private_from_jwk(jwk, ret, reterr);
		int r = jwk_bytes(jwk, "n", &n, reterr);
		if (r == 0)
			r = jwk_bytes(jwk, "e", &e, reterr);
		return r < 0 ? r : rsa_key(buf_slice(&n), buf_slice(&e), ret, reterr);
	}
	return err_at(reterr, -EOPNOTSUPP, ERR_NO_OFFSET, "kty",
		"JWK key type is missing or not supported (EC, RSA, OKP)");
}
