/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Confidential VMs of Azure: the guest has a vTPM inside its TEE, and the hardware's report binds
 * the vTPM's attestation key. What the rooms for SNP and TDX share: the vTPM's quote and that
 * binding.
 *
 * Evidence: {"version": 1 or 2, "tpm_quote": {"signature", "message", "pcrs"} in hex, "hcl_report":
 * base64url, ...}; without a version, bytes are arrays of numbers, and "quote" and "report" may
 * stand for the two. From version 2 on, the report data is in the variable data, too.
 */
#include "crypto/key.h"
#include "evidence/internal.h"
#include "fmt/hcl.h"
#include "fmt/tpm.h"

struct azure {
	int64_t version;
	struct buf hcl_bytes, message, signature;
	uint8_t pcrs[TPM_PCR_COUNT][32];
	struct hcl_report hcl;
	struct tpm_quote quote;
	json_t *variable;
};
void azure_done(struct azure *a);

/** azure_decode() - Return: 0, -EBADMSG and others of parsers; @reterr names the member */
must_check int azure_decode(
	const json_t *evidence, enum hcl_type type, struct azure *ret, struct err *reterr);
/** azure_bytes() - a member that is an array of numbers, base64 or (@hex) hex, appended to @out */
must_check int azure_bytes(
	const json_t *o, const char *name, bool hex, struct buf *out, struct err *reterr);
/**
 * azure_verify() - the vTPM's quote: signature, PCRs, nonce, initdata
 * It is worth something only with azure_check_binding(). Return: 0, -EACCES, -ENOMEM.
 */
must_check int azure_verify(const struct evidence_request *request, const struct azure *a,
	struct evidence_result *result);
/** azure_check_binding() - @report_data of the hardware's report is the variable data's digest */
must_check int azure_check_binding(
	const struct azure *a, struct slice report_data, struct evidence_result *result);
/** azure_claims() - "tpm", and "init_data" and "report_data" as the vTPM says. Return: 0, -ENOMEM.
 */
must_check int azure_claims(const struct azure *a, json_t *claims);
