/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Intel attestation quotes: SGX quote version 3, TDX (and SGX) quote versions 4 and 5, all with
 * ECDSA P-256 attestation keys. Everything is little-endian; the views point into the caller's
 * bytes.
 *
 * Spec: Intel SGX ECDSA Quote Library API, appendix A.4 (version 3); Intel TDX DCAP Quoting
 * Library API, appendix A.3 (versions 4 and 5).
 */
#include "base/rd.h"

#define SGX_QUOTE_SIZE_MAX ((size_t)128 << 10)
#define SGX_QUOTE_HEADER_SIZE 48
#define SGX_REPORT_SIZE 384
#define TD_REPORT10_SIZE 584
#define TD_REPORT15_SIZE 648
#define SGX_TEE_TYPE_SGX 0x00000000U
#define SGX_TEE_TYPE_TDX 0x00000081U
#define TD_RTMR_COUNT 4

enum sgx_body { SGX_BODY_ENCLAVE = 1, SGX_BODY_TD10 = 2, SGX_BODY_TD15 = 3 };

/* How the quote names its PCK certificate. */
enum sgx_cert_data {
	SGX_CERT_PPID = 1, /* PPID in the clear */
	SGX_CERT_PPID_RSA2048 = 2,
	SGX_CERT_PPID_RSA3072 = 3,
	SGX_CERT_PCK_LEAF = 4,	/* PEM */
	SGX_CERT_PCK_CHAIN = 5, /* PEM chain, in any order */
	SGX_CERT_QE_REPORT = 6, /* outer wrapper of versions 4 and 5 */
};

/** struct sgx_report - REPORTBODY of an enclave (application or quoting enclave) */
struct sgx_report {
	struct slice raw; /* all 384 bytes */
	struct slice cpu_svn, misc_select, reserved1, isv_ext_prod_id, attributes, mr_enclave,
		reserved2, mr_signer, reserved3, config_id, reserved4, isv_family_id, report_data;
	struct slice isv_prod_id_raw, isv_svn_raw, config_svn_raw;
	uint16_t isv_prod_id, isv_svn, config_svn;
};

/** struct td_report - report of a trust domain; the last two are empty in a 1.0 report */
struct td_report {
	struct slice tee_tcb_svn, mr_seam, mrsigner_seam, seam_attributes, td_attributes, xfam,
		mr_td, mr_config_id, mr_owner, mr_owner_config, rtmr[TD_RTMR_COUNT], report_data,
		tee_tcb_svn2, mr_servicetd;
};

struct sgx_quote {
	uint16_t version;
	uint16_t att_key_type;
	uint32_t tee_type;   /* SGX_TEE_TYPE_*; version 3 is always SGX */
	struct slice header; /* 48 bytes */
	struct slice qe_vendor_id, user_data;
	enum sgx_body body_type;
	struct slice body;
	struct sgx_report enclave;    /* SGX_BODY_ENCLAVE */
	struct td_report td;	      /* SGX_BODY_TD10, SGX_BODY_TD15 */
	struct slice signed_bytes;    /* what @signature is over */
	struct slice signature;	      /* r || s */
	struct slice attestation_key; /* x || y */
	struct sgx_report qe;
	struct slice qe_signature;
	struct slice qe_auth_data;
	struct slice
		qe_part; /* key, QE report, its signature, certification data: one platform's */
	uint16_t cert_data_type; /* inner one */
	struct slice cert_data;
	size_t trailing; /* bytes after the quote; not covered by anything and ignored */
};

/**
 * sgx_quote_parse() - split a quote; lengths come from its headers, bytes after it are counted
 *
 * Return: 0; -ENODATA (truncated), -EBADMSG (sizes that contradict each other), -EOPNOTSUPP
 * (version, TEE type, body type or key type), -E2BIG.
 */
must_check int sgx_quote_parse(struct slice in, struct sgx_quote *ret, struct err *reterr);
/** sgx_report_parse() - exactly SGX_REPORT_SIZE bytes. Return: 0, -ENODATA, -EBADMSG. */
must_check int sgx_report_parse(struct slice in, struct sgx_report *ret);
/** td_report_parse() - TD_REPORT10_SIZE or TD_REPORT15_SIZE bytes. Return: 0, -ENODATA, -EBADMSG.
 */
must_check int td_report_parse(struct slice in, struct td_report *ret);

/* Bits of the reports' attributes. */
#define SGX_ATTRIBUTE_DEBUG 1 /* bit of byte 0 of attributes */
#define TD_ATTRIBUTE_DEBUG 0  /* bit number in td_attributes, also of the next ones */
#define TD_ATTRIBUTE_SEPTVE_DISABLE 28
#define TD_ATTRIBUTE_PKS 30
#define TD_ATTRIBUTE_KL 31
#define TD_ATTRIBUTE_PERFMON 63
/** sgx_bit() - bit @n of a little-endian bit field; false past its end */
static inline bool sgx_bit(struct slice field, unsigned n)
{
	return n / 8 < field.size && (field.data[n / 8] >> n % 8 & 1) != 0;
}
