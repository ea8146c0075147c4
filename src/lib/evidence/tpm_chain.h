/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Certificates of TPMs' keys.
 *
 * An attestation key (AK) may have a certificate, as cloud providers and privacy CAs issue them:
 * then the evidence proves by itself that the key lives in a TPM that they know. An endorsement key
 * (EK) has one by the TPM's maker; it cannot sign, so it says nothing about a quote. It is for
 * enrolment: who has seen an AK activated with an EK registers the AK (`trusted_aks`).
 *
 *   tpm/roots    certificates that AKs may chain to: PEM
 *   tpm/crls     revocation lists of all CAs of those chains: PEM
 */
#include "crypto/x509.h"
#include "evidence/internal.h"

#define TPM_CERT_MAX ((size_t)16 << 10)
#define TPM_CHAIN_MAX ((size_t)64 << 10)

/**
 * tpm_cert_load() - DER, with bytes behind it ignored: certificates in a TPM's NV memory are padded
 * Return: 0, -EBADMSG, -E2BIG.
 */
must_check int tpm_cert_load(struct slice in, struct cert **ret, struct err *reterr);
/**
 * tpm_ek_verify() - an EK certificate to one of @roots (PEM) over @chain (PEM) at @now: dates,
 * names, signatures, CAs, and that its key is one of an EK (2.23.133.8.1)
 * Return: 0, -EKEYREJECTED, -EBADMSG, -ESTALE.
 */
must_check int tpm_ek_verify(const struct cert *ek, struct slice chain, struct slice roots,
	int64_t now, struct err *reterr);
/**
 * tpm_ak_verify() - that @ak_cert, whose key is @ak, chains to the roots among the collateral;
 * dates, usage and revocation lists are checked. Recorded in @result.
 * @chain: PEM; may be empty
 * Return: 0, -EACCES, -ENOMEM.
 */
must_check int tpm_ak_verify(const struct evidence_request *request, struct slice ak_cert,
	struct slice chain, const struct pkey *ak, struct evidence_result *result);
