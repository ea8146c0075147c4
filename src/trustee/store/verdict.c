/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts: why each guest was trusted or refused, for as long as retention allows. */
#include "trustee/store/internal.h"

#define PRUNE_EVERY 64

static int prune(struct store *s, int64_t newest, unsigned keep, struct err *reterr)
{
	if (newest % PRUNE_EVERY != 0 || newest <= (int64_t)keep)
		return 0;
	return db_run(s->db, "DELETE FROM verdict WHERE seq <= $1",
		DB_WITH(DB_INT(newest - (int64_t)keep)), NULL, reterr);
}

static int insert(struct store *s, const struct store_verdict *v, int64_t *ret, struct err *reterr)
{
	cleanup(db_rows_free) struct db_rows *rows = NULL;
	int r = db_query(s->db,
		"INSERT INTO verdict(tenant, id, time, kind, tee, status, record)"
		" VALUES($1, $2, $3, $4, $5, $6, $7) RETURNING seq",
		DB_WITH(DB_TEXT(v->tenant), DB_TEXT(v->id), DB_INT(v->time), DB_TEXT(v->kind),
			DB_TEXT(v->tee), DB_TEXT(v->status), DB_TEXT(v->record)),
		&rows, reterr);

	if (r == 0)
		r = db_next(rows, reterr);
	if (r == 1) {
		*ret = db_int(rows, 0);
		r = db_next(rows, reterr); /* to the end: the row is complete then */
	}
	return r;
}

int store_verdict_add(
	struct store *s, const struct store_verdict *v, unsigned keep, struct err *reterr)
{
	int64_t seq = 0;
	int r = store_batch(s, reterr);

	if (r == 0)
		r = insert(s, v, &seq, reterr);
	if (r == 0)
		r = prune(s, seq, keep, reterr);
	/* PostgreSQL takes nothing more in a transaction that had an error. */
	if (r < 0 && db_kind(s->db) == DB_POSTGRES) {
		db_rollback(s->db);
		s->in_batch = false;
	}
	return r;
}

int store_verdict_get(
	struct store *s, const char *tenant, const char *id, json_t **ret, struct err *reterr)
{
	cleanup(db_rows_free) struct db_rows *rows = NULL;
	int r = db_query(s->db, "SELECT record FROM verdict WHERE id = $1 AND tenant = $2",
		DB_WITH(DB_TEXT(id), DB_TEXT(tenant)), &rows, reterr);

	if (r == 0)
		r = db_next(rows, reterr);
	if (r < 0)
		return r;
	if (r == 0)
		return err_set(reterr, -ENOENT,
			"no verdict %s: mistyped, or older than the retention limit", id);
	*ret = json_loads(db_text(rows, 0), 0, NULL);
	return *ret ? 0 : err_set(reterr, -EIO, "verdict %s is damaged in the store", id);
}

static json_t *verdict_row(const struct db_rows *rows)
{
	return json_pack("{s:s, s:I, s:s, s:s, s:s}", "id", db_text(rows, 0), "time",
		(json_int_t)db_int(rows, 1), "kind", db_text(rows, 2), "tee", db_text(rows, 3),
		"status", db_text(rows, 4));
}

int store_verdict_list(
	struct store *s, const char *tenant, unsigned limit, json_t **ret, struct err *reterr)
{
	return list_rows(s,
		"SELECT id, time, kind, tee, status FROM verdict WHERE tenant = $1"
		" ORDER BY seq DESC LIMIT $2",
		DB_WITH(DB_TEXT(tenant), DB_INT(limit)), verdict_row, ret, reterr);
}
