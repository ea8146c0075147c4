/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts: why each guest was trusted or refused, for as long as retention allows. */
#include "trustee/store/internal.h"

#define PRUNE_EVERY 64

static int prune(struct store *s, int64_t newest, unsigned keep, struct err *reterr)
{
	cleanup(sq_finalize) sqlite3_stmt *st = NULL;
	int r;

	if (newest % PRUNE_EVERY != 0 || newest <= (int64_t)keep)
		return 0;
	r = sq_prepare(s, "DELETE FROM verdict WHERE seq <= ?", &st, reterr);
	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 1, newest - (int64_t)keep);
	return sq_run(s, st, reterr, "prune verdicts");
}

int store_verdict_add(struct store *s, const char *id, int64_t now, const char *kind,
	const char *tee, const char *status, const char *record, unsigned keep, struct err *reterr)
{
	cleanup(sq_finalize) sqlite3_stmt *st = NULL;
	int r;

	if (!s->in_batch) {
		r = sq_exec(s, "BEGIN IMMEDIATE", reterr);
		if (r < 0)
			return r;
		s->in_batch = true;
	}
	r = sq_prepare(s,
		"INSERT INTO verdict(id, time, kind, tee, status, record) VALUES(?, ?, ?, ?, ?, ?)",
		&st, reterr);
	if (r < 0)
		return r;
	sq_text(st, 1, id);
	sqlite3_bind_int64(st, 2, now);
	sq_text(st, 3, kind);
	sq_text(st, 4, tee);
	sq_text(st, 5, status);
	sq_text(st, 6, record);
	r = sq_run(s, st, reterr, "write verdict");
	if (r < 0)
		return r;
	return prune(s, sqlite3_last_insert_rowid(s->db), keep, reterr);
}

int store_verdict_get(struct store *s, const char *id, json_t **ret, struct err *reterr)
{
	cleanup(sq_finalize) sqlite3_stmt *st = NULL;
	int r = sq_prepare(s, "SELECT record FROM verdict WHERE id = ?", &st, reterr);

	if (r < 0)
		return r;
	sq_text(st, 1, id);
	r = sqlite3_step(st);
	if (r == SQLITE_DONE)
		return err_set(reterr, -ENOENT,
			"no verdict %s: mistyped, or older than the retention limit", id);
	if (r != SQLITE_ROW)
		return sq_error(s, reterr, "read verdict");
	*ret = json_loads(sq_column(st, 0), 0, NULL);
	return *ret ? 0 : err_set(reterr, -EIO, "verdict %s is damaged in the store", id);
}

int store_verdict_list(struct store *s, unsigned limit, json_t **ret, struct err *reterr)
{
	cleanup(sq_finalize) sqlite3_stmt *st = NULL;
	json_t *list;
	int r = sq_prepare(s,
		"SELECT id, time, kind, tee, status FROM verdict ORDER BY seq DESC LIMIT ?", &st,
		reterr);

	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 1, limit);
	list = json_array();
	while ((r = sqlite3_step(st)) == SQLITE_ROW) {
		json_array_append_new(list,
			json_pack("{s:s, s:I, s:s, s:s, s:s}", "id", sq_column(st, 0), "time",
				(json_int_t)sqlite3_column_int64(st, 1), "kind", sq_column(st, 2),
				"tee", sq_column(st, 3), "status", sq_column(st, 4)));
	}
	if (r != SQLITE_DONE) {
		json_decref(list);
		return sq_error(s, reterr, "list verdicts");
	}
	*ret = list;
	return 0;
}
