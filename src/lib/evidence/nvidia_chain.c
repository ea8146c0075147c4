/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chains of NVIDIA's certificates: a device's (leaf, boot ROM, provisioner, family, root) and a
 * manifest's (signer, two CAs, root). Both are complete and in order; what is trusted is the key of
 * the root.
 */
#include "evidence/nvidia.h"

#include "base/clock.h"
#include "base/str.h"
#include "fmt/der.h"
#include "fmt/json.h"

#define FWID_SIZE 48
#define DICE_TCB_INFO "2.23.133.5.4.1" /* Hopper and LS10: the firmware id is at its end */
#define DICE_TCB_INFO_OLD_ARC "2.23.133.5.4.1.1" /* Blackwell: TCG's DiceTcbInfo */
#define TCB_INFO_FWIDS 0xA6			 /* [6] IMPLICIT SEQUENCE OF FWID */

/* SHA-256 of the SubjectPublicKeyInfo of each root. */
static const struct digest g_pins[] = {
	[NV_ROOT_DEVICE] = {32,
		{0xa9, 0x0c, 0x4e, 0xb5, 0xac, 0xfd, 0x3e, 0x3d, 0x03, 0xa2, 0x5d, 0xb6, 0xa2, 0x6b,
			0x84, 0xf7, 0x20, 0xad, 0x05, 0x03, 0x19, 0x6c, 0x62, 0x7c, 0x21, 0xdd,
			0xd4, 0x8d, 0xd8, 0x5b, 0x06, 0xa4}},
	[NV_ROOT_RIM] = {32,
		{0xde, 0xc1, 0xdc, 0x31, 0x64, 0x77, 0xaa, 0x85, 0x1e, 0xeb, 0xdf, 0x51, 0x32, 0x7a,
			0xe9, 0xf8, 0x64, 0xbc, 0x8d, 0x89, 0x25, 0x46, 0x57, 0xed, 0x1e, 0x7e,
			0xb9, 0x16, 0x8a, 0xf1, 0xe1, 0xa3}},
};

/* The pin of @root's key, or one of the test roots of @request */
static bool nv_root_trusted(
	const struct evidence_request *request, enum nv_root which, const struct cert *root)
{
	struct digest pin;

	if (cert_spki_digest(root, HASH_SHA256, &pin) < 0)
		return false;
	if (!request->nvidia_roots)
		return slice_eq(digest_slice(&g_pins[which]), digest_slice(&pin));
	for (size_t i = 0; i < request->nvidia_root_count; i++) {
		if (slice_eq(digest_slice(&request->nvidia_roots[i]), digest_slice(&pin)))
			return true;
	}
	return false;
}

void nv_chain_done(struct nv_chain *c)
{
	for (size_t i = 0; i < c->count; i++)
		cert_free(c->certs[i]);
	*c = (struct nv_chain){0};
}

static int check_dates(const struct cert *cert, int64_t now, struct nv_chain *c, struct err *reterr)
{
	int64_t from, until;
	char name[256];

	if (cert_validity(cert, &from, &until) < 0)
		return err_set(reterr, -EBADMSG, "certificate %s has malformed dates",
			cert_subject(cert, name, sizeof(name)));
	c->from = MAX(c->from, from);
	c->until = MIN(c->until, until);
	if (now >= from && now <= until)
		return 0;
	return err_set(reterr, -ESTALE, "certificate %s %s", cert_subject(cert, name, sizeof(name)),
		now < from ? "is not valid yet" : "has expired");
}

int nv_chain_check(const struct evidence_request *request, enum nv_root which, struct nv_chain *c,
	struct err *reterr)
{
	if (c->count < 2)
		return err_set(reterr, -EKEYREJECTED,
			"the certificate chain needs at least a signing and a root certificate");
	const struct cert *root = c->certs[c->count - 1];
	c->from = INT64_MIN;
	c->until = INT64_MAX;
	if (!cert_is_self_issued(root) || !nv_root_trusted(request, which, root))
		return err_set(reterr, -EKEYREJECTED,
			"the certificate chain does not end in NVIDIA's root certificate");
	int r = 0, stale = 0;
	for (size_t i = 0; r == 0 && i < c->count; i++) {
		/* The root issues itself; below it each certificate has i-1 CAs under its issuer. */
		size_t by = MIN(i + 1, c->count - 1);
		r = cert_check_issued(c->certs[i], c->certs[by],
			(unsigned)(i > 0 && i < c->count - 1 ? i : 0), reterr);
	}
	if (r == 0 && !cert_may_sign(c->certs[0]))
		r = err_set(reterr, -EKEYREJECTED, "the first certificate may not sign");
	/* All dates are read, so that the claims know how long the chain lasts. */
	for (size_t i = 0; r == 0 && i < c->count; i++) {
		r = check_dates(c->certs[i], request->now, c, stale ? NULL : reterr);
		stale = r == -ESTALE ? r : stale;
		r = r == -ESTALE ? 0 : r;
	}
	return r < 0 ? r : stale;
}

/* What @key says about certificate @i. */
static int check_answer(const struct evidence_request *request, const struct nv_chain *c, size_t i,
	struct slice der, struct err *reterr)
{
	cleanup(ocsp_free) struct ocsp *o = NULL;
	struct ocsp_answer a = {.status = OCSP_UNKNOWN};
	char name[256];

	cert_subject(c->certs[i], name, sizeof(name));
	int r = ocsp_from_der(der, &o, reterr);
	if (r == 0)
		r = ocsp_check(o, c->certs[i], c->certs[i + 1], &c->certs[i + 1], c->count - i - 1,
			c->certs[c->count - 1], request->now, &a, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "revocation of %s", name);
	if (a.status == OCSP_REVOKED)
		return err_set(reterr, -EKEYREJECTED, "certificate %s is revoked (reason %d)", name,
			a.reason);
	if (a.status != OCSP_GOOD)
		return err_set(reterr, -EKEYREJECTED,
			"the OCSP responder does not know certificate %s", name);
	return 0;
}

int nv_chain_revocation(const struct evidence_request *request, size_t first, struct nv_chain *c,
	json_t *missing, struct err *reterr)
{
	char key[COLLATERAL_KEY_SIZE], id[OCSP_ID_SIZE];
	enum ocsp_status worst = OCSP_GOOD;
	struct slice der;

	c->ocsp = OCSP_UNKNOWN;
	for (size_t i = first; i + 1 < c->count; i++) {
		if (cert_ocsp_id(c->certs[i], c->certs[i + 1], id, sizeof(id)) < 0)
			return -EIO;
		int n = snprintf(key, sizeof(key), "nvidia/ocsp/%s", id);
		if (n < 0 || (size_t)n >= sizeof(key))
			return -E2BIG;
		if (collateral_get(request->collateral, key, &der) < 0 || der.size == 0) {
			worst = OCSP_UNKNOWN;
			if (json_array_append_new(missing, json_string(key)) < 0)
				return -ENOMEM;
			err_set(reterr, -ENOENT, "there is no %s among the collateral", key);
			continue;
		}
		int r = check_answer(request, c, i, der, reterr);
		if (r < 0)
			return r;
	}
	c->ocsp = worst;
	return 0;
}

/* DiceTcbInfo: the digest of the first of its FWIDs. */
static int first_fwid(struct slice value, struct slice *ret)
{
	struct slice info, list, item, content;
	struct rd r = rd_init(value);
	uint8_t tag = 0;

	int e = der_expect(&r, DER_SEQUENCE, &info);
	if (e == 0)
		e = rd_done(&r);
	for (r = rd_init(info); e == 0 && tag != TCB_INFO_FWIDS;)
		e = der_next(&r, &tag, &list);
	if (e < 0)
		return -EBADMSG;
	r = rd_init(list);
	e = der_expect(&r, DER_SEQUENCE, &item);
	r = rd_init(item);
	if (e == 0)
		e = der_expect(&r, DER_OID, &content);
	if (e == 0)
		e = der_expect(&r, DER_OCTET_STRING, ret);
	return e < 0 || ret->size != FWID_SIZE ? -EBADMSG : 0;
}

int nv_cert_fwid(const struct cert *c, struct slice *ret)
{
	struct slice value;

	int r = cert_extension(c, DICE_TCB_INFO, &value);
	if (r == -ENOENT) {
		r = cert_extension(c, DICE_TCB_INFO_OLD_ARC, &value);
		return r == 0 ? first_fwid(value, ret) : r;
	}
	if (r == 0 && value.size < FWID_SIZE)
		r = -EBADMSG;
	if (r == 0)
		*ret = slice_cut(value, value.size - FWID_SIZE, FWID_SIZE);
	return r;
}

json_t *nv_chain_claims(const struct nv_chain *c, bool valid)
{
	char when[RFC3339_SIZE];

	return json_pack("{s:s, s:s, s:s, s:n}", "x-nvidia-cert-status",
		valid ? "valid" : "invalid", "x-nvidia-cert-ocsp-status",
		valid ? ocsp_status_name(c->ocsp) : "unknown", "x-nvidia-cert-expiration-date",
		rfc3339_format(valid ? c->until : 0, when), "x-nvidia-cert-revocation-reason");
}
