/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TPM evidence: {"tpm_quote": {"signature", "message", "pcrs"}, "ak_public", "event_log"?,
 * "ak_certificate"?: base64, "ak_certificate_chain"?: PEM}.
 *
 * Theory of operation. The attestation key comes with the evidence; who it belongs to is for the
 * appraisal policy: `ak_public` among the reference values `trusted_aks`, or the claim
 * `ak_certified`, which says that a certificate came along and leads to one of `tpm/roots` among
 * the collateral. What is checked here:
 * the quote is from a TPM, signed by that key, over this session's nonce, over exactly these PCR
 * values; with an event log, that the log explains every register it touches; and that the initdata
 * which came along was measured. PCR 8 is either the initdata alone (upstream guests, no log
 * needed) or ends with it (the log shows the order). Attacker: whoever sends the request. Non-goal:
 * trusting the TPM itself.
 */
#include "base/enc.h"
#include "base/str.h"
#include "crypto/key.h"
#include "evidence/eventlog.h"
#include "evidence/internal.h"
#include "evidence/tpm_chain.h"
#include "evidence/tpm_quote.h"
#include "fmt/json.h"

#define INIT_DATA_PCR 8
#define NONCE_MIN 32
#define NONCE_MAX 64
#define FIELD_MAX 8192

struct tpm_evidence {
	struct buf signature, message, ak, log, ak_cert;
	struct slice ak_chain; /* PEM; a view of the evidence */
	uint8_t pcr_bytes[TPM_PCR_COUNT][64];
	struct slice pcrs[TPM_PCR_COUNT];
	struct tpm_quote quote;
	bool has_log;
};

static void tpm_evidence_done(struct tpm_evidence *t)
{
	buf_done(&t->signature);
	buf_done(&t->message);
	buf_done(&t->ak);
	buf_done(&t->log);
	buf_done(&t->ak_cert);
}

static int decode_pcrs(const json_t *quote, struct tpm_evidence *t, struct err *reterr)
{
	json_t *array;
	int r = json_get_array(quote, "pcrs", TPM_PCR_COUNT, &array, reterr);
	if (r < 0)
		return r;
	if (json_array_size(array) != TPM_PCR_COUNT)
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "pcrs",
			"evidence has %zu PCR values, not %d", json_array_size(array),
			TPM_PCR_COUNT);
	for (size_t i = 0; i < TPM_PCR_COUNT; i++) {
		const char *text = json_string_value(json_array_get(array, i));
		size_t size = text ? strlen(text) / 2 : 0;
		if (size == 0 || size > sizeof(t->pcr_bytes[i]) ||
			hex_decode_fixed(t->pcr_bytes[i], size, slice_str(text)) < 0)
			return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "pcrs",
				"PCR value %zu is not hex", i);
		t->pcrs[i] = slice_of(t->pcr_bytes[i], size);
	}
	return 0;
}

static int decode_certificate(const json_t *evidence, struct tpm_evidence *t, struct err *reterr)
{
	const char *chain = NULL;

	t->ak_cert = buf_init(TPM_CERT_MAX);
	if (!json_object_get(evidence, "ak_certificate") ||
		json_is_null(json_object_get(evidence, "ak_certificate")))
		return 0;
	int r = json_get_b64(evidence, "ak_certificate", &t->ak_cert, reterr);
	if (r == 0)
		r = json_opt_str(evidence, "ak_certificate_chain", &chain, reterr);
	t->ak_chain = slice_str(chain);
	if (r == 0 && (t->ak_cert.size == 0 || t->ak_chain.size > TPM_CHAIN_MAX))
		r = err_set(
			reterr, -EBADMSG, "the AK certificate or its chain has an impossible size");
	return r;
}

static int decode(const json_t *evidence, struct tpm_evidence *t, struct err *reterr)
{
	json_t *quote;

	t->signature = t->message = t->ak = buf_init(FIELD_MAX);
	t->log = buf_init(TCG2_SIZE_MAX);
	int r = json_get_object(evidence, "tpm_quote", &quote, reterr);
	if (r == 0)
		r = json_get_b64(quote, "signature", &t->signature, reterr);
	if (r == 0)
		r = json_get_b64(quote, "message", &t->message, reterr);
	if (r == 0)
		r = decode_pcrs(quote, t, reterr);
	if (r == 0)
		r = json_get_b64(evidence, "ak_public", &t->ak, reterr);
	if (r == 0 && json_object_get(evidence, "event_log") &&
		!json_is_null(json_object_get(evidence, "event_log"))) {
		t->has_log = true;
		r = json_get_b64(evidence, "event_log", &t->log, reterr);
	}
	return r == 0 ? decode_certificate(evidence, t, reterr) : r;
}

/*
 * Deployed attesters put the report data into the nonce either cut to 32 bytes or padded with zeros
 * to 64. Both carry at least 256 bits of the digest.
 */
static int check_nonce(const struct evidence_request *q, const struct tpm_evidence *t,
	struct evidence_result *result)
{
	uint8_t want[NONCE_MAX] = {0};
	struct slice nonce = t->quote.extra_data;

	if (q->report_data.size < NONCE_MIN || q->report_data.size > NONCE_MAX)
		return check_note(result, "quote nonce", false, NULL, NULL,
			"no usable report data was given to compare with");
	if (nonce.size < NONCE_MIN || nonce.size > NONCE_MAX)
		return check_note(result, "quote nonce", false, NULL, NULL,
			"the nonce of the quote does not have 32 to 64 bytes");
	memcpy(want, q->report_data.data, q->report_data.size);
	return check_bytes(result, "quote nonce", slice_of(want, nonce.size), nonce,
		"the quote was not made for this session and key");
}

static int check_quote(
	const struct evidence_request *q, struct tpm_evidence *t, struct evidence_result *result)
{
	cleanup(pkey_free) struct pkey *ak = NULL;
	struct tpm_signature sig;
	struct digest pcr_digest = {0};
	struct err e = {0};

	int r = pkey_from_spki(buf_slice(&t->ak), &ak, &e);
	r = check_errno(result, "attestation key", r, &e);
	if (r < 0)
		return r;
	if (t->ak_cert.size > 0)
		r = tpm_ak_verify(q, buf_slice(&t->ak_cert), t->ak_chain, ak, result);
	if (r < 0)
		return r;
	r = tpm_quote_parse(buf_slice(&t->message), &t->quote, &e);
	r = check_errno(result, "quote format", r, &e);
	if (r < 0)
		return r;
	r = tpm_signature_check(ak, buf_slice(&t->message), buf_slice(&t->signature), &e);
	r = check_errno(result, "quote signature", r, &e);
	if (r < 0)
		return r;
	if (!q->insecure_skip_report_data) {
		r = check_nonce(q, t, result);
		if (r < 0)
			return r;
	}
	r = tpm_signature_parse(buf_slice(&t->signature), &sig, &e);
	if (r == 0)
		r = tpm_pcr_digest(&t->quote, t->pcrs, hash_from_tpm(sig.hash), &pcr_digest, &e);
	if (r < 0)
		return check_errno(result, "PCR values", r, &e);
	r = check_bytes(result, "PCR values", t->quote.pcr_digest, digest_slice(&pcr_digest),
		"the PCR values are not those that the TPM quoted");
	if (r < 0)
		return r;
	/* Policies look at single PCRs; an unquoted one would be the sender's word. */
	return check_note(result, "PCR selection",
		t->quote.selections[0].mask == (1U << TPM_PCR_COUNT) - 1 &&
			t->quote.selections[0].hash == TPM_ALG_SHA256,
		"sha256:0-23", NULL,
		t->quote.selections[0].mask == (1U << TPM_PCR_COUNT) - 1
			? NULL
			: "the quote does not cover PCR 0 to 23 of the SHA-256 bank");
}

static int check_log(struct tpm_evidence *t, struct evidence_result *result)
{
	struct eventlog_registers regs;
	struct err e = {0};

	int r = eventlog_replay(buf_slice(&t->log), TPM_ALG_SHA256, &regs, &e);
	r = check_errno(result, "event log format", r, &e);
	for (unsigned i = 0; r == 0 && i < TPM_PCR_COUNT; i++) {
		char name[32];
		/* PCR 10 belongs to IMA, whose log is another one; registers without events say
		 * nothing. */
		if (i == 10 || !(regs.touched & 1U << i))
			continue;
		snprintf(name, sizeof(name), "event log replay of PCR %u", i);
		r = check_bytes(result, name, t->pcrs[i], digest_slice(&regs.values[i]),
			"the event log does not lead to the quoted value");
	}
	/* A log without events of PCR 8 and 9 would leave what they hold unexplained. */
	if (r == 0)
		r = check_note(result, "event log covers boot",
			(regs.touched & 1U << INIT_DATA_PCR) != 0, NULL, NULL,
			regs.touched & 1U << INIT_DATA_PCR ? NULL
							   : "the log has no event of PCR 8");
	return r;
}

static int check_init_data(
	const struct evidence_request *q, struct tpm_evidence *t, struct evidence_result *result)
{
	static const uint8_t zero[32];
	struct digest alone;
	struct slice last = SLICE_EMPTY;
	struct err e = {0};

	if (q->init_data.size == 0)
		return 0;
	if (q->init_data.size != 32)
		return check_note(result, "initdata", false, NULL, NULL,
			"initdata of a TPM guest must use algorithm sha256");
	int r = hash_extend(HASH_SHA256, slice_of(zero, 32), q->init_data, &alone);
	if (r < 0)
		return r;
	if (slice_eq(digest_slice(&alone), t->pcrs[INIT_DATA_PCR]))
		return check_note(result, "initdata", true, NULL, NULL, NULL);
	if (!t->has_log)
		return check_bytes(result, "initdata", digest_slice(&alone), t->pcrs[INIT_DATA_PCR],
			"PCR 8 does not hold this initdata, and there is no event log");
	r = eventlog_last_digest(buf_slice(&t->log), TPM_ALG_SHA256, INIT_DATA_PCR, &last, &e);
	if (r < 0)
		return check_errno(result, "initdata", r, &e);
	return check_bytes(result, "initdata", q->init_data, last,
		"the guest measured other initdata than it sent");
}

static int make_claims(
	const struct tpm_evidence *t, struct evidence_result *result, struct err *reterr)
{
	json_t *c = result->claims = json_object();
	char name[8];

	int r = json_set_hex(c, "report_data", t->quote.extra_data);
	if (r == 0)
		r = json_set_hex(c, "init_data", t->pcrs[INIT_DATA_PCR]);
	if (r == 0)
		r = json_set_b64(c, "ak_public", buf_slice(&t->ak), B64_STD);
	if (r == 0 && t->ak_cert.size > 0)
		r = json_set_bool(c, "ak_certified", true);
	for (unsigned i = 0; r == 0 && i < TPM_PCR_COUNT; i++) {
		snprintf(name, sizeof(name), "pcr%02u", i);
		r = json_set_hex(c, name, t->pcrs[i]);
	}
	if (r == 0 && t->has_log) {
		json_t *events = NULL;
		r = eventlog_to_json(buf_slice(&t->log), &events, reterr);
		if (r == 0)
			r = json_set_take(c, "uefi_event_logs", events);
	}
	return r;
}

int evidence_tpm_verify(
	const struct evidence_request *request, struct evidence_result *result, struct err *reterr)
{
	cleanup_with(tpm_evidence_done) struct tpm_evidence t = {0};
	struct err e = {0};

	int r = decode(request->evidence, &t, &e);
	r = check_errno(result, "evidence format", r, &e);
	if (r == 0)
		r = check_quote(request, &t, result);
	if (r == 0 && t.has_log)
		r = check_log(&t, result);
	if (r == 0)
		r = check_init_data(request, &t, result);
	return r < 0 ? r : make_claims(&t, result, reterr);
}
