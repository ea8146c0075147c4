/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Shared by the files of the attestation service. */
#include "crypto/hash.h"
#include "evidence/collateral.h"
#include "evidence/evidence.h"
#include "rego/rego.h"
#include "trustee/as/as.h"
#include "trustee/as/ear.h"

#define AS_POLICY_ID_MAX 128
#define AS_POLICIES_MAX 64

struct as_policy {
	char id[AS_POLICY_ID_MAX];
	struct rego_program *program; /* owned */
};

struct as {
	struct as_policy policies[AS_POLICIES_MAX];
	size_t policy_count;
	struct rvps_snapshot *references; /* owned; NULL while none were pushed */
	const json_t *values;		  /* borrowed; instead of references, see as_use_values() */
	json_t *wanted;			  /* borrowed */
	uint32_t rule_ms;		  /* that a rule may take; 0: as long as for guests */
	const json_t *nras;		  /* borrowed; NULL: devices are verified here */
	json_t *questions;		  /* borrowed; to NRAS */
	json_t *nras_keys;		  /* owned */
	struct evidence_remote remote;	  /* for NRAS, see remote.c */
	struct collateral_store *collateral; /* owned; NULL while none was pushed */
	const struct as *collateral_of;	     /* whose to use instead; NULL for its own */
	struct digest insecure_intel_root;   /* size 0: Intel's */
	struct digest insecure_amd_root;     /* size 0: AMD's */
	struct digest nvidia_dpu_root;	     /* size 0: none */
	struct digest insecure_nvidia_root;  /* size 0: NVIDIA's */
	struct pkey *ibm_key;		     /* owned; NULL: there is none */
	uint8_t insecure_hygon_root[1024];
	size_t insecure_hygon_root_size; /* 0: Hygon's */
};

/* What query_reference_value() needs while a policy runs. */
struct as_host {
	const struct rvps_snapshot *references;
	const json_t *values; /* instead of references, when not NULL */
	json_t *wanted;
	int64_t now;
	uint32_t rule_ms; /* 0: the default */
};

must_check int as_compile(
	const char *id, struct slice text, struct rego_program **ret, struct err *reterr);
/* A fresh evaluator with the service's budgets; @host must outlive it. */
struct rego_eval *as_eval_new(const struct rego_program *p, struct as_host *host);
const struct as_policy *as_find_policy(const struct as *as, const char *id);
/*
 * What an appraisal policy makes of its input; release with as_appraisal_done().
 * @vector: checked trust claims; @extensions: NULL when there are none; @findings: what kept the
 * vector from affirming, see explain.h
 */
struct as_appraisal {
	json_t *vector, *extensions, *findings; /* owned */
	enum ear_tier tier;
};
void as_appraisal_done(struct as_appraisal *a);
/* Runs a policy; values of references are @as's. Return: 0, -EBADMSG and other errno. */
must_check int as_appraise(const struct as *as, const struct rego_program *program,
	const json_t *input, const char *tee, int64_t now, struct as_appraisal *ret,
	struct err *reterr);
/* Likewise policy.allow; as as_authorize(). */
must_check int as_allow(const struct as *as, const struct rego_program *program,
	struct slice claims, struct slice data, int64_t now, json_t **ret, struct err *reterr);

/* rego value to JSON; NULL when it does not fit JSON (an integer above int64) or memory ran out. */
json_t *as_to_json(const struct rego_value *v);

/*
 * A piece of evidence whose binding the caller names itself (the service's own interface).
 * @runtime: what the token shows of it; NULL: nothing
 * @report_data: what the evidence must hold; size 0: the digest of @runtime
 */
struct piece {
	json_t *runtime;
	struct digest report_data;
	enum hash_alg hash;
	bool insecure_unbound;
};

/*
 * One message being worked on. @stage says where it was refused; what is owned is released by
 * as_attest_done().
 */
struct attest {
	struct as *as;
	int64_t now;
	bool verbose_token;
	const struct as_request *request; /* RCAR; NULL for the service's own interface */
	const struct piece *piece;	  /* the latter's, borrowed */
	const char *policy;		  /* first half of the policies' ids; NULL: "default" */
	json_t *root;			  /* the message */
	json_t *tee_key;		  /* borrowed from root */
	const char *nonce;		  /* as the guest sends it, or the session's; borrowed */
	json_t *primary;		  /* owned */
	const char *extra; /* additional evidence, borrowed from root; "" when absent */
	json_t *devices;   /* parsed additional evidence */
	json_t *init_claims;
	struct digest init_digest;
	json_t *submods, *checks, *findings, *vector, *missing, *pieces;
	size_t class_counts[8]; /* by class, the last one of all others */
	enum ear_tier worst;
	const char *stage;
};

void as_attest_start(struct attest *a, struct as *as, int64_t now, bool verbose);
void as_attest_done(struct attest *a);
/* Reads the RCAR message of @a->request: key, nonce, evidence. */
must_check int as_read_message(struct attest *a, struct err *reterr);
/** as_read_init_data() - the message's initdata, if it has any, as as_take_init_toml() */
must_check int as_read_init_data(struct attest *a, struct err *reterr);
/* From 0.3.0 on evidence has two parts. */
static inline bool as_is_composite(const struct attest *a)
{
	return a->request->protocol <= AS_PROTOCOL_0_3_0;
}
/* How the report data of evidence of @tee is hashed. */
enum hash_alg as_binding_hash(const struct attest *a, const char *tee);
/* What a piece's report data is made of; new reference. */
json_t *as_runtime_data(const struct attest *a, bool primary);
/* Reads initdata: its digest, and its claims for the policy. */
must_check int as_take_init_toml(struct attest *a, struct slice text, struct err *reterr);
/* Verifies and appraises one piece; @primary: bound to the initdata, too. */
must_check int as_take_evidence(struct attest *a, const char *tee, const json_t *evidence,
	bool primary, struct err *reterr);
/* From @r and @e of the work to the outcome of as_attest(). */
must_check int as_outcome(
	struct attest *a, int r, const struct err *e, json_t **ret, struct err *reterr);
