/* SPDX-License-Identifier: Apache-2.0 */
/* Signing, verifying, key agreement and RSA encryption. */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "crypto/key_internal.h"

enum sig_kind { KIND_ECDSA, KIND_PKCS1, KIND_PSS, KIND_EDDSA };

static const struct sig_info {
	const char *name;
	enum sig_kind kind;
	enum key_type key;
	enum hash_alg hash;
} g_sigs[] = {
	[SIG_ES256] = {"ES256", KIND_ECDSA, KEY_P256, HASH_SHA256},
	[SIG_ES384] = {"ES384", KIND_ECDSA, KEY_P384, HASH_SHA384},
	[SIG_ES512] = {"ES512", KIND_ECDSA, KEY_P521, HASH_SHA512},
	[SIG_RS256] = {"RS256", KIND_PKCS1, KEY_RSA, HASH_SHA256},
	[SIG_RS384] = {"RS384", KIND_PKCS1, KEY_RSA, HASH_SHA384},
	[SIG_RS512] = {"RS512", KIND_PKCS1, KEY_RSA, HASH_SHA512},
	[SIG_PS256] = {"PS256", KIND_PSS, KEY_RSA, HASH_SHA256},
	[SIG_PS384] = {"PS384", KIND_PSS, KEY_RSA, HASH_SHA384},
	[SIG_PS512] = {"PS512", KIND_PSS, KEY_RSA, HASH_SHA512},
	[SIG_EDDSA] = {"EdDSA", KIND_EDDSA, KEY_ED25519, HASH_NONE},
};

enum sig_alg sig_from_name(struct slice name)
{
	for (size_t i = SIG_ES256; i < ARRAY_COUNT(g_sigs); i++) {
		if (slice_eq_str(name, g_sigs[i].name))
			return (enum sig_alg)i;
	}
	return SIG_NONE;
}

const char *sig_name(enum sig_alg alg)
{
	return alg > SIG_NONE && (size_t)alg < ARRAY_COUNT(g_sigs) ? g_sigs[alg].name : "none";
}

static const struct sig_info *info_for(const struct pkey *k, enum sig_alg alg)
{
	if (alg <= SIG_NONE || (size_t)alg >= ARRAY_COUNT(g_sigs) || g_sigs[alg].key != k->type)
		return NULL;
	return &g_sigs[alg];
}

enum sig_alg pkey_sig_alg(const struct pkey *k, enum sig_alg rsa)
{
	for (size_t i = SIG_ES256; i < ARRAY_COUNT(g_sigs); i++) {
		if (g_sigs[i].key == k->type && (k->type != KEY_RSA || i == rsa))
			return (enum sig_alg)i;
	}
	return SIG_NONE;
}

static const char *md_name(const struct sig_info *info)
{
	switch (info->hash) {
	case HASH_SHA256:
		return "SHA256";
	case HASH_SHA384:
		return "SHA384";
	case HASH_SHA512:
		return "SHA512";
	default:
		return NULL; /* Ed25519 hashes by itself */
	}
}

static int set_padding(EVP_PKEY_CTX *pctx, const struct sig_info *info)
{
	if (info->kind != KIND_PSS)
		return 1;
	return EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) == 1;
}

/* Signature in the library's own form: DER for ECDSA. */
static int sign_native(
	const struct pkey *k, const struct sig_info *info, struct slice in, struct buf *out)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx = NULL;
	static const uint8_t empty[1];
	const uint8_t *data = in.size ? in.data : empty;
	size_t size = 0;
	int r = -EIO;

	if (ctx && EVP_DigestSignInit_ex(ctx, &pctx, md_name(info), NULL, NULL, k->p, NULL) == 1 &&
		set_padding(pctx, info) && EVP_DigestSign(ctx, NULL, &size, data, in.size) == 1) {
		uint8_t *room = buf_reserve(out, size);
		if (!room) {
			r = buf_error(out);
		} else if (EVP_DigestSign(ctx, room, &size, data, in.size) == 1) {
			buf_commit(out, size);
			r = 0;
		}
	}
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return r;
}

static int verify_native(
	const struct pkey *k, const struct sig_info *info, struct slice in, struct slice sig)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx = NULL;
	static const uint8_t empty[1];
	int r = -EIO;

	if (ctx &&
		EVP_DigestVerifyInit_ex(ctx, &pctx, md_name(info), NULL, NULL, k->p, NULL) == 1 &&
		set_padding(pctx, info))
		r = sig.size > 0 && EVP_DigestVerify(ctx, sig.data, sig.size,
					    in.size ? in.data : empty, in.size) == 1
			    ? 0
			    : -EKEYREJECTED;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return r;
}

int pkey_prepare(struct pkey *k, enum sig_alg alg)
{
	const struct sig_info *info = info_for(k, alg);
	EVP_PKEY_CTX *ctx = NULL;

	if (!info || info->kind != KIND_ECDSA)
		return -EINVAL;
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->p, NULL);
	if (!ctx || EVP_PKEY_verify_init(ctx) != 1) {
		EVP_PKEY_CTX_free(ctx);
		ERR_clear_error();
		return -EIO;
	}
	EVP_PKEY_CTX_free(k->ready);
	k->ready = ctx;
	k->ready_alg = alg;
	return 0;
}

static int verify_ready(
	const struct pkey *k, const struct sig_info *info, struct slice in, struct slice sig)
{
	struct digest d;

	int r = hash_once(info->hash, in, &d);
	if (r < 0)
		return r;
	r = EVP_PKEY_verify(k->ready, sig.data, sig.size, d.bytes, d.size) == 1 ? 0 : -EKEYREJECTED;
	ERR_clear_error();
	return r;
}

int pkey_sign_der(const struct pkey *k, enum sig_alg alg, struct slice in, struct buf *out)
{
	const struct sig_info *info = info_for(k, alg);
	return info && k->is_private ? sign_native(k, info, in, out) : -EINVAL;
}

int pkey_verify_der(const struct pkey *k, enum sig_alg alg, struct slice in, struct slice sig)
{
	const struct sig_info *info = info_for(k, alg);
	return info ? verify_native(k, info, in, sig) : -EINVAL;
}

static int der_to_raw(struct slice der, size_t size, struct buf *out)
{
	const uint8_t *at = der.data;
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)der.size);
	uint8_t *room = sig ? buf_reserve(out, 2 * size) : NULL;
	int r = -EIO;

	if (room && BN_bn2binpad(ECDSA_SIG_get0_r(sig), room, (int)size) >= 0 &&
		BN_bn2binpad(ECDSA_SIG_get0_s(sig), room + size, (int)size) >= 0) {
		buf_commit(out, 2 * size);
		r = 0;
	}
	ECDSA_SIG_free(sig);
	return r;
}

int ecdsa_raw_to_der(struct slice raw, size_t size, struct buf *out)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(raw.data, (int)size, NULL);
	BIGNUM *s = BN_bin2bn(raw.data + size, (int)size, NULL);
	uint8_t *der = NULL;
	int result = -ENOMEM;

	if (sig && r && s && ECDSA_SIG_set0(sig, r, s) == 1) {
		r = s = NULL; /* owned by sig now */
		int n = i2d_ECDSA_SIG(sig, &der);
		if (n > 0) {
			buf_put(out, der, (size_t)n);
			result = buf_error(out);
		}
	}
	OPENSSL_free(der);
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(sig);
	return result;
}

int pkey_sign(const struct pkey *k, enum sig_alg alg, struct slice in, struct buf *out)
{
	const struct sig_info *info = info_for(k, alg);
	if (!info || !k->is_private)
		return -EINVAL;
	if (info->kind != KIND_ECDSA)
		return sign_native(k, info, in, out);
	cleanup_with(buf_done) struct buf der = buf_init(1024);
	int r = sign_native(k, info, in, &der);
	return r < 0 ? r : der_to_raw(buf_slice(&der), curve_of(k->type)->size, out);
}

static int verify_raw(
	const struct pkey *k, const struct sig_info *info, struct slice in, struct slice sig)
{
	size_t size = curve_of(k->type)->size;
	if (sig.size != 2 * size)
		return -EKEYREJECTED;
	cleanup_with(buf_done) struct buf der = buf_init(1024);
	int r = ecdsa_raw_to_der(sig, size, &der);
	if (r < 0)
		return r;
	return k->ready && info == info_for(k, k->ready_alg)
		       ? verify_ready(k, info, in, buf_slice(&der))
		       : verify_native(k, info, in, buf_slice(&der));
}

int pkey_verify(const struct pkey *k, enum sig_alg alg, struct slice in, struct slice sig)
{
	const struct sig_info *info = info_for(k, alg);
	if (!info)
		return -EINVAL;
	return info->kind == KIND_ECDSA ? verify_raw(k, info, in, sig)
					: verify_native(k, info, in, sig);
}

int pkey_verify_ecdsa(const struct pkey *k, enum hash_alg hash, struct slice in, struct slice sig)
{
	const struct sig_info info = {"ECDSA", KIND_ECDSA, k->type, hash};
	return curve_of(k->type) && md_name(&info) ? verify_raw(k, &info, in, sig) : -EINVAL;
}

int ecdh_derive(const struct pkey *priv, const struct pkey *peer, struct secret *ret)
{
	const struct curve_info *curve = curve_of(priv->type);
	size_t size = 0;
	int r = -EIO;

	if (!curve || !priv->is_private || peer->type != priv->type)
		return -EINVAL;
	cleanup_with(secret_done) struct secret z = {0};
	if (secret_new(&z, curve->size) < 0)
		return -ENOMEM;
	size = z.size;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, priv->p, NULL);
	if (ctx && EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, peer->p) == 1 &&
		EVP_PKEY_derive(ctx, z.data, &size) == 1 && size == curve->size) {
		*ret = secret_steal(&z);
		r = 0;
	}
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return r;
}

/* @md: of OAEP; NULL: PKCS#1 v1.5 */
static bool set_encrypt_padding(EVP_PKEY_CTX *ctx, const EVP_MD *md)
{
	if (!md)
		return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1;
	return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_oaep_md(ctx, md) == 1 &&
	       EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) == 1;
}

static int rsa_crypt(
	bool encrypt, const struct pkey *k, const EVP_MD *md, struct slice in, struct buf *out)
{
	size_t size = 0;
	int r = -EIO;

	if (k->type != KEY_RSA || (!encrypt && !k->is_private))
		return -EINVAL;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->p, NULL);
	int (*run)(EVP_PKEY_CTX *, uint8_t *, size_t *, const uint8_t *, size_t) =
		encrypt ? EVP_PKEY_encrypt : EVP_PKEY_decrypt;
	if (ctx && (encrypt ? EVP_PKEY_encrypt_init(ctx) : EVP_PKEY_decrypt_init(ctx)) == 1 &&
		set_encrypt_padding(ctx, md) && run(ctx, NULL, &size, in.data, in.size) == 1) {
		uint8_t *room = buf_reserve(out, size);
		if (!room) {
			r = buf_error(out);
		} else if (run(ctx, room, &size, in.data, in.size) == 1) {
			buf_commit(out, size);
			r = 0;
		} else {
			r = encrypt ? -EIO : -EKEYREJECTED;
		}
	}
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return r;
}

static int oaep(
	bool encrypt, const struct pkey *k, enum hash_alg hash, struct slice in, struct buf *out)
{
	const EVP_MD *md = hash == HASH_SHA256 ? EVP_sha256()
			   : hash == HASH_SHA1 ? EVP_sha1()
					       : NULL;
	return md ? rsa_crypt(encrypt, k, md, in, out) : -EINVAL;
}

int rsa_oaep_encrypt(const struct pkey *k, enum hash_alg hash, struct slice in, struct buf *out)
{
	return oaep(true, k, hash, in, out);
}

int rsa_oaep_decrypt(const struct pkey *k, enum hash_alg hash, struct slice in, struct buf *out)
{
	return oaep(false, k, hash, in, out);
}

int rsa_pkcs1_encrypt(const struct pkey *k, struct slice in, struct buf *out)
{
	return rsa_crypt(true, k, NULL, in, out);
}

int rsa_pkcs1_decrypt(const struct pkey *k, struct slice in, struct buf *out)
{
	return rsa_crypt(false, k, NULL, in, out);
}
