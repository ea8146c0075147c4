/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Built-in functions on hostile arguments. The first byte of the input chooses an expression over
 * input.a and input.b; the rest is these two strings with a NUL between them. Strings of policies
 * are UTF-8, so other input is dropped. Each run has budgets of steps and memory.
 */
#include "base/buf.h"
#include "base/str.h"
#include "regoext/regoext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline struct rego_program *fuzz_program(const char *const *expr, size_t count)
{
	cleanup(rego_compiler_free) struct rego_compiler *c = rego_compiler_new(NULL);
	struct rego_program *p = NULL;
	unsigned id;
	if (!c || regoext_register(c) < 0)
		abort();
	for (size_t i = 0; i < count; i++) {
		char query[256];
		struct err e = {0};
		snprintf(query, sizeof(query), "x = %s", expr[i]);
		if (rego_compiler_query(c, slice_str(query), &id, &e) < 0) {
			fprintf(stderr, "%s: %s\n", expr[i], e.text);
			abort();
		}
	}
	if (rego_compiler_finish(c, &p, NULL) < 0)
		abort();
	return p;
}

static inline int fuzz_call(struct rego_program *p, size_t count, const uint8_t *data, size_t size)
{
	struct rego_eval_options o = {.max_memory = 32 << 20,
		.max_steps = 200000,
		.now_ns = 1700000000000000000,
		.time_zone = regoext_time_zone};
	if (size < 1 || !utf8_valid(slice_of(data + 1, size - 1)))
		return 0;
	const uint8_t *end = memchr(data + 1, '\0', size - 1);
	size_t a = end ? (size_t)(end - data) - 1 : size - 1;
	cleanup(rego_eval_free) struct rego_eval *e = rego_eval_new(p, &o);
	const struct rego_value *rows = NULL,
				*pair[] = {rego_make_string(e, SLICE_LIT("a")),
					rego_make_string(e, slice_of(data + 1, a)),
					rego_make_string(e, SLICE_LIT("b")),
					rego_make_string(e, end ? slice_of(end + 1, size - a - 2)
								: SLICE_EMPTY)};
	rego_eval_input(e, rego_make_object(e, pair, 2));
	struct err err = {0};
	if (rego_eval_query(e, data[0] % (unsigned)count, &rows, &err) == 0) {
		cleanup_with(buf_done) struct buf text = buf_init(16 << 20);
		rego_json(&text, rows);
	}
	return 0;
}

#define FUZZ_BUILTINS(...)                                                \
	int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)      \
	{                                                                 \
		static const char *const expr[] = {__VA_ARGS__};          \
		static struct rego_program *program;                      \
		if (!program)                                             \
			program = fuzz_program(expr, ARRAY_COUNT(expr));  \
		return fuzz_call(program, ARRAY_COUNT(expr), data, size); \
	}
