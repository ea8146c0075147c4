/* SPDX-License-Identifier: Apache-2.0 */
/* Reference values, and husk's own admin API. */
#include "base/log.h"
#include "base/parse.h"
#include "base/str.h"
#include "trustee/kbs/vault-internal.h"
#include "trustee/rvps/rvps.h"

/* Lists and versions of resources are the store's. */
static int resources_elsewhere(const struct vault *v, struct err *reterr)
{
	return err_set(reterr, -ENOENT,
		"resources are in %s: ask there for their list and versions",
		kbs_config_storage(v->config));
}

static void reference_get(struct call *c)
{
	struct vault *v = c->vault;
	cleanup(rvps_snapshot_free) struct rvps_snapshot *snapshot = NULL;
	json_t *records = NULL;
	const json_t *value = NULL;
	bool expired = false;
	struct err e = {0};
	int r = store_rv_list(v->store, c->target.tenant, &records, &e);

	if (r == 0) {
		snapshot = rvps_snapshot_new(records);
		value = rvps_query(snapshot, c->target.tail, vault_now(v), &expired);
	}
	if (store_is_away(r)) {
		json_decref(records);
		call_unavailable(c, r, &e);
		return;
	}
	if (value)
		reply_json(&c->reply, json_incref((json_t *)(uintptr_t)value));
	else
		reply_fail(&c->reply, REPLY_RVPS, "RVPS configuration failed: %s",
			r < 0	  ? err_text(&e, r)
			: expired ? "the reference value has expired"
				  : "Reference value not found");
	json_decref(records);
	call_answer(c);
}

static void reference_answer(struct call *c, int r, const struct err *e)
{
	if (r == -EDQUOT)
		reply_fail(&c->reply, REPLY_QUOTA, "%s", err_text(e, r));
	else if (r < 0)
		reply_fail(&c->reply, REPLY_RVPS, "RVPS configuration failed: %s", err_text(e, r));
	else
		c->reply.type = REPLY_JSON;
	call_answer(c);
}

/* A verifier has read the message; what comes of it depends on what is there. */
static void extracted(void *cookie, int error, const json_t *result)
{
	struct call *c = cookie;
	struct vault *v = c->vault;
	struct store_change by = vault_change(c);
	json_t *have = NULL, *records = NULL, *record;
	struct err e = {0};
	size_t i;
	int r = error;

	if (r < 0)
		(void)!err_set(&e, r, "%.400s",
			r == -EPIPE			? "the verifier crashed on this message"
			: wire_str(result, "reason")[0] ? wire_str(result, "reason")
							: strerror(-r));
	if (r == 0)
		r = store_rv_list(v->store, c->target.tenant, &have, &e);
	if (r == 0)
		r = rvps_apply(have, json_object_get(result, "result"), by.now, &records, &e);
	json_array_foreach (records, i, record) {
		json_object_set_new(
			json_object_get(record, "provenance"), "by", json_string(by.actor));
	}
	if (r == 0)
		r = store_rv_put(v->store, &by, records, &e);
	if (r == 0) {
		(void)!vault_sync(v);
		log_info("kbs.reference.set", LOG_U64("count", json_array_size(records)),
			LOG_STR("role", c->role), LOG_STR("peer", c->peer));
	}
	json_decref(have);
	json_decref(records);
	if (error == 0 && store_is_away(r))
		call_unavailable(c, r, &e);
	else
		reference_answer(c, r, &e);
}

static void reference_set(struct call *c, struct slice body)
{
	struct vault *v = c->vault;
	json_t *header = json_pack("{s:s, s:s, s:I, s:O, s:b}", "op", "extract", "tenant",
		c->target.tenant, "now", (json_int_t)vault_now(v), "anchors", v->anchors,
		"require_signed", v->config->husk.rvps_require_signed);
	struct err e = {0};
	int r = pool_submit(v->pool, header, body, vault_now_ms(v), extracted, c);

	if (r < 0)
		reference_answer(c, err_set(&e, r, "all verifiers are busy"), &e);
}

static void reference_delete(struct call *c)
{
	struct store_change by = vault_change(c);
	struct err e = {0};
	int r = store_rv_delete(c->vault->store, &by, c->target.tail, &e);

	if (store_is_away(r)) {
		call_unavailable(c, r, &e);
		return;
	}
	if (r == -ENOENT)
		reply_fail(&c->reply, REPLY_NOT_FOUND, "%s", err_text(&e, r));
	else if (r < 0)
		reply_fail(&c->reply, REPLY_RVPS, "RVPS configuration failed: %s", err_text(&e, r));
	else
		(void)!vault_sync(c->vault);
	call_answer(c);
}

/* Upstream answers with the ids only; husk's own endpoint gives everything. */
static void resource_policy_list(struct call *c)
{
	reply_json(&c->reply, json_pack("[s]", RESOURCE_POLICY_ID));
	call_answer(c);
}

static void policy_read(struct call *c)
{
	cleanup_with(buf_done) struct buf text = buf_init(STORE_POLICY_MAX);
	char number[24];
	uint64_t want = 0;
	int64_t version = 0;
	struct err e = {0};
	int r = kbs_query_get(c->target.query, "version", number, sizeof(number));

	if (r == 0)
		r = parse_u64(slice_str(number), 1, INT64_MAX, &want);
	else if (r == -ENOENT)
		r = 0;
	if (r == 0)
		r = store_policy_get(c->vault->store, c->target.tenant, c->target.tail,
			(int64_t)want, &text, &version, &e);
	if (r < 0)
		reply_fail(&c->reply, REPLY_NOT_FOUND, "%s", err_text(&e, r));
	else
		reply_json(&c->reply, json_pack("{s:s, s:I, s:s}", "id", c->target.tail, "version",
					      (json_int_t)version, "policy", buf_str(&text)));
	call_answer(c);
}

static unsigned list_limit(const struct call *c)
{
	char number[24];
	uint32_t limit = 100;

	if (kbs_query_get(c->target.query, "limit", number, sizeof(number)) == 0)
		(void)!parse_u32(slice_str(number), 1, VERDICT_LIST_MAX, &limit);
	return limit;
}

/* Lists and single records: each is one read of the store. */
static int read_store(struct call *c, json_t **ret, struct err *reterr)
{
	struct store *s = c->vault->store;
	const char *tenant = c->target.tenant;
	char prefix[256];

	switch (c->target.route) {
	case ROUTE_ADMIN_WHY:
		return store_verdict_get(s, tenant, c->target.tail, ret, reterr);
	case ROUTE_ADMIN_VERDICTS:
		return store_verdict_list(s, tenant, list_limit(c), ret, reterr);
	case ROUTE_ADMIN_VERDICT:
		return vault_verdict_read(c, ret, reterr);
	case ROUTE_ADMIN_RESOURCES:
		if (c->vault->backends)
			return resources_elsewhere(c->vault, reterr);
		if (kbs_query_get(c->target.query, "prefix", prefix, sizeof(prefix)) < 0)
			prefix[0] = '\0';
		return store_resource_list(s, tenant, prefix, ret, reterr);
	case ROUTE_ADMIN_POLICIES:
		return store_policy_list(s, tenant, ret, reterr);
	case ROUTE_ADMIN_REFERENCES:
		return store_rv_list(s, tenant, ret, reterr);
	case ROUTE_ADMIN_RESOURCE_VERSIONS:
		if (c->vault->backends)
			return resources_elsewhere(c->vault, reterr);
		return store_resource_history(s, tenant, c->target.tail, ret, reterr);
	case ROUTE_ADMIN_POLICY_VERSIONS:
		return store_policy_history(s, tenant, c->target.tail, ret, reterr);
	case ROUTE_ADMIN_TENANTS:
		return *tenant ? err_set(reterr, -ENOENT, "only outside tenants")
			       : store_tenant_list(s, ret, reterr);
	case ROUTE_ADMIN_COLLATERAL:
		return vault_list_collateral(c->vault, ret);
	case ROUTE_ADMIN_AUDIT:
	case ROUTE_ADMIN_AUDIT_HEAD:
	case ROUTE_ADMIN_AUDIT_PROOF:
	case ROUTE_ADMIN_AUDIT_CONSISTENCY:
		return vault_audit_read(c, list_limit(c), ret, reterr);
	default:
		return err_set(reterr, -ENOENT, "no such endpoint");
	}
}

void vault_admin(struct call *c, struct slice body)
{
	json_t *value = NULL;
	struct err e = {0};
	int r;

	switch (c->target.route) {
	case ROUTE_REFERENCE_GET:
		if (!vault_remote_reference(c, false, SLICE_EMPTY))
			reference_get(c);
		return;
	case ROUTE_REFERENCE_SET:
		if (!vault_remote_reference(c, true, body))
			reference_set(c, body);
		return;
	case ROUTE_ADMIN_REFERENCE_DELETE:
		reference_delete(c);
		return;
	case ROUTE_RESOURCE_POLICY_LIST:
		resource_policy_list(c);
		return;
	case ROUTE_ADMIN_POLICY:
		policy_read(c);
		return;
	default:
		break;
	}
	r = read_store(c, &value, &e);
	if (r == -ENOENT || r == -EINVAL)
		reply_fail(&c->reply, REPLY_NOT_FOUND, "%s", err_text(&e, r));
	else if (r < 0)
		reply_fail(&c->reply, REPLY_UNAVAILABLE, "%s", err_text(&e, r));
	else
		reply_json(&c->reply, value);
	call_answer(c);
}
