/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A made-up CA that certifies attestation keys of TPMs, and a TPM with such a key. */
#include <jansson.h>
#include <openssl/x509.h>

#include "evidence/collateral.h"
#include "support/dcap_sim_pki.h"

#define TPM_SIM_NOW 1793491200 /* 2026-11-01T00:00:00Z */
#define TPM_SIM_DAY 86400

/** struct tpm_sim_options - what is wrong with this world; all zero: nothing */
struct tpm_sim_options {
	bool expired_ak, expired_ca, expired_crl, revoked_ak, ca_as_ak, no_crl_of_root, other_key;
};

/** struct tpm_sim - @store: roots and lists; @ak_der: the certificate, padded as in NV memory */
struct tpm_sim {
	struct sim_key root_key, ca_key, ak;
	X509 *root, *ca, *ak_cert;
	struct collateral_store *store;
	struct buf ak_der, chain;
};

/** tpm_sim_new() - Return: 0, -EIO, -ENOMEM; release with tpm_sim_done() in every case */
must_check int tpm_sim_new(const struct tpm_sim_options *o, struct tpm_sim *ret);
void tpm_sim_done(struct tpm_sim *s);
/** tpm_sim_evidence() - a quote for @nonce (48 bytes) over registers that are zero, with the
 * certificate of its key; NULL on failure */
json_t *tpm_sim_evidence(const struct tpm_sim *s, struct slice nonce);
