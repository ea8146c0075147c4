/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics of the vault in Prometheus' text format, with upstream's names where they apply. */
#include <inttypes.h>

#include "trustee/kbs/vault-internal.h"

static const char *const g_names[COUNT_MAX_] = {
	[COUNT_AUTH_REQUESTS] = "kbs_auth_requests_total",
	[COUNT_AUTH_SUCCESSES] = "kbs_auth_successes_total",
	[COUNT_AUTH_ERRORS] = "kbs_auth_errors_total",
	[COUNT_ATTEST_REQUESTS] = "kbs_attestation_requests_total",
	[COUNT_ATTEST_ERRORS] = "kbs_attestation_errors_total",
	[COUNT_POLICY_EVALUATIONS] = "kbs_policy_evaluations_total",
	[COUNT_POLICY_APPROVALS] = "kbs_policy_approvals_total",
	[COUNT_POLICY_VIOLATIONS] = "kbs_policy_violations_total",
	[COUNT_POLICY_ERRORS] = "kbs_policy_errors_total",
	[COUNT_RESOURCE_READS] = "kbs_resource_reads_total",
	[COUNT_RESOURCE_WRITES] = "kbs_resource_writes_total",
	[COUNT_RESOURCE_DELETES] = "kbs_resource_deletes_total",
	[COUNT_VERIFIER_CRASHES] = "husk_verifier_crashes_total",
	[COUNT_COLLATERAL_FETCHES] = "husk_collateral_fetches_total",
	[COUNT_COLLATERAL_FAILURES] = "husk_collateral_fetch_failures_total",
};

static void put_family(struct buf *out, const char *name, const uint64_t *values)
{
	buf_printf(out, "# TYPE %s counter\n", name);
	for (int i = 0; i < TEE_COUNT; i++) {
		if (values[i])
			buf_printf(out, "%s{tee_type=\"%s\"} %" PRIu64 "\n", name,
				vault_tee_name(i), values[i]);
	}
}

static const double g_durations[DURATION_BUCKETS] = {.001, .005, .01, .05, .1, .5, 1};

void vault_metrics_plugin(struct vault *v, enum kbs_plugin plugin, int64_t ms)
{
	histogram_observe(
		&v->plugins[plugin].duration, g_durations, DURATION_BUCKETS, (double)ms / 1000);
}

void vault_metrics_ask(struct call *c, unsigned index)
{
	c->vault->backends_asked[index].requests++;
	c->asked = index + 1;
	c->asked_ms = vault_now_ms(c->vault);
}

void vault_metrics_answer(struct call *c, int error)
{
	int64_t ms = vault_now_ms(c->vault) - c->asked_ms;
	struct plugin_stats *s;

	if (!c->asked)
		return;
	s = &c->vault->backends_asked[c->asked - 1];
	c->asked = 0;
	s->errors += error < 0 && error != -ENOENT && error != -ESTALE;
	histogram_observe(&s->duration, g_durations, DURATION_BUCKETS, (double)ms / 1000);
}

/* The labels of one of backends_asked. Return: false when it is not configured. */
static bool backend_label(const struct kbs_config *c, unsigned index, char *dst, size_t size)
{
	bool external = index >= BACKEND_EXTERNAL;
	const char *name = NULL;

	if (!external && c->resource.backend != BACKEND_STORE)
		name = kbs_config_backend_name(c);
	else if (external && c->plugins[PLUGIN_EXTERNAL] &&
		 index - BACKEND_EXTERNAL < c->external.count)
		name = c->external.backends[index - BACKEND_EXTERNAL].name;
	if (!name)
		return false;
	snprintf(dst, size, "plugin_name=\"%s\",backend=\"%s\"",
		kbs_plugin_name(external ? PLUGIN_EXTERNAL : PLUGIN_RESOURCE), name);
	return true;
}

static void put_backends(struct vault *v, struct buf *out)
{
	char label[256];

	for (int errors = 0; errors < 2; errors++) {
		const char *name =
			errors ? "husk_backend_errors_total" : "husk_backend_requests_total";

		buf_printf(out, "# TYPE %s counter\n", name);
		for (unsigned i = 0; i < BACKENDS_ASKED_MAX; i++) {
			const struct plugin_stats *s = &v->backends_asked[i];

			if (backend_label(v->config, i, label, sizeof(label)))
				buf_printf(out, "%s{%s} %" PRIu64 "\n", name, label,
					errors ? s->errors : s->requests);
		}
	}
	buf_put_str(out, "# TYPE husk_backend_request_duration_seconds histogram\n");
	for (unsigned i = 0; i < BACKENDS_ASKED_MAX; i++) {
		if (backend_label(v->config, i, label, sizeof(label)))
			histogram_write(out, "husk_backend_request_duration_seconds", label,
				&v->backends_asked[i].duration, g_durations, DURATION_BUCKETS);
	}
}

/* Plugins that are configured, and no others: a scrape shows what this broker serves. */
static void put_plugins(struct vault *v, struct buf *out)
{
	char label[64];

	for (int errors = 0; errors < 2; errors++) {
		const char *name = errors ? "kbs_plugin_errors_total" : "kbs_plugin_requests_total";

		buf_printf(out, "# TYPE %s counter\n", name);
		for (unsigned i = 0; i < PLUGIN_COUNT_; i++) {
			if (v->config->plugins[i])
				buf_printf(out, "%s{plugin_name=\"%s\"} %" PRIu64 "\n", name,
					kbs_plugin_name((enum kbs_plugin)i),
					errors ? v->plugins[i].errors : v->plugins[i].requests);
		}
	}
	buf_put_str(out, "# TYPE kbs_plugin_request_duration_seconds histogram\n");
	for (unsigned i = 0; i < PLUGIN_COUNT_; i++) {
		snprintf(label, sizeof(label), "plugin_name=\"%s\"",
			kbs_plugin_name((enum kbs_plugin)i));
		if (v->config->plugins[i])
			histogram_write(out, "kbs_plugin_request_duration_seconds", label,
				&v->plugins[i].duration, g_durations, DURATION_BUCKETS);
	}
}

#define EXPIRY_EVERY_S 60 /* all of it is read for this */

static void read_expiry(struct vault *v)
{
	int64_t now = vault_now(v);
	struct collateral_life life;
	struct slice item;

	if (v->expiry.read_at && now - v->expiry.read_at < EXPIRY_EVERY_S)
		return;
	v->expiry.read_at = now;
	for (size_t i = 0; i < COLLATERAL_KINDS_; i++)
		v->expiry.first[i] = INT64_MAX;
	for (size_t i = 0; collateral_store_at(v->collateral, i, &item); i++) {
		if (collateral_life(item, &life, NULL) == 0)
			v->expiry.first[life.kind] = MIN(v->expiry.first[life.kind], life.until);
	}
}

/* When verification begins to fail for want of it, unless it is renewed: for an alert some days before. */
static void put_expiry(struct vault *v, struct buf *out)
{
	static const char *const kinds[COLLATERAL_KINDS_] = {
		[COLLATERAL_TCB_INFO] = "tcb_info",
		[COLLATERAL_QE_IDENTITY] = "qe_identity",
		[COLLATERAL_CRL] = "crl",
		[COLLATERAL_CERTIFICATES] = "certificates",
		[COLLATERAL_OCSP] = "ocsp",
	};

	read_expiry(v);
	buf_put_str(out, "# TYPE husk_collateral_first_expiry_timestamp_seconds gauge\n");
	for (size_t i = 0; i < COLLATERAL_KINDS_; i++) {
		if (kinds[i] && v->expiry.first[i] != INT64_MAX)
			buf_printf(out,
				"husk_collateral_first_expiry_timestamp_seconds{kind=\"%s\"} "
				"%" PRId64 "\n",
				kinds[i], v->expiry.first[i]);
	}
}

void vault_metrics(struct vault *v, struct buf *out)
{
	uint64_t pending, attested, entries = 0;
	uint8_t root[MERKLE_HASH_SIZE];
	bool up = store_audit_head(v->store, &entries, root, NULL) == 0;

	for (int i = 0; i < COUNT_MAX_; i++) {
		size_t n = strcspn(g_names[i], "{");

		buf_printf(out, "# TYPE %.*s counter\n%s %" PRIu64 "\n", (int)n, g_names[i],
			g_names[i], v->counters[i]);
	}
	vault_session_counts(v, &pending, &attested);
	put_plugins(v, out);
	put_backends(v, out);
	put_expiry(v, out);
	put_family(out, "kbs_attestation_successes_total", v->attest_successes);
	put_family(out, "kbs_attestation_failures_total", v->attest_failures);
	buf_printf(out,
		"# TYPE husk_sessions gauge\nhusk_sessions{state=\"pending\"} %" PRIu64 "\n"
		"husk_sessions{state=\"attested\"} %" PRIu64 "\n"
		"# TYPE husk_verifier_queue gauge\nhusk_verifier_queue %zu\n"
		"# TYPE kbs_build_info gauge\nkbs_build_info{version=\"" HUSK_VERSION "\"} 1\n",
		pending, attested, pool_queued(v->pool));
	/* A store that is away does not fail the scrape: that is what the scrape is to show. */
	buf_printf(out,
		"# TYPE husk_store_up gauge\nhusk_store_up %d\n"
		"# TYPE husk_audit_entries gauge\nhusk_audit_entries %" PRIu64 "\n"
		"# TYPE husk_verifiers gauge\nhusk_verifiers %u\n",
		up, entries, pool_up_count(v->pool));
}
