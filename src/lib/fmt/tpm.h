/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * TPM 2.0 structures that evidence carries. Spec: TCG TPM 2.0 Library, Part 2 (rev. 1.59):
 * TPMS_ATTEST 10.12.12, TPMT_SIGNATURE 11.3.4, TPMT_PUBLIC 12.2.4, TPML_PCR_SELECTION 10.9.7. All
 * big-endian. Parsers borrow from the input, refuse trailing bytes, and know no other attestation
 * than a quote.
 */
#include "base/buf.h"
#include "base/rd.h"

#define TPM_GENERATED_VALUE 0xFF544347U
#define TPM_ST_ATTEST_QUOTE 0x8018

enum tpm_alg {
	TPM_ALG_RSA = 0x0001,
	TPM_ALG_SHA1 = 0x0004,
	TPM_ALG_SHA256 = 0x000B,
	TPM_ALG_SHA384 = 0x000C,
	TPM_ALG_SHA512 = 0x000D,
	TPM_ALG_NULL = 0x0010,
	TPM_ALG_SM3_256 = 0x0012,
	TPM_ALG_RSASSA = 0x0014,
	TPM_ALG_RSAPSS = 0x0016,
	TPM_ALG_ECDSA = 0x0018,
	TPM_ALG_ECC = 0x0023,
};

#define TPM_PCR_COUNT 24
#define TPM_SELECTIONS_MAX 16

/** tpm_alg_digest_size() - bytes of a digest of @alg; 0 when @alg is no known hash */
size_t tpm_alg_digest_size(uint16_t alg);

struct tpm_selection {
	uint16_t hash;
	uint32_t mask; /* bit n: PCR n, n < 24 */
};

struct tpm_quote {
	struct slice qualified_signer;
	struct slice extra_data;
	uint64_t clock;
	uint32_t reset_count;
	uint32_t restart_count;
	bool safe;
	uint64_t firmware_version;
	size_t selection_count;
	struct tpm_selection selections[TPM_SELECTIONS_MAX];
	struct slice pcr_digest;
};

/**
 * tpm_quote_parse() - a TPMS_ATTEST that is a quote
 * Return: 0, -ENODATA (truncated), -EBADMSG (magic, trailing bytes, selection), -EOPNOTSUPP
 * (another attestation type), -E2BIG.
 */
must_check int tpm_quote_parse(struct slice in, struct tpm_quote *ret, struct err *reterr);

struct tpm_signature {
	uint16_t alg; /* TPM_ALG_RSASSA, TPM_ALG_RSAPSS, TPM_ALG_ECDSA */
	uint16_t hash;
	struct slice rsa;  /* RSA only */
	struct slice r, s; /* ECDSA only; leading zeros may be absent */
};
must_check int tpm_signature_parse(struct slice in, struct tpm_signature *ret, struct err *reterr);

#define TPM_ATTR_FIXED_TPM (1U << 1)
#define TPM_ATTR_FIXED_PARENT (1U << 4)
#define TPM_ATTR_SENSITIVE_ORIGIN (1U << 5)
#define TPM_ATTR_USER_WITH_AUTH (1U << 6)
#define TPM_ATTR_NODA (1U << 10)
#define TPM_ATTR_RESTRICTED (1U << 16)
#define TPM_ATTR_SIGN (1U << 18)

struct tpm_public {
	uint16_t type; /* TPM_ALG_RSA or TPM_ALG_ECC */
	uint16_t name_alg;
	uint32_t attributes;
	uint16_t scheme, scheme_hash;
	uint32_t exponent;    /* RSA; 0 in the structure means 65537 and is converted */
	struct slice modulus; /* RSA, big-endian */
	uint16_t curve;	      /* ECC: 3 P-256, 4 P-384, 5 P-521 */
	struct slice x, y;
};
must_check int tpm_public_parse(struct slice in, struct tpm_public *ret, struct err *reterr);
