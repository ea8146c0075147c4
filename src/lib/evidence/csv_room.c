/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence of Hygon CSV guests: {"attestation_report": {"magic", "flags", "data"}, "cert_chain":
 * {"hsk_cek": null | {"hsk", "cek"}, "pek"}, "serial_number", "cc_eventlog"?}; or, as the device
 * gives it, {"csv_report": base64, "version": 1 | 2, "hsk_cek": base64?}, where the PEK is inside.
 *
 * Reports have no field for initdata, so evidence that comes with some is refused. The serial number is not
 * signed: it is known when the chip's certificate came from the collateral, under that number.
 */
#include "base/enc.h"
#include "base/str.h"
#include "evidence/csv.h"
#include "evidence/eventlog.h"
#include "fmt/json.h"
#include "fmt/tpm.h"

#define MAGIC_SIZE 16
#define SN_SIZE 64

struct csv_evidence {
	struct buf report, log, serial;
	unsigned version;
	bool has_log, has_pek, has_chain;
	uint8_t hsk[CSV_CA_CERT_SIZE], cek[CSV_CERT_SIZE], pek[CSV_CERT_SIZE];
};

static void csv_evidence_done(struct csv_evidence *t)
{
	buf_done(&t->report);
	buf_done(&t->log);
	buf_done(&t->serial);
}

static int decode_wrapper(const json_t *wrapper, struct csv_evidence *t, struct err *reterr)
{
	static const uint8_t zero[MAGIC_SIZE];
	cleanup_with(buf_done) struct buf magic = buf_init(MAGIC_SIZE);
	int64_t flags = 0;

	int r = json_get_bytes(wrapper, "magic", MAGIC_SIZE, &magic, reterr);
	if (r == 0)
		r = json_get_int(wrapper, "flags", 0, UINT32_MAX, &flags, reterr);
	if (r == 0)
		r = json_get_bytes(wrapper, "data", CSV_PAGE_SIZE, &t->report, reterr);
	if (r < 0)
		return r;
	bool extended = slice_eq(buf_slice(&magic), slice_of("ATTESTATION_EXT", MAGIC_SIZE));
	if (!extended && !slice_eq(buf_slice(&magic), slice_of(zero, MAGIC_SIZE)))
		return err_set(reterr, -EBADMSG, "the magic of the report is not known");
	if (extended && flags > 1)
		return err_set(reterr, -EOPNOTSUPP, "flags of the report are not known");
	t->version = extended && flags == 1 ? 2 : 1;
	return 0;
}

static int decode_chain(const json_t *evidence, struct csv_evidence *t, struct err *reterr)
{
	json_t *chain = NULL, *pair;

	int r = json_get_object(evidence, "cert_chain", &chain, reterr);
	if (r == 0)
		r = csv_cert_from_json(json_object_get(chain, "pek"), t->pek, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "pek");
	t->has_pek = true;
	pair = json_object_get(chain, "hsk_cek");
	if (!pair || json_is_null(pair))
		return 0;
	r = csv_ca_cert_from_json(json_object_get(pair, "hsk"), t->hsk, reterr);
	if (r == 0)
		r = csv_cert_from_json(json_object_get(pair, "cek"), t->cek, reterr);
	t->has_chain = r == 0;
	return r < 0 ? err_wrap(reterr, r, "hsk_cek") : 0;
}

static int decode_log(const json_t *evidence, struct csv_evidence *t, struct err *reterr)
{
	const json_t *log = json_object_get(evidence, "cc_eventlog");

	t->has_log = log && !json_is_null(log);
	return t->has_log ? json_get_b64(evidence, "cc_eventlog", &t->log, reterr) : 0;
}

static int decode_raw(const json_t *evidence, struct csv_evidence *t, struct err *reterr)
{
	cleanup_with(buf_done) struct buf pair = buf_init(CSV_HSK_CEK_SIZE);
	int64_t version = 0;

	int r = json_get_b64(evidence, "csv_report", &t->report, reterr);
	if (r == 0)
		r = json_get_int(evidence, "version", 1, 2, &version, reterr);
	t->version = (unsigned)version;
	if (r < 0 || !json_object_get(evidence, "hsk_cek"))
		return r;
	r = json_get_b64(evidence, "hsk_cek", &pair, reterr);
	if (r == 0 && pair.size != CSV_HSK_CEK_SIZE)
		r = err_set(reterr, -EBADMSG, "hsk_cek has %zu bytes, not %d", pair.size,
			CSV_HSK_CEK_SIZE);
	if (r < 0)
		return r;
	memcpy(t->hsk, pair.data, CSV_CA_CERT_SIZE);
	memcpy(t->cek, pair.data + CSV_CA_CERT_SIZE, CSV_CERT_SIZE);
	t->has_chain = true;
	return 0;
}

static int decode(const json_t *evidence, struct csv_evidence *t, struct err *reterr)
{
	json_t *wrapper = NULL;
	int r;

	t->report = buf_init(CSV_PAGE_SIZE);
	t->log = buf_init(TCG2_SIZE_MAX);
	t->serial = buf_init(SN_SIZE);
	if (json_object_get(evidence, "csv_report")) {
		r = decode_raw(evidence, t, reterr);
	} else {
		r = json_get_object(evidence, "attestation_report", &wrapper, reterr);
		if (r == 0)
			r = decode_wrapper(wrapper, t, reterr);
		if (r == 0)
			r = decode_chain(evidence, t, reterr);
		if (r == 0)
			r = json_get_bytes(evidence, "serial_number", SN_SIZE, &t->serial, reterr);
	}
	return r == 0 ? decode_log(evidence, t, reterr) : r;
}

static int check_log(const struct csv_evidence *t, const struct csv_report *report,
	struct evidence_result *result)
{
	struct eventlog_registers regs;
	struct err e = {0};
	char name[48];

	int r = eventlog_replay(buf_slice(&t->log), TPM_ALG_SM3_256, &regs, &e);
	r = check_errno(result, "event log format", r, &e);
	if (r == 0)
		r = check_errno(
			result, "event log data", eventlog_check_data(buf_slice(&t->log), &e), &e);
	for (unsigned i = 1; r == 0 && i < CSV_RTMR_COUNT; i++) {
		snprintf(name, sizeof(name), "event log replay of RTMR %u", i);
		r = check_bytes(result, name, report->rtmr[i], digest_slice(&regs.values[i]),
			"the event log does not lead to the reported value");
	}
	return r;
}

static int put_policy(json_t *claims, uint32_t policy)
{
	static const struct {
		const char *name;
		unsigned from, bits;
	} fields[] = {{"nodbg", 0, 1}, {"noks", 1, 1}, {"es", 2, 1}, {"nosend", 3, 1},
		{"domain", 4, 1}, {"csv", 5, 1}, {"csv3", 6, 1}, {"asid_reuse", 7, 1},
		{"hsk_version", 8, 4}, {"cek_version", 12, 4}, {"api_major", 16, 8},
		{"api_minor", 24, 8}};
	json_t *o = json_object();

	int r = json_set_take(claims, "policy", o);
	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(fields); i++)
		r = json_set_int(
			o, fields[i].name, policy >> fields[i].from & ((1U << fields[i].bits) - 1));
	return r;
}

static int put_word(json_t *claims, const char *name, uint32_t value)
{
	uint8_t bytes[4];

	for (unsigned i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(value >> 8 * i);
	return json_set_hex(claims, name, slice_of(bytes, sizeof(bytes)));
}

static int put_v2(json_t *claims, const struct csv_report *c)
{
	char name[8];

	int r = json_set_int(claims, "build", c->build);
	if (r == 0)
		r = json_set_int(claims, "rtmr_version", c->rtmr_version);
	if (r == 0)
		r = json_set_hex(claims, "reserved0", c->reserved0);
	for (unsigned i = 0; r == 0 && i < CSV_RTMR_COUNT; i++) {
		snprintf(name, sizeof(name), "rtmr%u", i);
		r = json_set_hex(claims, name, c->rtmr[i]);
	}
	return r == 0 ? json_set_hex(claims, "reserved1", c->reserved1) : r;
}

static int make_claims(const struct csv_report *c, struct slice serial, bool known, json_t *claims)
{
	const struct claim_field fields[] = {{"user_pubkey_digest", c->user_pubkey_digest},
		{"vm_id", c->vm_id}, {"vm_version", c->vm_version}, {"report_data", c->report_data},
		{"mnonce", c->mnonce}, {"measure", c->measure}};

	int r = json_set_str(claims, "version", c->version == 1 ? "1" : "2");
	if (r == 0)
		r = put_policy(claims, c->policy);
	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(fields); i++)
		r = json_set_hex(claims, fields[i].name, fields[i].value);
	if (r == 0)
		r = put_word(claims, "sig_usage", c->sig_usage);
	if (r == 0)
		r = put_word(claims, "sig_algo", c->sig_algo);
	if (r == 0)
		r = c->version == 1 ? put_word(claims, "anonce", c->anonce) : put_v2(claims, c);
	if (r == 0)
		r = json_set_slice(claims, "serial_number", serial);
	return r == 0 ? json_set_bool(claims, "serial_number_known", known) : r;
}

static int put_log(const struct csv_evidence *t, json_t *claims, struct err *reterr)
{
	json_t *events = NULL;

	int r = eventlog_to_json(buf_slice(&t->log), &events, reterr);
	return r == 0 ? json_set_take(claims, "uefi_event_logs", events) : r;
}

static int check_init_data(const struct evidence_request *request, struct evidence_result *result)
{
	return request->init_data.size == 0
		       ? 0
		       : check_note(result, "initdata", false, NULL, NULL,
				 "CSV reports have no field for initdata, and some came along");
}

static int verify(const struct evidence_request *request, struct csv_evidence *t,
	struct csv_report *report, struct evidence_result *result)
{
	struct slice hsk = slice_of(t->hsk, sizeof(t->hsk)), cek = slice_of(t->cek, sizeof(t->cek));
	struct slice pek = t->has_pek ? slice_of(t->pek, sizeof(t->pek)) : SLICE_EMPTY;
	struct slice serial = t->has_pek ? buf_slice(&t->serial) : report->serial_number;
	int r = 0;

	if (t->has_pek && report->has_signer && !slice_eq(serial, report->serial_number))
		r = check_note(result, "serial number", false, NULL, NULL,
			"it is not the one in the report");
	if (r == 0 && !t->has_chain)
		r = csv_hsk_cek(request, "csv", serial, result, &hsk, &cek);
	if (r == 0)
		r = csv_verify(request, hsk, cek, pek, report, result);
	if (r == 0)
		r = check_bindings(request, report->report_data, "", SLICE_EMPTY, result);
	if (r == 0 && t->has_log)
		r = check_log(t, report, result);
	return r;
}

int evidence_csv_verify(
	const struct evidence_request *request, struct evidence_result *result, struct err *reterr)
{
	cleanup_with(csv_evidence_done) struct csv_evidence t = {0};
	struct csv_report report = {0};
	struct err e = {0};

	int r = decode(request->evidence, &t, &e);
	if (r == 0)
		r = csv_report_parse(buf_slice(&t.report), t.version, &report, &e);
	r = check_errno(result, "evidence format", r, &e);
	/* Guests send their log with version 1, too, which has no registers: it is nobody's word. */
	t.has_log = t.has_log && report.version == 2;
	if (r == 0)
		r = check_init_data(request, result);
	if (r == 0)
		r = verify(request, &t, &report, result);
	if (r < 0)
		return r;
	struct slice serial = t.has_pek ? buf_slice(&t.serial) : report.serial_number;
	while (serial.size > 0 && serial.data[serial.size - 1] == 0)
		serial.size--;
	result->claims = json_object();
	r = utf8_valid(serial) &&
			    !memchr(serial.data ? serial.data : (const uint8_t *)"", 0, serial.size)
		    ? make_claims(&report, serial, !t.has_chain, result->claims)
		    : check_note(result, "serial number", false, NULL, NULL, "it is not text");
	return r == 0 && t.has_log ? put_log(&t, result->claims, reterr) : r;
}
