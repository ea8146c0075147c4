/* SPDX-License-Identifier: Apache-2.0 */
/* yaml.*: reading, and writing what was read. */
#include "rego-fuzz.h"

FUZZ_BUILTINS("yaml.unmarshal(input.a)", "yaml.marshal(yaml.unmarshal(input.a))",
	"yaml.marshal([input.a, {input.a: input.b}])")
