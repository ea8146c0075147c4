/* SPDX-License-Identifier: Apache-2.0 */
#include "trustee/kbs/admin.h"

#include <regex.h>

#include "base/fd.h"
#include "base/str.h"
#include "crypto/jose.h"

#define KEYS_MAX 64
#define KEY_FILE_MAX ((size_t)256 << 10)
#define LEEWAY_S 60

struct admin_key {
	const struct config_provider *provider;
	struct pkey *key; /* owned */
	enum sig_alg alg; /* SIG_NONE: whatever fits the key */
	char *kid;	  /* owned; NULL: matches every token */
	bool fetched;	  /* from the provider's jwk_set_uri, an https URL */
};

struct admin {
	enum admin_mode mode;
	const struct kbs_config *config; /* of the providers; borrowed */
	struct admin_key keys[KEYS_MAX];
	size_t key_count;
	struct {
		const char *role;
		const char *tenant; /* NULL: the default one; "*": all */
		regex_t re;
	} acls[CONFIG_ACLS_MAX];
	size_t acl_count;
};

static void key_done(struct admin_key *k)
{
	pkey_free(k->key);
	free(k->kid);
	*k = (struct admin_key){0};
}

void admin_free(struct admin *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->key_count; i++)
		key_done(&a->keys[i]);
	for (size_t i = 0; i < a->acl_count; i++)
		regfree(&a->acls[i].re);
	free(a);
}

static struct admin_key *next_key(
	struct admin *a, const struct config_provider *p, struct err *reterr)
{
	if (a->key_count == KEYS_MAX) {
		(void)err_set(reterr, -E2BIG, "more than %d admin keys", KEYS_MAX);
		return NULL;
	}
	a->keys[a->key_count] = (struct admin_key){.provider = p};
	return &a->keys[a->key_count];
}

static int load_pem(struct admin *a, const struct config_provider *p, struct err *reterr)
{
	cleanup_with(buf_done) struct buf text = buf_init(KEY_FILE_MAX);
	struct admin_key *k = next_key(a, p, reterr);
	int r;

	if (!k)
		return -E2BIG;
	r = file_read(kbs_config_path(p->public_key_uri), KEY_FILE_MAX, &text, reterr);
	if (r == 0)
		r = pkey_from_pem(buf_slice(&text), &k->key, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "admin key %s", p->public_key_uri);
	a->key_count++;
	return 0;
}

static int load_jwk(
	struct admin *a, const struct config_provider *p, const json_t *jwk, struct err *reterr)
{
	struct admin_key *k = next_key(a, p, reterr);
	const char *kid = json_string_value(json_object_get(jwk, "kid"));
	const char *alg = json_string_value(json_object_get(jwk, "alg"));
	int r;

	if (!k)
		return -E2BIG;
	if (!kid)
		return err_set(reterr, -EBADMSG, "a key of a JWK set needs the member kid");
	r = pkey_from_jwk(jwk, &k->key, reterr);
	if (r < 0)
		return r;
	a->key_count++;
	k->alg = alg ? sig_from_name(slice_str(alg)) : SIG_NONE;
	k->kid = strdup(kid);
	return k->kid ? 0 : -ENOMEM;
}

static int load_jwks(struct admin *a, const struct config_provider *p, struct err *reterr)
{
	cleanup_with(buf_done) struct buf text = buf_init(KEY_FILE_MAX);
	json_t *set;
	const json_t *keys, *jwk;
	size_t i;
	int r = file_read(kbs_config_path(p->jwk_set_uri), KEY_FILE_MAX, &text, reterr);

	if (r < 0)
		return r;
	set = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, NULL);
	keys = json_object_get(set, "keys");
	if (!json_is_array(keys))
		r = err_set(reterr, -EBADMSG, "not a JWK set");
	json_array_foreach (keys, i, jwk) {
		if (r == 0)
			r = load_jwk(a, p, jwk, reterr);
	}
	json_decref(set);
	return r < 0 ? err_wrap(reterr, r, "admin jwk_set_uri %s", p->jwk_set_uri) : 0;
}

/* RFC 7517, section 5: keys of a kind that the reader does not know are passed over. */
static int load_fetched(
	struct admin *a, const struct config_provider *p, const json_t *jwk, struct err *reterr)
{
	const char *use = json_string_value(json_object_get(jwk, "use"));
	const char *alg = json_string_value(json_object_get(jwk, "alg"));
	size_t before = a->key_count;
	int r = use && !streq(use, "sig") ? err_set(reterr, -EBADMSG, "no key is for signatures")
		: alg && sig_from_name(slice_str(alg)) == SIG_NONE
			? err_set(reterr, -EBADMSG, "no key has an algorithm that is known")
			: load_jwk(a, p, jwk, reterr);

	if (r == 0)
		a->keys[before].fetched = true;
	else if (a->key_count > before)
		key_done(&a->keys[--a->key_count]);
	return r == -E2BIG || r == -ENOMEM ? r : 0;
}

static int read_fetched(
	struct admin *fresh, const struct config_provider *p, const json_t *set, struct err *reterr)
{
	const json_t *keys = json_object_get(set, "keys"), *jwk;
	size_t i, before = fresh->key_count;
	struct err why = {0};
	int r = 0;

	if (!json_is_array(keys))
		return err_set(reterr, -EBADMSG, "not a JWK set");
	json_array_foreach (keys, i, jwk) {
		if (r == 0)
			r = load_fetched(fresh, p, jwk, &why);
	}
	if (r == 0 && fresh->key_count == before)
		return err_set(reterr, -EBADMSG, "the set has no key that is of use%s%s",
			why.text[0] ? ": " : "", why.text);
	return r < 0 ? err_set(reterr, r, "%s", err_text(&why, r)) : 0;
}

static bool is_of(const struct admin_key *k, const char *url)
{
	return k->fetched && streq(k->provider->jwk_set_uri, url);
}

int admin_keys_replace(struct admin *a, const char *url, const json_t *set, struct err *reterr)
{
	cleanup(admin_free) struct admin *fresh = calloc(1, sizeof(*fresh));
	size_t kept = 0, others = 0;
	int r = fresh ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && set && i < a->config->admin.provider_count; i++) {
		const struct config_provider *p = &a->config->admin.providers[i];

		if (streq_null(url, p->jwk_set_uri))
			r = read_fetched(fresh, p, set, reterr);
	}
	for (size_t i = 0; i < a->key_count; i++)
		others += !is_of(&a->keys[i], url);
	if (r == 0 && others + fresh->key_count > KEYS_MAX)
		r = err_set(reterr, -E2BIG, "more than %d admin keys", KEYS_MAX);
	if (r < 0)
		return r;
	for (size_t i = 0; i < a->key_count; i++) {
		if (is_of(&a->keys[i], url))
			key_done(&a->keys[i]);
		else
			a->keys[kept++] = a->keys[i];
	}
	memcpy(a->keys + kept, fresh->keys, fresh->key_count * sizeof(*a->keys));
	a->key_count = kept + fresh->key_count;
	fresh->key_count = 0;
	return 0;
}

int admin_new(const struct kbs_config *c, struct admin **ret, struct err *reterr)
{
	cleanup(admin_free) struct admin *a = calloc(1, sizeof(*a));
	int r = 0;

	if (!a)
		return -ENOMEM;
	a->mode = c->admin.mode;
	a->config = c;
	for (size_t i = 0; i < c->admin.provider_count && r == 0; i++) {
		const struct config_provider *p = &c->admin.providers[i];

		if (p->public_key_uri)
			r = load_pem(a, p, reterr);
		if (r == 0 && p->jwk_set_uri && !kbs_config_is_key_url(p->jwk_set_uri))
			r = load_jwks(a, p, reterr);
	}
	for (size_t i = 0; i < c->admin.acl_count && r == 0; i++) {
		const struct config_acl *acl = &c->admin.acls[i];

		if (regcomp(&a->acls[i].re, acl->allowed_endpoints, REG_EXTENDED | REG_NOSUB) != 0)
			r = err_set(
				reterr, -EINVAL, "bad regular expression for role %s", acl->role);
		else
			a->acl_count++;
		a->acls[i].role = acl->role;
		a->acls[i].tenant = acl->tenant;
	}
	if (r < 0)
		return r;
	*ret = steal_ptr(a);
	return 0;
}

/* The algorithm that a key may be used with, given what the token says; SIG_NONE for none. */
static enum sig_alg fitting_alg(const struct admin_key *k, enum sig_alg said)
{
	if (k->alg != SIG_NONE && k->alg != said)
		return SIG_NONE;
	switch (pkey_type(k->key)) {
	case KEY_P256:
		return said == SIG_ES256 ? said : SIG_NONE;
	case KEY_P384:
		return said == SIG_ES384 ? said : SIG_NONE;
	case KEY_ED25519:
		return said == SIG_EDDSA ? said : SIG_NONE;
	case KEY_RSA:
		return said == SIG_RS256 || said == SIG_RS384 || said == SIG_RS512 ||
				       said == SIG_PS256 || said == SIG_PS384 || said == SIG_PS512
			       ? said
			       : SIG_NONE;
	default:
		return SIG_NONE;
	}
}

static bool audience_matches(const json_t *aud, const char *want)
{
	size_t i;
	const json_t *item;

	if (json_is_string(aud))
		return streq(json_string_value(aud), want);
	json_array_foreach (aud, i, item) {
		if (json_is_string(item) && streq(json_string_value(item), want))
			return true;
	}
	return false;
}

static bool claims_good(const struct config_provider *p, const json_t *claims, int64_t now)
{
	const json_t *exp = json_object_get(claims, "exp");
	const json_t *nbf = json_object_get(claims, "nbf");
	const char *iss = json_string_value(json_object_get(claims, "iss"));

	if (!json_is_integer(exp) || json_integer_value(exp) < now - LEEWAY_S)
		return false;
	if (nbf && (!json_is_integer(nbf) || json_integer_value(nbf) > now + LEEWAY_S))
		return false;
	if (p->issuer && !streq_null(iss, p->issuer))
		return false;
	return !p->audience || audience_matches(json_object_get(claims, "aud"), p->audience);
}

/* Return: 0; -EACCES (a key verifies it, its claims are not good); -EKEYREJECTED (no key does). */
static int check_signature(
	const struct admin *a, const struct jws *jws, const json_t *claims, int64_t now)
{
	int r = -EKEYREJECTED;
	const char *kid = json_string_value(json_object_get(jws->header, "kid"));

	for (size_t i = 0; i < a->key_count; i++) {
		const struct admin_key *k = &a->keys[i];
		enum sig_alg alg = fitting_alg(k, jws->alg);

		if (alg == SIG_NONE || (k->kid && !streq_null(kid, k->kid)))
			continue;
		if (jws_check(jws, k->key, alg, NULL) < 0)
			continue;
		if (claims_good(k->provider, claims, now))
			return 0;
		r = -EACCES;
	}
	return r;
}

static bool tenant_matches(const char *rule, const char *tenant)
{
	return rule ? streq(rule, "*") || streq(rule, tenant) : !*tenant;
}

static enum admin_verdict check_acls(const struct admin *a, const char *role, const char *target,
	const char *tenant, struct err *reterr)
{
	for (size_t i = 0; i < a->acl_count; i++) {
		if (streq(a->acls[i].role, role) && tenant_matches(a->acls[i].tenant, tenant) &&
			regexec(&a->acls[i].re, target, 0, NULL, 0) == 0)
			return ADMIN_ALLOW;
	}
	(void)err_set(reterr, -EACCES, "Role %.100s not allowed", role);
	return ADMIN_DENY;
}

static enum admin_verdict check_token(const struct admin *a, struct slice token, const char *target,
	const char *tenant, int64_t now, char role[ADMIN_ROLE_SIZE], struct err *reterr)
{
	cleanup_with(jws_done) struct jws jws = {0};
	enum admin_verdict verdict = ADMIN_DENY;
	const json_t *bound;
	const char *claimed;
	json_t *claims;
	int r;

	if (token.size == 0) {
		(void)err_set(reterr, -EACCES, "no bearer token was sent");
		return ADMIN_DENY;
	}
	if (jws_parse(token, &jws, reterr) < 0)
		return ADMIN_DENY;
	claims = json_loadb(
		(const char *)jws.payload.data, jws.payload.size, JSON_REJECT_DUPLICATES, NULL);
	claimed = json_string_value(json_object_get(claims, "role"));
	bound = json_object_get(claims, "tenant");
	r = check_signature(a, &jws, claims, now);
	if (r < 0)
		(void)err_set(reterr, r, "Cannot verify token with any of the issuers");
	else if (!claimed || str_copy(role, ADMIN_ROLE_SIZE, claimed) < 0)
		(void)err_set(reterr, -EACCES, "the token has no usable claim role");
	else if (bound && !streq_null(json_string_value(bound), tenant))
		(void)err_set(reterr, -EACCES, "the token is bound to another tenant");
	else
		verdict = check_acls(a, role, target, tenant, reterr);
	json_decref(claims);
	return verdict;
}

enum admin_verdict admin_check(const struct admin *a, struct slice token, const char *target,
	const char *tenant, int64_t now, char role[ADMIN_ROLE_SIZE], struct err *reterr)
{
	role[0] = '\0';
	switch (a->mode) {
	case ADMIN_INSECURE_ALLOW_ALL:
		(void)!str_copy(role, ADMIN_ROLE_SIZE, "anonymous");
		return ADMIN_ALLOW;
	case ADMIN_AUTHENTICATED:
		return check_token(a, token, target, tenant, now, role, reterr);
	case ADMIN_DENY_ALL:
		break;
	}
	(void)err_set(reterr, -EACCES,
		"DenyAll authorization_mode is enabled; set [admin] authorization_mode");
	return ADMIN_DENY;
}
