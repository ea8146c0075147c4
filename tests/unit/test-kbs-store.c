/* SPDX-License-Identifier: Apache-2.0 */
/* The store on both databases: what is written is there, what failed left nothing. */
#include "store-world.h"

static void test_resource(void **state)
{
	cleanup(store_close) struct store *s = open_store();
	cleanup_with(secret_done) struct secret got = {0};
	json_t *list = NULL;
	int64_t version;

	assert_int_equal(get(s, "a/b/c", &got), -ENOENT);
	assert_int_equal(put(s, &g_by, "a/b/c", SLICE_LIT("one"), false, &version), 0);
	assert_int_equal(version, 1);
	assert_int_equal(put(s, &g_by, "a/b/c", SLICE_LIT("two"), false, &version), -EEXIST);
	assert_int_equal(put(s, &g_by, "a/b/c", SLICE_LIT("two"), true, &version), 0);
	assert_int_equal(version, 2);
	assert_int_equal(get(s, "a/b/c", &got), 0);
	assert_true(slice_eq_str(secret_slice(&got), "two"));
	assert_int_equal(store_resource_list(s, "", "", &list, NULL), 0);
	assert_int_equal(json_array_size(list), 1);
	assert_null(json_object_get(json_array_get(list, 0), "content"));
	json_decref(list);
	assert_int_equal(store_resource_delete(s, &g_by, "a/b/c", 0, NULL), 0);
	assert_int_equal(store_resource_delete(s, &g_by, "a/b/c", 0, NULL), -ENOENT);
	secret_done(&got);
	assert_int_equal(get(s, "a/b/c", &got), -ENOENT);
}

static void test_resource_limits(void **state)
{
	cleanup(store_close) struct store *s = open_store();
	cleanup_with(secret_done) struct secret got = {0};
	uint8_t *big = calloc(1, STORE_RESOURCE_MAX + 1);

	assert_non_null(big);
	assert_int_equal(
		put(s, &g_by, "a/b/c", slice_of(big, STORE_RESOURCE_MAX + 1), true, NULL), -E2BIG);
	assert_int_equal(put(s, &g_by, "a/b/c", slice_of(big, STORE_RESOURCE_MAX), true, NULL), 0);
	free(big);
	/* An empty resource is a resource. */
	assert_int_equal(put(s, &g_by, "a/b/empty", SLICE_EMPTY, true, NULL), 0);
	assert_int_equal(get(s, "a/b/empty", &got), 0);
	assert_int_equal(got.size, 0);
}

static void test_policy_versions(void **state)
{
	cleanup(store_close) struct store *s = open_store();
	cleanup_with(buf_done) struct buf text = buf_init(0);
	json_t *list = NULL;
	int64_t version;

	assert_int_equal(store_policy_set(s, &g_by, "p", SLICE_LIT("first"), &version, NULL), 0);
	assert_int_equal(store_policy_set(s, &g_by, "p", SLICE_LIT("second"), &version, NULL), 0);
	assert_int_equal(version, 2);
	assert_int_equal(store_policy_get(s, "", "p", 0, &text, &version, NULL), 0);
	assert_string_equal(buf_str(&text), "second");
	assert_int_equal(version, 2);
	buf_clear(&text);
	assert_int_equal(store_policy_get(s, "", "p", 1, &text, NULL, NULL), 0);
	assert_string_equal(buf_str(&text), "first");
	assert_int_equal(store_policy_get(s, "", "p", 3, &text, NULL, NULL), -ENOENT);
	assert_int_equal(store_policy_get(s, "", "q", 0, &text, NULL, NULL), -ENOENT);
	assert_int_equal(store_policy_list(s, "", &list, NULL), 0);
	assert_int_equal(json_array_size(list), 1);
	assert_int_equal(
		json_integer_value(json_object_get(json_array_get(list, 0), "version")), 2);
	json_decref(list);
}

static int64_t listed_size(int r, json_t *list)
{
	json_int_t size = json_integer_value(json_object_get(json_array_get(list, 0), "size"));

	assert_int_equal(r, 0);
	assert_int_equal(json_array_size(list), 1);
	json_decref(list);
	return size;
}

/* The limit is one of bytes, so that is what lists count, whatever the text is written in. */
static void test_policy_size(void **state)
{
	static const char text[] = "# pr\xC3\xBC"
				   "fe \xE2\x82\xAC \xF0\x9F\x94\x91";
	cleanup(store_close) struct store *s = open_store();
	json_t *list = NULL;
	int r;

	assert_int_equal(store_policy_set(s, &g_by, "p", slice_str(text), NULL, NULL), 0);
	r = store_policy_list(s, "", &list, NULL);
	assert_int_equal(listed_size(r, list), sizeof(text) - 1);
	r = store_policy_history(s, "", "p", &list, NULL);
	assert_int_equal(listed_size(r, list), sizeof(text) - 1);
}

static void test_reference_values(void **state)
{
	cleanup(store_close) struct store *s = open_store();
	json_t *good = json_pack("[{s:s,s:s,s:s,s:[s]},{s:s,s:s,s:s,s:i}]", "version", "0.1.0",
		"name", "pcr", "expiration", "2030-01-01T00:00:00Z", "value", "aa", "version",
		"0.1.0", "name", "major", "expiration", "2030-01-01T00:00:00Z", "value", 7);
	json_t *bad = json_pack("[{s:s,s:s,s:s,s:i},{s:s,s:s,s:s,s:i}]", "version", "0.1.0", "name",
		"fine", "expiration", "2030-01-01T00:00:00Z", "value", 1, "version", "0.1.0",
		"name", "broken", "expiration", "tomorrow", "value", 1);
	json_t *list = NULL;

	assert_int_equal(store_rv_put(s, &g_by, good, NULL), 0);
	/* All or nothing: the good record before the bad one must not stay. */
	assert_int_equal(store_rv_put(s, &g_by, bad, NULL), -EINVAL);
	assert_int_equal(store_rv_list(s, "", &list, NULL), 0);
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(list, 0), "name")), "major");
	json_decref(list);
	assert_int_equal(store_rv_delete(s, &g_by, "pcr", NULL), 0);
	assert_int_equal(store_rv_delete(s, &g_by, "pcr", NULL), -ENOENT);
	json_decref(good);
	json_decref(bad);
}

static void test_survives_reopening(void **state)
{
	const char *path = temp_store();
	cleanup_with(secret_done) struct secret got = {0};
	struct store *s = NULL, *second = NULL;
	struct err e = {0};
	struct stat st;

	assert_int_equal(store_open(path, &s, &e), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 077, 0);
	assert_int_equal(put(s, &g_by, "a/b/c", SLICE_LIT("x"), true, NULL), 0);
	/* One writer only. */
	assert_int_equal(store_open(path, &second, &e), -EBUSY);
	store_close(s);
	assert_int_equal(store_open(path, &s, &e), 0);
	assert_int_equal(get(s, "a/b/c", &got), 0);
	assert_true(slice_eq_str(secret_slice(&got), "x"));
	store_close(s);
	remove_store(path);
}

static void test_versions(void **state)
{
	cleanup(store_close) struct store *s = open_store();
	cleanup_with(secret_done) struct secret got = {0};
	struct store_put p = {.content = SLICE_LIT("one"), .overwrite = true, .keep = 2};
	struct store_resource info = {0};
	json_t *list = NULL;
	int64_t version = 0;

	for (int i = 0; i < 3; i++)
		assert_int_equal(store_resource_put(s, &g_by, "a/b/c", &p, &version, NULL), 0);
	assert_int_equal(version, 3);
	/* Two are kept, the first is overwritten. */
	assert_int_equal(store_resource_get(s, "", "a/b/c", 1, &got, NULL, NULL), -ENOENT);
	assert_int_equal(store_resource_get(s, "", "a/b/c", 2, &got, &info, NULL), 0);
	assert_int_equal(info.version, 2);
	p.if_version = 2;
	assert_int_equal(store_resource_put(s, &g_by, "a/b/c", &p, &version, NULL), -ESTALE);
	p.if_version = 3;
	p.type = "application/x-key";
	assert_int_equal(store_resource_put(s, &g_by, "a/b/c", &p, &version, NULL), 0);
	secret_done(&got);
	assert_int_equal(store_resource_get(s, "", "a/b/c", 0, &got, &info, NULL), 0);
	assert_string_equal(info.type, "application/x-key");
	assert_int_equal(store_resource_delete(s, &g_by, "a/b/c", 3, NULL), -ESTALE);
	assert_int_equal(store_resource_delete(s, &g_by, "a/b/c", 4, NULL), 0);
	assert_int_equal(store_resource_history(s, "", "a/b/c", &list, NULL), 0);
	assert_int_equal(json_array_size(list), 4);
	assert_false(json_is_true(json_object_get(json_array_get(list, 0), "kept")));
	json_decref(list);
	/* What must be there, is. */
	p.if_version = 0;
	p.must_exist = true;
	assert_int_equal(store_resource_put(s, &g_by, "a/b/absent", &p, NULL, NULL), -ESTALE);
	assert_int_equal(store_resource_history(s, "", "a/b/absent", &list, NULL), -ENOENT);
	p.must_exist = false;
	/* A number, and with it an ETag, is never used twice. */
	p.if_version = 0;
	assert_int_equal(store_resource_put(s, &g_by, "a/b/c", &p, &version, NULL), 0);
	assert_int_equal(version, 5);
	assert_int_equal(store_resource_history(s, "", "a/b/x", &list, NULL), -ENOENT);
	assert_int_equal(store_resource_list(s, "", "a/b/", &list, NULL), 0);
	assert_int_equal(json_array_size(list), 1);
	json_decref(list);
	assert_int_equal(store_resource_list(s, "", "b", &list, NULL), 0);
	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
}

static int64_t used(const json_t *list, const char *what)
{
	return json_integer_value(
		json_object_get(json_object_get(json_array_get(list, 0), "used"), what));
}

static void expect_used(
	const json_t *list, int64_t resources, int64_t bytes, int64_t policies, int64_t values)
{
	assert_int_equal(used(list, "resources"), resources);
	assert_int_equal(used(list, "bytes"), bytes);
	assert_int_equal(used(list, "policies"), policies);
	assert_int_equal(used(list, "reference_values"), values);
}

/* Not all that was ever written, or whoever may write could fill the disk. */
static void test_policy_versions_are_bounded(void **state)
{
	cleanup(store_close) struct store *s = open_store();
	cleanup_with(buf_done) struct buf text = buf_init(0);
	json_t *list = NULL;
	int64_t version = 0;

	assert_int_equal(store_policy_set(s, &g_by, "q", SLICE_LIT("other"), NULL, NULL), 0);
	for (int i = 0; i < STORE_POLICY_VERSIONS + 5; i++)
		assert_int_equal(
			store_policy_set(s, &g_by, "p", SLICE_LIT("x"), &version, NULL), 0);
	assert_int_equal(version, STORE_POLICY_VERSIONS + 5);
	assert_int_equal(store_policy_history(s, "", "p", &list, NULL), 0);
	assert_int_equal(json_array_size(list), STORE_POLICY_VERSIONS);
	json_decref(list);
	assert_int_equal(store_policy_get(s, "", "p", 5, &text, NULL, NULL), -ENOENT);
	assert_int_equal(store_policy_get(s, "", "p", 6, &text, NULL, NULL), 0);
	assert_int_equal(store_policy_get(s, "", "q", 0, &text, NULL, NULL), 0);
}

static void test_tenants(void **state)
{
	cleanup(store_close) struct store *s = open_store();
	const struct store_quota quota = {
		.resources = 2, .bytes = 10, .policies = 1, .reference_values = 1};
	struct store_put keep = {
		.content = SLICE_LIT("1234"), .overwrite = true, .type = "", .keep = 2};
	cleanup_with(secret_done) struct secret got = {0};
	cleanup_with(buf_done) struct buf text = buf_init(0);
	json_t *list = NULL;
	int64_t before = 0, after = 0;

	assert_int_equal(put(s, &g_acme, "a/b/c", SLICE_LIT("x"), true, NULL), -ENOENT);
	assert_int_equal(store_tenant_set(s, &g_by, "Acme", &quota, NULL), -EINVAL);
	assert_int_equal(store_generation(s, &before, NULL), 0);
	assert_int_equal(store_tenant_set(s, &g_by, "acme", &quota, NULL), 0);
	assert_int_equal(store_generation(s, &after, NULL), 0);
	assert_int_not_equal(before, after);
	/* The same names, other things. */
	assert_int_equal(put(s, &g_by, "a/b/c", SLICE_LIT("ours"), true, NULL), 0);
	assert_int_equal(put(s, &g_acme, "a/b/c", SLICE_LIT("theirs"), true, NULL), 0);
	assert_int_equal(get(s, "a/b/c", &got), 0);
	assert_true(slice_eq_str(secret_slice(&got), "ours"));
	assert_int_equal(put(s, &g_acme, "a/b/d", SLICE_LIT("12345"), true, NULL), -EDQUOT);
	assert_int_equal(put(s, &g_acme, "a/b/d", SLICE_LIT("1234"), true, NULL), 0);
	assert_int_equal(put(s, &g_acme, "a/b/e", SLICE_EMPTY, true, NULL), -EDQUOT);
	assert_int_equal(put(s, &g_acme, "a/b/c", SLICE_LIT("123456"), true, NULL), 0);
	assert_int_equal(store_policy_set(s, &g_acme, "p", SLICE_LIT("1"), NULL, NULL), 0);
	assert_int_equal(store_policy_set(s, &g_acme, "p", SLICE_LIT("2"), NULL, NULL), 0);
	assert_int_equal(store_policy_set(s, &g_acme, "q", SLICE_LIT("1"), NULL, NULL), -EDQUOT);
	assert_int_equal(store_policy_get(s, "", "p", 0, &text, NULL, NULL), -ENOENT);
	assert_int_equal(store_tenant_list(s, &list, NULL), 0);
	expect_used(list, 2, 10, 1, 0);
	json_decref(list);
	assert_int_equal(store_audit_list(s, "acme", 0, 100, &list, NULL), 0);
	assert_int_equal(json_array_size(list), 5);
	json_decref(list);
	/* Versions whose content is kept count, those that go with this write do not. */
	assert_int_equal(put(s, &g_acme, "a/b/c", SLICE_EMPTY, true, NULL), 0);
	assert_int_equal(put(s, &g_acme, "a/b/d", SLICE_EMPTY, true, NULL), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(store_resource_put(s, &g_acme, "a/b/d", &keep, NULL, NULL), 0);
	keep.content = SLICE_LIT("1234567");
	assert_int_equal(store_resource_put(s, &g_acme, "a/b/d", &keep, NULL, NULL), -EDQUOT);
	keep.keep = 100;
	keep.content = SLICE_LIT("123");
	assert_int_equal(store_resource_put(s, &g_acme, "a/b/d", &keep, NULL, NULL), -EDQUOT);
	keep.content = SLICE_LIT("12");
	assert_int_equal(store_resource_put(s, &g_acme, "a/b/d", &keep, NULL, NULL), 0);
	assert_int_equal(store_tenant_list(s, &list, NULL), 0);
	expect_used(list, 2, 10, 1, 0);
	json_decref(list);
	assert_int_equal(store_tenant_delete(s, &g_by, "acme", NULL), 0);
	assert_int_equal(store_tenant_delete(s, &g_by, "acme", NULL), -ENOENT);
	secret_done(&got);
	assert_int_equal(store_resource_get(s, "acme", "a/b/c", 0, &got, NULL, NULL), -ENOENT);
	assert_int_equal(get(s, "a/b/c", &got), 0);
}

static int add_item(struct store *s, const struct store_change *by, const char *plugin,
	const char *key, const char *text)
{
	return store_item_add(s, by, plugin, key, slice_str(text), "test.add", NULL);
}

static void expect_item(struct store *s, const char *tenant, const char *key, const char *want)
{
	cleanup_with(secret_done) struct secret got = {0};
	int r = store_item_get(s, tenant, "one", key, &got, NULL);

	assert_int_equal(r, want ? 0 : -ENOENT);
	if (want)
		assert_true(slice_eq_str(secret_slice(&got), want));
}

/* What plugins keep: namespaces and tenants apart, never overwritten, counted, in backups. */
static void test_items(void **state)
{
	cleanup(store_close) struct store *s = open_store();
	cleanup(store_close) struct store *copy = NULL;
	const struct store_quota quota = {.resources = 2, .bytes = 10};
	json_t *doc = NULL;

	assert_int_equal(add_item(s, &g_by, "one", "k", "first"), 0);
	assert_int_equal(add_item(s, &g_by, "one", "k", "second"), -EEXIST);
	assert_int_equal(add_item(s, &g_by, "two", "k", "other"), 0);
	assert_int_equal(add_item(s, &g_acme, "one", "k", "x"), -ENOENT);
	assert_int_equal(store_tenant_set(s, &g_by, "acme", &quota, NULL), 0);
	assert_int_equal(add_item(s, &g_acme, "one", "k", "acme's"), 0);
	assert_int_equal(add_item(s, &g_acme, "one", "l", "12345"), -EDQUOT);
	assert_int_equal(put(s, &g_acme, "a/b/c", SLICE_LIT("12345"), true, NULL), -EDQUOT);
	assert_int_equal(put(s, &g_acme, "a/b/c", SLICE_LIT("1"), true, NULL), 0);
	assert_int_equal(add_item(s, &g_acme, "one", "l", ""), -EDQUOT);
	expect_item(s, "", "k", "first");
	expect_item(s, "acme", "k", "acme's");
	expect_item(s, "", "l", NULL);
	if (!g_on_postgres) {
		assert_int_equal(store_backup(s, &g_by, &doc, NULL), 0);
		assert_int_equal(store_open(":memory:", &copy, NULL), 0);
		assert_int_equal(store_restore(copy, &g_by, doc, NULL), 0);
		expect_item(copy, "acme", "k", "acme's");
		store_close(steal_ptr(copy));
		/* A backup of before there were plugins. */
		json_object_del(json_object_get(doc, "tables"), "plugin_item");
		assert_int_equal(store_open(":memory:", &copy, NULL), 0);
		assert_int_equal(store_restore(copy, &g_by, doc, NULL), 0);
		expect_item(copy, "", "k", NULL);
		json_decref(doc);
	}
	assert_int_equal(store_item_delete(s, &g_by, "one", "k", "test.delete", NULL), 0);
	assert_int_equal(store_item_delete(s, &g_by, "one", "k", "test.delete", NULL), -ENOENT);
	expect_item(s, "", "k", NULL);
	expect_item(s, "acme", "k", "acme's");
	assert_int_equal(store_tenant_delete(s, &g_by, "acme", NULL), 0);
	expect_item(s, "acme", "k", NULL);
	assert_int_equal(add_item(s, &g_by, "one", "k", "again"), 0);
}

static void test_shared_sessions(void **state)
{
	struct store *s = NULL, *other = NULL;
	struct db_postgres_options o;
	struct store_session n = {.tenant = "", .nonce = "n", .tee = "snp", .expires = 1000};
	struct store_session a = {0}, b = {0};
	const uint8_t digest[32] = {1};

	if (!g_on_postgres)
		return;
	s = open_store();
	o = pg_server_options(&g_postgres, g_database);
	assert_int_equal(store_open_postgres(&o, &other, NULL), 0);
	assert_true(store_shared(s));
	snprintf(n.id, sizeof(n.id), "%032x", 7);
	assert_int_equal(store_session_new(s, &n, NULL), 0);
	assert_int_equal(store_session_new(other, &n, NULL), -EEXIST);
	assert_int_equal(store_session_take(other, n.id, "acme", 5, &a, NULL), -ENOENT);
	/* One of two gets the nonce. */
	assert_int_equal(store_session_take(other, n.id, "", 5, &a, NULL), 0);
	assert_int_equal(store_session_take(s, n.id, "", 5, &b, NULL), 0);
	assert_int_equal(a.state, STORE_SESSION_PENDING);
	assert_int_equal(b.state, STORE_SESSION_BUSY);
	free(a.token);
	free(b.token);
	assert_int_equal(store_session_attested(other, n.id, digest, "token", NULL), 0);
	assert_int_equal(store_session_attested(s, n.id, digest, "token", NULL), -ENOENT);
	assert_int_equal(store_session_read(s, n.id, "", 5, &a, NULL), 0);
	assert_int_equal(a.state, STORE_SESSION_ATTESTED);
	assert_string_equal(a.token, "token");
	assert_memory_equal(a.digest, digest, 32);
	free(a.token);
	assert_int_equal(store_session_read(s, n.id, "", 1000, &a, NULL), -ESTALE);
	assert_int_equal(store_session_expire(s, 1000, NULL), 0);
	assert_int_equal(store_session_read(s, n.id, "", 5, &a, NULL), -ENOENT);
	store_close(s);
	store_close(other);
}

/* Errors while the server is away, by themselves good again afterwards. */
static void test_reconnects(void **state)
{
	cleanup(store_close) struct store *s = NULL;
	cleanup_with(secret_done) struct secret got = {0};
	int r = -EIO;

	if (!g_on_postgres)
		return;
	s = open_store();
	assert_int_equal(put(s, &g_by, "a/b/c", SLICE_LIT("kept"), true, NULL), 0);
	pg_server_kill(&g_postgres);
	/* Its children live on until they notice: both connections fail in the end. */
	for (int i = 0; i < 200 && (r = put(s, &g_by, "a/b/d", SLICE_LIT("x"), true, NULL)) == 0;
		i++)
		usleep(50000);
	assert_true(r == -EPIPE || r == -EAGAIN);
	for (int i = 0; i < 200 && store_ready(s) == 0; i++)
		usleep(50000);
	assert_int_not_equal(store_ready(s), 0);
	assert_int_equal(pg_server_start(&g_postgres), 0);
	for (int i = 0; i < 200 && store_ready(s) < 0; i++)
		usleep(50000);
	for (int i = 0; i < 200 && (r = get(s, "a/b/c", &got)) < 0; i++)
		usleep(50000);
	assert_int_equal(r, 0);
	assert_true(slice_eq_str(secret_slice(&got), "kept"));
	assert_int_equal(put(s, &g_by, "a/b/d", SLICE_LIT("x"), true, NULL), 0);
	assert_int_equal(store_audit_check(s, NULL), 0);
}

int main(void)
{
#define ON_BOTH                                                                             \
	cmocka_unit_test(test_resource), cmocka_unit_test(test_resource_limits),            \
		cmocka_unit_test(test_policy_versions), cmocka_unit_test(test_policy_size), \
		cmocka_unit_test(test_reference_values), cmocka_unit_test(test_versions),   \
		cmocka_unit_test(test_tenants), cmocka_unit_test(test_items),               \
		cmocka_unit_test(test_policy_versions_are_bounded)
	const struct CMUnitTest embedded[] = {
		ON_BOTH,
		cmocka_unit_test(test_survives_reopening),
	};
	const struct CMUnitTest scaled_out[] = {
		ON_BOTH,
		cmocka_unit_test(test_shared_sessions),
		cmocka_unit_test(test_reconnects),
	};
	int failed;

	log_setup("test-kbs-store", LOG_LEVEL_ERROR, false, 2);
	failed = cmocka_run_group_tests(embedded, NULL, NULL);
	if (has_postgres(&failed))
		failed += cmocka_run_group_tests(scaled_out, use_postgres, NULL);
	pg_server_remove(&g_postgres);
	return failed;
}
