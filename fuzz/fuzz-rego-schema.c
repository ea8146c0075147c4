/* SPDX-License-Identifier: Apache-2.0 */
/* json.match_schema, json.verify_schema. */
#include "rego-fuzz.h"

FUZZ_BUILTINS("json.match_schema(input.a, input.b)", "json.verify_schema(input.a)")
