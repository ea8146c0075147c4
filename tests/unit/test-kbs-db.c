/* SPDX-License-Identifier: Apache-2.0 */
/* A connection to SQLite keeps compiled statements: none remembers what it was used for before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/str.h"
#include "trustee/store/db.h"

static struct db *open_db(void)
{
	struct db *db = NULL;

	assert_int_equal(db_sqlite_open(":memory:", &db, NULL), 0);
	assert_int_equal(
		db_exec(db,
			"CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT UNIQUE);"
			"INSERT INTO t(id, name) VALUES(1, 'one'), (2, 'two'), (3, 'three')",
			NULL),
		0);
	return db;
}

static int64_t one_int(struct db *db, const char *sql, const struct db_value *params, size_t count)
{
	cleanup(db_rows_free) struct db_rows *rows = NULL;

	assert_int_equal(db_query(db, sql, params, count, &rows, NULL), 0);
	assert_int_equal(db_next(rows, NULL), 1);
	return db_int(rows, 0);
}

/* Dropped halfway, used again from its start; and twice at the same time. */
static void test_again(void **state)
{
	cleanup(db_close) struct db *db = open_db();
	static const char sql[] = "SELECT id FROM t WHERE id >= $1 ORDER BY id";

	for (int64_t from = 1; from <= 3; from++)
		assert_int_equal(one_int(db, sql, DB_WITH(DB_INT(from))), from);

	struct db_rows *outer = NULL;
	assert_int_equal(db_query(db, sql, DB_WITH(DB_INT(1)), &outer, NULL), 0);
	for (int64_t id = 1; id <= 3; id++) {
		assert_int_equal(db_next(outer, NULL), 1);
		assert_int_equal(db_int(outer, 0), id);
		assert_int_equal(one_int(db, sql, DB_WITH(DB_INT(4 - id))), 4 - id);
	}
	assert_int_equal(db_next(outer, NULL), 0);
	db_rows_free(outer);
	assert_int_equal(one_int(db, sql, DB_WITH(DB_INT(3))), 3);
}

/* Text is borrowed from the caller: ASan sees who looks at it later. */
static void test_parameters_are_forgotten(void **state)
{
	cleanup(db_close) struct db *db = open_db();
	static const char sql[] = "SELECT $1 IS NULL";
	char *name = strdup("borrowed");

	assert_non_null(name);
	assert_int_equal(one_int(db, sql, DB_WITH(DB_TEXT(name))), 0);
	free(name);
	assert_int_equal(one_int(db, sql, DB_NOTHING), 1);
}

static void test_after_failure(void **state)
{
	cleanup(db_close) struct db *db = open_db();
	static const char sql[] = "INSERT INTO t(name) VALUES($1)";
	uint64_t changed = 0;

	for (size_t i = 0; i < 3; i++)
		assert_int_equal(db_run(db, sql, DB_WITH(DB_TEXT("two")), &changed, NULL), -EEXIST);
	assert_int_equal(db_run(db, sql, DB_WITH(DB_TEXT("four")), &changed, NULL), 0);
	assert_int_equal(changed, 1);
	assert_int_equal(db_run(db, sql, DB_WITH(DB_TEXT("four")), &changed, NULL), -EEXIST);
	assert_int_equal(one_int(db, "SELECT count(*) FROM t", DB_NOTHING), 4);
	struct db_rows *rows = NULL;
	assert_int_equal(db_query(db, "SELECT FROM", DB_NOTHING, &rows, NULL), -EIO);
	assert_int_equal(db_query(db, sql, DB_WITH(DB_INT(1), DB_INT(2)), &rows, NULL), -EINVAL);
	assert_null(rows);
	assert_int_equal(db_run(db, sql, DB_WITH(DB_TEXT("five")), NULL, NULL), 0);
}

/* No idle statement keeps a transaction open, and a rolled-back one is not seen by the next. */
static void test_transactions(void **state)
{
	cleanup(db_close) struct db *db = open_db();
	static const char insert[] = "INSERT INTO t(name) VALUES($1)",
			  count[] = "SELECT count(*) FROM t";

	for (int64_t i = 0; i < 3; i++) {
		char name[16];
		snprintf(name, sizeof(name), "n%d", (int)i);
		assert_int_equal(db_begin(db, NULL), 0);
		assert_int_equal(db_run(db, insert, DB_WITH(DB_TEXT(name)), NULL, NULL), 0);
		assert_int_equal(one_int(db, count, DB_NOTHING), 4 + i);
		db_rollback(db);
		assert_int_equal(one_int(db, count, DB_NOTHING), 3 + i);
		assert_int_equal(db_begin(db, NULL), 0);
		assert_int_equal(db_run(db, insert, DB_WITH(DB_TEXT(name)), NULL, NULL), 0);
		assert_int_equal(db_commit(db, NULL), 0);
		assert_false(db_in_transaction(db));
	}
}

static void test_schema_changes(void **state)
{
	cleanup(db_close) struct db *db = open_db();
	static const char sql[] = "SELECT * FROM t WHERE id = 2";

	assert_int_equal(one_int(db, sql, DB_NOTHING), 2);
	assert_int_equal(db_exec(db, "ALTER TABLE t ADD COLUMN more INTEGER DEFAULT 77", NULL), 0);
	struct db_rows *rows = NULL;
	assert_int_equal(db_query(db, sql, DB_NOTHING, &rows, NULL), 0);
	assert_int_equal(db_next(rows, NULL), 1);
	assert_int_equal(db_int(rows, 2), 77);
	db_rows_free(rows);
	assert_int_equal(db_exec(db, "DROP TABLE t", NULL), 0);
	assert_int_equal(db_query(db, sql, DB_NOTHING, &rows, NULL), 0);
	assert_int_equal(db_next(rows, NULL), -EIO);
	db_rows_free(rows);
}

/* More statements than are kept, each several times. */
static void test_many(void **state)
{
	cleanup(db_close) struct db *db = open_db();
	char sql[64];

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 100; i++) {
			snprintf(sql, sizeof(sql), "SELECT id + %d FROM t WHERE id = $1", i);
			assert_int_equal(
				one_int(db, sql, DB_WITH(DB_INT(round + 1))), round + 1 + i);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_parameters_are_forgotten),
		cmocka_unit_test(test_after_failure),
		cmocka_unit_test(test_transactions),
		cmocka_unit_test(test_schema_changes),
		cmocka_unit_test(test_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
