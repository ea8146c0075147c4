/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence of Azure's SNP guests ("az-snp-vtpm"). Claims are text, as Trustee makes them. */
#include "base/enc.h"
#include "base/str.h"
#include "evidence/azure.h"
#include "evidence/snp.h"
#include "fmt/json.h"

static int put_flags(json_t *c, const struct snp_report *r)
{
	const struct {
		const char *name;
		bool value;
	} flags[] = {
		{"policy_smt_allowed", snp_bit(r->policy, SNP_POLICY_SMT)},
		{"policy_migrate_ma", snp_bit(r->policy, SNP_POLICY_MIGRATE_MA)},
		{"policy_debug_allowed", snp_bit(r->policy, SNP_POLICY_DEBUG)},
		{"policy_single_socket", snp_bit(r->policy, SNP_POLICY_SINGLE_SOCKET)},
		{"platform_smt_enabled", snp_bit(r->platform_info, SNP_PLATFORM_SMT)},
		{"platform_tsme_enabled", snp_bit(r->platform_info, SNP_PLATFORM_TSME)},
	};
	int e = 0;
	for (size_t i = 0; e == 0 && i < ARRAY_COUNT(flags); i++)
		e = json_set_str(c, flags[i].name, flags[i].value ? "true" : "false");
	return e;
}

static int put_numbers(json_t *c, const struct snp_report *r, enum snp_product p)
{
	struct snp_tcb t = snp_tcb_decode(r->reported_tcb, p);
	const struct {
		const char *name;
		unsigned value;
	} numbers[] = {
		{"policy_abi_major", (unsigned)(r->policy >> 8 & 0xFF)},
		{"policy_abi_minor", (unsigned)(r->policy & 0xFF)},
		{"reported_tcb_bootloader", t.bootloader},
		{"reported_tcb_tee", t.tee},
		{"reported_tcb_snp", t.snp},
		{"reported_tcb_microcode", t.microcode},
	};
	char text[16];
	int e = 0;
	for (size_t i = 0; e == 0 && i < ARRAY_COUNT(numbers); i++) {
		snprintf(text, sizeof(text), "%u", numbers[i].value);
		e = json_set_str(c, numbers[i].name, text);
	}
	return e;
}

static int decode(const json_t *evidence, struct azure *a, struct buf *vcek, struct err *reterr)
{
	const char *pem;

	int r = azure_decode(evidence, HCL_SNP, a, reterr);
	if (r < 0)
		return r;
	if (a->version > 0)
		return azure_bytes(evidence, "vcek", false, vcek, reterr);
	r = json_get_str(evidence, "vcek", &pem, reterr);
	if (r == 0)
		buf_put_str(vcek, pem);
	return r == 0 ? buf_error(vcek) : r;
}

int evidence_azure_snp_verify(
	const struct evidence_request *request, struct evidence_result *result, struct err *reterr)
{
	cleanup_with(azure_done) struct azure a = {0};
	cleanup_with(buf_done) struct buf vcek = buf_init(SNP_CERT_SIZE_MAX);
	const struct snp_vek *v = NULL;
	struct snp_report report;
	struct err e = {0};

	int r = decode(request->evidence, &a, &vcek, &e);
	r = check_errno(result, "evidence format", r, &e);
	if (r == 0)
		r = azure_verify(request, &a, result);
	if (r < 0)
		return r;
	const struct snp_certs certs = {.vek = buf_slice(&vcek)};
	r = snp_verify(request, a.hcl.hardware, &certs, result, &report, &v);
	if (r == 0)
		r = azure_check_binding(&a, report.report_data, result);
	if (r < 0)
		return r;
	json_t *c = result->claims = json_object();
	r = c ? put_flags(c, &report) : -ENOMEM;
	if (r == 0)
		r = put_numbers(c, &report, v->product);
	if (r == 0)
		r = json_set_b64(c, "measurement", report.measurement, B64_STD);
	return r == 0 ? azure_claims(&a, c) : r;
}
