/* SPDX-License-Identifier: Apache-2.0 */
/* How the default policy appraises TDX and SGX: whole attestation messages from a simulated Intel.
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
#include "fmt/tcg2.h"
#include "fmt/tpm.h"
#include "support/dcap_sim.h"
#include "trustee/as/as.h"

#define NONCE "bm9uY2Ugb2YgdGhpcyBzZXNzaW9u"

struct service {
	struct dcap_sim *sim;
	struct as *as;
	json_t *key;
	json_t *references;
};

static void refer(json_t *records, const char *name, const char *value, bool list)
{
	json_t *record = json_pack("{s:s, s:s, s:s, s:o}", "version", "0.1.0", "name", name,
		"expiration", "2030-01-01T00:00:00Z", "value",
		list ? json_pack("[s, s]", "something else", value) : json_string(value));
	assert_int_equal(json_array_append_new(records, record), 0);
}

static struct service new_service(const struct dcap_sim_options *o)
{
	struct service s = {.sim = dcap_sim_new(o), .as = as_new(), .references = json_array()};
	cleanup(pkey_free) struct pkey *key = NULL;
	assert_non_null(s.sim);
	assert_int_equal(
		as_set_policy(s.as, "default_cpu", as_default_policy("default_cpu"), NULL), 0);
	cleanup(json_decref) json_t *doc = dcap_sim_publish_text(s.sim);
	assert_non_null(doc);
	assert_int_equal(as_set_collateral(s.as, doc, NULL), 0);
	as_trust_insecure_intel_root(s.as, dcap_sim_root(s.sim));
	assert_int_equal(pkey_generate(KEY_P256, 0, &key), 0);
	s.key = pkey_to_jwk(key);
	assert_non_null(s.key);
	return s;
}

static void service_done(struct service *s)
{
	dcap_sim_free(s->sim);
	as_free(s->as);
	json_decref(s->key);
	json_decref(s->references);
}

static struct digest binding(const struct service *s)
{
	cleanup(json_decref) json_t *runtime = json_pack(
		"{s:s, s:s, s:O}", "additional-evidence", "", "nonce", NONCE, "tee-pubkey", s->key);
	cleanup_with(buf_done) struct buf text = buf_init(0);
	struct digest d;
	assert_int_equal(jcs_write(runtime, &text), 0);
	assert_int_equal(hash_once(HASH_SHA384, buf_slice(&text), &d), 0);
	return d;
}

/* The outcome of as_attest(). */
static json_t *attest(struct service *s, const char *tee, json_t *evidence)
{
	cleanup(json_decref) json_t *message = json_pack("{s:n, s:{s:s, s:O}, s:{s:O, s:s}}",
		"init-data", "runtime-data", "nonce", NONCE, "tee-pubkey", s->key, "tee-evidence",
		"primary_evidence", evidence, "additional_evidence", "");
	cleanup_with(buf_done) struct buf body = buf_init(0);
	json_t *outcome = NULL;

	assert_non_null(message);
	assert_int_equal(json_write(message, &body), 0);
	assert_int_equal(as_set_references(s->as, s->references), 0);
	const struct as_request request = {
		.tee = tee, .nonce = NONCE, .body = buf_slice(&body), .now = DCAP_SIM_NOW};
	assert_int_equal(as_attest(s->as, &request, &outcome, NULL), 0);
	return outcome;
}

static void check_vector(
	const json_t *outcome, const char *status, int executables, int hardware, int configuration)
{
	const json_t *vector = json_object_get(outcome, "vector");
	const char *reason = json_string_value(json_object_get(outcome, "reason"));
	if (!json_is_true(json_object_get(outcome, "accepted")))
		fail_msg("refused: %s", reason);
	if (json_integer_value(json_object_get(vector, "executables")) != executables ||
		json_integer_value(json_object_get(vector, "hardware")) != hardware ||
		json_integer_value(json_object_get(vector, "configuration")) != configuration)
		fail_msg("vector: executables %d, hardware %d, configuration %d",
			(int)json_integer_value(json_object_get(vector, "executables")),
			(int)json_integer_value(json_object_get(vector, "hardware")),
			(int)json_integer_value(json_object_get(vector, "configuration")));
	assert_string_equal(json_string_value(json_object_get(outcome, "status")), status);
}

static void appraise(struct service *s, const char *tee, json_t *evidence, const char *status,
	int executables, int hardware, int configuration)
{
	cleanup(json_decref) json_t *outcome = attest(s, tee, evidence);
	check_vector(outcome, status, executables, hardware, configuration);
}

static void refuse(struct service *s, const char *tee, json_t *evidence, const char *reason)
{
	cleanup(json_decref) json_t *outcome = attest(s, tee, evidence);
	assert_true(json_is_false(json_object_get(outcome, "accepted")));
	if (!strstr(json_string_value(json_object_get(outcome, "reason")), reason))
		fail_msg("%s", json_string_value(json_object_get(outcome, "reason")));
}

static const char *padded_hex(const char *text, size_t size, struct buf *out)
{
	uint8_t bytes[64] = {0};
	memcpy(bytes, text, strlen(text));
	hex_encode(out, slice_of(bytes, size));
	return buf_str(out);
}

static void add_event(
	struct buf *log, struct digest *rtmr, uint32_t index, uint32_t type, struct slice data)
{
	struct digest d;
	assert_int_equal(hash_once(HASH_SHA384, data, &d), 0);
	const struct tcg2_digest one = {TPM_ALG_SHA384, digest_slice(&d)};
	tcg2_put_event(log, index, type, &one, 1, data);
	assert_int_equal(hash_extend(HASH_SHA384, digest_slice(&rtmr[index - 1]), digest_slice(&d),
				 &rtmr[index - 1]),
		0);
}

struct guest {
	struct digest rtmr[4];
	struct buf log;
	struct dcap_sim_report report;
	struct digest report_data;
};

static const uint8_t g_kernel[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0, 0, 22, 0, 0, 0, 0, 0, 0, 0, 4, 4, 18, 0, 'k', 0, 'e', 0, 'r', 0, 'n', 0, 'e', 0, 'l', 0,
	0, 0, 0x7f, 0xff, 4, 0};
static const struct slice g_parameters =
	SLICE_LIT("\xed\x22\x3b\x8f\x1a\0\0\0LOADED_IMAGE::LoadOptions\0");

static void boot(struct guest *g, const struct service *s)
{
	static const struct tcg2_alg alg = {TPM_ALG_SHA384, 48};
	for (int i = 0; i < 4; i++)
		g->rtmr[i] = (struct digest){.size = 48};
	g->log = buf_init(0);
	tcg2_put_header(&g->log, &alg, 1);
	add_event(&g->log, g->rtmr, 2, 0x80000003U, slice_of(g_kernel, sizeof(g_kernel)));
	add_event(&g->log, g->rtmr, 3, 6, g_parameters);
	g->report_data = binding(s);
	g->report = (struct dcap_sim_report){.version = 4,
		.body_type = 2,
		.module_version = 1,
		.report_data = digest_slice(&g->report_data),
		.rtmr = g->rtmr};
}

static void refer_guest(struct service *s, const struct guest *g)
{
	cleanup_with(buf_done) struct buf td = buf_init(0), one = buf_init(0), two = buf_init(0),
					  kernel = buf_init(0), options = buf_init(0);
	struct digest d;
	refer(s->references, "mr_td", padded_hex("measurement of a test domain", 48, &td), true);
	refer(s->references, "xfam", "e702060000000000", true);
	hex_encode(&one, digest_slice(&g->rtmr[1]));
	hex_encode(&two, digest_slice(&g->rtmr[2]));
	refer(s->references, "rtmr_1", buf_str(&one), true);
	refer(s->references, "rtmr_2", buf_str(&two), true);
	assert_int_equal(hash_once(HASH_SHA384, slice_of(g_kernel, sizeof(g_kernel)), &d), 0);
	hex_encode(&kernel, digest_slice(&d));
	assert_int_equal(hash_once(HASH_SHA384, g_parameters, &d), 0);
	hex_encode(&options, digest_slice(&d));
	refer(s->references, "tdvfkernel", buf_str(&kernel), false);
	refer(s->references, "tdvfkernelparams", buf_str(&options), true);
}

static json_t *tdx_evidence(const struct service *s, const struct guest *g, bool with_log)
{
	json_t *evidence = dcap_sim_evidence(s->sim, &g->report);
	assert_non_null(evidence);
	if (with_log)
		assert_int_equal(
			json_set_b64(evidence, "cc_eventlog", buf_slice(&g->log), B64_STD), 0);
	return evidence;
}

static void test_tdx(void **state)
{
	struct service s = new_service(NULL);
	struct guest g;
	boot(&g, &s);
	cleanup(json_decref) json_t *evidence = tdx_evidence(&s, &g, true);
	cleanup(json_decref) json_t *no_log = tdx_evidence(&s, &g, false);

	/* Authentic, but nothing of it is known. */
	appraise(&s, "tdx", evidence, "contraindicated", 33, 97, 36);
	refer_guest(&s, &g);
	appraise(&s, "tdx", evidence, "affirming", 3, 2, 2);
	appraise(&s, "tdx", no_log, "affirming", 4, 2, 2);

	/* A debugger looks into the guest. */
	g.report.debug = true;
	cleanup(json_decref) json_t *debugged = tdx_evidence(&s, &g, true);
	appraise(&s, "tdx", debugged, "contraindicated", 3, 2, 96);
	g.report.debug = false;

	/* Other firmware or kernel: other registers. */
	g.rtmr[1].bytes[0] ^= 1;
	cleanup(json_decref) json_t *other = tdx_evidence(&s, &g, false);
	appraise(&s, "tdx", other, "warning", 33, 2, 2);
	g.rtmr[1].bytes[0] ^= 1;

	/* Another session's quote. */
	struct digest wrong = {48, {1}};
	g.report.report_data = digest_slice(&wrong);
	cleanup(json_decref) json_t *replayed = tdx_evidence(&s, &g, true);
	refuse(&s, "tdx", replayed, "not made for this session");
	buf_done(&g.log);
	service_done(&s);
}

static void test_tcb_status(void **state)
{
	static const char *const lagging[] = {"SWHardeningNeeded", "ConfigurationNeeded",
		"ConfigurationAndSWHardeningNeeded", "OutOfDate", "OutOfDateConfigurationNeeded"};
	for (size_t i = 0; i < ARRAY_COUNT(lagging); i++) {
		struct service s =
			new_service(&(struct dcap_sim_options){.tcb_status = lagging[i]});
		struct guest g;
		boot(&g, &s);
		cleanup(json_decref) json_t *evidence = tdx_evidence(&s, &g, true);
		refer_guest(&s, &g);
		appraise(&s, "tdx", evidence, "warning", 3, 32, 2);
		buf_done(&g.log);
		service_done(&s);
	}
	struct service s = new_service(&(struct dcap_sim_options){.tcb_status = "Revoked"});
	struct guest g;
	boot(&g, &s);
	cleanup(json_decref) json_t *evidence = tdx_evidence(&s, &g, true);
	refer_guest(&s, &g);
	refuse(&s, "tdx", evidence, "revoked");
	buf_done(&g.log);
	service_done(&s);
}

static void test_sgx(void **state)
{
	struct service s = new_service(NULL);
	struct digest report = binding(&s);
	struct dcap_sim_report r = {
		.version = 3, .body_type = 1, .report_data = digest_slice(&report)};
	cleanup(json_decref) json_t *evidence = dcap_sim_evidence(s.sim, &r);
	cleanup_with(buf_done) struct buf signer = buf_init(0), enclave = buf_init(0);

	appraise(&s, "sgx", evidence, "warning", 33, 2, 36);
	refer(s.references, "sgx_xfrm", "0000000000000000", true);
	refer(s.references, "sgx_mr_signer", padded_hex("signer of a test", 32, &signer), true);
	refer(s.references, "sgx_isv_prod_id", "0100", true);
	appraise(&s, "sgx", evidence, "warning", 33, 2, 2);
	refer(s.references, "sgx_isv_svn", "0100", true);
	appraise(&s, "sgx", evidence, "affirming", 4, 2, 2);
	refer(s.references, "sgx_mr_enclave",
		padded_hex("enclave measurement of a test ..", 32, &enclave), true);
	appraise(&s, "sgx", evidence, "affirming", 3, 2, 2);
	r.debug = true;
	cleanup(json_decref) json_t *debugged = dcap_sim_evidence(s.sim, &r);
	appraise(&s, "sgx", debugged, "contraindicated", 3, 2, 96);
	service_done(&s);
}

static void test_missing_collateral(void **state)
{
	struct service s = new_service(NULL);
	struct guest g;
	boot(&g, &s);
	cleanup(json_decref) json_t *evidence = tdx_evidence(&s, &g, true);
	cleanup(json_decref) json_t *empty = json_pack("{s:{}}", "items");
	struct err e = {0};

	assert_int_equal(as_set_collateral(s.as, empty, &e), 0);
	cleanup(json_decref) json_t *outcome = attest(&s, "tdx", evidence);
	assert_true(json_is_false(json_object_get(outcome, "accepted")));
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(outcome, "missing"), 0)),
		"intel/tdx/tcb/d0c06f000001");
	/* A broken document changes nothing. */
	cleanup(json_decref) json_t *broken = json_pack("{s:{s:s}}", "items", "../x", "AAAA");
	assert_int_equal(as_set_collateral(s.as, broken, &e), -EBADMSG);
	cleanup(json_decref) json_t *none = json_object();
	assert_int_equal(as_set_collateral(s.as, none, &e), -EBADMSG);
	buf_done(&g.log);
	service_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tdx),
		cmocka_unit_test(test_tcb_status),
		cmocka_unit_test(test_sgx),
		cmocka_unit_test(test_missing_collateral),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
