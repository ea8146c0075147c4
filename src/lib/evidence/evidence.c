/* SPDX-License-Identifier: Apache-2.0 */
#include "base/enc.h"
#include "base/str.h"
#include "evidence/internal.h"
#include "fmt/json.h"

#define REPORT_DATA_MIN 32
#define REPORT_DATA_MAX 64

#define PASSED_NOTES_BITS 8
#define PASSED_NOTES (1u << PASSED_NOTES_BITS)
#define NOTE_PLACES 4 /* that are looked at for one */
#define NOTE_NAME_MAX 64
#define NOTE_TEXT_MAX 64
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
 * Most notes of most verifications are of checks that passed, and say the same each time. They are
 * made once, shared, and never changed. What is different in every session (report data) is longer
 * than NOTE_TEXT_MAX; should a place be taken by another note, this one is made anew.
 */
struct passed_note {
	char name[NOTE_NAME_MAX], expected[NOTE_TEXT_MAX], actual[NOTE_TEXT_MAX];
	bool has_expected, has_actual;
	json_t *note;
};

static bool is_note(
	const struct passed_note *k, const char *name, const char *expected, const char *actual)
{
	return k->note && k->has_expected == !!expected && k->has_actual == !!actual &&
	       streq(k->name, name) && (!expected || streq(k->expected, expected)) &&
	       (!actual || streq(k->actual, actual));
}

/* Return: false, and @k is as it was, when a text is too long to be kept. */
static bool keep_note(struct passed_note *k, const char *name, const char *expected,
	const char *actual, json_t *note)
{
	struct passed_note fresh = {.has_expected = expected, .has_actual = actual};

	if (str_copy(fresh.name, sizeof(fresh.name), name) < 0 ||
		str_copy(fresh.expected, sizeof(fresh.expected), expected ? expected : "") < 0 ||
		str_copy(fresh.actual, sizeof(fresh.actual), actual ? actual : "") < 0)
		return false;
	json_decref(k->note);
	*k = fresh;
	k->note = json_incref(note);
	return true;
}

static json_t *make_note(
	const char *name, bool ok, const char *expected, const char *actual, const char *detail)
{
	json_t *note = json_object();
	int e = json_set_str(note, "name", name);
	if (e == 0)
		e = json_set_bool(note, "ok", ok);
	if (e == 0 && expected)
		e = json_set_str(note, "expected", expected);
	if (e == 0 && actual)
		e = json_set_str(note, "actual", actual);
	if (e == 0 && detail)
		e = json_set_str(note, "detail", detail);
	if (e == 0 && !ok)
		e = json_set_str(note, "fix", check_fix(name));
	if (e == 0)
		return note;
	json_decref(note);
	return NULL;
}

/* Return: a new reference; NULL on ENOMEM. */
static json_t *passed_note(const char *name, const char *expected, const char *actual)
{
	static struct passed_note known[PASSED_NOTES];
	/* Nearly all names are literals, so that their addresses tell them apart. */
	size_t at = (uint32_t)((uintptr_t)name * 0x9E3779B1u) >> (32 - PASSED_NOTES_BITS);
	struct passed_note *place = &known[at];

	for (size_t i = 0; i < NOTE_PLACES; i++) {
		place = &known[(at + i) % PASSED_NOTES];
		if (is_note(place, name, expected, actual))
			return json_incref(place->note);
		if (!place->note)
			break;
	}
	json_t *note = make_note(name, true, expected, actual, NULL);
	if (note)
		(void)keep_note(place, name, expected, actual, note);
	return note;
}

int check_note(struct evidence_result *r, const char *name, bool ok, const char *expected,
	const char *actual, const char *detail)
{
	json_t *note = ok && !detail ? passed_note(name, expected, actual)
				     : make_note(name, ok, expected, actual, detail);
	if (json_array_append_new(r->checks, note) < 0)
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
			if (json_array_append_new(notes, passed_note(names[i], NULL, NULL)) < 0) {
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
