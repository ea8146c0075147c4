/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Called by: the verifier process of the key broker; `husk verify`. Attacker: whoever sends
 * evidence. Format: an SNP report, then the DER or PEM of its certificate; or, when it starts with
 * '{', evidence as JSON. Properties: a report is read in whole or not at all; TCBs survive being
 * written again; nothing is accepted that leads to no root of AMD's.
 */
#include "evidence/snp.h"
#include "fmt/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_tcb(struct slice raw, enum snp_product p)
{
	uint8_t again[8];
	struct snp_tcb t = snp_tcb_decode(raw, p);
	snp_tcb_encode(&t, p, again);
	struct snp_tcb u = snp_tcb_decode(slice_of(again, sizeof(again)), p);
	if (t.fmc != u.fmc || t.bootloader != u.bootloader || t.tee != u.tee || t.snp != u.snp ||
		t.microcode != u.microcode)
		__builtin_trap();
}

static void verify_bytes(struct slice in)
{
	const struct snp_certs certs = {.vek = slice_cut(in, SNP_REPORT_SIZE, in.size)};
	const struct evidence_request q = {
		.now = 1795392000, .snp_vmpl_max = 3, .insecure_no_revocation_list = true};
	struct evidence_result result = {.checks = json_array()};
	const struct snp_vek *vek = NULL;
	struct snp_report r;

	if (snp_report_parse(slice_cut(in, 0, SNP_REPORT_SIZE), &r, NULL) == 0) {
		check_tcb(r.reported_tcb, snp_report_product(&r));
		check_tcb(r.launch_tcb, SNP_TURIN);
	}
	/* The corpus holds no report of a real machine, and no mutation can sign one. */
	if (snp_verify(&q, slice_cut(in, 0, SNP_REPORT_SIZE), &certs, &result, &r, &vek) == 0)
		__builtin_trap();
	evidence_result_done(&result);
}

static void verify_json(struct slice in)
{
	static const uint8_t report_data[48] = {0x5A};
	cleanup(json_decref) json_t *j = NULL;
	struct evidence_result result = {0};

	if (json_parse(in, 0, &j, NULL) < 0)
		return;
	const struct evidence_request q = {.evidence = j,
		.now = 1795392000,
		.report_data = slice_of(report_data, sizeof(report_data)),
		.insecure_no_revocation_list = true};
	if (evidence_verify("snp", &q, &result, NULL) < 0)
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
