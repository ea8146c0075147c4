/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/fulcio.h"

#include "base/str.h"
#include "fmt/der.h"

#define OID_ISSUER_OLD "1.3.6.1.4.1.57264.1.1" /* text */
#define OID_ISSUER "1.3.6.1.4.1.57264.1.8"     /* DER UTF8String */
#define DER_UTF8 0x0C

struct certs {
	struct cert *list[FULCIO_CHAIN_MAX];
	size_t count;
};

static void certs_done(struct certs *c)
{
	for (size_t i = 0; i < c->count; i++)
		cert_free(c->list[i]);
}

static int load(struct certs *c, struct slice pem, struct err *reterr)
{
	int n = pem.size ? certs_from_pem(pem, c->list, FULCIO_CHAIN_MAX, reterr) : 0;
	c->count = n > 0 ? (size_t)n : 0;
	return n < 0 ? n : 0;
}

static int issuer_of(const struct cert *leaf, struct slice *ret)
{
	struct slice value;

	int r = cert_extension(leaf, OID_ISSUER, &value);
	if (r == -ENOENT)
		return cert_extension(leaf, OID_ISSUER_OLD, ret);
	struct rd rd = rd_init(value);
	if (r == 0)
		r = der_expect(&rd, DER_UTF8, ret);
	return r == 0 ? rd_done(&rd) : r;
}

int fulcio_check_identity(
	const struct cert *leaf, const struct fulcio_identity *want, struct err *reterr)
{
	char subject[512];
	struct slice issuer = {0};

	if (!cert_may_sign(leaf) || !cert_signs_code(leaf))
		return err_set(reterr, -EKEYREJECTED, "the certificate is not for signing code");
	if (cert_alt_name(leaf, subject, sizeof(subject)) < 0)
		return err_set(reterr, -EACCES,
			"the certificate does not name exactly one address or URI");
	if (!streq(subject, want->subject))
		return err_set(
			reterr, -EACCES, "the signer is '%s', not '%s'", subject, want->subject);
	if (issuer_of(leaf, &issuer) < 0)
		return err_set(reterr, -EACCES, "the certificate does not name its OIDC issuer");
	if (!slice_eq_str(issuer, want->issuer))
		return err_set(reterr, -EACCES, "'%.*s' vouches for the signer, not '%s'",
			SLICE_ARG(issuer), want->issuer);
	return 0;
}

int fulcio_verify(const struct cert *leaf, struct slice chain, struct slice roots, int64_t at,
	const struct fulcio_identity *identity, struct err *reterr)
{
	cleanup_with(certs_done) struct certs between = {0};
	cleanup_with(certs_done) struct certs trusted = {0};

	int r = load(&between, chain, reterr);
	if (r == 0)
		r = load(&trusted, roots, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "Fulcio certificates");
	r = cert_verify_chain(
		leaf, between.list, between.count, trusted.list, trusted.count, at, reterr);
	return r == 0 ? fulcio_check_identity(leaf, identity, reterr) : r;
}
