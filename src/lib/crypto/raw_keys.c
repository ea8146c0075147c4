/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/raw_keys.h"

#include <openssl/evp.h>

static int generate(const char *type, uint8_t private[RAW_KEY_SIZE], uint8_t public[RAW_KEY_SIZE])
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, type);
	size_t private_size = RAW_KEY_SIZE, public_size = RAW_KEY_SIZE;
	bool good = key && EVP_PKEY_get_raw_private_key(key, private, &private_size) == 1 &&
		    EVP_PKEY_get_raw_public_key(key, public, &public_size) == 1 &&
		    private_size == RAW_KEY_SIZE && public_size == RAW_KEY_SIZE;

	EVP_PKEY_free(key);
	return good ? 0 : -EIO;
}

int raw_x25519_generate(uint8_t private[RAW_KEY_SIZE], uint8_t public[RAW_KEY_SIZE])
{
	return generate("X25519", private, public);
}

int raw_ed25519_generate(uint8_t private[RAW_KEY_SIZE], uint8_t public[RAW_KEY_SIZE])
{
	return generate("ED25519", private, public);
}

int raw_ed25519_sign(
	const uint8_t private[RAW_KEY_SIZE], struct slice message, uint8_t ret[RAW_SIGNATURE_SIZE])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, private, RAW_KEY_SIZE);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t size = RAW_SIGNATURE_SIZE;
	bool good = key && ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
		    EVP_DigestSign(ctx, ret, &size, message.data, message.size) == 1 &&
		    size == RAW_SIGNATURE_SIZE;

	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return good ? 0 : -EIO;
}
