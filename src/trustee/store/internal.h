/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Shared by the files of the store; nobody else includes it. */
#include <sqlite3.h>

#include "trustee/store/store.h"

struct store {
	sqlite3 *db;
	bool in_batch; /* a transaction of non-durable writes is open */
};

/* Statements are prepared per call through sq_prepare() and cached by SQL text in SQLite's own
 * schema; the cost (about 10 us) is small beside one fsync. */
must_check int sq_error(struct store *s, struct err *reterr, const char *what);
must_check int sq_prepare(struct store *s, const char *sql, sqlite3_stmt **ret, struct err *reterr);
must_check int sq_exec(struct store *s, const char *sql, struct err *reterr);

static inline void sq_finalize(sqlite3_stmt *st)
{
	sqlite3_finalize(st);
}
DEFINE_CLEANUP(sqlite3_stmt *, sq_finalize);

static inline void sq_text(sqlite3_stmt *st, int index, const char *text)
{
	sqlite3_bind_text(st, index, text, -1, SQLITE_STATIC);
}
static inline const char *sq_column(sqlite3_stmt *st, int index)
{
	const unsigned char *t = sqlite3_column_text(st, index);
	return t ? (const char *)t : "";
}

/*
 * A durable change: sq_begin(), statements, sq_commit(). On any failure sq_rollback() undoes the
 * change but keeps the running batch.
 */
must_check int sq_begin(struct store *s, struct err *reterr);
must_check int sq_commit(struct store *s, struct err *reterr);
void sq_rollback(struct store *s);
/* Runs a statement that returns no row. */
must_check int sq_run(struct store *s, sqlite3_stmt *st, struct err *reterr, const char *what);
must_check int audit_append(struct store *s, const struct store_change *by, const char *action,
	const char *object, const char *detail, struct err *reterr);
/* Lower-case hex SHA-256 with its NUL. */
must_check int store_sha256_hex(struct slice in, char ret[65]);
