/* SPDX-License-Identifier: Apache-2.0 */
#include "trustee/kbs/role-work.h"

#include "base/log.h"
#include "fmt/json.h"
#include "net/ipc.h"
#include "trustee/kbs/role.h"
#include "trustee/kbs/wire.h"

#define KEPT_MAX ((size_t)1 << 20)

static int serve_one(struct role_work *w, struct slice call, struct buf *out)
{
	cleanup(json_decref) json_t *header = NULL, *answer = json_object();
	struct slice body;
	struct err e = {0};
	int error, r = answer ? wire_unpack(call, &header, &body) : -ENOMEM;

	if (r < 0)
		return r;
	error = w->serve(w, header, body, answer, &e);
	json_object_set(answer, "work", json_object_get(header, "work"));
	json_object_set_new(answer, "error", json_integer(error));
	if (error < 0)
		json_object_set_new(answer, "reason", json_string(err_text(&e, error)));
	buf_clear(out);
	r = wire_pack(out, answer, SLICE_EMPTY);
	if (r == 0)
		r = ipc_write(ROLE_FD_LINK, buf_slice(out));
	return r < 0 ? r : w->end;
}

/* One huge call must not set the size of an idle process. */
static void shrink(struct buf *b)
{
	if (b->capacity > KEPT_MAX)
		buf_done(b);
}

int role_work(struct role_work *w, int r, const struct err *e)
{
	size_t max = w->call_max ? w->call_max : IPC_MESSAGE_MAX;
	cleanup_with(buf_done) struct buf in = buf_init_secret(max);
	cleanup_with(buf_done) struct buf out = buf_init_secret(IPC_MESSAGE_MAX);
	char event[32];

	while (r == 0) {
		e = NULL;
		r = ipc_read(ROLE_FD_LINK, max, &in);
		if (r == 0)
			r = serve_one(w, buf_slice(&in), &out);
		shrink(&in);
		shrink(&out);
	}
	if (r == -ENODATA && !e)
		return 0; /* the vault is gone: the end of all */
	snprintf(event, sizeof(event), "%s.stopped", w->name);
	log_error(event, LOG_STR("reason", err_text(e, r)));
	return 1;
}
