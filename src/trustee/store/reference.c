/* SPDX-License-Identifier: Apache-2.0 */
/* Reference values: what good evidence looks like, each with a date after which it does not count. */
#include "base/clock.h"
#include "trustee/store/internal.h"

static int put_one(
	struct store *s, const struct store_change *by, const json_t *record, struct err *reterr)
{
	cleanup(sq_finalize) sqlite3_stmt *st = NULL;
	cleanup(free_ptr) char *text = NULL;
	const char *name = json_string_value(json_object_get(record, "name"));
	const char *version = json_string_value(json_object_get(record, "version"));
	const char *expiration = json_string_value(json_object_get(record, "expiration"));
	const json_t *value = json_object_get(record, "value");
	int64_t expires;
	int r;

	if (!name || !*name || strlen(name) > STORE_NAME_MAX || !version || !value || !expiration ||
		rfc3339_parse(slice_str(expiration), &expires) < 0)
		return err_set(reterr, -EINVAL,
			"a reference value needs name, version, expiration (RFC 3339) and value");
	text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	if (!text)
		return -ENOMEM;
	if (strlen(text) > STORE_VALUE_MAX)
		return err_set(reterr, -E2BIG, "reference value %s is over the limit of %zu bytes",
			name, STORE_VALUE_MAX);
	r = sq_prepare(s,
		"INSERT INTO reference_value(name, version, expiration, registered, value)"
		" VALUES(?, ?, ?, ?, ?) ON CONFLICT(name) DO UPDATE SET"
		" version = excluded.version, expiration = excluded.expiration,"
		" registered = excluded.registered, value = excluded.value",
		&st, reterr);
	if (r < 0)
		return r;
	sq_text(st, 1, name);
	sq_text(st, 2, version);
	sqlite3_bind_int64(st, 3, expires);
	sqlite3_bind_int64(st, 4, by->now);
	sq_text(st, 5, text);
	r = sq_run(s, st, reterr, "write reference value");
	if (r == 0)
		r = audit_append(s, by, "reference-value.set", name, expiration, reterr);
	return r;
}

int store_rv_put(
	struct store *s, const struct store_change *by, const json_t *records, struct err *reterr)
{
	size_t i;
	const json_t *record;
	int r = sq_begin(s, reterr);

	if (r < 0)
		return r;
	json_array_foreach (records, i, record) {
		r = put_one(s, by, record, reterr);
		if (r < 0) {
			sq_rollback(s);
			return r;
		}
	}
	return sq_commit(s, reterr);
}

int store_rv_delete(
	struct store *s, const struct store_change *by, const char *name, struct err *reterr)
{
	cleanup(sq_finalize) sqlite3_stmt *st = NULL;
	int r = sq_begin(s, reterr);

	if (r < 0)
		return r;
	r = sq_prepare(s, "DELETE FROM reference_value WHERE name = ?", &st, reterr);
	if (r == 0) {
		sq_text(st, 1, name);
		r = sq_run(s, st, reterr, "delete reference value");
	}
	if (r == 0 && sqlite3_changes(s->db) == 0)
		r = err_set(reterr, -ENOENT, "no reference value %s", name);
	if (r == 0)
		r = audit_append(s, by, "reference-value.delete", name, "", reterr);
	if (r < 0) {
		sq_rollback(s);
		return r;
	}
	return sq_commit(s, reterr);
}

int store_rv_list(struct store *s, json_t **ret, struct err *reterr)
{
	cleanup(sq_finalize) sqlite3_stmt *st = NULL;
	json_t *list;
	int r = sq_prepare(s,
		"SELECT version, name, expiration, registered, value FROM reference_value"
		" ORDER BY name",
		&st, reterr);

	if (r < 0)
		return r;
	list = json_array();
	while ((r = sqlite3_step(st)) == SQLITE_ROW) {
		char expires[RFC3339_SIZE], registered[RFC3339_SIZE];
		json_t *value = json_loads(sq_column(st, 4), JSON_DECODE_ANY, NULL);

		if (!value) {
			json_decref(list);
			return err_set(reterr, -EIO, "reference value %s is damaged in the store",
				sq_column(st, 1));
		}
		json_array_append_new(list,
			json_pack("{s:s, s:s, s:s, s:s, s:o}", "version", sq_column(st, 0), "name",
				sq_column(st, 1), "expiration",
				rfc3339_format(sqlite3_column_int64(st, 2), expires), "registered",
				rfc3339_format(sqlite3_column_int64(st, 3), registered), "value",
				value));
	}
	if (r != SQLITE_DONE) {
		json_decref(list);
		return sq_error(s, reterr, "list reference values");
	}
	*ret = list;
	return 0;
}
