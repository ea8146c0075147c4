/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vault behind husk-as and husk-rvps. Their clients are relying parties, not guests: a refusal
 * tells them its reason. Who may ask is the front's business (loopback, or certificates of clients).
 */
#include "base/enc.h"
#include "base/log.h"
#include "base/str.h"
#include "crypto/hash.h"
#include "fmt/json.h"
#include "trustee/as/ear.h"
#include "trustee/kbs/vault-internal.h"
#include "trustee/rvps/rvps.h"

static void refuse(struct call *c, const char *stage, const char *reason, const json_t *result)
{
	char id[STORE_ID_SIZE];

	verdict_record(c, "attestation", "refused", stage, reason, result, id);
	reply_fail(&c->reply, REPLY_ATTESTATION_ERROR,
		"Attestation evaluation failed: %s: %s (id %s)", stage, reason, id);
	call_answer(c);
}

static void issued(struct call *c, int error, const struct err *e)
{
	if (error == -EAGAIN) {
		reply_fail(&c->reply, REPLY_UNAVAILABLE, "no token can be signed, try again later");
		call_answer(c);
		return;
	}
	if (error < 0) {
		refuse(c, "token", err_text(e, error), c->outcome);
		return;
	}
	verdict_record_as(c, c->verdict_id, "attestation", wire_str(c->outcome, "status"),
		"appraisal", wire_str(c->outcome, "reason"), c->outcome);
	buf_put_slice(&c->reply.body, buf_slice(&c->token));
	c->reply.type = REPLY_TEXT;
	call_answer(c);
}

static void evaluated(void *cookie, int error, const json_t *result)
{
	struct call *c = cookie;
	json_t *outcome = json_object_get(result, "result");

	if (error == 0 && vault_values_wanted(c, outcome))
		return;
	if (error < 0) {
		const char *reason = wire_str(result, "reason");

		refuse(c, "verifier",
			error == -EPIPE ? "the verifier crashed on this evidence"
			: reason[0]	? reason
					: err_text(NULL, error),
			NULL);
		return;
	}
	if (!json_is_true(json_object_get(outcome, "accepted"))) {
		refuse(c, wire_str(outcome, "stage"), wire_str(outcome, "reason"), outcome);
		return;
	}
	verdict_new_id(c->verdict_id);
	c->outcome = json_incref(outcome);
	vault_issue(c, json_object_get(outcome, "submods"), c->verdict_id, issued);
}

static void evaluate(struct call *c, struct slice body)
{
	struct vault *v = c->vault;
	json_t *header = json_pack("{s:s, s:I, s:b, s:b}", "op", "evaluate", "now",
		(json_int_t)vault_now(v), "verbose", v->config->broker.verbose_token,
		"insecure_unbound", v->config->husk.insecure_allow_unbound_evidence);

	v->counters[COUNT_ATTEST_REQUESTS]++;
	if (vault_submit_evidence(c, header, body, evaluated) < 0) {
		reply_fail(&c->reply, REPLY_UNAVAILABLE, "all verifiers are busy");
		call_answer(c);
	}
}

/* Upstream's shape: [{"policy-id": ID}]. */
static void list_policies(struct call *c)
{
	json_t *all = NULL, *list = json_array();
	const json_t *item;
	struct err e = {0};
	size_t i;
	int r = store_policy_list(c->vault->store, "", &all, &e);

	json_array_foreach (all, i, item) {
		const char *id = json_string_value(json_object_get(item, "id"));

		if (id && !streq(id, RESOURCE_POLICY_ID))
			json_array_append_new(list, json_pack("{s:s}", "policy-id", id));
	}
	json_decref(all);
	if (r < 0)
		reply_fail(&c->reply, REPLY_UNAVAILABLE, "%s", err_text(&e, r));
	else
		reply_json(&c->reply, json_incref(list));
	json_decref(list);
	call_answer(c);
}

static void read_policy(struct call *c)
{
	cleanup_with(buf_done) struct buf text = buf_init(STORE_POLICY_MAX);
	struct err e = {0};
	int r = store_policy_get(c->vault->store, "", c->target.tail, 0, &text, NULL, &e);

	if (r < 0 || streq(c->target.tail, RESOURCE_POLICY_ID)) {
		reply_fail(&c->reply, REPLY_NOT_FOUND, "no policy %s", c->target.tail);
	} else {
		c->reply.type = REPLY_TEXT;
		buf_put_slice(&c->reply.body, buf_slice(&text));
	}
	call_answer(c);
}

/*
 * A nonce, or an attestation request for Secure Execution; whether it comes back is the relying
 * party's to check.
 */
static void challenge(struct call *c, struct slice body)
{
	cleanup_with(buf_done) struct buf text = buf_init(SE_CHALLENGE_MAX), digest = buf_init(64);
	cleanup(json_decref) json_t *root = NULL;
	const char *tee = NULL, *params = NULL;
	struct err e = {0};
	uint8_t nonce[32];
	int r = json_parse(body, (size_t)64 << 10, &root, &e);

	if (r == 0)
		r = json_get_str(root, "tee", &tee, &e);
	if (r == 0)
		r = json_get_str(root, "tee_params", &params, &e);
	if (r == 0 && vault_tee_index(tee) < 0)
		r = err_set(&e, -EOPNOTSUPP, "unknown tee");
	bool se = r == 0 && streq(tee, "se");
	if (se)
		r = vault_se_challenge(c->vault, &text, &digest, &e);
	else if (r == 0)
		r = random_bytes(nonce, sizeof(nonce));
	if (r < 0) {
		reply_fail(&c->reply, REPLY_ATTESTATION_ERROR, "Challenge: %s", err_text(&e, r));
	} else {
		c->reply.type = REPLY_TEXT;
		if (se)
			buf_put_slice(&c->reply.body, buf_slice(&text));
		else
			b64_encode(&c->reply.body, slice_of(nonce, sizeof(nonce)), B64_STD);
	}
	call_answer(c);
}

/* No value is an answer, too: 404. */
static void query(struct call *c)
{
	struct vault *v = c->vault;
	cleanup(rvps_snapshot_free) struct rvps_snapshot *snapshot = NULL;
	json_t *records = NULL;
	const json_t *value = NULL;
	bool expired = false;
	struct err e = {0};
	int r = store_rv_list(v->store, "", &records, &e);

	if (r == 0) {
		snapshot = rvps_snapshot_new(records);
		value = rvps_query(snapshot, c->target.tail, vault_now(v), &expired);
	}
	if (value)
		reply_json(&c->reply, json_incref((json_t *)(uintptr_t)value));
	else if (r < 0)
		reply_fail(&c->reply, REPLY_UNAVAILABLE, "%s", err_text(&e, r));
	else
		reply_fail(&c->reply, REPLY_NOT_FOUND,
			expired ? "the reference value has expired" : "no such reference value");
	json_decref(records);
	call_answer(c);
}

void vault_service(struct call *c, struct slice body)
{
	switch (c->target.route) {
	case ROUTE_AS_EVALUATE:
		evaluate(c, body);
		break;
	case ROUTE_AS_POLICY_SET:
		vault_policy_set(c, body);
		break;
	case ROUTE_AS_POLICY_LIST:
		list_policies(c);
		break;
	case ROUTE_AS_POLICY_GET:
		read_policy(c);
		break;
	case ROUTE_AS_CHALLENGE:
		challenge(c, body);
		break;
	case ROUTE_RVPS_REGISTER:
		c->target.route = ROUTE_REFERENCE_SET;
		vault_admin(c, body);
		break;
	case ROUTE_RVPS_QUERY:
		if (!vault_remote_reference(c, false, SLICE_EMPTY))
			query(c);
		break;
	default:
		vault_serve_plain(c);
		break;
	}
}
