/* SPDX-License-Identifier: Apache-2.0 */
/* Records of decisions: in the store for `husk kbs why`, and one log line per refusal. */
#include "base/clock.h"
#include "base/enc.h"
#include "base/log.h"
#include "base/str.h"
#include "trustee/kbs/vault-internal.h"

#define LOG_PER_SECOND 20
#define RECORD_MAX ((size_t)256 << 10)

void verdict_new_id(char id[STORE_ID_SIZE])
{
	uint8_t random[16];

	if (random_bytes(random, sizeof(random)) < 0)
		memset(random, 0, sizeof(random));
	hex_str(slice_of(random, sizeof(random)), id, STORE_ID_SIZE);
}

/* What is kept of a verdict, and what it rests on. */
int vault_verdict_read(struct call *c, json_t **ret, struct err *reterr)
{
	struct store *s = c->vault->store;
	cleanup_with(buf_done) struct buf evidence = buf_init(EVIDENCE_KEPT_MAX),
					  text = buf_init(2 * EVIDENCE_KEPT_MAX);
	json_t *record = NULL, *claims = NULL;
	int r = store_verdict_get(s, c->target.tenant, c->target.tail, &record, reterr);

	if (r < 0)
		return r;
	r = store_verdict_claims(s, c->target.tenant, c->target.tail, &claims, &evidence, reterr);
	if (r == 0 && json_object_set_new(record, "claims", claims) < 0)
		r = -ENOMEM;
	/* The guest's bytes are not parsed here. */
	if (r == 0 && evidence.size > 0) {
		b64_encode(&text, buf_slice(&evidence), B64_STD);
		r = buf_error(&text);
		if (r == 0 &&
			json_object_set_new(record, "evidence", json_string(buf_str(&text))) < 0)
			r = -ENOMEM;
	}
	if (r < 0 && r != -ENOENT) {
		json_decref(record);
		return r;
	}
	*ret = record;
	return 0;
}

/* The vector, flattened out of the first submodule, so that a reader sees it at a glance. */
static const json_t *vector_of(const json_t *result)
{
	return json_object_get(json_object_get(json_object_get(result, "submods"), "cpu0"),
		"ear.trustworthiness-vector");
}

static json_t *make_record(const struct call *c, const char *kind, const char *status,
	const char *stage, const char *reason, const json_t *result, const char *id)
{
	char when[RFC3339_SIZE];
	json_t *record = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "id", id, "time",
		rfc3339_format(vault_now(c->vault), when), "kind", kind, "status", status, "stage",
		stage, "reason", reason, "peer", c->peer);

	if (!record)
		return NULL;
	if (c->request_id[0])
		json_object_set_new(record, "request", json_string(c->request_id));
	if (c->tee[0])
		json_object_set_new(record, "tee", json_string(c->tee));
	if (c->target.route == ROUTE_RESOURCE_GET || c->target.route == ROUTE_PLUGIN)
		json_object_set_new(record, "resource", json_string(c->target.tail));
	json_object_set(record, "vector", json_object_get(result, "vector"));
	if (!json_object_get(record, "vector"))
		json_object_set(record, "vector", (json_t *)(uintptr_t)vector_of(result));
	/* Why a resource was refused often lies in the appraisal: show it beside the policy. */
	if (c->claims && json_is_string(json_object_get(c->claims, "jti")))
		json_object_set(record, "attestation", json_object_get(c->claims, "jti"));
	if (c->claims)
		json_object_set(record, "vector", (json_t *)(uintptr_t)vector_of(c->claims));
	if (c->claims)
		json_object_set(record, "ear.status",
			json_object_get(
				json_object_get(json_object_get(c->claims, "submods"), "cpu0"),
				"ear.status"));
	json_object_set(record, "checks", json_object_get(result, "checks"));
	json_object_set(record, "findings", json_object_get(result, "findings"));
	return record;
}

/* What to do: about the rule that a policy failed for, or else about the verifier's check. */
static const char *fix_of(const json_t *result, const json_t *finding)
{
	const json_t *checks = json_object_get(result, "checks"), *check;
	size_t i;

	json_array_foreach (checks, i, check) {
		if (json_is_false(json_object_get(check, "ok")))
			return wire_str(check, "fix");
	}
	return wire_str(finding, "fix");
}

static void log_refusal(struct call *c, const char *kind, const char *stage, const char *reason,
	const json_t *result, const char *id)
{
	struct vault *v = c->vault;
	const json_t *first = json_array_get(json_object_get(result, "findings"), 0);
	int64_t now = vault_now(v);

	/* A peer can cause these; the store keeps them all, the log a sample of a flood. */
	if (v->log_window != now) {
		if (v->log_count > LOG_PER_SECOND)
			log_warn("kbs.refused.suppressed",
				LOG_U64("count", v->log_count - LOG_PER_SECOND));
		v->log_window = now;
		v->log_count = 0;
	}
	if (++v->log_count > LOG_PER_SECOND)
		return;
	log_warn("kbs.refused", LOG_STR("id", id), LOG_STR("kind", kind), LOG_STR("tee", c->tee),
		LOG_STR("stage", stage), LOG_STR("reason", reason), LOG_STR("peer", c->peer),
		LOG_STR("request", c->request_id), LOG_STR("rule", wire_str(first, "rule")),
		LOG_STR("expression", wire_str(first, "expression")),
		LOG_STR("fix", fix_of(result, first)));
}

/*
 * As text of at most RECORD_MAX. Findings and checks quote the guest, who must not be able to have no
 * record by being long-winded: they go, and it says so.
 */
static char *record_text(json_t *record)
{
	static const char *const large[] = {"findings", "checks", "vector"};
	char *text = record ? json_dumps(record, JSON_COMPACT) : NULL;

	for (size_t i = 0; text && strlen(text) > RECORD_MAX && i < ARRAY_COUNT(large); i++) {
		json_t *cut = json_object_get(record, "cut");

		if (!cut) {
			cut = json_array();
			json_object_set_new(record, "cut", cut);
		}
		json_array_append_new(cut, json_string(large[i]));
		json_object_del(record, large[i]);
		free(text);
		text = json_dumps(record, JSON_COMPACT);
	}
	return text;
}

void verdict_record(struct call *c, const char *kind, const char *status, const char *stage,
	const char *reason, const json_t *result, char id[STORE_ID_SIZE])
{
	verdict_new_id(id);
	verdict_record_as(c, id, kind, status, stage, reason, result);
}

void verdict_record_as(struct call *c, const char *id, const char *kind, const char *status,
	const char *stage, const char *reason, const json_t *result)
{
	struct vault *v = c->vault;
	cleanup(free_ptr) char *text = NULL, *vector = NULL, *claims = NULL;
	struct err e = {0};
	json_t *record;

	if (!stage[0])
		stage = "unknown";
	record = make_record(c, kind, status, stage, reason, result, id);
	text = record_text(record);
	if (json_is_object(json_object_get(record, "vector")))
		vector = json_dumps(json_object_get(record, "vector"), JSON_COMPACT);
	json_decref(record);
	if (text && strlen(text) <= RECORD_MAX) {
		const struct store_retention keep = {v->config->husk.verdict_keep,
			(int64_t)v->config->husk.verdict_claims_mib << 20};

		if (keep.claims_bytes > 0)
			claims = claims_text(c, result);
		const struct store_verdict verdict = {.tenant = c->target.tenant,
			.id = id,
			.kind = kind,
			.tee = c->tee,
			.status = status,
			.record = text,
			.vector = vector,
			.claims = claims,
			.evidence =
				buf_error(&c->evidence) < 0 ? SLICE_EMPTY : buf_slice(&c->evidence),
			.time = vault_now(v)};

		int r = store_verdict_add(v->store, &verdict, &keep, &e);
		if (r < 0)
			log_error("kbs.verdict.lost", LOG_STR("id", id),
				LOG_STR("reason", err_text(&e, r)));
	} else {
		log_error("kbs.verdict.lost", LOG_STR("id", id),
			LOG_STR("reason", "the record is too large"));
	}
	if (streq(status, "refused"))
		log_refusal(c, kind, stage, reason, result, id);
}
