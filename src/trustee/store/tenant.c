/* SPDX-License-Identifier: Apache-2.0 */
/* Tenants: each has policies, reference values and resources of its own, within limits. */
#include "base/str.h"
#include "trustee/store/internal.h"

/* 1 to STORE_TENANT_MAX of [a-z0-9-], not starting with '-' */
static bool store_tenant_valid(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return n > 0 && n <= STORE_TENANT_MAX && name[n] == '\0' && name[0] != '-';
}

int tenant_quota(struct store *s, const char *tenant, struct store_quota *ret, struct err *reterr)
{
	cleanup(db_rows_free) struct db_rows *rows = NULL;
	int r;

	*ret = (struct store_quota){0};
	if (!*tenant)
		return 0;
	r = db_query(s->db,
		"SELECT resources, bytes, policies, reference_values FROM tenant WHERE name = $1",
		DB_WITH(DB_TEXT(tenant)), &rows, reterr);
	if (r == 0)
		r = db_next(rows, reterr);
	if (r < 0)
		return r;
	if (r == 0)
		return err_set(reterr, -ENOENT, "no tenant %s", tenant);
	*ret = (struct store_quota){
		db_int(rows, 0), db_int(rows, 1), db_int(rows, 2), db_int(rows, 3)};
	return 0;
}

int store_tenant_set(struct store *s, const struct store_change *by, const char *name,
	const struct store_quota *quota, struct err *reterr)
{
	char detail[160];
	int r;

	if (!store_tenant_valid(name))
		return err_set(reterr, -EINVAL,
			"a tenant's name is 1 to %d lower-case letters, digits and '-'",
			STORE_TENANT_MAX);
	r = change_begin(s, reterr);
	if (r == 0)
		r = audit_lock(s, reterr);
	if (r == 0)
		r = db_run(s->db,
			"INSERT INTO tenant(name, created, resources, bytes, policies,"
			" reference_values) VALUES($1, $2, $3, $4, $5, $6)"
			" ON CONFLICT(name) DO UPDATE SET resources = excluded.resources,"
			" bytes = excluded.bytes, policies = excluded.policies,"
			" reference_values = excluded.reference_values",
			DB_WITH(DB_TEXT(name), DB_INT(by->now), DB_INT(quota->resources),
				DB_INT(quota->bytes), DB_INT(quota->policies),
				DB_INT(quota->reference_values)),
			NULL, reterr);
	snprintf(detail, sizeof(detail),
		"resources %lld, bytes %lld, policies %lld, reference values %lld",
		(long long)quota->resources, (long long)quota->bytes, (long long)quota->policies,
		(long long)quota->reference_values);
	if (r == 0)
		r = audit_append(s, by, "tenant.set", name, detail, reterr);
	if (r == 0)
		r = generation_bump(s, reterr);
	return change_end(s, r, reterr);
}

int store_tenant_delete(
	struct store *s, const struct store_change *by, const char *name, struct err *reterr)
{
	static const char *const sql[] = {
		"DELETE FROM resource WHERE tenant = $1",
		"DELETE FROM resource_version WHERE tenant = $1",
		"DELETE FROM policy WHERE tenant = $1",
		"DELETE FROM reference_value WHERE tenant = $1",
		"DELETE FROM verdict WHERE tenant = $1",
		"DELETE FROM verdict_claims WHERE tenant = $1",
		"DELETE FROM session WHERE tenant = $1",
		"DELETE FROM plugin_item WHERE tenant = $1",
	};
	uint64_t changed = 0;
	int r = change_begin(s, reterr);

	if (r == 0)
		r = audit_lock(s, reterr);
	if (r == 0)
		r = db_run(s->db, "DELETE FROM tenant WHERE name = $1", DB_WITH(DB_TEXT(name)),
			&changed, reterr);
	if (r == 0 && changed == 0)
		r = err_set(reterr, -ENOENT, "no tenant %s", name);
	for (size_t i = 0; i < ARRAY_COUNT(sql) && r == 0; i++)
		r = db_run(s->db, sql[i], DB_WITH(DB_TEXT(name)), NULL, reterr);
	if (r == 0)
		r = audit_append(s, by, "tenant.delete", name, "", reterr);
	if (r == 0)
		r = generation_bump(s, reterr);
	return change_end(s, r, reterr);
}

static json_t *four(const struct db_rows *rows, int first)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "resources", (json_int_t)db_int(rows, first),
		"bytes", (json_int_t)db_int(rows, first + 1), "policies",
		(json_int_t)db_int(rows, first + 2), "reference_values",
		(json_int_t)db_int(rows, first + 3));
}

static json_t *tenant_row(const struct db_rows *rows)
{
	return json_pack("{s:s, s:I, s:o, s:o}", "name", db_text(rows, 0), "created",
		(json_int_t)db_int(rows, 1), "quota", four(rows, 2), "used", four(rows, 6));
}

int store_tenant_list(struct store *s, json_t **ret, struct err *reterr)
{
	return list_rows(s,
		"SELECT t.name, t.created, t.resources, t.bytes, t.policies, t.reference_values,"
		/* What the quotas count. */
		" (SELECT count(*) FROM resource r WHERE r.tenant = t.name)"
		" + (SELECT count(*) FROM plugin_item i WHERE i.tenant = t.name),"
		" CAST((SELECT coalesce(sum(v.size), 0) FROM resource_version v"
		" WHERE v.tenant = t.name AND v.kept = 1)"
		" + (SELECT coalesce(sum(length(i.content)), 0) FROM plugin_item i"
		" WHERE i.tenant = t.name) AS BIGINT),"
		" (SELECT count(DISTINCT p.id) FROM policy p WHERE p.tenant = t.name"
		" AND p.actor <> 'system'),"
		" (SELECT count(*) FROM reference_value v WHERE v.tenant = t.name)"
		" FROM tenant t ORDER BY t.name",
		DB_NOTHING, tenant_row, ret, reterr);
}
