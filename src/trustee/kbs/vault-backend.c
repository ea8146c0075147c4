/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resources that are in Vault KV or a cloud vendor's store: the vault's side. Policies decide before a backend is asked, and
 * releases, writes and deletions are in the audit log as those of the store are.
 */
#include "base/enc.h"
#include "base/log.h"
#include "base/str.h"
#include "trustee/kbs/vault-internal.h"

#define ALL_BUSY "all connections to where resources are, are busy"
#define NO_VERSIONS "version 1 of Vault's KV engine keeps no versions"

static const char *storage_of(const struct call *c)
{
	return kbs_config_storage(c->vault->config);
}

/* Below the prefix: REPOSITORY/TYPE/TAG, of tenants tenants/NAME/REPOSITORY/TYPE/TAG. */
static int submit(struct call *c, json_t *header, struct slice body, pool_done_fn done)
{
	struct vault *v = c->vault;
	char path[ROUTE_TAIL_MAX + ROUTE_TENANT_SIZE + 16];
	const char *tenant = c->target.tenant;

	snprintf(path, sizeof(path), "%s%s%s%s", tenant[0] ? "tenants/" : "", tenant,
		tenant[0] ? "/" : "", c->target.tail);
	json_object_set_new(header, "path", json_string(path));
	vault_metrics_ask(c, BACKEND_OF_RESOURCES);
	int r = pool_submit(v->backends, header, body, vault_now_ms(v), done, c);
	if (r < 0)
		vault_metrics_answer(c, r);
	return r;
}

static const char *reason_of(int error, const json_t *result)
{
	const char *reason = wire_str(result, "reason");

	return reason[0] ? reason : err_text(NULL, error);
}

static bool is_away(int error)
{
	return store_is_away(error) || error == -EHOSTUNREACH;
}

/* Guests learn no more than that it failed; admins learn why. */
static void fail(struct call *c, int error, const char *reason)
{
	bool admin = c->target.route != ROUTE_RESOURCE_GET;

	log_warn("kbs.resource.backend", LOG_STR("path", c->target.tail), LOG_STR("peer", c->peer),
		LOG_STR("request", c->request_id), LOG_STR("reason", reason));
	vault_plugin_error(c);
	if (is_away(error))
		reply_fail(&c->reply, REPLY_UNAVAILABLE, "%s is not reachable, try again later",
			storage_of(c));
	else if (error == -ESTALE)
		reply_fail(&c->reply, REPLY_PRECONDITION, "%s", reason);
	else
		reply_fail(&c->reply, REPLY_PLUGIN_INTERNAL, "Plugin internal error%s%s",
			admin ? ": " : "", admin ? reason : "");
	call_answer(c);
}

/* --- reading --- */

static void value_came(void *cookie, int error, const json_t *result)
{
	struct call *c = cookie;
	cleanup_with(buf_done) struct buf plain = buf_init_secret(0);
	const json_t *value = json_object_get(result, "value");
	struct slice text = slice_of(json_string_value(value), json_string_length(value));

	vault_metrics_answer(c, error);
	if (error < 0) {
		fail(c, error, reason_of(error, result));
		return;
	}
	error = b64_decode(&plain, text, B64_STD);
	/* The message is freed by its owner, who does not know what is in it. */
	if (text.size)
		explicit_bzero((void *)(uintptr_t)text.data, text.size);
	if (error < 0) {
		fail(c, error, "the backend's answer has no value");
		return;
	}
	vault_resource_deliver(c, buf_slice(&plain), wire_int(result, "version"));
}

void vault_backend_get(struct call *c)
{
	json_t *header = json_pack("{s:s, s:I}", "op", "get", "version", (json_int_t)c->version);
	int r = submit(c, header, SLICE_EMPTY, value_came);

	if (r < 0)
		fail(c, r, ALL_BUSY);
}

/* --- writing --- */

static void note(struct call *c, const char *action, const char *detail, enum vault_counter counter)
{
	struct store_change by = vault_change(c);
	struct err e = {0};
	int r = store_audit_note(c->vault->store, &by, action, c->target.tail, detail, &e);

	if (r < 0) {
		call_unavailable(c, r, &e);
		return;
	}
	c->vault->counters[counter]++;
	call_answer_durably(c);
}

static void put_done(void *cookie, int error, const json_t *result)
{
	struct call *c = cookie;
	int64_t version = wire_int(result, "version");
	char detail[96];

	vault_metrics_answer(c, error);
	if (error < 0) {
		fail(c, error, reason_of(error, result));
		return;
	}
	vault_make_etag(version, c->reply.etag);
	snprintf(detail, sizeof(detail), "version %lld, in %s", (long long)version, storage_of(c));
	note(c, "resource.set", detail, COUNT_RESOURCE_WRITES);
}

void vault_backend_put(struct call *c, const struct store_put *put)
{
	int64_t cas = !put->overwrite ? 0 : put->if_version > 0 ? put->if_version : -1;
	json_t *header = json_pack("{s:s, s:I}", "op", "put", "cas", (json_int_t)cas);
	int r;

	/* None of them writes over what is there, and only that. */
	if (put->must_exist) {
		json_decref(header);
		fail(c, -ESTALE, "writing there knows no If-Match: *, name the version");
		return;
	}
	if (cas >= 0 && c->vault->config->resource.backend == BACKEND_VAULT &&
		c->vault->config->resource.kv_version == 1) {
		json_decref(header);
		fail(c, -ESTALE, NO_VERSIONS ": no If-Match, no If-None-Match");
		return;
	}
	r = submit(c, header, put->content, put_done);
	if (r < 0)
		fail(c, r, ALL_BUSY);
}

static void delete_done(void *cookie, int error, const json_t *result)
{
	struct call *c = cookie;
	char detail[64];

	vault_metrics_answer(c, error);
	if (error < 0) {
		fail(c, error, reason_of(error, result));
		return;
	}
	snprintf(detail, sizeof(detail), "in %s", storage_of(c));
	note(c, "resource.delete", detail, COUNT_RESOURCE_DELETES);
}

void vault_backend_delete(struct call *c, int64_t if_version)
{
	int r;

	/* None of them deletes with a condition. */
	if (if_version > 0) {
		fail(c, -ESTALE, "deletion there has no condition: no If-Match");
		return;
	}
	r = submit(c, json_pack("{s:s}", "op", "delete"), SLICE_EMPTY, delete_done);
	if (r < 0)
		fail(c, r, ALL_BUSY);
}
