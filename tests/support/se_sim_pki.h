/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "crypto/x509.h"

/** struct se_sim_pki - what an operator has of a made-up IBM; PEM. @root: pin of its root */
struct se_sim_pki {
	struct buf chain, documents, crls;
	struct digest root;
};
/** se_sim_pki() - all of it, for a day around @now. Return: 0, -EIO. */
must_check int se_sim_pki(const struct pkey *host_key, int64_t now, struct se_sim_pki *ret);
void se_sim_pki_done(struct se_sim_pki *p);
