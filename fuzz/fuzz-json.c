/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Called by: everything that reads JSON. Attacker: guests before they are attested, the network,
 * who sends evidence. Format: RFC 8259. Property: json_parse() accepts what jansson accepts within
 * the depth, and json_plain() nothing else; values are equal, members in the same order; what is
 * written is plain or not, but always read back.
 */
#include <stdlib.h>

#include "fmt/json.h"
#include "fmt/json_plain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t depth_of(const json_t *j)
{
	size_t i, depth, deepest = 0;
	const char *name;
	json_t *v;

	json_array_foreach (j, i, v) {
		depth = depth_of(v);
		deepest = MAX(deepest, depth);
	}
	json_object_foreach ((json_t *)(uintptr_t)j, name, v) {
		depth = depth_of(v);
		deepest = MAX(deepest, depth);
	}
	return deepest + (json_is_array(j) || json_is_object(j));
}

static void need(bool good)
{
	if (!good)
		__builtin_trap();
}

static void need_same(const json_t *a, const json_t *b)
{
	cleanup_with(buf_done) struct buf x = buf_init(0), y = buf_init(0);

	need(json_equal(a, b) && json_write(a, &x) == 0 && json_write(b, &y) == 0);
	need(slice_eq(buf_slice(&x), buf_slice(&y)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of(data, size);
	cleanup(json_decref) json_t *want = json_loadb(
		(const char *)data, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
	cleanup(json_decref) json_t *plain = json_plain(in), *got = NULL, *again = NULL;
	cleanup_with(buf_done) struct buf text = buf_init(0);
	bool shallow = want && depth_of(want) <= JSON_DEPTH_MAX;

	if (plain) {
		need(shallow);
		need_same(plain, want);
	}
	need((json_parse(in, size ? size : 1, &got, NULL) == 0) == shallow);
	if (!got)
		return 0;
	need_same(got, want);
	need(json_write(got, &text) == 0);
	need(json_parse(buf_slice(&text), text.size, &again, NULL) == 0);
	need_same(again, got);
	return 0;
}
