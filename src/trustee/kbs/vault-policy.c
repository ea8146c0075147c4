/* SPDX-License-Identifier: Apache-2.0 */
/* Policies and reference values: from the store to the verifiers, and uploads. */
#include "base/enc.h"
#include "base/log.h"
#include "base/str.h"
#include "trustee/as/as.h"
#include "trustee/kbs/vault-internal.h"

static int install(
	struct vault *v, const char *tenant, const char *id, struct slice text, struct err *reterr)
{
	const struct store_change by = {
		.actor = "system", .peer = "", .now = vault_now(v), .tenant = tenant};
	cleanup_with(buf_done) struct buf have = buf_init(STORE_POLICY_MAX);
	int r = store_policy_get(v->store, tenant, id, 0, &have, NULL, NULL);

	if (r == -ENOENT)
		r = store_policy_set(v->store, &by, id, text, NULL, reterr);
	return r < 0 ? err_wrap(reterr, r, "install the default policy %s", id) : 0;
}

int vault_install_defaults(struct vault *v, const char *tenant, struct err *reterr)
{
	static const char *const devices[] = {"default_gpu", "default_switch", "default_ppcie",
		"default_dcu", "default_nvidia-dpu"};
	cleanup_with(buf_done) struct buf cpu = buf_init(STORE_POLICY_MAX);
	int r;

	buf_put_slice(&cpu, as_default_policy(CPU_POLICY_ID));
	if (v->config->as.insecure_accept_sample) {
		log_warn("kbs.insecure", LOG_STR("option", "insecure_accept_sample"),
			LOG_STR("effect", "evidence of the sample attester, which protects "
					  "nothing, can be affirmed"));
		buf_put_slice(&cpu, as_default_policy("insecure_sample"));
	}
	if (buf_error(&cpu) < 0)
		return buf_error(&cpu);
	r = install(v, tenant, CPU_POLICY_ID, buf_slice(&cpu), reterr);
	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(devices); i++)
		r = install(v, tenant, devices[i], as_default_policy(devices[i]), reterr);
	if (r == 0)
		r = install(v, tenant, RESOURCE_POLICY_ID, as_default_policy(RESOURCE_POLICY_ID),
			reterr);
	return r;
}

/* Upstream's kinds: a message that holds no policy does not parse, a policy that is none is the
 * engine's affair. */
static void fail_upload(struct call *c, enum reply_error kind, const char *reason)
{
	if (c->target.route == ROUTE_RESOURCE_POLICY_SET)
		reply_fail(&c->reply, kind, "%s: %s",
			kind == REPLY_PARSE_POLICY ? "Failed to parse policy"
						   : "Policy engine error",
			reason);
	else
		reply_fail(&c->reply, REPLY_ATTESTATION_ERROR,
			"Attestation error: Set Attestation Policy failed: %s", reason);
	call_answer(c);
}

static void checked(void *cookie, int error, const json_t *result)
{
	struct call *c = cookie;
	struct store_change by = vault_change(c);
	struct err e = {0};

	if (error < 0) {
		fail_upload(c, REPLY_POLICY_ENGINE,
			error == -EPIPE			? "the verifier crashed on this policy"
			: wire_str(result, "reason")[0] ? wire_str(result, "reason")
							: err_text(NULL, error));
		return;
	}
	if (!json_is_true(json_object_get(result, "good"))) {
		fail_upload(c, REPLY_POLICY_ENGINE, wire_str(result, "reason"));
		return;
	}
	if (vault_remote_policy(c))
		return;
	error = store_policy_set(c->vault->store, &by, c->policy_id, buf_slice(&c->text), NULL, &e);
	if (error == -EDQUOT) {
		reply_fail(&c->reply, REPLY_QUOTA, "%s", err_text(&e, error));
		call_answer(c);
		return;
	}
	if (error < 0 && !store_is_away(error)) {
		fail_upload(c, REPLY_POLICY_ENGINE, err_text(&e, error));
		return;
	}
	/* When this fails it is stored, and guests are refused until the verifiers have it. */
	if (error == 0)
		error = vault_sync(c->vault);
	if (error < 0) {
		call_unavailable(c, error, &e);
		return;
	}
	log_info("kbs.policy.set", LOG_STR("policy", c->policy_id), LOG_STR("role", c->role),
		LOG_STR("peer", c->peer));
	call_answer(c); /* an empty body, of no type */
}

static bool policy_id_valid(const char *id)
{
	size_t n = strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.");

	return n > 0 && n <= 100 && id[n] == '\0' && id[0] != '.';
}

int vault_read_upload(struct call *c, struct slice body, json_t **ret_root, struct err *reterr)
{
	bool dry = c->target.route == ROUTE_ADMIN_DRY_RUN;
	json_t *root = json_loadb((const char *)body.data, body.size, JSON_REJECT_DUPLICATES, NULL);
	const char *text = json_string_value(json_object_get(root, "policy"));
	const char *id = c->target.route == ROUTE_RESOURCE_POLICY_SET
				 ? RESOURCE_POLICY_ID
				 : json_string_value(json_object_get(root, "policy_id"));
	int r = 0;

	if (!json_is_object(root))
		r = err_set(reterr, -EBADMSG, "the body is not a JSON object");
	else if (!text)
		r = err_set(reterr, -EBADMSG, "the member policy is missing");
	else if (!id || !policy_id_valid(id))
		r = err_set(reterr, -EBADMSG,
			"policy_id must be 1 to 100 letters, digits, '-', '_' and '.'");
	else if (c->target.route != ROUTE_RESOURCE_POLICY_SET && !dry &&
		 streq(id, RESOURCE_POLICY_ID))
		r = err_set(reterr, -EINVAL,
			"this id is the resource policy's: set it at /kbs/v0/resource-policy");
	else if (b64_decode_any(&c->text, slice_str(text)) < 0)
		r = err_set(reterr, -EBADMSG, "policy is not base64url text of at most %zu bytes",
			STORE_POLICY_MAX);
	else if (!utf8_valid(buf_slice(&c->text)))
		r = err_set(reterr, -EBADMSG, "policy is not UTF-8 text");
	if (r == 0) {
		c->policy_id = id ? strdup(id) : NULL;
		r = c->policy_id ? 0 : -ENOMEM;
	}
	if (r == 0 && ret_root)
		*ret_root = json_incref(root);
	json_decref(root);
	return r;
}

void vault_policy_set(struct call *c, struct slice body)
{
	struct vault *v = c->vault;
	struct err e = {0};
	json_t *header;
	int r = vault_read_upload(c, body, NULL, &e);

	if (r < 0) {
		fail_upload(c, REPLY_PARSE_POLICY, err_text(&e, r));
		return;
	}
	header = json_pack("{s:s, s:s}", "op", "check", "kind",
		c->target.route == ROUTE_RESOURCE_POLICY_SET ? "resource" : "attestation");
	if (pool_submit(v->pool, header, buf_slice(&c->text), vault_now_ms(v), checked, c) < 0)
		fail_upload(c, REPLY_POLICY_ENGINE, "all verifiers are busy");
}
