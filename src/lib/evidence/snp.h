/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* SNP reports, for all rooms whose evidence holds one. */
#include "evidence/snp_chain.h"

/**
 * snp_verify() - that @bytes is a report by a genuine AMD processor
 * @certs: what the evidence carries; what it does not is asked of the request's collateral
 * @ret: views into @bytes
 *
 * Format, chain with dates and revocation, signature, TCB and chip of the certificate, VMPL. What
 * the report is bound to is for the caller. Return: 0, -EACCES (noted in @result), -ENOMEM.
 */
must_check int snp_verify(const struct evidence_request *request, struct slice bytes,
	const struct snp_certs *certs, struct evidence_result *result, struct snp_report *ret,
	const struct snp_vek **ret_vek);

/**
 * snp_report_from_json() - the signed bytes of a report that came as Trustee's JSON structure
 * Return: 0, -EBADMSG; @reterr names the member.
 */
must_check int snp_report_from_json(
	const json_t *report, uint8_t ret[SNP_REPORT_SIZE], struct err *reterr);
