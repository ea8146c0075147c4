/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Content digests of OCI ("sha256:<hex>"), as values. The text form is validated once, at parsing:
 * a struct oci_digest never holds anything else than "algorithm:lower-case-hex".
 *
 * Spec: OCI image-spec 1.1, descriptor.md, "Digests".
 */
#include "base/err.h"
#include "base/slice.h"

/* "sha512:" and 128 hex digits and NUL. */
#define OCI_DIGEST_TEXT_SIZE 136

enum oci_digest_alg { OCI_DIGEST_NONE, OCI_DIGEST_SHA256, OCI_DIGEST_SHA384, OCI_DIGEST_SHA512 };

/**
 * struct oci_digest - a digest and its algorithm
 * @alg: OCI_DIGEST_NONE while unset, which equals nothing
 * @size: bytes of @bytes in use
 */
struct oci_digest {
	enum oci_digest_alg alg;
	size_t size;
	uint8_t bytes[64];
};

/**
 * oci_digest_parse() - from "sha256:..." (sha384, sha512)
 * Return: 0; -EBADMSG malformed (upper-case hex included); -EOPNOTSUPP another algorithm.
 */
must_check int oci_digest_parse(struct oci_digest *ret, struct slice text);
/** oci_digest_text() - the text form into @dst; "" for an unset digest. Return: @dst. */
const char *oci_digest_text(const struct oci_digest *d, char dst[OCI_DIGEST_TEXT_SIZE]);
/** oci_digest_hex() - only the hex part. Return: @dst. */
const char *oci_digest_hex(const struct oci_digest *d, char dst[OCI_DIGEST_TEXT_SIZE]);
/** oci_digest_equal() - false also when either is unset */
bool oci_digest_equal(const struct oci_digest *a, const struct oci_digest *b);
/** oci_digest_name() - "sha256" and so on; "none" while unset */
const char *oci_digest_name(enum oci_digest_alg alg);
