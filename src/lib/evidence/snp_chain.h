/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The key that signed an SNP report: from its certificate (VCEK: one chip at one TCB; VLEK: one
 * cloud provider at one TCB) over ASK or ASVK to one of AMD's root keys (ARK), with dates and
 * revocation.
 *
 * Spec: AMD 57230, VCEK Certificate and KDS Interface Specification; AMD 58369 for the VLEK.
 *
 * Collateral, as AMD's key server (KDS) gives it; PRODUCT is milan, genoa or turin, KIND is vcek or
 * vlek:
 *   amd/PRODUCT/KIND/chain        PEM: ASK (or ASVK), ARK; built in when absent
 *   amd/PRODUCT/KIND/crl          DER or PEM
 *   amd/PRODUCT/vcek/HWID/TCB     DER or PEM; TCB: blNN_teeNN_snpNN_ucodeNN, from Turin on _fmcNN
 *   amd/PRODUCT/vlek/TCB          DER or PEM: the provider's certificate, where the guest has none
 */
#include "crypto/crl.h"
#include "evidence/internal.h"
#include "fmt/snp_report.h"

#define SNP_CERT_SIZE_MAX ((size_t)16384)
#define SNP_CRL_SIZE_MAX ((size_t)262144)
#define SNP_VEKS_MAX 256 /* chains kept */

/** struct snp_certs - DER or PEM, from the evidence; all may be empty */
struct snp_certs {
	struct slice vek, ask, ark, crl;
};

struct snp_period {
	char what[8];
	int64_t from, until;
};

/**
 * struct snp_vek - a key whose chain has been checked, but for the dates
 * @hwid: of a VCEK; @hwid_size is 0 for a VLEK
 * @periods: validity of the certificates and of the revocation list
 */
struct snp_vek {
	struct digest id;
	uint64_t used;
	enum snp_product product;
	enum snp_signing_key kind;
	struct pkey *key;
	struct snp_tcb tcb;
	uint8_t hwid[64];
	size_t hwid_size;
	struct snp_period periods[4];
	size_t period_count;
};

/**
 * snp_vek_get() - the key for @report, by its certificate in @certs or in the collateral
 *
 * Chains that were found good are kept (SNP_VEKS_MAX of them) by the digest of all that was looked
 * at; dates are checked every time. Return: 0 with a view that lives until the next call, -EACCES
 * (noted in @result), -ENOMEM.
 */
must_check int snp_vek_get(const struct evidence_request *request, const struct snp_report *report,
	const struct snp_certs *certs, struct evidence_result *result, const struct snp_vek **ret);

/** snp_vek_read() - what the extensions of a VCEK or VLEK say. Return: 0, -EBADMSG. */
must_check int snp_vek_read(
	const struct cert *c, enum snp_product p, struct snp_vek *ret, struct err *reterr);
/** snp_vek_key() - key of the collateral that would hold the certificate for @report */
void snp_vek_collateral_key(
	const struct snp_report *report, enum snp_product p, char dst[COLLATERAL_KEY_SIZE]);
/** snp_cert_load() - DER or PEM. Return: 0, -EBADMSG, -E2BIG. */
must_check int snp_cert_load(struct slice in, struct cert **ret, struct err *reterr);
/** snp_cert_product() - by the certificate's own word: good for a search, not for trust */
enum snp_product snp_cert_product(const struct cert *vek);
/** snp_cert_collateral_key() - where a VCEK or VLEK belongs among the collateral */
must_check int snp_cert_collateral_key(
	const struct cert *vek, char dst[COLLATERAL_KEY_SIZE], struct err *reterr);
/** snp_trusted_root() - whether @pin is the SPKI digest of @p's ARK, or among the request's roots
 */
bool snp_trusted_root(
	const struct evidence_request *request, enum snp_product p, const struct digest *pin);
/** snp_builtin_chain() - PEM: ASK, ASVK, ARK; empty for an unknown product */
struct slice snp_builtin_chain(enum snp_product p);
