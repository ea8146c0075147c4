/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates with IBM's names: a root, an intermediate CA, the key signing service, a host key. */
#include "support/se_sim_pki.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/enc.h"
#include "support/dcap_sim_pki.h"

#define DAY 86400

struct maker {
	const char *unit, *locality, *usage, *constraints;
	EVP_PKEY *key;
	X509 *issuer;
	EVP_PKEY *signer;
	int64_t now;
	long serial;
};

static bool add(X509 *x, const char *part, const char *value)
{
	return X509_NAME_add_entry_by_txt(X509_get_subject_name(x), part, MBSTRING_ASC,
		       (const uint8_t *)value, -1, -1, 0) == 1;
}

static bool extend(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx(&ctx, issuer ? issuer : x, x, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	bool good = e && X509_add_ext(x, e, -1) == 1;
	X509_EXTENSION_free(e);
	return good;
}

static X509 *make(const struct maker *m)
{
	static const char company[] = "International Business Machines Corporation";
	X509 *x = X509_new();
	bool good =
		x && X509_set_version(x, X509_VERSION_3) == 1 &&
		ASN1_INTEGER_set(X509_get_serialNumber(x), m->serial) == 1 && add(x, "C", "US") &&
		add(x, "O", company) && add(x, "CN", company) && add(x, "ST", "New York") &&
		add(x, "L", m->locality) && add(x, "OU", m->unit) &&
		X509_set_issuer_name(x, X509_get_subject_name(m->issuer ? m->issuer : x)) == 1 &&
		X509_set_pubkey(x, m->key) == 1 &&
		ASN1_TIME_set(X509_getm_notBefore(x), (time_t)(m->now - DAY)) &&
		ASN1_TIME_set(X509_getm_notAfter(x), (time_t)(m->now + DAY)) &&
		extend(x, m->issuer, NID_basic_constraints, m->constraints) &&
		extend(x, m->issuer, NID_key_usage, m->usage) &&
		extend(x, m->issuer, NID_subject_key_identifier, "hash") &&
		X509_sign(x, m->signer, EVP_sha256()) > 0;
	if (good)
		return x;
	X509_free(x);
	return NULL;
}

static EVP_PKEY *evp_of(const struct pkey *key)
{
	cleanup_with(buf_done) struct buf pem = buf_init_secret(4096);

	if (pkey_to_pem_private(key, &pem) < 0)
		return NULL;
	BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
	EVP_PKEY *p = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
	BIO_free(bio);
	return p;
}

static int put_crl(X509 *issuer, const struct sim_key *key, int64_t now, struct buf *out)
{
	cleanup_with(buf_done) struct buf der = buf_init(0);

	int r = sim_crl(issuer, key, now - DAY, now + DAY, 0, &der);
	if (r < 0)
		return r;
	buf_put_str(out, "-----BEGIN X509 CRL-----\n");
	cleanup_with(buf_done) struct buf text = buf_init(0);
	b64_encode(&text, buf_slice(&der), B64_STD);
	for (size_t i = 0; i < text.size; i += 64) {
		buf_put_slice(out, slice_cut(buf_slice(&text), i, 64));
		buf_put_str(out, "\n");
	}
	buf_put_str(out, "-----END X509 CRL-----\n");
	return buf_error(out);
}

struct pki {
	struct sim_key root_key, ca_key, signing_key;
	EVP_PKEY *host_key;
	X509 *root, *ca, *signing, *host;
};

static void pki_done(struct pki *p)
{
	sim_key_done(&p->root_key);
	sim_key_done(&p->ca_key);
	sim_key_done(&p->signing_key);
	EVP_PKEY_free(p->host_key);
	X509_free(p->root);
	X509_free(p->ca);
	X509_free(p->signing);
	X509_free(p->host);
}

static int make_all(const struct pkey *host_key, int64_t now, struct pki *p)
{
	static const char ca[] = "critical,CA:TRUE", ca_usage[] = "critical,keyCertSign,cRLSign",
			  leaf[] = "critical,CA:FALSE";

	if (sim_key_new(&p->root_key) < 0 || sim_key_new(&p->ca_key) < 0 ||
		sim_key_new(&p->signing_key) < 0)
		return -EIO;
	p->host_key = evp_of(host_key);
	p->root = make(&(struct maker){"IBM Z Root CA", "Armonk", ca_usage, ca, p->root_key.evp,
		NULL, p->root_key.evp, now, 1});
	p->ca = make(&(struct maker){"IBM Z Intermediate CA", "Armonk", ca_usage, ca, p->ca_key.evp,
		p->root, p->root_key.evp, now, 2});
	p->signing = make(&(struct maker){"IBM Z Host Key Signing Service", "Armonk",
		"critical,digitalSignature", leaf, p->signing_key.evp, p->ca, p->ca_key.evp, now,
		3});
	p->host = make(&(struct maker){"IBM Z Host Key", "Armonk", "critical,keyAgreement", leaf,
		p->host_key, p->signing, p->signing_key.evp, now, 4});
	return p->root && p->ca && p->signing && p->host ? 0 : -EIO;
}

int se_sim_pki(const struct pkey *host_key, int64_t now, struct se_sim_pki *ret)
{
	cleanup_with(pki_done) struct pki p = {0};
	cleanup(cert_free) struct cert *root = NULL;

	int r = make_all(host_key, now, &p);
	if (r == 0)
		r = sim_pem(p.root, &ret->chain);
	if (r == 0 && certs_from_pem(buf_slice(&ret->chain), &root, 1, NULL) != 1)
		r = -EIO;
	if (r == 0)
		r = cert_spki_digest(root, HASH_SHA256, &ret->root);
	if (r == 0)
		r = sim_pem(p.ca, &ret->chain);
	if (r == 0)
		r = sim_pem(p.signing, &ret->chain);
	if (r == 0)
		r = sim_pem(p.host, &ret->documents);
	if (r == 0)
		r = put_crl(p.root, &p.root_key, now, &ret->crls);
	if (r == 0)
		r = put_crl(p.ca, &p.ca_key, now, &ret->crls);
	return r == 0 ? put_crl(p.signing, &p.signing_key, now, &ret->crls) : r;
}

void se_sim_pki_done(struct se_sim_pki *p)
{
	buf_done(&p->chain);
	buf_done(&p->documents);
	buf_done(&p->crls);
}
