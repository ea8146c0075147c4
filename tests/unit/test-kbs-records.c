/* SPDX-License-Identifier: Apache-2.0 */
/* What the store records, on both databases: verdicts and claims are bounded, the log cannot be bent,
 * older schemas are migrated. */
#include "store-world.h"

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

int main(void)
{
#define ON_BOTH                                                                                 \
	cmocka_unit_test(test_verdicts_are_bounded), cmocka_unit_test(test_claims_are_bounded), \
		cmocka_unit_test(test_claims_go_with_verdicts),                                 \
		cmocka_unit_test(test_claims_in_backup), cmocka_unit_test(test_audit_proofs)
	const struct CMUnitTest embedded[] = {
		ON_BOTH,
		cmocka_unit_test(test_audit),
		cmocka_unit_test(test_older_schema_is_migrated),
		cmocka_unit_test(test_newer_schema_is_refused),
	};
	const struct CMUnitTest scaled_out[] = {
		ON_BOTH,
	};
	int failed;

	log_setup("test-kbs-records", LOG_LEVEL_ERROR, false, 2);
	failed = cmocka_run_group_tests(embedded, NULL, NULL);
	if (has_postgres(&failed))
		failed += cmocka_run_group_tests(scaled_out, use_postgres, NULL);
	pg_server_remove(&g_postgres);
	return failed;
}
