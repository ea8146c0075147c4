/* SPDX-License-Identifier: Apache-2.0 */
/* TPM quotes with their keys, event logs and files of tools; certificates of EKs and AKs. */
#include "base/clock.h"
#include "base/enc.h"
#include "base/str.h"
#include "crypto/x509_plain.h"
#include "evidence/eventlog.h"
#include "evidence/tpm_chain.h"
#include "evidence/tpm_quote.h"
#include "fmt/json.h"
#include "mutate.h"

struct tpm_case {
	struct buf message, signature, key_pem;
	struct pkey *ak;
	struct tpm_quote quote;
	struct tpm_bank banks[TPM_SELECTIONS_MAX];
	size_t bank_count;
	uint8_t values[TPM_SELECTIONS_MAX][TPM_PCR_COUNT][64];
};

static void tpm_case_done(struct tpm_case *c)
{
	buf_done(&c->message);
	buf_done(&c->signature);
	buf_done(&c->key_pem);
	pkey_free(c->ak);
}

static const struct {
	const char *name;
	uint16_t alg;
} g_hashes[] = {{"sha1", TPM_ALG_SHA1}, {"sha256", TPM_ALG_SHA256}, {"sha384", TPM_ALG_SHA384},
	{"sha512", TPM_ALG_SHA512}};

static uint16_t hash_named(const char *name)
{
	for (size_t i = 0; name && i < ARRAY_COUNT(g_hashes); i++) {
		if (streq(name, g_hashes[i].name))
			return g_hashes[i].alg;
	}
	return 0;
}

static const char *hash_text(uint16_t alg)
{
	for (size_t i = 0; i < ARRAY_COUNT(g_hashes); i++) {
		if (g_hashes[i].alg == alg)
			return g_hashes[i].name;
	}
	return "none";
}

static int load_pcrs(struct vector *v, struct tpm_case *c)
{
	const json_t *pcrs = json_object_get(v->expected, "pcrs"), *bank, *value;
	const char *name, *number;

	json_object_foreach ((json_t *)(uintptr_t)pcrs, name, bank) {
		struct tpm_bank *b = &c->banks[c->bank_count];
		b->hash = hash_named(name);
		size_t size = tpm_alg_digest_size(b->hash);
		if (!b->hash || c->bank_count + 1 == ARRAY_COUNT(c->banks))
			return vector_fail(v, "bank %s is not known", name);
		json_object_foreach ((json_t *)(uintptr_t)bank, number, value) {
			unsigned long i = strtoul(number, NULL, 10);
			if (i >= TPM_PCR_COUNT ||
				hex_decode_fixed(c->values[c->bank_count][i], size,
					slice_str(json_string_value(value))) < 0)
				return vector_fail(v, "PCR %s is malformed", number);
			b->values[i] = slice_of(c->values[c->bank_count][i], size);
		}
		c->bank_count++;
	}
	return 0;
}

static int load(struct vector *v, struct tpm_case *c)
{
	struct err e = {0};

	if (vector_read(v, vector_file(v, "quote_msg"), &c->message) < 0 ||
		vector_read(v, vector_file(v, "quote_sig"), &c->signature) < 0 ||
		vector_read(v, vector_file(v, "ak_pub"), &c->key_pem) < 0)
		return -1;
	if (pkey_from_pem(buf_slice(&c->key_pem), &c->ak, &e) < 0)
		return vector_fail(v, "ak: %s", e.text);
	return load_pcrs(v, c);
}

static int compare_selections(struct vector *v, const json_t *fields, const struct tpm_quote *q)
{
	const json_t *want = json_object_get(fields, "pcr_select");

	if (json_array_size(want) != q->selection_count)
		return vector_fail(v, "selections are %zu", q->selection_count);
	for (size_t i = 0; i < q->selection_count; i++) {
		const json_t *item = json_array_get(want, i);
		const json_t *pcrs = json_object_get(item, "pcrs");
		uint32_t mask = 0;
		for (size_t k = 0; k < json_array_size(pcrs); k++)
			mask |= 1U << json_integer_value(json_array_get(pcrs, k));
		const char *hash = json_string_value(json_object_get(item, "hash"));
		if (mask != q->selections[i].mask || hash_named(hash) != q->selections[i].hash)
			return vector_fail(v, "selection %zu is another one", i);
	}
	return 0;
}

static int compare_quote(struct vector *v, const json_t *f, const struct tpm_quote *q)
{
	uint8_t version[8];

	for (int i = 0; i < 8; i++)
		version[i] = (uint8_t)(q->firmware_version >> (56 - 8 * i));
	/* What follows a quote is refused, so "trailing" is 0; so are another magic and type. */
	if (vector_hex(v, f, "magic", slice_of("\xFF\x54\x43\x47", 4)) < 0 ||
		vector_hex(v, f, "type", slice_of("\x80\x18", 2)) < 0 ||
		vector_int(v, f, "trailing", 0) < 0 ||
		vector_hex(v, f, "qualified_signer", q->qualified_signer) < 0 ||
		vector_hex(v, f, "extra_data", q->extra_data) < 0 ||
		vector_int(v, f, "clock", (int64_t)q->clock) < 0 ||
		vector_int(v, f, "reset_count", q->reset_count) < 0 ||
		vector_int(v, f, "restart_count", q->restart_count) < 0 ||
		vector_int(v, f, "safe", q->safe) < 0 ||
		vector_hex(v, f, "firmware_version", slice_of(version, sizeof(version))) < 0 ||
		vector_hex(v, f, "pcr_digest", q->pcr_digest) < 0)
		return -1;
	return compare_selections(v, f, q);
}

static const char *scheme_text(uint16_t alg)
{
	return alg == TPM_ALG_RSASSA   ? "rsassa"
	       : alg == TPM_ALG_RSAPSS ? "rsapss"
	       : alg == TPM_ALG_ECDSA  ? "ecdsa"
				       : "none";
}

static int compare_signature(struct vector *v, const char *scheme, const char *hash,
	struct slice bytes, struct tpm_signature *ret)
{
	struct err e = {0};

	if (tpm_signature_parse(bytes, ret, &e) < 0)
		return vector_fail(v, "signature: %s", e.text);
	return (!scheme || streq(scheme, scheme_text(ret->alg))) &&
			       (!hash || streq(hash, hash_text(ret->hash)))
		       ? 0
		       : vector_fail(v, "the signature is of another scheme");
}

/* The checks, in order; the name of the one that fails. NULL: none does. */
static const char *verify(struct vector *v, struct tpm_case *c)
{
	cleanup_with(buf_done) struct buf nonce = buf_init(64);
	const char *hex = vector_str(v, "expected_nonce");
	struct tpm_signature sig;
	struct digest d = {0};

	if (tpm_quote_parse(buf_slice(&c->message), &c->quote, NULL) < 0)
		return "magic_and_type";
	if (tpm_signature_check(c->ak, buf_slice(&c->message), buf_slice(&c->signature), NULL) < 0)
		return "signature";
	if (hex && (hex_decode(&nonce, slice_str(hex)) < 0 ||
			   !slice_eq(buf_slice(&nonce), c->quote.extra_data)))
		return "nonce";
	if (c->bank_count == 0)
		return NULL;
	if (tpm_signature_parse(buf_slice(&c->signature), &sig, NULL) < 0 ||
		tpm_pcr_digest_banks(&c->quote, c->banks, c->bank_count, hash_from_tpm(sig.hash),
			&d, NULL) < 0 ||
		!slice_eq(digest_slice(&d), c->quote.pcr_digest))
		return "pcr_digest";
	return NULL;
}

static int judge(struct vector *v, const char *failed)
{
	const json_t *checks = json_object_get(v->expected, "check_results");

	if (vector_is_valid(v))
		return failed ? vector_fail(v, "was refused: %s", failed) : 0;
	if (!failed)
		return vector_fail(v, "was accepted");
	return json_is_true(json_object_get(checks, failed))
		       ? vector_fail(v, "was refused because of %s", failed)
		       : 0;
}

/* The public key as TPMs and tools write it is the one in PEM. */
static int compare_public(struct vector *v, const struct tpm_case *c, const char *role, bool sized)
{
	cleanup_with(buf_done) struct buf bytes = buf_init(0);
	cleanup(pkey_free) struct pkey *key = NULL;
	struct tpm_public p;
	struct err e = {0};

	if (!vector_file(v, role))
		return 0;
	if (vector_read(v, vector_file(v, role), &bytes) < 0)
		return -1;
	struct slice in = slice_cut(buf_slice(&bytes), sized ? 2 : 0, bytes.size);
	if (tpm_public_parse(in, &p, &e) < 0 || tpm_public_key(&p, &key, &e) < 0)
		return vector_fail(v, "%s: %s", role, e.text);
	return pkey_equal(key, c->ak) ? 0 : vector_fail(v, "%s is another key", role);
}

static int compare_log(struct vector *v, const struct tpm_case *c)
{
	cleanup_with(buf_done) struct buf log = buf_init(0);
	const json_t *want = json_object_get(v->expected, "eventlog_replay_matches_pcrs"), *value;
	struct eventlog_registers regs;
	const char *number;
	struct err e = {0};

	if (!vector_file(v, "eventlog"))
		return 0;
	if (vector_read(v, vector_file(v, "eventlog"), &log) < 0)
		return -1;
	if (eventlog_replay(buf_slice(&log), c->banks[0].hash, &regs, &e) < 0)
		return vector_fail(v, "event log: %s", e.text);
	json_object_foreach ((json_t *)(uintptr_t)want, number, value) {
		unsigned long i = strtoul(number, NULL, 10);
		bool same = i < TPM_PCR_COUNT &&
			    slice_eq(digest_slice(&regs.values[i]), c->banks[0].values[i]);
		if (same != json_is_true(value))
			return vector_fail(v, "the event log leads elsewhere in PCR %s", number);
	}
	return 0;
}

static int compare_dates(struct vector *v, const json_t *want, const struct cert *c)
{
	const char *from_text = json_string_value(json_object_get(want, "not_before"));
	const char *until_text = json_string_value(json_object_get(want, "not_after"));
	int64_t from = 0, until = 0, want_from = 0, want_until = 0;

	if (!from_text || !until_text)
		return 0;
	if (cert_validity(c, &from, &until) < 0 ||
		rfc3339_parse(slice_str(from_text), &want_from) < 0 ||
		rfc3339_parse(slice_str(until_text), &want_until) < 0)
		return vector_fail(v, "a certificate has no dates");
	return from == want_from && until == want_until
		       ? 0
		       : vector_fail(v, "dates of a certificate are other ones");
}

static int compare_ak_cert(struct vector *v, const struct tpm_case *c)
{
	cleanup_with(buf_done) struct buf der = buf_init(0);
	cleanup(cert_free) struct cert *cert = NULL;
	cleanup(pkey_free) struct pkey *key = NULL;

	if (!vector_file(v, "ak_cert"))
		return 0;
	if (vector_read(v, vector_file(v, "ak_cert"), &der) < 0)
		return -1;
	if (cert_from_der(buf_slice(&der), &cert, NULL) < 0 || cert_key(cert, &key) < 0 ||
		!pkey_equal(key, c->ak) || !cert_may_sign(cert))
		return vector_fail(v, "the certificate is not that of the AK");
	return compare_dates(
		v, json_array_get(json_object_get(v->expected, "ak_certificate"), 0), cert);
}

/* The same as Trustee's evidence. */
static int compare_evidence(struct vector *v)
{
	cleanup_with(buf_done) struct buf text = buf_init(0), nonce = buf_init(64);
	cleanup_with(evidence_result_done) struct evidence_result result = {0};
	cleanup(json_decref) json_t *evidence = NULL;

	if (!vector_file(v, "coco_evidence_json"))
		return 0;
	if (vector_read(v, vector_file(v, "coco_evidence_json"), &text) < 0)
		return -1;
	if (json_parse(buf_slice(&text), 0, &evidence, NULL) < 0 ||
		hex_decode(&nonce, slice_str(vector_str(v, "expected_nonce"))) < 0)
		return vector_fail(v, "the evidence is malformed");
	const struct evidence_request q = {
		.evidence = evidence, .now = clock_unix_s(), .report_data = buf_slice(&nonce)};
	if (evidence_verify("tpm", &q, &result, NULL) < 0 || result.verdict != EVIDENCE_ACCEPT)
		return vector_fail(v, "the evidence was refused: %s", result.reason);
	return 0;
}

struct tpm_mutant {
	struct vector *v;
	struct tpm_case *c;
};

static bool tpm_accepted(void *ctx)
{
	const struct tpm_mutant *m = ctx;

	return verify(m->v, m->c) == NULL;
}

static int mutate_tpm(struct vector *v, struct tpm_case *c)
{
	struct tpm_mutant ctx = {v, c};
	const struct mutation parts[] = {
		{.part = "quote",
			.bytes = c->message.data,
			.size = c->message.size,
			.accepted = tpm_accepted,
			.ctx = &ctx},
		{.part = "signature",
			.bytes = c->signature.data,
			.size = c->signature.size,
			.accepted = tpm_accepted,
			.ctx = &ctx},
	};

	return mutate_bytes(v, &parts[0]) < 0 ? -1 : mutate_bytes(v, &parts[1]);
}

static int parse_quote(struct vector *v)
{
	cleanup_with(buf_done) struct buf message = buf_init(0);
	struct tpm_quote q;
	struct err e = {0};

	if (vector_read(v, vector_file(v, "quote_msg"), &message) < 0)
		return -1;
	if (tpm_quote_parse(buf_slice(&message), &q, &e) < 0)
		return vector_fail(v, "%s", e.text);
	return compare_quote(v, json_object_get(v->expected, "fields"), &q);
}

static int run_quote(struct vector *v)
{
	static struct tpm_case empty;
	cleanup_with(tpm_case_done) struct tpm_case c = empty;
	const json_t *f = json_object_get(v->expected, "fields");
	struct tpm_signature sig;

	if (vector_is_parse_only(v))
		return parse_quote(v);
	if (load(v, &c) < 0)
		return -1;
	const char *failed = verify(v, &c);
	if (judge(v, failed) < 0)
		return -1;
	if (failed && (streq(failed, "magic_and_type") ||
			      tpm_signature_parse(buf_slice(&c.signature), &sig, NULL) < 0))
		return 0;
	if (compare_quote(v, f, &c.quote) < 0 ||
		compare_signature(v, json_string_value(json_object_get(f, "signature_scheme")),
			json_string_value(json_object_get(f, "signature_hash")),
			buf_slice(&c.signature), &sig) < 0 ||
		compare_public(v, &c, "ak_tpmt_public", false) < 0 ||
		compare_public(v, &c, "ak_tpm2b_public", true) < 0 ||
		compare_public(v, &c, "ak_pub_tpm2b", true) < 0 || compare_log(v, &c) < 0 ||
		compare_ak_cert(v, &c) < 0 || compare_evidence(v) < 0)
		return -1;
	return v->mutate && !failed ? mutate_tpm(v, &c) : 0;
}

/* r<TPMS_ATTEST>:<TPMT_SIGNATURE>:<pcrs>, base64. */
static int run_string(struct vector *v)
{
	cleanup_with(buf_done) struct buf text = buf_init(0);
	const json_t *f = json_object_get(v->expected, "fields");
	const json_t *parts = json_object_get(f, "parts"), *names = json_object_get(f, "signature");
	struct buf part[3] = {{0}};
	struct tpm_quote q;
	struct tpm_signature sig;
	struct err e = {0};
	int r = 0;

	if (vector_read(v, vector_file(v, "quote_string"), &text) < 0)
		return -1;
	const char *at = buf_str(&text) + (buf_str(&text)[0] == 'r');
	for (size_t i = 0; r == 0 && i < 3; i++) {
		size_t size = strcspn(at, ":\r\n");
		r = b64_decode_any(&part[i], slice_of(at, size));
		if (r < 0 || (int64_t)part[i].size != json_integer_value(json_array_get(parts, i)))
			r = vector_fail(v, "part %zu has %zu bytes", i, part[i].size);
		at += size + (at[size] == ':');
	}
	if (r == 0 && tpm_quote_parse(buf_slice(&part[0]), &q, &e) < 0)
		r = vector_fail(v, "%s", e.text);
	if (r == 0)
		r = compare_quote(v, json_object_get(f, "quote"), &q);
	if (r == 0)
		r = compare_signature(v, json_string_value(json_array_get(names, 0)),
			json_string_value(json_array_get(names, 1)), buf_slice(&part[1]), &sig);
	for (size_t i = 0; i < 3; i++)
		buf_done(&part[i]);
	return r;
}

static int run_ek(struct vector *v)
{
	cleanup_with(buf_done) struct buf der = buf_init(0), chain = buf_init(0);
	cleanup(cert_free) struct cert *ek = NULL;
	const json_t *want = json_object_get(v->expected, "certificates");
	struct err e = {0};

	if (vector_read(v, vector_file(v, "ek_cert"), &der) < 0 ||
		vector_read(v, vector_file(v, "ca_chain"), &chain) < 0)
		return -1;
	/* The last certificate of the chain is the root that is trusted. */
	int r = cert_from_der(buf_slice(&der), &ek, &e);
	if (r == 0)
		r = tpm_ek_verify(ek, buf_slice(&chain), buf_slice(&chain), clock_unix_s(), &e);
	if ((r == 0) != vector_is_valid(v))
		return vector_fail(v, r == 0 ? "was accepted" : "was refused: %s", e.text);
	return r == 0 ? compare_dates(v, json_array_get(want, 0), ek) : 0;
}

static int cert_item(struct vector *v, const json_t *item)
{
	cleanup_with(buf_done) struct buf der = buf_init(0);
	cleanup(cert_free) struct cert *c = NULL, *issuer = NULL;
	const char *pem = json_string_value(json_object_get(item, "issuer_pem"));
	struct err e = {0};

	if (json_get_b64(item, "certificate_der_base64", &der, &e) < 0 ||
		tpm_cert_load(buf_slice(&der), &c, &e) < 0)
		return vector_fail(v, "%s", e.text);
	if (pem && certs_from_pem(slice_str(pem), &issuer, 1, &e) != 1)
		return vector_fail(v, "issuer: %s", e.text);
	bool good = issuer && cert_signed_by(c, issuer, &e) == 0;
	if (good != json_is_true(json_object_get(item, "verifies_with_issuer")))
		return vector_fail(v, good ? "was accepted" : "was refused: %s", e.text);
	return compare_dates(v, json_object_get(item, "validity"), c);
}

static int run_pack(struct vector *v)
{
	cleanup(json_decref) json_t *items = vector_pack(v);
	const json_t *item;
	size_t i;

	if (!items)
		return -1;
	json_array_foreach (items, i, item) {
		if (cert_item(v, item) < 0)
			return vector_item(v, item);
	}
	return 0;
}

int vector_tpm(struct vector *v)
{
	if (vector_file(v, "cases"))
		return run_pack(v);
	if (vector_file(v, "quote_string"))
		return run_string(v);
	return vector_file(v, "ek_cert") ? run_ek(v) : run_quote(v);
}
