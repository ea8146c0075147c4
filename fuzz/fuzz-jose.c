/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Called by: the key broker (admin tokens, attestation tokens, keys of guests), the guest
 * (answers). Attacker: any client, a forged key broker. Format: the first byte chooses compact JWS,
 * JWK, or JWE as JSON. Property: nothing verifies or decrypts under a key that never signed or
 * received it.
 */
#include "crypto/jose.h"
#include "fmt/json.h"

static struct pkey *fixed_key(void)
{
	static struct pkey *key;
	if (!key && pkey_generate(KEY_P256, 0, &key) < 0)
		__builtin_trap();
	return key;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_cut(slice_of(data, size), 1, size);
	cleanup(json_decref) json_t *j = NULL;
	cleanup(pkey_free) struct pkey *k = NULL;
	struct secret secret = {0};
	struct jws jws;

	if (size == 0)
		return 0;
	if (data[0] % 3 == 0) {
		if (jws_parse(in, &jws, NULL) < 0)
			return 0;
		if (jws_check(&jws, fixed_key(), SIG_ES256, NULL) == 0)
			__builtin_trap();
		jws_done(&jws);
	} else if (json_parse(in, 0, &j, NULL) == 0) {
		if (data[0] % 3 == 1)
			(void)!pkey_from_jwk(j, &k, NULL);
		else if (jwe_decrypt(fixed_key(), j, &secret, NULL) == 0)
			__builtin_trap();
	}
	return 0;
}
