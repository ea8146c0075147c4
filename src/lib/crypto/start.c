/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/start.h"

#include <openssl/crypto.h>

void crypto_start_lean(enum crypto_start use)
{
	uint64_t without = OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ADD_ALL_CIPHERS;
	/* Signatures of certificates are looked up by the names of digests. */
	if (use == CRYPTO_START_HASHES)
		without |= OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS | OPENSSL_INIT_NO_ADD_ALL_DIGESTS;
	(void)OPENSSL_init_crypto(without, NULL);
}
