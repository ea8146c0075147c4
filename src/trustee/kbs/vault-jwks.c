/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Key sets that others publish: [attestation_token] trusted_jwk_sets, certs_file, and jwk_set_uri of
 * the admins' identity providers, with https URLs.
 *
 * Theory of operation
 *  - The fetcher, which has the network and nothing else, asks; what it brings is read here. Until a
 *    set has come for the first time none of its keys is trusted.
 *  - A key that is trusted for attestation tokens is not an admin's, and the other way round: where
 *    both name one URL it is two sets, each fetched for itself.
 *  - A set is asked for again every jwks_refresh_min minutes, and when a token comes whose key nobody
 *    knows, not more often than every HINT_GAP_S seconds: keys that are rotated work at the next try.
 *  - What cannot be refreshed is used for jwks_max_age_min minutes more, then its keys are forgotten:
 *    whoever keeps us from the publisher cannot keep a revoked key alive.
 *  - A reload asks again, and keeps what came before until there is an answer.
 *  - A failure doubles the time until the next try.
 */
#include "base/log.h"
#include "base/str.h"
#include "fmt/json.h"
#include "trustee/kbs/vault-internal.h"

#define BACKOFF_MIN_S 2
#define BACKOFF_MAX_S 300
#define HINT_GAP_S 10
#define SET_MAX ((size_t)1 << 20)

/* @url NULL: free, or (flying) its set is not wanted any more. */
struct slot {
	struct jwks *owner;
	char *url; /* owned */
	enum key_users users;
	json_t *set; /* owned; NULL: never came, or too old */
	bool flying;
	int64_t tried_at, fetched_at, next_at;
	uint32_t delay_s;
};

struct jwks {
	struct vault *vault;
	struct slot
		slots[2 * CONFIG_KEY_URLS_MAX]; /* twice: those of before a reload may be flying */
};

static struct slot *find(struct jwks *j, const struct config_key_url *u)
{
	for (size_t i = 0; i < ARRAY_COUNT(j->slots); i++) {
		if (j->slots[i].url && streq(j->slots[i].url, u->url) &&
			j->slots[i].users == u->users)
			return &j->slots[i];
	}
	return NULL;
}

static void slot_clear(struct slot *s)
{
	free(s->url);
	json_decref(s->set);
	s->url = NULL;
	s->set = NULL;
}

/* --- one set --- */

static int replace(const struct slot *s, struct token_keys *keys, struct admin *admin,
	const json_t *set, struct err *reterr)
{
	return s->users == KEYS_OF_ADMINS ? admin_keys_replace(admin, s->url, set, reterr)
					  : token_keys_replace(keys, s->url, set, reterr);
}

static int take(struct slot *s, const char *text, struct err *reterr)
{
	struct vault *v = s->owner->vault;
	json_t *set = NULL;
	int r = json_parse(slice_str(text), SET_MAX, &set, reterr);

	if (r == 0)
		r = replace(s, v->keys, v->admin, set, reterr);
	if (r < 0) {
		json_decref(set);
		return r;
	}
	json_decref(s->set);
	s->set = set;
	return 0;
}

static void arrived(void *cookie, int error, const json_t *result)
{
	struct slot *s = cookie;
	struct vault *v = s->owner->vault;
	struct err e = {0};

	s->flying = false;
	if (!s->url)
		return;
	if (error < 0)
		(void)err_set(&e, error, "%s",
			wire_str(result, "reason")[0] ? wire_str(result, "reason")
						      : strerror(-error));
	else
		error = take(s, wire_str(result, "text"), &e);
	if (error < 0) {
		s->delay_s = s->delay_s ? MIN(2 * s->delay_s, BACKOFF_MAX_S) : BACKOFF_MIN_S;
		s->next_at = vault_now(v) + s->delay_s;
		log_warn("kbs.jwks.failed", LOG_STR("url", s->url),
			LOG_STR("reason", err_text(&e, error)), LOG_U64("retry_s", s->delay_s));
		return;
	}
	if (!s->fetched_at || s->delay_s)
		log_info("kbs.jwks.fetched", LOG_STR("url", s->url));
	s->delay_s = 0;
	s->fetched_at = vault_now(v);
	s->next_at = s->fetched_at + (int64_t)v->config->token.jwks_refresh_min * 60;
}

static void ask(struct slot *s, int64_t now)
{
	struct vault *v = s->owner->vault;

	s->tried_at = now;
	s->flying = true;
	if (pool_submit(v->groups[WORKER_FETCHER].pool, json_pack("{s:s}", "url", s->url),
		    SLICE_EMPTY, vault_now_ms(v), arrived, s) < 0)
		arrived(s, -EAGAIN, NULL);
}

static void forget_old(struct slot *s, int64_t now)
{
	struct vault *v = s->owner->vault;

	if (!s->set || now - s->fetched_at <= (int64_t)v->config->token.jwks_max_age_min * 60)
		return;
	log_error("kbs.jwks.expired", LOG_STR("url", s->url),
		LOG_STR("effect", "its keys are not trusted until it can be fetched again"));
	(void)!replace(s, v->keys, v->admin, NULL, NULL);
	json_decref(s->set);
	s->set = NULL;
	s->fetched_at = 0;
}

/* --- all --- */

void jwks_tick(struct vault *v)
{
	int64_t now = vault_now(v);

	for (size_t i = 0; v->jwks && i < ARRAY_COUNT(v->jwks->slots); i++) {
		struct slot *s = &v->jwks->slots[i];

		if (!s->url)
			continue;
		forget_old(s, now);
		if (!s->flying && now >= s->next_at)
			ask(s, now);
	}
}

void jwks_unknown_key(struct vault *v, enum key_users users)
{
	int64_t now = vault_now(v);

	for (size_t i = 0; v->jwks && i < ARRAY_COUNT(v->jwks->slots); i++) {
		struct slot *s = &v->jwks->slots[i];

		if (s->url && s->users == users && !s->flying && now - s->tried_at >= HINT_GAP_S &&
			now < s->next_at)
			s->next_at = now;
	}
}

static bool is_wanted(const struct kbs_config *c, const struct slot *s)
{
	struct config_key_url urls[CONFIG_KEY_URLS_MAX];
	size_t count = kbs_config_key_urls(c, urls);

	for (size_t i = 0; i < count; i++) {
		if (streq(urls[i].url, s->url) && urls[i].users == s->users)
			return true;
	}
	return false;
}

/* Return: -EBUSY when too many of before are still on their way. */
static int add(struct jwks *j, const struct config_key_url *u)
{
	if (find(j, u))
		return 0;
	for (size_t i = 0; i < ARRAY_COUNT(j->slots); i++) {
		struct slot *s = &j->slots[i];

		if (s->url || s->flying)
			continue;
		*s = (struct slot){.owner = j, .url = strdup(u->url), .users = u->users};
		return s->url ? 0 : -ENOMEM;
	}
	return -EBUSY;
}

int jwks_configure(struct vault *v, const struct kbs_config *c)
{
	struct config_key_url urls[CONFIG_KEY_URLS_MAX];
	size_t count = kbs_config_key_urls(c, urls);
	int r = 0;

	if (!v->jwks && count == 0)
		return 0;
	if (!v->jwks)
		v->jwks = calloc(1, sizeof(*v->jwks));
	if (!v->jwks)
		return -ENOMEM;
	v->jwks->vault = v;
	for (size_t i = 0; r == 0 && i < count; i++)
		r = add(v->jwks, &urls[i]);
	return r;
}

int jwks_apply(
	struct vault *v, const struct kbs_config *c, struct token_keys *keys, struct admin *admin)
{
	int r = 0;

	for (size_t i = 0; v->jwks && i < ARRAY_COUNT(v->jwks->slots); i++) {
		struct slot *s = &v->jwks->slots[i];
		bool wanted = s->url && is_wanted(c, s);

		if (r == 0 && s->url)
			r = replace(s, keys, admin, wanted ? s->set : NULL, NULL);
		if (r == 0 && wanted)
			s->next_at = MIN(s->next_at, vault_now(v));
		else if (r == 0 && s->url)
			slot_clear(s);
	}
	return r;
}

void jwks_free(struct jwks *j)
{
	for (size_t i = 0; j && i < ARRAY_COUNT(j->slots); i++)
		slot_clear(&j->slots[i]);
	free(j);
}
