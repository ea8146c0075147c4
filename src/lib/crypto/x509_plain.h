/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Certificates and revocation lists that are signed by a certificate which is no CA, as IBM signs
 * host keys of its machines. Path building (cert_check_issued(), cert_verify_chain()) refuses
 * those; whoever uses these functions checks by itself that the signer may do what it did.
 */
#include "crypto/crl.h"

#define X509_NAME_PART_SIZE 128

enum x509_name_side { X509_SUBJECT, X509_ISSUER };

/**
 * cert_name_part() - the only attribute @short_name of the subject or the issuer, in UTF-8
 * Return: 0, -ENOENT, -EBADMSG (several, or a NUL inside), -E2BIG.
 */
must_check int cert_name_part(const struct cert *c, enum x509_name_side side,
	const char *short_name, char dst[X509_NAME_PART_SIZE]);
/** cert_name_count() - how many attributes the name has */
size_t cert_name_count(const struct cert *c, enum x509_name_side side);
/** crl_issuer_part() / crl_issuer_count() - likewise of a list's issuer */
must_check int crl_issuer_part(
	const struct crl *c, const char *short_name, char dst[X509_NAME_PART_SIZE]);
size_t crl_issuer_count(const struct crl *c);

/**
 * cert_signed_by() - the signature of @c is by the key of @signer, and its authority key identifier,
 * if there is one, is @signer's. Names, dates and usage are not looked at, unknown critical
 * extensions of either are refused. Return: 0, -EKEYREJECTED.
 */
must_check int cert_signed_by(const struct cert *c, const struct cert *signer, struct err *reterr);
/** crl_signed_by() - likewise a list */
must_check int crl_signed_by(const struct crl *c, const struct cert *signer, struct err *reterr);
/** crl_has_serial_of() - the serial number of @cert is on the list, whoever issued it */
bool crl_has_serial_of(const struct crl *c, const struct cert *cert);
/** cert_may_agree() - key usage allows key agreement (or is absent), and it is not a CA */
bool cert_may_agree(const struct cert *c);
/**
 * crls_from_any() - all lists of PEM text, or one in DER; at most @max
 * Return: count or negative errno; on failure nothing is left to free.
 */
must_check int crls_from_any(struct slice in, struct crl **ret, size_t max, struct err *reterr);
