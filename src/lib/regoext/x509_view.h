/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Certificates, requests and keys as values: the members that Go's crypto/x509 structures have in
 * JSON, which is how OPA shows them. Nothing here checks a signature.
 */
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "ext.h"

/* All return NULL when memory runs out. */
val view_certificate(struct rego_eval *e, X509 *c, bool uri_strings);
val view_request(struct rego_eval *e, X509_REQ *r);
/* The members of a private key as Go has them, and as a JWK (RFC 7517). NULL: another kind. */
val view_private_key(struct rego_eval *e, EVP_PKEY *k);
val view_jwk(struct rego_eval *e, EVP_PKEY *k);

/* x509.c: certificates in DER, one behind the other; NULL when there is none, or another thing */
STACK_OF(X509) * x509_certs(struct slice der);
void x509_certs_free(STACK_OF(X509) * list);
bool pem_starts(struct slice text, const char *what);
int ext_bad_base64(struct rego_call *call, size_t at);

/* x509_names.c */
val view_name(struct rego_eval *e, const X509_NAME *name);
val view_oid(struct rego_eval *e, const ASN1_OBJECT *o);
val view_b64(struct rego_eval *e, struct slice bytes);
val view_ip(struct rego_eval *e, const uint8_t *bytes, size_t size);
/* Alternative names: DNSNames, EmailAddresses, IPAddresses, URIs (and URIStrings). */
void view_alt_names(struct ext_object *o, const GENERAL_NAMES *names, bool uri_strings);
/* x509_ext.c: what the extensions of a certificate say */
void view_extensions(struct ext_object *o, X509 *c);
val view_extension_list(struct rego_eval *e, const STACK_OF(X509_EXTENSION) * list);
/* Codes of extended key usages; -1 when unknown. */
int view_key_usage_code(const ASN1_OBJECT *o);
/* x509_keys.c */
val view_public_key(struct rego_eval *e, EVP_PKEY *k, int *ret_algorithm);
/* Go's number of a signature algorithm; the digest counts for RSA-PSS only. */
int view_signature_algorithm(int nid, int digest_nid);
