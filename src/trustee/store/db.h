/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A connection to a database, SQLite or PostgreSQL, with what the store needs of both: one dialect
 * of SQL with $1, $2... for parameters, statements, rows and transactions.
 *
 *  - A lost PostgreSQL connection fails the call at hand with -EPIPE. The next call outside a
 *    transaction connects again, not more often than the back-off allows (-EAGAIN until then). A
 *    transaction never goes on over another connection.
 *  - Every call is bounded in time: nothing waits longer than the statement timeout.
 */
#include "base/buf.h"
#include "base/err.h"

struct db;
struct db_rows;

enum db_kind { DB_SQLITE, DB_POSTGRES };
enum db_type { DB_TYPE_INT, DB_TYPE_TEXT, DB_TYPE_BLOB };

struct db_value {
	enum db_type type;
	int64_t number;
	struct slice bytes;
};

#define DB_INT(v)                                           \
	{                                                   \
		.type = DB_TYPE_INT, .number = (int64_t)(v) \
	}
#define DB_TEXT(s)                                          \
	{                                                   \
		.type = DB_TYPE_TEXT, .bytes = slice_str(s) \
	}
#define DB_BYTES(t, s)                  \
	{                               \
		.type = t, .bytes = (s) \
	}
/* Arguments params and count of db_query() and db_run(). */
#define DB_WITH(...)                            \
	(const struct db_value[]){__VA_ARGS__}, \
		sizeof((const struct db_value[]){__VA_ARGS__}) / sizeof(struct db_value)
#define DB_NOTHING NULL, 0

/** db_sqlite_open() - a file, or ":memory:"; locked against every other process */
must_check int db_sqlite_open(const char *path, struct db **ret, struct err *reterr);

/**
 * struct db_postgres_options
 * @host: name, literal address, or absolute path of the folder of the server's unix socket
 * @sslmode, @sslrootcert, @sslcert, @sslkey: as libpq; NULL for its defaults
 * @connect_timeout_ms, @statement_timeout_ms: not 0
 */
struct db_postgres_options {
	const char *host;
	uint32_t port;
	const char *database;
	const char *user;
	const char *password;
	const char *sslmode, *sslrootcert, *sslcert, *sslkey;
	uint32_t connect_timeout_ms;
	uint32_t statement_timeout_ms;
};

/**
 * db_postgres_open() - connect; the strings of @o must outlive the connection
 * Return: 0, -EOPNOTSUPP (libpq is not installed), -EAGAIN and other errno.
 */
must_check int db_postgres_open(
	const struct db_postgres_options *o, struct db **ret, struct err *reterr);

void db_close(struct db *db);
DEFINE_CLEANUP(struct db *, db_close);

enum db_kind db_kind(const struct db *db);
/** db_exec() - one or more statements without parameters and rows */
must_check int db_exec(struct db *db, const char *sql, struct err *reterr);
/**
 * db_query() - one statement
 * @params: borrowed until db_rows_free()
 * Return: 0; -EEXIST (constraint), -EBUSY, -EPIPE, -EAGAIN, -ETIMEDOUT, -EIO and other errno
 */
must_check int db_query(struct db *db, const char *sql, const struct db_value *params, size_t count,
	struct db_rows **ret, struct err *reterr);
/** db_run() - one statement whose rows do not matter; @ret_changed: rows it touched, may be NULL */
must_check int db_run(struct db *db, const char *sql, const struct db_value *params, size_t count,
	uint64_t *ret_changed, struct err *reterr);
/** db_next() - Return: 1 with a row, 0 at the end, negative errno */
must_check int db_next(struct db_rows *rows, struct err *reterr);
void db_rows_free(struct db_rows *rows);
DEFINE_CLEANUP(struct db_rows *, db_rows_free);

/* Columns of the row at hand, counted from 0; 0 and "" for NULL. Borrowed until the next call. */
int64_t db_int(const struct db_rows *rows, int column);
const char *db_text(const struct db_rows *rows, int column);
struct slice db_blob(const struct db_rows *rows, int column);

/**
 * db_sync() - what was committed is on the disk when this returns 0
 * SQLite's db_commit() alone survives the end of the process, not of the machine; PostgreSQL's is
 * durable by itself. Return: 0, -EIO (the disk failed: the database cannot be used any more).
 */
must_check int db_sync(struct db *db, struct err *reterr);
/** db_sync_fd() - descriptor whose fdatasync() is db_sync(); -1 when there is nothing to do */
int db_sync_fd(struct db *db);
/** db_begin(), db_commit(), db_rollback() - a transaction; db_rollback() never fails */
must_check int db_begin(struct db *db, struct err *reterr);
must_check int db_commit(struct db *db, struct err *reterr);
void db_rollback(struct db *db);
/** db_in_transaction() - false also when the server gave the transaction up by itself */
bool db_in_transaction(const struct db *db);
