/* SPDX-License-Identifier: Apache-2.0 */
/* crypto.x509.* and crypto.parse_private_keys */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <stdlib.h>

#include "base/enc.h"
#include "base/secret.h"
#include "base/str.h"
#include "pem.h"
#include "x509_view.h"

#define CERTS_MAX 256

bool pem_starts(struct slice s, const char *what)
{
	size_t n = strlen(what);
	return s.size >= n && memcmp(s.data, what, n) == 0;
}

int ext_bad_base64(struct rego_call *call, size_t at)
{
	return rego_call_fail(call, "illegal base64 data at input byte %zu", at);
}

/* --- reading certificates --- */

void x509_certs_free(STACK_OF(X509) * list)
{
	sk_X509_pop_free(list, X509_free);
}

/* Concatenated DER to a stack; NULL when any of it is no certificate. */
STACK_OF(X509) * x509_certs(struct slice s)
{
	STACK_OF(X509) *list = sk_X509_new_null();
	while (list && s.size > 0) {
		const uint8_t *p = s.data;
		X509 *c = sk_X509_num(list) < CERTS_MAX ? d2i_X509(NULL, &p, (long)s.size) : NULL;
		if (!c || !sk_X509_push(list, c)) {
			X509_free(c);
			x509_certs_free(list);
			ERR_clear_error();
			return NULL;
		}
		s = (struct slice){p, s.size - (size_t)(p - s.data)};
	}
	return list;
}

/* The bytes of all CERTIFICATE blocks. Return: 0, -EBADMSG. */
static int pem_certs(struct slice text, struct buf *der, struct err *e)
{
	cleanup_with(buf_done) struct buf one = {0};
	struct slice type;
	while (pem_next(&text, &type, &one) == 0) {
		if (!slice_eq_str(type, "CERTIFICATE"))
			return err_set(e, -EBADMSG,
				"PEM block type is '%.*s', expected CERTIFICATE",
				(int)MIN(type.size, (size_t)64), type.data);
		buf_put_slice(der, buf_slice(&one));
	}
	return buf_error(der);
}

/* PEM, or base64 of PEM or of DER. NULL with the reason in @e. */
static STACK_OF(X509) * read_certs(struct slice text, struct err *e)
{
	cleanup_with(buf_done) struct buf bytes = {0}, der = {0};
	size_t bad = 0;
	struct slice pem = text;
	if (!pem_starts(text, "-----BEGIN")) {
		if (b64_decode_lenient(&bytes, text, B64_STD, &bad) < 0) {
			err_set(e, -EBADMSG, "illegal base64 data at input byte %zu", bad);
			return NULL;
		}
		pem = buf_slice(&bytes);
	}
	struct slice all = pem;
	if (pem_starts(pem, "-----BEGIN")) {
		if (pem_certs(pem, &der, e) < 0)
			return NULL;
		all = buf_slice(&der);
	}
	STACK_OF(X509) *list = x509_certs(all);
	if (!list)
		err_set(e, -EBADMSG, "x509: malformed certificate");
	return list;
}

static val view_list(struct rego_call *call, const STACK_OF(X509) * certs, bool uri_strings)
{
	struct rego_eval *e = rego_call_eval(call);
	struct ext_list l = {0};
	for (int i = 0; i < sk_X509_num(certs); i++)
		ext_push(&l, view_certificate(e, sk_X509_value(certs, i), uri_strings));
	val v = ext_array(&l, e);
	ext_list_done(&l);
	return v;
}

static int parse_certificates(struct rego_call *call, const val *arg, size_t count, val *ret)
{
	struct err e = {0};
	if (rego_type(arg[0]) != REGO_STRING)
		return rego_call_type_error(call, 1, "string", arg[0]);
	STACK_OF(X509) *certs = read_certs(rego_text(arg[0]), &e);
	if (!certs)
		return rego_call_fail(call, "%s", err_text(&e, 0));
	int r = ext_return(ret, view_list(call, certs, true));
	x509_certs_free(certs);
	return r;
}

/* --- verification --- */

struct options {
	int64_t at_s;
	char dns_name[256];
	int usage[16]; /* any of these will do */
	size_t usage_count;
	bool any_usage;
};

static bool cert_allows(X509 *c, int usage)
{
	int critical;
	EXTENDED_KEY_USAGE *eku = X509_get_ext_d2i(c, NID_ext_key_usage, &critical, NULL);
	if (!eku)
		return critical == -1; /* absent: everything; malformed: nothing */
	bool allowed = false;
	for (int i = 0; i < sk_ASN1_OBJECT_num(eku) && !allowed; i++) {
		int code = view_key_usage_code(sk_ASN1_OBJECT_value(eku, i));
		allowed = code == 0 || code == usage;
	}
	EXTENDED_KEY_USAGE_free(eku);
	return allowed;
}

/* Usages nest: each certificate of the chain must allow the one that is wanted. */
static bool chain_allows(const STACK_OF(X509) * chain, const struct options *o)
{
	if (o->any_usage)
		return true;
	for (size_t u = 0; u < o->usage_count; u++) {
		bool all = true;
		for (int i = 0; i < sk_X509_num(chain) && all; i++)
			all = cert_allows(sk_X509_value(chain, i), o->usage[u]);
		if (all)
			return true;
	}
	return false;
}

static bool prepare(X509_STORE_CTX *ctx, X509_STORE *store, X509 *leaf, STACK_OF(X509) * between,
	const struct options *o)
{
	if (X509_STORE_CTX_init(ctx, store, leaf, between) != 1)
		return false;
	X509_VERIFY_PARAM *p = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_time(p, o->at_s);
	X509_VERIFY_PARAM_set_auth_level(p, 1); /* no SHA-1, no RSA below 1024 bits */
	X509_VERIFY_PARAM_set_hostflags(
		p, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (X509_VERIFY_PARAM_set_flags(p, X509_V_FLAG_PARTIAL_CHAIN) != 1)
		return false;
	return !o->dns_name[0] ||
	       X509_VERIFY_PARAM_set1_host(p, o->dns_name, strlen(o->dns_name)) == 1;
}

/* The first certificate is the root, the last the leaf. Return: the chain, leaf first, or NULL. */
static STACK_OF(X509) * verify_chain(STACK_OF(X509) * certs, const struct options *o)
{
	int n = sk_X509_num(certs);
	STACK_OF(X509) *between = sk_X509_new_null(), *chain = NULL;
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	bool ok = n >= 2 && between && store && ctx &&
		  X509_STORE_add_cert(store, sk_X509_value(certs, 0)) == 1;
	for (int i = 1; ok && i < n - 1; i++)
		ok = sk_X509_push(between, sk_X509_value(certs, i)) > 0;
	if (ok && prepare(ctx, store, sk_X509_value(certs, n - 1), between, o) &&
		X509_verify_cert(ctx) == 1)
		chain = X509_STORE_CTX_get1_chain(ctx);
	if (chain && !chain_allows(chain, o)) {
		x509_certs_free(chain);
		chain = NULL;
	}
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	sk_X509_free(between);
	ERR_clear_error();
	return chain;
}

static int verify(
	struct rego_call *call, val text, const struct options *o, bool uri_strings, val *ret)
{
	struct rego_eval *e = rego_call_eval(call);
	struct err err = {0};
	STACK_OF(X509) *certs = read_certs(rego_text(text), &err);
	STACK_OF(X509) *chain = certs ? verify_chain(certs, o) : NULL;
	val item[] = {rego_make_bool(chain),
		chain ? view_list(call, chain, uri_strings) : rego_make_array(e, NULL, 0)};
	x509_certs_free(certs);
	x509_certs_free(chain);
	return ext_return(ret, rego_make_array(e, item, 2));
}

static struct options default_options(struct rego_call *call)
{
	return (struct options){
		.at_s = rego_call_now_ns(call) / 1000000000, .usage = {1}, .usage_count = 1};
}

static int parse_and_verify(struct rego_call *call, const val *arg, size_t count, val *ret)
{
	if (rego_type(arg[0]) != REGO_STRING)
		return rego_call_type_error(call, 1, "string", arg[0]);
	struct options o = default_options(call);
	return verify(call, arg[0], &o, true, ret);
}

static struct slice without_quotes(struct slice s)
{
	while (s.size && s.data[0] == '"')
		s = slice_cut(s, 1, s.size - 1);
	while (s.size && s.data[s.size - 1] == '"')
		s.size--;
	return s;
}

/* NULL, or what is wrong. */
static const char *set_usages(val v, struct options *o, struct buf *invalid)
{
	static const char *const names[] = {"KeyUsageAny", "KeyUsageServerAuth",
		"KeyUsageClientAuth", "KeyUsageCodeSigning", "KeyUsageEmailProtection",
		"KeyUsageIPSECEndSystem", "KeyUsageIPSECTunnel", "KeyUsageIPSECUser",
		"KeyUsageTimeStamping", "KeyUsageOCSPSigning", "KeyUsageMicrosoftServerGatedCrypto",
		"KeyUsageNetscapeServerGatedCrypto", "KeyUsageMicrosoftCommercialCodeSigning",
		"KeyUsageMicrosoftKernelCodeSigning"};
	if (rego_type(v) != REGO_ARRAY && rego_type(v) != REGO_SET)
		return "'KeyUsages' should be an Array or Set";
	size_t used = 0;
	for (size_t i = 0; i < rego_count(v); i++) {
		if (!ext_is(rego_item(v, i), REGO_STRING))
			continue;
		struct slice name = without_quotes(rego_text(rego_item(v, i)));
		size_t code = 0;
		while (code < ARRAY_COUNT(names) && !slice_eq_str(name, names[code]))
			code++;
		if (code == ARRAY_COUNT(names)) {
			buf_put_str(invalid, invalid->size ? " " : "");
			buf_put_slice(invalid, name);
		} else if (used < ARRAY_COUNT(o->usage)) {
			o->any_usage |= code == 0;
			o->usage[used++] = (int)code;
		}
	}
	if (used > 0)
		o->usage_count = used;
	return NULL;
}

static const char *set_option(struct slice key, val v, struct options *o, struct buf *invalid)
{
	int64_t n;
	bool is_int = ext_int(v, &n);
	if (slice_eq_str(key, "DNSName")) {
		struct slice name = without_quotes(rego_text(v));
		if (rego_type(v) != REGO_STRING)
			return "'DNSName' should be a string";
		if (name.size >= sizeof(o->dns_name) || memchr(name.data, '\0', name.size))
			return "'DNSName' is no name of a host";
		memcpy(o->dns_name, name.data, name.size);
		return NULL;
	}
	if (slice_eq_str(key, "CurrentTime")) {
		if (rego_type(v) != REGO_NUMBER)
			return "'CurrentTime' should be a number";
		if (!is_int)
			return "'CurrentTime' should be a valid int64 number";
		o->at_s = n / 1000000000 - (n % 1000000000 < 0);
		return NULL;
	}
	if (slice_eq_str(key, "MaxConstraintComparisons")) {
		if (rego_type(v) != REGO_NUMBER)
			return "'MaxConstraintComparisons' should be a number";
		return is_int ? NULL : "'MaxConstraintComparisons' should be a valid number";
	}
	if (slice_eq_str(key, "KeyUsages"))
		return set_usages(v, o, invalid);
	return "invalid key option";
}

static int parse_and_verify_with_options(
	struct rego_call *call, const val *arg, size_t count, val *ret)
{
	struct err e = {0};
	cleanup_with(buf_done) struct buf invalid = {0};
	if (rego_type(arg[0]) != REGO_STRING)
		return rego_call_type_error(call, 1, "string", arg[0]);
	if (rego_type(arg[1]) != REGO_OBJECT)
		return rego_call_type_error(call, 2, "object", arg[1]);
	struct options o = default_options(call);
	/* Certificates that are none are not valid, whatever the options say. */
	STACK_OF(X509) *certs = read_certs(rego_text(arg[0]), &e);
	bool readable = certs;
	x509_certs_free(certs);
	for (size_t i = 0; readable && i < rego_count(arg[1]); i++) {
		if (!ext_is(rego_key(arg[1], i), REGO_STRING))
			continue;
		const char *why = set_option(
			rego_text(rego_key(arg[1], i)), rego_item(arg[1], i), &o, &invalid);
		if (why)
			return rego_call_fail(call, "%s", why);
		if (invalid.size)
			return rego_call_fail(call, "invalid entries for 'KeyUsages' found: [%s]",
				buf_str(&invalid));
	}
	return verify(call, arg[0], &o, false, ret);
}

/* --- requests --- */

static int parse_request(struct rego_call *call, const val *arg, size_t count, val *ret)
{
	static const char begin[] = "-----BEGIN CERTIFICATE REQUEST-----";
	cleanup_with(buf_done) struct buf bytes = {0}, der = {0};
	size_t bad = 0;
	if (rego_type(arg[0]) != REGO_STRING)
		return rego_call_type_error(call, 1, "string", arg[0]);
	struct slice text = rego_text(arg[0]), type;
	if (!pem_starts(text, begin)) {
		if (b64_decode_lenient(&bytes, text, B64_STD, &bad) < 0)
			return ext_bad_base64(call, bad);
		text = buf_slice(&bytes);
	}
	struct slice rest = text;
	if (pem_next(&rest, &type, &der) == 0) {
		if (!slice_eq_str(type, "CERTIFICATE REQUEST"))
			return rego_call_fail(
				call, "invalid PEM-encoded certificate signing request");
		text = buf_slice(&der);
	}
	const uint8_t *p = text.data;
	X509_REQ *r = d2i_X509_REQ(NULL, &p, (long)text.size);
	if (!r || p != text.data + text.size) {
		X509_REQ_free(r);
		ERR_clear_error();
		return rego_call_fail(call, "asn1: structure error: it is no certificate request");
	}
	int result = ext_return(ret, view_request(rego_call_eval(call), r));
	X509_REQ_free(r);
	return result;
}

const struct rego_builtin ext_x509_list[] = {
	{"crypto.x509.parse_certificates", 1, parse_certificates},
	{"crypto.x509.parse_and_verify_certificates", 1, parse_and_verify},
	{"crypto.x509.parse_and_verify_certificates_with_options", 2,
		parse_and_verify_with_options},
	{"crypto.x509.parse_certificate_request", 1, parse_request},
};
const size_t ext_x509_count = ARRAY_COUNT(ext_x509_list);
