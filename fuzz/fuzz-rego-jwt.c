/* SPDX-License-Identifier: Apache-2.0 */
/* io.jwt.*: tokens and keys. */
#include "rego-fuzz.h"

FUZZ_BUILTINS("io.jwt.decode(input.a)", "io.jwt.verify_rs256(input.a, input.b)",
	"io.jwt.verify_es256(input.a, input.b)", "io.jwt.verify_hs256(input.a, input.b)",
	"io.jwt.decode_verify(input.a, {\"cert\": input.b, \"time\": 0})",
	"io.jwt.encode_sign_raw(`{\"alg\":\"HS256\"}`, input.a, input.b)")
