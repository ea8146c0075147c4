/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, migrating, and the transaction discipline of the store. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "trustee/store/internal.h"

#define SCHEMA_VERSION 1
#define BUSY_TIMEOUT_MS 2000

/* Entry n brings the schema from version n to n+1; entries are never edited after a release. */
static const char *const g_migrations[SCHEMA_VERSION] = {
	"CREATE TABLE resource("
	" key TEXT PRIMARY KEY, version INTEGER NOT NULL, created INTEGER NOT NULL,"
	" modified INTEGER NOT NULL, size INTEGER NOT NULL, content BLOB NOT NULL);"
	"CREATE TABLE policy("
	" id TEXT NOT NULL, version INTEGER NOT NULL, created INTEGER NOT NULL,"
	" sha256 TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY(id, version)) WITHOUT ROWID;"
	"CREATE TABLE reference_value("
	" name TEXT PRIMARY KEY, version TEXT NOT NULL, expiration INTEGER NOT NULL,"
	" registered INTEGER NOT NULL, value TEXT NOT NULL);"
	"CREATE TABLE verdict("
	" seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, time INTEGER NOT NULL,"
	" kind TEXT NOT NULL, tee TEXT NOT NULL, status TEXT NOT NULL, record TEXT NOT NULL);"
	"CREATE TABLE audit("
	" seq INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, actor TEXT NOT NULL,"
	" peer TEXT NOT NULL, action TEXT NOT NULL, object TEXT NOT NULL, detail TEXT NOT NULL,"
	" hash TEXT NOT NULL);"
	"CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN"
	" SELECT RAISE(ABORT, 'the audit log is append-only'); END;"
	"CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN"
	" SELECT RAISE(ABORT, 'the audit log is append-only'); END;",
};

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

int sq_error(struct store *s, struct err *reterr, const char *what)
{
	int code = code_of(sqlite3_extended_errcode(s->db));

	return err_set(reterr, code ? code : -EIO, "%s: %s", what, sqlite3_errmsg(s->db));
}

int sq_prepare(struct store *s, const char *sql, sqlite3_stmt **ret, struct err *reterr)
{
	if (sqlite3_prepare_v2(s->db, sql, -1, ret, NULL) != SQLITE_OK)
		return sq_error(s, reterr, "store statement");
	return 0;
}

int sq_exec(struct store *s, const char *sql, struct err *reterr)
{
	if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return sq_error(s, reterr, "store");
	return 0;
}

int sq_run(struct store *s, sqlite3_stmt *st, struct err *reterr, const char *what)
{
	if (sqlite3_step(st) != SQLITE_DONE)
		return sq_error(s, reterr, what);
	return 0;
}

int sq_begin(struct store *s, struct err *reterr)
{
	int r;

	if (!s->in_batch) {
		r = sq_exec(s, "BEGIN IMMEDIATE", reterr);
		if (r < 0)
			return r;
		s->in_batch = true;
	}
	return sq_exec(s, "SAVEPOINT change", reterr);
}

int sq_commit(struct store *s, struct err *reterr)
{
	int r = sq_exec(s, "RELEASE change", reterr);

	if (r < 0)
		return r;
	return store_flush(s, reterr);
}

void sq_rollback(struct store *s)
{
	/* After a failed COMMIT or a full disk SQLite may have rolled back everything already. */
	if (sqlite3_get_autocommit(s->db)) {
		s->in_batch = false;
		return;
	}
	if (sq_exec(s, "ROLLBACK TO change; RELEASE change", NULL) < 0) {
		(void)!sq_exec(s, "ROLLBACK", NULL);
		s->in_batch = false;
	}
}

int store_flush(struct store *s, struct err *reterr)
{
	int r;

	if (!s->in_batch)
		return 0;
	r = sq_exec(s, "COMMIT", reterr);
	if (r < 0) {
		/* Nothing of a failed commit may become visible or be acknowledged later. */
		(void)!sq_exec(s, "ROLLBACK", NULL);
	}
	s->in_batch = false;
	return r;
}

int store_ready(struct store *s)
{
	cleanup(sq_finalize) sqlite3_stmt *st = NULL;
	int r = sq_prepare(s, "SELECT count(*) FROM migrations", &st, NULL);

	if (r < 0)
		return r;
	return sqlite3_step(st) == SQLITE_ROW ? 0 : -EIO;
}

static int schema_version(struct store *s, int *ret, struct err *reterr)
{
	cleanup(sq_finalize) sqlite3_stmt *st = NULL;
	int r = sq_exec(s,
		"CREATE TABLE IF NOT EXISTS migrations("
		"version INTEGER PRIMARY KEY, program TEXT NOT NULL)",
		reterr);

	if (r < 0)
		return r;
	r = sq_prepare(s, "SELECT coalesce(max(version), 0) FROM migrations", &st, reterr);
	if (r < 0)
		return r;
	if (sqlite3_step(st) != SQLITE_ROW)
		return sq_error(s, reterr, "store schema version");
	*ret = sqlite3_column_int(st, 0);
	return 0;
}

static int migrate_one(struct store *s, int from, struct err *reterr)
{
	cleanup(sq_finalize) sqlite3_stmt *st = NULL;
	int r = sq_exec(s, g_migrations[from], reterr);

	if (r < 0)
		return r;
	r = sq_prepare(s, "INSERT INTO migrations(version, program) VALUES(?, ?)", &st, reterr);
	if (r < 0)
		return r;
	sqlite3_bind_int(st, 1, from + 1);
	sq_text(st, 2, HUSK_VERSION);
	return sq_run(s, st, reterr, "store migration");
}

static int migrate(struct store *s, const char *path, struct err *reterr)
{
	int have = 0;
	int r = sq_begin(s, reterr);

	if (r < 0)
		return r;
	r = schema_version(s, &have, reterr);
	if (r == 0 && have > SCHEMA_VERSION)
		r = err_set(reterr, -EOPNOTSUPP,
			"%s has schema version %d, this husk knows up to %d: use a newer husk",
			path, have, SCHEMA_VERSION);
	for (; r == 0 && have < SCHEMA_VERSION; have++)
		r = migrate_one(s, have, reterr);
	if (r < 0) {
		sq_rollback(s);
		return r;
	}
	return sq_commit(s, reterr);
}

static int set_pragmas(struct store *s, struct err *reterr)
{
	/* locking_mode=EXCLUSIVE before WAL keeps the WAL index in this process' memory: no -shm
	 * file, and a second process is refused instead of racing. */
	return sq_exec(s,
		"PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
		"PRAGMA foreign_keys=ON; PRAGMA secure_delete=ON; PRAGMA trusted_schema=OFF;"
		"PRAGMA temp_store=MEMORY; PRAGMA cache_size=-2048; PRAGMA wal_autocheckpoint=500;",
		reterr);
}

int store_open(const char *path, struct store **ret, struct err *reterr)
{
	cleanup(store_close) struct store *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	/* Created by us first, so that no moment exists in which others may read it. */
	if (!streq(path, ":memory:")) {
		cleanup_fd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0)
			return err_set(reterr, -errno, "cannot open the store %s: %m", path);
	}
	if (sqlite3_open_v2(path, &s->db,
		    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
		    NULL) != SQLITE_OK)
		return s->db ? sq_error(s, reterr, path) : -ENOMEM;
	sqlite3_extended_result_codes(s->db, 1);
	sqlite3_busy_timeout(s->db, BUSY_TIMEOUT_MS);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	r = set_pragmas(s, reterr);
	if (r == 0)
		r = migrate(s, path, reterr);
	if (r == -EBUSY)
		return err_set(reterr, r, "%s is open in another process: stop it first", path);
	if (r < 0)
		return err_wrap(reterr, r, "store %s", path);
	*ret = steal_ptr(s);
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	if (s->db) {
		(void)!store_flush(s, NULL);
		sqlite3_close(s->db);
	}
	free(s);
}
