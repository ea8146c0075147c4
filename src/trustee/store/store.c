/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing, and the transaction discipline of the store. */
#include "base/str.h"
#include "trustee/store/internal.h"

int store_batch(struct store *s, struct err *reterr)
{
	int r;

	/* The server may have given the transaction up: what was in it is lost, and was not durable. */
	if (s->in_batch && !db_in_transaction(s->db)) {
		db_rollback(s->db);
		s->in_batch = false;
	}
	if (s->in_batch)
		return 0;
	r = db_begin(s->db, reterr);
	if (r < 0)
		return r;
	s->in_batch = true;
	s->head_loaded = s->head_dirty = false;
	return 0;
}

int change_begin(struct store *s, struct err *reterr)
{
	int r = store_batch(s, reterr);

	if (r == 0)
		r = db_exec(s->db, "SAVEPOINT change", reterr);
	s->head_saved = s->head;
	s->dirty_saved = s->head_dirty;
	return r;
}

static void undo(struct store *s)
{
	/* After a failed COMMIT or a full disk everything may have been rolled back already. */
	if (db_in_transaction(s->db) && db_exec(s->db, "ROLLBACK TO SAVEPOINT change", NULL) == 0 &&
		db_exec(s->db, "RELEASE SAVEPOINT change", NULL) == 0) {
		s->head = s->head_saved;
		s->head_dirty = s->dirty_saved;
		return;
	}
	db_rollback(s->db);
	s->in_batch = false;
}

int change_end(struct store *s, int r, struct err *reterr)
{
	if (r == 0)
		r = db_exec(s->db, "RELEASE SAVEPOINT change", reterr);
	if (r < 0) {
		undo(s);
		return r;
	}
	return store_flush(s, reterr);
}

int store_commit(struct store *s, struct err *reterr)
{
	int r;

	if (!s->in_batch)
		return 0;
	s->in_batch = false;
	r = audit_write_head(s, reterr);
	if (r < 0) {
		db_rollback(s->db);
		return r;
	}
	r = db_commit(s->db, reterr);
	s->unsynced |= r == 0;
	return r;
}

int store_flush(struct store *s, struct err *reterr)
{
	int r = store_commit(s, reterr);

	if (r < 0 || !s->unsynced)
		return r;
	r = db_sync(s->db, reterr);
	s->unsynced = r < 0;
	return r;
}

int store_sync_fd(struct store *s)
{
	return s->unsynced ? db_sync_fd(s->db) : -1;
}

bool store_shared(const struct store *s)
{
	return s->live != NULL;
}

int generation_bump(struct store *s, struct err *reterr)
{
	return db_run(s->db, "UPDATE generation SET value = value + 1 WHERE id = 1", DB_NOTHING,
		NULL, reterr);
}

int store_generation(struct store *s, int64_t *ret, struct err *reterr)
{
	cleanup(db_rows_free) struct db_rows *rows = NULL;
	int r = db_query(s->live ? s->live : s->db, "SELECT value FROM generation WHERE id = 1",
		DB_NOTHING, &rows, reterr);

	if (r == 0)
		r = db_next(rows, reterr);
	if (r < 0)
		return r;
	if (r == 0)
		return err_set(reterr, -EIO, "the store is damaged: it has no generation");
	*ret = db_int(rows, 0);
	return 0;
}

int store_ready(struct store *s)
{
	int64_t generation;

	return store_generation(s, &generation, NULL);
}

int list_rows(struct store *s, const char *sql, const struct db_value *params, size_t count,
	row_fn make, json_t **ret, struct err *reterr)
{
	cleanup(db_rows_free) struct db_rows *rows = NULL;
	json_t *list;
	int r = db_query(s->db, sql, params, count, &rows, reterr);

	if (r < 0)
		return r;
	list = json_array();
	while (list && (r = db_next(rows, reterr)) == 1) {
		if (json_array_append_new(list, make(rows)) < 0) {
			r = err_set(reterr, -EIO, "a row of the store is damaged");
			break;
		}
	}
	if (!list || r < 0) {
		json_decref(list);
		return r < 0 ? r : -ENOMEM;
	}
	*ret = list;
	return 0;
}

int store_open(const char *path, struct store **ret, struct err *reterr)
{
	cleanup(store_close) struct store *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	r = db_sqlite_open(path, &s->db, reterr);
	if (r == 0)
		r = schema_migrate(s->db, path, reterr);
	if (r == -EBUSY)
		return err_set(reterr, r, "%s is open in another process: stop it first", path);
	if (r < 0)
		return err_wrap(reterr, r, "store %s", path);
	*ret = steal_ptr(s);
	return 0;
}

int store_open_postgres(const struct db_postgres_options *o, struct store **ret, struct err *reterr)
{
	cleanup(store_close) struct store *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	r = db_postgres_open(o, &s->db, reterr);
	if (r == 0)
		r = schema_migrate(s->db, o->database, reterr);
	if (r == 0)
		r = db_postgres_open(o, &s->live, reterr);
	if (r < 0)
		return r;
	*ret = steal_ptr(s);
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	if (s->db)
		(void)!store_flush(s, NULL);
	db_close(s->live);
	db_close(s->db);
	free(s);
}
