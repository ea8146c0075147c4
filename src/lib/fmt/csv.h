/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Hygon CSV: certificates and attestation reports of its secure processor. Numbers are
 * little-endian, also those of keys and signatures, which stand in fields of 72 bytes.
 *
 * Certificates have no dates and no extensions. The root (HRK) and the signing key (HSK) are of one
 * layout, the keys of the chip (CEK) and of the platform (PEK) of another.
 *
 * In a report of version 1 each word is XORed with `anonce`, which stands among them; the signature is over
 * the masked bytes.
 */
#include "base/buf.h"

#define CSV_CA_CERT_SIZE 832
#define CSV_CERT_SIZE 2084
#define CSV_REPORT_V1_SIZE 2548
#define CSV_REPORT_V2_SIZE 3380
#define CSV_PAGE_SIZE 4096 /* reports may be padded with zeros to this */
#define CSV_NUMBER_SIZE 32
#define CSV_RTMR_COUNT 5
#define CSV_RTMR_SIZE 32

#define CSV_USAGE_HRK 0x0000U
#define CSV_USAGE_HSK 0x0013U
#define CSV_USAGE_OCA 0x1001U
#define CSV_USAGE_PEK 0x1002U
#define CSV_USAGE_CEK 0x1004U
#define CSV_USAGE_NONE 0x1000U
#define CSV_ALGO_SM2 4U
#define CSV_CURVE_SM2 3U

/** struct csv_signature - big-endian; @there: a signature by whom @usage says */
struct csv_signature {
	bool there;
	uint32_t usage, algo;
	uint8_t r[CSV_NUMBER_SIZE], s[CSV_NUMBER_SIZE];
};

/**
 * struct csv_cert - either layout; slices are views
 * @key_id: own id; empty for CEK and PEK
 * @signer_id: id of the signer; zeros when a PEK does not say
 * @x, @y: big-endian
 * @uid: what the holder calls itself when it signs
 * @body: what is signed
 */
struct csv_cert {
	uint32_t version;
	uint8_t firmware_major, firmware_minor;
	struct slice key_id, signer_id;
	uint32_t usage, algo, curve;
	uint8_t x[CSV_NUMBER_SIZE], y[CSV_NUMBER_SIZE];
	struct slice uid;
	struct slice body;
	struct csv_signature signatures[2];
};

/** csv_ca_cert_parse() - HRK or HSK. Return: 0, -ENODATA, -EBADMSG; the error names the field. */
must_check int csv_ca_cert_parse(struct slice in, struct csv_cert *ret, struct err *reterr);
/** csv_cert_parse() - CEK or PEK */
must_check int csv_cert_parse(struct slice in, struct csv_cert *ret, struct err *reterr);

#define CSV_POLICY_NODBG (1U << 0)
#define CSV_POLICY_NOKS (1U << 1)
#define CSV_POLICY_NOSEND (1U << 3)

/**
 * struct csv_report - version 1 or 2. Slices view @plain, so it must not be copied.
 * @plain: the report without its mask
 * @signed_bytes: view of the input: what @signature is over
 * @mac_bytes: view of the input: what the signer's MAC, HMAC-SM3 with key @mnonce, is over
 * @pek: certificate of the signing key; zeros where it travels beside the report
 * @has_signer: @pek and @serial_number are not all zeros
 */
struct csv_report {
	unsigned version;
	uint32_t anonce; /* version 1 */
	struct slice user_pubkey_digest, vm_id, vm_version, report_data, mnonce, measure;
	uint32_t policy, sig_usage, sig_algo;
	uint32_t build; /* version 2, as what follows */
	uint16_t rtmr_version;
	struct slice rtmr[CSV_RTMR_COUNT];
	struct slice reserved0, reserved1;
	struct csv_signature signature;
	bool has_signer;
	struct slice pek, serial_number, mac;
	struct slice signed_bytes, mac_bytes;
	uint8_t plain[CSV_REPORT_V2_SIZE];
};

/**
 * csv_report_parse() - a report of @version (1 or 2), padded or not
 * Return: 0, -ENODATA (truncated), -EBADMSG, -EOPNOTSUPP (@version).
 */
must_check int csv_report_parse(
	struct slice in, unsigned version, struct csv_report *ret, struct err *reterr);

#define CSV_DCU_REPORT_SIZE 396
#define CSV_DCU_BODY_SIZE 252

/** struct csv_dcu_report - of an accelerator; views */
struct csv_dcu_report {
	uint32_t version;
	struct slice chip_id, user_data, measure, reserved;
	uint32_t sig_usage, sig_algo;
	struct slice signed_bytes;
	struct csv_signature signature;
};
/** csv_dcu_report_parse() - Return: 0, -ENODATA, -EBADMSG */
must_check int csv_dcu_report_parse(
	struct slice in, struct csv_dcu_report *ret, struct err *reterr);
