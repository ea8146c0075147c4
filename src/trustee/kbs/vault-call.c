/* SPDX-License-Identifier: Apache-2.0 */
/* A request's life in the vault: made from the front's message, answered at once or when durable. */
#include "base/log.h"
#include "base/str.h"
#include "trustee/kbs/vault-internal.h"

void call_free(struct call *c)
{
	if (!c)
		return;
	free(c->policy_id);
	buf_done(&c->text);
	buf_done(&c->evidence);
	dry_run_free(c->dry);
	json_decref(c->claims);
	buf_done(&c->body);
	buf_done(&c->bearer);
	buf_done(&c->token);
	json_decref(c->outcome);
	json_decref(c->work);
	json_decref(c->values);
	reply_done(&c->reply);
	free(c);
}

void call_answer(struct call *c)
{
	struct vault *v = c->vault;
	json_t *header;

	if (c->timed)
		vault_metrics_plugin(v, c->target.plugin_id, vault_now_ms(v) - c->since_ms);
	if (buf_error(&c->reply.body) < 0)
		reply_fail(&c->reply, REPLY_UNAVAILABLE, "out of memory");
	header = json_pack("{s:I, s:i, s:s*, s:s, s:s, s:s}", "id", (json_int_t)c->id, "status",
		c->reply.status, "type", c->reply.type, "cookie", c->reply.cookie, "etag",
		c->reply.etag, "content_type", c->reply.content_type);
	if (header)
		v->ops.to_front(v->ops.cookie, header, buf_slice(&c->reply.body));
	json_decref(header);
	call_free(c);
}

void call_waits(struct call *c)
{
	struct vault *v = c->vault;
	json_t *header = NULL;

	/* Only the key broker's front counts. */
	if (v->config->husk.service == SERVICE_KBS)
		header = json_pack("{s:I, s:b}", "id", (json_int_t)c->id, "waits", 1);
	if (header)
		v->ops.to_front(v->ops.cookie, header, SLICE_EMPTY);
	json_decref(header);
}

void call_answer_durably(struct call *c)
{
	struct vault *v = c->vault;

	c->next = v->waiting;
	v->waiting = c;
	v->ops.flush_soon(v->ops.cookie);
}

void call_unavailable(struct call *c, int error, const struct err *e)
{
	log_warn("kbs.store.unavailable", LOG_STR("reason", err_text(e, error)),
		LOG_STR("request", c->request_id));
	reply_fail(&c->reply, REPLY_UNAVAILABLE, "the store is not reachable, try again later");
	call_answer(c);
}

/* In the order of arrival. */
static struct call *reversed(struct call *newest)
{
	struct call *oldest = NULL;

	while (newest) {
		struct call *c = newest;

		newest = c->next;
		c->next = oldest;
		oldest = c;
	}
	return oldest;
}

static void answer_all(struct call *c, int r, const struct err *e)
{
	while (c) {
		struct call *next = c->next;

		if (r < 0)
			call_unavailable(c, r, e);
		else
			call_answer(c);
		c = next;
	}
}

void vault_flush(struct vault *v)
{
	struct call *first;
	struct err e = {0};
	int fd, r;

	if (v->syncing)
		return; /* what waits goes with the next one */
	first = reversed(steal_ptr(v->waiting));
	r = store_commit(v->store, &e);
	if (r < 0)
		log_error("kbs.store.commit", LOG_STR("reason", err_text(&e, r)));
	fd = r < 0 ? -1 : store_sync_fd(v->store);
	if (fd < 0 || !first) {
		answer_all(first, r, &e);
		return;
	}
	v->syncing = first;
	r = v->ops.sync(v->ops.cookie, fd);
	if (r < 0)
		vault_synced(v, store_flush(v->store, &e));
}

void vault_synced(struct vault *v, int error)
{
	struct call *first = steal_ptr(v->syncing);
	struct err e = {0};

	if (error < 0) {
		/* Once more, in a way that marks the store as failed if it fails. */
		error = store_flush(v->store, &e);
		log_error("kbs.store.sync", LOG_STR("reason", err_text(&e, error)));
	}
	answer_all(first, error, &e);
	if (v->waiting)
		vault_flush(v);
}

struct call *call_new(struct vault *v, const json_t *header)
{
	struct call *c = calloc(1, sizeof(*c));
	const char *cookie = wire_str(header, "cookie");

	if (!c)
		return NULL;
	c->vault = v;
	c->id = wire_int(header, "id");
	c->since_ms = vault_now_ms(v);
	/* A number that is no version gets none: sessions of it cannot attest. */
	c->hashes = (unsigned)wire_int(header, "hashes");
	c->protocol = as_protocol_name((int)wire_int(header, "protocol"))
			      ? (enum as_protocol)wire_int(header, "protocol")
			      : AS_PROTOCOL_COUNT_;
	c->text = buf_init(STORE_POLICY_MAX);
	c->body = buf_init_secret(WIRE_BODY_MAX);
	c->token = buf_init_secret(REPLY_BODY_MAX);
	c->bearer = buf_init_secret(WIRE_HEADER_MAX);
	c->evidence = buf_init(EVIDENCE_KEPT_MAX);
	reply_init(&c->reply);
	if (str_copy(c->raw_target, sizeof(c->raw_target), wire_str(header, "target")) < 0 ||
		str_copy(c->peer, sizeof(c->peer), wire_str(header, "peer")) < 0 ||
		str_copy(c->tee, sizeof(c->tee), wire_str(header, "tee")) < 0)
		c->raw_target[0] = '\0';
	/* What does not fit cannot match, or is no request id of the front's. */
	(void)!str_copy(c->if_match, sizeof(c->if_match), wire_str(header, "if_match"));
	(void)!str_copy(
		c->if_none_match, sizeof(c->if_none_match), wire_str(header, "if_none_match"));
	(void)!str_copy(c->type, sizeof(c->type), wire_str(header, "type"));
	(void)!str_copy(c->request_id, sizeof(c->request_id), wire_str(header, "request"));
	/* A cookie of another length cannot be a session; leave it empty. */
	if (strlen(cookie) == SESSION_ID_SIZE - 1)
		(void)!str_copy(c->cookie, sizeof(c->cookie), cookie);
	if (v->config->husk.service == SERVICE_KBS)
		kbs_route_parse(wire_str(header, "method"), slice_str(c->raw_target), &c->target);
	else
		service_route_parse(wire_str(header, "method"), slice_str(c->raw_target),
			v->config->husk.service == SERVICE_AS, &c->target);
	return c;
}
