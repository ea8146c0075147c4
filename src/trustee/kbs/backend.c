/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The backend process: brings resources from Vault KV or a cloud vendor's secret store and writes them
 * there, one request at a time. It has the network and the credentials for that store, which no other
 * process of the broker has; whether a guest may have a resource is decided before it is asked, by the
 * vault.
 */
#include "trustee/kbs/backend.h"

#include <stdlib.h>

#include "base/enc.h"
#include "base/str.h"
#include "fmt/json.h"
#include "trustee/kbs/role-work.h"
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

static int serve(struct role_work *w, const json_t *header, struct slice body, json_t *answer,
	struct err *reterr)
{
	struct backend *b = w->cookie;
	const char *op = wire_str(header, "op"), *path = wire_str(header, "path");
	int64_t version = 0;
	int r = -EOPNOTSUPP;

	if (streq(op, "get"))
		r = get(b, header, answer, &version, reterr);
	else if (streq(op, "put"))
		r = b->ops->put(b, path, body, wire_int(header, "cas"), &version, reterr);
	else if (streq(op, "delete"))
		r = b->ops->remove(b, path, reterr);
	json_object_set_new(answer, "version", json_integer(version));
	return r;
}

int role_backend(const struct kbs_config *c)
{
	struct backend *b = calloc(1, sizeof(*b));
	struct role_work work = {.name = "backend", .serve = serve, .cookie = b};
	struct err e = {0};
	int r = b ? backend_open(b, c, &e) : -ENOMEM;

	if (r == 0)
		r = role_confine_network(c, "backend", b->files, b->file_count, &e);
	r = role_work(&work, r, &e);
	if (b)
		backend_close(b);
	free(b);
	return r;
}
