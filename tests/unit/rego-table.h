/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Tables of Rego expressions with their values or errors. What they expect is what OPA 1.22.3
 * answers; the errors are those of strict mode.
 */
/* clang-format off: cmocka.h needs the others before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "base/buf.h"
#include "regoext/regoext.h"

struct rego_row {
	const char *expr;
	const char *json;  /* canonical; NULL: it fails */
	const char *error; /* part of the message */
};

#define ROW_NOW_NS 1700000000000000000

/* The answer as JSON, or the error after "! "; "undefined" when there is none. */
static inline void row_answer(const char *expr, const char *input, struct buf *out)
{
	cleanup_with(buf_done) struct buf query = {0};
	cleanup(rego_compiler_free) struct rego_compiler *c = rego_compiler_new(NULL);
	cleanup(rego_program_free) struct rego_program *p = NULL;
	struct rego_eval_options o = {
		.now_ns = ROW_NOW_NS, .strict_errors = true, .time_zone = regoext_time_zone};
	const struct rego_value *rows = NULL;
	struct err e = {0};
	unsigned id = 0;
	buf_printf(&query, "x = %s", expr);
	assert_int_equal(regoext_register(c), 0);
	int r = rego_compiler_query(c, buf_slice(&query), &id, &e);
	if (r == 0)
		r = rego_compiler_finish(c, &p, &e);
	cleanup(rego_eval_free) struct rego_eval *ev = r == 0 ? rego_eval_new(p, &o) : NULL;
	if (r == 0 && input)
		r = rego_eval_input_json(ev, slice_str(input), &e);
	if (r == 0)
		r = rego_eval_query(ev, id, &rows, &e);
	if (r < 0)
		buf_printf(out, "! %s", err_text(&e, r));
	else if (rego_count(rows) == 0)
		buf_put_str(out, "undefined");
	else
		rego_json(out, rego_member(rego_item(rows, 0), "x"));
}

static inline void check_rows(const struct rego_row *row, size_t count, const char *input)
{
	for (size_t i = 0; i < count; i++) {
		cleanup_with(buf_done) struct buf got = {0};
		row_answer(row[i].expr, input, &got);
		const char *text = buf_str(&got);
		bool ok = row[i].json ? __builtin_strcmp(text, row[i].json) == 0
				      : text[0] == '!' && strstr(text, row[i].error);
		if (!ok)
			fail_msg("%s\n  is   %s\n  want %s", row[i].expr, text,
				row[i].json ? row[i].json : row[i].error);
	}
}
