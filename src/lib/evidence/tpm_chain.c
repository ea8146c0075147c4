/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/tpm_chain.h"

#include "base/enc.h"
#include "crypto/x509_plain.h"
#include "fmt/der.h"

#define CERTS_MAX 16
#define CRLS_MAX 32
#define DEPTH_MAX 4
#define EXT_KEY_USAGE "2.5.29.37"

/* 2.23.133.8.1, as an OBJECT IDENTIFIER's content: tcg-kp-EKCertificate */
static const uint8_t g_ek_usage[] = {0x67, 0x81, 0x05, 0x08, 0x01};

struct chain {
	struct cert *certs[CERTS_MAX];
	size_t cert_count;
	struct cert *roots[CERTS_MAX];
	size_t root_count;
	struct crl *crls[CRLS_MAX];
	size_t crl_count;
};

static void chain_done(struct chain *c)
{
	for (size_t i = 0; i < c->cert_count; i++)
		cert_free(c->certs[i]);
	for (size_t i = 0; i < c->root_count; i++)
		cert_free(c->roots[i]);
	for (size_t i = 0; i < c->crl_count; i++)
		crl_free(c->crls[i]);
}

static int load_pem(struct slice pem, struct cert **ret, size_t *count, struct err *reterr)
{
	if (pem.size == 0)
		return 0;
	int r = certs_from_pem(pem, ret, CERTS_MAX, reterr);
	if (r < 0)
		return r;
	*count = (size_t)r;
	return 0;
}

int tpm_cert_load(struct slice in, struct cert **ret, struct err *reterr)
{
	struct rd rd = rd_init(in);
	struct slice body;

	if (in.size > TPM_CERT_MAX)
		return err_set(
			reterr, -E2BIG, "the certificate has more than %zu bytes", TPM_CERT_MAX);
	if (der_expect(&rd, DER_SEQUENCE, &body) < 0)
		return err_set(reterr, -EBADMSG, "the certificate is not DER");
	return cert_from_der(slice_cut(in, 0, rd_pos(&rd)), ret, reterr);
}

static bool has_ek_usage(const struct cert *c)
{
	struct slice value, list, oid;

	if (cert_extension(c, EXT_KEY_USAGE, &value) < 0)
		return false;
	struct rd rd = rd_init(value);
	if (der_expect(&rd, DER_SEQUENCE, &list) < 0)
		return false;
	rd = rd_init(list);
	while (der_expect(&rd, DER_OID, &oid) == 0) {
		if (slice_eq(oid, slice_of(g_ek_usage, sizeof(g_ek_usage))))
			return true;
	}
	return false;
}

static int check_dates(const struct cert *c, int64_t now, struct err *reterr)
{
	int64_t from = 0, until = 0;
	char name[256];

	int r = cert_validity(c, &from, &until);
	if (r < 0)
		return err_set(reterr, r, "a certificate has no readable dates");
	if (now >= from && now <= until)
		return 0;
	return err_set(reterr, -ESTALE, "certificate %s %s", cert_subject(c, name, sizeof(name)),
		now < from ? "is not valid yet" : "has expired");
}

static int check_crl(const struct chain *m, const struct cert *c, const struct cert *issuer,
	int64_t now, struct err *reterr)
{
	int64_t from = 0, until = 0;
	char name[256];

	for (size_t i = 0; i < m->crl_count; i++) {
		if (crl_check_issued(m->crls[i], issuer, NULL) < 0)
			continue;
		if (crl_validity(m->crls[i], &from, &until) < 0 || now < from || now > until)
			return err_set(reterr, -ESTALE, "the revocation list of %s is out of date",
				cert_subject(issuer, name, sizeof(name)));
		return crl_revokes(m->crls[i], c)
			       ? err_set(reterr, -EKEYREJECTED, "certificate %s is revoked",
					 cert_subject(c, name, sizeof(name)))
			       : 0;
	}
	return err_set(reterr, -ENOENT, "there is no revocation list of %s",
		cert_subject(issuer, name, sizeof(name)));
}

static const struct cert *find_issuer(
	struct cert *const *certs, size_t count, const struct cert *c, unsigned below)
{
	for (size_t i = 0; i < count; i++) {
		if (certs[i] != c && cert_check_issued(c, certs[i], below, NULL) == 0)
			return certs[i];
	}
	return NULL;
}

/* Up to a root. With @lists each issuer must have one. */
static int walk(
	const struct cert *leaf, const struct chain *m, int64_t now, bool lists, struct err *reterr)
{
	const struct cert *c = leaf;
	char name[256];

	int r = check_dates(leaf, now, reterr);
	for (unsigned depth = 0; r == 0 && depth < DEPTH_MAX; depth++) {
		const struct cert *root = find_issuer(m->roots, m->root_count, c, depth);
		const struct cert *issuer =
			root ? root : find_issuer(m->certs, m->cert_count, c, depth);
		if (!issuer)
			return err_set(reterr, -EKEYREJECTED,
				"no certificate that is known issued %s",
				cert_subject(c, name, sizeof(name)));
		r = check_dates(issuer, now, reterr);
		if (r == 0 && lists)
			r = check_crl(m, c, issuer, now, reterr);
		if (root)
			return r;
		c = issuer;
	}
	return r < 0 ? r : err_set(reterr, -E2BIG, "the chain is too long");
}

int tpm_ek_verify(const struct cert *ek, struct slice chain, struct slice roots, int64_t now,
	struct err *reterr)
{
	cleanup_with(chain_done) struct chain m = {0};

	int r = load_pem(chain, m.certs, &m.cert_count, reterr);
	if (r == 0)
		r = load_pem(roots, m.roots, &m.root_count, reterr);
	if (r == 0 && !has_ek_usage(ek))
		r = err_set(reterr, -EKEYREJECTED,
			"the certificate is not one of an endorsement key (2.23.133.8.1)");
	return r == 0 ? walk(ek, &m, now, false, reterr) : r;
}

static int check_ak_cert(const struct cert *c, const struct pkey *ak, struct err *reterr)
{
	cleanup(pkey_free) struct pkey *key = NULL;

	int r = cert_key(c, &key);
	if (r < 0)
		return err_set(reterr, r, "the key of the certificate is not supported");
	if (!pkey_equal(key, ak))
		return err_set(reterr, -EKEYREJECTED, "it is the certificate of another key");
	return cert_may_sign(c)
		       ? 0
		       : err_set(reterr, -EKEYREJECTED, "its usage does not allow signatures");
}

int tpm_ak_verify(const struct evidence_request *request, struct slice ak_cert, struct slice chain,
	const struct pkey *ak, struct evidence_result *result)
{
	cleanup(cert_free) struct cert *cert = NULL;
	cleanup_with(chain_done) struct chain m = {0};
	struct slice roots = SLICE_EMPTY, crls = SLICE_EMPTY;
	struct err e = {0};

	int r = tpm_cert_load(ak_cert, &cert, &e);
	if (r == 0)
		r = load_pem(chain, m.certs, &m.cert_count, &e);
	if (r == 0)
		r = check_ak_cert(cert, ak, &e);
	r = check_errno(result, "AK certificate", r, &e);
	if (r == 0)
		r = check_collateral(result, request->collateral, "tpm/roots", &roots);
	if (r == 0)
		r = check_collateral(result, request->collateral, "tpm/crls", &crls);
	if (r < 0)
		return r;
	r = load_pem(roots, m.roots, &m.root_count, &e);
	if (r == 0) {
		r = crls_from_any(crls, m.crls, CRLS_MAX, &e);
		m.crl_count = r > 0 ? (size_t)r : 0;
		r = r > 0 ? 0 : r;
	}
	if (r == 0)
		r = walk(cert, &m, request->now, true, &e);
	return check_errno(result, "AK certificate chain", r, &e);
}
