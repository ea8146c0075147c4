/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The backend process: brings resources from Vault KV and writes them there, one request at a time.
 * It has the network and Vault's token, which no other process of the broker has; whether a guest may
 * have a resource is decided before it is asked, by the vault.
 */
#include <signal.h>
#include <unistd.h>

#include "base/enc.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "fmt/json.h"
#include "net/http_client.h"
#include "net/ipc.h"
#include "trustee/kbs/kv.h"
#include "trustee/kbs/role.h"
#include "trustee/kbs/wire.h"

#define CONNECT_TIMEOUT_MS 5000
#define TOTAL_TIMEOUT_MS 10000
#define PEM_MAX ((size_t)4 << 20)

struct backend {
	struct kv_settings kv;
	struct http_client *http;
	struct buf out;
};

static int get(struct backend *b, const json_t *header, json_t *answer, int64_t *ret_version,
	struct err *reterr)
{
	cleanup_with(buf_done) struct buf value = buf_init_secret(KV_ANSWER_MAX);
	int r = kv_get(b->http, &b->kv, wire_str(header, "path"), wire_int(header, "version"),
		&value, ret_version, reterr);

	return r < 0 ? r : json_set_b64(answer, "value", buf_slice(&value), B64_STD);
}

static int serve_one(struct backend *b, struct slice in)
{
	cleanup(json_decref) json_t *header = NULL, *answer = json_object();
	struct slice body;
	struct err e = {0};
	int64_t version = 0;
	const char *op, *path;
	int r = answer ? wire_unpack(in, &header, &body) : -ENOMEM;

	if (r < 0)
		return r;
	op = wire_str(header, "op");
	path = wire_str(header, "path");
	if (streq(op, "get"))
		r = get(b, header, answer, &version, &e);
	else if (streq(op, "put"))
		r = kv_put(b->http, &b->kv, path, body, wire_int(header, "cas"), &version, &e);
	else if (streq(op, "delete"))
		r = kv_delete(b->http, &b->kv, path, &e);
	else
		r = -EOPNOTSUPP;
	json_object_set(answer, "work", json_object_get(header, "work"));
	json_object_set_new(answer, "error", json_integer(r));
	json_object_set_new(answer, "version", json_integer(version));
	if (r < 0)
		json_object_set_new(answer, "reason", json_string(err_text(&e, r)));
	buf_clear(&b->out);
	r = wire_pack(&b->out, answer, SLICE_EMPTY);
	return r < 0 ? r : ipc_write(ROLE_FD_LINK, buf_slice(&b->out));
}

static int read_roots(const struct kbs_config *c, struct buf *out, struct err *reterr)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->resource.ca_certs.count; i++) {
		cleanup_with(buf_done) struct buf pem = buf_init(PEM_MAX);

		r = file_read(c->resource.ca_certs.items[i], PEM_MAX, &pem, reterr);
		buf_put_slice(out, buf_slice(&pem));
		buf_put_u8(out, '\n');
	}
	return r < 0 ? r : buf_error(out);
}

static int start(struct backend *b, const struct kbs_config *c, struct err *reterr)
{
	cleanup_with(buf_done) struct buf roots = buf_init(PEM_MAX);
	int r = read_roots(c, &roots, reterr);
	const struct http_client_options o = {.roots_pem = buf_slice(&roots),
		.insecure_skip_tls_verify = !c->resource.verify_ssl,
		.connect_timeout_ms = CONNECT_TIMEOUT_MS,
		.total_timeout_ms = TOTAL_TIMEOUT_MS};

	if (r == 0)
		r = http_client_new(&o, &b->http, reterr);
	return r == 0 ? role_confine_network(c, "backend", reterr) : r;
}

int role_backend(const struct kbs_config *c)
{
	struct backend b = {.kv = {c->resource.vault_url, c->resource.token, c->resource.mount_path,
				    c->resource.prefix, c->resource.kv_version},
		.out = buf_init_secret(IPC_MESSAGE_MAX)};
	struct buf in = buf_init_secret(IPC_MESSAGE_MAX);
	struct err e = {0};
	int r;

	signal(SIGPIPE, SIG_IGN);
	r = start(&b, c, &e);
	while (r == 0) {
		r = ipc_read(ROLE_FD_LINK, IPC_MESSAGE_MAX, &in);
		if (r == 0)
			r = serve_one(&b, buf_slice(&in));
	}
	http_client_free(b.http);
	buf_done(&b.out);
	buf_done(&in);
	if (r == -ENODATA)
		return 0; /* the vault is gone: the end of all */
	log_error("backend.stopped", LOG_STR("reason", err_text(&e, r)));
	return 1;
}
