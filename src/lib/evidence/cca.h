/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Arm CCA. The trust anchor is the attestation key of a platform (CPAK), which its maker
 * publishes; there is no root certificate. It is the collateral
 *
 *   arm/cca/IMPLEMENTATION-ID/INSTANCE-ID     (both in hex) PEM, DER SubjectPublicKeyInfo, or JWK
 *
 * collateral_store_load() takes Trustee's store of trust anchors, too.
 */
#include "crypto/key.h"
#include "evidence/collateral.h"
#include "evidence/internal.h"
#include "fmt/cca_token.h"

/**
 * struct cca - verified tokens; views of the input
 */
struct cca {
	struct cca_collection collection;
	struct cca_platform platform;
	struct cca_realm realm;
	int64_t platform_alg, realm_alg; /* COSE numbers */
};

/** cca_verify() - all but the bindings to this session, recorded in @result. Return: 0, -EACCES,
 * -ENOMEM. */
must_check int cca_verify(const struct evidence_request *request, struct slice token,
	struct evidence_result *result, struct cca *ret);
/** cca_verify_platform() - a platform token alone; fills @ret's platform and platform_alg */
must_check int cca_verify_platform(const struct evidence_request *request, struct slice token,
	struct evidence_result *result, struct cca *ret);
/** cca_collateral_key() - where the key of a platform belongs among the collateral */
void cca_collateral_key(
	struct slice implementation_id, struct slice instance_id, char dst[COLLATERAL_KEY_SIZE]);
