/* SPDX-License-Identifier: Apache-2.0 */
/* uri.*, urlquery.*. */
#include "rego-fuzz.h"

FUZZ_BUILTINS("uri.parse(input.a)", "uri.is_valid(input.a)", "urlquery.decode_object(input.a)")
