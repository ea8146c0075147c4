/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Shared by the files of the attestation service. */
#include "crypto/hash.h"
#include "evidence/collateral.h"
#include "rego/rego.h"
#include "trustee/as/as.h"

#define AS_POLICY_ID_MAX 128
#define AS_POLICIES_MAX 64

struct as_policy {
	char id[AS_POLICY_ID_MAX];
	struct rego_program *program; /* owned */
};

struct as {
	struct as_policy policies[AS_POLICIES_MAX];
	size_t policy_count;
	struct rvps_snapshot *references;    /* owned; NULL while none were pushed */
	struct collateral_store *collateral; /* owned; NULL while none was pushed */
	struct digest insecure_intel_root;   /* size 0: Intel's */
	struct digest insecure_amd_root;     /* size 0: AMD's */
};

/* What query_reference_value() needs while a policy runs. */
struct as_host {
	const struct rvps_snapshot *references;
	int64_t now;
};

must_check int as_compile(
	const char *id, struct slice text, struct rego_program **ret, struct err *reterr);
/* A fresh evaluator with the service's budgets; @host must outlive it. */
struct rego_eval *as_eval_new(const struct rego_program *p, struct as_host *host);
const struct as_policy *as_find_policy(const struct as *as, const char *id);
/* rego value to JSON; NULL when it does not fit JSON (an integer above int64) or memory ran out. */
json_t *as_to_json(const struct rego_value *v);
