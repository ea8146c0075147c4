/* SPDX-License-Identifier: Apache-2.0 */
/* Hygon CSV: golden reports, their mutations, what is refused, and a simulated chip. */
#include "vectors.h"

#include "base/enc.h"
#include "base/str.h"
#include "evidence/csv.h"
#include "support/csv_sim.h"

#define SESSION "0123456789abcdef0123456789abcdef0123456789abcdef"

struct material {
	struct buf chain, report;
	struct slice hsk, cek;
	struct evidence_request request;
};

static void material_load(struct material *m, const char *name)
{
	*m = (struct material){.chain = buf_init(0), .report = buf_init(0)};
	vectors_read("csv", name, "chain.bin", &m->chain);
	vectors_read("csv", name, "report.bin", &m->report);
	m->hsk = slice_cut(buf_slice(&m->chain), CSV_CA_CERT_SIZE, CSV_CA_CERT_SIZE);
	m->cek = slice_cut(buf_slice(&m->chain), 2 * (size_t)CSV_CA_CERT_SIZE, CSV_CERT_SIZE);
	if (str_starts(name, "synth"))
		m->request.hygon_root = slice_cut(buf_slice(&m->chain), 0, CSV_CA_CERT_SIZE);
}

static void material_done(struct material *m)
{
	buf_done(&m->chain);
	buf_done(&m->report);
}

static int verify(const struct material *m, struct slice bytes, unsigned version)
{
	struct evidence_result result = {.checks = json_array()};
	struct csv_report report;

	int r = csv_report_parse(bytes, version, &report, NULL);
	if (r == 0)
		r = csv_verify(&m->request, m->hsk, m->cek, SLICE_EMPTY, &report, &result);
	evidence_result_done(&result);
	return r;
}

static const struct {
	const char *name;
	unsigned version;
} g_golden[] = {{"csv-rs-report-v1", 1}, {"synth-v1-v", 1}, {"synth-v2-v", 2}};

/* No byte of a report may be another one, not even where nothing is signed. */
static void test_mutations(void **state)
{
	for (size_t i = 0; i < ARRAY_COUNT(g_golden); i++) {
		cleanup_with(material_done) struct material m;
		material_load(&m, g_golden[i].name);
		struct slice in = buf_slice(&m.report);
		assert_int_equal(verify(&m, in, g_golden[i].version), 0);
		for (size_t at = 0; at < in.size; at++) {
			m.report.data[at] ^= (uint8_t)(1U << at % 8);
			if (verify(&m, in, g_golden[i].version) == 0)
				fail_msg("%s: byte %zu", g_golden[i].name, at);
			m.report.data[at] ^= (uint8_t)(1U << at % 8);
		}
		assert_int_not_equal(verify(&m, in, 3 - g_golden[i].version), 0);
	}
}

static void test_truncations(void **state)
{
	cleanup_with(material_done) struct material m;
	struct csv_report report;
	struct csv_cert cert;

	material_load(&m, "csv-rs-report-v1");
	for (size_t i = 0; i < m.report.size; i++)
		assert_int_equal(
			csv_report_parse(slice_of(m.report.data, i), 1, &report, NULL), -ENODATA);
	for (size_t i = 0; i < m.hsk.size; i++)
		assert_int_not_equal(csv_ca_cert_parse(slice_cut(m.hsk, 0, i), &cert, NULL), 0);
	for (size_t i = 0; i < m.cek.size; i++)
		assert_int_not_equal(csv_cert_parse(slice_cut(m.cek, 0, i), &cert, NULL), 0);
	assert_int_equal(csv_report_parse(buf_slice(&m.report), 3, &report, NULL), -EOPNOTSUPP);
}

/* Bytes of certificates that are signed, or that say how. */
static void test_certificates_refused(void **state)
{
	static const struct {
		size_t offset;
		bool cek;
		const char *why;
	} bad[] = {
		{0, false, "version"},
		{4, false, "own id"},
		{20, false, "signer's id"},
		{36, false, "usage of the HSK"},
		{64, false, "curve"},
		{68, false, "x"},
		{100, false, "x has more than 32 bytes"},
		{172, false, "y has more than 32 bytes"},
		{212, false, "length of the user id"},
		{213, false, "length of the user id past its field"},
		{214, false, "user id"},
		{576, false, "r"},
		{608, false, "r has more than 32 bytes"},
		{720, false, "bytes that nobody signs"},
		{4, true, "firmware"},
		{8, true, "usage of the CEK"},
		{12, true, "algorithm of the CEK"},
		{420, true, "signer's id"},
		{1044, true, "usage of the signature"},
		{1048, true, "algorithm of the signature"},
		{1052, true, "r"},
	};
	cleanup_with(material_done) struct material m;

	material_load(&m, "csv-rs-report-v1");
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		struct evidence_result result = {.checks = json_array()};
		struct csv_cert cek;
		uint8_t *at = m.chain.data + (bad[i].cek ? 2 : 1) * (size_t)CSV_CA_CERT_SIZE +
			      bad[i].offset;
		*at ^= 0x01;
		if (csv_verify_chain(&m.request, m.hsk, m.cek, &result, &cek) == 0)
			fail_msg("%s was accepted", bad[i].why);
		*at ^= 0x01;
		evidence_result_done(&result);
	}
}

static void test_collateral_keys(void **state)
{
	char key[COLLATERAL_KEY_SIZE];

	assert_int_equal(csv_collateral_key("csv", SLICE_LIT("NZA9T14052605\0\0"), key, NULL), 0);
	assert_string_equal(key, "hygon/csv/hsk_cek/nza9t14052605");
	/* Nothing, a way out of a folder, a NUL in the middle, too long. */
	assert_int_equal(csv_collateral_key("csv", SLICE_LIT("\0\0"), key, NULL), -EBADMSG);
	assert_int_equal(csv_collateral_key("csv", SLICE_LIT("../A"), key, NULL), -EBADMSG);
	assert_int_equal(csv_collateral_key("csv", SLICE_LIT("A\0B"), key, NULL), -EBADMSG);
	assert_int_equal(
		csv_collateral_key("csv",
			SLICE_LIT("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
				  "AAAAAAAAAA"),
			key, NULL),
		-EBADMSG);
}

struct world {
	struct csv_sim *sim;
	struct collateral_store *store;
};

static struct world new_world(void)
{
	struct world w = {csv_sim_new(), collateral_store_new()};
	assert_non_null(w.sim);
	cleanup(json_decref) json_t *doc = csv_sim_publish(w.sim);
	assert_int_equal(collateral_store_load(w.store, doc, NULL), 0);
	return w;
}

static void world_done(struct world *w)
{
	csv_sim_free(w->sim);
	collateral_store_free(w->store);
}

/* @evidence is consumed. */
static void expect(const struct world *w, json_t *evidence, struct slice init_data,
	const char *reason, json_t **ret_claims)
{
	cleanup_with(evidence_result_done) struct evidence_result result = {0};
	const struct evidence_request q = {.evidence = evidence,
		.report_data = SLICE_LIT(SESSION),
		.init_data = init_data,
		.now = 1793491200,
		.hygon_root = csv_sim_root(w->sim),
		.collateral = collateral_store_provider(w->store)};

	assert_non_null(evidence);
	assert_int_equal(evidence_verify("csv", &q, &result, NULL), 0);
	json_decref(evidence);
	if ((result.verdict == EVIDENCE_ACCEPT) != (reason == NULL))
		fail_msg("%s", reason ? reason : result.reason);
	if (reason && !str_starts(result.reason, reason))
		fail_msg("%s, not %s", result.reason, reason);
	if (ret_claims)
		*ret_claims = json_incref(result.claims);
}

static void test_evidence(void **state)
{
	cleanup_with(world_done) struct world w = new_world(), other = new_world();
	struct csv_sim_report r = {.policy = CSV_POLICY_NODBG, .report_data = SLICE_LIT(SESSION)};

	for (r.version = 1; r.version <= 2; r.version++) {
		const struct csv_sim_report good = r;
		expect(&w, csv_sim_evidence(w.sim, &r, true), SLICE_EMPTY, NULL, NULL);
		expect(&w, csv_sim_evidence(w.sim, &r, false), SLICE_EMPTY, NULL, NULL);
		expect(&w, csv_sim_raw(w.sim, &r), SLICE_EMPTY, NULL, NULL);
		r.restored = true;
		expect(&w, csv_sim_evidence(w.sim, &r, true), SLICE_EMPTY, NULL, NULL);
		r.other_pek = true;
		expect(&w, csv_sim_evidence(w.sim, &r, true), SLICE_EMPTY, "report signature",
			NULL);
		r = good;
		r.report_data = SLICE_LIT("another session");
		expect(&w, csv_sim_raw(w.sim, &r), SLICE_EMPTY, "report data", NULL);
		r = good;
		expect(&w, csv_sim_raw(w.sim, &r), SLICE_LIT("0123456789abcdef0123456789abcdef"),
			"initdata", NULL);
		expect(&w, csv_sim_evidence(other.sim, &r, true), SLICE_EMPTY, "HSK certificate",
			NULL);
		expect(&w, csv_sim_evidence(other.sim, &r, false), SLICE_EMPTY, "PEK certificate",
			NULL);
	}
}

static void test_claims(void **state)
{
	cleanup_with(world_done) struct world w = new_world();
	cleanup(json_decref) json_t *v1 = NULL, *v2 = NULL;
	struct csv_sim_report r = {.policy = 0x0A0B1241, .report_data = SLICE_LIT(SESSION)};

	expect(&w, csv_sim_evidence(w.sim, &r, true), SLICE_EMPTY, NULL, &v1);
	const json_t *policy = json_object_get(v1, "policy");
	assert_int_equal(json_integer_value(json_object_get(policy, "nodbg")), 1);
	assert_int_equal(json_integer_value(json_object_get(policy, "csv3")), 1);
	assert_int_equal(json_integer_value(json_object_get(policy, "hsk_version")), 2);
	assert_int_equal(json_integer_value(json_object_get(policy, "cek_version")), 1);
	assert_int_equal(json_integer_value(json_object_get(policy, "api_major")), 11);
	assert_int_equal(json_integer_value(json_object_get(policy, "api_minor")), 10);
	assert_string_equal(json_string_value(json_object_get(v1, "sig_usage")), "02100000");
	assert_string_equal(json_string_value(json_object_get(v1, "anonce")), "26d7c75d");
	assert_string_equal(
		json_string_value(json_object_get(v1, "serial_number")), CSV_SIM_SERIAL);
	assert_true(json_is_false(json_object_get(v1, "serial_number_known")));
	r.version = 2;
	expect(&w, csv_sim_raw(w.sim, &r), SLICE_EMPTY, NULL, &v2);
	assert_int_equal(json_integer_value(json_object_get(v2, "rtmr_version")), 1);
	assert_true(json_is_true(json_object_get(v2, "serial_number_known")));
}

/* Structures that are not Trustee's. */
static void test_json_refused(void **state)
{
	static const char *const members[] = {"attestation_report", "cert_chain", "serial_number"};
	cleanup_with(world_done) struct world w = new_world();
	const struct csv_sim_report r = {.report_data = SLICE_LIT(SESSION)};

	for (size_t i = 0; i < ARRAY_COUNT(members); i++) {
		json_t *evidence = csv_sim_evidence(w.sim, &r, true);
		json_object_del(evidence, members[i]);
		expect(&w, evidence, SLICE_EMPTY, "evidence format", NULL);
	}
	json_t *evidence = csv_sim_evidence(w.sim, &r, true);
	json_object_set_new(
		json_object_get(evidence, "attestation_report"), "magic", json_pack("[i]", 1));
	expect(&w, evidence, SLICE_EMPTY, "evidence format: the magic", NULL);
	evidence = csv_sim_evidence(w.sim, &r, true);
	json_object_set_new(evidence, "cc_eventlog", json_string("AAAA"));
	/* Version 1 has no registers: its log is ignored, and no claim. */
	cleanup(json_decref) json_t *claims = NULL;
	expect(&w, evidence, SLICE_EMPTY, NULL, &claims);
	assert_null(json_object_get(claims, "uefi_event_logs"));
	evidence = csv_sim_evidence(w.sim, &r, true);
	json_array_set_new(json_object_get(evidence, "serial_number"), 0, json_integer('X'));
	expect(&w, evidence, SLICE_EMPTY, "serial number", NULL);
}

/* The head of a log whose digests are SM3. */
static void start_log(struct buf *log)
{
	buf_put_u32le(log, 0);
	buf_put_u32le(log, 3); /* EV_NO_ACTION */
	buf_put_zero(log, 20);
	buf_put_u32le(log, 33);
	buf_put(log, "Spec ID Event03", 16);
	buf_put_zero(log, 4);
	buf_put(log, "\0\2\0\2", 4);
	buf_put_u32le(log, 1);
	buf_put_u16le(log, 0x12);
	buf_put_u16le(log, 32);
	buf_put_u8(log, 0);
}

/* The simulated registers are zero, as after a log without events. */
static void test_event_log(void **state)
{
	cleanup_with(world_done) struct world w = new_world();
	cleanup_with(buf_done) struct buf log = buf_init(0);
	cleanup(json_decref) json_t *claims = NULL;
	const struct csv_sim_report r = {.version = 2, .report_data = SLICE_LIT(SESSION)};
	json_t *evidence = csv_sim_evidence(w.sim, &r, true);

	start_log(&log);
	assert_int_equal(json_set_b64(evidence, "cc_eventlog", buf_slice(&log), B64_STD), 0);
	expect(&w, evidence, SLICE_EMPTY, NULL, &claims);
	assert_true(json_is_array(json_object_get(claims, "uefi_event_logs")));
	/* An event that no register knows. */
	buf_put_u32le(&log, 2);
	buf_put_u32le(&log, 13); /* EV_IPL */
	buf_put_u32le(&log, 1);
	buf_put_u16le(&log, 0x12);
	buf_put_zero(&log, 32);
	buf_put_u32le(&log, 4);
	buf_put_str(&log, "text");
	evidence = csv_sim_evidence(w.sim, &r, true);
	assert_int_equal(json_set_b64(evidence, "cc_eventlog", buf_slice(&log), B64_STD), 0);
	expect(&w, evidence, SLICE_EMPTY, "event log replay of RTMR 2", NULL);
	evidence = csv_sim_evidence(w.sim, &r, true);
	log.size -= 5; /* cut */
	assert_int_equal(json_set_b64(evidence, "cc_eventlog", buf_slice(&log), B64_STD), 0);
	expect(&w, evidence, SLICE_EMPTY, "event log format", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mutations),
		cmocka_unit_test(test_truncations),
		cmocka_unit_test(test_certificates_refused),
		cmocka_unit_test(test_collateral_keys),
		cmocka_unit_test(test_evidence),
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_json_refused),
		cmocka_unit_test(test_event_log),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
