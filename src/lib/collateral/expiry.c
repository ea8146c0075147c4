/* SPDX-License-Identifier: Apache-2.0 */
#include "collateral/expiry.h"

#include "base/str.h"
#include "crypto/crl.h"
#include "crypto/ocsp.h"
#include "crypto/x509.h"
#include "evidence/dcap_tcb.h"

#define CHAIN_MAX 8

const char *collateral_kind_name(enum collateral_kind kind)
{
	static const char *const names[] = {
		[COLLATERAL_OTHER] = "other",
		[COLLATERAL_TCB_INFO] = "TCB Info",
		[COLLATERAL_QE_IDENTITY] = "QE identity",
		[COLLATERAL_CRL] = "revocation list",
		[COLLATERAL_CERTIFICATES] = "certificates",
		[COLLATERAL_OCSP] = "OCSP answer",
	};
	return names[kind];
}

static int tcb_life(struct slice item, struct collateral_life *ret, struct err *reterr)
{
	cleanup(tcb_info_free) struct tcb_info *info = NULL;
	struct slice body = {0};
	uint8_t signature[64];

	int r = tcb_split_signed(item, "tcbInfo", &body, signature, reterr);
	if (r == 0)
		r = tcb_info_parse(body, &info, reterr);
	if (r == 0)
		*ret = (struct collateral_life){
			COLLATERAL_TCB_INFO, info->issued, info->next_update};
	return r;
}

static int identity_life(struct slice item, struct collateral_life *ret, struct err *reterr)
{
	cleanup(qe_identity_free) struct qe_identity *identity = NULL;
	struct slice body = {0};
	uint8_t signature[64];

	int r = tcb_split_signed(item, "enclaveIdentity", &body, signature, reterr);
	if (r == 0)
		r = qe_identity_parse(body, &identity, reterr);
	if (r == 0)
		*ret = (struct collateral_life){
			COLLATERAL_QE_IDENTITY, identity->issued, identity->next_update};
	return r;
}

static int add_cert(const struct cert *c, struct collateral_life *life)
{
	int64_t from, until;

	int r = cert_validity(c, &from, &until);
	if (r < 0)
		return r;
	life->from = from > life->from ? from : life->from;
	life->until = until < life->until ? until : life->until;
	return 0;
}

static int certs_life(struct slice pem, struct collateral_life *ret, struct err *reterr)
{
	struct collateral_life life = {COLLATERAL_CERTIFICATES, INT64_MIN, INT64_MAX};
	struct cert *certs[CHAIN_MAX] = {0};

	int count = certs_from_pem(pem, certs, CHAIN_MAX, reterr);
	int r = count < 0 ? count : 0;
	for (int i = 0; i < CHAIN_MAX; i++) {
		if (r == 0 && certs[i])
			r = add_cert(certs[i], &life);
		cert_free(certs[i]);
	}
	if (r == 0)
		*ret = life;
	return r;
}

static int crl_life(struct slice item, struct collateral_life *ret)
{
	cleanup(crl_free) struct crl *crl = NULL;
	struct collateral_life life = {.kind = COLLATERAL_CRL};

	int r = crl_from_any(item, &crl, NULL);
	if (r == 0)
		r = crl_validity(crl, &life.from, &life.until);
	if (r == 0)
		*ret = life;
	return r;
}

/* DER says what it is only when it is read as such. */
static int der_life(struct slice item, struct collateral_life *ret, struct err *reterr)
{
	cleanup(cert_free) struct cert *cert = NULL;
	cleanup(ocsp_free) struct ocsp *ocsp = NULL;
	struct collateral_life life = {COLLATERAL_CERTIFICATES, INT64_MIN, INT64_MAX};
	struct ocsp_answer answer = {0};

	int r = crl_life(item, ret);
	if (r == 0 || r == -ENOMEM)
		return r;
	r = cert_from_der(item, &cert, NULL);
	if (r == 0)
		r = add_cert(cert, &life);
	if (r == 0)
		*ret = life;
	if (r == 0 || r == -ENOMEM)
		return r;
	r = ocsp_from_der(item, &ocsp, NULL);
	if (r == 0)
		r = ocsp_read(ocsp, &answer, NULL);
	if (r == 0)
		*ret = (struct collateral_life){
			COLLATERAL_OCSP, answer.this_update, answer.next_update};
	return r == 0 || r == -ENOMEM
		       ? r
		       : err_set(reterr, -EBADMSG,
				 "this is neither a revocation list, a certificate nor an OCSP "
				 "answer");
}

static bool begins(struct slice item, const char *text)
{
	return slice_starts(item, slice_str(text));
}

int collateral_life(struct slice item, struct collateral_life *ret, struct err *reterr)
{
	if (begins(item, "{\"tcbInfo\""))
		return tcb_life(item, ret, reterr);
	if (begins(item, "{\"enclaveIdentity\""))
		return identity_life(item, ret, reterr);
	if (begins(item, "-----BEGIN CERTIFICATE"))
		return certs_life(item, ret, reterr);
	/* Intel's caching service gives lists as the hex text of their DER. */
	if (begins(item, "-----BEGIN X509 CRL") || begins(item, "3082")) {
		int r = crl_life(item, ret);
		return r == -EBADMSG ? err_set(reterr, r, "the revocation list is malformed") : r;
	}
	if (item.size > 0 && item.data[0] == 0x30)
		return der_life(item, ret, reterr);
	*ret = (struct collateral_life){COLLATERAL_OTHER, INT64_MIN, INT64_MAX};
	return 0;
}
