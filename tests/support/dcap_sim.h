/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A made-up Intel: root, PCK CA, TCB signer, a platform with a quoting enclave, and the service
 * that publishes collateral. Its quotes verify when its root is trusted (`intel_roots`), and
 * nowhere else. For tests, benches and corpora.
 */
#include "crypto/hash.h"
#include "evidence/collateral.h"

#define DCAP_SIM_NOW 1793491200 /* 2026-11-01T00:00:00Z: in the middle of all its dates */

/**
 * struct dcap_sim_options - what is wrong with this world; all zero: nothing
 * @tcb_status, @module_status, @qe_status: of the newest levels; NULL: "UpToDate"
 * @advisory: added to the newest level of the platform
 * @platform_svn: SVN of all components of the platform; 0: 5, which is the newest level's
 * @expired_*, @revoked_*: that item
 * @now: what its dates lie around, seconds since the epoch; 0: DCAP_SIM_NOW
 * @extra_number: TCB evaluation data number; makes collateral differ in its bytes
 */
struct dcap_sim_options {
	const char *tcb_status, *module_status, *qe_status, *advisory;
	uint8_t platform_svn;
	bool expired_tcb_info, expired_identity, expired_pck_crl, expired_root_crl, expired_pck;
	bool revoked_pck, revoked_ca, revoked_tcb_signer;
	bool pck_is_ca, tcb_info_v2;
	unsigned extra_number;
	int64_t now;
};

struct dcap_sim;
/** dcap_sim_new() - a new world with new keys; NULL on failure. @o may be NULL. */
struct dcap_sim *dcap_sim_new(const struct dcap_sim_options *o);
void dcap_sim_free(struct dcap_sim *s);
/** dcap_sim_change() - publish according to @o from now on; certificates stay as they were made */
void dcap_sim_change(struct dcap_sim *s, const struct dcap_sim_options *o);
DEFINE_CLEANUP(struct dcap_sim *, dcap_sim_free);
/** dcap_sim_new_platform() - another machine of the same vendor: new PCK certificate and keys */
must_check int dcap_sim_new_platform(struct dcap_sim *s);
/** dcap_sim_root() - pin of its root key */
const struct digest *dcap_sim_root(const struct dcap_sim *s);
/** dcap_sim_publish() - its collateral for SGX and TDX into @store */
must_check int dcap_sim_publish(const struct dcap_sim *s, struct collateral_store *store);
/** dcap_sim_publish_text() - the same as a document for collateral_store_load(); NULL on failure */
json_t *dcap_sim_publish_text(const struct dcap_sim *s);

/**
 * struct dcap_sim_report - what goes into a quote
 * @version: 3 (SGX), 4, 5
 * @body_type: as enum sgx_body
 * @rtmr: NULL or four digests of 48 bytes
 * @debug: debug bit of the TD or enclave
 * @tee_tcb_svn2: first byte of it, for 1.5 reports
 */
struct dcap_sim_report {
	unsigned version, body_type;
	struct slice report_data, config_id;
	const struct digest *rtmr;
	bool debug;
	uint8_t module_version, module_svn, module_svn2;
	struct slice qe_auth_data;
	size_t padding;
};
/** dcap_sim_quote() - sign a quote of the current platform, appended to @out */
must_check int dcap_sim_quote(
	const struct dcap_sim *s, const struct dcap_sim_report *r, struct buf *out);
/** dcap_sim_evidence() - {"quote": ...} of such a quote; NULL on failure */
json_t *dcap_sim_evidence(const struct dcap_sim *s, const struct dcap_sim_report *r);
