/* SPDX-License-Identifier: Apache-2.0 */
/* Keys: what we sign with, what we publish, and whose tokens we accept. */
#include "base/enc.h"
#include "base/fd.h"
#include "base/str.h"
#include "trustee/kbs/token-internal.h"

#define JWKS_FILE_MAX ((size_t)1 << 20)

static void trusted_done(struct trusted_key *t)
{
	pkey_free(t->key);
	free(t->kid);
	free(t->from);
	*t = (struct trusted_key){0};
}

void token_keys_free(struct token_keys *k)
{
	if (!k)
		return;
	for (size_t i = 0; i < k->own_count; i++) {
		pkey_free(k->own[i].key);
		free(k->own[i].kid);
		json_decref(k->own[i].jwk);
	}
	for (size_t i = 0; i < k->trusted_count; i++)
		trusted_done(&k->trusted[i]);
	for (size_t i = 0; i < k->root_count; i++)
		cert_free(k->roots[i]);
	free(k);
}

/* @path NULL makes a key that lives as long as the process. */
static int load_private(const char *path, struct pkey **ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf pem = buf_init_secret(TOKEN_KEY_FILE_MAX);
	int r;

	if (!path)
		return pkey_generate(KEY_P256, 0, ret);
	r = file_read(path, TOKEN_KEY_FILE_MAX, &pem, reterr);
	if (r == 0)
		r = pkey_from_pem(buf_slice(&pem), ret, reterr);
	return r < 0 ? err_wrap(reterr, r, "token key %s", path) : 0;
}

static int describe_key(struct own_key *own)
{
	cleanup_with(buf_done) struct buf kid = buf_init(128);

	own->jwk = pkey_to_jwk(own->key);
	if (!own->jwk || pkey_thumbprint(own->key, &kid) < 0)
		return -ENOMEM;
	own->kid = buf_take_str(&kid);
	if (!own->kid || json_object_set_new(own->jwk, "alg", json_string(sig_name(own->alg))) < 0)
		return -ENOMEM;
	return 0;
}

/* @published: of a key that does not sign (any more, or yet) the public half is enough. */
static int add_own(struct token_keys *k, const char *path, bool published, struct err *reterr)
{
	struct own_key *own = &k->own[k->own_count];
	int r;

	if (k->own_count == TOKEN_OWN_MAX)
		return err_set(reterr, -E2BIG, "more than %d token keys", TOKEN_OWN_MAX);
	r = load_private(path, &own->key, reterr);
	if (r < 0)
		return r;
	k->own_count++;
	own->alg = pkey_sig_alg(own->key, SIG_NONE);
	if (own->alg != SIG_ES256 && own->alg != SIG_ES384)
		return err_set(reterr, -EINVAL, "token key %s must be a P-256 or P-384 key", path);
	if (!published && !pkey_is_private(own->key))
		return err_set(reterr, -EINVAL, "token key %s must be a private key", path);
	for (size_t i = 0; i + 1 < k->own_count; i++) {
		if (pkey_equal(k->own[i].key, own->key))
			return err_set(reterr, -EINVAL, "token key %s is there twice", path);
	}
	return describe_key(own);
}

/* The certificates of the signing key, leaf first, as x5c. */
static int add_certificates(struct own_key *own, const char *path, struct err *reterr)
{
	cleanup_with(buf_done) struct buf pem = buf_init(TOKEN_KEY_FILE_MAX);
	struct cert *certs[TOKEN_CHAIN_MAX] = {NULL};
	cleanup(pkey_free) struct pkey *leaf = NULL;
	json_t *list = json_array();
	int r = file_read(path, TOKEN_KEY_FILE_MAX, &pem, reterr);
	int count = 0;

	if (r == 0)
		count = r = certs_from_pem(buf_slice(&pem), certs, ARRAY_COUNT(certs), reterr);
	if (r > 0)
		r = cert_key(certs[0], &leaf);
	if (leaf && !pkey_equal(leaf, own->key))
		r = err_set(reterr, -EINVAL, "its first certificate is not of the token key");
	for (int i = 0; i < count; i++) {
		cleanup_with(buf_done) struct buf der = buf_init(TOKEN_KEY_FILE_MAX);
		cleanup_with(buf_done) struct buf text = buf_init(TOKEN_KEY_FILE_MAX * 2);

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
	return json_object_set_new(own->jwk, "x5c", list) < 0 ? -ENOMEM : 0;
}

static int add_trusted(struct token_keys *k, const json_t *jwk, struct err *reterr)
{
	struct trusted_key *t = &k->trusted[k->trusted_count];
	const char *alg = json_string_value(json_object_get(jwk, "alg"));
	const char *kid = json_string_value(json_object_get(jwk, "kid"));
	int r;

	if (k->trusted_count == TOKEN_TRUSTED_MAX)
		return err_set(reterr, -E2BIG, "more than %d trusted keys", TOKEN_TRUSTED_MAX);
	*t = (struct trusted_key){0};
	t->alg = alg ? sig_from_name(slice_str(alg)) : SIG_NONE;
	if (t->alg == SIG_NONE)
		return err_set(reterr, -EBADMSG, "a trusted key needs the member alg");
	r = pkey_from_jwk(jwk, &t->key, reterr);
	if (r < 0)
		return r;
	k->trusted_count++;
	if (pkey_sig_alg(t->key, t->alg) != t->alg)
		return err_set(reterr, -EBADMSG, "alg %s does not fit the type of its key", alg);
	if (kid) {
		t->kid = strdup(kid);
		if (!t->kid)
			return -ENOMEM;
	}
	return 0;
}

/* RFC 7517, section 5: keys of a kind that the reader does not know are passed over. */
static int add_published(
	struct token_keys *k, const char *url, const json_t *jwk, struct err *reterr)
{
	const char *use = json_string_value(json_object_get(jwk, "use"));
	struct trusted_key *t = &k->trusted[k->trusted_count];
	size_t before = k->trusted_count;
	int r = use && !streq(use, "sig") ? err_set(reterr, -EBADMSG, "no key is for signatures")
					  : add_trusted(k, jwk, reterr);

	if (r == -E2BIG || r == -ENOMEM)
		return r;
	if (r == 0) {
		t->from = strdup(url);
		return t->from ? 0 : -ENOMEM;
	}
	if (k->trusted_count > before) {
		trusted_done(t);
		k->trusted_count = before;
	}
	return 0;
}

static int read_published(
	struct token_keys *fresh, const char *url, const json_t *set, struct err *reterr)
{
	const json_t *keys = json_object_get(set, "keys"), *jwk;
	struct err why = {0};
	size_t i;
	int r = 0;

	if (!json_is_array(keys))
		return err_set(reterr, -EBADMSG, "not a JWK set");
	json_array_foreach (keys, i, jwk) {
		if (r == 0)
			r = add_published(fresh, url, jwk, &why);
	}
	if (r == 0 && fresh->trusted_count == 0)
		return err_set(reterr, -EBADMSG, "the set has no key that is of use%s%s",
			why.text[0] ? ": " : "", why.text);
	return r < 0 ? err_set(reterr, r, "%s", err_text(&why, r)) : 0;
}

int token_keys_replace(struct token_keys *k, const char *url, const json_t *set, struct err *reterr)
{
	cleanup(token_keys_free) struct token_keys *fresh = calloc(1, sizeof(*fresh));
	size_t kept = 0, others = 0;
	int r = fresh ? 0 : -ENOMEM;

	if (r == 0 && set)
		r = read_published(fresh, url, set, reterr);
	for (size_t i = 0; i < k->trusted_count; i++)
		others += !streq_null(url, k->trusted[i].from);
	if (r == 0 && others + fresh->trusted_count > TOKEN_TRUSTED_MAX)
		r = err_set(reterr, -E2BIG, "more than %d trusted keys", TOKEN_TRUSTED_MAX);
	if (r < 0)
		return r;
	for (size_t i = 0; i < k->trusted_count; i++) {
		if (streq_null(url, k->trusted[i].from))
			trusted_done(&k->trusted[i]);
		else
			k->trusted[kept++] = k->trusted[i];
	}
	memcpy(k->trusted + kept, fresh->trusted, fresh->trusted_count * sizeof(*k->trusted));
	k->trusted_count = kept + fresh->trusted_count;
	fresh->trusted_count = 0;
	return 0;
}

/* What has an https URL comes later, see vault-jwks.c. */
static int load_trusted(struct token_keys *k, const char *uri, struct err *reterr)
{
	cleanup_with(buf_done) struct buf text = buf_init(JWKS_FILE_MAX);
	const char *path = kbs_config_path(uri);
	json_t *set = NULL;
	const json_t *keys, *jwk;
	size_t i;
	int r;

	if (!path)
		return 0;
	r = file_read(path, JWKS_FILE_MAX, &text, reterr);
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

static int load_roots(struct token_keys *k, const char *uri, struct err *reterr)
{
	cleanup_with(buf_done) struct buf pem = buf_init(JWKS_FILE_MAX);
	const char *path = kbs_config_path(uri);
	int r = file_read(path ? path : uri, JWKS_FILE_MAX, &pem, reterr);

	if (r == 0)
		r = certs_from_pem(buf_slice(&pem), k->roots + k->root_count,
			TOKEN_ROOTS_MAX - k->root_count, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "trusted_certs_paths %s", uri);
	k->root_count += (size_t)r;
	return 0;
}

static int load_all(struct token_keys *k, const struct kbs_config *c, struct err *reterr)
{
	/* Of a key in a device there is the public half. */
	int r = c->signer.key ? add_own(k, c->signer.public_key_path, true, reterr)
			      : add_own(k, c->signer.key_path, false, reterr);

	if (r == 0 && c->signer.cert_url &&
		json_object_set_new(k->own[0].jwk, "x5u", json_string(c->signer.cert_url)) < 0)
		r = -ENOMEM;
	if (r == 0 && c->signer.cert_path)
		r = add_certificates(&k->own[0], c->signer.cert_path, reterr);
	for (size_t i = 0; r == 0 && i < c->signer.published_key_paths.count; i++)
		r = add_own(k, c->signer.published_key_paths.items[i], true, reterr);
	for (size_t i = 0; r == 0 && i < c->token.trusted_jwk_sets.count; i++)
		r = load_trusted(k, c->token.trusted_jwk_sets.items[i], reterr);
	if (r == 0 && c->as.mode == AS_INTEL)
		r = load_trusted(k, c->as.certs_file, reterr);
	for (size_t i = 0; r == 0 && i < c->token.trusted_certs_paths.count; i++)
		r = load_roots(k, c->token.trusted_certs_paths.items[i], reterr);
	k->insecure_header_jwk = c->token.insecure_header_jwk;
	return r;
}

int token_keys_load(const struct kbs_config *c, struct token_keys **ret, struct err *reterr)
{
	cleanup(token_keys_free) struct token_keys *k = calloc(1, sizeof(*k));
	int r;

	if (!k)
		return -ENOMEM;
	r = load_all(k, c, reterr);
	if (r == 0)
		*ret = steal_ptr(k);
	return r;
}

int token_start(
	const struct token_keys *k, const json_t *claims, struct buf *out, struct err *reterr)
{
	const struct own_key *own = &k->own[0];
	cleanup(free_ptr) char *payload = json_dumps(claims, JSON_COMPACT);
	json_t *header = json_pack("{s:s, s:s, s:s, s:O}", "typ", "JWT", "alg", sig_name(own->alg),
		"kid", own->kid, "jwk", own->jwk);
	int r = -ENOMEM;

	if (payload && header)
		r = jws_start(own->alg, header, slice_str(payload), out);
	json_decref(header);
	return r < 0 ? err_wrap(reterr, r, "make token") : 0;
}

int token_sign_here(const struct token_keys *k, struct buf *token, struct err *reterr)
{
	cleanup_with(buf_done) struct buf signature = buf_init(4096);
	int r = pkey_sign(k->own[0].key, k->own[0].alg, buf_slice(token), &signature);

	if (r == 0)
		r = jws_end(buf_slice(&signature), token);
	return r < 0 ? err_wrap(reterr, r, "sign token") : 0;
}

int token_digest(const struct token_keys *k, struct slice token, struct digest *ret)
{
	return hash_once(k->own[0].alg == SIG_ES384 ? HASH_SHA384 : HASH_SHA256, token, ret);
}

int token_finish(
	const struct token_keys *k, struct slice signature, struct buf *token, struct err *reterr)
{
	int r = pkey_verify(k->own[0].key, k->own[0].alg, buf_slice(token), signature);

	if (r < 0)
		return err_set(reterr, r, "the device's signature is not of the token key");
	return jws_end(signature, token);
}

int token_sign(
	const struct token_keys *k, const json_t *claims, struct buf *out, struct err *reterr)
{
	cleanup_with(buf_done) struct buf token = buf_init(0);
	int r = token_start(k, claims, &token, reterr);

	if (r == 0)
		r = token_sign_here(k, &token, reterr);
	if (r == 0)
		buf_put_slice(out, buf_slice(&token));
	return r < 0 ? r : buf_error(out);
}

json_t *token_jwks(const struct token_keys *k)
{
	json_t *list = json_array();

	for (size_t i = 0; i < k->own_count; i++) {
		json_t *jwk = json_copy(k->own[i].jwk);

		if (json_object_set_new(jwk, "use", json_string("sig")) < 0 ||
			json_object_set_new(jwk, "kid", json_string(k->own[i].kid)) < 0 ||
			json_array_append(list, jwk) < 0) {
			json_decref(jwk);
			json_decref(list);
			return NULL;
		}
		json_decref(jwk);
	}
	return json_pack("{s:o}", "keys", list);
}
