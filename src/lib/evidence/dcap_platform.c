/* SPDX-License-Identifier: Apache-2.0 */
/* The path from the root to the attestation key, which is the same for all quotes of a platform. */
#include "base/enc.h"
#include "base/str.h"
#include "evidence/dcap_internal.h"

void dcap_platform_free(struct dcap_platform *p)
{
	if (!p)
		return;
	free(p->bytes);
	cert_free(p->leaf);
	cert_free(p->ca);
	cert_free(p->root);
	pkey_free(p->attestation_key);
	dcap_said_done(&p->said);
	free(p);
}

static bool same_bytes(const struct dcap_platform *p, const struct sgx_quote *q, struct slice chain)
{
	return slice_eq(slice_of(p->bytes, p->qe_size), q->qe_part) &&
	       slice_eq(slice_of(p->bytes + p->qe_size, p->chain_size), chain);
}

/* The QE part begins with the attestation key. */
static uint64_t tag_of(const struct sgx_quote *q)
{
	uint64_t tag = 0;
	memcpy(&tag, q->qe_part.data, MIN(q->qe_part.size, sizeof(tag)));
	return tag;
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
	int r = pkey_from_ec_point(KEY_P256, slice_of(point, sizeof(point)), &p->attestation_key);
	return r == 0 ? pkey_prepare(p->attestation_key, SIG_ES256) : r;
}

static int check_platform(struct dcap *d, struct dcap_platform *p, const struct sgx_quote *q,
	struct slice chain, const struct dcap_options *o, struct evidence_result *result)
{
	struct err e = {0};

	struct slice pem = q->cert_data_type == SGX_CERT_PCK_CHAIN ? q->cert_data : chain;
	if (pem.size == 0) {
		int none = err_set(&e, -ENODATA,
			"the quote does not carry its PCK chain (certification data type %u), and "
			"the collateral has none",
			q->cert_data_type);
		return check_errno(result, "PCK chain format", none, &e);
	}
	int r = dcap_chain_get(d, p, pem, o, result);
	if (r == 0)
		r = check_binding(q, result);
	if (r == 0)
		r = check_errno(result, "QE report signature", check_qe_signature(p, q, &e), &e);
	if (r == 0)
		r = check_errno(result, "attestation key", check_key(p, q), &e);
	return r;
}

static int note_known(
	const struct dcap_platform *p, const struct dcap_options *o, struct evidence_result *result)
{
	static const char *const names[] = {"PCK chain format", "PCK CA", "PCK chain",
		"attestation key binding", "QE report signature", "attestation key"};
	static json_t *notes;
	int r = check_passed(result, names, ARRAY_COUNT(names), &notes);
	return r == 0 ? dcap_check_pin(o, &p->root_pin, "PCK chain root", result) : r;
}

/* A free place, or that of the platform which was not seen for longest. */
static size_t place_for(const struct dcap *d)
{
	size_t oldest = 0;
	for (size_t i = 0; i < DCAP_PLATFORMS_MAX; i++) {
		if (!d->platforms[i])
			return i;
		if (d->platforms[i]->used < d->platforms[oldest]->used)
			oldest = i;
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
	size_t place = place_for(d);
	if (d->current == d->platforms[place])
		d->current = NULL;
	dcap_platform_free(d->platforms[place]);
	d->platforms[place] = p;
	d->platform_tags[place] = tag_of(q);
	return 0;
}

int dcap_platform_get(struct dcap *d, const struct sgx_quote *q, struct slice pck_chain,
	const struct dcap_options *o, struct evidence_result *result, struct dcap_platform **ret)
{
	uint64_t tag = tag_of(q);

	for (size_t i = 0; i < DCAP_PLATFORMS_MAX; i++) {
		struct dcap_platform *p = d->platforms[i];
		if (!p || d->platform_tags[i] != tag || !same_bytes(p, q, pck_chain))
			continue;
		p->used = ++d->clock;
		*ret = p;
		return note_known(p, o, result);
	}
	cleanup(dcap_platform_free) struct dcap_platform *p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->used = ++d->clock;
	int r = check_platform(d, p, q, pck_chain, o, result);
	if (r == 0)
		r = remember(d, p, q, pck_chain);
	if (r < 0)
		return r;
	*ret = steal_ptr(p);
	return 0;
}
