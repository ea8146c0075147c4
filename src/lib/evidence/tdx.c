/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence of TDX guests: {"quote": base64, "cc_eventlog"?: base64, "aa_eventlog"?: text}.
 *
 * The quote says what the registers hold; logs say how they came to it, and are worth something
 * only because they are replayed: CCEL registers 1 to 4 are RTMR 0 to 3. The initdata is in
 * MRCONFIGID. aa_eventlog is the form in which older attestation agents sent the events of RTMR 3,
 * see eventlog_aa.c; newer ones append them to the CCEL.
 */
#include "base/enc.h"
#include "base/str.h"
#include "evidence/dcap_room.h"
#include "evidence/eventlog.h"
#include "evidence/eventlog_aa.h"
#include "fmt/json.h"
#include "fmt/tpm.h"

#define AA_RTMR 3

struct tdx_evidence {
	struct buf quote, log;
	const char *aa_log; /* NULL when absent */
	bool has_log;
};

static void tdx_evidence_done(struct tdx_evidence *t)
{
	buf_done(&t->quote);
	buf_done(&t->log);
}

static int decode(const json_t *evidence, struct tdx_evidence *t, struct err *reterr)
{
	const char *log = NULL;

	t->quote = buf_init(SGX_QUOTE_SIZE_MAX);
	t->log = buf_init(TCG2_SIZE_MAX);
	int r = json_get_b64(evidence, "quote", &t->quote, reterr);
	if (r == 0)
		r = json_opt_str(evidence, "cc_eventlog", &log, reterr);
	if (r == 0)
		r = json_opt_str(evidence, "aa_eventlog", &t->aa_log, reterr);
	if (r == 0 && log && *log) {
		t->has_log = true;
		r = json_get_b64(evidence, "cc_eventlog", &t->log, reterr);
	}
	if (r == 0 && t->aa_log && !*t->aa_log)
		t->aa_log = NULL;
	return r;
}

static int check_aa_log(const struct tdx_evidence *t, const struct td_report *td,
	const struct digest *start, struct evidence_result *result, json_t **ret_claim)
{
	struct digest end;
	struct err e = {0};

	int r = aa_eventlog_replay(slice_str(t->aa_log), HASH_SHA384, start, &end, ret_claim, &e);
	r = check_errno(result, "agent's event log", r, &e);
	return r == 0 ? check_bytes(result, "agent's event log replay of RTMR 3", td->rtmr[AA_RTMR],
				digest_slice(&end),
				"the agent's event log does not lead to the quoted value")
		      : r;
}

/* @ret_start: what RTMR 3 holds before the agent's log, when that is a log of its own */
static int check_log(const struct tdx_evidence *t, const struct td_report *td,
	struct evidence_result *result, struct digest *ret_start)
{
	struct eventlog_registers regs;
	struct err e = {0};

	int r = eventlog_replay(buf_slice(&t->log), TPM_ALG_SHA384, &regs, &e);
	r = check_errno(result, "event log format", r, &e);
	if (r == 0)
		r = check_errno(
			result, "event log data", eventlog_check_data(buf_slice(&t->log), &e), &e);
	for (unsigned i = 0; r == 0 && i < TD_RTMR_COUNT; i++) {
		char name[48];
		if (i == AA_RTMR && t->aa_log)
			continue;
		snprintf(name, sizeof(name), "event log replay of RTMR %u", i);
		r = check_bytes(result, name, td->rtmr[i], digest_slice(&regs.values[i + 1]),
			"the event log does not lead to the quoted value");
	}
	if (r == 0)
		*ret_start = regs.values[AA_RTMR + 1];
	return r;
}

static int put_quote_body(json_t *quote, const struct td_report *t)
{
	const struct claim_field fields[] = {
		{"tcb_svn", t->tee_tcb_svn},
		{"mr_seam", t->mr_seam},
		{"mrsigner_seam", t->mrsigner_seam},
		{"seam_attributes", t->seam_attributes},
		{"td_attributes", t->td_attributes},
		{"xfam", t->xfam},
		{"mr_td", t->mr_td},
		{"mr_config_id", t->mr_config_id},
		{"mr_owner", t->mr_owner},
		{"mr_owner_config", t->mr_owner_config},
		{"rtmr_0", t->rtmr[0]},
		{"rtmr_1", t->rtmr[1]},
		{"rtmr_2", t->rtmr[2]},
		{"rtmr_3", t->rtmr[3]},
		{"report_data", t->report_data},
		/* 1.5 only */
		{"tee_tcb_svn2", t->tee_tcb_svn2},
		{"mr_servicetd", t->mr_servicetd},
	};
	size_t count = ARRAY_COUNT(fields) - (t->tee_tcb_svn2.size == 0 ? 2 : 0);
	return put_fields(quote, "body", fields, count);
}

static int put_quote(json_t *claims, const struct sgx_quote *q)
{
	const struct claim_field header[] = {
		{"version", slice_cut(q->header, 0, 2)},
		{"att_key_type", slice_cut(q->header, 2, 2)},
		{"tee_type", slice_cut(q->header, 4, 4)},
		{"reserved", slice_cut(q->header, 8, 4)},
		{"vendor_id", q->qe_vendor_id},
		{"user_data", q->user_data},
	};
	json_t *quote = json_object();

	int r = json_set_take(claims, "quote", quote);
	if (r == 0)
		r = put_fields(quote, "header", header, ARRAY_COUNT(header));
	if (r == 0)
		r = put_quote_body(quote, &q->td);
	if (r == 0 && q->version == 5) {
		r = json_set_hex(
			quote, "type", slice_cut(q->signed_bytes, SGX_QUOTE_HEADER_SIZE, 2));
		if (r == 0)
			r = json_set_hex(quote, "size",
				slice_cut(q->signed_bytes, SGX_QUOTE_HEADER_SIZE + 2, 4));
	}
	return r;
}

/* Of the few combinations there are, each is one object, which is shared and never changed. */
static int put_attributes(json_t *claims, const struct td_report *td)
{
	static const struct {
		const char *name;
		unsigned bit;
	} bits[] = {
		{"debug", TD_ATTRIBUTE_DEBUG},
		{"septve_disable", TD_ATTRIBUTE_SEPTVE_DISABLE},
		{"protection_keys", TD_ATTRIBUTE_PKS},
		{"key_locker", TD_ATTRIBUTE_KL},
		{"perfmon", TD_ATTRIBUTE_PERFMON},
	};
	static json_t *known[1 << ARRAY_COUNT(bits)];
	size_t which = 0;
	int r = 0;

	for (size_t i = 0; i < ARRAY_COUNT(bits); i++)
		which |= (size_t)sgx_bit(td->td_attributes, bits[i].bit) << i;
	if (!known[which]) {
		cleanup(json_decref) json_t *o = json_object();
		for (size_t i = 0; r == 0 && i < ARRAY_COUNT(bits); i++)
			r = json_set_bool(o, bits[i].name, which >> i & 1);
		if (r < 0)
			return r;
		known[which] = steal_ptr(o);
	}
	return json_set_take(claims, "td_attributes", json_incref(known[which]));
}

int tdx_claims(const struct dcap_outcome *o, json_t *claims)
{
	const struct td_report *td = &o->quote.td;

	int r = put_quote(claims, &o->quote);
	if (r == 0)
		r = put_attributes(claims, td);
	if (r == 0)
		r = json_set_hex(claims, "report_data", td->report_data);
	if (r == 0)
		r = json_set_hex(claims, "init_data", td->mr_config_id);
	return r == 0 ? dcap_claims(o, claims) : r;
}

static int make_claims(const struct tdx_evidence *t, const struct dcap_outcome *o, json_t *claims,
	struct err *reterr)
{
	json_t *events = NULL;

	int r = tdx_claims(o, claims);
	if (r == 0 && t->has_log) {
		r = eventlog_to_json(buf_slice(&t->log), &events, reterr);
		if (r == 0)
			r = json_set_take(claims, "uefi_event_logs", events);
	}
	return r;
}

static int check_logs(const struct tdx_evidence *t, const struct td_report *td,
	struct evidence_result *result, json_t **ret_aa)
{
	struct digest start = {.size = hash_size(HASH_SHA384)};
	int r = 0;

	if (t->has_log)
		r = check_log(t, td, result, &start);
	if (r == 0 && t->aa_log)
		r = check_aa_log(t, td, t->has_log ? &start : NULL, result, ret_aa);
	return r;
}

int evidence_tdx_verify(
	const struct evidence_request *request, struct evidence_result *result, struct err *reterr)
{
	cleanup_with(tdx_evidence_done) struct tdx_evidence t = {0};
	cleanup(json_decref) json_t *aa = NULL;
	struct dcap_outcome o = {0};
	struct err e = {0};

	int r = decode(request->evidence, &t, &e);
	r = check_errno(result, "evidence format", r, &e);
	if (r == 0)
		r = dcap_room_verify(request, "tdx", buf_slice(&t.quote), result, &o);
	if (r == 0)
		r = check_bindings(request, o.quote.td.report_data,
			"the guest's MRCONFIGID does not hold this initdata",
			o.quote.td.mr_config_id, result);
	if (r == 0)
		r = check_logs(&t, &o.quote.td, result, &aa);
	if (r < 0)
		return r;
	result->claims = json_object();
	if (!result->claims)
		return -ENOMEM;
	r = make_claims(&t, &o, result->claims, reterr);
	if (r == 0 && aa)
		r = json_set_take(result->claims, "aael", steal_ptr(aa));
	return r;
}
