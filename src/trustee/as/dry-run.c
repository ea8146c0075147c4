/* SPDX-License-Identifier: Apache-2.0 */
/* A policy that is not installed, beside the one that is, on claims that were kept. */
#include "base/clock.h"
#include "base/str.h"
#include "fmt/json.h"
#include "trustee/as/internal.h"

#define RULE_MS 1000  /* of one evaluation: a guest may be waiting for this process */
#define TOTAL_MS 6000 /* no evaluation begins later */

struct dry_run {
	struct as *as;
	const struct as_dry_run *request;
	const struct rego_program *candidate;
	const struct rego_program *current; /* NULL: none is installed */
	uint64_t until_ms;
	bool changed;
};

/* "default_nvidia-dpu" appraises what is of the class "nvidia-dpu". */
static const char *class_of(const char *policy)
{
	const char *last = strrchr(policy, '_');

	return last ? last + 1 : policy;
}

static int still_time(const struct dry_run *d, struct err *reterr)
{
	return clock_mono_ms() < d->until_ms
		       ? 0
		       : err_set(reterr, -ETIMEDOUT, "the policies take too long for a dry run");
}

/* An error of a policy is a finding here: the other one is shown all the same. */
static json_t *failed(int r, const struct err *e)
{
	return json_pack("{s:s}", "error", err_text(e, r));
}

static json_t *appraised(struct dry_run *d, const struct rego_program *program, const json_t *piece)
{
	cleanup_with(as_appraisal_done) struct as_appraisal a = {0};
	const char *tee = json_string_value(json_object_get(piece, "tee"));
	const json_t *input = json_object_get(piece, "input");
	struct err e = {0};
	int r = still_time(d, &e);

	if (r == 0 && (!tee || !json_is_object(input)))
		r = err_set(&e, -EBADMSG, "the claims were not kept");
	if (r == 0)
		r = as_appraise(d->as, program, input, tee, d->request->now, &a, &e);
	if (r < 0)
		return failed(r, &e);
	return json_pack("{s:s, s:O, s:O*, s:O*}", "status", ear_tier_name(a.tier), "vector",
		a.vector, "extensions", a.extensions, "findings", a.findings);
}

static json_t *allowed(struct dry_run *d, const struct rego_program *program, struct slice token,
	struct slice data)
{
	json_t *outcome = NULL;
	struct err e = {0};
	int r = still_time(d, &e);

	if (r == 0)
		r = as_allow(d->as, program, token, data, d->request->now, &outcome, &e);
	if (r < 0)
		return failed(r, &e);
	json_object_set_new(outcome, "status",
		json_string(json_is_true(json_object_get(outcome, "accepted")) ? "allowed"
									       : "refused"));
	json_object_del(outcome, "accepted");
	return outcome;
}

static bool same(const json_t *a, const json_t *b, const char *name)
{
	const json_t *x = json_object_get(a, name), *y = json_object_get(b, name);

	return x == y || (x && y && json_equal(x, y));
}

static bool differ(const json_t *a, const json_t *b)
{
	return !same(a, b, "status") || !same(a, b, "vector") || !same(a, b, "extensions") ||
	       !same(a, b, "error");
}

/* Claims of the vectors that are not the same in both. */
static json_t *differences(const json_t *current, const json_t *candidate)
{
	json_t *from = json_object_get(current, "vector");
	json_t *to = json_object_get(candidate, "vector");
	json_t *list = json_array(), *all = json_object(), *value;
	const char *name;

	json_object_update(all, from);
	json_object_update(all, to);
	json_object_foreach (all, name, value) {
		if (!same(from, to, name))
			json_array_append_new(
				list, json_pack("{s:s, s:O*, s:O*}", "claim", name, "current",
					      json_object_get(from, name), "candidate",
					      json_object_get(to, name)));
	}
	json_decref(all);
	return list;
}

/* @current and @candidate are consumed. */
static int add_pair(struct dry_run *d, json_t *to, json_t *current, json_t *candidate)
{
	bool changed = current && candidate && differ(current, candidate);
	int r = candidate ? 0 : -ENOMEM;

	/* With no policy everything was refused. */
	if (!d->current)
		changed = true;
	d->changed |= changed;
	if (r == 0 && json_object_set_new(to, "differences", differences(current, candidate)) < 0)
		r = -ENOMEM;
	if (r == 0 && json_object_set_new(to, "changed", json_boolean(changed)) < 0)
		r = -ENOMEM;
	if (current && json_object_set_new(to, "current", current) < 0)
		r = -ENOMEM;
	if (candidate && json_object_set_new(to, "candidate", candidate) < 0)
		r = -ENOMEM;
	return r;
}

static int run_piece(struct dry_run *d, const json_t *piece, json_t *list)
{
	json_t *row = json_pack("{s:O*, s:O*, s:O*, s:{s:O*, s:O*}}", "name",
		json_object_get(piece, "name"), "tee", json_object_get(piece, "tee"), "policy",
		json_object_get(piece, "policy"), "recorded", "status",
		json_object_get(piece, "status"), "vector", json_object_get(piece, "vector"));

	if (json_array_append_new(list, row) < 0)
		return -ENOMEM;
	return add_pair(d, row, d->current ? appraised(d, d->current, piece) : NULL,
		appraised(d, d->candidate, piece));
}

static int run_pieces(struct dry_run *d, json_t *result)
{
	const char *class = class_of(d->request->policy);
	const json_t *piece;
	json_t *list = json_array();
	size_t i;
	int r = json_object_set_new(result, "pieces", list) < 0 ? -ENOMEM : 0;

	json_array_foreach (json_object_get(d->request->claims, "pieces"), i, piece) {
		const char *of = json_string_value(json_object_get(piece, "class"));

		if (r == 0 && of && streq(of, class))
			r = run_piece(d, piece, list);
	}
	return r;
}

static int run_token(struct dry_run *d, json_t *result, struct err *reterr)
{
	const json_t *claims = d->request->claims;
	cleanup(free_ptr) char *token = json_dumps(json_object_get(claims, "token"), JSON_COMPACT);
	cleanup(free_ptr) char *data = json_dumps(json_object_get(claims, "data"), JSON_COMPACT);

	if (!token || !data)
		return err_set(reterr, -EBADMSG, "the token was not kept");
	return add_pair(d, result,
		d->current ? allowed(d, d->current, slice_str(token), slice_str(data)) : NULL,
		allowed(d, d->candidate, slice_str(token), slice_str(data)));
}

int as_dry_run(struct as *as, const struct as_dry_run *request, json_t **ret, struct err *reterr)
{
	const struct as_policy *installed = as_find_policy(as, request->policy);
	cleanup(rego_program_free) struct rego_program *candidate = NULL;
	cleanup(json_decref) json_t *result = json_object();
	struct dry_run d = {.as = as,
		.request = request,
		.current = installed ? installed->program : NULL,
		.until_ms = clock_mono_ms() + TOTAL_MS};
	int r = result ? as_compile(request->policy, request->candidate, &candidate, reterr)
		       : -ENOMEM;

	if (r < 0)
		return r;
	d.candidate = candidate;
	as->rule_ms = RULE_MS;
	r = request->kind == AS_POLICY_RESOURCE ? run_token(&d, result, reterr)
						: run_pieces(&d, result);
	as->rule_ms = 0;
	if (r == 0 && json_object_set_new(result, "changed", json_boolean(d.changed)) < 0)
		r = -ENOMEM;
	if (r == 0)
		*ret = steal_ptr(result);
	return r;
}
