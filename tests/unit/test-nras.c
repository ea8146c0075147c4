/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NVIDIA's remote service, as its API is documented: what it is asked, which of its answers are
 * believed. The service is a function here; its tokens are real.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/enc.h"
#include "base/str.h"
#include "crypto/jose.h"
#include "evidence/nvidia_nras.h"
#include "fmt/json.h"

#define NOW 1795392000LL
#define NONCE_HEX "a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5"

/* What is wrong with an answer; NULL: it is as it should be. */
struct service {
	struct pkey *key, *other;
	json_t *keys;
	json_t *asked; /* the last question */
	char endpoint[16];
	const char *fault;
};

static struct service new_service(void)
{
	struct service s = {0};
	assert_int_equal(pkey_generate(KEY_P384, 0, &s.key), 0);
	assert_int_equal(pkey_generate(KEY_P384, 0, &s.other), 0);
	json_t *jwk = pkey_to_jwk(s.key);
	assert_int_equal(json_set_str(jwk, "kid", "nv-eat-1"), 0);
	s.keys = json_pack("{s:[o]}", "keys", jwk);
	return s;
}

static void service_done(struct service *s)
{
	pkey_free(s->key);
	pkey_free(s->other);
	json_decref(s->keys);
	json_decref(s->asked);
}

static bool is(const struct service *s, const char *fault)
{
	return streq_null(s->fault, fault);
}

static json_t *token(const struct service *s, json_t *claims)
{
	cleanup(json_decref) json_t *header =
		json_pack("{s:s}", "kid", is(s, "kid") ? "nv-eat-2" : "nv-eat-1");
	cleanup_with(buf_done) struct buf payload = buf_init(0), text = buf_init(0);

	if (is(s, "no kid"))
		json_object_clear(header);
	assert_int_equal(json_write(claims, &payload), 0);
	assert_int_equal(jws_sign(is(s, "key") ? s->other : s->key, SIG_ES384, header,
				 buf_slice(&payload), &text),
		0);
	json_decref(claims);
	return json_string(buf_str(&text));
}

static json_t *common(const struct service *s)
{
	json_t *c = json_pack("{s:s, s:I, s:I, s:I, s:s}", "iss",
		"https://nras.attestation.nvidia.com", "iat", NOW - 10, "nbf",
		is(s, "nbf") ? NOW + 60 : NOW - 10, "exp", is(s, "exp") ? NOW - 1 : NOW + 3600,
		"eat_nonce", is(s, "nonce") ? "00" NONCE_HEX : NONCE_HEX);
	if (is(s, "no exp"))
		json_object_del(c, "exp");
	return c;
}

static int answer(
	void *ctx, const char *endpoint, struct slice body, struct buf *out, struct err *reterr)
{
	struct service *s = ctx;
	char match[80];

	json_decref(s->asked);
	s->asked = NULL;
	assert_int_equal(json_parse(body, 0, &s->asked, NULL), 0);
	assert_int_equal(str_copy(s->endpoint, sizeof(s->endpoint), endpoint), 0);
	if (is(s, "away"))
		return err_set(reterr, -EHOSTUNREACH, "nobody is there");
	json_t *overall = common(s), *device = common(s);
	json_object_set_new(overall, "x-nvidia-overall-att-result", json_true());
	snprintf(match, sizeof(match), "x-nvidia-%s-attestation-report-nonce-match", endpoint);
	json_object_set_new(device, match, json_boolean(!is(s, "match")));
	json_object_set_new(device, "measres", json_string("success"));
	cleanup(json_decref) json_t *doc = json_pack("[[s, o], {s:o}]",
		is(s, "kind") ? "JWE" : "JWT", token(s, overall), "GPU-0", token(s, device));
	if (is(s, "two"))
		json_object_set_new(json_array_get(doc, 1), "GPU-1", json_string("x"));
	if (is(s, "text"))
		buf_put_str(out, "internal error");
	else
		assert_int_equal(json_write(doc, out), 0);
	return 0;
}

static struct evidence_result ask(struct service *s, const char *arch, const char *evidence)
{
	cleanup(json_decref) json_t *list = json_pack("{s:[{s:s, s:s, s:s}]}",
		"device_evidence_list", "arch", arch, "evidence", evidence, "certificate", "cGVt");
	const struct evidence_remote remote = {answer, s, s->keys};
	uint8_t data[48];
	struct evidence_result r = {0};

	memset(data, 0xA5, sizeof(data));
	const struct evidence_request q = {.evidence = list,
		.report_data = slice_of(data, sizeof(data)),
		.now = NOW,
		.nvidia_remote = &remote};
	assert_int_equal(evidence_verify("nvidia", &q, &r, NULL), 0);
	return r;
}

static int ask_later(
	void *ctx, const char *endpoint, struct slice body, struct buf *out, struct err *reterr)
{
	*(int *)ctx += 1;
	return -EINPROGRESS;
}

/* Who cannot ask at once learns about all devices in one go, and has no verdict but a refusal. */
static void test_asked_later(void **state)
{
	cleanup(json_decref) json_t *list = json_pack("{s:[{s:s, s:s, s:s}, {s:s, s:s, s:s}]}",
		"device_evidence_list", "arch", "HOPPER", "evidence", "cmVwb3J0", "certificate",
		"cGVt", "arch", "LS10", "evidence", "cmVwb3J0", "certificate", "cGVt");
	const uint8_t data[48] = {1};
	int asked = 0;
	const struct evidence_remote remote = {ask_later, &asked, NULL};
	struct evidence_request q = {.evidence = list,
		.report_data = slice_of(data, sizeof(data)),
		.now = NOW,
		.nvidia_remote = &remote};
	struct evidence_result r = {0};

	assert_int_equal(evidence_verify("nvidia", &q, &r, NULL), 0);
	assert_int_equal(r.verdict, EVIDENCE_DENY);
	assert_int_equal(asked, 2);
	assert_non_null(strstr(r.reason, "NRAS was not asked"));
	evidence_result_done(&r);
	/* One that is refused already needs nobody's opinion on the others. */
	json_object_set_new(json_array_get(json_object_get(list, "device_evidence_list"), 0),
		"arch", json_string("VOLTA"));
	asked = 0;
	assert_int_equal(evidence_verify("nvidia", &q, &r, NULL), 0);
	assert_int_equal(r.verdict, EVIDENCE_DENY);
	assert_int_equal(asked, 0);
	evidence_result_done(&r);
}

static void test_question(void **state)
{
	struct service s = new_service();
	static const struct {
		const char *arch, *evidence, *endpoint, *name;
	} cases[] = {
		{"HOPPER", "cmVwb3J0", "gpu", "HOPPER"},
		{"Blackwell", "7265706f7274", "gpu", "BLACKWELL"},
		{"LS10", "cmVwb3J0", "switch", "LS10"},
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct evidence_result r = ask(&s, cases[i].arch, cases[i].evidence);
		assert_int_equal(r.verdict, EVIDENCE_ACCEPT);
		assert_string_equal(s.endpoint, cases[i].endpoint);
		cleanup(json_decref) json_t *want = json_pack("{s:s, s:s, s:[{s:s, s:s}], s:s}",
			"nonce", NONCE_HEX, "arch", cases[i].name, "evidence_list", "evidence",
			"cmVwb3J0", "certificate", "cGVt", "claims_version", "3.0");
		assert_true(json_equal(want, s.asked));
		const json_t *device = json_array_get(r.devices, 0),
			     *claims = json_object_get(device, "claims");
		assert_string_equal(
			json_string_value(json_object_get(device, "class")), cases[i].endpoint);
		assert_true(json_is_true(json_object_get(claims, "x-nvidia-overall-att-result")));
		assert_string_equal(
			json_string_value(json_object_get(claims, "measres")), "success");
		evidence_result_done(&r);
	}
	struct evidence_result r = ask(&s, "PASCAL", "cmVwb3J0");
	assert_int_equal(r.verdict, EVIDENCE_DENY);
	evidence_result_done(&r);
	service_done(&s);
}

static void test_faults(void **state)
{
	static const struct {
		const char *fault, *reason;
	} cases[] = {{"kid", "no key"}, {"no kid", "does not name its key"},
		{"key", "does not verify"}, {"nbf", "not valid yet"}, {"exp", "expired"},
		{"no exp", "never expires"}, {"nonce", "another nonce"}, {"match", "not made for"},
		{"kind", "detached EAT"}, {"two", "detached EAT"}, {"text", "NRAS"},
		{"away", "nobody is there"}};
	struct service s = new_service();

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		s.fault = cases[i].fault;
		struct evidence_result r = ask(&s, "HOPPER", "cmVwb3J0");
		if (r.verdict != EVIDENCE_DENY || !strstr(r.reason, cases[i].reason))
			fail_msg("%s: %s", cases[i].fault, r.reason);
		evidence_result_done(&r);
	}
	service_done(&s);
}

/* No byte of an answer can change, and none can be missing. */
static void test_bytes(void **state)
{
	struct service s = new_service();
	cleanup_with(buf_done) struct buf text = buf_init(0);
	uint8_t nonce[32];
	json_t *claims = NULL;

	memset(nonce, 0xA5, sizeof(nonce));
	assert_int_equal(answer(&s, "gpu", SLICE_LIT("{}"), &text, NULL), 0);
	for (size_t i = 0; i < text.size; i++) {
		assert_true(nras_claims(slice_cut(buf_slice(&text), 0, i), s.keys, NOW, "gpu",
				    slice_of(nonce, 32), &claims, NULL) < 0);
		uint8_t old = text.data[i];
		text.data[i] ^= (uint8_t)(1 << (i % 7));
		/* The device's name is not signed, and not used. */
		if (nras_claims(buf_slice(&text), s.keys, NOW, "gpu", slice_of(nonce, 32), &claims,
			    NULL) == 0) {
			json_decref(claims);
			if (!strchr("GPU-0", old))
				fail_msg("byte %zu", i);
		}
		text.data[i] = old;
	}
	service_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_question),
		cmocka_unit_test(test_asked_later),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
