/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates of attestation keys and endorsement keys of TPMs. */
#include "vectors.h"

#include "base/enc.h"
#include "base/str.h"
#include "evidence/tpm_chain.h"
#include "support/tpm_sim.h"

#define NOW TPM_SIM_NOW
#define DAY TPM_SIM_DAY
#define SESSION "0123456789abcdef0123456789abcdef0123456789abcdef"

static struct tpm_sim new_world(const struct tpm_sim_options *o)
{
	struct tpm_sim w;
	assert_int_equal(tpm_sim_new(o, &w), 0);
	return w;
}

static json_t *make_evidence(const struct tpm_sim *w)
{
	json_t *evidence = tpm_sim_evidence(w, SLICE_LIT(SESSION));
	assert_non_null(evidence);
	return evidence;
}

static void expect(const struct tpm_sim *w, json_t *evidence, int64_t now, const char *reason)
{
	cleanup_with(evidence_result_done) struct evidence_result result = {0};
	const struct evidence_request q = {.evidence = evidence,
		.report_data = SLICE_LIT(SESSION),
		.now = now,
		.collateral = collateral_store_provider(w->store)};

	assert_int_equal(evidence_verify("tpm", &q, &result, NULL), 0);
	if ((result.verdict == EVIDENCE_ACCEPT) != (reason == NULL))
		fail_msg("%s", reason ? reason : result.reason);
	if (reason && !strstr(result.reason, reason))
		fail_msg("%s, not %s", result.reason, reason);
	if (!reason)
		assert_int_equal(json_is_true(json_object_get(result.claims, "ak_certified")),
			json_object_get(evidence, "ak_certificate") != NULL);
	json_decref(evidence);
}

static void test_good(void **state)
{
	const struct tpm_sim_options none = {0};
	cleanup_with(tpm_sim_done) struct tpm_sim w = new_world(&none);
	json_t *plain = make_evidence(&w);

	expect(&w, make_evidence(&w), NOW, NULL);
	/* Without a certificate the key must be a trusted one: the policy's business. */
	json_object_del(plain, "ak_certificate");
	expect(&w, plain, NOW, NULL);
	expect(&w, make_evidence(&w), NOW - 100 * DAY, "is not valid yet");
	expect(&w, make_evidence(&w), NOW + 100 * DAY, "has expired");
	assert_int_equal(collateral_store_put(w.store, "tpm/crls", SLICE_EMPTY), 0);
	expect(&w, make_evidence(&w), NOW, "there is no tpm/crls");
	assert_int_equal(collateral_store_put(w.store, "tpm/roots", SLICE_EMPTY), 0);
	expect(&w, make_evidence(&w), NOW, "there is no tpm/roots");
}

static void test_worlds(void **state)
{
	static const struct {
		struct tpm_sim_options o;
		const char *reason;
	} worlds[] = {
		{{.expired_ak = true}, "has expired"},
		{{.expired_ca = true}, "has expired"},
		{{.expired_crl = true}, "out of date"},
		{{.revoked_ak = true}, "is revoked"},
		{{.ca_as_ak = true}, "does not allow signatures"},
		{{.no_crl_of_root = true}, "there is no revocation list of"},
		{{.other_key = true}, "certificate of another key"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(worlds); i++) {
		cleanup_with(tpm_sim_done) struct tpm_sim w = new_world(&worlds[i].o);
		expect(&w, make_evidence(&w), NOW, worlds[i].reason);
	}
}

static void test_foreign_chain(void **state)
{
	const struct tpm_sim_options none = {0};
	cleanup_with(tpm_sim_done) struct tpm_sim w = new_world(&none), other = new_world(&none);
	json_t *evidence = make_evidence(&w);

	expect(&other, json_deep_copy(evidence), NOW, "there is no revocation list of");
	/* An intermediate that is missing. */
	json_object_del(evidence, "ak_certificate_chain");
	expect(&w, evidence, NOW, "no certificate that is known issued");
}

/* No byte of the certificate may be another one; what is behind it does not count. */
static void test_mutations(void **state)
{
	const struct tpm_sim_options none = {0};
	cleanup_with(tpm_sim_done) struct tpm_sim w = new_world(&none);

	for (size_t i = 0; i + 8 < w.ak_der.size; i++) {
		w.ak_der.data[i] ^= (uint8_t)(1U << i % 8);
		expect(&w, make_evidence(&w), NOW, "");
		w.ak_der.data[i] ^= (uint8_t)(1U << i % 8);
	}
}

static void test_ek(void **state)
{
	static const char *const names[] = {"ekcert-swtpm-rsa2048-v", "ekcert-swtpm-secp384r1-v"};
	const struct tpm_sim_options none = {0};
	cleanup_with(tpm_sim_done) struct tpm_sim w = new_world(&none);

	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		cleanup_with(buf_done) struct buf der = buf_init(0), ca = buf_init(0);
		cleanup(cert_free) struct cert *ek = NULL;
		struct err e = {0};
		vectors_read("tpm", names[i], "ek.der", &der);
		vectors_read("tpm", names[i], "ca.pem", &ca);
		assert_int_equal(tpm_cert_load(buf_slice(&der), &ek, NULL), 0);
		struct slice pem = buf_slice(&ca);
		assert_int_equal(tpm_ek_verify(ek, pem, pem, 1795564800, NULL), 0);
		assert_int_equal(tpm_ek_verify(ek, pem, pem, 1700000000, &e), -ESTALE);
		assert_int_equal(
			tpm_ek_verify(ek, pem, buf_slice(&w.chain), 1795564800, &e), -EKEYREJECTED);
		assert_int_equal(
			tpm_ek_verify(ek, pem, SLICE_EMPTY, 1795564800, &e), -EKEYREJECTED);
		for (size_t k = 0; k < der.size; k++) {
			cleanup(cert_free) struct cert *bad = NULL;
			der.data[k] ^= (uint8_t)(1U << k % 8);
			if (tpm_cert_load(buf_slice(&der), &bad, NULL) == 0 &&
				tpm_ek_verify(bad, pem, pem, 1795564800, NULL) == 0)
				fail_msg("%s: byte %zu", names[i], k);
			der.data[k] ^= (uint8_t)(1U << k % 8);
		}
	}
	/* An AK's certificate is not one of an EK. */
	cleanup(cert_free) struct cert *ak = NULL;
	assert_int_equal(tpm_cert_load(buf_slice(&w.ak_der), &ak, NULL), 0);
	assert_int_equal(tpm_ek_verify(ak, buf_slice(&w.chain), buf_slice(&w.chain), NOW, NULL),
		-EKEYREJECTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_worlds),
		cmocka_unit_test(test_foreign_chain),
		cmocka_unit_test(test_mutations),
		cmocka_unit_test(test_ek),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
