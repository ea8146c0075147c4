/* SPDX-License-Identifier: Apache-2.0 */
/* SNP reports: golden vectors, their mutations, and what the parsers refuse. */
#include "vectors.h"

#include <fcntl.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/path.h"
#include "base/str.h"
#include "evidence/collateral_file.h"
#include "evidence/snp.h"

#define TODAY 1795392000 /* 2026-11-23T00:00:00Z, the day that the vectors count from */

/* A case: its report, its certificates and how to look at them. */
struct material {
	json_t *expected;
	struct buf report, pem, crl;
	struct snp_certs certs;
	struct digest root;
	struct collateral_store *store;
	struct evidence_request request;
};

static const char *expect_str(const struct material *m, const char *name)
{
	return json_string_value(json_object_get(m->expected, name));
}

/* Cuts PEM text into its certificates: VEK, ASK or ASVK, ARK. */
static void split_chain(struct material *m)
{
	struct slice *const to[] = {&m->certs.vek, &m->certs.ask, &m->certs.ark};
	const char *at = buf_str(&m->pem), *end;
	static const char mark[] = "-----END CERTIFICATE-----";

	for (size_t i = 0; i < ARRAY_COUNT(to) && (end = strstr(at, mark)) != NULL; i++) {
		end += sizeof(mark) - 1;
		*to[i] = slice_of(at, (size_t)(end - at));
		at = end + strspn(end, "\r\n");
	}
}

static void use_anchor(struct material *m)
{
	cleanup(cert_free) struct cert *c = NULL;
	assert_int_equal(certs_from_pem(m->certs.ark, &c, 1, NULL), 1);
	assert_int_equal(cert_spki_digest(c, HASH_SHA256, &m->root), 0);
	m->request.amd_roots = &m->root;
	m->request.amd_root_count = 1;
}

static void use_crl(struct material *m, const char *name)
{
	char key[64];
	const char *product = expect_str(m, "product");
	vectors_read("snp", name, "crl.der", &m->crl);
	snprintf(key, sizeof(key), "amd/%s/%s/crl",
		streq(product, "Milan")	  ? "milan"
		: streq(product, "Genoa") ? "genoa"
					  : "turin",
		strstr(name, "vlek") ? "vlek" : "vcek");
	assert_int_equal(collateral_store_put(m->store, key, buf_slice(&m->crl)), 0);
}

static void material_load(struct material *m, const char *name)
{
	*m = (struct material){.report = buf_init(0), .pem = buf_init(0), .crl = buf_init(0)};
	m->expected = vectors_json("snp", name, "expected.json");
	m->store = collateral_store_new();
	assert_non_null(m->store);
	json_t *files = json_object_get(m->expected, "files");
	vectors_read("snp", name, "report.bin", &m->report);
	if (json_object_get(files, "certs")) {
		vectors_read("snp", name, "certs.pem", &m->pem);
		split_chain(m);
	}
	m->request = (struct evidence_request){.now = TODAY,
		.snp_vmpl_max = 3,
		.insecure_no_revocation_list = true,
		.collateral = collateral_store_provider(m->store)};
	if (json_object_get(files, "crl"))
		use_crl(m, name);
	if (expect_str(m, "trust_anchor"))
		use_anchor(m);
	/* A certificate that is out of its dates at every time of interest: today says so. */
	const char *at = expect_str(m, "verify_at"), *reason = expect_str(m, "reason");
	if (at && !(reason && str_starts(reason, "time:")))
		assert_int_equal(rfc3339_parse(slice_str(at), &m->request.now), 0);
}

static void material_done(struct material *m)
{
	json_decref(m->expected);
	buf_done(&m->report);
	buf_done(&m->pem);
	buf_done(&m->crl);
	collateral_store_free(m->store);
}

/* Return: 0 accepted, -EACCES refused. */
static int verify(const struct material *m, struct slice report, struct snp_report *ret,
	const struct snp_vek **ret_vek, char *reason)
{
	struct evidence_result result = {.checks = json_array()};
	const struct snp_vek *vek = NULL;
	struct snp_report r;

	int e = snp_verify(&m->request, report, &m->certs, &result, &r, &vek);
	if (e != 0 && e != -EACCES)
		fail_msg("verification failed with %d", e);
	assert_int_equal(e == -EACCES, result.reason[0] != 0);
	if (reason)
		snprintf(reason, EVIDENCE_REASON_SIZE, "%s", result.reason);
	if (e == 0 && ret) {
		*ret = r;
		*ret_vek = vek;
	}
	evidence_result_done(&result);
	return e;
}

static void expect_hex(const json_t *fields, const char *name, struct slice got)
{
	char hex[2 * 64 + 1];
	const char *want = json_string_value(json_object_get(fields, name));
	if (!want)
		fail_msg("no field %s", name);
	assert_string_equal(want, hex_str(got, hex, sizeof(hex)));
}

static void expect_int(const json_t *fields, const char *name, uint64_t got)
{
	assert_int_equal(json_integer_value(json_object_get(fields, name)), got);
}

static void expect_tcb(const json_t *fields, const char *name, struct slice raw, enum snp_product p)
{
	struct snp_tcb t = snp_tcb_decode(raw, p);
	const json_t *want = json_object_get(fields, name);
	uint8_t again[8];

	expect_hex(want, "raw", raw);
	expect_int(want, "bootloader", t.bootloader);
	expect_int(want, "tee", t.tee);
	expect_int(want, "snp", t.snp);
	expect_int(want, "microcode", t.microcode);
	snp_tcb_encode(&t, p, again);
	assert_memory_equal(again, raw.data, 8);
}

static void expect_fields(const json_t *f, const struct snp_report *r, enum snp_product p)
{
	char policy[32];

	expect_int(f, "version", r->version);
	expect_int(f, "guest_svn", r->guest_svn);
	expect_int(f, "vmpl", r->vmpl);
	snprintf(policy, sizeof(policy), "0x%llx", (unsigned long long)r->policy);
	assert_string_equal(policy, json_string_value(json_object_get(f, "policy")));
	expect_hex(f, "family_id", r->family_id);
	expect_hex(f, "image_id", r->image_id);
	expect_hex(f, "report_data", r->report_data);
	expect_hex(f, "measurement", r->measurement);
	expect_hex(f, "host_data", r->host_data);
	expect_hex(f, "id_key_digest", r->id_key_digest);
	expect_hex(f, "author_key_digest", r->author_key_digest);
	expect_hex(f, "report_id", r->report_id);
	expect_hex(f, "report_id_ma", r->report_id_ma);
	expect_hex(f, "chip_id", r->chip_id);
	if (r->has_cpuid) {
		expect_int(f, "cpuid_fam_id", r->family);
		expect_int(f, "cpuid_mod_id", r->model);
		expect_int(f, "cpuid_step", r->stepping);
	}
	expect_tcb(f, "current_tcb", r->current_tcb, p);
	expect_tcb(f, "reported_tcb", r->reported_tcb, p);
	expect_tcb(f, "committed_tcb", r->committed_tcb, p);
	expect_tcb(f, "launch_tcb", r->launch_tcb, p);
	snprintf(policy, sizeof(policy), "%u.%u.%u", r->current_major, r->current_minor,
		r->current_build);
	assert_string_equal(policy, json_string_value(json_object_get(f, "current_version")));
	assert_int_equal(snp_bit(r->policy, SNP_POLICY_DEBUG),
		json_is_true(json_object_get(f, "policy_debug")));
	assert_string_equal(r->signing_key == SNP_KEY_VLEK ? "vlek" : "vcek",
		json_string_value(json_object_get(f, "signing_key")));
}

static void for_each_case(void (*run)(const char *name, struct material *m))
{
	char path[1024];
	struct dirent *d;

	snprintf(path, sizeof(path), "%s/snp", vectors_dir());
	DIR *dir = opendir(path);
	assert_non_null(dir);
	while ((d = readdir(dir)) != NULL) {
		struct material m;
		if (d->d_name[0] == '.')
			continue;
		material_load(&m, d->d_name);
		run(d->d_name, &m);
		material_done(&m);
	}
	closedir(dir);
}

static void run_case(const char *name, struct material *m)
{
	char reason[EVIDENCE_REASON_SIZE];
	const struct snp_vek *vek;
	struct snp_report r;
	const char *verdict = expect_str(m, "verdict");

	if (streq(verdict, "parse-only")) {
		assert_int_equal(snp_report_parse(buf_slice(&m->report), &r, NULL), 0);
		expect_fields(json_object_get(m->expected, "fields"), &r, snp_report_product(&r));
		return;
	}
	bool good = verify(m, buf_slice(&m->report), &r, &vek, reason) == 0;
	if (good != streq(verdict, "valid"))
		fail_msg("%s: expected %s, got %s", name, verdict, good ? "valid" : reason);
	if (good) {
		expect_fields(json_object_get(m->expected, "fields"), &r, vek->product);
		assert_string_equal(expect_str(m, "product"), snp_product_name(vek->product));
	} else {
		print_message("%s: %s\n", name, reason);
	}
}

static void test_vectors(void **state)
{
	for_each_case(run_case);
}

/* With nothing but what is built in: the certificates of ASK and ARK left out. */
static void run_builtin(const char *name, struct material *m)
{
	if (!streq(expect_str(m, "verdict"), "valid") || expect_str(m, "trust_anchor"))
		return;
	m->certs.ask = m->certs.ark = SLICE_EMPTY;
	assert_int_equal(verify(m, buf_slice(&m->report), NULL, NULL, NULL), 0);
	/* No list of what is revoked: refused, unless that is asked for. */
	m->request.insecure_no_revocation_list = false;
	assert_int_equal(verify(m, buf_slice(&m->report), NULL, NULL, NULL), -EACCES);
}

static void test_builtin(void **state)
{
	for_each_case(run_builtin);
}

static void run_mutations(const char *name, struct material *m)
{
	struct slice in = buf_slice(&m->report);

	if (!streq(expect_str(m, "verdict"), "valid"))
		return;
	for (size_t i = 0; i < in.size; i++) {
		m->report.data[i] ^= (uint8_t)(1U << i % 8);
		if (verify(m, in, NULL, NULL, NULL) == 0)
			fail_msg("%s: accepted with byte %zu changed", name, i);
		m->report.data[i] ^= (uint8_t)(1U << i % 8);
	}
	assert_int_equal(verify(m, in, NULL, NULL, NULL), 0);
	for (size_t i = 0; i < in.size; i++) {
		struct snp_report r;
		assert_int_equal(snp_report_parse(slice_cut(in, 0, i), &r, NULL), -ENODATA);
	}
}

static void test_mutations(void **state)
{
	for_each_case(run_mutations);
}

/* Certificates and lists, each byte changed: never another outcome than refusal or the same key. */
static void flip_all(struct material *m, struct slice *part, size_t step)
{
	cleanup_with(buf_done) struct buf copy = buf_init(0);
	struct slice old = *part;

	buf_put_slice(&copy, old);
	*part = buf_slice(&copy);
	for (size_t i = 0; i < copy.size; i += step) {
		copy.data[i] ^= 0x10;
		if (verify(m, buf_slice(&m->report), NULL, NULL, NULL) == 0)
			fail_msg("accepted with byte %zu of a certificate changed", i);
		copy.data[i] ^= 0x10;
	}
	*part = old;
}

static void to_der(struct slice *part, struct buf *out)
{
	cleanup(cert_free) struct cert *c = NULL;
	assert_int_equal(certs_from_pem(*part, &c, 1, NULL), 1);
	assert_int_equal(cert_to_der(c, out), 0);
	*part = buf_slice(out);
}

static void test_certificate_mutations(void **state)
{
	cleanup_with(buf_done) struct buf vek = buf_init(0), ask = buf_init(0), ark = buf_init(0);
	struct material m;

	material_load(&m, "milan-v2-vcek-trustee");
	to_der(&m.certs.vek, &vek);
	to_der(&m.certs.ask, &ask);
	to_der(&m.certs.ark, &ark);
	assert_int_equal(verify(&m, buf_slice(&m.report), NULL, NULL, NULL), 0);
	flip_all(&m, &m.certs.vek, 1);
	flip_all(&m, &m.certs.ask, 7);
	flip_all(&m, &m.certs.ark, 7);
	material_done(&m);
	/* A changed list is none. */
	material_load(&m, "synth-genoa-v2-vcek");
	assert_int_equal(collateral_store_put(m.store, "amd/genoa/vcek/crl", SLICE_EMPTY), 0);
	m.certs.crl = buf_slice(&m.crl);
	m.request.insecure_no_revocation_list = false;
	assert_int_equal(verify(&m, buf_slice(&m.report), NULL, NULL, NULL), 0);
	flip_all(&m, &m.certs.crl, 1);
	material_done(&m);
}

static int verify_json(
	const json_t *evidence, const struct evidence_request *base, struct evidence_result *ret)
{
	struct evidence_request q = *base;
	q.evidence = evidence;
	return evidence_verify("snp", &q, ret, NULL);
}

/* The evidence of a real guest, as Trustee's attester sends it. */
static void test_evidence_json(void **state)
{
	cleanup_with(evidence_result_done) struct evidence_result result = {0};
	cleanup(json_decref) json_t *j =
		vectors_json("snp", "genoa-v3-trustee-evidence-json", "evidence.json");
	uint8_t bytes[SNP_REPORT_SIZE], data[64];
	struct material m;

	material_load(&m, "genoa-v3-trustee-evidence-json");
	assert_int_equal(
		snp_report_from_json(json_object_get(j, "attestation_report"), bytes, NULL), 0);
	assert_memory_equal(bytes, m.report.data, sizeof(bytes));
	const json_t *fields = json_object_get(m.expected, "fields");
	const char *hex = json_string_value(json_object_get(fields, "report_data"));
	assert_int_equal(hex_decode_fixed(data, sizeof(data), slice_str(hex)), 0);
	m.request.report_data = slice_of(data, sizeof(data));
	assert_int_equal(verify_json(j, &m.request, &result), 0);
	assert_string_equal(result.reason, "");
	assert_int_equal(result.verdict, EVIDENCE_ACCEPT);
	const json_t *c = result.claims;
	expect_int(c, "reported_tcb_bootloader", 10);
	expect_int(c, "reported_tcb_snp", 23);
	expect_int(c, "reported_tcb_microcode", 25);
	expect_int(c, "reported_tcb_tee", 0);
	expect_int(c, "policy_abi_major", 0);
	assert_true(json_is_true(json_object_get(c, "policy_smt_allowed")));
	assert_true(json_is_false(json_object_get(c, "policy_debug_allowed")));
	assert_true(json_is_true(json_object_get(c, "platform_smt_enabled")));
	assert_string_equal(json_string_value(json_object_get(c, "measurement")),
		json_string_value(json_object_get(fields, "measurement")));
	evidence_result_done(&result);
	/* The report's bytes instead of its structure; one byte too few. */
	for (size_t cut = 0; cut < 2; cut++) {
		cleanup(json_decref) json_t *raw = json_copy(j);
		assert_int_equal(
			json_set_b64(raw, "attestation_report",
				slice_cut(buf_slice(&m.report), 0, SNP_REPORT_SIZE - cut), B64_STD),
			0);
		assert_int_equal(verify_json(raw, &m.request, &result), 0);
		assert_int_equal(result.verdict, cut ? EVIDENCE_DENY : EVIDENCE_ACCEPT);
		evidence_result_done(&result);
	}
	data[63] ^= 1;
	assert_int_equal(verify_json(j, &m.request, &result), 0);
	assert_int_equal(result.verdict, EVIDENCE_DENY);
	assert_null(result.claims);
	evidence_result_done(&result);
	data[63] ^= 1;
	m.request.init_data = SLICE_LIT("another");
	assert_int_equal(verify_json(j, &m.request, &result), 0);
	assert_int_equal(result.verdict, EVIDENCE_DENY);
	material_done(&m);
}

/* Each member of the report left out, and each of a wrong type. */
static void test_evidence_members(void **state)
{
	cleanup(json_decref) json_t *j =
		vectors_json("snp", "genoa-v3-trustee-evidence-json", "evidence.json");
	json_t *report = json_object_get(j, "attestation_report");
	cleanup(json_decref) json_t *copy = json_copy(report);
	uint8_t bytes[SNP_REPORT_SIZE];
	const char *name;
	json_t *value;

	json_object_foreach (copy, name, value) {
		bool optional = json_is_null(value) || strstr(name, "cpuid");
		json_object_del(report, name);
		assert_int_equal(
			snp_report_from_json(report, bytes, NULL), optional ? 0 : -EBADMSG);
		json_object_set_new(report, name, json_string("x"));
		assert_int_equal(snp_report_from_json(report, bytes, NULL), -EBADMSG);
		json_object_set(report, name, value);
	}
	assert_int_equal(snp_report_from_json(report, bytes, NULL), 0);
}

static void test_collateral_keys(void **state)
{
	uint8_t chip[64] = {0xAB}, tcb[8] = {1, 2, 3, 4, 0, 0, 24, 219};
	struct snp_report r = {.reported_tcb = slice_of(tcb, 8), .chip_id = slice_of(chip, 64)};
	char key[COLLATERAL_KEY_SIZE];

	snp_vek_collateral_key(&r, SNP_MILAN, key);
	assert_true(str_ends(key, "/bl01_tee02_snp24_ucode219"));
	assert_true(str_starts(key, "amd/milan/vcek/ab00"));
	assert_true(collateral_key_valid(key));
	snp_vek_collateral_key(&r, SNP_TURIN, key);
	assert_string_equal(key, "amd/turin/vcek/ab00000000000000/bl02_tee03_snp04_ucode219_fmc01");
	r.signing_key = SNP_KEY_VLEK;
	snp_vek_collateral_key(&r, SNP_GENOA, key);
	assert_string_equal(key, "amd/genoa/vlek/bl01_tee02_snp24_ucode219");
}

/* The certificate comes from the store where the guest has none; and is named where it is missing.
 */
static void test_vek_from_store(void **state)
{
	struct evidence_result result = {.checks = json_array()};
	const struct snp_vek *vek = NULL;
	char key[COLLATERAL_KEY_SIZE];
	struct snp_report r;
	struct material m;

	material_load(&m, "milan-v2-vcek-trustee");
	const struct snp_certs none = {0};
	assert_int_equal(
		snp_verify(&m.request, buf_slice(&m.report), &none, &result, &r, &vek), -EACCES);
	/* The report is of version 2: it may be of either product that was out then. */
	assert_int_equal(json_array_size(result.missing), 2);
	assert_int_equal(snp_report_parse(buf_slice(&m.report), &r, NULL), 0);
	snp_vek_collateral_key(&r, SNP_GENOA, key);
	assert_string_equal(json_string_value(json_array_get(result.missing, 1)), key);
	snp_vek_collateral_key(&r, SNP_MILAN, key);
	assert_string_equal(json_string_value(json_array_get(result.missing, 0)), key);
	evidence_result_done(&result);
	assert_int_equal(collateral_store_put(m.store, key, m.certs.vek), 0);
	m.certs = none;
	assert_int_equal(verify(&m, buf_slice(&m.report), NULL, NULL, NULL), 0);
	material_done(&m);
}

/* A list past its next update says nothing, even with a chain that was found good before. */
static void test_old_list(void **state)
{
	char reason[EVIDENCE_REASON_SIZE];
	struct material m;

	material_load(&m, "synth-milan-v5-vcek");
	m.request.insecure_no_revocation_list = false;
	assert_int_equal(verify(&m, buf_slice(&m.report), NULL, NULL, NULL), 0);
	assert_int_equal(rfc3339_parse(SLICE_LIT("2036-06-01T00:00:00Z"), &m.request.now), 0);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(verify(&m, buf_slice(&m.report), NULL, NULL, reason), -EACCES);
		assert_non_null(strstr(reason, "the CRL has expired"));
	}
	material_done(&m);
}

static void put_file(const char *root, const char *folder, const char *name, struct slice content)
{
	char path[1024];

	snprintf(path, sizeof(path), "%s/%s", root, folder);
	assert_int_equal(path_make_dirs(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/%s/%s", root, folder, name);
	assert_int_equal(file_write_atomic(path, content, 0600, NULL), 0);
}

static int read_folder(const char *root, struct collateral_store **ret, struct err *e)
{
	collateral_store_free(*ret);
	*ret = collateral_store_new();
	assert_non_null(*ret);
	return collateral_store_read(*ret, root, e);
}

/* A folder as an operator fills it; what does not belong into it is not overlooked. */
static void test_folder(void **state)
{
	char root[] = "/tmp/husk-collateral-XXXXXX", path[1024];
	cleanup(collateral_store_free) struct collateral_store *store = NULL;
	struct err e = {0};
	struct slice item;
	struct material m;

	assert_non_null(mkdtemp(root));
	material_load(&m, "synth-milan-v5-vcek");
	put_file(root, "amd/milan/vcek", "crl.der", buf_slice(&m.crl));
	put_file(root, "amd/milan/vcek", "chain.pem", m.certs.ask);
	put_file(root, "vcek/some-chip", "vcek.der", m.certs.vek);
	put_file(root, "intel/tdx/qe", "chain", SLICE_LIT("chain"));
	put_file(root, "intel/tdx", "qe.json", SLICE_LIT("{}"));
	assert_int_equal(read_folder(root, &store, &e), 0);
	const struct collateral_provider *p = collateral_store_provider(store);
	assert_int_equal(collateral_get(p, "intel/tdx/qe", &item), 0);
	assert_int_equal(collateral_get(p, "intel/tdx/qe/chain", &item), 0);
	assert_int_equal(collateral_get(p, "amd/milan/vcek/crl", &item), 0);
	/* The chip's certificate lies where the report will look for it. */
	assert_int_equal(collateral_store_put(store, "amd/milan/vcek/chain", SLICE_EMPTY), 0);
	m.certs.vek = SLICE_EMPTY;
	m.request.collateral = p;
	m.request.insecure_no_revocation_list = false;
	assert_int_equal(verify(&m, buf_slice(&m.report), NULL, NULL, NULL), 0);
	material_done(&m);
	snprintf(path, sizeof(path), "%s/link", root);
	assert_int_equal(symlink("/dev/zero", path), 0);
	assert_int_equal(read_folder(root, &store, &e), -EBADMSG);
	assert_int_equal(unlink(path), 0);
	put_file(root, "intel", "README", SLICE_LIT("text"));
	assert_int_equal(read_folder(root, &store, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "README"));
	snprintf(path, sizeof(path), "%s/intel/README", root);
	assert_int_equal(unlink(path), 0);
	put_file(root, "vcek/x", "bad.der", SLICE_LIT("no certificate"));
	assert_int_equal(read_folder(root, &store, NULL), -EBADMSG);
	assert_int_equal(path_remove_tree(AT_FDCWD, root), 0);
	assert_int_equal(read_folder(root, &store, NULL), -ENOENT);
}

static void test_pins(void **state)
{
	for (enum snp_product p = SNP_MILAN; p <= SNP_TURIN; p++) {
		struct evidence_request q = {0};
		struct cert *c[3] = {0};
		struct digest d;
		assert_int_equal(certs_from_pem(snp_builtin_chain(p), c, 3, NULL), 3);
		for (size_t i = 0; i < 3; i++) {
			assert_int_equal(cert_check_issued(c[i], c[2], 1, NULL), 0);
			assert_int_equal(cert_spki_digest(c[i], HASH_SHA256, &d), 0);
			assert_int_equal(snp_trusted_root(&q, p, &d), i == 2);
			cert_free(c[i]);
		}
	}
	assert_int_equal(snp_builtin_chain(SNP_PRODUCT_NONE).size, 0);
	struct evidence_request q = {0};
	struct digest zero = {0};
	assert_false(snp_trusted_root(&q, SNP_PRODUCT_NONE, &zero));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_builtin),
		cmocka_unit_test(test_mutations),
		cmocka_unit_test(test_certificate_mutations),
		cmocka_unit_test(test_evidence_json),
		cmocka_unit_test(test_evidence_members),
		cmocka_unit_test(test_collateral_keys),
		cmocka_unit_test(test_vek_from_store),
		cmocka_unit_test(test_old_list),
		cmocka_unit_test(test_folder),
		cmocka_unit_test(test_pins),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
