/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "cloud/internal.h"
#include "net/url.h"

#define LOCAL_CONNECT_MS 1000
#define LOCAL_TOTAL_MS 5000

static bool is_this_machine(const struct url *u)
{
	return streq(u->host, "localhost") || streq(u->host, "::1") || str_starts(u->host, "127.");
}

bool cloud_url_valid(const char *url)
{
	struct url u;

	return url_parse(url, &u, NULL) == 0 && !strpbrk(url, "?#@") &&
	       (u.tls || is_this_machine(&u));
}

int cloud_store_init(struct cloud_store *s, const struct cloud_ops *ops,
	const struct cloud_options *o, struct err *reterr)
{
	const struct http_client_options http = {.roots_pem = o->roots_pem,
		.connect_timeout_ms = o->connect_timeout_ms,
		.total_timeout_ms = o->total_timeout_ms,
		.proxy = o->proxy,
		.no_redirects = true};
	const struct http_client_options local = {.roots_pem = o->roots_pem,
		.connect_timeout_ms = LOCAL_CONNECT_MS,
		.total_timeout_ms = LOCAL_TOTAL_MS,
		.no_redirects = true};
	char name[CLOUD_NAME_MAX + 1];
	int r;

	s->ops = ops;
	s->o = *o;
	s->o.roots_pem = SLICE_EMPTY;
	r = o->prefix ? cloud_name(ops->vendor, CLOUD_NAME_TAG, o->prefix, "a", name, reterr) : 0;
	if (r < 0)
		return err_wrap(reterr, r, "prefix");
	r = http_client_new(&http, &s->http, reterr);
	return r < 0 ? r : http_client_new(&local, &s->local, reterr);
}

void cloud_store_free(struct cloud_store *s)
{
	if (!s)
		return;
	http_client_free(s->http);
	http_client_free(s->local);
	s->ops->free(s);
}

const char *cloud_env(const struct cloud_store *s, const char *name)
{
	const char *value = s->o.env ? s->o.env(name) : NULL;

	return value && value[0] ? value : NULL;
}

static int name_of(const struct cloud_store *s, const char *path, char *ret, struct err *reterr)
{
	return cloud_name(s->ops->vendor, s->o.naming, s->o.prefix, path, ret, reterr);
}

int cloud_store_get(struct cloud_store *s, const char *path, int64_t version, struct buf *value,
	int64_t *ret_version, struct err *reterr)
{
	char name[CLOUD_NAME_MAX + 1];
	int r = name_of(s, path, name, reterr);

	*ret_version = 0;
	if (r == 0 && version > 0 && !cloud_has_versions(s->ops->vendor))
		r = err_set(reterr, -EINVAL, "versions in %s are not numbers",
			cloud_store_name(s->ops->vendor));
	return r < 0 ? r : s->ops->get(s, name, version, value, ret_version, reterr);
}

int cloud_store_put(struct cloud_store *s, const char *path, struct slice value, int64_t cas,
	int64_t *ret_version, struct err *reterr)
{
	const char *service = cloud_store_name(s->ops->vendor);
	char name[CLOUD_NAME_MAX + 1];
	int r = name_of(s, path, name, reterr);

	*ret_version = 0;
	if (r < 0)
		return r;
	if (!s->ops->put)
		return err_set(reterr, -EOPNOTSUPP,
			"%s is read only here: write with its own tools", service);
	if (cas > 0)
		return err_set(
			reterr, -ESTALE, "writes to %s have no condition: no If-Match", service);
	return s->ops->put(s, name, value, cas, ret_version, reterr);
}

int cloud_store_delete(struct cloud_store *s, const char *path, struct err *reterr)
{
	char name[CLOUD_NAME_MAX + 1];
	int r = name_of(s, path, name, reterr);

	if (r < 0)
		return r;
	if (!s->ops->remove)
		return err_set(reterr, -EOPNOTSUPP,
			"%s is read only here: delete with its own tools",
			cloud_store_name(s->ops->vendor));
	r = s->ops->remove(s, name, reterr);
	return r == -ENOENT ? 0 : r;
}
