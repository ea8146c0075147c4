/* SPDX-License-Identifier: Apache-2.0 */
/* Resources: read by attested guests, written by admins. */
#include "base/log.h"
#include "base/parse.h"
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

/* A store without versions has no ETags. */
void vault_make_etag(int64_t version, char ret[ETAG_SIZE])
{
	ret[0] = '\0';
	if (version > 0)
		snprintf(ret, ETAG_SIZE, "\"%lld\"", (long long)version);
}

/* The release is in the audit log before the guest has the resource. */
static int record_release(struct call *c, int64_t version, struct err *reterr)
{
	struct store_change by = vault_change(c);
	const char *jti = json_string_value(json_object_get(c->claims, "jti"));
	char detail[160];

	by.actor = "guest";
	snprintf(detail, sizeof(detail), "version %lld, tee %s, verdict %.64s", (long long)version,
		c->tee[0] ? c->tee : "-", jti ? jti : "-");
	return store_audit_note(
		c->vault->store, &by, "resource.release", c->target.tail, detail, reterr);
}

static void missing(struct call *c, const char *reason)
{
	log_warn("kbs.resource.missing", LOG_STR("path", c->target.tail), LOG_STR("peer", c->peer),
		LOG_STR("request", c->request_id), LOG_STR("reason", reason));
	reply_fail(&c->reply, REPLY_PLUGIN_INTERNAL, "Plugin internal error");
	c->vault->counters[COUNT_PLUGIN_ERRORS]++;
	call_answer(c);
}

static int encrypt(struct call *c, struct slice plain, struct err *reterr)
{
	const json_t *key = token_tee_key(c->vault->config, c->claims);

	if (!key)
		return err_set(reterr, -EBADMSG, "the token binds no TEE public key");
	return token_encrypt(key, c->protocol, plain, &c->reply.body, reterr);
}

void vault_resource_deliver(struct call *c, struct slice plain, int64_t version)
{
	struct err e = {0};
	int r;

	vault_make_etag(version, c->reply.etag);
	if (c->if_none_match[0] && streq(c->if_none_match, c->reply.etag)) {
		c->reply.status = 304;
		call_answer(c);
		return;
	}
	c->reply.type = REPLY_JSON;
	r = encrypt(c, plain, &e);
	if (r < 0) {
		reply_fail(&c->reply, REPLY_JWE, "%s", err_text(&e, r));
		call_answer(c);
		return;
	}
	r = record_release(c, version, &e);
	if (r < 0) {
		call_unavailable(c, r, &e);
		return;
	}
	c->vault->counters[COUNT_RESOURCE_READS]++;
	call_answer_durably(c);
}

/* Policy said yes: load, encrypt to the guest's key, record, answer. */
static void release(struct call *c)
{
	struct vault *v = c->vault;
	cleanup_with(secret_done) struct secret plain = {0};
	struct store_resource info = {0};
	struct err e = {0};
	int r;

	if (!kbs_resource_path_valid(c->target.tail)) {
		missing(c, "a resource path is REPOSITORY/TYPE/TAG");
		return;
	}
	if (v->backends) {
		vault_backend_get(c);
		return;
	}
	r = store_resource_get(
		v->store, c->target.tenant, c->target.tail, c->version, &plain, &info, &e);
	if (r == -ENOENT) {
		missing(c, err_text(&e, r));
		return;
	}
	if (r < 0) {
		call_unavailable(c, r, &e);
		return;
	}
	(void)!str_copy(c->reply.content_type, sizeof(c->reply.content_type), info.type);
	vault_resource_deliver(c, secret_slice(&plain), info.version);
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
	cleanup_with(guest_session_done) struct guest_session s = {0};
	struct err e = {0};
	json_t *claims = NULL;
	const char *tenant;
	int r = vault_session_read(c, &s);

	if (r == 0 && s.state == SESSION_ATTESTED) {
		(void)!str_copy(c->tee, sizeof(c->tee), s.tee);
		c->protocol = s.protocol;
		return json_incref(s.claims);
	}
	if (store_is_away(r)) {
		call_unavailable(c, r, NULL);
		return NULL;
	}
	if (bearer.size == 0) {
		reply_fail(&c->reply, REPLY_TOKEN_NOT_FOUND, "Attestation Token not found");
		call_answer(c);
		return NULL;
	}
	r = token_verify(v->keys, bearer, vault_now(v), &claims, &e);
	tenant = json_string_value(json_object_get(claims, CLAIM_TENANT));
	if (r == 0 && !streq(tenant ? tenant : "", c->target.tenant)) {
		json_decref(claims);
		r = err_set(&e, -EACCES, "the token is another tenant's");
	}
	if (r < 0) {
		char id[STORE_ID_SIZE];

		verdict_record(c, "resource", "refused", "token", err_text(&e, r), NULL, id);
		reply_fail(&c->reply, REPLY_TOKEN_VERIFIER, "Token Verifier error (id %s)", id);
		call_answer(c);
		return NULL;
	}
	return claims;
}

/* ?version=N asks for a version that is kept. */
static int read_version(struct call *c)
{
	char number[24];
	uint64_t version;
	int r = kbs_query_get(c->target.query, "version", number, sizeof(number));

	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = parse_u64(slice_str(number), 1, INT64_MAX, &version);
	if (r == 0)
		c->version = (int64_t)version;
	return r;
}

void vault_resource_get(struct call *c, struct slice bearer)
{
	struct vault *v = c->vault;
	json_t *header, *claims;

	v->counters[COUNT_PLUGIN_REQUESTS]++;
	claims = claims_of(c, bearer);
	if (!claims)
		return; /* and the call is gone */
	c->claims = claims;
	if (read_version(c) < 0) {
		missing(c, "version is not a number");
		return;
	}
	v->counters[COUNT_POLICY_EVALUATIONS]++;
	header = json_pack("{s:s, s:s, s:s, s:O, s:o, s:I}", "op", "authorize", "tenant",
		c->target.tenant, "policy", RESOURCE_POLICY_ID, "claims", c->claims, "data",
		policy_data(c), "now", (json_int_t)vault_now(v));
	if (pool_submit(v->pool, header, SLICE_EMPTY, v->ops.now_ms(v->ops.cookie), authorize_done,
		    c) < 0) {
		reply_fail(&c->reply, REPLY_UNAVAILABLE, "all verifiers are busy");
		call_answer(c);
	}
}

/* What a write may rest on: "*" any version, "N" that one. */
static int read_if_match(const struct call *c, int64_t *ret)
{
	struct slice s = slice_str(c->if_match);
	uint64_t version;
	int r;

	*ret = 0;
	if (s.size == 0 || streq(c->if_match, "*"))
		return 0;
	if (s.size < 3 || s.data[0] != '"' || s.data[s.size - 1] != '"')
		return -EINVAL;
	r = parse_u64(slice_cut(s, 1, s.size - 2), 1, INT64_MAX, &version);
	if (r == 0)
		*ret = (int64_t)version;
	return r;
}

static void answer_write(struct call *c, int r, const struct err *e, enum vault_counter counter)
{
	struct vault *v = c->vault;

	if (r == 0) {
		v->counters[counter]++;
		call_answer(c);
		return;
	}
	v->counters[COUNT_PLUGIN_ERRORS]++;
	if (r == -ESTALE || r == -EEXIST)
		reply_fail(&c->reply, REPLY_PRECONDITION, "%s", err_text(e, r));
	else if (r == -EDQUOT)
		reply_fail(&c->reply, REPLY_QUOTA, "%s", err_text(e, r));
	else if (store_is_away(r)) {
		call_unavailable(c, r, e);
		return;
	} else {
		log_error("kbs.resource.write", LOG_STR("path", c->target.tail),
			LOG_STR("request", c->request_id), LOG_STR("reason", err_text(e, r)));
		reply_fail(&c->reply, REPLY_PLUGIN_INTERNAL, "Plugin internal error: %s",
			err_text(e, r));
	}
	call_answer(c);
}

void vault_resource_set(struct call *c, struct slice body)
{
	struct vault *v = c->vault;
	struct store_change by = vault_change(c);
	struct store_put put = {.content = body,
		.type = c->type,
		.overwrite = !streq(c->if_none_match, "*"),
		.keep = v->config->husk.resource_versions};
	int64_t version = 0;
	struct err e = {0};
	int r = read_if_match(c, &put.if_version);

	v->counters[COUNT_PLUGIN_REQUESTS]++;
	c->reply.type = REPLY_XML;
	if (r < 0)
		r = err_set(&e, -ESTALE, "If-Match must be an ETag of this resource");
	else if (!kbs_resource_path_valid(c->target.tail))
		r = err_set(&e, -EINVAL, "a resource path is REPOSITORY/TYPE/TAG");
	else if (v->backends) {
		vault_backend_put(c, &put);
		return;
	} else
		r = store_resource_put(v->store, &by, c->target.tail, &put, &version, &e);
	if (r == 0)
		vault_make_etag(version, c->reply.etag);
	answer_write(c, r, &e, COUNT_RESOURCE_WRITES);
}

void vault_resource_delete(struct call *c)
{
	struct vault *v = c->vault;
	struct store_change by = vault_change(c);
	int64_t if_version = 0;
	struct err e = {0};
	int r = read_if_match(c, &if_version);

	v->counters[COUNT_PLUGIN_REQUESTS]++;
	c->reply.type = REPLY_XML;
	if (r < 0)
		r = err_set(&e, -ESTALE, "If-Match must be an ETag of this resource");
	else if (v->backends) {
		vault_backend_delete(c, if_version);
		return;
	} else
		r = store_resource_delete(v->store, &by, c->target.tail, if_version, &e);
	answer_write(c, r, &e, COUNT_RESOURCE_DELETES);
}
