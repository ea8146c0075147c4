/* SPDX-License-Identifier: Apache-2.0 */
/* The part of a database connection that both backends share. */
#include "trustee/store/db_internal.h"

void db_close(struct db *db)
{
	if (db)
		db->ops->close(db);
}

enum db_kind db_kind(const struct db *db)
{
	return db->ops->kind;
}

int db_exec(struct db *db, const char *sql, struct err *reterr)
{
	return db->ops->exec(db, sql, reterr);
}

int db_query(struct db *db, const char *sql, const struct db_value *params, size_t count,
	struct db_rows **ret, struct err *reterr)
{
	return db->ops->query(db, sql, params, count, ret, reterr);
}

int db_run(struct db *db, const char *sql, const struct db_value *params, size_t count,
	uint64_t *ret_changed, struct err *reterr)
{
	cleanup(db_rows_free) struct db_rows *rows = NULL;
	int r = db_query(db, sql, params, count, &rows, reterr);

	while (r == 0) {
		r = db_next(rows, reterr);
		if (r <= 0)
			break;
		r = 0;
	}
	if (r == 0 && ret_changed)
		*ret_changed = rows->ops->changed(rows);
	return r;
}

int db_next(struct db_rows *rows, struct err *reterr)
{
	return rows->ops->next(rows, reterr);
}

void db_rows_free(struct db_rows *rows)
{
	if (rows)
		rows->ops->rows_free(rows);
}

int64_t db_int(const struct db_rows *rows, int column)
{
	return rows->ops->as_int(rows, column);
}

const char *db_text(const struct db_rows *rows, int column)
{
	return rows->ops->as_text(rows, column);
}

struct slice db_blob(const struct db_rows *rows, int column)
{
	return rows->ops->as_blob(rows, column);
}

int db_begin(struct db *db, struct err *reterr)
{
	return db->ops->begin(db, reterr);
}

int db_commit(struct db *db, struct err *reterr)
{
	return db->ops->commit(db, reterr);
}

int db_sync(struct db *db, struct err *reterr)
{
	return db->ops->sync(db, reterr);
}

int db_sync_fd(struct db *db)
{
	return db->ops->sync_fd(db);
}

void db_rollback(struct db *db)
{
	db->ops->rollback(db);
}

bool db_in_transaction(const struct db *db)
{
	return db->ops->in_transaction(db);
}
