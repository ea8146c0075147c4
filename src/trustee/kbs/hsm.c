/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hsm process: a PKCS#11 module, which is other people's code, with the PIN of its token. It has no
 * store and no network unless the module needs one; who may ask is decided by the vault. A call of the
 * module that does not come back ends the process, the request at hand fails, and the supervisor starts
 * another.
 */
#include <unistd.h>

#include "base/enc.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "fmt/json.h"
#include "net/sandbox.h"
#include "trustee/hsm/p11.h"
#include "trustee/kbs/hsm.h"
#include "trustee/kbs/role-work.h"
#include "trustee/kbs/role.h"
#include "trustee/kbs/wire.h"

#define START_RETRY_S 5

struct hsm {
	const struct kbs_config *config;
	struct p11 *token;
};

int hsm_environment(const struct config_module *m, struct err *reterr)
{
	for (size_t i = 0; i < m->environment.count; i++) {
		/* putenv() keeps the string, which is the configuration's. */
		if (putenv((char *)(uintptr_t)m->environment.items[i]) != 0)
			return err_set(reterr, -ENOMEM, "cannot set the module's environment");
	}
	return 0;
}

int hsm_read_pin(const char *path, struct buf *out, struct err *reterr)
{
	int r = file_read(path, PIN_MAX, out, reterr);

	while (r == 0 && out->size > 0 && strchr("\r\n", out->data[out->size - 1]))
		out->data[--out->size] = 0;
	if (r == 0 && out->size == 0)
		r = err_set(reterr, -EINVAL, "%s has no PIN", path);
	return r;
}

int hsm_confine(const struct kbs_config *c, const char *role, const struct config_module *m,
	struct err *reterr)
{
	struct sandbox_path paths[CONFIG_PATHS_MAX + 4];
	static const char *const network[] = {"/etc/resolv.conf", "/etc/hosts", "/etc/ssl"};
	unsigned groups = SANDBOX_FOREIGN | SANDBOX_EVENTS | SANDBOX_FILES | SANDBOX_TREES;
	size_t count = 0;

	for (size_t i = 0; i < m->files.count; i++)
		paths[count++] = (struct sandbox_path){m->files.items[i], SANDBOX_TREE};
	for (size_t i = 0; m->network && i < ARRAY_COUNT(network); i++) {
		if (access(network[i], R_OK) == 0)
			paths[count++] = (struct sandbox_path){network[i], SANDBOX_READ};
	}
	if (m->network)
		groups |= SANDBOX_SOCKETS | SANDBOX_CONNECT | SANDBOX_UNIX;
	return role_confine(c, role, paths, count, groups, reterr);
}

/* The pair that wraps. */
static int which_key(const struct kbs_config *c, struct p11_key *key, struct err *reterr)
{
	const char *label = c->pkcs11.lookup_label;

	if (!label || str_copy(key->label, sizeof(key->label), label) < 0)
		return err_set(reterr, -EINVAL, "lookup_label is not configured, or too long");
	return 0;
}

/* By the public half, which needs no device. */
static int wrap(struct hsm *h, struct slice in, struct buf *out, struct err *reterr)
{
	const struct kbs_config *c = h->config;
	cleanup(pkey_free) struct pkey *key = NULL;
	struct p11_key which = {0};
	int r = which_key(c, &which, reterr);

	if (r == 0)
		r = p11_public(h->token, &which, &key, reterr);
	if (r == 0 && pkey_type(key) != KEY_RSA)
		r = err_set(reterr, -EINVAL, "the key %s is no RSA key", which.label);
	if (r < 0)
		return r;
	r = rsa_oaep_encrypt(key, c->pkcs11.sha1 ? HASH_SHA1 : HASH_SHA256, in, out);
	return r < 0 ? err_set(reterr, r, "the body does not fit into one block of the key") : 0;
}

static int unwrap(struct hsm *h, struct slice in, struct buf *out, struct err *reterr)
{
	const struct kbs_config *c = h->config;
	struct p11_key which = {0};
	int r = which_key(c, &which, reterr);

	return r < 0 ? r
		     : p11_oaep_decrypt(h->token, &which, c->pkcs11.sha1 ? HASH_SHA1 : HASH_SHA256,
			       in, out, reterr);
}

static int do_call(
	struct hsm *h, const json_t *header, struct slice body, struct buf *out, struct err *reterr)
{
	const char *op = wire_str(header, "op"), *label = wire_str(header, "label");

	if (streq(op, "get"))
		return p11_get(h->token, label, out, reterr);
	if (streq(op, "put"))
		return p11_put(h->token, label, body, reterr);
	if (streq(op, "delete"))
		return p11_delete(h->token, label, reterr);
	if (streq(op, "wrap"))
		return wrap(h, body, out, reterr);
	if (streq(op, "unwrap"))
		return unwrap(h, body, out, reterr);
	return -EOPNOTSUPP;
}

static int serve(struct role_work *w, const json_t *header, struct slice body, json_t *answer,
	struct err *reterr)
{
	struct hsm *h = w->cookie;
	cleanup_with(buf_done) struct buf value = buf_init_secret(P11_VALUE_MAX);
	int r;

	alarm(h->config->pkcs11.module.timeout_s);
	r = do_call(h, header, body, &value, reterr);
	alarm(0);
	return r < 0 ? r : json_set_b64(answer, "value", buf_slice(&value), B64_STD);
}

static int start(struct hsm *h, struct err *reterr)
{
	const struct kbs_config *c = h->config;
	cleanup_with(buf_done) struct buf pin = buf_init_secret(PIN_MAX);
	struct p11_token token = {.slot_index = c->pkcs11.slot_index};
	struct err e = {0};
	int r = hsm_environment(&c->pkcs11.module, reterr);

	if (r == 0 && c->pkcs11.token_label &&
		str_copy(token.label, sizeof(token.label), c->pkcs11.token_label) < 0)
		r = err_set(reterr, -E2BIG, "token_label is too long");
	if (r == 0 && c->pkcs11.pin_file)
		r = hsm_read_pin(c->pkcs11.pin_file, &pin, reterr);
	else
		buf_put_str(&pin, c->pkcs11.pin);
	if (r == 0)
		r = p11_load(c->pkcs11.module.path, &token, buf_slice(&pin), &h->token, reterr);
	if (r < 0)
		return r;
	alarm(c->pkcs11.module.timeout_s);
	/* A device that is not there yet is tried again with each request. */
	if (p11_open(h->token, &e) < 0)
		log_warn("hsm.token", LOG_STR("reason", err_text(&e, -EIO)));
	alarm(0);
	return hsm_confine(c, "hsm", &c->pkcs11.module, reterr);
}

int role_hsm(const struct kbs_config *c)
{
	struct hsm h = {.config = c};
	struct role_work work = {.name = "hsm", .serve = serve, .cookie = &h};
	struct err e = {0};
	int r = start(&h, &e), code = role_work(&work, r, &e);

	/* The supervisor starts another at once, which would fail in the same way. */
	if (r < 0)
		sleep(START_RETRY_S);
	p11_free(h.token);
	return code;
}
