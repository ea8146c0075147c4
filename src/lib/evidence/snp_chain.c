/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/snp_chain.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/str.h"

/* One cache for the process: it is what makes a chip's second report cheap. */
static struct {
	struct snp_vek *veks[SNP_VEKS_MAX];
	uint64_t clock;
} g_cache;

/* All that goes into a chain, found but not yet looked at. */
struct inputs {
	struct slice vek, ask, ark, chain, crl;
	enum snp_product hint;
	enum snp_signing_key kind;
};

struct chain {
	struct cert *vek, *ask, *ark;
	struct crl *crl;
};

static void chain_done(struct chain *c)
{
	cert_free(c->vek);
	cert_free(c->ask);
	cert_free(c->ark);
	crl_free(c->crl);
	*c = (struct chain){0};
}

static void vek_free(struct snp_vek *v)
{
	if (v)
		pkey_free(v->key);
	free(v);
}

static const char *product_word(enum snp_product p)
{
	return p == SNP_MILAN ? "milan" : p == SNP_GENOA ? "genoa" : "turin";
}

int snp_cert_load(struct slice in, struct cert **ret, struct err *reterr)
{
	if (in.size > SNP_CERT_SIZE_MAX)
		return err_set(reterr, -E2BIG, "certificate is over %zu bytes", SNP_CERT_SIZE_MAX);
	if (!slice_starts(in, SLICE_LIT("-----BEGIN")))
		return cert_from_der(in, ret, reterr);
	int r = certs_from_pem(in, ret, 1, reterr);
	return r == 1 ? 0 : r < 0 ? r : err_set(reterr, -EBADMSG, "there is no certificate");
}

/*
 * A version 2 report does not say its product: those that were out then are tried, and both are
 * missing when neither is there.
 */
static int find_vek(const struct evidence_request *q, const struct snp_report *report,
	struct evidence_result *result, struct inputs *in)
{
	char key[COLLATERAL_KEY_SIZE], other[COLLATERAL_KEY_SIZE];
	enum snp_product p = snp_report_product(report);

	snp_vek_collateral_key(report, p == SNP_PRODUCT_NONE ? SNP_MILAN : p, key);
	if (p != SNP_PRODUCT_NONE)
		return check_collateral(result, q->collateral, key, &in->vek);
	snp_vek_collateral_key(report, SNP_GENOA, other);
	if ((collateral_get(q->collateral, key, &in->vek) == 0 && in->vek.size > 0) ||
		(collateral_get(q->collateral, other, &in->vek) == 0 && in->vek.size > 0))
		return 0;
	int r = check_collateral(result, q->collateral, key, &in->vek);
	return json_array_append_new(result->missing, json_string(other)) < 0 ? -ENOMEM : r;
}

static int find_crl(const struct evidence_request *q, const struct snp_certs *certs,
	struct evidence_result *result, struct inputs *in)
{
	char key[COLLATERAL_KEY_SIZE];

	snprintf(key, sizeof(key), "amd/%s/%s/crl", product_word(in->hint),
		in->kind == SNP_KEY_VLEK ? "vlek" : "vcek");
	if (collateral_get(q->collateral, key, &in->crl) == 0 && in->crl.size > 0)
		return 0;
	in->crl = certs->crl;
	if (in->crl.size > 0 || q->insecure_no_revocation_list)
		return 0;
	return check_collateral(result, q->collateral, key, &in->crl);
}

static int find_inputs(const struct evidence_request *q, const struct snp_report *report,
	const struct snp_certs *certs, struct evidence_result *result, struct inputs *in)
{
	cleanup(cert_free) struct cert *vek = NULL;
	char key[COLLATERAL_KEY_SIZE];
	struct err e = {0};
	int r = 0;

	*in = (struct inputs){.vek = certs->vek,
		.ask = certs->ask,
		.ark = certs->ark,
		.kind = report->signing_key,
		.hint = snp_report_product(report)};
	if (in->vek.size == 0)
		r = find_vek(q, report, result, in);
	if (r == 0 && in->hint == SNP_PRODUCT_NONE) {
		r = check_errno(result, "certificate format", snp_cert_load(in->vek, &vek, &e), &e);
		in->hint = r == 0 ? snp_cert_product(vek) : in->hint;
	}
	if (r < 0)
		return r;
	if (in->hint == SNP_PRODUCT_NONE)
		return check_note(result, "product", false, "Milan, Genoa or Turin", NULL,
			"the report is of a processor that is not known");
	snprintf(key, sizeof(key), "amd/%s/%s/chain", product_word(in->hint),
		in->kind == SNP_KEY_VLEK ? "vlek" : "vcek");
	if (collateral_get(q->collateral, key, &in->chain) < 0)
		in->chain = SLICE_EMPTY;
	return find_crl(q, certs, result, in);
}

/* ASK and ARK that the evidence does not bring come from the collateral, else from ourselves. */
static int load_issuers(const struct inputs *in, struct chain *c, struct err *reterr)
{
	struct cert *list[3] = {0};
	bool builtin = in->chain.size == 0;
	int r = 0;

	if (in->ask.size > 0)
		r = snp_cert_load(in->ask, &c->ask, reterr);
	if (r == 0 && in->ark.size > 0)
		r = snp_cert_load(in->ark, &c->ark, reterr);
	if (r < 0 || (c->ask && c->ark))
		return r;
	int count = certs_from_pem(
		builtin ? snp_builtin_chain(in->hint) : in->chain, list, ARRAY_COUNT(list), reterr);
	if (count != (builtin ? 3 : 2))
		r = count < 0 ? count
			      : err_set(reterr, -EBADMSG,
					"the collateral's chain is not two certificates");
	size_t ask = builtin && in->kind == SNP_KEY_VLEK ? 1 : 0, ark = builtin ? 2 : 1;
	if (r == 0 && !c->ask)
		c->ask = steal_ptr(list[ask]);
	if (r == 0 && !c->ark)
		c->ark = steal_ptr(list[ark]);
	for (int i = 0; i < count; i++)
		cert_free(list[i]);
	return r;
}

static bool is_named(const struct cert *c, const char *prefix, enum snp_product p)
{
	char name[64], want[64];
	snprintf(want, sizeof(want), "%s%s", prefix, snp_product_name(p));
	return cert_common_name(c, name, sizeof(name)) == 0 && streq(name, want);
}

static int check_signatures(const struct inputs *in, const struct chain *c, struct err *reterr)
{
	const char *ca = in->kind == SNP_KEY_VLEK ? "SEV-VLEK-" : "SEV-";

	if (!is_named(c->ask, ca, in->hint) || !is_named(c->ark, "ARK-", in->hint))
		return err_set(reterr, -EKEYREJECTED,
			"the chain is not that of a %s of %s: its certificates are named otherwise",
			in->kind == SNP_KEY_VLEK ? "VLEK" : "VCEK", snp_product_name(in->hint));
	if (!cert_may_sign(c->vek))
		return err_set(reterr, -EKEYREJECTED, "the certificate's key may not sign reports");
	int r = cert_check_issued(c->vek, c->ask, 0, reterr);
	if (r == 0)
		r = cert_check_issued(c->ask, c->ark, 1, reterr);
	return r == 0 ? cert_check_issued(c->ark, c->ark, 1, reterr) : r;
}

static int check_root(const struct evidence_request *q, const struct inputs *in,
	const struct chain *c, struct evidence_result *result)
{
	char hex[2 * HASH_SIZE_MAX + 1];
	struct digest pin;

	int r = cert_spki_digest(c->ark, HASH_SHA256, &pin);
	if (r < 0)
		return r;
	bool trusted = snp_trusted_root(q, in->hint, &pin);
	return check_note(result, "AMD root key", trusted, NULL,
		trusted ? NULL : hex_str(digest_slice(&pin), hex, sizeof(hex)),
		trusted ? NULL : "the chain does not end in a trusted root key");
}

static int check_revocation(
	const struct inputs *in, struct chain *c, struct evidence_result *result)
{
	struct err e = {0};

	if (in->crl.size == 0)
		return 0; /* only with insecure_no_revocation_list: see find_crl() */
	int r = in->crl.size > SNP_CRL_SIZE_MAX
			? err_set(&e, -E2BIG, "the revocation list is over %zu bytes",
				  SNP_CRL_SIZE_MAX)
			: crl_from_any(in->crl, &c->crl, &e);
	if (r == 0)
		r = crl_check_issued(c->crl, c->ark, &e);
	r = check_errno(result, "revocation list", r, &e);
	if (r < 0)
		return r;
	bool revoked = crl_revokes(c->crl, c->ask) || crl_revokes(c->crl, c->ark);
	return check_note(result, "revocation", !revoked, NULL, NULL,
		revoked ? "AMD has revoked a certificate of the chain" : NULL);
}

static int add_period(struct snp_vek *v, const char *what, int64_t from, int64_t until)
{
	struct snp_period *p = &v->periods[v->period_count++];
	p->from = from;
	p->until = until;
	return str_copy(p->what, sizeof(p->what), what);
}

static int read_periods(const struct chain *c, struct snp_vek *v)
{
	bool vlek = v->kind == SNP_KEY_VLEK;
	const struct {
		const char *what;
		const struct cert *c;
	} certs[] = {
		{vlek ? "VLEK" : "VCEK", c->vek}, {vlek ? "ASVK" : "ASK", c->ask}, {"ARK", c->ark}};
	int64_t from, until;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(certs); i++) {
		r = cert_validity(certs[i].c, &from, &until);
		if (r == 0)
			r = add_period(v, certs[i].what, from, until);
	}
	if (r == 0 && c->crl) {
		r = crl_validity(c->crl, &from, &until);
		if (r == 0)
			r = add_period(v, "CRL", from, until);
	}
	return r;
}

static int read_vek(const struct inputs *in, const struct chain *c, struct snp_vek *v,
	struct evidence_result *result)
{
	struct err e = {0};

	int r = snp_vek_read(c->vek, in->hint, v, &e);
	if (r == 0)
		r = cert_key(c->vek, &v->key);
	if (r == 0 && pkey_type(v->key) != KEY_P384)
		r = err_set(&e, -EKEYREJECTED, "the certificate's key is not a P-384 key");
	if (r == 0 && v->kind != in->kind)
		r = err_set(&e, -EKEYREJECTED,
			"the report is signed by a %s, but the certificate is for a %s",
			in->kind == SNP_KEY_VLEK ? "VLEK" : "VCEK",
			v->kind == SNP_KEY_VLEK ? "VLEK" : "VCEK");
	if (r == 0)
		r = pkey_prepare(v->key, SIG_ES384);
	v->product = in->hint;
	return check_errno(result, "signing certificate", r, &e);
}

static int build(const struct evidence_request *q, const struct inputs *in, struct snp_vek *v,
	struct evidence_result *result)
{
	cleanup_with(chain_done) struct chain c = {0};
	struct err e = {0};

	int r = snp_cert_load(in->vek, &c.vek, &e);
	if (r == 0)
		r = load_issuers(in, &c, &e);
	r = check_errno(result, "certificate format", r, &e);
	if (r == 0)
		r = read_vek(in, &c, v, result);
	if (r == 0)
		r = check_errno(result, "certificate chain", check_signatures(in, &c, &e), &e);
	if (r == 0)
		r = check_root(q, in, &c, result);
	if (r == 0)
		r = check_revocation(in, &c, result);
	/* The list's dates, too: it is there only now. */
	return r == 0 ? check_errno(result, "certificate dates", read_periods(&c, v), NULL) : r;
}

/* The digest of everything that build() looks at, lengths included. */
static int digest_inputs(
	const struct evidence_request *q, const struct inputs *in, struct digest *ret)
{
	cleanup(hash_free) struct hash *h = NULL;
	const struct slice parts[] = {in->vek, in->ask, in->ark, in->chain, in->crl};
	const uint8_t steer[] = {(uint8_t)in->hint, (uint8_t)in->kind, q->amd_roots != NULL};

	int r = hash_new(HASH_SHA256, &h);
	if (r < 0)
		return r;
	hash_update(h, slice_of(steer, sizeof(steer)));
	for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
		uint64_t size = parts[i].size;
		hash_update(h, slice_of(&size, sizeof(size)));
		hash_update(h, parts[i]);
	}
	for (size_t i = 0; q->amd_roots && i < q->amd_root_count; i++)
		hash_update(h, digest_slice(&q->amd_roots[i]));
	return hash_final(h, ret);
}

/* A new key with a good chain; its dates are not compared here. */
static int build_new(const struct evidence_request *q, const struct inputs *in,
	const struct digest *id, struct evidence_result *result, struct snp_vek **ret)
{
	struct snp_vek *v = calloc(1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	v->id = *id;
	int r = build(q, in, v, result);
	if (r < 0) {
		vek_free(v);
		return r;
	}
	*ret = v;
	return 0;
}

static struct snp_vek *find_kept(const struct digest *id)
{
	for (size_t i = 0; i < SNP_VEKS_MAX; i++) {
		struct snp_vek *v = g_cache.veks[i];
		if (v && slice_eq(digest_slice(&v->id), digest_slice(id)))
			return v;
	}
	return NULL;
}

/* Takes @v, in a free place or in that of the chain unused for longest. */
static void keep(struct snp_vek *v)
{
	size_t place = 0;
	for (size_t i = 0; i < SNP_VEKS_MAX && g_cache.veks[place]; i++) {
		if (!g_cache.veks[i] || g_cache.veks[i]->used < g_cache.veks[place]->used)
			place = i;
	}
	vek_free(g_cache.veks[place]);
	g_cache.veks[place] = v;
}

static int note_known(const struct snp_vek *v, struct evidence_result *result)
{
	static const char *const names[] = {"signing certificate", "certificate chain",
		"AMD root key", "revocation list", "revocation"};
	size_t count = ARRAY_COUNT(names) - (v->period_count == ARRAY_COUNT(v->periods) ? 0 : 2);
	int r = 0;
	for (size_t i = 0; r == 0 && i < count; i++)
		r = check_note(result, names[i], true, NULL, NULL, NULL);
	return r;
}

static int check_periods(const struct snp_vek *v, int64_t now, struct evidence_result *result)
{
	char name[32], limit[RFC3339_SIZE], at[RFC3339_SIZE], detail[96];

	for (size_t i = 0; i < v->period_count; i++) {
		const struct snp_period *p = &v->periods[i];
		if (now >= p->from && now <= p->until)
			continue;
		snprintf(name, sizeof(name), "dates of %s", p->what);
		rfc3339_format(now < p->from ? p->from : p->until, limit);
		snprintf(detail, sizeof(detail),
			now < p->from ? "the %s is not valid before %s"
				      : "the %s has expired on %s",
			p->what, limit);
		return check_note(result, name, false, limit, rfc3339_format(now, at), detail);
	}
	return check_note(result, "dates", true, NULL, NULL, NULL);
}

int snp_vek_get(const struct evidence_request *request, const struct snp_report *report,
	const struct snp_certs *certs, struct evidence_result *result, const struct snp_vek **ret)
{
	struct inputs in;
	struct digest id = {0};

	int r = find_inputs(request, report, certs, result, &in);
	if (r == 0)
		r = digest_inputs(request, &in, &id);
	if (r < 0)
		return r;
	struct snp_vek *v = find_kept(&id);
	if (v) {
		r = note_known(v, result);
	} else {
		r = build_new(request, &in, &id, result, &v);
		if (r == 0)
			keep(v);
	}
	if (r < 0 || !v)
		return r;
	v->used = ++g_cache.clock;
	*ret = v;
	return check_periods(v, request->now, result);
}
