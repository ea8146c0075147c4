/* SPDX-License-Identifier: Apache-2.0 */
/* The path from the root to the attestation key, which is the same for all quotes of a platform. */
#include "base/enc.h"
#include "base/str.h"
#include "evidence/dcap_internal.h"

#define CHAIN_CERTS 3

int dcap_cert_period(const struct cert *c, const char *what, struct dcap_period *ret)
{
	ret->what = what;
	return cert_validity(c, &ret->from, &ret->until);
}

void dcap_platform_free(struct dcap_platform *p)
{
	if (!p)
		return;
	free(p->bytes);
	cert_free(p->leaf);
	cert_free(p->ca);
	cert_free(p->root);
	pkey_free(p->attestation_key);
	free(p);
}

static bool same_bytes(const struct dcap_platform *p, const struct sgx_quote *q, struct slice chain)
{
	return slice_eq(slice_of(p->bytes, p->qe_size), q->qe_part) &&
	       slice_eq(slice_of(p->bytes + p->qe_size, p->chain_size), chain);
}

static enum dcap_ca ca_of(const char *common_name)
{
	if (streq(common_name, "Intel SGX PCK Processor CA"))
		return DCAP_CA_PROCESSOR;
	if (streq(common_name, "Intel SGX PCK Platform CA"))
		return DCAP_CA_PLATFORM;
	return DCAP_CA_UNKNOWN;
}

/* The three certificates may come in any order; names say which is which, signatures prove it. */
static int sort_chain(
	struct dcap_platform *p, struct cert **certs, size_t count, struct err *reterr)
{
	for (size_t i = 0; i < count; i++) {
		char name[128];
		struct cert **place = NULL;
		if (cert_common_name(certs[i], name, sizeof(name)) < 0)
			return err_set(reterr, -EBADMSG,
				"a certificate of the PCK chain has no common name");
		if (streq(name, "Intel SGX Root CA") && cert_is_self_issued(certs[i]))
			place = &p->root;
		else if (ca_of(name) != DCAP_CA_UNKNOWN)
			place = &p->ca;
		else if (streq(name, "Intel SGX PCK Certificate"))
			place = &p->leaf;
		if (!place || *place)
			return err_set(reterr, -EBADMSG,
				"the PCK chain has an unexpected or repeated certificate %.100s",
				name);
		if (place == &p->ca)
			p->ca_kind = ca_of(name);
		*place = steal_ptr(certs[i]);
	}
	if (!p->root || !p->ca || !p->leaf)
		return err_set(
			reterr, -EBADMSG, "the PCK chain is not PCK certificate, PCK CA and root");
	return 0;
}

static int read_chain(struct dcap_platform *p, struct slice pem, struct err *reterr)
{
	struct cert *certs[CHAIN_CERTS] = {0};

	int count = certs_from_pem(pem, certs, CHAIN_CERTS, reterr);
	if (count < 0)
		return count;
	int r = sort_chain(p, certs, (size_t)count, reterr);
	for (size_t i = 0; i < CHAIN_CERTS; i++)
		cert_free(certs[i]);
	return r;
}

static int check_chain(struct dcap_platform *p, struct err *reterr)
{
	struct slice extension;

	int r = cert_check_issued(p->root, p->root, 1, reterr);
	if (r == 0)
		r = cert_check_issued(p->ca, p->root, 1, reterr);
	if (r == 0)
		r = cert_check_issued(p->leaf, p->ca, 0, reterr);
	if (r == 0 && !cert_may_sign(p->leaf))
		r = err_set(reterr, -EKEYREJECTED,
			"the PCK certificate may not sign (key usage), or is a CA");
	if (r < 0)
		return r;
	r = cert_extension(p->leaf, PCK_EXTENSION_OID, &extension);
	if (r < 0)
		return err_set(reterr, -EBADMSG, "the PCK certificate has no SGX extension");
	r = pck_info_parse(extension, &p->info, reterr);
	if (r < 0)
		return r;
	if (dcap_cert_period(p->leaf, "PCK certificate", &p->periods[0]) < 0 ||
		dcap_cert_period(p->ca, "PCK CA certificate", &p->periods[1]) < 0 ||
		dcap_cert_period(p->root, "root certificate", &p->periods[2]) < 0)
		return err_set(reterr, -EBADMSG, "a certificate of the PCK chain has no dates");
	return 0;
}

/* Intel's name for a root: SHA-384 over its uncompressed public point. */
static int root_key_id(struct dcap_platform *p)
{
	cleanup(pkey_free) struct pkey *key = NULL;
	cleanup_with(buf_done) struct buf spki = buf_init(4096);

	int r = cert_key(p->root, &key);
	if (r == 0)
		r = pkey_type(key) == KEY_P256 ? pkey_to_spki(key, &spki) : -EKEYREJECTED;
	if (r == 0 && spki.size < 65)
		r = -EKEYREJECTED;
	return r < 0 ? r
		     : hash_once(HASH_SHA384, slice_cut(buf_slice(&spki), spki.size - 65, 65),
			       &p->root_key_id);
}

static int check_qe_signature(
	const struct dcap_platform *p, const struct sgx_quote *q, struct err *reterr)
{
	cleanup(pkey_free) struct pkey *pck = NULL;

	int r = cert_key(p->leaf, &pck);
	if (r == 0)
		r = pkey_verify(pck, SIG_ES256, q->qe.raw, q->qe_signature);
	return r == -EKEYREJECTED
		       ? err_set(reterr, r, "the QE report was not signed with the platform's key")
		       : r;
}

/* The QE vouches for the attestation key: SHA-256(key || auth data), zeros behind. */
static int check_binding(const struct sgx_quote *q, struct evidence_result *result)
{
	uint8_t want[64] = {0};
	struct digest d;
	cleanup(hash_free) struct hash *h = NULL;

	int r = hash_new(HASH_SHA256, &h);
	if (r < 0)
		return r;
	hash_update(h, q->attestation_key);
	hash_update(h, q->qe_auth_data);
	r = hash_final(h, &d);
	if (r < 0)
		return r;
	memcpy(want, d.bytes, d.size);
	return check_bytes(result, "attestation key binding", slice_of(want, sizeof(want)),
		q->qe.report_data, "the QE report does not vouch for this attestation key");
}

static int check_key(struct dcap_platform *p, const struct sgx_quote *q)
{
	uint8_t point[65] = {4};
	memcpy(point + 1, q->attestation_key.data, 64);
	return pkey_from_ec_point(KEY_P256, slice_of(point, sizeof(point)), &p->attestation_key);
}

static int check_platform(struct dcap_platform *p, const struct sgx_quote *q, struct slice chain,
	const struct dcap_options *o, struct evidence_result *result)
{
	struct err e = {0};

	struct slice pem = q->cert_data_type == SGX_CERT_PCK_CHAIN ? q->cert_data : chain;
	int r = pem.size == 0
			? err_set(&e, -ENODATA,
				  "the quote does not carry its PCK chain (certification data "
				  "type %u), and the collateral has none",
				  q->cert_data_type)
			: read_chain(p, pem, &e);
	r = check_errno(result, "PCK chain format", r, &e);
	if (r < 0)
		return r;
	r = check_errno(result, "PCK chain", check_chain(p, &e), &e);
	if (r == 0)
		r = cert_spki_digest(p->root, HASH_SHA256, &p->root_pin);
	if (r == 0)
		r = dcap_check_pin(o, &p->root_pin, "PCK chain root", result);
	if (r == 0)
		r = check_binding(q, result);
	if (r == 0)
		r = check_errno(result, "QE report signature", check_qe_signature(p, q, &e), &e);
	if (r == 0)
		r = check_errno(result, "attestation key", check_key(p, q), &e);
	if (r == 0)
		r = cert_spki_digest(p->ca, HASH_SHA256, &p->ca_pin);
	if (r == 0)
		r = check_errno(result, "root key", root_key_id(p), NULL);
	return r;
}

static int note_known(
	const struct dcap_platform *p, const struct dcap_options *o, struct evidence_result *result)
{
	static const char *const names[] = {"PCK chain format", "PCK chain",
		"attestation key binding", "QE report signature", "attestation key", "root key"};
	int r = 0;
	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(names); i++)
		r = check_note(result, names[i], true, NULL, NULL, NULL);
	return r == 0 ? dcap_check_pin(o, &p->root_pin, "PCK chain root", result) : r;
}

/* A free place, or that of the platform which was not seen for longest. */
static struct dcap_platform **place_for(struct dcap *d)
{
	struct dcap_platform **oldest = &d->platforms[0];
	for (size_t i = 0; i < DCAP_PLATFORMS_MAX; i++) {
		if (!d->platforms[i])
			return &d->platforms[i];
		if (d->platforms[i]->used < (*oldest)->used)
			oldest = &d->platforms[i];
	}
	return oldest;
}

static int remember(
	struct dcap *d, struct dcap_platform *p, const struct sgx_quote *q, struct slice chain)
{
	p->bytes = malloc(q->qe_part.size + chain.size);
	if (!p->bytes)
		return -ENOMEM;
	memcpy(p->bytes, q->qe_part.data, q->qe_part.size);
	if (chain.size > 0)
		memcpy(p->bytes + q->qe_part.size, chain.data, chain.size);
	p->qe_size = q->qe_part.size;
	p->chain_size = chain.size;
	struct dcap_platform **place = place_for(d);
	if (d->current == *place)
		d->current = NULL;
	dcap_platform_free(*place);
	*place = p;
	return 0;
}

int dcap_platform_get(struct dcap *d, const struct sgx_quote *q, struct slice pck_chain,
	const struct dcap_options *o, struct evidence_result *result, struct dcap_platform **ret)
{
	for (size_t i = 0; i < DCAP_PLATFORMS_MAX; i++) {
		struct dcap_platform *p = d->platforms[i];
		if (!p || !same_bytes(p, q, pck_chain))
			continue;
		p->used = ++d->clock;
		*ret = p;
		return note_known(p, o, result);
	}
	cleanup(dcap_platform_free) struct dcap_platform *p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->used = ++d->clock;
	int r = check_platform(p, q, pck_chain, o, result);
	if (r == 0)
		r = remember(d, p, q, pck_chain);
	if (r < 0)
		return r;
	*ret = steal_ptr(p);
	return 0;
}
