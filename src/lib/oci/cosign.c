/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/cosign.h"

#include "base/enc.h"
#include "base/str.h"
#include "oci/manifest.h"
#include "oci/payload.h"

#define PAYLOAD_TYPE "cosign container image signature"

const char *cosign_tag(const struct oci_digest *manifest, char dst[OCI_REF_TAG_MAX + 1])
{
	char hex[OCI_DIGEST_TEXT_SIZE];

	dst[0] = 0;
	if (manifest->alg == OCI_DIGEST_SHA256) /* longer digests do not fit into a tag */
		snprintf(dst, OCI_REF_TAG_MAX + 1, "sha256-%.64s.sig",
			oci_digest_hex(manifest, hex));
	return dst;
}

int cosign_payload(struct buf *out, const char *reference, const struct oci_digest *manifest)
{
	char digest[OCI_DIGEST_TEXT_SIZE];
	json_t *o = json_pack("{s:{s:{s:s}, s:{s:s}, s:s}, s:n}", "critical", "identity",
		"docker-reference", reference, "image", "docker-manifest-digest",
		oci_digest_text(manifest, digest), "type", PAYLOAD_TYPE, "optional");
	char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;

	json_decref(o);
	if (!text)
		return -ENOMEM;
	buf_put_str(out, text);
	free(text);
	return buf_error(out);
}

/* The only algorithm a key is used with; a signature cannot choose another one. */
static enum sig_alg alg_of(const struct pkey *key)
{
	switch (pkey_type(key)) {
	case KEY_P256:
		return SIG_ES256;
	case KEY_P384:
		return SIG_ES384;
	case KEY_RSA:
		return SIG_RS256;
	case KEY_ED25519:
		return SIG_EDDSA;
	default:
		return SIG_NONE;
	}
}

int cosign_sign(
	const struct pkey *key, struct slice payload, struct buf *ret_base64, struct err *reterr)
{
	cleanup_with(buf_done) struct buf sig = buf_init(4096);
	enum sig_alg alg = alg_of(key);

	if (alg == SIG_NONE)
		return err_set(reterr, -EOPNOTSUPP, "cosign: this type of key cannot sign images");
	int r = pkey_sign_der(key, alg, payload, &sig);
	if (r < 0)
		return err_set(reterr, r, "cosign: cannot sign (is the key a private one?)");
	b64_encode(ret_base64, buf_slice(&sig), B64_STD);
	return buf_error(ret_base64);
}

int cosign_verify(const struct pkey *key, struct slice payload, struct slice signature_base64,
	const struct oci_digest *manifest, const struct oci_ref *ref,
	const struct oci_identity *identity, struct err *reterr)
{
	cleanup_with(buf_done) struct buf sig = buf_init(4096);
	enum sig_alg alg = alg_of(key);
	json_t *doc;

	if (alg == SIG_NONE)
		return err_set(reterr, -EOPNOTSUPP, "cosign: this type of key cannot sign images");
	if (payload.size > COSIGN_PAYLOAD_MAX)
		return err_set(reterr, -E2BIG, "cosign: the payload is over the limit");
	/* cosign reads it with Go's decoder, and tools that sign by hand break the lines. */
	if (b64_decode_lenient(&sig, signature_base64, B64_STD, NULL) < 0)
		return err_set(reterr, -EBADMSG, "cosign: the signature is not base64");
	int r = pkey_verify_der(key, alg, payload, buf_slice(&sig));
	if (r < 0)
		return err_set(reterr, r, "cosign: the signature does not hold under this key");
	r = oci_json_parse(&doc, payload, "cosign payload", reterr);
	if (r < 0)
		return r;
	r = oci_payload_check(doc, PAYLOAD_TYPE, manifest, ref, identity, reterr);
	if (r < 0)
		err_wrap(reterr, r, "cosign");
	json_decref(doc);
	return r;
}
