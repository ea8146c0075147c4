/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A made-up NVIDIA: one root for devices and manifests, GPUs and switches with their reports, OCSP
 * answers, signed manifests, and a DPU. Formats are the real ones.
 */
#include "evidence/evidence.h"
#include "crypto/hash.h"

struct nv_sim;

/** struct nv_sim_options - zero: everything is well */
struct nv_sim_options {
	int64_t now;		/* certificates are valid around it, answers on that day */
	bool revoked;		/* the boot ROM's certificate */
	bool ocsp_old;		/* all answers are of the day before */
	bool ocsp_foreign;	/* answers are signed by another key */
	bool other_measurement; /* the report differs from the manifests */
	bool rim_expired;	/* the manifests' signer */
	bool rim_altered;	/* a manifest after it was signed */
	bool is_switch;
};
struct nv_sim *nv_sim_new(const struct nv_sim_options *o);
void nv_sim_free(struct nv_sim *s);
/** nv_sim_root() - pin of the root */
const struct digest *nv_sim_root(const struct nv_sim *s);
/** nv_sim_evidence() - device_evidence_list of one device, for the first 32 bytes of @report_data */
json_t *nv_sim_evidence(const struct nv_sim *s, struct slice report_data);
/** nv_sim_publish() - OCSP answers and manifests, and the DPU's root */
struct collateral_store *nv_sim_publish(const struct nv_sim *s);
/** nv_sim_dpu() - evidence of a DPU whose alias certificate was made @age seconds ago;
 * @padded: its signature covers 64 bytes, as guests do it */
json_t *nv_sim_dpu(
	const struct nv_sim *s, struct slice report_data, int64_t age, bool padded, bool raw);
