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
/** dcap_room_bindings() - report data and init data against the fields of a report */
must_check int dcap_room_bindings(const struct evidence_request *request, struct slice report_data,
	const char *init_name, struct slice init_field, struct evidence_result *result);

/** struct claim_field - a field that becomes a claim in hex */
struct claim_field {
	const char *name;
	struct slice value;
};
/** put_fields() - new object of @fields under @name. Return: 0, -ENOMEM. */
must_check int put_fields(
	json_t *o, const char *name, const struct claim_field *fields, size_t count);
