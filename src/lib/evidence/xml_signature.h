/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files of the XML module share. */
#include "evidence/xml_signed.h"

#define XML_DSIG_NS "http://www.w3.org/2000/09/xmldsig#"

/** xml_b64() - base64 text with white space, appended. Return: 0, -EBADMSG, -E2BIG, -ENOMEM. */
must_check int xml_b64(const xmlNode *node, struct buf *out);
/** xml_signature_check() - @signature, child of @root, over @root by @key. Takes @signature out of
 * the document for the digest and puts it back. Return: as xml_signed_verify(). */
must_check int xml_signature_check(
	xmlDoc *doc, xmlNode *root, xmlNode *signature, const struct pkey *key, struct err *reterr);
