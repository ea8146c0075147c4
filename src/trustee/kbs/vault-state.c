/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What verifiers know: tenants, their policies and reference values, and collateral. It is pushed
 * when a verifier comes up, and whenever the store's generation says that something changed, be it
 * through this replica or another. Work that is submitted after vault_sync() sees the change,
 * because a verifier reads its messages in order.
 */
#include "base/log.h"
#include "base/str.h"
#include "evidence/collateral_file.h"
#include "fmt/json.h"
#include "trustee/kbs/vault-internal.h"

#define TO_ALL (-1)

int vault_read_collateral(
	const struct kbs_config *c, struct buf *out, struct vault_se *ret_se, struct err *reterr)
{
	cleanup(collateral_store_free) struct collateral_store *store = collateral_store_new();
	cleanup(json_decref) json_t *doc = NULL;
	const char *path = c->husk.collateral;

	*out = buf_init(COLLATERAL_DOC_MAX);
	if (!path)
		return vault_se_load(c, NULL, ret_se, reterr);
	int r = store ? collateral_store_read(store, path, reterr) : -ENOMEM;
	if (r < 0)
		return r;
	r = vault_se_load(c, collateral_store_provider(store), ret_se, reterr);
	if (r < 0)
		return r;
	doc = collateral_store_save(store);
	r = doc ? json_write(doc, out) : -ENOMEM;
	return r < 0 ? err_set(reterr, r, "collateral %s", path) : 0;
}

/* @header is consumed. */
static int push(struct vault *v, int to, json_t *header, struct slice body)
{
	int r = header ? 0 : -ENOMEM;

	if (r == 0 && to == TO_ALL)
		pool_broadcast(v->pool, header, body);
	else if (r == 0)
		r = v->ops.to_verifier(v->ops.cookie, (unsigned)to, header, body);
	json_decref(header);
	return r;
}

static int push_references(struct vault *v, int to, const char *tenant)
{
	json_t *records = NULL;
	int r = store_rv_list(v->store, tenant, &records, NULL);

	return r < 0 ? r
		     : push(v, to,
			       json_pack("{s:s, s:s, s:o}", "op", "references", "tenant", tenant,
				       "records", records),
			       SLICE_EMPTY);
}

static int push_policy(struct vault *v, int to, const char *tenant, const char *id)
{
	cleanup_with(buf_done) struct buf text = buf_init(STORE_POLICY_MAX);
	int r = store_policy_get(v->store, tenant, id, 0, &text, NULL, NULL);

	return r < 0 ? r
		     : push(v, to,
			       json_pack("{s:s, s:s, s:s}", "op", "policy", "tenant", tenant,
				       "policy", id),
			       buf_slice(&text));
}

static int push_tenant(struct vault *v, int to, const char *tenant)
{
	json_t *list = NULL;
	size_t i;
	const json_t *item;
	int r = push_references(v, to, tenant);

	if (r == 0)
		r = store_policy_list(v->store, tenant, &list, NULL);
	json_array_foreach (list, i, item) {
		if (r == 0)
			r = push_policy(v, to, tenant, wire_str(item, "id"));
	}
	json_decref(list);
	return r;
}

static int load_tenants(struct vault *v)
{
	json_t *list = NULL, *names = json_object();
	size_t i;
	const json_t *item;
	int r = names ? store_tenant_list(v->store, &list, NULL) : -ENOMEM;

	json_array_foreach (list, i, item) {
		if (r == 0 && json_object_set_new(names, wire_str(item, "name"), json_true()) < 0)
			r = -ENOMEM;
	}
	json_decref(list);
	if (r < 0) {
		json_decref(names);
		return r;
	}
	json_decref(v->tenants);
	v->tenants = names;
	return 0;
}

static int push_all(struct vault *v, int to)
{
	const char *name;
	json_t *value;
	int r = load_tenants(v);

	/* First who there is: a verifier forgets the others. */
	if (r == 0)
		r = push(v, to, json_pack("{s:s, s:O}", "op", "tenants", "names", v->tenants),
			SLICE_EMPTY);
	if (r == 0)
		r = push_tenant(v, to, "");
	json_object_foreach (v->tenants, name, value) {
		if (r == 0)
			r = push_tenant(v, to, name);
	}
	return r;
}

static int push_se_key(struct vault *v, int to)
{
	return v->se.pem.size > 0
		       ? push(v, to, json_pack("{s:s}", "op", "se-key"), buf_slice(&v->se.pem))
		       : 0;
}

int vault_push_state(struct vault *v, unsigned index)
{
	int r = push_se_key(v, (int)index);

	if (r == 0 && v->collateral.size > 0)
		r = push(v, (int)index, json_pack("{s:s}", "op", "collateral"),
			buf_slice(&v->collateral));
	if (r == 0)
		r = push_all(v, (int)index);
	if (r < 0)
		log_error("kbs.verifier.init", LOG_I64("error", r));
	return r;
}

int vault_push_collateral(struct vault *v)
{
	int r = push_se_key(v, TO_ALL);

	if (r < 0 || v->collateral.size == 0)
		return r;
	return push(v, TO_ALL, json_pack("{s:s}", "op", "collateral"), buf_slice(&v->collateral));
}

int vault_sync(struct vault *v)
{
	int64_t now = 0;
	int r;

	r = store_generation(v->store, &now, NULL);
	if (r < 0 || now == v->generation)
		return r;
	r = push_all(v, TO_ALL);
	if (r == 0)
		v->generation = now;
	else
		log_error("kbs.state.push", LOG_I64("error", r));
	return r;
}

bool vault_tenant_known(const struct vault *v, const char *tenant)
{
	return !*tenant || json_object_get(v->tenants, tenant);
}
