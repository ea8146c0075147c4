/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A made-up platform of Arm CCA: its key (CPAK), the key of its realm management monitor (RAK), and
 * tokens of both. They verify where the collateral holds its key, and nowhere else.
 */
#include "crypto/key.h"
#include "evidence/collateral.h"

/**
 * struct cca_sim_token - what goes into a token; all zero: a good one of a secured platform
 * @cmw: a collection with tag 907; @raw_key: the RAK as a point, and no profiles
 * @lifecycle: 0: 0x3003, secured
 * @other_cpak, @other_rak: signed by a key that nobody vouches for
 * @other_challenge: the platform token is about another RAK
 * @twice: the realm token has its challenge twice
 */
struct cca_sim_token {
	bool cmw, raw_key;
	bool other_cpak, other_rak, other_challenge, twice;
	uint16_t lifecycle;
	struct slice report_data, init_data;
	const char *hash_name; /* of the RAK; NULL: sha-256 */
};

struct cca_sim;
/** cca_sim_new() - a new platform; @platform_type: KEY_NONE: P-384. NULL on failure. */
struct cca_sim *cca_sim_new(enum key_type platform_type);
void cca_sim_free(struct cca_sim *s);
DEFINE_CLEANUP(struct cca_sim *, cca_sim_free);
/** cca_sim_publish() - Trustee's store of trust anchors, with its key; NULL on failure */
json_t *cca_sim_publish(const struct cca_sim *s);
/** cca_sim_token() - append a token to @out */
must_check int cca_sim_token(
	const struct cca_sim *s, const struct cca_sim_token *t, struct buf *out);
/** cca_sim_evidence() - {"token": [...]}; NULL on failure */
json_t *cca_sim_evidence(const struct cca_sim *s, const struct cca_sim_token *t);
