/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Certificates and revocation lists of the made-up Intel. */
#include <openssl/x509.h>

#include "crypto/key.h"

struct sim_key {
	EVP_PKEY *evp;
	struct pkey *key; /* the same */
};
must_check int sim_key_new(struct sim_key *ret);
void sim_key_done(struct sim_key *k);

/** struct sim_cert - @issuer NULL: self-signed; times in seconds since the epoch */
struct sim_cert {
	const char *common_name;
	const struct sim_key *key;
	X509 *issuer;
	const struct sim_key *issuer_key;
	long serial;
	bool ca;
	int path_length; /* below 0: none */
	int64_t from, until;
	struct slice sgx_extension; /* empty: none */
};
/** sim_cert_new() - NULL on failure; free with X509_free() */
X509 *sim_cert_new(const struct sim_cert *c);
/** sim_crl() - DER of a list with at most one serial number (0: none), appended */
must_check int sim_crl(X509 *issuer, const struct sim_key *key, int64_t from, int64_t until,
	long revoked, struct buf *out);
/** sim_pem() - append a certificate */
must_check int sim_pem(X509 *x, struct buf *out);
/** sim_sgx_extension() - content of the PCK extension */
void sim_sgx_extension(
	uint8_t svn, const uint8_t ppid[16], const uint8_t fmspc[6], struct buf *out);
