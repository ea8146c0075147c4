/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Shared by the files of the store; nobody else includes it. */
#include "crypto/merkle.h"
#include "trustee/store/db.h"
#include "trustee/store/store.h"

/**
 * struct store
 * @live: second connection for sessions, which must be seen by other replicas at once and never
 * wait for a transaction of @db; NULL for SQLite, which has no other replica
 * @in_batch: a transaction is open
 * @head: the audit log within the open transaction, @head_loaded false outside
 * @head_saved: what it was when the change at hand began
 */
struct store {
	struct db *db;
	struct db *live;
	bool in_batch;
	bool unsynced; /* committed, perhaps not on the disk yet */
	struct merkle head, head_saved;
	bool head_loaded, head_dirty;
	bool dirty_saved;
};

/** schema_migrate() - bring the database to this program's schema, in a transaction of its own */
must_check int schema_migrate(struct db *db, const char *name, struct err *reterr);

/* Opens the transaction that the next statements belong to, unless it is open already. */
must_check int store_batch(struct store *s, struct err *reterr);
/*
 * A durable change: change_begin(), statements, change_end(), which commits when @r is 0 and else
 * undoes the change but keeps the running batch. Return of change_end(): @r, or why the commit
 * failed.
 */
must_check int change_begin(struct store *s, struct err *reterr);
must_check int change_end(struct store *s, int r, struct err *reterr);
/* Others notice that policies or reference values are not what they know. */
must_check int generation_bump(struct store *s, struct err *reterr);
/* Makes this change wait for those of other replicas, and loads the audit log's head. */
must_check int audit_lock(struct store *s, struct err *reterr);
must_check int audit_append(struct store *s, const struct store_change *by, const char *action,
	const char *object, const char *detail, struct err *reterr);
/* Recomputes every hash within the open transaction. */
must_check int audit_check(struct store *s, struct err *reterr);
/* Writes the head, before a commit. */
must_check int audit_write_head(struct store *s, struct err *reterr);
/* Lower-case hex SHA-256 with its NUL. */
must_check int store_sha256_hex(struct slice in, char ret[65]);

/* Limits of a tenant, 0 for none; of the default tenant none. -ENOENT for an unknown tenant. */
must_check int tenant_quota(
	struct store *s, const char *tenant, struct store_quota *ret, struct err *reterr);
/*
 * Whether the tenant may have one more thing of @size bytes; the versions of a resource under @key up to
 * @forgotten are not counted, since they will be replaced. -EDQUOT otherwise.
 */
must_check int quota_check(struct store *s, const struct store_change *by, const char *key,
	int64_t forgotten, size_t size, struct err *reterr);
/* Runs a query and appends make(rows) of each row to a new array. */
typedef json_t *(*row_fn)(const struct db_rows *rows);
must_check int list_rows(struct store *s, const char *sql, const struct db_value *params,
	size_t count, row_fn make, json_t **ret, struct err *reterr);
