/* SPDX-License-Identifier: Apache-2.0 */
/* The vault's life and the dispatch of requests. */
#include "base/log.h"
#include "base/str.h"
#include "trustee/kbs/vault-internal.h"

static const char *const g_tees[TEE_COUNT] = {"az-snp-vtpm", "az-tdx-vtpm", "sev", "sgx", "snp",
	"tdx", "cca", "csv", "sample", "sampledevice", "se", "hygondcu", "tpm", "nvidia",
	"nvidiadpu", "nvidia-dpu"};

int vault_tee_index(const char *name)
{
	for (int i = 0; i < TEE_COUNT; i++) {
		if (streq(g_tees[i], name))
			return i;
	}
	return -1;
}

const char *vault_tee_name(int index)
{
	return g_tees[index];
}

int64_t vault_now(const struct vault *v)
{
	return v->ops.now_unix(v->ops.cookie);
}

int64_t vault_now_ms(const struct vault *v)
{
	return v->ops.now_ms(v->ops.cookie);
}

struct store_change vault_change(const struct call *c)
{
	return (struct store_change){
		.actor = c->role[0] ? c->role : "anonymous",
		.peer = c->peer,
		.now = vault_now(c->vault),
		.tenant = c->target.tenant,
	};
}

static int worker_send(void *cookie, unsigned index, const json_t *header, struct slice body)
{
	const struct worker_group *g = cookie;
	struct vault *v = g->vault;

	return v->ops.to_verifier(v->ops.cookie, g->first + index, header, body);
}

static int worker_init(void *cookie, unsigned index)
{
	const struct worker_group *g = cookie;

	/* Others know nothing that could be old. */
	return g == &g->vault->groups[WORKER_VERIFIER] ? vault_push_state(g->vault, index) : 0;
}

static void outside_taken(void *cookie, void *work_cookie)
{
	call_waits(work_cookie);
}

static int make_pools(struct vault *v)
{
	unsigned first = 0;

	for (int i = 0; i < WORKER_KINDS_; i++) {
		struct worker_group *g = &v->groups[i];
		/* Fetchers work for nobody in particular. */
		bool outside = i != WORKER_VERIFIER && i != WORKER_FETCHER;
		const struct pool_ops ops = {
			worker_send, worker_init, g, outside ? outside_taken : NULL};

		*g = (struct worker_group){.vault = v,
			.first = first,
			.count = kbs_config_workers(v->config, (enum worker_kind)i)};
		first += g->count;
		if (g->count > 0)
			g->pool = pool_new(g->count, &ops);
		if (g->count > 0 && !g->pool)
			return -ENOMEM;
	}
	v->pool = v->groups[WORKER_VERIFIER].pool;
	v->remotes = v->groups[WORKER_REMOTE].pool;
	v->backends = v->groups[WORKER_BACKEND].pool;
	v->externals = v->groups[WORKER_EXTERNAL].pool;
	v->hsms = v->groups[WORKER_HSM].pool;
	v->signers = v->groups[WORKER_SIGNER].pool;
	v->fetchers = v->groups[WORKER_FETCHER].pool;
	return 0;
}

int vault_open_store(const struct kbs_config *c, struct store **ret, struct err *reterr)
{
	const struct db_postgres_options o = {
		.host = c->postgres.host,
		.port = c->postgres.port,
		.database = c->postgres.db,
		.user = c->postgres.username,
		.password = c->postgres.password,
		.sslmode = c->postgres.sslmode,
		.sslrootcert = c->postgres.sslrootcert,
		.sslcert = c->postgres.sslcert,
		.sslkey = c->postgres.sslkey,
		.connect_timeout_ms = c->postgres.connect_timeout_ms,
		.statement_timeout_ms = c->postgres.statement_timeout_ms,
	};

	return c->store.postgres ? store_open_postgres(&o, ret, reterr)
				 : store_open(c->store.path, ret, reterr);
}

int vault_new(const struct kbs_config *c, const struct vault_ops *ops, struct vault **ret,
	struct err *reterr)
{
	cleanup(vault_free) struct vault *v = calloc(1, sizeof(*v));
	int r;

	if (!v)
		return -ENOMEM;
	v->config = c;
	v->ops = *ops;
	v->sessions = session_table_new(c->husk.sessions_pending_max, c->husk.sessions_attested_max,
		(int64_t)c->as.timeout_min * 60);
	v->names = json_object();
	if (!v->sessions || make_pools(v) < 0)
		return -ENOMEM;
	r = vault_open_store(c, &v->store, reterr);
	if (r == 0)
		r = token_keys_load(c, &v->keys, reterr);
	if (r == 0)
		r = admin_new(c, &v->admin, reterr);
	if (r == 0)
		r = vault_install_defaults(v, "", reterr);
	if (r == 0)
		r = vault_read_collateral(c, v->store, &v->collateral, reterr);
	if (r == 0)
		r = vault_se_load(c, collateral_store_provider(v->collateral), &v->se, reterr);
	if (r == 0)
		r = fetch_new(v);
	if (r == 0)
		r = jwks_configure(v, c);
	if (r == 0)
		r = vault_read_anchors(c, &v->anchors, reterr);
	if (r == 0)
		r = vault_sync(v);
	if (r < 0)
		return r;
	*ret = steal_ptr(v);
	return 0;
}

int vault_reload(struct vault *v, const struct kbs_config *c, struct err *reterr)
{
	cleanup(admin_free) struct admin *admin = NULL;
	cleanup(token_keys_free) struct token_keys *keys = NULL;
	cleanup(collateral_store_free) struct collateral_store *collateral = NULL;
	struct vault_se se = {0};
	json_t *anchors = NULL;
	int r = admin_new(c, &admin, reterr);

	/* A key that lives as long as the process stays: with another one tokens would not verify. */
	if (r == 0 && (c->signer.key_path || c->signer.key))
		r = token_keys_load(c, &keys, reterr);
	if (r == 0)
		r = vault_read_collateral(c, v->store, &collateral, reterr);
	if (r == 0)
		r = vault_read_anchors(c, &anchors, reterr);
	if (r == 0)
		r = vault_se_load(c, collateral_store_provider(collateral), &se, reterr);
	if (r == 0)
		r = jwks_configure(v, c);
	if (r == 0)
		r = jwks_apply(v, c, keys ? keys : v->keys, admin);
	if (r < 0) {
		vault_se_done(&se);
		json_decref(anchors);
		return r;
	}
	admin_free(v->admin);
	v->admin = steal_ptr(admin);
	if (keys) {
		token_keys_free(v->keys);
		v->keys = steal_ptr(keys);
	}
	collateral_store_free(v->collateral);
	v->collateral = steal_ptr(collateral);
	vault_se_done(&v->se);
	v->se = se;
	json_decref(v->anchors);
	v->anchors = anchors;
	v->config = c;
	return vault_push_collateral(v);
}

static void drop_all(struct call *c)
{
	while (c) {
		struct call *next = c->next;

		call_free(c);
		c = next;
	}
}

void vault_free(struct vault *v)
{
	if (!v)
		return;
	drop_all(v->waiting);
	drop_all(v->syncing);
	for (int i = 0; i < WORKER_KINDS_; i++)
		pool_free(v->groups[i].pool);
	json_decref(v->names);
	json_decref(v->anchors);
	session_table_free(v->sessions);
	admin_free(v->admin);
	token_keys_free(v->keys);
	store_close(v->store);
	json_decref(v->tenants);
	vault_se_done(&v->se);
	fetch_free(v->fetch);
	jwks_free(v->jwks);
	collateral_store_free(v->collateral);
	free(v);
}

/* Access lists speak of /kbs/...; whose that is, is checked beside. */
static const char *untenanted(const struct call *c)
{
	const char *at = c->raw_target;

	return c->target.tenant[0] ? at + strlen("/tenants/") + strlen(c->target.tenant) : at;
}

/* Brings verifiers up to date and knows the tenant. Return: false after answering. */
static bool admit_tenant(struct call *c)
{
	struct vault *v = c->vault;
	int r = store_shared(v->store) ? vault_sync(v) : 0;

	if (r < 0) {
		call_unavailable(c, r, NULL);
		return false;
	}
	if (vault_tenant_known(v, c->target.tenant))
		return true;
	reply_fail(&c->reply, REPLY_NOT_FOUND, "no tenant %s", c->target.tenant);
	call_answer(c);
	return false;
}

bool vault_admit_admin(struct call *c, struct slice bearer)
{
	struct err e = {0};

	if (admin_check(c->vault->admin, bearer, untenanted(c), c->target.tenant,
		    vault_now(c->vault), c->role, &e) == ADMIN_ALLOW)
		return true;
	if (e.code == -EKEYREJECTED)
		jwks_unknown_key(c->vault, KEYS_OF_ADMINS);
	log_warn("kbs.admin.refused", LOG_STR("peer", c->peer), LOG_STR("endpoint", c->raw_target),
		LOG_STR("request", c->request_id), LOG_STR("reason", err_text(&e, -EACCES)));
	reply_fail(&c->reply, REPLY_ADMIN_AUTH_ACCESS, "admin access denied for endpoint %s: %s",
		c->raw_target, err_text(&e, -EACCES));
	call_answer(c);
	return false;
}

void vault_serve_plain(struct call *c)
{
	switch (c->target.route) {
	case ROUTE_JWKS:
		reply_json(&c->reply, token_jwks(c->vault->keys));
		break;
	case ROUTE_METRICS:
		c->reply.type = REPLY_TEXT;
		vault_metrics(c->vault, &c->reply.body);
		break;
	case ROUTE_READYZ:
		if (store_ready(c->vault->store) < 0)
			reply_fail(&c->reply, REPLY_UNAVAILABLE, "the store is unusable");
		else if (pool_up_count(c->vault->pool) == 0)
			reply_fail(&c->reply, REPLY_UNAVAILABLE, "no verifier is up");
		else if (c->vault->signers && pool_up_count(c->vault->signers) == 0)
			reply_fail(&c->reply, REPLY_UNAVAILABLE, "no signer is up");
		break;
	case ROUTE_HEALTHZ:
		if (store_ready(c->vault->store) < 0)
			reply_fail(&c->reply, REPLY_UNAVAILABLE, "the store is unusable");
		break;
	case ROUTE_METHOD:
		reply_fail(&c->reply, REPLY_METHOD, "method not allowed here");
		break;
	case ROUTE_BAD_PATH:
		reply_fail(&c->reply, REPLY_INVALID_PATH, "invalid request path");
		break;
	default:
		reply_fail(
			&c->reply, REPLY_PLUGIN_NOT_FOUND, "Plugin %s not found", c->target.plugin);
		break;
	}
	call_answer(c);
}

void vault_front_message(struct vault *v, const json_t *header, struct slice body)
{
	struct call *c = call_new(v, header);
	struct slice bearer = slice_str(wire_str(header, "bearer"));

	/* Without memory there is no answer; the front's own deadline gives the client one. */
	if (!c)
		return;
	if (v->config->husk.service != SERVICE_KBS) {
		vault_service(c, body);
		return;
	}
	if (!vault_plugin_there(c)) {
		c->target.route = ROUTE_NONE;
		c->target.need = NEED_NOTHING;
	}
	if (c->target.need == NEED_ADMIN && !vault_admit_admin(c, bearer))
		return;
	if (c->target.need != NEED_NOTHING || c->target.route == ROUTE_AUTH) {
		if (!admit_tenant(c))
			return;
	}
	switch (c->target.route) {
	case ROUTE_AUTH:
		vault_auth(c);
		break;
	case ROUTE_ATTEST:
		vault_attest(c, body);
		break;
	case ROUTE_RESOURCE_GET:
	case ROUTE_RESOURCE_SET:
	case ROUTE_RESOURCE_DELETE:
	case ROUTE_PLUGIN:
		vault_plugin(c, bearer, body);
		break;
	case ROUTE_ATTESTATION_POLICY_SET:
	case ROUTE_RESOURCE_POLICY_SET:
		vault_policy_set(c, body);
		break;
	case ROUTE_REFERENCE_GET:
	case ROUTE_REFERENCE_SET:
	case ROUTE_RESOURCE_POLICY_LIST:
	case ROUTE_ADMIN_WHY:
	case ROUTE_ADMIN_VERDICTS:
	case ROUTE_ADMIN_VERDICT:
	case ROUTE_ADMIN_RESOURCES:
	case ROUTE_ADMIN_POLICIES:
	case ROUTE_ADMIN_POLICY:
	case ROUTE_ADMIN_REFERENCES:
	case ROUTE_ADMIN_REFERENCE_DELETE:
	case ROUTE_ADMIN_AUDIT:
	case ROUTE_ADMIN_AUDIT_HEAD:
	case ROUTE_ADMIN_AUDIT_PROOF:
	case ROUTE_ADMIN_AUDIT_CONSISTENCY:
	case ROUTE_ADMIN_RESOURCE_VERSIONS:
	case ROUTE_ADMIN_POLICY_VERSIONS:
	case ROUTE_ADMIN_TENANTS:
	case ROUTE_ADMIN_COLLATERAL:
		vault_admin(c, body);
		break;
	case ROUTE_ADMIN_DRY_RUN:
		vault_dry_run(c, body);
		break;
	case ROUTE_ADMIN_TENANT_SET:
	case ROUTE_ADMIN_TENANT_DELETE:
	case ROUTE_ADMIN_BACKUP:
		vault_house(c, body);
		break;
	default:
		vault_serve_plain(c);
		break;
	}
}

/* Whose worker that is, and its number there. NULL: nobody's. */
static struct pool *pool_of(struct vault *v, unsigned *index)
{
	for (int i = 0; i < WORKER_KINDS_; i++) {
		if (*index < v->groups[i].count)
			return v->groups[i].pool;
		*index -= v->groups[i].count;
	}
	return NULL;
}

void vault_verifier_up(struct vault *v, unsigned index)
{
	struct pool *p = pool_of(v, &index);

	if (p)
		pool_up(p, index, vault_now_ms(v));
}

void vault_verifier_down(struct vault *v, unsigned index)
{
	struct pool *p = pool_of(v, &index);

	v->counters[COUNT_VERIFIER_CRASHES]++;
	if (p)
		pool_down(p, index);
}

int vault_verifier_message(struct vault *v, unsigned index, const json_t *header)
{
	struct pool *p = pool_of(v, &index);

	return p ? pool_answer(p, index, header, vault_now_ms(v)) : -EPROTO;
}

void vault_tick(struct vault *v)
{
	vault_session_tick(v);
	fetch_tick(v);
	jwks_tick(v);
	for (int i = 0; i < WORKER_KINDS_; i++) {
		if (v->groups[i].pool)
			pool_expire(v->groups[i].pool, vault_now_ms(v));
	}
	vault_flush(v);
}
