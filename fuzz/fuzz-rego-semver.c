/* SPDX-License-Identifier: Apache-2.0 */
/* semver.*, units.*, uuid.parse. */
#include "rego-fuzz.h"

FUZZ_BUILTINS("semver.compare(input.a, input.b)", "semver.is_valid(input.a)",
	"units.parse(input.a)", "units.parse_bytes(input.a)", "uuid.parse(input.a)")
