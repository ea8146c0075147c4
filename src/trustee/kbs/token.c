/* SPDX-License-Identifier: Apache-2.0 */
#include "trustee/kbs/token.h"

#include "base/enc.h"
#include "base/fd.h"
#include "base/str.h"
#include "crypto/jose.h"
#include "crypto/x509.h"

#define TRUSTED_MAX 64
#define KEY_FILE_MAX ((size_t)64 << 10)
#define JWKS_FILE_MAX ((size_t)1 << 20)
#define LEEWAY_S 60

struct trusted_key {
	struct pkey *key; /* owned */
	enum sig_alg alg;
	char *kid; /* owned; NULL when the set gives none */
};

struct token_keys {
	struct pkey *sign; /* owned */
	json_t *jwk;	   /* owned; public, as put into headers */
	struct trusted_key trusted[TRUSTED_MAX];
	size_t trusted_count;
};

void token_keys_free(struct token_keys *k)
{
	if (!k)
		return;
	pkey_free(k->sign);
	json_decref(k->jwk);
	for (size_t i = 0; i < k->trusted_count; i++) {
		pkey_free(k->trusted[i].key);
		free(k->trusted[i].kid);
	}
	free(k);
}

static int load_signer(const char *path, struct pkey **ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf pem = buf_init_secret(KEY_FILE_MAX);
	int r;

	if (!path)
		return pkey_generate(KEY_P256, 0, ret);
	r = file_read(path, KEY_FILE_MAX, &pem, reterr);
	if (r == 0)
		r = pkey_from_pem(buf_slice(&pem), ret, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "token key %s", path);
	if (pkey_type(*ret) != KEY_P256 || !pkey_is_private(*ret))
		return err_set(reterr, -EINVAL, "token key %s must be a private P-256 key", path);
	return 0;
}

/* The certificates of the token key, leaf first, as x5c. */
static int add_certificates(struct token_keys *k, const char *path, struct err *reterr)
{
	cleanup_with(buf_done) struct buf pem = buf_init(KEY_FILE_MAX);
	struct cert *certs[8] = {NULL};
	json_t *list = json_array();
	int r = file_read(path, KEY_FILE_MAX, &pem, reterr);
	int count = 0;

	if (r == 0)
		count = r = certs_from_pem(buf_slice(&pem), certs, ARRAY_COUNT(certs), reterr);
	for (int i = 0; i < count; i++) {
		cleanup_with(buf_done) struct buf der = buf_init(KEY_FILE_MAX);
		cleanup_with(buf_done) struct buf text = buf_init(KEY_FILE_MAX);

		if (r >= 0)
			r = cert_to_der(certs[i], &der);
		b64_encode(&text, buf_slice(&der), B64_STD);
		json_array_append_new(list, json_string(buf_str(&text)));
		cert_free(certs[i]);
	}
	if (r < 0) {
		json_decref(list);
		return err_wrap(reterr, r, "certificate of the token key %s", path);
	}
	return json_object_set_new(k->jwk, "x5c", list) < 0 ? -ENOMEM : 0;
}

static int add_trusted(struct token_keys *k, const json_t *jwk, struct err *reterr)
{
	struct trusted_key *t = &k->trusted[k->trusted_count];
	const char *alg = json_string_value(json_object_get(jwk, "alg"));
	const char *kid = json_string_value(json_object_get(jwk, "kid"));
	int r;

	if (k->trusted_count == TRUSTED_MAX)
		return err_set(reterr, -E2BIG, "more than %d trusted keys", TRUSTED_MAX);
	t->alg = alg ? sig_from_name(slice_str(alg)) : SIG_NONE;
	if (t->alg == SIG_NONE)
		return err_set(reterr, -EBADMSG, "a trusted key needs the member alg");
	r = pkey_from_jwk(jwk, &t->key, reterr);
	if (r < 0)
		return r;
	k->trusted_count++;
	if (kid) {
		t->kid = strdup(kid);
		if (!t->kid)
			return -ENOMEM;
	}
	return 0;
}

static int load_trusted(struct token_keys *k, const char *uri, struct err *reterr)
{
	cleanup_with(buf_done) struct buf text = buf_init(JWKS_FILE_MAX);
	json_t *set = NULL;
	const json_t *keys, *jwk;
	size_t i;
	int r = file_read(kbs_config_path(uri), JWKS_FILE_MAX, &text, reterr);

	if (r < 0)
		return r;
	set = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, NULL);
	keys = json_object_get(set, "keys");
	if (!json_is_array(keys))
		r = err_set(reterr, -EBADMSG, "not a JWK set");
	json_array_foreach (keys, i, jwk) {
		if (r == 0)
			r = add_trusted(k, jwk, reterr);
	}
	json_decref(set);
	return r < 0 ? err_wrap(reterr, r, "trusted_jwk_sets %s", uri) : 0;
}

int token_keys_load(const struct kbs_config *c, struct token_keys **ret, struct err *reterr)
{
	cleanup(token_keys_free) struct token_keys *k = calloc(1, sizeof(*k));
	int r;

	if (!k)
		return -ENOMEM;
	r = load_signer(c->signer.key_path, &k->sign, reterr);
	if (r < 0)
		return r;
	k->jwk = pkey_to_jwk(k->sign);
	if (!k->jwk || json_object_set_new(k->jwk, "alg", json_string("ES256")) < 0)
		return -ENOMEM;
	if (c->signer.cert_url)
		json_object_set_new(k->jwk, "x5u", json_string(c->signer.cert_url));
	if (c->signer.cert_path)
		r = add_certificates(k, c->signer.cert_path, reterr);
	for (size_t i = 0; r == 0 && i < c->token.trusted_jwk_sets.count; i++)
		r = load_trusted(k, c->token.trusted_jwk_sets.items[i], reterr);
	if (r < 0)
		return r;
	*ret = steal_ptr(k);
	return 0;
}

int token_sign(
	const struct token_keys *k, const json_t *claims, struct buf *out, struct err *reterr)
{
	cleanup(free_ptr) char *payload = json_dumps(claims, JSON_COMPACT);
	json_t *header = json_pack("{s:s, s:s, s:O}", "typ", "JWT", "alg", "ES256", "jwk", k->jwk);
	int r = -ENOMEM;

	if (payload && header)
		r = jws_sign(k->sign, SIG_ES256, header, slice_str(payload), out);
	json_decref(header);
	return r < 0 ? err_wrap(reterr, r, "sign token") : 0;
}

json_t *token_jwks(const struct token_keys *k)
{
	cleanup_with(buf_done) struct buf kid = buf_init(128);
	json_t *jwk = json_copy(k->jwk);

	if (!jwk || pkey_thumbprint(k->sign, &kid) < 0) {
		json_decref(jwk);
		return NULL;
	}
	json_object_set_new(jwk, "use", json_string("sig"));
	json_object_set_new(jwk, "kid", json_string(buf_str(&kid)));
	return json_pack("{s:[o]}", "keys", jwk);
}

/*
 * The key that must have signed: the header may name one of ours (by value or kid) but never bring
 * its own. Without a name it is our signing key.
 */
static int choose_key(const struct token_keys *k, const json_t *header, const struct pkey **ret,
	enum sig_alg *ret_alg, struct err *reterr)
{
	const json_t *jwk = json_object_get(header, "jwk");
	const char *kid = json_string_value(json_object_get(header, "kid"));
	cleanup(pkey_free) struct pkey *named = NULL;

	*ret = k->sign;
	*ret_alg = SIG_ES256;
	if (!jwk && !kid)
		return 0;
	if (jwk) {
		int r = pkey_from_jwk(jwk, &named, reterr);

		if (r < 0)
			return r;
		if (pkey_equal(named, k->sign))
			return 0;
	}
	for (size_t i = 0; i < k->trusted_count; i++) {
		const struct trusted_key *t = &k->trusted[i];

		if (named ? pkey_equal(named, t->key) : streq_null(kid, t->kid)) {
			*ret = t->key;
			*ret_alg = t->alg;
			return 0;
		}
	}
	return err_set(reterr, -EKEYREJECTED, "the token is signed by a key that is not trusted");
}

static int check_times(const json_t *claims, int64_t now, struct err *reterr)
{
	const json_t *exp = json_object_get(claims, "exp");

	if (!json_is_integer(exp))
		return err_set(reterr, -EBADMSG, "the token has no exp");
	if (json_integer_value(exp) < now - LEEWAY_S)
		return err_set(reterr, -ESTALE, "the token has expired");
	return 0;
}

int token_verify(const struct token_keys *k, struct slice token, int64_t now, json_t **ret,
	struct err *reterr)
{
	cleanup_with(jws_done) struct jws jws = {0};
	const struct pkey *key;
	enum sig_alg alg;
	json_t *claims;
	int r = jws_parse(token, &jws, reterr);

	if (r == 0)
		r = choose_key(k, jws.header, &key, &alg, reterr);
	if (r == 0)
		r = jws_check(&jws, key, alg, reterr);
	if (r < 0)
		return r;
	claims = json_loadb(
		(const char *)jws.payload.data, jws.payload.size, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(claims)) {
		json_decref(claims);
		return err_set(reterr, -EBADMSG, "the token's claims are not a JSON object");
	}
	r = check_times(claims, now, reterr);
	if (r < 0) {
		json_decref(claims);
		return r;
	}
	*ret = claims;
	return 0;
}

/* JSON pointer without escapes: none of the paths has '~'. */
static const json_t *at_pointer(const json_t *v, const char *pointer)
{
	while (v && *pointer == '/') {
		size_t n = strcspn(++pointer, "/");

		v = json_object_getn(v, pointer, n);
		pointer += n;
	}
	return *pointer ? NULL : v;
}

const json_t *token_tee_key(const struct kbs_config *c, const json_t *claims)
{
	static const char *const pointers[] = {
		"/tdx/attester_runtime_data/tee-pubkey",
		"/tdx/attester_user_data/tee-pubkey",
		"/customized_claims/runtime_data/tee-pubkey",
		"/submods/cpu0/ear.veraison.annotated-evidence/runtime_data_claims/tee-pubkey",
		"/tee-pubkey",
	};

	for (size_t i = 0; i < c->token.extra_teekey_paths.count; i++) {
		const json_t *v = at_pointer(claims, c->token.extra_teekey_paths.items[i]);

		if (json_is_object(v))
			return v;
	}
	for (size_t i = 0; i < ARRAY_COUNT(pointers); i++) {
		const json_t *v = at_pointer(claims, pointers[i]);

		if (json_is_object(v))
			return v;
	}
	return NULL;
}

static bool is_legacy_key(const json_t *jwk, enum as_protocol protocol)
{
	return protocol >= AS_PROTOCOL_0_1_1 &&
	       streq_null(json_string_value(json_object_get(jwk, "alg")), "RSA1_5");
}

int token_encrypt(const json_t *jwk, enum as_protocol protocol, struct slice plain, struct buf *out,
	struct err *reterr)
{
	cleanup(pkey_free) struct pkey *key = NULL;
	cleanup(free_ptr) char *text = NULL;
	json_t *jwe = NULL;
	enum jwe_alg alg;
	int r = pkey_from_jwk(jwk, &key, reterr);

	if (r < 0)
		return err_wrap(reterr, r, "the TEE public key");
	alg = jwe_alg_for_key(jwk, key);
	if (is_legacy_key(jwk, protocol))
		r = jwe_encrypt_legacy(key, plain, &jwe);
	else if (alg == JWE_NONE || protocol >= AS_PROTOCOL_0_1_1)
		return err_set(reterr, -EOPNOTSUPP,
			"the TEE public key is neither EC P-256 or P-521 with ECDH-ES+A256KW nor "
			"RSA with RSA-OAEP-256 (protocol 0.1: RSA with RSA1_5)");
	else
		r = jwe_encrypt(key, alg, plain, &jwe);
	if (r < 0)
		return err_wrap(reterr, r, "encrypt to the TEE public key");
	text = json_dumps(jwe, JSON_COMPACT);
	json_decref(jwe);
	if (!text)
		return -ENOMEM;
	buf_put_str(out, text);
	return buf_error(out);
}
