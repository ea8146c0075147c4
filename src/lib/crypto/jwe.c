/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JWE with A256GCM content encryption. The AAD is the base64url text of the protected header
 * exactly as sent or received; the content key is random per message, so the 12-byte IV never
 * repeats under a key.
 */
#include "base/enc.h"
#include "base/str.h"
#include "crypto/cipher.h"
#include "crypto/jose.h"
#include "fmt/json.h"

#define CEK_SIZE 32
#define ECDH_ALG "ECDH-ES+A256KW"
#define RECIPIENTS_MAX 64

static const char *alg_text(enum jwe_alg alg)
{
	switch (alg) {
	case JWE_ECDH_ES_A256KW:
		return ECDH_ALG;
	case JWE_RSA_OAEP_256:
		return "RSA-OAEP-256";
	case JWE_RSA_OAEP:
		return "RSA-OAEP";
	case JWE_NONE:
		break;
	}
	return "none";
}

static enum jwe_alg alg_from_text(const char *text)
{
	for (enum jwe_alg a = JWE_ECDH_ES_A256KW; a <= JWE_RSA_OAEP; a++) {
		if (streq(text, alg_text(a)))
			return a;
	}
	return JWE_NONE;
}

enum jwe_alg jwe_alg_for_key(const json_t *jwk, const struct pkey *k)
{
	const char *text = json_string_value(json_object_get(jwk, "alg"));
	enum jwe_alg alg = text ? alg_from_text(text) : JWE_NONE;

	if (alg == JWE_ECDH_ES_A256KW && (pkey_type(k) == KEY_P256 || pkey_type(k) == KEY_P521))
		return alg;
	if (alg == JWE_RSA_OAEP_256 && pkey_type(k) == KEY_RSA)
		return alg;
	return JWE_NONE;
}

static int ecdh_kek(const struct pkey *priv, const struct pkey *peer, uint8_t kek[32])
{
	cleanup_with(secret_done) struct secret z = {0};
	int r = ecdh_derive(priv, peer, &z);
	return r < 0 ? r : concat_kdf(secret_slice(&z), ECDH_ALG, kek, 32);
}

/* Header with epk, and the wrapped content key. */
static int wrap_ecdh(
	const struct pkey *recipient, struct slice cek, json_t *header, struct buf *encrypted_key)
{
	cleanup(pkey_free) struct pkey *eph = NULL;
	uint8_t kek[32];

	int r = pkey_generate(pkey_type(recipient), 0, &eph);
	if (r < 0)
		return r;
	json_t *jwk = pkey_to_jwk(eph);
	json_t *epk = json_object();
	static const char *const order[] = {"crv", "kty", "x", "y"};
	for (size_t i = 0; jwk && epk && i < ARRAY_COUNT(order); i++)
		json_object_set(epk, order[i], json_object_get(jwk, order[i]));
	json_decref(jwk);
	r = json_set_take(header, "epk", epk);
	if (r == 0)
		r = ecdh_kek(eph, recipient, kek);
	if (r == 0)
		r = aes_wrap(slice_of(kek, sizeof(kek)), cek, encrypted_key);
	explicit_bzero(kek, sizeof(kek));
	return r;
}

static int set_part(json_t *jwe, const char *name, struct slice bytes)
{
	return json_set_b64(jwe, name, bytes, B64_URL);
}

static int seal(json_t *jwe, json_t *header, struct slice cek, struct slice encrypted_key,
	struct slice plain)
{
	cleanup_with(buf_done) struct buf text = buf_init(16 << 10);
	cleanup_with(buf_done) struct buf prot = buf_init(32 << 10);
	cleanup_with(buf_done) struct buf cipher = buf_init(0);
	uint8_t iv[GCM_IV_SIZE], tag[GCM_TAG_SIZE];

	int r = json_write(header, &text);
	if (r < 0)
		return r;
	b64_encode(&prot, buf_slice(&text), B64_URL);
	if (buf_error(&prot) < 0)
		return buf_error(&prot);
	r = random_bytes(iv, sizeof(iv));
	if (r == 0)
		r = gcm_encrypt(
			cek, slice_of(iv, sizeof(iv)), buf_slice(&prot), plain, &cipher, tag);
	if (r == 0)
		r = json_set_slice(jwe, "protected", buf_slice(&prot));
	if (r == 0)
		r = set_part(jwe, "encrypted_key", encrypted_key);
	if (r == 0)
		r = set_part(jwe, "iv", slice_of(iv, sizeof(iv)));
	if (r == 0)
		r = set_part(jwe, "ciphertext", buf_slice(&cipher));
	if (r == 0)
		r = set_part(jwe, "tag", slice_of(tag, sizeof(tag)));
	return r;
}

int jwe_encrypt(const struct pkey *recipient, enum jwe_alg alg, struct slice plain, json_t **ret)
{
	cleanup(json_decref) json_t *header = json_object();
	cleanup(json_decref) json_t *jwe = json_object();
	cleanup_with(buf_done) struct buf wrapped = buf_init(4096);
	cleanup_with(secret_done) struct secret cek = {0};

	if (!header || !jwe || secret_new(&cek, CEK_SIZE) < 0)
		return -ENOMEM;
	int r = random_bytes(cek.data, cek.size);
	if (r == 0)
		r = json_set_str(header, "alg", alg_text(alg));
	if (r == 0)
		r = json_set_str(header, "enc", "A256GCM");
	if (r < 0)
		return r;
	if (alg == JWE_ECDH_ES_A256KW)
		r = wrap_ecdh(recipient, secret_slice(&cek), header, &wrapped);
	else if (alg == JWE_RSA_OAEP_256 || alg == JWE_RSA_OAEP)
		r = rsa_oaep_encrypt(recipient, alg == JWE_RSA_OAEP ? HASH_SHA1 : HASH_SHA256,
			secret_slice(&cek), &wrapped);
	else
		r = -EOPNOTSUPP;
	if (r == 0)
		r = seal(jwe, header, secret_slice(&cek), buf_slice(&wrapped), plain);
	if (r == 0)
		*ret = steal_ptr(jwe);
	return r;
}

int jwe_encrypt_legacy(const struct pkey *recipient, struct slice plain, json_t **ret)
{
	static const char header[] = "{\"alg\":\"RSA1_5\",\"enc\":\"A256GCM\"}";
	cleanup(json_decref) json_t *jwe = json_object();
	cleanup_with(buf_done) struct buf wrapped = buf_init(4096), cipher = buf_init(0);
	cleanup_with(secret_done) struct secret cek = {0};
	uint8_t iv[GCM_IV_SIZE], tag[GCM_TAG_SIZE];

	if (!jwe || secret_new(&cek, CEK_SIZE) < 0)
		return -ENOMEM;
	int r = random_bytes(cek.data, cek.size);
	if (r == 0)
		r = random_bytes(iv, sizeof(iv));
	if (r == 0)
		r = rsa_pkcs1_encrypt(recipient, secret_slice(&cek), &wrapped);
	if (r == 0)
		r = gcm_encrypt(secret_slice(&cek), slice_of(iv, sizeof(iv)), SLICE_EMPTY, plain,
			&cipher, tag);
	buf_put(&cipher, tag, sizeof(tag));
	if (r == 0)
		r = buf_error(&cipher);
	if (r == 0)
		r = json_set_str(jwe, "protected", header);
	if (r == 0)
		r = set_part(jwe, "encrypted_key", buf_slice(&wrapped));
	if (r == 0)
		r = set_part(jwe, "iv", slice_of(iv, sizeof(iv)));
	if (r == 0)
		r = set_part(jwe, "ciphertext", buf_slice(&cipher));
	if (r == 0)
		r = json_set_str(jwe, "tag", "");
	if (r == 0)
		*ret = steal_ptr(jwe);
	return r;
}

/* A member of the protected header, else of the recipient's own unprotected header (general form).
 */
static const json_t *header_member(const json_t *prot, const json_t *recipient, const char *name)
{
	const json_t *v = json_object_get(prot, name);
	return v ? v : json_object_get(json_object_get(recipient, "header"), name);
}

static int unwrap_cek(const struct pkey *priv, const json_t *prot, const json_t *recipient,
	struct buf *cek, struct err *reterr)
{
	const char *text = json_string_value(header_member(prot, recipient, "alg"));
	enum jwe_alg alg = text ? alg_from_text(text) : JWE_NONE;
	cleanup_with(buf_done) struct buf wrapped = buf_init(4096);

	int r = json_get_b64(recipient, "encrypted_key", &wrapped, reterr);
	if (r < 0)
		return r;
	if (alg == JWE_RSA_OAEP || alg == JWE_RSA_OAEP_256) {
		r = rsa_oaep_decrypt(priv, alg == JWE_RSA_OAEP ? HASH_SHA1 : HASH_SHA256,
			buf_slice(&wrapped), cek);
	} else if (alg == JWE_ECDH_ES_A256KW) {
		cleanup(pkey_free) struct pkey *epk = NULL;
		uint8_t kek[32];
		/* Our derivation leaves PartyUInfo and PartyVInfo empty, as every peer does. */
		if (header_member(prot, recipient, "apu") || header_member(prot, recipient, "apv"))
			return err_set(reterr, -EOPNOTSUPP, "JWE header uses apu or apv");
		r = pkey_from_jwk(header_member(prot, recipient, "epk"), &epk, reterr);
		if (r < 0)
			return err_wrap(reterr, r, "JWE epk");
		r = ecdh_kek(priv, epk, kek);
		if (r == 0)
			r = aes_unwrap(slice_of(kek, sizeof(kek)), buf_slice(&wrapped), cek);
		explicit_bzero(kek, sizeof(kek));
	} else {
		return err_at(reterr, -EOPNOTSUPP, ERR_NO_OFFSET, "alg",
			"JWE key algorithm is missing or not supported");
	}
	if (r == 0 && cek->size != CEK_SIZE)
		r = -EKEYREJECTED;
	/* A key of another type is simply not the recipient's. */
	return r == -EINVAL || r == -EIO ? -EKEYREJECTED : r;
}

static int open_content(const json_t *jwe, struct slice cek, struct secret *ret, struct err *reterr)
{
	const char *prot, *aad = NULL;
	cleanup_with(buf_done) struct buf iv = buf_init(64);
	cleanup_with(buf_done) struct buf tag = buf_init(64);
	cleanup_with(buf_done) struct buf cipher = buf_init(0);
	cleanup_with(buf_done) struct buf aad_text = buf_init(0);
	cleanup_with(buf_done) struct buf plain = buf_init_secret(0);

	int r = json_get_str(jwe, "protected", &prot, reterr);
	if (r == 0)
		r = json_opt_str(jwe, "aad", &aad, reterr);
	if (r == 0)
		r = json_get_b64(jwe, "iv", &iv, reterr);
	if (r == 0)
		r = json_get_b64(jwe, "tag", &tag, reterr);
	if (r == 0)
		r = json_get_b64(jwe, "ciphertext", &cipher, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "JWE");
	buf_put_str(&aad_text, prot);
	if (aad) {
		buf_put_u8(&aad_text, '.');
		buf_put_str(&aad_text, aad);
	}
	if (buf_error(&aad_text) < 0)
		return buf_error(&aad_text);
	r = gcm_decrypt(cek, buf_slice(&iv), buf_slice(&aad_text), buf_slice(&cipher),
		buf_slice(&tag), &plain);
	if (r == -EINVAL)
		return err_set(reterr, -EBADMSG, "JWE iv or tag has the wrong size");
	if (r < 0)
		return err_set(reterr, r, "JWE content does not authenticate");
	if (plain.size == 0)
		return err_set(reterr, -EBADMSG, "JWE content is empty");
	return secret_copy(ret, buf_slice(&plain));
}

int jwe_decrypt(const struct pkey *priv, const json_t *jwe, struct secret *ret, struct err *reterr)
{
	const char *text;
	cleanup_with(buf_done) struct buf raw = buf_init(64 << 10);
	cleanup_with(buf_done) struct buf cek = buf_init_secret(4096);
	cleanup(json_decref) json_t *prot = NULL;

	int r = json_get_str(jwe, "protected", &text, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "JWE");
	if (b64_decode(&raw, slice_str(text), B64_URL) < 0)
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "protected",
			"JWE protected header is not base64url");
	r = json_parse(buf_slice(&raw), 0, &prot, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "JWE protected header");
	const char *enc = json_string_value(json_object_get(prot, "enc"));
	if (!enc || !streq(enc, "A256GCM") || json_object_get(prot, "crit") ||
		json_object_get(prot, "zip"))
		return err_at(reterr, -EOPNOTSUPP, ERR_NO_OFFSET, "enc",
			"JWE must use A256GCM without compression or critical extensions");
	const json_t *recipients = json_object_get(jwe, "recipients");
	if (!recipients) {
		r = unwrap_cek(priv, prot, jwe, &cek, reterr);
	} else {
		r = -EKEYREJECTED;
		for (size_t i = 0; r < 0 && i < json_array_size(recipients) && i < RECIPIENTS_MAX;
			i++) {
			buf_clear(&cek);
			r = unwrap_cek(priv, prot, json_array_get(recipients, i), &cek, NULL);
		}
	}
	if (r == -EKEYREJECTED)
		return err_set(reterr, r, "this key is not a recipient of the JWE");
	return r < 0 ? r : open_content(jwe, buf_slice(&cek), ret, reterr);
}
