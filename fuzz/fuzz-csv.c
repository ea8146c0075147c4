/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Called by: the verifier process of the key broker; `husk verify`. Attacker: whoever sends
 * evidence. Format: HSK and CEK certificates, then a CSV report; or, when it starts with '{',
 * evidence as JSON. Properties: a report is read in whole or not at all; masking twice gives the
 * report back; nothing is accepted that leads not to Hygon's root.
 */
#include "evidence/csv.h"
#include "fmt/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void verify_bytes(struct slice in)
{
	struct slice hsk = slice_cut(in, 0, CSV_CA_CERT_SIZE);
	struct slice cek = slice_cut(in, CSV_CA_CERT_SIZE, CSV_CERT_SIZE);
	struct slice bytes = slice_cut(in, CSV_HSK_CEK_SIZE, in.size);
	const struct evidence_request q = {.now = 1795392000};
	struct csv_report report;
	struct csv_dcu_report dcu;

	for (unsigned version = 1; version <= 2; version++) {
		struct evidence_result result = {.checks = json_array()};
		if (csv_report_parse(bytes, version, &report, NULL) == 0) {
			uint8_t word = (uint8_t)(report.plain[64] ^ report.anonce);
			if (version == 1 && word != bytes.data[64])
				__builtin_trap();
			if (csv_verify(&q, hsk, cek, SLICE_EMPTY, &report, &result) == 0)
				__builtin_trap();
		}
		evidence_result_done(&result);
	}
	if (csv_dcu_report_parse(in, &dcu, NULL) == 0 && dcu.user_data.size != 64)
		__builtin_trap();
}

static void verify_json(struct slice in)
{
	cleanup(json_decref) json_t *j = NULL;
	struct evidence_result result = {0};

	if (json_parse(in, 0, &j, NULL) < 0)
		return;
	const struct evidence_request q = {.evidence = j,
		.now = 1795392000,
		.report_data = SLICE_LIT("0123456789abcdef0123456789abcdef")};
	if (evidence_verify("csv", &q, &result, NULL) < 0)
		return;
	if (result.verdict == EVIDENCE_ACCEPT)
		__builtin_trap();
	evidence_result_done(&result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 0 && data[0] == '{')
		verify_json(slice_of(data, size));
	else
		verify_bytes(slice_of(data, size));
	return 0;
}
