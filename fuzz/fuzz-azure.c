/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Called by: the verifier process of the key broker; `husk verify`. Attacker: whoever sends
 * evidence. Format: an HCL report; the rest of the evidence is made up around it. Properties: what
 * the parser gives lies inside its input; nothing is accepted, since no vTPM signed the quote.
 */
#include "evidence/evidence.h"
#include "fmt/hcl.h"
#include "fmt/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A TPMS_ATTEST: quote over all PCRs of the SHA-256 bank, nonce "5ac3", and a PCR digest. */
#define QUOTE                                                \
	"ff54434780180000"                                   \
	"00025ac3"                                           \
	"00000000000000010000000100000001010000000000000001" \
	"00000001000b03ffffff"                               \
	"00200000000000000000000000000000000000000000000000000000000000000000"

static json_t *make_evidence(struct slice hcl, bool snp)
{
	char zero[65];
	json_t *pcrs = json_array(), *report = json_array();

	memset(zero, '0', 64);
	zero[64] = 0;
	for (size_t i = 0; i < 24; i++)
		json_array_append_new(pcrs, json_string(zero));
	for (size_t i = 0; i < hcl.size; i++)
		json_array_append_new(report, json_integer(hcl.data[i]));
	json_t *j = json_pack("{s:{s:s, s:s, s:o}, s:o, s:s}", "tpm_quote", "message", QUOTE,
		"signature", zero, "pcrs", pcrs, "hcl_report", report, snp ? "vcek" : "td_quote",
		"AAAA");
	if (j)
		json_object_set_new(j, "version", json_integer(2));
	return j;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t report_data[2] = {0x5A, 0xC3};
	struct slice in = slice_of(data, size);
	struct hcl_report h;

	if (size > HCL_REPORT_SIZE_MAX)
		return 0;
	if (hcl_report_parse(in, &h, NULL) < 0)
		return 0;
	if (h.hardware.size != HCL_HARDWARE_SIZE || h.hardware.data < data ||
		h.variable.data + h.variable.size > data + size)
		__builtin_trap();
	bool snp = h.type == HCL_SNP;
	cleanup(json_decref) json_t *j = make_evidence(in, snp);
	struct evidence_result result = {0};
	const struct evidence_request q = {.evidence = j,
		.report_data = slice_of(report_data, sizeof(report_data)),
		.now = 1795392000,
		.insecure_no_revocation_list = true};
	if (evidence_verify(snp ? "az-snp-vtpm" : "az-tdx-vtpm", &q, &result, NULL) < 0)
		return 0;
	if (result.verdict == EVIDENCE_ACCEPT)
		__builtin_trap();
	evidence_result_done(&result);
	return 0;
}
