/* SPDX-License-Identifier: Apache-2.0 */
/* May the holder of these claims read this resource? */
#include "trustee/as/explain.h"
#include "trustee/as/internal.h"

/* One run of policy.allow; @ret_allowed is written only when the evaluation itself worked. */
static int run(struct rego_eval *e, struct slice claims, struct slice data, bool explain,
	bool *ret_allowed, const char **ret_reason, struct err *reterr)
{
	const struct rego_value *value = NULL;
	enum rego_outcome outcome = REGO_RULE_MISSING;
	int r;

	rego_eval_reset(e);
	rego_eval_explain(e, explain);
	r = rego_eval_input_json(e, claims, reterr);
	if (r == 0)
		r = rego_eval_data_json(e, data, reterr);
	if (r == 0)
		r = rego_eval_path(e, "data.policy.allow", &outcome, &value, reterr);
	if (r < 0)
		return r;
	*ret_allowed = outcome == REGO_VALUE && rego_is_true(value);
	*ret_reason = outcome == REGO_RULE_MISSING ? "the policy has no rule allow"
		      : outcome == REGO_UNDEFINED  ? "allow is undefined for these claims"
						   : "allow is not true for these claims";
	return 0;
}

int as_allow(const struct as *as, const struct rego_program *program, struct slice claims,
	struct slice data, int64_t now, json_t **ret, struct err *reterr)
{
	struct as_host host = {.references = as->references, .now = now, .rule_ms = as->rule_ms};
	cleanup(rego_eval_free) struct rego_eval *e = as_eval_new(program, &host);
	const char *reason = NULL;
	json_t *findings = NULL;
	bool allowed = false;
	int r;

	if (!e)
		return -ENOMEM;
	r = run(e, claims, data, false, &allowed, &reason, reterr);
	if (r < 0)
		return r;
	if (!allowed) {
		bool again;
		const char *same;

		/* The second run is only for its record; its verdict is not used. */
		if (run(e, claims, data, true, &again, &same, NULL) == 0)
			findings = explain_findings(rego_explanation(e), NULL, as->references, now);
	}
	*ret = json_pack("{s:b, s:s, s:o*}", "accepted", allowed, "reason",
		allowed ? "allowed by policy" : reason, "findings", findings);
	return *ret ? 0 : -ENOMEM;
}

int as_authorize(struct as *as, const char *id, struct slice claims, struct slice data, int64_t now,
	json_t **ret, struct err *reterr)
{
	const struct as_policy *policy = as_find_policy(as, id);

	if (!policy)
		return err_set(reterr, -ENOENT, "no policy %s is installed", id);
	return as_allow(as, policy->program, claims, data, now, ret, reterr);
}
