/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RCAR sessions that several replicas share: whichever replica a guest's next request reaches can
 * go on with it. Each function is one statement on a connection of its own, so it is atomic and at
 * once visible to the others.
 */
#include "base/str.h"
#include "trustee/store/internal.h"

int store_session_new(struct store *s, const struct store_session *n, struct err *reterr)
{
	return db_run(s->live,
		"INSERT INTO session(id, tenant, nonce, tee, protocol, state, expires, digest, token)"
		" VALUES($1, $2, $3, $4, $5, 0, $6, $7, '')",
		DB_WITH(DB_TEXT(n->id), DB_TEXT(n->tenant), DB_TEXT(n->nonce), DB_TEXT(n->tee),
			DB_INT(n->protocol), DB_INT(n->expires),
			DB_BYTES(DB_TYPE_BLOB, SLICE_EMPTY)),
		NULL, reterr);
}

static int read_session(
	struct db_rows *rows, int64_t now, struct store_session *ret, struct err *reterr)
{
	int r = db_next(rows, reterr);

	if (r < 0)
		return r;
	if (r == 0)
		return -ENOENT;
	if (db_int(rows, 4) <= now)
		return -ESTALE;
	*ret = (struct store_session){.protocol = (int)db_int(rows, 7),
		.state = (enum store_session_state)db_int(rows, 3),
		.expires = db_int(rows, 4)};
	if (str_copy(ret->tenant, sizeof(ret->tenant), db_text(rows, 0)) < 0 ||
		str_copy(ret->nonce, sizeof(ret->nonce), db_text(rows, 1)) < 0 ||
		str_copy(ret->tee, sizeof(ret->tee), db_text(rows, 2)) < 0)
		return -EIO;
	if (db_blob(rows, 5).size == sizeof(ret->digest))
		memcpy(ret->digest, db_blob(rows, 5).data, sizeof(ret->digest));
	ret->token = strdup(db_text(rows, 6));
	return ret->token ? 0 : -ENOMEM;
}

int store_session_take(struct store *s, const char *id, const char *tenant, int64_t now,
	struct store_session *ret, struct err *reterr)
{
	cleanup(db_rows_free) struct db_rows *rows = NULL;
	/* The row lock of UPDATE decides between replicas: one of them sees state 0, and only it
	 * sees "was" differ from what the row holds afterwards. */
	int r = db_query(s->live,
		"WITH old AS (SELECT id, state FROM session WHERE id = $1 AND tenant = $2"
		" FOR UPDATE)"
		" UPDATE session n SET state = CASE WHEN old.state = 0 THEN 1 ELSE n.state END"
		" FROM old WHERE n.id = old.id"
		" RETURNING n.tenant, n.nonce, n.tee, old.state, n.expires, n.digest, n.token,"
		" n.protocol",
		DB_WITH(DB_TEXT(id), DB_TEXT(tenant)), &rows, reterr);

	return r < 0 ? r : read_session(rows, now, ret, reterr);
}

int store_session_read(struct store *s, const char *id, const char *tenant, int64_t now,
	struct store_session *ret, struct err *reterr)
{
	cleanup(db_rows_free) struct db_rows *rows = NULL;
	int r = db_query(s->live,
		"SELECT tenant, nonce, tee, state, expires, digest, token, protocol FROM session"
		" WHERE id = $1 AND tenant = $2",
		DB_WITH(DB_TEXT(id), DB_TEXT(tenant)), &rows, reterr);

	return r < 0 ? r : read_session(rows, now, ret, reterr);
}

int store_session_attested(struct store *s, const char *id, const uint8_t digest[32],
	const char *token, struct err *reterr)
{
	uint64_t changed = 0;
	int r = db_run(s->live,
		"UPDATE session SET state = 2, digest = $2, token = $3 WHERE id = $1 AND state = 1",
		DB_WITH(DB_TEXT(id), DB_BYTES(DB_TYPE_BLOB, slice_of(digest, 32)), DB_TEXT(token)),
		&changed, reterr);

	return r == 0 && changed == 0 ? -ENOENT : r;
}

int store_session_remove(struct store *s, const char *id, struct err *reterr)
{
	return db_run(
		s->live, "DELETE FROM session WHERE id = $1", DB_WITH(DB_TEXT(id)), NULL, reterr);
}

int store_session_expire(struct store *s, int64_t now, struct err *reterr)
{
	return db_run(s->live, "DELETE FROM session WHERE expires <= $1", DB_WITH(DB_INT(now)),
		NULL, reterr);
}

int store_session_count(struct store *s, uint64_t *ret_pending, uint64_t *ret_attested)
{
	cleanup(db_rows_free) struct db_rows *rows = NULL;
	int r = db_query(s->live,
		"SELECT (SELECT count(*) FROM session WHERE state < 2),"
		" (SELECT count(*) FROM session WHERE state = 2)",
		DB_NOTHING, &rows, NULL);

	if (r == 0)
		r = db_next(rows, NULL);
	if (r < 0)
		return r;
	*ret_pending = (uint64_t)db_int(rows, 0);
	*ret_attested = (uint64_t)db_int(rows, 1);
	return 0;
}
