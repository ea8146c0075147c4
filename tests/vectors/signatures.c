/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures of images: cosign's, with a key or with certificates and Rekor; simple signing. */
#include "base/clock.h"
#include "base/enc.h"
#include "base/str.h"
#include "fmt/json.h"
#include "oci/cosign.h"
#include "oci/fulcio.h"
#include "oci/hash.h"
#include "oci/rekor.h"
#include "oci/simple_signing.h"
#include "vectors.h"

/* Who signed the cases that have certificates: their source says so in words. */
#define ISSUER_WORD "issuer "
#define SUBJECT_WORD "subject "

struct signature {
	json_t *doc; /* {"mimeType", "payload", "annotations"} */
	struct buf payload, bytes;
	struct oci_digest digest;
	struct oci_ref ref;
};

static void signature_done(struct signature *s)
{
	json_decref(s->doc);
	buf_done(&s->payload);
	buf_done(&s->bytes);
}

static const char *annotation(const struct signature *s, const char *name)
{
	return json_string_value(json_object_get(json_object_get(s->doc, "annotations"), name));
}

/* A NUL and a format's name, then JSON. */
static int read_signature(struct vector *v, struct signature *s)
{
	cleanup_with(buf_done) struct buf text = buf_init(0);

	*s = (struct signature){.payload = buf_init(0), .bytes = buf_init(0)};
	if (vector_read(v, vector_file(v, "signature"), &text) < 0)
		return -1;
	struct slice json = buf_slice(&text);
	while (json.size > 0 && json.data[0] != '{')
		json = slice_cut(json, 1, SIZE_MAX);
	if (json_parse(json, 0, &s->doc, NULL) < 0 ||
		json_get_b64(s->doc, "payload", &s->payload, NULL) < 0 ||
		!annotation(s, COSIGN_ANNOTATION) ||
		b64_decode_lenient(
			&s->bytes, slice_str(annotation(s, COSIGN_ANNOTATION)), B64_STD, NULL) < 0)
		return vector_fail(v, "the signature file cannot be read");
	return 0;
}

static int read_image(struct vector *v, struct oci_digest *digest, struct oci_ref *ref)
{
	cleanup_with(buf_done) struct buf manifest = buf_init(0);
	const char *name = vector_str(v, "expected_reference");
	struct err e = {0};

	if (vector_file(v, "manifest")) {
		if (vector_read(v, vector_file(v, "manifest"), &manifest) < 0 ||
			oci_digest_of(digest, OCI_DIGEST_SHA256, buf_slice(&manifest)) < 0)
			return vector_fail(v, "no manifest");
	}
	if (oci_ref_parse(ref, name ? name : "unnamed", &e) < 0)
		return vector_fail(v, "reference: %s", e.text);
	return 0;
}

/* What must have refused, by the first words of the reason; other words say nothing of it. */
static const struct {
	const char *starts;
	int code;
} g_reasons[] = {{"manifest", -EACCES}, {"identity", -EACCES}, {"payload type", -EACCES},
	{"payload", -EBADMSG}, {"sign", -EKEYREJECTED}, {"key", -EKEYREJECTED},
	{"literal data", -EKEYREJECTED}};

static int judge(struct vector *v, int r, const struct err *e)
{
	const char *reason = vector_str(v, "reason");

	if ((r == 0) != vector_is_valid(v))
		return vector_fail(v, r == 0 ? "was accepted" : "was refused: %s", e->text);
	for (size_t i = 0; r < 0 && reason && i < ARRAY_COUNT(g_reasons); i++) {
		if (!str_starts(reason, g_reasons[i].starts))
			continue;
		return r == g_reasons[i].code
			       ? 0
			       : vector_fail(v, "was refused with %d (%s), expected %d: %s", r,
					 e->text, g_reasons[i].code, reason);
	}
	return 0;
}

static int load_key(struct vector *v, const char *role, struct pkey **ret)
{
	cleanup_with(buf_done) struct buf pem = buf_init(0);

	if (vector_read(v, vector_file(v, role), &pem) < 0)
		return -1;
	return pkey_from_pem(buf_slice(&pem), ret, NULL) == 0
		       ? 0
		       : vector_fail(v, "%s is no key", role);
}

/* "... issuer X, subject Y; ..." */
static void word_after(const char *text, const char *word, char *dst, size_t size)
{
	const char *at = text ? strstr(text, word) : NULL;

	at = at ? at + strlen(word) : "";
	snprintf(dst, size, "%.*s", (int)strcspn(at, ",; "), at);
}

static int verify_fulcio(struct vector *v, const struct signature *s, const struct rekor_entry *e,
	struct cert *leaf, struct err *reterr)
{
	cleanup_with(buf_done) struct buf roots = buf_init(0);
	const char *said = vector_str(v, "source_states"),
		   *chain = annotation(s, "dev.sigstore.cosign/chain");
	char issuer[256], subject[256];

	if (vector_read(v, vector_file(v, "fulcio_ca"), &roots) < 0)
		return -1;
	word_after(said, ISSUER_WORD, issuer, sizeof(issuer));
	word_after(said, SUBJECT_WORD, subject, sizeof(subject));
	const struct fulcio_identity who = {subject, issuer};
	return fulcio_verify(
		leaf, slice_str(chain), buf_slice(&roots), e->integrated_time, &who, reterr);
}

/* The entry of the log, when the log's key is there. */
static int verify_rekor(struct vector *v, const struct signature *s, const struct pkey *key,
	const struct cert *cert, struct rekor_entry *ret, struct err *reterr)
{
	cleanup(pkey_free) struct pkey *log = NULL;
	const char *bundle = annotation(s, "dev.sigstore.cosign/bundle");

	if (load_key(v, "rekor_public_key", &log) < 0)
		return -EIO;
	if (!bundle)
		return err_set(reterr, -EKEYREJECTED, "there is no entry of Rekor");
	int r = rekor_set_verify(log, slice_str(bundle), ret, reterr);
	if (r == 0)
		r = rekor_entry_check(
			ret, buf_slice(&s->payload), buf_slice(&s->bytes), key, cert, reterr);
	if (r == 0 && vector_int(v, v->expected, "rekor_integrated_time", ret->integrated_time) < 0)
		r = -EIO;
	return r;
}

static int verify_cosign(
	struct vector *v, const struct signature *s, const struct pkey *key, struct err *reterr)
{
	const struct oci_identity any = {0};
	const char *mime = json_string_value(json_object_get(s->doc, "mimeType"));

	if (!streq_null(mime, COSIGN_TYPE_PAYLOAD))
		return err_set(reterr, -EBADMSG, "another media type");
	return cosign_verify(key, buf_slice(&s->payload),
		slice_str(annotation(s, COSIGN_ANNOTATION)), &s->digest, &s->ref, &any, reterr);
}

static int run_keyless(struct vector *v, struct signature *s, struct err *reterr)
{
	cleanup_with(rekor_entry_done) struct rekor_entry entry = {0};
	cleanup(pkey_free) struct pkey *key = NULL;
	cleanup(cert_free) struct cert *leaf = NULL;
	const char *pem = annotation(s, "dev.sigstore.cosign/certificate");

	if (!pem || certs_from_pem(slice_str(pem), &leaf, 1, reterr) != 1 ||
		cert_key(leaf, &key) < 0)
		return err_set(reterr, -EKEYREJECTED, "there is no certificate");
	int r = verify_rekor(v, s, key, leaf, &entry, reterr);
	if (r == 0)
		r = verify_fulcio(v, s, &entry, leaf, reterr);
	return r == 0 ? verify_cosign(v, s, key, reterr) : r;
}

static int run_keyed(struct vector *v, struct signature *s, struct err *reterr)
{
	cleanup_with(rekor_entry_done) struct rekor_entry entry = {0};
	cleanup(pkey_free) struct pkey *key = NULL;

	if (load_key(v, "public_key", &key) < 0)
		return -EIO;
	int r = vector_file(v, "rekor_public_key") ? verify_rekor(v, s, key, NULL, &entry, reterr)
						   : 0;
	return r == 0 ? verify_cosign(v, s, key, reterr) : r;
}

static int read_named(struct vector *v, const char *suffix, struct buf *out)
{
	const json_t *files = json_object_get(json_object_get(v->expected, "files"), "data");

	for (size_t i = 0; i < json_array_size(files); i++) {
		const char *name = json_string_value(json_array_get(files, i));
		if (name && str_ends(name, suffix))
			return vector_read(v, name, out);
	}
	return vector_fail(v, "there is no %s", suffix);
}

/* An entry of the log alone, with what it is about. */
static int run_set(struct vector *v)
{
	cleanup_with(buf_done) struct buf set = buf_init(0), sig = buf_init(0), pem = buf_init(0),
					  payload = buf_init(0), log_pem = buf_init(0),
					  bytes = buf_init(0);
	cleanup_with(rekor_entry_done) struct rekor_entry entry = {0};
	cleanup(pkey_free) struct pkey *log = NULL, *key = NULL;
	cleanup(cert_free) struct cert *cert = NULL;
	struct err e = {0};

	if (read_named(v, "-set", &set) < 0 || read_named(v, "-sig", &sig) < 0 ||
		read_named(v, "-payload", &payload) < 0 || read_named(v, "-cert", &pem) < 0 ||
		read_named(v, ".pub", &log_pem) < 0)
		return -1;
	while (sig.size > 0 && sig.data[sig.size - 1] == '\n')
		sig.size--;
	if (pkey_from_pem(buf_slice(&log_pem), &log, NULL) < 0 ||
		certs_from_pem(buf_slice(&pem), &cert, 1, NULL) != 1 || cert_key(cert, &key) < 0 ||
		b64_decode(&bytes, buf_slice(&sig), B64_STD) < 0)
		return vector_fail(v, "files cannot be read");
	int r = rekor_set_verify(log, buf_slice(&set), &entry, &e);
	if (r == 0)
		r = rekor_entry_check(
			&entry, buf_slice(&payload), buf_slice(&bytes), key, cert, &e);
	return judge(v, r, &e);
}

int vector_cosign(struct vector *v)
{
	cleanup_with(signature_done) struct signature s = {0};
	struct err e = {0};

	if (!vector_file(v, "signature"))
		return run_set(v);
	if (read_signature(v, &s) < 0 || read_image(v, &s.digest, &s.ref) < 0)
		return -1;
	int r = vector_file(v, "public_key") ? run_keyed(v, &s, &e) : run_keyless(v, &s, &e);
	return r == -EIO ? -1 : judge(v, r, &e);
}

/* Policies are read or refused as a whole. */
static int run_policies(struct vector *v)
{
	const json_t *files = json_object_get(json_object_get(v->expected, "files"), "policy");

	if (json_array_size(files) == 0)
		return vector_fail(v, "no policies");
	for (size_t i = 0; i < json_array_size(files); i++) {
		cleanup_with(buf_done) struct buf text = buf_init(0);
		cleanup(oci_policy_free) struct oci_policy *p = NULL;
		const char *name = json_string_value(json_array_get(files, i));
		struct err e = {0};
		if (!name || !str_ends(name, ".json"))
			continue;
		if (vector_read(v, name, &text) < 0)
			return -1;
		int r = oci_policy_parse(&p, buf_slice(&text), &e);
		/* signedBaseLayer is not implemented by anybody; a policy with it is refused. */
		bool known = !memmem(text.data, text.size, "signedBaseLayer", 15);
		if ((r == 0) != known)
			return vector_fail(v, "%s: %s", name, r < 0 ? e.text : "was read");
	}
	return 0;
}

/* Where a case has no manifest or reference, those of the payload stand for them. */
static int payload_image(const struct vector *v, struct oci_digest *digest, struct oci_ref *ref)
{
	const json_t *critical =
		json_object_get(json_object_get(v->expected, "payload"), "critical");
	const char *text = json_string_value(json_object_get(
			   json_object_get(critical, "image"), "docker-manifest-digest")),
		   *name = json_string_value(json_object_get(
			   json_object_get(critical, "identity"), "docker-reference"));

	if (!vector_file(v, "manifest") && text && oci_digest_parse(digest, slice_str(text)) < 0)
		return -1;
	return !vector_str(v, "expected_reference") && name ? oci_ref_parse(ref, name, NULL) : 0;
}

int vector_simple(struct vector *v)
{
	cleanup_with(buf_done) struct buf keyring = buf_init(0), signature = buf_init(0);
	const struct oci_identity any = {0};
	struct oci_digest digest = {0};
	char fingerprint[OCI_PGP_FINGERPRINT_SIZE];
	struct oci_ref ref;
	struct err e = {0};

	if (!vector_file(v, "signature"))
		return run_policies(v);
	if (vector_read(v, vector_file(v, "signature"), &signature) < 0 ||
		vector_read(v, vector_file(v, "keyring"), &keyring) < 0 ||
		read_image(v, &digest, &ref) < 0 || payload_image(v, &digest, &ref) < 0)
		return vector_fail(v, "files cannot be read");
	int r = simple_signing_verify(&oci_pgp_rnp, buf_slice(&keyring), buf_slice(&signature),
		clock_unix_s(), &digest, &ref, &any, fingerprint, &e);
	return judge(v, r, &e);
}
