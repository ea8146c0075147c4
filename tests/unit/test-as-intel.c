/* SPDX-License-Identifier: Apache-2.0 */
/* How the default policy appraises TDX and SGX: whole attestation messages from a simulated Intel.
 */
#include "appraise.h"
#include "fmt/tcg2.h"
#include "fmt/tpm.h"
#include "support/dcap_sim.h"

struct service {
	struct dcap_sim *sim;
	struct appraiser a;
};

static void refer_text(struct appraiser *a, const char *name, const char *value, bool list)
{
	refer(a, name, list ? json_pack("[s, s]", "something else", value) : json_string(value));
}

static struct service new_service(const struct dcap_sim_options *o)
{
	struct service s = {.sim = dcap_sim_new(o)};

	assert_non_null(s.sim);
	s.a = appraiser_new(dcap_sim_publish_text(s.sim), DCAP_SIM_NOW);
	as_trust_insecure_intel_root(s.a.as, dcap_sim_root(s.sim));
	return s;
}

static void service_done(struct service *s)
{
	dcap_sim_free(s->sim);
	appraiser_done(&s->a);
}

static void appraise(struct service *s, const char *tee, json_t *evidence, const char *status,
	int executables, int hardware, int configuration)
{
	cleanup(json_decref) json_t *outcome = attest_as(&s->a, tee, evidence);
	check_vector(outcome, status, executables, hardware, configuration);
}

static void refuse(struct service *s, const char *tee, json_t *evidence, const char *reason)
{
	cleanup(json_decref) json_t *outcome = attest_as(&s->a, tee, evidence);
	check_refusal(outcome, reason);
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
	g->report_data = binding(&s->a, HASH_SHA384);
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
	refer_text(&s->a, "mr_td", padded_hex("measurement of a test domain", 48, &td), true);
	refer_text(&s->a, "xfam", "e702060000000000", true);
	hex_encode(&one, digest_slice(&g->rtmr[1]));
	hex_encode(&two, digest_slice(&g->rtmr[2]));
	refer_text(&s->a, "rtmr_1", buf_str(&one), true);
	refer_text(&s->a, "rtmr_2", buf_str(&two), true);
	assert_int_equal(hash_once(HASH_SHA384, slice_of(g_kernel, sizeof(g_kernel)), &d), 0);
	hex_encode(&kernel, digest_slice(&d));
	assert_int_equal(hash_once(HASH_SHA384, g_parameters, &d), 0);
	hex_encode(&options, digest_slice(&d));
	refer_text(&s->a, "tdvfkernel", buf_str(&kernel), false);
	refer_text(&s->a, "tdvfkernelparams", buf_str(&options), true);
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
	struct digest report = binding(&s.a, HASH_SHA384);
	struct dcap_sim_report r = {
		.version = 3, .body_type = 1, .report_data = digest_slice(&report)};
	cleanup(json_decref) json_t *evidence = dcap_sim_evidence(s.sim, &r);
	cleanup_with(buf_done) struct buf signer = buf_init(0), enclave = buf_init(0);

	appraise(&s, "sgx", evidence, "warning", 33, 2, 36);
	refer_text(&s.a, "sgx_xfrm", "0000000000000000", true);
	refer_text(&s.a, "sgx_mr_signer", padded_hex("signer of a test", 32, &signer), true);
	refer_text(&s.a, "sgx_isv_prod_id", "0100", true);
	appraise(&s, "sgx", evidence, "warning", 33, 2, 2);
	refer_text(&s.a, "sgx_isv_svn", "0100", true);
	appraise(&s, "sgx", evidence, "affirming", 4, 2, 2);
	refer_text(&s.a, "sgx_mr_enclave",
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

	assert_int_equal(as_set_collateral(s.a.as, empty, &e), 0);
	cleanup(json_decref) json_t *outcome = attest_as(&s.a, "tdx", evidence);
	assert_true(json_is_false(json_object_get(outcome, "accepted")));
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(outcome, "missing"), 0)),
		"intel/tdx/tcb/d0c06f000001");
	/* A broken document changes nothing. */
	cleanup(json_decref) json_t *broken = json_pack("{s:{s:s}}", "items", "../x", "AAAA");
	assert_int_equal(as_set_collateral(s.a.as, broken, &e), -EBADMSG);
	cleanup(json_decref) json_t *none = json_object();
	assert_int_equal(as_set_collateral(s.a.as, none, &e), -EBADMSG);
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
