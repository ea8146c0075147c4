/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens that guests bring, and what their claims are used for.
 *
 * Whose key must have signed is decided by us, never by the token: its header may name one of the keys
 * we know (by kid or by value), or show certificates that end in a root we trust. The algorithm is the
 * key's, so that a header cannot choose another one.
 */
#include "base/str.h"
#include "crypto/jwk_trust.h"
#include "fmt/json.h"
#include "trustee/kbs/token-internal.h"

#define LEEWAY_S 60

struct chosen {
	const struct pkey *key;
	enum sig_alg alg;
	struct pkey *shown; /* owned: a key out of the header */
};

/* By value; @kid must be the key's if both have one. */
static bool find_by_value(const struct token_keys *k, const struct pkey *shown, const char *kid,
	struct chosen *ret, bool *ret_mismatch)
{
	for (size_t i = 0; i < k->own_count; i++) {
		if (!pkey_equal(k->own[i].key, shown))
			continue;
		ret->key = k->own[i].key;
		ret->alg = k->own[i].alg;
		*ret_mismatch = kid && !streq(kid, k->own[i].kid);
		return true;
	}
	for (size_t i = 0; i < k->trusted_count; i++) {
		const struct trusted_key *t = &k->trusted[i];

		if (!pkey_equal(t->key, shown))
			continue;
		ret->key = t->key;
		ret->alg = t->alg;
		*ret_mismatch = kid && t->kid && !streq(kid, t->kid);
		return true;
	}
	return false;
}

static bool find_by_kid(const struct token_keys *k, const char *kid, struct chosen *ret)
{
	for (size_t i = 0; i < k->own_count; i++) {
		if (streq(k->own[i].kid, kid)) {
			ret->key = k->own[i].key;
			ret->alg = k->own[i].alg;
			return true;
		}
	}
	for (size_t i = 0; i < k->trusted_count; i++) {
		if (streq_null(kid, k->trusted[i].kid)) {
			ret->key = k->trusted[i].key;
			ret->alg = k->trusted[i].alg;
			return true;
		}
	}
	return false;
}

static int choose_shown(const struct token_keys *k, const struct jws *jws, const json_t *jwk,
	const char *kid, int64_t now, struct chosen *ret, struct err *reterr)
{
	const char *alg = json_string_value(json_object_get(jwk, "alg"));
	const json_t *x5c = json_object_get(jwk, "x5c");
	bool mismatch = false;
	int r = pkey_from_jwk(jwk, &ret->shown, reterr);

	if (r < 0)
		return r;
	if (find_by_value(k, ret->shown, kid, ret, &mismatch))
		return mismatch ? err_set(reterr, -EKEYREJECTED,
					  "the token's kid is not the one of its key")
				: 0;
	if (!x5c)
		x5c = json_object_get(jws->header, "x5c");
	if (!k->insecure_header_jwk) {
		if (k->root_count == 0)
			return err_set(reterr, -EKEYREJECTED,
				"the token is signed by a key that is not trusted");
		r = pkey_check_endorsed(ret->shown, x5c, k->roots, k->root_count, now, reterr);
		if (r < 0)
			return err_wrap(reterr, r, "certificates of the token");
	}
	ret->key = ret->shown;
	ret->alg = pkey_sig_alg(ret->shown, alg ? sig_from_name(slice_str(alg)) : jws->alg);
	/* A key says what it is for; if it does not, its type does. */
	if (ret->alg == SIG_NONE || (alg && sig_from_name(slice_str(alg)) != ret->alg))
		return err_set(reterr, -EKEYREJECTED, "alg of the token's key does not fit it");
	return 0;
}

static int choose_key(const struct token_keys *k, const struct jws *jws, int64_t now,
	struct chosen *ret, struct err *reterr)
{
	const json_t *jwk = json_object_get(jws->header, "jwk");
	const char *kid = json_string_value(json_object_get(jws->header, "kid"));

	if (jwk)
		return choose_shown(k, jws, jwk, kid, now, ret, reterr);
	if (kid)
		return find_by_kid(k, kid, ret)
			       ? 0
			       : err_set(reterr, -EKEYREJECTED,
					 "the token names a key that is not trusted");
	/* Without a name it is ours. */
	ret->key = k->own[0].key;
	ret->alg = k->own[0].alg;
	return 0;
}

static int check_times(const json_t *claims, int64_t now, struct err *reterr)
{
	const json_t *exp = json_object_get(claims, "exp");
	const json_t *nbf = json_object_get(claims, "nbf");

	if (!json_is_integer(exp))
		return err_set(reterr, -EBADMSG, "the token has no exp");
	if (json_integer_value(exp) < now - LEEWAY_S)
		return err_set(reterr, -ESTALE, "the token has expired");
	if (nbf && (!json_is_integer(nbf) || json_integer_value(nbf) > now + LEEWAY_S))
		return err_set(reterr, -ESTALE, "the token is not valid yet");
	return 0;
}

int token_verify(const struct token_keys *k, struct slice token, int64_t now, json_t **ret,
	struct err *reterr)
{
	cleanup_with(jws_done) struct jws jws = {0};
	struct chosen by = {0};
	json_t *claims;
	int r = jws_parse(token, &jws, reterr);

	if (r == 0)
		r = choose_key(k, &jws, now, &by, reterr);
	if (r == 0)
		r = jws_check(&jws, by.key, by.alg, reterr);
	pkey_free(by.shown);
	if (r < 0)
		return r;
	claims = json_parse_own(buf_slice(&jws.payload));
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
