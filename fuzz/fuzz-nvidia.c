/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Called by: the verifier process of the key broker; `husk verify`. Attacker: whoever sends evidence
 * of a GPU, or feeds the collateral. Format: by the first byte, '{' evidence as JSON, '<' a
 * manifest, '0' (0x30) an OCSP answer, else a report. Properties: what parses lies inside the
 * input; nothing is accepted that leads to no root of NVIDIA's.
 */
#include "evidence/nvidia.h"
#include "fmt/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW 1795392000

static void inside(struct slice part, struct slice whole)
{
	if (part.size > 0 &&
		(part.data < whole.data || part.data + part.size > whole.data + whole.size))
		__builtin_trap();
}

static void read_report(struct slice in)
{
	struct nv_device d = {.arch = "Hopper", .uuid = "unknown"};
	char text[NV_RIM_ID_SIZE];

	if (nv_report_parse(in, &d.report, NULL) < 0)
		return;
	inside(d.report.signature, in);
	inside(d.report.signed_bytes, in);
	for (size_t i = 0; i < NV_OPAQUE_TYPES; i++)
		inside(d.report.opaque[i], in);
	for (size_t i = 0; i <= NV_MEASUREMENTS_MAX; i++)
		inside(d.report.measurements[i].value, in);
	json_t *claims = json_object();
	if (nv_report_claims(&d, claims) < 0 ||
		nv_rim_id(&d, false, text, sizeof(text)) == -E2BIG ||
		nv_rim_id(&d, true, text, sizeof(text)) == -E2BIG)
		__builtin_trap();
	json_decref(claims);
}

static void read_rim(struct slice in)
{
	const struct evidence_request q = {.now = NOW};
	struct nv_rim rim = {0};
	struct nv_chain chain = {0};

	if (nv_rim_parse(in, &rim, NULL) == 0 && nv_rim_chain(&rim, &chain) == 0 &&
		xml_signed_verify(rim.xml, NULL) == 0 &&
		nv_chain_check(&q, NV_ROOT_RIM, &chain, NULL) == 0)
		__builtin_trap();
	nv_rim_done(&rim);
	nv_chain_done(&chain);
}

static void read_ocsp(struct slice in)
{
	struct ocsp *o = NULL;
	struct ocsp_answer a;

	if (ocsp_from_der(in, &o, NULL) == 0 && ocsp_read(o, &a, NULL) == 0 &&
		!ocsp_status_name(a.status))
		__builtin_trap();
	ocsp_free(o);
}

static void read_evidence(struct slice in)
{
	static const uint8_t nonce[48] = {0x5A};
	cleanup(json_decref) json_t *j = NULL;
	struct evidence_result result = {0};

	if (json_parse(in, 0, &j, NULL) < 0)
		return;
	const struct evidence_request q = {.evidence = j,
		.now = NOW,
		.report_data = slice_of(nonce, sizeof(nonce)),
		.insecure_no_revocation_list = true};
	if (evidence_verify("nvidia", &q, &result, NULL) == 0 && result.verdict == EVIDENCE_ACCEPT)
		__builtin_trap();
	evidence_result_done(&result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of(data, size);

	if (size == 0)
		return 0;
	switch (data[0]) {
	case '{':
		read_evidence(in);
		break;
	case '<':
		read_rim(in);
		break;
	case 0x30:
		read_ocsp(in);
		break;
	default:
		read_report(in);
	}
	return 0;
}
