/* SPDX-License-Identifier: Apache-2.0 */
#include "support/dcap_sim_pki.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

int sim_key_new(struct sim_key *ret)
{
	cleanup_with(buf_done) struct buf pem = buf_init_secret(4096);
	int r = pkey_generate(KEY_P256, 0, &ret->key);
	if (r == 0)
		r = pkey_to_pem_private(ret->key, &pem);
	if (r < 0)
		return r;
	BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
	ret->evp = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
	BIO_free(bio);
	return ret->evp ? 0 : -EIO;
}

void sim_key_done(struct sim_key *k)
{
	EVP_PKEY_free(k->evp);
	pkey_free(k->key);
	*k = (struct sim_key){0};
}

static bool add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx(&ctx, issuer ? issuer : x, x, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	bool good = e && X509_add_ext(x, e, -1) == 1;
	X509_EXTENSION_free(e);
	return good;
}

static bool add_sgx(X509 *x, struct slice der)
{
	ASN1_OBJECT *oid = OBJ_txt2obj("1.2.840.113741.1.13.1", 1);
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	X509_EXTENSION *e = NULL;
	if (oid && value && ASN1_OCTET_STRING_set(value, der.data, (int)der.size) == 1)
		e = X509_EXTENSION_create_by_OBJ(NULL, oid, 0, value);
	bool good = e && X509_add_ext(x, e, -1) == 1;
	X509_EXTENSION_free(e);
	ASN1_OCTET_STRING_free(value);
	ASN1_OBJECT_free(oid);
	return good;
}

static bool fill(X509 *x, const struct sim_cert *c)
{
	X509_NAME *name = X509_get_subject_name(x);
	char constraints[64];

	if (c->path_length >= 0)
		snprintf(constraints, sizeof(constraints), "critical,CA:TRUE,pathlen:%d",
			c->path_length);
	else
		snprintf(constraints, sizeof(constraints), "critical,CA:%s",
			c->ca ? "TRUE" : "FALSE");
	return X509_set_version(x, X509_VERSION_3) == 1 &&
	       ASN1_INTEGER_set(X509_get_serialNumber(x), c->serial) == 1 &&
	       X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC,
		       (const uint8_t *)"Simulator for tests", -1, -1, 0) == 1 &&
	       X509_NAME_add_entry_by_txt(
		       name, "CN", MBSTRING_ASC, (const uint8_t *)c->common_name, -1, -1, 0) == 1 &&
	       X509_set_issuer_name(x, c->issuer ? X509_get_subject_name(c->issuer) : name) == 1 &&
	       X509_set_pubkey(x, c->key->evp) == 1 &&
	       ASN1_TIME_set(X509_getm_notBefore(x), (time_t)c->from) &&
	       ASN1_TIME_set(X509_getm_notAfter(x), (time_t)c->until) &&
	       add_extension(x, c->issuer, NID_basic_constraints, constraints) &&
	       add_extension(x, c->issuer, NID_key_usage,
		       c->ca ? "critical,keyCertSign,cRLSign"
			     : "critical,digitalSignature,nonRepudiation") &&
	       add_extension(x, c->issuer, NID_subject_key_identifier, "hash") &&
	       (c->sgx_extension.size == 0 || add_sgx(x, c->sgx_extension));
}

X509 *sim_cert_new(const struct sim_cert *c)
{
	const struct sim_key *signer = c->issuer_key ? c->issuer_key : c->key;
	X509 *x = X509_new();
	if (x && (!fill(x, c) || X509_sign(x, signer->evp, EVP_sha256()) <= 0)) {
		X509_free(x);
		return NULL;
	}
	return x;
}

static bool revoke(X509_CRL *crl, long serial, const ASN1_TIME *when)
{
	X509_REVOKED *entry = X509_REVOKED_new();
	ASN1_INTEGER *number = ASN1_INTEGER_new();
	ASN1_TIME *copy = ASN1_STRING_dup(when);
	bool good = entry && number && copy && ASN1_INTEGER_set(number, serial) == 1 &&
		    X509_REVOKED_set_serialNumber(entry, number) == 1 &&
		    X509_REVOKED_set_revocationDate(entry, copy) == 1 &&
		    X509_CRL_add0_revoked(crl, entry) == 1;
	if (!good)
		X509_REVOKED_free(entry);
	ASN1_INTEGER_free(number);
	ASN1_TIME_free(copy);
	return good;
}

static bool fill_crl(X509_CRL *crl, X509 *issuer, int64_t from, int64_t until, long revoked)
{
	ASN1_TIME *t = ASN1_TIME_set(NULL, (time_t)from), *n = ASN1_TIME_set(NULL, (time_t)until);
	ASN1_INTEGER *number = ASN1_INTEGER_new();
	bool good = t && n && number && ASN1_INTEGER_set(number, 1) == 1 &&
		    X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1 &&
		    X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer)) == 1 &&
		    X509_CRL_set1_lastUpdate(crl, t) == 1 &&
		    X509_CRL_set1_nextUpdate(crl, n) == 1 &&
		    X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0) == 1 &&
		    (revoked == 0 || revoke(crl, revoked, t)) && X509_CRL_sort(crl) == 1;
	ASN1_TIME_free(t);
	ASN1_TIME_free(n);
	ASN1_INTEGER_free(number);
	return good;
}

int sim_crl(X509 *issuer, const struct sim_key *key, int64_t from, int64_t until, long revoked,
	struct buf *out)
{
	X509_CRL *crl = X509_CRL_new();
	uint8_t *der = NULL;
	int size = -1;

	if (crl && fill_crl(crl, issuer, from, until, revoked) &&
		X509_CRL_sign(crl, key->evp, EVP_sha256()) > 0)
		size = i2d_X509_CRL(crl, &der);
	if (size > 0)
		buf_put(out, der, (size_t)size);
	OPENSSL_free(der);
	X509_CRL_free(crl);
	return size > 0 ? buf_error(out) : -EIO;
}

int sim_pem(X509 *x, struct buf *out)
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

static void put_der(struct buf *out, uint8_t tag, struct slice content)
{
	buf_put_u8(out, tag);
	if (content.size >= 256) {
		buf_put_u8(out, 0x82);
		buf_put_u16be(out, (uint16_t)content.size);
	} else if (content.size >= 128) {
		buf_put_u8(out, 0x81);
		buf_put_u8(out, (uint8_t)content.size);
	} else {
		buf_put_u8(out, (uint8_t)content.size);
	}
	buf_put_slice(out, content);
}

/* SEQUENCE { 1.2.840.113741.1.13.1.A[.B], value } */
static void put_member(struct buf *out, uint8_t a, uint8_t b, uint8_t tag, struct slice value)
{
	static const uint8_t prefix[] = {0x2A, 0x86, 0x48, 0x86, 0xF8, 0x4D, 0x01, 0x0D, 0x01};
	cleanup_with(buf_done) struct buf oid = buf_init(0), pair = buf_init(0);
	buf_put(&oid, prefix, sizeof(prefix));
	buf_put_u8(&oid, a);
	if (b)
		buf_put_u8(&oid, b);
	put_der(&pair, 0x06, buf_slice(&oid));
	put_der(&pair, tag, value);
	put_der(out, 0x30, buf_slice(&pair));
}

void sim_sgx_extension(uint8_t svn, const uint8_t ppid[16], const uint8_t fmspc[6], struct buf *out)
{
	cleanup_with(buf_done) struct buf tcb = buf_init(0), all = buf_init(0), cfg = buf_init(0);
	static const uint8_t zero[2];
	uint8_t cpu_svn[16];

	memset(cpu_svn, svn, sizeof(cpu_svn));
	for (uint8_t i = 1; i <= 16; i++)
		put_member(&tcb, 2, i, 0x02, slice_of(&svn, 1));
	put_member(&tcb, 2, 17, 0x02, slice_of(&svn, 1));
	put_member(&tcb, 2, 18, 0x04, slice_of(cpu_svn, 16));
	put_member(&cfg, 7, 1, 0x01, SLICE_LIT("\xff"));
	put_member(&cfg, 7, 2, 0x01, SLICE_LIT("\0"));
	put_member(&cfg, 7, 3, 0x01, SLICE_LIT("\xff"));
	put_member(&all, 1, 0, 0x04, slice_of(ppid, 16));
	put_member(&all, 2, 0, 0x30, buf_slice(&tcb));
	put_member(&all, 3, 0, 0x04, slice_of(zero, 2));
	put_member(&all, 4, 0, 0x04, slice_of(fmspc, 6));
	put_member(&all, 5, 0, 0x0A, SLICE_LIT("\1"));
	put_member(&all, 6, 0, 0x04, slice_of(ppid, 16));
	put_member(&all, 7, 0, 0x30, buf_slice(&cfg));
	put_der(out, 0x30, buf_slice(&all));
}
