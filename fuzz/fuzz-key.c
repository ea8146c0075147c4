/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Called by: the guest (keys that verify images), the key broker and the command line (certificates,
 * policies). Attacker: whoever wrote the key. Format: a SubjectPublicKeyInfo, or PEM. Property: what is
 * taken comes back as the same key.
 */
#include "crypto/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct pkey *key)
{
	cleanup(pkey_free) struct pkey *again = NULL;
	cleanup_with(buf_done) struct buf spki = buf_init(0);
	if (pkey_to_spki(key, &spki) < 0 || pkey_from_spki(buf_slice(&spki), &again, NULL) < 0 ||
		!pkey_equal(key, again))
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup(pkey_free) struct pkey *spki = NULL, *pem = NULL;
	struct slice in = slice_of(data, size);
	if (pkey_from_spki(in, &spki, NULL) == 0)
		check(spki);
	if (pkey_from_pem(in, &pem, NULL) == 0)
		check(pem);
	return 0;
}
