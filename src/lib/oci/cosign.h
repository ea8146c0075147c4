/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Cosign signatures with a key pair: a "simple signing" payload that names the manifest's digest
 * and the image's name, signed as a whole, stored as a layer of an image whose tag is derived from
 * the digest ("sha256-<hex>.sig").
 *
 * A signature is good only when all of this holds: the key's signature over the exact payload
 * bytes, the payload's type, its digest equal to the manifest's, and its name acceptable to the
 * policy. Nothing of the payload is believed before the first.
 *
 * Certificates of Fulcio and entries of Rekor are in fulcio.h and rekor.h; oci_image_verify() puts
 * them together as a policy asks. Not supported here: sigstore bundles (sigstore.h), OCI referrers.
 * Spec: cosign's SIGNATURE_SPEC; containers/image, containers-signature(5), "critical" members.
 */
#include "base/buf.h"
#include "crypto/key.h"
#include "oci/policy.h"

#define COSIGN_TYPE_PAYLOAD "application/vnd.dev.cosign.simplesigning.v1+json"
#define COSIGN_ANNOTATION "dev.cosignproject.cosign/signature"
#define COSIGN_BUNDLE "dev.sigstore.cosign/bundle"
#define COSIGN_CERTIFICATE "dev.sigstore.cosign/certificate"
#define COSIGN_CHAIN "dev.sigstore.cosign/chain"
#define COSIGN_PAYLOAD_MAX (1u << 16)
#define COSIGN_SIGNATURE_COUNT_MAX 64u /* of one image */

/** cosign_tag() - the tag that holds the signatures of a manifest. Return: @dst. */
const char *cosign_tag(const struct oci_digest *manifest, char dst[OCI_REF_TAG_MAX + 1]);
/** cosign_payload() - append the payload for an image. @reference: "registry/repository" */
must_check int cosign_payload(
	struct buf *out, const char *reference, const struct oci_digest *manifest);
/**
 * cosign_sign() - sign a payload with SHA-256 (P-384 keys: SHA-384)
 * @ret_base64: the value of the annotation, appended
 * Return: 0; -EOPNOTSUPP the type of the key; -EINVAL not private; -EIO.
 */
must_check int cosign_sign(
	const struct pkey *key, struct slice payload, struct buf *ret_base64, struct err *reterr);
/**
 * cosign_verify() - check one signature completely
 * @signature_base64: the annotation
 * @manifest: digest of the manifest that is to be used (or of the index that led to it)
 * @identity: which names are acceptable for @ref
 *
 * Return: 0 good; -EKEYREJECTED the signature does not hold; -EACCES it holds but is for another
 * image; -EBADMSG malformed; -EOPNOTSUPP the type of the key.
 */
must_check int cosign_verify(const struct pkey *key, struct slice payload,
	struct slice signature_base64, const struct oci_digest *manifest, const struct oci_ref *ref,
	const struct oci_identity *identity, struct err *reterr);
