/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Certificate revocation lists (RFC 5280 section 5): complete lists of one issuer. Delta, indirect
 * and partitioned lists are refused, because what they leave out would read as "not revoked".
 */
#include "crypto/x509.h"

struct crl;

/**
 * crl_from_any() - DER, hex text of DER (as PCCS serves) or PEM
 * Return: 0, -EBADMSG, -EOPNOTSUPP (a critical extension), -ENOMEM.
 */
must_check int crl_from_any(struct slice in, struct crl **ret, struct err *reterr);
void crl_free(struct crl *c);
DEFINE_CLEANUP(struct crl *, crl_free);
/**
 * crl_check_issued() - the list is @issuer's: name, key usage cRLSign, signature
 * Return: 0, -EKEYREJECTED with the reason in words.
 */
must_check int crl_check_issued(const struct crl *c, const struct cert *issuer, struct err *reterr);
/** crl_validity() - thisUpdate and nextUpdate. Return: 0, -EBADMSG (also when nextUpdate is
 * absent). */
must_check int crl_validity(const struct crl *c, int64_t *ret_from, int64_t *ret_until);
/** crl_number() - the CRL number; 0 when absent or above int64 */
int64_t crl_number(const struct crl *c);
/** crl_revokes() - @cert's serial number is on the list and its issuer is the list's */
bool crl_revokes(const struct crl *c, const struct cert *cert);
