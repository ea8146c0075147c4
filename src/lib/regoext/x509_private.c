/* SPDX-License-Identifier: Apache-2.0 */
/* Built-ins that read private keys: crypto.parse_private_keys, keys as JWK, key pairs. */
#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/enc.h"
#include "pem.h"
#include "x509_view.h"

#define KEYS_MAX 64

/* --- private keys --- */

static EVP_PKEY *key_from_der(struct slice type, struct slice der)
{
	const uint8_t *p = der.data;
	EVP_PKEY *k = NULL;
	if (slice_eq_str(type, "RSA PRIVATE KEY"))
		k = d2i_PrivateKey(EVP_PKEY_RSA, NULL, &p, (long)der.size);
	else if (slice_eq_str(type, "EC PRIVATE KEY"))
		k = d2i_PrivateKey(EVP_PKEY_EC, NULL, &p, (long)der.size);
	else
		k = d2i_AutoPrivateKey(NULL, &p, (long)der.size);
	ERR_clear_error();
	return k;
}

static bool is_private_key(struct slice type)
{
	return slice_eq_str(type, "RSA PRIVATE KEY") || slice_eq_str(type, "EC PRIVATE KEY") ||
	       slice_eq_str(type, "PRIVATE KEY");
}

/* All private keys of PEM text, or of base64 of it. Return: how many, -EBADMSG. */
static int read_keys(struct slice text, EVP_PKEY **ret)
{
	cleanup_with(buf_done) struct buf bytes = buf_init_secret(0), der = buf_init_secret(0);
	struct slice type;
	int n = 0;
	if (b64_decode_lenient(&bytes, text, B64_STD, NULL) == 0)
		text = buf_slice(&bytes);
	while (n < KEYS_MAX && pem_next(&text, &type, &der) == 0) {
		if (!is_private_key(type))
			continue;
		ret[n] = key_from_der(type, buf_slice(&der));
		if (ret[n]) {
			n++;
			continue;
		}
		while (n > 0)
			EVP_PKEY_free(ret[--n]);
		return -EBADMSG;
	}
	return n;
}

static void free_keys(EVP_PKEY **key, int count)
{
	for (int i = 0; i < count; i++)
		EVP_PKEY_free(key[i]);
}

static int parse_private_keys(struct rego_call *call, const val *arg, size_t count, val *ret)
{
	struct rego_eval *e = rego_call_eval(call);
	EVP_PKEY *key[KEYS_MAX];
	struct ext_list l = {0};
	if (rego_type(arg[0]) != REGO_STRING)
		return rego_call_type_error(call, 1, "string", arg[0]);
	if (rego_text(arg[0]).size == 0)
		return ext_return(ret, rego_make_null());
	int n = read_keys(rego_text(arg[0]), key);
	if (n < 0)
		return rego_call_fail(call, "asn1: syntax error: it is no private key");
	for (int i = 0; i < n; i++)
		ext_push(&l, view_private_key(e, key[i]));
	free_keys(key, n);
	val v = ext_array(&l, e);
	ext_list_done(&l);
	return ext_return(ret, v);
}

static int parse_rsa_private_key(struct rego_call *call, const val *arg, size_t count, val *ret)
{
	cleanup_with(buf_done) struct buf bytes = buf_init_secret(0);
	EVP_PKEY *key[KEYS_MAX];
	size_t bad = 0;
	if (rego_type(arg[0]) != REGO_STRING)
		return rego_call_type_error(call, 1, "string", arg[0]);
	struct slice text = rego_text(arg[0]);
	if (text.size == 0)
		return rego_call_fail(call, "input PEM data was empty");
	if (!pem_starts(text, "-----BEGIN")) {
		if (b64_decode_lenient(&bytes, text, B64_STD, &bad) < 0)
			return ext_bad_base64(call, bad);
		text = buf_slice(&bytes);
	}
	int n = read_keys(text, key);
	if (n < 0)
		return rego_call_fail(call, "asn1: syntax error: it is no private key");
	val v = n > 0 ? view_jwk(rego_call_eval(call), key[0]) : rego_make_null();
	free_keys(key, n);
	return ext_return(ret, v);
}

/* --- key pairs --- */

/* PEM as it is, or base64 of PEM or of DER. */
static int as_pem(struct slice text, struct buf *out, size_t *ret_bad)
{
	if (!pem_starts(text, "-----BEGIN "))
		return b64_decode_lenient(out, text, B64_STD, ret_bad);
	buf_put_slice(out, text);
	return buf_error(out);
}

static STACK_OF(X509) * pair_certs(struct slice s)
{
	cleanup_with(buf_done) struct buf der = {0}, one = {0};
	struct slice type;
	if (!pem_starts(s, "-----BEGIN "))
		return x509_certs(s);
	while (pem_next(&s, &type, &one) == 0)
		if (slice_eq_str(type, "CERTIFICATE"))
			buf_put_slice(&der, buf_slice(&one));
	return der.size ? x509_certs(buf_slice(&der)) : NULL;
}

static EVP_PKEY *pair_key(struct slice s)
{
	cleanup_with(buf_done) struct buf der = buf_init_secret(0);
	struct slice type;
	if (!pem_starts(s, "-----BEGIN"))
		return key_from_der(SLICE_EMPTY, s);
	while (pem_next(&s, &type, &der) == 0) {
		bool other = type.size > 12 && !is_private_key(type) &&
			     pem_starts(slice_cut(type, type.size - 12, 12), " PRIVATE KEY");
		if (is_private_key(type) || other)
			return key_from_der(other ? SLICE_EMPTY : type, buf_slice(&der));
	}
	return NULL;
}

static val view_pair(struct rego_call *call, const STACK_OF(X509) * certs, EVP_PKEY *key)
{
	struct rego_eval *e = rego_call_eval(call);
	struct ext_object o = {.e = e};
	struct ext_list raw = {0};
	for (int i = 0; i < sk_X509_num(certs); i++) {
		uint8_t *der = NULL;
		int n = i2d_X509(sk_X509_value(certs, i), &der);
		ext_push(&raw, n > 0 ? view_b64(e, slice_of(der, (size_t)n)) : NULL);
		OPENSSL_free(der);
	}
	ext_put(&o, "Certificate", ext_array(&raw, e));
	ext_list_done(&raw);
	ext_put(&o, "PrivateKey", view_private_key(e, key));
	ext_put(&o, "Leaf", view_certificate(e, sk_X509_value(certs, 0), false));
	ext_put(&o, "OCSPStaple", rego_make_null());
	ext_put(&o, "SignedCertificateTimestamps", rego_make_null());
	ext_put(&o, "SupportedSignatureAlgorithms", rego_make_null());
	return ext_object(&o);
}

static int make_pair(struct rego_call *call, const STACK_OF(X509) * certs, EVP_PKEY *key, val *ret)
{
	if (!certs || sk_X509_num(certs) == 0)
		return rego_call_fail(call, "x509: malformed certificate");
	if (!key)
		return rego_call_fail(call, "tls: failed to parse private key");
	EVP_PKEY *public = X509_get0_pubkey(sk_X509_value(certs, 0));
	if (!public || EVP_PKEY_get_base_id(public) != EVP_PKEY_get_base_id(key))
		return rego_call_fail(call, "tls: private key type does not match public key type");
	if (EVP_PKEY_eq(public, key) != 1)
		return rego_call_fail(call, "tls: private key does not match public key");
	return ext_return(ret, view_pair(call, certs, key));
}

static int parse_keypair(struct rego_call *call, const val *arg, size_t count, val *ret)
{
	cleanup_with(buf_done) struct buf cert = {0}, key = buf_init_secret(0);
	struct buf *const part[] = {&cert, &key};
	size_t bad = 0;
	for (unsigned i = 0; i < 2; i++)
		if (rego_type(arg[i]) != REGO_STRING)
			return rego_call_type_error(call, 1, "string", arg[i]);
	for (unsigned i = 0; i < 2; i++)
		if (as_pem(rego_text(arg[i]), part[i], &bad) < 0)
			return ext_bad_base64(call, bad);
	STACK_OF(X509) *certs = pair_certs(buf_slice(&cert));
	EVP_PKEY *k = pair_key(buf_slice(&key));
	int r = make_pair(call, certs, k, ret);
	x509_certs_free(certs);
	EVP_PKEY_free(k);
	ERR_clear_error();
	return r;
}

const struct rego_builtin ext_private_list[] = {
	{"crypto.x509.parse_keypair", 2, parse_keypair},
	{"crypto.x509.parse_rsa_private_key", 1, parse_rsa_private_key},
	{"crypto.parse_private_keys", 1, parse_private_keys},
};
const size_t ext_private_count = ARRAY_COUNT(ext_private_list);
