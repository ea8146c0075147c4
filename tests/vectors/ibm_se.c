/* SPDX-License-Identifier: Apache-2.0 */
/* IBM Secure Execution: host-key documents, requests, evidence, exchange files, boot headers. */
#include "base/clock.h"
#include "base/enc.h"
#include "base/str.h"
#include "crypto/x509.h"
#include "evidence/se.h"
#include "fmt/json.h"
#include "mutate.h"

/* A number, or its text in either base. */
static int compare_number(struct vector *v, const json_t *f, const char *name, uint64_t value)
{
	const json_t *want = json_object_get(f, name);

	if (!want)
		return 0;
	uint64_t number = json_is_string(want) ? strtoull(json_string_value(want), NULL, 0)
					       : (uint64_t)json_integer_value(want);
	return number == value ? 0
			       : vector_fail(v, "%s is %llu, expected %llu", name,
					 (unsigned long long)value, (unsigned long long)number);
}

static int judge(struct vector *v, int r, const char *why)
{
	if ((r == 0) == vector_is_valid(v))
		return 0;
	return vector_fail(v, r == 0 ? "was accepted" : "was refused: %s", why);
}

/*
 * A document of another issuer is refused already with the signing certificate, when that is the
 * one with the wrong name.
 */
static const struct vector_check g_checks[] = {{"hkd_signature_by_ibm_key", "host-key document"},
	{"hkd_dates", "host-key document"}, {"hkd_crl_signature", "host-key revocation"},
	{"hkd_crl_dates", "host-key revocation"}, {"hkd_not_revoked", "host-key revocation"},
	{"hkd_crl_issuer_equals_signing_subject", "host-key revocation"},
	{"hkd_issuer_dn_equals_signing_subject", "signing certificate"}};

static int compare_refusal(struct vector *v, const struct evidence_result *result)
{
	const json_t *checks = json_object_get(v->expected, "check_results");
	/*
	 * OpenSSL's word on the signing chain is not a boolean. A list of host keys that bears the
	 * CA's name spoils the CA's lists for it, as it takes the first of a name; husk takes the
	 * one that is also signed by the CA.
	 */
	bool foreign =
		json_is_false(json_object_get(checks, "hkd_crl_issuer_equals_signing_subject"));

	if (!foreign && json_is_array(json_object_get(checks, "signing_chain_openssl")))
		return str_starts(result->reason, "signing ")
			       ? 0
			       : vector_fail(v, "was refused because of %s", result->reason);
	return vector_refusal(v, g_checks, ARRAY_COUNT(g_checks), result->reason);
}

static int compare_certificates(struct vector *v, struct slice hkd)
{
	const json_t *want = json_array_get(json_object_get(v->expected, "certificates"), 0);
	const char *from_text = json_string_value(json_object_get(want, "not_before"));
	const char *until_text = json_string_value(json_object_get(want, "not_after"));
	cleanup(cert_free) struct cert *c = NULL;
	int64_t from = 0, until = 0, want_from = 0, want_until = 0;

	if (!from_text || !until_text)
		return 0;
	if (certs_from_pem(hkd, &c, 1, NULL) != 1 || cert_validity(c, &from, &until) < 0 ||
		rfc3339_parse(slice_str(from_text), &want_from) < 0 ||
		rfc3339_parse(slice_str(until_text), &want_until) < 0)
		return vector_fail(v, "the host-key document has no dates");
	return from == want_from && until == want_until ? 0
							: vector_fail(v, "dates are other ones");
}

static int run_hkd(struct vector *v)
{
	cleanup_with(buf_done) struct buf hkd = buf_init(0), chain = buf_init(0),
					  root = buf_init(0), crls = buf_init(0);
	cleanup_with(evidence_result_done) struct evidence_result result = {.checks = json_array()};
	cleanup(cert_free) struct cert *anchor = NULL;
	cleanup(pkey_free) struct pkey *key = NULL;
	struct digest pin;

	if (vector_read(v, vector_file(v, "host_key_document"), &hkd) < 0 ||
		vector_read(v, vector_file(v, "signing_chain"), &chain) < 0 ||
		vector_read(v, vector_file(v, "root"), &root) < 0 ||
		vector_read(v, vector_file(v, "crls"), &crls) < 0)
		return -1;
	if (certs_from_pem(buf_slice(&root), &anchor, 1, NULL) != 1 ||
		cert_spki_digest(anchor, HASH_SHA256, &pin) < 0)
		return vector_fail(v, "there is no root");
	buf_put_slice(&chain, buf_slice(&root));
	const struct evidence_request q = {
		.now = clock_unix_s(), .ibm_roots = &pin, .ibm_root_count = 1};
	int r = se_hkd_verify(
		&q, buf_slice(&hkd), buf_slice(&chain), buf_slice(&crls), &result, &key);
	if (judge(v, r, result.reason) < 0)
		return -1;
	if (compare_certificates(v, buf_slice(&hkd)) < 0)
		return -1;
	return r == 0 ? 0 : compare_refusal(v, &result);
}

static int arpk_of(struct vector *v, struct buf *out)
{
	const char *hex = vector_str(v, "arpk");
	return hex && hex_decode(out, slice_str(hex)) == 0 && out->size == SE_ARPK_SIZE
		       ? 0
		       : vector_fail(v, "arpk is not 32 bytes of hex");
}

static int compare_arcb(struct vector *v, const struct se_request *q,
	const struct se_attestation *a, struct slice plain)
{
	const json_t *f = json_object_get(v->expected, "fields");

	if (compare_number(v, f, "version", q->version) < 0 ||
		compare_number(v, f, "size", q->size) < 0 ||
		compare_number(v, f, "keyslots", q->keyslots) < 0 ||
		compare_number(v, f, "encrypted_size", q->encrypted_size) < 0 ||
		compare_number(v, f, "flags", a->flags) < 0 ||
		compare_number(v, f, "meas_algorithm", a->measurement_alg) < 0 ||
		vector_hex(v, f, "iv", q->iv) < 0 || vector_hex(v, f, "tag", q->tag) < 0 ||
		vector_hex(v, f, "customer_public_key", a->customer_key) < 0 ||
		vector_hex(v, f, "keyslot_phkh", slice_cut(a->keyslots, 0, SE_PHKH_SIZE)) < 0 ||
		vector_hex(v, f, "measurement_key", slice_cut(plain, 0, SE_MEASUREMENT_KEY_SIZE)) <
			0)
		return -1;
	return vector_hex(v, f, "nonce", slice_cut(plain, SE_MEASUREMENT_KEY_SIZE, SE_NONCE_SIZE));
}

static int run_request(struct vector *v, enum se_request_kind kind)
{
	cleanup_with(buf_done) struct buf in = buf_init(0), arpk = buf_init(64),
					  plain = buf_init_secret(SE_REQUEST_MAX);
	const json_t *f = json_object_get(v->expected, "fields");
	struct se_request q = {0};
	struct se_attestation a = {0};
	struct err e = {0};
	const char *role = kind == SE_ATTESTATION_REQUEST ? "arcb" : "asrcb";

	if (vector_read(v, vector_file(v, role), &in) < 0 || arpk_of(v, &arpk) < 0)
		return -1;
	int r = se_request_parse(buf_slice(&in), kind, &q, &e);
	if (r == 0 && kind == SE_ATTESTATION_REQUEST)
		r = se_attestation_parse(&q, &a, &e);
	if (r == 0)
		r = se_request_open(&q, buf_slice(&arpk), &plain);
	if (judge(v, r, e.text) < 0 || r < 0)
		return v->why[0] ? -1 : 0;
	if (kind == SE_ATTESTATION_REQUEST)
		return compare_arcb(v, &q, &a, buf_slice(&plain));
	if (compare_number(v, f, "size", q.size) < 0 ||
		compare_number(v, f, "encrypted_size", q.encrypted_size) < 0)
		return -1;
	return vector_hex(v, f, "confidential", buf_slice(&plain));
}

static int compare_claims(struct vector *v, const json_t *claims)
{
	const json_t *want = json_object_get(v->expected, "claims"), *value;
	const char *name;

	json_object_foreach ((json_t *)(uintptr_t)want, name, value) {
		if (!json_equal(value, json_object_get(claims, name)))
			return vector_fail(v, "claim %s is another one", name);
	}
	return 0;
}

static bool se_accepted(void *ctx)
{
	cleanup_with(evidence_result_done) struct evidence_result result = {0};

	return evidence_verify("se", ctx, &result, NULL) == 0 && result.verdict == EVIDENCE_ACCEPT;
}

static const char *se_explain(void *ctx, const char *path, const json_t *value)
{
	return NULL;
}

static int mutate_evidence(struct vector *v, const struct evidence_request *q)
{
	cleanup(json_decref) json_t *copy = json_deep_copy(q->evidence);
	struct evidence_request request = *q;
	const struct json_mutation m = {copy, se_accepted, se_explain, &request};

	request.evidence = copy;
	return mutate_json(v, &m);
}

static int run_evidence(struct vector *v)
{
	cleanup_with(buf_done) struct buf text = buf_init(0), pem = buf_init(0),
					  data = buf_init(64);
	cleanup_with(evidence_result_done) struct evidence_result result = {0};
	cleanup(pkey_free) struct pkey *key = NULL;
	cleanup(json_decref) json_t *evidence = NULL;
	const char *hex = vector_str(v, "expected_report_data");
	struct err e = {0};

	if (vector_read(v, vector_file(v, "evidence"), &text) < 0 ||
		vector_read(v, vector_file(v, "measurement_encr_key_private"), &pem) < 0)
		return -1;
	if (json_parse(buf_slice(&text), 0, &evidence, &e) < 0 ||
		pkey_from_pem(buf_slice(&pem), &key, &e) < 0 ||
		(hex && hex_decode(&data, slice_str(hex)) < 0))
		return vector_fail(v, "the case cannot be loaded: %s", e.text);
	const struct evidence_request q = {.evidence = evidence,
		.now = clock_unix_s(),
		.ibm_key = key,
		.report_data = buf_slice(&data),
		.insecure_skip_report_data = !hex};
	if (evidence_verify("se", &q, &result, &e) < 0)
		return vector_fail(v, "%s", e.text);
	bool good = result.verdict == EVIDENCE_ACCEPT;
	if (judge(v, good ? 0 : -1, result.reason) < 0)
		return -1;
	if (good && compare_claims(v, result.claims) < 0)
		return -1;
	if (good)
		return v->mutate ? mutate_evidence(v, &q) : 0;
	/* A nonce of another size is not told apart from a wrong HMAC. */
	const char *reason = vector_str(v, "reason");
	const char *check =
		reason && str_starts(reason, "user_data") ? "report data" : "measurement";
	return str_starts(result.reason, check)
		       ? 0
		       : vector_fail(v, "was refused because of %s", result.reason);
}

static int run_header(struct vector *v)
{
	cleanup_with(buf_done) struct buf image = buf_init(0);
	const json_t *f = json_object_get(v->expected, "fields");
	const json_t *offsets = json_object_get(f, "offsets");
	struct se_tags t;
	struct err e = {0};

	if (vector_read(v, vector_file(v, "se_header"), &image) < 0)
		return -1;
	int r = se_tags_from_image(buf_slice(&image), &t, &e);
	if (judge(v, r, e.text) < 0 || r < 0)
		return v->why[0] ? -1 : 0;
	const uint8_t *start = image.data + t.header_offset;
	if (vector_hex(v, f, "pld", t.pld) < 0 || vector_hex(v, f, "ald", t.ald) < 0 ||
		vector_hex(v, f, "tld", t.tld) < 0 || vector_hex(v, f, "tag", t.tag) < 0 ||
		compare_number(v, f, "size", t.header_size) < 0 ||
		compare_number(v, offsets, "pld", (size_t)(t.pld.data - start)) < 0 ||
		compare_number(v, offsets, "ald", (size_t)(t.ald.data - start)) < 0 ||
		compare_number(v, offsets, "tld", (size_t)(t.tld.data - start)) < 0)
		return -1;
	return compare_number(v, offsets, "tag", (size_t)(t.tag.data - start));
}

static int take_hex(struct vector *v, const json_t *item, const char *name, struct buf *out)
{
	const json_t *text = json_object_get(item, name);

	if (!text || json_is_null(text))
		return 0;
	return json_get_hex(item, name, out, NULL) < 0 ? vector_fail(v, "%s is not hex", name) : 0;
}

static int measurement_item(struct vector *v, const json_t *item)
{
	static const char *const names[] = {"measurement_key", "pld", "ald", "tld", "tag",
		"config_uid", "user_data", "nonce", "additional_data", "measurement"};
	struct buf b[ARRAY_COUNT(names)];
	struct digest got = {0};
	int r = 0;

	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		b[i] = buf_init(0);
	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(names); i++)
		r = take_hex(v, item, names[i], &b[i]);
	const struct se_measured m = {.tags = {.pld = buf_slice(&b[1]),
					      .ald = buf_slice(&b[2]),
					      .tld = buf_slice(&b[3]),
					      .tag = buf_slice(&b[4])},
		.config_uid = buf_slice(&b[5]),
		.user_data = buf_slice(&b[6]),
		.nonce = buf_slice(&b[7]),
		.additional = buf_slice(&b[8])};
	if (r == 0 && (se_measurement(buf_slice(&b[0]), &m, &got) < 0 ||
			      !slice_eq(digest_slice(&got), buf_slice(&b[9]))))
		r = vector_fail(v, "the measurement is another one");
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		buf_done(&b[i]);
	return r;
}

static int compare_part(
	struct vector *v, const json_t *fields, const char *name, const struct se_part *p)
{
	const json_t *f = json_object_get(fields, name);

	if (compare_number(v, f, "size", p->size) < 0 ||
		compare_number(v, f, "offset", p->offset) < 0)
		return -1;
	return vector_hex(v, f, "data", p->data);
}

static int exchange_item(struct vector *v, const json_t *item)
{
	cleanup_with(buf_done) struct buf in = buf_init(0);
	const json_t *f = json_object_get(item, "fields");
	const char *as = json_string_value(json_object_get(item, "as"));
	struct se_exchange x = {0};
	struct err e = {0};

	if (json_get_hex(item, "hex", &in, &e) < 0)
		return vector_fail(v, "%s", e.text);
	int r = se_exchange_parse(buf_slice(&in), as && streq(as, "response"), &x, &e);
	if (json_is_true(json_object_get(item, "accept")) != (r == 0))
		return vector_fail(v, r == 0 ? "was accepted" : "was refused: %s", e.text);
	if (r < 0)
		return 0;
	if (compare_number(v, f, "version", x.version) < 0 ||
		compare_number(v, f, "size", x.size) < 0 ||
		compare_part(v, f, "arcb", &x.arcb) < 0 ||
		compare_part(v, f, "measurement", &x.measurement) < 0 ||
		compare_part(v, f, "additional", &x.additional) < 0 ||
		compare_part(v, f, "user", &x.user) < 0)
		return -1;
	return compare_part(v, f, "config_uid", &x.config_uid);
}

static int run_pack(struct vector *v)
{
	cleanup(json_decref) json_t *items = vector_pack(v);
	const json_t *item;
	size_t i;

	if (!items)
		return -1;
	json_array_foreach (items, i, item) {
		int r = json_object_get(item, "hex") ? exchange_item(v, item)
						     : measurement_item(v, item);
		if (r < 0)
			return vector_item(v, item);
	}
	return 0;
}

int vector_ibm_se(struct vector *v)
{
	if (vector_file(v, "cases"))
		return run_pack(v);
	if (vector_file(v, "host_key_document") && vector_file(v, "signing_chain"))
		return run_hkd(v);
	if (vector_file(v, "arcb"))
		return run_request(v, SE_ATTESTATION_REQUEST);
	if (vector_file(v, "asrcb"))
		return run_request(v, SE_ADD_SECRET_REQUEST);
	if (vector_file(v, "se_header"))
		return run_header(v);
	return run_evidence(v);
}
