/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Verdict records for people. */
#include <jansson.h>
#include <stdio.h>

/**
 * explain_print() - a verdict with its checks and findings
 * @record: as the key broker keeps it (docs/kbs-api.md) or `husk verify` makes it; members that are
 * absent are left out. All text in it is untrusted and printed escaped.
 */
void explain_print(FILE *out, const json_t *record);
