/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Time-stamp tokens (RFC 3161). */
#include "crypto/x509.h"

#define TIMESTAMP_SIZE_MAX ((size_t)64 << 10)

/**
 * timestamp_verify() - a TimeStampResp for @data, by an authority
 * @chain: the authority's certificates, its own first, the trusted root last
 * @ret_time: the time that it states, seconds since the epoch; its certificates were valid then
 * Return: 0; -EKEYREJECTED (signature, chain, other data); -EBADMSG; -ENOMEM.
 */
must_check int timestamp_verify(struct slice der, struct slice data, struct cert *const *chain,
	size_t count, int64_t *ret_time, struct err *reterr);
