/* SPDX-License-Identifier: Apache-2.0 */
/* The store on both databases: what is written is there, what failed left nothing, the log cannot be bent. */
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/log.h"
#include "base/str.h"
#include "support/postgres.h"
#include "trustee/store/store.h"

static const struct store_change g_by = {"admin", "127.0.0.1", 1700000000, ""};
static const struct store_change g_acme = {"acme-admin", "127.0.0.1", 1700000000, "acme"};

/* The tests that take their store from here run on both databases. */
static struct pg_server g_postgres;
static bool g_on_postgres;
static char g_database[32];

static struct store *open_store(void)
{
	struct store *s = NULL;
	struct err e = {0};
	int r;

	if (g_on_postgres) {
		struct db_postgres_options o;

		assert_int_equal(
			pg_server_database(&g_postgres, g_database, sizeof(g_database)), 0);
		o = pg_server_options(&g_postgres, g_database);
		r = store_open_postgres(&o, &s, &e);
	} else {
		r = store_open(":memory:", &s, &e);
	}
	if (r < 0)
		fail_msg("%s", e.text);
	return s;
}

static int put(struct store *s, const struct store_change *by, const char *key,
	struct slice content, bool overwrite, int64_t *version)
{
	const struct store_put p = {.content = content, .overwrite = overwrite, .type = "text/x"};

	return store_resource_put(s, by, key, &p, version, NULL);
}

static int get(struct store *s, const char *key, struct secret *ret)
{
	secret_done(ret);
	return store_resource_get(s, "", key, 0, ret, NULL, NULL);
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

static int add_verdict(struct store *s, const char *id, int64_t time, const char *record)
{
	const struct store_verdict v = {.tenant = "",
		.id = id,
		.kind = "attestation",
		.tee = "tpm",
		.status = "refused",
		.record = record,
		.time = time};

	const struct store_retention keep = {.verdicts = 64};

	return store_verdict_add(s, &v, &keep, NULL);
}

static void test_verdicts_are_bounded(void **state)
{
	cleanup(store_close) struct store *s = open_store();
	json_t *record = NULL, *list = NULL;
	char id[STORE_ID_SIZE];

	for (int i = 0; i < 300; i++) {
		snprintf(id, sizeof(id), "%032x", i);
		assert_int_equal(add_verdict(s, id, i, "{\"reason\":\"x\"}"), 0);
	}
	assert_int_equal(store_verdict_get(s, "", id, &record, NULL), 0);
	assert_string_equal(json_string_value(json_object_get(record, "reason")), "x");
	json_decref(record);
	snprintf(id, sizeof(id), "%032x", 0);
	assert_int_equal(store_verdict_get(s, "", id, &record, NULL), -ENOENT);
	assert_int_equal(store_verdict_list(s, "", 1000, &list, NULL), 0);
	assert_true(json_array_size(list) <= 64 + 64);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 0), "time")), 299);
	json_decref(list);
	/* A durable write in between takes the verdicts along, a failing one keeps them. */
	assert_int_equal(put(s, &g_by, "a/b/c", SLICE_LIT("x"), false, NULL), 0);
	snprintf(id, sizeof(id), "%032x", 1000);
	assert_int_equal(add_verdict(s, id, 1, "{}"), 0);
	assert_int_equal(put(s, &g_by, "a/b/c", SLICE_LIT("x"), false, NULL), -EEXIST);
	assert_int_equal(store_verdict_get(s, "", id, &record, NULL), 0);
	json_decref(record);
}

static int add_claims(struct store *s, const char *tenant, int number, const char *claims,
	struct slice evidence, int64_t bytes)
{
	char id[STORE_ID_SIZE];
	const struct store_retention keep = {.verdicts = 1000, .claims_bytes = bytes};
	const struct store_verdict v = {.tenant = tenant,
		.id = id,
		.kind = number % 2 ? "resource" : "attestation",
		.tee = "tpm",
		.status = "affirming",
		.record = "{}",
		.vector = number % 2 ? NULL : "{\"hardware\":2}",
		.claims = claims,
		.evidence = evidence,
		.time = number};

	snprintf(id, sizeof(id), "%032x", number);
	return store_verdict_add(s, &v, &keep, NULL);
}

static int find_claims(struct store *s, const char *tenant, int number)
{
	json_t *claims = NULL;
	char id[STORE_ID_SIZE];

	snprintf(id, sizeof(id), "%032x", number);
	int r = store_verdict_claims(s, tenant, id, &claims, NULL, NULL);
	json_decref(claims);
	return r;
}

static size_t count_claims(struct store *s, const char *tenant, const char *kind)
{
	json_t *list = NULL;

	assert_int_equal(store_verdict_with_claims(s, tenant, kind, 1000, &list, NULL), 0);
	size_t n = json_array_size(list);
	json_decref(list);
	return n;
}

static void test_claims_are_bounded(void **state)
{
	cleanup(store_close) struct store *s = open_store();
	cleanup_with(buf_done) struct buf evidence = buf_init(0);
	const struct store_quota quota = {0};
	const char id[] = "00000000000000000000000000000002";
	json_t *claims = NULL, *list = NULL;

	for (int i = 1; i <= 128; i++)
		assert_int_equal(
			add_claims(s, "", i, "{\"a\":[1]}", SLICE_LIT("0123456789"), 700), 0);
	/* 19 bytes each: the 37th began within them. The 128th verdict made room. */
	assert_int_equal(count_claims(s, "", NULL), 37);
	assert_int_equal(count_claims(s, "", "resource"), 18);
	assert_int_equal(find_claims(s, "", 92), 0);
	assert_int_equal(find_claims(s, "", 91), -ENOENT);
	assert_int_equal(store_verdict_list(s, "", 1000, &list, NULL), 0);
	assert_int_equal(json_array_size(list), 128);
	assert_int_equal(
		json_integer_value(json_object_get(json_array_get(list, 0), "claims")), 19);
	assert_int_equal(json_integer_value(json_object_get(
				 json_object_get(json_array_get(list, 0), "vector"), "hardware")),
		2);
	assert_null(json_object_get(json_array_get(list, 1), "vector"));
	assert_int_equal(
		json_integer_value(json_object_get(json_array_get(list, 127), "claims")), 0);
	json_decref(list);
	/* Of a tenant, and gone with it. */
	assert_int_equal(store_tenant_set(s, &g_by, "acme", &quota, NULL), 0);
	assert_int_equal(add_claims(s, "acme", 1000, "{\"b\":2}", SLICE_LIT("e"), 700), 0);
	assert_int_equal(find_claims(s, "", 1000), -ENOENT);
	assert_int_equal(store_verdict_claims(s, "acme", "000000000000000000000000000003e8",
				 &claims, &evidence, NULL),
		0);
	assert_int_equal(json_integer_value(json_object_get(claims, "b")), 2);
	assert_true(slice_eq_str(buf_slice(&evidence), "e"));
	json_decref(claims);
	assert_int_equal(store_tenant_delete(s, &g_by, "acme", NULL), 0);
	assert_int_equal(find_claims(s, "acme", 1000), -ENOENT);
	/* Without claims, or when none are to be kept, there are none. */
	assert_int_equal(add_claims(s, "", 2000, NULL, SLICE_LIT("e"), 700), 0);
	assert_int_equal(find_claims(s, "", 2000), -ENOENT);
	for (int i = 3000; i < 3064; i++)
		assert_int_equal(add_claims(s, "", i, "{}", SLICE_EMPTY, 0), 0);
	assert_int_equal(count_claims(s, "", NULL), 0);
	assert_int_equal(store_verdict_get(s, "", id, &list, NULL), 0);
	json_decref(list);
}

/* Verdicts that go take their claims along. */
static void test_claims_go_with_verdicts(void **state)
{
	cleanup(store_close) struct store *s = open_store();
	char id[STORE_ID_SIZE];

	assert_int_equal(add_claims(s, "", 1, "{}", SLICE_EMPTY, 1 << 20), 0);
	assert_int_equal(find_claims(s, "", 1), 0);
	for (int i = 2; i <= 128; i++) {
		const struct store_retention keep = {.verdicts = 64, .claims_bytes = 1 << 20};
		const struct store_verdict v = {.tenant = "",
			.id = id,
			.kind = "attestation",
			.tee = "tpm",
			.status = "refused",
			.record = "{}"};

		snprintf(id, sizeof(id), "%032x", i);
		assert_int_equal(store_verdict_add(s, &v, &keep, NULL), 0);
	}
	assert_int_equal(find_claims(s, "", 1), -ENOENT);
}

/* Also a backup of an older husk, whose verdicts had neither claims nor vectors. */
static void test_claims_in_backup(void **state)
{
	cleanup(store_close) struct store *s = open_store();
	json_t *doc = NULL, *list = NULL, *rows, *row;
	struct store *other;
	size_t i;

	assert_int_equal(add_claims(s, "", 2, "{\"a\":1}", SLICE_LIT("\x00\xffsaved"), 1 << 20), 0);
	assert_int_equal(store_backup(s, &g_by, &doc, NULL), 0);
	other = open_store();
	assert_int_equal(store_restore(other, &g_by, doc, NULL), 0);
	assert_int_equal(find_claims(other, "", 2), 0);
	assert_int_equal(add_claims(other, "", 4, "{\"a\":2}", SLICE_EMPTY, 1 << 20), 0);
	assert_int_equal(count_claims(other, "", NULL), 2);
	assert_int_equal(store_verdict_list(other, "", 10, &list, NULL), 0);
	assert_non_null(json_object_get(json_array_get(list, 1), "vector"));
	json_decref(list);
	store_close(other);

	json_object_set_new(doc, "husk-backup", json_integer(1));
	json_object_del(json_object_get(doc, "tables"), "verdict_claims");
	rows = json_object_get(json_object_get(doc, "tables"), "verdict");
	json_array_foreach (rows, i, row) {
		json_array_remove(row, 7);
	}
	other = open_store();
	assert_int_equal(store_restore(other, &g_by, doc, NULL), 0);
	assert_int_equal(find_claims(other, "", 2), -ENOENT);
	assert_int_equal(store_verdict_list(other, "", 10, &list, NULL), 0);
	assert_int_equal(json_array_size(list), 1);
	json_decref(list);
	store_close(other);

	json_object_set_new(doc, "husk-backup", json_integer(2));
	other = open_store();
	assert_int_equal(store_restore(other, &g_by, doc, NULL), -EBADMSG);
	json_object_set_new(doc, "husk-backup", json_integer(3));
	assert_int_equal(store_restore(other, &g_by, doc, NULL), -EBADMSG);
	store_close(other);
	json_decref(doc);
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
	assert_int_equal(put(s, &g_by, "a/b/c", SLICE_LIT("x"), true, NULL), 0);
	assert_int_equal(store_audit_list(s, "*", 0, 100, &list, NULL), 0);
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

/* A store of an older husk, whose verdicts had neither vectors nor claims. */
static void test_older_schema_is_migrated(void **state)
{
	const char *path = temp_store();
	struct store *s = NULL;
	json_t *list = NULL;

	assert_int_equal(store_open(path, &s, NULL), 0);
	store_close(s);
	run_sql(path,
		"DELETE FROM husk_schema WHERE version = 5; DROP TABLE verdict_claims;"
		"ALTER TABLE verdict DROP COLUMN vector;"
		"INSERT INTO verdict(tenant, id, time, kind, tee, status, record)"
		" VALUES('', 'old', 7, 'attestation', 'tpm', 'refused', '{\"reason\":\"x\"}')",
		1);
	assert_int_equal(store_open(path, &s, NULL), 0);
	assert_int_equal(store_verdict_list(s, "", 10, &list, NULL), 0);
	assert_int_equal(json_array_size(list), 1);
	json_decref(list);
	assert_int_equal(store_verdict_get(s, "", "old", &list, NULL), 0);
	json_decref(list);
	assert_int_equal(add_claims(s, "", 2, "{}", SLICE_EMPTY, 1 << 20), 0);
	assert_int_equal(find_claims(s, "", 2), 0);
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
	run_sql(path, "INSERT INTO husk_schema VALUES(999, 'future')", 1);
	assert_int_equal(store_open(path, &s, &e), -EOPNOTSUPP);
	remove_store(path);
	assert_int_equal(store_open("/nonexistent/husk.db", &s, &e), -ENOENT);
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

static void test_tenants(void **state)
{
	cleanup(store_close) struct store *s = open_store();
	const struct store_quota quota = {.resources = 2, .bytes = 10, .policies = 1};
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
	assert_int_equal(json_integer_value(json_object_get(
				 json_object_get(json_array_get(list, 0), "used"), "bytes")),
		10);
	json_decref(list);
	assert_int_equal(store_audit_list(s, "acme", 0, 100, &list, NULL), 0);
	assert_int_equal(json_array_size(list), 5);
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

/* Over two stored levels: 256 leaves make a node. */
static void test_audit_proofs(void **state)
{
	cleanup(store_close) struct store *s = open_store();
	uint8_t root[700][MERKLE_HASH_SIZE], leaf[MERKLE_HASH_SIZE];
	const unsigned last = g_on_postgres ? 300 : 700;
	uint64_t size = 0;

	for (unsigned i = 0; i < last; i++) {
		assert_int_equal(
			store_audit_note(s, &g_by, "resource.release", "a/b/c", "x", NULL), 0);
		assert_int_equal(store_audit_head(s, &size, root[i], NULL), 0);
		assert_int_equal(size, i + 1);
	}
	for (unsigned seq = 1; seq <= last; seq += 37) {
		cleanup_with(buf_done) struct buf path = buf_init(0);
		json_t *entry = NULL;

		assert_int_equal(store_audit_entry(s, seq, &entry, NULL), 0);
		json_object_del(entry, "leaf");
		assert_int_equal(store_audit_leaf(entry, leaf), 0);
		json_decref(entry);
		assert_int_equal(store_audit_inclusion(s, seq, last, &path, NULL), 0);
		assert_int_equal(merkle_inclusion_check(
					 seq - 1, last, leaf, buf_slice(&path), root[last - 1]),
			0);
		assert_int_equal(
			merkle_inclusion_check(seq, last, leaf, buf_slice(&path), root[last - 1]),
			-EKEYREJECTED);
		buf_clear(&path);
		assert_int_equal(store_audit_consistency(s, seq, last, &path, NULL), 0);
		assert_int_equal(merkle_consistency_check(seq, root[seq - 1], last, root[last - 1],
					 buf_slice(&path)),
			0);
		if (seq < last)
			assert_int_equal(merkle_consistency_check(seq, root[seq], last,
						 root[last - 1], buf_slice(&path)),
				-EKEYREJECTED);
	}
	assert_int_equal(store_audit_check(s, NULL), 0);
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

static int use_postgres(void **state)
{
	g_on_postgres = true;
	return 0;
}

int main(void)
{
#define ON_BOTH                                                                               \
	cmocka_unit_test(test_resource), cmocka_unit_test(test_resource_limits),              \
		cmocka_unit_test(test_policy_versions), cmocka_unit_test(test_policy_size),   \
		cmocka_unit_test(test_reference_values),                                      \
		cmocka_unit_test(test_verdicts_are_bounded), cmocka_unit_test(test_versions), \
		cmocka_unit_test(test_tenants), cmocka_unit_test(test_items),                 \
		cmocka_unit_test(test_claims_are_bounded),                                    \
		cmocka_unit_test(test_claims_go_with_verdicts),                               \
		cmocka_unit_test(test_claims_in_backup), cmocka_unit_test(test_audit_proofs)
	const struct CMUnitTest embedded[] = {
		ON_BOTH,
		cmocka_unit_test(test_survives_reopening),
		cmocka_unit_test(test_audit),
		cmocka_unit_test(test_older_schema_is_migrated),
		cmocka_unit_test(test_newer_schema_is_refused),
	};
	const struct CMUnitTest scaled_out[] = {
		ON_BOTH,
		cmocka_unit_test(test_shared_sessions),
		cmocka_unit_test(test_reconnects),
	};
	int failed, r;

	log_setup("test-kbs-store", LOG_LEVEL_ERROR, false, 2);
	failed = cmocka_run_group_tests(embedded, NULL, NULL);
	r = pg_server_start(&g_postgres);

	if (r == -ENOENT && !getenv("CI")) {
		print_message("PostgreSQL is not installed: its tests are skipped\n");
	} else if (r < 0) {
		print_error("PostgreSQL does not start: %s\n", strerror(-r));
		failed++;
	} else {
		failed += cmocka_run_group_tests(scaled_out, use_postgres, NULL);
	}
	pg_server_remove(&g_postgres);
	return failed;
}
