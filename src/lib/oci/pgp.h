/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * OpenPGP (RFC 4880), as image signatures ("simple signing") and ocicrypt use it. The work is done
 * by a library (docs/decisions/0008-openpgp.md) that the guest does not link: callers pass
 * @oci_pgp_rnp, or NULL where there is no OpenPGP, which refuses what needs it.
 */
#include "base/buf.h"
#include "base/secret.h"

#define OCI_PGP_MESSAGE_MAX ((size_t)4 << 20)
#define OCI_PGP_FINGERPRINT_SIZE 65

struct oci_pgp {
	/**
	 * @verify: one signed message (one-pass signature, literal data, signature; compressed or not)
	 * @keyring: public keys, binary or armored; the signer must be one of them, valid at @now
	 * @payload: gets the signed bytes, only when the signature is good
	 * @fingerprint: of the signing key's primary key, lower-case hex
	 * Return: 0; -EKEYREJECTED with the reason (no signature, unknown, expired or revoked key,
	 * expired signature, weak algorithm, bad signature); -EBADMSG; -ENOMEM.
	 */
	int (*verify)(struct slice keyring, struct slice message, int64_t now, struct buf *payload,
		char fingerprint[OCI_PGP_FINGERPRINT_SIZE], struct err *reterr);
	/**
	 * @decrypt: a message for one of the secret keys in @keyring, which have no pass phrase
	 * Return: 0 with the content; -EKEYREJECTED (no key fits, or it was altered); -EBADMSG;
	 * -ENOMEM.
	 */
	int (*decrypt)(
		struct slice keyring, struct slice message, struct secret *ret, struct err *reterr);
};

/* RNP; linked with the library husk-oci-pgp only. */
extern const struct oci_pgp oci_pgp_rnp;
