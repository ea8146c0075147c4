/* SPDX-License-Identifier: Apache-2.0 */
/* net.cidr_*. */
#include "rego-fuzz.h"

FUZZ_BUILTINS("net.cidr_contains(input.a, input.b)", "net.cidr_intersects(input.a, input.b)",
	"net.cidr_is_valid(input.a)", "net.cidr_merge([input.a, input.b])",
	"net.cidr_contains_matches(input.a, input.b)", "net.lookup_ip_addr(input.a)")
