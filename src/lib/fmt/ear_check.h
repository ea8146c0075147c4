/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Claims of an EAR token (draft-fv-rats-ear) that a relying party reads: what must be there, with
 * which types, and whether it is the token's time. The signature is for the caller.
 */
#include <jansson.h>

#include "base/err.h"

#define EAR_SUBMODS_MAX 64

/**
 * ear_check() - whether @claims are those of an EAR, at time @now
 * Mandatory: eat_profile, iat, ear.verifier-id {build, developer}, submods with at least one
 * appraisal that has ear.status. exp and nbf are heeded when they are there; whether a token may
 * come without exp is for the caller.
 * Return: 0; -EBADMSG with the claim's name; -ESTALE (expired, or not valid yet).
 */
must_check int ear_check(const json_t *claims, int64_t now, struct err *reterr);
/** jwt_check_times() - exp and nbf of any token, whole or fractional seconds. Return: 0, -EBADMSG,
 * -ESTALE. */
must_check int jwt_check_times(const json_t *claims, int64_t now, struct err *reterr);
