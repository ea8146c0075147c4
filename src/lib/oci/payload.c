/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/payload.h"

#include "base/str.h"

static const char *text_at(json_t *o, const char *a, const char *b)
{
	return json_string_value(json_object_get(json_object_get(o, a), b));
}

int oci_payload_check(json_t *doc, const char *want_type, const struct oci_digest *manifest,
	const struct oci_ref *ref, const struct oci_identity *identity, struct err *reterr)
{
	json_t *critical = json_object_get(doc, "critical");
	const char *type = json_string_value(json_object_get(critical, "type"));
	const char *digest = text_at(critical, "image", "docker-manifest-digest");
	const char *name = text_at(critical, "identity", "docker-reference");
	char want[OCI_DIGEST_TEXT_SIZE], text[OCI_REF_TEXT_SIZE];
	struct oci_digest signed_digest;

	if (!type || !digest || !name)
		return err_set(reterr, -EBADMSG, "the payload lacks a critical member");
	if (!streq(type, want_type))
		return err_set(reterr, -EACCES, "the signature is of type '%s'", type);
	if (oci_digest_parse(&signed_digest, slice_str(digest)) < 0 ||
		!oci_digest_equal(&signed_digest, manifest))
		return err_at(reterr, -EACCES, ERR_NO_OFFSET, "digest",
			"the signature is for manifest %s, the image has %s", digest,
			oci_digest_text(manifest, want));
	if (!oci_identity_matches(identity, ref, name))
		return err_at(reterr, -EACCES, ERR_NO_OFFSET, "identity",
			"the signature is for '%s', not for '%s'", name, oci_ref_text(ref, text));
	return 0;
}
