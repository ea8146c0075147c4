/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit log: append-only rows, each holding SHA-256(previous hash | its own fields), so that a
 * row that was changed or removed with another tool breaks the chain.
 */
#include "base/enc.h"
#include "base/str.h"
#include "crypto/hash.h"
#include "trustee/store/internal.h"

#define GENESIS "husk-audit-1"

int store_sha256_hex(struct slice in, char ret[65])
{
	struct digest d;
	int r = hash_once(HASH_SHA256, in, &d);

	if (r < 0)
		return r;
	hex_str(digest_slice(&d), ret, 65);
	return 0;
}

static int last_hash(struct store *s, char ret[65], struct err *reterr)
{
	cleanup(sq_finalize) sqlite3_stmt *st = NULL;
	int r = sq_prepare(s, "SELECT hash FROM audit ORDER BY seq DESC LIMIT 1", &st, reterr);

	if (r < 0)
		return r;
	r = sqlite3_step(st);
	if (r == SQLITE_DONE)
		return str_copy(ret, 65, GENESIS);
	if (r != SQLITE_ROW)
		return sq_error(s, reterr, "read audit log");
	return str_copy(ret, 65, sq_column(st, 0));
}

/* Fields are length-prefixed, so no two different rows hash the same text. */
static int row_hash(const char *previous, int64_t time, const char *const fields[5], char ret[65])
{
	cleanup_with(buf_done) struct buf b = buf_init(0);

	buf_printf(&b, "%s %lld", previous, (long long)time);
	for (size_t i = 0; i < 5; i++)
		buf_printf(&b, " %zu:%s", strlen(fields[i]), fields[i]);
	if (buf_error(&b) < 0)
		return buf_error(&b);
	return store_sha256_hex(buf_slice(&b), ret);
}

int audit_append(struct store *s, const struct store_change *by, const char *action,
	const char *object, const char *detail, struct err *reterr)
{
	cleanup(sq_finalize) sqlite3_stmt *st = NULL;
	const char *const fields[5] = {by->actor, by->peer, action, object, detail};
	char previous[65], hash[65];
	int r = last_hash(s, previous, reterr);

	if (r == 0)
		r = row_hash(previous, by->now, fields, hash);
	if (r == 0)
		r = sq_prepare(s,
			"INSERT INTO audit(time, actor, peer, action, object, detail, hash)"
			" VALUES(?, ?, ?, ?, ?, ?, ?)",
			&st, reterr);
	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 1, by->now);
	for (int i = 0; i < 5; i++)
		sq_text(st, 2 + i, fields[i]);
	sq_text(st, 7, hash);
	return sq_run(s, st, reterr, "write audit log");
}

int store_audit_add(struct store *s, const struct store_change *by, const char *action,
	const char *object, const char *detail, struct err *reterr)
{
	int r = sq_begin(s, reterr);

	if (r < 0)
		return r;
	r = audit_append(s, by, action, object, detail, reterr);
	if (r < 0) {
		sq_rollback(s);
		return r;
	}
	return sq_commit(s, reterr);
}

int store_audit_list(struct store *s, unsigned limit, json_t **ret, struct err *reterr)
{
	cleanup(sq_finalize) sqlite3_stmt *st = NULL;
	json_t *list;
	int r = sq_prepare(s,
		"SELECT seq, time, actor, peer, action, object, detail, hash FROM audit"
		" ORDER BY seq DESC LIMIT ?",
		&st, reterr);

	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 1, limit);
	list = json_array();
	while ((r = sqlite3_step(st)) == SQLITE_ROW) {
		json_array_append_new(
			list, json_pack("{s:I, s:I, s:s, s:s, s:s, s:s, s:s, s:s}", "seq",
				      (json_int_t)sqlite3_column_int64(st, 0), "time",
				      (json_int_t)sqlite3_column_int64(st, 1), "actor",
				      sq_column(st, 2), "peer", sq_column(st, 3), "action",
				      sq_column(st, 4), "object", sq_column(st, 5), "detail",
				      sq_column(st, 6), "hash", sq_column(st, 7)));
	}
	if (r != SQLITE_DONE) {
		json_decref(list);
		return sq_error(s, reterr, "list audit log");
	}
	*ret = list;
	return 0;
}

int store_audit_check(struct store *s, struct err *reterr)
{
	cleanup(sq_finalize) sqlite3_stmt *st = NULL;
	char previous[65] = GENESIS, hash[65];
	int r = sq_prepare(s,
		"SELECT time, actor, peer, action, object, detail, hash, seq FROM audit"
		" ORDER BY seq",
		&st, reterr);

	if (r < 0)
		return r;
	while ((r = sqlite3_step(st)) == SQLITE_ROW) {
		const char *const fields[5] = {sq_column(st, 1), sq_column(st, 2), sq_column(st, 3),
			sq_column(st, 4), sq_column(st, 5)};
		int h = row_hash(previous, sqlite3_column_int64(st, 0), fields, hash);

		if (h < 0)
			return h;
		if (!streq(hash, sq_column(st, 6)))
			return err_set(reterr, -EKEYREJECTED,
				"the audit log is broken at entry %lld: it or an earlier one was "
				"changed",
				(long long)sqlite3_column_int64(st, 7));
		memcpy(previous, hash, sizeof(previous));
	}
	return r == SQLITE_DONE ? 0 : sq_error(s, reterr, "read audit log");
}
