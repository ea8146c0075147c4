/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The payload that image signatures of both kinds cover: containers-signature(5). */
#include "oci/policy.h"

/**
 * oci_payload_check() - whether a payload, whose signature holds, is for this image
 * @want_type: its critical.type
 * @manifest: digest of the manifest that is to be used
 * Return: 0; -EACCES another type, manifest or name; -EBADMSG a critical member is missing.
 */
must_check int oci_payload_check(json_t *doc, const char *want_type,
	const struct oci_digest *manifest, const struct oci_ref *ref,
	const struct oci_identity *identity, struct err *reterr);
