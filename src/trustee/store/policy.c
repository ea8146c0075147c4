/* SPDX-License-Identifier: Apache-2.0 */
/* Policies: every version is kept, the highest one is active. */
#include "trustee/store/internal.h"

static int insert_policy(struct store *s, const struct store_change *by, const char *id,
	struct slice text, int64_t *ret_version, struct err *reterr)
{
	cleanup(sq_finalize) sqlite3_stmt *st = NULL;
	char digest[65];
	int r = store_sha256_hex(text, digest);

	if (r < 0)
		return r;
	r = sq_prepare(s,
		"INSERT INTO policy(id, version, created, sha256, text)"
		" SELECT ?1, coalesce(max(version), 0) + 1, ?2, ?3, ?4 FROM policy WHERE id = ?1"
		" RETURNING version",
		&st, reterr);
	if (r < 0)
		return r;
	sq_text(st, 1, id);
	sqlite3_bind_int64(st, 2, by->now);
	sq_text(st, 3, digest);
	sqlite3_bind_text64(st, 4, text.data ? (const char *)text.data : "", text.size,
		SQLITE_STATIC, SQLITE_UTF8);
	if (sqlite3_step(st) != SQLITE_ROW)
		return sq_error(s, reterr, "write policy");
	*ret_version = sqlite3_column_int64(st, 0);
	return 0;
}

int store_policy_set(struct store *s, const struct store_change *by, const char *id,
	struct slice text, int64_t *ret_version, struct err *reterr)
{
	int64_t version = 0;
	char detail[64];
	int r;

	if (text.size > STORE_POLICY_MAX)
		return err_set(reterr, -E2BIG, "policy of %zu bytes is over the limit of %zu",
			text.size, STORE_POLICY_MAX);
	r = sq_begin(s, reterr);
	if (r < 0)
		return r;
	r = insert_policy(s, by, id, text, &version, reterr);
	if (r == 0) {
		snprintf(detail, sizeof(detail), "version %lld, %zu bytes", (long long)version,
			text.size);
		r = audit_append(s, by, "policy.set", id, detail, reterr);
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

int store_policy_get(struct store *s, const char *id, int64_t version, struct buf *text,
	int64_t *ret_version, struct err *reterr)
{
	cleanup(sq_finalize) sqlite3_stmt *st = NULL;
	int r = sq_prepare(s,
		"SELECT version, text FROM policy WHERE id = ?1 AND (?2 = 0 OR version = ?2)"
		" ORDER BY version DESC LIMIT 1",
		&st, reterr);

	if (r < 0)
		return r;
	sq_text(st, 1, id);
	sqlite3_bind_int64(st, 2, version);
	r = sqlite3_step(st);
	if (r == SQLITE_DONE)
		return err_set(reterr, -ENOENT, "no policy %s", id);
	if (r != SQLITE_ROW)
		return sq_error(s, reterr, "read policy");
	if (ret_version)
		*ret_version = sqlite3_column_int64(st, 0);
	buf_put(text, sqlite3_column_text(st, 1), (size_t)sqlite3_column_bytes(st, 1));
	return buf_error(text);
}

int store_policy_list(struct store *s, json_t **ret, struct err *reterr)
{
	cleanup(sq_finalize) sqlite3_stmt *st = NULL;
	json_t *list;
	int r = sq_prepare(s,
		"SELECT id, max(version), created, sha256, length(CAST(text AS BLOB))"
		" FROM policy GROUP BY id ORDER BY id",
		&st, reterr);

	if (r < 0)
		return r;
	list = json_array();
	while ((r = sqlite3_step(st)) == SQLITE_ROW) {
		json_array_append_new(list,
			json_pack("{s:s, s:I, s:I, s:s, s:I}", "id", sq_column(st, 0), "version",
				(json_int_t)sqlite3_column_int64(st, 1), "created",
				(json_int_t)sqlite3_column_int64(st, 2), "sha256", sq_column(st, 3),
				"size", (json_int_t)sqlite3_column_int64(st, 4)));
	}
	if (r != SQLITE_DONE) {
		json_decref(list);
		return sq_error(s, reterr, "list policies");
	}
	*ret = list;
	return 0;
}
