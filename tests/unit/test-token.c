/* SPDX-License-Identifier: Apache-2.0 */
/* Attestation tokens: rotation of our keys, and tokens of other services: whose are accepted, and all
 * the ways in which one might talk its way in. With certificates: test-token-certificates.c. */
#include "base/enc.h"
#include "token-world.h"

/* --- our own keys --- */

static void test_rotation(void **state)
{
	cleanup(pkey_free) struct pkey *a = NULL, *b = NULL;
	cleanup_with(buf_done) struct buf old = buf_init(0), now = buf_init(0), pub = buf_init(0);
	char signer[400];

	make_key("a.pem", KEY_P256, &a);
	make_key("b.pem", KEY_P384, &b);
	assert_int_equal(pkey_to_pem_public(a, &pub), 0);
	assert_int_equal(file_write_atomic(path_of("a.pub"), buf_slice(&pub), 0600, NULL), 0);
	/* Before: a signs, b is announced. */
	snprintf(signer, sizeof(signer), "key_path = \"%s\"\npublished_key_paths = [\"%s\"]",
		path_of("a.pem"), path_of("b.pem"));
	cleanup(token_keys_free) struct token_keys *before = load("", signer, 0);
	sign_own(before, &old);
	/* After: b signs, and of a the public half is enough. */
	snprintf(signer, sizeof(signer), "key_path = \"%s\"\npublished_key_paths = [\"%s\"]",
		path_of("b.pem"), path_of("a.pub"));
	cleanup(token_keys_free) struct token_keys *after = load("", signer, 0);
	sign_own(after, &now);
	assert_int_equal(verify(after, &old, NULL), 0);
	assert_int_equal(verify(after, &now, NULL), 0);
	assert_int_equal(verify(before, &now, NULL), 0);
	/* At the end: a is gone. */
	snprintf(signer, sizeof(signer), "key_path = \"%s\"", path_of("b.pem"));
	cleanup(token_keys_free) struct token_keys *end = load("", signer, 0);
	assert_refused(end, &old, -EKEYREJECTED, "not trusted");
	assert_int_equal(verify(end, &now, NULL), 0);
	/* The key set has both, each with its kid and algorithm, the signing one first. */
	cleanup_with(buf_done) struct buf kid = buf_init(0);
	json_t *set = token_jwks(after);
	json_t *list = json_object_get(set, "keys");
	assert_int_equal(json_array_size(list), 2);
	assert_int_equal(pkey_thumbprint(b, &kid), 0);
	const json_t *first = json_array_get(list, 0);
	assert_string_equal(json_string_value(json_object_get(first, "kid")), buf_str(&kid));
	assert_string_equal(json_string_value(json_object_get(first, "alg")), "ES384");
	assert_null(json_object_get(first, "d"));
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(list, 1), "alg")), "ES256");
	json_decref(set);
	/* And the token says which one it was. */
	cleanup_with(jws_done) struct jws j = {0};
	assert_int_equal(jws_parse(buf_slice(&now), &j, NULL), 0);
	assert_string_equal(json_string_value(json_object_get(j.header, "kid")), buf_str(&kid));
}

static void test_bad_keys(void **state)
{
	cleanup(pkey_free) struct pkey *rsa = NULL, *p521 = NULL, *a = NULL;
	char signer[400];

	make_key("rsa.pem", KEY_RSA, &rsa);
	make_key("p521.pem", KEY_P521, &p521);
	make_key("a2.pem", KEY_P256, &a);
	shell("openssl pkey -in %s -pubout -out %s", path_of("a2.pem"), path_of("a2.pub"));
	snprintf(signer, sizeof(signer), "key_path = \"%s\"", path_of("rsa.pem"));
	assert_null(load("", signer, -EINVAL));
	snprintf(signer, sizeof(signer), "key_path = \"%s\"", path_of("p521.pem"));
	assert_null(load("", signer, -EINVAL));
	snprintf(signer, sizeof(signer), "key_path = \"%s\"", path_of("a2.pub"));
	assert_null(load("", signer, -EINVAL)); /* cannot sign */
	snprintf(signer, sizeof(signer), "key_path = \"%s\"\npublished_key_paths = [\"%s\"]",
		path_of("a2.pem"), path_of("a2.pub"));
	assert_null(load("", signer, -EINVAL)); /* twice the same */
	snprintf(signer, sizeof(signer), "key_path = \"%s\"", path_of("none.pem"));
	assert_null(load("", signer, -ENOENT));
}

/* --- tokens of others --- */

static void test_trusted_set(void **state)
{
	cleanup(pkey_free) struct pkey *k = NULL, *other = NULL, *rsa = NULL;
	cleanup_with(buf_done) struct buf t = buf_init(0);
	char token[400];

	make_key("k.pem", KEY_P256, &k);
	make_key("o.pem", KEY_P256, &other);
	make_key("r.pem", KEY_RSA, &rsa);
	json_t *jwk = pkey_to_jwk(k), *rjwk = pkey_to_jwk(rsa);
	json_object_set_new(jwk, "kid", json_string("one"));
	json_object_set_new(jwk, "alg", json_string("ES256"));
	json_object_set_new(rjwk, "kid", json_string("two"));
	json_object_set_new(rjwk, "alg", json_string("RS256"));
	json_t *set = json_pack("{s:[O, O]}", "keys", jwk, rjwk);
	assert_int_equal(json_dump_file(set, path_of("set.json"), 0), 0);
	json_decref(set);
	snprintf(token, sizeof(token), "trusted_jwk_sets = [\"file://%s\"]", path_of("set.json"));
	cleanup(token_keys_free) struct token_keys *keys = load(token, "", 0);

	forge(k, SIG_ES256, json_pack("{s:s}", "kid", "one"), claims_until(NOW + 1), &t);
	assert_int_equal(verify(keys, &t, NULL), 0);
	forge(rsa, SIG_RS256, json_pack("{s:s}", "kid", "two"), claims_until(NOW + 1), &t);
	assert_int_equal(verify(keys, &t, NULL), 0);
	/* By value. */
	forge(k, SIG_ES256, json_pack("{s:O}", "jwk", jwk), claims_until(NOW + 1), &t);
	assert_int_equal(verify(keys, &t, NULL), 0);
	/* kid: unknown, another one's, of another one than the key that is shown. */
	forge(k, SIG_ES256, json_pack("{s:s}", "kid", "three"), claims_until(NOW + 1), &t);
	assert_refused(keys, &t, -EKEYREJECTED, "names a key that is not trusted");
	forge(other, SIG_ES256, json_pack("{s:s}", "kid", "one"), claims_until(NOW + 1), &t);
	assert_refused(keys, &t, -EKEYREJECTED, "");
	forge(k, SIG_ES256, json_pack("{s:O, s:s}", "jwk", jwk, "kid", "two"),
		claims_until(NOW + 1), &t);
	assert_refused(keys, &t, -EKEYREJECTED, "kid is not the one of its key");
	/* Without a name it would be ours. */
	forge(k, SIG_ES256, json_object(), claims_until(NOW + 1), &t);
	assert_refused(keys, &t, -EKEYREJECTED, "");
	/* A key of its own. */
	json_t *mine = pkey_to_jwk(other);
	forge(other, SIG_ES256, json_pack("{s:O}", "jwk", mine), claims_until(NOW + 1), &t);
	assert_refused(keys, &t, -EKEYREJECTED, "not trusted");
	/* Another algorithm than the key's, though it verifies. */
	forge(rsa, SIG_PS256, json_pack("{s:s}", "kid", "two"), claims_until(NOW + 1), &t);
	assert_refused(keys, &t, -EKEYREJECTED, "");
	forge(rsa, SIG_RS512, json_pack("{s:s}", "kid", "two"), claims_until(NOW + 1), &t);
	assert_refused(keys, &t, -EKEYREJECTED, "");
	/* Time. */
	forge(k, SIG_ES256, json_pack("{s:s}", "kid", "one"), claims_until(NOW - 59), &t);
	assert_int_equal(verify(keys, &t, NULL), 0); /* a minute of leeway */
	forge(k, SIG_ES256, json_pack("{s:s}", "kid", "one"), claims_until(NOW - 61), &t);
	assert_refused(keys, &t, -ESTALE, "expired");
	forge(k, SIG_ES256, json_pack("{s:s}", "kid", "one"), json_pack("{s:s}", "iss", "x"), &t);
	assert_refused(keys, &t, -EBADMSG, "no exp");
	forge(k, SIG_ES256, json_pack("{s:s}", "kid", "one"),
		json_pack("{s:s}", "exp", "1800000001"), &t);
	assert_refused(keys, &t, -EBADMSG, "no exp");
	forge(k, SIG_ES256, json_pack("{s:s}", "kid", "one"),
		json_pack("{s:I, s:I}", "exp", (json_int_t)NOW + 500, "nbf", (json_int_t)NOW + 61),
		&t);
	assert_refused(keys, &t, -ESTALE, "not valid yet");
	json_decref(jwk);
	json_decref(rjwk);
	json_decref(mine);
}

static json_t *set_of(const struct pkey *key, const char *kid)
{
	json_t *jwk = pkey_to_jwk(key);

	json_object_set_new(jwk, "kid", json_string(kid));
	json_object_set_new(jwk, "alg", json_string("ES256"));
	return json_pack("{s:[{s:s}, {s:s, s:s}, o]}", "keys", "kty", "other", "kty", "oct", "k",
		"AAAA", jwk);
}

/* Sets that are fetched: each replaces the last one of its URL, or changes nothing. */
static void test_fetched_set(void **state)
{
	static const char *const bad[] = {"{}", "[]", "{\"keys\":1}", "{\"keys\":[]}",
		"{\"keys\":[1, \"x\", {}]}", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}",
		("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\",\"alg\":"
		 "\"ES256\"}]}")};
	cleanup(pkey_free) struct pkey *a = NULL, *b = NULL;
	cleanup_with(buf_done) struct buf of_a = buf_init(0), of_b = buf_init(0);
	cleanup(token_keys_free) struct token_keys *keys = load("", "", 0);

	assert_int_equal(pkey_generate(KEY_P256, 0, &a), 0);
	assert_int_equal(pkey_generate(KEY_P256, 0, &b), 0);
	forge(a, SIG_ES256, json_pack("{s:s}", "kid", "a"), claims_until(NOW + 1), &of_a);
	forge(b, SIG_ES256, json_pack("{s:s}", "kid", "b"), claims_until(NOW + 1), &of_b);
	cleanup(json_decref) json_t *set_a = set_of(a, "a"), *set_b = set_of(b, "b");
	assert_int_equal(verify(keys, &of_a, NULL), -EKEYREJECTED);
	assert_int_equal(token_keys_replace(keys, "https://1", set_a, NULL), 0);
	assert_int_equal(token_keys_replace(keys, "https://2", set_b, NULL), 0);
	assert_int_equal(verify(keys, &of_a, NULL), 0);
	assert_int_equal(verify(keys, &of_b, NULL), 0);
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		cleanup(json_decref) json_t *set = json_loads(bad[i], 0, NULL);

		assert_non_null(set);
		assert_int_equal(token_keys_replace(keys, "https://1", set, NULL), -EBADMSG);
		assert_int_equal(verify(keys, &of_a, NULL), 0);
	}
	/* More than there is room for, and keys of another use. */
	cleanup(json_decref) json_t *many = json_pack("{s:[]}", "keys");
	for (int i = 0; i < 65; i++)
		json_array_append(json_object_get(many, "keys"),
			json_array_get(json_object_get(set_b, "keys"), 2));
	assert_int_equal(token_keys_replace(keys, "https://1", many, NULL), -E2BIG);
	assert_int_equal(verify(keys, &of_a, NULL), 0);
	cleanup(json_decref) json_t *enc = json_deep_copy(set_a);
	json_object_set_new(
		json_array_get(json_object_get(enc, "keys"), 2), "use", json_string("enc"));
	assert_int_equal(token_keys_replace(keys, "https://1", enc, NULL), -EBADMSG);
	/* The last set of a URL is gone with the next one; the others stay. */
	assert_int_equal(token_keys_replace(keys, "https://1", set_b, NULL), 0);
	assert_int_equal(verify(keys, &of_a, NULL), -EKEYREJECTED);
	assert_int_equal(token_keys_replace(keys, "https://1", NULL, NULL), 0);
	assert_int_equal(verify(keys, &of_b, NULL), 0);
	assert_int_equal(token_keys_replace(keys, "https://2", NULL, NULL), 0);
	assert_int_equal(verify(keys, &of_b, NULL), -EKEYREJECTED);
}

/* "none", a MAC with the public key as its secret, and other things that were once believed. */
static void test_algorithms(void **state)
{
	static const char *const headers[] = {
		"{\"alg\":\"none\",\"kid\":\"one\"}",
		"{\"alg\":\"None\",\"kid\":\"one\"}",
		"{\"alg\":\"HS256\",\"kid\":\"one\"}",
		"{\"kid\":\"one\"}",
		"{\"alg\":\"ES256\",\"kid\":\"one\",\"crit\":[\"exp\"]}",
		"{\"alg\":\"ES256\",\"alg\":\"none\",\"kid\":\"one\"}",
		"{\"alg\":[\"ES256\"],\"kid\":\"one\"}",
	};
	cleanup(pkey_free) struct pkey *k = NULL;
	cleanup_with(buf_done) struct buf pem = buf_init(0);
	char token[400];

	make_key("k3.pem", KEY_P256, &k);
	assert_int_equal(pkey_to_pem_public(k, &pem), 0);
	json_t *jwk = pkey_to_jwk(k);
	json_object_set_new(jwk, "kid", json_string("one"));
	json_object_set_new(jwk, "alg", json_string("ES256"));
	json_t *set = json_pack("{s:[o]}", "keys", jwk);
	assert_int_equal(json_dump_file(set, path_of("set3.json"), 0), 0);
	json_decref(set);
	snprintf(token, sizeof(token), "trusted_jwk_sets = [\"%s\"]", path_of("set3.json"));
	cleanup(token_keys_free) struct token_keys *keys = load(token, "", 0);
	for (size_t i = 0; i < ARRAY_COUNT(headers); i++) {
		cleanup_with(buf_done) struct buf text = buf_init(0);
		struct digest mac;

		b64_encode(&text, slice_str(headers[i]), B64_URL);
		buf_put_u8(&text, '.');
		b64_encode(&text, SLICE_LIT("{\"exp\":1800000060}"), B64_URL);
		assert_int_equal(
			hmac_once(HASH_SHA256, buf_slice(&pem), buf_slice(&text), &mac), 0);
		for (int with_mac = 0; with_mac < 2; with_mac++) {
			cleanup_with(buf_done) struct buf whole = buf_init(0);

			buf_put_slice(&whole, buf_slice(&text));
			buf_put_u8(&whole, '.');
			if (with_mac)
				b64_encode(&whole, digest_slice(&mac), B64_URL);
			if (verify(keys, &whole, NULL) == 0)
				fail_msg("accepted: %s", headers[i]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rotation),
		cmocka_unit_test(test_bad_keys),
		cmocka_unit_test(test_trusted_set),
		cmocka_unit_test(test_fetched_set),
		cmocka_unit_test(test_algorithms),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
