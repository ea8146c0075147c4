/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * XML documents with one enveloped signature (W3C XML Signature 1.1) over the whole document: what
 * NVIDIA's reference integrity manifests are. libxml2 parses and canonicalizes; keys, digests and
 * signatures are ours (docs/decisions/0007-xml-signatures.md).
 *
 * Only this shape is verified: the signature is a child of the document element; its one reference
 * names that element ("" or its id), with the transforms enveloped-signature and then a
 * canonicalization. So what was verified is the element that is read, and wrapping finds no room.
 * Documents with a document type declaration are refused unread: nothing is expanded or fetched.
 */
#include <libxml/tree.h>

#include "crypto/x509.h"

#define XML_SIZE_MAX ((size_t)4 << 20)
#define XML_CERTS_MAX 8

struct xml_signed;
/**
 * xml_signed_parse() - parse a document; its signature, when it has one, is read but not verified
 * Return: 0; -EBADMSG (malformed XML, certificate or signature element), -EOPNOTSUPP (document type
 * declaration, another algorithm or shape of signature), -E2BIG, -ENOMEM.
 */
must_check int xml_signed_parse(struct slice text, struct xml_signed **ret, struct err *reterr);
void xml_signed_free(struct xml_signed *x);
DEFINE_CLEANUP(struct xml_signed *, xml_signed_free);
/** xml_signed_root() - the document element; lives as long as @x */
const xmlNode *xml_signed_root(const struct xml_signed *x);
/** xml_signed_certs() - certificates of KeyInfo in their order, borrowed; the first is the signer's
 */
struct cert *const *xml_signed_certs(const struct xml_signed *x, size_t *ret_count);
/**
 * xml_signed_verify() - digest and signature under the first certificate's key; whether that key is
 * trusted is for the caller
 * Return: 0, -EKEYREJECTED (also when there is no signature), -EOPNOTSUPP, -ENOMEM, -EIO.
 */
must_check int xml_signed_verify(struct xml_signed *x, struct err *reterr);

/** xml_is() - @node is the element @name of namespace @ns */
bool xml_is(const xmlNode *node, const char *ns, const char *name);
/** xml_child() - the first child element @name of namespace @ns; NULL when there is none */
const xmlNode *xml_child(const xmlNode *parent, const char *ns, const char *name);
/** xml_next() - the next sibling element, whatever its name; NULL at the end */
const xmlNode *xml_next(const xmlNode *node);
/**
 * xml_attr() - attribute @name of @node, of namespace @ns or of none when @ns is NULL
 * Return: its text, borrowed; NULL when it is absent or not plain text.
 */
const char *xml_attr(const xmlNode *node, const char *ns, const char *name);
