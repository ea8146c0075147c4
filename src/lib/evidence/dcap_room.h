/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the rooms of SGX and TDX share. */
#include "evidence/dcap.h"
#include "evidence/internal.h"

/**
 * dcap_room_verify() - a whole verification of @quote with collateral from the request's provider
 * @tee: "sgx" or "tdx"
 * Caches live in the process. Return: 0 with @ret, -EACCES, -ENOMEM.
 */
must_check int dcap_room_verify(const struct evidence_request *request, const char *tee,
	struct slice quote, struct evidence_result *result, struct dcap_outcome *ret);
/** tdx_claims() - of a TDX quote, without event logs. Return: 0, -ENOMEM. */
must_check int tdx_claims(const struct dcap_outcome *o, json_t *claims);
