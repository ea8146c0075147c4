/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * NVIDIA's devices: chain of trust, revocation and reference integrity manifests (RIM).
 *
 * Collateral (collateral.h), beside what a device sends along:
 *   nvidia/rim/ID                        a RIM: XML, or the JSON answer of NVIDIA's RIM service
 *                                        whose "rim" holds it in base64. ID is the service's, in
 *                                        lower case: nv_gpu_driver_gh100_550.90.07
 *   nvidia/ocsp/NAME/KEY/SERIAL          DER of an OCSP answer; see cert_ocsp_id()
 * Without an OCSP answer for each certificate that NVIDIA answers for, a device is refused (unless
 * insecure_no_revocation_list); without its RIMs its claims say so, and default policies refuse it.
 */
#include "crypto/ocsp.h"
#include "evidence/internal.h"
#include "evidence/xml_signed.h"
#include "fmt/nv_report.h"

#define NV_CHAIN_MAX 8
#define NV_CHAIN_SIZE_MAX ((size_t)64 << 10)
#define NV_RIM_ID_SIZE 128
#define NV_DEVICES_MAX 32

enum nv_root { NV_ROOT_DEVICE, NV_ROOT_RIM };

/**
 * struct nv_chain - leaf first, root last
 * @from, @until: when all of them are valid
 * @ocsp: worst of what is known; OCSP_UNKNOWN when an answer is missing
 */
struct nv_chain {
	struct cert *certs[NV_CHAIN_MAX];
	size_t count;
	int64_t from, until;
	enum ocsp_status ocsp;
};
void nv_chain_done(struct nv_chain *c);
/** nv_chain_check() - signatures, constraints, root and dates. Return: 0, -EKEYREJECTED, -ESTALE
 * (dates), -EBADMSG; @reterr says which certificate. */
must_check int nv_chain_check(const struct evidence_request *request, enum nv_root which,
	struct nv_chain *c, struct err *reterr);
/**
 * nv_chain_revocation() - OCSP answers for the certificates from @first up to below the root
 * @missing: array that keys of absent answers are added to
 * Return: 0 with @c->ocsp set; -EKEYREJECTED (revoked, or an answer is not by the issuer), -ESTALE,
 * -EBADMSG, -ENOMEM.
 */
must_check int nv_chain_revocation(const struct evidence_request *request, size_t first,
	struct nv_chain *c, json_t *missing, struct err *reterr);
/** nv_cert_fwid() - the firmware id that a device's certificate carries. Return: 0, -ENOENT,
 * -EBADMSG. */
must_check int nv_cert_fwid(const struct cert *c, struct slice *ret);

/**
 * struct nv_rim - a manifest (TCG RIM as SWID tag, ISO/IEC 19770-2)
 * @version: of the driver or firmware; "" when the manifest has none
 * @manufacturer: IANA enterprise number as text
 * @measurements: object: index, from 0 (the report's less one) -> array of accepted values in hex;
 * active ones only
 * @count: measurements in all, inactive ones too
 */
struct nv_rim {
	struct xml_signed *xml;
	char version[64];
	char manufacturer[32];
	json_t *measurements;
	size_t count;
};
/** nv_rim_parse() - Return: 0; -EBADMSG, -EOPNOTSUPP, -E2BIG, -ENOMEM. Nothing is verified. */
must_check int nv_rim_parse(struct slice text, struct nv_rim *ret, struct err *reterr);
void nv_rim_done(struct nv_rim *r);
/** nv_rim_chain() - the certificates of the signature as a chain of its own */
must_check int nv_rim_chain(const struct nv_rim *r, struct nv_chain *ret);

enum nv_kind { NV_GPU, NV_SWITCH };

/** struct nv_device - one device being verified */
struct nv_device {
	const char *arch; /* as Trustee writes it: "Hopper", "Blackwell", "LS10" */
	const char *uuid;
	enum nv_kind kind;
	struct buf report_bytes;
	struct nv_report report;
	struct nv_chain chain;
};

/** nv_rim_id() - id of the driver's (or, when @firmware, of the VBIOS's or switch BIOS's) manifest,
 * as the RIM service knows it. Return: 0, -ENOENT (the report lacks what it is made of), -E2BIG. */
must_check int nv_rim_id(const struct nv_device *d, bool firmware, char *dst, size_t size);
/**
 * nv_device_claims() - claims of a device whose report is verified: Trustee's of its local verifier
 * ("arch", "uuid", "measurements", "config") and those of NVIDIA's remote service, version 3.0
 * Return: 0 with a new object; -ENOMEM.
 */
must_check int nv_device_claims(const struct evidence_request *request, const struct nv_device *d,
	json_t *missing, json_t **ret);
/** nv_report_claims() - Trustee's part of them, from the report alone. Return: 0, -ENOMEM. */
must_check int nv_report_claims(const struct nv_device *d, json_t *c);
/** nv_is_ppcie() - @devices (as in evidence_result) are the eight GPUs and four switches of one
 * machine: every GPU sees the same four switches, every switch the same eight GPUs */
bool nv_is_ppcie(const json_t *devices);
/** nv_chain_claims() - "x-nvidia-cert-..." of a chain; @valid: it verified */
json_t *nv_chain_claims(const struct nv_chain *c, bool valid);
