/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded store: what is written is there, what failed left nothing, the log cannot be bent. */
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/str.h"
#include "trustee/store/store.h"

static const struct store_change g_by = {"admin", "127.0.0.1", 1700000000};

static struct store *open_memory(void)
{
	struct store *s = NULL;
	struct err e = {0};

	assert_int_equal(store_open(":memory:", &s, &e), 0);
	return s;
}

static char *temp_store(void)
{
	static char path[64];
	int fd;

	snprintf(path, sizeof(path), "/tmp/husk-store-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	unlink(path);
	return path;
}

static void remove_store(const char *path)
{
	char wal[96];

	snprintf(wal, sizeof(wal), "%s-wal", path);
	unlink(path);
	unlink(wal);
}

static void test_resource(void **state)
{
	cleanup(store_close) struct store *s = open_memory();
	cleanup_with(secret_done) struct secret got = {0};
	json_t *list = NULL;
	int64_t version;

	assert_int_equal(store_resource_get(s, "a/b/c", &got, NULL), -ENOENT);
	assert_int_equal(
		store_resource_put(s, &g_by, "a/b/c", SLICE_LIT("one"), false, &version, NULL), 0);
	assert_int_equal(version, 1);
	assert_int_equal(
		store_resource_put(s, &g_by, "a/b/c", SLICE_LIT("two"), false, &version, NULL),
		-EEXIST);
	assert_int_equal(
		store_resource_put(s, &g_by, "a/b/c", SLICE_LIT("two"), true, &version, NULL), 0);
	assert_int_equal(version, 2);
	assert_int_equal(store_resource_get(s, "a/b/c", &got, NULL), 0);
	assert_true(slice_eq_str(secret_slice(&got), "two"));
	assert_int_equal(store_resource_list(s, &list, NULL), 0);
	assert_int_equal(json_array_size(list), 1);
	assert_null(json_object_get(json_array_get(list, 0), "content"));
	json_decref(list);
	assert_int_equal(store_resource_delete(s, &g_by, "a/b/c", NULL), 0);
	assert_int_equal(store_resource_delete(s, &g_by, "a/b/c", NULL), -ENOENT);
	secret_done(&got);
	assert_int_equal(store_resource_get(s, "a/b/c", &got, NULL), -ENOENT);
}

static void test_resource_limits(void **state)
{
	cleanup(store_close) struct store *s = open_memory();
	cleanup_with(secret_done) struct secret got = {0};
	uint8_t *big = calloc(1, STORE_RESOURCE_MAX + 1);

	assert_non_null(big);
	assert_int_equal(store_resource_put(s, &g_by, "a/b/c",
				 slice_of(big, STORE_RESOURCE_MAX + 1), true, NULL, NULL),
		-E2BIG);
	assert_int_equal(store_resource_put(s, &g_by, "a/b/c", slice_of(big, STORE_RESOURCE_MAX),
				 true, NULL, NULL),
		0);
	free(big);
	/* An empty resource is a resource. */
	assert_int_equal(
		store_resource_put(s, &g_by, "a/b/empty", SLICE_EMPTY, true, NULL, NULL), 0);
	assert_int_equal(store_resource_get(s, "a/b/empty", &got, NULL), 0);
	assert_int_equal(got.size, 0);
}

static void test_policy_versions(void **state)
{
	cleanup(store_close) struct store *s = open_memory();
	cleanup_with(buf_done) struct buf text = buf_init(0);
	json_t *list = NULL;
	int64_t version;

	assert_int_equal(store_policy_set(s, &g_by, "p", SLICE_LIT("first"), &version, NULL), 0);
	assert_int_equal(store_policy_set(s, &g_by, "p", SLICE_LIT("second"), &version, NULL), 0);
	assert_int_equal(version, 2);
	assert_int_equal(store_policy_get(s, "p", 0, &text, &version, NULL), 0);
	assert_string_equal(buf_str(&text), "second");
	assert_int_equal(version, 2);
	buf_clear(&text);
	assert_int_equal(store_policy_get(s, "p", 1, &text, NULL, NULL), 0);
	assert_string_equal(buf_str(&text), "first");
	assert_int_equal(store_policy_get(s, "p", 3, &text, NULL, NULL), -ENOENT);
	assert_int_equal(store_policy_get(s, "q", 0, &text, NULL, NULL), -ENOENT);
	assert_int_equal(store_policy_list(s, &list, NULL), 0);
	assert_int_equal(json_array_size(list), 1);
	assert_int_equal(
		json_integer_value(json_object_get(json_array_get(list, 0), "version")), 2);
	json_decref(list);
}

static void test_reference_values(void **state)
{
	cleanup(store_close) struct store *s = open_memory();
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
	assert_int_equal(store_rv_list(s, &list, NULL), 0);
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(list, 0), "name")), "major");
	json_decref(list);
	assert_int_equal(store_rv_delete(s, &g_by, "pcr", NULL), 0);
	assert_int_equal(store_rv_delete(s, &g_by, "pcr", NULL), -ENOENT);
	json_decref(good);
	json_decref(bad);
}

static void test_verdicts_are_bounded(void **state)
{
	cleanup(store_close) struct store *s = open_memory();
	json_t *record = NULL, *list = NULL;
	char id[STORE_ID_SIZE];

	for (int i = 0; i < 300; i++) {
		snprintf(id, sizeof(id), "%032x", i);
		assert_int_equal(store_verdict_add(s, id, i, "attestation", "tpm", "refused",
					 "{\"reason\":\"x\"}", 64, NULL),
			0);
	}
	assert_int_equal(store_verdict_get(s, id, &record, NULL), 0);
	assert_string_equal(json_string_value(json_object_get(record, "reason")), "x");
	json_decref(record);
	snprintf(id, sizeof(id), "%032x", 0);
	assert_int_equal(store_verdict_get(s, id, &record, NULL), -ENOENT);
	assert_int_equal(store_verdict_list(s, 1000, &list, NULL), 0);
	assert_true(json_array_size(list) <= 64 + 64);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 0), "time")), 299);
	json_decref(list);
	/* A durable write in between takes the verdicts along, a failing one keeps them. */
	assert_int_equal(
		store_resource_put(s, &g_by, "a/b/c", SLICE_LIT("x"), false, NULL, NULL), 0);
	snprintf(id, sizeof(id), "%032x", 1000);
	assert_int_equal(store_verdict_add(s, id, 1, "resource", "", "refused", "{}", 64, NULL), 0);
	assert_int_equal(
		store_resource_put(s, &g_by, "a/b/c", SLICE_LIT("x"), false, NULL, NULL), -EEXIST);
	assert_int_equal(store_verdict_get(s, id, &record, NULL), 0);
	json_decref(record);
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
	assert_int_equal(
		store_resource_put(s, &g_by, "a/b/c", SLICE_LIT("x"), true, NULL, NULL), 0);
	/* One writer only. */
	assert_int_equal(store_open(path, &second, &e), -EBUSY);
	store_close(s);
	assert_int_equal(store_open(path, &s, &e), 0);
	assert_int_equal(store_resource_get(s, "a/b/c", &got, NULL), 0);
	assert_true(slice_eq_str(secret_slice(&got), "x"));
	store_close(s);
	remove_store(path);
}

static void run_sql(const char *path, const char *sql, int want)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, want);
	sqlite3_close(db);
}

static void test_audit(void **state)
{
	const char *path = temp_store();
	struct store *s = NULL;
	struct err e = {0};
	json_t *list = NULL;

	assert_int_equal(store_open(path, &s, &e), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(store_audit_add(s, &g_by, "test", "object", "detail", &e), 0);
	assert_int_equal(
		store_resource_put(s, &g_by, "a/b/c", SLICE_LIT("x"), true, NULL, NULL), 0);
	assert_int_equal(store_audit_list(s, 100, &list, NULL), 0);
	assert_int_equal(json_array_size(list), 6);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "action")),
		"resource.set");
	json_decref(list);
	assert_int_equal(store_audit_check(s, &e), 0);
	store_close(s);
	run_sql(path, "UPDATE audit SET actor = 'mallory' WHERE seq = 2", 0);
	run_sql(path, "DELETE FROM audit WHERE seq = 2", 0);
	/* Who removes the triggers is caught by the chain. */
	run_sql(path,
		"DROP TRIGGER audit_no_update; UPDATE audit SET actor = 'mallory' WHERE seq = 2",
		1);
	assert_int_equal(store_open(path, &s, &e), 0);
	assert_int_equal(store_audit_check(s, &e), -EKEYREJECTED);
	store_close(s);
	remove_store(path);
}

static void test_newer_schema_is_refused(void **state)
{
	const char *path = temp_store();
	struct store *s = NULL;
	struct err e = {0};

	assert_int_equal(store_open(path, &s, &e), 0);
	store_close(s);
	run_sql(path, "INSERT INTO migrations VALUES(999, 'future')", 1);
	assert_int_equal(store_open(path, &s, &e), -EOPNOTSUPP);
	remove_store(path);
	assert_int_equal(store_open("/nonexistent/husk.db", &s, &e), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resource),
		cmocka_unit_test(test_resource_limits),
		cmocka_unit_test(test_policy_versions),
		cmocka_unit_test(test_reference_values),
		cmocka_unit_test(test_verdicts_are_bounded),
		cmocka_unit_test(test_survives_reopening),
		cmocka_unit_test(test_audit),
		cmocka_unit_test(test_newer_schema_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
