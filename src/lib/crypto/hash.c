/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/hash.h"

#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/core_names.h>
#include <openssl/rand.h>

#include "fmt/tpm.h"

static const struct {
	const char *name;
	const char *openssl;
	size_t size;
} g_algs[] = {
	[HASH_NONE] = {"none", NULL, 0},
	[HASH_SHA1] = {"sha1", "SHA1", 20},
	[HASH_SHA256] = {"sha256", "SHA256", 32},
	[HASH_SHA384] = {"sha384", "SHA384", 48},
	[HASH_SHA512] = {"sha512", "SHA512", 64},
	[HASH_SM3] = {"sm3", "SM3", 32},
};

static bool known(enum hash_alg alg)
{
	return alg > HASH_NONE && (size_t)alg < ARRAY_COUNT(g_algs);
}

size_t hash_size(enum hash_alg alg)
{
	return known(alg) ? g_algs[alg].size : 0;
}

const char *hash_name(enum hash_alg alg)
{
	return known(alg) ? g_algs[alg].name : "none";
}

enum hash_alg hash_from_tpm(uint16_t id)
{
	switch (id) {
	case TPM_ALG_SHA1:
		return HASH_SHA1;
	case TPM_ALG_SHA256:
		return HASH_SHA256;
	case TPM_ALG_SHA384:
		return HASH_SHA384;
	case TPM_ALG_SHA512:
		return HASH_SHA512;
	case TPM_ALG_SM3_256:
		return HASH_SM3;
	default:
		return HASH_NONE;
	}
}

enum hash_alg hash_from_name(struct slice name)
{
	for (size_t i = HASH_SHA1; i < ARRAY_COUNT(g_algs); i++) {
		if (slice_eq_str(name, g_algs[i].name))
			return (enum hash_alg)i;
	}
	return HASH_NONE;
}

struct hash {
	EVP_MD_CTX *ctx;
	size_t size;
	bool failed;
};

/* Fetched once: the library's own short names are looked up each time they are used. */
static const EVP_MD *md_of(enum hash_alg alg)
{
	static EVP_MD *known_mds[ARRAY_COUNT(g_algs)];

	if (!known_mds[alg])
		known_mds[alg] = EVP_MD_fetch(NULL, g_algs[alg].openssl, NULL);
	return known_mds[alg];
}

int hash_new(enum hash_alg alg, struct hash **ret)
{
	if (!known(alg))
		return -EOPNOTSUPP;
	cleanup(hash_free) struct hash *h = calloc(1, sizeof(*h));
	if (!h)
		return -ENOMEM;
	h->size = g_algs[alg].size;
	h->ctx = EVP_MD_CTX_new();
	if (!h->ctx || EVP_DigestInit_ex(h->ctx, md_of(alg), NULL) != 1)
		return -ENOMEM;
	*ret = steal_ptr(h);
	return 0;
}

void hash_update(struct hash *h, struct slice in)
{
	if (in.size > 0 && EVP_DigestUpdate(h->ctx, in.data, in.size) != 1)
		h->failed = true;
}

int hash_final(struct hash *h, struct digest *ret)
{
	unsigned size = 0;
	uint8_t bytes[EVP_MAX_MD_SIZE];

	if (h->failed || EVP_DigestFinal_ex(h->ctx, bytes, &size) != 1 || size != h->size) {
		h->failed = true;
		return -EIO;
	}
	memcpy(ret->bytes, bytes, size);
	ret->size = size;
	return 0;
}

void hash_free(struct hash *h)
{
	if (!h)
		return;
	EVP_MD_CTX_free(h->ctx);
	free(h);
}

int hash_once(enum hash_alg alg, struct slice in, struct digest *ret)
{
	cleanup(hash_free) struct hash *h = NULL;
	int r = hash_new(alg, &h);
	if (r < 0)
		return r;
	hash_update(h, in);
	return hash_final(h, ret);
}

int hash_extend(enum hash_alg alg, struct slice old, struct slice value, struct digest *ret)
{
	cleanup(hash_free) struct hash *h = NULL;
	int r = hash_new(alg, &h);
	if (r < 0)
		return r;
	hash_update(h, old);
	hash_update(h, value);
	return hash_final(h, ret);
}

struct hmac {
	EVP_MAC *mac;
	EVP_MAC_CTX *ctx;
	size_t size;
	bool failed;
};

int hmac_new(enum hash_alg alg, struct slice key, struct hmac **ret)
{
	if (!known(alg))
		return -EOPNOTSUPP;
	cleanup(hmac_free) struct hmac *h = calloc(1, sizeof(*h));
	if (!h)
		return -ENOMEM;
	char name[16];
	snprintf(name, sizeof(name), "%s", g_algs[alg].openssl);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0), OSSL_PARAM_END};
	h->size = g_algs[alg].size;
	h->mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	h->ctx = h->mac ? EVP_MAC_CTX_new(h->mac) : NULL;
	/* OpenSSL takes a NULL key as "no key given"; an empty key is a pointer with size 0. */
	static const uint8_t empty[1];
	if (!h->ctx || EVP_MAC_init(h->ctx, key.size ? key.data : empty, key.size, params) != 1)
		return -ENOMEM;
	*ret = steal_ptr(h);
	return 0;
}

void hmac_update(struct hmac *h, struct slice in)
{
	if (in.size > 0 && EVP_MAC_update(h->ctx, in.data, in.size) != 1)
		h->failed = true;
}

int hmac_final(struct hmac *h, struct digest *ret)
{
	size_t size = 0;
	if (h->failed || EVP_MAC_final(h->ctx, ret->bytes, &size, sizeof(ret->bytes)) != 1 ||
		size != h->size)
		return -EIO;
	ret->size = size;
	return 0;
}

void hmac_free(struct hmac *h)
{
	if (!h)
		return;
	EVP_MAC_CTX_free(h->ctx);
	EVP_MAC_free(h->mac);
	free(h);
}

int hmac_once(enum hash_alg alg, struct slice key, struct slice in, struct digest *ret)
{
	cleanup(hmac_free) struct hmac *h = NULL;
	int r = hmac_new(alg, key, &h);
	if (r < 0)
		return r;
	hmac_update(h, in);
	return hmac_final(h, ret);
}

int random_bytes(void *dst, size_t size)
{
	return RAND_bytes(dst, (int)size) == 1 && size <= INT32_MAX ? 0 : -EIO;
}
