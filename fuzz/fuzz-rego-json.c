/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON reader of the policy engine. Callers: input and data documents. Attacker: whoever sends
 * evidence or a request. Format: JSON text. Asserts that what is printed reads back as equal.
 */
#include <assert.h>

#include "base/buf.h"
#include "rego/rego.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rego_program *p;
	const struct rego_value *v, *again;
	if (!p && rego_compile("p.rego", SLICE_LIT("package p"), &p, NULL) < 0)
		return 0;
	struct rego_eval_options o = {.max_memory = 64 << 20};
	cleanup(rego_eval_free) struct rego_eval *e = rego_eval_new(p, &o);
	if (!e || rego_make_json(e, slice_of(data, size), &v, NULL) < 0)
		return 0;
	cleanup_with(buf_done) struct buf text = {0};
	rego_json(&text, v);
	if (buf_error(&text) == 0) {
		int r = rego_make_json(e, buf_slice(&text), &again, NULL);
		assert(r == REGO_ERR_MEMORY || (r == 0 && rego_compare(v, again) == 0));
	}
	return 0;
}
