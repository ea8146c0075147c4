/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a backend provides; see db.h for the meaning. */
#include "trustee/store/db.h"

struct db_ops {
	enum db_kind kind;
	void (*close)(struct db *db);
	int (*exec)(struct db *db, const char *sql, struct err *reterr);
	int (*query)(struct db *db, const char *sql, const struct db_value *params, size_t count,
		struct db_rows **ret, struct err *reterr);
	int (*begin)(struct db *db, struct err *reterr);
	int (*commit)(struct db *db, struct err *reterr);
	int (*sync)(struct db *db, struct err *reterr);
	int (*sync_fd)(struct db *db);
	void (*rollback)(struct db *db);
	bool (*in_transaction)(const struct db *db);
	int (*next)(struct db_rows *rows, struct err *reterr);
	uint64_t (*changed)(const struct db_rows *rows);
	void (*rows_free)(struct db_rows *rows);
	int64_t (*as_int)(const struct db_rows *rows, int column);
	const char *(*as_text)(const struct db_rows *rows, int column);
	struct slice (*as_blob)(const struct db_rows *rows, int column);
};

/* First member of each backend's own structures. */
struct db {
	const struct db_ops *ops;
};
struct db_rows {
	const struct db_ops *ops;
};
