/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates of attestation keys and endorsement keys of TPMs. */
#include "vectors.h"

#include "base/enc.h"
#include "base/str.h"
#include "evidence/tpm_chain.h"
#include "evidence/tpm_quote.h"
#include "support/dcap_sim_pki.h"

#define NOW 1793491200 /* 2026-11-01T00:00:00Z */
#define DAY 86400
#define SESSION "0123456789abcdef0123456789abcdef0123456789abcdef"

/* What is wrong with this world; all zero: nothing. */
struct options {
	bool expired_ak, expired_ca, expired_crl, revoked_ak, ca_as_ak, no_crl_of_root, other_key;
};

struct world {
	struct sim_key root_key, ca_key, ak;
	X509 *root, *ca, *ak_cert;
	struct collateral_store *store;
	struct buf ak_der, chain;
};

static void add_crl(
	X509 *issuer, const struct sim_key *key, int64_t until, long revoked, struct buf *out)
{
	cleanup_with(buf_done) struct buf der = buf_init(0), text = buf_init(0);

	assert_int_equal(sim_crl(issuer, key, NOW - DAY, until, revoked, &der), 0);
	b64_encode(&text, buf_slice(&der), B64_STD);
	buf_put_str(out, "-----BEGIN X509 CRL-----\n");
	for (size_t i = 0; i < text.size; i += 64) {
		buf_put_slice(out, slice_cut(buf_slice(&text), i, 64));
		buf_put_str(out, "\n");
	}
	buf_put_str(out, "-----END X509 CRL-----\n");
}

static void make_certs(struct world *w, const struct options *o)
{
	const struct sim_cert root = {.common_name = "Root",
		.key = &w->root_key,
		.serial = 1,
		.ca = true,
		.path_length = -1,
		.from = NOW - 9 * DAY,
		.until = NOW + 9 * DAY};
	w->root = sim_cert_new(&root);
	const struct sim_cert ca = {.common_name = "CA",
		.key = &w->ca_key,
		.issuer = w->root,
		.issuer_key = &w->root_key,
		.serial = 2,
		.ca = true,
		.path_length = 0,
		.from = NOW - 9 * DAY,
		.until = o->expired_ca ? NOW - DAY : NOW + 9 * DAY};
	w->ca = sim_cert_new(&ca);
	const struct sim_cert ak = {.common_name = "AK",
		.key = o->other_key ? &w->root_key : &w->ak,
		.issuer = w->ca,
		.issuer_key = &w->ca_key,
		.serial = 3,
		.ca = o->ca_as_ak,
		.path_length = -1,
		.from = NOW - 9 * DAY,
		.until = o->expired_ak ? NOW - DAY : NOW + 9 * DAY};
	w->ak_cert = sim_cert_new(&ak);
	assert_non_null(w->ak_cert);
}

static struct world new_world(const struct options *o)
{
	struct world w = {.store = collateral_store_new()};
	cleanup_with(buf_done) struct buf roots = buf_init(0), crls = buf_init(0);
	uint8_t *der = NULL;

	assert_int_equal(sim_key_new(&w.root_key), 0);
	assert_int_equal(sim_key_new(&w.ca_key), 0);
	assert_int_equal(sim_key_new(&w.ak), 0);
	make_certs(&w, o);
	int size = i2d_X509(w.ak_cert, &der);
	buf_put(&w.ak_der, der, (size_t)size);
	buf_put_zero(&w.ak_der, 8); /* as NV memory pads it */
	OPENSSL_free(der);
	assert_int_equal(sim_pem(w.ca, &w.chain), 0);
	assert_int_equal(sim_pem(w.root, &roots), 0);
	add_crl(w.ca, &w.ca_key, o->expired_crl ? NOW - 1 : NOW + DAY, o->revoked_ak ? 3 : 0,
		&crls);
	if (!o->no_crl_of_root)
		add_crl(w.root, &w.root_key, NOW + DAY, 0, &crls);
	assert_int_equal(collateral_store_put(w.store, "tpm/roots", buf_slice(&roots)), 0);
	assert_int_equal(collateral_store_put(w.store, "tpm/crls", buf_slice(&crls)), 0);
	return w;
}

static void world_done(struct world *w)
{
	sim_key_done(&w->root_key);
	sim_key_done(&w->ca_key);
	sim_key_done(&w->ak);
	X509_free(w->root);
	X509_free(w->ca);
	X509_free(w->ak_cert);
	collateral_store_free(w->store);
	buf_done(&w->ak_der);
	buf_done(&w->chain);
}

/* A quote over registers that are zero, signed by the AK. */
static json_t *make_evidence(const struct world *w)
{
	static const uint8_t zero[TPM_PCR_COUNT * 32];
	cleanup_with(buf_done) struct buf quote = buf_init(0), raw = buf_init(0),
					  signature = buf_init(0), spki = buf_init(0);
	json_t *pcrs = json_array(), *tpm = json_pack("{s:o}", "pcrs", pcrs);
	json_t *evidence = json_pack("{s:o}", "tpm_quote", tpm);
	struct digest d;

	assert_int_equal(hash_once(HASH_SHA256, slice_of(zero, sizeof(zero)), &d), 0);
	buf_put_u32be(&quote, TPM_GENERATED_VALUE);
	buf_put_u16be(&quote, TPM_ST_ATTEST_QUOTE);
	buf_put_u16be(&quote, 0);
	buf_put_u16be(&quote, 48);
	buf_put_str(&quote, SESSION);
	buf_put_zero(&quote, 16);
	buf_put_u8(&quote, 1);
	buf_put_zero(&quote, 8);
	buf_put_u32be(&quote, 1);
	buf_put_u16be(&quote, TPM_ALG_SHA256);
	buf_put_u32be(&quote, 0x03FFFFFF);
	buf_put_u16be(&quote, 32);
	buf_put_slice(&quote, digest_slice(&d));
	assert_int_equal(pkey_sign(w->ak.key, SIG_ES256, buf_slice(&quote), &raw), 0);
	buf_put_u16be(&signature, TPM_ALG_ECDSA);
	buf_put_u16be(&signature, TPM_ALG_SHA256);
	for (size_t i = 0; i < 2; i++) {
		buf_put_u16be(&signature, 32);
		buf_put_slice(&signature, slice_cut(buf_slice(&raw), 32 * i, 32));
	}
	for (size_t i = 0; i < TPM_PCR_COUNT; i++)
		json_array_append_new(pcrs,
			json_string("000000000000000000000000000000000000000000000000000000000000"
				    "0000"));
	assert_int_equal(pkey_to_spki(w->ak.key, &spki), 0);
	assert_int_equal(json_set_b64(tpm, "message", buf_slice(&quote), B64_STD), 0);
	assert_int_equal(json_set_b64(tpm, "signature", buf_slice(&signature), B64_STD), 0);
	assert_int_equal(json_set_b64(evidence, "ak_public", buf_slice(&spki), B64_STD), 0);
	assert_int_equal(
		json_set_b64(evidence, "ak_certificate", buf_slice(&w->ak_der), B64_STD), 0);
	assert_int_equal(json_set_slice(evidence, "ak_certificate_chain", buf_slice(&w->chain)), 0);
	return evidence;
}

static void expect(const struct world *w, json_t *evidence, int64_t now, const char *reason)
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
	const struct options none = {0};
	cleanup_with(world_done) struct world w = new_world(&none);
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
		struct options o;
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
		cleanup_with(world_done) struct world w = new_world(&worlds[i].o);
		expect(&w, make_evidence(&w), NOW, worlds[i].reason);
	}
}

static void test_foreign_chain(void **state)
{
	const struct options none = {0};
	cleanup_with(world_done) struct world w = new_world(&none), other = new_world(&none);
	json_t *evidence = make_evidence(&w);

	expect(&other, json_deep_copy(evidence), NOW, "there is no revocation list of");
	/* An intermediate that is missing. */
	json_object_del(evidence, "ak_certificate_chain");
	expect(&w, evidence, NOW, "no certificate that is known issued");
}

/* No byte of the certificate may be another one; what is behind it does not count. */
static void test_mutations(void **state)
{
	const struct options none = {0};
	cleanup_with(world_done) struct world w = new_world(&none);

	for (size_t i = 0; i + 8 < w.ak_der.size; i++) {
		w.ak_der.data[i] ^= (uint8_t)(1U << i % 8);
		expect(&w, make_evidence(&w), NOW, "");
		w.ak_der.data[i] ^= (uint8_t)(1U << i % 8);
	}
}

static void test_ek(void **state)
{
	static const char *const names[] = {"ekcert-swtpm-rsa2048-v", "ekcert-swtpm-secp384r1-v"};
	const struct options none = {0};
	cleanup_with(world_done) struct world w = new_world(&none);

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
