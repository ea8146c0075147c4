/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files of the key module share; nobody else includes it. */
#include <openssl/evp.h>

#include "crypto/key.h"

struct pkey {
	EVP_PKEY *p;
	enum key_type type;
	bool is_private;
	EVP_PKEY_CTX *ready; /* of pkey_prepare(), for @ready_alg */
	enum sig_alg ready_alg;
};

struct curve_info {
	enum key_type type;
	const char *jose;
	const char *group; /* OpenSSL's name */
	size_t size;	   /* of a coordinate in bytes */
};

extern const struct curve_info g_curves[3];
/** curve_of() - NULL when @type is no EC key */
const struct curve_info *curve_of(enum key_type type);
/** ecdsa_raw_to_der() - r||s of @size bytes each as a DER signature */
must_check int ecdsa_raw_to_der(struct slice raw, size_t size, struct buf *out);
/**
 * spki_ec_read() - a SubjectPublicKeyInfo of an uncompressed point on one of the curves
 * Return: 0; -EBADMSG: it is not that, which says nothing about what else it may be; -ENOMEM.
 */
must_check int spki_ec_read(struct slice der, struct pkey **ret);
/** pem_ec_read() - likewise, as the first block of a PEM text without private keys */
must_check int pem_ec_read(struct slice pem, struct pkey **ret);
/** pkey_adopt() - wrap @p, which is consumed in every case. Return: 0, -EOPNOTSUPP, -ENOMEM. */
must_check int pkey_adopt(EVP_PKEY *p, struct pkey **ret, struct err *reterr);
