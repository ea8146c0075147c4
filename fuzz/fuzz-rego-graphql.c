/* SPDX-License-Identifier: Apache-2.0 */
/* graphql.*: queries and schemas. */
#include "rego-fuzz.h"

FUZZ_BUILTINS("graphql.parse_query(input.a)", "graphql.parse_schema(input.a)",
	"graphql.is_valid(input.a, input.b)", "graphql.schema_is_valid(input.a)",
	"graphql.parse(json.unmarshal(input.a), json.unmarshal(input.b))")
