/* SPDX-License-Identifier: Apache-2.0 */
/* Canonical forms, the digest of the reference, and the signature over SignedInfo. */
#include "evidence/xml_signature.h"

#include <libxml/c14n.h>

#include "base/str.h"

#define ENVELOPED "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
#define EXC_C14N "http://www.w3.org/2001/10/xml-exc-c14n#"
#define PREFIXES_MAX 16
#define PREFIXES_SIZE 256

/* A canonicalization; @prefixes: NULL-ended, of the exclusive one. */
struct c14n {
	xmlC14NMode mode;
	char text[PREFIXES_SIZE];
	xmlChar *prefixes[PREFIXES_MAX + 1];
};

/* Those without comments. */
static const struct {
	const char *uri;
	xmlC14NMode mode;
} g_c14n[] = {
	{"http://www.w3.org/TR/2001/REC-xml-c14n-20010315", XML_C14N_1_0},
	{"http://www.w3.org/2006/12/xml-c14n11", XML_C14N_1_1},
	{EXC_C14N, XML_C14N_EXCLUSIVE_1_0},
};

static const struct {
	const char *uri;
	enum hash_alg alg;
} g_digests[] = {
	{"http://www.w3.org/2001/04/xmlenc#sha256", HASH_SHA256},
	{"http://www.w3.org/2001/04/xmldsig-more#sha384", HASH_SHA384},
	{"http://www.w3.org/2001/04/xmlenc#sha512", HASH_SHA512},
};

/* ECDSA signatures are r||s here (XML Signature 1.1, 6.4.3). */
static const struct {
	const char *uri;
	enum sig_alg alg;
} g_signatures[] = {
	{"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", SIG_ES256},
	{"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384", SIG_ES384},
	{"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512", SIG_ES512},
	{"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", SIG_RS256},
	{"http://www.w3.org/2001/04/xmldsig-more#rsa-sha384", SIG_RS384},
	{"http://www.w3.org/2001/04/xmldsig-more#rsa-sha512", SIG_RS512},
};

static int read_prefixes(const xmlNode *method, struct c14n *c)
{
	const xmlNode *n = xml_child(method, EXC_C14N, "InclusiveNamespaces");
	const char *list = xml_attr(n, NULL, "PrefixList");
	size_t count = 0;

	if (!n)
		return 0;
	if (!list || c->mode != XML_C14N_EXCLUSIVE_1_0 ||
		str_copy(c->text, sizeof(c->text), list) < 0)
		return -EBADMSG;
	for (char *at = c->text; *at;) {
		size_t size = strcspn(at, " \t\r\n");
		if (size > 0 && count >= PREFIXES_MAX)
			return -EBADMSG;
		if (size > 0)
			c->prefixes[count++] = (xmlChar *)at;
		at += size;
		if (*at)
			*at++ = 0;
	}
	return 0;
}

static int read_c14n(const xmlNode *method, struct c14n *ret)
{
	const char *uri = xml_attr(method, NULL, "Algorithm");

	*ret = (struct c14n){0};
	for (size_t i = 0; uri && i < ARRAY_COUNT(g_c14n); i++) {
		if (streq(uri, g_c14n[i].uri)) {
			ret->mode = g_c14n[i].mode;
			return read_prefixes(method, ret);
		}
	}
	return -EOPNOTSUPP;
}

/* Exactly two transforms: the signature is taken out, then the rest is canonicalized. */
static int read_transforms(const xmlNode *reference, struct c14n *ret)
{
	const xmlNode *all = xml_child(reference, XML_DSIG_NS, "Transforms"),
		      *first = xml_child(all, XML_DSIG_NS, "Transform"),
		      *second = first ? xml_next(first) : NULL;
	const char *uri = xml_attr(first, NULL, "Algorithm");

	if (!uri || !streq(uri, ENVELOPED) || !xml_is(second, XML_DSIG_NS, "Transform") ||
		xml_next(second))
		return -EOPNOTSUPP;
	return read_c14n(second, ret);
}

/* The reference names the document element. */
static bool names_root(const xmlNode *reference, const xmlNode *root)
{
	static const char *const names[] = {"ID", "Id", "id"};
	const char *uri = xml_attr(reference, NULL, "URI"), *id = NULL;

	if (!uri)
		return false;
	if (uri[0] == 0)
		return true;
	for (size_t i = 0; !id && i < ARRAY_COUNT(names); i++)
		id = xml_attr(root, NULL, names[i]);
	return uri[0] == '#' && id && id[0] && streq(uri + 1, id);
}

static int in_subtree(void *top, xmlNode *node, xmlNode *parent)
{
	/* A namespace is no node of the tree: it belongs to the element that it is seen on. */
	for (const xmlNode *n = node->type == XML_NAMESPACE_DECL ? parent : node; n;
		n = n->parent) {
		if (n == top)
			return 1;
	}
	return 0;
}

static int canonical(xmlDoc *doc, xmlNode *top, struct c14n *c, struct buf *out)
{
	xmlOutputBuffer *o = xmlAllocOutputBuffer(NULL);
	int r = o ? xmlC14NExecute(doc, in_subtree, top, c->mode, c->prefixes, 0, o) : -1;

	if (r >= 0 && xmlOutputBufferFlush(o) >= 0)
		buf_put(out, xmlOutputBufferGetContent(o), xmlOutputBufferGetSize(o));
	if (o)
		xmlOutputBufferClose(o);
	return r < 0 || out->size == 0 ? -EIO : buf_error(out);
}

static int check_digest(xmlDoc *doc, xmlNode *root, xmlNode *signature, const xmlNode *reference,
	struct err *reterr)
{
	cleanup_with(buf_done) struct buf want = buf_init(HASH_SIZE_MAX), text = buf_init(0);
	const char *uri =
		xml_attr(xml_child(reference, XML_DSIG_NS, "DigestMethod"), NULL, "Algorithm");
	enum hash_alg alg = HASH_NONE;
	struct digest got = {0};
	struct c14n c = {0};

	for (size_t i = 0; uri && i < ARRAY_COUNT(g_digests); i++)
		alg = streq(uri, g_digests[i].uri) ? g_digests[i].alg : alg;
	if (alg == HASH_NONE || !names_root(reference, root) || read_transforms(reference, &c) < 0)
		return err_set(reterr, -EOPNOTSUPP,
			"the signature's reference is not to the whole document, or its digest or "
			"transforms are unknown");
	if (xml_b64(xml_child(reference, XML_DSIG_NS, "DigestValue"), &want) < 0)
		return err_set(reterr, -EKEYREJECTED, "the signature's DigestValue is malformed");
	xmlNode *next = signature->next;
	xmlUnlinkNode(signature);
	int r = canonical(doc, root, &c, &text);
	if (next)
		xmlAddPrevSibling(next, signature);
	else
		xmlAddChild(root, signature);
	if (r == 0)
		r = hash_once(alg, buf_slice(&text), &got);
	if (r < 0)
		return r;
	return slice_eq(buf_slice(&want), digest_slice(&got))
		       ? 0
		       : err_set(reterr, -EKEYREJECTED,
				 "the document is not what was signed: its digest differs");
}

static int check_signed_info(xmlDoc *doc, const xmlNode *info, const xmlNode *signature,
	const struct pkey *key, struct err *reterr)
{
	cleanup_with(buf_done) struct buf text = buf_init(0), value = buf_init(4096);
	const char *uri =
		xml_attr(xml_child(info, XML_DSIG_NS, "SignatureMethod"), NULL, "Algorithm");
	enum sig_alg alg = SIG_NONE;
	struct c14n c;

	for (size_t i = 0; uri && i < ARRAY_COUNT(g_signatures); i++)
		alg = streq(uri, g_signatures[i].uri) ? g_signatures[i].alg : alg;
	if (alg == SIG_NONE ||
		read_c14n(xml_child(info, XML_DSIG_NS, "CanonicalizationMethod"), &c) < 0)
		return err_set(reterr, -EOPNOTSUPP,
			"the signature's algorithm or canonicalization is unknown");
	if (xml_b64(xml_child(signature, XML_DSIG_NS, "SignatureValue"), &value) < 0)
		return err_set(
			reterr, -EKEYREJECTED, "the signature's SignatureValue is malformed");
	int r = canonical(doc, (xmlNode *)(uintptr_t)info, &c, &text);
	if (r == 0)
		r = pkey_verify(key, alg, buf_slice(&text), buf_slice(&value));
	if (r == -EINVAL || r == -EKEYREJECTED)
		return err_set(
			reterr, -EKEYREJECTED, "the signature is not by the certificate's key");
	return r;
}

int xml_signature_check(
	xmlDoc *doc, xmlNode *root, xmlNode *signature, const struct pkey *key, struct err *reterr)
{
	const xmlNode *info = xml_child(signature, XML_DSIG_NS, "SignedInfo"),
		      *reference = xml_child(info, XML_DSIG_NS, "Reference");

	if (!reference)
		return err_set(reterr, -EKEYREJECTED, "the signature has no reference");
	for (const xmlNode *n = xml_next(reference); n; n = xml_next(n)) {
		if (xml_is(n, XML_DSIG_NS, "Reference"))
			return err_set(
				reterr, -EOPNOTSUPP, "the signature has more than one reference");
	}
	int r = check_signed_info(doc, info, signature, key, reterr);
	return r == 0 ? check_digest(doc, root, signature, reference, reterr) : r;
}
