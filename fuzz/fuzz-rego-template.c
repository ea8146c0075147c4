/* SPDX-License-Identifier: Apache-2.0 */
/* strings.render_template: templates, and what they are filled with. */
#include "rego-fuzz.h"

FUZZ_BUILTINS("strings.render_template(input.a, json.unmarshal(input.b))",
	"strings.render_template(input.a, {\"a\": 1, \"n\": null, \"l\": [\"1\", 2], \"m\": {\"x\": [true]}, "
	"\"s\": input.b, \"e\": []})")
