/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole store as one JSON document, and back. It does not depend on the database, so it also
 * moves a store from SQLite to PostgreSQL.
 */
#include "base/enc.h"
#include "base/str.h"
#include "fmt/json.h"
#include "trustee/store/internal.h"

#define FORMAT 2	     /* 1: without claims and vectors of verdicts */
#define CLAIMS_MAX "4194304" /* bytes of the newest claims; a backup has to fit an answer */

/*
 * @types: one letter a column: text, integer, blob.
 * @which: rows that are saved; NULL: all
 * @old_columns: how many format 1 has, the others are empty text then; 0: all
 * @newer: a backup may lack it: it is empty then
 */
static const struct {
	const char *name, *columns, *values, *types, *order, *which;
	size_t old_columns;
	bool newer;
} g_tables[] = {
	{"tenant", "name, created, resources, bytes, policies, reference_values",
		"$1, $2, $3, $4, $5, $6", "tiiiii", "name"},
	{"resource", "tenant, key, version, created, modified", "$1, $2, $3, $4, $5", "ttiii",
		"tenant, key"},
	{"resource_version", "tenant, key, version, time, actor, type, size, kept, content",
		"$1, $2, $3, $4, $5, $6, $7, $8, $9", "ttiittiib", "tenant, key, version"},
	{"policy", "tenant, id, version, created, actor, sha256, text",
		"$1, $2, $3, $4, $5, $6, $7", "ttiittt", "tenant, id, version"},
	{"reference_value", "tenant, name, version, expiration, registered, value, extra",
		"$1, $2, $3, $4, $5, $6, $7", "tttiitt", "tenant, name"},
	{"plugin_item", "tenant, plugin, key, created, content", "$1, $2, $3, $4, $5", "tttib",
		"tenant, plugin, key", .newer = true},
	{"verdict", "tenant, id, time, kind, tee, status, record, vector",
		"$1, $2, $3, $4, $5, $6, $7, $8", "ttittttt", "seq", .old_columns = 7},
	{"verdict_claims", "id, tenant, size, total, claims, evidence", "$1, $2, $3, $4, $5, $6",
		"ttiitb", "total",
		.which = "total > (SELECT max(total) FROM verdict_claims) - " CLAIMS_MAX,
		.newer = true},
	{"audit", "seq, tenant, time, actor, peer, action, object, detail, leaf",
		"$1, $2, $3, $4, $5, $6, $7, $8, $9", "ititttttb", "seq"},
	{"audit_node", "level, idx, hash", "$1, $2, $3", "iib", "level, idx"},
	{"audit_head", "id, size, nodes", "$1, $2, $3", "iib", "id"},
};
#define COLUMNS_MAX 9

static json_t *cell_json(const struct db_rows *rows, int column, char type)
{
	cleanup_with(buf_done) struct buf text = buf_init_secret(0);
	struct slice bytes;

	if (type == 'i')
		return json_integer(db_int(rows, column));
	bytes = db_blob(rows, column);
	if (type == 't')
		return json_stringn(bytes.data ? (const char *)bytes.data : "", bytes.size);
	b64_encode(&text, bytes, B64_STD);
	return buf_error(&text) < 0 ? NULL : json_string(buf_str(&text));
}

static int dump_table(struct store *s, size_t table, json_t *out, struct err *reterr)
{
	cleanup(db_rows_free) struct db_rows *rows = NULL;
	cleanup_with(buf_done) struct buf sql = buf_init(0);
	json_t *list = json_array();
	int r;

	buf_printf(&sql, "SELECT %s FROM %s WHERE %s ORDER BY %s", g_tables[table].columns,
		g_tables[table].name, g_tables[table].which ? g_tables[table].which : "1 = 1",
		g_tables[table].order);
	r = json_set_take(out, g_tables[table].name, list);
	if (r == 0)
		r = db_query(s->db, buf_str(&sql), DB_NOTHING, &rows, reterr);
	while (r == 0 && (r = db_next(rows, reterr)) == 1) {
		json_t *row = json_array();

		r = json_array_append_new(list, row) < 0 ? -ENOMEM : 0;
		for (int i = 0; r == 0 && g_tables[table].types[i]; i++)
			r = json_array_append_new(
				    row, cell_json(rows, i, g_tables[table].types[i])) < 0
				    ? -ENOMEM
				    : 0;
	}
	return r;
}

int store_backup(struct store *s, const struct store_change *by, json_t **ret, struct err *reterr)
{
	cleanup(json_decref) json_t *doc = json_object();
	json_t *tables = json_object();
	int r = store_audit_add(s, by, "backup", "", "", reterr);

	if (r == 0)
		r = json_set_int(doc, "husk-backup", FORMAT);
	if (r == 0)
		r = json_set_int(doc, "created", by->now);
	if (json_set_take(doc, "tables", tables) < 0)
		r = -ENOMEM;
	/* One snapshot: under the lock nobody writes what a backup holds. */
	if (r == 0)
		r = store_batch(s, reterr);
	if (r == 0)
		r = audit_lock(s, reterr);
	for (size_t i = 0; i < ARRAY_COUNT(g_tables) && r == 0; i++)
		r = dump_table(s, i, tables, reterr);
	if (r < 0) {
		db_rollback(s->db);
		s->in_batch = false;
		return r;
	}
	*ret = steal_ptr(doc);
	return store_flush(s, reterr);
}

static int read_cell(const json_t *cell, char type, struct db_value *ret, struct buf *blob)
{
	const char *text = json_string_value(cell);

	if (type == 'i') {
		*ret = (struct db_value)DB_INT(json_integer_value(cell));
		return json_is_integer(cell) ? 0 : -EBADMSG;
	}
	if (!text)
		return -EBADMSG;
	if (type == 't') {
		*ret = (struct db_value)DB_TEXT(text);
		return 0;
	}
	*blob = buf_init_secret(STORE_RESOURCE_MAX);
	int r = b64_decode(blob, slice_str(text), B64_STD);
	*ret = (struct db_value)DB_BYTES(DB_TYPE_BLOB, buf_slice(blob));
	return r;
}

static int restore_row(struct store *s, size_t table, bool old, const char *sql, const json_t *row,
	struct err *reterr)
{
	const char *types = g_tables[table].types;
	struct db_value values[COLUMNS_MAX];
	struct buf blobs[COLUMNS_MAX] = {0};
	size_t count = strlen(types);
	size_t there = old && g_tables[table].old_columns ? g_tables[table].old_columns : count;
	int r = json_array_size(row) == there ? 0 : -EBADMSG;

	for (size_t i = there; i < count; i++)
		values[i] = (struct db_value)DB_TEXT("");
	for (size_t i = 0; i < there && r == 0; i++)
		r = read_cell(json_array_get(row, i), types[i], &values[i], &blobs[i]);
	if (r < 0)
		(void)err_set(reterr, r, "a row of %s is malformed", g_tables[table].name);
	else
		r = db_run(s->db, sql, values, count, NULL, reterr);
	for (size_t i = 0; i < count; i++)
		buf_done(&blobs[i]);
	return r;
}

static int restore_table(
	struct store *s, size_t table, bool old, const json_t *rows, struct err *reterr)
{
	cleanup_with(buf_done) struct buf sql = buf_init(0);
	size_t i;
	const json_t *row;

	if (!rows && g_tables[table].newer)
		return 0;

	int r = json_is_array(rows) ? 0
				    : err_set(reterr, -EBADMSG, "the backup lacks the table %s",
					      g_tables[table].name);

	buf_printf(&sql, "INSERT INTO %s(%s) VALUES(%s)", g_tables[table].name,
		g_tables[table].columns, g_tables[table].values);
	json_array_foreach (rows, i, row) {
		if (r == 0)
			r = restore_row(s, table, old, buf_str(&sql), row, reterr);
	}
	return r;
}

static int expect_empty(struct store *s, struct err *reterr)
{
	cleanup(db_rows_free) struct db_rows *rows = NULL;
	int r = db_query(s->db,
		"SELECT (SELECT count(*) FROM resource) + (SELECT count(*) FROM policy)"
		" + (SELECT count(*) FROM audit)",
		DB_NOTHING, &rows, reterr);

	if (r == 0)
		r = db_next(rows, reterr);
	if (r < 0)
		return r;
	return db_int(rows, 0) == 0
		       ? 0
		       : err_set(reterr, -EEXIST, "the store is not empty: restore into a new one");
}

static int restore_all(
	struct store *s, const struct store_change *by, const json_t *doc, struct err *reterr)
{
	const json_t *tables = json_object_get(doc, "tables");
	bool old = json_integer_value(json_object_get(doc, "husk-backup")) < FORMAT;
	int r = expect_empty(s, reterr);

	if (r == 0)
		r = db_exec(s->db, "DELETE FROM audit_head", reterr);
	for (size_t i = 0; i < ARRAY_COUNT(g_tables) && r == 0; i++)
		r = restore_table(s, i, old, json_object_get(tables, g_tables[i].name), reterr);
	s->head_loaded = false;
	if (r == 0)
		r = audit_check(s, reterr);
	if (r == 0)
		r = audit_append(s, by, "restore", "", "", reterr);
	return r == 0 ? generation_bump(s, reterr) : r;
}

int store_restore(
	struct store *s, const struct store_change *by, const json_t *doc, struct err *reterr)
{
	json_int_t format = json_integer_value(json_object_get(doc, "husk-backup"));
	int r;

	if (format < 1 || format > FORMAT)
		return err_set(reterr, -EBADMSG,
			"this is no backup of a husk store, or of a newer "
			"husk");
	r = store_batch(s, reterr);
	if (r == 0)
		r = restore_all(s, by, doc, reterr);
	if (r < 0) {
		db_rollback(s->db);
		s->in_batch = false;
		return r;
	}
	return store_flush(s, reterr);
}
