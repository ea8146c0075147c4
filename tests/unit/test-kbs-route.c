/* SPDX-License-Identifier: Apache-2.0 */
/* What a path of the key broker means, and what its description says of it. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/str.h"
#include "fmt/resource_path.h"
#include "trustee/kbs/openapi.h"
#include "trustee/kbs/route.h"

static void test_routes(void **state)
{
	static const struct {
		const char *method, *target;
		enum kbs_route route;
		const char *tail;
	} rows[] = {
		{"POST", "/kbs/v0/auth", ROUTE_AUTH, ""},
		{"POST", "/kbs/v0/auth/ignored", ROUTE_AUTH, NULL},
		{"POST", "/kbs/v0/authx", ROUTE_NONE, NULL},
		{"GET", "/kbs/v0/auth", ROUTE_NONE, NULL},
		{"POST", "/kbs/v0/attest", ROUTE_ATTEST, ""},
		{"GET", "/kbs/v0/resource/a/b/c", ROUTE_RESOURCE_GET, "a/b/c"},
		{"POST", "/kbs/v0/resource/a/b/c?x=y", ROUTE_RESOURCE_SET, "a/b/c"},
		{"DELETE", "/kbs/v0/resource/a/b/c", ROUTE_RESOURCE_DELETE, "a/b/c"},
		{"PUT", "/kbs/v0/resource/a/b/c", ROUTE_NONE, NULL},
		{"PATCH", "/kbs/v0/resource/a/b/c", ROUTE_METHOD, NULL},
		{"GET", "/kbs/v0/resource/", ROUTE_NONE, NULL},
		{"GET", "/kbs/v0/reference-value/a%2Fb", ROUTE_REFERENCE_GET, "a/b"},
		{"GET", "/kbs/v0/reference-value/a%00b", ROUTE_BAD_PATH, NULL},
		{"GET", "/kbs/v0/reference-value/a%2", ROUTE_BAD_PATH, NULL},
		{"GET", "/kbs/v0/reference-value/%ff", ROUTE_BAD_PATH, NULL},
		{"POST", "/kbs/v0/reference-value", ROUTE_REFERENCE_SET, ""},
		{"POST", "/kbs/v0/resource-policy", ROUTE_RESOURCE_POLICY_SET, ""},
		{"GET", "/kbs/v0/resource-policy", ROUTE_RESOURCE_POLICY_LIST, ""},
		{"GET", "/kbs/v0/nothing/here", ROUTE_NONE, NULL},
		{"GET", "/kbs/v0/", ROUTE_BAD_PATH, NULL},
		{"GET", "/kbs/v1/auth", ROUTE_BAD_PATH, NULL},
		{"GET", "/kbs/v0/admin/why/abc", ROUTE_ADMIN_WHY, "abc"},
		{"POST", "/kbs/v0/admin/why/abc", ROUTE_METHOD, NULL},
		{"GET", "/healthz", ROUTE_HEALTHZ, ""},
		{"GET", "/readyz", ROUTE_READYZ, ""},
		{"GET", "/openapi.json", ROUTE_OPENAPI, ""},
		{"GET", "/console", ROUTE_CONSOLE, ""},
		{"POST", "/console", ROUTE_METHOD, NULL},
		{"GET", "/console/", ROUTE_BAD_PATH, NULL},
		{"PUT", "/kbs/v0/admin/tenants/acme", ROUTE_ADMIN_TENANT_SET, "acme"},
		{"GET", "/kbs/v0/admin/audit/proof/7?size=9", ROUTE_ADMIN_AUDIT_PROOF, "7"},
		{"GET", "/tenants/acme/kbs/v0/resource/a/b/c", ROUTE_RESOURCE_GET, "a/b/c"},
		{"POST", "/tenants/acme/kbs/v0/auth", ROUTE_AUTH, ""},
		{"GET", "/tenants/Acme/kbs/v0/resource/a/b/c", ROUTE_BAD_PATH, NULL},
		{"GET", "/tenants/-a/kbs/v0/resource/a/b/c", ROUTE_BAD_PATH, NULL},
		{"GET", "/tenants//kbs/v0/resource/a/b/c", ROUTE_BAD_PATH, NULL},
		{"GET", "/tenants/acme", ROUTE_BAD_PATH, NULL},
		{"POST", "/metrics", ROUTE_METHOD, NULL},
		{"GET", "/", ROUTE_BAD_PATH, NULL},
		{"GET", "", ROUTE_BAD_PATH, NULL},
	};
	struct kbs_target t;

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		kbs_route_parse(rows[i].method, slice_str(rows[i].target), &t);
		if (t.route != rows[i].route)
			fail_msg("%s %s: %s", rows[i].method, rows[i].target,
				kbs_route_name(t.route));
		if (rows[i].tail)
			assert_string_equal(t.tail, rows[i].tail);
	}
}

/* Everything that changes or shows anything of the operator's needs an admin. */
static void test_route_needs(void **state)
{
	const char *method;
	char path[256];
	enum kbs_route r;
	enum route_need need;
	char allow[ROUTE_ALLOW_SIZE];
	struct kbs_target t;
	size_t rows = 0;

	for (; kbs_route_row(rows, &method, path, sizeof(path), &r, &need); rows++) {
		if (r >= ROUTE_ADMIN_WHY || r == ROUTE_RESOURCE_SET || r == ROUTE_RESOURCE_DELETE ||
			r == ROUTE_REFERENCE_SET || r == ROUTE_REFERENCE_GET ||
			r == ROUTE_ATTESTATION_POLICY_SET || r == ROUTE_RESOURCE_POLICY_SET ||
			r == ROUTE_RESOURCE_POLICY_LIST)
			assert_int_equal(need, NEED_ADMIN);
		else if (r != ROUTE_PLUGIN)
			assert_int_not_equal(need, NEED_ADMIN);
		/* The table says what the parser says. */
		kbs_route_parse(method, slice_str(path), &t);
		assert_int_equal(t.route, r);
		assert_int_equal(t.need, need);
	}
	assert_true(rows > 30);
	kbs_route_allowed(SLICE_LIT("/kbs/v0/resource/a/b/c?x=y"), allow);
	assert_string_equal(allow, "GET, POST, DELETE");
	kbs_route_allowed(SLICE_LIT("/kbs/v0/external/a/b"), allow);
	assert_string_equal(allow, "GET, POST, PUT, DELETE");
	kbs_route_allowed(SLICE_LIT("/metrics"), allow);
	assert_string_equal(allow, "GET");
	kbs_route_allowed(SLICE_LIT("/kbs/v0/unknown"), allow);
	assert_string_equal(allow, "");
	kbs_route_parse("GET", SLICE_LIT("/kbs/v0/resource/a/b/c"), &t);
	assert_int_equal(t.need, NEED_TOKEN);
	assert_int_equal(t.plugin_id, PLUGIN_RESOURCE);
	kbs_route_parse("POST", SLICE_LIT("/kbs/v0/sample/x/y?z=1"), &t);
	assert_int_equal(t.route, ROUTE_PLUGIN);
	assert_int_equal(t.plugin_id, PLUGIN_SAMPLE);
	assert_string_equal(t.tail, "x/y");
	kbs_route_parse("GET", SLICE_LIT("/kbs/v0/sampled"), &t);
	assert_int_equal(t.route, ROUTE_NONE);
	assert_int_equal(t.plugin_id, PLUGIN_COUNT_);
}

static void query_case(const char *query, int want, const char *text)
{
	json_t *map = NULL;
	char *dump;

	assert_int_equal(kbs_query_map(query, &map), want);
	if (want < 0)
		return;
	dump = json_dumps(map, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(dump, text);
	free(dump);
	json_decref(map);
}

static void test_query_map(void **state)
{
	json_t *path = kbs_path_list("a/b//c");

	query_case("", 0, "{}");
	query_case("a=1&b=%2f%3D&c&d=", 0, "{\"a\":\"1\",\"b\":\"/=\",\"c\":\"\",\"d\":\"\"}");
	query_case("&&a=1=2&", 0, "{\"a\":\"1=2\"}");
	/* Of two with one name a policy could check another than the plugin uses. */
	query_case("a=1&a=2", -EBADMSG, NULL);
	query_case("a=1&%61=2", -EBADMSG, NULL);
	query_case("a=%", -EBADMSG, NULL);
	query_case("%zz=1", -EBADMSG, NULL);
	query_case("a=%00", -EBADMSG, NULL);
	query_case("a=%ff", -EBADMSG, NULL);
	assert_int_equal(json_array_size(path), 4);
	json_decref(path);
	path = kbs_path_list("");
	assert_int_equal(json_array_size(path), 0);
	json_decref(path);
}

static void test_tenant_of_route(void **state)
{
	struct kbs_target t;

	kbs_route_parse("GET", SLICE_LIT("/tenants/acme-1/kbs/v0/resource/a/b/c?x=1"), &t);
	assert_string_equal(t.tenant, "acme-1");
	assert_string_equal(t.query, "x=1");
	kbs_route_parse("GET", SLICE_LIT("/kbs/v0/resource/tenants/acme/c"), &t);
	assert_string_equal(t.tenant, "");
}

/* Every row of the table is described, nothing else is, and the need of each is said. */
static void test_openapi(void **state)
{
	static const char *const needs[] = {[NEED_NOTHING] = "",
		[NEED_SESSION] = "session",
		[NEED_TOKEN] = "session",
		[NEED_ADMIN] = "admin",
		[NEED_PLUGIN] = "admin"};
	struct slice text = kbs_openapi();
	json_t *doc = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, NULL);
	const json_t *paths = json_object_get(doc, "paths");
	const char *method, *name;
	char path[256];
	enum kbs_route route;
	enum route_need need;
	json_t *value;
	size_t rows = 0, described = 0;

	assert_string_equal(json_string_value(json_object_get(doc, "openapi")), "3.0.3");
	for (; kbs_route_row(rows, &method, path, sizeof(path), &route, &need); rows++) {
		char lower[16] = "";
		const json_t *op, *security;

		for (size_t i = 0; method[i]; i++)
			lower[i] = (char)(method[i] | 0x20);
		op = json_object_get(json_object_get(paths, path), lower);
		if (!op)
			fail_msg("%s %s is not described", method, path);
		assert_non_null(json_object_get(op, "summary"));
		assert_non_null(json_object_get(op, "responses"));
		if (strstr(path, "{tail}"))
			assert_string_equal(
				json_string_value(json_object_get(
					json_array_get(json_object_get(op, "parameters"), 0),
					"in")),
				"path");
		security = json_array_get(json_object_get(op, "security"), 0);
		if (needs[need][0] ? !json_object_get(security, needs[need]) : security != NULL)
			fail_msg("%s %s: what it needs is wrong", method, path);
	}
	json_object_foreach ((json_t *)(uintptr_t)paths, name, value)
		described += json_object_size(value);
	assert_int_equal(described, rows);
	json_decref(doc);
}

static void test_resource_paths(void **state)
{
	static const char *const good[] = {"a/b/c", "default/key/1", "_/-/x.y.z", "a-b/c_d/e.f"};
	static const char *const bad[] = {"", "a", "a/b", "a/b/c/d", "a//c", "/a/b/c", "a/b/c/",
		"../b/c", "a/../c", "a/./c", "a/b/.c", "a/b/c d", "a/b/\xc3\xa4"};

	for (size_t i = 0; i < ARRAY_COUNT(good); i++)
		assert_true(resource_path_valid(slice_str(good[i])));
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		assert_false(resource_path_valid(slice_str(bad[i])));
}

static void test_query(void **state)
{
	char v[16];

	assert_int_equal(kbs_query_get("a=1&version=3", "version", v, sizeof(v)), 0);
	assert_string_equal(v, "3");
	assert_int_equal(kbs_query_get("xversion=3", "version", v, sizeof(v)), -ENOENT);
	assert_int_equal(kbs_query_get("", "version", v, sizeof(v)), -ENOENT);
	assert_int_equal(kbs_query_get("v=%zz", "v", v, sizeof(v)), -EBADMSG);
	assert_int_equal(kbs_query_get("v=0123456789abcdef", "v", v, sizeof(v)), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_route_needs),
		cmocka_unit_test(test_query_map),
		cmocka_unit_test(test_tenant_of_route),
		cmocka_unit_test(test_openapi),
		cmocka_unit_test(test_resource_paths),
		cmocka_unit_test(test_query),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
