/* SPDX-License-Identifier: Apache-2.0 */
/* Resources: read by attested guests, written by admins. */
#include "base/log.h"
#include "base/parse.h"
#include "base/str.h"
#include "fmt/resource_path.h"
#include "trustee/kbs/vault-internal.h"

/* A store without versions has no ETags. */
void vault_make_etag(int64_t version, char ret[ETAG_SIZE])
{
	ret[0] = '\0';
	if (version > 0)
		snprintf(ret, ETAG_SIZE, "\"%lld\"", (long long)version);
}

static void missing(struct call *c, const char *reason)
{
	log_warn("kbs.resource.missing", LOG_STR("path", c->target.tail), LOG_STR("peer", c->peer),
		LOG_STR("request", c->request_id), LOG_STR("reason", reason));
	reply_fail(&c->reply, REPLY_PLUGIN_INTERNAL, "Plugin internal error");
	vault_plugin_error(c);
	call_answer(c);
}

void vault_resource_deliver(struct call *c, struct slice plain, int64_t version)
{
	char detail[32];

	vault_make_etag(version, c->reply.etag);
	if (c->if_none_match[0] && streq(c->if_none_match, c->reply.etag)) {
		c->reply.status = 304;
		call_answer(c);
		return;
	}
	snprintf(detail, sizeof(detail), "version %lld", (long long)version);
	vault_plugin_deliver(c, plain, PLUGIN_SEALED, detail);
}

/* ?version=N asks for a version that is kept. */
static int read_version(struct call *c)
{
	char number[24];
	uint64_t version;
	int r = kbs_query_get(c->target.query, "version", number, sizeof(number));

	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = parse_u64(slice_str(number), 1, INT64_MAX, &version);
	if (r == 0)
		c->version = (int64_t)version;
	return r;
}

void vault_resource_release(struct call *c, struct slice body)
{
	struct vault *v = c->vault;
	cleanup_with(secret_done) struct secret plain = {0};
	struct store_resource info = {0};
	struct err e = {0};
	int r;

	if (read_version(c) < 0) {
		missing(c, "version is not a number");
		return;
	}
	if (!resource_path_valid(slice_str(c->target.tail))) {
		missing(c, "a resource path is REPOSITORY/TYPE/TAG");
		return;
	}
	if (v->backends) {
		vault_backend_get(c);
		return;
	}
	r = store_resource_get(
		v->store, c->target.tenant, c->target.tail, c->version, &plain, &info, &e);
	if (r == -ENOENT) {
		missing(c, err_text(&e, r));
		return;
	}
	if (r < 0) {
		call_unavailable(c, r, &e);
		return;
	}
	(void)!str_copy(c->reply.content_type, sizeof(c->reply.content_type), info.type);
	vault_resource_deliver(c, secret_slice(&plain), info.version);
}

/* What a write may rest on: "*" any version that is there, "N" that one. */
static int read_if_match(const struct call *c, int64_t *ret, bool *ret_any)
{
	struct slice s = slice_str(c->if_match);
	uint64_t version;
	int r;

	*ret = 0;
	*ret_any = streq(c->if_match, "*");
	if (s.size == 0 || *ret_any)
		return 0;
	if (s.size < 3 || s.data[0] != '"' || s.data[s.size - 1] != '"')
		return -EINVAL;
	r = parse_u64(slice_cut(s, 1, s.size - 2), 1, INT64_MAX, &version);
	if (r == 0)
		*ret = (int64_t)version;
	return r;
}

static void answer_write(struct call *c, int r, const struct err *e, enum vault_counter counter)
{
	struct vault *v = c->vault;

	if (r == 0) {
		v->counters[counter]++;
		call_answer(c);
		return;
	}
	vault_plugin_error(c);
	if (r == -ESTALE || r == -EEXIST)
		reply_fail(&c->reply, REPLY_PRECONDITION, "%s", err_text(e, r));
	else if (r == -EDQUOT)
		reply_fail(&c->reply, REPLY_QUOTA, "%s", err_text(e, r));
	else if (store_is_away(r)) {
		call_unavailable(c, r, e);
		return;
	} else {
		log_error("kbs.resource.write", LOG_STR("path", c->target.tail),
			LOG_STR("request", c->request_id), LOG_STR("reason", err_text(e, r)));
		reply_fail(&c->reply, REPLY_PLUGIN_INTERNAL, "Plugin internal error: %s",
			err_text(e, r));
	}
	call_answer(c);
}

static void set(struct call *c, struct slice body)
{
	struct vault *v = c->vault;
	struct store_change by = vault_change(c);
	struct store_put put = {.content = body,
		.type = c->type,
		.overwrite = !streq(c->if_none_match, "*"),
		.keep = v->config->husk.resource_versions};
	int64_t version = 0;
	struct err e = {0};
	int r = read_if_match(c, &put.if_version, &put.must_exist);

	c->reply.type = REPLY_XML;
	if (r < 0)
		r = err_set(&e, -ESTALE, "If-Match must be an ETag of this resource");
	else if (!resource_path_valid(slice_str(c->target.tail)))
		r = err_set(&e, -EINVAL, "a resource path is REPOSITORY/TYPE/TAG");
	else if (v->backends) {
		vault_backend_put(c, &put);
		return;
	} else
		r = store_resource_put(v->store, &by, c->target.tail, &put, &version, &e);
	if (r == 0)
		vault_make_etag(version, c->reply.etag);
	answer_write(c, r, &e, COUNT_RESOURCE_WRITES);
}

static void remove_it(struct call *c)
{
	struct vault *v = c->vault;
	struct store_change by = vault_change(c);
	int64_t if_version = 0;
	bool any; /* what is not there cannot be deleted anyway */
	struct err e = {0};
	int r = read_if_match(c, &if_version, &any);

	c->reply.type = REPLY_XML;
	if (r < 0)
		r = err_set(&e, -ESTALE, "If-Match must be an ETag of this resource");
	else if (v->backends) {
		vault_backend_delete(c, if_version);
		return;
	} else
		r = store_resource_delete(v->store, &by, c->target.tail, if_version, &e);
	answer_write(c, r, &e, COUNT_RESOURCE_DELETES);
}

void vault_resource_admin(struct call *c, struct slice body)
{
	if (c->target.route == ROUTE_RESOURCE_SET)
		set(c, body);
	else
		remove_it(c);
}
