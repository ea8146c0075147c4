/* SPDX-License-Identifier: Apache-2.0 */
#include "trustee/kbs/route.h"

#include "base/enc.h"
#include "base/str.h"

struct row {
	const char *method;
	const char *path; /* below /kbs/v0/; a trailing '/' means that a tail must follow */
	enum kbs_route route;
	enum route_need need;
	bool any_tail; /* further path elements are ignored, as upstream does */
};

static const struct row g_rows[] = {
	{"POST", "auth", ROUTE_AUTH, NEED_NOTHING, true},
	{"POST", "attest", ROUTE_ATTEST, NEED_SESSION, true},
	{"POST", "attestation-policy", ROUTE_ATTESTATION_POLICY_SET, NEED_ADMIN, true},
	{"GET", "reference-value/", ROUTE_REFERENCE_GET, NEED_ADMIN, false},
	{"POST", "reference-value", ROUTE_REFERENCE_SET, NEED_ADMIN, true},
	{"POST", "resource-policy", ROUTE_RESOURCE_POLICY_SET, NEED_ADMIN, true},
	{"GET", "resource-policy", ROUTE_RESOURCE_POLICY_LIST, NEED_ADMIN, true},
	{"GET", "resource/", ROUTE_RESOURCE_GET, NEED_TOKEN, false},
	{"POST", "resource/", ROUTE_RESOURCE_SET, NEED_ADMIN, false},
	{"DELETE", "resource/", ROUTE_RESOURCE_DELETE, NEED_ADMIN, false},
	{"GET", "sample", ROUTE_PLUGIN, NEED_ADMIN, true},
	{"POST", "sample", ROUTE_PLUGIN, NEED_ADMIN, true},
	{"POST", "provisioner/provision", ROUTE_PLUGIN, NEED_ADMIN, false},
	{"DELETE", "provisioner/provision/", ROUTE_PLUGIN, NEED_ADMIN, false},
	{"GET", "provisioner/", ROUTE_PLUGIN, NEED_TOKEN, false},
	{"GET", "external/", ROUTE_PLUGIN, NEED_PLUGIN, false},
	{"POST", "external/", ROUTE_PLUGIN, NEED_PLUGIN, false},
	{"PUT", "external/", ROUTE_PLUGIN, NEED_PLUGIN, false},
	{"DELETE", "external/", ROUTE_PLUGIN, NEED_PLUGIN, false},
	{"GET", "pkcs11/resource/", ROUTE_PLUGIN, NEED_TOKEN, false},
	{"POST", "pkcs11/resource/", ROUTE_PLUGIN, NEED_ADMIN, false},
	{"DELETE", "pkcs11/resource/", ROUTE_PLUGIN, NEED_ADMIN, false},
	{"GET", "pkcs11/wrap-key", ROUTE_PLUGIN, NEED_TOKEN, false},
	{"POST", "pkcs11/wrap-key", ROUTE_PLUGIN, NEED_ADMIN, false},
	{"GET", "nebula-ca/credential", ROUTE_PLUGIN, NEED_TOKEN, false},
	{"GET", "nebula-ca/ca", ROUTE_PLUGIN, NEED_ADMIN, false},
	{"DELETE", "nebula-ca/ca", ROUTE_PLUGIN, NEED_ADMIN, false},
	{"GET", "admin/why/", ROUTE_ADMIN_WHY, NEED_ADMIN, false},
	{"GET", "admin/verdicts", ROUTE_ADMIN_VERDICTS, NEED_ADMIN, false},
	{"GET", "admin/verdicts/", ROUTE_ADMIN_VERDICT, NEED_ADMIN, false},
	{"POST", "admin/dry-run", ROUTE_ADMIN_DRY_RUN, NEED_ADMIN, false},
	{"GET", "admin/resources", ROUTE_ADMIN_RESOURCES, NEED_ADMIN, false},
	{"GET", "admin/policies", ROUTE_ADMIN_POLICIES, NEED_ADMIN, false},
	{"GET", "admin/policies/", ROUTE_ADMIN_POLICY, NEED_ADMIN, false},
	{"GET", "admin/reference-values", ROUTE_ADMIN_REFERENCES, NEED_ADMIN, false},
	{"DELETE", "admin/reference-values/", ROUTE_ADMIN_REFERENCE_DELETE, NEED_ADMIN, false},
	{"GET", "admin/audit", ROUTE_ADMIN_AUDIT, NEED_ADMIN, false},
	{"GET", "admin/audit/head", ROUTE_ADMIN_AUDIT_HEAD, NEED_ADMIN, false},
	{"GET", "admin/audit/proof/", ROUTE_ADMIN_AUDIT_PROOF, NEED_ADMIN, false},
	{"GET", "admin/audit/consistency", ROUTE_ADMIN_AUDIT_CONSISTENCY, NEED_ADMIN, false},
	{"GET", "admin/resource-versions/", ROUTE_ADMIN_RESOURCE_VERSIONS, NEED_ADMIN, false},
	{"GET", "admin/policy-versions/", ROUTE_ADMIN_POLICY_VERSIONS, NEED_ADMIN, false},
	{"GET", "admin/tenants", ROUTE_ADMIN_TENANTS, NEED_ADMIN, false},
	{"PUT", "admin/tenants/", ROUTE_ADMIN_TENANT_SET, NEED_ADMIN, false},
	{"DELETE", "admin/tenants/", ROUTE_ADMIN_TENANT_DELETE, NEED_ADMIN, false},
	{"GET", "admin/collateral", ROUTE_ADMIN_COLLATERAL, NEED_ADMIN, false},
	{"POST", "admin/backup", ROUTE_ADMIN_BACKUP, NEED_ADMIN, false},
};

/* Whole paths, all GET, for everybody. */
static const struct {
	const char *path;
	enum kbs_route route;
} g_fixed[] = {
	{"/healthz", ROUTE_HEALTHZ},
	{"/readyz", ROUTE_READYZ},
	{"/metrics", ROUTE_METRICS},
	{"/openapi.json", ROUTE_OPENAPI},
	{"/console", ROUTE_CONSOLE},
	{"/.well-known/jwks.json", ROUTE_JWKS},
};

static const char *const g_names[ROUTE_MAX_] = {
	[ROUTE_NONE] = "none",
	[ROUTE_METHOD] = "method",
	[ROUTE_BAD_PATH] = "bad-path",
	[ROUTE_HEALTHZ] = "healthz",
	[ROUTE_READYZ] = "readyz",
	[ROUTE_OPENAPI] = "openapi",
	[ROUTE_CONSOLE] = "console",
	[ROUTE_METRICS] = "metrics",
	[ROUTE_JWKS] = "jwks",
	[ROUTE_AUTH] = "auth",
	[ROUTE_ATTEST] = "attest",
	[ROUTE_ATTESTATION_POLICY_SET] = "attestation-policy",
	[ROUTE_REFERENCE_GET] = "reference-value",
	[ROUTE_REFERENCE_SET] = "reference-value",
	[ROUTE_RESOURCE_POLICY_SET] = "resource-policy",
	[ROUTE_RESOURCE_POLICY_LIST] = "resource-policy",
	[ROUTE_RESOURCE_GET] = "resource",
	[ROUTE_RESOURCE_SET] = "resource",
	[ROUTE_RESOURCE_DELETE] = "resource",
	[ROUTE_PLUGIN] = "plugin",
	[ROUTE_ADMIN_WHY] = "admin/why",
	[ROUTE_ADMIN_VERDICTS] = "admin/verdicts",
	[ROUTE_ADMIN_VERDICT] = "admin/verdicts",
	[ROUTE_ADMIN_DRY_RUN] = "admin/dry-run",
	[ROUTE_ADMIN_RESOURCES] = "admin/resources",
	[ROUTE_ADMIN_POLICIES] = "admin/policies",
	[ROUTE_ADMIN_POLICY] = "admin/policies",
	[ROUTE_ADMIN_REFERENCES] = "admin/reference-values",
	[ROUTE_ADMIN_REFERENCE_DELETE] = "admin/reference-values",
	[ROUTE_ADMIN_AUDIT] = "admin/audit",
	[ROUTE_ADMIN_AUDIT_HEAD] = "admin/audit",
	[ROUTE_ADMIN_AUDIT_PROOF] = "admin/audit",
	[ROUTE_ADMIN_AUDIT_CONSISTENCY] = "admin/audit",
	[ROUTE_ADMIN_RESOURCE_VERSIONS] = "admin/resources",
	[ROUTE_ADMIN_POLICY_VERSIONS] = "admin/policies",
	[ROUTE_ADMIN_TENANTS] = "admin/tenants",
	[ROUTE_ADMIN_TENANT_SET] = "admin/tenants",
	[ROUTE_ADMIN_TENANT_DELETE] = "admin/tenants",
	[ROUTE_ADMIN_BACKUP] = "admin/backup",
	[ROUTE_ADMIN_COLLATERAL] = "admin/collateral",
};

bool kbs_route_row(size_t index, const char **ret_method, char *ret_path, size_t path_size,
	enum kbs_route *ret_route, enum route_need *ret_need)
{
	const struct row *row;

	if (index < ARRAY_COUNT(g_fixed)) {
		*ret_method = "GET";
		*ret_route = g_fixed[index].route;
		*ret_need = NEED_NOTHING;
		snprintf(ret_path, path_size, "%s", g_fixed[index].path);
		return true;
	}
	index -= ARRAY_COUNT(g_fixed);
	if (index >= ARRAY_COUNT(g_rows))
		return false;
	row = &g_rows[index];
	*ret_method = row->method;
	*ret_route = row->route;
	*ret_need = row->need;
	snprintf(ret_path, path_size, "/kbs/v0/%s%s", row->path,
		str_ends(row->path, "/") ? "{tail}" : "");
	return true;
}

const char *kbs_route_name(enum kbs_route route)
{
	return (unsigned)route < ROUTE_MAX_ ? g_names[route] : "none";
}

static bool row_matches(const struct row *row, const char *path, const char **ret_tail)
{
	size_t n = strlen(row->path);

	if (!str_starts(path, row->path))
		return false;
	*ret_tail = path + n;
	if (row->path[n - 1] == '/')
		return path[n] != '\0';
	return path[n] == '\0' || (row->any_tail && path[n] == '/');
}

static void match_kbs(const char *method, const char *path, struct kbs_target *t)
{
	bool admin_path = false;

	for (size_t i = 0; i < ARRAY_COUNT(g_rows); i++) {
		const char *tail;

		if (!row_matches(&g_rows[i], path, &tail))
			continue;
		if (!streq(g_rows[i].method, method)) {
			admin_path |= str_starts(g_rows[i].path, "admin/");
			continue;
		}
		t->route = g_rows[i].route;
		t->need = g_rows[i].need;
		(void)!str_copy(t->method, sizeof(t->method), method);
		/* What a plugin is asked for is all that follows its name. */
		if (t->route == ROUTE_PLUGIN) {
			tail = path + strcspn(path, "/");
			tail += *tail == '/';
		}
		if (str_copy(t->tail, sizeof(t->tail), tail) < 0)
			t->route = ROUTE_BAD_PATH;
		return;
	}
	/* A built-in name with another method falls through to plugin lookup, as upstream does. */
	t->route = admin_path ? ROUTE_METHOD : ROUTE_NONE;
}

static void match_fixed(const char *method, const char *path, struct kbs_target *t)
{
	t->route = ROUTE_BAD_PATH;
	for (size_t i = 0; i < ARRAY_COUNT(g_fixed); i++) {
		if (streq(path, g_fixed[i].path))
			t->route = streq(method, "GET") ? g_fixed[i].route : ROUTE_METHOD;
	}
}

/* Takes "/tenants/NAME" off the path: a tenant's guests and admins have it in their base URL. What
 * is no tenant's name stays, and is then an unknown path. */
static const char *skip_tenant(const char *path, struct kbs_target *t)
{
	static const char prefix[] = "/tenants/";
	const char *name = path + strlen(prefix);
	size_t n;

	if (!str_starts(path, prefix))
		return path;
	n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
	if (n == 0 || name[0] == '-' || name[n] != '/' ||
		str_copy_slice(t->tenant, sizeof(t->tenant), slice_of(name, n)) < 0)
		return path;
	return name + n;
}

void kbs_route_parse(const char *method, struct slice target, struct kbs_target *ret)
{
	static const char prefix[] = "/kbs/v0/";
	char path[ROUTE_TAIL_MAX];
	const uint8_t *mark = target.size ? memchr(target.data, '?', target.size) : NULL;
	size_t path_size = mark ? (size_t)(mark - target.data) : target.size;
	const char *rest;
	size_t n;

	*ret = (struct kbs_target){.route = ROUTE_BAD_PATH, .plugin_id = PLUGIN_COUNT_};
	if (pct_decode_text(path, sizeof(path), slice_cut(target, 0, path_size)) < 0)
		return;
	if (mark && str_copy_slice(ret->query, sizeof(ret->query),
			    slice_cut(target, path_size + 1, target.size)) < 0)
		return;
	rest = skip_tenant(path, ret);
	if (!str_starts(rest, prefix)) {
		match_fixed(method, rest, ret);
		return;
	}
	if (!streq(method, "GET") && !streq(method, "POST") && !streq(method, "PUT") &&
		!streq(method, "DELETE")) {
		ret->route = ROUTE_METHOD;
		return;
	}
	rest += strlen(prefix);
	n = strcspn(rest, "/");
	if (n == 0)
		return;
	(void)!str_copy_slice(ret->plugin, sizeof(ret->plugin),
		slice_cut(slice_str(rest), 0, MIN(n, sizeof(ret->plugin) - 1)));
	ret->plugin_id = kbs_plugin_find(ret->plugin);
	match_kbs(method, rest, ret);
}

void kbs_route_allowed(struct slice target, char ret[ROUTE_ALLOW_SIZE])
{
	static const char *const methods[] = {"GET", "POST", "PUT", "DELETE"};
	struct kbs_target t;
	size_t n = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < ARRAY_COUNT(methods); i++) {
		kbs_route_parse(methods[i], target, &t);
		if (t.route == ROUTE_METHOD || t.route == ROUTE_NONE || t.route == ROUTE_BAD_PATH)
			continue;
		n += (size_t)snprintf(
			ret + n, ROUTE_ALLOW_SIZE - n, "%s%s", n ? ", " : "", methods[i]);
	}
}

static int add_parameter(json_t *into, struct slice part)
{
	const uint8_t *mark = memchr(part.data, '=', part.size);
	size_t n = mark ? (size_t)(mark - part.data) : part.size;
	char name[ROUTE_TAIL_MAX], value[ROUTE_TAIL_MAX] = "";
	int r = pct_decode_text(name, sizeof(name), slice_cut(part, 0, n));

	if (r == 0 && mark)
		r = pct_decode_text(value, sizeof(value), slice_cut(part, n + 1, part.size));
	if (r < 0)
		return r;
	/* Two of one name: whoever checks the first and whoever uses the last would differ. */
	if (json_object_get(into, name))
		return -EBADMSG;
	return json_object_set_new(into, name, json_string(value)) < 0 ? -ENOMEM : 0;
}

int kbs_query_map(const char *query, json_t **ret)
{
	json_t *map = json_object();
	int r = map ? 0 : -ENOMEM;

	while (r == 0 && *query) {
		size_t n = strcspn(query, "&");

		if (n > 0)
			r = add_parameter(map, slice_of(query, n));
		query += n;
		query += *query == '&';
	}
	if (r < 0) {
		json_decref(map);
		return r;
	}
	*ret = map;
	return 0;
}

json_t *kbs_path_list(const char *path)
{
	json_t *list = json_array();

	while (*path) {
		size_t n = strcspn(path, "/");

		json_array_append_new(list, json_stringn(path, n));
		path += n;
		path += *path == '/';
	}
	return list;
}

int kbs_query_get(const char *query, const char *name, char *dst, size_t size)
{
	size_t name_size = strlen(name);

	while (*query) {
		size_t n = strcspn(query, "&");

		if (n > name_size && str_starts(query, name) && query[name_size] == '=')
			return pct_decode_text(
				dst, size, slice_of(query + name_size + 1, n - name_size - 1));
		query += n;
		query += *query == '&';
	}
	return -ENOENT;
}
