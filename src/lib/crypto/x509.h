/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* X.509 certificates: parse, chain to explicit roots, make self-signed ones for first-run set-ups.
 */
#include "crypto/key.h"

struct cert;

must_check int cert_from_der(struct slice der, struct cert **ret, struct err *reterr);
/** certs_from_pem() - all certificates of PEM text, at most @max. Return: count or negative errno.
 */
must_check int certs_from_pem(struct slice pem, struct cert **ret, size_t max, struct err *reterr);
void cert_free(struct cert *c);
DEFINE_CLEANUP(struct cert *, cert_free);
/** cert_ref() - a second owner of the same certificate. Return: 0, -ENOMEM, -EIO. */
must_check int cert_ref(const struct cert *c, struct cert **ret);
/** cert_key() - public key (new object). Return: 0, -EBADMSG, -EOPNOTSUPP (type), -ENOMEM. */
must_check int cert_key(const struct cert *c, struct pkey **ret);
must_check int cert_to_der(const struct cert *c, struct buf *out);
/** cert_subject() - one-line RFC 2253 subject into @dst */
const char *cert_subject(const struct cert *c, char *dst, size_t size);

/** cert_validity() - notBefore and notAfter in seconds since the epoch. Return: 0, -EBADMSG. */
must_check int cert_validity(const struct cert *c, int64_t *ret_from, int64_t *ret_until);
/**
 * cert_extension() - the value of extension @oid ("1.2.840...."): the bytes inside its OCTET STRING
 * Return: 0 with a view that lives as long as @c; -ENOENT, -EBADMSG (present twice), -EINVAL
 * (@oid).
 */
must_check int cert_extension(const struct cert *c, const char *oid, struct slice *ret);
/** cert_common_name() - the only CN of the subject as UTF-8. Return: 0, -ENOENT, -EBADMSG, -E2BIG.
 */
must_check int cert_common_name(const struct cert *c, char *dst, size_t size);
/** cert_serial_decimal(), cert_serial_hex() - the serial number in decimal digits, in lower-case hex
 * without leading zeros. Return: 0, -ENOMEM, -E2BIG. */
must_check int cert_serial_hex(const struct cert *c, char *dst, size_t size);
must_check int cert_serial_decimal(const struct cert *c, char *dst, size_t size);
/** cert_spki_digest() - of the DER SubjectPublicKeyInfo: what pins of keys compare */
must_check int cert_spki_digest(const struct cert *c, enum hash_alg alg, struct digest *ret);
/** cert_is_self_issued() - issuer and subject are the same name */
bool cert_is_self_issued(const struct cert *c);
/**
 * cert_check_issued() - @c was issued by @issuer: names, key identifiers, signature, @issuer is a
 * CA that may sign certificates, its path length allows @below intermediates between, and neither
 * has an unknown critical extension. Dates are not checked: compare cert_validity(). Return: 0,
 * -EKEYREJECTED with the reason in words.
 */
must_check int cert_check_issued(
	const struct cert *c, const struct cert *issuer, unsigned below, struct err *reterr);
/** cert_signs_code() - its extended key usage is there and names code signing */
bool cert_signs_code(const struct cert *c);
/** cert_alt_name() - the only subject alternative name, an e-mail address or a URI, as text. Return:
 * 0, -ENOENT (none, several, or another kind), -EBADMSG, -E2BIG. */
must_check int cert_alt_name(const struct cert *c, char *dst, size_t size);
/** cert_may_sign() - key usage allows digital signatures (or is absent), and it is not a CA */
bool cert_may_sign(const struct cert *c);

/**
 * cert_verify_chain() - leaf to one of @roots over untrusted @chain, at time @at
 * Dates, basic constraints, key usage and signatures are checked; there is no default trust store.
 * Return: 0, -EKEYREJECTED with the reason in words, -EINVAL (no roots), -ENOMEM.
 */
must_check int cert_verify_chain(const struct cert *leaf, struct cert *const *chain,
	size_t chain_count, struct cert *const *roots, size_t root_count, int64_t at_unix_s,
	struct err *reterr);

/**
 * cert_make_self_signed() - server certificate for @names (DNS names or IP literals)
 * @days: validity from now. Return: 0 with PEM appended to @out.
 */
must_check int cert_make_self_signed(const struct pkey *k, const char *common_name,
	const char *const *names, size_t name_count, unsigned days, struct buf *out,
	struct err *reterr);
