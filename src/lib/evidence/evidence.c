/* SPDX-License-Identifier: Apache-2.0 */
#include "base/enc.h"
#include "base/str.h"
#include "evidence/internal.h"
#include "fmt/json.h"

#define REPORT_DATA_MIN 32
#define REPORT_DATA_MAX 64

#define PASSED_NOTES 128
#define CHECK_BYTES_MAX 256 /* bytes that a note shows */

static const struct evidence_tee g_tees[] = {
	{"sample", "cpu", evidence_sample_verify},
	{"tpm", "cpu", evidence_tpm_verify},
	{"snp", "cpu", evidence_snp_verify},
	{"az-snp-vtpm", "cpu", evidence_azure_snp_verify},
	{"az-tdx-vtpm", "cpu", evidence_azure_tdx_verify},
	{"sgx", "cpu", evidence_sgx_verify},
	{"tdx", "cpu", evidence_tdx_verify},
	{"cca", "cpu", evidence_cca_verify},
	{"nvidia", "gpu", evidence_nvidia_verify},
	{"sampledevice", "gpu", evidence_sample_device_verify},
	{"nvidia-dpu", "nvidia-dpu", evidence_nvidia_dpu_verify},
	{"nvidiadpu", "nvidia-dpu", evidence_nvidia_dpu_verify},
	{"csv", "cpu", evidence_csv_verify},
	{"hygondcu", "dcu", evidence_dcu_verify},
	{"se", "cpu", evidence_se_verify},
};

const struct evidence_tee *evidence_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_COUNT(g_tees); i++) {
		if (streq(g_tees[i].name, name))
			return &g_tees[i];
	}
	return NULL;
}

const struct evidence_tee *evidence_at(size_t index)
{
	return index < ARRAY_COUNT(g_tees) ? &g_tees[index] : NULL;
}

void evidence_result_done(struct evidence_result *r)
{
	json_decref(r->claims);
	json_decref(r->devices);
	json_decref(r->checks);
	json_decref(r->missing);
	*r = (struct evidence_result){0};
}

/*
 * {"name": @name, "ok": true}: most notes of most verifications. They are shared and never changed.
 * Return: a new reference; NULL on ENOMEM.
 */
static json_t *passed_note(const char *name)
{
	static struct {
		char name[64];
		json_t *note;
	} known[PASSED_NOTES];
	size_t at = 0;

	for (const char *p = name; *p; p++)
		at = at * 31 + (uint8_t)*p;
	for (size_t i = 0; i < PASSED_NOTES; i++) {
		size_t k = (at + i) % PASSED_NOTES;
		if (!known[k].note) {
			if (str_copy(known[k].name, sizeof(known[k].name), name) < 0)
				break;
			known[k].note = json_pack("{s:s, s:b}", "name", name, "ok", 1);
			return json_incref(known[k].note);
		}
		if (streq(known[k].name, name))
			return json_incref(known[k].note);
	}
	return json_pack("{s:s, s:b}", "name", name, "ok", 1);
}

int check_note(struct evidence_result *r, const char *name, bool ok, const char *expected,
	const char *actual, const char *detail)
{
	if (ok && !expected && !actual && !detail)
		return json_array_append_new(r->checks, passed_note(name)) < 0 ? -ENOMEM : 0;
	json_t *check = json_object();
	int e = json_set_str(check, "name", name);
	if (e == 0)
		e = json_set_bool(check, "ok", ok);
	if (e == 0 && expected)
		e = json_set_str(check, "expected", expected);
	if (e == 0 && actual)
		e = json_set_str(check, "actual", actual);
	if (e == 0 && detail)
		e = json_set_str(check, "detail", detail);
	if (json_array_append_new(r->checks, check) < 0 || e < 0)
		return -ENOMEM;
	if (!ok && r->reason[0] == 0)
		snprintf(r->reason, sizeof(r->reason), "%s: %s", name,
			detail ? detail : "does not match");
	return ok ? 0 : -EACCES;
}

int check_passed(struct evidence_result *r, const char *const *names, size_t count, json_t **cache)
{
	if (!*cache) {
		json_t *notes = json_array();
		for (size_t i = 0; i < count; i++) {
			if (json_array_append_new(notes, passed_note(names[i])) < 0) {
				json_decref(notes);
				return -ENOMEM;
			}
		}
		*cache = notes;
	}
	return json_array_extend(r->checks, *cache) < 0 ? -ENOMEM : 0;
}

int check_bytes(struct evidence_result *r, const char *name, struct slice expected,
	struct slice actual, const char *detail)
{
	char want[2 * CHECK_BYTES_MAX + 1], got[2 * CHECK_BYTES_MAX + 1];

	hex_str(slice_cut(expected, 0, CHECK_BYTES_MAX), want, sizeof(want));
	hex_str(slice_cut(actual, 0, CHECK_BYTES_MAX), got, sizeof(got));
	return check_note(r, name, slice_eq(expected, actual), want, got,
		slice_eq(expected, actual) ? NULL : detail);
}

int check_padded(struct evidence_result *r, const char *name, struct slice expected,
	struct slice actual, const char *detail)
{
	uint8_t want[64] = {0};
	size_t size = MIN(actual.size, sizeof(want));

	if (expected.size > 0)
		memcpy(want, expected.data, MIN(expected.size, size));
	return check_bytes(r, name, slice_of(want, size), actual, detail);
}

int check_errno(struct evidence_result *r, const char *name, int code, const struct err *e)
{
	if (code == -ENOMEM)
		return code;
	return check_note(r, name, code == 0, NULL, NULL, code == 0 ? NULL : err_text(e, code));
}

int check_collateral(struct evidence_result *r, const struct collateral_provider *p,
	const char *key, struct slice *ret)
{
	char detail[COLLATERAL_KEY_SIZE + 64];

	int e = collateral_get(p, key, ret);
	if (e == 0 && ret->size > 0)
		return 0;
	if (!r->missing)
		r->missing = json_array();
	if (!r->missing || json_array_append_new(r->missing, json_string(key)) < 0)
		return -ENOMEM;
	snprintf(detail, sizeof(detail), "there is no %s among the collateral", key);
	return check_note(r, "collateral", false, key, NULL, detail);
}

int check_bindings(const struct evidence_request *request, struct slice report_data,
	const char *init_name, struct slice init_field, struct evidence_result *result)
{
	int r = 0;

	if (!request->insecure_skip_report_data) {
		/* An empty expectation would be met by a report without report data. */
		if (request->report_data.size < REPORT_DATA_MIN ||
			request->report_data.size > REPORT_DATA_MAX)
			return check_note(result, "report data", false, NULL, NULL,
				"no usable report data was given to compare with");
		r = check_padded(result, "report data", request->report_data, report_data,
			"the quote was not made for this session and key");
	}
	if (r == 0 && request->init_data.size > 0)
		r = check_padded(result, "initdata", request->init_data, init_field, init_name);
	return r;
}

int put_fields(json_t *o, const char *name, const struct claim_field *fields, size_t count)
{
	json_t *inner = json_object();
	int r = json_set_take(o, name, inner);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = json_set_hex(inner, fields[i].name, fields[i].value);
	return r;
}

int evidence_verify(const char *tee, const struct evidence_request *request,
	struct evidence_result *ret, struct err *reterr)
{
	const struct evidence_tee *room = evidence_find(tee);
	if (!room)
		return err_set(
			reterr, -EOPNOTSUPP, "evidence of TEE \"%.32s\" cannot be verified", tee);
	struct evidence_result result = {.checks = json_array()};
	int r = result.checks ? room->verify(request, &result, reterr) : -ENOMEM;
	if (r == -EACCES) {
		/* A check failed: that is the verdict. */
		result.verdict = EVIDENCE_DENY;
		r = 0;
	} else if (r == 0) {
		result.verdict = EVIDENCE_ACCEPT;
	}
	if (r < 0) {
		evidence_result_done(&result);
		return r;
	}
	*ret = result;
	return 0;
}
