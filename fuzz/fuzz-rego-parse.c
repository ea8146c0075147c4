/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lexer, parser and compiler of the policy engine. Callers: policies of initdata and of the key
 * broker's administrators. Attacker: whoever writes initdata. Format: Rego source.
 */
#include "rego/rego.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum rego_dialect dialects[] = {
		REGO_DIALECT_ANY, REGO_DIALECT_V1, REGO_DIALECT_V0};
	for (size_t i = 0; i < ARRAY_COUNT(dialects); i++) {
		struct rego_compile_options o = {.dialect = dialects[i], .max_memory = 64 << 20};
		cleanup(rego_compiler_free) struct rego_compiler *c = rego_compiler_new(&o);
		cleanup(rego_program_free) struct rego_program *p = NULL;
		struct err e = {0};
		if (c && rego_compiler_module(c, "f.rego", slice_of(data, size), &e) == 0)
			(void)!rego_compiler_finish(c, &p, &e);
	}
	return 0;
}
