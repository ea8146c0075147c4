/* SPDX-License-Identifier: Apache-2.0 */
#include "trustee/kbs/session.h"

#include "base/parse.h"
#include "base/str.h"

#define BUCKET_COUNT 4096 /* a power of two */

struct session_table {
	struct session *buckets[BUCKET_COUNT];
	struct session *oldest, *newest;
	struct session *cache_oldest, *cache_newest;
	size_t pending_max, attested_max;
	size_t pending, attested;
	int64_t life_s;
};

/* Ids are random and made by us, so their first digits are a good hash. */
static size_t bucket_of(const char *id)
{
	uint64_t v = 0;

	if (strlen(id) != SESSION_ID_SIZE - 1 || parse_hex64(slice_of(id, 8), &v) < 0)
		return 0;
	return v & (BUCKET_COUNT - 1);
}

struct session_table *session_table_new(size_t pending_max, size_t attested_max, int64_t life_s)
{
	struct session_table *t = calloc(1, sizeof(*t));

	if (t) {
		t->pending_max = pending_max;
		t->attested_max = attested_max;
		t->life_s = life_s;
	}
	return t;
}

void session_table_free(struct session_table *t)
{
	if (!t)
		return;
	while (t->oldest)
		session_remove(t, t->oldest);
	free(t);
}

static void unlink_cache(struct session_table *t, struct session *s)
{
	*(s->cache_older ? &s->cache_older->cache_newer : &t->cache_oldest) = s->cache_newer;
	*(s->cache_newer ? &s->cache_newer->cache_older : &t->cache_newest) = s->cache_older;
	t->attested--;
}

void session_remove(struct session_table *t, struct session *s)
{
	struct session **at = &t->buckets[bucket_of(s->id)];

	while (*at != s)
		at = &(*at)->hash_next;
	*at = s->hash_next;
	*(s->older ? &s->older->newer : &t->oldest) = s->newer;
	*(s->newer ? &s->newer->older : &t->newest) = s->older;
	if (s->state == SESSION_ATTESTED)
		unlink_cache(t, s);
	else
		t->pending--;
	free(s->token);
	free(s);
}

size_t session_expire(struct session_table *t, int64_t now_ms)
{
	size_t n = 0;

	while (t->oldest && t->oldest->expires_ms <= now_ms) {
		session_remove(t, t->oldest);
		n++;
	}
	return n;
}

int session_new(struct session_table *t, const char *id, const char *nonce, const char *tee,
	int64_t now_ms, int64_t now_unix, struct session **ret)
{
	struct session *s;
	size_t bucket = bucket_of(id);

	session_expire(t, now_ms);
	if (t->pending >= t->pending_max)
		return -EAGAIN;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	if (strlen(id) != SESSION_ID_SIZE - 1 || str_copy(s->id, sizeof(s->id), id) < 0 ||
		str_copy(s->nonce, sizeof(s->nonce), nonce) < 0 ||
		str_copy(s->tee, sizeof(s->tee), tee) < 0) {
		free(s);
		return -EINVAL;
	}
	s->expires_ms = now_ms + t->life_s * 1000;
	s->expires_unix = now_unix + t->life_s;
	s->hash_next = t->buckets[bucket];
	t->buckets[bucket] = s;
	s->older = t->newest;
	*(t->newest ? &t->newest->newer : &t->oldest) = s;
	t->newest = s;
	t->pending++;
	*ret = s;
	return 0;
}

struct session *session_find(
	struct session_table *t, const char *id, int64_t now_ms, int *ret_error)
{
	struct session *s = t->buckets[bucket_of(id)];

	while (s && !streq(s->id, id))
		s = s->hash_next;
	*ret_error = s ? 0 : -ENOENT;
	/* A busy session belongs to a running verification, which removes it at its end. */
	if (s && s->expires_ms <= now_ms && s->state != SESSION_BUSY) {
		session_remove(t, s);
		*ret_error = -ESTALE;
		return NULL;
	}
	return s;
}

int session_attested(struct session_table *t, struct session *s, const char *token)
{
	s->token = strdup(token);
	if (!s->token)
		return -ENOMEM;
	s->state = SESSION_ATTESTED;
	t->pending--;
	if (t->attested >= t->attested_max && t->cache_oldest)
		session_remove(t, t->cache_oldest);
	s->cache_older = t->cache_newest;
	*(t->cache_newest ? &t->cache_newest->cache_newer : &t->cache_oldest) = s;
	t->cache_newest = s;
	t->attested++;
	return 0;
}

size_t session_count(const struct session_table *t, bool attested)
{
	return attested ? t->attested : t->pending;
}
