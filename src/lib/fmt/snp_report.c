/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/snp_report.h"

#define ECDSA_P384_SHA384 1
#define VERSION_MIN 2
#define VERSION_MAX 5
#define VERSION_WITH_CPUID 3

/* Reads in the order of the table; the first failure stays. */
struct walk {
	struct rd rd;
	int error;
};

static uint32_t take_u32(struct walk *w)
{
	uint32_t v = 0;
	if (w->error == 0)
		w->error = rd_u32le(&w->rd, &v);
	return v;
}

static uint64_t take_u64(struct walk *w)
{
	uint64_t v = 0;
	if (w->error == 0)
		w->error = rd_u64le(&w->rd, &v);
	return v;
}

static uint8_t take_u8(struct walk *w)
{
	uint8_t v = 0;
	if (w->error == 0)
		w->error = rd_u8(&w->rd, &v);
	return v;
}

static struct slice take(struct walk *w, size_t size)
{
	struct slice v = SLICE_EMPTY;
	if (w->error == 0)
		w->error = rd_slice(&w->rd, size, &v);
	return v;
}

static void read_head(struct walk *w, struct snp_report *r, uint32_t *ret_key_info)
{
	r->version = take_u32(w);
	r->guest_svn = take_u32(w);
	r->policy = take_u64(w);
	r->family_id = take(w, 16);
	r->image_id = take(w, 16);
	r->vmpl = take_u32(w);
	r->signature_algo = take_u32(w);
	r->current_tcb = take(w, 8);
	r->platform_info = take_u64(w);
	*ret_key_info = take_u32(w);
	take_u32(w);
	r->report_data = take(w, 64);
	r->measurement = take(w, 48);
	r->host_data = take(w, 32);
	r->id_key_digest = take(w, 48);
	r->author_key_digest = take(w, 48);
	r->report_id = take(w, 32);
	r->report_id_ma = take(w, 32);
}

static void read_tail(struct walk *w, struct snp_report *r)
{
	r->reported_tcb = take(w, 8);
	r->family = take_u8(w);
	r->model = take_u8(w);
	r->stepping = take_u8(w);
	r->has_cpuid = r->version >= VERSION_WITH_CPUID;
	take(w, 21);
	r->chip_id = take(w, 64);
	r->committed_tcb = take(w, 8);
	r->current_build = take_u8(w);
	r->current_minor = take_u8(w);
	r->current_major = take_u8(w);
	take_u8(w);
	r->committed_build = take_u8(w);
	r->committed_minor = take_u8(w);
	r->committed_major = take_u8(w);
	take_u8(w);
	r->launch_tcb = take(w, 8);
	r->launch_mit_vector = take_u64(w);
	r->current_mit_vector = take_u64(w);
	take(w, SNP_SIGNED_SIZE - 0x208);
}

/* A scalar: 72 bytes little-endian, of which a P-384 signature fills 48. */
static int read_scalar(struct rd *r, uint8_t *ret)
{
	struct slice s;
	int e = rd_slice(r, SNP_SCALAR_SIZE, &s);
	if (e == 0)
		e = rd_zero(r, SNP_SCALAR_FIELD_SIZE - SNP_SCALAR_SIZE);
	for (size_t i = 0; e == 0 && i < SNP_SCALAR_SIZE; i++)
		ret[i] = s.data[SNP_SCALAR_SIZE - 1 - i];
	return e;
}

static int read_signature(struct rd *r, struct snp_report *o)
{
	int e = read_scalar(r, o->signature);
	if (e == 0)
		e = read_scalar(r, o->signature + SNP_SCALAR_SIZE);
	return e == 0 ? rd_zero(r, rd_left(r)) : e;
}

static int check_head(const struct snp_report *r, uint32_t key_info, struct err *reterr)
{
	if (r->version < VERSION_MIN || r->version > VERSION_MAX)
		return err_at(reterr, -EOPNOTSUPP, 0, "version",
			"report has version %u; %d to %d are known", r->version, VERSION_MIN,
			VERSION_MAX);
	if (r->signature_algo != ECDSA_P384_SHA384)
		return err_at(reterr, -EOPNOTSUPP, 0x34, "signature algorithm",
			"report has signature algorithm %u; only 1 (ECDSA P-384 with SHA-384) is "
			"accepted",
			r->signature_algo);
	if (r->signing_key != SNP_KEY_VCEK && r->signing_key != SNP_KEY_VLEK)
		return err_at(reterr, -EOPNOTSUPP, 0x48, "key info",
			"report is not signed by a VCEK or a VLEK (key info 0x%x)", key_info);
	return 0;
}

int snp_report_parse(struct slice in, struct snp_report *ret, struct err *reterr)
{
	struct snp_report r = {.signed_bytes = slice_cut(in, 0, SNP_SIGNED_SIZE)};
	struct walk w = {.rd = rd_init(in)};
	uint32_t key_info;

	if (in.size != SNP_REPORT_SIZE)
		return err_at(reterr, in.size < SNP_REPORT_SIZE ? -ENODATA : -EBADMSG, in.size,
			"report", "report has %zu bytes, not %zu", in.size, SNP_REPORT_SIZE);
	read_head(&w, &r, &key_info);
	read_tail(&w, &r);
	if (w.error < 0)
		return w.error;
	r.author_key_enabled = (key_info & 1) != 0;
	r.chip_key_masked = (key_info >> 1 & 1) != 0;
	r.signing_key = (enum snp_signing_key)(key_info >> 2 & 7);
	int e = check_head(&r, key_info, reterr);
	if (e == 0 && read_signature(&w.rd, &r) < 0)
		e = err_at(reterr, -EBADMSG, rd_pos(&w.rd), "signature",
			"the report's signature field has bits set that are no part of a P-384 "
			"signature");
	if (e == 0)
		*ret = r;
	return e;
}

enum snp_product snp_report_product(const struct snp_report *r)
{
	if (!r->has_cpuid)
		return SNP_PRODUCT_NONE;
	if (r->family == 0x19 && r->model <= 0x0F)
		return SNP_MILAN;
	if (r->family == 0x19 &&
		((r->model >= 0x10 && r->model <= 0x1F) || (r->model >= 0xA0 && r->model <= 0xAF)))
		return SNP_GENOA;
	if (r->family == 0x1A && r->model <= 0x11)
		return SNP_TURIN;
	return SNP_PRODUCT_NONE;
}

const char *snp_product_name(enum snp_product p)
{
	switch (p) {
	case SNP_MILAN:
		return "Milan";
	case SNP_GENOA:
		return "Genoa";
	case SNP_TURIN:
		return "Turin";
	case SNP_PRODUCT_NONE:
		break;
	}
	return "unknown";
}

struct snp_tcb snp_tcb_decode(struct slice raw, enum snp_product p)
{
	if (raw.size != 8)
		return (struct snp_tcb){0};
	const uint8_t *b = raw.data;
	if (p == SNP_TURIN)
		return (struct snp_tcb){b[0], b[1], b[2], b[3], b[7]};
	return (struct snp_tcb){0, b[0], b[1], b[6], b[7]};
}

void snp_tcb_encode(const struct snp_tcb *t, enum snp_product p, uint8_t ret[8])
{
	memset(ret, 0, 8);
	ret[7] = t->microcode;
	if (p == SNP_TURIN) {
		ret[0] = t->fmc;
		ret[1] = t->bootloader;
		ret[2] = t->tee;
		ret[3] = t->snp;
	} else {
		ret[0] = t->bootloader;
		ret[1] = t->tee;
		ret[6] = t->snp;
	}
}
