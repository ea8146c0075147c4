/* SPDX-License-Identifier: Apache-2.0 */
/* Resources: the keys and secrets that the broker keeps. */
#include "trustee/store/internal.h"

static int insert_resource(struct store *s, const struct store_change *by, const char *key,
	struct slice content, bool overwrite, int64_t *ret_version, struct err *reterr)
{
	/* One statement decides and writes: two writers cannot both believe they were first. */
	static const char fresh[] =
		"INSERT INTO resource(key, version, created, modified, size, content)"
		" VALUES(?1, 1, ?2, ?2, ?3, ?4) ON CONFLICT(key) DO NOTHING RETURNING version";
	static const char upsert[] =
		"INSERT INTO resource(key, version, created, modified, size, content)"
		" VALUES(?1, 1, ?2, ?2, ?3, ?4) ON CONFLICT(key) DO UPDATE SET"
		" version = version + 1, modified = excluded.modified, size = excluded.size,"
		" content = excluded.content RETURNING version";
	cleanup(sq_finalize) sqlite3_stmt *st = NULL;
	int r = sq_prepare(s, overwrite ? upsert : fresh, &st, reterr);

	if (r < 0)
		return r;
	sq_text(st, 1, key);
	sqlite3_bind_int64(st, 2, by->now);
	sqlite3_bind_int64(st, 3, (int64_t)content.size);
	sqlite3_bind_blob64(
		st, 4, content.data ? (const void *)content.data : "", content.size, SQLITE_STATIC);
	r = sqlite3_step(st);
	if (r == SQLITE_DONE)
		return err_set(reterr, -EEXIST, "resource %s exists already", key);
	if (r != SQLITE_ROW)
		return sq_error(s, reterr, "write resource");
	*ret_version = sqlite3_column_int64(st, 0);
	return 0;
}

int store_resource_put(struct store *s, const struct store_change *by, const char *key,
	struct slice content, bool overwrite, int64_t *ret_version, struct err *reterr)
{
	int64_t version = 0;
	char detail[64];
	int r;

	if (content.size > STORE_RESOURCE_MAX)
		return err_set(reterr, -E2BIG, "resource of %zu bytes is over the limit of %zu",
			content.size, STORE_RESOURCE_MAX);
	r = sq_begin(s, reterr);
	if (r < 0)
		return r;
	r = insert_resource(s, by, key, content, overwrite, &version, reterr);
	if (r == 0) {
		snprintf(detail, sizeof(detail), "version %lld, %zu bytes", (long long)version,
			content.size);
		r = audit_append(s, by, "resource.set", key, detail, reterr);
	}
	if (r < 0) {
		sq_rollback(s);
		return r;
	}
	r = sq_commit(s, reterr);
	if (r == 0 && ret_version)
		*ret_version = version;
	return r;
}

int store_resource_get(struct store *s, const char *key, struct secret *ret, struct err *reterr)
{
	cleanup(sq_finalize) sqlite3_stmt *st = NULL;
	struct slice content;
	int r = sq_prepare(s, "SELECT content FROM resource WHERE key = ?", &st, reterr);

	if (r < 0)
		return r;
	sq_text(st, 1, key);
	r = sqlite3_step(st);
	if (r == SQLITE_DONE)
		return err_set(reterr, -ENOENT, "no resource %s", key);
	if (r != SQLITE_ROW)
		return sq_error(s, reterr, "read resource");
	content = slice_of(sqlite3_column_blob(st, 0), (size_t)sqlite3_column_bytes(st, 0));
	if (content.size == 0) {
		*ret = (struct secret){0};
		return 0;
	}
	return secret_copy(ret, content);
}

int store_resource_delete(
	struct store *s, const struct store_change *by, const char *key, struct err *reterr)
{
	cleanup(sq_finalize) sqlite3_stmt *st = NULL;
	int r = sq_begin(s, reterr);

	if (r < 0)
		return r;
	r = sq_prepare(s, "DELETE FROM resource WHERE key = ?", &st, reterr);
	if (r == 0) {
		sq_text(st, 1, key);
		r = sq_run(s, st, reterr, "delete resource");
	}
	if (r == 0 && sqlite3_changes(s->db) == 0)
		r = err_set(reterr, -ENOENT, "no resource %s", key);
	if (r == 0)
		r = audit_append(s, by, "resource.delete", key, "", reterr);
	if (r < 0) {
		sq_rollback(s);
		return r;
	}
	return sq_commit(s, reterr);
}

int store_resource_list(struct store *s, json_t **ret, struct err *reterr)
{
	cleanup(sq_finalize) sqlite3_stmt *st = NULL;
	json_t *list;
	int r = sq_prepare(s,
		"SELECT key, version, size, created, modified FROM resource ORDER BY key", &st,
		reterr);

	if (r < 0)
		return r;
	list = json_array();
	while ((r = sqlite3_step(st)) == SQLITE_ROW) {
		json_array_append_new(
			list, json_pack("{s:s, s:I, s:I, s:I, s:I}", "path", sq_column(st, 0),
				      "version", (json_int_t)sqlite3_column_int64(st, 1), "size",
				      (json_int_t)sqlite3_column_int64(st, 2), "created",
				      (json_int_t)sqlite3_column_int64(st, 3), "modified",
				      (json_int_t)sqlite3_column_int64(st, 4)));
	}
	if (r != SQLITE_DONE) {
		json_decref(list);
		return sq_error(s, reterr, "list resources");
	}
	*ret = list;
	return 0;
}
