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

static void put_signed(struct collateral_store *s, const char *key, const char *name,
	struct slice body, struct slice signature, struct slice chain)
{
	cleanup_with(buf_done) struct buf doc = buf_init(0);
	char chain_key[64];

	buf_printf(&doc, "{\"%s\" :\n ", name);
	buf_put_slice(&doc, body);
	buf_put_str(&doc, " , \"signature\":\"");
	hex_encode(&doc, signature);
	buf_put_str(&doc, "\"}\n");
	snprintf(chain_key, sizeof(chain_key), "%s/chain", key);
	assert_int_equal(collateral_store_put(s, key, buf_slice(&doc)), 0);
	assert_int_equal(collateral_store_put(s, chain_key, chain), 0);
}

/* The same case as a service sees it: evidence in JSON, collateral from a provider. */
static void fill_store(struct collateral_store *s, const struct material *m, const char *tee,
	const struct sgx_quote *q, const struct pck_info *pck)
{
	const struct dcap_collateral *c = &m->collateral;
	char key[COLLATERAL_KEY_SIZE], hex[2 * HASH_SIZE_MAX + 1];
	struct digest d;

	snprintf(key, sizeof(key), "intel/%s/tcb/%s", tee,
		hex_str(slice_of(pck->fmspc, 6), hex, sizeof(hex)));
	put_signed(s, key, "tcbInfo", c->tcb_info, c->tcb_info_signature, c->tcb_chain);
	snprintf(key, sizeof(key), "intel/%s/qe", tee);
	put_signed(
		s, key, "enclaveIdentity", c->qe_identity, c->qe_identity_signature, c->qe_chain);
	/* One of the two belongs to this case; the other one is not looked at. */
	assert_int_equal(collateral_store_put(s, "intel/crl/platform", c->pck_crl), 0);
	assert_int_equal(collateral_store_put(s, "intel/crl/processor", c->pck_crl), 0);
	assert_int_equal(collateral_store_put(s, "intel/crl/root", c->root_crl), 0);
	assert_int_equal(hash_once(HASH_SHA256, q->cert_data, &d), 0);
	snprintf(key, sizeof(key), "intel/pck/%s", hex_str(digest_slice(&d), hex, sizeof(hex)));
	assert_int_equal(collateral_store_put(s, key, c->pck_chain), 0);
}

static void run_room(const struct material *m, const char *tee, const struct dcap_outcome *o)
{
	cleanup(collateral_store_free) struct collateral_store *s = collateral_store_new();
	cleanup_with(evidence_result_done) struct evidence_result result = {0};
	cleanup(json_decref) json_t *evidence = json_object();
	const struct sgx_quote *q = &o->quote;
	struct slice report =
		q->tee_type == SGX_TEE_TYPE_TDX ? q->td.report_data : q->enclave.report_data;

	fill_store(s, m, tee, q, o->pck);
	assert_int_equal(json_set_b64(evidence, "quote", buf_slice(&m->quote), B64_STD), 0);
	struct evidence_request request = {
		.evidence = evidence,
		.report_data = report,
		.now = m->options.now,
		.collateral = collateral_store_provider(s),
		.intel_roots = m->options.roots,
		.intel_root_count = m->options.root_count,
	};
	assert_int_equal(evidence_verify(tee, &request, &result, NULL), 0);
	if (result.verdict != EVIDENCE_ACCEPT)
		fail_msg("refused as evidence: %s", result.reason);
	assert_string_equal(json_string_value(json_object_get(result.claims, "tcb_status")),
		tcb_status_name(o->match.status));
	assert_null(result.missing);
	evidence_result_done(&result);

	/* Each item is needed, and asked for by name when it is not there. */
	struct slice item;
	for (size_t i = 0; collateral_store_at(s, i, &item); i++) {
		char key[COLLATERAL_KEY_SIZE];
		cleanup_with(buf_done) struct buf kept = buf_init(0);
		assert_int_equal(str_copy(key, sizeof(key), collateral_store_at(s, i, &item)), 0);
		buf_put_slice(&kept, item);
		assert_int_equal(collateral_store_put(s, key, SLICE_EMPTY), 0);
		assert_int_equal(evidence_verify(tee, &request, &result, NULL), 0);
		bool other_ca = str_starts(key, "intel/crl/p") && !result.missing;
		assert_true(other_ca || result.verdict == EVIDENCE_DENY);
		if (!other_ca)
			assert_string_equal(
				json_string_value(json_array_get(result.missing, 0)), key);
		evidence_result_done(&result);
		assert_int_equal(collateral_store_put(s, key, buf_slice(&kept)), 0);
	}
	/* Without a store, and for another session. */
	request.collateral = NULL;
	assert_int_equal(evidence_verify(tee, &request, &result, NULL), 0);
	assert_int_equal(result.verdict, EVIDENCE_DENY);
	evidence_result_done(&result);
	request.collateral = collateral_store_provider(s);
	request.report_data = SLICE_LIT("another session, another digest, of 48 bytes....");
	assert_int_equal(evidence_verify(tee, &request, &result, NULL), 0);
	assert_int_equal(result.verdict, EVIDENCE_DENY);
}

static void run_positive(
	struct dcap *d, struct material *m, const json_t *expected, const char *tee)
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
	if (m->json) {
		compare_appraisal(expected, &o);
		run_room(m, tee, &o);
	}
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
		run_positive(d, &m, expected, tee);
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

/* QE identities alone: the signature over the exact bytes, and what they say of a quote's QE. */
static void run_identity(const char *name, bool good)
{
	cleanup(json_decref) json_t *expected = vectors_json("sgx", name, "expected.json");
	cleanup_with(buf_done) struct buf text = buf_init(0), pem = buf_init(0), raw = buf_init(0);
	cleanup(qe_identity_free) struct qe_identity *id = NULL;
	cleanup(cert_free) struct cert *signer = NULL;
	cleanup(pkey_free) struct pkey *key = NULL;
	struct tcb_info *none = NULL;
	struct sgx_quote q;
	struct tcb_match m = {0};
	uint8_t signature[64];
	struct slice body;

	vectors_read("sgx", name, "qe_identity.json", &text);
	vectors_read("sgx", name, "tcb_signing.pem", &pem);
	vectors_read("sgx", name, "quote.bin", &raw);
	assert_int_equal(
		tcb_split_signed(buf_slice(&text), "enclaveIdentity", &body, signature, NULL), 0);
	assert_int_equal(certs_from_pem(buf_slice(&pem), &signer, 1, NULL), 1);
	assert_int_equal(cert_key(signer, &key), 0);
	assert_int_equal(pkey_verify(key, SIG_ES256, body, slice_of(signature, 64)),
		good ? 0 : -EKEYREJECTED);
	assert_int_equal(qe_identity_parse(body, &id, NULL), 0);
	assert_int_equal(tcb_info_parse(body, &none, NULL), -EBADMSG);
	assert_int_equal(sgx_quote_parse(buf_slice(&raw), &q, NULL), 0);
	assert_null(qe_identity_mismatch(id, &q.qe));
	const struct tcb_info empty = {0};
	const struct pck_info pck = {0};
	tcb_match(&empty, id, &pck, &q.qe, NULL, &m);
	assert_int_equal(m.status, TCB_NOT_SUPPORTED);
	assert_string_equal(tcb_status_name(m.qe_status),
		json_string_value(json_object_get(expected, "qe_tcb_status")));
}

static void test_identities(void **state)
{
	run_identity("qe-identity-qe3-identity", true);
	run_identity("neg-qe-identity-corrupt-qe3-identity", false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tdx_vectors),
		cmocka_unit_test(test_sgx_vectors),
		cmocka_unit_test(test_identities),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
