/* SPDX-License-Identifier: Apache-2.0 */
/* How the default policy appraises SNP: whole attestation messages from a simulated AMD. */
#include "appraise.h"
#include "fmt/tpm.h"
#include "support/snp_sim.h"

#define SMT_POLICY 0x30000
#define DEBUG_POLICY 0xB0000
#define MIGRATE_POLICY 0x70000
#define INITDATA "version = \"0.1.0\"\nalgorithm = \"sha256\"\n[data]\n"

struct service {
	struct snp_sim *sim;
	struct appraiser a;
	uint8_t measurement[48];
	struct digest report_data, host_data;
};

static void refer_hardware(struct service *s)
{
	refer(&s->a, "snp_bootloader", json_pack("[i, i]", 3, 4));
	refer(&s->a, "snp_microcode", json_pack("[i]", 219));
	refer(&s->a, "snp_snp_svn", json_pack("[i]", 24));
	refer(&s->a, "snp_tee_svn", json_pack("[i]", 0));
}

static void refer_measurement(struct service *s)
{
	char hex[2 * 48 + 1];
	refer(&s->a, "snp_launch_measurement",
		json_pack("[s]", hex_str(slice_of(s->measurement, 48), hex, sizeof(hex))));
}

static void refer_configuration(struct service *s)
{
	refer(&s->a, "snp_smt_enabled", json_true());
	refer(&s->a, "snp_tsme_enabled", json_false());
	refer(&s->a, "snp_guest_abi_major", json_integer(0));
	refer(&s->a, "snp_guest_abi_minor", json_integer(0));
	refer(&s->a, "snp_single_socket", json_false());
	refer(&s->a, "snp_smt_allowed", json_true());
}

static struct service new_service(const struct snp_sim_options *o)
{
	struct service s = {.sim = snp_sim_new(o)};

	assert_non_null(s.sim);
	s.a = appraiser_new(snp_sim_publish_text(s.sim), SNP_SIM_NOW);
	as_trust_insecure_amd_root(s.a.as, snp_sim_root(s.sim));
	memset(s.measurement, 0x3C, sizeof(s.measurement));
	return s;
}

static void service_done(struct service *s)
{
	snp_sim_free(s->sim);
	appraiser_done(&s->a);
}

/* A report as this guest would ask for it. */
static struct snp_sim_report good_report(struct service *s)
{
	s->report_data = binding(&s->a, HASH_SHA384);
	struct snp_sim_report r = {.policy = SMT_POLICY,
		.platform_info = 1,
		.report_data = digest_slice(&s->report_data),
		.measurement = slice_of(s->measurement, sizeof(s->measurement))};
	if (s->a.init_data) {
		assert_int_equal(
			hash_once(HASH_SHA256, slice_str(s->a.init_data), &s->host_data), 0);
		r.host_data = digest_slice(&s->host_data);
	}
	return r;
}

static json_t *attest(struct service *s, const struct snp_sim_report *r)
{
	cleanup(json_decref) json_t *evidence = snp_sim_evidence(s->sim, r);
	return attest_as(&s->a, "snp", evidence);
}

static void appraise(struct service *s, const struct snp_sim_report *r, const char *status,
	int executables, int hardware, int configuration)
{
	cleanup(json_decref) json_t *outcome = attest(s, r);
	check_vector(outcome, status, executables, hardware, configuration);
}

static void refuse(struct service *s, const struct snp_sim_report *r, const char *reason)
{
	cleanup(json_decref) json_t *outcome = attest(s, r);
	check_refusal(outcome, reason);
}

static void test_affirmed(void **state)
{
	static const struct snp_sim_options worlds[] = {{.product = SNP_MILAN},
		{.product = SNP_GENOA, .wrapped_hwid = true}, {.product = SNP_MILAN, .vlek = true}};

	for (size_t i = 0; i < ARRAY_COUNT(worlds); i++) {
		cleanup_with(service_done) struct service s = new_service(&worlds[i]);
		struct snp_sim_report r = good_report(&s);
		/* Nothing is registered: nothing is affirmed but that the guest is closed. */
		appraise(&s, &r, "contraindicated", 33, 97, 3);
		refer_measurement(&s);
		appraise(&s, &r, "contraindicated", 3, 97, 3);
		refer_hardware(&s);
		appraise(&s, &r, "affirming", 3, 2, 3);
		refer_configuration(&s);
		appraise(&s, &r, "affirming", 3, 2, 2);
		r.version = i == 1 ? 5 : 2;
		appraise(&s, &r, "affirming", 3, 2, 2);
		/* TSME on: not what is registered, but nothing that opens the guest. */
		r.platform_info = 3;
		appraise(&s, &r, "affirming", 3, 2, 3);
		s.measurement[0] ^= 1;
		appraise(&s, &r, "warning", 33, 2, 3);
	}
}

static void test_turin(void **state)
{
	cleanup_with(service_done) struct service s =
		new_service(&(struct snp_sim_options){.product = SNP_TURIN});
	struct snp_sim_report r = good_report(&s);
	refer_measurement(&s);
	refer_hardware(&s);
	appraise(&s, &r, "affirming", 3, 2, 3);
	r.version = 2; /* no Turin ever spoke version 2 */
	refuse(&s, &r, "");
}

static void test_open_guests(void **state)
{
	cleanup_with(service_done) struct service s = new_service(NULL);
	struct snp_sim_report r = good_report(&s);
	refer_measurement(&s);
	refer_hardware(&s);
	refer_configuration(&s);
	r.policy = DEBUG_POLICY;
	appraise(&s, &r, "contraindicated", 3, 2, 96);
	r.policy = MIGRATE_POLICY;
	appraise(&s, &r, "contraindicated", 3, 2, 96);
}

static void test_initdata(void **state)
{
	cleanup_with(service_done) struct service s = new_service(NULL);
	s.a.init_data = INITDATA;
	struct snp_sim_report r = good_report(&s);
	refer_measurement(&s);
	refer_hardware(&s);
	appraise(&s, &r, "affirming", 3, 2, 3);
	r.host_data = SLICE_EMPTY;
	refuse(&s, &r, "initdata");
}

static void test_reports(void **state)
{
	cleanup_with(service_done) struct service s = new_service(NULL);
	struct snp_sim_report r = good_report(&s);
	const struct snp_sim_report good = r;

	r.report_data = SLICE_LIT("of another session");
	refuse(&s, &r, "report data");
	r = good;
	r.vmpl = 1;
	refuse(&s, &r, "VMPL");
	r = good;
	r.tcb_offset = 1;
	refuse(&s, &r, "TCB");
	r = good;
	r.other_chip = true;
	refuse(&s, &r, "chip id");
	r = good;
	r.masked_chip = true;
	refuse(&s, &r, "chip id");
	assert_int_equal(snp_sim_new_chip(s.sim), 0);
	appraise(&s, &good, "contraindicated", 33, 97, 3);
}

static void test_worlds(void **state)
{
	static const struct {
		struct snp_sim_options o;
		const char *reason;
	} worlds[] = {
		{{.expired_vek = true}, "expired"},
		{{.expired_crl = true}, "CRL has expired"},
		{{.revoked_ask = true}, "revoked"},
		{{.foreign_crl = true}, "revocation list"},
		{{.vlek = true, .vlek_by_ask = true}, "certificate chain"},
		{{.rsa_vek = true}, "P-384"},
	};

	for (size_t i = 0; i < ARRAY_COUNT(worlds); i++) {
		cleanup_with(service_done) struct service s = new_service(&worlds[i].o);
		struct snp_sim_report r = good_report(&s);
		refuse(&s, &r, worlds[i].reason);
	}
}

/* Without collateral nothing says that no certificate was revoked. */
static void test_no_collateral(void **state)
{
	cleanup_with(service_done) struct service s = new_service(NULL);
	struct snp_sim_report r = good_report(&s);
	cleanup(json_decref) json_t *empty = json_pack("{s:{}}", "items");
	assert_int_equal(as_set_collateral(s.a.as, empty, NULL), 0);
	cleanup(json_decref) json_t *outcome = attest(&s, &r);
	assert_true(json_is_false(json_object_get(outcome, "accepted")));
	const json_t *missing = json_object_get(outcome, "missing");
	assert_string_equal(json_string_value(json_array_get(missing, 0)), "amd/milan/vcek/crl");
}

/* A TPMS_ATTEST: quote over all PCRs, which are zero, of the SHA-256 bank. */
static void make_quote(struct slice nonce, struct buf *out)
{
	static const uint8_t zero[24 * 32];
	struct digest d;

	assert_int_equal(hash_once(HASH_SHA256, slice_of(zero, sizeof(zero)), &d), 0);
	buf_put_u32be(out, TPM_GENERATED_VALUE);
	buf_put_u16be(out, TPM_ST_ATTEST_QUOTE);
	buf_put_u16be(out, 0);
	buf_put_u16be(out, (uint16_t)nonce.size);
	buf_put_slice(out, nonce);
	buf_put_zero(out, 16);
	buf_put_u8(out, 1);
	buf_put_zero(out, 8);
	buf_put_u32be(out, 1);
	buf_put_u16be(out, TPM_ALG_SHA256);
	buf_put_u32be(out, 0x03FFFFFF);
	buf_put_u16be(out, 32);
	buf_put_slice(out, digest_slice(&d));
}

/* The paravisor's report: variable data that name the vTPM's key and the session, and an SNP report
 * over them. */
static void make_hcl(struct service *s, const struct pkey *ak, uint64_t policy, struct buf *out)
{
	cleanup_with(buf_done) struct buf data = buf_init(0), user = buf_init(0);
	cleanup(json_decref) json_t *jwk = pkey_to_jwk(ak);
	uint8_t report[SNP_REPORT_SIZE];
	struct digest d;

	hex_encode(&user, digest_slice(&s->report_data));
	assert_int_equal(json_object_set_new(jwk, "kid", json_string("HCLAkPub")), 0);
	cleanup(json_decref) json_t *variable =
		json_pack("{s:[O], s:s}", "keys", jwk, "user-data", buf_str(&user));
	assert_int_equal(json_write(variable, &data), 0);
	assert_int_equal(hash_once(HASH_SHA256, buf_slice(&data), &d), 0);
	const struct snp_sim_report r = {.policy = policy,
		.report_data = digest_slice(&d),
		.measurement = slice_of(s->measurement, sizeof(s->measurement))};
	assert_int_equal(snp_sim_report(s->sim, &r, report), 0);
	buf_put_str(out, "HCLA");
	buf_put_zero(out, 28);
	buf_put(out, report, sizeof(report));
	buf_put_u32le(out, (uint32_t)data.size + 20);
	buf_put_u32le(out, 1);
	buf_put_u32le(out, 2);
	buf_put_u32le(out, 1);
	buf_put_u32le(out, (uint32_t)data.size);
	buf_put_slice(out, buf_slice(&data));
}

static json_t *azure_evidence(struct service *s, const struct pkey *ak, uint64_t policy)
{
	cleanup_with(buf_done) struct buf quote = buf_init(0), signature = buf_init(0),
					  hcl = buf_init(0);
	json_t *pcrs = json_array(), *tpm = json_pack("{s:o}", "pcrs", pcrs),
	       *evidence = json_pack("{s:i, s:o}", "version", 2, "tpm_quote", tpm);
	char zero[65];

	memset(zero, '0', 64);
	zero[64] = 0;
	for (size_t i = 0; i < 24; i++)
		assert_int_equal(json_array_append_new(pcrs, json_string(zero)), 0);
	s->report_data = binding(&s->a, HASH_SHA384);
	make_quote(digest_slice(&s->report_data), &quote);
	assert_int_equal(pkey_sign(ak, SIG_RS256, buf_slice(&quote), &signature), 0);
	make_hcl(s, ak, policy, &hcl);
	assert_int_equal(json_set_hex(tpm, "message", buf_slice(&quote)), 0);
	assert_int_equal(json_set_hex(tpm, "signature", buf_slice(&signature)), 0);
	assert_int_equal(json_set_b64(evidence, "hcl_report", buf_slice(&hcl), B64_URL), 0);
	assert_int_equal(json_set_b64(evidence, "vcek", snp_sim_vek(s->sim), B64_URL), 0);
	return evidence;
}

static void appraise_azure(struct service *s, const struct pkey *ak, uint64_t policy,
	const char *status, int executables, int hardware, int configuration)
{
	cleanup(json_decref) json_t *evidence = azure_evidence(s, ak, policy);
	cleanup(json_decref) json_t *outcome = attest_as(&s->a, "az-snp-vtpm", evidence);
	check_vector(outcome, status, executables, hardware, configuration);
}

static void refer_azure(struct service *s)
{
	static const char *const values[][2] = {{"tcb_bootloader", "4"}, {"tcb_microcode", "219"},
		{"tcb_snp", "24"}, {"tcb_tee", "0"}, {"smt_enabled", "false"},
		{"tsme_enabled", "false"}, {"abi_major", "0"}, {"abi_minor", "0"},
		{"single_socket", "false"}, {"smt_allowed", "true"}};
	cleanup_with(buf_done) struct buf text = buf_init(0);

	for (size_t i = 0; i < ARRAY_COUNT(values); i++)
		refer(&s->a, values[i][0], json_pack("[s]", values[i][1]));
	b64_encode(&text, slice_of(s->measurement, sizeof(s->measurement)), B64_STD);
	refer(&s->a, "measurement", json_pack("[s]", buf_str(&text)));
	refer(&s->a, "snp_pcr11",
		json_pack(
			"[s]", "0000000000000000000000000000000000000000000000000000000000000000"));
}

static void test_azure(void **state)
{
	cleanup_with(service_done) struct service s = new_service(NULL);
	cleanup(pkey_free) struct pkey *ak = NULL;

	assert_int_equal(pkey_generate(KEY_RSA, 2048, &ak), 0);
	appraise_azure(&s, ak, SMT_POLICY, "contraindicated", 33, 97, 36);
	refer_azure(&s);
	appraise_azure(&s, ak, SMT_POLICY, "affirming", 3, 2, 2);
	appraise_azure(&s, ak, DEBUG_POLICY, "contraindicated", 3, 2, 96);
	appraise_azure(&s, ak, MIGRATE_POLICY, "contraindicated", 3, 2, 96);
}

static void test_wrong_root(void **state)
{
	cleanup_with(service_done) struct service s = new_service(NULL), other = new_service(NULL);
	struct snp_sim_report r = good_report(&s);
	as_trust_insecure_amd_root(s.a.as, snp_sim_root(other.sim));
	refuse(&s, &r, "AMD root key");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_affirmed),
		cmocka_unit_test(test_turin),
		cmocka_unit_test(test_open_guests),
		cmocka_unit_test(test_initdata),
		cmocka_unit_test(test_reports),
		cmocka_unit_test(test_worlds),
		cmocka_unit_test(test_no_collateral),
		cmocka_unit_test(test_azure),
		cmocka_unit_test(test_wrong_root),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
