/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Sigstore bundles: a signature with everything that its verification needs. Versions 0.1 to 0.3,
 * message signatures and DSSE envelopes with in-toto statements, entries of Rekor of versions 1 and
 * 2, certificates of Fulcio or a key that the caller has, RFC 3161 time-stamps.
 *
 * What must hold: every log entry is promised or included (from 0.2 on: included, under a signed
 * checkpoint) by a trusted log and is about exactly this signature, key and artifact; when the
 * signature was made is told by at least one log or time-stamping authority, and every time that is
 * told lies in the certificate's; the certificate leads to a trusted authority, is in a transparency
 * log, and names the expected signer; the signature covers the artifact.
 *
 * Spec: protobuf-specs, sigstore_bundle.proto; sigstore client specification.
 */
#include "crypto/x509.h"
#include "oci/fulcio.h"
#include "oci/sigstore_root.h"

#define SIGSTORE_BUNDLE_MAX ((size_t)4 << 20)

/**
 * struct sigstore_policy - what a bundle is compared with
 * @identity: signer that a certificate must name; needed unless @key is set
 * @key: the signer's key, for bundles without a certificate; NULL: they are refused
 */
struct sigstore_policy {
	const struct sigstore_root *root;
	const struct fulcio_identity *identity;
	const struct pkey *key;
};

/**
 * sigstore_verify() - check a bundle for @artifact
 * @now: seconds since the epoch: no time that is told may be later
 * Return: 0; -EKEYREJECTED (a signature, proof, chain or time does not hold), -EACCES (another
 * signer), -EBADMSG, -EOPNOTSUPP (version, kind of entry), -E2BIG, -ENOMEM; @reterr says what.
 */
must_check int sigstore_verify(struct slice bundle, struct slice artifact,
	const struct sigstore_policy *policy, int64_t now, struct err *reterr);
