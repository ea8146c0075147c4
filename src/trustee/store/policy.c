/* SPDX-License-Identifier: Apache-2.0 */
/* Policies: the newest versions are kept, the highest one is active. */
#include "base/str.h"
#include "trustee/store/internal.h"

static int insert_policy(struct store *s, const struct store_change *by, const char *id,
	struct slice text, int64_t *ret_version, struct err *reterr)
{
	cleanup(db_rows_free) struct db_rows *rows = NULL;
	char digest[65];
	int r = store_sha256_hex(text, digest);

	if (r < 0)
		return r;
	r = db_query(s->db,
		"INSERT INTO policy(tenant, id, version, created, actor, sha256, text)"
		" SELECT $1, $2, coalesce(max(version), 0) + 1, $3, $4, $5, $6 FROM policy"
		" WHERE tenant = $1 AND id = $2 RETURNING version",
		DB_WITH(DB_TEXT(by->tenant), DB_TEXT(id), DB_INT(by->now), DB_TEXT(by->actor),
			DB_TEXT(digest), DB_BYTES(DB_TYPE_TEXT, text)),
		&rows, reterr);
	if (r == 0)
		r = db_next(rows, reterr);
	if (r < 0)
		return r;
	*ret_version = db_int(rows, 0);
	/* What they were is in the audit log, by its hash. */
	return db_run(s->db, "DELETE FROM policy WHERE tenant = $1 AND id = $2 AND version <= $3",
		DB_WITH(DB_TEXT(by->tenant), DB_TEXT(id),
			DB_INT(*ret_version - STORE_POLICY_VERSIONS)),
		NULL, reterr);
}

static int check_quota(
	struct store *s, const struct store_change *by, const char *id, struct err *reterr)
{
	cleanup(db_rows_free) struct db_rows *rows = NULL;
	struct store_quota quota;
	int r = tenant_quota(s, by->tenant, &quota, reterr);

	/* The default policies come with the tenant. */
	if (r < 0 || quota.policies == 0 || streq(by->actor, "system"))
		return r;
	r = db_query(s->db,
		"SELECT count(DISTINCT id) FROM policy WHERE tenant = $1 AND id <> $2"
		" AND actor <> 'system'",
		DB_WITH(DB_TEXT(by->tenant), DB_TEXT(id)), &rows, reterr);
	if (r == 0)
		r = db_next(rows, reterr);
	if (r < 0)
		return r;
	return db_int(rows, 0) < quota.policies
		       ? 0
		       : err_set(reterr, -EDQUOT, "tenant %s may have %lld policies", by->tenant,
				 (long long)quota.policies);
}

int store_policy_set(struct store *s, const struct store_change *by, const char *id,
	struct slice text, int64_t *ret_version, struct err *reterr)
{
	int64_t version = 0;
	char detail[128], digest[65];
	int r = store_sha256_hex(text, digest);

	if (r < 0)
		return r;
	if (text.size > STORE_POLICY_MAX)
		return err_set(reterr, -E2BIG, "policy of %zu bytes is over the limit of %zu",
			text.size, STORE_POLICY_MAX);
	r = change_begin(s, reterr);
	if (r == 0)
		r = audit_lock(s, reterr);
	if (r == 0)
		r = check_quota(s, by, id, reterr);
	if (r == 0)
		r = insert_policy(s, by, id, text, &version, reterr);
	if (r == 0) {
		snprintf(detail, sizeof(detail), "version %lld, %zu bytes, sha256 %s",
			(long long)version, text.size, digest);
		r = audit_append(s, by, "policy.set", id, detail, reterr);
	}
	if (r == 0)
		r = generation_bump(s, reterr);
	r = change_end(s, r, reterr);
	if (r == 0 && ret_version)
		*ret_version = version;
	return r;
}

int store_policy_get(struct store *s, const char *tenant, const char *id, int64_t version,
	struct buf *text, int64_t *ret_version, struct err *reterr)
{
	cleanup(db_rows_free) struct db_rows *rows = NULL;
	int r = db_query(s->db,
		"SELECT version, text FROM policy"
		" WHERE tenant = $1 AND id = $2 AND ($3 = 0 OR version = $3)"
		" ORDER BY version DESC LIMIT 1",
		DB_WITH(DB_TEXT(tenant), DB_TEXT(id), DB_INT(version)), &rows, reterr);

	if (r == 0)
		r = db_next(rows, reterr);
	if (r < 0)
		return r;
	if (r == 0)
		return err_set(reterr, -ENOENT, "no policy %s", id);
	if (ret_version)
		*ret_version = db_int(rows, 0);
	buf_put_slice(text, db_blob(rows, 1));
	return buf_error(text);
}

static json_t *policy_row(const struct db_rows *rows)
{
	return json_pack("{s:s, s:I, s:I, s:s, s:s, s:I}", "id", db_text(rows, 0), "version",
		(json_int_t)db_int(rows, 1), "created", (json_int_t)db_int(rows, 2), "actor",
		db_text(rows, 3), "sha256", db_text(rows, 4), "size", (json_int_t)db_int(rows, 5));
}

/* length() would count characters; the limit, and whoever downloads, count bytes. */
#define POLICY_COLUMNS "p.id, p.version, p.created, p.actor, p.sha256, octet_length(p.text)"

int store_policy_list(struct store *s, const char *tenant, json_t **ret, struct err *reterr)
{
	return list_rows(s,
		"SELECT " POLICY_COLUMNS " FROM policy p WHERE p.tenant = $1 AND p.version ="
		" (SELECT max(version) FROM policy q WHERE q.tenant = p.tenant AND q.id = p.id)"
		" ORDER BY p.id",
		DB_WITH(DB_TEXT(tenant)), policy_row, ret, reterr);
}

int store_policy_history(
	struct store *s, const char *tenant, const char *id, json_t **ret, struct err *reterr)
{
	return list_rows(s,
		"SELECT " POLICY_COLUMNS " FROM policy p WHERE p.tenant = $1 AND p.id = $2"
		" ORDER BY p.version DESC",
		DB_WITH(DB_TEXT(tenant), DB_TEXT(id)), policy_row, ret, reterr);
}
