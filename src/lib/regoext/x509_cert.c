/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include <openssl/bn.h>
#include <openssl/x509v3.h>

#include "base/enc.h"
#include "x509_view.h"

static val der(struct rego_eval *e, uint8_t *bytes, int size)
{
	val v = size > 0 ? view_b64(e, slice_of(bytes, (size_t)size)) : NULL;
	OPENSSL_free(bytes);
	return v;
}

#define DER(e, encode, object)                       \
	({                                           \
		uint8_t *bytes_ = NULL;              \
		int size_ = encode(object, &bytes_); \
		der(e, bytes_, size_);               \
	})

static val bits(struct rego_eval *e, const ASN1_BIT_STRING *s)
{
	return view_b64(e, slice_of(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s)));
}

static val moment(struct rego_eval *e, const ASN1_TIME *t)
{
	struct tm tm;
	char text[32];
	if (!ASN1_TIME_to_tm(t, &tm) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
		return rego_make_null();
	return rego_make_string(e, slice_str(text));
}

static val serial(struct rego_eval *e, const ASN1_INTEGER *n)
{
	BIGNUM *number = ASN1_INTEGER_to_BN(n, NULL);
	char *text = number ? BN_bn2dec(number) : NULL;
	val v = text ? rego_make_number(e, slice_str(text)) : NULL;
	OPENSSL_free(text);
	BN_free(number);
	return v;
}

static void put_key(struct ext_object *o, X509_PUBKEY *spki)
{
	int algorithm;
	ext_put(o, "PublicKey", view_public_key(o->e, X509_PUBKEY_get0(spki), &algorithm));
	ext_put_int(o, "PublicKeyAlgorithm", algorithm);
	ext_put(o, "RawSubjectPublicKeyInfo", DER(o->e, i2d_X509_PUBKEY, spki));
}

val view_certificate(struct rego_eval *e, X509 *c, bool uri_strings)
{
	struct ext_object o = {.e = e};
	const ASN1_BIT_STRING *signature;
	const X509_ALGOR *algorithm;
	const ASN1_OBJECT *object;
	int digest = 0;
	X509_get0_signature(&signature, &algorithm, c);
	X509_ALGOR_get0(&object, NULL, NULL, algorithm);
	X509_get_signature_info(c, &digest, NULL, NULL, NULL);
	ext_put(&o, "Raw", DER(e, i2d_X509, c));
	ext_put(&o, "RawTBSCertificate", DER(e, i2d_re_X509_tbs, c));
	put_key(&o, X509_get_X509_PUBKEY(c));
	ext_put(&o, "RawSubject", DER(e, i2d_X509_NAME, X509_get_subject_name(c)));
	ext_put(&o, "RawIssuer", DER(e, i2d_X509_NAME, X509_get_issuer_name(c)));
	ext_put(&o, "Signature", bits(e, signature));
	ext_put_int(
		&o, "SignatureAlgorithm", view_signature_algorithm(OBJ_obj2nid(object), digest));
	ext_put_int(&o, "Version", X509_get_version(c) + 1);
	ext_put(&o, "SerialNumber", serial(e, X509_get0_serialNumber(c)));
	ext_put(&o, "Issuer", view_name(e, X509_get_issuer_name(c)));
	ext_put(&o, "Subject", view_name(e, X509_get_subject_name(c)));
	ext_put(&o, "NotBefore", moment(e, X509_get0_notBefore(c)));
	ext_put(&o, "NotAfter", moment(e, X509_get0_notAfter(c)));
	ext_put(&o, "Extensions", view_extension_list(e, X509_get0_extensions(c)));
	ext_put(&o, "ExtraExtensions", rego_make_null());
	GENERAL_NAMES *names = X509_get_ext_d2i(c, NID_subject_alt_name, NULL, NULL);
	view_alt_names(&o, names, uri_strings);
	GENERAL_NAMES_free(names);
	view_extensions(&o, c);
	return ext_object(&o);
}

/* The extensions of a request as they are in its attributes: type and value only. */
static val attribute_value(struct rego_eval *e, const STACK_OF(X509_EXTENSION) * list)
{
	struct ext_list l = {0};
	for (int i = 0; i < sk_X509_EXTENSION_num(list); i++) {
		X509_EXTENSION *x = sk_X509_EXTENSION_value(list, i);
		const ASN1_OCTET_STRING *data = X509_EXTENSION_get_data(x);
		struct ext_object o = {.e = e};
		/* Go's structure cannot hold the flag of a critical extension. */
		if (X509_EXTENSION_get_critical(x) > 0)
			continue;
		ext_put(&o, "Type", view_oid(e, X509_EXTENSION_get_object(x)));
		ext_put(&o, "Value",
			view_b64(e, slice_of(ASN1_STRING_get0_data(data),
					    (size_t)ASN1_STRING_length(data))));
		ext_push(&l, ext_object(&o));
	}
	val inner = ext_array(&l, e);
	ext_list_done(&l);
	return inner ? rego_make_array(e, &inner, 1) : NULL;
}

static val attributes(struct rego_eval *e, X509_REQ *r, const STACK_OF(X509_EXTENSION) * list)
{
	int at = X509_REQ_get_attr_by_NID(r, NID_ext_req, -1);
	struct ext_object o = {.e = e};
	if (at < 0 || sk_X509_EXTENSION_num(list) <= 0)
		return X509_REQ_get_attr_count(r) > 0 ? rego_make_array(e, NULL, 0)
						      : rego_make_null();
	ext_put(&o, "Type", view_oid(e, X509_ATTRIBUTE_get0_object(X509_REQ_get_attr(r, at))));
	ext_put(&o, "Value", attribute_value(e, list));
	val one = ext_object(&o);
	return one ? rego_make_array(e, &one, 1) : NULL;
}

val view_request(struct rego_eval *e, X509_REQ *r)
{
	struct ext_object o = {.e = e};
	const ASN1_BIT_STRING *signature;
	const X509_ALGOR *algorithm;
	const ASN1_OBJECT *object;
	X509_REQ_get0_signature(r, &signature, &algorithm);
	X509_ALGOR_get0(&object, NULL, NULL, algorithm);
	STACK_OF(X509_EXTENSION) *list = X509_REQ_get_extensions(r);
	ext_put(&o, "Raw", DER(e, i2d_X509_REQ, r));
	ext_put(&o, "RawTBSCertificateRequest", DER(e, i2d_re_X509_REQ_tbs, r));
	put_key(&o, X509_REQ_get_X509_PUBKEY(r));
	ext_put(&o, "RawSubject", DER(e, i2d_X509_NAME, X509_REQ_get_subject_name(r)));
	ext_put(&o, "Signature", bits(e, signature));
	ext_put_int(&o, "SignatureAlgorithm", view_signature_algorithm(OBJ_obj2nid(object), 0));
	ext_put_int(&o, "Version", X509_REQ_get_version(r));
	ext_put(&o, "Subject", view_name(e, X509_REQ_get_subject_name(r)));
	ext_put(&o, "Attributes", attributes(e, r, list));
	ext_put(&o, "Extensions", view_extension_list(e, list));
	ext_put(&o, "ExtraExtensions", rego_make_null());
	GENERAL_NAMES *names = X509V3_get_d2i(list, NID_subject_alt_name, NULL, NULL);
	view_alt_names(&o, names, false);
	GENERAL_NAMES_free(names);
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
	return ext_object(&o);
}
