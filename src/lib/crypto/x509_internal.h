/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files of the certificate module share; nobody else includes it. */
#include <openssl/x509.h>

struct cert {
	X509 *x;
};

struct crl {
	X509_CRL *x;
};

/** x509_time() - ASN1_TIME to seconds since the epoch. Return: 0, -EBADMSG. */
int x509_time(const ASN1_TIME *t, int64_t *ret);
