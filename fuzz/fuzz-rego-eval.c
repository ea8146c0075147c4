/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evaluation of a hostile policy within budgets. Callers, attacker: as fuzz-rego-parse. Format: Rego
 * source; its package is evaluated as a whole. Asserts that two evaluations agree, with and without
 * explanation.
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
	rego_eval_explain(b, true);
	int ra = evaluate(a, &va), rb = evaluate(b, &vb);
	cleanup_with(buf_done) struct buf text = {0};
	rego_explain_text(b, &text);
	/* Explaining takes memory of its own. */
	if (ra == 0 && rb == 0)
		assert((!va && !vb) || (va && vb && rego_compare(va, vb) == 0));
	return 0;
}
