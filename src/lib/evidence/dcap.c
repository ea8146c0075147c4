/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/dcap.h"

#include "base/clock.h"
#include "base/enc.h"
#include "evidence/dcap_internal.h"

/* SHA-256 of the SubjectPublicKeyInfo of "Intel SGX Root CA", the production key. */
static const struct digest g_intel_root = {
	32, {0xa0, 0xaf, 0x03, 0x12, 0x89, 0xf5, 0xd5, 0xd4, 0x13, 0x2f, 0x91, 0x86, 0x06, 0x8a,
		    0x7f, 0xc1, 0x36, 0x28, 0x63, 0x3b, 0xa2, 0x35, 0x77, 0x74, 0x72, 0xe2, 0x9b,
		    0x6b, 0x6c, 0x67, 0xa4, 0x9e}};

/* Intel's quoting enclaves. */
static const uint8_t g_intel_qe_vendor[16] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94,
	0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};

struct dcap *dcap_new(void)
{
	return calloc(1, sizeof(struct dcap));
}

void dcap_free(struct dcap *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < DCAP_PLATFORMS_MAX; i++)
		dcap_platform_free(d->platforms[i]);
	for (size_t i = 0; i < DCAP_STATEMENTS_MAX; i++)
		dcap_statement_free(d->statements[i]);
	for (size_t i = 0; i < DCAP_AUTHORITIES_MAX; i++)
		dcap_authority_done(&d->authorities[i]);
	free(d);
}

int dcap_check_pin(const struct dcap_options *o, const struct digest *pin, const char *name,
	struct evidence_result *result)
{
	const struct digest *roots = o->roots ? o->roots : &g_intel_root;
	size_t count = o->roots ? o->root_count : 1;
	char want[2 * HASH_SIZE_MAX + 1], got[2 * HASH_SIZE_MAX + 1];
	bool trusted = false;

	for (size_t i = 0; i < count; i++)
		trusted |= slice_eq(digest_slice(&roots[i]), digest_slice(pin));
	if (trusted)
		return check_note(result, name, true, NULL, NULL, NULL);
	hex_str(count ? digest_slice(&roots[0]) : SLICE_EMPTY, want, sizeof(want));
	return check_note(result, name, false, want, hex_str(digest_slice(pin), got, sizeof(got)),
		"the chain does not end in a trusted root key");
}

static int check_period(const struct dcap_period *p, int64_t now, struct evidence_result *result)
{
	char from[RFC3339_SIZE], until[RFC3339_SIZE], at[RFC3339_SIZE], detail[160];

	if (now >= p->from && now <= p->until)
		return check_note(result, p->check, true, NULL, NULL, NULL);
	rfc3339_format(p->from, from);
	rfc3339_format(p->until, until);
	rfc3339_format(now, at);
	if (now < p->from)
		snprintf(detail, sizeof(detail), "%s is not valid before %s", p->what, from);
	else
		snprintf(detail, sizeof(detail), "%s has expired on %s", p->what, until);
	return check_note(result, p->check, false, now < p->from ? from : until, at, detail);
}

static int check_periods(const struct dcap_period *p, size_t count, int64_t now,
	struct evidence_result *result, struct dcap_outcome *out)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < count; i++) {
		out->earliest_issue = MIN(out->earliest_issue, p[i].from);
		out->latest_issue = MAX(out->latest_issue, p[i].from);
		out->earliest_expiration = MIN(out->earliest_expiration, p[i].until);
		r = check_period(&p[i], now, result);
	}
	return r;
}

int dcap_check_quote(struct dcap *d, struct slice quote, struct slice pck_chain,
	const struct dcap_options *o, struct evidence_result *result, struct dcap_outcome *ret,
	enum dcap_ca *ret_ca)
{
	struct sgx_quote parsed;
	struct err e = {0};

	int r = sgx_quote_parse(quote, &parsed, &e);
	if (r < 0)
		return check_errno(result, "quote format", r, &e);
	return dcap_check_parsed(d, &parsed, pck_chain, o, result, ret, ret_ca);
}

int dcap_check_parsed(struct dcap *d, const struct sgx_quote *quote, struct slice pck_chain,
	const struct dcap_options *o, struct evidence_result *result, struct dcap_outcome *ret,
	enum dcap_ca *ret_ca)
{
	struct dcap_outcome out = {.quote = *quote,
		.earliest_issue = INT64_MAX,
		.latest_issue = INT64_MIN,
		.earliest_expiration = INT64_MAX};
	struct dcap_platform *p = NULL;
	struct err e = {0};

	d->current = NULL;
	int r = check_note(result, "quote format", true, NULL, NULL, NULL);
	if (r == 0)
		r = check_bytes(result, "QE vendor", slice_of(g_intel_qe_vendor, 16),
			out.quote.qe_vendor_id, "the quote is not by Intel's quoting enclave");
	if (r == 0)
		r = dcap_platform_get(d, &out.quote, pck_chain, o, result, &p);
	if (r != 0 || !p)
		return r != 0 ? r : -EINVAL;
	r = check_periods(p->periods, ARRAY_COUNT(p->periods), o->now, result, &out);
	if (r < 0)
		return r;
	r = pkey_verify(p->attestation_key, SIG_ES256, out.quote.signed_bytes, out.quote.signature);
	if (r == -EKEYREJECTED)
		err_set(&e, r, "the quote was not signed with its attestation key");
	r = check_errno(result, "quote signature", r, &e);
	if (r < 0)
		return r;
	out.pck = &p->info;
	out.root_key_id = p->root_key_id;
	d->current = p;
	*ret = out;
	if (ret_ca)
		*ret_ca = p->ca_kind;
	return 0;
}

/* The PCK CRL is the PCK CA's, which is known only from the quote. */
static int check_pck_crl(
	const struct dcap_platform *p, struct dcap_statement *s, struct evidence_result *result)
{
	struct err e = {0};
	int r = 0;

	if (!slice_eq(digest_slice(&s->pck_crl_ca), digest_slice(&p->ca_pin)) ||
		s->pck_crl_ca.size == 0)
		r = crl_check_issued(s->pck_crl, p->ca, &e);
	if (r == 0)
		s->pck_crl_ca = p->ca_pin;
	return check_errno(result, "PCK CRL signature", r, &e);
}

static int check_revocation(const struct dcap_platform *p, const struct dcap_statement *s,
	struct evidence_result *result)
{
	const struct {
		const char *name;
		const struct crl *crl;
		const struct cert *cert;
	} all[] = {
		{"PCK certificate is not revoked", s->pck_crl, p->leaf},
		{"PCK CA is not revoked", s->root_crl, p->ca},
		{"root is not revoked", s->root_crl, p->root},
		{"TCB signer is not revoked", s->root_crl, s->tcb_signer.leaf},
		{"QE identity signer is not revoked", s->root_crl, s->qe_signer.leaf},
	};
	int r = 0;
	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(all); i++) {
		bool revoked = crl_revokes(all[i].crl, all[i].cert);
		r = check_note(result, all[i].name, !revoked, NULL, NULL,
			revoked ? "its serial number is on the revocation list" : NULL);
	}
	return r;
}

/* All of it must be from one root, and for this kind of TEE and platform. */
static int check_fit(const struct dcap_platform *p, const struct dcap_statement *s,
	const struct sgx_quote *q, struct evidence_result *result)
{
	bool is_tdx = q->tee_type == SGX_TEE_TYPE_TDX;

	int r = check_note(result, "one root",
		slice_eq(digest_slice(&p->root_pin), digest_slice(&s->tcb_signer.root_pin)) &&
			slice_eq(digest_slice(&p->root_pin), digest_slice(&s->qe_signer.root_pin)),
		NULL, NULL, NULL);
	if (r == 0)
		r = check_note(result, "TCB Info is for this TEE", s->info->is_tdx == is_tdx,
			is_tdx ? "TDX" : "SGX", s->info->is_tdx ? "TDX" : "SGX", NULL);
	if (r == 0)
		r = check_note(result, "QE identity is for this TEE", s->identity->is_tdx == is_tdx,
			is_tdx ? "TD_QE" : "QE", s->identity->is_tdx ? "TD_QE" : "QE", NULL);
	if (r == 0)
		r = check_bytes(result, "FMSPC", slice_of(p->info.fmspc, 6),
			slice_of(s->info->fmspc, 6), "TCB Info is for another kind of platform");
	if (r == 0)
		r = check_bytes(result, "PCE-ID", slice_of(p->info.pce_id, 2),
			slice_of(s->info->pce_id, 2), "TCB Info is for another PCE");
	return r;
}

static int check_level(const struct dcap_platform *p, const struct dcap_statement *s,
	const struct sgx_quote *q, struct evidence_result *result, struct tcb_match *ret)
{
	const struct td_report *td = q->tee_type == SGX_TEE_TYPE_TDX ? &q->td : NULL;
	char detail[128];

	const char *field = qe_identity_mismatch(s->identity, &q->qe);
	if (field)
		snprintf(detail, sizeof(detail),
			"%s of the QE report is not what the QE identity wants", field);
	int r = check_note(result, "QE identity", !field, NULL, NULL, field ? detail : NULL);
	if (r < 0)
		return r;
	tcb_match(s->info, s->identity, &p->info, &q->qe, td, ret);
	if (td) {
		r = check_note(result, "TDX module identity", !ret->module_mismatch, NULL, NULL,
			ret->module_mismatch ? ret->problem : NULL);
		if (r < 0)
			return r;
	}
	const char *problem = ret->problem;
	if (ret->status == TCB_REVOKED)
		problem = ret->qe_status == TCB_REVOKED ? "the quoting enclave's TCB is revoked"
			  : ret->module_status == TCB_REVOKED ? "the TDX module's TCB is revoked"
							      : "the platform's TCB is revoked";
	return check_note(
		result, "TCB status", !problem, NULL, tcb_status_name(ret->status), problem);
}

int dcap_check_collateral(struct dcap *d, const struct dcap_collateral *c,
	const struct dcap_options *o, struct evidence_result *result, struct dcap_outcome *out)
{
	struct dcap_platform *p = d->current;
	struct dcap_statement *s = NULL;

	if (!p || out->pck != &p->info)
		return -EINVAL;
	int r = dcap_statement_get(d, c, o, result, &s);
	if (r == 0)
		r = check_fit(p, s, &out->quote, result);
	if (r == 0)
		r = check_pck_crl(p, s, result);
	if (r == 0)
		r = check_periods(s->tcb_signer.periods, 2, o->now, result, out);
	if (r == 0)
		r = check_periods(s->qe_signer.periods, 2, o->now, result, out);
	if (r == 0)
		r = check_periods(s->periods, ARRAY_COUNT(s->periods), o->now, result, out);
	if (r == 0)
		r = check_revocation(p, s, result);
	if (r == 0)
		r = check_level(p, s, &out->quote, result, &out->match);
	if (r < 0)
		return r;
	out->said = &p->said;
	out->statement_id = s->id;
	out->root_crl_number = s->root_crl_number;
	out->pck_crl_number = s->pck_crl_number;
	out->evaluation_number = MIN(s->info->evaluation_number, s->identity->evaluation_number);
	return 0;
}
