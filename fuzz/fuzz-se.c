/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Called by: the verifier process of the key broker; `husk verify`. Attacker: whoever sends
 * evidence, or gives a file of pvattest or an image. Format: a request, an exchange file or an
 * image; or, when it starts with '{', evidence as JSON. Properties: parts lie within the input and
 * add up to it; nothing is accepted without the key.
 */
#include "evidence/se.h"
#include "fmt/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void within(struct slice in, struct slice part)
{
	if (part.size > 0 && (part.data < in.data || part.data + part.size > in.data + in.size))
		__builtin_trap();
}

static void parse_all(struct slice in)
{
	struct se_request q;
	struct se_attestation a;
	struct se_exchange x;
	struct se_tags t;

	for (int kind = 0; kind < 2; kind++) {
		if (se_request_parse(in, (enum se_request_kind)kind, &q, NULL) < 0)
			continue;
		if (q.aad.size + q.encrypted.size + q.tag.size != in.size)
			__builtin_trap();
		if (se_attestation_parse(&q, &a, NULL) == 0 &&
			a.keyslots.size != (size_t)q.keyslots * SE_KEYSLOT_SIZE)
			__builtin_trap();
	}
	if (se_exchange_parse(in, true, &x, NULL) == 0) {
		within(in, x.arcb.data);
		within(in, x.measurement.data);
		within(in, x.config_uid.data);
	}
	if (se_tags_from_image(in, &t, NULL) == 0) {
		within(in, t.pld);
		within(in, t.tag);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup(json_decref) json_t *j = NULL;
	struct evidence_result result = {0};

	parse_all(slice_of(data, size));
	if (size == 0 || data[0] != '{' || json_parse(slice_of(data, size), 0, &j, NULL) < 0)
		return 0;
	const struct evidence_request q = {.evidence = j,
		.now = 1795392000,
		.report_data = SLICE_LIT("0123456789abcdef0123456789abcdef")};
	if (evidence_verify("se", &q, &result, NULL) == 0 && result.verdict == EVIDENCE_ACCEPT)
		__builtin_trap();
	evidence_result_done(&result);
	return 0;
}
