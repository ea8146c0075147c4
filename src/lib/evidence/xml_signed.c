/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/xml_signed.h"

#include <libxml/parser.h>

#include "base/enc.h"
#include "base/str.h"
#include "evidence/xml_signature.h"

struct xml_signed {
	xmlDoc *doc;
	xmlNode *root;
	xmlNode *signature; /* NULL when there is none */
	struct cert *certs[XML_CERTS_MAX];
	size_t cert_count;
};

void xml_signed_free(struct xml_signed *x)
{
	if (!x)
		return;
	for (size_t i = 0; i < x->cert_count; i++)
		cert_free(x->certs[i]);
	xmlFreeDoc(x->doc);
	free(x);
}

const xmlNode *xml_signed_root(const struct xml_signed *x)
{
	return x->root;
}

struct cert *const *xml_signed_certs(const struct xml_signed *x, size_t *ret_count)
{
	*ret_count = x->cert_count;
	return x->certs;
}

bool xml_is(const xmlNode *node, const char *ns, const char *name)
{
	return node && node->type == XML_ELEMENT_NODE && node->ns && node->ns->href &&
	       streq((const char *)node->ns->href, ns) && streq((const char *)node->name, name);
}

const xmlNode *xml_next(const xmlNode *node)
{
	do {
		node = node->next;
	} while (node && node->type != XML_ELEMENT_NODE);
	return node;
}

const xmlNode *xml_child(const xmlNode *parent, const char *ns, const char *name)
{
	for (const xmlNode *n = parent ? parent->children : NULL; n; n = n->next) {
		if (xml_is(n, ns, name))
			return n;
	}
	return NULL;
}

const char *xml_attr(const xmlNode *node, const char *ns, const char *name)
{
	for (const xmlAttr *a = node ? node->properties : NULL; a; a = a->next) {
		const char *of = a->ns && a->ns->href ? (const char *)a->ns->href : NULL;
		if (!streq((const char *)a->name, name) || !streq_null(of, ns))
			continue;
		if (!a->children)
			return "";
		return a->children->type == XML_TEXT_NODE && !a->children->next
			       ? (const char *)a->children->content
			       : NULL;
	}
	return NULL;
}

int xml_b64(const xmlNode *node, struct buf *out)
{
	cleanup_with(buf_done) struct buf text = buf_init(XML_SIZE_MAX);
	const xmlNode *t = node ? node->children : NULL;

	if (!t || t->type != XML_TEXT_NODE || t->next)
		return -EBADMSG;
	for (const xmlChar *c = t->content; *c; c++) {
		if (*c != ' ' && *c != '\n' && *c != '\r' && *c != '\t')
			buf_put_u8(&text, *c);
	}
	return buf_error(&text) < 0 ? -ENOMEM : b64_decode(out, buf_slice(&text), B64_STD);
}

static int read_certs(struct xml_signed *x, struct err *reterr)
{
	const xmlNode *info = xml_child(x->signature, XML_DSIG_NS, "KeyInfo"),
		      *data = xml_child(info, XML_DSIG_NS, "X509Data");
	int r = 0;

	for (const xmlNode *n = xml_child(data, XML_DSIG_NS, "X509Certificate"); r == 0 && n;
		n = xml_next(n)) {
		cleanup_with(buf_done) struct buf der = buf_init(64 << 10);
		if (!xml_is(n, XML_DSIG_NS, "X509Certificate"))
			continue;
		if (x->cert_count >= XML_CERTS_MAX)
			return err_set(reterr, -E2BIG, "more than %d certificates in a signature",
				XML_CERTS_MAX);
		r = xml_b64(n, &der);
		if (r == 0)
			r = cert_from_der(buf_slice(&der), &x->certs[x->cert_count], reterr);
		if (r < 0)
			return err_set(reterr, r == -ENOMEM ? r : -EBADMSG,
				"certificate %zu in the signature is malformed", x->cert_count + 1);
		x->cert_count++;
	}
	return r;
}

static int find_signature(struct xml_signed *x, struct err *reterr)
{
	for (xmlNode *n = x->root->children; n; n = n->next) {
		if (!xml_is(n, XML_DSIG_NS, "Signature"))
			continue;
		if (x->signature)
			return err_set(
				reterr, -EBADMSG, "the document has more than one signature");
		x->signature = n;
	}
	return x->signature ? read_certs(x, reterr) : 0;
}

/* The declaration could define entities; comments could hide it from this search, which then
 * refuses too much, never too little. */
static bool has_doctype(struct slice text)
{
	return text.size > 0 && text.data &&
	       (memmem(text.data, text.size, "<!DOCTYPE", 9) != NULL ||
		       memmem(text.data, text.size, "<!ENTITY", 8) != NULL);
}

/* The library would print what it finds wrong with a stranger's document. */
static void say_nothing(void *ctx, xmlError *error)
{
}

int xml_signed_parse(struct slice text, struct xml_signed **ret, struct err *reterr)
{
	cleanup(xml_signed_free) struct xml_signed *x = calloc(1, sizeof(*x));

	if (!x)
		return -ENOMEM;
	if (text.size == 0 || text.size > XML_SIZE_MAX)
		return err_set(reterr, text.size ? -E2BIG : -EBADMSG,
			"XML document has an impossible size of %zu bytes", text.size);
	if (!utf8_valid(text) || memchr(text.data, 0, text.size))
		return err_set(reterr, -EBADMSG, "XML document is not UTF-8 text");
	if (has_doctype(text))
		return err_set(reterr, -EOPNOTSUPP, "XML document has a document type declaration");
	xmlSetStructuredErrorFunc(NULL, say_nothing);
	/* The encoding is given, so that the document cannot choose one. */
	x->doc = xmlReadMemory((const char *)text.data, (int)text.size, "rim.xml", "UTF-8",
		XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	if (!x->doc || x->doc->intSubset || x->doc->extSubset)
		return err_set(reterr, -EBADMSG, "not a well-formed XML document");
	x->root = xmlDocGetRootElement(x->doc);
	if (!x->root)
		return err_set(reterr, -EBADMSG, "XML document has no element");
	int r = find_signature(x, reterr);
	if (r < 0)
		return r;
	*ret = steal_ptr(x);
	return 0;
}

int xml_signed_verify(struct xml_signed *x, struct err *reterr)
{
	cleanup(pkey_free) struct pkey *key = NULL;

	if (!x->signature)
		return err_set(reterr, -EKEYREJECTED, "the document is not signed");
	if (x->cert_count == 0)
		return err_set(
			reterr, -EKEYREJECTED, "the signature names no certificate of its signer");
	if (cert_key(x->certs[0], &key) < 0)
		return err_set(reterr, -EOPNOTSUPP, "the signer's key has an unknown type");
	return xml_signature_check(x->doc, x->root, x->signature, key, reterr);
}
