/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of the key broker that need no process: routes, sessions, limits, configuration, EAR. */
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/enc.h"
#include "base/str.h"
#include "trustee/as/as.h"
#include "trustee/as/ear.h"
#include "trustee/kbs/config.h"
#include "trustee/kbs/openapi.h"
#include "trustee/kbs/pool.h"
#include "trustee/kbs/ratelimit.h"
#include "trustee/kbs/rcar.h"
#include "trustee/kbs/reply.h"
#include "trustee/kbs/route.h"
#include "trustee/kbs/session.h"
#include "trustee/kbs/wire.h"
#include "trustee/rvps/extract.h"

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
		assert_true(kbs_resource_path_valid(good[i]));
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		assert_false(kbs_resource_path_valid(bad[i]));
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

#define NONCE "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static struct session *add_session(struct session_table *t, int n, int64_t now_ms)
{
	char id[SESSION_ID_SIZE];
	struct session *s = NULL;

	snprintf(id, sizeof(id), "%08x%024x", n, n);
	assert_int_equal(session_new(t, id, NONCE, "sample", now_ms, 1700000000, &s), 0);
	return s;
}

static void test_sessions(void **state)
{
	cleanup(session_table_free) struct session_table *t = session_table_new(4, 2, 300);
	struct session *s, *other = NULL;
	char id[SESSION_ID_SIZE];
	int error;

	s = add_session(t, 1, 0);
	assert_int_equal(s->expires_unix, 1700000300);
	assert_ptr_equal(session_find(t, s->id, 299999, &error), s);
	assert_null(session_find(t, "0", 0, &error));
	assert_int_equal(error, -ENOENT);
	(void)!str_copy(id, sizeof(id), s->id);
	assert_null(session_find(t, id, 300000, &error));
	assert_int_equal(error, -ESTALE);
	assert_null(session_find(t, id, 0, &error));
	assert_int_equal(error, -ENOENT);
	/* A full table refuses, until something expires. */
	for (int i = 0; i < 4; i++)
		add_session(t, 10 + i, 1000 * i);
	assert_int_equal(session_new(t, "ffffffffffffffffffffffffffffffff", NONCE, "tpm", 4000,
				 1700000000, &other),
		-EAGAIN);
	assert_int_equal(session_new(t, "ffffffffffffffffffffffffffffffff", NONCE, "tpm", 300000,
				 1700000000, &other),
		0);
	assert_int_equal(session_count(t, false), 4);
	assert_int_equal(session_new(t, "short", NONCE, "tpm", 0, 0, &s), -EAGAIN);
}

static void test_attested_sessions_are_a_cache(void **state)
{
	cleanup(session_table_free) struct session_table *t = session_table_new(100, 2, 300);
	char first[SESSION_ID_SIZE];
	int error;

	for (int i = 0; i < 5; i++) {
		struct session *s = add_session(t, i, i);

		if (i == 0)
			(void)!str_copy(first, sizeof(first), s->id);
		assert_int_equal(session_attested(t, s, "token"), 0);
	}
	assert_int_equal(session_count(t, true), 2);
	assert_int_equal(session_count(t, false), 0);
	assert_null(session_find(t, first, 10, &error));
	assert_int_equal(session_expire(t, 1000000), 2);
	assert_int_equal(session_count(t, true), 0);
}

static void test_ratelimit(void **state)
{
	cleanup(ratelimit_free) struct ratelimit *r = ratelimit_new(10, 3);
	cleanup(ratelimit_free) struct ratelimit *off = ratelimit_new(0, 1);

	for (int i = 0; i < 3; i++)
		assert_true(ratelimit_take(r, "192.0.2.1", 1000));
	assert_false(ratelimit_take(r, "192.0.2.1", 1000));
	assert_true(ratelimit_take(r, "192.0.2.2", 1000));
	assert_true(ratelimit_take(r, "192.0.2.1", 1100));
	assert_false(ratelimit_take(r, "192.0.2.1", 1100));
	/* One /64 is one client. */
	for (int i = 0; i < 3; i++)
		assert_true(ratelimit_take(r, i ? "2001:db8::1" : "2001:db8::2", 1000));
	assert_false(ratelimit_take(r, "2001:db8::3", 1000));
	assert_true(ratelimit_take(r, "2001:db8:0:1::3", 1000));
	for (int i = 0; i < 100; i++)
		assert_true(ratelimit_take(off, "192.0.2.1", 0));
}

/* Each version that is served, and the bound on how old one may be. */
static void test_protocols(void)
{
	char tee[SESSION_TEE_SIZE], body[128];
	unsigned hashes;

	for (int i = 0; i < AS_PROTOCOL_COUNT_; i++) {
		for (int oldest = 0; oldest < AS_PROTOCOL_COUNT_; oldest++) {
			enum as_protocol got = AS_PROTOCOL_COUNT_;

			snprintf(body, sizeof(body),
				"{\"version\":\"%s\",\"tee\":\"snp\",\"extra-params\":\"\"}",
				as_protocol_name(i));
			assert_int_equal(rcar_read_auth(slice_str(body), as_protocol_name(oldest),
						 tee, &got, &hashes, NULL),
				i <= oldest ? 0 : -EOPNOTSUPP);
			assert_int_equal(got, i <= oldest ? i : AS_PROTOCOL_COUNT_);
		}
	}
	assert_null(as_protocol_name(-1));
	assert_null(as_protocol_name(AS_PROTOCOL_COUNT_));
	assert_int_equal(as_protocol_from_name("0.4"), -EOPNOTSUPP);
}

static void test_auth_message(void **state)
{
	static const struct {
		const char *body;
		int want;
	} rows[] = {
		{"{\"version\":\"0.4.0\",\"tee\":\"snp\",\"extra-params\":{}}", 0},
		{"{\"version\":\"0.4.0\",\"tee\":\"az-snp-vtpm\",\"extra-params\":\"\"}", 0},
		{"{\"version\":\"0.5.0\",\"tee\":\"snp\",\"extra-params\":{}}", -EOPNOTSUPP},
		{"{\"version\":\"0.4.0\",\"tee\":\"snp\"}", -EBADMSG},
		{"{\"version\":\"0.4.0\",\"tee\":5,\"extra-params\":{}}", -EBADMSG},
		{"{\"version\":\"0.4.0\",\"tee\":\"\",\"extra-params\":{}}", -EBADMSG},
		{"{\"version\":\"0.4.0\",\"tee\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\","
		 "\"extra-params\":{}}",
			-EBADMSG},
		{"{\"version\":\"0.4.0\",\"version\":\"0.4.0\",\"tee\":\"snp\","
		 "\"extra-params\":{}}",
			-EBADMSG},
		{"[]", -EBADMSG},
		{"", -EBADMSG},
		{"{\"version\":\"0.4.0\",\"tee\":\"snp\",\"extra-params\":{}} x", -EBADMSG},
	};
	enum as_protocol protocol;
	unsigned hashes = 0;
	char tee[SESSION_TEE_SIZE];
	struct err e = {0};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		if (rcar_read_auth(slice_str(rows[i].body), "0.1.0", tee, &protocol, &hashes, &e) !=
			rows[i].want)
			fail_msg("%s", rows[i].body);
	}
	/* Hash algorithms are noted: not a list, an empty one, some. */
	assert_int_equal(
		rcar_read_auth(slice_str(rows[0].body), "0.1.0", tee, &protocol, &hashes, NULL), 0);
	assert_int_equal(hashes, 0);
	assert_int_equal(rcar_read_auth(SLICE_LIT("{\"version\":\"0.4.0\",\"tee\":\"tdx\","
						  "\"extra-params\":{\"supported-hash-algorithms\":"
						  "[\"SHA256\",5,\"sha512\",\"sm3\"]}}"),
				 "0.1.0", tee, &protocol, &hashes, NULL),
		0);
	assert_int_equal(hashes, RCAR_HASH_LIST | RCAR_SHA256 | RCAR_SHA512);
	/* Every truncation of a good message is refused. */
	for (size_t n = 0; n < strlen(rows[0].body); n++)
		assert_int_not_equal(rcar_read_auth(slice_of(rows[0].body, n), "0.1.0", tee,
					     &protocol, &hashes, NULL),
			0);
	assert_int_equal(
		rcar_read_auth(slice_str(rows[2].body), "0.1.0", tee, &protocol, &hashes, &e),
		-EOPNOTSUPP);
	assert_string_equal(e.text,
		"KBS Client Protocol Version Mismatch: expect =0.4.0 while the request is 0.5.0");
	test_protocols();
}

static void test_cookie_and_bearer(void **state)
{
	char id[SESSION_ID_SIZE];

	rcar_cookie("a=b; kbs-session-id=0123456789abcdef0123456789abcdef; c=d", id);
	assert_string_equal(id, "0123456789abcdef0123456789abcdef");
	rcar_cookie("kbs-session-id=0123456789abcdef0123456789abcdeg", id);
	assert_string_equal(id, "");
	rcar_cookie("kbs-session-id=0123", id);
	assert_string_equal(id, "");
	rcar_cookie("xkbs-session-id=0123456789abcdef0123456789abcdef", id);
	assert_string_equal(id, "");
	rcar_cookie(NULL, id);
	assert_string_equal(id, "");
	assert_true(slice_eq_str(rcar_bearer("Bearer abc"), "abc"));
	assert_true(slice_eq_str(rcar_bearer("bearer  abc "), "abc"));
	assert_int_equal(rcar_bearer("Basic abc").size, 0);
	assert_int_equal(rcar_bearer(NULL).size, 0);
}

static void test_wire(void **state)
{
	cleanup_with(buf_done) struct buf out = buf_init(0);
	json_t *header = json_pack("{s:s, s:i}", "op", "x", "id", 7);
	json_t *got = NULL;
	struct slice body;

	assert_int_equal(wire_pack(&out, header, SLICE_LIT("body")), 0);
	assert_int_equal(wire_unpack(buf_slice(&out), &got, &body), 0);
	assert_true(json_equal(header, got));
	assert_true(slice_eq_str(body, "body"));
	json_decref(got);
	for (size_t n = 0; n < out.size - 4; n++)
		assert_int_not_equal(wire_unpack(slice_cut(buf_slice(&out), 0, n), &got, &body), 0);
	assert_string_equal(wire_str(header, "absent"), "");
	assert_int_equal(wire_int(header, "id"), 7);
	json_decref(header);
}

static void test_errors_on_the_wire(void **state)
{
	struct reply r;

	reply_init(&r);
	reply_fail(&r, REPLY_POLICY_DENY, "Access denied by policy (id %s)", "12");
	assert_int_equal(r.status, 401);
	assert_string_equal(buf_str(&r.body),
		"{\"type\":\"https://github.com/confidential-containers/kbs/errors/PolicyDeny\","
		"\"detail\":\"Access denied by policy (id 12)\"}");
	reply_fail(&r, REPLY_PLUGIN_NOT_FOUND, "Plugin %s not found", "x");
	assert_int_equal(r.status, 404);
	reply_done(&r);
}

/* --- pool: a fake transport that remembers what was sent --- */
static int g_sent, g_done, g_last_error;
static uint64_t g_last_work;

static int fake_send(void *cookie, unsigned index, const json_t *header, struct slice body)
{
	g_sent++;
	g_last_work = (uint64_t)json_integer_value(json_object_get(header, "work"));
	return 0;
}

static int fake_init(void *cookie, unsigned index)
{
	return 0;
}

static void fake_done(void *cookie, int error, const json_t *result)
{
	g_done++;
	g_last_error = error;
}

static void test_pool(void **state)
{
	const struct pool_ops ops = {fake_send, fake_init, NULL};
	cleanup(pool_free) struct pool *p = pool_new(1, &ops);
	json_t *answer;

	g_sent = g_done = 0;
	assert_int_equal(pool_submit(p, json_object(), SLICE_LIT("1"), 0, fake_done, NULL), 0);
	assert_int_equal(g_sent, 0);
	pool_up(p, 0, 0);
	assert_int_equal(g_sent, 1);
	/* One at a time. */
	assert_int_equal(pool_submit(p, json_object(), SLICE_LIT("2"), 0, fake_done, NULL), 0);
	assert_int_equal(g_sent, 1);
	answer = json_pack("{s:I, s:i}", "work", (json_int_t)g_last_work, "error", 0);
	assert_int_equal(pool_answer(p, 0, answer, 0), 0);
	assert_int_equal(g_done, 1);
	assert_int_equal(g_last_error, 0);
	assert_int_equal(g_sent, 2);
	/* The same answer again was not asked for. */
	assert_int_equal(pool_answer(p, 0, answer, 0), -EPROTO);
	json_decref(answer);
	/* A crash fails the work at hand and nothing else. */
	assert_int_equal(pool_submit(p, json_object(), SLICE_LIT("3"), 0, fake_done, NULL), 0);
	pool_down(p, 0);
	assert_int_equal(g_done, 2);
	assert_int_equal(g_last_error, -EPIPE);
	pool_up(p, 0, POOL_WAIT_MS);
	assert_int_equal(g_sent, 3);
	/* What waits too long fails. */
	assert_int_equal(pool_submit(p, json_object(), SLICE_LIT("4"), 0, fake_done, NULL), 0);
	pool_expire(p, POOL_WAIT_MS + 1);
	assert_int_equal(g_done, 3);
	assert_int_equal(g_last_error, -ETIMEDOUT);
}

#define CONFIG_BASE "[http_server]\ninsecure_http = true\n[husk]\nstore = \"/tmp/x.db\"\n[admin]\n"
#define CONFIG_PROVIDER                                         \
	"authorization_mode = \"AuthenticatedAuthorization\"\n" \
	"[[admin.authentication.bearer_jwt.identity_providers]]\npublic_key_uri = \"k.pem\"\n"

#define CONFIG_ACL \
	"[[admin.authorization.regex_acl.acls]]\nrole = \"r\"\nallowed_endpoints = \"^/kbs/.*$\"\n"
#define CONFIG_ISSUER(member, uri)                                                    \
	"authorization_mode = \"AuthenticatedAuthorization\"\n"                       \
	"[[admin.authentication.bearer_jwt.identity_providers]]\n" member " = \"" uri \
	"\"\n" CONFIG_ACL

#define CONFIG_PLUGIN "[[plugins]]\nname = \"resource\"\n"
#define CONFIG_STORAGE(type) \
	"[[plugins]]\nname = \"resource\"\nstorage_backend_type = \"" type "\"\n"
#define CONFIG_ALIYUN \
	"client_key = \"{}\"\nkms_instance_id = \"k\"\npassword = \"p\"\ncert_pem = \"c\"\n"
#define CONFIG_VAULT                                                          \
	CONFIG_PLUGIN "storage_backend_type = \"Vault\"\ntoken = \"hvs.t\"\n" \
		      "vault_url = \"https://vault.example:8200\"\n"
#define CONFIG_SIGNER_IN "[attestation_service.attestation_token_broker.signer]\n"
#define CONFIG_NEBULA "[[plugins]]\nname = \"nebula-ca\"\n"
#define CONFIG_PKCS11 "[[plugins]]\nname = \"pkcs11\"\nmodule = \"/m.so\"\n"
#define CONFIG_EXTERNAL "[[plugins]]\nname = \"external\"\n"
#define CONFIG_B(name, endpoint) "{name = \"" name "\", endpoint = \"" endpoint "\"}"
#define CONFIG_POSTGRES                                    \
	"[storage_backend]\nstorage_type = \"Postgres\"\n" \
	"[storage_backend.backends.postgres]\ndb = \"husk\"\nusername = \"husk\"\n"
#define CONFIG_SIGNER "[attestation_service.attestation_token_broker.signer]\nkey_path = \"k\"\n"

#define CONFIG_NVIDIA "[attestation_service.verifier_config.nvidia_verifier]\n"

static void test_config(void **state)
{
	static const struct {
		const char *text;
		int want;
		const char *says;
	} rows[] = {
		{CONFIG_BASE, 0, NULL},
		{CONFIG_BASE "authorization_mode = \"InsecureAllowAll\"", 0, NULL},
		{CONFIG_BASE "authorization_mode = \"AllowAll\"", -EINVAL, "authorization_mode"},
		{CONFIG_BASE CONFIG_PROVIDER, -EINVAL, "acls"},
		{CONFIG_BASE CONFIG_PROVIDER "[[admin.authorization.regex_acl.acls]]\n"
					     "role = \"r\"\nallowed_endpoints = \"^/kbs/.*$\"",
			0, NULL},
		{CONFIG_BASE CONFIG_PROVIDER "[[admin.authorization.regex_acl.acls]]\n"
					     "role = \"r\"\nallowed_endpoints = \"/kbs/.*\"",
			-EINVAL, "must start"},
		{CONFIG_BASE CONFIG_PROVIDER "[[admin.authorization.regex_acl.acls]]\n"
					     "role = \"r\"\nallowed_endpoints = \"^/kbs/([$\"",
			-EINVAL, "regular expression"},
		{CONFIG_BASE CONFIG_ISSUER("jwk_set_uri", "https://idp.example/keys"), 0, NULL},
		{CONFIG_BASE CONFIG_ISSUER("jwk_set_uri", "file:///keys.json"), 0, NULL},
		{CONFIG_BASE CONFIG_ISSUER("jwk_set_uri", "http://idp.example/keys"), -EOPNOTSUPP,
			"jwk_set_uri"},
		{CONFIG_BASE CONFIG_ISSUER("jwk_set_uri", "https://a@idp.example/"), -EOPNOTSUPP,
			"jwk_set_uri"},
		{CONFIG_BASE CONFIG_ISSUER("jwk_set_uri", "https:///keys"), -EOPNOTSUPP,
			"jwk_set_uri"},
		{CONFIG_BASE CONFIG_ISSUER("public_key_uri", "https://idp.example/key"),
			-EOPNOTSUPP, "public_key_uri"},
		{CONFIG_BASE "mode = 1", -EINVAL, "not a known key"},
		{CONFIG_BASE "[unknown]\n", -EINVAL, "not a known section"},
		{CONFIG_BASE "[attestation_token]\ninsecure_header_jwk = true", 0, NULL},
		{CONFIG_BASE "[attestation_token]\ninsecure_header_jwk = 1", -EINVAL,
			"true or false"},
		{CONFIG_BASE "[attestation_service]\ntype = \"intel_ta\"", -EINVAL,
			"needs base_url"},
		{CONFIG_BASE "[attestation_service]\ntype = \"oracle\"", -EOPNOTSUPP, "oracle"},
		{CONFIG_BASE "[attestation_service]\ntype = \"coco_as_grpc\"", 0, NULL},
		{CONFIG_BASE "[attestation_service.rvps_config]\ntype = \"GrpcRemote\"", 0, NULL},
		{CONFIG_BASE "[attestation_service.rvps_config]\ntype = \"Other\"", -EOPNOTSUPP,
			"Other"},
		{CONFIG_BASE CONFIG_NVIDIA "type = \"Local\"", 0, NULL},
		{CONFIG_BASE CONFIG_NVIDIA "type = \"Remote\"", 0, NULL},
		{CONFIG_BASE CONFIG_NVIDIA "type = \"remote\"", -EINVAL, "Local or Remote"},
		{CONFIG_BASE CONFIG_NVIDIA "url = \"x\"", -EINVAL, "not a known key"},
		{CONFIG_BASE CONFIG_NVIDIA "verifier_url = \"https://nras.example/v4\"", 0, NULL},
		{CONFIG_BASE CONFIG_NVIDIA "verifier_url = \"http://127.0.0.1:1/v4\"", 0, NULL},
		{CONFIG_BASE CONFIG_NVIDIA "verifier_url = \"http://nras.example/v4\"", -EINVAL,
			"https://"},
		{CONFIG_BASE CONFIG_NVIDIA "verifier_url = \"http://127.0.0.1.example/v4\"",
			-EINVAL, "https://"},
		{CONFIG_BASE CONFIG_NVIDIA "verifier_url = \"http://127.0.0.1:1@nras.example/\"",
			-EINVAL, "https://"},
		{CONFIG_BASE "[attestation_service]\ntimeout = 0", -EINVAL, "from 1 to"},
		{CONFIG_BASE "[attestation_service]\ntimeout = \"5\"", -EINVAL, "number"},
		{CONFIG_BASE "[storage_backend]\nstorage_type = \"Redis\"", -EOPNOTSUPP, "Redis"},
		{CONFIG_BASE "[storage_backend]\nstorage_type = \"Postgres\"", -EINVAL,
			"db and username"},
		{"[http_server]\nsockets = [\"[::]:1\", \"db:1\"]", -EINVAL,
			"db:1 is not ADDRESS:PORT"},
		{CONFIG_BASE CONFIG_POSTGRES, -EINVAL, "key_path"},
		{CONFIG_BASE CONFIG_POSTGRES CONFIG_SIGNER, 0, NULL},
		{CONFIG_BASE CONFIG_POSTGRES "hosts = \"x\"\n", -EINVAL, "not a known key"},
		{CONFIG_BASE CONFIG_POSTGRES "host = \"db\"\n", -EINVAL, "sslrootcert"},
		{CONFIG_BASE CONFIG_POSTGRES "sslmode = \"yes\"\n", -EINVAL, "sslmode"},
		{CONFIG_BASE CONFIG_POSTGRES "sslmode = \"verify-ca\"\n", -EINVAL, "sslrootcert"},
		{CONFIG_BASE CONFIG_POSTGRES "sslcert = \"c\"\nsslmode = \"require\"\n", -EINVAL,
			"sslkey"},
		{CONFIG_BASE CONFIG_POSTGRES "host = \"db\"\nsslrootcert = \"c\"\n" CONFIG_SIGNER,
			0, NULL},
		{CONFIG_BASE "[[plugins]]\nname = \"pkcs12\"", -EOPNOTSUPP, "pkcs12"},
		{CONFIG_BASE CONFIG_PKCS11 "pin = \"1\"", 0, NULL},
		{CONFIG_BASE CONFIG_SIGNER_IN "key = \"pkcs11:object=k\"\npublic_key_path = \"p\"",
			0, NULL},
		{CONFIG_BASE CONFIG_SIGNER_IN "key = \"tpm:file=/k\"", -EINVAL, "token-key"},
		{CONFIG_BASE CONFIG_SIGNER_IN "key = \"/k.pem\"\npublic_key_path = \"p\"", -EINVAL,
			"URI"},
		{CONFIG_BASE CONFIG_SIGNER_IN "key = \"tpm:file=/k\"\nkey_path = \"k\"", -EINVAL,
			"excludes"},
		{CONFIG_BASE CONFIG_SIGNER_IN "public_key_path = \"p\"", -EINVAL, "belongs to key"},
		{CONFIG_BASE CONFIG_NEBULA "", 0, NULL},
		{CONFIG_BASE CONFIG_NEBULA "ca_config = {name = \"n\", duration = \"1h30m\", ips = "
					   "\"10.0.0.0/8\", groups = \"a,b\"}",
			0, NULL},
		{CONFIG_BASE CONFIG_NEBULA "ca_config = {duration = \"1d\"}", -EINVAL, "duration"},
		{CONFIG_BASE CONFIG_NEBULA "ca_config = {ips = \"10.0.0.0\"}", -EINVAL, "IPv4"},
		{CONFIG_BASE CONFIG_NEBULA "ca_config = {curve = \"P256\"}", 0, NULL},
		{CONFIG_BASE CONFIG_NEBULA "ca_config = {curve = \"P384\"}", -EINVAL, "curve"},
		{CONFIG_BASE CONFIG_NEBULA "ca_config = {version = 2, ips = \"fd00::/8\"}", 0,
			NULL},
		{CONFIG_BASE CONFIG_NEBULA "ca_config = {ips = \"fd00::/8\"}", -EINVAL,
			"version 1"},
		{CONFIG_BASE CONFIG_NEBULA "ca_config = {ips = \"0.0.0.0/0\"}", -EINVAL,
			"address 0"},
		{CONFIG_BASE CONFIG_NEBULA "ca_config = {version = 3}", -EINVAL, "version"},
		{CONFIG_BASE CONFIG_NEBULA "ca_config = {name = \"\"}", -EINVAL, "name"},
		{CONFIG_BASE CONFIG_NEBULA "work_dir = \"/x\"", -EOPNOTSUPP, "work_dir"},
		{CONFIG_BASE CONFIG_PKCS11 "pin_file = \"/p\"\nrsa_mechanism = \"RsaPkcsTest\"", 0,
			NULL},
		{CONFIG_BASE CONFIG_PKCS11 "", -EINVAL, "pin_file or pin"},
		{CONFIG_BASE CONFIG_PKCS11 "pin = \"1\"\npin_file = \"/p\"", -EINVAL,
			"pin_file or pin"},
		{CONFIG_BASE CONFIG_PKCS11 "pin = \"1\"\nrsa_mechanism = \"RsaPkcs\"", -EINVAL,
			"rsa_mechanism"},
		{CONFIG_BASE CONFIG_PKCS11 "pin = \"1\"\nmodule_environment = [\"X\"]", -EINVAL,
			"NAME=VALUE"},
		{CONFIG_BASE "[[plugins]]\nname = \"pkcs11\"\nmodule = \"m.so\"", -EINVAL,
			"absolute"},
		{CONFIG_BASE CONFIG_PLUGIN "", 0, NULL},
		{CONFIG_BASE CONFIG_STORAGE("Aws"), 0, NULL},
		{CONFIG_BASE CONFIG_STORAGE("aws") "region = \"eu-1\"\nprefix = \"p/\"", 0, NULL},
		{CONFIG_BASE CONFIG_STORAGE("Aws") "project_id = \"p\"", -EINVAL, "project_id"},
		{CONFIG_BASE CONFIG_STORAGE("Aws") "session_token = \"t\"", -EINVAL,
			"with session_token"},
		{CONFIG_BASE CONFIG_STORAGE("Aws") "connections = 17", -EINVAL, "from 1 to 16"},
		{CONFIG_BASE CONFIG_STORAGE("Gcp") "project_id = \"p\"\nprefix = \"a/\"", -EINVAL,
			"prefix"},
		{CONFIG_BASE CONFIG_STORAGE("Gcp") "project_id = \"p\"", 0, NULL},
		{CONFIG_BASE CONFIG_STORAGE("Azure") "vault_url = \"https://v.vault.azure.net\"", 0,
			NULL},
		{CONFIG_BASE CONFIG_STORAGE("Azure") "vault_url = \"http://v.vault.azure.net\"",
			-EINVAL, "https"},
		{CONFIG_BASE CONFIG_STORAGE("Aliyun") CONFIG_ALIYUN, 0, NULL},
		{CONFIG_BASE CONFIG_STORAGE("Aliyun") CONFIG_ALIYUN "ca_certs = [\"x\"]", -EINVAL,
			"cert_pem"},
		{CONFIG_BASE CONFIG_STORAGE("Oracle"), -EOPNOTSUPP, "Oracle"},
		{CONFIG_BASE CONFIG_PLUGIN "[[plugins]]\nname = \"resource\"", -EINVAL, "twice"},
		{CONFIG_BASE CONFIG_PLUGIN "[[plugins]]\nname = \"sample\"", 0, NULL},
		{CONFIG_BASE "[[plugins]]\nname = \"sample\"\nitem = \"x\"\n", 0, NULL},
		{CONFIG_BASE "[[plugins]]\nname = \"sample\"\nitems = \"x\"\n", -EINVAL,
			"not a known key"},
		{CONFIG_BASE "[[plugins]]\nname = \"vault\"", -EOPNOTSUPP, "vault"},
		{CONFIG_BASE CONFIG_EXTERNAL "", -EINVAL, "at least one"},
		{CONFIG_BASE CONFIG_EXTERNAL "backends = {}", -EINVAL, "array of tables"},
		{CONFIG_BASE CONFIG_EXTERNAL "backends = [1]", -EINVAL, "array of tables"},
		{CONFIG_BASE CONFIG_EXTERNAL "backends = [" CONFIG_B("a", "http://x:1") "]", 0,
			NULL},
		{CONFIG_BASE CONFIG_EXTERNAL "backends = [" CONFIG_B(
			 "a", "http://x:1") "," CONFIG_B("a", "http://y:1") "]",
			-EINVAL, "twice"},
		{CONFIG_BASE CONFIG_EXTERNAL "backends = [" CONFIG_B("a/b", "http://x:1") "]",
			-EINVAL, "A-Za-z"},
		{CONFIG_BASE CONFIG_EXTERNAL "backends = [" CONFIG_B("a", "https://x:1") "]",
			-EINVAL, "ca_cert_path"},
		{CONFIG_BASE CONFIG_EXTERNAL "backends = [" CONFIG_B("a", "unix:x") "]", -EINVAL,
			"endpoint"},
		{CONFIG_BASE CONFIG_EXTERNAL "backends = [{name = \"a\"}]", -EINVAL, "endpoint"},
		{CONFIG_BASE CONFIG_EXTERNAL "backends = [{tls_mode = \"x\"}]", -EINVAL,
			"not a known key"},
		{CONFIG_BASE CONFIG_EXTERNAL "backends = [{timeout_ms = 30000}]", -EINVAL,
			"from 1 to 25000"},
		{CONFIG_BASE CONFIG_EXTERNAL "backends = [{name = 1}]", -EINVAL, "string"},
		{CONFIG_BASE "[[plugins]]\nname = \"provisioner\"", 0, NULL},
		{CONFIG_BASE "[[plugins]]\nname = \"provisioner\"\nkey_length = 8", -EINVAL,
			"from 22"},
		{CONFIG_BASE "[[plugins]]\n", -EOPNOTSUPP, "without a name"},
		{CONFIG_BASE CONFIG_PLUGIN "token = \"t\"", -EINVAL, "not a known key"},
		{CONFIG_BASE CONFIG_VAULT "", 0, NULL},
		{CONFIG_BASE CONFIG_VAULT "mount_path = \"kv/team\"\nprefix = \"a/b\"\n"
					  "kv_version = 2\nconnections = 16",
			0, NULL},
		{CONFIG_BASE CONFIG_PLUGIN "storage_backend_type = \"Vault\"", -EINVAL,
			"needs vault_url and token"},
		{CONFIG_BASE CONFIG_VAULT "kv_version = 3", -EINVAL, "from 1 to 2"},
		{CONFIG_BASE CONFIG_VAULT "mount_path = \"../sys\"", -EINVAL, "mount_path"},
		{CONFIG_BASE CONFIG_VAULT "prefix = \"a/\"", -EINVAL, "prefix"},
		{CONFIG_BASE CONFIG_VAULT "ca_certs = \"a\"", -EINVAL, "list"},
		{CONFIG_BASE CONFIG_PLUGIN "storage_backend_type = \"Vault\"\ntoken = \"t\"\n"
					   "vault_url = \"https://v/ui\"",
			-EINVAL, "vault_url"},
		{CONFIG_BASE CONFIG_PLUGIN
			"storage_backend_type = \"Vault\"\ntoken = \"t\\r\\nx\"\n"
			"vault_url = \"https://v\"",
			-EINVAL, "printable"},
		{"[http_server]\n[husk]\nstore = \"x\"", -EINVAL, "husk-kbs init"},
		{"[http_server]\ninsecure_http = true\n", -EINVAL, "store"},
		{"[http_server]\ninsecure_http = true\nprivate_key = \"k\"\n[husk]\nstore = \"x\"",
			-EINVAL, "contradicts"},
		{"[http_server", -EBADMSG, ""},
	};
	struct kbs_config c = {0};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct err e = {0};
		int r = kbs_config_parse(slice_str(rows[i].text), &c, &e);

		if (r != rows[i].want)
			fail_msg("%s: %d %s", rows[i].text, r, e.text);
		if (r < 0 && !strstr(e.text, rows[i].says))
			fail_msg("%s: \"%s\" does not say %s", rows[i].text, e.text, rows[i].says);
		kbs_config_done(&c);
	}
	assert_int_equal(kbs_config_parse(slice_str(CONFIG_BASE), &c, NULL), 0);
	/* The defaults that matter. */
	assert_int_equal(c.admin.mode, ADMIN_DENY_ALL);
	assert_false(c.as.insecure_accept_sample);
	assert_int_equal(c.as.timeout_min, 5);
	assert_int_equal(c.http.body_max_mib, 2);
	assert_string_equal(c.http.sockets.items[0], "127.0.0.1:8080");
	assert_true(c.broker.verbose_token);
	assert_true(c.plugins[PLUGIN_RESOURCE]);
	assert_false(c.plugins[PLUGIN_SAMPLE]);
	kbs_config_done(&c);
	/* Who lists plugins has those and no others. */
	assert_int_equal(
		kbs_config_parse(SLICE_LIT(CONFIG_BASE "[[plugins]]\nname = \"sample\""), &c, NULL),
		0);
	assert_false(c.plugins[PLUGIN_RESOURCE]);
	assert_true(c.plugins[PLUGIN_SAMPLE]);
	kbs_config_done(&c);
}

static void rvps_case(const char *text, int want)
{
	json_t *records = NULL;
	struct err e = {0};
	int r = rvps_extract(slice_str(text), NULL, 1700000000, &records, &e);

	if (r != want)
		fail_msg("%s: %d %s", text, r, e.text);
	json_decref(records);
}

static void test_rvps(void **state)
{
	/* {"a":["x"],"n":7} */
	static const char good[] =
		"{\"version\":\"0.1.0\",\"type\":\"sample\",\"payload\":\"eyJhIjpbIngiXSwibiI6N30=\"}";
	cleanup(rvps_snapshot_free) struct rvps_snapshot *s = NULL;
	json_t *records = NULL;
	bool expired;

	assert_int_equal(rvps_extract(slice_str(good), NULL, 1700000000, &records, NULL), 0);
	assert_int_equal(json_array_size(records), 2);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(records, 0), "expiration")),
		"2024-11-14T22:13:20Z");
	s = rvps_snapshot_new(records);
	json_decref(records);
	assert_int_equal(json_integer_value(rvps_query(s, "n", 1700000000, NULL)), 7);
	assert_null(rvps_query(s, "absent", 1700000000, &expired));
	assert_false(expired);
	/* The last second counts, the next does not. */
	assert_non_null(rvps_query(s, "n", 1731622399, &expired));
	assert_null(rvps_query(s, "n", 1731622400, &expired));
	assert_true(expired);

	for (size_t n = 0; n < strlen(good); n++) {
		json_t *none = NULL;

		assert_int_not_equal(rvps_extract(slice_of(good, n), NULL, 0, &none, NULL), 0);
	}
	rvps_case("{\"version\":\"0.2.0\",\"type\":\"sample\",\"payload\":\"e30=\"}", -EOPNOTSUPP);
	rvps_case("{\"type\":\"sample\",\"payload\":\"e30=\"}", 0);
	rvps_case("{\"type\":\"other\",\"payload\":\"e30=\"}", -EOPNOTSUPP);
	rvps_case("{\"payload\":\"e30=\"}", -EBADMSG);
	rvps_case("{\"type\":\"sample\",\"payload\":\"W10=\"}", -EBADMSG);
	rvps_case("{\"type\":\"sample\",\"payload\":\"%%\"}", -EBADMSG);
	rvps_case("{\"type\":\"sample\",\"payload\":\"e30=\",\"expiration\":"
		  "\"2020-01-01T00:00:00Z\"}",
		-ESTALE);
	rvps_case("{\"type\":\"sample\",\"payload\":\"e30=\",\"expiration\":\"soon\"}", -EBADMSG);
	rvps_case("[]", -EBADMSG);
}

static void test_tiers(void **state)
{
	static const struct {
		int claim;
		enum ear_tier tier;
	} rows[] = {
		{-128, EAR_CONTRAINDICATED},
		{-97, EAR_CONTRAINDICATED},
		{-96, EAR_WARNING},
		{-33, EAR_WARNING},
		{-32, EAR_AFFIRMING},
		{-2, EAR_AFFIRMING},
		{-1, EAR_NONE},
		{0, EAR_NONE},
		{1, EAR_NONE},
		{2, EAR_AFFIRMING},
		{31, EAR_AFFIRMING},
		{32, EAR_WARNING},
		{95, EAR_WARNING},
		{96, EAR_CONTRAINDICATED},
		{127, EAR_CONTRAINDICATED},
	};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		assert_int_equal(ear_tier_of(rows[i].claim), rows[i].tier);
}

static void test_vector(void **state)
{
	static const struct {
		const char *text;
		int want;
		enum ear_tier tier;
	} rows[] = {
		{"{\"executables\":3,\"hardware\":2}", 0, EAR_AFFIRMING},
		{"{\"executables\":3,\"hardware\":32}", 0, EAR_WARNING},
		{"{\"executables\":3,\"hardware\":97}", 0, EAR_CONTRAINDICATED},
		{"{}", -EBADMSG, EAR_NONE},
		{"{\"hardware\":258}", -EBADMSG, EAR_NONE},
		{"{\"hardware\":\"2\"}", -EBADMSG, EAR_NONE},
		{"{\"hardware\":2.0}", -EBADMSG, EAR_NONE},
		{"{\"firmware\":2}", -EBADMSG, EAR_NONE},
		{"[]", -EBADMSG, EAR_NONE},
	};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		json_t *v = json_loads(rows[i].text, 0, NULL);
		enum ear_tier tier = EAR_NONE;

		assert_int_equal(ear_vector_check(v, &tier, NULL), rows[i].want);
		assert_int_equal(tier, rows[i].tier);
		json_decref(v);
	}
}

static void test_ear(void **state)
{
	static const struct ear_issuer issuer = {"i", "d", "b", "p", 300};
	json_t *vector = json_pack("{s:i}", "hardware", 2);
	json_t *evidence = json_pack("{s:{}, s:{s:s, s:s}}", "tpm", "runtime_data_claims", "nonce",
		"n", "additional-evidence", "long");
	json_t *ext = json_pack(
		"[{s:s, s:i, s:{}}]", "name", "ear.trustee.identifiers", "key", -18, "value");
	json_t *twice = json_pack(
		"[{s:s, s:i, s:s}]", "name", "ear.status", "key", 1, "value", "affirming");
	json_t *submod = NULL, *submods, *claims = NULL;
	const json_t *kept;

	assert_int_equal(ear_submod(vector, EAR_AFFIRMING, ext, evidence, true, &submod, NULL), 0);
	assert_string_equal(json_string_value(json_object_get(submod, "ear.status")), "affirming");
	assert_non_null(json_object_get(submod, "ear.trustee.identifiers"));
	submods = json_pack("{s:o}", "cpu0", submod);
	assert_int_equal(ear_claims(&issuer, 1000, submods, &claims), 0);
	assert_int_equal(json_integer_value(json_object_get(claims, "exp")), 1300);
	json_decref(claims);
	json_decref(submods);
	/* A policy cannot overwrite the appraisal by an extension. */
	assert_int_equal(
		ear_submod(vector, EAR_WARNING, twice, evidence, true, &submod, NULL), -EBADMSG);
	/* Short tokens drop the device evidence, and the original keeps it. */
	assert_int_equal(ear_submod(vector, EAR_WARNING, NULL, evidence, false, &submod, NULL), 0);
	kept = json_object_get(
		json_object_get(submod, "ear.veraison.annotated-evidence"), "runtime_data_claims");
	assert_null(json_object_get(kept, "additional-evidence"));
	assert_non_null(json_object_get(kept, "nonce"));
	assert_non_null(json_object_get(
		json_object_get(evidence, "runtime_data_claims"), "additional-evidence"));
	json_decref(submod);
	json_decref(vector);
	json_decref(evidence);
	json_decref(ext);
	json_decref(twice);
	/* Nothing in husk ships an allow-all policy. */
	assert_true(as_default_policy("default_cpu").size > 0);
	assert_true(as_default_policy("resource-policy").size > 0);
	assert_int_equal(as_default_policy("other").size, 0);
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
		cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_attested_sessions_are_a_cache),
		cmocka_unit_test(test_ratelimit),
		cmocka_unit_test(test_auth_message),
		cmocka_unit_test(test_cookie_and_bearer),
		cmocka_unit_test(test_wire),
		cmocka_unit_test(test_errors_on_the_wire),
		cmocka_unit_test(test_pool),
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_rvps),
		cmocka_unit_test(test_tiers),
		cmocka_unit_test(test_vector),
		cmocka_unit_test(test_ear),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
