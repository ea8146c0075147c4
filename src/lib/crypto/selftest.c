/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/selftest.h"

#include <jansson.h>

#include "crypto/cipher.h"
#include "crypto/hash.h"
#include "crypto/key.h"

/* FIPS 180-4: "abc" */
static const uint8_t g_sha256[] = {
	0xba,
	0x78,
	0x16,
	0xbf,
	0x8f,
	0x01,
	0xcf,
	0xea,
	0x41,
	0x41,
	0x40,
	0xde,
	0x5d,
	0xae,
	0x22,
	0x23,
	0xb0,
	0x03,
	0x61,
	0xa3,
	0x96,
	0x17,
	0x7a,
	0x9c,
	0xb4,
	0x10,
	0xff,
	0x61,
	0xf2,
	0x00,
	0x15,
	0xad,
};
static const uint8_t g_sha384[] = {
	0xcb,
	0x00,
	0x75,
	0x3f,
	0x45,
	0xa3,
	0x5e,
	0x8b,
	0xb5,
	0xa0,
	0x3d,
	0x69,
	0x9a,
	0xc6,
	0x50,
	0x07,
	0x27,
	0x2c,
	0x32,
	0xab,
	0x0e,
	0xde,
	0xd1,
	0x63,
	0x1a,
	0x8b,
	0x60,
	0x5a,
	0x43,
	0xff,
	0x5b,
	0xed,
	0x80,
	0x86,
	0x07,
	0x2b,
	0xa1,
	0xe7,
	0xcc,
	0x23,
	0x58,
	0xba,
	0xec,
	0xa1,
	0x34,
	0xc8,
	0x25,
	0xa7,
};
/* RFC 4231, case 2, SHA-256 */
static const uint8_t g_hmac[] = {
	0x5b,
	0xdc,
	0xc1,
	0x46,
	0xbf,
	0x60,
	0x75,
	0x4e,
	0x6a,
	0x04,
	0x24,
	0x26,
	0x08,
	0x95,
	0x75,
	0xc7,
	0x5a,
	0x00,
	0x3f,
	0x08,
	0x9d,
	0x27,
	0x39,
	0x83,
	0x9d,
	0xec,
	0x58,
	0xb9,
	0x64,
	0xec,
	0x38,
	0x43,
};
/* NIST SP 800-38A, F.5.5, first block */
static const uint8_t g_ctr_key[] = {
	0x60,
	0x3d,
	0xeb,
	0x10,
	0x15,
	0xca,
	0x71,
	0xbe,
	0x2b,
	0x73,
	0xae,
	0xf0,
	0x85,
	0x7d,
	0x77,
	0x81,
	0x1f,
	0x35,
	0x2c,
	0x07,
	0x3b,
	0x61,
	0x08,
	0xd7,
	0x2d,
	0x98,
	0x10,
	0xa3,
	0x09,
	0x14,
	0xdf,
	0xf4,
};
static const uint8_t g_ctr_nonce[] = {
	0xf0,
	0xf1,
	0xf2,
	0xf3,
	0xf4,
	0xf5,
	0xf6,
	0xf7,
	0xf8,
	0xf9,
	0xfa,
	0xfb,
	0xfc,
	0xfd,
	0xfe,
	0xff,
};
static const uint8_t g_ctr_plain[] = {
	0x6b,
	0xc1,
	0xbe,
	0xe2,
	0x2e,
	0x40,
	0x9f,
	0x96,
	0xe9,
	0x3d,
	0x7e,
	0x11,
	0x73,
	0x93,
	0x17,
	0x2a,
};
static const uint8_t g_ctr_cipher[] = {
	0x60,
	0x1e,
	0xc3,
	0x13,
	0x77,
	0x57,
	0x89,
	0xa5,
	0xb7,
	0xa7,
	0xf5,
	0x04,
	0xbb,
	0xf3,
	0xd2,
	0x28,
};
/* The GCM specification, case 14: all zeros */
static const uint8_t g_gcm_cipher[] = {
	0xce,
	0xa7,
	0x40,
	0x3d,
	0x4d,
	0x60,
	0x6b,
	0x6e,
	0x07,
	0x4e,
	0xc5,
	0xd3,
	0xba,
	0xf3,
	0x9d,
	0x18,
};
static const uint8_t g_gcm_tag[] = {
	0xd0,
	0xd1,
	0xc8,
	0xa7,
	0x99,
	0x99,
	0x6b,
	0xf0,
	0x26,
	0x5b,
	0x98,
	0xb5,
	0xd4,
	0x8a,
	0xb9,
	0x19,
};
/* RFC 3394, 4.6 */
static const uint8_t g_wrapped[] = {
	0x28,
	0xc9,
	0xf4,
	0x04,
	0xc4,
	0xb8,
	0x10,
	0xf4,
	0xcb,
	0xcc,
	0xb3,
	0x5c,
	0xfb,
	0x87,
	0xf8,
	0x26,
	0x3f,
	0x57,
	0x86,
	0xe2,
	0xd8,
	0x0e,
	0xd3,
	0x26,
	0xcb,
	0xc7,
	0xf0,
	0xe7,
	0x1a,
	0x99,
	0xf4,
	0x3b,
	0xfb,
	0x98,
	0x8b,
	0x9b,
	0x7a,
	0x02,
	0xdd,
	0x21,
};
static const uint8_t g_unwrapped[] = {
	0x00,
	0x11,
	0x22,
	0x33,
	0x44,
	0x55,
	0x66,
	0x77,
	0x88,
	0x99,
	0xaa,
	0xbb,
	0xcc,
	0xdd,
	0xee,
	0xff,
	0x00,
	0x01,
	0x02,
	0x03,
	0x04,
	0x05,
	0x06,
	0x07,
	0x08,
	0x09,
	0x0a,
	0x0b,
	0x0c,
	0x0d,
	0x0e,
	0x0f,
};
/* RFC 6979, A.2.5: "sample" with SHA-256 */
static const uint8_t g_signature[] = {
	0x30,
	0x46,
	0x02,
	0x21,
	0x00,
	0xef,
	0xd4,
	0x8b,
	0x2a,
	0xac,
	0xb6,
	0xa8,
	0xfd,
	0x11,
	0x40,
	0xdd,
	0x9c,
	0xd4,
	0x5e,
	0x81,
	0xd6,
	0x9d,
	0x2c,
	0x87,
	0x7b,
	0x56,
	0xaa,
	0xf9,
	0x91,
	0xc3,
	0x4d,
	0x0e,
	0xa8,
	0x4e,
	0xaf,
	0x37,
	0x16,
	0x02,
	0x21,
	0x00,
	0xf7,
	0xcb,
	0x1c,
	0x94,
	0x2d,
	0x65,
	0x7c,
	0x41,
	0xd4,
	0x36,
	0xc7,
	0xa1,
	0xb6,
	0xe2,
	0x9f,
	0x65,
	0xf3,
	0xe9,
	0x00,
	0xdb,
	0xb9,
	0xaf,
	0xf4,
	0x06,
	0x4d,
	0xc4,
	0xab,
	0x2f,
	0x84,
	0x3a,
	0xcd,
	0xa8,
};
/* RFC 5903, 8.1 */
static const uint8_t g_shared[] = {
	0xd6,
	0x84,
	0x0f,
	0x6b,
	0x42,
	0xf6,
	0xed,
	0xaf,
	0xd1,
	0x31,
	0x16,
	0xe0,
	0xe1,
	0x25,
	0x65,
	0x20,
	0x2f,
	0xef,
	0x8e,
	0x9e,
	0xce,
	0x7d,
	0xce,
	0x03,
	0x81,
	0x24,
	0x64,
	0xd0,
	0x4b,
	0x94,
	0x42,
	0xde,
};
static const char g_signer[] = "-----BEGIN PUBLIC KEY-----\n"
			       "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYP7UuiVanTHJYet0xjVtaMBJuJI7\n"
			       "Yfps5mliLmDyn7Z5A/4QCLi8maQa6elWKLxk8vGyDC1+n1F3o8KU1EYimQ==\n"
			       "-----END PUBLIC KEY-----\n";
#define ECDH_X "2tC2U5QiHPmwUeH-yleH0Jjf5jf8kLnvlF0MN3JYEYA"
#define ECDH_Y "UnGgRhzbglLWHxxFb6PlmrH0WzOsz19YOJ4Fd7iZC7M"
#define ECDH_D "yI8B9RDZrD9wopLaojFt5UTpqriv6EBJxiqcV4YtFDM"
#define ECDH_PEER_X "0S37UonI1PgSCLcCcDmMNCKWlwoLzLdMc2_HVUSUv2M"
#define ECDH_PEER_Y "VvvzyjZswj6BV4VME8WNaqwj8Eatow-DU-dPMwOYcqs"

#define BYTES(array) slice_of(array, sizeof(array))
#define KEY_SIZE 32
#define BOTH (SELFTEST_AA | SELFTEST_IMAGE)

static int same(struct slice got, struct slice want)
{
	return slice_eq(got, want) ? 0 : -EIO;
}

static int test_hash(enum hash_alg alg, struct slice want)
{
	struct digest d;
	int r = hash_once(alg, SLICE_LIT("abc"), &d);
	return r < 0 ? r : same(digest_slice(&d), want);
}

static int test_sha256(void)
{
	return test_hash(HASH_SHA256, BYTES(g_sha256));
}

static int test_sha384(void)
{
	return test_hash(HASH_SHA384, BYTES(g_sha384));
}

static int test_hmac(void)
{
	struct digest d;
	int r = hmac_once(
		HASH_SHA256, SLICE_LIT("Jefe"), SLICE_LIT("what do ya want for nothing?"), &d);
	return r < 0 ? r : same(digest_slice(&d), BYTES(g_hmac));
}

static int test_ctr(void)
{
	uint8_t out[sizeof(g_ctr_plain)];
	cleanup(ctr_free) struct ctr *ctr = NULL;
	int r = ctr_new(BYTES(g_ctr_key), BYTES(g_ctr_nonce), &ctr);
	if (r == 0)
		r = ctr_apply(ctr, g_ctr_plain, out, sizeof(out));
	return r < 0 ? r : same(BYTES(out), BYTES(g_ctr_cipher));
}

static int test_gcm(void)
{
	static const uint8_t zero[KEY_SIZE];
	cleanup_with(buf_done) struct buf out = buf_init(64);
	int r = gcm_decrypt(BYTES(zero), slice_of(zero, GCM_IV_SIZE), SLICE_EMPTY,
		BYTES(g_gcm_cipher), BYTES(g_gcm_tag), &out);
	if (r == 0)
		r = same(buf_slice(&out), slice_of(zero, sizeof(g_gcm_cipher)));
	/* A tag that does not fit must not pass. */
	if (r == 0 && gcm_decrypt(BYTES(zero), slice_of(zero, GCM_IV_SIZE), SLICE_EMPTY,
			      BYTES(g_gcm_cipher), BYTES(g_gcm_cipher), &out) != -EKEYREJECTED)
		r = -EIO;
	return r;
}

static int test_unwrap(void)
{
	cleanup_with(buf_done) struct buf out = buf_init(64);
	uint8_t kek[KEY_SIZE];
	for (size_t i = 0; i < sizeof(kek); i++)
		kek[i] = (uint8_t)i;
	int r = aes_unwrap(BYTES(kek), BYTES(g_wrapped), &out);
	return r < 0 ? r : same(buf_slice(&out), BYTES(g_unwrapped));
}

static int test_ecdsa(void)
{
	cleanup(pkey_free) struct pkey *key = NULL;
	int r = pkey_from_pem(slice_str(g_signer), &key, NULL);
	if (r == 0)
		r = pkey_verify_der(key, SIG_ES256, SLICE_LIT("sample"), BYTES(g_signature));
	if (r == 0 && pkey_verify_der(key, SIG_ES256, SLICE_LIT("simple"), BYTES(g_signature)) !=
			      -EKEYREJECTED)
		r = -EIO;
	return r;
}

static int ecdh_key(const char *x, const char *y, const char *d, struct pkey **ret)
{
	json_t *jwk = json_pack(
		"{s:s,s:s,s:s,s:s,s:s*}", "kty", "EC", "crv", "P-256", "x", x, "y", y, "d", d);
	int r = jwk ? pkey_from_jwk(jwk, ret, NULL) : -ENOMEM;
	json_decref(jwk);
	return r;
}

static int test_ecdh(void)
{
	cleanup(pkey_free) struct pkey *key = NULL, *peer = NULL;
	cleanup_with(secret_done) struct secret shared = {0};
	int r = ecdh_key(ECDH_X, ECDH_Y, ECDH_D, &key);
	if (r == 0)
		r = ecdh_key(ECDH_PEER_X, ECDH_PEER_Y, NULL, &peer);
	if (r == 0)
		r = ecdh_derive(key, peer, &shared);
	return r < 0 ? r : same(secret_slice(&shared), BYTES(g_shared));
}

int crypto_selftest(enum selftest program, struct err *reterr)
{
	static const struct {
		const char *name;
		unsigned programs;
		int (*run)(void);
	} tests[] = {
		{"SHA-256", BOTH, test_sha256},
		{"SHA-384", SELFTEST_AA, test_sha384},
		{"HMAC-SHA-256", SELFTEST_IMAGE, test_hmac},
		{"AES-256-CTR", SELFTEST_IMAGE, test_ctr},
		{"AES-256-GCM", BOTH, test_gcm},
		{"AES-256 key wrap", SELFTEST_AA, test_unwrap},
		{"ECDH on P-256", SELFTEST_AA, test_ecdh},
		{"ECDSA on P-256", BOTH, test_ecdsa},
	};
	for (size_t i = 0; i < ARRAY_COUNT(tests); i++) {
		int r = (tests[i].programs & program) != 0 ? tests[i].run() : 0;
		if (r < 0)
			return err_set(reterr, r == -ENOMEM ? r : -EIO,
				"self-test: %s does not give the answer of its standard",
				tests[i].name);
	}
	return 0;
}
