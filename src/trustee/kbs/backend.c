/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The backend process: brings resources from Vault KV or a cloud vendor's secret store and writes them
 * there, one request at a time. It has the network and the credentials for that store, which no other
 * process of the broker has; whether a guest may have a resource is decided before it is asked, by the
 * vault.
 */
#include "trustee/kbs/backend.h"

#include <signal.h>
#include <stdlib.h>

#include "base/enc.h"
#include "base/log.h"
#include "base/str.h"
#include "fmt/json.h"
#include "net/ipc.h"
#include "trustee/kbs/role.h"
#include "trustee/kbs/wire.h"

static int get(struct backend *b, const json_t *header, json_t *answer, int64_t *ret_version,
	struct err *reterr)
{
	cleanup_with(buf_done) struct buf value = buf_init_secret(KV_ANSWER_MAX);
	int r = b->ops->get(b, wire_str(header, "path"), wire_int(header, "version"), &value,
		ret_version, reterr);

	return r < 0 ? r : json_set_b64(answer, "value", buf_slice(&value), B64_STD);
}

static int serve_one(struct backend *b, struct slice in, struct buf *out)
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
		r = b->ops->put(b, path, body, wire_int(header, "cas"), &version, &e);
	else if (streq(op, "delete"))
		r = b->ops->remove(b, path, &e);
	else
		r = -EOPNOTSUPP;
	json_object_set(answer, "work", json_object_get(header, "work"));
	json_object_set_new(answer, "error", json_integer(r));
	json_object_set_new(answer, "version", json_integer(version));
	if (r < 0)
		json_object_set_new(answer, "reason", json_string(err_text(&e, r)));
	buf_clear(out);
	r = wire_pack(out, answer, SLICE_EMPTY);
	return r < 0 ? r : ipc_write(ROLE_FD_LINK, buf_slice(out));
}

int role_backend(const struct kbs_config *c)
{
	struct buf in = buf_init_secret(IPC_MESSAGE_MAX), out = buf_init_secret(IPC_MESSAGE_MAX);
	struct backend *b = calloc(1, sizeof(*b));
	struct err e = {0};
	int r = b ? 0 : -ENOMEM;

	signal(SIGPIPE, SIG_IGN);
	if (r == 0)
		r = backend_open(b, c, &e);
	if (r == 0)
		r = role_confine_network(c, "backend", b->files, b->file_count, &e);
	while (r == 0) {
		r = ipc_read(ROLE_FD_LINK, IPC_MESSAGE_MAX, &in);
		if (r == 0)
			r = serve_one(b, buf_slice(&in), &out);
	}
	if (b)
		backend_close(b);
	free(b);
	buf_done(&out);
	buf_done(&in);
	if (r == -ENODATA)
		return 0; /* the vault is gone: the end of all */
	log_error("backend.stopped", LOG_STR("reason", err_text(&e, r)));
	return 1;
}
