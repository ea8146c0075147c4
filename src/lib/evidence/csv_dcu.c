/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence of Hygon's accelerators (DCU): {"attestation_reports": [{"body", "sig"}]}, which come
 * beside that of a CPU. Each report is signed by the CEK of its chip, which is collateral.
 */
#include "evidence/csv.h"
#include "fmt/json.h"

#define REPORTS_MAX 64

static int make_claims(const struct csv_dcu_report *c, json_t *devices)
{
	const struct claim_field fields[] = {{"chip_id", c->chip_id}, {"user_data", c->user_data},
		{"measure", c->measure}, {"reserved", c->reserved}};
	json_t *claims = json_object(), *device = json_object(), *body;
	char number[16];

	int r = json_set_str(device, "class", "dcu");
	if (r == 0)
		r = json_set_take(device, "claims", claims);
	else
		json_decref(claims);
	if (r == 0)
		r = put_fields(claims, "body", fields, ARRAY_COUNT(fields));
	body = json_object_get(claims, "body");
	if (r == 0)
		r = json_set_int(body, "version", c->version);
	snprintf(number, sizeof(number), "%x", c->sig_usage);
	if (r == 0)
		r = json_set_str(body, "sig_usage", number);
	snprintf(number, sizeof(number), "%x", c->sig_algo);
	if (r == 0)
		r = json_set_str(body, "sig_algo", number);
	if (r == 0)
		r = json_set_hex(claims, "report_data", c->user_data);
	if (r < 0) {
		json_decref(device);
		return r;
	}
	return json_array_append_new(devices, device) < 0 ? -ENOMEM : 0;
}

static int verify_report(
	const struct evidence_request *request, const json_t *item, struct evidence_result *result)
{
	uint8_t bytes[CSV_DCU_REPORT_SIZE] = {0};
	struct slice hsk = SLICE_EMPTY, cek = SLICE_EMPTY;
	struct csv_dcu_report report = {0};
	struct csv_cert cek_cert = {0};
	struct err e = {0};

	int r = csv_dcu_report_from_json(item, bytes, &e);
	if (r == 0)
		r = csv_dcu_report_parse(slice_of(bytes, sizeof(bytes)), &report, &e);
	r = check_errno(result, "report format", r, &e);
	if (r == 0)
		r = csv_hsk_cek(request, "dcu", report.chip_id, result, &hsk, &cek);
	if (r == 0)
		r = csv_verify_chain(request, hsk, cek, result, &cek_cert);
	if (r < 0)
		return r;
	r = csv_check_signed(&cek_cert, &report.signature, report.signed_bytes, &e);
	r = check_errno(result, "report signature", r, &e);
	if (r == 0)
		r = check_bindings(request, report.user_data, "", SLICE_EMPTY, result);
	return r == 0 ? make_claims(&report, result->devices) : r;
}

int evidence_dcu_verify(
	const struct evidence_request *request, struct evidence_result *result, struct err *reterr)
{
	json_t *reports = NULL;
	struct err e = {0};

	int r = json_get_array(request->evidence, "attestation_reports", REPORTS_MAX, &reports, &e);
	if (r == 0 && json_array_size(reports) == 0)
		r = err_set(&e, -EBADMSG, "there is no report");
	r = check_errno(result, "evidence format", r, &e);
	if (r == 0 && request->init_data.size > 0)
		r = check_note(result, "initdata", false, NULL, NULL,
			"reports of accelerators have no field for initdata");
	if (r < 0)
		return r;
	result->devices = json_array();
	for (size_t i = 0; r == 0 && i < json_array_size(reports); i++)
		r = verify_report(request, json_array_get(reports, i), result);
	return r;
}
