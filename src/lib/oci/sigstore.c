/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/sigstore.h"

#include "base/enc.h"
#include "base/str.h"
#include "crypto/timestamp.h"
#include "fmt/json.h"
#include "oci/sigstore_internal.h"

#define ENTRIES_MAX 32
#define TIMES_MAX 64
#define MEDIA_TYPE "application/vnd.dev.sigstore.bundle"

/* A bundle being verified; @times: when the signature existed, each told by somebody trusted. */
struct work {
	json_t *doc;
	const json_t *material; /* borrowed from @doc */
	unsigned version;	/* 1 to 3 of 0.1 to 0.3 */
	struct sigstore_signed s;
	int64_t times[TIMES_MAX];
	size_t time_count;
};

static void work_done(struct work *w)
{
	json_decref(w->doc);
	buf_done(&w->s.message);
	buf_done(&w->s.payload);
	buf_done(&w->s.signature);
	cert_free(w->s.cert);
	pkey_free(w->s.key);
}

/* "...bundle+json;version=0.N" or "...bundle.v0.N+json" */
static int read_version(struct work *w, struct err *reterr)
{
	static const struct {
		const char *type;
		unsigned version;
	} types[] = {{MEDIA_TYPE "+json;version=0.1", 1}, {MEDIA_TYPE "+json;version=0.2", 2},
		{MEDIA_TYPE "+json;version=0.3", 3}, {MEDIA_TYPE ".v0.3+json", 3}};
	const char *type;

	int r = json_get_str(w->doc, "mediaType", &type, reterr);
	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(types); i++) {
		if (streq(type, types[i].type))
			w->version = types[i].version;
	}
	return r == 0 && w->version == 0
		       ? err_set(reterr, -EOPNOTSUPP, "the bundle is of type '%.80s'", type)
		       : r;
}

static int read_cert(struct work *w, const json_t *o, struct err *reterr)
{
	cleanup_with(buf_done) struct buf der = buf_init(64 << 10);

	int r = json_get_b64(o, "rawBytes", &der, reterr);
	if (r == 0)
		r = cert_from_der(buf_slice(&der), &w->s.cert, reterr);
	if (r == 0 && cert_key(w->s.cert, &w->s.key) < 0)
		r = err_set(reterr, -EOPNOTSUPP, "the certificate's key is of an unknown type");
	return r;
}

/* The caller's key, as a key of our own. */
static int take_key(struct work *w, const struct pkey *key, struct err *reterr)
{
	cleanup_with(buf_done) struct buf spki = buf_init(16 << 10);

	if (!key)
		return err_set(
			reterr, -EKEYREJECTED, "the bundle is signed by a key, and none was given");
	int r = pkey_to_spki(key, &spki);
	return r == 0 ? pkey_from_spki(buf_slice(&spki), &w->s.key, reterr) : r;
}

static int read_signer(struct work *w, const struct pkey *key, struct err *reterr)
{
	const json_t *cert = json_object_get(w->material, "certificate"),
		     *chain = json_object_get(w->material, "x509CertificateChain");
	json_t *list = NULL;

	if (!cert == !chain && (cert || !json_object_get(w->material, "publicKey")))
		return err_set(reterr, -EBADMSG, "the bundle does not name exactly one signer");
	if (json_object_get(w->material, "publicKey") && !cert && !chain)
		return take_key(w, key, reterr);
	if (key)
		return err_set(reterr, -EKEYREJECTED,
			"the bundle is signed by a certificate, not by the key that was given");
	if (cert)
		return read_cert(w, cert, reterr);
	/* Only the first is read: the others are the authority's, which is trusted or not. */
	int r = json_get_array(chain, "certificates", FULCIO_CHAIN_MAX, &list, reterr);
	if (r == 0 && json_array_size(list) == 0)
		r = err_set(reterr, -EBADMSG, "the bundle's certificate chain is empty");
	return r == 0 ? read_cert(w, json_array_get(list, 0), reterr) : r;
}

static int check_message_digest(const json_t *o, struct slice artifact, struct err *reterr)
{
	const json_t *digest = json_object_get(o, "messageDigest");
	cleanup_with(buf_done) struct buf said = buf_init(64);
	const char *alg = "";
	struct digest d = {0};

	if (!digest)
		return 0; /* a hint, which may be left out */
	int r = json_get_str(digest, "algorithm", &alg, reterr);
	if (r == 0 && !streq(alg, "SHA2_256"))
		r = err_set(reterr, -EOPNOTSUPP, "the bundle has a digest of type '%.16s'", alg);
	if (r == 0)
		r = json_get_b64(digest, "digest", &said, reterr);
	if (r == 0)
		r = hash_once(HASH_SHA256, artifact, &d);
	if (r < 0)
		return r;
	return slice_eq(buf_slice(&said), digest_slice(&d))
		       ? 0
		       : err_set(reterr, -EKEYREJECTED, "the bundle is for another artifact");
}

static int read_message(struct work *w, const json_t *o, struct slice artifact, struct err *reterr)
{
	int r = json_get_b64(o, "signature", &w->s.signature, reterr);
	if (r == 0)
		r = check_message_digest(o, artifact, reterr);
	buf_put_slice(&w->s.message, artifact);
	return r == 0 ? buf_error(&w->s.message) : r;
}

/* An in-toto statement (v0.1, v1) that is about the artifact. */
static int check_statement(struct slice payload, struct slice artifact, struct err *reterr)
{
	cleanup(json_decref) json_t *doc = NULL;
	char hex[2 * HASH_SIZE_MAX + 1];
	struct digest d = {0};
	size_t i;
	json_t *subject;

	int r = json_parse(payload, SIGSTORE_BUNDLE_MAX, &doc, reterr);
	if (r == 0)
		r = hash_once(HASH_SHA256, artifact, &d);
	if (r < 0)
		return err_wrap(reterr, r, "in-toto statement");
	hex_str(digest_slice(&d), hex, sizeof(hex));
	json_array_foreach (json_object_get(doc, "subject"), i, subject) {
		const char *sha256 = json_string_value(
			json_object_get(json_object_get(subject, "digest"), "sha256"));
		if (sha256 && streq(sha256, hex))
			return 0;
	}
	return err_set(reterr, -EKEYREJECTED, "the statement is not about this artifact");
}

/* DSSE's pre-authentication encoding: what its signature covers. */
static int read_envelope(struct work *w, const json_t *o, struct slice artifact, struct err *reterr)
{
	json_t *list = NULL;
	const char *type = "";

	w->s.dsse = true;
	int r = json_get_str(o, "payloadType", &type, reterr);
	if (r == 0)
		r = json_get_b64(o, "payload", &w->s.payload, reterr);
	if (r == 0)
		r = json_get_array(o, "signatures", 1, &list, reterr);
	if (r == 0 && json_array_size(list) != 1)
		r = err_set(reterr, -EBADMSG, "the envelope has not exactly one signature");
	if (r == 0)
		r = json_get_b64(json_array_get(list, 0), "sig", &w->s.signature, reterr);
	if (r == 0 && !streq(type, "application/vnd.in-toto+json"))
		r = err_set(reterr, -EOPNOTSUPP, "the envelope holds '%.80s'", type);
	if (r < 0)
		return r;
	buf_printf(&w->s.message, "DSSEv1 %zu %s %zu ", strlen(type), type, w->s.payload.size);
	buf_put_slice(&w->s.message, buf_slice(&w->s.payload));
	r = buf_error(&w->s.message);
	return r == 0 ? check_statement(buf_slice(&w->s.payload), artifact, reterr) : r;
}

static int check_signature(struct work *w, struct slice artifact, struct err *reterr)
{
	const json_t *message = json_object_get(w->doc, "messageSignature"),
		     *envelope = json_object_get(w->doc, "dsseEnvelope");

	if (!message == !envelope)
		return err_set(
			reterr, -EBADMSG, "the bundle has not exactly one kind of signature");
	int r = message ? read_message(w, message, artifact, reterr)
			: read_envelope(w, envelope, artifact, reterr);
	if (r < 0)
		return r;
	r = pkey_verify_der(w->s.key, sigstore_alg(w->s.key), buf_slice(&w->s.message),
		buf_slice(&w->s.signature));
	if (r == -EINVAL || r == -EKEYREJECTED)
		return err_set(reterr, -EKEYREJECTED,
			"the signature is not by this key, or is for other data");
	return r;
}

static int add_time(struct work *w, int64_t at, int64_t now, struct err *reterr)
{
	if (at > now)
		return err_set(reterr, -EKEYREJECTED, "the signature is from the future");
	if (w->time_count == TIMES_MAX)
		return err_set(reterr, -E2BIG, "the bundle has too many times");
	w->times[w->time_count++] = at;
	return 0;
}

static int check_entries(
	struct work *w, const struct sigstore_root *root, int64_t now, struct err *reterr)
{
	json_t *list = NULL;
	int64_t at;

	int r = json_get_array(w->material, "tlogEntries", ENTRIES_MAX, &list, reterr);
	if (r == 0 && json_array_size(list) == 0)
		r = err_set(reterr, -EKEYREJECTED, "the signature is in no transparency log");
	for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
		r = sigstore_entry_check(
			json_array_get(list, i), w->version > 1, root, &w->s, &at, reterr);
		if (r == 0 && at > 0)
			r = add_time(w, at, now, reterr);
	}
	return r;
}

/* By any of the authorities, at a time when it was trusted. The reason of the last one is kept. */
static int check_timestamp(const struct work *w, struct slice der, const struct sigstore_root *root,
	int64_t *ret, struct err *reterr)
{
	struct err e = {0};
	int r = err_set(&e, -EKEYREJECTED, "no time-stamping authority is trusted");

	for (size_t i = 0; i < root->tsa_count; i++) {
		const struct sigstore_authority *a = &root->tsas[i];
		r = timestamp_verify(der, buf_slice(&w->s.signature), a->certs, a->count, ret, &e);
		if (r == 0 && *ret >= a->from && *ret <= a->until)
			return 0;
		if (r == 0)
			r = err_set(&e, -EKEYREJECTED,
				"the time-stamping authority was not trusted at that time");
	}
	return err_set(reterr, r, "%s", err_text(&e, r));
}

static int check_timestamps(
	struct work *w, const struct sigstore_root *root, int64_t now, struct err *reterr)
{
	const json_t *data = json_object_get(w->material, "timestampVerificationData");
	json_t *list = NULL;
	int64_t at = 0;
	int r = 0;

	if (!json_object_get(data, "rfc3161Timestamps"))
		return 0;
	r = json_get_array(data, "rfc3161Timestamps", ENTRIES_MAX, &list, reterr);
	for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
		cleanup_with(buf_done) struct buf der = buf_init(TIMESTAMP_SIZE_MAX);
		r = json_get_b64(json_array_get(list, i), "signedTimestamp", &der, reterr);
		if (r == 0)
			r = check_timestamp(w, buf_slice(&der), root, &at, reterr);
		if (r == 0)
			r = add_time(w, at, now, reterr);
	}
	return r;
}

/* The certificate was good at @at under one of the authorities that were trusted then. */
static int check_cert_at(
	const struct work *w, int64_t at, const struct sigstore_policy *p, struct err *reterr)
{
	const struct sigstore_root *root = p->root;
	struct err e = {0};
	int r = err_set(&e, -EKEYREJECTED, "no certificate authority was trusted at that time");

	for (size_t i = 0; i < root->ca_count; i++) {
		const struct sigstore_authority *a = &root->cas[i];
		if (at < a->from || at > a->until)
			continue;
		r = cert_verify_chain(
			w->s.cert, a->certs, a->count - 1, &a->certs[a->count - 1], 1, at, &e);
		if (r == 0)
			r = sct_check(w->s.cert, a->certs[0], root->ctlogs, root->ctlog_count, &e);
		if (r == 0)
			return 0;
	}
	return err_set(reterr, r, "%s", err_text(&e, r));
}

static int check_certificate(
	const struct work *w, const struct sigstore_policy *p, struct err *reterr)
{
	int r = 0;

	if (!w->s.cert)
		return 0;
	if (!p->identity)
		return err_set(reterr, -EACCES, "no signer was given to compare with");
	for (size_t i = 0; r == 0 && i < w->time_count; i++)
		r = check_cert_at(w, w->times[i], p, reterr);
	return r == 0 ? fulcio_check_identity(w->s.cert, p->identity, reterr) : r;
}

int sigstore_verify(struct slice bundle, struct slice artifact,
	const struct sigstore_policy *policy, int64_t now, struct err *reterr)
{
	cleanup_with(work_done) struct work w = {.s = {.message = buf_init(0),
							 .payload = buf_init(SIGSTORE_BUNDLE_MAX),
							 .signature = buf_init(64 << 10)}};
	json_t *material = NULL;

	int r = json_parse(bundle, SIGSTORE_BUNDLE_MAX, &w.doc, reterr);
	if (r == 0)
		r = read_version(&w, reterr);
	if (r == 0)
		r = json_get_object(w.doc, "verificationMaterial", &material, reterr);
	w.material = material;
	if (r == 0)
		r = read_signer(&w, policy->key, reterr);
	if (r == 0)
		r = check_signature(&w, artifact, reterr);
	if (r == 0)
		r = check_entries(&w, policy->root, now, reterr);
	if (r == 0)
		r = check_timestamps(&w, policy->root, now, reterr);
	if (r == 0 && w.time_count == 0)
		r = err_set(
			reterr, -EKEYREJECTED, "nobody trusted says when the signature was made");
	if (r == 0)
		r = check_certificate(&w, policy, reterr);
	return r < 0 ? err_wrap(reterr, r, "sigstore") : 0;
}
