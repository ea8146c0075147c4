/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plugins: who may call them, and how their answers travel.
 *
 * An admin's request goes to the plugin at once. A guest's goes through its token and the resource
 * policy first, which sees the plugin's name, the path below it and the query; what the plugin then
 * answers is encrypted to the guest's key, unless the plugin's answers are no secrets.
 */
#include "base/log.h"
#include "base/str.h"
#include "trustee/kbs/vault-internal.h"

struct plugin_ops {
	/* Each takes over the call. NULL: there is no such request. */
	void (*admin)(struct call *c, struct slice body);
	void (*guest)(struct call *c, struct slice body); /* the policy allows it */
};

static void serve_sample(struct call *c, struct slice body)
{
	c->reply.type = REPLY_XML;
	buf_put_str(&c->reply.body, "sample plugin response");
	call_answer(c);
}

static const struct plugin_ops g_ops[PLUGIN_COUNT_] = {
	[PLUGIN_RESOURCE] = {vault_resource_admin, vault_resource_release},
	[PLUGIN_SAMPLE] = {serve_sample, NULL},
	[PLUGIN_EXTERNAL] = {vault_external_admin, vault_external_release},
	[PLUGIN_PKCS11] = {vault_hsm_admin, vault_hsm_release},
	[PLUGIN_NEBULA_CA] = {vault_nebula_admin, vault_nebula_release},
	[PLUGIN_PROVISIONER] = {vault_provisioner_admin, vault_provisioner_release},
};

static const char *name_of(const struct call *c)
{
	return kbs_plugin_name(c->target.plugin_id);
}

void vault_plugin_error(struct call *c)
{
	c->vault->plugins[c->target.plugin_id].errors++;
}

void vault_plugin_fail(struct call *c, const char *reason)
{
	bool admin = c->role[0];

	log_warn("kbs.plugin.failed", LOG_STR("plugin", name_of(c)),
		LOG_STR("path", c->target.tail), LOG_STR("peer", c->peer),
		LOG_STR("request", c->request_id), LOG_STR("reason", reason));
	vault_plugin_error(c);
	/* Guests learn no more than that it failed; admins learn why. */
	reply_fail(&c->reply, REPLY_PLUGIN_INTERNAL, "Plugin internal error%s%s", admin ? ": " : "",
		admin ? reason : "");
	call_answer(c);
}

/* --- answers --- */

/* The release is in the audit log before the guest has what it asked for. */
static int record_release(struct call *c, const char *detail, struct err *reterr)
{
	struct store_change by = vault_change(c);
	const char *jti = json_string_value(json_object_get(c->claims, "jti"));
	char action[64], text[192];

	by.actor = "guest";
	snprintf(action, sizeof(action), "%s.release", name_of(c));
	snprintf(text, sizeof(text), "%.40s%stee %s, verdict %.64s", detail, detail[0] ? ", " : "",
		c->tee[0] ? c->tee : "-", jti ? jti : "-");
	return store_audit_note(c->vault->store, &by, action, c->target.tail, text, reterr);
}

static int encrypt(struct call *c, struct slice plain, struct err *reterr)
{
	const json_t *key = token_tee_key(c->vault->config, c->claims);

	if (!key)
		return err_set(reterr, -EBADMSG, "the token binds no TEE public key");
	return token_encrypt(key, c->protocol, plain, &c->reply.body, reterr);
}

void vault_plugin_deliver(
	struct call *c, struct slice plain, enum plugin_seal seal, const char *detail)
{
	struct err e = {0};
	int r = 0;

	c->reply.type = seal == PLUGIN_SEALED ? REPLY_JSON : REPLY_XML;
	if (seal == PLUGIN_SEALED)
		r = encrypt(c, plain, &e);
	else
		buf_put_slice(&c->reply.body, plain);
	if (r < 0) {
		reply_fail(&c->reply, REPLY_JWE, "%s", err_text(&e, r));
		call_answer(c);
		return;
	}
	r = record_release(c, detail, &e);
	if (r < 0) {
		call_unavailable(c, r, &e);
		return;
	}
	if (c->target.plugin_id == PLUGIN_RESOURCE)
		c->vault->counters[COUNT_RESOURCE_READS]++;
	call_answer_durably(c);
}

void vault_plugin_note(struct call *c, const char *action, const char *detail)
{
	struct store_change by = vault_change(c);
	struct err e = {0};
	int r = store_audit_note(c->vault->store, &by, action, c->target.tail, detail, &e);

	if (r < 0)
		call_unavailable(c, r, &e);
	else
		call_answer_durably(c);
}

/* --- guests --- */

static void deny(struct call *c, const char *stage, const char *reason, const json_t *outcome)
{
	char id[STORE_ID_SIZE];

	c->vault->counters[COUNT_POLICY_VIOLATIONS]++;
	verdict_record(c, name_of(c), "refused", stage, reason, outcome, id);
	reply_fail(&c->reply, REPLY_POLICY_DENY, "Access denied by policy (id %s)", id);
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
		verdict_record(c, name_of(c), "refused", "policy engine",
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
	g_ops[c->target.plugin_id].guest(c, buf_slice(&c->body));
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
	if (r == -EKEYREJECTED)
		jwks_unknown_key(v, KEYS_OF_TOKENS);
	tenant = json_string_value(json_object_get(claims, CLAIM_TENANT));
	if (r == 0 && !streq(tenant ? tenant : "", c->target.tenant)) {
		json_decref(claims);
		r = err_set(&e, -EACCES, "the token is another tenant's");
	}
	if (r < 0) {
		char id[STORE_ID_SIZE];

		verdict_record(c, name_of(c), "refused", "token", err_text(&e, r), NULL, id);
		reply_fail(&c->reply, REPLY_TOKEN_VERIFIER, "Token Verifier error (id %s)", id);
		call_answer(c);
		return NULL;
	}
	return claims;
}

json_t *vault_policy_data(enum kbs_plugin plugin, const char *path, json_t *query)
{
	return json_pack("{s:s, s:o, s:o}", "plugin", kbs_plugin_name(plugin), "resource-path",
		kbs_path_list(path), "query", query);
}

static void ask_policy(struct call *c, json_t *query)
{
	struct vault *v = c->vault;
	json_t *data = vault_policy_data(c->target.plugin_id, c->target.tail, query);
	json_t *header = json_pack("{s:s, s:s, s:s, s:O, s:o, s:I}", "op", "authorize", "tenant",
		c->target.tenant, "policy", RESOURCE_POLICY_ID, "claims", c->claims, "data", data,
		"now", (json_int_t)vault_now(v));

	v->counters[COUNT_POLICY_EVALUATIONS]++;
	if (pool_submit(v->pool, header, SLICE_EMPTY, vault_now_ms(v), authorize_done, c) < 0) {
		reply_fail(&c->reply, REPLY_UNAVAILABLE, "all verifiers are busy");
		call_answer(c);
	}
}

void vault_plugin_guest(struct call *c, struct slice bearer)
{
	json_t *claims = claims_of(c, bearer);
	json_t *query = NULL;

	if (!claims)
		return; /* and the call is gone */
	c->claims = claims;
	if (kbs_query_map(c->target.query, &query) < 0)
		vault_plugin_fail(c, "the query is malformed");
	else
		ask_policy(c, query);
}

bool vault_plugin_there(const struct call *c)
{
	bool asks = c->target.route == ROUTE_PLUGIN || c->target.route == ROUTE_RESOURCE_GET ||
		    c->target.route == ROUTE_RESOURCE_SET ||
		    c->target.route == ROUTE_RESOURCE_DELETE;

	return !asks || c->vault->config->plugins[c->target.plugin_id];
}

void vault_plugin(struct call *c, struct slice bearer, struct slice body)
{
	const struct plugin_ops *ops = &g_ops[c->target.plugin_id];

	c->vault->plugins[c->target.plugin_id].requests++;
	c->timed = true;
	if (c->target.need == NEED_ADMIN && ops->admin) {
		ops->admin(c, body);
		return;
	}
	buf_put_slice(&c->body, body);
	if (buf_error(&c->body) < 0)
		vault_plugin_fail(c, "the body is too large to be kept");
	else if (c->target.need == NEED_PLUGIN)
		vault_external_ask(c, bearer);
	else if (c->target.need == NEED_TOKEN && ops->guest)
		vault_plugin_guest(c, bearer);
	else
		vault_plugin_fail(c, "the plugin has no such request");
}
