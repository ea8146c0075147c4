/* SPDX-License-Identifier: Apache-2.0 */
/* IBM Secure Execution: requests byte for byte, host keys, exchange files, a simulated machine. */
#include "vectors.h"

#include "base/enc.h"
#include "base/str.h"
#include "crypto/x509.h"
#include "evidence/se.h"
#include "support/se_sim.h"

#define NOW 1795392000 /* 2026-11-23T00:00:00Z */
#define SESSION "0123456789abcdef0123456789abcdef0123456789abcdef"

/* A P-521 key from its raw private number and its coordinates. */
static struct pkey *customer_key(void)
{
	cleanup_with(buf_done) struct buf d = buf_init(0), xy = buf_init(0);
	json_t *jwk = json_pack("{s:s, s:s}", "kty", "EC", "crv", "P-521");
	struct pkey *key = NULL;

	vectors_read("ibm-se", "arcb-s390-tools", "cust_priv_p521.bin", &d);
	vectors_read("ibm-se", "arcb-s390-tools", "cust_pub_p521.bin", &xy);
	struct slice raw = slice_cut(buf_slice(&d), d.size > 66 ? d.size - 66 : 0, 66);
	size_t half = xy.size / 2;
	assert_int_equal(json_set_b64(jwk, "d", raw, B64_URL), 0);
	assert_int_equal(json_set_b64(jwk, "x", slice_of(xy.data + half - 66, 66), B64_URL), 0);
	assert_int_equal(json_set_b64(jwk, "y", slice_of(xy.data + xy.size - 66, 66), B64_URL), 0);
	struct err e = {0};
	if (pkey_from_jwk(jwk, &key, &e) < 0)
		fail_msg("%s", e.text);
	json_decref(jwk);
	return key;
}

static struct pkey *host_key(void)
{
	cleanup_with(buf_done) struct buf pem = buf_init(0);
	cleanup(cert_free) struct cert *c = NULL;
	struct pkey *key = NULL;

	vectors_read("ibm-se", "arcb-s390-tools", "host.crt.pem", &pem);
	assert_int_equal(certs_from_pem(buf_slice(&pem), &c, 1, NULL), 1);
	assert_int_equal(cert_key(c, &key), 0);
	return key;
}

static void golden_arcb(struct buf *out)
{
	vectors_read("ibm-se", "arcb-s390-tools", "arcb.bin", out);
}

/* The request of IBM's tools, made again from the same secrets. */
static void test_request_made(void **state)
{
	cleanup_with(buf_done) struct buf want = buf_init(0), got = buf_init(0);
	cleanup_with(se_secrets_done) struct se_secrets s = {.customer_key = customer_key()};
	cleanup(pkey_free) struct pkey *host = host_key();

	memset(s.protection_key, 0x17, sizeof(s.protection_key));
	memset(s.iv, 0x55, sizeof(s.iv));
	memset(s.measurement_key, 0x77, sizeof(s.measurement_key));
	memset(s.nonce, 0xAB, sizeof(s.nonce));
	golden_arcb(&want);
	assert_int_equal(
		se_request_make(&s, SE_FLAG_NONCE | SE_FLAG_IMAGE_PHKH | SE_FLAG_ATTESTATION_PHKH,
			&host, 1, &got),
		0);
	assert_int_equal(got.size, want.size);
	assert_memory_equal(got.data, want.data, want.size);
	/* No host key: nobody could read it. */
	assert_int_equal(se_request_make(&s, 0, &host, 0, &got), -EINVAL);
}

static int open_arcb(struct slice in)
{
	static const uint8_t arpk[] = {0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17,
		0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17,
		0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17};
	cleanup_with(buf_done) struct buf plain = buf_init(0);
	struct se_request q;
	struct se_attestation a;

	int r = se_request_parse(in, SE_ATTESTATION_REQUEST, &q, NULL);
	if (r == 0)
		r = se_attestation_parse(&q, &a, NULL);
	return r == 0 ? se_request_open(&q, slice_of(arpk, sizeof(arpk)), &plain) : r;
}

static void test_request_mutations(void **state)
{
	cleanup_with(buf_done) struct buf in = buf_init(0);

	golden_arcb(&in);
	assert_int_equal(open_arcb(buf_slice(&in)), 0);
	for (size_t i = 0; i < in.size; i++) {
		assert_int_not_equal(open_arcb(slice_of(in.data, i)), 0);
		in.data[i] ^= (uint8_t)(1U << i % 8);
		if (open_arcb(buf_slice(&in)) == 0)
			fail_msg("byte %zu", i);
		in.data[i] ^= (uint8_t)(1U << i % 8);
	}
}

static void test_exchange_refused(void **state)
{
	static const struct {
		const char *hex, *why;
	} bad[] = {
		{"", "nothing"},
		{"7076617474657374", "magic only"},
		{"70766174746573740000020000000050000000000000000000000010000000400000004000000000"
		 "0000000000000000000000000000000000000000000000001111111111111111111111111111111"
		 "1",
			"version 2"},
		{"70766174746573740000010000000051000000000000000000000010000000400000004000000000"
		 "0000000000000000000000000000000000000000000000001111111111111111111111111111111"
		 "1",
			"longer than the file"},
		{"70766174746573740000010000000050000000000000000000000011000000400000004000000000"
		 "0000000000000000000000000000000000000000000000001111111111111111111111111111111"
		 "1",
			"a part ends behind the file"},
		{"707661747465737400000100000000500000000000000000000000100000003f0000004000000000"
		 "0000000000000000000000000000000000000000000000001111111111111111111111111111111"
		 "1",
			"a part begins in the header"},
		{"70766174746573740000010000000050000000000000000000000010000000400000000000000000"
		 "0000000000000000000000000000000000000000000000001111111111111111111111111111111"
		 "1",
			"no measurement is expected"},
		{"70766174746573740000010000000050000000000000000000000010000000400000800100000000"
		 "0000000000000000000000000000000000000000000000001111111111111111111111111111111"
		 "1",
			"measurement over its limit"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		cleanup_with(buf_done) struct buf in = buf_init(0);
		struct se_exchange x;
		struct err e = {0};
		assert_int_equal(hex_decode(&in, slice_str(bad[i].hex)), 0);
		if (se_exchange_parse(buf_slice(&in), false, &x, &e) == 0)
			fail_msg("%s was accepted", bad[i].why);
		assert_true(e.text[0]);
	}
}

static void test_headers(void **state)
{
	cleanup_with(buf_done) struct buf header = buf_init(0), image = buf_init(0);
	struct se_tags alone, t;

	vectors_read("ibm-se", "se-header-tags", "secure_guest.hdr", &header);
	assert_int_equal(se_tags_from_image(buf_slice(&header), &alone, NULL), 0);
	for (size_t i = 0; i < header.size; i++)
		assert_int_not_equal(se_tags_from_image(slice_of(header.data, i), &t, NULL), 0);
	/* On the fourth page of an image without a mark. */
	buf_put_zero(&image, 3 * 4096);
	buf_put_slice(&image, buf_slice(&header));
	assert_int_equal(se_tags_from_image(buf_slice(&image), &t, NULL), 0);
	assert_int_equal(t.header_offset, 3 * 4096);
	assert_true(slice_eq(t.tag, alone.tag));
	/* Where the mark says, and nowhere else. */
	buf_clear(&image);
	buf_put_zero(&image, 0xc000);
	buf_put_str(&image, "SeImgLnx");
	buf_put_u64be(&image, 0xc123);
	buf_put_zero(&image, 0xc123 - 0xc010);
	buf_put_slice(&image, buf_slice(&header));
	assert_int_equal(se_tags_from_image(buf_slice(&image), &t, NULL), 0);
	assert_int_equal(t.header_offset, 0xc123);
	image.data[0xc00f] ^= 1;
	assert_int_equal(se_tags_from_image(buf_slice(&image), &t, NULL), -ENOENT);
	image.data[0xc008] ^= 0x80; /* far behind the end */
	assert_int_equal(se_tags_from_image(buf_slice(&image), &t, NULL), -ENODATA);
	header.data[9] ^= 1;
	assert_int_equal(se_tags_from_image(buf_slice(&header), &t, NULL), -EOPNOTSUPP);
}

struct documents {
	struct buf hkd, chain, crls;
	struct digest pin;
	struct evidence_request request;
};

static void documents_load(struct documents *d, const char *name)
{
	cleanup_with(buf_done) struct buf root = buf_init(0);
	cleanup(cert_free) struct cert *c = NULL;

	*d = (struct documents){.hkd = buf_init(0)};
	vectors_read("ibm-se", name, "host.crt", &d->hkd);
	vectors_read("ibm-se", name, "chain.pem", &d->chain);
	vectors_read("ibm-se", name, "root.pem", &root);
	vectors_read("ibm-se", name, "crls.pem", &d->crls);
	buf_put_slice(&d->chain, buf_slice(&root));
	assert_int_equal(certs_from_pem(buf_slice(&root), &c, 1, NULL), 1);
	assert_int_equal(cert_spki_digest(c, HASH_SHA256, &d->pin), 0);
	d->request =
		(struct evidence_request){.now = NOW, .ibm_roots = &d->pin, .ibm_root_count = 1};
}

static void documents_done(struct documents *d)
{
	buf_done(&d->hkd);
	buf_done(&d->chain);
	buf_done(&d->crls);
}

static int verify_hkd(const struct documents *d, struct slice hkd, const char *reason)
{
	struct evidence_result result = {.checks = json_array()};
	cleanup(pkey_free) struct pkey *key = NULL;

	int r = se_hkd_verify(
		&d->request, hkd, buf_slice(&d->chain), buf_slice(&d->crls), &result, &key);
	if (reason && !strstr(result.reason, reason))
		fail_msg("%s, not %s", result.reason, reason);
	assert_int_equal(r == 0, key != NULL);
	evidence_result_done(&result);
	return r;
}

static void test_host_keys(void **state)
{
	cleanup_with(documents_done) struct documents d;
	cleanup_with(buf_done) struct buf der = buf_init(0);
	cleanup(cert_free) struct cert *c = NULL;

	documents_load(&d, "hkd-good");
	assert_int_equal(verify_hkd(&d, buf_slice(&d.hkd), NULL), 0);
	assert_int_equal(certs_from_pem(buf_slice(&d.hkd), &c, 1, NULL), 1);
	assert_int_equal(cert_to_der(c, &der), 0);
	for (size_t i = 0; i < der.size; i++) {
		der.data[i] ^= (uint8_t)(1U << i % 8);
		if (verify_hkd(&d, buf_slice(&der), NULL) == 0)
			fail_msg("byte %zu", i);
		der.data[i] ^= (uint8_t)(1U << i % 8);
	}
	/* Its root is not DigiCert's; nobody's lists; too early and too late. */
	d.request.ibm_roots = NULL;
	assert_int_equal(verify_hkd(&d, buf_slice(&d.hkd), "trusted root"), -EACCES);
	d.request.ibm_roots = &d.pin;
	d.request.now = 1600000000;
	assert_int_equal(verify_hkd(&d, buf_slice(&d.hkd), "not valid yet"), -EACCES);
	d.request.now = 15000000000;
	assert_int_equal(verify_hkd(&d, buf_slice(&d.hkd), "expired"), -EACCES);
	d.request.now = NOW;
	buf_clear(&d.crls);
	assert_int_equal(verify_hkd(&d, buf_slice(&d.hkd), "revocation list"), -EACCES);
}

static void expect(const struct se_sim *s, json_t *evidence, struct slice init_data,
	const char *reason, json_t **ret_claims)
{
	cleanup_with(evidence_result_done) struct evidence_result result = {0};
	const struct evidence_request q = {.evidence = evidence,
		.report_data = SLICE_LIT(SESSION),
		.init_data = init_data,
		.now = NOW,
		.ibm_key = s ? se_sim_wrapping_key(s) : NULL};

	assert_non_null(evidence);
	assert_int_equal(evidence_verify("se", &q, &result, NULL), 0);
	json_decref(evidence);
	if ((result.verdict == EVIDENCE_ACCEPT) != (reason == NULL))
		fail_msg("%s", reason ? reason : result.reason);
	if (reason && !str_starts(result.reason, reason))
		fail_msg("%s, not %s", result.reason, reason);
	if (ret_claims)
		*ret_claims = json_incref(result.claims);
}

static json_t *challenge_of(const struct se_sim *s)
{
	struct pkey *hosts[] = {se_sim_host_key(s)};
	struct se_tags tags = se_sim_tags(s);
	json_t *challenge = NULL;

	assert_int_equal(se_challenge(se_sim_wrapping_key(s), &tags, hosts, 1, &challenge), 0);
	return challenge;
}

/* From the challenge to the claims. */
static void test_machine(void **state)
{
	cleanup(se_sim_free) struct se_sim *s = se_sim_new(), *other = se_sim_new();
	cleanup(json_decref) json_t *challenge = challenge_of(s), *claims = NULL;
	uint8_t user[64] = SESSION, foreign[64] = "another session";
	struct slice data = slice_of(user, sizeof(user));
	char hex[2 * 64 + 1];

	assert_int_equal(json_integer_value(json_object_get(challenge, "measurement_size")), 64);
	assert_int_equal(json_integer_value(json_object_get(challenge, "additional_size")), 64);
	expect(s, se_sim_answer(s, challenge, data), SLICE_EMPTY, NULL, &claims);
	assert_string_equal(json_string_value(json_object_get(claims, "report_data")),
		hex_str(data, hex, sizeof(hex)));
	assert_string_equal(json_string_value(json_object_get(claims, "tag")),
		hex_str(se_sim_tags(s).tag, hex, sizeof(hex)));
	assert_int_equal(json_integer_value(json_object_get(claims, "version")), 256);
	/* No other machine can answer, and no other relying party can verify. */
	assert_null(se_sim_answer(other, challenge, data));
	expect(other, se_sim_answer(s, challenge, data), SLICE_EMPTY, "measurement", NULL);
	expect(NULL, se_sim_answer(s, challenge, data), SLICE_EMPTY, "wrapping key", NULL);
	expect(s, se_sim_answer(s, challenge, slice_of(foreign, sizeof(foreign))), SLICE_EMPTY,
		"report data", NULL);
	expect(s, se_sim_answer(s, challenge, data), SLICE_LIT("0123456789abcdef0123456789abcdef"),
		"initdata", NULL);
}

/* Each byte of each member: none is accepted, however it is changed. */
static void test_evidence_mutations(void **state)
{
	static const char *const members[] = {
		"measurement", "additional_data", "user_data", "cuid", "image_hdr_tags"};
	cleanup(se_sim_free) struct se_sim *s = se_sim_new();
	cleanup(json_decref) json_t *challenge = challenge_of(s);
	uint8_t user[64] = SESSION;

	for (size_t i = 0; i < ARRAY_COUNT(members); i++) {
		cleanup_with(buf_done) struct buf bytes = buf_init(0);
		json_t *good = se_sim_answer(s, challenge, slice_of(user, sizeof(user)));
		assert_int_equal(json_get_b64(good, members[i], &bytes, NULL), 0);
		for (size_t at = 0; at < bytes.size; at += 3) {
			json_t *bad = json_deep_copy(good);
			bytes.data[at] ^= 0x20;
			assert_int_equal(
				json_set_b64(bad, members[i], buf_slice(&bytes), B64_STD), 0);
			bytes.data[at] ^= 0x20;
			expect(s, bad, SLICE_EMPTY,
				streq(members[i], "user_data") ? "report data" : "measurement",
				NULL);
		}
		json_object_del(good, members[i]);
		expect(s, good, SLICE_EMPTY, "evidence format", NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_made),
		cmocka_unit_test(test_request_mutations),
		cmocka_unit_test(test_exchange_refused),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_host_keys),
		cmocka_unit_test(test_machine),
		cmocka_unit_test(test_evidence_mutations),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
