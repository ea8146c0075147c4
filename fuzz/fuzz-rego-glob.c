/* SPDX-License-Identifier: Apache-2.0 */
/* glob.match, regex.globs_match. */
#include "rego-fuzz.h"

FUZZ_BUILTINS("glob.match(input.a, [\".\"], input.b)", "glob.match(input.a, null, input.b)",
	"glob.quote_meta(input.a)", "regex.globs_match(input.a, input.b)")
