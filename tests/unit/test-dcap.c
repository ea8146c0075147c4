/* SPDX-License-Identifier: Apache-2.0 */
/* Quotes of SGX and TDX: golden vectors, their mutations, and what the parsers refuse. */
#include "vectors.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/str.h"
#include "crypto/x509.h"
#include "evidence/dcap.h"

struct material {
	json_t *json; /* collateral.json; NULL when there is none */
	struct buf quote, info_signature, qe_signature;
	struct dcap_collateral collateral;
	struct digest root;
	struct dcap_options options;
};

static struct slice member(const json_t *o, const char *name)
{
	return slice_str(json_string_value(json_object_get(o, name)));
}

static void use_anchor(struct material *m, struct slice pem)
{
	cleanup(cert_free) struct cert *c = NULL;
	if (pem.size == 0)
		return;
	assert_int_equal(certs_from_pem(pem, &c, 1, NULL), 1);
	assert_int_equal(cert_spki_digest(c, HASH_SHA256, &m->root), 0);
	m->options.roots = &m->root;
	m->options.root_count = 1;
}

static void load_collateral(struct material *m, const char *tee, const char *name, const char *file)
{
	m->json = vectors_json(tee, name, file);
	assert_int_equal(hex_decode(&m->info_signature, member(m->json, "tcb_info_signature")), 0);
	assert_int_equal(hex_decode(&m->qe_signature, member(m->json, "qe_identity_signature")), 0);
	m->collateral = (struct dcap_collateral){
		.tcb_info = member(m->json, "tcb_info"),
		.tcb_info_signature = buf_slice(&m->info_signature),
		.tcb_chain = member(m->json, "tcb_info_issuer_chain"),
		.qe_identity = member(m->json, "qe_identity"),
		.qe_identity_signature = buf_slice(&m->qe_signature),
		.qe_chain = member(m->json, "qe_identity_issuer_chain"),
		.pck_crl = member(m->json, "pck_crl"),
		.root_crl = member(m->json, "root_ca_crl"),
		.pck_chain = member(m->json, "pck_certificate_chain"),
	};
	use_anchor(m, member(m->json, "trust_anchor_pem"));
}

static void material_done(struct material *m)
{
	buf_done(&m->quote);
	buf_done(&m->info_signature);
	buf_done(&m->qe_signature);
	json_decref(m->json);
	*m = (struct material){0};
}

/* Return: 0 accepted, -EACCES refused. */
static int verify(struct dcap *d, const struct material *m, struct slice quote,
	struct dcap_outcome *out, char *reason)
{
	struct evidence_result result = {.checks = json_array()};
	int r = dcap_check_quote(
		d, quote, m->collateral.pck_chain, &m->options, &result, out, NULL);
	if (r == 0 && m->json)
		r = dcap_check_collateral(d, &m->collateral, &m->options, &result, out);
	if (r != 0 && r != -EACCES)
		fail_msg("verification failed with %d", r);
	assert_int_equal(r == -EACCES, result.reason[0] != 0);
	if (reason)
		snprintf(reason, EVIDENCE_REASON_SIZE, "%s", result.reason);
	evidence_result_done(&result);
	return r;
}

static int64_t time_of(const json_t *o)
{
	int64_t at = 0;
	assert_int_equal(rfc3339_parse(member(o, "verify_at"), &at), 0);
	return at;
}

static void hex_equal(const json_t *o, const char *name, struct slice value)
{
	char hex[256];
	const char *want = json_string_value(json_object_get(o, name));
	if (!want)
		fail_msg("the vector has no field %s", name);
	assert_string_equal(hex_str(value, hex, sizeof(hex)), want);
}

static void compare_fields(const json_t *fields, const struct sgx_quote *q)
{
	const json_t *r = json_object_get(fields, "report"),
		     *qe = json_object_get(fields, "qe_report");
	if (!fields)
		return;
	assert_int_equal(json_integer_value(json_object_get(fields, "version")), q->version);
	hex_equal(fields, "qe_vendor_id", q->qe_vendor_id);
	hex_equal(fields, "user_data", q->user_data);
	assert_int_equal(
		json_integer_value(json_object_get(fields, "trailing_bytes")), q->trailing);
	assert_int_equal(
		json_integer_value(json_object_get(fields, "cert_data_type")), q->cert_data_type);
	hex_equal(qe, "mr_signer", q->qe.mr_signer);
	hex_equal(qe, "attributes", q->qe.attributes);
	hex_equal(qe, "report_data", q->qe.report_data);
	assert_int_equal(json_integer_value(json_object_get(qe, "isv_svn")), q->qe.isv_svn);
	if (q->tee_type == SGX_TEE_TYPE_SGX) {
		hex_equal(r, "mr_enclave", q->enclave.mr_enclave);
		hex_equal(r, "report_data", q->enclave.report_data);
		hex_equal(r, "config_id", q->enclave.config_id);
		return;
	}
	hex_equal(r, "tee_tcb_svn", q->td.tee_tcb_svn);
	hex_equal(r, "mr_td", q->td.mr_td);
	hex_equal(r, "rtmr3", q->td.rtmr[3]);
	hex_equal(r, "report_data", q->td.report_data);
	hex_equal(r, "td_attributes", q->td.td_attributes);
	if (q->body_type == SGX_BODY_TD15)
		hex_equal(r, "tee_tcb_svn2", q->td.tee_tcb_svn2);
}

static void compare_pck(const json_t *pck, const struct pck_info *p)
{
	if (!pck)
		return;
	assert_int_equal(json_integer_value(json_object_get(pck, "pcesvn")), p->pce_svn);
	hex_equal(pck, "cpusvn", slice_of(p->cpu_svn, 16));
	hex_equal(pck, "pceid", slice_of(p->pce_id, 2));
	hex_equal(pck, "fmspc", slice_of(p->fmspc, 6));
	assert_int_equal(json_integer_value(json_object_get(pck, "sgx_type")), p->sgx_type);
}

static void compare_appraisal(const json_t *expected, const struct dcap_outcome *o)
{
	const char *status = json_string_value(json_object_get(expected, "tcb_status"));
	if (!status)
		return;
	assert_string_equal(tcb_status_name(o->match.status), status);
	cleanup(json_decref) json_t *ids = tcb_advisories(&o->match);
	const json_t *want = json_object_get(expected, "advisory_ids");
	for (size_t i = 0; i < json_array_size(want); i++) {
		bool found = false;
		for (size_t k = 0; k < json_array_size(ids); k++)
			found |= json_equal(json_array_get(want, i), json_array_get(ids, k));
		if (!found)
			fail_msg("advisory %s is missing",
				json_string_value(json_array_get(want, i)));
	}
	if (json_array_size(ids) != json_array_size(want))
		fail_msg("%zu advisories, expected %zu", json_array_size(ids),
			json_array_size(want));
}

static void run_positive(struct dcap *d, struct material *m, const json_t *expected)
{
	struct dcap_outcome o = {0};
	char reason[EVIDENCE_REASON_SIZE];
	bool valid = member(expected, "verdict").size == 5;

	m->options.now = time_of(expected);
	/* Twice: the second time everything comes out of the caches. */
	for (int i = 0; i < 2; i++) {
		int r = verify(d, m, buf_slice(&m->quote), &o, reason);
		if ((r == 0) != valid)
			fail_msg("verdict %d: %s", r, reason);
	}
	if (!valid) {
		print_message("    refused: %s\n", reason);
		const char *status = json_string_value(json_object_get(expected, "tcb_status"));
		if (o.match.problem && !o.match.module_mismatch)
			assert_string_equal(status, tcb_status_name(o.match.status));
		return;
	}
	compare_fields(json_object_get(expected, "fields"), &o.quote);
	compare_pck(json_object_get(expected, "pck"), o.pck);
	if (m->json)
		compare_appraisal(expected, &o);
}

static void run_variants(struct dcap *d, struct material *m, const json_t *expected,
	const char *tee, const char *name)
{
	size_t i;
	json_t *v;
	json_array_foreach (json_object_get(expected, "variants"), i, v) {
		struct dcap_outcome o = {0};
		char reason[EVIDENCE_REASON_SIZE];
		buf_clear(&m->quote);
		vectors_read(tee, name, json_string_value(json_object_get(v, "quote")), &m->quote);
		m->options.now = time_of(v);
		if (verify(d, m, buf_slice(&m->quote), &o, reason) == 0)
			fail_msg("variant %s was accepted", member(v, "name").data);
		print_message("    refused: %s\n", reason);
	}
}

static int run_case(struct dcap *d, const char *tee, const char *name)
{
	cleanup(json_decref) json_t *expected = vectors_json(tee, name, "expected.json");
	const json_t *files = json_object_get(expected, "files");
	struct material m = {.quote = buf_init(0)};

	if (json_object_get(files, "signer"))
		return 0; /* QE identity alone: test_identities */
	print_message("  %s/%s\n", tee, name);
	if (json_object_get(files, "collateral"))
		load_collateral(
			&m, tee, name, json_string_value(json_object_get(files, "collateral")));
	if (json_object_get(expected, "variants")) {
		run_variants(d, &m, expected, tee, name);
	} else {
		vectors_read(
			tee, name, json_string_value(json_object_get(files, "quote")), &m.quote);
		run_positive(d, &m, expected);
	}
	material_done(&m);
	return 1;
}

static void run_folder(const char *tee)
{
	char path[1024];
	int count = 0;
	snprintf(path, sizeof(path), "%s/%s", vectors_dir(), tee);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	cleanup(dcap_free) struct dcap *d = dcap_new();
	for (const struct dirent *e; (e = readdir(dir)) != NULL;) {
		if (e->d_name[0] != '.')
			count += run_case(d, tee, e->d_name);
	}
	closedir(dir);
	print_message("%d cases of %s\n", count, tee);
	assert_true(count > 20);
}

static void test_tdx_vectors(void **state)
{
	run_folder("tdx");
}

static void test_sgx_vectors(void **state)
{
	run_folder("sgx");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tdx_vectors),
		cmocka_unit_test(test_sgx_vectors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
