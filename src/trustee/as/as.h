/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Attestation service: evidence in, appraisal out.
 *
 * Theory of operation
 *  - A `struct as` lives in a verifier process that has no network, no file system and no keys. It
 *    holds compiled policies and a snapshot of the reference values; the vault pushes both before
 *    any request that must see them.
 *  - Everything in a request body is the attacker's. The session's TEE and nonce come from the
 *    vault and are what the body is compared with.
 *  - The outcome is a JSON object, not an error: an operational failure is the return value, a
 *    refusal is an outcome whose "accepted" is false. An appraisal that is bad is accepted with a
 *    bad vector, since the wire protocol gives out such tokens; the resource policy refuses them.
 */
#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "trustee/as/protocol.h"
#include "trustee/rvps/rvps.h"

struct as;

#define AS_BODY_MAX ((size_t)64 << 20)
#define AS_POLICY_STEPS 20000000
#define AS_POLICY_MEMORY ((size_t)64 << 20)

enum as_policy_kind {
	AS_POLICY_RESOURCE,    /* must define policy.allow */
	AS_POLICY_ATTESTATION, /* must define policy.trust_claims */
};

/** as_new() - Return: NULL on ENOMEM */
struct as *as_new(void);
void as_free(struct as *as);
DEFINE_CLEANUP(struct as *, as_free);

/**
 * as_check_policy() - whether a policy may be installed: it compiles and defines its rule
 * Return: 0, -EBADMSG, -EINVAL, -ENOENT (rule missing) and other errno; @reterr says where.
 */
must_check int as_check_policy(struct slice text, enum as_policy_kind kind, struct err *reterr);
/** as_set_policy() - compile @text and use it as @id from now on; the old one stays on failure */
must_check int as_set_policy(struct as *as, const char *id, struct slice text, struct err *reterr);
/** as_set_references() - replace all reference values by an array of RVPS records */
must_check int as_set_references(struct as *as, const json_t *records);

/**
 * as_set_collateral() - replace all collateral by a document of collateral_store_load()
 * Return: 0, -EBADMSG, -E2BIG, -ENOMEM; the old one stays on failure.
 */
must_check int as_set_collateral(struct as *as, const json_t *doc, struct err *reterr);
/** as_add_collateral() - likewise, but keep what @doc does not name */
must_check int as_add_collateral(struct as *as, const json_t *doc, struct err *reterr);
/** as_share_collateral() - use what @from has, now and later; @from must outlive @as */
void as_share_collateral(struct as *as, const struct as *from);
struct digest;
/** as_trust_insecure_intel_root() - accept SGX and TDX under this root instead of Intel's: for tests
 */
void as_trust_insecure_intel_root(struct as *as, const struct digest *pin);
/** as_trust_insecure_amd_root() - likewise SNP, instead of AMD's */
void as_trust_insecure_amd_root(struct as *as, const struct digest *pin);
/** as_trust_nvidia_dpu_root() - the root key of DPUs; without one they are refused */
void as_trust_nvidia_dpu_root(struct as *as, const struct digest *pin);
/** as_trust_insecure_nvidia_root() - likewise GPUs and switches, instead of NVIDIA's */
void as_trust_insecure_nvidia_root(struct as *as, const struct digest *pin);

/** as_trust_insecure_hygon_root() - likewise CSV: an HRK certificate, copied; too long ones are not */
void as_trust_insecure_hygon_root(struct as *as, struct slice cert);

/**
 * as_set_ibm_key() - the RSA key that unwraps measurement keys of IBM Secure Execution, PEM
 * Return: 0, -EBADMSG, -EOPNOTSUPP; the old one stays on failure.
 */
must_check int as_set_ibm_key(struct as *as, struct slice pem, struct err *reterr);

/**
 * struct as_request - what is to be appraised
 * @tee: as named when the session began
 * @nonce: base64 text of the session's nonce; of the SHA-256 digest of the challenge for "se"
 * @body: the RCAR attestation message
 * @protocol: the version that the session began with
 * @now: seconds since the epoch
 */
struct as_request {
	const char *tee;
	const char *nonce;
	struct slice body;
	enum as_protocol protocol;
	int64_t now;
	bool verbose_token;
};

/**
 * as_attest() - verify and appraise
 * @ret: new reference to
 *   { "accepted": bool, "status": "affirming|warning|contraindicated|none",
 *     "stage": where it ended, "reason": one sentence,
 *     "submods": EAR submods (accepted only), "checks": [ {name, ok, expected, actual} ],
 *     "findings": [ what kept the vector from affirming, see explain.h ],
 *     "missing": [ keys of collateral that was needed and is not there ] (only when there are any),
 *     "pieces": [ {"name": of the submod, "class", "tee", "policy", "status", "vector", "extensions"?} ]
 *     (only when there are any: what policies were asked about. Of a refusal each has "input", too, and
 *     the one whose policy failed has no status; else the input is in the submod) }
 *
 * Return: 0 when an outcome was made, -ENOMEM and the like otherwise.
 */
must_check int as_attest(
	struct as *as, const struct as_request *request, json_t **ret, struct err *reterr);

/**
 * struct as_evaluation - a request of the attestation service's own interface
 * @body: JSON: {"verification_requests": [{"tee", "evidence": base64url of JSON, "runtime_data"?:
 *     {"raw": base64url} or {"structured": any}, "init_data"?: {"init_data_digest": base64url} or
 *     {"init_data_toml": text}, "runtime_data_hash_algorithm"?}], "policy_ids": [..]}
 * @insecure_allow_unbound: also evaluate evidence that comes without runtime data, which may be as
 *     old as its certificates
 */
struct as_evaluation {
	struct slice body;
	int64_t now;
	bool verbose_token;
	bool insecure_allow_unbound;
};
/** as_evaluate() - verify and appraise, all pieces or none. As as_attest(). */
must_check int as_evaluate(
	struct as *as, const struct as_evaluation *request, json_t **ret, struct err *reterr);

/**
 * as_prepare() - what another attestation service is to be asked, from an RCAR message
 * @ret: as as_attest(), but with "request": the JSON of as_evaluate()
 */
must_check int as_prepare(const struct as_request *request, json_t **ret, struct err *reterr);
/**
 * as_prepare_intel() - likewise for Intel Trust Authority
 * @policy_ids: array of its policies; @must_match: all of them must match
 * @ret: "request": the body of its attest call; "suffix": behind its address, "" or "/azure"
 */
must_check int as_prepare_intel(const struct as_request *request, json_t *policy_ids,
	bool must_match, json_t **ret, struct err *reterr);
/**
 * as_use_values() - policies get reference values from @values instead
 * @values: object, name to value or null; borrowed until the next call; NULL: our own count again
 * @wanted: array that gets the names that policies ask for and @values does not have
 */
void as_use_values(struct as *as, const json_t *values, json_t *wanted);

/**
 * as_use_nras() - NVIDIA's devices are verified by its remote service
 * @nras: NULL: they are not, but here. {}: nobody has asked it yet. {"keys": text of its key set,
 *     "answers": {id: text}}: what came; {"error": text}: why nothing did. Borrowed until the next call
 * @questions: array that gets {"id", "endpoint", "body"} of what is to be asked
 * Return: 0, -EBADMSG (keys).
 */
must_check int as_use_nras(
	struct as *as, const json_t *nras, json_t *questions, struct err *reterr);

/**
 * as_authorize() - run policy @id, rule policy.allow
 * @claims: JSON text of the token's claims; @data: JSON text of plugin, resource-path and query
 * @ret: new reference to { "accepted": bool, "reason", "findings" }
 */
must_check int as_authorize(struct as *as, const char *id, struct slice claims, struct slice data,
	int64_t now, json_t **ret, struct err *reterr);

/**
 * struct as_dry_run - a policy to be tried
 * @policy: the id that it would have; AS_POLICY_ATTESTATION: behind the last '_' is the class of
 * evidence that it is about
 * @claims: {"pieces": as of as_attest(), each with "input"}, or {"token", "data"} as as_authorize() has
 * them
 */
struct as_dry_run {
	const char *policy;
	enum as_policy_kind kind;
	struct slice candidate;
	const json_t *claims;
	int64_t now;
};
/**
 * as_dry_run() - what the candidate makes of @claims, beside what the installed policy makes of
 * them now. Changes nothing. Takes 8 s at most.
 * @ret: new reference to { "changed": bool, and for a resource policy
 *   "current"?, "candidate": {"status": "allowed|refused", "reason", "findings"?} or {"error"}, for
 *   an attestation policy "pieces": [ {"name", "tee", "policy", "changed", "recorded": {"status"?, "vector"?},
 *   "current"?, "candidate": {"status", "vector", "extensions"?, "findings"?} or {"error"},
 *   "differences": [ {"claim", "current"?, "candidate"?} ]} ] }; no "current" when none is installed
 *
 * Return: 0, -EBADMSG (the candidate does not compile; or claims) and other errno.
 */
must_check int as_dry_run(
	struct as *as, const struct as_dry_run *request, json_t **ret, struct err *reterr);

/** as_default_policy() - text of a built-in policy: default_cpu, default_dcu, default_gpu,
 * default_switch, default_ppcie, default_nvidia-dpu, insecure_sample, resource-policy */
struct slice as_default_policy(const char *id);
