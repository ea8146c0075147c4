/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evaluation of a hostile policy within budgets. Callers, attacker: as fuzz-rego-parse. Format: Rego
 * source; its package is evaluated as a whole. Asserts that evaluations agree: without and with
 * explanation and coverage, and of the source after it was formatted.
 */
#include <assert.h>

#include "base/buf.h"
#include "rego/rego.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int evaluate(struct rego_eval *e, const struct rego_value **v)
{
	enum rego_outcome outcome;
	struct err err = {0};
	*v = NULL;
	if (rego_eval_input_json(e, SLICE_LIT("{\"a\":[1,2,{\"b\":\"c\"}],\"x\":1}"), &err) < 0)
		return -1;
	return rego_eval_path(e, "data", &outcome, v, &err);
}

/* The formatted source gives what the source gave; formatting it again changes nothing. */
static void check_format(
	struct slice source, const struct rego_eval_options *o, const struct rego_value *want)
{
	static const struct rego_format_options any = {.dialect = REGO_DIALECT_ANY};
	cleanup_with(buf_done) struct buf once = {0}, twice = {0};
	cleanup(rego_program_free) struct rego_program *p = NULL;
	const struct rego_value *got;
	if (rego_format("f.rego", source, &any, &once, NULL) < 0)
		return;
	assert(rego_format("f.rego", buf_slice(&once), &any, &twice, NULL) == 0);
	assert(slice_eq(buf_slice(&once), buf_slice(&twice)));
	assert(rego_compile("f.rego", buf_slice(&once), &p, NULL) == 0);
	cleanup(rego_eval_free) struct rego_eval *e = rego_eval_new(p, o);
	if (!e || evaluate(e, &got) < 0)
		return;
	assert((!want && !got) || (want && got && rego_compare(want, got) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup(rego_program_free) struct rego_program *p = NULL;
	if (rego_compile("f.rego", slice_of(data, size), &p, NULL) < 0)
		return 0;
	struct rego_eval_options o = {.max_memory = 32 << 20, .max_steps = 200000};
	cleanup(rego_eval_free) struct rego_eval *a = rego_eval_new(p, &o);
	cleanup(rego_eval_free) struct rego_eval *b = rego_eval_new(p, &o);
	const struct rego_value *va, *vb;
	if (!a || !b)
		return 0;
	cleanup(rego_coverage_free) struct rego_coverage *c = rego_coverage_new(p);
	rego_eval_explain(b, true);
	rego_eval_cover(b, c);
	int ra = evaluate(a, &va), rb = evaluate(b, &vb);
	cleanup_with(buf_done) struct buf text = {0};
	rego_explain_text(b, &text);
	/* Explaining takes memory of its own. */
	if (ra == 0 && rb == 0)
		assert((!va && !vb) || (va && vb && rego_compare(va, vb) == 0));
	if (ra == 0)
		check_format(slice_of(data, size), &o, va);
	cleanup_with(buf_done) struct buf report = {0};
	if (c)
		rego_coverage_json(c, &report);
	return 0;
}
