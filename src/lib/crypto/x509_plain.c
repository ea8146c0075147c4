/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/x509_plain.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/str.h"
#include "crypto/x509_internal.h"

static int name_part(const X509_NAME *name, const char *short_name, char dst[X509_NAME_PART_SIZE])
{
	unsigned char *text = NULL;
	int nid = OBJ_sn2nid(short_name);

	int at = X509_NAME_get_index_by_NID(name, nid, -1);
	if (at < 0)
		return -ENOENT;
	if (X509_NAME_get_index_by_NID(name, nid, at) >= 0)
		return -EBADMSG;
	int n = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	int r = n < 0 ? -EBADMSG
		      : str_copy_slice(dst, X509_NAME_PART_SIZE, slice_of(text, (size_t)n));
	OPENSSL_free(text);
	ERR_clear_error();
	return r;
}

static const X509_NAME *name_of(const struct cert *c, enum x509_name_side side)
{
	return side == X509_SUBJECT ? X509_get_subject_name(c->x) : X509_get_issuer_name(c->x);
}

int cert_name_part(const struct cert *c, enum x509_name_side side, const char *short_name,
	char dst[X509_NAME_PART_SIZE])
{
	return name_part(name_of(c, side), short_name, dst);
}

size_t cert_name_count(const struct cert *c, enum x509_name_side side)
{
	return (size_t)X509_NAME_entry_count(name_of(c, side));
}

int crl_issuer_part(const struct crl *c, const char *short_name, char dst[X509_NAME_PART_SIZE])
{
	return name_part(X509_CRL_get_issuer(c->x), short_name, dst);
}

size_t crl_issuer_count(const struct crl *c)
{
	return (size_t)X509_NAME_entry_count(X509_CRL_get_issuer(c->x));
}

static int check_key_id(AUTHORITY_KEYID *id, const struct cert *signer, struct err *reterr)
{
	int reason = id ? X509_check_akid(signer->x, id) : X509_V_OK;

	AUTHORITY_KEYID_free(id);
	ERR_clear_error();
	return reason == X509_V_OK ? 0
				   : err_set(reterr, -EKEYREJECTED,
					     "its authority key identifier is another's: %s",
					     X509_verify_cert_error_string(reason));
}

static bool is_understood(const struct cert *c)
{
	return !(X509_get_extension_flags(c->x) & (EXFLAG_INVALID | EXFLAG_CRITICAL));
}

int cert_signed_by(const struct cert *c, const struct cert *signer, struct err *reterr)
{
	if (!is_understood(c) || !is_understood(signer))
		return err_set(reterr, -EKEYREJECTED,
			"an extension is malformed, or critical and not understood");
	int r = check_key_id(
		X509_get_ext_d2i(c->x, NID_authority_key_identifier, NULL, NULL), signer, reterr);
	if (r == 0 && X509_verify(c->x, X509_get0_pubkey(signer->x)) != 1)
		r = err_set(reterr, -EKEYREJECTED, "the signature is not by the key of the signer");
	ERR_clear_error();
	return r;
}

int crl_signed_by(const struct crl *c, const struct cert *signer, struct err *reterr)
{
	int r = check_key_id(X509_CRL_get_ext_d2i(c->x, NID_authority_key_identifier, NULL, NULL),
		signer, reterr);
	if (r == 0 && X509_CRL_verify(c->x, X509_get0_pubkey(signer->x)) != 1)
		r = err_set(reterr, -EKEYREJECTED, "the signature is not by the key of the signer");
	ERR_clear_error();
	return r;
}

bool crl_has_serial_of(const struct crl *c, const struct cert *cert)
{
	X509_REVOKED *entry = NULL;

	/* 2 is removeFromCRL, which only delta lists have; those are refused when loaded. */
	return X509_CRL_get0_by_serial(c->x, &entry, X509_get_serialNumber(cert->x)) != 0;
}

bool cert_may_agree(const struct cert *c)
{
	return X509_check_ca(c->x) == 0 && (X509_get_key_usage(c->x) & KU_KEY_AGREEMENT) != 0;
}

int crls_from_any(struct slice in, struct crl **ret, size_t max, struct err *reterr)
{
	static const char end[] = "-----END X509 CRL-----";
	cleanup_with(buf_done) struct buf text = buf_init(0);
	size_t count = 0;
	int r = 0;

	if (!slice_starts(in, SLICE_LIT("-----BEGIN"))) {
		r = max > 0 ? crl_from_any(in, &ret[0], reterr) : -E2BIG;
		return r < 0 ? r : 1;
	}
	buf_put_slice(&text, in);
	const char *at = buf_str(&text), *stop;
	while (r == 0 && (stop = strstr(at, end)) != NULL) {
		stop += sizeof(end) - 1;
		r = count < max
			    ? crl_from_any(slice_of(at, (size_t)(stop - at)), &ret[count], reterr)
			    : err_set(reterr, -E2BIG, "more than %zu revocation lists", max);
		count += r == 0;
		at = stop + strspn(stop, "\r\n");
	}
	if (r == 0)
		return (int)count;
	while (count > 0)
		crl_free(ret[--count]);
	return r;
}
