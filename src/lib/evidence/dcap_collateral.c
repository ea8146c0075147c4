/* SPDX-License-Identifier: Apache-2.0 */
/* The path from the root to TCB Info, QE identity and revocation lists. */
#include "base/str.h"
#include "evidence/dcap_internal.h"

#define COLLATERAL_MAX ((size_t)8 << 20)

static void signer_done(struct dcap_signer *s)
{
	cert_free(s->leaf);
	cert_free(s->root);
}

void dcap_statement_free(struct dcap_statement *s)
{
	if (!s)
		return;
	buf_done(&s->bytes);
	signer_done(&s->tcb_signer);
	signer_done(&s->qe_signer);
	tcb_info_free(s->info);
	qe_identity_free(s->identity);
	crl_free(s->root_crl);
	crl_free(s->pck_crl);
	free(s);
}

#define COLLATERAL_MEMBERS 8

static void members_of(const struct dcap_collateral *c, struct slice out[COLLATERAL_MEMBERS])
{
	const struct slice all[COLLATERAL_MEMBERS] = {c->tcb_info, c->tcb_info_signature,
		c->tcb_chain, c->qe_identity, c->qe_identity_signature, c->qe_chain, c->pck_crl,
		c->root_crl};
	memcpy(out, all, sizeof(all));
}

static bool same_bytes(const struct dcap_statement *s, const struct dcap_collateral *c)
{
	struct slice members[COLLATERAL_MEMBERS];
	struct rd r = rd_init(buf_slice(&s->bytes));
	struct slice known;
	uint32_t size;

	members_of(c, members);
	for (size_t i = 0; i < COLLATERAL_MEMBERS; i++) {
		if (rd_u32le(&r, &size) < 0 || rd_slice(&r, size, &known) < 0 ||
			!slice_eq(known, members[i]))
			return false;
	}
	return true;
}

/* Signing certificate and root, in either order. */
static int read_signer(
	struct slice pem, const char *what, struct dcap_signer *s, struct err *reterr)
{
	struct cert *certs[2] = {0};
	char name[128];

	int count = certs_from_pem(pem, certs, 2, reterr);
	if (count < 0)
		return err_wrap(reterr, count, "issuer chain of the %s", what);
	for (size_t i = 0; i < 2 && certs[i]; i++) {
		struct cert **place = cert_is_self_issued(certs[i]) ? &s->root : &s->leaf;
		if (!*place)
			*place = steal_ptr(certs[i]);
	}
	cert_free(certs[0]);
	cert_free(certs[1]);
	if (!s->leaf || !s->root)
		return err_set(reterr, -EBADMSG,
			"issuer chain of the %s is not a signing certificate and a root", what);
	if (cert_common_name(s->leaf, name, sizeof(name)) < 0 ||
		!streq(name, "Intel SGX TCB Signing"))
		return err_set(
			reterr, -EKEYREJECTED, "the signer of the %s is not a TCB signer", what);
	int r = cert_check_issued(s->root, s->root, 1, reterr);
	if (r == 0)
		r = cert_check_issued(s->leaf, s->root, 0, reterr);
	if (r == 0 && !cert_may_sign(s->leaf))
		r = err_set(reterr, -EKEYREJECTED, "the certificate for the %s may not sign", what);
	if (r == 0)
		r = cert_spki_digest(s->root, HASH_SHA256, &s->root_pin);
	return r;
}

static int check_signature(
	const struct dcap_signer *s, struct slice body, struct slice signature, struct err *reterr)
{
	cleanup(pkey_free) struct pkey *key = NULL;

	int r = cert_key(s->leaf, &key);
	if (r == 0)
		r = signature.size == 64 ? pkey_verify(key, SIG_ES256, body, signature) : -EBADMSG;
	return r < 0 ? err_set(reterr, -EKEYREJECTED,
			       "the signature does not belong to exactly these bytes")
		     : 0;
}

static int signer_periods(struct dcap_signer *s, const char *leaf, const char *check)
{
	int r = dcap_cert_period(s->leaf, leaf, check, &s->periods[0]);
	return r == 0 ? dcap_cert_period(
				s->root, DCAP_PERIOD_OF("root certificate"), &s->periods[1])
		      : r;
}

static int check_tcb_info(
	struct dcap_statement *s, const struct dcap_collateral *c, struct evidence_result *result)
{
	struct err e = {0};

	int r = check_errno(result, "TCB Info issuer chain",
		read_signer(c->tcb_chain, "TCB Info", &s->tcb_signer, &e), &e);
	if (r == 0)
		r = check_errno(result, "TCB Info signature",
			check_signature(&s->tcb_signer, c->tcb_info, c->tcb_info_signature, &e),
			&e);
	if (r == 0)
		r = check_errno(
			result, "TCB Info format", tcb_info_parse(c->tcb_info, &s->info, &e), &e);
	if (r < 0)
		return r;
	s->periods[0] = (struct dcap_period){
		DCAP_PERIOD_OF("TCB Info"), s->info->issued, s->info->next_update};
	return check_errno(result, "TCB Info issuer dates",
		signer_periods(&s->tcb_signer, DCAP_PERIOD_OF("TCB signing certificate")), NULL);
}

static int check_identity(
	struct dcap_statement *s, const struct dcap_collateral *c, struct evidence_result *result)
{
	struct err e = {0};

	int r = check_errno(result, "QE identity issuer chain",
		read_signer(c->qe_chain, "QE identity", &s->qe_signer, &e), &e);
	if (r == 0)
		r = check_errno(result, "QE identity signature",
			check_signature(
				&s->qe_signer, c->qe_identity, c->qe_identity_signature, &e),
			&e);
	if (r == 0)
		r = check_errno(result, "QE identity format",
			qe_identity_parse(c->qe_identity, &s->identity, &e), &e);
	if (r < 0)
		return r;
	s->periods[1] = (struct dcap_period){
		DCAP_PERIOD_OF("QE identity"), s->identity->issued, s->identity->next_update};
	return check_errno(result, "QE identity issuer dates",
		signer_periods(&s->qe_signer, DCAP_PERIOD_OF("QE identity signing certificate")),
		NULL);
}

static int read_crl(struct slice in, const char *what, const char *check_name, struct crl **ret,
	struct dcap_period *period, struct err *reterr)
{
	if (in.size == 0)
		return err_set(reterr, -ENODATA, "there is no %s", what);
	int r = crl_from_any(in, ret, reterr);
	if (r < 0)
		return r;
	period->what = what;
	period->check = check_name;
	r = crl_validity(*ret, &period->from, &period->until);
	return r < 0 ? err_set(reterr, r, "%s does not say until when it counts", what) : 0;
}

static int check_crls(
	struct dcap_statement *s, const struct dcap_collateral *c, struct evidence_result *result)
{
	struct err e = {0};

	int r = check_errno(result, "root CRL format",
		read_crl(c->root_crl, DCAP_PERIOD_OF("root CRL"), &s->root_crl, &s->periods[2], &e),
		&e);
	if (r == 0)
		r = check_errno(result, "root CRL signature",
			crl_check_issued(s->root_crl, s->tcb_signer.root, &e), &e);
	if (r == 0)
		r = check_errno(result, "PCK CRL format",
			read_crl(c->pck_crl, DCAP_PERIOD_OF("PCK CRL"), &s->pck_crl, &s->periods[3],
				&e),
			&e);
	if (r < 0)
		return r;
	s->root_crl_number = crl_number(s->root_crl);
	s->pck_crl_number = crl_number(s->pck_crl);
	return 0;
}

static int keep_bytes(struct dcap_statement *s, const struct dcap_collateral *c)
{
	struct slice members[COLLATERAL_MEMBERS];

	members_of(c, members);
	s->bytes = buf_init(COLLATERAL_MAX);
	for (size_t i = 0; i < COLLATERAL_MEMBERS; i++) {
		buf_put_u32le(&s->bytes, (uint32_t)members[i].size);
		buf_put_slice(&s->bytes, members[i]);
	}
	return buf_error(&s->bytes);
}

static int check_pins(const struct dcap_statement *s, const struct dcap_options *o,
	struct evidence_result *result)
{
	int r = dcap_check_pin(o, &s->tcb_signer.root_pin, "TCB Info root", result);
	return r == 0 ? dcap_check_pin(o, &s->qe_signer.root_pin, "QE identity root", result) : r;
}

static int note_known(const struct dcap_statement *s, const struct dcap_options *o,
	struct evidence_result *result)
{
	static const char *const names[] = {"TCB Info issuer chain", "TCB Info signature",
		"TCB Info format", "TCB Info issuer dates", "QE identity issuer chain",
		"QE identity signature", "QE identity format", "QE identity issuer dates",
		"root CRL format", "root CRL signature", "PCK CRL format"};
	static json_t *notes;
	int r = check_passed(result, names, ARRAY_COUNT(names), &notes);
	return r == 0 ? check_pins(s, o, result) : r;
}

static struct dcap_statement **place_for(struct dcap *d)
{
	struct dcap_statement **oldest = &d->statements[0];
	for (size_t i = 0; i < DCAP_STATEMENTS_MAX; i++) {
		if (!d->statements[i])
			return &d->statements[i];
		if (d->statements[i]->used < (*oldest)->used)
			oldest = &d->statements[i];
	}
	return oldest;
}

int dcap_statement_get(struct dcap *d, const struct dcap_collateral *c,
	const struct dcap_options *o, struct evidence_result *result, struct dcap_statement **ret)
{
	for (size_t i = 0; i < DCAP_STATEMENTS_MAX; i++) {
		struct dcap_statement *s = d->statements[i];
		if (!s || !same_bytes(s, c))
			continue;
		s->used = ++d->clock;
		*ret = s;
		return note_known(s, o, result);
	}
	cleanup(dcap_statement_free) struct dcap_statement *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->id = s->used = ++d->clock;
	int r = check_tcb_info(s, c, result);
	if (r == 0)
		r = check_identity(s, c, result);
	if (r == 0)
		r = check_crls(s, c, result);
	if (r == 0)
		r = check_pins(s, o, result);
	if (r == 0)
		r = keep_bytes(s, c);
	if (r < 0)
		return r == -E2BIG ? check_note(result, "collateral", false, NULL, NULL,
					     "the collateral is too large")
				   : r;
	struct dcap_statement **place = place_for(d);
	dcap_statement_free(*place);
	*place = s;
	*ret = steal_ptr(s);
	return 0;
}
