/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Layer keys that are wrapped for a key pair instead of a key broker: JWE (RFC 7516), PKCS#7
 * EnvelopedData, OpenPGP. The annotation's elements hold them in base64.
 */
#include "crypto/key.h"
#include "oci/pgp.h"

#define OCICRYPT_ANNOTATION_PKCS7 "org.opencontainers.image.enc.keys.pkcs7"
#define OCICRYPT_ANNOTATION_PGP "org.opencontainers.image.enc.keys.pgp"
#define OCICRYPT_PACKET_MAX 65536u

/**
 * struct ocicrypt_recipient - what may open such packets
 * @key: private key, for JWE and PKCS#7; NULL: none
 * @pgp, @pgp_keyring: OpenPGP and secret keys without pass phrases; NULL and empty: none
 */
struct ocicrypt_recipient {
	const struct pkey *key;
	const struct oci_pgp *pgp;
	struct slice pgp_keyring;
};

/** ocicrypt_recipient_reads() - packets of @annotation may be for @r: it has a key of that kind */
bool ocicrypt_recipient_reads(const struct ocicrypt_recipient *r, const char *annotation);
/**
 * ocicrypt_recipient_open() - decrypt one packet
 * @packet: decoded from base64
 * @ret: private options JSON, released by the caller with secret_done()
 * Return: 0; -EKEYREJECTED the key is not a recipient or the packet was altered; -EBADMSG;
 * -EOPNOTSUPP an algorithm; -ENOMEM.
 */
must_check int ocicrypt_recipient_open(const struct ocicrypt_recipient *r, const char *annotation,
	struct slice packet, struct secret *ret, struct err *reterr);
/** ocicrypt_pkcs7_open() - its PKCS#7 part; see ocicrypt_pkcs7.c for the dialect */
must_check int ocicrypt_pkcs7_open(
	const struct pkey *key, struct slice packet, struct secret *ret, struct err *reterr);
