/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Verification of attestation evidence: one room per TEE behind one table. A room checks that
 * evidence is authentic, fresh (bound to the expected report data) and bound to the initdata, and
 * turns it into claims with the names and shapes of Trustee. Whether the claims are *good* is for
 * the appraisal policy.
 *
 * Rooms do no I/O and read no clock. The verdict is DENY unless every check of the room passed.
 */
#include <jansson.h>

#include "base/err.h"
#include "base/slice.h"
#include "evidence/collateral.h"

struct digest;
struct pkey;

enum evidence_verdict { EVIDENCE_DENY = 0, EVIDENCE_ACCEPT };

/**
 * struct evidence_remote - a service that verifies for us, see nvidia_nras.h
 * @ask: post @body to the service's @endpoint; its answer is appended. 0 or a negative errno;
 * -EINPROGRESS: it will be asked. The evidence is refused then, after all questions about it were put.
 * @keys: the service's key set, {"keys": [...]}
 */
struct evidence_remote {
	int (*ask)(void *ctx, const char *endpoint, struct slice body, struct buf *answer,
		struct err *reterr);
	void *ctx;
	const json_t *keys;
};

/**
 * struct evidence_request - what is to be verified
 * @evidence: the TEE's evidence as it came in the attestation message (borrowed)
 * @report_data: digest that the evidence must be bound to; each room pads or cuts it to its field
 * @init_data: digest of the initdata that came along; empty when none came
 * @now: seconds since the epoch: the time that certificates must be valid at
 * @collateral: where the room finds what the evidence does not carry; NULL: there is nothing
 * @intel_roots: SHA-256 of the SPKI of root keys to trust instead of Intel's, for tests; NULL in a
 * service
 * @amd_roots: likewise of AMD's root keys (ARK)
 * @nvidia_roots: likewise of NVIDIA's, for devices and for reference integrity manifests
 * @nvidia_remote: NVIDIA's GPUs and switches are verified by this service; NULL: by ourselves
 * @nvidia_dpu_root: SHA-256 of the SPKI of the root key of DPUs; NULL: none is trusted
 * @hygon_root: an HRK certificate to trust instead of Hygon's, likewise
 * @ibm_roots: likewise of the root of IBM's host keys, which is DigiCert's
 * @ibm_key: RSA key that unwraps the measurement keys of Secure Execution; NULL: there is none
 * @snp_vmpl_max: highest number of a VMPL whose SNP reports are accepted; 0 is the most privileged
 * @insecure_no_revocation_list: accept SNP and NVIDIA chains for which there is no revocation list
 * or OCSP answer; one that is there is heeded
 * @insecure_skip_report_data: do not check the binding (off-line look at old evidence); never set
 * by a service
 */
struct evidence_request {
	const json_t *evidence;
	struct slice report_data;
	struct slice init_data;
	int64_t now;
	const struct collateral_provider *collateral;
	const struct digest *intel_roots;
	size_t intel_root_count;
	const struct digest *amd_roots;
	size_t amd_root_count;
	const struct digest *nvidia_roots;
	size_t nvidia_root_count;
	const struct evidence_remote *nvidia_remote;
	const struct digest *nvidia_dpu_root;
	struct slice hygon_root;
	const struct digest *ibm_roots;
	size_t ibm_root_count;
	const struct pkey *ibm_key;
	uint32_t snp_vmpl_max;
	bool insecure_no_revocation_list;
	bool insecure_skip_report_data;
};

#define EVIDENCE_REASON_SIZE 512

/**
 * struct evidence_result - release with evidence_result_done()
 * @claims: owned; NULL when denied before claims could be made, or when @devices is set
 * @devices: owned array of {"class", "claims"} of rooms whose evidence is about several devices;
 * NULL from all others
 * @checks: owned array of {"name", "ok", "expected", "actual", "detail"}; absent members are not
 * known
 * @missing: array of keys of collateral that was asked for and is not there; NULL when all was: who
 * can fetch may do so and try again
 * @reason: one sentence when denied
 */
struct evidence_result {
	enum evidence_verdict verdict;
	json_t *claims;
	json_t *devices;
	json_t *checks;
	json_t *missing;
	char reason[EVIDENCE_REASON_SIZE];
};
void evidence_result_done(struct evidence_result *r);

/** struct evidence_tee - one room. @classification: "cpu", "gpu"...: selects the appraisal policy
 */
struct evidence_tee {
	const char *name;
	const char *classification;
	int (*verify)(const struct evidence_request *request, struct evidence_result *result,
		struct err *reterr);
};

/** evidence_find() - room of a TEE by its name on the wire; NULL when husk cannot verify it */
const struct evidence_tee *evidence_find(const char *name);
/** evidence_at() - the table, for lists; NULL past its end */
const struct evidence_tee *evidence_at(size_t index);

/**
 * evidence_verify() - run the room of @tee
 * Return: 0 with a verdict in @ret; -EOPNOTSUPP (unknown TEE), -ENOMEM. Bad evidence is a verdict,
 * not an error.
 */
must_check int evidence_verify(const char *tee, const struct evidence_request *request,
	struct evidence_result *ret, struct err *reterr);
