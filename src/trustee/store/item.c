/* SPDX-License-Identifier: Apache-2.0 */
/* What plugins of the broker keep: named contents without versions, a namespace for each plugin. */
#include "trustee/store/internal.h"

static int is_there(struct store *s, const char *tenant, const char *plugin, const char *key,
	struct err *reterr)
{
	cleanup(db_rows_free) struct db_rows *rows = NULL;
	int r = db_query(s->db,
		"SELECT 1 FROM plugin_item WHERE tenant = $1 AND plugin = $2 AND key = $3",
		DB_WITH(DB_TEXT(tenant), DB_TEXT(plugin), DB_TEXT(key)), &rows, reterr);

	if (r == 0)
		r = db_next(rows, reterr);
	return r == 1 ? err_set(reterr, -EEXIST, "%s of plugin %s exists already", key, plugin) : r;
}

int store_item_add(struct store *s, const struct store_change *by, const char *plugin,
	const char *key, struct slice content, const char *action, struct err *reterr)
{
	int r;

	if (content.size > STORE_ITEM_MAX)
		return err_set(reterr, -E2BIG, "%zu bytes are over the limit of %zu", content.size,
			STORE_ITEM_MAX);
	r = change_begin(s, reterr);
	if (r == 0)
		r = audit_lock(s, reterr);
	if (r == 0)
		r = is_there(s, by->tenant, plugin, key, reterr);
	if (r == 0)
		r = quota_check(s, by, "", 0, content.size, reterr);
	if (r == 0)
		r = db_run(s->db,
			"INSERT INTO plugin_item(tenant, plugin, key, created, content)"
			" VALUES($1, $2, $3, $4, $5)",
			DB_WITH(DB_TEXT(by->tenant), DB_TEXT(plugin), DB_TEXT(key), DB_INT(by->now),
				DB_BYTES(DB_TYPE_BLOB, content)),
			NULL, reterr);
	if (r == 0)
		r = audit_append(s, by, action, key, "", reterr);
	return change_end(s, r, reterr);
}

int store_item_get(struct store *s, const char *tenant, const char *plugin, const char *key,
	struct secret *ret, struct err *reterr)
{
	cleanup(db_rows_free) struct db_rows *rows = NULL;
	int r = db_query(s->db,
		"SELECT content FROM plugin_item WHERE tenant = $1 AND plugin = $2 AND key = $3",
		DB_WITH(DB_TEXT(tenant), DB_TEXT(plugin), DB_TEXT(key)), &rows, reterr);

	if (r == 0)
		r = db_next(rows, reterr);
	if (r < 0)
		return r;
	if (r == 0)
		return err_set(reterr, -ENOENT, "plugin %s has no %s", plugin, key);
	return secret_copy(ret, db_blob(rows, 0));
}

int store_item_delete(struct store *s, const struct store_change *by, const char *plugin,
	const char *key, const char *action, struct err *reterr)
{
	uint64_t changed = 0;
	int r = change_begin(s, reterr);

	if (r == 0)
		r = audit_lock(s, reterr);
	if (r == 0)
		r = db_run(s->db,
			"DELETE FROM plugin_item WHERE tenant = $1 AND plugin = $2 AND key = $3",
			DB_WITH(DB_TEXT(by->tenant), DB_TEXT(plugin), DB_TEXT(key)), &changed,
			reterr);
	if (r == 0 && changed == 0)
		r = err_set(reterr, -ENOENT, "plugin %s has no %s", plugin, key);
	if (r == 0)
		r = audit_append(s, by, action, key, "", reterr);
	return change_end(s, r, reterr);
}
