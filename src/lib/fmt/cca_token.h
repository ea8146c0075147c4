/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The attestation token of Arm CCA (draft-ffm-rats-cca-token; RMM specification, section A7.2): a
 * collection of two signed tokens, of the platform (claims 2394 to 2402) and of the realm (44235 to
 * 44241). The signatures are COSE_Sign1; these functions read what is around and inside.
 */
#include "fmt/cbor.h"

#define CCA_TOKEN_MAX ((size_t)64 << 10)
#define CCA_CHALLENGE_SIZE 64
#define CCA_PERSONALIZATION_SIZE 64
#define CCA_IMPLEMENTATION_ID_SIZE 32
#define CCA_INSTANCE_ID_SIZE 33
#define CCA_EXTENSIBLE_COUNT 4
#define CCA_COMPONENTS_MAX 64

#define CCA_TAG_LEGACY 399 /* {44234: token, 44241: token} */
#define CCA_TAG_CMW 907	   /* {44234: [263, token], ...}: a collection of conceptual messages */

#define CCA_CONTENT_FORMAT 263 /* application/eat+cwt */

/** struct cca_collection - @content_formats: of platform and realm, with CCA_TAG_CMW */
struct cca_collection {
	uint64_t tag;
	uint64_t content_formats[2];
	struct slice platform;
	struct slice realm;
};

/** struct cca_component - firmware; all but measurement and signer may be empty */
struct cca_component {
	struct slice type;
	struct slice measurement;
	struct slice version;
	struct slice signer_id;
	struct slice hash_alg;
};

struct cca_platform {
	struct slice profile;
	struct slice challenge; /* 32, 48 or 64 bytes */
	struct slice implementation_id;
	struct slice instance_id;
	struct slice config;
	uint64_t lifecycle;
	struct slice hash_alg;
	struct slice service_indicator; /* may be empty */
	size_t component_count;
	struct cca_component components[CCA_COMPONENTS_MAX];
};

/** cca_lifecycle_secured() - neither in development nor decommissioned, and not under debug */
static inline bool cca_lifecycle_secured(uint64_t lifecycle)
{
	return lifecycle >= 0x3000 && lifecycle <= 0x30FF;
}

/**
 * struct cca_realm - @public_key: the realm attestation key, a point 04||x||y (tokens without a
 * profile) or a COSE_Key
 */
struct cca_realm {
	struct slice profile; /* empty in older tokens */
	struct slice challenge;
	struct slice personalization;
	struct slice hash_alg;
	struct slice public_key;
	struct slice public_key_hash_alg;
	struct slice initial_measurement;
	struct slice extensible[CCA_EXTENSIBLE_COUNT];
};

/** cca_collection_parse() - Return: 0, -EBADMSG, -ENODATA, -E2BIG; the error names what is wrong */
must_check int cca_collection_parse(
	struct slice in, struct cca_collection *ret, struct err *reterr);
/** cca_platform_parse() - the payload of a platform token. Return: 0, -EBADMSG, -ENODATA, -E2BIG. */
must_check int cca_platform_parse(struct slice in, struct cca_platform *ret, struct err *reterr);
/** cca_realm_parse() - the payload of a realm token. Return: 0, -EBADMSG, -ENODATA. */
must_check int cca_realm_parse(struct slice in, struct cca_realm *ret, struct err *reterr);
