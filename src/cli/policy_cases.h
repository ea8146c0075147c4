/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Cases of a test: `test_NAME[KEY] if ...` has a verdict for each key. A case that fails leaves no
 * value behind, so the engine tells of each case that it begins (rego_compile_options.test_cases).
 */
#include "base/buf.h"
#include "rego/rego.h"

struct policy_case {
	const struct rego_value *path; /* array of keys, of the evaluator */
	bool failed;
};

struct policy_cases {
	struct policy_case *item;
	size_t count, capacity;
};

void policy_cases_done(struct policy_cases *c);
/** policy_cases_note() - a case has begun; verdict unknown. Return: 0, -ENOMEM. */
must_check int policy_cases_note(struct policy_cases *c, const struct rego_value *path);
/**
 * policy_cases_judge() - verdicts of all noted cases and of those that @v has; sorted, each once
 * @v: value of the rule, an object; NULL when it has none
 * @ret_failed: how many failed
 * Return: 0, -ENOMEM.
 */
must_check int policy_cases_judge(struct policy_cases *c, struct rego_eval *e,
	const struct rego_value *v, size_t *ret_failed);
/** policy_cases_text() - a line for each case that failed, or for each with @all */
void policy_cases_text(struct buf *out, const struct policy_cases *c, bool all);
/** policy_cases_json() - an object of sub-results, nested as the keys are */
void policy_cases_json(struct buf *out, const struct policy_cases *c);
