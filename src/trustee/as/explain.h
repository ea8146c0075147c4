/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Explanations of refusals, for the admin: which expression of which rule did not hold, what was
 * expected, what came, which reference value is nearest, and what to do.
 */
#include <jansson.h>

#include "rego/rego.h"
#include "trustee/rvps/rvps.h"

#define EXPLAIN_FINDINGS_MAX 64

/**
 * explain_findings() - turn the engine's record into findings
 * @explanation: rego_explanation(); may be NULL
 * @tee: rules that read another TEE's claims, or rules that do, are left out; NULL keeps all
 *
 * Return: new array of { "rule", "line", "expression", "reason", "actual", "expected",
 * "reference_value", "reference_state": "absent|expired|present", "nearest", "distance", "fix" },
 * each member only where it is known; NULL on ENOMEM.
 */
json_t *explain_findings(const struct rego_value *explanation, const char *tee,
	const struct rvps_snapshot *references, int64_t now);
