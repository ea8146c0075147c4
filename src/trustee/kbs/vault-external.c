/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plugins that are programs of their own: the vault's side. The program is asked first whether an admin
 * must ask; then the admin's token, or the guest's and the resource policy, decide; then the program
 * gets the request. A program that does not answer is a refusal.
 */
#include "base/enc.h"
#include "base/str.h"
#include "fmt/json.h"
#include "trustee/kbs/vault-internal.h"

static const char *reason_of(int error, const json_t *result)
{
	const char *reason = wire_str(result, "reason");

	return error == -EPIPE			   ? "the process that calls plugins ended"
	       : error == -ETIMEDOUT && !reason[0] ? "no answer of the plugin in time"
	       : reason[0]			   ? reason
						   : err_text(NULL, error);
}

/* Names that nobody configured are not counted: whoever asks would choose how many there are. */
static void count_ask(struct call *c, const char *name)
{
	const struct kbs_config *config = c->vault->config;

	for (unsigned i = 0; i < config->external.count; i++) {
		if (streq_null(name, config->external.backends[i].name))
			vault_metrics_ask(c, BACKEND_EXTERNAL + i);
	}
}

/* /external/NAME/PATH: the name chooses the program, which sees the path. Takes over @header. */
static int submit(struct call *c, json_t *header, pool_done_fn done)
{
	struct vault *v = c->vault;
	json_t *path = kbs_path_list(c->target.tail), *query = NULL;
	int r = kbs_query_map(c->target.query, &query);

	json_object_set(header, "backend", json_array_get(path, 0));
	if (r == 0)
		count_ask(c, wire_str(header, "backend"));
	json_array_remove(path, 0);
	json_object_set_new(header, "path", path);
	json_object_set_new(header, "query", query);
	json_object_set_new(header, "method", json_string(c->target.method));
	if (r < 0) {
		json_decref(header);
		return r;
	}
	r = pool_submit(v->externals, header, buf_slice(&c->body), vault_now_ms(v), done, c);
	if (r < 0)
		vault_metrics_answer(c, r);
	return r;
}

/* Return: false after answering. */
static bool submit_or_fail(struct call *c, json_t *header, pool_done_fn done)
{
	int r = submit(c, header, done);

	if (r == 0)
		return true;
	if (r == -EBADMSG || r == -E2BIG) {
		vault_plugin_fail(c, "the query is malformed");
	} else {
		reply_fail(&c->reply, REPLY_UNAVAILABLE, "all connections to plugins are busy");
		call_answer(c);
	}
	return false;
}

/* --- the request itself --- */

static void came(void *cookie, int error, const json_t *result)
{
	struct call *c = cookie;
	cleanup_with(buf_done) struct buf plain = buf_init_secret(0);
	const json_t *value = json_object_get(result, "value");
	struct slice text = slice_of(json_string_value(value), json_string_length(value));
	bool sealed = !json_is_false(json_object_get(result, "encrypted"));

	vault_metrics_answer(c, error);
	if (error == 0)
		error = b64_decode(&plain, text, B64_STD);
	/* The message is freed by its owner, who does not know what is in it. */
	if (text.size)
		explicit_bzero((void *)(uintptr_t)text.data, text.size);
	if (error < 0) {
		vault_plugin_fail(c, reason_of(error, result));
	} else if (c->claims) {
		vault_plugin_deliver(
			c, buf_slice(&plain), sealed ? PLUGIN_SEALED : PLUGIN_PLAIN, "");
	} else {
		c->reply.type = REPLY_XML;
		buf_put_slice(&c->reply.body, buf_slice(&plain));
		vault_plugin_note(c, "external.call", c->target.method);
	}
}

void vault_external_admin(struct call *c, struct slice body)
{
	(void)submit_or_fail(c, json_pack("{s:s}", "op", "handle"), came);
}

void vault_external_release(struct call *c, struct slice body)
{
	(void)submit_or_fail(c, json_pack("{s:s, s:b}", "op", "handle", "guest", 1), came);
}

/* --- who may ask --- */

static void auth_came(void *cookie, int error, const json_t *result)
{
	struct call *c = cookie;
	const json_t *admin = json_object_get(result, "admin");
	struct slice bearer = buf_slice(&c->bearer);

	vault_metrics_answer(c, error);
	if (error < 0 || !json_is_boolean(admin))
		vault_plugin_fail(c, reason_of(error, result));
	else if (json_is_false(admin))
		vault_plugin_guest(c, bearer);
	else if (vault_admit_admin(c, bearer))
		vault_external_admin(c, SLICE_EMPTY);
}

void vault_external_ask(struct call *c, struct slice bearer)
{
	/* Whoever shows nothing gets nothing, and no work done. */
	if (bearer.size == 0 && !c->cookie[0] &&
		c->vault->config->admin.mode != ADMIN_INSECURE_ALLOW_ALL) {
		reply_fail(&c->reply, REPLY_TOKEN_NOT_FOUND, "Attestation Token not found");
		call_answer(c);
		return;
	}
	buf_put_slice(&c->bearer, bearer);
	if (buf_error(&c->bearer) < 0)
		vault_plugin_fail(c, "out of memory");
	else
		(void)submit_or_fail(c, json_pack("{s:s}", "op", "auth"), auth_came);
}
