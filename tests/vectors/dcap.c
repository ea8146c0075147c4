/* SPDX-License-Identifier: Apache-2.0 */
/* Quotes of SGX and TDX with their collateral, at the time that the case names. */
#include "dcap.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/str.h"
#include "crypto/x509.h"
#include "fmt/json.h"
#include "mutate.h"

struct dcap_case {
	struct dcap *verifier;
	json_t *json; /* collateral.json; NULL when there is none */
	struct buf info_signature, qe_signature;
	struct dcap_collateral collateral;
	struct digest root;
	struct dcap_options options;
	char reason[EVIDENCE_REASON_SIZE];
};

static void case_done(struct dcap_case *c)
{
	dcap_free(c->verifier);
	json_decref(c->json);
	buf_done(&c->info_signature);
	buf_done(&c->qe_signature);
}

static struct slice member(const json_t *o, const char *name)
{
	return slice_str(json_string_value(json_object_get(o, name)));
}

/* Synthetic cases bring their own root. */
static int use_anchor(struct vector *v, struct dcap_case *c)
{
	cleanup(cert_free) struct cert *root = NULL;
	struct slice pem = member(c->json, "trust_anchor_pem");

	if (pem.size == 0)
		return 0;
	if (certs_from_pem(pem, &root, 1, NULL) != 1 ||
		cert_spki_digest(root, HASH_SHA256, &c->root) < 0)
		return vector_fail(v, "trust_anchor_pem is no certificate");
	c->options.roots = &c->root;
	c->options.root_count = 1;
	return 0;
}

static int load_collateral(struct vector *v, struct dcap_case *c)
{
	const char *file = vector_file(v, "collateral");
	cleanup_with(buf_done) struct buf text = buf_init(0);
	struct err e = {0};

	if (!file)
		return 0;
	if (vector_read(v, file, &text) < 0)
		return -1;
	if (json_parse(buf_slice(&text), (size_t)64 << 20, &c->json, &e) < 0 ||
		hex_decode(&c->info_signature, member(c->json, "tcb_info_signature")) < 0 ||
		hex_decode(&c->qe_signature, member(c->json, "qe_identity_signature")) < 0)
		return vector_fail(v, "collateral: %s", e.text);
	c->collateral = (struct dcap_collateral){
		.tcb_info = member(c->json, "tcb_info"),
		.tcb_info_signature = buf_slice(&c->info_signature),
		.tcb_chain = member(c->json, "tcb_info_issuer_chain"),
		.qe_identity = member(c->json, "qe_identity"),
		.qe_identity_signature = buf_slice(&c->qe_signature),
		.qe_chain = member(c->json, "qe_identity_issuer_chain"),
		.pck_crl = member(c->json, "pck_crl"),
		.root_crl = member(c->json, "root_ca_crl"),
		.pck_chain = member(c->json, "pck_certificate_chain"),
	};
	return use_anchor(v, c);
}

static bool verify(struct dcap_case *c, struct slice quote, struct dcap_outcome *out)
{
	struct evidence_result result = {.checks = json_array()};
	int r = dcap_check_quote(
		c->verifier, quote, c->collateral.pck_chain, &c->options, &result, out, NULL);
	if (r == 0 && c->json)
		r = dcap_check_collateral(c->verifier, &c->collateral, &c->options, &result, out);
	snprintf(c->reason, sizeof(c->reason), "%s", result.reason);
	evidence_result_done(&result);
	return r == 0;
}

static int set_time(struct vector *v, struct dcap_case *c, const json_t *from)
{
	const char *at = json_string_value(json_object_get(from, "verify_at"));

	c->options.now = clock_unix_s();
	if (at && rfc3339_parse(slice_str(at), &c->options.now) < 0)
		return vector_fail(v, "verify_at is not a time");
	return 0;
}

static int run_variants(struct vector *v, struct dcap_case *c, json_t *variants)
{
	json_t *variant;
	size_t i;

	json_array_foreach (variants, i, variant) {
		cleanup_with(buf_done) struct buf quote = buf_init(0);
		struct dcap_outcome o = {0};
		const char *file = json_string_value(json_object_get(variant, "quote"));
		if (vector_read(v, file, &quote) < 0 || set_time(v, c, variant) < 0)
			return -1;
		if (verify(c, buf_slice(&quote), &o))
			return vector_fail(v, "variant %s was accepted", file);
	}
	return 0;
}

static int compare_pck(struct vector *v, const struct pck_info *p)
{
	const json_t *pck = json_object_get(v->expected, "pck");

	if (vector_int(v, pck, "pcesvn", p->pce_svn) < 0 ||
		vector_int(v, pck, "sgx_type", p->sgx_type) < 0 ||
		vector_hex(v, pck, "cpusvn", slice_of(p->cpu_svn, 16)) < 0 ||
		vector_hex(v, pck, "pceid", slice_of(p->pce_id, 2)) < 0)
		return -1;
	return vector_hex(v, pck, "fmspc", slice_of(p->fmspc, 6));
}

static int compare_status(struct vector *v, const struct dcap_outcome *o)
{
	const char *status = vector_str(v, "tcb_status");
	const json_t *want = json_object_get(v->expected, "advisory_ids");
	cleanup(json_decref) json_t *ids = tcb_advisories(&o->match);
	json_t *id;
	size_t i;

	if (status && !streq(status, tcb_status_name(o->match.status)))
		return vector_fail(v, "TCB status is %s, expected %s",
			tcb_status_name(o->match.status), status);
	if (want && json_array_size(want) != json_array_size(ids))
		return vector_fail(v, "%zu advisory ids, expected %zu", json_array_size(ids),
			json_array_size(want));
	json_array_foreach (want, i, id) {
		bool found = false;
		for (size_t k = 0; k < json_array_size(ids); k++)
			found |= json_equal(id, json_array_get(ids, k));
		if (!found)
			return vector_fail(v, "advisory id %s is missing", json_string_value(id));
	}
	return 0;
}

struct quote_mutant {
	struct dcap_case *c;
	struct slice quote, chain;
	struct buf ders; /* of the certificates in @chain as they were */
};

static bool quote_accepted(void *ctx)
{
	struct quote_mutant *m = ctx;
	struct dcap_outcome o = {0};

	return verify(m->c, m->quote, &o);
}

static const char *same_certificates(void *ctx)
{
	struct quote_mutant *m = ctx;
	cleanup_with(buf_done) struct buf now = buf_init(0);

	mutate_ders(m->chain, &now);
	return now.size > 0 && slice_eq(buf_slice(&now), buf_slice(&m->ders))
		       ? "text around the certificates in a quote's PEM chain"
		       : NULL;
}

static int mutate_quote(struct vector *v, struct dcap_case *c, const struct buf *quote)
{
	struct quote_mutant ctx = {.c = c, .quote = buf_slice(quote), .ders = buf_init(0)};
	struct mutation m = {.part = "quote",
		.bytes = quote->data,
		.size = quote->size,
		.accepted = quote_accepted,
		.harmless = same_certificates,
		.ctx = &ctx};
	struct sgx_quote q;

	if (sgx_quote_parse(ctx.quote, &q, NULL) < 0)
		return vector_fail(v, "the quote cannot be read");
	ctx.chain = q.cert_data;
	mutate_ders(ctx.chain, &ctx.ders);
	mutate_range(&m, slice_cut(ctx.quote, quote->size - q.trailing, q.trailing),
		"padding behind a quote");
	if (q.cert_data_type != SGX_CERT_PCK_CHAIN)
		mutate_range(&m, q.cert_data,
			"what names the PCK certificate of a quote that does not carry it");
	int r = mutate_bytes(v, &m);
	buf_done(&ctx.ders);
	return r;
}

static int run_one(struct vector *v, struct dcap_case *c)
{
	cleanup_with(buf_done) struct buf quote = buf_init(0);
	struct dcap_outcome o = {0};
	struct err e = {0};

	if (vector_read(v, vector_file(v, "quote"), &quote) < 0 || set_time(v, c, v->expected) < 0)
		return -1;
	if (vector_is_parse_only(v))
		return sgx_quote_parse(buf_slice(&quote), &o.quote, &e) < 0
			       ? vector_fail(v, "quote: %s", e.text)
			       : dcap_fields_compare(
					 v, json_object_get(v->expected, "fields"), &o.quote);
	/* The second time everything comes out of the caches. */
	for (int i = 0; i < 2; i++) {
		bool good = verify(c, buf_slice(&quote), &o);
		if (good != vector_is_valid(v))
			return vector_fail(v, good ? "was accepted" : "was refused: %s", c->reason);
	}
	if (!vector_is_valid(v))
		return 0;
	if (dcap_fields_compare(v, json_object_get(v->expected, "fields"), &o.quote) < 0 ||
		compare_pck(v, o.pck) < 0)
		return -1;
	if (c->json && compare_status(v, &o) < 0)
		return -1;
	return v->mutate ? mutate_quote(v, c, &quote) : 0;
}

/* A signed document alone, with the certificate of its signer: the body, if the signature holds. */
static int check_signed(struct vector *v, const char *role, const char *member, struct buf *text,
	struct slice *ret_body, struct err *reterr)
{
	cleanup_with(buf_done) struct buf pem = buf_init(0);
	cleanup(cert_free) struct cert *signer = NULL;
	cleanup(pkey_free) struct pkey *key = NULL;
	uint8_t signature[64];

	if (vector_read(v, vector_file(v, role), text) < 0 ||
		vector_read(v, vector_file(v, "signer"), &pem) < 0)
		return -EIO;
	int r = tcb_split_signed(buf_slice(text), member, ret_body, signature, reterr);
	if (r == 0)
		r = certs_from_pem(buf_slice(&pem), &signer, 1, reterr) == 1 ? 0 : -EBADMSG;
	if (r == 0)
		r = cert_key(signer, &key);
	return r == 0 ? pkey_verify(key, SIG_ES256, *ret_body, slice_of(signature, 64)) : r;
}

static int run_info(struct vector *v)
{
	cleanup_with(buf_done) struct buf text = buf_init(0);
	cleanup(tcb_info_free) struct tcb_info *info = NULL;
	struct slice body = SLICE_EMPTY;
	struct err e = {0};

	int r = check_signed(v, "tcb_info", "tcbInfo", &text, &body, &e);
	if (r == 0)
		r = tcb_info_parse(body, &info, &e);
	if (v->why[0] || (r == 0) == vector_is_valid(v))
		return v->why[0] ? -1 : 0;
	return vector_fail(v, r == 0 ? "was accepted" : "was refused: %s", e.text);
}

static int run_identity(struct vector *v)
{
	cleanup_with(buf_done) struct buf text = buf_init(0), raw = buf_init(0);
	cleanup(qe_identity_free) struct qe_identity *id = NULL;
	struct slice body = SLICE_EMPTY;
	struct sgx_quote q;
	struct err e = {0};

	int r = check_signed(v, "qe_identity", "enclaveIdentity", &text, &body, &e);
	if (r == 0)
		r = qe_identity_parse(body, &id, &e);
	if (v->why[0])
		return -1;
	if ((r == 0) != vector_is_valid(v))
		return vector_fail(v, r == 0 ? "was accepted" : "was refused: %s", e.text);
	const char *status = vector_str(v, "qe_tcb_status");
	if (r < 0 || !status || !vector_file(v, "quote"))
		return 0;
	if (vector_read(v, vector_file(v, "quote"), &raw) < 0)
		return -1;
	const struct tcb_info none = {0};
	const struct pck_info pck = {0};
	struct tcb_match m = {0};
	if (sgx_quote_parse(buf_slice(&raw), &q, &e) < 0)
		return vector_fail(v, "quote: %s", e.text);
	tcb_match(&none, id, &pck, &q.qe, NULL, &m);
	return streq(status, tcb_status_name(m.qe_status))
		       ? 0
		       : vector_fail(v, "QE status is %s", tcb_status_name(m.qe_status));
}

int vector_dcap(struct vector *v)
{
	cleanup_with(case_done) struct dcap_case c = {.verifier = dcap_new()};
	json_t *variants = json_object_get(v->expected, "variants");

	if (vector_file(v, "signer"))
		return vector_file(v, "tcb_info") ? run_info(v) : run_identity(v);
	if (!c.verifier)
		return vector_fail(v, "out of memory");
	if (load_collateral(v, &c) < 0)
		return -1;
	return variants ? run_variants(v, &c, variants) : run_one(v, &c);
}
