/* SPDX-License-Identifier: Apache-2.0 */
/* Resources: the keys and secrets that the broker keeps. */
#include "base/str.h"
#include "trustee/store/internal.h"

/* Current version, 0 when there is no such resource; highest version ever, 0 for none. */
static int versions_of(struct store *s, const char *tenant, const char *key, int64_t *ret_current,
	int64_t *ret_highest, struct err *reterr)
{
	cleanup(db_rows_free) struct db_rows *rows = NULL;
	int r = db_query(s->db,
		"SELECT coalesce((SELECT version FROM resource WHERE tenant = $1 AND key = $2), 0),"
		" coalesce((SELECT max(version) FROM resource_version"
		" WHERE tenant = $1 AND key = $2), 0)",
		DB_WITH(DB_TEXT(tenant), DB_TEXT(key)), &rows, reterr);

	if (r == 0)
		r = db_next(rows, reterr);
	if (r < 0)
		return r;
	*ret_current = db_int(rows, 0);
	*ret_highest = db_int(rows, 1);
	return 0;
}

static int check_precondition(
	const char *key, int64_t have, const struct store_put *put, struct err *reterr)
{
	if (!put->overwrite && have)
		return err_set(reterr, -EEXIST, "resource %s exists already", key);
	if (put->must_exist && !have)
		return err_set(reterr, -ESTALE, "there is no resource %s", key);
	if (put->if_version && put->if_version != have)
		return err_set(reterr, -ESTALE, "resource %s has version %lld, not %lld", key,
			(long long)have, (long long)put->if_version);
	return 0;
}

int quota_check(struct store *s, const struct store_change *by, const char *key, int64_t forgotten,
	size_t size, struct err *reterr)
{
	cleanup(db_rows_free) struct db_rows *rows = NULL;
	struct store_quota quota;
	int r = tenant_quota(s, by->tenant, &quota, reterr);

	if (r < 0 || (quota.resources == 0 && quota.bytes == 0))
		return r;
	r = db_query(s->db,
		"SELECT (SELECT count(*) FROM resource WHERE tenant = $1 AND key <> $2)"
		" + (SELECT count(*) FROM plugin_item WHERE tenant = $1),"
		" CAST((SELECT coalesce(sum(size), 0) FROM resource_version"
		" WHERE tenant = $1 AND (key <> $2 OR version > $3) AND kept = 1)"
		" + (SELECT coalesce(sum(length(content)), 0) FROM plugin_item"
		" WHERE tenant = $1) AS BIGINT)",
		DB_WITH(DB_TEXT(by->tenant), DB_TEXT(key), DB_INT(forgotten)), &rows, reterr);
	if (r == 0)
		r = db_next(rows, reterr);
	if (r < 0)
		return r;
	if (quota.resources && db_int(rows, 0) + 1 > quota.resources)
		return err_set(reterr, -EDQUOT, "tenant %s may have %lld resources", by->tenant,
			(long long)quota.resources);
	if (quota.bytes && db_int(rows, 1) + (int64_t)size > quota.bytes)
		return err_set(reterr, -EDQUOT, "tenant %s may store %lld bytes", by->tenant,
			(long long)quota.bytes);
	return 0;
}

/* Overwrites the content of versions that are @keep or more behind @version. */
static int forget(
	struct store *s, const char *tenant, const char *key, int64_t up_to, struct err *reterr)
{
	return db_run(s->db,
		"UPDATE resource_version SET content = $4, kept = 0"
		" WHERE tenant = $1 AND key = $2 AND version <= $3 AND kept = 1",
		DB_WITH(DB_TEXT(tenant), DB_TEXT(key), DB_INT(up_to),
			DB_BYTES(DB_TYPE_BLOB, SLICE_EMPTY)),
		NULL, reterr);
}

/* The newest version that has no content any more once @version is there. */
static int64_t forgotten_by(const struct store_put *put, int64_t version)
{
	return version - MAX((int64_t)put->keep, 1);
}

static int write_version(struct store *s, const struct store_change *by, const char *key,
	const struct store_put *put, int64_t version, struct err *reterr)
{
	int r = db_run(s->db,
		"INSERT INTO resource_version(tenant, key, version, time, actor, type, size, kept,"
		" content) VALUES($1, $2, $3, $4, $5, $6, $7, 1, $8)",
		DB_WITH(DB_TEXT(by->tenant), DB_TEXT(key), DB_INT(version), DB_INT(by->now),
			DB_TEXT(by->actor), DB_TEXT(put->type ? put->type : ""),
			DB_INT(put->content.size), DB_BYTES(DB_TYPE_BLOB, put->content)),
		NULL, reterr);

	if (r == 0)
		r = db_run(s->db,
			"INSERT INTO resource(tenant, key, version, created, modified)"
			" VALUES($1, $2, $3, $4, $4) ON CONFLICT(tenant, key) DO UPDATE SET"
			" version = excluded.version, modified = excluded.modified",
			DB_WITH(DB_TEXT(by->tenant), DB_TEXT(key), DB_INT(version),
				DB_INT(by->now)),
			NULL, reterr);
	return r < 0 ? r : forget(s, by->tenant, key, forgotten_by(put, version), reterr);
}

int store_resource_put(struct store *s, const struct store_change *by, const char *key,
	const struct store_put *put, int64_t *ret_version, struct err *reterr)
{
	int64_t current = 0, highest = 0;
	char detail[64];
	int r;

	if (put->content.size > STORE_RESOURCE_MAX)
		return err_set(reterr, -E2BIG, "resource of %zu bytes is over the limit of %zu",
			put->content.size, STORE_RESOURCE_MAX);
	r = change_begin(s, reterr);
	/* From here on no other replica changes anything: what is decided now stays true. */
	if (r == 0)
		r = audit_lock(s, reterr);
	if (r == 0)
		r = versions_of(s, by->tenant, key, &current, &highest, reterr);
	if (r == 0)
		r = check_precondition(key, current, put, reterr);
	if (r == 0)
		r = quota_check(
			s, by, key, forgotten_by(put, highest + 1), put->content.size, reterr);
	if (r == 0)
		r = write_version(s, by, key, put, highest + 1, reterr);
	if (r == 0) {
		snprintf(detail, sizeof(detail), "version %lld, %zu bytes", (long long)highest + 1,
			put->content.size);
		r = audit_append(s, by, "resource.set", key, detail, reterr);
	}
	r = change_end(s, r, reterr);
	if (r == 0 && ret_version)
		*ret_version = highest + 1;
	return r;
}

int store_resource_get(struct store *s, const char *tenant, const char *key, int64_t version,
	struct secret *ret, struct store_resource *info, struct err *reterr)
{
	cleanup(db_rows_free) struct db_rows *rows = NULL;
	struct slice content;
	int r = db_query(s->db,
		"SELECT v.version, v.type, v.content FROM resource r JOIN resource_version v"
		" ON v.tenant = r.tenant AND v.key = r.key"
		" WHERE r.tenant = $1 AND r.key = $2 AND v.kept = 1"
		" AND v.version = CASE WHEN $3 = 0 THEN r.version ELSE $3 END",
		DB_WITH(DB_TEXT(tenant), DB_TEXT(key), DB_INT(version)), &rows, reterr);

	if (r == 0)
		r = db_next(rows, reterr);
	if (r < 0)
		return r;
	if (r == 0)
		return version ? err_set(reterr, -ENOENT, "no version %lld of resource %s",
					 (long long)version, key)
			       : err_set(reterr, -ENOENT, "no resource %s", key);
	if (info) {
		info->version = db_int(rows, 0);
		(void)!str_copy(info->type, sizeof(info->type), db_text(rows, 1));
	}
	content = db_blob(rows, 2);
	if (content.size == 0) {
		*ret = (struct secret){0};
		return 0;
	}
	return secret_copy(ret, content);
}

int store_resource_delete(struct store *s, const struct store_change *by, const char *key,
	int64_t if_version, struct err *reterr)
{
	int64_t current = 0, highest = 0;
	int r = change_begin(s, reterr);

	if (r == 0)
		r = audit_lock(s, reterr);
	if (r == 0)
		r = versions_of(s, by->tenant, key, &current, &highest, reterr);
	if (r == 0 && current == 0)
		r = err_set(reterr, -ENOENT, "no resource %s", key);
	if (r == 0)
		r = check_precondition(key, current,
			&(struct store_put){.overwrite = true, .if_version = if_version}, reterr);
	if (r == 0)
		r = forget(s, by->tenant, key, highest, reterr);
	if (r == 0)
		r = db_run(s->db, "DELETE FROM resource WHERE tenant = $1 AND key = $2",
			DB_WITH(DB_TEXT(by->tenant), DB_TEXT(key)), NULL, reterr);
	if (r == 0)
		r = audit_append(s, by, "resource.delete", key, "", reterr);
	return change_end(s, r, reterr);
}

static json_t *resource_row(const struct db_rows *rows)
{
	return json_pack("{s:s, s:I, s:I, s:s, s:I, s:I}", "path", db_text(rows, 0), "version",
		(json_int_t)db_int(rows, 1), "size", (json_int_t)db_int(rows, 2), "type",
		db_text(rows, 3), "created", (json_int_t)db_int(rows, 4), "modified",
		(json_int_t)db_int(rows, 5));
}

int store_resource_list(
	struct store *s, const char *tenant, const char *prefix, json_t **ret, struct err *reterr)
{
	return list_rows(s,
		"SELECT r.key, r.version, v.size, v.type, r.created, r.modified FROM resource r"
		" JOIN resource_version v ON v.tenant = r.tenant AND v.key = r.key"
		" AND v.version = r.version"
		" WHERE r.tenant = $1 AND substr(r.key, 1, length($2)) = $2 ORDER BY r.key",
		DB_WITH(DB_TEXT(tenant), DB_TEXT(prefix)), resource_row, ret, reterr);
}

static json_t *version_row(const struct db_rows *rows)
{
	return json_pack("{s:I, s:I, s:s, s:s, s:I, s:b}", "version", (json_int_t)db_int(rows, 0),
		"time", (json_int_t)db_int(rows, 1), "actor", db_text(rows, 2), "type",
		db_text(rows, 3), "size", (json_int_t)db_int(rows, 4), "kept",
		(int)db_int(rows, 5));
}

int store_resource_history(
	struct store *s, const char *tenant, const char *key, json_t **ret, struct err *reterr)
{
	int r = list_rows(s,
		"SELECT version, time, actor, type, size, kept FROM resource_version"
		" WHERE tenant = $1 AND key = $2 ORDER BY version DESC",
		DB_WITH(DB_TEXT(tenant), DB_TEXT(key)), version_row, ret, reterr);

	if (r == 0 && json_array_size(*ret) == 0) {
		json_decref(*ret);
		*ret = NULL;
		return err_set(reterr, -ENOENT, "no resource %s", key);
	}
	return r;
}
