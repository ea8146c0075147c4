/* SPDX-License-Identifier: Apache-2.0 */
/* SNP reports with their certificates and, when there is one, a revocation list. */
#include "base/clock.h"
#include "base/enc.h"
#include "base/str.h"
#include "evidence/snp.h"
#include "fmt/json.h"
#include "mutate.h"

struct snp_case {
	struct buf report, pem, crl;
	struct snp_certs certs;
	struct digest root;
	struct evidence_request request;
	char reason[EVIDENCE_REASON_SIZE];
};

static void snp_case_done(struct snp_case *c)
{
	buf_done(&c->report);
	buf_done(&c->pem);
	buf_done(&c->crl);
}

/* VCEK or VLEK, ASK or ASVK, ARK: PEM in one file. */
static void split_chain(struct snp_case *c)
{
	struct slice *const to[] = {&c->certs.vek, &c->certs.ask, &c->certs.ark};
	static const char mark[] = "-----END CERTIFICATE-----";
	const char *at = buf_str(&c->pem), *end;

	for (size_t i = 0; i < ARRAY_COUNT(to) && (end = strstr(at, mark)) != NULL; i++) {
		end += sizeof(mark) - 1;
		*to[i] = slice_of(at, (size_t)(end - at));
		at = end + strspn(end, "\r\n");
	}
}

static int use_anchor(struct vector *v, struct snp_case *c)
{
	cleanup(cert_free) struct cert *root = NULL;

	if (certs_from_pem(c->certs.ark, &root, 1, NULL) != 1 ||
		cert_spki_digest(root, HASH_SHA256, &c->root) < 0)
		return vector_fail(v, "the last certificate is no trust anchor");
	c->request.amd_roots = &c->root;
	c->request.amd_root_count = 1;
	return 0;
}

/* Reasons that begin with "time:" are about today: their verify_at lies inside the dates. */
static int set_time(struct vector *v, struct snp_case *c)
{
	const char *at = vector_str(v, "verify_at"), *reason = vector_str(v, "reason");

	c->request.now = clock_unix_s();
	if (!at || (reason && str_starts(reason, "time:")))
		return 0;
	return rfc3339_parse(slice_str(at), &c->request.now) < 0
		       ? vector_fail(v, "verify_at is not a time")
		       : 0;
}

static int load(struct vector *v, struct snp_case *c)
{
	c->request.snp_vmpl_max = 3;
	c->request.insecure_no_revocation_list = !vector_file(v, "crl");
	if (vector_read(v, vector_file(v, "report"), &c->report) < 0 || set_time(v, c) < 0)
		return -1;
	if (vector_file(v, "certs")) {
		if (vector_read(v, vector_file(v, "certs"), &c->pem) < 0)
			return -1;
		split_chain(c);
	}
	if (vector_file(v, "crl")) {
		if (vector_read(v, vector_file(v, "crl"), &c->crl) < 0)
			return -1;
		c->certs.crl = buf_slice(&c->crl);
	}
	return vector_str(v, "trust_anchor") ? use_anchor(v, c) : 0;
}

static int compare_tcb(struct vector *v, const json_t *fields, const char *name, struct slice raw,
	enum snp_product p)
{
	const json_t *want = json_object_get(fields, name);
	struct snp_tcb t = snp_tcb_decode(raw, p);

	if (vector_hex(v, want, "raw", raw) < 0 || p == SNP_PRODUCT_NONE)
		return v->why[0] ? -1 : 0;
	if (vector_int(v, want, "bootloader", t.bootloader) < 0 ||
		vector_int(v, want, "tee", t.tee) < 0 || vector_int(v, want, "snp", t.snp) < 0 ||
		vector_int(v, want, "fmc", t.fmc) < 0)
		return -1;
	return vector_int(v, want, "microcode", t.microcode);
}

static int compare_numbers(struct vector *v, const json_t *f, const struct snp_report *r)
{
	const struct {
		const char *name;
		uint64_t value;
	} numbers[] = {{"version", r->version}, {"guest_svn", r->guest_svn}, {"vmpl", r->vmpl},
		{"signature_algo", r->signature_algo}, {"cpuid_fam_id", r->family},
		{"cpuid_mod_id", r->model}, {"cpuid_step", r->stepping}};
	char policy[32];

	for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) {
		if (vector_int(v, f, numbers[i].name, (int64_t)numbers[i].value) < 0)
			return -1;
	}
	snprintf(policy, sizeof(policy), "0x%llx", (unsigned long long)r->policy);
	const char *want = json_string_value(json_object_get(f, "policy"));
	return want && !streq(want, policy) ? vector_fail(v, "policy is %s", policy) : 0;
}

static int compare_fields(struct vector *v, const struct snp_report *r, enum snp_product p)
{
	const json_t *f = json_object_get(v->expected, "fields");
	const struct {
		const char *name;
		struct slice value;
	} bytes[] = {{"family_id", r->family_id}, {"image_id", r->image_id},
		{"report_data", r->report_data}, {"measurement", r->measurement},
		{"host_data", r->host_data}, {"id_key_digest", r->id_key_digest},
		{"author_key_digest", r->author_key_digest}, {"report_id", r->report_id},
		{"report_id_ma", r->report_id_ma}, {"chip_id", r->chip_id}};

	for (size_t i = 0; i < ARRAY_COUNT(bytes); i++) {
		if (vector_hex(v, f, bytes[i].name, bytes[i].value) < 0)
			return -1;
	}
	if (compare_numbers(v, f, r) < 0 ||
		compare_tcb(v, f, "current_tcb", r->current_tcb, p) < 0 ||
		compare_tcb(v, f, "reported_tcb", r->reported_tcb, p) < 0 ||
		compare_tcb(v, f, "committed_tcb", r->committed_tcb, p) < 0)
		return -1;
	return compare_tcb(v, f, "launch_tcb", r->launch_tcb, p);
}

static bool verify(struct snp_case *c, struct snp_report *ret, const struct snp_vek **ret_vek)
{
	struct evidence_result result = {.checks = json_array()};
	int r = snp_verify(&c->request, buf_slice(&c->report), &c->certs, &result, ret, ret_vek);
	snprintf(c->reason, sizeof(c->reason), "%s", result.reason);
	evidence_result_done(&result);
	return r == 0;
}

/* The same report as Trustee's JSON. */
static int compare_json(struct vector *v, const struct snp_case *c)
{
	cleanup_with(buf_done) struct buf text = buf_init(0);
	cleanup(json_decref) json_t *j = NULL;
	uint8_t bytes[SNP_REPORT_SIZE];
	struct err e = {0};

	if (!vector_file(v, "coco_evidence_json"))
		return 0;
	if (vector_read(v, vector_file(v, "coco_evidence_json"), &text) < 0)
		return -1;
	if (json_parse(buf_slice(&text), 0, &j, &e) < 0 ||
		snp_report_from_json(json_object_get(j, "attestation_report"), bytes, &e) < 0)
		return vector_fail(v, "evidence: %s", e.text);
	return slice_eq(slice_of(bytes, sizeof(bytes)), buf_slice(&c->report))
		       ? 0
		       : vector_fail(v, "the evidence's report is another one");
}

static bool snp_accepted(void *ctx)
{
	const struct snp_vek *vek;
	struct snp_report r;

	return verify(ctx, &r, &vek);
}

/* Report and, as bytes, the certificate that signed it; the others are the house's. */
static int mutate_snp(struct vector *v, struct snp_case *c)
{
	cleanup_with(buf_done) struct buf der = buf_init(0);
	cleanup(cert_free) struct cert *vek = NULL;
	const struct mutation report = {.part = "report",
		.bytes = c->report.data,
		.size = c->report.size,
		.accepted = snp_accepted,
		.ctx = c};

	if (mutate_bytes(v, &report) < 0)
		return -1;
	if (certs_from_pem(c->certs.vek, &vek, 1, NULL) != 1 || cert_to_der(vek, &der) < 0)
		return vector_fail(v, "the first certificate is not in PEM");
	c->certs.vek = buf_slice(&der);
	const struct mutation certificate = {.part = "VCEK",
		.bytes = der.data,
		.size = der.size,
		.accepted = snp_accepted,
		.ctx = c};
	return mutate_bytes(v, &certificate);
}

int vector_snp(struct vector *v)
{
	cleanup_with(snp_case_done) struct snp_case c = {0};
	const char *verdict = vector_str(v, "verdict"), *product = vector_str(v, "product");
	const struct snp_vek *vek = NULL;
	struct snp_report r;
	struct err e = {0};

	if (load(v, &c) < 0)
		return -1;
	if (verdict && streq(verdict, "parse-only")) {
		if (snp_report_parse(buf_slice(&c.report), &r, &e) < 0)
			return vector_fail(v, "%s", e.text);
		return compare_fields(v, &r, snp_report_product(&r));
	}
	/* The second time the chain is a known one. */
	for (int i = 0; i < 2; i++) {
		bool good = verify(&c, &r, &vek);
		if (good != vector_is_valid(v))
			return vector_fail(v, good ? "was accepted" : "was refused: %s", c.reason);
	}
	if (!vector_is_valid(v))
		return 0;
	if (product && !streq(product, snp_product_name(vek->product)))
		return vector_fail(v, "product is %s", snp_product_name(vek->product));
	if (compare_fields(v, &r, vek->product) < 0 || compare_json(v, &c) < 0)
		return -1;
	return v->mutate ? mutate_snp(v, &c) : 0;
}
