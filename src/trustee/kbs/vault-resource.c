/* SPDX-License-Identifier: Apache-2.0 */
/* Resources: read by attested guests, written by admins. */
#include "base/log.h"
#include "base/str.h"
#include "trustee/kbs/vault-internal.h"

static void deny(struct call *c, const char *stage, const char *reason, const json_t *outcome)
{
	char id[STORE_ID_SIZE];

	c->vault->counters[COUNT_POLICY_VIOLATIONS]++;
	verdict_record(c, "resource", "refused", stage, reason, outcome, id);
	reply_fail(&c->reply, REPLY_POLICY_DENY, "Access denied by policy (id %s)", id);
	call_answer(c);
}

/* Policy said yes: load, encrypt to the guest's key, answer. */
static void release(struct call *c)
{
	struct vault *v = c->vault;
	cleanup_with(secret_done) struct secret plain = {0};
	const json_t *key = token_tee_key(v->config, c->claims);
	struct err e = {0};
	int r;

	if (!kbs_resource_path_valid(c->target.tail)) {
		reply_fail(&c->reply, REPLY_PLUGIN_INTERNAL, "Plugin internal error");
		v->counters[COUNT_PLUGIN_ERRORS]++;
		call_answer(c);
		return;
	}
	r = store_resource_get(v->store, c->target.tenant, c->target.tail, 0, &plain, NULL, &e);
	if (r < 0) {
		log_warn("kbs.resource.missing", LOG_STR("path", c->target.tail),
			LOG_STR("peer", c->peer), LOG_STR("reason", err_text(&e, r)));
		reply_fail(&c->reply, REPLY_PLUGIN_INTERNAL, "Plugin internal error");
		v->counters[COUNT_PLUGIN_ERRORS]++;
	} else if (!key) {
		reply_fail(&c->reply, REPLY_JWE, "the token binds no TEE public key");
	} else {
		r = token_encrypt(key, c->protocol, secret_slice(&plain), &c->reply.body, &e);
		c->reply.type = REPLY_JSON;
		if (r < 0)
			reply_fail(&c->reply, REPLY_JWE, "%s", err_text(&e, r));
		else
			v->counters[COUNT_RESOURCE_READS]++;
	}
	call_answer(c);
}

static void authorize_done(void *cookie, int error, const json_t *result)
{
	struct call *c = cookie;
	const json_t *outcome = json_object_get(result, "result");

	if (error < 0) {
		char id[STORE_ID_SIZE];
		const char *reason = error == -EPIPE ? "the verifier crashed in this policy"
						     : wire_str(result, "reason");

		c->vault->counters[COUNT_POLICY_ERRORS]++;
		verdict_record(c, "resource", "refused", "policy engine",
			reason[0] ? reason : err_text(NULL, error), NULL, id);
		reply_fail(&c->reply, REPLY_POLICY_ENGINE, "Policy engine error: id %s", id);
		call_answer(c);
		return;
	}
	if (!json_is_true(json_object_get(outcome, "accepted"))) {
		deny(c, "resource policy", wire_str(outcome, "reason"), outcome);
		return;
	}
	c->vault->counters[COUNT_POLICY_APPROVALS]++;
	release(c);
}

static json_t *policy_data(const struct call *c)
{
	json_t *path = json_array();
	const char *at = c->target.tail;

	while (*at) {
		size_t n = strcspn(at, "/");

		json_array_append_new(path, json_stringn(at, n));
		at += n;
		at += *at == '/';
	}
	/* The query is passed as names and raw values; resources take none. */
	return json_pack("{s:s, s:o, s:{}}", "plugin", "resource", "resource-path", path, "query");
}

/* Claims of the attested session first, else of the bearer token. NULL after answering. */
static json_t *claims_of(struct call *c, struct slice bearer)
{
	struct vault *v = c->vault;
	int error;
	struct session *s =
		session_find(v->sessions, c->cookie, v->ops.now_ms(v->ops.cookie), &error);
	struct err e = {0};
	json_t *claims = NULL;

	if (s && s->state == SESSION_ATTESTED) {
		(void)!str_copy(c->tee, sizeof(c->tee), s->tee);
		c->protocol = s->protocol;
		return json_incref(s->claims);
	}
	if (bearer.size == 0) {
		reply_fail(&c->reply, REPLY_TOKEN_NOT_FOUND, "Attestation Token not found");
		call_answer(c);
		return NULL;
	}
	error = token_verify(v->keys, bearer, vault_now(v), &claims, &e);
	if (error < 0) {
		char id[STORE_ID_SIZE];

		verdict_record(c, "resource", "refused", "token", err_text(&e, error), NULL, id);
		reply_fail(&c->reply, REPLY_TOKEN_VERIFIER, "Token Verifier error (id %s)", id);
		call_answer(c);
		return NULL;
	}
	return claims;
}

void vault_resource_get(struct call *c, struct slice bearer)
{
	struct vault *v = c->vault;
	json_t *header;

	v->counters[COUNT_PLUGIN_REQUESTS]++;
	c->claims = claims_of(c, bearer);
	if (!c->claims)
		return;
	v->counters[COUNT_POLICY_EVALUATIONS]++;
	header = json_pack("{s:s, s:s, s:O, s:o, s:I}", "op", "authorize", "policy",
		RESOURCE_POLICY_ID, "claims", c->claims, "data", policy_data(c), "now",
		(json_int_t)vault_now(v));
	if (pool_submit(v->pool, header, SLICE_EMPTY, v->ops.now_ms(v->ops.cookie), authorize_done,
		    c) < 0) {
		reply_fail(&c->reply, REPLY_UNAVAILABLE, "all verifiers are busy");
		call_answer(c);
	}
}

void vault_resource_set(struct call *c, struct slice body)
{
	struct vault *v = c->vault;
	struct store_change by = vault_change(c);
	const struct store_put put = {.content = body, .overwrite = true};
	struct err e = {0};
	int r;

	v->counters[COUNT_PLUGIN_REQUESTS]++;
	c->reply.type = REPLY_XML;
	if (!kbs_resource_path_valid(c->target.tail)) {
		v->counters[COUNT_PLUGIN_ERRORS]++;
		reply_fail(&c->reply, REPLY_PLUGIN_INTERNAL,
			"Plugin internal error: a resource path is REPOSITORY/TYPE/TAG");
		call_answer(c);
		return;
	}
	r = store_resource_put(v->store, &by, c->target.tail, &put, NULL, &e);
	if (r < 0) {
		v->counters[COUNT_PLUGIN_ERRORS]++;
		log_error("kbs.resource.write", LOG_STR("path", c->target.tail),
			LOG_STR("reason", err_text(&e, r)));
		reply_fail(&c->reply, REPLY_PLUGIN_INTERNAL, "Plugin internal error: %s",
			err_text(&e, r));
	} else {
		v->counters[COUNT_RESOURCE_WRITES]++;
	}
	call_answer(c);
}

void vault_resource_delete(struct call *c)
{
	struct vault *v = c->vault;
	struct store_change by = vault_change(c);
	struct err e = {0};
	int r;

	v->counters[COUNT_PLUGIN_REQUESTS]++;
	c->reply.type = REPLY_XML;
	r = store_resource_delete(v->store, &by, c->target.tail, 0, &e);
	if (r < 0) {
		v->counters[COUNT_PLUGIN_ERRORS]++;
		reply_fail(&c->reply, REPLY_PLUGIN_INTERNAL, "Plugin internal error: %s",
			err_text(&e, r));
	} else {
		v->counters[COUNT_RESOURCE_DELETES]++;
	}
	call_answer(c);
}
