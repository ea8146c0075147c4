/* SPDX-License-Identifier: Apache-2.0 */
/* What only the operator does, in the default tenant: tenants and backups. */
#include "base/log.h"
#include "base/str.h"
#include "crypto/key.h"
#include "fmt/json.h"
#include "trustee/kbs/vault-internal.h"

static void answer(struct call *c, int r, const struct err *e)
{
	if (store_is_away(r)) {
		call_unavailable(c, r, e);
		return;
	}
	if (r < 0)
		reply_fail(&c->reply, REPLY_NOT_FOUND, "%s", err_text(e, r));
	call_answer(c);
}

static int read_quota(struct slice body, struct store_quota *ret, struct err *reterr)
{
	static const struct {
		const char *name;
		size_t offset;
	} members[] = {
		{"resources", offsetof(struct store_quota, resources)},
		{"bytes", offsetof(struct store_quota, bytes)},
		{"policies", offsetof(struct store_quota, policies)},
		{"reference_values", offsetof(struct store_quota, reference_values)},
	};
	cleanup(json_decref) json_t *root = NULL;
	const char *name;
	json_t *value;

	*ret = (struct store_quota){0};
	if (body.size == 0)
		return 0;
	int r = json_parse(body, 0, &root, reterr);
	if (r == 0 && !json_is_object(root))
		r = err_set(reterr, -EBADMSG, "a quota is a JSON object");
	json_object_foreach (root, name, value) {
		size_t i = 0;

		while (i < ARRAY_COUNT(members) && !streq(members[i].name, name))
			i++;
		if (r == 0 && i == ARRAY_COUNT(members))
			r = err_set(reterr, -EBADMSG,
				"%s is no quota: resources, bytes, policies, reference_values",
				name);
		if (r == 0)
			r = json_get_int(root, name, 0, INT64_MAX,
				(int64_t *)(void *)((char *)ret + members[i].offset), reterr);
	}
	return r;
}

static void tenant_set(struct call *c, struct slice body)
{
	struct vault *v = c->vault;
	struct store_change by = vault_change(c);
	struct store_quota quota;
	struct err e = {0};
	int r = read_quota(body, &quota, &e);

	if (r == 0)
		r = store_tenant_set(v->store, &by, c->target.tail, &quota, &e);
	if (r == 0)
		r = vault_install_defaults(v, c->target.tail, &e);
	if (r == 0)
		r = vault_sync(v);
	answer(c, r, &e);
}

static void tenant_delete(struct call *c)
{
	struct vault *v = c->vault;
	struct store_change by = vault_change(c);
	struct err e = {0};
	int r = store_tenant_delete(v->store, &by, c->target.tail, &e);

	if (r == 0)
		r = vault_sync(v);
	answer(c, r, &e);
}

/* The key that alone can read the backup, as a JWK that says how. */
static int read_recipient(struct slice body, json_t **ret, struct err *reterr)
{
	cleanup(json_decref) json_t *root = NULL;
	cleanup(pkey_free) struct pkey *key = NULL;
	const char *pem = NULL;
	json_t *jwk;
	int r = json_parse(body, 0, &root, reterr);

	if (r == 0)
		r = json_get_str(root, "recipient", &pem, reterr);
	if (r == 0)
		r = pkey_from_pem(slice_str(pem), &key, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "recipient");
	if (pkey_is_private(key))
		return err_set(reterr, -EINVAL, "recipient must be a public key");
	jwk = pkey_to_jwk(key);
	if (!jwk || json_set_str(jwk, "alg",
			    pkey_type(key) == KEY_RSA ? "RSA-OAEP-256" : "ECDH-ES+A256KW") < 0) {
		json_decref(jwk);
		return -ENOMEM;
	}
	*ret = jwk;
	return 0;
}

static void backup(struct call *c, struct slice body)
{
	struct vault *v = c->vault;
	struct store_change by = vault_change(c);
	cleanup(json_decref) json_t *jwk = NULL, *doc = NULL;
	cleanup_with(buf_done) struct buf text = buf_init_secret(REPLY_BODY_MAX);
	struct err e = {0};
	int r = read_recipient(body, &jwk, &e);

	if (r == 0)
		r = store_backup(v->store, &by, &doc, &e);
	if (r == 0)
		r = json_write(doc, &text);
	if (r == 0)
		r = token_encrypt(jwk, AS_PROTOCOL_0_4_0, buf_slice(&text), &c->reply.body, &e);
	if (r == 0) {
		c->reply.type = REPLY_JSON;
		log_info("kbs.backup", LOG_STR("role", c->role), LOG_STR("peer", c->peer),
			LOG_U64("size", text.size));
	} else if (r == -E2BIG) {
		r = err_set(&e, r,
			"the store is too large for a backup over HTTP: copy its file, or use "
			"pg_dump");
	}
	answer(c, r, &e);
}

void vault_house(struct call *c, struct slice body)
{
	if (c->target.tenant[0]) {
		reply_fail(&c->reply, REPLY_NOT_FOUND, "only outside tenants");
		call_answer(c);
		return;
	}
	switch (c->target.route) {
	case ROUTE_ADMIN_TENANT_SET:
		tenant_set(c, body);
		return;
	case ROUTE_ADMIN_TENANT_DELETE:
		tenant_delete(c);
		return;
	default:
		backup(c, body);
		return;
	}
}
