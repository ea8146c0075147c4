/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence of SEV-SNP guests: {"attestation_report": {...} | base64, "cert_chain": null |
 * [{"cert_type", "data"}]}.
 *
 * The certificates may be all, some or none of the chain; see snp_chain.h for where the rest comes
 * from. The initdata is in HOST_DATA. Whether the guest may be debugged, migrated and so on is in
 * the claims, for the appraisal policy.
 */
#include "base/str.h"
#include "evidence/snp.h"
#include "fmt/json.h"

#define CERTS_MAX 16

struct snp_evidence {
	uint8_t report[SNP_REPORT_SIZE];
	struct buf vek, ask, ark, crl;
};

static void snp_evidence_done(struct snp_evidence *s)
{
	buf_done(&s->vek);
	buf_done(&s->ask);
	buf_done(&s->ark);
	buf_done(&s->crl);
}

/* Where a certificate of @type goes; NULL for types that do not matter. */
static struct buf *place_of(struct snp_evidence *s, const char *type)
{
	if (streq(type, "VCEK") || streq(type, "VLEK"))
		return &s->vek;
	/* The sender's word for it is ASK also where it is an ASVK. */
	if (streq(type, "ASK") || streq(type, "ASVK"))
		return &s->ask;
	if (streq(type, "ARK"))
		return &s->ark;
	return streq(type, "CRL") ? &s->crl : NULL;
}

static int take_cert(struct snp_evidence *s, const json_t *item, struct err *reterr)
{
	const json_t *kind = json_object_get(item, "cert_type");
	const char *type;

	if (json_is_object(kind))
		return 0; /* {"OTHER": uuid} */
	int r = json_get_str(item, "cert_type", &type, reterr);
	struct buf *to = r == 0 ? place_of(s, type) : NULL;
	if (r < 0 || !to)
		return r;
	if (to->size > 0)
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "cert_chain",
			"the certificate chain has more than one certificate of a kind");
	*to = buf_init(to == &s->crl ? SNP_CRL_SIZE_MAX : SNP_CERT_SIZE_MAX);
	return json_get_bytes(item, "data", to->max, to, reterr);
}

/* Trustee's structure, or the bytes themselves in base64. */
static int decode_report(const json_t *evidence, struct snp_evidence *s, struct err *reterr)
{
	static const char name[] = "attestation_report";
	cleanup_with(buf_done) struct buf bytes = buf_init(SNP_REPORT_SIZE);
	json_t *report = NULL;

	if (!json_is_string(json_object_get(evidence, name))) {
		int r = json_get_object(evidence, name, &report, reterr);
		return r == 0 ? snp_report_from_json(report, s->report, reterr) : r;
	}
	int r = json_get_b64(evidence, name, &bytes, reterr);
	if (r == 0 && bytes.size != SNP_REPORT_SIZE)
		r = err_at(reterr, -EBADMSG, bytes.size, name, "report has %zu bytes, not %zu",
			bytes.size, SNP_REPORT_SIZE);
	if (r == 0)
		memcpy(s->report, bytes.data, SNP_REPORT_SIZE);
	return r;
}

static int decode(const json_t *evidence, struct snp_evidence *s, struct err *reterr)
{
	json_t *chain = json_object_get(evidence, "cert_chain");

	int r = decode_report(evidence, s, reterr);
	if (r < 0 || !chain || json_is_null(chain))
		return r;
	r = json_get_array(evidence, "cert_chain", CERTS_MAX, &chain, reterr);
	for (size_t i = 0; r == 0 && i < json_array_size(chain); i++)
		r = take_cert(s, json_array_get(chain, i), reterr);
	return r;
}

static int put_flags(json_t *c, const struct snp_report *r)
{
	const struct {
		const char *name;
		uint64_t field;
		unsigned bit;
	} flags[] = {
		{"policy_smt_allowed", r->policy, SNP_POLICY_SMT},
		{"policy_migrate_ma", r->policy, SNP_POLICY_MIGRATE_MA},
		{"policy_debug_allowed", r->policy, SNP_POLICY_DEBUG},
		{"policy_single_socket", r->policy, SNP_POLICY_SINGLE_SOCKET},
		{"platform_smt_enabled", r->platform_info, SNP_PLATFORM_SMT},
		{"platform_tsme_enabled", r->platform_info, SNP_PLATFORM_TSME},
	};
	int e = 0;
	for (size_t i = 0; e == 0 && i < ARRAY_COUNT(flags); i++)
		e = json_set_bool(c, flags[i].name, snp_bit(flags[i].field, flags[i].bit));
	return e;
}

static int put_numbers(json_t *c, const struct snp_report *r, const struct snp_vek *v)
{
	struct snp_tcb t = snp_tcb_decode(r->reported_tcb, v->product);
	const struct {
		const char *name;
		int64_t value;
	} numbers[] = {
		{"policy_abi_major", (int64_t)(r->policy >> 8 & 0xFF)},
		{"policy_abi_minor", (int64_t)(r->policy & 0xFF)},
		{"reported_tcb_bootloader", t.bootloader},
		{"reported_tcb_tee", t.tee},
		{"reported_tcb_snp", t.snp},
		{"reported_tcb_microcode", t.microcode},
		{"report_version", r->version},
		{"guest_svn", r->guest_svn},
		{"vmpl", r->vmpl},
		{"reported_tcb_fmc", t.fmc},
	};
	size_t count = ARRAY_COUNT(numbers) - (v->product == SNP_TURIN ? 0 : 1);
	int e = 0;
	for (size_t i = 0; e == 0 && i < count; i++)
		e = json_set_int(c, numbers[i].name, numbers[i].value);
	return e;
}

static int make_claims(const struct snp_report *r, const struct snp_vek *v, json_t *c)
{
	const struct claim_field fields[] = {
		{"measurement", r->measurement},
		{"report_data", r->report_data},
		{"init_data", r->host_data},
		{"chip_id", r->chip_id},
		{"family_id", r->family_id},
		{"image_id", r->image_id},
		{"id_key_digest", r->id_key_digest},
		{"author_key_digest", r->author_key_digest},
	};
	int e = put_flags(c, r);

	if (e == 0)
		e = put_numbers(c, r, v);
	for (size_t i = 0; e == 0 && i < ARRAY_COUNT(fields); i++)
		e = json_set_hex(c, fields[i].name, fields[i].value);
	if (e == 0)
		e = json_set_str(c, "product", snp_product_name(v->product));
	if (e == 0)
		e = json_set_str(c, "signing_key", v->kind == SNP_KEY_VLEK ? "vlek" : "vcek");
	return e;
}

int evidence_snp_verify(
	const struct evidence_request *request, struct evidence_result *result, struct err *reterr)
{
	cleanup_with(snp_evidence_done) struct snp_evidence s = {0};
	const struct snp_vek *v = NULL;
	struct snp_report report;
	struct err e = {0};

	int r = decode(request->evidence, &s, &e);
	r = check_errno(result, "evidence format", r, &e);
	if (r < 0)
		return r;
	const struct snp_certs certs = {
		buf_slice(&s.vek), buf_slice(&s.ask), buf_slice(&s.ark), buf_slice(&s.crl)};
	r = snp_verify(request, slice_of(s.report, sizeof(s.report)), &certs, result, &report, &v);
	if (r == 0)
		r = check_bindings(request, report.report_data,
			"the guest's HOST_DATA does not hold this initdata", report.host_data,
			result);
	if (r < 0)
		return r;
	result->claims = json_object();
	return result->claims ? make_claims(&report, v, result->claims) : -ENOMEM;
}
