/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Signed certificate timestamps inside a certificate (RFC 6962, 3.2 and 3.3): promises of
 * certificate transparency logs to publish it.
 */
#include "crypto/x509.h"

/** struct sct_log - a trusted log. @id: SHA-256 of its SubjectPublicKeyInfo; @from, @until: when it
 * was in use, seconds since the epoch, both included */
struct sct_log {
	const struct pkey *key;
	uint8_t id[32];
	int64_t from, until;
};

/**
 * sct_check() - at least one timestamp in @leaf is by one of @logs, at a time when it was in use
 * @issuer: who issued @leaf
 * Return: 0; -EKEYREJECTED (none is); -EBADMSG (the list is malformed); -ENOMEM, -EIO.
 */
must_check int sct_check(const struct cert *leaf, const struct cert *issuer,
	const struct sct_log *logs, size_t count, struct err *reterr);
