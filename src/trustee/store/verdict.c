/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts: why each guest was trusted or refused, for as long as retention allows. */
#include "trustee/store/internal.h"

#define PRUNE_EVERY 64

/* Claims go with their verdict, or before it. */
static int prune(
	struct store *s, int64_t newest, const struct store_retention *keep, struct err *reterr)
{
	int64_t last = newest - (int64_t)keep->verdicts;
	int r = 0;

	if (newest % PRUNE_EVERY != 0)
		return 0;
	if (last > 0)
		r = db_run(s->db,
			"DELETE FROM verdict_claims WHERE id IN"
			" (SELECT id FROM verdict WHERE seq <= $1)",
			DB_WITH(DB_INT(last)), NULL, reterr);
	if (r == 0 && last > 0)
		r = db_run(s->db, "DELETE FROM verdict WHERE seq <= $1", DB_WITH(DB_INT(last)),
			NULL, reterr);
	if (r == 0)
		r = db_run(s->db,
			"DELETE FROM verdict_claims WHERE total <="
			" (SELECT max(total) FROM verdict_claims) - CAST($1 AS BIGINT)",
			DB_WITH(DB_INT(keep->claims_bytes)), NULL, reterr);
	return r;
}

static int insert(struct store *s, const struct store_verdict *v, int64_t *ret, struct err *reterr)
{
	cleanup(db_rows_free) struct db_rows *rows = NULL;
	int r = db_query(s->db,
		"INSERT INTO verdict(tenant, id, time, kind, tee, status, record, vector)"
		" VALUES($1, $2, $3, $4, $5, $6, $7, $8) RETURNING seq",
		DB_WITH(DB_TEXT(v->tenant), DB_TEXT(v->id), DB_INT(v->time), DB_TEXT(v->kind),
			DB_TEXT(v->tee), DB_TEXT(v->status), DB_TEXT(v->record),
			DB_TEXT(v->vector ? v->vector : "")),
		&rows, reterr);

	if (r == 0)
		r = db_next(rows, reterr);
	if (r == 1) {
		*ret = db_int(rows, 0);
		r = db_next(rows, reterr); /* to the end: the row is complete then */
	}
	return r;
}

static int insert_claims(struct store *s, const struct store_verdict *v, struct err *reterr)
{
	return db_run(s->db,
		"INSERT INTO verdict_claims(id, tenant, size, total, claims, evidence)"
		" SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS BIGINT),"
		" coalesce(max(total), 0) + CAST($3 AS BIGINT), CAST($4 AS TEXT), $5"
		" FROM verdict_claims",
		DB_WITH(DB_TEXT(v->id), DB_TEXT(v->tenant),
			DB_INT(strlen(v->claims) + v->evidence.size), DB_TEXT(v->claims),
			DB_BYTES(DB_TYPE_BLOB, v->evidence)),
		NULL, reterr);
}

int store_verdict_add(struct store *s, const struct store_verdict *v,
	const struct store_retention *keep, struct err *reterr)
{
	int64_t seq = 0;
	int r = store_batch(s, reterr);

	if (r == 0)
		r = insert(s, v, &seq, reterr);
	if (r == 0 && v->claims && keep->claims_bytes > 0)
		r = insert_claims(s, v, reterr);
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

int store_verdict_claims(struct store *s, const char *tenant, const char *id, json_t **ret,
	struct buf *evidence, struct err *reterr)
{
	cleanup(db_rows_free) struct db_rows *rows = NULL;
	int r = db_query(s->db,
		"SELECT claims, evidence FROM verdict_claims WHERE id = $1 AND tenant = $2",
		DB_WITH(DB_TEXT(id), DB_TEXT(tenant)), &rows, reterr);

	if (r == 0)
		r = db_next(rows, reterr);
	if (r < 0)
		return r;
	if (r == 0)
		return err_set(reterr, -ENOENT,
			"verdict %s has no claims: none were made, they are not kept, or they are "
			"older than the retention limit",
			id);
	if (evidence)
		buf_put_slice(evidence, db_blob(rows, 1));
	if (evidence && buf_error(evidence) < 0)
		return buf_error(evidence);
	*ret = json_loads(db_text(rows, 0), 0, NULL);
	return *ret ? 0 : err_set(reterr, -EIO, "the claims of verdict %s are damaged", id);
}

static json_t *verdict_row(const struct db_rows *rows)
{
	return json_pack("{s:s, s:I, s:s, s:s, s:s, s:o*, s:I}", "id", db_text(rows, 0), "time",
		(json_int_t)db_int(rows, 1), "kind", db_text(rows, 2), "tee", db_text(rows, 3),
		"status", db_text(rows, 4), "vector", json_loads(db_text(rows, 5), 0, NULL),
		"claims", (json_int_t)db_int(rows, 6));
}

#define LIST_COLUMNS                                                                               \
	"SELECT v.id, v.time, v.kind, v.tee, v.status, v.vector, coalesce(c.size, 0) FROM verdict" \
	" v"

int store_verdict_list(
	struct store *s, const char *tenant, unsigned limit, json_t **ret, struct err *reterr)
{
	return list_rows(s,
		LIST_COLUMNS " LEFT JOIN verdict_claims c ON c.id = v.id WHERE v.tenant = $1"
			     " ORDER BY v.seq DESC LIMIT $2",
		DB_WITH(DB_TEXT(tenant), DB_INT(limit)), verdict_row, ret, reterr);
}

int store_verdict_row(
	struct store *s, const char *tenant, const char *id, json_t **ret, struct err *reterr)
{
	return list_rows(s,
		LIST_COLUMNS " LEFT JOIN verdict_claims c ON c.id = v.id WHERE v.id = $1"
			     " AND v.tenant = $2",
		DB_WITH(DB_TEXT(id), DB_TEXT(tenant)), verdict_row, ret, reterr);
}

int store_verdict_with_claims(struct store *s, const char *tenant, const char *kind, unsigned limit,
	json_t **ret, struct err *reterr)
{
	return list_rows(s,
		LIST_COLUMNS " JOIN verdict_claims c ON c.id = v.id WHERE v.tenant = $1"
			     " AND ($2 = '' OR v.kind = $2) ORDER BY v.seq DESC LIMIT $3",
		DB_WITH(DB_TEXT(tenant), DB_TEXT(kind ? kind : ""), DB_INT(limit)), verdict_row,
		ret, reterr);
}
