/* SPDX-License-Identifier: Apache-2.0 */
/* CBOR, COSE and the tokens of Arm CCA: golden vectors, what is refused, mutations, bindings. */
#include "vectors.h"

#include "base/enc.h"
#include "base/str.h"
#include "crypto/cose.h"
#include "evidence/cca.h"
#include "support/cca_sim.h"

#define SESSION "0123456789abcdef0123456789abcdef0123456789abcdef"
#define INITDATA "fedcba9876543210fedcba9876543210"

static void test_cbor_refused(void **state)
{
	static const struct {
		const char *hex, *why;
	} bad[] = {
		{"", "nothing"},
		{"18", "argument is missing"},
		{"1817", "23 in two bytes"},
		{"1900ff", "255 in three bytes"},
		{"1a0000ffff", "65535 in five bytes"},
		{"1b00000000ffffffff", "2^32-1 in nine bytes"},
		{"1c", "reserved length"},
		{"5f4101ff", "byte string of indefinite length"},
		{"9f01ff", "array of indefinite length"},
		{"bf0101ff", "map of indefinite length"},
		{"ff", "break without a beginning"},
		{"4201", "string ends early"},
		{"5b7fffffffffffffff00", "string of 2^63 bytes"},
		{"9b7fffffffffffffff00", "array of 2^63 items"},
		{"bb7fffffffffffffff00", "map of 2^63 pairs"},
		{"bbffffffffffffffff00", "count overflows when doubled"},
		{"8201", "array ends early"},
		{"a101", "key without a value"},
		{"a201010102", "key 1 twice"},
		{"a1a2010101020a", "key twice, in a map that is a key"},
		{"82a10101a2416101416102", "key h'61' twice, deeper"},
		{"0101", "bytes behind the item"},
		{"62c328", "text is not UTF-8"},
		{"f818", "simple value 24"},
		{"f8", "simple value is missing"},
		{"fb00", "float ends early"},
		{"d2", "tag without an item"},
		{"8181818181818181818181818181818181", "17 arrays, one in the other"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		cleanup_with(buf_done) struct buf in = buf_init(0);
		struct err e = {0};
		struct cbor c;
		assert_int_equal(hex_decode(&in, slice_str(bad[i].hex)), 0);
		if (cbor_parse(buf_slice(&in), &c, &e) == 0)
			fail_msg("%s was accepted", bad[i].why);
		assert_true(e.text[0]);
	}
}

static void test_cbor_read(void **state)
{
	cleanup_with(buf_done) struct buf in = buf_init(0);
	struct cbor map, c;
	int64_t n = 0;

	/* {1: -500, "a": [1, {2: null}], -7: 18(h'AABB')} */
	assert_int_equal(hex_decode(&in, SLICE_LIT("a3013901f361618201a102f626d242aabb")), 0);
	assert_int_equal(cbor_parse(buf_slice(&in), &map, NULL), 0);
	assert_int_equal(map.kind, CBOR_MAP);
	assert_int_equal(map.number, 3);
	assert_int_equal(cbor_find(&map, 1, &c), 0);
	assert_int_equal(cbor_int(&c, &n), 0);
	assert_int_equal(n, -500);
	assert_int_equal(cbor_find(&map, 2, &c), -ENOENT);
	assert_int_equal(cbor_find(&map, -7, &c), 0);
	assert_int_equal(c.kind, CBOR_TAG);
	assert_int_equal(cbor_find(&c, 1, &map), -ENOENT);
	struct slice rest = c.bytes;
	assert_int_equal(cbor_next(&rest, &c), 0);
	assert_true(slice_eq(c.bytes, SLICE_LIT("\xAA\xBB")));
	assert_int_equal(cbor_next(&rest, &c), -ENODATA);
}

/* What is written is read again, at the borders of each length. */
static void test_cbor_written(void **state)
{
	static const int64_t numbers[] = {0, 23, 24, 255, 256, 65535, 65536, 4294967295, 4294967296,
		INT64_MAX, -1, -24, -25, -256, -257, INT64_MIN + 1};

	for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) {
		cleanup_with(buf_done) struct buf out = buf_init(0);
		struct cbor c;
		int64_t n = 0;
		cbor_put_int(&out, numbers[i]);
		assert_int_equal(cbor_parse(buf_slice(&out), &c, NULL), 0);
		assert_int_equal(cbor_int(&c, &n), 0);
		assert_int_equal(n, numbers[i]);
	}
}

static void test_cose_refused(void **state)
{
	static const struct {
		const char *hex, *why;
	} bad[] = {
		{"d28343a10126a040", "three parts"},
		{"d28540a0404040", "five parts"},
		{"d361", "another tag"},
		{"d28440a04040", "no algorithm"},
		{"d28443a10126a101264040", "algorithm in both buckets"},
		{"d28443a10126a201380122f44040", "value of an unprotected header is missing"},
		{"d28447a20126028163616263a04040", "critical header with a name"},
		{"d28446a2012602811863a04040", "critical header 99"},
		{"d28445a201260280a04040", "empty list of critical headers"},
		{"d28443a10126a10281014040", "critical list is not protected"},
		{"d28442a101a04040", "protected header ends early"},
		{"d284412080a04040", "unprotected header is an array"},
		{"d2844120a04040", "protected header is no map"},
		{"d28443a10126a104014040", "key id is a number"},
		{"d28443a10126a00140", "payload is a number"},
		{"d28443a10126a0400f", "signature is a number"},
		{"d8628440a04080", "no signatures"},
		{"d8628440a040818243a10126a0", "signature with two parts"},
		{"d8628440a0408140", "signature is not an array"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		cleanup_with(buf_done) struct buf in = buf_init(0);
		struct err e = {0};
		struct cose c;
		assert_int_equal(hex_decode(&in, slice_str(bad[i].hex)), 0);
		if (cose_parse(buf_slice(&in), &c, &e) == 0)
			fail_msg("%s was accepted", bad[i].why);
		assert_true(e.text[0]);
	}
}

static void test_cose_algorithms(void **state)
{
	static const struct {
		enum key_type type;
		int64_t alg;
	} good[] = {{KEY_P256, COSE_ES256}, {KEY_P384, COSE_ES384}, {KEY_P521, COSE_ES512},
		{KEY_RSA, COSE_PS256}, {KEY_RSA, COSE_PS384}, {KEY_RSA, COSE_PS512},
		{KEY_ED25519, COSE_EDDSA}};
	cleanup(pkey_free) struct pkey *other = NULL;

	assert_int_equal(pkey_generate(KEY_P256, 0, &other), 0);
	for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
		cleanup(pkey_free) struct pkey *key = NULL;
		cleanup_with(buf_done) struct buf out = buf_init(0);
		struct cose c;
		assert_int_equal(pkey_generate(good[i].type, 2048, &key), 0);
		assert_int_equal(cose_sign1(key, good[i].alg, SLICE_LIT("text"), &out), 0);
		assert_int_equal(cose_parse(buf_slice(&out), &c, NULL), 0);
		assert_int_equal(cose_verify(&c, 0, key, SLICE_EMPTY, NULL), 0);
		assert_int_equal(cose_verify(&c, 0, key, SLICE_LIT("x"), NULL), -EKEYREJECTED);
		assert_int_equal(cose_verify(&c, 0, other, SLICE_EMPTY, NULL), -EKEYREJECTED);
		assert_int_equal(cose_verify(&c, 1, key, SLICE_EMPTY, NULL), -EINVAL);
		c.signers[0].alg = -999;
		assert_int_equal(cose_verify(&c, 0, key, SLICE_EMPTY, NULL), -EOPNOTSUPP);
	}
}

static void test_cose_keys_refused(void **state)
{
	static const struct {
		const char *hex, *why;
	} bad[] = {
		{"80", "not a map"},
		{"a0", "no type"},
		{"a10102", "no curve"},
		{"a201022001", "no coordinates"},
		{"a30102200121410a", "x of one byte"},
		{"a201012006", "OKP without x"},
		{"a3010120062141aa", "OKP with one byte"},
		{"a201042001", "symmetric key"},
		{"a201022018ff", "unknown curve"},
		{"a301022001234101", "private part"},
		{"a301022001048101", "for signing only"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		cleanup_with(buf_done) struct buf in = buf_init(0);
		cleanup(pkey_free) struct pkey *key = NULL;
		struct err e = {0};
		assert_int_equal(hex_decode(&in, slice_str(bad[i].hex)), 0);
		if (cose_key_parse(buf_slice(&in), &key, &e) == 0)
			fail_msg("%s was accepted", bad[i].why);
		assert_true(e.text[0]);
	}
}

/* A platform that is known, and a session. */
struct world {
	struct cca_sim *sim;
	struct collateral_store *store;
};

static struct world new_world(enum key_type type)
{
	struct world w = {cca_sim_new(type), collateral_store_new()};
	assert_non_null(w.sim);
	assert_non_null(w.store);
	cleanup(json_decref) json_t *doc = cca_sim_publish(w.sim);
	assert_int_equal(collateral_store_load(w.store, doc, NULL), 0);
	return w;
}

static void world_done(struct world *w)
{
	cca_sim_free(w->sim);
	collateral_store_free(w->store);
}

static struct evidence_result verify_json(const struct world *w, const json_t *evidence)
{
	struct evidence_result result = {0};
	const struct evidence_request q = {.evidence = evidence,
		.report_data = SLICE_LIT(SESSION),
		.init_data = SLICE_LIT(INITDATA),
		.now = 1793491200,
		.collateral = collateral_store_provider(w->store)};
	assert_int_equal(evidence_verify("cca", &q, &result, NULL), 0);
	return result;
}

static void expect(const struct world *w, const struct cca_sim_token *t, const char *reason)
{
	cleanup(json_decref) json_t *evidence = cca_sim_evidence(w->sim, t);
	assert_non_null(evidence);
	cleanup_with(evidence_result_done) struct evidence_result r = verify_json(w, evidence);
	if ((r.verdict == EVIDENCE_ACCEPT) != (reason == NULL))
		fail_msg("%s", reason ? reason : r.reason);
	if (reason && !str_starts(r.reason, reason))
		fail_msg("%s, not %s", r.reason, reason);
}

static void test_tokens(void **state)
{
	static const enum key_type types[] = {KEY_P256, KEY_P384, KEY_P521};
	const struct cca_sim_token good = {
		.report_data = SLICE_LIT(SESSION), .init_data = SLICE_LIT(INITDATA)};

	for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
		cleanup_with(world_done) struct world w = new_world(types[i]);
		struct cca_sim_token t = good;
		expect(&w, &t, NULL);
		t.cmw = true;
		expect(&w, &t, NULL);
		t.raw_key = true;
		expect(&w, &t, NULL);
		t.hash_name = "sha-512";
		expect(&w, &t, NULL);
		t.hash_name = "sha-1";
		expect(&w, &t, "realm key binding: the hash algorithm");
		t = good;
		t.other_cpak = true;
		expect(&w, &t, "platform signature");
		t = good;
		t.other_rak = true;
		expect(&w, &t, "realm signature");
		t = good;
		t.other_challenge = true;
		expect(&w, &t, "realm key binding: the platform token does not vouch");
		t = good;
		t.twice = true;
		expect(&w, &t, "realm token: CBOR is malformed");
		t = good;
		t.report_data = SLICE_LIT("another session");
		expect(&w, &t, "report data");
		t = good;
		t.init_data = SLICE_EMPTY;
		expect(&w, &t, "initdata");
	}
}

static void test_unknown_platform(void **state)
{
	cleanup_with(world_done) struct world w = new_world(KEY_NONE), other = new_world(KEY_NONE);
	const struct cca_sim_token t = {
		.report_data = SLICE_LIT(SESSION), .init_data = SLICE_LIT(INITDATA)};
	cleanup(json_decref) json_t *evidence = cca_sim_evidence(other.sim, &t);
	cleanup_with(evidence_result_done) struct evidence_result r = verify_json(&w, evidence);

	assert_int_equal(r.verdict, EVIDENCE_DENY);
	assert_true(str_starts(r.reason, "collateral: there is no arm/cca/"));
	assert_int_equal(json_array_size(r.missing), 1);
}

static void test_claims(void **state)
{
	cleanup_with(world_done) struct world w = new_world(KEY_NONE);
	const struct cca_sim_token t = {.report_data = SLICE_LIT(SESSION),
		.init_data = SLICE_LIT(INITDATA),
		.lifecycle = 0x4001};
	cleanup(json_decref) json_t *evidence = cca_sim_evidence(w.sim, &t);
	cleanup_with(evidence_result_done) struct evidence_result r = verify_json(&w, evidence);
	const json_t *platform = json_object_get(r.claims, "platform");
	const json_t *realm = json_object_get(r.claims, "realm");
	char hex[2 * 64 + 1];
	uint8_t padded[64] = SESSION;

	assert_int_equal(r.verdict, EVIDENCE_ACCEPT);
	assert_string_equal(json_string_value(json_object_get(r.claims, "report_data")),
		hex_str(slice_of(padded, sizeof(padded)), hex, sizeof(hex)));
	assert_int_equal(
		json_integer_value(json_object_get(platform, "cca-platform-lifecycle")), 0x4001);
	assert_true(json_is_false(json_object_get(platform, "cca-platform-secured")));
	assert_int_equal(
		json_array_size(json_object_get(realm, "cca-realm-extensible-measurements")), 4);
	assert_string_equal(
		json_string_value(json_object_get(realm, "cca-realm-hash-algo-id")), "sha-256");
}

static void golden(const char *name, struct buf *token, struct buf *key)
{
	vectors_read("cca", name, "token.cbor", token);
	vectors_read("cca", name, "cpak.pem", key);
}

static int any_platform(void *ctx, const char *key, struct slice *ret)
{
	*ret = buf_slice(ctx);
	return 0;
}

static int verify_token(struct buf *key, struct slice token)
{
	const struct collateral_provider p = {any_platform, key};
	const struct evidence_request q = {.collateral = &p};
	struct evidence_result result = {.checks = json_array()};
	struct cca t;

	int r = cca_verify(&q, token, &result, &t);
	assert_int_equal(r == -EACCES, result.reason[0] != 0);
	evidence_result_done(&result);
	return r;
}

static const char *const g_golden[] = {"rust-ccatoken-01", "rust-ccatoken-02-es256-platform",
	"synth-good-cmw907-v", "tfm-cca-example", "trustee-example", "veraison-good"};

/* No token is accepted when it is cut, and none when a byte of it is another one. */
static void test_mutations(void **state)
{
	for (size_t i = 0; i < ARRAY_COUNT(g_golden); i++) {
		cleanup_with(buf_done) struct buf token = buf_init(0), key = buf_init(0);
		golden(g_golden[i], &token, &key);
		assert_int_equal(verify_token(&key, buf_slice(&token)), 0);
		for (size_t at = 0; at < token.size; at++) {
			if (verify_token(&key, slice_of(token.data, at)) == 0)
				fail_msg("%s: cut after %zu", g_golden[i], at);
			token.data[at] ^= (uint8_t)(1U << at % 8);
			if (verify_token(&key, buf_slice(&token)) == 0)
				fail_msg("%s: byte %zu", g_golden[i], at);
			token.data[at] ^= (uint8_t)(1U << at % 8);
		}
	}
}

static void test_trust_anchors_refused(void **state)
{
	static const struct {
		const char *json, *why;
	} bad[] = {
		{"[1]", "not an object"},
		{"[{}]", "nothing in it"},
		{"[{\"pkey\":{},\"implementation-id\":\"00\",\"instance-id\":\"01\"}]",
			"short ids"},
		{"[{\"pkey\":1,\"implementation-id\":\"00\",\"instance-id\":\"0x\"}]", "not hex"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		cleanup(collateral_store_free) struct collateral_store *s = collateral_store_new();
		cleanup(json_decref) json_t *doc = json_loads(bad[i].json, 0, NULL);
		struct err e = {0};
		if (collateral_store_load(s, doc, &e) == 0)
			fail_msg("%s was accepted", bad[i].why);
		assert_true(str_starts(e.text, "CCA trust anchor 0"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cbor_refused),
		cmocka_unit_test(test_cbor_read),
		cmocka_unit_test(test_cbor_written),
		cmocka_unit_test(test_cose_refused),
		cmocka_unit_test(test_cose_algorithms),
		cmocka_unit_test(test_cose_keys_refused),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_unknown_platform),
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_mutations),
		cmocka_unit_test(test_trust_anchors_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
