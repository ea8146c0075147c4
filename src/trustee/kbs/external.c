/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An external process: one call at a time to plugins that are programs of their own, by gRPC. It parses
 * what they answer and has no key and no store; who may ask is decided by the vault. A crash fails the
 * request at hand and the supervisor starts another.
 */
#include <event2/event.h>

#include "base/enc.h"
#include "base/fd.h"
#include "base/str.h"
#include "fmt/json.h"
#include "net/grpc_client.h"
#include "trustee/kbs/role-work.h"
#include "trustee/kbs/role.h"
#include "trustee/kbs/wire.h"
#include "trustee/proto/proto.h"

#define CONNECT_MS 5000
#define ANSWER_MAX ((size_t)16 << 20)
#define REASON_MAX 400
#define PEM_MAX ((size_t)1 << 20)

struct external {
	const struct kbs_config *config;
	struct event_base *base;
	struct grpc_client *clients[CONFIG_EXTERNAL_MAX];
};

/* One of the three calls, all with the same message. */
static int call(struct external *x, size_t index, const char *method, struct slice message,
	struct buf *reply, struct err *reterr)
{
	return grpc_client_wait(x->clients[index], method, message,
		x->config->external.backends[index].timeout_ms, reply, reterr);
}

static int ask_auth(
	struct external *x, size_t index, struct slice message, json_t *answer, struct err *reterr)
{
	cleanup_with(buf_done) struct buf reply = buf_init(0);
	bool admin = true;
	int r = call(x, index, PROTO_PLUGIN "ValidateAuth", message, &reply, reterr);

	if (r == 0)
		r = proto_read_plugin_admin(buf_slice(&reply), &admin, reterr);
	return r < 0 ? r : json_set_take(answer, "admin", json_boolean(admin));
}

static int ask_encryption(
	struct external *x, size_t index, struct slice message, json_t *answer, struct err *reterr)
{
	cleanup_with(buf_done) struct buf reply = buf_init(0);
	bool encrypted = true;
	int r = call(x, index, PROTO_PLUGIN "NeedsEncryption", message, &reply, reterr);

	if (r == 0)
		r = proto_read_plugin_encrypted(buf_slice(&reply), &encrypted, reterr);
	return r < 0 ? r : json_set_take(answer, "encrypted", json_boolean(encrypted));
}

/* A status that is no success has its reason in the body, for the log and for admins. */
static int refused(int32_t status, const struct buf *body, struct err *reterr)
{
	struct slice text = slice_cut(buf_slice(body), 0, MIN(body->size, (size_t)REASON_MAX));

	return err_set(reterr, -EACCES, "the plugin answers status %d: %.*s", status,
		utf8_valid(text) ? (int)text.size : 0, (const char *)text.data);
}

static int handle(
	struct external *x, size_t index, struct slice message, json_t *answer, struct err *reterr)
{
	cleanup_with(buf_done) struct buf reply = buf_init_secret(ANSWER_MAX);
	cleanup_with(buf_done) struct buf body = buf_init_secret(ANSWER_MAX);
	int32_t status = 0;
	int r = call(x, index, PROTO_PLUGIN "Handle", message, &reply, reterr);

	if (r == 0)
		r = proto_read_plugin_answer(buf_slice(&reply), &status, &body, reterr);
	if (r == 0 && status != 0 && (status < 200 || status > 299))
		r = refused(status, &body, reterr);
	return r < 0 ? r : json_set_b64(answer, "value", buf_slice(&body), B64_STD);
}

static int find(const struct kbs_config *c, const char *name, size_t *ret, struct err *reterr)
{
	for (size_t i = 0; i < c->external.count; i++) {
		if (streq(c->external.backends[i].name, name)) {
			*ret = i;
			return 0;
		}
	}
	return err_set(reterr, -ENOENT, "no external plugin of that name");
}

/* "auth": who must ask; "handle": the request itself, of a guest with how its answer travels. */
static int serve(struct role_work *w, const json_t *header, struct slice body, json_t *answer,
	struct err *reterr)
{
	struct external *x = w->cookie;
	cleanup_with(buf_done) struct buf message = buf_init_secret(WIRE_BODY_MAX);
	const char *op = wire_str(header, "op");
	size_t index = 0;
	int r = find(x->config, wire_str(header, "backend"), &index, reterr);

	if (r == 0)
		r = proto_put_plugin(&message, wire_str(header, "method"),
			json_object_get(header, "path"), json_object_get(header, "query"), body);
	if (r < 0)
		return r;
	if (streq(op, "auth"))
		return ask_auth(x, index, buf_slice(&message), answer, reterr);
	if (!streq(op, "handle"))
		return -EOPNOTSUPP;
	if (json_is_true(json_object_get(header, "guest")))
		r = ask_encryption(x, index, buf_slice(&message), answer, reterr);
	return r < 0 ? r : handle(x, index, buf_slice(&message), answer, reterr);
}

static int set_up(struct external *x, struct err *reterr)
{
	const struct kbs_config *c = x->config;
	int r = 0;

	x->base = event_base_new();
	if (!x->base)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < c->external.count; i++) {
		const struct config_external *b = &c->external.backends[i];
		cleanup_with(buf_done) struct buf roots = buf_init(PEM_MAX);
		struct grpc_client_options o = {
			.url = b->endpoint, .message_max = ANSWER_MAX, .connect_ms = CONNECT_MS};

		if (b->ca_cert_path)
			r = file_read(b->ca_cert_path, PEM_MAX, &roots, reterr);
		o.roots_pem = buf_slice(&roots);
		if (r == 0)
			r = grpc_client_new(x->base, &o, &x->clients[i], reterr);
		if (r < 0)
			return err_wrap(reterr, r, "external plugin %s", b->name);
	}
	return role_confine_network(c, "external", NULL, 0, reterr);
}

int role_external(const struct kbs_config *c)
{
	struct external x = {.config = c};
	struct role_work work = {.name = "external", .serve = serve, .cookie = &x};
	struct err e = {0};
	int r = role_work(&work, set_up(&x, &e), &e);

	for (size_t i = 0; i < CONFIG_EXTERNAL_MAX; i++)
		grpc_client_free(x.clients[i]);
	if (x.base)
		event_base_free(x.base);
	return r;
}
