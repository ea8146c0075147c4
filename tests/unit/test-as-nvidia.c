/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GPUs, switches and DPUs of a made-up NVIDIA, appraised by the default policies: what is affirmed
 * when all is well, and what each thing that is not well does to it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/enc.h"
#include "base/str.h"
#include "crypto/key.h"
#include "fmt/jcs.h"
#include "fmt/json.h"
#include "support/nv_sim.h"
#include "trustee/as/as.h"

#define NONCE "bm9uY2Ugb2YgdGhpcyBzZXNzaW9u"
#define NOW 1795392000LL

struct outcome {
	json_t *doc;
	const char *status;
};

static json_t *runtime_of(json_t *key)
{
	return json_pack(
		"{s:s, s:s, s:O}", "additional-evidence", "", "nonce", NONCE, "tee-pubkey", key);
}

/* Attests one piece of primary evidence, made by @make over the binding. */
static json_t *attest(const struct nv_sim *s, const char *tee,
	json_t *(*make)(const struct nv_sim *s, struct slice report_data), const char *const *refs)
{
	cleanup(collateral_store_free) struct collateral_store *store = nv_sim_publish(s);
	cleanup(json_decref) json_t *collateral = collateral_store_save(store), *jwk = NULL,
				    *runtime = NULL, *message = NULL, *records = json_array();
	cleanup(as_free) struct as *as = as_new();
	cleanup(pkey_free) struct pkey *key = NULL;
	cleanup_with(buf_done) struct buf text = buf_init(0), body = buf_init(0);
	static const char *const policies[] = {"default_cpu", "default_gpu", "default_switch",
		"default_ppcie", "default_nvidia-dpu"};
	struct digest d;
	json_t *outcome = NULL;
	struct err e = {0};

	for (size_t i = 0; i < ARRAY_COUNT(policies); i++)
		assert_int_equal(
			as_set_policy(as, policies[i], as_default_policy(policies[i]), NULL), 0);
	for (; refs && refs[0]; refs += 2)
		json_array_append_new(records,
			json_pack("{s:s, s:s, s:s, s:[s]}", "version", "0.1.0", "name", refs[0],
				"expiration", "2030-01-01T00:00:00Z", "value", refs[1]));
	assert_int_equal(as_set_references(as, records), 0);
	assert_int_equal(as_set_collateral(as, collateral, NULL), 0);
	as_trust_insecure_nvidia_root(as, nv_sim_root(s));
	as_trust_nvidia_dpu_root(as, nv_sim_root(s));
	assert_int_equal(pkey_generate(KEY_P256, 0, &key), 0);
	jwk = pkey_to_jwk(key);
	runtime = runtime_of(jwk);
	assert_int_equal(jcs_write(runtime, &text), 0);
	assert_int_equal(hash_once(HASH_SHA384, buf_slice(&text), &d), 0);
	message = json_pack("{s:{s:s, s:O}, s:{s:o, s:s}}", "runtime-data", "nonce", NONCE,
		"tee-pubkey", jwk, "tee-evidence", "primary_evidence", make(s, digest_slice(&d)),
		"additional_evidence", "");
	assert_int_equal(json_write(message, &body), 0);
	const struct as_request q = {.tee = tee,
		.nonce = NONCE,
		.body = buf_slice(&body),
		.now = NOW,
		.protocol = AS_PROTOCOL_0_4_0};
	assert_int_equal(as_attest(as, &q, &outcome, &e), 0);
	return outcome;
}

static const char *const g_gpu_refs[] = {
	"allowed_vbios_versions", "96.00.9F.00.01", "allowed_driver_versions", "550.1", NULL};

static const char *text_of(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));
	return s ? s : "";
}

static int64_t trust(const json_t *outcome, const char *submod, const char *claim)
{
	return json_integer_value(json_object_get(
		json_object_get(json_object_get(json_object_get(outcome, "submods"), submod),
			"ear.trustworthiness-vector"),
		claim));
}

static void test_affirmed(void **state)
{
	const struct nv_sim_options gpu = {.now = NOW}, sw = {.now = NOW, .is_switch = true};
	static const char *const bios[] = {"allowed_switch_bios_versions", "96.10.55.00.01", NULL};
	struct nv_sim *s = nv_sim_new(&gpu);
	cleanup(json_decref) json_t *a = attest(s, "nvidia", nv_sim_evidence, g_gpu_refs),
				    *b = attest(s, "nvidia", nv_sim_evidence, NULL), *c = NULL;
	nv_sim_free(s);
	s = nv_sim_new(&sw);
	c = attest(s, "nvidia", nv_sim_evidence, bios);
	nv_sim_free(s);

	assert_string_equal(text_of(a, "status"), "affirming");
	assert_int_equal(trust(a, "gpu0", "hardware"), 2);
	assert_int_equal(trust(a, "gpu0", "executables"), 3);
	assert_int_equal(trust(a, "gpu0", "configuration"), 2);
	/* No version was approved: still what NVIDIA released, without debugging. */
	assert_string_equal(text_of(b, "status"), "affirming");
	assert_int_equal(trust(b, "gpu0", "configuration"), 3);
	assert_string_equal(text_of(c, "status"), "affirming");
	assert_int_equal(trust(c, "switch0", "configuration"), 2);
}

/* Refused outright, or not affirmed, for what it runs. */
static void test_not_well(void **state)
{
	static const struct {
		struct nv_sim_options o;
		const char *status, *reason;
	} cases[] = {
		{{.now = NOW, .revoked = true}, "refused", "is revoked"},
		{{.now = NOW, .ocsp_old = true}, "refused", "out of date"},
		{{.now = NOW, .ocsp_foreign = true}, "refused", "not by a responder"},
		{{.now = NOW, .other_measurement = true}, "warning", NULL},
		{{.now = NOW, .rim_expired = true}, "warning", NULL},
		{{.now = NOW, .rim_altered = true}, "warning", NULL},
		{{.now = NOW - 500000000}, "refused", "has expired"},
		{{.now = NOW + 500000000}, "refused", "not valid yet"},
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct nv_sim *s = nv_sim_new(&cases[i].o);
		cleanup(json_decref) json_t *o = attest(s, "nvidia", nv_sim_evidence, g_gpu_refs);
		nv_sim_free(s);
		if (!streq(text_of(o, "status"), cases[i].status))
			fail_msg("case %zu: %s: %s", i, text_of(o, "status"), text_of(o, "reason"));
		if (cases[i].reason && !strstr(text_of(o, "reason"), cases[i].reason))
			fail_msg("case %zu: %s", i, text_of(o, "reason"));
		if (!cases[i].reason)
			assert_int_equal(trust(o, "gpu0", "executables"), 33);
	}
}

static json_t *dpu_guest(const struct nv_sim *s, struct slice data)
{
	return nv_sim_dpu(s, data, 60, true, false);
}

static json_t *dpu_raw(const struct nv_sim *s, struct slice data)
{
	return nv_sim_dpu(s, data, 60, false, true);
}

static json_t *dpu_old(const struct nv_sim *s, struct slice data)
{
	return nv_sim_dpu(s, data, 7200, true, false);
}

static json_t *dpu_replayed(const struct nv_sim *s, struct slice data)
{
	return nv_sim_dpu(s, slice_of("another session's data, 48 bytes of it in all...", 48), 60,
		true, false);
}

static void test_dpu(void **state)
{
	static const struct {
		json_t *(*make)(const struct nv_sim *s, struct slice data);
		const char *status, *reason;
	} cases[] = {
		{dpu_guest, "contraindicated", NULL},
		{dpu_raw, "contraindicated", NULL},
		{dpu_old, "refused", "alias age"},
		{dpu_replayed, "refused", "report data"},
	};
	const struct nv_sim_options o = {.now = NOW};
	struct nv_sim *s = nv_sim_new(&o);
	struct digest all;
	uint8_t fwid[48];
	char hex[97];

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		cleanup(json_decref) json_t *r = attest(s, "nvidia-dpu", cases[i].make, NULL);
		if (!streq(text_of(r, "status"), cases[i].status) ||
			(cases[i].reason && !strstr(text_of(r, "reason"), cases[i].reason)))
			fail_msg("case %zu: %s: %s", i, text_of(r, "status"), text_of(r, "reason"));
	}
	memset(fwid, 0x5F, sizeof(fwid));
	assert_int_equal(hash_once(HASH_SHA384, slice_of(fwid, 48), &all), 0);
	const char *const refs[] = {"nvidia_dpu_classes", "bluefield3", "nvidia_dpu_fwids",
		hex_str(digest_slice(&all), hex, sizeof(hex)), NULL};
	cleanup(json_decref) json_t *good = attest(s, "nvidiadpu", dpu_guest, refs);
	assert_string_equal(text_of(good, "status"), "affirming");
	assert_int_equal(trust(good, "nvidia-dpu0", "executables"), 3);
	nv_sim_free(s);
}

/* Each bit of each certificate and of the signature of a DPU counts. */
static void test_dpu_bytes(void **state)
{
	static const char *const members[] = {
		"alias_cert", "device_id_cert", "report_data_signature"};
	const struct nv_sim_options o = {.now = NOW};
	struct nv_sim *s = nv_sim_new(&o);
	cleanup(collateral_store_free) struct collateral_store *store = nv_sim_publish(s);
	uint8_t data[48] = {7};
	cleanup(json_decref) json_t *evidence = nv_sim_dpu(s, slice_of(data, 48), 60, true, false);
	json_t *device = json_array_get(json_object_get(evidence, "devices"), 0);
	struct evidence_request q = {.evidence = evidence,
		.report_data = slice_of(data, 48),
		.now = NOW,
		.collateral = collateral_store_provider(store),
		.nvidia_dpu_root = nv_sim_root(s)};

	for (size_t m = 0; m < ARRAY_COUNT(members); m++) {
		cleanup_with(buf_done) struct buf bytes = buf_init(0);
		assert_int_equal(json_get_b64(device, members[m], &bytes, NULL), 0);
		for (size_t i = 0; i <= bytes.size; i++) {
			struct evidence_result r = {0};
			if (i < bytes.size)
				bytes.data[i] ^= (uint8_t)(1 << (i % 8));
			assert_int_equal(
				json_set_b64(device, members[m], buf_slice(&bytes), B64_STD), 0);
			assert_int_equal(evidence_verify("nvidia-dpu", &q, &r, NULL), 0);
			if ((r.verdict == EVIDENCE_ACCEPT) != (i == bytes.size))
				fail_msg("%s: byte %zu", members[m], i);
			evidence_result_done(&r);
			if (i < bytes.size)
				bytes.data[i] ^= (uint8_t)(1 << (i % 8));
		}
	}
	/* Without a pinned root, or with another one. */
	const struct digest other = {.size = 32};
	const struct digest *const pins[] = {NULL, &other};
	for (size_t i = 0; i < ARRAY_COUNT(pins); i++) {
		struct evidence_result r = {0};
		q.nvidia_dpu_root = pins[i];
		assert_int_equal(evidence_verify("nvidia-dpu", &q, &r, NULL), 0);
		assert_int_equal(r.verdict, EVIDENCE_DENY);
		assert_non_null(strstr(r.reason, "DPU root key"));
		evidence_result_done(&r);
	}
	nv_sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_affirmed),
		cmocka_unit_test(test_not_well),
		cmocka_unit_test(test_dpu),
		cmocka_unit_test(test_dpu_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
