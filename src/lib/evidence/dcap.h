/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Verification of Intel SGX and TDX quotes: everything that stands between bytes from the network
 * and a statement about a platform.
 *
 * Theory of operation
 *  - Trust starts at the key of Intel's SGX Root CA, known here by its digest. From it lead two
 *    paths: over the PCK CA and the platform's PCK certificate to the report of the quoting enclave
 *    (QE), which binds the attestation key, which signs the quote; and over the TCB signing
 *    certificate to TCB Info and QE identity, which say what the numbers in the first path are
 * worth.
 *  - Both paths need revocation lists, and everything has dates. What is absent, expired, not yet
 *    valid, revoked or unsigned refuses; there is no option to go on without.
 *  - "Authentic" and "good" are apart: an out-of-date platform verifies, with a status that the
 *    appraisal policy sees. Revoked and unmatched platforms are refused here already.
 *  - Signatures that do not change from quote to quote (PCK chain, QE report, collateral) are
 * checked once and remembered, together with the very bytes, in two bounded caches. Dates,
 * revocation and TCB levels are compared every time.
 *
 * Attacker: who sends the quote, and who serves the collateral. Non-goals: fetching collateral.
 */
#include "crypto/hash.h"
#include "evidence/dcap_tcb.h"
#include "evidence/evidence.h"

/**
 * struct dcap_collateral - what Intel's service says; all borrowed, for the time of the call
 * @tcb_info, @qe_identity: exactly the signed bytes; the signatures are r || s
 * @tcb_chain, @qe_chain: PEM: TCB signing certificate and root
 * @pck_crl, @root_crl: DER, hex of DER, or PEM
 * @pck_chain: PEM of the PCK certificate, for quotes that carry none; may be empty
 */
struct dcap_collateral {
	struct slice tcb_info, tcb_info_signature, tcb_chain;
	struct slice qe_identity, qe_identity_signature, qe_chain;
	struct slice pck_crl, root_crl;
	struct slice pck_chain;
};

/**
 * struct dcap_options
 * @now: seconds since the epoch
 * @roots: SHA-256 of the SubjectPublicKeyInfo of the root keys to trust; NULL for Intel's
 */
struct dcap_options {
	int64_t now;
	const struct digest *roots;
	size_t root_count;
};

struct dcap_said;
/** struct dcap_outcome - what a good quote says; views live until the next call on the verifier */
struct dcap_outcome {
	struct sgx_quote quote; /* borrowed from the input */
	const struct pck_info *pck;
	struct tcb_match match;
	int64_t earliest_issue, latest_issue, earliest_expiration;
	int64_t root_crl_number, pck_crl_number, evaluation_number;
	struct digest root_key_id; /* SHA-384 of the root's public point */
	struct dcap_said *said;	   /* claims made before about this platform, by which collateral */
	uint64_t statement_id;
};

/* A verifier with its caches. For one thread. */
struct dcap;
struct dcap *dcap_new(void);
void dcap_free(struct dcap *d);
DEFINE_CLEANUP(struct dcap *, dcap_free);

/** enum dcap_ca - which CA issued the PCK certificate: selects the revocation list */
enum dcap_ca { DCAP_CA_UNKNOWN, DCAP_CA_PROCESSOR, DCAP_CA_PLATFORM };

/**
 * dcap_check_quote() - the first path only: quote signature, key binding, QE report, PCK chain,
 * dates
 * @pck_chain: as in struct dcap_collateral
 * @result: takes one note for each check
 * @ret: quote, pck and root_key_id are set
 * @ret_ca: may be NULL
 * It says which collateral is needed; alone it proves nothing about revocation or the TCB.
 * Return: 0, -EACCES (a check failed), -ENOMEM.
 */
must_check int dcap_check_quote(struct dcap *d, struct slice quote, struct slice pck_chain,
	const struct dcap_options *o, struct evidence_result *result, struct dcap_outcome *ret,
	enum dcap_ca *ret_ca);
/** dcap_check_parsed() - the same for a quote that was parsed already */
must_check int dcap_check_parsed(struct dcap *d, const struct sgx_quote *quote,
	struct slice pck_chain, const struct dcap_options *o, struct evidence_result *result,
	struct dcap_outcome *ret, enum dcap_ca *ret_ca);

/**
 * dcap_check_collateral() - the second path, for an outcome of dcap_check_quote()
 * Return: 0 with the rest of @outcome set, -EACCES, -ENOMEM.
 */
must_check int dcap_check_collateral(struct dcap *d, const struct dcap_collateral *c,
	const struct dcap_options *o, struct evidence_result *result, struct dcap_outcome *outcome);

/**
 * dcap_claims() - add the claims that SGX and TDX share, e.g. tcb_status
 * @o: of dcap_check_collateral()
 * @claims: takes references to values that others hold, too: add and remove members, but change none
 * Return: 0, -ENOMEM.
 */
must_check int dcap_claims(const struct dcap_outcome *o, json_t *claims);
