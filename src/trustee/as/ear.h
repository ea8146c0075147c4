/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * EAT Attestation Results: from a trustworthiness vector and evidence to the claims of a token.
 * Spec: draft-ietf-rats-ar4si (vector, tiers), draft-fv-rats-ear (claims), with the profile that
 * Trustee's clients read. Pure functions; the vault signs.
 */
#include <jansson.h>

#include "base/err.h"

/* Tiers in rising severity; NONE is the zero because it affirms nothing. */
enum ear_tier { EAR_NONE, EAR_AFFIRMING, EAR_WARNING, EAR_CONTRAINDICATED };

/** ear_tier_of() - tier of one trust claim: -1..1 none, -32..31 affirming, -96..95 warning */
enum ear_tier ear_tier_of(int claim);
/** ear_tier_name() - as in the claim ear.status */
const char *ear_tier_name(enum ear_tier tier);
/**
 * ear_vector_check() - a policy's trust_claims: an object of known names and int8 values
 * @ret_worst: the worst tier in it
 * Return: 0, -EBADMSG; @reterr names the claim.
 */
must_check int ear_vector_check(const json_t *vector, enum ear_tier *ret_worst, struct err *reterr);

/**
 * ear_submod() - the appraisal of one piece of evidence
 * @vector: checked trust claims; borrowed
 * @extensions: array of {name, key, value}, or NULL; each becomes a member
 * @evidence: what the policy saw; borrowed
 * @verbose: false leaves the additional evidence out of runtime_data_claims
 *
 * Return: 0, -EBADMSG (malformed extension), -ENOMEM.
 */
must_check int ear_submod(const json_t *vector, enum ear_tier status, const json_t *extensions,
	const json_t *evidence, bool verbose, json_t **ret, struct err *reterr);

struct ear_issuer {
	const char *issuer;
	const char *developer;
	const char *build;
	const char *profile;
	int64_t life_s;
};

/** ear_claims() - the claims set of a token; @submods is borrowed. Return: 0, -ENOMEM. */
must_check int ear_claims(
	const struct ear_issuer *issuer, int64_t now, const json_t *submods, json_t **ret);
