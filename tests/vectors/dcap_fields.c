/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "dcap.h"

struct hex_field {
	const char *name;
	struct slice value;
};

static int compare_hex(
	struct vector *v, const json_t *o, const struct hex_field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (vector_hex(v, o, fields[i].name, fields[i].value) < 0)
			return -1;
	}
	return 0;
}

static int compare_enclave(struct vector *v, const json_t *o, const struct sgx_report *r)
{
	const struct hex_field fields[] = {
		{"cpu_svn", r->cpu_svn},
		{"misc_select", r->misc_select},
		{"attributes", r->attributes},
		{"mr_enclave", r->mr_enclave},
		{"mr_signer", r->mr_signer},
		{"config_id", r->config_id},
		{"isv_family_id", r->isv_family_id},
		{"isv_ext_prod_id", r->isv_ext_prod_id},
		{"report_data", r->report_data},
	};
	const json_t *debug = json_object_get(o, "debug");

	if (debug && json_is_true(debug) != sgx_bit(r->attributes, SGX_ATTRIBUTE_DEBUG))
		return vector_fail(v, "debug of the enclave differs");
	if (vector_int(v, o, "isv_prod_id", r->isv_prod_id) < 0 ||
		vector_int(v, o, "isv_svn", r->isv_svn) < 0 ||
		vector_int(v, o, "config_svn", r->config_svn) < 0)
		return -1;
	return compare_hex(v, o, fields, ARRAY_COUNT(fields));
}

static int compare_td(struct vector *v, const json_t *o, const struct td_report *t)
{
	const struct hex_field fields[] = {
		{"tee_tcb_svn", t->tee_tcb_svn},
		{"mr_seam", t->mr_seam},
		{"mr_signer_seam", t->mrsigner_seam},
		{"seam_attributes", t->seam_attributes},
		{"td_attributes", t->td_attributes},
		{"xfam", t->xfam},
		{"mr_td", t->mr_td},
		{"mr_config_id", t->mr_config_id},
		{"mr_owner", t->mr_owner},
		{"mr_owner_config", t->mr_owner_config},
		{"rtmr0", t->rtmr[0]},
		{"rtmr1", t->rtmr[1]},
		{"rtmr2", t->rtmr[2]},
		{"rtmr3", t->rtmr[3]},
		{"report_data", t->report_data},
		{"tee_tcb_svn2", t->tee_tcb_svn2},
		{"mr_service_td", t->mr_servicetd},
	};
	const json_t *debug = json_object_get(o, "td_debug");

	if (debug && json_is_true(debug) != sgx_bit(t->td_attributes, TD_ATTRIBUTE_DEBUG))
		return vector_fail(v, "debug of the TD differs");
	return compare_hex(v, o, fields, ARRAY_COUNT(fields));
}

int dcap_fields_compare(struct vector *v, const json_t *fields, const struct sgx_quote *q)
{
	bool is_tdx = q->tee_type == SGX_TEE_TYPE_TDX;
	const char *tee = json_string_value(json_object_get(fields, "tee_type"));
	const json_t *report = json_object_get(fields, "report");

	if (tee && !streq(tee, is_tdx ? "tdx" : "sgx"))
		return vector_fail(v, "the quote is of the other TEE");
	if (vector_int(v, fields, "version", q->version) < 0 ||
		vector_int(v, fields, "att_key_type", q->att_key_type) < 0 ||
		vector_int(v, fields, "body_type", q->body_type) < 0 ||
		vector_int(v, fields, "body_size", (int64_t)q->body.size) < 0 ||
		vector_int(v, fields, "trailing_bytes", (int64_t)q->trailing) < 0 ||
		vector_int(v, fields, "cert_data_type", q->cert_data_type) < 0 ||
		vector_hex(v, fields, "qe_vendor_id", q->qe_vendor_id) < 0 ||
		vector_hex(v, fields, "user_data", q->user_data) < 0 ||
		compare_enclave(v, json_object_get(fields, "qe_report"), &q->qe) < 0)
		return -1;
	return is_tdx ? compare_td(v, report, &q->td) : compare_enclave(v, report, &q->enclave);
}
