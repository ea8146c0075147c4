/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Checks of TPM quotes that the rooms with a TPM share. */
#include "crypto/key.h"
#include "fmt/tpm.h"

/** tpm_public_key() - the key of a TPMT_PUBLIC. Return: 0, -EOPNOTSUPP, -EBADMSG. */
must_check int tpm_public_key(const struct tpm_public *p, struct pkey **ret, struct err *reterr);
/**
 * tpm_signature_check() - a TPMT_SIGNATURE over @attest
 * Return: 0, -EKEYREJECTED, -EBADMSG, -EOPNOTSUPP (SHA-1 signatures are refused).
 */
must_check int tpm_signature_check(
	const struct pkey *key, struct slice attest, struct slice signature, struct err *reterr);
/**
 * tpm_pcr_digest() - the digest that a quote of these values carries
 * @values: TPM_PCR_COUNT slices of the bank @q selects (exactly one bank)
 * @hash: of the signing scheme
 * The values of the selected PCRs, in ascending order.
 * Return: 0, -EBADMSG (a selected value is missing or has another size, or several banks).
 */
must_check int tpm_pcr_digest(const struct tpm_quote *q, const struct slice *values,
	enum hash_alg hash, struct digest *ret, struct err *reterr);
/** struct tpm_bank - values of the registers under one hash; empty ones are not known */
struct tpm_bank {
	uint16_t hash;
	struct slice values[TPM_PCR_COUNT];
};
/** tpm_pcr_digest_banks() - likewise over all selections of @q, in their order */
must_check int tpm_pcr_digest_banks(const struct tpm_quote *q, const struct tpm_bank *banks,
	size_t bank_count, enum hash_alg hash, struct digest *ret, struct err *reterr);
