/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * AMD SEV-SNP attestation reports, versions 2 to 5. Little-endian; the views point into the
 * caller's bytes.
 *
 * Spec: AMD 56860, SEV Secure Nested Paging Firmware ABI, tables ATTESTATION_REPORT, TCB_VERSION,
 * GUEST_POLICY and "Format for an ECDSA P-384 with SHA-384 signature".
 */
#include "base/rd.h"

#define SNP_REPORT_SIZE ((size_t)1184)
#define SNP_SIGNED_SIZE ((size_t)0x2A0)	   /* the signature follows */
#define SNP_SCALAR_FIELD_SIZE ((size_t)72) /* R and S, each 48 bytes that count */
#define SNP_SCALAR_SIZE ((size_t)48)
#define SNP_HWID_TURIN_SIZE ((size_t)8)

/* Which chain of AMD's keys a processor belongs to; Bergamo and Siena are Genoa's. */
enum snp_product { SNP_PRODUCT_NONE, SNP_MILAN, SNP_GENOA, SNP_TURIN };

enum snp_signing_key { SNP_KEY_VCEK = 0, SNP_KEY_VLEK = 1, SNP_KEY_NONE = 7 };

/** struct snp_tcb - security patch levels; @fmc exists from Turin on and is 0 before */
struct snp_tcb {
	uint8_t fmc, bootloader, tee, snp, microcode;
};

struct snp_report {
	struct slice signed_bytes;
	uint32_t version, guest_svn, vmpl, signature_algo;
	uint64_t policy, platform_info, launch_mit_vector, current_mit_vector;
	struct slice family_id, image_id, report_data, measurement, host_data, id_key_digest,
		author_key_digest, report_id, report_id_ma, chip_id;
	struct slice current_tcb, reported_tcb, committed_tcb, launch_tcb; /* snp_tcb_decode() */
	uint8_t current_build, current_minor, current_major;
	uint8_t committed_build, committed_minor, committed_major;
	bool has_cpuid; /* from version 3 on */
	uint8_t family, model, stepping;
	bool author_key_enabled, chip_key_masked;
	enum snp_signing_key signing_key;
	uint8_t signature[2 * SNP_SCALAR_SIZE]; /* r || s, big-endian */
};

/**
 * snp_report_parse() - exactly SNP_REPORT_SIZE bytes
 *
 * What the signature does not cover must be zero, so that each bit of an accepted report counts.
 * Return: 0; -ENODATA (short), -EBADMSG (long, or a malformed signature field), -EOPNOTSUPP
 * (version, signature algorithm, signing key).
 */
must_check int snp_report_parse(struct slice in, struct snp_report *ret, struct err *reterr);

/** snp_report_product() - by CPUID family and model; SNP_PRODUCT_NONE when unknown or absent */
enum snp_product snp_report_product(const struct snp_report *r);
/** snp_product_name() - "Milan", "Genoa", "Turin"; "unknown" */
const char *snp_product_name(enum snp_product p);
/** snp_tcb_decode() - 8 bytes of a TCB_VERSION; its layout is the product's */
struct snp_tcb snp_tcb_decode(struct slice raw, enum snp_product p);
/** snp_tcb_encode() - the reverse */
void snp_tcb_encode(const struct snp_tcb *t, enum snp_product p, uint8_t ret[8]);

/* Bits of the guest policy and of the platform's info. */
#define SNP_POLICY_SMT 16
#define SNP_POLICY_MIGRATE_MA 18
#define SNP_POLICY_DEBUG 19
#define SNP_POLICY_SINGLE_SOCKET 20
#define SNP_PLATFORM_SMT 0
#define SNP_PLATFORM_TSME 1
static inline bool snp_bit(uint64_t field, unsigned n)
{
	return (field >> n & 1) != 0;
}
