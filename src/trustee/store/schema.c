/* SPDX-License-Identifier: Apache-2.0 */
/* One schema for both databases, and how an older one becomes it. */
#include "base/str.h"
#include "trustee/store/internal.h"

#define SCHEMA_VERSION 5

/*
 * Entry n brings the schema from version n to n+1; entries are never edited after a release.
 *
 * A resource is the name and which version is current; its versions hold the content, and stay
 * without it when a resource is deleted or a version is older than what is kept, so that version
 * numbers, and with them ETags, are never used twice. Sessions matter only while they live.
 */
static const char *const g_migrations[SCHEMA_VERSION] = {
	"CREATE TABLE tenant("
	" name TEXT PRIMARY KEY, created @INT NOT NULL, resources @INT NOT NULL,"
	" bytes @INT NOT NULL, policies @INT NOT NULL, reference_values @INT NOT NULL);"
	"CREATE TABLE resource("
	" tenant TEXT NOT NULL, key TEXT NOT NULL, version @INT NOT NULL,"
	" created @INT NOT NULL, modified @INT NOT NULL, PRIMARY KEY(tenant, key));"
	"CREATE TABLE resource_version("
	" tenant TEXT NOT NULL, key TEXT NOT NULL, version @INT NOT NULL, time @INT NOT NULL,"
	" actor TEXT NOT NULL, type TEXT NOT NULL, size @INT NOT NULL, kept @INT NOT NULL,"
	" content @BLOB NOT NULL, PRIMARY KEY(tenant, key, version));"
	"CREATE TABLE policy("
	" tenant TEXT NOT NULL, id TEXT NOT NULL, version @INT NOT NULL, created @INT NOT NULL,"
	" actor TEXT NOT NULL, sha256 TEXT NOT NULL, text TEXT NOT NULL,"
	" PRIMARY KEY(tenant, id, version));"
	"CREATE TABLE reference_value("
	" tenant TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL,"
	" expiration @INT NOT NULL, registered @INT NOT NULL, value TEXT NOT NULL,"
	" PRIMARY KEY(tenant, name));"
	"CREATE TABLE verdict("
	" seq @SERIAL, tenant TEXT NOT NULL, id TEXT NOT NULL UNIQUE, time @INT NOT NULL,"
	" kind TEXT NOT NULL, tee TEXT NOT NULL, status TEXT NOT NULL, record TEXT NOT NULL);"
	"CREATE TABLE audit("
	" seq @INT PRIMARY KEY, tenant TEXT NOT NULL, time @INT NOT NULL, actor TEXT NOT NULL,"
	" peer TEXT NOT NULL, action TEXT NOT NULL, object TEXT NOT NULL, detail TEXT NOT NULL,"
	" leaf @BLOB NOT NULL);"
	"CREATE TABLE audit_node("
	" level @INT NOT NULL, idx @INT NOT NULL, hash @BLOB NOT NULL,"
	" PRIMARY KEY(level, idx));"
	"CREATE TABLE audit_head(id @INT PRIMARY KEY, size @INT NOT NULL, nodes @BLOB NOT NULL);"
	"CREATE TABLE generation(id @INT PRIMARY KEY, value @INT NOT NULL);"
	"INSERT INTO generation(id, value) VALUES(1, 1);"
	"@AUDIT_GUARD"
	"@UNLOGGED TABLE session("
	" id TEXT PRIMARY KEY, tenant TEXT NOT NULL, nonce TEXT NOT NULL, tee TEXT NOT NULL,"
	" protocol @INT NOT NULL, state @INT NOT NULL, expires @INT NOT NULL, digest @BLOB NOT NULL,"
	" token TEXT NOT NULL);"
	"CREATE INDEX session_expires ON session(expires);",
	("CREATE TABLE collateral("
	 " key TEXT PRIMARY KEY, fetched @INT NOT NULL, item @BLOB NOT NULL);"),
	/* JSON: where a value comes from, and the one that a roll-out brings. */
	"ALTER TABLE reference_value ADD COLUMN extra TEXT NOT NULL DEFAULT '{}';",
	/* What plugins of the broker keep, each in a namespace of its own. */
	("CREATE TABLE plugin_item("
	 " tenant TEXT NOT NULL, plugin TEXT NOT NULL, key TEXT NOT NULL, created @INT NOT NULL,"
	 " content @BLOB NOT NULL, PRIMARY KEY(tenant, plugin, key));"),
	/*
	 * What a verdict rests on, apart from it: it is large, and dropped earlier. The total counts up
	 * over all of them, so that what is beyond a number of bytes is found without adding them up.
	 */
	"ALTER TABLE verdict ADD COLUMN vector TEXT NOT NULL DEFAULT '';"
	"CREATE TABLE verdict_claims("
	" id TEXT PRIMARY KEY, tenant TEXT NOT NULL, size @INT NOT NULL, total @INT NOT NULL,"
	" claims TEXT NOT NULL, evidence @BLOB NOT NULL);"
	"CREATE INDEX verdict_claims_total ON verdict_claims(total);",
};

static const char g_guard_sqlite[] = "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN"
				     " SELECT RAISE(ABORT, 'the audit log is append-only'); END;"
				     "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN"
				     " SELECT RAISE(ABORT, 'the audit log is append-only'); END;"
				     "INSERT INTO audit_head(id, size, nodes) VALUES(1, 0, x'');";
static const char g_guard_postgres[] =
	"CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
	" RAISE EXCEPTION 'the audit log is append-only'; END $$;"
	"CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit"
	" FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only();"
	"INSERT INTO audit_head(id, size, nodes) VALUES(1, 0, '');";

static const struct {
	const char *word;
	const char *text[2]; /* by enum db_kind */
} g_words[] = {
	{"@INT", {"INTEGER", "BIGINT"}},
	{"@BLOB", {"BLOB", "BYTEA"}},
	{"@SERIAL", {"INTEGER PRIMARY KEY AUTOINCREMENT", "BIGSERIAL PRIMARY KEY"}},
	{"@UNLOGGED", {"CREATE", "CREATE UNLOGGED"}},
	{"@AUDIT_GUARD", {g_guard_sqlite, g_guard_postgres}},
};

/* The dialect of a statement of the schema: @INT, @BLOB, @SERIAL, @UNLOGGED */
static int schema_dialect(enum db_kind kind, const char *sql, struct buf *out)
{
	while (*sql) {
		size_t n = strcspn(sql, "@"), i = 0;

		buf_put(out, sql, n);
		sql += n;
		if (!*sql)
			break;
		while (i < ARRAY_COUNT(g_words) && !str_starts(sql, g_words[i].word))
			i++;
		if (i == ARRAY_COUNT(g_words))
			return -EINVAL;
		buf_put_str(out, g_words[i].text[kind]);
		sql += strlen(g_words[i].word);
	}
	return buf_error(out);
}

static int exec_dialect(struct db *db, const char *sql, struct err *reterr)
{
	cleanup_with(buf_done) struct buf text = buf_init(0);
	int r = schema_dialect(db_kind(db), sql, &text);

	return r < 0 ? r : db_exec(db, buf_str(&text), reterr);
}

static int schema_version(struct db *db, int64_t *ret, struct err *reterr)
{
	cleanup(db_rows_free) struct db_rows *rows = NULL;
	int r = 0;

	/* Replicas that start together take turns. */
	if (db_kind(db) == DB_POSTGRES)
		r = db_exec(db, "SELECT pg_advisory_xact_lock(72150711)", reterr);
	if (r == 0)
		r = exec_dialect(db,
			"CREATE TABLE IF NOT EXISTS husk_schema("
			"version @INT PRIMARY KEY, program TEXT NOT NULL)",
			reterr);
	if (r == 0)
		r = db_query(db, "SELECT coalesce(max(version), 0) FROM husk_schema", DB_NOTHING,
			&rows, reterr);
	if (r < 0)
		return r;
	r = db_next(rows, reterr);
	*ret = r == 1 ? db_int(rows, 0) : 0;
	return MIN(r, 0);
}

static int migrate(struct db *db, const char *name, struct err *reterr)
{
	int64_t have = 0;
	int r = schema_version(db, &have, reterr);

	if (r == 0 && have > SCHEMA_VERSION)
		r = err_set(reterr, -EOPNOTSUPP,
			"%s has schema version %lld, this husk knows up to %d: use a newer husk",
			name, (long long)have, SCHEMA_VERSION);
	for (; r == 0 && have < SCHEMA_VERSION; have++) {
		r = exec_dialect(db, g_migrations[have], reterr);
		if (r == 0)
			r = db_run(db, "INSERT INTO husk_schema(version, program) VALUES($1, $2)",
				DB_WITH(DB_INT(have + 1), DB_TEXT(HUSK_VERSION)), NULL, reterr);
	}
	return r;
}

int schema_migrate(struct db *db, const char *name, struct err *reterr)
{
	int r = db_begin(db, reterr);

	if (r < 0)
		return r;
	r = migrate(db, name, reterr);
	if (r < 0) {
		db_rollback(db);
		return r;
	}
	return db_commit(db, reterr);
}
