/* SPDX-License-Identifier: Apache-2.0 */
/* What the certificate of an SNP signing key says of its chip and TCB. */
#include "base/enc.h"
#include "base/str.h"
#include "evidence/snp_chain.h"
#include "fmt/der.h"

#define AMD_ARC "1.3.6.1.4.1.3704.1."

static int read_spl(const struct cert *c, const char *oid, uint8_t *ret)
{
	struct slice value, content;
	uint64_t n;

	int r = cert_extension(c, oid, &value);
	struct rd in = rd_init(r == 0 ? value : SLICE_EMPTY);
	if (r == 0)
		r = der_expect(&in, DER_INTEGER, &content);
	if (r == 0)
		r = rd_done(&in);
	if (r == 0)
		r = der_uint(content, UINT8_MAX, &n);
	if (r == 0)
		*ret = (uint8_t)n;
	return r;
}

/* The chip's id stands as it is in some certificates and in an OCTET STRING in others. */
static int read_hwid(const struct cert *c, enum snp_product p, struct snp_vek *v)
{
	size_t size = p == SNP_TURIN ? SNP_HWID_TURIN_SIZE : sizeof(v->hwid);
	struct slice value;

	int r = cert_extension(c, AMD_ARC "4", &value);
	if (r == 0 && value.size != size) {
		struct rd in = rd_init(value);
		r = der_expect(&in, DER_OCTET_STRING, &value);
		if (r == 0)
			r = rd_done(&in);
	}
	if (r == 0 && value.size != size)
		r = -EBADMSG;
	if (r < 0)
		return r;
	memcpy(v->hwid, value.data, size);
	v->hwid_size = size;
	return 0;
}

int snp_vek_read(const struct cert *c, enum snp_product p, struct snp_vek *ret, struct err *reterr)
{
	const struct {
		const char *name, *oid;
		uint8_t *to;
	} spls[] = {
		{"boot loader SPL", AMD_ARC "3.1", &ret->tcb.bootloader},
		{"TEE SPL", AMD_ARC "3.2", &ret->tcb.tee},
		{"SNP SPL", AMD_ARC "3.3", &ret->tcb.snp},
		{"microcode SPL", AMD_ARC "3.8", &ret->tcb.microcode},
		{"FMC SPL", AMD_ARC "3.9", &ret->tcb.fmc},
	};
	size_t count = ARRAY_COUNT(spls) - (p == SNP_TURIN ? 0 : 1);
	char name[32] = "";

	if (cert_common_name(c, name, sizeof(name)) < 0)
		name[0] = 0;
	if (streq(name, "SEV-VCEK"))
		ret->kind = SNP_KEY_VCEK;
	else if (streq(name, "SEV-VLEK"))
		ret->kind = SNP_KEY_VLEK;
	else
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "common name",
			"the certificate is neither a VCEK nor a VLEK");
	for (size_t i = 0; i < count; i++) {
		if (read_spl(c, spls[i].oid, spls[i].to) < 0)
			return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, spls[i].name,
				"the %s in the certificate is missing or malformed", spls[i].name);
	}
	if (ret->kind == SNP_KEY_VCEK && read_hwid(c, p, ret) < 0)
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "hardware id",
			"the hardware id in the certificate is missing or malformed");
	return 0;
}

enum snp_product snp_cert_product(const struct cert *vek)
{
	struct slice name;
	if (cert_extension(vek, AMD_ARC "2", &name) < 0 || name.size < 2)
		return SNP_PRODUCT_NONE;
	name = slice_cut(name, 2, name.size);
	for (enum snp_product p = SNP_MILAN; p <= SNP_TURIN; p++) {
		if (slice_starts(name, slice_str(snp_product_name(p))))
			return p;
	}
	return SNP_PRODUCT_NONE;
}

static void make_key(enum snp_product p, enum snp_signing_key kind, const struct snp_tcb *t,
	struct slice hwid, char dst[COLLATERAL_KEY_SIZE])
{
	char hex[2 * 64 + 1], tcb[48], fmc[12] = "";
	const char *product = p == SNP_TURIN ? "turin" : p == SNP_GENOA ? "genoa" : "milan";

	if (p == SNP_TURIN)
		snprintf(fmc, sizeof(fmc), "_fmc%02u", t->fmc);
	snprintf(tcb, sizeof(tcb), "bl%02u_tee%02u_snp%02u_ucode%02u%s", t->bootloader, t->tee,
		t->snp, t->microcode, fmc);
	if (kind == SNP_KEY_VLEK)
		snprintf(dst, COLLATERAL_KEY_SIZE, "amd/%s/vlek/%s", product, tcb);
	else
		snprintf(dst, COLLATERAL_KEY_SIZE, "amd/%s/vcek/%s/%s", product,
			hex_str(slice_cut(hwid, 0, p == SNP_TURIN ? SNP_HWID_TURIN_SIZE : 64), hex,
				sizeof(hex)),
			tcb);
}

void snp_vek_collateral_key(
	const struct snp_report *report, enum snp_product p, char dst[COLLATERAL_KEY_SIZE])
{
	struct snp_tcb t = snp_tcb_decode(report->reported_tcb, p);
	make_key(p, report->signing_key, &t, report->chip_id, dst);
}

int snp_cert_collateral_key(
	const struct cert *vek, char dst[COLLATERAL_KEY_SIZE], struct err *reterr)
{
	enum snp_product p = snp_cert_product(vek);
	struct snp_vek v = {0};

	if (p == SNP_PRODUCT_NONE)
		return err_set(reterr, -EBADMSG, "the certificate names no product of AMD's");
	int r = snp_vek_read(vek, p, &v, reterr);
	if (r == 0)
		make_key(p, v.kind, &v.tcb, slice_of(v.hwid, v.hwid_size), dst);
	return r;
}
