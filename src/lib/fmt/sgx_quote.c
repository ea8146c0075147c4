/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/sgx_quote.h"

#define ECDSA_P256_KEY_TYPE 2
#define SIGNATURE_SIZE 64
#define KEY_SIZE 64

struct field {
	struct slice *to;
	size_t size;
};

static int read_fields(struct slice in, const struct field *fields, size_t count)
{
	struct rd r = rd_init(in);
	int e = 0;
	for (size_t i = 0; e == 0 && i < count; i++)
		e = rd_slice(&r, fields[i].size, fields[i].to);
	return e < 0 ? e : rd_done(&r);
}

static uint16_t le16(struct slice s)
{
	return (uint16_t)(s.data[0] | s.data[1] << 8);
}

int sgx_report_parse(struct slice in, struct sgx_report *ret)
{
	struct sgx_report o = {.raw = in};
	const struct field fields[] = {
		{&o.cpu_svn, 16},
		{&o.misc_select, 4},
		{&o.reserved1, 12},
		{&o.isv_ext_prod_id, 16},
		{&o.attributes, 16},
		{&o.mr_enclave, 32},
		{&o.reserved2, 32},
		{&o.mr_signer, 32},
		{&o.reserved3, 32},
		{&o.config_id, 64},
		{&o.isv_prod_id_raw, 2},
		{&o.isv_svn_raw, 2},
		{&o.config_svn_raw, 2},
		{&o.reserved4, 42},
		{&o.isv_family_id, 16},
		{&o.report_data, 64},
	};
	int r = read_fields(in, fields, ARRAY_COUNT(fields));
	if (r < 0)
		return r;
	o.isv_prod_id = le16(o.isv_prod_id_raw);
	o.isv_svn = le16(o.isv_svn_raw);
	o.config_svn = le16(o.config_svn_raw);
	*ret = o;
	return 0;
}

int td_report_parse(struct slice in, struct td_report *ret)
{
	struct td_report o = {0};
	const struct field fields[] = {
		{&o.tee_tcb_svn, 16},
		{&o.mr_seam, 48},
		{&o.mrsigner_seam, 48},
		{&o.seam_attributes, 8},
		{&o.td_attributes, 8},
		{&o.xfam, 8},
		{&o.mr_td, 48},
		{&o.mr_config_id, 48},
		{&o.mr_owner, 48},
		{&o.mr_owner_config, 48},
		{&o.rtmr[0], 48},
		{&o.rtmr[1], 48},
		{&o.rtmr[2], 48},
		{&o.rtmr[3], 48},
		{&o.report_data, 64},
		/* 1.5 only */
		{&o.tee_tcb_svn2, 16},
		{&o.mr_servicetd, 48},
	};
	size_t count = ARRAY_COUNT(fields) - (in.size == TD_REPORT10_SIZE ? 2 : 0);
	int r = read_fields(in, fields, count);
	if (r == 0)
		*ret = o;
	return r;
}

static int fail(const struct rd *r, int code, const char *field, struct err *reterr)
{
	return err_at(reterr, code, rd_pos(r), field,
		code == -ENODATA ? "quote ends inside its %s" : "%s of the quote is malformed",
		field);
}

static int read_header(struct rd *r, struct sgx_quote *q, struct err *reterr)
{
	struct rd h;

	if (rd_slice(r, SGX_QUOTE_HEADER_SIZE, &q->header) < 0)
		return fail(r, -ENODATA, "header", reterr);
	h = rd_init(q->header);
	int e = rd_u16le(&h, &q->version);
	if (e == 0)
		e = rd_u16le(&h, &q->att_key_type);
	if (e == 0)
		e = rd_u32le(&h, &q->tee_type);
	if (e == 0)
		e = rd_skip(&h, 4);
	if (e == 0)
		e = rd_slice(&h, 16, &q->qe_vendor_id);
	if (e == 0)
		e = rd_slice(&h, 20, &q->user_data);
	if (e < 0)
		return fail(r, e, "header", reterr);
	if (q->version < 3 || q->version > 5)
		return err_at(reterr, -EOPNOTSUPP, 0, "version",
			"quote has version %u; 3, 4 and 5 are known", q->version);
	if (q->att_key_type != ECDSA_P256_KEY_TYPE)
		return err_at(reterr, -EOPNOTSUPP, 2, "attestation key type",
			"quote has attestation key type %u; only 2 (ECDSA P-256) is accepted",
			q->att_key_type);
	/* In version 3 these bytes are attestation key data, and the TEE is SGX. */
	if (q->version == 3)
		q->tee_type = SGX_TEE_TYPE_SGX;
	if (q->tee_type != SGX_TEE_TYPE_SGX && q->tee_type != SGX_TEE_TYPE_TDX)
		return err_at(
			reterr, -EOPNOTSUPP, 4, "tee_type", "quote has TEE type %08x", q->tee_type);
	return 0;
}

static int body_size(const struct sgx_quote *q, size_t *ret)
{
	static const struct {
		enum sgx_body type;
		uint32_t tee_type;
		size_t size;
	} bodies[] = {
		{SGX_BODY_ENCLAVE, SGX_TEE_TYPE_SGX, SGX_REPORT_SIZE},
		{SGX_BODY_TD10, SGX_TEE_TYPE_TDX, TD_REPORT10_SIZE},
		{SGX_BODY_TD15, SGX_TEE_TYPE_TDX, TD_REPORT15_SIZE},
	};
	for (size_t i = 0; i < ARRAY_COUNT(bodies); i++) {
		if (bodies[i].type == q->body_type && bodies[i].tee_type == q->tee_type) {
			*ret = bodies[i].size;
			return 0;
		}
	}
	return -EOPNOTSUPP;
}

static int read_body(struct rd *r, struct sgx_quote *q, struct err *reterr)
{
	size_t size = 0;
	uint16_t type;
	uint32_t stated = 0;

	q->body_type = q->tee_type == SGX_TEE_TYPE_TDX ? SGX_BODY_TD10 : SGX_BODY_ENCLAVE;
	if (q->version == 5) {
		if (rd_u16le(r, &type) < 0 || rd_u32le(r, &stated) < 0)
			return fail(r, -ENODATA, "body header", reterr);
		q->body_type = (enum sgx_body)type;
	}
	if (body_size(q, &size) < 0)
		return err_at(reterr, -EOPNOTSUPP, rd_pos(r), "body type",
			"quote of TEE type %02x has body type %u", q->tee_type, q->body_type);
	if (q->version == 5 && stated != size)
		return err_at(reterr, -EBADMSG, rd_pos(r), "body size",
			"body of type %u has %u bytes, not %zu", q->body_type, stated, size);
	if (rd_slice(r, size, &q->body) < 0)
		return fail(r, -ENODATA, "body", reterr);
	int e = q->body_type == SGX_BODY_ENCLAVE ? sgx_report_parse(q->body, &q->enclave)
						 : td_report_parse(q->body, &q->td);
	if (e < 0)
		return fail(r, e, "body", reterr);
	q->signed_bytes = slice_cut(r->in, 0, rd_pos(r));
	return 0;
}

/* QE report, its signature, authentication data and the certificate: the same in all versions. */
static int read_qe(struct rd *r, struct sgx_quote *q, struct err *reterr)
{
	struct slice report;
	uint16_t auth_size;
	uint32_t cert_size;

	if (rd_slice(r, SGX_REPORT_SIZE, &report) < 0 || sgx_report_parse(report, &q->qe) < 0)
		return fail(r, -ENODATA, "QE report", reterr);
	if (rd_slice(r, SIGNATURE_SIZE, &q->qe_signature) < 0)
		return fail(r, -ENODATA, "QE report signature", reterr);
	if (rd_u16le(r, &auth_size) < 0 || rd_slice(r, auth_size, &q->qe_auth_data) < 0)
		return fail(r, -ENODATA, "QE authentication data", reterr);
	if (rd_u16le(r, &q->cert_data_type) < 0 || rd_u32le(r, &cert_size) < 0 ||
		rd_slice(r, cert_size, &q->cert_data) < 0)
		return fail(r, -ENODATA, "certification data", reterr);
	if (q->cert_data_type < SGX_CERT_PPID || q->cert_data_type > SGX_CERT_PCK_CHAIN)
		return err_at(reterr, -EOPNOTSUPP, rd_pos(r), "certification data type",
			"quote has certification data of type %u", q->cert_data_type);
	return rd_done(r) < 0 ? fail(r, -EBADMSG, "certification data", reterr) : 0;
}

static int read_signature(struct rd *r, struct sgx_quote *q, struct err *reterr)
{
	uint32_t size;
	struct slice data, inner;

	if (rd_u32le(r, &size) < 0 || rd_slice(r, size, &data) < 0)
		return fail(r, -ENODATA, "signature data", reterr);
	struct rd s = rd_init(data);
	if (rd_slice(&s, SIGNATURE_SIZE, &q->signature) < 0)
		return fail(r, -ENODATA, "signature", reterr);
	q->qe_part = slice_cut(data, SIGNATURE_SIZE, data.size);
	if (rd_slice(&s, KEY_SIZE, &q->attestation_key) < 0)
		return fail(r, -ENODATA, "attestation key", reterr);
	if (q->version >= 4) {
		uint16_t type;
		uint32_t inner_size;
		if (rd_u16le(&s, &type) < 0 || rd_u32le(&s, &inner_size) < 0)
			return fail(r, -ENODATA, "certification data", reterr);
		if (type != SGX_CERT_QE_REPORT)
			return err_at(reterr, -EOPNOTSUPP, rd_pos(r), "certification data type",
				"quote of version %u has outer certification data of type %u, not "
				"6",
				q->version, type);
		if (rd_slice(&s, inner_size, &inner) < 0)
			return fail(r, -ENODATA, "certification data", reterr);
		if (rd_done(&s) < 0)
			return fail(r, -EBADMSG, "signature data", reterr);
		s = rd_init(inner);
	}
	return read_qe(&s, q, reterr);
}

int sgx_quote_parse(struct slice in, struct sgx_quote *ret, struct err *reterr)
{
	struct sgx_quote q = {0};
	struct rd r = rd_init(in);

	if (in.size > SGX_QUOTE_SIZE_MAX)
		return err_set(reterr, -E2BIG, "quote has %zu bytes", in.size);
	int e = read_header(&r, &q, reterr);
	if (e == 0)
		e = read_body(&r, &q, reterr);
	if (e == 0)
		e = read_signature(&r, &q, reterr);
	if (e < 0)
		return e;
	q.trailing = rd_left(&r);
	*ret = q;
	return 0;
}
