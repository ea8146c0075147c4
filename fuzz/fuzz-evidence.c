/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Called by: the verifier process of the key broker. Attacker: whoever sends evidence. Format: the
 * first byte chooses the TEE, the rest is its evidence as JSON. Property: nothing is accepted for a
 * report data that the fuzzer cannot sign.
 */
#include "evidence/evidence.h"
#include "fmt/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t report_data[48] = {0x5A, 0xC3, 0x7E};
	struct evidence_result result = {0};
	cleanup(json_decref) json_t *j = NULL;

	if (size == 0 || json_parse(slice_cut(slice_of(data, size), 1, size), 0, &j, NULL) < 0)
		return 0;
	struct evidence_request q = {
		.evidence = j,
		.report_data = slice_of(report_data, sizeof(report_data)),
	};
	static const char *const tees[] = {
		"sample", "tpm", "sgx", "tdx", "snp", "az-snp-vtpm", "az-tdx-vtpm"};
	const char *tee = tees[data[0] % 7];
	if (evidence_verify(tee, &q, &result, NULL) < 0)
		return 0;
	/* "sample" has no signature, so a fuzzer may find its report data; the others have one. */
	if (result.verdict == EVIDENCE_ACCEPT && data[0] % 7 != 0)
		__builtin_trap();
	evidence_result_done(&result);
	return 0;
}
