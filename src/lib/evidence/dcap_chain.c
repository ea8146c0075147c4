/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PCK chain. Its upper two certificates are the same for all platforms in the world, so they
 * are parsed and checked once.
 */
#include "base/str.h"
#include "evidence/dcap_internal.h"

#define CHAIN_CERTS 3
#define PEM_BEGIN "-----BEGIN CERTIFICATE-----"
#define PEM_END "-----END CERTIFICATE-----"

int dcap_cert_period(
	const struct cert *c, const char *what, const char *check, struct dcap_period *ret)
{
	ret->what = what;
	ret->check = check;
	return cert_validity(c, &ret->from, &ret->until);
}

void dcap_authority_done(struct dcap_authority *a)
{
	buf_done(&a->ca_pem);
	buf_done(&a->root_pem);
	cert_free(a->ca);
	cert_free(a->root);
	*a = (struct dcap_authority){0};
}

static enum dcap_ca ca_of(const char *common_name)
{
	if (streq(common_name, "Intel SGX PCK Processor CA"))
		return DCAP_CA_PROCESSOR;
	if (streq(common_name, "Intel SGX PCK Platform CA"))
		return DCAP_CA_PLATFORM;
	return DCAP_CA_UNKNOWN;
}

/* Text of the certificates. Return: 0, -EBADMSG when there are not exactly three. */
static int split_pem(struct slice pem, struct slice ret[CHAIN_CERTS], struct err *reterr)
{
	size_t count = 0;

	while (pem.size > 0) {
		const uint8_t *from = memmem(pem.data, pem.size, PEM_BEGIN, sizeof(PEM_BEGIN) - 1);
		if (!from)
			break;
		pem = slice_cut(pem, (size_t)(from - pem.data), pem.size);
		const uint8_t *to = memmem(pem.data, pem.size, PEM_END, sizeof(PEM_END) - 1);
		if (!to || count == CHAIN_CERTS)
			return err_set(reterr, -EBADMSG,
				"the PCK chain is cut short, or has more than three certificates");
		size_t size = (size_t)(to - pem.data) + sizeof(PEM_END) - 1;
		ret[count++] = slice_cut(pem, 0, size);
		pem = slice_cut(pem, size, pem.size);
	}
	return count == CHAIN_CERTS
		       ? 0
		       : err_set(reterr, -EBADMSG, "the PCK chain has %zu certificates, not three",
				 count);
}

/* The three certificates may come in any order; names say which is which, signatures prove it. */
static int place(
	struct dcap_platform *p, struct slice text, struct dcap_authority *a, struct err *reterr)
{
	cleanup(cert_free) struct cert *c = NULL;
	struct cert **to = NULL;
	char name[128] = "";

	int r = certs_from_pem(text, &c, 1, reterr);
	if (r < 0)
		return r;
	if (cert_common_name(c, name, sizeof(name)) < 0)
		return err_set(
			reterr, -EBADMSG, "a certificate of the PCK chain has no common name");
	if (streq(name, "Intel SGX Root CA") && cert_is_self_issued(c)) {
		to = &a->root;
		buf_put_slice(&a->root_pem, text);
	} else if (ca_of(name) != DCAP_CA_UNKNOWN) {
		to = &a->ca;
		buf_put_slice(&a->ca_pem, text);
		a->ca_kind = ca_of(name);
	} else if (streq(name, "Intel SGX PCK Certificate")) {
		to = &p->leaf;
	}
	if (!to || *to)
		return err_set(reterr, -EBADMSG,
			"the PCK chain has an unexpected or repeated certificate %.100s", name);
	*to = steal_ptr(c);
	return 0;
}

/* Intel's name for a root: SHA-384 over its uncompressed public point. */
static int root_key_id(struct dcap_authority *a)
{
	cleanup(pkey_free) struct pkey *key = NULL;
	cleanup_with(buf_done) struct buf spki = buf_init(4096);

	int r = cert_key(a->root, &key);
	if (r == 0)
		r = pkey_type(key) == KEY_P256 ? pkey_to_spki(key, &spki) : -EKEYREJECTED;
	if (r == 0 && spki.size < 65)
		r = -EKEYREJECTED;
	return r < 0 ? r
		     : hash_once(HASH_SHA384, slice_cut(buf_slice(&spki), spki.size - 65, 65),
			       &a->root_key_id);
}

static int check_authority(struct dcap_authority *a, struct err *reterr)
{
	int r = cert_check_issued(a->root, a->root, 1, reterr);
	if (r == 0)
		r = cert_check_issued(a->ca, a->root, 1, reterr);
	if (r < 0)
		return r;
	if (root_key_id(a) < 0 || cert_spki_digest(a->root, HASH_SHA256, &a->root_pin) < 0 ||
		cert_spki_digest(a->ca, HASH_SHA256, &a->ca_pin) < 0 ||
		dcap_cert_period(a->ca, DCAP_PERIOD_OF("PCK CA certificate"), &a->ca_period) < 0 ||
		dcap_cert_period(a->root, DCAP_PERIOD_OF("root certificate"), &a->root_period) <
			0 ||
		buf_error(&a->ca_pem) < 0 || buf_error(&a->root_pem) < 0)
		return err_set(reterr, -EBADMSG, "the CAs of the PCK chain are not usable");
	return 0;
}

/* Takes the certificates that @a does not have from @texts, and checks it when it is new. */
static int read_new(struct dcap_platform *p, const struct slice texts[CHAIN_CERTS],
	struct dcap_authority *a, struct evidence_result *result)
{
	struct err e = {0};
	int r = 0;

	a->ca_pem = a->root_pem = buf_init((size_t)64 << 10);
	for (size_t i = 0; r == 0 && i < CHAIN_CERTS; i++)
		r = place(p, texts[i], a, &e);
	if (r == 0 && (!a->root || !a->ca || !p->leaf))
		r = err_set(&e, -EBADMSG, "the PCK chain is not PCK certificate, PCK CA and root");
	r = check_errno(result, "PCK chain format", r, &e);
	return r == 0 ? check_errno(result, "PCK CA", check_authority(a, &e), &e) : r;
}

/* The authority whose two texts are among @texts, the third being the leaf's. */
static const struct dcap_authority *find_known(
	const struct dcap *d, const struct slice texts[CHAIN_CERTS], size_t *ret_leaf)
{
	for (size_t i = 0; i < DCAP_AUTHORITIES_MAX; i++) {
		const struct dcap_authority *a = &d->authorities[i];
		size_t ca = CHAIN_CERTS, root = CHAIN_CERTS;
		for (size_t k = 0; a->ca && k < CHAIN_CERTS; k++) {
			if (slice_eq(texts[k], buf_slice(&a->ca_pem)))
				ca = k;
			else if (slice_eq(texts[k], buf_slice(&a->root_pem)))
				root = k;
		}
		if (ca < CHAIN_CERTS && root < CHAIN_CERTS) {
			*ret_leaf = CHAIN_CERTS - ca - root;
			return a;
		}
	}
	return NULL;
}

static int check_leaf(struct dcap_platform *p, struct err *reterr)
{
	struct slice extension = SLICE_EMPTY;

	int r = cert_check_issued(p->leaf, p->ca, 0, reterr);
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
	return dcap_cert_period(p->leaf, DCAP_PERIOD_OF("PCK certificate"), &p->periods[0]);
}

static int use_authority(struct dcap_platform *p, const struct dcap_authority *a)
{
	int r = cert_ref(a->ca, &p->ca);
	if (r == 0)
		r = cert_ref(a->root, &p->root);
	p->root_pin = a->root_pin;
	p->root_key_id = a->root_key_id;
	p->ca_pin = a->ca_pin;
	p->ca_kind = a->ca_kind;
	p->periods[1] = a->ca_period;
	p->periods[2] = a->root_period;
	return r;
}

int dcap_chain_get(struct dcap *d, struct dcap_platform *p, struct slice pem,
	const struct dcap_options *o, struct evidence_result *result)
{
	cleanup_with(dcap_authority_done) struct dcap_authority fresh = {0};
	struct slice texts[CHAIN_CERTS] = {0};
	struct err e = {0};
	size_t leaf = 0;

	int r = split_pem(pem, texts, &e);
	if (r < 0)
		return check_errno(result, "PCK chain format", r, &e);
	const struct dcap_authority *a = find_known(d, texts, &leaf);
	if (a) {
		r = certs_from_pem(texts[leaf], &p->leaf, 1, &e);
		r = check_errno(result, "PCK chain format", r < 0 ? r : 0, &e);
		if (r == 0)
			r = check_note(result, "PCK CA", true, NULL, NULL, NULL);
	} else {
		r = read_new(p, texts, &fresh, result);
		a = &fresh;
	}
	if (r == 0)
		r = dcap_check_pin(o, &a->root_pin, "PCK chain root", result);
	if (r == 0)
		r = use_authority(p, a);
	if (r == 0)
		r = check_errno(result, "PCK chain", check_leaf(p, &e), &e);
	if (r == 0 && a == &fresh) {
		struct dcap_authority *to = &d->authorities[d->next_authority];
		d->next_authority = (d->next_authority + 1) % DCAP_AUTHORITIES_MAX;
		dcap_authority_done(to);
		*to = fresh;
		fresh = (struct dcap_authority){0};
	}
	return r;
}
