/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A made-up AMD: ARK, ASK or ASVK, a chip with its VCEK or VLEK, and the lists and chains that the
 * key server publishes. Its reports verify when its root is trusted (`amd_roots`), and nowhere
 * else. For tests, benches and corpora.
 */
#include "crypto/hash.h"
#include "evidence/collateral.h"
#include "fmt/snp_report.h"

#define SNP_SIM_NOW 1793491200 /* 2026-11-01T00:00:00Z: in the middle of all its dates */

/**
 * struct snp_sim_options - what is wrong with this world; all zero: a Milan, and nothing
 * @product: SNP_PRODUCT_NONE: Milan
 * @vlek: the chip's key is a provider's
 * @now: the middle of all its dates; 0: SNP_SIM_NOW
 * @full_size_keys: RSA-4096 as AMD has, instead of RSA-2048
 * @wrapped_hwid: the hardware id stands in an OCTET STRING
 */
struct snp_sim_options {
	int64_t now;
	enum snp_product product;
	bool vlek, wrapped_hwid, full_size_keys;
	bool expired_vek, expired_crl, revoked_ask, foreign_crl, vlek_by_ask, rsa_vek;
};

struct snp_sim;
/** snp_sim_new() - a new world with new keys; NULL on failure. @o may be NULL. */
struct snp_sim *snp_sim_new(const struct snp_sim_options *o);
void snp_sim_free(struct snp_sim *s);
DEFINE_CLEANUP(struct snp_sim *, snp_sim_free);
/** snp_sim_new_chip() - another machine of the same make */
must_check int snp_sim_new_chip(struct snp_sim *s);
/** snp_sim_root() - pin of its ARK */
const struct digest *snp_sim_root(const struct snp_sim *s);
/** snp_sim_vek() - DER of the VCEK or VLEK */
struct slice snp_sim_vek(const struct snp_sim *s);
/** snp_sim_publish() - its chain and revocation list into @store */
must_check int snp_sim_publish(const struct snp_sim *s, struct collateral_store *store);
/** snp_sim_publish_text() - the same as a document for collateral_store_load(); NULL on failure */
json_t *snp_sim_publish_text(const struct snp_sim *s);

/**
 * struct snp_sim_report - what goes into a report; slices are cut or padded with zeros
 * @version: 0: 3
 * @tcb_offset: added to the reported SNP SPL: the certificate is of another TCB then
 * @other_chip, @masked_chip: the chip id is another's, or zero
 */
struct snp_sim_report {
	uint32_t version, vmpl;
	uint64_t policy, platform_info;
	struct slice report_data, host_data, measurement;
	uint8_t tcb_offset;
	bool other_chip, masked_chip;
};
/** snp_sim_report() - make and sign a report */
must_check int snp_sim_report(
	const struct snp_sim *s, const struct snp_sim_report *r, uint8_t ret[SNP_REPORT_SIZE]);
/** snp_sim_evidence() - Trustee's JSON of such a report, with the VCEK or VLEK; NULL on failure */
json_t *snp_sim_evidence(const struct snp_sim *s, const struct snp_sim_report *r);
/** snp_sim_json() - the "attestation_report" of report bytes; NULL on failure */
json_t *snp_sim_json(const uint8_t report[SNP_REPORT_SIZE]);
