/* SPDX-License-Identifier: Apache-2.0 */
/* How the default policy appraises the smaller rooms: whole attestation messages of simulators. */
#include "appraise.h"
#include "evidence/se.h"
#include "fmt/csv.h"
#include "support/cca_sim.h"
#include "support/csv_sim.h"
#include "support/se_sim.h"
#include "support/tpm_sim.h"

#define NOW 1793491200 /* 2026-11-01T00:00:00Z */

struct service {
	struct appraiser a;
	struct digest report_data, se_report_data;
};

static struct service new_service(json_t *collateral)
{
	struct service s = {.a = appraiser_new(collateral, NOW)};

	s.report_data = binding(&s.a, HASH_SHA384);
	s.se_report_data = binding(&s.a, HASH_SHA512);
	return s;
}

static void service_done(struct service *s)
{
	appraiser_done(&s->a);
}

static void refer_text(struct service *s, const char *name, const char *value)
{
	refer(&s->a, name, json_pack("[s]", value));
}

/* @evidence is consumed. */
static void appraise(struct service *s, const char *tee, json_t *evidence, const char *status,
	int executables, int hardware, int configuration)
{
	cleanup(json_decref) json_t *outcome = attest_as(&s->a, tee, evidence);

	json_decref(evidence);
	check_vector(outcome, status, executables, hardware, configuration);
}

/* Likewise. */
static void refuse(struct service *s, const char *tee, json_t *evidence, const char *reason)
{
	cleanup(json_decref) json_t *outcome = attest_as(&s->a, tee, evidence);

	json_decref(evidence);
	check_refusal(outcome, reason);
}

static void refer_b64(struct service *s, const char *name, struct slice value)
{
	cleanup_with(buf_done) struct buf text = buf_init(0);
	b64_encode(&text, value, B64_STD);
	refer_text(s, name, buf_str(&text));
}

static void test_cca(void **state)
{
	static const uint8_t realm[32] = {0x11}, firmware[32] = {0x22};
	cleanup(cca_sim_free) struct cca_sim *sim = cca_sim_new(KEY_NONE);
	cleanup_with(service_done) struct service s = new_service(cca_sim_publish(sim));
	struct cca_sim_token t = {.report_data = digest_slice(&s.report_data)};

	appraise(&s, "cca", cca_sim_evidence(sim, &t), "warning", 33, 32, 3);
	refer_b64(&s, "cca.realm.cca-realm-initial-measurement", slice_of(realm, sizeof(realm)));
	appraise(&s, "cca", cca_sim_evidence(sim, &t), "warning", 3, 32, 3);
	refer_b64(&s, "cca.platform.cca-platform-sw-components",
		slice_of(firmware, sizeof(firmware)));
	appraise(&s, "cca", cca_sim_evidence(sim, &t), "affirming", 3, 2, 3);
	refer_b64(&s, "cca.platform.cca-platform-config", SLICE_LIT("\xCF\xCF"));
	appraise(&s, "cca", cca_sim_evidence(sim, &t), "affirming", 3, 2, 2);
	/* Non-secure debug; a debugged platform can look into every realm. */
	t.lifecycle = 0x4001;
	appraise(&s, "cca", cca_sim_evidence(sim, &t), "contraindicated", 3, 2, 96);
	t.lifecycle = 0;
	t.report_data = SLICE_LIT("of another session");
	refuse(&s, "cca", cca_sim_evidence(sim, &t), "report data");
}

static void test_csv(void **state)
{
	static const uint8_t measure[32] = {0x77};
	cleanup(csv_sim_free) struct csv_sim *sim = csv_sim_new();
	cleanup_with(service_done) struct service s = new_service(csv_sim_publish(sim));
	struct csv_sim_report r = {.policy = CSV_POLICY_NODBG,
		.report_data = digest_slice(&s.report_data),
		.measure = slice_of(measure, sizeof(measure))};
	char hex[2 * 32 + 1];

	refuse(&s, "csv", csv_sim_evidence(sim, &r, true), "HSK certificate");
	as_trust_insecure_hygon_root(s.a.as, csv_sim_root(sim));
	appraise(&s, "csv", csv_sim_evidence(sim, &r, true), "warning", 33, 2, 3);
	refer_text(&s, "csv_measure", hex_str(slice_of(measure, 32), hex, sizeof(hex)));
	appraise(&s, "csv", csv_sim_evidence(sim, &r, true), "affirming", 3, 2, 3);
	r.policy |= CSV_POLICY_NOKS | CSV_POLICY_NOSEND;
	appraise(&s, "csv", csv_sim_evidence(sim, &r, false), "affirming", 3, 2, 2);
	r.version = 2; /* whose build nobody approved */
	appraise(&s, "csv", csv_sim_evidence(sim, &r, true), "warning", 3, 32, 2);
	r.policy = 0;
	appraise(&s, "csv", csv_sim_evidence(sim, &r, true), "contraindicated", 3, 32, 96);
}

static void test_dcu(void **state)
{
	static const uint8_t measure[32] = {[0 ... 31] = 0x33};
	cleanup(csv_sim_free) struct csv_sim *sim = csv_sim_new();
	cleanup_with(service_done) struct service s = new_service(csv_sim_publish(sim));
	char hex[2 * 32 + 1];

	assert_int_equal(
		as_set_policy(s.a.as, "default_dcu", as_default_policy("default_dcu"), NULL), 0);
	refuse(&s, "hygondcu", csv_sim_dcu_evidence(sim, digest_slice(&s.report_data), 1),
		"HSK certificate");
	as_trust_insecure_hygon_root(s.a.as, csv_sim_root(sim));
	refuse(&s, "hygondcu", csv_sim_dcu_evidence(sim, SLICE_LIT("another"), 1), "report data");
	refuse(&s, "hygondcu", csv_sim_dcu_evidence(sim, SLICE_EMPTY, 0), "there is no report");
	appraise(&s, "hygondcu", csv_sim_dcu_evidence(sim, digest_slice(&s.report_data), 2),
		"warning", 33, 2, 0);
	refer_text(&s, "dcu_measure", hex_str(slice_of(measure, 32), hex, sizeof(hex)));
	appraise(&s, "hygondcu", csv_sim_dcu_evidence(sim, digest_slice(&s.report_data), 2),
		"affirming", 3, 2, 0);
}

static json_t *se_evidence(const struct digest *report_data, const struct se_sim *sim)
{
	struct pkey *hosts[] = {se_sim_host_key(sim)};
	struct se_tags tags = se_sim_tags(sim);
	cleanup(json_decref) json_t *challenge = NULL;
	uint8_t user[64] = {0};

	memcpy(user, report_data->bytes, report_data->size);
	assert_int_equal(se_challenge(se_sim_wrapping_key(sim), &tags, hosts, 1, &challenge), 0);
	return se_sim_answer(sim, challenge, slice_of(user, sizeof(user)));
}

static void test_se(void **state)
{
	cleanup(se_sim_free) struct se_sim *sim = se_sim_new();
	cleanup_with(service_done) struct service s = new_service(json_pack("{s:{}}", "items"));
	cleanup_with(buf_done) struct buf pem = buf_init_secret(0);
	char hex[2 * 16 + 1];

	refuse(&s, "se", se_evidence(&s.se_report_data, sim), "wrapping key");
	assert_int_equal(pkey_to_pem_private(se_sim_wrapping_key(sim), &pem), 0);
	assert_int_equal(as_set_ibm_key(s.a.as, SLICE_LIT("no key"), NULL), -EBADMSG);
	assert_int_equal(as_set_ibm_key(s.a.as, buf_slice(&pem), NULL), 0);
	appraise(&s, "se", se_evidence(&s.se_report_data, sim), "warning", 33, 2, 36);
	refer_text(&s, "se_tag", hex_str(se_sim_tags(sim).tag, hex, sizeof(hex)));
	appraise(&s, "se", se_evidence(&s.se_report_data, sim), "affirming", 3, 2, 3);
	refuse(&s, "se", se_evidence(&s.report_data, sim), "report data");
}

/* A key that nobody registered is trusted when its certificate leads to a known CA. */
static void test_tpm(void **state)
{
	static const char zero[] =
		"0000000000000000000000000000000000000000000000000000000000000000";
	const struct tpm_sim_options none = {0};
	cleanup_with(tpm_sim_done) struct tpm_sim sim;
	assert_int_equal(tpm_sim_new(&none, &sim), 0);
	cleanup_with(service_done) struct service s = new_service(collateral_store_save(sim.store));
	struct slice nonce = digest_slice(&s.report_data);
	json_t *plain = tpm_sim_evidence(&sim, nonce);

	refer_text(&s, "tpm_pcr00", zero);
	refer_text(&s, "tpm_pcr08", zero);
	refer_text(&s, "tpm_pcr09", zero);
	appraise(&s, "tpm", tpm_sim_evidence(&sim, nonce), "warning", 3, 32, 2);
	json_object_del(plain, "ak_certificate");
	appraise(&s, "tpm", plain, "contraindicated", 33, 97, 36);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cca),
		cmocka_unit_test(test_csv),
		cmocka_unit_test(test_dcu),
		cmocka_unit_test(test_se),
		cmocka_unit_test(test_tpm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
