/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Running content digests of any algorithm that OCI knows. */
#include "oci/digest.h"

struct oci_hash;

/** oci_hash_new() - Return: 0, -ENOMEM, -EINVAL for OCI_DIGEST_NONE. */
must_check int oci_hash_new(struct oci_hash **ret, enum oci_digest_alg alg);
void oci_hash_free(struct oci_hash *h);
DEFINE_CLEANUP(struct oci_hash *, oci_hash_free);
/** oci_hash_update() - failures latch and surface in oci_hash_final() */
void oci_hash_update(struct oci_hash *h, struct slice data);
/** oci_hash_final() - the digest of all updates; @h can only be freed afterwards */
must_check int oci_hash_final(struct oci_hash *h, struct oci_digest *ret);
/** oci_digest_of() - the digest of @data in one call */
must_check int oci_digest_of(struct oci_digest *ret, enum oci_digest_alg alg, struct slice data);
/**
 * oci_digest_check() - do these bytes have this digest?
 * Return: 0; -EBADMSG they do not; -ENOMEM.
 */
must_check int oci_digest_check(
	const struct oci_digest *want, struct slice data, const char *what, struct err *reterr);
