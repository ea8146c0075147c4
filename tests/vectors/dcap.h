/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "evidence/dcap.h"
#include "vectors.h"

/** dcap_fields_compare() - every member of "fields" that husk parses. Return: 0, -1 (recorded). */
must_check int dcap_fields_compare(
	struct vector *v, const json_t *fields, const struct sgx_quote *q);
