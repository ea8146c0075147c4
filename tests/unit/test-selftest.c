/* SPDX-License-Identifier: Apache-2.0 */
/* The self-test passes with the real library, and finds each algorithm that computes wrongly. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/str.h"
#include "crypto/cipher.h"
#include "crypto/key.h"
#include "crypto/selftest.h"

/* What computes wrongly now. */
static enum {
	WRONG_NONE,
	WRONG_SHA256,
	WRONG_SHA384,
	WRONG_HMAC,
	WRONG_CTR,
	WRONG_GCM,
	WRONG_GCM_TAG,
	WRONG_UNWRAP,
	WRONG_ECDH,
	WRONG_ECDSA_REFUSES,
	WRONG_ECDSA_ACCEPTS,
} g_wrong;

/* The linker puts __wrap_NAME in the place of NAME (see meson.build). */
int __real_hash_once(enum hash_alg alg, struct slice in, struct digest *ret);
int __wrap_hash_once(enum hash_alg alg, struct slice in, struct digest *ret);
int __real_hmac_once(enum hash_alg alg, struct slice key, struct slice in, struct digest *ret);
int __wrap_hmac_once(enum hash_alg alg, struct slice key, struct slice in, struct digest *ret);
int __real_ctr_apply(struct ctr *c, const uint8_t *in, uint8_t *out, size_t size);
int __wrap_ctr_apply(struct ctr *c, const uint8_t *in, uint8_t *out, size_t size);
int __real_gcm_decrypt(struct slice key, struct slice iv, struct slice aad, struct slice cipher,
	struct slice tag, struct buf *out);
int __wrap_gcm_decrypt(struct slice key, struct slice iv, struct slice aad, struct slice cipher,
	struct slice tag, struct buf *out);
int __real_aes_unwrap(struct slice kek, struct slice wrapped, struct buf *out);
int __wrap_aes_unwrap(struct slice kek, struct slice wrapped, struct buf *out);
int __real_ecdh_derive(const struct pkey *priv, const struct pkey *peer, struct secret *ret);
int __wrap_ecdh_derive(const struct pkey *priv, const struct pkey *peer, struct secret *ret);
int __real_pkey_verify_der(
	const struct pkey *k, enum sig_alg alg, struct slice in, struct slice sig);
int __wrap_pkey_verify_der(
	const struct pkey *k, enum sig_alg alg, struct slice in, struct slice sig);

int __wrap_hash_once(enum hash_alg alg, struct slice in, struct digest *ret)
{
	int r = __real_hash_once(alg, in, ret);
	if (g_wrong == (alg == HASH_SHA256 ? WRONG_SHA256 : WRONG_SHA384))
		ret->bytes[ret->size - 1] ^= 1;
	return r;
}

int __wrap_hmac_once(enum hash_alg alg, struct slice key, struct slice in, struct digest *ret)
{
	int r = __real_hmac_once(alg, key, in, ret);
	if (g_wrong == WRONG_HMAC)
		ret->bytes[0] ^= 0x80;
	return r;
}

int __wrap_ctr_apply(struct ctr *c, const uint8_t *in, uint8_t *out, size_t size)
{
	int r = __real_ctr_apply(c, in, out, size);
	if (g_wrong == WRONG_CTR)
		out[size - 1] ^= 1;
	return r;
}

int __wrap_gcm_decrypt(struct slice key, struct slice iv, struct slice aad, struct slice cipher,
	struct slice tag, struct buf *out)
{
	int r = __real_gcm_decrypt(key, iv, aad, cipher, tag, out);
	if (g_wrong == WRONG_GCM && r == 0)
		out->data[0] ^= 1;
	return g_wrong == WRONG_GCM_TAG ? 0 : r;
}

int __wrap_aes_unwrap(struct slice kek, struct slice wrapped, struct buf *out)
{
	int r = __real_aes_unwrap(kek, wrapped, out);
	if (g_wrong == WRONG_UNWRAP)
		out->data[out->size - 1] ^= 1;
	return r;
}

int __wrap_ecdh_derive(const struct pkey *priv, const struct pkey *peer, struct secret *ret)
{
	int r = __real_ecdh_derive(priv, peer, ret);
	if (g_wrong == WRONG_ECDH)
		((uint8_t *)ret->data)[0] ^= 1;
	return r;
}

int __wrap_pkey_verify_der(
	const struct pkey *k, enum sig_alg alg, struct slice in, struct slice sig)
{
	int r = __real_pkey_verify_der(k, alg, in, sig);
	return g_wrong == WRONG_ECDSA_REFUSES	? -EKEYREJECTED
	       : g_wrong == WRONG_ECDSA_ACCEPTS ? 0
						: r;
}

#define BOTH (SELFTEST_AA | SELFTEST_IMAGE)

static void test_pass(void **state)
{
	struct err e = {0};
	g_wrong = WRONG_NONE;
	int r = crypto_selftest(BOTH, &e);
	if (r != 0)
		fail_msg("%d %s", r, e.text);
}

static void test_find(void **state)
{
	static const struct {
		int wrong;
		const char *name;
		unsigned programs;
	} cases[] = {
		{WRONG_SHA256, " SHA-256 ", BOTH},
		{WRONG_SHA384, "SHA-384", SELFTEST_AA},
		{WRONG_HMAC, "HMAC", SELFTEST_IMAGE},
		{WRONG_CTR, "CTR", SELFTEST_IMAGE},
		{WRONG_GCM, "GCM", BOTH},
		{WRONG_GCM_TAG, "GCM", BOTH},
		{WRONG_UNWRAP, "wrap", SELFTEST_AA},
		{WRONG_ECDH, "ECDH", SELFTEST_AA},
		{WRONG_ECDSA_REFUSES, "ECDSA", BOTH},
		{WRONG_ECDSA_ACCEPTS, "ECDSA", BOTH},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		for (unsigned program = SELFTEST_AA; program <= SELFTEST_IMAGE; program <<= 1) {
			struct err e = {0};
			g_wrong = cases[i].wrong;
			int r = crypto_selftest(program, &e);
			bool found = r == -EIO && strstr(e.text, cases[i].name) != NULL;
			if (cases[i].programs & program ? !found : r != 0)
				fail_msg("case %zu, program %u: %d '%s'", i, program, r, e.text);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pass),
		cmocka_unit_test(test_find),
	};
	return cmocka_run_group_tests_name("selftest", tests, NULL, NULL);
}
