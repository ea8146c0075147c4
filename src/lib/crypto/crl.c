/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/crl.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/enc.h"
#include "crypto/x509_internal.h"
#include "fmt/der.h"

#define CRL_MAX ((size_t)16 << 20)

/*
 * RFC 5280 5.1.1.2: the list names its algorithm twice, only the inner name is signed. Some
 * releases of OpenSSL compare them for certificates only.
 */
static bool is_algorithm_one(const X509_CRL *x)
{
	struct slice list, tbs, inner, outer;
	unsigned char *der = NULL;
	uint8_t tag = 0;
	int size = i2d_X509_CRL(x, &der);
	struct rd all = rd_init(slice_of(der, size > 0 ? (size_t)size : 0));

	bool same = der_expect(&all, DER_SEQUENCE, &list) == 0;
	if (same) {
		struct rd outside = rd_init(list);
		same = der_expect(&outside, DER_SEQUENCE, &tbs) == 0 &&
		       der_expect(&outside, DER_SEQUENCE, &outer) == 0;
		struct rd inside = rd_init(tbs);
		/* The version is absent from lists of version 1. */
		same = same && der_next(&inside, &tag, &inner) == 0 &&
		       (tag != DER_INTEGER || der_next(&inside, &tag, &inner) == 0) &&
		       tag == DER_SEQUENCE && slice_eq(inner, outer);
	}
	OPENSSL_free(der);
	return same;
}

static int adopt(X509_CRL *x, struct crl **ret, struct err *reterr)
{
	if (!is_algorithm_one(x)) {
		X509_CRL_free(x);
		return err_set(reterr, -EBADMSG,
			"revocation list names another signature algorithm than it signs");
	}
	if (X509_CRL_get_ext_by_critical(x, 1, -1) >= 0) {
		X509_CRL_free(x);
		return err_set(reterr, -EOPNOTSUPP,
			"revocation list has a critical extension: only complete lists are used");
	}
	struct crl *c = calloc(1, sizeof(*c));
	if (!c) {
		X509_CRL_free(x);
		return -ENOMEM;
	}
	c->x = x;
	*ret = c;
	return 0;
}

/* Return: 0, -EBADMSG, -EOPNOTSUPP (a critical extension), -ENOMEM */
static int crl_from_der(struct slice der, struct crl **ret, struct err *reterr)
{
	const uint8_t *at = der.data;

	if (der.size == 0 || der.size > CRL_MAX)
		return err_set(reterr, -EBADMSG,
			"revocation list has an impossible size of %zu bytes", der.size);
	X509_CRL *x = d2i_X509_CRL(NULL, &at, (long)der.size);
	ERR_clear_error();
	if (!x || at != der.data + der.size) {
		X509_CRL_free(x);
		return err_set(reterr, -EBADMSG, "not a DER revocation list");
	}
	return adopt(x, ret, reterr);
}

static int from_pem(struct slice in, struct crl **ret, struct err *reterr)
{
	BIO *bio = BIO_new_mem_buf(in.data, (int)in.size);
	if (!bio)
		return -ENOMEM;
	X509_CRL *x = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL);
	BIO_free(bio);
	ERR_clear_error();
	if (!x)
		return err_set(reterr, -EBADMSG, "not a PEM revocation list");
	return adopt(x, ret, reterr);
}

int crl_from_any(struct slice in, struct crl **ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf der = buf_init(CRL_MAX);

	if (in.size > 2 * CRL_MAX)
		return err_set(reterr, -E2BIG, "revocation list is too large");
	if (slice_starts(in, SLICE_LIT("-----BEGIN")))
		return from_pem(in, ret, reterr);
	if (hex_decode(&der, in) == 0 && der.size > 0)
		return crl_from_der(buf_slice(&der), ret, reterr);
	return crl_from_der(in, ret, reterr);
}

void crl_free(struct crl *c)
{
	if (!c)
		return;
	X509_CRL_free(c->x);
	free(c);
}

int crl_check_issued(const struct crl *c, const struct cert *issuer, struct err *reterr)
{
	char name[256];

	cert_subject(issuer, name, sizeof(name));
	if (X509_NAME_cmp(X509_CRL_get_issuer(c->x), X509_get_subject_name(issuer->x)) != 0)
		return err_set(reterr, -EKEYREJECTED, "revocation list is not one of %s", name);
	if (X509_check_ca(issuer->x) != 1 || !(X509_get_key_usage(issuer->x) & KU_CRL_SIGN))
		return err_set(reterr, -EKEYREJECTED,
			"certificate %s may not sign revocation lists", name);
	if (X509_CRL_verify(c->x, X509_get0_pubkey(issuer->x)) != 1) {
		ERR_clear_error();
		return err_set(reterr, -EKEYREJECTED,
			"the signature of the revocation list is not by the key of %s", name);
	}
	return 0;
}

int crl_validity(const struct crl *c, int64_t *ret_from, int64_t *ret_until)
{
	int64_t from = 0, until = 0;
	int r = x509_time(X509_CRL_get0_lastUpdate(c->x), &from);
	if (r == 0)
		r = x509_time(X509_CRL_get0_nextUpdate(c->x), &until);
	ERR_clear_error();
	if (r < 0)
		return r;
	*ret_from = from;
	*ret_until = until;
	return 0;
}

int64_t crl_number(const struct crl *c)
{
	int64_t value = 0;
	ASN1_INTEGER *n = X509_CRL_get_ext_d2i(c->x, NID_crl_number, NULL, NULL);
	if (n && ASN1_INTEGER_get_int64(&value, n) != 1)
		value = 0;
	ASN1_INTEGER_free(n);
	ERR_clear_error();
	return value;
}

bool crl_revokes(const struct crl *c, const struct cert *cert)
{
	X509_REVOKED *entry = NULL;
	if (X509_NAME_cmp(X509_CRL_get_issuer(c->x), X509_get_issuer_name(cert->x)) != 0)
		return false;
	return X509_CRL_get0_by_cert(c->x, &entry, cert->x) != 0;
}
