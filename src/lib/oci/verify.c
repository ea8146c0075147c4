/* SPDX-License-Identifier: Apache-2.0 */
/* The signature half of image.h. */
#include "base/enc.h"
#include "base/str.h"
#include "oci/cosign.h"
#include "oci/fulcio.h"
#include "oci/hash.h"
#include "oci/image.h"
#include "oci/rekor.h"
#include "oci/simple_signing.h"

struct signatures {
	struct buf manifest_json;
	struct oci_manifest manifest;
};

static void signatures_done(struct signatures *s)
{
	buf_done(&s->manifest_json);
	oci_manifest_done(&s->manifest);
}

/* The image that cosign keeps the signatures of @digest in. -ENOENT when there is none. */
static int find_signatures(struct signatures *ret, const struct oci_source *source,
	const struct oci_digest *digest, struct err *reterr)
{
	struct signatures s = {.manifest_json = buf_init(OCI_DOCUMENT_MAX)};
	char tag[OCI_REF_TAG_MAX + 1];

	if (!cosign_tag(digest, tag)[0])
		return -ENOENT;
	int r = source->manifest(source->user, tag, &s.manifest_json, reterr);
	if (r == 0)
		r = oci_manifest_parse(&s.manifest, buf_slice(&s.manifest_json), reterr);
	if (r == 0 && s.manifest.layer_count > COSIGN_SIGNATURE_COUNT_MAX)
		r = err_set(reterr, -E2BIG, "cosign: more than %u signatures",
			COSIGN_SIGNATURE_COUNT_MAX);
	if (r < 0)
		signatures_done(&s);
	else
		*ret = s;
	return r;
}

/* Who must have signed: @key, or a certificate of Fulcio; @rekor: the log it must be in, or NULL. */
struct cosign_signer {
	const struct pkey *key, *rekor;
	struct slice fulcio_roots;
	struct fulcio_identity who;
};

/* The entry of the log, about this signature by @key. @ret_time: when the log took it. */
static int check_log(const struct oci_descriptor *layer, const struct cosign_signer *by,
	struct slice payload, const struct pkey *key, const struct cert *cert, int64_t *ret_time,
	struct err *reterr)
{
	cleanup_with(rekor_entry_done) struct rekor_entry entry = {0};
	cleanup_with(buf_done) struct buf signature = buf_init(4096);
	const char *bundle = oci_descriptor_annotation(layer, COSIGN_BUNDLE),
		   *text = oci_descriptor_annotation(layer, COSIGN_ANNOTATION);

	if (!bundle)
		return err_set(reterr, -EKEYREJECTED, "cosign: a signature has no entry of a log");
	if (b64_decode(&signature, slice_str(text), B64_STD) < 0)
		return err_set(reterr, -EBADMSG, "cosign: the signature is not base64");
	int r = rekor_set_verify(by->rekor, slice_str(bundle), &entry, reterr);
	if (r == 0)
		r = rekor_entry_check(&entry, payload, buf_slice(&signature), key, cert, reterr);
	*ret_time = entry.integrated_time;
	return r;
}

/* The certificate's key, when its time, authority, signer and log entry are as they must be. */
static int check_fulcio(const struct oci_descriptor *layer, const struct cosign_signer *by,
	struct slice payload, struct pkey **ret, struct err *reterr)
{
	cleanup(pkey_free) struct pkey *key = NULL;
	cleanup(cert_free) struct cert *leaf = NULL;
	const char *pem = oci_descriptor_annotation(layer, COSIGN_CERTIFICATE);
	int64_t at = 0;

	if (!pem || certs_from_pem(slice_str(pem), &leaf, 1, NULL) != 1 || cert_key(leaf, &key) < 0)
		return err_set(reterr, -EKEYREJECTED,
			"cosign: a signature has no certificate, and the policy gives no key");
	int r = check_log(layer, by, payload, key, leaf, &at, reterr);
	if (r == 0)
		r = fulcio_verify(leaf, slice_str(oci_descriptor_annotation(layer, COSIGN_CHAIN)),
			by->fulcio_roots, at, &by->who, reterr);
	if (r == 0)
		*ret = steal_ptr(key);
	return r;
}

static int try_signature(const struct oci_descriptor *layer, const struct oci_digest *digest,
	const struct oci_ref *ref, const struct oci_source *source, const struct cosign_signer *by,
	const struct oci_identity *identity, struct err *reterr)
{
	cleanup_with(buf_done) struct buf payload = buf_init(COSIGN_PAYLOAD_MAX);
	cleanup(pkey_free) struct pkey *certified = NULL;
	const char *sig = oci_descriptor_annotation(layer, COSIGN_ANNOTATION);
	int64_t at;

	if (!streq(layer->media_type, COSIGN_TYPE_PAYLOAD) || !sig)
		return err_set(reterr, -EBADMSG,
			"cosign: a layer of the signature image is no "
			"signature");
	if (layer->size > COSIGN_PAYLOAD_MAX)
		return err_set(reterr, -E2BIG, "cosign: a payload is over the limit");
	int r = oci_source_read(source, layer, &payload, reterr);
	if (r == 0 && !by->key)
		r = check_fulcio(layer, by, buf_slice(&payload), &certified, reterr);
	else if (r == 0 && by->rekor)
		r = check_log(layer, by, buf_slice(&payload), by->key, NULL, &at, reterr);
	return r < 0 ? r
		     : cosign_verify(by->key ? by->key : certified, buf_slice(&payload),
			       slice_str(sig), digest, ref, identity, reterr);
}

/* One good signature is enough; the reason of the last bad one is kept. */
static int verify_digest(const struct oci_digest *digest, const struct oci_ref *ref,
	const struct oci_source *source, const struct cosign_signer *by,
	const struct oci_identity *identity, struct err *reterr)
{
	cleanup_with(signatures_done) struct signatures s = {0};
	char text[OCI_DIGEST_TEXT_SIZE];

	int r = find_signatures(&s, source, digest, reterr);
	if (r == -ENOENT)
		return err_set(reterr, -EKEYREJECTED, "the image %s is not signed",
			oci_digest_text(digest, text));
	if (r < 0)
		return r;
	r = err_set(reterr, -EKEYREJECTED, "the signature image of %s is empty",
		oci_digest_text(digest, text));
	for (size_t n = 0; n < s.manifest.layer_count; n++) {
		r = try_signature(&s.manifest.layers[n], digest, ref, source, by, identity, reterr);
		if (r == 0)
			return 0;
	}
	return r;
}

static int verify_signer(const struct oci_image *i, const struct oci_ref *ref,
	const struct oci_source *signatures, const struct cosign_signer *by,
	const struct oci_identity *identity, struct err *reterr)
{
	int r = verify_digest(&i->digest, ref, signatures, by, identity, reterr);

	/* A signature over the index covers every manifest that the index names by digest. */
	if (r < 0 && i->index_digest.alg != OCI_DIGEST_NONE)
		r = verify_digest(&i->index_digest, ref, signatures, by, identity, reterr);
	return r;
}

int oci_image_verify_key(const struct oci_image *i, const struct oci_ref *ref,
	const struct oci_source *signatures, const struct pkey *key,
	const struct oci_identity *identity, struct err *reterr)
{
	const struct cosign_signer by = {.key = key};
	return verify_signer(i, ref, signatures, &by, identity, reterr);
}

static int read_pem(const char *path, const char *pem, const struct oci_fetcher *keys,
	struct buf *out, struct err *reterr)
{
	int r = 0;

	if (path)
		r = keys->get(keys->user, path, out, reterr);
	else
		buf_put_str(out, pem);
	if (r == 0)
		r = buf_error(out);
	return r < 0 ? err_wrap(reterr, r, "image policy: key '%s'", path ? path : "") : 0;
}

static int read_key(const char *path, const char *pem, const struct oci_fetcher *keys,
	struct pkey **ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf text = buf_init(65536);

	int r = read_pem(path, pem, keys, &text, reterr);
	if (r < 0)
		return r;
	r = pkey_from_pem(buf_slice(&text), ret, reterr);
	return r < 0 ? err_wrap(reterr, r, "image policy: key") : 0;
}

static int verify_sigstore(const struct oci_image *i, const struct oci_ref *ref,
	const struct oci_source *signatures, const struct oci_requirement *q,
	const struct oci_fetcher *keys, struct err *reterr)
{
	cleanup_with(buf_done) struct buf roots = buf_init(65536);
	cleanup(pkey_free) struct pkey *key = NULL, *rekor = NULL;
	int r = 0;

	if (q->rekor.path || q->rekor.pem)
		r = read_key(q->rekor.path, q->rekor.pem, keys, &rekor, reterr);
	if (r == 0 && q->fulcio.subject)
		r = read_pem(q->fulcio.ca.path, q->fulcio.ca.pem, keys, &roots, reterr);
	else if (r == 0)
		r = read_key(q->key_path, q->key_pem, keys, &key, reterr);
	if (r < 0)
		return r;
	const struct cosign_signer by = {
		key, rekor, buf_slice(&roots), {q->fulcio.subject, q->fulcio.issuer}};
	return verify_signer(i, ref, signatures, &by, &q->identity, reterr);
}

#define SIMPLE_SIGNATURES_MAX 32

/* One good signature of one manifest by a key of @keyring is enough. */
static int verify_simple_digest(const struct oci_digest *digest, const struct oci_ref *ref,
	const struct oci_simple *s, struct slice keyring, const struct oci_identity *identity,
	struct err *reterr)
{
	char text[OCI_DIGEST_TEXT_SIZE], print[OCI_PGP_FINGERPRINT_SIZE];
	int r = err_set(reterr, -EKEYREJECTED, "the image %s has no simple signature",
		oci_digest_text(digest, text));

	for (unsigned n = 1; n <= SIMPLE_SIGNATURES_MAX; n++) {
		cleanup_with(buf_done) struct buf signature = buf_init(SIMPLE_SIGNATURE_MAX);
		struct err e = {0};
		int got = s->get(s->user, ref, digest, n, &signature, &e);
		if (got == -ENOENT)
			break;
		if (got == 0)
			got = simple_signing_verify(s->pgp, keyring, buf_slice(&signature), s->now,
				digest, ref, identity, print, &e);
		if (got == 0)
			return 0;
		r = err_set(reterr, got, "%s", err_text(&e, got));
	}
	return r;
}

static int verify_keyring(const struct oci_image *i, const struct oci_ref *ref,
	const struct oci_simple *s, struct slice keyring, const struct oci_identity *identity,
	struct err *reterr)
{
	int r = verify_simple_digest(&i->digest, ref, s, keyring, identity, reterr);

	if (r < 0 && i->index_digest.alg != OCI_DIGEST_NONE)
		r = verify_simple_digest(&i->index_digest, ref, s, keyring, identity, reterr);
	return r;
}

static int verify_simple(const struct oci_image *i, const struct oci_ref *ref,
	const struct oci_simple *s, const struct oci_requirement *q, const struct oci_fetcher *keys,
	struct err *reterr)
{
	size_t count = q->key_paths ? json_array_size(q->key_paths) : 1;
	int r = -EKEYREJECTED;

	if (!s)
		return err_set(reterr, -EACCES,
			"the policy asks for a GPG signature (signedBy), which cannot be verified "
			"here");
	if (q->key_pem)
		return verify_keyring(
			i, ref, s, slice_of(q->key_pem, q->key_size), &q->identity, reterr);
	for (size_t n = 0; r < 0 && n < count; n++) {
		cleanup_with(buf_done) struct buf keyring = buf_init(OCI_PGP_MESSAGE_MAX);
		const char *path = q->key_paths ? json_string_value(json_array_get(q->key_paths, n))
						: q->key_path;
		r = keys->get(keys->user, path, &keyring, reterr);
		if (r < 0)
			return err_wrap(reterr, r, "image policy: keyring '%s'", path);
		r = verify_keyring(i, ref, s, buf_slice(&keyring), &q->identity, reterr);
	}
	return r;
}

int oci_image_verify(const struct oci_image *i, const struct oci_ref *ref,
	const struct oci_source *signatures, const struct oci_policy *policy,
	const struct oci_fetcher *keys, enum oci_verdict *ret, struct err *reterr)
{
	const struct oci_requirement *list;
	char text[OCI_REF_TEXT_SIZE];
	const char *scope;

	*ret = OCI_VERDICT_DENY;
	int count = oci_policy_find(policy, ref, &list, &scope, reterr);
	if (count < 0)
		return count;
	for (int n = 0; n < count; n++) {
		int r = -EACCES;
		switch (list[n].type) {
		case OCI_REQUIRE_NOTHING:
			r = 0;
			break;
		case OCI_REQUIRE_SIGSTORE:
			r = verify_sigstore(i, ref, signatures, &list[n], keys, reterr);
			break;
		case OCI_REQUIRE_GPG:
			r = verify_simple(i, ref, signatures->simple, &list[n], keys, reterr);
			break;
		case OCI_REQUIRE_REJECT:
			r = err_set(reterr, -EACCES, "the policy rejects this image");
			break;
		}
		if (r < 0)
			return err_wrap(reterr, r, "image '%s', policy scope '%s'",
				oci_ref_text(ref, text), scope);
	}
	*ret = OCI_VERDICT_ALLOW;
	return 0;
}
