/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* PKCS#12 (RFC 7292): the private key in a file that a vendor hands out. */
#include "crypto/key.h"

#define PKCS12_SIZE_MAX ((size_t)64 << 10)
#define PKCS12_SAFES_MAX 16

/**
 * pkcs12_key() - the only private key in @der
 * @password: in UTF-8; the MAC of the file is checked with it, so a file without one is refused
 *
 * Certificates are not read: vendors still encrypt them with 40-bit RC2, which OpenSSL 3 no longer
 * has, beside a key that it can read.
 *
 * Return: 0, -EBADMSG (malformed, no key or several), -EKEYREJECTED (wrong password, or the file was
 * changed), -EOPNOTSUPP (cipher, or the kind of key), -E2BIG.
 */
must_check int pkcs12_key(
	struct slice der, const char *password, struct pkey **ret, struct err *reterr);
