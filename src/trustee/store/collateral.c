/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collateral that was fetched. Whoever has it could fetch it again, so it is written like verdicts:
 * in the running transaction, durable with the next durable write.
 */
#include "trustee/store/internal.h"

int store_collateral_put(
	struct store *s, const char *key, struct slice item, int64_t now, struct err *reterr)
{
	int r = store_batch(s, reterr);

	if (r == 0)
		r = db_run(s->db,
			"INSERT INTO collateral(key, fetched, item) VALUES($1, $2, $3)"
			" ON CONFLICT(key) DO UPDATE SET"
			" fetched = excluded.fetched, item = excluded.item",
			DB_WITH(DB_TEXT(key), DB_INT(now), DB_BYTES(DB_TYPE_BLOB, item)), NULL,
			reterr);
	/* PostgreSQL takes nothing more in a transaction that had an error. */
	if (r < 0 && db_kind(s->db) == DB_POSTGRES) {
		db_rollback(s->db);
		s->in_batch = false;
	}
	return r;
}

static int take_rows(
	struct db_rows *rows, struct collateral_store *into, size_t *ret_count, struct err *reterr)
{
	int r;

	while ((r = db_next(rows, reterr)) == 1) {
		r = collateral_store_put(into, db_text(rows, 0), db_blob(rows, 1));
		if (r < 0)
			return err_set(reterr, r, "collateral %s", db_text(rows, 0));
		++*ret_count;
	}
	return r;
}

int store_collateral_load(struct store *s, const char *key, struct collateral_store *into,
	size_t *ret_count, struct err *reterr)
{
	cleanup(db_rows_free) struct db_rows *rows = NULL;
	/* A body and its issuer chain belong together. */
	char chain[COLLATERAL_KEY_SIZE + sizeof("/chain")] = "";
	int r;

	*ret_count = 0;
	if (key) {
		snprintf(chain, sizeof(chain), "%s/chain", key);
		r = db_query(s->db, "SELECT key, item FROM collateral WHERE key IN ($1, $2)",
			DB_WITH(DB_TEXT(key), DB_TEXT(chain)), &rows, reterr);
	} else {
		r = db_query(s->db, "SELECT key, item FROM collateral", DB_NOTHING, &rows, reterr);
	}
	return r == 0 ? take_rows(rows, into, ret_count, reterr) : r;
}
