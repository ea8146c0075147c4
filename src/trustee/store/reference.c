/* SPDX-License-Identifier: Apache-2.0 */
/* Reference values: what good evidence looks like, each with a date after which it does not count. */
#include "base/clock.h"
#include "trustee/store/internal.h"

/* What else a record has. */
static char *pack_extra(const json_t *record)
{
	json_t *extra = json_object(), *v;
	char *text;

	if ((v = json_object_get(record, "provenance")) != NULL)
		json_object_set(extra, "provenance", v);
	if ((v = json_object_get(record, "staged")) != NULL)
		json_object_set(extra, "staged", v);
	text = json_dumps(extra, JSON_COMPACT);
	json_decref(extra);
	return text;
}

static int put_one(
	struct store *s, const struct store_change *by, const json_t *record, struct err *reterr)
{
	cleanup(free_ptr) char *text = NULL, *extra = NULL;
	const char *name = json_string_value(json_object_get(record, "name"));
	const char *version = json_string_value(json_object_get(record, "version"));
	const char *expiration = json_string_value(json_object_get(record, "expiration"));
	const json_t *value = json_object_get(record, "value");
	char detail[128], digest[65];
	int64_t expires;
	int r;

	if (!name || !*name || strlen(name) > STORE_NAME_MAX || !version || !value || !expiration ||
		rfc3339_parse(slice_str(expiration), &expires) < 0)
		return err_set(reterr, -EINVAL,
			"a reference value needs name, version, expiration (RFC 3339) and value");
	text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	extra = pack_extra(record);
	if (!text || !extra)
		return -ENOMEM;
	if (strlen(text) > STORE_VALUE_MAX || strlen(extra) > STORE_VALUE_MAX)
		return err_set(reterr, -E2BIG, "reference value %s is over the limit of %zu bytes",
			name, STORE_VALUE_MAX);
	r = store_sha256_hex(slice_str(text), digest);
	if (r == 0)
		r = db_run(s->db,
			"INSERT INTO reference_value(tenant, name, version, expiration, registered,"
			" value, extra) VALUES($1, $2, $3, $4, $5, $6, $7)"
			" ON CONFLICT(tenant, name) DO UPDATE SET"
			" version = excluded.version, expiration = excluded.expiration,"
			" registered = excluded.registered, value = excluded.value,"
			" extra = excluded.extra",
			DB_WITH(DB_TEXT(by->tenant), DB_TEXT(name), DB_TEXT(version),
				DB_INT(expires), DB_INT(by->now), DB_TEXT(text), DB_TEXT(extra)),
			NULL, reterr);
	if (r < 0)
		return r;
	snprintf(detail, sizeof(detail), "until %.24s, sha256 %s", expiration, digest);
	return audit_append(s, by, "reference-value.set", name, detail, reterr);
}

static int check_quota(struct store *s, const struct store_change *by, struct err *reterr)
{
	cleanup(db_rows_free) struct db_rows *rows = NULL;
	struct store_quota quota;
	int r = tenant_quota(s, by->tenant, &quota, reterr);

	if (r < 0 || quota.reference_values == 0)
		return r;
	r = db_query(s->db, "SELECT count(*) FROM reference_value WHERE tenant = $1",
		DB_WITH(DB_TEXT(by->tenant)), &rows, reterr);
	if (r == 0)
		r = db_next(rows, reterr);
	if (r < 0)
		return r;
	return db_int(rows, 0) <= quota.reference_values
		       ? 0
		       : err_set(reterr, -EDQUOT, "tenant %s may have %lld reference values",
				 by->tenant, (long long)quota.reference_values);
}

int store_rv_put(
	struct store *s, const struct store_change *by, const json_t *records, struct err *reterr)
{
	size_t i;
	const json_t *record;
	int r = change_begin(s, reterr);

	if (r == 0)
		r = audit_lock(s, reterr);
	json_array_foreach (records, i, record) {
		if (r == 0)
			r = put_one(s, by, record, reterr);
	}
	/* Afterwards, because a change of a value that exists takes no room. */
	if (r == 0)
		r = check_quota(s, by, reterr);
	if (r == 0)
		r = generation_bump(s, reterr);
	return change_end(s, r, reterr);
}

int store_rv_delete(
	struct store *s, const struct store_change *by, const char *name, struct err *reterr)
{
	uint64_t changed = 0;
	int r = change_begin(s, reterr);

	if (r == 0)
		r = audit_lock(s, reterr);
	if (r == 0)
		r = db_run(s->db, "DELETE FROM reference_value WHERE tenant = $1 AND name = $2",
			DB_WITH(DB_TEXT(by->tenant), DB_TEXT(name)), &changed, reterr);
	if (r == 0 && changed == 0)
		r = err_set(reterr, -ENOENT, "no reference value %s", name);
	if (r == 0)
		r = audit_append(s, by, "reference-value.delete", name, "", reterr);
	if (r == 0)
		r = generation_bump(s, reterr);
	return change_end(s, r, reterr);
}

static json_t *rv_row(const struct db_rows *rows)
{
	char expires[RFC3339_SIZE], registered[RFC3339_SIZE];
	json_t *value = json_loads(db_text(rows, 4), JSON_DECODE_ANY, NULL);

	json_t *extra = json_loads(db_text(rows, 5), 0, NULL);
	json_t *record;

	if (!value || !extra) {
		json_decref(value);
		json_decref(extra);
		return NULL;
	}
	record = json_pack("{s:s, s:s, s:s, s:s, s:o}", "version", db_text(rows, 0), "name",
		db_text(rows, 1), "expiration", rfc3339_format(db_int(rows, 2), expires),
		"registered", rfc3339_format(db_int(rows, 3), registered), "value", value);
	if (!record || json_object_update_missing(record, extra) < 0) {
		json_decref(record);
		record = NULL;
	}
	json_decref(extra);
	return record;
}

int store_rv_list(struct store *s, const char *tenant, json_t **ret, struct err *reterr)
{
	return list_rows(s,
		"SELECT version, name, expiration, registered, value, extra FROM reference_value"
		" WHERE tenant = $1 ORDER BY name",
		DB_WITH(DB_TEXT(tenant)), rv_row, ret, reterr);
}
