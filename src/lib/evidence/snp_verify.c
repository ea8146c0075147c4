/* SPDX-License-Identifier: Apache-2.0 */
#include "base/enc.h"
#include "base/str.h"
#include "evidence/snp.h"

static const char *tcb_text(const struct snp_tcb *t, enum snp_product p, char *dst, size_t size)
{
	char fmc[16] = "";
	if (p == SNP_TURIN)
		snprintf(fmc, sizeof(fmc), " fmc %u", t->fmc);
	snprintf(dst, size, "bootloader %u tee %u snp %u microcode %u%s", t->bootloader, t->tee,
		t->snp, t->microcode, fmc);
	return dst;
}

static int check_tcb(
	const struct snp_report *r, const struct snp_vek *v, struct evidence_result *result)
{
	struct snp_tcb t = snp_tcb_decode(r->reported_tcb, v->product);
	char want[96], got[96];
	bool same = t.fmc == v->tcb.fmc && t.bootloader == v->tcb.bootloader &&
		    t.tee == v->tcb.tee && t.snp == v->tcb.snp && t.microcode == v->tcb.microcode;

	return check_note(result, "TCB", same, tcb_text(&v->tcb, v->product, want, sizeof(want)),
		tcb_text(&t, v->product, got, sizeof(got)),
		same ? NULL : "the certificate was issued for another TCB than the reported one");
}

/* A VLEK is of a provider, not of a chip; nothing can be compared then. */
static int check_chip(
	const struct snp_report *r, const struct snp_vek *v, struct evidence_result *result)
{
	uint8_t want[64] = {0};

	if (v->kind == SNP_KEY_VLEK)
		return 0;
	memcpy(want, v->hwid, v->hwid_size);
	return check_bytes(result, "chip id", slice_of(want, sizeof(want)), r->chip_id,
		"the certificate is of another chip than the report");
}

static int check_product(
	const struct snp_report *r, const struct snp_vek *v, struct evidence_result *result)
{
	enum snp_product p = snp_report_product(r);
	bool same = r->has_cpuid ? p == v->product : v->product != SNP_TURIN;

	return check_note(result, "product", same, snp_product_name(v->product),
		r->has_cpuid ? snp_product_name(p) : NULL,
		same ? NULL : "the certificate is of another product than the report");
}

static int check_vmpl(const struct evidence_request *q, const struct snp_report *r,
	struct evidence_result *result)
{
	char want[32], got[16];
	bool good = r->vmpl <= q->snp_vmpl_max;

	snprintf(want, sizeof(want), "at most %u", q->snp_vmpl_max);
	snprintf(got, sizeof(got), "%u", r->vmpl);
	return check_note(result, "VMPL", good, want, got,
		good ? NULL : "the report was not requested at the guest's highest privilege");
}

int snp_verify(const struct evidence_request *request, struct slice bytes,
	const struct snp_certs *certs, struct evidence_result *result, struct snp_report *ret,
	const struct snp_vek **ret_vek)
{
	const struct snp_vek *v = NULL;
	struct snp_report report;
	struct err e = {0};

	int r = snp_report_parse(bytes, &report, &e);
	r = check_errno(result, "report format", r, &e);
	if (r == 0)
		r = snp_vek_get(request, &report, certs, result, &v);
	if (r < 0 || !v)
		return r < 0 ? r : -EIO;
	r = pkey_verify(v->key, SIG_ES384, report.signed_bytes,
		slice_of(report.signature, sizeof(report.signature)));
	if (r == -EKEYREJECTED)
		err_set(&e, r, "the report was not signed with the certificate's key");
	r = check_errno(result, "report signature", r, &e);
	if (r == 0)
		r = check_product(&report, v, result);
	if (r == 0)
		r = check_tcb(&report, v, result);
	if (r == 0)
		r = check_chip(&report, v, result);
	if (r == 0)
		r = check_vmpl(request, &report, result);
	if (r < 0)
		return r;
	*ret = report;
	*ret_vek = v;
	return 0;
}
