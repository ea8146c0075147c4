/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * OCSP answers (RFC 6960) as collateral: stored bytes of a responder's answer about one
 * certificate. There is no nonce, since answers are kept; their dates bound their age.
 */
#include "crypto/x509.h"

#define OCSP_SIZE_MAX ((size_t)64 << 10)
#define OCSP_ID_SIZE 192

enum ocsp_status { OCSP_UNKNOWN = 0, OCSP_GOOD, OCSP_REVOKED };

/**
 * struct ocsp_answer - what is said about one certificate
 * @serial: its serial number as lower-case hex without leading zeros
 * @reason: CRLReason of a revoked one, -1 when none is given
 */
struct ocsp_answer {
	enum ocsp_status status;
	int64_t this_update, next_update; /* seconds since the epoch */
	int reason;
	char serial[64];
};

struct ocsp;
/**
 * ocsp_from_der() - a successful answer of the basic type about exactly one certificate
 * Return: 0, -EBADMSG, -EOPNOTSUPP (the responder reports an error, or another type), -ENOMEM.
 */
must_check int ocsp_from_der(struct slice der, struct ocsp **ret, struct err *reterr);
void ocsp_free(struct ocsp *o);
DEFINE_CLEANUP(struct ocsp *, ocsp_free);
/** ocsp_read() - what the answer says, unverified. Return: 0, -EBADMSG (dates absent or bad). */
must_check int ocsp_read(const struct ocsp *o, struct ocsp_answer *ret, struct err *reterr);
/** ocsp_status_name() - "good", "revoked" or "unknown" */
const char *ocsp_status_name(enum ocsp_status s);

/**
 * ocsp_check() - verify the answer and that it is about @c
 * @issuer: who issued @c: it, or a responder that it certified, must have signed
 * @chain, @root: certificates between @issuer and the trusted @root, for the responder's own chain
 * @at: seconds since the epoch; the answer and the responder's certificates must be valid then
 * Return: 0 with the answer, also when it says "revoked"; -EKEYREJECTED (signature, responder,
 * another certificate), -ESTALE (dates), -EBADMSG, -ENOMEM.
 */
must_check int ocsp_check(const struct ocsp *o, const struct cert *c, const struct cert *issuer,
	struct cert *const *chain, size_t chain_count, const struct cert *root, int64_t at,
	struct ocsp_answer *ret, struct err *reterr);

/**
 * cert_ocsp_id() - "NAMEHASH/KEYHASH/SERIAL" of @c in lower-case hex, hashes being SHA-256 of the
 * issuer's name and key as in a CertID: from it a request can be built
 * Return: 0, -EIO, -E2BIG.
 */
must_check int cert_ocsp_id(
	const struct cert *c, const struct cert *issuer, char *dst, size_t size);
