/* SPDX-License-Identifier: Apache-2.0 */
#include "base/enc.h"
#include "base/parse.h"
#include "base/str.h"
#include "evidence/nvidia.h"
#include "fmt/json.h"

#define SWID_NS "http://standards.iso.org/iso/19770/-2/2015/schema.xsd"
#define TCG_RIM_NS \
	"https://trustedcomputinggroup.org/resource/tcg-reference-integrity-manifest-rim-information-model/"
#define SHA384_NS "http://www.w3.org/2001/04/xmlenc#sha384"
#define ALTERNATIVES_MAX 64
#define HASH_TEXT_MAX 256

void nv_rim_done(struct nv_rim *r)
{
	xml_signed_free(r->xml);
	json_decref(r->measurements);
	*r = (struct nv_rim){0};
}

static int bad(const char *what, struct err *reterr)
{
	return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, what,
		"the manifest's %s is missing or malformed", what);
}

static int number(const xmlNode *n, const char *name, uint32_t min, uint32_t max, uint32_t *ret)
{
	const char *text = xml_attr(n, NULL, name);
	return text ? parse_u32(slice_str(text), min, max, ret) : -EBADMSG;
}

static int read_hashes(const xmlNode *n, uint32_t count, json_t *out)
{
	char name[16], lower[HASH_TEXT_MAX];

	for (uint32_t i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "Hash%u", i);
		const char *hash = xml_attr(n, SHA384_NS, name);
		if (!hash || !hash[0] || str_copy(lower, sizeof(lower), hash) < 0)
			return -EBADMSG;
		for (char *c = lower; *c; c++)
			*c = (char)(*c >= 'A' && *c <= 'F' ? *c + ('a' - 'A') : *c);
		if (json_array_append_new(out, json_string(lower)) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* One measurement. @seen: by index. */
static int read_resource(const xmlNode *n, struct nv_rim *rim, bool *seen, struct err *reterr)
{
	const char *active = xml_attr(n, NULL, "active");
	uint32_t index = 0, alternatives = 0, size = 0;
	char key[8];

	if (number(n, "index", 0, NV_MEASUREMENTS_MAX - 1, &index) < 0 || seen[index])
		return bad("measurement index", reterr);
	if (number(n, "alternatives", 1, ALTERNATIVES_MAX, &alternatives) < 0)
		return bad("count of alternatives", reterr);
	if (number(n, "size", 1, 4096, &size) < 0)
		return bad("measurement size", reterr);
	if (!active || (!streq(active, "True") && !streq(active, "False")))
		return bad("mark of active measurements", reterr);
	json_t *hashes = json_array();
	int r = hashes ? read_hashes(n, alternatives, hashes) : -ENOMEM;
	seen[index] = true;
	rim->count++;
	snprintf(key, sizeof(key), "%u", index);
	if (r == 0 && streq(active, "True"))
		return json_set_take(rim->measurements, key, hashes);
	json_decref(hashes);
	return r == -EBADMSG ? bad("measurement", reterr) : r;
}

static int read_payload(const xmlNode *payload, struct nv_rim *rim, struct err *reterr)
{
	bool seen[NV_MEASUREMENTS_MAX] = {false};
	int r = 0;

	for (const xmlNode *n = xml_child(payload, SWID_NS, "Resource"); r == 0 && n;
		n = xml_next(n)) {
		const char *type = xml_attr(n, NULL, "type");
		if (xml_is(n, SWID_NS, "Resource") && type && streq(type, "Measurement"))
			r = read_resource(n, rim, seen, reterr);
	}
	if (r == 0 && rim->count == 0)
		return bad("list of measurements", reterr);
	return r;
}

static int read_meta(const xmlNode *meta, struct nv_rim *rim, struct err *reterr)
{
	const char *version = xml_attr(meta, NULL, "colloquialVersion"),
		   *manufacturer = xml_attr(meta, TCG_RIM_NS, "FirmwareManufacturerId");

	if (version && str_copy(rim->version, sizeof(rim->version), version) < 0)
		return bad("colloquialVersion", reterr);
	if (manufacturer &&
		str_copy(rim->manufacturer, sizeof(rim->manufacturer), manufacturer) < 0)
		return bad("FirmwareManufacturerId", reterr);
	return 0;
}

static int read_document(const xmlNode *root, struct nv_rim *rim, struct err *reterr)
{
	if (!xml_is(root, SWID_NS, "SoftwareIdentity"))
		return err_set(reterr, -EBADMSG,
			"the document is no reference integrity manifest: its element is not "
			"SoftwareIdentity");
	int r = read_meta(xml_child(root, SWID_NS, "Meta"), rim, reterr);
	return r == 0 ? read_payload(xml_child(root, SWID_NS, "Payload"), rim, reterr) : r;
}

/* The RIM service's answer: {"id", "rim": base64, "sha256", "rim_format": "XML", ...} */
static int unwrap(struct slice in, struct buf *out, struct err *reterr)
{
	cleanup(json_decref) json_t *doc = NULL;

	int r = json_parse(in, XML_SIZE_MAX * 2, &doc, reterr);
	return r == 0 ? json_get_b64(doc, "rim", out, reterr) : r;
}

int nv_rim_parse(struct slice text, struct nv_rim *ret, struct err *reterr)
{
	cleanup_with(nv_rim_done) struct nv_rim rim = {.measurements = json_object()};
	cleanup_with(buf_done) struct buf inner = buf_init(XML_SIZE_MAX);
	int r = rim.measurements ? 0 : -ENOMEM;

	if (r == 0 && text.size > 0 && text.data[0] == '{') {
		r = unwrap(text, &inner, reterr);
		text = buf_slice(&inner);
	}
	if (r == 0)
		r = xml_signed_parse(text, &rim.xml, reterr);
	if (r == 0)
		r = read_document(xml_signed_root(rim.xml), &rim, reterr);
	if (r < 0)
		return r;
	*ret = rim;
	rim = (struct nv_rim){0};
	return 0;
}

int nv_rim_chain(const struct nv_rim *r, struct nv_chain *ret)
{
	struct nv_chain c = {0};
	size_t count;
	struct cert *const *certs = xml_signed_certs(r->xml, &count);
	int e = 0;

	for (size_t i = 0; e == 0 && i < count && i < NV_CHAIN_MAX; i++) {
		e = cert_ref(certs[i], &c.certs[i]);
		c.count += e == 0;
	}
	if (e < 0)
		nv_chain_done(&c);
	else
		*ret = c;
	return e;
}
