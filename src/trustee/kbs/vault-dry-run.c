/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy that is not installed, tried on the claims of verdicts that were given: what would be
 * different? Nothing is changed, and nothing is recorded but a log line.
 *
 * The policy is compiled and evaluated in a verifier, as any other. One verdict is one piece of work, so
 * that guests come in between; when the time is used up, what there is by then is the answer.
 */
#include "base/log.h"
#include "base/str.h"
#include "fmt/json.h"
#include "fmt/resource_path.h"
#include "trustee/kbs/vault-internal.h"

#define LIMIT_DEFAULT 20
#define LIMIT_MAX 100
#define TIME_MS 15000
#define ATTESTATION "attestation" /* kind of verdict; others are plugins' */

struct dry_run {
	bool resource;		   /* the resource policy */
	char path[ROUTE_TAIL_MAX]; /* that guests ask for; "": each what it asked for */
	struct buf candidate;	   /* owned */
	json_t *todo;		   /* owned; rows of the list of verdicts */
	size_t next;		   /* in @todo */
	json_t *results;	   /* owned */
	json_int_t changed, skipped;
	bool stopped; /* before all were tried */
	int64_t until_ms;
};

void dry_run_free(struct dry_run *d)
{
	if (!d)
		return;
	buf_done(&d->candidate);
	json_decref(d->todo);
	json_decref(d->results);
	free(d);
}

static void fail(struct call *c, enum reply_error error, const char *reason)
{
	reply_fail(&c->reply, error, "dry run: %s", reason);
	call_answer(c);
}

/* --- one verdict --- */

/* Whether a guest's request, which was refused, is one for @path. */
static bool asks_for(const json_t *data, const char *path)
{
	json_t *list = kbs_path_list(path);
	bool same = streq(wire_str(data, "plugin"), kbs_plugin_name(PLUGIN_RESOURCE)) &&
		    json_equal(list, json_object_get(data, "resource-path"));

	json_decref(list);
	return same;
}

/* The claims as a verifier wants them. Return: 0, -ENOENT: this verdict has nothing to ask about. */
static int claims_for(struct call *c, const json_t *row, json_t **ret, struct err *reterr)
{
	const struct dry_run *d = c->dry;
	const char *id = wire_str(row, "id");
	cleanup(json_decref) json_t *kept = NULL;
	int r = store_verdict_claims(c->vault->store, c->target.tenant, id, &kept, NULL, reterr);

	if (r < 0)
		return r;
	if (!d->resource || !streq(wire_str(row, "kind"), ATTESTATION)) {
		if (d->path[0] && !asks_for(json_object_get(kept, "data"), d->path))
			return -ENOENT;
		*ret = steal_ptr(kept);
		return 0;
	}
	json_t *token = d->path[0] ? claims_to_token(c, kept, id) : NULL;
	if (!token)
		return -ENOENT;
	*ret = json_pack("{s:o, s:o, s:O*}", "token", token, "data",
		vault_policy_data(PLUGIN_RESOURCE, d->path, json_object()), "cut",
		json_object_get(kept, "cut"));
	return *ret ? 0 : -ENOMEM;
}

static void next(struct call *c);

static void drop_findings(json_t *outcome)
{
	static const char *const sides[] = {"current", "candidate"};
	json_t *piece;
	size_t i;

	for (size_t k = 0; k < ARRAY_COUNT(sides); k++) {
		json_object_del(json_object_get(outcome, sides[k]), "findings");
		json_array_foreach (json_object_get(outcome, "pieces"), i, piece) {
			json_object_del(json_object_get(piece, sides[k]), "findings");
		}
	}
}

/* Return: whether the verdict was about what this policy is about. */
static bool take_outcome(struct dry_run *d, json_t *row, json_t *outcome)
{
	bool changed = json_is_true(json_object_get(outcome, "changed"));

	if (!d->resource && json_array_size(json_object_get(outcome, "pieces")) == 0)
		return false;
	if (!changed && json_array_size(d->todo) > 1)
		drop_findings(outcome);
	json_object_update(row, outcome);
	d->changed += changed;
	return true;
}

static void tried(void *cookie, int error, const json_t *result)
{
	struct call *c = cookie;
	struct dry_run *d = c->dry;
	json_t *outcome = json_object_get(result, "result");
	json_t *row = json_array_get(d->todo, d->next - 1);
	const char *reason = wire_str(result, "reason");

	if (error == 0 && vault_values_wanted(c, outcome))
		return;
	if (error == 0 && !take_outcome(d, row, outcome)) {
		d->skipped++;
		next(c);
		return;
	}
	if (error < 0)
		json_object_set_new(row, "error",
			json_string(error == -EPIPE ? "the verifier crashed, or took too long"
				    : reason[0]	    ? reason
						    : strerror(-error)));
	json_array_append(d->results, row);
	/* What ends a verifier, which guests need, is not tried again. */
	d->stopped = error == -EPIPE;
	next(c);
}

static int submit(struct call *c, json_t *row, struct err *reterr)
{
	struct vault *v = c->vault;
	struct dry_run *d = c->dry;
	json_t *claims = NULL, *header;
	int r = claims_for(c, row, &claims, reterr);

	if (r < 0)
		return r;
	if (d->resource)
		json_object_set(
			row, "plugin", json_object_get(json_object_get(claims, "data"), "plugin"));
	if (json_object_get(claims, "cut"))
		json_object_set(row, "cut", json_object_get(claims, "cut"));
	if (d->resource)
		json_object_set(row, "resource-path",
			json_object_get(json_object_get(claims, "data"), "resource-path"));
	header = json_pack("{s:s, s:s, s:s, s:s, s:o, s:I}", "op", "dry-run", "tenant",
		c->target.tenant, "kind", d->resource ? "resource" : "attestation", "policy",
		c->policy_id, "claims", claims, "now", (json_int_t)vault_now(v));
	if (!v->config->as.rvps_address)
		return pool_submit(
			v->pool, header, buf_slice(&d->candidate), vault_now_ms(v), tried, c);
	json_decref(c->work);
	json_decref(c->values);
	c->work = c->values = NULL;
	c->rounds = 0;
	return vault_submit_evidence(c, header, buf_slice(&d->candidate), tried);
}

/* --- all of them --- */

static void finish(struct call *c)
{
	struct dry_run *d = c->dry;

	log_info("kbs.dry-run", LOG_STR("policy", c->policy_id), LOG_STR("role", c->role),
		LOG_U64("verdicts", json_array_size(d->results)),
		LOG_U64("changed", (uint64_t)d->changed), LOG_STR("peer", c->peer));
	reply_json(&c->reply,
		json_pack("{s:s, s:s, s:I, s:I, s:I, s:b, s:O}", "policy_id", c->policy_id, "kind",
			d->resource ? "resource" : "attestation", "tried",
			(json_int_t)json_array_size(d->results), "changed", d->changed, "skipped",
			d->skipped, "stopped", d->stopped, "results", d->results));
	call_answer(c);
}

static void next(struct call *c)
{
	struct vault *v = c->vault;
	struct dry_run *d = c->dry;
	struct err e = {0};

	while (!d->stopped && d->next < json_array_size(d->todo)) {
		if (vault_now_ms(v) >= d->until_ms) {
			d->stopped = true;
			break;
		}
		int r = submit(c, json_array_get(d->todo, d->next++), &e);
		if (r == 0)
			return;
		if (r == -ENOENT) {
			d->skipped++;
			continue;
		}
		if (store_is_away(r) && r != -EAGAIN)
			call_unavailable(c, r, &e);
		else
			fail(c, REPLY_UNAVAILABLE,
				r == -EAGAIN ? "all verifiers are busy" : err_text(&e, r));
		return;
	}
	finish(c);
}

static void compiled(void *cookie, int error, const json_t *result)
{
	struct call *c = cookie;
	const char *reason = wire_str(result, "reason");

	if (error < 0)
		fail(c, REPLY_PARSE_POLICY,
			error == -EPIPE ? "the verifier crashed on this policy"
			: reason[0]	? reason
					: strerror(-error));
	else if (!json_is_true(json_object_get(result, "good")))
		fail(c, REPLY_PARSE_POLICY, reason);
	else
		next(c);
}

static int read_request(struct call *c, const json_t *root, struct err *reterr)
{
	struct dry_run *d = c->dry;
	const char *path = "", *id = NULL;
	const json_t *limit = json_object_get(root, "limit");
	json_int_t n = limit ? json_integer_value(limit) : LIMIT_DEFAULT;
	int r = json_opt_str(root, "resource", &path, reterr);

	if (r == 0)
		r = json_opt_str(root, "verdict", &id, reterr);
	if (r == 0 && (n < 1 || n > LIMIT_MAX))
		r = err_set(reterr, -EINVAL, "limit must be a number from 1 to %d", LIMIT_MAX);
	if (r < 0)
		return r;
	if (path && *path && (!d->resource || !resource_path_valid(slice_str(path))))
		return err_set(reterr, -EINVAL,
			d->resource ? "resource must be REPOSITORY/TYPE/TAG"
				    : "resource is for the resource policy only");
	if (path && str_copy(d->path, sizeof(d->path), path) < 0)
		return err_set(reterr, -E2BIG, "resource is too long");
	if (!id)
		return store_verdict_with_claims(c->vault->store, c->target.tenant,
			d->resource ? NULL : ATTESTATION, (unsigned)n, &d->todo, reterr);
	r = store_verdict_row(c->vault->store, c->target.tenant, id, &d->todo, reterr);
	if (r == 0 && json_array_size(d->todo) == 0)
		r = err_set(reterr, -ENOENT,
			"no verdict %s: mistyped, or older than the retention limit", id);
	return r;
}

void vault_dry_run(struct call *c, struct slice body)
{
	struct vault *v = c->vault;
	cleanup(json_decref) json_t *root = NULL;
	struct err e = {0};
	json_t *header;
	int r;

	c->dry = calloc(1, sizeof(*c->dry));
	r = c->dry ? vault_read_upload(c, body, &root, &e) : -ENOMEM;
	if (r == 0) {
		c->dry->resource = streq(c->policy_id, RESOURCE_POLICY_ID);
		c->dry->until_ms = vault_now_ms(v) + TIME_MS;
		c->dry->results = json_array();
		c->dry->candidate = buf_init(STORE_POLICY_MAX);
		buf_put_slice(&c->dry->candidate, buf_slice(&c->text));
		r = read_request(c, root, &e);
	}
	if (store_is_away(r)) {
		call_unavailable(c, r, &e);
		return;
	}
	if (r < 0) {
		fail(c, r == -ENOENT ? REPLY_NOT_FOUND : REPLY_PARSE_POLICY, err_text(&e, r));
		return;
	}
	header = json_pack("{s:s, s:s, s:s}", "op", "check", "tenant", c->target.tenant, "kind",
		c->dry->resource ? "resource" : "attestation");
	if (pool_submit(v->pool, header, buf_slice(&c->dry->candidate), vault_now_ms(v), compiled,
		    c) < 0)
		fail(c, REPLY_UNAVAILABLE, "all verifiers are busy");
}
