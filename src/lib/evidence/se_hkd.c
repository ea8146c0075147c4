/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host-key documents: certificates of the machines' keys. The certificate that signs them is not a
 * CA, and its name is not always the issuer's that they bear: IBM moved from Poughkeepsie to
 * Armonk. Its own chain is an ordinary one.
 */
#include "base/enc.h"
#include "base/str.h"
#include "crypto/x509_plain.h"
#include "evidence/se.h"

#define CERTS_MAX 8
#define CRLS_MAX 16
#define DEPTH_MAX 3
#define NAME_PARTS 6

/* SHA-256 of the SubjectPublicKeyInfo: DigiCert Trusted Root G4, DigiCert Assured ID Root CA. */
static const struct digest g_pins[] = {
	{32, {0x59, 0xdf, 0x31, 0x7b, 0xfa, 0x9f, 0x4f, 0x0a, 0xb7, 0xca, 0x51, 0x4d, 0x77, 0x72,
		     0x29, 0x6a, 0xa2, 0xc7, 0x65, 0xb8, 0x76, 0x64, 0xd0, 0x8b, 0x96, 0xe5, 0x73,
		     0x99, 0xe3, 0x64, 0x72, 0x9c}},
	{32, {0x23, 0xf2, 0xed, 0xff, 0x3e, 0xde, 0x90, 0x25, 0x9a, 0x9e, 0x30, 0xf4, 0x0a, 0xf8,
		     0xf9, 0x12, 0xa5, 0xe5, 0xb3, 0x69, 0x4e, 0x69, 0x38, 0x44, 0x03, 0x41, 0xf6,
		     0x06, 0x0e, 0x01, 0x4f, 0xfa}},
};

/* @pin is among the request's roots, or DigiCert's that IBM uses */
static bool se_trusted_root(const struct evidence_request *request, const struct digest *pin)
{
	const struct digest *pins = request->ibm_roots ? request->ibm_roots : g_pins;
	size_t count = request->ibm_roots ? request->ibm_root_count : ARRAY_COUNT(g_pins);

	for (size_t i = 0; i < count; i++) {
		if (slice_eq(digest_slice(&pins[i]), digest_slice(pin)))
			return true;
	}
	return false;
}

/* What a verification loads; released at its end. */
struct material {
	struct cert *hkd;
	struct cert *certs[CERTS_MAX];
	size_t cert_count;
	struct crl *crls[CRLS_MAX];
	size_t crl_count;
	const struct cert *signing; /* one of @certs */
};

static void material_done(struct material *m)
{
	cert_free(m->hkd);
	for (size_t i = 0; i < m->cert_count; i++)
		cert_free(m->certs[i]);
	for (size_t i = 0; i < m->crl_count; i++)
		crl_free(m->crls[i]);
}

static bool is_locality(const char *text)
{
	return streq(text, "Poughkeepsie") || streq(text, "Armonk");
}

/* The name of the service that signs host keys, in any order of its parts. */
static bool is_signing_name(const struct cert *c)
{
	static const char *const fixed[][2] = {{"C", "US"}, {"ST", "New York"},
		{"O", "International Business Machines Corporation"},
		{"CN", "International Business Machines Corporation"}};
	char text[X509_NAME_PART_SIZE];

	if (cert_name_count(c, X509_SUBJECT) != NAME_PARTS)
		return false;
	for (size_t i = 0; i < ARRAY_COUNT(fixed); i++) {
		if (cert_name_part(c, X509_SUBJECT, fixed[i][0], text) < 0 ||
			!streq(text, fixed[i][1]))
			return false;
	}
	return cert_name_part(c, X509_SUBJECT, "L", text) == 0 && is_locality(text) &&
	       cert_name_part(c, X509_SUBJECT, "OU", text) == 0 &&
	       str_ends(text, "Key Signing Service");
}

/* The issuer of a document or of a list against the signer's subject: the locality may be either. */
static bool names_signer(const struct cert *doc, const struct crl *list, const struct cert *signer)
{
	static const char *const parts[NAME_PARTS] = {"C", "ST", "L", "O", "OU", "CN"};
	char a[X509_NAME_PART_SIZE], b[X509_NAME_PART_SIZE];

	if (!doc && !list)
		return false;
	if ((doc ? cert_name_count(doc, X509_ISSUER) : crl_issuer_count(list)) != NAME_PARTS)
		return false;
	for (size_t i = 0; i < NAME_PARTS; i++) {
		int r = doc ? cert_name_part(doc, X509_ISSUER, parts[i], a)
			    : crl_issuer_part(list, parts[i], a);
		if (r < 0 || cert_name_part(signer, X509_SUBJECT, parts[i], b) < 0)
			return false;
		bool same = streq(parts[i], "L") ? is_locality(a) && is_locality(b) : streq(a, b);
		if (!same)
			return false;
	}
	return true;
}

static int load(struct slice hkd, struct slice chain, struct slice crls, struct material *m,
	struct err *reterr)
{
	int r = slice_starts(hkd, SLICE_LIT("-----BEGIN")) ? certs_from_pem(hkd, &m->hkd, 1, reterr)
							   : cert_from_der(hkd, &m->hkd, reterr);
	if (r < 0 || !m->hkd)
		return err_wrap(reterr, r < 0 ? r : -EBADMSG, "host-key document");
	r = certs_from_pem(chain, m->certs, CERTS_MAX, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "chain of the signing certificate");
	m->cert_count = (size_t)r;
	r = crls_from_any(crls, m->crls, CRLS_MAX, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "revocation lists");
	m->crl_count = (size_t)r;
	return 0;
}

static int find_signing(struct material *m, struct err *reterr)
{
	for (size_t i = 0; i < m->cert_count; i++) {
		if (!is_signing_name(m->certs[i]))
			continue;
		if (m->signing)
			return err_set(reterr, -EBADMSG,
				"several certificates bear the name of IBM's key signing service");
		m->signing = m->certs[i];
	}
	if (!m->signing)
		return err_set(reterr, -EBADMSG,
			"no certificate bears the name of IBM's key signing service");
	return cert_may_sign(m->signing)
		       ? 0
		       : err_set(reterr, -EKEYREJECTED,
				 "the usage of the signing key does not allow signatures");
}

static int check_dates(
	int64_t from, int64_t until, int64_t now, const char *what, struct err *reterr)
{
	if (now < from)
		return err_set(reterr, -ESTALE, "%s is not valid yet", what);
	return now > until ? err_set(reterr, -ESTALE, "%s has expired", what) : 0;
}

static int check_cert_dates(const struct cert *c, int64_t now, const char *what, struct err *reterr)
{
	int64_t from = 0, until = 0;

	int r = cert_validity(c, &from, &until);
	return r < 0 ? err_set(reterr, r, "%s has no readable dates", what)
		     : check_dates(from, until, now, what, reterr);
}

static int check_crl_dates(const struct crl *c, int64_t now, const char *what, struct err *reterr)
{
	int64_t from = 0, until = 0;

	int r = crl_validity(c, &from, &until);
	return r < 0 ? err_set(reterr, r, "%s has no readable dates", what)
		     : check_dates(from, until, now, what, reterr);
}

/* The issuer's list, in date, does not name @c. */
static int check_revocation(const struct material *m, const struct cert *c,
	const struct cert *issuer, int64_t now, struct err *reterr)
{
	struct err e = {0};
	char name[256];

	for (size_t i = 0; i < m->crl_count; i++) {
		if (crl_check_issued(m->crls[i], issuer, &e) < 0)
			continue;
		int r = check_crl_dates(m->crls[i], now, "the revocation list of a CA", reterr);
		if (r == 0 && crl_revokes(m->crls[i], c))
			r = err_set(reterr, -EKEYREJECTED, "certificate %s is revoked",
				cert_subject(c, name, sizeof(name)));
		return r;
	}
	return err_set(reterr, -ENOENT, "there is no revocation list of %s",
		cert_subject(issuer, name, sizeof(name)));
}

static const struct cert *find_issuer(
	const struct material *m, const struct cert *c, unsigned below, struct err *reterr)
{
	char name[256];

	for (size_t i = 0; i < m->cert_count; i++) {
		if (m->certs[i] != c && cert_check_issued(c, m->certs[i], below, NULL) == 0)
			return m->certs[i];
	}
	err_set(reterr, -EKEYREJECTED, "no certificate of the chain issued %s",
		cert_subject(c, name, sizeof(name)));
	return NULL;
}

/* Stage 1: from the signing certificate to a root that is trusted. */
static int check_chain(
	const struct evidence_request *request, const struct material *m, struct err *reterr)
{
	const struct cert *c = m->signing;
	struct digest pin = {0};

	int r = check_cert_dates(c, request->now, "the signing certificate", reterr);
	for (unsigned depth = 0; r == 0 && depth < DEPTH_MAX; depth++) {
		const struct cert *issuer = find_issuer(m, c, depth, reterr);
		if (!issuer)
			return -EKEYREJECTED;
		r = check_cert_dates(
			issuer, request->now, "a CA of the signing certificate", reterr);
		if (r == 0)
			r = check_revocation(m, c, issuer, request->now, reterr);
		if (r == 0 && cert_is_self_issued(issuer)) {
			r = cert_spki_digest(issuer, HASH_SHA256, &pin);
			/* IBM's signing certificates stand below an intermediate CA. */
			if (r == 0 && (depth == 0 || !se_trusted_root(request, &pin)))
				r = err_set(reterr, -EKEYREJECTED,
					"the chain of the signing certificate does not end in a "
					"trusted root");
			return r;
		}
		c = issuer;
	}
	return r < 0 ? r : err_set(reterr, -E2BIG, "the chain is too long");
}

/* Stage 2: the document itself. */
static int check_document(
	const struct evidence_request *request, const struct material *m, struct err *reterr)
{
	if (!names_signer(m->hkd, NULL, m->signing))
		return err_set(reterr, -EKEYREJECTED, "it names another issuer");
	int r = cert_signed_by(m->hkd, m->signing, reterr);
	if (r == 0)
		r = check_cert_dates(m->hkd, request->now, "the host-key document", reterr);
	if (r == 0 && !cert_may_agree(m->hkd))
		r = err_set(reterr, -EKEYREJECTED, "its usage does not allow key agreement");
	return r;
}

static int check_document_list(
	const struct evidence_request *request, const struct material *m, struct err *reterr)
{
	struct err e = {0};

	for (size_t i = 0; i < m->crl_count; i++) {
		const struct crl *list = m->crls[i];
		if (crl_signed_by(list, m->signing, &e) < 0)
			continue;
		if (!names_signer(NULL, list, m->signing))
			return err_set(reterr, -EKEYREJECTED,
				"the revocation list of host keys names another issuer");
		int r = check_crl_dates(
			list, request->now, "the revocation list of host keys", reterr);
		if (r == 0 && crl_has_serial_of(list, m->hkd))
			r = err_set(reterr, -EKEYREJECTED, "the host key is revoked");
		return r;
	}
	return err_set(reterr, -ENOENT, "there is no revocation list of host keys");
}

static int check_key(const struct material *m, struct pkey **ret, struct err *reterr)
{
	cleanup(pkey_free) struct pkey *key = NULL;

	int r = cert_key(m->hkd, &key);
	if (r < 0 || pkey_type(key) != KEY_P521)
		return err_set(reterr, r < 0 ? r : -EOPNOTSUPP, "the host key is not a P-521 key");
	*ret = steal_ptr(key);
	return 0;
}

int se_hkd_verify(const struct evidence_request *request, struct slice hkd, struct slice chain,
	struct slice crls, struct evidence_result *result, struct pkey **ret)
{
	cleanup_with(material_done) struct material m = {0};
	struct err e = {0};

	int r = load(hkd, chain, crls, &m, &e);
	r = check_errno(result, "host-key document format", r, &e);
	if (r == 0)
		r = check_errno(result, "signing certificate", find_signing(&m, &e), &e);
	if (r == 0)
		r = check_errno(result, "signing chain", check_chain(request, &m, &e), &e);
	if (r == 0)
		r = check_errno(result, "host-key document", check_document(request, &m, &e), &e);
	if (r == 0)
		r = check_errno(
			result, "host-key revocation", check_document_list(request, &m, &e), &e);
	return r == 0 ? check_errno(result, "host key", check_key(&m, ret, &e), &e) : r;
}
