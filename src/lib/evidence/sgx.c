/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence of SGX enclaves: {"quote": base64}. Its initdata is in the report's CONFIGID. */
#include "evidence/dcap_room.h"
#include "fmt/json.h"

static int put_report(json_t *claims, const struct sgx_report *r)
{
	const struct claim_field fields[] = {
		{"cpu_svn", r->cpu_svn},
		{"misc_select", r->misc_select},
		{"reserved1", r->reserved1},
		{"isv_ext_prod_id", r->isv_ext_prod_id},
		{"attributes.flags", slice_cut(r->attributes, 0, 8)},
		{"attributes.xfrm", slice_cut(r->attributes, 8, 8)},
		{"mr_enclave", r->mr_enclave},
		{"reserved2", r->reserved2},
		{"mr_signer", r->mr_signer},
		{"reserved3", r->reserved3},
		{"config_id", r->config_id},
		{"isv_prod_id", r->isv_prod_id_raw},
		{"isv_svn", r->isv_svn_raw},
		{"config_svn", r->config_svn_raw},
		{"reserved4", r->reserved4},
		{"isv_family_id", r->isv_family_id},
		{"report_data", r->report_data},
	};
	return put_fields(claims, "body", fields, ARRAY_COUNT(fields));
}

static int put_header(json_t *claims, const struct sgx_quote *q)
{
	const struct claim_field fields[] = {
		{"version", slice_cut(q->header, 0, 2)},
		{"att_key_type", slice_cut(q->header, 2, 2)},
		{"att_key_data_0", slice_cut(q->header, 4, 4)},
		{"qe_svn", slice_cut(q->header, 8, 2)},
		{"pce_svn", slice_cut(q->header, 10, 2)},
		{"vendor_id", q->qe_vendor_id},
		{"user_data", q->user_data},
	};
	return put_fields(claims, "header", fields, ARRAY_COUNT(fields));
}

int evidence_sgx_verify(
	const struct evidence_request *request, struct evidence_result *result, struct err *reterr)
{
	cleanup_with(buf_done) struct buf quote = buf_init(SGX_QUOTE_SIZE_MAX);
	struct dcap_outcome o = {0};
	struct err e = {0};

	int r = json_get_b64(request->evidence, "quote", &quote, &e);
	r = check_errno(result, "evidence format", r, &e);
	if (r == 0)
		r = dcap_room_verify(request, "sgx", buf_slice(&quote), result, &o);
	if (r == 0)
		r = check_bindings(request, o.quote.enclave.report_data,
			"the enclave's CONFIGID does not hold this initdata",
			o.quote.enclave.config_id, result);
	if (r < 0)
		return r;
	result->claims = json_object();
	r = put_header(result->claims, &o.quote);
	if (r == 0)
		r = put_report(result->claims, &o.quote.enclave);
	if (r == 0)
		r = json_set_bool(result->claims, "debug",
			sgx_bit(o.quote.enclave.attributes, SGX_ATTRIBUTE_DEBUG));
	if (r == 0)
		r = json_set_hex(result->claims, "report_data", o.quote.enclave.report_data);
	if (r == 0)
		r = json_set_hex(result->claims, "init_data", o.quote.enclave.config_id);
	return r == 0 ? dcap_claims(&o, result->claims) : r;
}
