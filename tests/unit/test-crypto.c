/* SPDX-License-Identifier: Apache-2.0 */
/* Crypto: published vectors, both directions of every algorithm pin, and every truncation. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/str.h"
#include "crypto/cipher.h"
#include "crypto/hash.h"
#include "crypto/jose.h"
#include "crypto/merkle.h"
#include "crypto/x509.h"
#include "fmt/der.h"
#include "fmt/json.h"

static struct buf from_hex(const char *text)
{
	struct buf b = buf_init(0);
	assert_int_equal(hex_decode(&b, slice_str(text)), 0);
	return b;
}

static void assert_hex(struct slice got, const char *want)
{
	cleanup_with(buf_done) struct buf text = buf_init(0);
	hex_encode(&text, got);
	assert_string_equal(buf_str(&text), want);
}

/* The guest's own encoder gives what OpenSSL's gives. */
static void test_rsa_spki(void **state)
{
	cleanup_with(buf_done) struct buf want = buf_init(0), got = buf_init(0);
	cleanup(pkey_free) struct pkey *key = NULL;
	struct slice info, algorithm, bits, numbers, n, e;

	assert_int_equal(pkey_generate(KEY_RSA, 2048, &key), 0);
	assert_int_equal(pkey_to_spki(key, &want), 0);
	struct rd r = rd_init(buf_slice(&want));
	assert_int_equal(der_expect(&r, DER_SEQUENCE, &info), 0);
	r = rd_init(info);
	assert_int_equal(der_expect(&r, DER_SEQUENCE, &algorithm), 0);
	assert_int_equal(der_expect(&r, DER_BIT_STRING, &bits), 0);
	r = rd_init(slice_cut(bits, 1, bits.size));
	assert_int_equal(der_expect(&r, DER_SEQUENCE, &numbers), 0);
	r = rd_init(numbers);
	assert_int_equal(der_expect(&r, DER_INTEGER, &n), 0);
	assert_int_equal(der_expect(&r, DER_INTEGER, &e), 0);
	/* The TPM has the exponent as a 32-bit number. */
	assert_hex(e, "010001");
	der_put_rsa_spki(&got, n, SLICE_LIT("\0\x01\0\x01"));
	assert_int_equal(buf_error(&got), 0);
	assert_true(slice_eq(buf_slice(&got), buf_slice(&want)));
	cleanup_with(buf_done) struct buf out = buf_init(0);
	static uint8_t large[1 << 16];
	memset(large, 1, sizeof(large));
	der_put_uint(&out, slice_of(large, sizeof(large)));
	assert_int_equal(buf_error(&out), -E2BIG);
	buf_clear(&out);
	der_put_uint(&out, SLICE_LIT("\0\0"));
	der_put_uint(&out, SLICE_LIT("\0\x80"));
	assert_hex(buf_slice(&out), "02010002020080");
}

static void test_hash(void **state)
{
	/* FIPS 180-4 "abc"; GB/T 32905 example 1 */
	static const struct {
		const char *name, *want;
	} cases[] = {
		{"sha1", "a9993e364706816aba3e25717850c26c9cd0d89d"},
		{"sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{"sha384", "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072"
			   "ba1e7cc23"
			   "58baeca134c825a7"},
		{"sha512", "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992"
			   "a274fc1a8"
			   "36ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
		{"sm3", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"},
	};
	struct digest d;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		enum hash_alg alg = hash_from_name(slice_str(cases[i].name));
		assert_int_equal(hash_once(alg, SLICE_LIT("abc"), &d), 0);
		assert_hex(digest_slice(&d), cases[i].want);
		assert_string_equal(hash_name(alg), cases[i].name);
		cleanup(hash_free) struct hash *h = NULL;
		assert_int_equal(hash_new(alg, &h), 0);
		hash_update(h, SLICE_LIT("a"));
		hash_update(h, SLICE_EMPTY);
		hash_update(h, SLICE_LIT("bc"));
		assert_int_equal(hash_final(h, &d), 0);
		assert_hex(digest_slice(&d), cases[i].want);
	}
	assert_int_equal(hash_from_name(SLICE_LIT("sha-256")), HASH_NONE);
	assert_int_equal(hash_from_name(SLICE_LIT("SHA256")), HASH_NONE);
	assert_int_equal(hash_once(HASH_NONE, SLICE_EMPTY, &d), -EOPNOTSUPP);
	/* RFC 4231 test case 2 */
	assert_int_equal(hmac_once(HASH_SHA256, SLICE_LIT("Jefe"),
				 SLICE_LIT("what do ya want for nothing?"), &d),
		0);
	assert_hex(digest_slice(&d),
		"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	assert_int_equal(hmac_once(HASH_SHA256, SLICE_EMPTY, SLICE_EMPTY, &d), 0);
	assert_hex(digest_slice(&d),
		"b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void test_cipher(void **state)
{
	/* AES-256-GCM, test case 14 of the GCM specification */
	cleanup_with(buf_done) struct buf key =
		from_hex("0000000000000000000000000000000000000000000000000000000000000000");
	cleanup_with(buf_done) struct buf iv = from_hex("000000000000000000000000");
	cleanup_with(buf_done) struct buf zero = from_hex("00000000000000000000000000000000");
	cleanup_with(buf_done) struct buf out = buf_init(0);
	cleanup_with(buf_done) struct buf back = buf_init_secret(0);
	uint8_t tag[GCM_TAG_SIZE];

	assert_int_equal(gcm_encrypt(buf_slice(&key), buf_slice(&iv), SLICE_EMPTY, buf_slice(&zero),
				 &out, tag),
		0);
	assert_hex(buf_slice(&out), "cea7403d4d606b6e074ec5d3baf39d18");
	assert_hex(slice_of(tag, 16), "d0d1c8a799996bf0265b98b5d48ab919");
	assert_int_equal(gcm_decrypt(buf_slice(&key), buf_slice(&iv), SLICE_EMPTY, buf_slice(&out),
				 slice_of(tag, 16), &back),
		0);
	assert_true(slice_eq(buf_slice(&back), buf_slice(&zero)));
	for (size_t bit = 0; bit < 128; bit += 7) {
		uint8_t bad[16];
		memcpy(bad, tag, 16);
		bad[bit / 8] ^= (uint8_t)(1 << bit % 8);
		buf_clear(&back);
		assert_int_equal(gcm_decrypt(buf_slice(&key), buf_slice(&iv), SLICE_EMPTY,
					 buf_slice(&out), slice_of(bad, 16), &back),
			-EKEYREJECTED);
		assert_int_equal(back.size, 0);
	}
	assert_int_equal(gcm_decrypt(buf_slice(&key), buf_slice(&iv), SLICE_EMPTY, buf_slice(&out),
				 slice_of(tag, 12), &back),
		-EINVAL);

	/* ocicrypt: key 00..1f, nonce 00..0f */
	uint8_t k[32], n[16];
	for (uint8_t i = 0; i < 32; i++)
		k[i] = i;
	memcpy(n, k, 16);
	cleanup(ctr_free) struct ctr *c = NULL;
	assert_int_equal(ctr_new(slice_of(k, 32), slice_of(n, 16), &c), 0);
	uint8_t text[] = "this is some data";
	assert_int_equal(ctr_apply(c, text, text, 3), 0);
	assert_int_equal(ctr_apply(c, text + 3, text + 3, 14), 0);
	assert_hex(slice_of(text, 17), "2e066d24289202b68341385822a7c7e601");

	/* RFC 3394 section 4.6 */
	cleanup_with(buf_done) struct buf plain =
		from_hex("00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f");
	buf_clear(&out);
	assert_int_equal(aes_wrap(slice_of(k, 32), buf_slice(&plain), &out), 0);
	assert_hex(buf_slice(&out),
		"28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b"
		"9b7a02dd21");
	buf_clear(&back);
	assert_int_equal(aes_unwrap(slice_of(k, 32), buf_slice(&out), &back), 0);
	assert_true(slice_eq(buf_slice(&back), buf_slice(&plain)));
	out.data[5] ^= 1;
	buf_clear(&back);
	assert_int_equal(aes_unwrap(slice_of(k, 32), buf_slice(&out), &back), -EKEYREJECTED);
	assert_int_equal(
		aes_unwrap(slice_of(k, 32), slice_cut(buf_slice(&out), 0, 16), &back), -EINVAL);
}

static const struct {
	enum key_type type;
	enum sig_alg alg;
} g_pairs[] = {
	{KEY_P256, SIG_ES256},
	{KEY_P384, SIG_ES384},
	{KEY_P521, SIG_ES512},
	{KEY_RSA, SIG_RS256},
	{KEY_RSA, SIG_RS512},
	{KEY_RSA, SIG_PS256},
	{KEY_ED25519, SIG_EDDSA},
};

static void check_verify(const struct pkey *pub, enum sig_alg alg, struct buf *sig)
{
	const struct slice message = SLICE_LIT("message");

	assert_int_equal(pkey_verify(pub, alg, message, buf_slice(sig)), 0);
	assert_int_equal(
		pkey_verify(pub, alg, SLICE_LIT("messagf"), buf_slice(sig)), -EKEYREJECTED);
	for (size_t n = 0; n < sig->size; n++) {
		assert_int_equal(pkey_verify(pub, alg, message, slice_cut(buf_slice(sig), 0, n)),
			-EKEYREJECTED);
		sig->data[n] ^= 1;
		assert_int_equal(pkey_verify(pub, alg, message, buf_slice(sig)), -EKEYREJECTED);
		sig->data[n] ^= 1;
	}
	/* The same signature never verifies under another algorithm, in either direction. */
	for (size_t j = 0; j < ARRAY_COUNT(g_pairs); j++) {
		if (g_pairs[j].alg != alg)
			assert_true(pkey_verify(pub, g_pairs[j].alg, message, buf_slice(sig)) < 0);
	}
	assert_int_equal(pkey_verify(pub, alg, message, buf_slice(sig)), 0);
}

static void test_sign(void **state)
{
	for (size_t i = 0; i < ARRAY_COUNT(g_pairs); i++) {
		cleanup(pkey_free) struct pkey *k = NULL, *pub = NULL, *other = NULL;
		cleanup_with(buf_done) struct buf sig = buf_init(0), spki = buf_init(0),
						  pem = buf_init(0);
		assert_int_equal(pkey_generate(g_pairs[i].type, 2048, &k), 0);
		assert_int_equal(pkey_to_spki(k, &spki), 0);
		assert_int_equal(pkey_from_spki(buf_slice(&spki), &pub, NULL), 0);
		assert_true(pkey_is_private(k) && !pkey_is_private(pub) && pkey_equal(k, pub));
		assert_int_equal(pkey_sign(k, g_pairs[i].alg, SLICE_LIT("message"), &sig), 0);
		check_verify(pub, g_pairs[i].alg, &sig);
		bool is_ecdsa = g_pairs[i].alg <= SIG_ES512;
		assert_int_equal(pkey_prepare(pub, g_pairs[i].alg), is_ecdsa ? 0 : -EINVAL);
		check_verify(pub, g_pairs[i].alg, &sig);
		buf_clear(&sig);
		assert_int_equal(pkey_sign(pub, g_pairs[i].alg, SLICE_LIT("m"), &sig), -EINVAL);
		assert_int_equal(pkey_to_pem_private(k, &pem), 0);
		assert_int_equal(pkey_from_pem(buf_slice(&pem), &other, NULL), 0);
		assert_true(pkey_is_private(other) && pkey_equal(k, other));
		cleanup(json_decref) json_t *jwk = pkey_to_jwk(k);
		cleanup(pkey_free) struct pkey *from_jwk = NULL;
		assert_int_equal(pkey_from_jwk(jwk, &from_jwk, NULL), 0);
		assert_true(pkey_equal(k, from_jwk) && !pkey_is_private(from_jwk));
	}
}

/* Copies of @spki with one byte changed: where is counted from the end when negative. */
static int changed(struct slice spki, int where, uint8_t mask, struct pkey **ret)
{
	cleanup_with(buf_done) struct buf copy = buf_init(0);
	buf_put_slice(&copy, spki);
	copy.data[where < 0 ? spki.size + (size_t)(ssize_t)where : (size_t)where] ^= mask;
	return pkey_from_spki(buf_slice(&copy), ret, NULL);
}

/* Keys on the curves are read without OpenSSL's decoders: the same keys, the same refusals. */
static void test_ec_spki(void **state)
{
	static const enum key_type types[] = {KEY_P256, KEY_P384, KEY_P521};
	for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
		cleanup(pkey_free) struct pkey *k = NULL, *again = NULL, *from_pem = NULL;
		cleanup_with(buf_done) struct buf spki = buf_init(0), pem = buf_init(0),
						  both = buf_init(0), longer = buf_init(0);
		struct pkey *none = NULL;
		assert_int_equal(pkey_generate(types[i], 0, &k), 0);
		assert_int_equal(pkey_to_spki(k, &spki), 0);
		struct slice der = buf_slice(&spki);
		assert_int_equal(pkey_from_spki(der, &again, NULL), 0);
		assert_true(pkey_equal(k, again) && !pkey_is_private(again));
		assert_int_equal(pkey_to_pem_public(k, &pem), 0);
		assert_int_equal(pkey_from_pem(buf_slice(&pem), &from_pem, NULL), 0);
		assert_true(pkey_equal(k, from_pem) && !pkey_is_private(from_pem));
		for (size_t n = 0; n < der.size; n++)
			assert_int_equal(
				pkey_from_spki(slice_cut(der, 0, n), &none, NULL), -EBADMSG);
		buf_put_slice(&longer, der);
		buf_put_u8(&longer, 0);
		assert_int_equal(pkey_from_spki(buf_slice(&longer), &none, NULL), -EBADMSG);
		/* Off the curve; the sign of a compressed point; eight unused bits. */
		assert_int_equal(changed(der, -1, 1, &none), -EBADMSG);
		size_t point = der.size - 1 - 2 * ((pkey_type(k) == KEY_P521 ? 66 : 32 + 16 * i));
		assert_int_equal(der.data[point], 4);
		assert_int_equal(changed(der, (int)point, 6, &none), -EBADMSG);
		assert_int_equal(changed(der, (int)point - 1, 8, &none), -EBADMSG);
		assert_null(none);
		/* A private key counts for more than a public one before it. */
		buf_put_slice(&both, buf_slice(&pem));
		assert_int_equal(pkey_to_pem_private(k, &both), 0);
		cleanup(pkey_free) struct pkey *private = NULL;
		assert_int_equal(pkey_from_pem(buf_slice(&both), &private, NULL), 0);
		assert_true(pkey_is_private(private) && pkey_equal(k, private));
	}
	/* Another algorithm with the point of a curve: X25519's identifier, one arc further. */
	cleanup(pkey_free) struct pkey *k = NULL;
	cleanup_with(buf_done) struct buf spki = buf_init(0);
	struct pkey *none = NULL;
	assert_int_equal(pkey_generate(KEY_P256, 0, &k), 0);
	assert_int_equal(pkey_to_spki(k, &spki), 0);
	assert_int_equal(changed(buf_slice(&spki), 12, 2, &none), -EBADMSG);
	assert_int_equal(changed(buf_slice(&spki), 22, 1, &none), -EBADMSG);
	/* A compressed point is left to OpenSSL, which takes it. */
	cleanup_with(buf_done) struct buf small =
		from_hex("3039301306072a8648ce3d020106082a8648ce3d030107032200"
			 "0360fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6");
	cleanup(pkey_free) struct pkey *sample = NULL;
	assert_int_equal(pkey_from_spki(buf_slice(&small), &sample, NULL), 0);
	assert_int_equal(pkey_type(sample), KEY_P256);
}

static void test_key_refusals(void **state)
{
	struct pkey *k = NULL;
	assert_int_equal(pkey_generate(KEY_RSA, 1024, &k), -EINVAL);
	assert_int_equal(
		pkey_from_pem(SLICE_LIT("-----BEGIN PUBLIC KEY-----\nAAAA\n"), &k, NULL), -EBADMSG);
	uint8_t point[65] = {4, 1, 2, 3}; /* not on the curve */
	assert_int_equal(pkey_from_ec_point(KEY_P256, slice_of(point, 65), &k), -EBADMSG);
	assert_int_equal(pkey_from_ec_point(KEY_P256, slice_of(point, 64), &k), -EBADMSG);
	static const char *const bad[] = {
		"{}",
		"{\"kty\":\"oct\",\"k\":\"AA\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-192\",\"x\":\"AA\",\"y\":\"AA\"}",
		"{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",
		"{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"AA\"}",
		"{\"kty\":1}",
	};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		cleanup(json_decref) json_t *jwk = NULL;
		assert_int_equal(json_parse(slice_str(bad[i]), 0, &jwk, NULL), 0);
		assert_true(pkey_from_jwk(jwk, &k, NULL) < 0);
	}
	/* RFC 7638 section 3.1 */
	cleanup(json_decref) json_t *jwk = NULL;
	cleanup(pkey_free) struct pkey *rsa = NULL;
	cleanup_with(buf_done) struct buf print = buf_init(0);
	assert_int_equal(json_parse(slice_str("{\"kty\":\"RSA\",\"n\":"
					      "\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhW"
					      "x4cbbfAAtVT86zwu1RK7a"
					      "PFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_"
					      "2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4Qy"
					      "Q5v-65YGjQR0_"
					      "FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL"
					      "5hajrn1n91CbOpbISD08qNLyr"
					      "dkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_"
					      "xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
					      "\",\"e\":\"AQAB\"}"),
				 0, &jwk, NULL),
		0);
	assert_int_equal(pkey_from_jwk(jwk, &rsa, NULL), 0);
	assert_int_equal(pkey_thumbprint(rsa, &print), 0);
	assert_string_equal(buf_str(&print), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

static void test_jws(void **state)
{
	cleanup(pkey_free) struct pkey *k = NULL, *other = NULL;
	cleanup_with(buf_done) struct buf text = buf_init(0);
	cleanup(json_decref) json_t *header = json_pack("{s:s}", "typ", "JWT");
	struct err e = {0};
	struct jws j;

	assert_int_equal(pkey_generate(KEY_RSA, 2048, &k), 0);
	assert_int_equal(pkey_generate(KEY_RSA, 2048, &other), 0);
	assert_int_equal(jws_sign(k, SIG_RS512, header, SLICE_LIT("{}"), &text), 0);
	assert_int_equal(jws_parse(buf_slice(&text), &j, &e), 0);
	assert_int_equal(jws_check(&j, k, SIG_RS512, &e), 0);
	assert_int_equal(jws_check(&j, k, SIG_RS256, &e), -EKEYREJECTED);
	assert_int_equal(jws_check(&j, k, SIG_NONE, &e), -EKEYREJECTED);
	assert_int_equal(jws_check(&j, other, SIG_RS512, &e), -EKEYREJECTED);
	jws_done(&j);
	for (size_t n = 0; n < text.size; n += 3) {
		if (jws_parse(slice_cut(buf_slice(&text), 0, n), &j, NULL) < 0)
			continue;
		assert_true(jws_check(&j, k, SIG_RS512, NULL) < 0);
		jws_done(&j);
	}
	/* {"alg":"none"}, four parts, crit, duplicate members */
	static const char *const bad[] = {"", "a.b", "..", "eyJhbGciOiJub25lIn0.e30.A.B",
		"eyJhbGciOiJSUzI1NiIsImFsZyI6Im5vbmUifQ.e30.", "e30.e30."};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		assert_int_equal(jws_parse(slice_str(bad[i]), &j, NULL), -EBADMSG);
	assert_int_equal(jws_parse(SLICE_LIT("eyJhbGciOiJub25lIn0.e30."), &j, NULL), 0);
	assert_int_equal(j.alg, SIG_NONE);
	assert_int_equal(jws_check(&j, k, SIG_NONE, NULL), -EKEYREJECTED);
	jws_done(&j);
}

static void check_jwe(enum key_type type, enum jwe_alg alg)
{
	cleanup(pkey_free) struct pkey *k = NULL, *other = NULL;
	cleanup(json_decref) json_t *jwe = NULL;
	struct secret s = {0};

	assert_int_equal(pkey_generate(type, 2048, &k), 0);
	assert_int_equal(pkey_generate(type, 2048, &other), 0);
	assert_int_equal(jwe_encrypt(k, alg, SLICE_LIT("the key"), &jwe), 0);
	assert_int_equal(jwe_decrypt(k, jwe, &s, NULL), 0);
	assert_true(slice_eq_str(secret_slice(&s), "the key"));
	secret_done(&s);
	assert_int_equal(jwe_decrypt(other, jwe, &s, NULL), -EKEYREJECTED);

	cleanup_with(buf_done) struct buf header = buf_init(0);
	assert_int_equal(json_get_b64(jwe, "protected", &header, NULL), 0);
	assert_true(slice_starts(buf_slice(&header),
		alg == JWE_ECDH_ES_A256KW
			? SLICE_LIT("{\"alg\":\"ECDH-ES+A256KW\",\"enc\":\"A256GCM\",\"epk\":{"
				    "\"crv\":")
			: SLICE_LIT("{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A256GCM\"}")));
	static const char *const members[] = {
		"protected", "encrypted_key", "iv", "ciphertext", "tag"};
	for (size_t i = 0; i < ARRAY_COUNT(members); i++) {
		cleanup(json_decref) json_t *bad = json_deep_copy(jwe);
		char *text = strdup(json_string_value(json_object_get(bad, members[i])));
		text[0] = text[0] == 'A' ? 'B' : 'A';
		assert_int_equal(json_set_str(bad, members[i], text), 0);
		free(text);
		assert_true(jwe_decrypt(k, bad, &s, NULL) < 0);
		json_object_del(bad, members[i]);
		assert_true(jwe_decrypt(k, bad, &s, NULL) < 0);
	}
}

static void test_jwe(void **state)
{
	check_jwe(KEY_P256, JWE_ECDH_ES_A256KW);
	check_jwe(KEY_P521, JWE_ECDH_ES_A256KW);
	check_jwe(KEY_RSA, JWE_RSA_OAEP_256);
	/* RFC 7518 appendix C uses other party data; the derivation itself is covered by peers in
	 * tests. */
	cleanup(json_decref) json_t *jwk = json_pack("{s:s}", "alg", "RSA1_5");
	cleanup(pkey_free) struct pkey *rsa = NULL, *p384 = NULL;
	assert_int_equal(pkey_generate(KEY_RSA, 2048, &rsa), 0);
	assert_int_equal(jwe_alg_for_key(jwk, rsa), JWE_NONE);
	json_object_set_new(jwk, "alg", json_string("RSA-OAEP-256"));
	assert_int_equal(jwe_alg_for_key(jwk, rsa), JWE_RSA_OAEP_256);
	json_object_set_new(jwk, "alg", json_string("ECDH-ES+A256KW"));
	assert_int_equal(jwe_alg_for_key(jwk, rsa), JWE_NONE);
	assert_int_equal(pkey_generate(KEY_P384, 0, &p384), 0);
	assert_int_equal(jwe_alg_for_key(jwk, p384), JWE_NONE);
}

static void test_x509(void **state)
{
	cleanup(pkey_free) struct pkey *k = NULL, *from_cert = NULL;
	cleanup_with(buf_done) struct buf pem = buf_init(0), der = buf_init(0);
	static const char *const names[] = {"localhost", "127.0.0.1", "::1"};
	static const char *const evil[] = {"a,DNS:b"};
	struct cert *certs[2] = {0};
	struct err e = {0};
	int64_t now = clock_unix_s();

	assert_int_equal(pkey_generate(KEY_P256, 0, &k), 0);
	assert_int_equal(cert_make_self_signed(k, "husk", names, 3, 30, &pem, &e), 0);
	assert_int_equal(cert_make_self_signed(k, "husk", evil, 1, 30, &der, &e), -EINVAL);
	assert_int_equal(certs_from_pem(buf_slice(&pem), certs, 2, &e), 1);
	assert_int_equal(cert_key(certs[0], &from_cert), 0);
	assert_true(pkey_equal(k, from_cert));
	assert_true(cert_may_sign(certs[0])); /* no CA: rustls refuses a server that shows one */
	assert_int_equal(cert_verify_chain(certs[0], NULL, 0, certs, 1, now, &e), 0);
	assert_int_equal(cert_verify_chain(certs[0], NULL, 0, certs, 1, now + 40 * 86400, &e),
		-EKEYREJECTED);
	assert_non_null(strstr(e.text, "expired"));
	assert_int_equal(
		cert_verify_chain(certs[0], NULL, 0, certs, 1, now - 86400, &e), -EKEYREJECTED);
	assert_int_equal(cert_verify_chain(certs[0], NULL, 0, NULL, 0, now, &e), -EINVAL);

	cleanup(pkey_free) struct pkey *k2 = NULL;
	cleanup_with(buf_done) struct buf pem2 = buf_init(0);
	struct cert *twin = NULL;
	assert_int_equal(pkey_generate(KEY_P256, 0, &k2), 0);
	assert_int_equal(cert_make_self_signed(k2, "husk", names, 3, 30, &pem2, &e), 0);
	assert_int_equal(certs_from_pem(buf_slice(&pem2), &twin, 1, &e), 1);
	assert_int_equal(cert_verify_chain(certs[0], NULL, 0, &twin, 1, now, &e), -EKEYREJECTED);
	cert_free(twin);

	assert_int_equal(cert_to_der(certs[0], &der), 0);
	cert_free(certs[0]);
	for (size_t n = 0; n < der.size; n++)
		assert_true(cert_from_der(slice_cut(buf_slice(&der), 0, n), &certs[0], NULL) < 0);
	buf_put_u8(&der, 0);
	assert_int_equal(cert_from_der(buf_slice(&der), &certs[0], NULL), -EBADMSG);
	assert_int_equal(certs_from_pem(SLICE_LIT("nothing"), certs, 2, &e), -EBADMSG);
}

/* Certificate Transparency's own test vectors, and every proof of small trees both ways. */
static int stored_subtree(void *cookie, unsigned level, uint64_t index, uint8_t ret[32])
{
	uint8_t(*leaves)[32] = cookie;
	struct merkle m = {0};

	for (uint64_t i = index << level; i < (index + 1) << level; i++)
		assert_int_equal(merkle_append(&m, leaves[i]), 0);
	return merkle_root(&m, ret);
}

static void test_merkle(void **state)
{
	static const char *const entries[] = {"", "00", "10", "2021", "3031", "40414243",
		"5051525354555657", "606162636465666768696a6b6c6d6e6f"};
	static const char *const roots[] = {
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
	uint8_t leaves[33][32], heads[34][32];
	struct merkle m = {0};
	char hex[65];

	assert_int_equal(merkle_root(&m, heads[0]), 0);
	assert_string_equal(hex_str(slice_of(heads[0], 32), hex, sizeof(hex)),
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	for (unsigned i = 0; i < ARRAY_COUNT(leaves); i++) {
		cleanup_with(buf_done) struct buf entry = buf_init(0);

		if (i < ARRAY_COUNT(entries))
			assert_int_equal(hex_decode(&entry, slice_str(entries[i])), 0);
		else
			buf_put_u8(&entry, (uint8_t)i);
		assert_int_equal(merkle_leaf(buf_slice(&entry), leaves[i]), 0);
		assert_int_equal(merkle_append(&m, leaves[i]), 0);
		assert_int_equal(merkle_root(&m, heads[i + 1]), 0);
		if (i < ARRAY_COUNT(roots))
			assert_string_equal(
				hex_str(slice_of(heads[i + 1], 32), hex, sizeof(hex)), roots[i]);
	}
	for (uint64_t n = 0; n <= ARRAY_COUNT(leaves); n++) {
		for (uint64_t k = 0; k <= n; k++) {
			cleanup_with(buf_done) struct buf path = buf_init(0);

			assert_int_equal(
				merkle_consistency(k, n, stored_subtree, leaves, &path), 0);
			assert_int_equal(merkle_consistency_check(
						 k, heads[k], n, heads[n], buf_slice(&path)),
				0);
			if (path.size) {
				path.data[path.size - 1] ^= 1;
				assert_int_equal(merkle_consistency_check(k, heads[k], n, heads[n],
							 buf_slice(&path)),
					-EKEYREJECTED);
			}
			buf_clear(&path);
			if (k == n) {
				assert_int_equal(
					merkle_inclusion(k, n, stored_subtree, leaves, &path),
					-EINVAL);
				continue;
			}
			assert_int_equal(merkle_inclusion(k, n, stored_subtree, leaves, &path), 0);
			assert_int_equal(
				merkle_inclusion_check(k, n, leaves[k], buf_slice(&path), heads[n]),
				0);
			for (uint64_t other = 0; other <= n; other++) {
				if (other != k)
					assert_int_equal(merkle_inclusion_check(other, n, leaves[k],
								 buf_slice(&path), heads[n]),
						-EKEYREJECTED);
			}
			assert_int_equal(merkle_inclusion_check(k, n, leaves[k],
						 slice_cut(buf_slice(&path), 0, path.size / 2),
						 heads[n]) == 0,
				path.size == 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merkle),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_rsa_spki),
		cmocka_unit_test(test_ec_spki),
		cmocka_unit_test(test_cipher),
		cmocka_unit_test(test_sign),
		cmocka_unit_test(test_key_refusals),
		cmocka_unit_test(test_jws),
		cmocka_unit_test(test_jwe),
		cmocka_unit_test(test_x509),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
