/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Called by: the verifier (quotes and signatures of guests), the attester and `husk run` (public
 * areas). Attacker: whoever sends evidence. Format: TPMS_ATTEST, TPMT_SIGNATURE, TPMT_PUBLIC; the
 * first byte chooses. Property: a parsed quote selects at most 24 PCRs per bank and borrows only
 * from the input.
 */
#include "fmt/tpm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_cut(slice_of(data, size), 1, size);
	struct tpm_quote quote;
	struct tpm_signature signature;
	struct tpm_public public;

	if (size == 0)
		return 0;
	switch (data[0] % 3) {
	case 0:
		if (tpm_quote_parse(in, &quote, NULL) < 0)
			return 0;
		for (size_t i = 0; i < quote.selection_count; i++) {
			if (quote.selections[i].mask >> TPM_PCR_COUNT)
				__builtin_trap();
		}
		break;
	case 1:
		if (tpm_signature_parse(in, &signature, NULL) == 0 && signature.rsa.size > in.size)
			__builtin_trap();
		break;
	case 2:
		if (tpm_public_parse(in, &public, NULL) == 0 && public.modulus.size > in.size)
			__builtin_trap();
		break;
	}
	return 0;
}
