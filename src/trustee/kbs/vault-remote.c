/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the vault asks of other services, through the remotes: attestation by a gRPC service or by Intel
 * Trust Authority, and reference values of a remote provider.
 *
 * Guests' messages are read by a verifier ("prepare"), never here and never by a remote. A token that
 * comes back counts only when it verifies under [attestation_token] (or certs_file), as any other.
 * Policies ask for reference values by name; a verifier answers with the names it did not have, and
 * gets the same work again with their values.
 */
#include "base/enc.h"
#include "base/log.h"
#include "base/str.h"
#include "fmt/json.h"
#include "trustee/kbs/vault-internal.h"

#define ROUNDS_MAX 8  /* of names that only values reveal */
#define NAMES_MAX 256 /* that are asked for before a policy does */

static const char *reason_of(int error, const json_t *result)
{
	const char *reason = wire_str(result, "reason");

	return error == -EPIPE	     ? "the connection to the service broke"
	       : error == -ETIMEDOUT ? "no answer of the service in time"
	       : reason[0]	     ? reason
				     : err_text(NULL, error);
}

/* --- attestation --- */

static void token_came(void *cookie, int error, const json_t *result)
{
	struct call *c = cookie;
	struct vault *v = c->vault;
	const char *token = wire_str(result, "token");
	json_t *claims = NULL;
	struct err e = {0};

	if (error < 0) {
		vault_attest_refuse(c, "attestation service", reason_of(error, result), NULL);
		return;
	}
	error = token_verify(v->keys, slice_str(token), vault_now(v), &claims, &e);
	if (error == -EKEYREJECTED)
		jwks_unknown_key(v, KEYS_OF_TOKENS);
	if (error < 0) {
		vault_attest_refuse(
			c, "token of the attestation service", err_text(&e, error), NULL);
		return;
	}
	error = vault_session_attested(c, token);
	json_decref(claims);
	if (error < 0)
		vault_attest_refuse(c, "session", err_text(NULL, error), NULL);
	else
		vault_attest_token(c, token, "the attestation service gave a token");
}

static void challenge_came(void *cookie, int error, const json_t *result)
{
	struct call *c = cookie;
	cleanup_with(buf_done) struct buf nonce = buf_init(64);
	const struct slice challenge = slice_str(wire_str(result, "challenge"));

	if (error == 0)
		error = challenge.size > 0 ? vault_se_digest(challenge, &nonce) : -EBADMSG;
	if (error == 0) {
		vault_auth_challenge(c, challenge, buf_str(&nonce));
		return;
	}
	log_error("kbs.se.remote", LOG_STR("reason", reason_of(error, result)));
	c->vault->counters[COUNT_AUTH_ERRORS]++;
	reply_fail(&c->reply, REPLY_ATTESTATION_ERROR,
		"Attestation error: RCAR handshake Auth failed: the attestation service makes no "
		"challenge");
	call_answer(c);
}

/* What the guest said of itself, as far as we read it. */
static json_t *tee_params(const struct call *c)
{
	static const struct {
		const char *name;
		unsigned bit;
	} known[] = {{"sha256", RCAR_SHA256}, {"sha384", RCAR_SHA384}, {"sha512", RCAR_SHA512}};
	json_t *o = json_object(), *list;

	if (!(c->hashes & RCAR_HASH_LIST))
		return o;
	list = json_array();
	for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
		if (c->hashes & known[i].bit)
			json_array_append_new(list, json_string(known[i].name));
	}
	json_object_set_new(o, "supported-hash-algorithms", list);
	return o;
}

void vault_remote_challenge(struct call *c)
{
	struct vault *v = c->vault;
	cleanup(json_decref) json_t *params = tee_params(c);
	cleanup(free_ptr) char *text = json_dumps(params, JSON_COMPACT);
	json_t *header = json_pack(
		"{s:s, s:s, s:s}", "op", "challenge", "tee", c->tee, "params", text ? text : "");

	if (pool_submit(v->remotes, header, SLICE_EMPTY, vault_now_ms(v), challenge_came, c) < 0)
		challenge_came(c, -EAGAIN, NULL);
}

static void prepared(void *cookie, int error, const json_t *result)
{
	struct call *c = cookie;
	struct vault *v = c->vault;
	const json_t *outcome = json_object_get(result, "result");
	cleanup(free_ptr) char *text = NULL;
	json_t *header;

	if (error < 0) {
		vault_attest_refuse(c, "verifier", reason_of(error, result), NULL);
		return;
	}
	if (!json_is_true(json_object_get(outcome, "accepted"))) {
		vault_attest_refuse(
			c, wire_str(outcome, "stage"), wire_str(outcome, "reason"), outcome);
		return;
	}
	text = json_dumps(json_object_get(outcome, "request"), JSON_COMPACT);
	header =
		json_pack("{s:s, s:s}", "op", v->config->as.mode == AS_INTEL ? "intel" : "evaluate",
			"suffix", wire_str(outcome, "suffix"));
	if (!text || pool_submit(v->remotes, header, slice_str(text), vault_now_ms(v), token_came,
			     c) < 0)
		vault_attest_refuse(c, "attestation service", "all connections are busy", NULL);
}

int vault_remote_attest(struct call *c, json_t *header, struct slice body)
{
	struct vault *v = c->vault;

	if (json_object_set_new(header, "op", json_string("prepare")) < 0 ||
		json_object_set_new(header, "intel", json_boolean(v->config->as.mode == AS_INTEL)) <
			0 ||
		json_object_set_new(header, "policy_ids", json_array()) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < v->config->as.policy_ids.count; i++)
		json_array_append_new(json_object_get(header, "policy_ids"),
			json_string(v->config->as.policy_ids.items[i]));
	json_object_set_new(header, "must_match",
		json_boolean(v->config->as.policy_ids.count > 0 &&
			     !v->config->as.allow_unmatched_policy));
	return pool_submit(v->pool, header, body, vault_now_ms(v), prepared, c);
}

/* --- reference values for policies that run here --- */

static int submit_again(struct call *c)
{
	json_t *header = json_deep_copy(c->work);

	if (!header || json_object_set(header, "values", c->values) < 0) {
		json_decref(header);
		return -ENOMEM;
	}
	return vault_verify(c, header, buf_slice(&c->text), c->work_done);
}

static void values_came(void *cookie, int error, const json_t *result)
{
	struct call *c = cookie;
	struct vault *v = c->vault;
	const char *key;
	json_t *value;

	if (error == 0) {
		json_object_foreach (json_object_get(result, "values"), key, value) {
			json_object_set(c->values, key, value);
			if (json_object_size(v->names) < NAMES_MAX)
				json_object_set_new(v->names, key, json_true());
		}
		error = submit_again(c);
	} else {
		log_warn("kbs.rvps.remote", LOG_STR("reason", reason_of(error, result)));
	}
	/* Without its reference values evidence cannot be judged. */
	if (error < 0)
		c->work_done(c, error, result);
}

static int fetch(struct call *c, json_t *names)
{
	struct vault *v = c->vault;
	json_t *header = json_pack("{s:s, s:o}", "op", "values", "names", names);

	return pool_submit(v->remotes, header, SLICE_EMPTY, vault_now_ms(v), values_came, c);
}

int vault_submit_evidence(struct call *c, json_t *header, struct slice body, pool_done_fn done)
{
	struct vault *v = c->vault;
	json_t *names, *value;
	const char *name;

	if (!v->config->as.rvps_address)
		return vault_verify(c, header, body, done);
	c->work = header;
	c->work_done = done;
	c->values = json_object();
	buf_done(&c->text);
	c->text = buf_init(WIRE_BODY_MAX);
	buf_put_slice(&c->text, body);
	if (!c->values || buf_error(&c->text) < 0)
		return -ENOMEM;
	if (json_object_size(v->names) == 0)
		return submit_again(c);
	/* What was asked for before will be asked for again. */
	names = json_array();
	json_object_foreach (v->names, name, value) {
		json_array_append_new(names, json_string(name));
	}
	return fetch(c, names);
}

bool vault_values_wanted(struct call *c, const json_t *outcome)
{
	json_t *wanted = json_object_get(outcome, "wanted");

	if (json_array_size(wanted) == 0 || !c->values || ++c->rounds > ROUNDS_MAX)
		return false;
	return fetch(c, json_incref(wanted)) == 0;
}

/* --- the admin's --- */

static void policy_sent(void *cookie, int error, const json_t *result)
{
	struct call *c = cookie;

	if (error < 0)
		reply_fail(&c->reply, REPLY_ATTESTATION_ERROR,
			"Attestation error: Set Attestation Policy failed: %s",
			reason_of(error, result));
	call_answer(c);
}

bool vault_remote_policy(struct call *c)
{
	struct vault *v = c->vault;
	cleanup_with(buf_done) struct buf text = buf_init(0);
	json_t *header;

	if (v->config->as.mode == AS_BUILTIN || c->target.route == ROUTE_RESOURCE_POLICY_SET)
		return false;
	if (v->config->as.mode == AS_INTEL) {
		reply_fail(&c->reply, REPLY_ATTESTATION_ERROR,
			"Attestation error: Set Attestation Policy failed: policies of Intel Trust "
			"Authority are set there");
		call_answer(c);
		return true;
	}
	b64_encode(&text, buf_slice(&c->text), B64_URL);
	header = json_pack(
		"{s:s, s:s, s:s}", "op", "policy", "id", c->policy_id, "policy", buf_str(&text));
	if (pool_submit(v->remotes, header, SLICE_EMPTY, vault_now_ms(v), policy_sent, c) < 0)
		policy_sent(c, -EAGAIN, NULL);
	return true;
}

static void value_answered(void *cookie, int error, const json_t *result)
{
	struct call *c = cookie;
	json_t *value = json_object_get(json_object_get(result, "values"), c->target.tail);
	bool service = c->vault->config->husk.service != SERVICE_KBS;

	if (error < 0)
		reply_fail(&c->reply, REPLY_RVPS, "RVPS configuration failed: %s",
			reason_of(error, result));
	else if (!value || json_is_null(value))
		reply_fail(&c->reply, service ? REPLY_NOT_FOUND : REPLY_RVPS,
			"RVPS configuration failed: Reference value not found");
	else
		reply_json(&c->reply, json_incref(value));
	call_answer(c);
}

static void value_registered(void *cookie, int error, const json_t *result)
{
	struct call *c = cookie;

	if (error < 0)
		reply_fail(&c->reply, REPLY_RVPS, "RVPS configuration failed: %s",
			reason_of(error, result));
	else
		c->reply.type = REPLY_JSON;
	call_answer(c);
}

bool vault_remote_reference(struct call *c, bool set, struct slice body)
{
	struct vault *v = c->vault;
	pool_done_fn done = set ? value_registered : value_answered;
	json_t *header;

	if (v->config->as.mode != AS_GRPC && !v->config->as.rvps_address)
		return false;
	header = set ? json_pack("{s:s}", "op", "register")
		     : json_pack("{s:s, s:[s]}", "op", "values", "names", c->target.tail);
	if (pool_submit(v->remotes, header, body, vault_now_ms(v), done, c) < 0)
		done(c, -EAGAIN, NULL);
	return true;
}
