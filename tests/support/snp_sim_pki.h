/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Certificates and revocation lists of the made-up AMD: RSA-PSS with SHA-384, as AMD's own. */
#include <openssl/x509.h>

#include "fmt/snp_report.h"
#include "base/buf.h"

/** struct amd_cert - @issuer NULL: self-signed; @hwid and @tcb: of a VCEK or VLEK */
struct amd_cert {
	const char *common_name;
	EVP_PKEY *key;
	X509 *issuer;
	EVP_PKEY *issuer_key;
	long serial;
	bool ca, wrapped_hwid, turin;
	int path_length; /* below 0: none */
	int64_t from, until;
	const char *product_name; /* NULL: no extensions of AMD's */
	struct snp_tcb tcb;
	struct slice hwid;
};
/** amd_cert_new() - NULL on failure; free with X509_free() */
X509 *amd_cert_new(const struct amd_cert *c);
/** amd_key_new() - @curve NULL: RSA of @bits */
EVP_PKEY *amd_key_new(const char *curve, unsigned bits);
/** amd_crl() - DER of a list with at most one serial number (0: none), appended */
must_check int amd_crl(
	X509 *issuer, EVP_PKEY *key, int64_t from, int64_t until, long revoked, struct buf *out);
/** amd_der(), amd_pem() - append a certificate */
must_check int amd_der(X509 *x, struct buf *out);
must_check int amd_pem(X509 *x, struct buf *out);
