/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where RCAR sessions live: in the vault's memory, or, when replicas share a store, in the store.
 * The rest of the vault does not know the difference.
 */
#include "base/str.h"
#include "crypto/jose.h"
#include "fmt/json.h"
#include "trustee/kbs/vault-internal.h"

void guest_session_done(struct guest_session *g)
{
	free(g->token);
	json_decref(g->claims);
	*g = (struct guest_session){0};
}

int vault_session_new(struct call *c, const char *id, const char *nonce, int64_t *ret_expires)
{
	struct vault *v = c->vault;
	struct store_session n = {0};
	struct session *s = NULL;
	int r;

	if (!store_shared(v->store)) {
		r = session_new(v->sessions, id, nonce, c->tee, vault_now_ms(v), vault_now(v), &s);
		if (r < 0)
			return r;
		*ret_expires = s->expires_unix;
		s->protocol = c->protocol;
		return str_copy(s->tenant, sizeof(s->tenant), c->target.tenant);
	}
	if (v->shared_pending >= v->config->husk.sessions_pending_max)
		return -EAGAIN;
	if (str_copy(n.id, sizeof(n.id), id) < 0 || str_copy(n.nonce, sizeof(n.nonce), nonce) < 0 ||
		str_copy(n.tee, sizeof(n.tee), c->tee) < 0 ||
		str_copy(n.tenant, sizeof(n.tenant), c->target.tenant) < 0)
		return -EINVAL;
	n.protocol = (int)c->protocol;
	n.expires = *ret_expires = vault_now(v) + (int64_t)v->config->as.timeout_min * 60;
	r = store_session_new(v->store, &n, NULL);
	/* -EAGAIN would read as "too many handshakes". */
	v->shared_pending += r == 0;
	return r == -EAGAIN ? -EPIPE : r;
}

/* The token holds the claims; parsed, they would take twice its memory for all of its life. */
static int token_claims(struct slice token, json_t **ret)
{
	cleanup_with(jws_done) struct jws jws = {0};
	int r = jws_parse(token, &jws, NULL);

	return r < 0 ? r : json_parse(buf_slice(&jws.payload), JWS_SIZE_MAX, ret, NULL);
}

static int from_memory(struct call *c, struct guest_session *ret, struct session **ret_session)
{
	struct vault *v = c->vault;
	int error = 0;
	struct session *s = session_find(v->sessions, c->cookie, vault_now_ms(v), &error);

	if (!s)
		return error ? error : -ENOENT;
	if (!streq(s->tenant, c->target.tenant))
		return -ENOENT;
	*ret = (struct guest_session){.state = s->state,
		.protocol = s->protocol,
		.expires_unix = s->expires_unix,
		.token = s->token ? strdup(s->token) : NULL};
	memcpy(ret->request_digest, s->request_digest, sizeof(ret->request_digest));
	if (str_copy(ret->tee, sizeof(ret->tee), s->tee) < 0 ||
		str_copy(ret->nonce, sizeof(ret->nonce), s->nonce) < 0 ||
		(s->token && !ret->token)) {
		guest_session_done(ret);
		return -ENOMEM;
	}
	if (s->state == SESSION_ATTESTED) {
		int r = token_claims(slice_str(s->token), &ret->claims);

		if (r < 0) {
			guest_session_done(ret);
			return r;
		}
	}
	if (ret_session)
		*ret_session = s;
	return 0;
}

/* The token was signed by a replica; whoever can write into the database cannot make one. */
static int from_store(struct call *c, struct store_session *s, struct guest_session *ret)
{
	struct vault *v = c->vault;
	int r = 0;

	*ret = (struct guest_session){
		.state = (enum session_state)s->state, .expires_unix = s->expires};
	memcpy(ret->request_digest, s->digest, sizeof(ret->request_digest));
	if (str_copy(ret->tee, sizeof(ret->tee), s->tee) < 0 ||
		str_copy(ret->nonce, sizeof(ret->nonce), s->nonce) < 0 ||
		!as_protocol_name(s->protocol))
		r = -EIO;
	else
		ret->protocol = (enum as_protocol)s->protocol;
	if (r == 0 && s->state == STORE_SESSION_ATTESTED) {
		r = token_verify(v->keys, slice_str(s->token), vault_now(v), &ret->claims, NULL);
		/* A token that has run out meanwhile, or another replica's key: attest again. */
		if (r < 0)
			r = -ESTALE;
	}
	ret->token = steal_ptr(s->token);
	if (r < 0)
		guest_session_done(ret);
	return r;
}

int vault_session_take(struct call *c, struct guest_session *ret)
{
	struct vault *v = c->vault;
	struct store_session shared = {0};
	struct session *s = NULL;
	int r;

	if (store_shared(v->store)) {
		if (!c->cookie[0])
			return -ENOENT;
		r = store_session_take(
			v->store, c->cookie, c->target.tenant, vault_now(v), &shared, NULL);
		return r < 0 ? r : from_store(c, &shared, ret);
	}
	r = from_memory(c, ret, &s);
	if (r == 0 && s->state == SESSION_PENDING)
		s->state = SESSION_BUSY;
	return r;
}

int vault_session_read(struct call *c, struct guest_session *ret)
{
	struct vault *v = c->vault;
	struct store_session shared = {0};
	int r;

	if (!store_shared(v->store))
		return from_memory(c, ret, NULL);
	if (!c->cookie[0])
		return -ENOENT;
	r = store_session_read(v->store, c->cookie, c->target.tenant, vault_now(v), &shared, NULL);
	return r < 0 ? r : from_store(c, &shared, ret);
}

int vault_session_attested(struct call *c, const char *token)
{
	struct vault *v = c->vault;
	struct session *s;
	int error, r;

	if (store_shared(v->store))
		return store_session_attested(
			v->store, c->cookie, c->body_digest.bytes, token, NULL);
	s = session_find(v->sessions, c->cookie, vault_now_ms(v), &error);
	if (!s)
		return -ENOENT;
	r = session_attested(v->sessions, s, token);
	if (r == 0)
		memcpy(s->request_digest, c->body_digest.bytes, sizeof(s->request_digest));
	return r;
}

void vault_session_drop(struct call *c)
{
	struct vault *v = c->vault;
	struct session *s;
	int error;

	if (store_shared(v->store)) {
		/* Should the store be away, the session stays busy: its nonce is used up as well. */
		(void)!store_session_remove(v->store, c->cookie, NULL);
		return;
	}
	s = session_find(v->sessions, c->cookie, vault_now_ms(v), &error);
	if (s)
		session_remove(v->sessions, s);
}

void vault_session_tick(struct vault *v)
{
	uint64_t pending = 0, attested = 0;

	if (!store_shared(v->store)) {
		session_expire(v->sessions, vault_now_ms(v));
		return;
	}
	(void)!store_session_expire(v->store, vault_now(v), NULL);
	if (store_session_count(v->store, &pending, &attested) == 0) {
		v->shared_pending = pending;
		v->shared_attested = attested;
	}
}

void vault_session_counts(const struct vault *v, uint64_t *ret_pending, uint64_t *ret_attested)
{
	bool shared = store_shared(v->store);

	*ret_pending = shared ? v->shared_pending : session_count(v->sessions, false);
	*ret_attested = shared ? v->shared_attested : session_count(v->sessions, true);
}
