/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of entries: each must name the digest of what was signed, the signature and the key. */
#include "base/enc.h"
#include "base/str.h"
#include "fmt/json.h"
#include "oci/sigstore_internal.h"

static int other(const char *what, struct err *reterr)
{
	return err_set(reterr, -EKEYREJECTED, "the log's entry is about another %s", what);
}

static int check_digest(
	struct slice stored, struct slice data, const char *what, struct err *reterr)
{
	struct digest d;

	int r = hash_once(HASH_SHA256, data, &d);
	if (r < 0)
		return r;
	return slice_eq(stored, digest_slice(&d)) ? 0 : other(what, reterr);
}

/* {"algorithm": "sha256", "value": hex} */
static int check_hex_hash(
	const json_t *hash, struct slice data, const char *what, struct err *reterr)
{
	cleanup_with(buf_done) struct buf stored = buf_init(64);
	const char *alg;

	int r = json_get_str(hash, "algorithm", &alg, reterr);
	if (r == 0 && !streq(alg, "sha256"))
		r = err_set(reterr, -EOPNOTSUPP, "the log's entry has hash '%.16s'", alg);
	if (r == 0)
		r = json_get_hex(hash, "value", &stored, reterr);
	return r == 0 ? check_digest(buf_slice(&stored), data, what, reterr) : r;
}

/* {"algorithm": "SHA2_256", "digest": base64} */
static int check_b64_hash(
	const json_t *hash, struct slice data, const char *what, struct err *reterr)
{
	cleanup_with(buf_done) struct buf stored = buf_init(64);
	const char *alg;

	int r = json_get_str(hash, "algorithm", &alg, reterr);
	if (r == 0 && !streq(alg, "SHA2_256"))
		r = err_set(reterr, -EOPNOTSUPP, "the log's entry has hash '%.16s'", alg);
	if (r == 0)
		r = json_get_b64(hash, "digest", &stored, reterr);
	return r == 0 ? check_digest(buf_slice(&stored), data, what, reterr) : r;
}

static int same_der(struct slice der, const struct sigstore_signed *s, struct err *reterr)
{
	cleanup_with(buf_done) struct buf own = buf_init(0);

	int r = s->cert ? cert_to_der(s->cert, &own) : pkey_to_spki(s->key, &own);
	if (r < 0)
		return r;
	return slice_eq(der, buf_slice(&own)) ? 0 : other(s->cert ? "certificate" : "key", reterr);
}

/* PEM of a certificate or of a key. */
static int same_pem(struct slice pem, const struct sigstore_signed *s, struct err *reterr)
{
	cleanup_with(buf_done) struct buf der = buf_init(0);
	cleanup(pkey_free) struct pkey *key = NULL;
	struct cert *cert = NULL;
	int r = -EBADMSG;

	if (s->cert && certs_from_pem(pem, &cert, 1, NULL) == 1)
		r = cert_to_der(cert, &der);
	else if (!s->cert && pkey_from_pem(pem, &key, NULL) == 0)
		r = pkey_to_spki(key, &der);
	cert_free(cert);
	return r < 0 ? other(s->cert ? "certificate" : "key", reterr)
		     : same_der(buf_slice(&der), s, reterr);
}

static int same_pem_member(
	const json_t *o, const char *name, const struct sigstore_signed *s, struct err *reterr)
{
	cleanup_with(buf_done) struct buf pem = buf_init(64 << 10);
	int r = json_get_b64(o, name, &pem, reterr);
	return r == 0 ? same_pem(buf_slice(&pem), s, reterr) : r;
}

/* {"x509Certificate": {"rawBytes"}} or {"publicKey": {"rawBytes"}} */
static int same_verifier(const json_t *o, const struct sigstore_signed *s, struct err *reterr)
{
	cleanup_with(buf_done) struct buf der = buf_init(64 << 10);
	json_t *inner = NULL;

	int r = json_get_object(o, s->cert ? "x509Certificate" : "publicKey", &inner, reterr);
	if (r == 0)
		r = json_get_b64(inner, "rawBytes", &der, reterr);
	return r == 0 ? same_der(buf_slice(&der), s, reterr) : r;
}

static int same_signature(
	const json_t *o, const char *name, const struct sigstore_signed *s, struct err *reterr)
{
	cleanup_with(buf_done) struct buf stored = buf_init(64 << 10);
	int r = json_get_b64(o, name, &stored, reterr);
	if (r < 0)
		return r;
	return slice_eq(buf_slice(&stored), buf_slice(&s->signature)) ? 0
								      : other("signature", reterr);
}

static const json_t *only(const json_t *list)
{
	return json_array_size(list) == 1 ? json_array_get(list, 0) : NULL;
}

static int hashedrekord_1(const json_t *spec, const struct sigstore_signed *s, struct err *reterr)
{
	const json_t *signature = json_object_get(spec, "signature");

	int r = check_hex_hash(json_object_get(json_object_get(spec, "data"), "hash"),
		buf_slice(&s->message), "artifact", reterr);
	if (r == 0)
		r = same_signature(signature, "content", s, reterr);
	return r == 0 ? same_pem_member(
				json_object_get(signature, "publicKey"), "content", s, reterr)
		      : r;
}

static int hashedrekord_2(const json_t *spec, const struct sigstore_signed *s, struct err *reterr)
{
	const json_t *v = json_object_get(spec, "hashedRekordV002"),
		     *signature = json_object_get(v, "signature");

	int r = check_b64_hash(
		json_object_get(v, "data"), buf_slice(&s->message), "artifact", reterr);
	if (r == 0)
		r = same_signature(signature, "content", s, reterr);
	return r == 0 ? same_verifier(json_object_get(signature, "verifier"), s, reterr) : r;
}

static int dsse_1(const json_t *spec, const struct sigstore_signed *s, struct err *reterr)
{
	const json_t *one = only(json_object_get(spec, "signatures"));

	int r = check_hex_hash(
		json_object_get(spec, "payloadHash"), buf_slice(&s->payload), "payload", reterr);
	if (r == 0)
		r = same_signature(one, "signature", s, reterr);
	return r == 0 ? same_pem_member(one, "verifier", s, reterr) : r;
}

static int dsse_2(const json_t *spec, const struct sigstore_signed *s, struct err *reterr)
{
	const json_t *v = json_object_get(spec, "dsseV002"),
		     *one = only(json_object_get(v, "signatures"));

	int r = check_b64_hash(
		json_object_get(v, "payloadHash"), buf_slice(&s->payload), "payload", reterr);
	if (r == 0)
		r = same_signature(one, "content", s, reterr);
	return r == 0 ? same_verifier(json_object_get(one, "verifier"), s, reterr) : r;
}

/* Here the signature is encoded twice. */
static int intoto_2(const json_t *spec, const struct sigstore_signed *s, struct err *reterr)
{
	const json_t *content = json_object_get(spec, "content"),
		     *one = only(
			     json_object_get(json_object_get(content, "envelope"), "signatures"));
	cleanup_with(buf_done) struct buf text = buf_init(64 << 10), bytes = buf_init(64 << 10);

	int r = check_hex_hash(
		json_object_get(content, "payloadHash"), buf_slice(&s->payload), "payload", reterr);
	if (r == 0)
		r = json_get_b64(one, "sig", &text, reterr);
	if (r == 0 && b64_decode(&bytes, buf_slice(&text), B64_STD) < 0)
		r = err_set(reterr, -EBADMSG, "the log's entry has a malformed signature");
	if (r == 0 && !slice_eq(buf_slice(&bytes), buf_slice(&s->signature)))
		r = other("signature", reterr);
	return r == 0 ? same_pem_member(one, "publicKey", s, reterr) : r;
}

int sigstore_body_check(
	const json_t *entry, struct slice body, const struct sigstore_signed *s, struct err *reterr)
{
	static const struct {
		const char *kind, *version;
		bool dsse, message;
		int (*check)(
			const json_t *spec, const struct sigstore_signed *s, struct err *reterr);
	} kinds[] = {{"hashedrekord", "0.0.1", false, true, hashedrekord_1},
		{"hashedrekord", "0.0.2", true, true, hashedrekord_2},
		{"dsse", "0.0.1", true, false, dsse_1}, {"dsse", "0.0.2", true, false, dsse_2},
		{"intoto", "0.0.2", true, false, intoto_2}};
	cleanup(json_decref) json_t *doc = NULL;
	const json_t *said = json_object_get(entry, "kindVersion");
	const char *kind = "", *version = "";

	int r = json_parse(body, SIGSTORE_BUNDLE_MAX, &doc, reterr);
	if (r == 0)
		r = json_get_str(doc, "kind", &kind, reterr);
	if (r == 0)
		r = json_get_str(doc, "apiVersion", &version, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "the log's entry");
	if (said &&
		(!streq_null(json_string_value(json_object_get(said, "kind")), kind) ||
			!streq_null(json_string_value(json_object_get(said, "version")), version)))
		return err_set(reterr, -EBADMSG, "the log's entry is of another kind than said");
	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
		if (streq(kind, kinds[i].kind) && streq(version, kinds[i].version) &&
			(s->dsse ? kinds[i].dsse : kinds[i].message))
			return kinds[i].check(json_object_get(doc, "spec"), s, reterr);
	}
	return err_set(reterr, -EOPNOTSUPP,
		"the log's entry is a %.32s of version %.16s, which this signature cannot have",
		kind, version);
}
