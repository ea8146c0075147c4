/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Called by: the verifier process of the key broker, husk verify. Attacker: whoever sends evidence.
 * Format: an SGX or TDX quote, versions 3 to 5. Properties: what parses lies inside the input in
 * the order of the format; no quote passes the first path of the verification, as nobody can sign
 * one.
 */
#include "evidence/dcap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(struct slice whole, struct slice part)
{
	if (part.size > 0 && (part.data < whole.data || part.size > whole.size ||
				     part.data > whole.data + whole.size - part.size))
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dcap *d;
	const struct dcap_options o = {.now = 1793491200};
	struct evidence_result result = {0};
	struct dcap_outcome out;
	struct sgx_quote q;
	struct slice in = slice_of(data, size);

	if (sgx_quote_parse(in, &q, NULL) < 0)
		return 0;
	inside(in, q.signed_bytes);
	inside(in, q.attestation_key);
	inside(in, q.qe.raw);
	inside(in, q.qe_auth_data);
	inside(in, q.cert_data);
	inside(q.signed_bytes, q.body);
	if (q.cert_data.data + q.cert_data.size + q.trailing != data + size)
		__builtin_trap();
	if (!d)
		d = dcap_new();
	result.checks = json_array();
	if (!d || !result.checks)
		return 0;
	if (dcap_check_quote(d, in, SLICE_EMPTY, &o, &result, &out, NULL) == 0)
		__builtin_trap();
	evidence_result_done(&result);
	return 0;
}
