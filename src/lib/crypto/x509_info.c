/* SPDX-License-Identifier: Apache-2.0 */
/* What a certificate says, and whether another one issued it. */
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/str.h"
#include "crypto/x509.h"
#include "crypto/x509_internal.h"

int x509_time(const ASN1_TIME *t, int64_t *ret)
{
	struct tm tm = {0};

	if (!t || ASN1_TIME_to_tm(t, &tm) != 1)
		return -EBADMSG;
	*ret = (int64_t)timegm(&tm);
	return 0;
}

int cert_validity(const struct cert *c, int64_t *ret_from, int64_t *ret_until)
{
	int64_t from = 0, until = 0;
	int r = x509_time(X509_get0_notBefore(c->x), &from);
	if (r == 0)
		r = x509_time(X509_get0_notAfter(c->x), &until);
	ERR_clear_error();
	if (r < 0)
		return r;
	*ret_from = from;
	*ret_until = until;
	return 0;
}

int cert_extension(const struct cert *c, const char *oid, struct slice *ret)
{
	ASN1_OBJECT *o = OBJ_txt2obj(oid, 1);
	if (!o) {
		ERR_clear_error();
		return -EINVAL;
	}
	int at = X509_get_ext_by_OBJ(c->x, o, -1);
	int again = at >= 0 ? X509_get_ext_by_OBJ(c->x, o, at) : -1;
	ASN1_OBJECT_free(o);
	if (at < 0)
		return -ENOENT;
	if (again >= 0)
		return -EBADMSG;
	const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(X509_get_ext(c->x, at));
	*ret = slice_of(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
	return 0;
}

int cert_common_name(const struct cert *c, char *dst, size_t size)
{
	const X509_NAME *name = X509_get_subject_name(c->x);
	int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	if (at < 0)
		return -ENOENT;
	if (X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0)
		return -EBADMSG;
	unsigned char *text = NULL;
	int n = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	int r = n < 0 ? -EBADMSG : 0;
	/* A NUL inside would let the rest of the name hide. */
	if (r == 0 && n > 0 && memchr(text, 0, (size_t)n))
		r = -EBADMSG;
	if (r == 0 && (size_t)n >= size)
		r = -E2BIG;
	if (r == 0)
		snprintf(dst, size, "%.*s", n, (const char *)text);
	OPENSSL_free(text);
	ERR_clear_error();
	return r;
}

int cert_serial_hex(const struct cert *c, char *dst, size_t size)
{
	BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(c->x), NULL);
	char *text = n ? BN_bn2hex(n) : NULL;
	const char *from = text;

	while (from && from[0] == '0' && from[1] != 0)
		from++;
	int r = from ? str_copy(dst, size, from) : -ENOMEM;
	for (char *c2 = dst; r == 0 && *c2; c2++)
		*c2 = (char)(*c2 >= 'A' && *c2 <= 'F' ? *c2 + ('a' - 'A') : *c2);
	OPENSSL_free(text);
	BN_free(n);
	ERR_clear_error();
	return r;
}

int cert_serial_decimal(const struct cert *c, char *dst, size_t size)
{
	BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(c->x), NULL);
	char *text = n ? BN_bn2dec(n) : NULL;
	int r = text ? str_copy(dst, size, text) : -ENOMEM;

	OPENSSL_free(text);
	BN_free(n);
	ERR_clear_error();
	return r;
}

int cert_spki_digest(const struct cert *c, enum hash_alg alg, struct digest *ret)
{
	uint8_t *der = NULL;
	int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(c->x), &der);
	int r = size > 0 ? hash_once(alg, slice_of(der, (size_t)size), ret) : -EIO;
	OPENSSL_free(der);
	return r;
}

bool cert_is_self_issued(const struct cert *c)
{
	return X509_NAME_cmp(X509_get_subject_name(c->x), X509_get_issuer_name(c->x)) == 0;
}

static int unusable(const struct cert *c, struct err *reterr)
{
	char name[256];
	uint32_t flags = X509_get_extension_flags(c->x);
	if (flags & EXFLAG_INVALID)
		return err_set(reterr, -EKEYREJECTED, "certificate %s has malformed extensions",
			cert_subject(c, name, sizeof(name)));
	/* OpenSSL sets the flag for each critical extension that it does not know. */
	if (flags & EXFLAG_CRITICAL)
		return err_set(reterr, -EKEYREJECTED,
			"certificate %s has a critical extension that is not understood",
			cert_subject(c, name, sizeof(name)));
	return 0;
}

int cert_check_issued(
	const struct cert *c, const struct cert *issuer, unsigned below, struct err *reterr)
{
	char name[256], by[256];

	cert_subject(c, name, sizeof(name));
	cert_subject(issuer, by, sizeof(by));
	int r = unusable(c, reterr);
	if (r == 0)
		r = unusable(issuer, reterr);
	if (r < 0)
		return r;
	int reason = X509_check_issued(issuer->x, c->x);
	if (reason != X509_V_OK)
		return err_set(reterr, -EKEYREJECTED, "certificate %s was not issued by %s: %s",
			name, by, X509_verify_cert_error_string(reason));
	if (X509_check_ca(issuer->x) != 1 || !(X509_get_key_usage(issuer->x) & KU_KEY_CERT_SIGN))
		return err_set(reterr, -EKEYREJECTED, "certificate %s is not a CA", by);
	long length = X509_get_pathlen(issuer->x);
	if (length >= 0 && (unsigned long)length < below)
		return err_set(reterr, -EKEYREJECTED, "certificate %s allows only %ld CAs below it",
			by, length);
	if (X509_verify(c->x, X509_get0_pubkey(issuer->x)) != 1) {
		ERR_clear_error();
		return err_set(reterr, -EKEYREJECTED,
			"the signature of certificate %s is not by the key of %s", name, by);
	}
	return 0;
}

bool cert_may_sign(const struct cert *c)
{
	return X509_check_ca(c->x) == 0 && (X509_get_key_usage(c->x) & KU_DIGITAL_SIGNATURE) != 0;
}

bool cert_signs_code(const struct cert *c)
{
	uint32_t usage = X509_get_extended_key_usage(c->x);
	return (X509_get_extension_flags(c->x) & EXFLAG_XKUSAGE) && (usage & XKU_CODE_SIGN);
}

int cert_alt_name(const struct cert *c, char *dst, size_t size)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(c->x, NID_subject_alt_name, NULL, NULL);
	int r = -ENOENT;

	ERR_clear_error();
	if (sk_GENERAL_NAME_num(names) == 1) {
		const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, 0);
		const ASN1_IA5STRING *text = n->type == GEN_EMAIL ? n->d.rfc822Name
					     : n->type == GEN_URI ? n->d.uniformResourceIdentifier
								  : NULL;
		if (text)
			r = str_copy_slice(dst, size,
				slice_of(ASN1_STRING_get0_data(text),
					(size_t)ASN1_STRING_length(text)));
	}
	GENERAL_NAMES_free(names);
	return r;
}
