/* SPDX-License-Identifier: Apache-2.0 */
/* What an appraisal policy makes of claims. */
#include "trustee/as/explain.h"
#include "trustee/as/internal.h"

void as_appraisal_done(struct as_appraisal *a)
{
	json_decref(a->vector);
	json_decref(a->extensions);
	json_decref(a->findings);
	*a = (struct as_appraisal){0};
}

static json_t *zero_vector(void)
{
	return json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "instance-identity", 0,
		"configuration", 0, "executables", 0, "file-system", 0, "hardware", 0,
		"runtime-opaque", 0, "storage-opaque", 0, "sourced-data", 0);
}

/* Runs one rule. A rule that does not exist gives @ret NULL; an undefined one is a broken policy. */
static int run_rule(struct rego_eval *e, const char *rule, json_t **ret, struct err *reterr)
{
	const struct rego_value *value = NULL;
	enum rego_outcome outcome = REGO_RULE_MISSING;
	int r = rego_eval_path(e, rule, &outcome, &value, reterr);

	if (r < 0)
		return r;
	*ret = NULL;
	if (outcome == REGO_RULE_MISSING)
		return 0;
	if (outcome == REGO_UNDEFINED)
		return err_set(reterr, -EBADMSG, "%s is undefined for this evidence", rule);
	*ret = as_to_json(value);
	return *ret ? 0
		    : err_set(reterr, -EBADMSG, "%s holds a number that does not fit 64 bits",
			      rule);
}

/* All that did not hold was about other TEEs. */
static json_t *no_rule(const char *tee)
{
	return json_pack("{s:s, s:s, s:s+}", "rule", "data.policy.trust_claims", "expression",
		"trust_claims", "reason", "no rule of the policy is about evidence of the TEE ",
		tee);
}

/* NULL when the second run, which is only for its record, failed: the verdict stands already. */
static json_t *explain(
	const struct as *as, struct rego_eval *e, struct slice input, const char *tee, int64_t now)
{
	json_t *again = NULL, *findings = NULL;

	rego_eval_reset(e);
	rego_eval_explain(e, true);
	if (rego_eval_input_json(e, input, NULL) == 0 &&
		rego_eval_data_json(e, SLICE_LIT("{}"), NULL) == 0 &&
		run_rule(e, "data.policy.trust_claims", &again, NULL) == 0) {
		findings = explain_findings(rego_explanation(e), tee, as->references, now);
		if (findings && json_array_size(findings) == 0)
			json_array_append_new(findings, no_rule(tee));
	}
	json_decref(again);
	return findings;
}

int as_appraise(const struct as *as, const struct rego_program *program, const json_t *input,
	const char *tee, int64_t now, struct as_appraisal *ret, struct err *reterr)
{
	struct as_host host = {.references = as->references,
		.values = as->values,
		.wanted = as->wanted,
		.now = now,
		.rule_ms = as->rule_ms};
	cleanup(rego_eval_free) struct rego_eval *e = as_eval_new(program, &host);
	cleanup(free_ptr) char *text = json_dumps(input, JSON_COMPACT);
	int r;

	*ret = (struct as_appraisal){.tier = EAR_CONTRAINDICATED};
	if (!e || !text)
		return -ENOMEM;
	r = rego_eval_input_json(e, slice_str(text), reterr);
	if (r == 0)
		r = rego_eval_data_json(e, SLICE_LIT("{}"), reterr);
	if (r == 0)
		r = run_rule(e, "data.policy.trust_claims", &ret->vector, reterr);
	if (r == 0)
		r = run_rule(e, "data.policy.extensions", &ret->extensions, reterr);
	if (r == 0 && !ret->vector)
		ret->vector = zero_vector();
	if (r == 0)
		r = ear_vector_check(ret->vector, &ret->tier, reterr);
	if (r == 0 && ret->tier != EAR_AFFIRMING)
		ret->findings = explain(as, e, slice_str(text), tee, now);
	if (r < 0)
		as_appraisal_done(ret);
	return r;
}
