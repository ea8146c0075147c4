/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Certificates of Fulcio, sigstore's certificate authority: valid for minutes, naming who signed and
 * who vouched for that. When they were used is told by a transparency log.
 * Spec: fulcio, docs/certificate-specification.md, docs/oid-info.md.
 */
#include "crypto/x509.h"

#define FULCIO_CHAIN_MAX 8

/**
 * struct fulcio_identity - who must have signed
 * @subject: the e-mail address or URI in the certificate
 * @issuer: OpenID Connect issuer that vouched for it
 */
struct fulcio_identity {
	const char *subject, *issuer;
};

/** fulcio_check_identity() - it is a code-signing certificate of @want. Return: 0, -EKEYREJECTED,
 * -EACCES. */
must_check int fulcio_check_identity(
	const struct cert *leaf, const struct fulcio_identity *want, struct err *reterr);
/**
 * fulcio_verify() - check a signing certificate
 * @chain, @roots: PEM; intermediates, and trusted authorities
 * @at: when the signature was made, seconds since the epoch: the certificate must be valid then
 * Return: 0; -EKEYREJECTED chain, dates or key usage; -EACCES another identity or issuer; -EBADMSG;
 * -ENOMEM.
 */
must_check int fulcio_verify(const struct cert *leaf, struct slice chain, struct slice roots,
	int64_t at, const struct fulcio_identity *identity, struct err *reterr);
