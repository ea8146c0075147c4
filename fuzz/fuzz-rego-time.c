/* SPDX-License-Identifier: Apache-2.0 */
/* time.*: layouts, values, durations, zones. */
#include "rego-fuzz.h"

FUZZ_BUILTINS("time.parse_ns(input.a, input.b)", "time.parse_rfc3339_ns(input.a)",
	"time.parse_duration_ns(input.a)", "time.format([1e18, input.b, input.a])",
	"time.format([-9e18, \"Europe/Berlin\", input.a])")
