/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCG reference integrity manifests in SWID tags (ISO/IEC 19770-2), as GPU vendors publish them. Names
 * are Trustee's: MANUFACTURER.EDITION.measurement_INDEX, a list of hex, without those of zeros.
 */
#include "base/str.h"
#include "evidence/xml_signed.h"
#include "trustee/rvps/extract-internal.h"

#define SWID_NS "http://standards.iso.org/iso/19770/-2/2015/schema.xsd"
#define RIM_NS                                                                             \
	"https://trustedcomputinggroup.org/resource/tcg-reference-integrity-manifest-rim-" \
	"information-model/"
#define HASH_NS "http://www.w3.org/2001/04/xmlenc#sha384"
#define HASHES_MAX 64

static int missing(struct err *reterr, const char *what)
{
	return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, what, "RIM: %s is missing", what);
}

static bool is_zero(const char *hex)
{
	return hex[strspn(hex, "0")] == '\0';
}

/* What the policy language likes in a name. */
static void tidy(char *name)
{
	for (; *name; name++) {
		if (*name == ' ' || *name == '-')
			*name = '_';
	}
}

static int take_resource(
	const char *prefix, const xmlNode *resource, struct manifest *m, struct err *reterr)
{
	const char *index = xml_attr(resource, NULL, "index");
	char name[257], attribute[16];
	json_t *list;

	if (!index)
		return missing(reterr, "index of a measurement");
	if (snprintf(name, sizeof(name), "%s.measurement_%s", prefix, index) >= (int)sizeof(name))
		return err_set(reterr, -E2BIG, "RIM: a name is longer than 256 bytes");
	tidy(name);
	list = json_array();
	for (int i = 0; i < HASHES_MAX; i++) {
		const char *hash;

		snprintf(attribute, sizeof(attribute), "Hash%d", i);
		hash = xml_attr(resource, HASH_NS, attribute);
		if (!hash)
			break;
		if (strspn(hash, "0123456789abcdefABCDEF") != strlen(hash) || strlen(hash) != 96) {
			json_decref(list);
			return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, name,
				"RIM: a hash is not SHA-384 in hex");
		}
		if (!is_zero(hash))
			json_array_append_new(list, json_string(hash));
	}
	/* Nothing is measured there. */
	if (json_array_size(list) == 0) {
		json_decref(list);
		return 0;
	}
	return manifest_add(m, name, list, reterr);
}

static int take_payload(const xmlNode *root, struct manifest *m, struct err *reterr)
{
	const xmlNode *meta = xml_child(root, SWID_NS, "Meta");
	const xmlNode *payload = xml_child(root, SWID_NS, "Payload"), *resource;
	const char *manufacturer = meta ? xml_attr(meta, RIM_NS, "PlatformManufacturerStr") : NULL;
	const char *edition = meta ? xml_attr(meta, NULL, "edition") : NULL;
	char prefix[200];
	int r = 0;

	if (!manufacturer || !edition || !payload)
		return missing(reterr, !manufacturer ? "PlatformManufacturerStr"
				       : !edition    ? "edition"
						     : "Payload");
	if (snprintf(prefix, sizeof(prefix), "%s.%s", manufacturer, edition) >= (int)sizeof(prefix))
		return err_set(reterr, -E2BIG, "RIM: manufacturer and edition are too long");
	resource = xml_child(payload, SWID_NS, "Resource");
	for (; r == 0 && resource; resource = xml_next(resource)) {
		const char *type = xml_attr(resource, NULL, "type");

		if (xml_is(resource, SWID_NS, "Resource") && type && streq(type, "Measurement"))
			r = take_resource(prefix, resource, m, reterr);
	}
	return r;
}

/* By the key of a trusted certificate, or by one whose chain ends in such. */
static int check_signature(struct xml_signed *x, struct manifest *m, struct err *reterr)
{
	cleanup(pkey_free) struct pkey *key = NULL;
	size_t count = 0;
	struct cert *const *certs = xml_signed_certs(x, &count);
	int r = xml_signed_verify(x, reterr);

	if (r < 0)
		return err_wrap(reterr, r, "RIM");
	r = cert_key(certs[0], &key);
	if (r < 0)
		return r;
	cert_subject(certs[0], m->signer, sizeof(m->signer));
	for (size_t i = 0; m->anchors && i < m->anchors->key_count; i++) {
		if (pkey_equal(m->anchors->keys[i], key))
			return 0;
	}
	if (!m->anchors || m->anchors->cert_count == 0)
		return err_set(reterr, -EKEYREJECTED, "the signer of the RIM is not trusted");
	r = cert_verify_chain(certs[0], certs + 1, count - 1, m->anchors->certs,
		m->anchors->cert_count, m->now, reterr);
	return r < 0 ? err_wrap(reterr, r, "the signer of the RIM") : 0;
}

int extract_swid(struct slice payload, struct manifest *m, struct err *reterr)
{
	cleanup(xml_signed_free) struct xml_signed *x = NULL;
	size_t count = 0;
	int r = xml_signed_parse(payload, &x, reterr);

	if (r < 0)
		return err_wrap(reterr, r, "RIM");
	/* A signature element without certificates is one that cannot be verified. */
	if (xml_signed_certs(x, &count), count > 0)
		r = check_signature(x, m, reterr);
	else if (xml_child(xml_signed_root(x), "http://www.w3.org/2000/09/xmldsig#", "Signature"))
		r = err_set(reterr, -EKEYREJECTED, "the RIM's signature names no certificate");
	return r < 0 ? r : take_payload(xml_signed_root(x), m, reterr);
}
