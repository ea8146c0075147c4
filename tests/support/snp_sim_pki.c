/* SPDX-License-Identifier: Apache-2.0 */
#include "support/snp_sim_pki.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#define AMD_ARC "1.3.6.1.4.1.3704.1."

EVP_PKEY *amd_key_new(const char *curve, unsigned bits)
{
	return curve ? EVP_EC_gen(curve) : EVP_RSA_gen(bits);
}

static bool sign_setup(EVP_MD_CTX *ctx, EVP_PKEY *key)
{
	EVP_PKEY_CTX *p = NULL;
	return ctx && EVP_DigestSignInit(ctx, &p, EVP_sha384(), NULL, key) == 1 &&
	       EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(p, 48) == 1;
}

static bool add_extension(X509 *x, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	bool good = e && X509_add_ext(x, e, -1) == 1;
	X509_EXTENSION_free(e);
	return good;
}

static bool add_raw(X509 *x, const char *oid, struct slice value)
{
	ASN1_OBJECT *o = OBJ_txt2obj(oid, 1);
	ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();
	X509_EXTENSION *e = NULL;
	if (o && octets && ASN1_OCTET_STRING_set(octets, value.data, (int)value.size) == 1)
		e = X509_EXTENSION_create_by_OBJ(NULL, o, 0, octets);
	bool good = e && X509_add_ext(x, e, -1) == 1;
	X509_EXTENSION_free(e);
	ASN1_OCTET_STRING_free(octets);
	ASN1_OBJECT_free(o);
	return good;
}

/* Content of a small INTEGER or of a short string. */
static bool add_der(X509 *x, const char *oid, uint8_t tag, struct slice content)
{
	cleanup_with(buf_done) struct buf der = buf_init(0);
	bool sign = tag == 0x02 && content.size == 1 && content.data[0] >= 0x80;
	buf_put_u8(&der, tag);
	buf_put_u8(&der, (uint8_t)(content.size + (sign ? 1 : 0)));
	if (sign)
		buf_put_u8(&der, 0);
	buf_put_slice(&der, content);
	return buf_error(&der) == 0 && add_raw(x, oid, buf_slice(&der));
}

static bool add_amd(X509 *x, const struct amd_cert *c)
{
	const struct {
		const char *oid;
		const uint8_t *value;
	} spls[] = {{AMD_ARC "3.1", &c->tcb.bootloader}, {AMD_ARC "3.2", &c->tcb.tee},
		{AMD_ARC "3.3", &c->tcb.snp}, {AMD_ARC "3.8", &c->tcb.microcode},
		{AMD_ARC "3.9", &c->tcb.fmc}};
	bool good = add_der(x, AMD_ARC "1", 0x02, SLICE_LIT("\0")) &&
		    add_der(x, AMD_ARC "2", 0x16, slice_str(c->product_name));

	for (size_t i = 0; good && i < ARRAY_COUNT(spls) - (c->turin ? 0 : 1); i++)
		good = add_der(x, spls[i].oid, 0x02, slice_of(spls[i].value, 1));
	if (good && c->hwid.size > 0)
		good = c->wrapped_hwid ? add_der(x, AMD_ARC "4", 0x04, c->hwid)
				       : add_raw(x, AMD_ARC "4", c->hwid);
	return good;
}

static bool fill(X509 *x, const struct amd_cert *c)
{
	X509_NAME *name = X509_get_subject_name(x);
	char constraints[64];

	if (c->path_length >= 0)
		snprintf(constraints, sizeof(constraints), "critical,CA:TRUE,pathlen:%d",
			c->path_length);
	else
		snprintf(constraints, sizeof(constraints), "critical,CA:TRUE");
	return X509_set_version(x, X509_VERSION_3) == 1 &&
	       ASN1_INTEGER_set(X509_get_serialNumber(x), c->serial) == 1 &&
	       X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC,
		       (const uint8_t *)"Simulator for tests", -1, -1, 0) == 1 &&
	       X509_NAME_add_entry_by_txt(
		       name, "CN", MBSTRING_ASC, (const uint8_t *)c->common_name, -1, -1, 0) == 1 &&
	       X509_set_issuer_name(x, c->issuer ? X509_get_subject_name(c->issuer) : name) == 1 &&
	       X509_set_pubkey(x, c->key) == 1 &&
	       ASN1_TIME_set(X509_getm_notBefore(x), (time_t)c->from) &&
	       ASN1_TIME_set(X509_getm_notAfter(x), (time_t)c->until) &&
	       (!c->ca ||
		       (add_extension(x, NID_basic_constraints, constraints) &&
			       add_extension(x, NID_key_usage, "critical,keyCertSign,cRLSign"))) &&
	       (!c->product_name || add_amd(x, c));
}

X509 *amd_cert_new(const struct amd_cert *c)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	X509 *x = X509_new();

	if (!x || !fill(x, c) || !sign_setup(ctx, c->issuer_key ? c->issuer_key : c->key) ||
		X509_sign_ctx(x, ctx) <= 0) {
		X509_free(x);
		x = NULL;
	}
	EVP_MD_CTX_free(ctx);
	return x;
}

static bool revoke(X509_CRL *crl, long serial, const ASN1_TIME *when)
{
	X509_REVOKED *entry = X509_REVOKED_new();
	ASN1_INTEGER *number = ASN1_INTEGER_new();
	bool good = entry && number && ASN1_INTEGER_set(number, serial) == 1 &&
		    X509_REVOKED_set_serialNumber(entry, number) == 1 &&
		    X509_REVOKED_set_revocationDate(entry, (ASN1_TIME *)(uintptr_t)when) == 1 &&
		    X509_CRL_add0_revoked(crl, entry) == 1;
	if (!good)
		X509_REVOKED_free(entry);
	ASN1_INTEGER_free(number);
	return good;
}

static bool fill_crl(X509_CRL *crl, X509 *issuer, int64_t from, int64_t until, long revoked)
{
	ASN1_TIME *t = ASN1_TIME_set(NULL, (time_t)from), *n = ASN1_TIME_set(NULL, (time_t)until);
	bool good = t && n && X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1 &&
		    X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer)) == 1 &&
		    X509_CRL_set1_lastUpdate(crl, t) == 1 &&
		    X509_CRL_set1_nextUpdate(crl, n) == 1 &&
		    (revoked == 0 || revoke(crl, revoked, t)) && X509_CRL_sort(crl) == 1;
	ASN1_TIME_free(t);
	ASN1_TIME_free(n);
	return good;
}

int amd_crl(X509 *issuer, EVP_PKEY *key, int64_t from, int64_t until, long revoked, struct buf *out)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	X509_CRL *crl = X509_CRL_new();
	uint8_t *der = NULL;
	int size = -1;

	if (crl && fill_crl(crl, issuer, from, until, revoked) && sign_setup(ctx, key) &&
		X509_CRL_sign_ctx(crl, ctx) > 0)
		size = i2d_X509_CRL(crl, &der);
	if (size > 0)
		buf_put(out, der, (size_t)size);
	OPENSSL_free(der);
	X509_CRL_free(crl);
	EVP_MD_CTX_free(ctx);
	return size > 0 ? buf_error(out) : -EIO;
}

int amd_der(X509 *x, struct buf *out)
{
	uint8_t *der = NULL;
	int size = i2d_X509(x, &der);
	if (size > 0)
		buf_put(out, der, (size_t)size);
	OPENSSL_free(der);
	return size > 0 ? buf_error(out) : -EIO;
}

int amd_pem(X509 *x, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	int r = bio && PEM_write_bio_X509(bio, x) == 1 ? 0 : -EIO;
	if (r == 0) {
		long n = BIO_get_mem_data(bio, &text);
		buf_put(out, text, (size_t)n);
		r = buf_error(out);
	}
	BIO_free(bio);
	return r;
}
