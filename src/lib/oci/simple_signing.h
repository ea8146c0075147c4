/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Simple signing: an OpenPGP message whose content names a manifest and an image, as GnuPG, atomic
 * and skopeo write it. Spec: containers-signature(5).
 */
#include "oci/pgp.h"
#include "oci/policy.h"

#define SIMPLE_SIGNATURE_MAX ((size_t)1 << 20)

/**
 * simple_signing_verify() - check one signature completely
 * @keyring: public keys that are trusted for this image
 * @now: seconds since the epoch: keys and the signature must be valid then
 * @fingerprint: of the signer's primary key
 *
 * Return: 0 good; -EKEYREJECTED the signature does not hold; -EACCES it holds but is for another
 * image; -EBADMSG malformed; -ENOMEM.
 */
must_check int simple_signing_verify(const struct oci_pgp *pgp, struct slice keyring,
	struct slice signature, int64_t now, const struct oci_digest *manifest,
	const struct oci_ref *ref, const struct oci_identity *identity,
	char fingerprint[OCI_PGP_FINGERPRINT_SIZE], struct err *reterr);
