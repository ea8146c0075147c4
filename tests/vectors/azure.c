/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence of Azure's confidential VMs, whole; HCL reports and quotes of a vTPM alone. TDX cases
 * have no collateral of Intel's: they pass when that is all that is missing.
 */
#include "base/clock.h"
#include "base/enc.h"
#include "base/str.h"
#include "crypto/hash.h"
#include "evidence/evidence.h"
#include "evidence/tpm_quote.h"
#include "fmt/hcl.h"
#include "fmt/json.h"
#include "evidence/azure.h"
#include "fmt/sgx_quote.h"
#include "fmt/snp_report.h"
#include "mutate.h"

static bool must_pass(const struct vector *v)
{
	return vector_is_valid(v) || vector_is_parse_only(v);
}

static int set_request(struct vector *v, struct evidence_request *q, struct buf *report_data)
{
	const char *hex = vector_str(v, "expected_report_data"), *at = vector_str(v, "verify_at");

	if (!hex || hex_decode(report_data, slice_str(hex)) < 0)
		return vector_fail(v, "expected_report_data is missing");
	q->report_data = buf_slice(report_data);
	q->insecure_no_revocation_list = true;
	q->now = clock_unix_s();
	if (at && rfc3339_parse(slice_str(at), &q->now) < 0)
		return vector_fail(v, "verify_at is not a time");
	return 0;
}

static int compare_claims(struct vector *v, const json_t *claims)
{
	const json_t *want = json_object_get(json_object_get(v->expected, "fields"), "pcrs_sha256"),
		     *tpm = json_object_get(claims, "tpm");
	const char *number;
	json_t *value;
	char name[16];

	json_object_foreach ((json_t *)(uintptr_t)want, number, value) {
		snprintf(name, sizeof(name), "pcr%s", number);
		if (!json_equal(value, json_object_get(tpm, name)))
			return vector_fail(v, "%s differs", name);
	}
	return 0;
}

struct azure_mutant {
	struct evidence_request request;
	bool tdx;
	struct azure was;
	struct buf quote; /* of TDX */
};

static bool is_accepted(const struct evidence_request *q, bool tdx)
{
	cleanup_with(evidence_result_done) struct evidence_result result = {0};

	return evidence_verify(tdx ? "az-tdx-vtpm" : "az-snp-vtpm", q, &result, NULL) == 0 &&
	       (result.verdict == EVIDENCE_ACCEPT || (tdx && result.missing));
}

static bool azure_accepted(void *ctx)
{
	const struct azure_mutant *m = ctx;

	return is_accepted(&m->request, m->tdx);
}

static bool same_signed_parts(const struct azure *a, const struct azure *b, bool tdx)
{
	return slice_eq(a->hcl.variable, b->hcl.variable) &&
	       (tdx || slice_eq(a->hcl.hardware, b->hcl.hardware)) &&
	       slice_eq(buf_slice(&a->message), buf_slice(&b->message)) &&
	       slice_eq(buf_slice(&a->signature), buf_slice(&b->signature)) &&
	       memcmp(a->pcrs, b->pcrs, sizeof(a->pcrs)) == 0;
}

/* Why the altered quote may be accepted: all that is signed is as it was. */
static const char *same_quote(const struct azure_mutant *m)
{
	cleanup_with(buf_done) struct buf altered = buf_init(SGX_QUOTE_SIZE_MAX),
					  was_certs = buf_init(0), certs = buf_init(0);
	const size_t head = 2 + 4; /* type and size of the certification data */
	struct sgx_quote q, was;

	if (azure_bytes(m->request.evidence, "td_quote", false, &altered, NULL) < 0 ||
		sgx_quote_parse(buf_slice(&altered), &q, NULL) < 0 ||
		sgx_quote_parse(buf_slice(&m->quote), &was, NULL) < 0)
		return NULL;
	size_t from = (size_t)(was.cert_data.data - m->quote.data);
	size_t behind = from + was.cert_data.size, end = m->quote.size - was.trailing;
	if (from != (size_t)(q.cert_data.data - altered.data) ||
		was.cert_data.size != q.cert_data.size || altered.size < end ||
		memcmp(altered.data, m->quote.data, from - head) != 0 ||
		memcmp(altered.data + behind, m->quote.data + behind, end - behind) != 0)
		return NULL;
	/* Then the chain is the collateral's. */
	if (q.cert_data_type != SGX_CERT_PCK_CHAIN)
		return "what names the PCK certificate of a quote that does not carry it";
	mutate_ders(q.cert_data, &certs);
	mutate_ders(was.cert_data, &was_certs);
	return certs.size > 0 && slice_eq(buf_slice(&certs), buf_slice(&was_certs))
		       ? "text around the certificates in a quote's PEM chain, or padding behind a quote"
		       : NULL;
}

static const char *azure_explain(void *ctx, const char *path, const json_t *value)
{
	struct azure_mutant *m = ctx;
	cleanup_with(azure_done) struct azure now = {0};

	if (azure_decode(m->request.evidence, m->tdx ? HCL_TDX : HCL_SNP, &now, NULL) < 0 ||
		!same_signed_parts(&now, &m->was, m->tdx))
		return NULL;
	if (m->tdx && str_starts(path, ".td_quote"))
		return same_quote(m);
	if (!str_starts(path, ".hcl_report") && !str_starts(path, ".report"))
		return NULL;
	return m->tdx ? "an HCL report beside its variable data: the TDX quote stands for the rest"
		      : "an HCL report beside the SNP report and the variable data it vouches for";
}

static int mutate_evidence(struct vector *v, const struct evidence_request *q, bool tdx)
{
	cleanup(json_decref) json_t *copy = json_deep_copy(q->evidence);
	struct azure_mutant ctx = {.request = *q, .tdx = tdx};
	const struct json_mutation m = {copy, azure_accepted, azure_explain, &ctx};
	int r = azure_decode(q->evidence, tdx ? HCL_TDX : HCL_SNP, &ctx.was, NULL);

	ctx.quote = buf_init(SGX_QUOTE_SIZE_MAX);
	if (r == 0 && tdx)
		r = azure_bytes(q->evidence, "td_quote", false, &ctx.quote, NULL);
	ctx.request.evidence = copy;
	r = r < 0 ? vector_fail(v, "the evidence cannot be read") : mutate_json(v, &m);
	azure_done(&ctx.was);
	buf_done(&ctx.quote);
	return r;
}

static int run_evidence(struct vector *v)
{
	cleanup_with(buf_done) struct buf text = buf_init(0), report_data = buf_init(0);
	cleanup_with(evidence_result_done) struct evidence_result result = {0};
	cleanup_with(azure_done) struct azure parts = {0};
	cleanup(json_decref) json_t *doc = NULL;
	struct evidence_request q = {0};
	struct err e = {0};

	if (vector_read(v, vector_file(v, "evidence"), &text) < 0)
		return -1;
	if (!vector_is_parse_only(v) && set_request(v, &q, &report_data) < 0)
		return -1;
	if (json_parse(buf_slice(&text), 0, &doc, &e) < 0)
		return must_pass(v) ? vector_fail(v, "evidence: %s", e.text) : 0;
	/* One source wraps it. */
	q.evidence = json_object_get(doc, "evidence") ? json_object_get(doc, "evidence") : doc;
	bool tdx = json_object_get(q.evidence, "td_quote") != NULL;
	if (vector_is_parse_only(v))
		return azure_decode(q.evidence, tdx ? HCL_TDX : HCL_SNP, &parts, &e) < 0
			       ? vector_fail(v, "%s", e.text)
			       : 0;
	if (evidence_verify(tdx ? "az-tdx-vtpm" : "az-snp-vtpm", &q, &result, &e) < 0)
		return vector_fail(v, "%s", e.text);
	bool good = result.verdict == EVIDENCE_ACCEPT || (tdx && result.missing);
	if (good != vector_is_valid(v))
		return vector_fail(v, good ? "was accepted" : "was refused: %s", result.reason);
	if (result.claims && compare_claims(v, result.claims) < 0)
		return -1;
	return v->mutate && good ? mutate_evidence(v, &q, tdx) : 0;
}

/* The hardware's report inside, and that it vouches for the variable data. */
static int run_hcl(struct vector *v)
{
	cleanup_with(buf_done) struct buf bytes = buf_init(0);
	const json_t *fields = json_object_get(v->expected, "fields");
	struct hcl_report h;
	struct snp_report r;
	struct digest d;
	struct err e = {0};

	if (vector_read(v, vector_file(v, "hcl_report"), &bytes) < 0)
		return -1;
	int bad = hcl_report_parse(buf_slice(&bytes), &h, &e);
	if (bad == 0)
		bad = hash_once(HASH_SHA256, h.variable, &d);
	if (bad == 0 && h.type == HCL_SNP)
		bad = snp_report_parse(h.hardware, &r, &e);
	if (bad < 0)
		return must_pass(v) ? vector_fail(v, "was refused: %s", e.text) : 0;
	if (h.type == HCL_SNP && !slice_eq(slice_cut(r.report_data, 0, 32), digest_slice(&d)))
		return must_pass(v) ? vector_fail(v, "the report binds other data") : 0;
	if (!must_pass(v))
		return vector_fail(v, "was accepted");
	return vector_hex(v, fields, "variable_data_sha256", digest_slice(&d));
}

static int run_quote(struct vector *v)
{
	cleanup_with(buf_done) struct buf pem = buf_init(0), message = buf_init(0),
					  signature = buf_init(0);
	cleanup(pkey_free) struct pkey *ak = NULL;
	struct tpm_quote q;
	struct err e = {0};

	if (vector_read(v, vector_file(v, "ak_pub"), &pem) < 0 ||
		vector_read(v, vector_file(v, "tpm_quote_msg"), &message) < 0 ||
		vector_read(v, vector_file(v, "tpm_quote_sig"), &signature) < 0)
		return -1;
	bool good = pkey_from_pem(buf_slice(&pem), &ak, &e) == 0 &&
		    tpm_quote_parse(buf_slice(&message), &q, &e) == 0 &&
		    pkey_verify(ak, SIG_RS256, buf_slice(&message), buf_slice(&signature)) == 0;
	if (good && vector_hex(v, v->expected, "expected_report_data", q.extra_data) < 0)
		return -1;
	return good == must_pass(v)
		       ? 0
		       : vector_fail(v, good ? "was accepted" : "was refused: %s", e.text);
}

int vector_azure(struct vector *v)
{
	if (vector_file(v, "evidence"))
		return run_evidence(v);
	return vector_file(v, "hcl_report") ? run_hcl(v) : run_quote(v);
}
