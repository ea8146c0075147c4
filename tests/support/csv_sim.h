/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A made-up Hygon: HRK, HSK, a chip with its CEK and PEK, and an accelerator. Its reports verify
 * when its root is trusted (`hygon_root`), and nowhere else.
 */
#include <jansson.h>

#include "base/slice.h"

#define CSV_SIM_SERIAL "SIM0001"

struct csv_sim;
/** csv_sim_new() - NULL on failure */
struct csv_sim *csv_sim_new(void);
void csv_sim_free(struct csv_sim *s);
DEFINE_CLEANUP(struct csv_sim *, csv_sim_free);
/** csv_sim_root() - its HRK certificate */
struct slice csv_sim_root(const struct csv_sim *s);
/** csv_sim_hsk_cek() - what stands at hygon/csv/hsk_cek/sim0001 */
struct slice csv_sim_hsk_cek(const struct csv_sim *s);
/** csv_sim_publish() - that, and the accelerator's, as a document of collateral; NULL on failure */
json_t *csv_sim_publish(const struct csv_sim *s);

/**
 * struct csv_sim_report - all zero: version 1, debuggable
 * @version: 1 or 2; 0: 1
 * @policy: CSV_POLICY_...
 * @other_pek: signed by a key that the chip does not vouch for
 * @restored: the signer's part is without its mask, as guests send it that checked the MAC
 */
struct csv_sim_report {
	unsigned version;
	uint32_t policy;
	struct slice report_data, measure;
	bool other_pek, restored;
};
/** csv_sim_evidence() - Trustee's JSON; @with_chain: HSK and CEK are inside. NULL on failure. */
json_t *csv_sim_evidence(const struct csv_sim *s, const struct csv_sim_report *r, bool with_chain);
/** csv_sim_raw() - {"csv_report", "version"}: as the device gives it */
json_t *csv_sim_raw(const struct csv_sim *s, const struct csv_sim_report *r);
/** csv_sim_dcu_evidence() - {"attestation_reports": [...]} with @count reports */
json_t *csv_sim_dcu_evidence(const struct csv_sim *s, struct slice user_data, size_t count);
