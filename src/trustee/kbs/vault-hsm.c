/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plugin pkcs11: secrets and a wrapping key that are in a token, the vault's side. The label of a secret
 * is its path, of tenants tenants/NAME/PATH. The wrapping key is the default tenant's alone: what it
 * wrapped would be anybody's who may unwrap.
 */
#include "base/enc.h"
#include "base/str.h"
#include "fmt/resource_path.h"
#include "trustee/kbs/vault-internal.h"

#define RESOURCE "resource/"
#define WRAP "wrap-key"

static const char *reason_of(int error, const json_t *result)
{
	const char *reason = wire_str(result, "reason");

	return error == -EPIPE	     ? "the process of the token ended, or the token took too long"
	       : error == -ETIMEDOUT ? "the token is busy"
	       : reason[0]	     ? reason
				     : err_text(NULL, error);
}

static void fail(struct call *c, int error, const json_t *result)
{
	if (error == -ENODEV || error == -EPIPE || error == -ETIMEDOUT) {
		vault_plugin_error(c);
		reply_fail(&c->reply, REPLY_UNAVAILABLE,
			"the token is not reachable, try again later");
		call_answer(c);
		return;
	}
	vault_plugin_fail(c, reason_of(error, result));
}

/* The answer's bytes, and no copy of them left in the message. */
static int take_value(const json_t *result, struct buf *plain)
{
	const json_t *value = json_object_get(result, "value");
	struct slice text = slice_of(json_string_value(value), json_string_length(value));
	int r = b64_decode(plain, text, B64_STD);

	if (text.size)
		explicit_bzero((void *)(uintptr_t)text.data, text.size);
	return r;
}

static void came(void *cookie, int error, const json_t *result)
{
	struct call *c = cookie;
	cleanup_with(buf_done) struct buf plain = buf_init_secret(0);

	if (error == 0)
		error = take_value(result, &plain);
	if (error < 0)
		fail(c, error, result);
	else
		vault_plugin_deliver(c, buf_slice(&plain), PLUGIN_SEALED, "");
}

static void changed(void *cookie, int error, const json_t *result)
{
	struct call *c = cookie;
	bool wraps = streq(c->target.tail, WRAP);

	c->reply.type = REPLY_XML;
	if (error == 0)
		error = take_value(result, &c->reply.body);
	if (error < 0)
		fail(c, error, result);
	else
		vault_plugin_note(c,
			wraps				    ? "pkcs11.wrap"
			: streq(c->target.method, "DELETE") ? "pkcs11.delete"
							    : "pkcs11.set",
			"");
}

static void submit(struct call *c, const char *op, struct slice body, pool_done_fn done)
{
	struct vault *v = c->vault;
	const char *tenant = c->target.tenant;
	bool resource = str_starts(c->target.tail, RESOURCE);
	const char *path = c->target.tail + (resource ? strlen(RESOURCE) : 0);
	char label[ROUTE_TAIL_MAX + ROUTE_TENANT_SIZE + 16];

	if (resource && !resource_path_valid(slice_str(path))) {
		vault_plugin_fail(c, "a resource path is REPOSITORY/TYPE/TAG");
		return;
	}
	if (!resource && tenant[0]) {
		vault_plugin_fail(c, "the wrapping key is not for tenants");
		return;
	}
	snprintf(label, sizeof(label), "%s%s%s%s", tenant[0] ? "tenants/" : "", tenant,
		tenant[0] ? "/" : "", path);
	if (pool_submit(v->hsms, json_pack("{s:s, s:s}", "op", op, "label", label), body,
		    vault_now_ms(v), done, c) < 0)
		fail(c, -ETIMEDOUT, NULL);
}

void vault_hsm_admin(struct call *c, struct slice body)
{
	if (streq(c->target.tail, WRAP))
		submit(c, "wrap", body, changed);
	else if (streq(c->target.method, "DELETE"))
		submit(c, "delete", SLICE_EMPTY, changed);
	else
		submit(c, "put", body, changed);
}

void vault_hsm_release(struct call *c, struct slice body)
{
	if (streq(c->target.tail, WRAP))
		submit(c, "unwrap", body, came);
	else
		submit(c, "get", SLICE_EMPTY, came);
}
