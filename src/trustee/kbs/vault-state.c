/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What verifiers know: tenants, their policies and reference values, and collateral. It is pushed
 * when a verifier comes up, and whenever the store's generation says that something changed, be it
 * through this replica or another. Work that is submitted after vault_sync() sees the change,
 * because a verifier reads its messages in order.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "collateral/bundle.h"
#include "collateral/expiry.h"
#include "evidence/collateral_file.h"
#include "fmt/json.h"
#include "trustee/kbs/vault-internal.h"

#define TO_ALL (-1)

int vault_read_collateral(const struct kbs_config *c, struct store *store,
	struct collateral_store **ret, struct err *reterr)
{
	cleanup(collateral_store_free) struct collateral_store *all = collateral_store_new();
	cleanup(collateral_store_free) struct collateral_store *given = collateral_store_new();
	enum collateral_fate fate;
	struct slice item;
	const char *key;
	size_t count = 0;
	int r = all && given ? store_collateral_load(store, NULL, all, &count, reterr) : -ENOMEM;

	if (r == 0 && c->husk.collateral)
		r = collateral_store_read(given, c->husk.collateral, reterr);
	for (size_t i = 0; r == 0 && (key = collateral_store_at(given, i, &item)) != NULL; i++)
		r = collateral_merge(all, key, item, &fate, reterr);
	if (r == 0)
		*ret = steal_ptr(all);
	return r;
}

int vault_read_anchors(const struct kbs_config *c, json_t **ret, struct err *reterr)
{
	json_t *list = json_array();
	int r = list ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < c->husk.rvps_trusted_keys.count; i++) {
		cleanup_with(buf_done) struct buf pem = buf_init((size_t)1 << 20);

		r = file_read(c->husk.rvps_trusted_keys.items[i], pem.max, &pem, reterr);
		if (r == 0 &&
			json_array_append_new(list, json_stringn(buf_str(&pem), pem.size)) < 0)
			r = err_set(reterr, -EBADMSG, "rvps_trusted_keys %s is not PEM text",
				c->husk.rvps_trusted_keys.items[i]);
	}
	if (r < 0)
		json_decref(list);
	else
		*ret = list;
	return r;
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

static int push_collateral(
	struct vault *v, int to, const char *op, const struct collateral_store *items)
{
	cleanup_with(buf_done) struct buf text = buf_init(COLLATERAL_DOC_MAX);
	cleanup(json_decref) json_t *doc = NULL;

	if (!collateral_store_at(items, 0, NULL))
		return 0;
	doc = collateral_store_save(items);
	int r = doc ? json_write(doc, &text) : -ENOMEM;
	return r == 0 ? push(v, to, json_pack("{s:s}", "op", op), buf_slice(&text)) : r;
}

static json_t *describe(const char *key, struct slice item, int64_t now)
{
	struct collateral_life life = {0};
	char from[RFC3339_SIZE], until[RFC3339_SIZE];
	bool good = collateral_life(item, &life, NULL) == 0;
	json_t *o = json_pack("{s:s, s:I, s:s, s:s}", "key", key, "size", (json_int_t)item.size,
		"kind", good ? collateral_kind_name(life.kind) : "malformed", "state",
		!good		    ? "malformed"
		: life.until <= now ? "expired"
				    : "good");

	if (o && good && life.until != INT64_MAX) {
		json_object_set_new(o, "from", json_string(rfc3339_format(life.from, from)));
		json_object_set_new(o, "until", json_string(rfc3339_format(life.until, until)));
	}
	return o;
}

int vault_list_collateral(const struct vault *v, json_t **ret)
{
	json_t *list = json_array();
	struct slice item;
	const char *key;
	int r = list ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && (key = collateral_store_at(v->collateral, i, &item)) != NULL;
		i++)
		r = json_array_append_new(list, describe(key, item, vault_now(v))) < 0 ? -ENOMEM
										       : 0;
	if (r < 0)
		json_decref(list);
	else
		*ret = list;
	return r;
}

int vault_push_state(struct vault *v, unsigned index)
{
	int r = push_se_key(v, (int)index);

	if (r == 0)
		r = push_collateral(v, (int)index, "collateral", v->collateral);
	if (r == 0)
		r = push_all(v, (int)index);
	if (r < 0)
		log_error("kbs.verifier.init", LOG_I64("error", r));
	return r;
}

int vault_push_collateral(struct vault *v)
{
	int r = push_se_key(v, TO_ALL);

	return r < 0 ? r : push_collateral(v, TO_ALL, "collateral", v->collateral);
}

int vault_add_collateral(struct vault *v, const struct collateral_store *items)
{
	return push_collateral(v, TO_ALL, "collateral-add", items);
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
