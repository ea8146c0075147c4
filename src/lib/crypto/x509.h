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
/** cert_key() - public key (new object) */
must_check int cert_key(const struct cert *c, struct pkey **ret);
must_check int cert_to_der(const struct cert *c, struct buf *out);
/** cert_subject() - one-line RFC 2253 subject into @dst */
const char *cert_subject(const struct cert *c, char *dst, size_t size);

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
