/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite in WAL mode, one process at a time. */
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "trustee/store/db_internal.h"

#define BUSY_TIMEOUT_MS 2000
#define STATEMENTS_MAX 32 /* kept for the next time; a guest's round takes about half of them */

struct sqlite {
	struct db db;
	sqlite3 *handle;
	char *wal;  /* owned path of the write-ahead log; NULL for a store in memory */
	int wal_fd; /* -1 until it is needed */
	bool broken;
	sqlite3_stmt *idle[STATEMENTS_MAX]; /* owned, compiled, without parameters; latest last */
	size_t idle_count;
};
struct sqlite_rows {
	struct db_rows rows;
	struct sqlite *sqlite;
	sqlite3_stmt *st;
};

static struct sqlite *own(const struct db *db)
{
	return (struct sqlite *)(uintptr_t)db;
}

static sqlite3_stmt *statement(const struct db_rows *rows)
{
	return ((const struct sqlite_rows *)(const void *)rows)->st;
}

static int code_of(int sqlite_code)
{
	switch (sqlite_code & 0xFF) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_CONSTRAINT:
		return -EEXIST;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_TOOBIG:
		return -E2BIG;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_CANTOPEN:
		return -EPERM;
	default:
		return -EIO;
	}
}

static int failed(struct sqlite *s, struct err *reterr)
{
	int code = code_of(sqlite3_extended_errcode(s->handle));

	return err_set(reterr, code ? code : -EIO, "store: %s", sqlite3_errmsg(s->handle));
}

static int sqlite_exec(struct db *db, const char *sql, struct err *reterr)
{
	if (sqlite3_exec(own(db)->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
		return failed(own(db), reterr);
	return 0;
}

/* $1 is a name to SQLite: its index is the order of appearance. */
static int bind_one(sqlite3_stmt *st, size_t number, const struct db_value *v)
{
	/* Binding NULL data would bind SQL's NULL. */
	const void *data = v->bytes.data ? (const void *)v->bytes.data : "";
	char name[32];
	int index;

	snprintf(name, sizeof(name), "$%zu", number);
	index = sqlite3_bind_parameter_index(st, name);
	if (index == 0)
		return SQLITE_RANGE;
	switch (v->type) {
	case DB_TYPE_INT:
		return sqlite3_bind_int64(st, index, v->number);
	case DB_TYPE_TEXT:
		return sqlite3_bind_text64(
			st, index, data, v->bytes.size, SQLITE_STATIC, SQLITE_UTF8);
	case DB_TYPE_BLOB:
		return sqlite3_bind_blob64(st, index, data, v->bytes.size, SQLITE_STATIC);
	}
	return SQLITE_MISUSE;
}

static sqlite3_stmt *forget(struct sqlite *s, size_t i)
{
	sqlite3_stmt *st = s->idle[i];

	s->idle_count--;
	memmove(s->idle + i, s->idle + i + 1, (s->idle_count - i) * sizeof(*s->idle));
	return st;
}

/* To compile a statement takes longer than most take to run. One in use is compiled again. */
static int take_statement(struct sqlite *s, const char *sql, sqlite3_stmt **ret)
{
	for (size_t i = s->idle_count; i-- > 0;) {
		if (streq(sqlite3_sql(s->idle[i]), sql)) {
			*ret = forget(s, i);
			return SQLITE_OK;
		}
	}
	return sqlite3_prepare_v3(s->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);
}

/* Parameters are the caller's memory and must not be looked at again. */
static void keep_statement(struct sqlite *s, sqlite3_stmt *st)
{
	(void)sqlite3_reset(st); /* tells again how the last step went */
	(void)sqlite3_clear_bindings(st);
	if (s->idle_count == STATEMENTS_MAX)
		(void)sqlite3_finalize(forget(s, 0));
	s->idle[s->idle_count++] = st;
}

static void sqlite_rows_free(struct db_rows *rows)
{
	if (statement(rows))
		keep_statement(((struct sqlite_rows *)(void *)rows)->sqlite, statement(rows));
	free(rows);
}

static int sqlite_query(struct db *db, const char *sql, const struct db_value *params, size_t count,
	struct db_rows **ret, struct err *reterr)
{
	struct sqlite_rows *rows = calloc(1, sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	rows->rows.ops = db->ops;
	rows->sqlite = own(db);
	if (take_statement(own(db), sql, &rows->st) != SQLITE_OK) {
		sqlite_rows_free(&rows->rows);
		return failed(own(db), reterr);
	}
	for (size_t i = 0; i < count; i++) {
		if (bind_one(rows->st, i + 1, &params[i]) != SQLITE_OK) {
			sqlite_rows_free(&rows->rows);
			return err_set(reterr, -EINVAL, "store: parameter %zu of %s", i + 1, sql);
		}
	}
	*ret = &rows->rows;
	return 0;
}

static int sqlite_next(struct db_rows *rows, struct err *reterr)
{
	int r = sqlite3_step(statement(rows));

	if (r == SQLITE_ROW)
		return 1;
	return r == SQLITE_DONE ? 0 : failed(((struct sqlite_rows *)(void *)rows)->sqlite, reterr);
}

static uint64_t sqlite_changed(const struct db_rows *rows)
{
	return (uint64_t)sqlite3_changes64(
		((const struct sqlite_rows *)(const void *)rows)->sqlite->handle);
}

static int64_t sqlite_int(const struct db_rows *rows, int column)
{
	return sqlite3_column_int64(statement(rows), column);
}

static const char *sqlite_text(const struct db_rows *rows, int column)
{
	const unsigned char *t = sqlite3_column_text(statement(rows), column);

	return t ? (const char *)t : "";
}

static struct slice sqlite_blob(const struct db_rows *rows, int column)
{
	const void *data = sqlite3_column_blob(statement(rows), column);

	return slice_of(data, (size_t)sqlite3_column_bytes(statement(rows), column));
}

static int sqlite_sync(struct db *db, struct err *reterr);

static int sqlite_begin(struct db *db, struct err *reterr)
{
	if (own(db)->broken)
		return sqlite_sync(db, reterr);
	return sqlite_exec(db, "BEGIN IMMEDIATE", reterr);
}

static bool sqlite_in_transaction(const struct db *db)
{
	return !sqlite3_get_autocommit(own(db)->handle);
}

static void sqlite_rollback(struct db *db)
{
	if (sqlite_in_transaction(db))
		(void)!sqlite_exec(db, "ROLLBACK", NULL);
}

static int sqlite_commit(struct db *db, struct err *reterr)
{
	int r = sqlite_exec(db, "COMMIT", reterr);

	/* Nothing of a failed commit may become visible or be acknowledged later. */
	if (r < 0)
		sqlite_rollback(db);
	return r;
}

/* The log stays the same file until the database is closed. */
static int sqlite_sync_fd(struct db *db)
{
	struct sqlite *s = own(db);

	if (s->wal && s->wal_fd < 0)
		s->wal_fd = open(s->wal, O_RDWR | O_CLOEXEC);
	return s->wal_fd;
}

static int sqlite_sync(struct db *db, struct err *reterr)
{
	struct sqlite *s = own(db);
	int fd = sqlite_sync_fd(db);

	if (!s->wal)
		return 0;
	if (!s->broken && (fd < 0 || fdatasync(fd) < 0))
		s->broken = true;
	/* The kernel forgets pages that it could not write: nothing that follows could be trusted. */
	return s->broken ? err_set(reterr, -EIO, "the disk of the store failed: restart the broker")
			 : 0;
}

static void sqlite_close(struct db *db)
{
	if (own(db)->wal_fd >= 0)
		close(own(db)->wal_fd);
	free(own(db)->wal);
	while (own(db)->idle_count > 0)
		(void)sqlite3_finalize(forget(own(db), 0));
	sqlite3_close(own(db)->handle);
	free(db);
}

static const struct db_ops g_sqlite = {
	.kind = DB_SQLITE,
	.close = sqlite_close,
	.exec = sqlite_exec,
	.query = sqlite_query,
	.begin = sqlite_begin,
	.commit = sqlite_commit,
	.sync = sqlite_sync,
	.sync_fd = sqlite_sync_fd,
	.rollback = sqlite_rollback,
	.in_transaction = sqlite_in_transaction,
	.next = sqlite_next,
	.changed = sqlite_changed,
	.rows_free = sqlite_rows_free,
	.as_int = sqlite_int,
	.as_text = sqlite_text,
	.as_blob = sqlite_blob,
};

static int set_pragmas(struct db *db, struct err *reterr)
{
	/* NORMAL syncs at checkpoints; commits are synced by db_sync(), many at a time.
	 * locking_mode=EXCLUSIVE before WAL keeps the WAL index in this process' memory: no -shm
	 * file, and a second process is refused instead of racing. */
	return sqlite_exec(db,
		"PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
		"PRAGMA foreign_keys=ON; PRAGMA secure_delete=ON; PRAGMA trusted_schema=OFF;"
		"PRAGMA temp_store=MEMORY; PRAGMA cache_size=-2048; PRAGMA wal_autocheckpoint=500;",
		reterr);
}

/* PostgreSQL has it; SQLite from 3.43. */
static void octet_length(sqlite3_context *call, int count, sqlite3_value **values)
{
	if (sqlite3_value_type(values[0]) == SQLITE_NULL)
		sqlite3_result_null(call);
	else
		sqlite3_result_int64(call, sqlite3_value_bytes(values[0]));
}

static int add_functions(struct sqlite *s, struct err *reterr)
{
	return sqlite3_create_function(s->handle, "octet_length", 1,
		       SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, NULL, octet_length,
		       NULL, NULL) == SQLITE_OK
		       ? 0
		       : failed(s, reterr);
}

int db_sqlite_open(const char *path, struct db **ret, struct err *reterr)
{
	struct sqlite *s;
	int r;

	/* Created by us first, so that no moment exists in which others may read it. */
	if (!streq(path, ":memory:")) {
		cleanup_fd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

		if (fd < 0)
			return err_set(reterr, -errno, "cannot open the store %s: %m", path);
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->db.ops = &g_sqlite;
	s->wal_fd = -1;
	if (!streq(path, ":memory:") && asprintf(&s->wal, "%s-wal", path) < 0) {
		free(s);
		return -ENOMEM;
	}
	if (sqlite3_open_v2(path, &s->handle,
		    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
		    NULL) != SQLITE_OK) {
		r = s->handle ? failed(s, reterr) : -ENOMEM;
		sqlite_close(&s->db);
		return r;
	}
	sqlite3_extended_result_codes(s->handle, 1);
	sqlite3_busy_timeout(s->handle, BUSY_TIMEOUT_MS);
	sqlite3_db_config(s->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	r = set_pragmas(&s->db, reterr);
	if (r == 0)
		r = add_functions(s, reterr);
	if (r < 0) {
		sqlite_close(&s->db);
		return r;
	}
	*ret = &s->db;
	return 0;
}
