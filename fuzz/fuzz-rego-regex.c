/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions. Callers: regex.* built-ins with patterns from policies and requests.
 * Attacker: whoever writes either. Format: pattern, newline, text. Asserts that captures lie in the
 * match and that searching with and without captures agrees.
 */
#include <assert.h>

#include "rego/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct job {
	struct mem *m;
	struct slice pattern, text;
};

static void run(void *arg)
{
	struct job *j = arg;
	const char *error = NULL;
	struct regex *re = regex_compile(j->m, j->pattern, &error);
	if (!re) {
		assert(error);
		return;
	}
	regex_prepare(j->m, re);
	size_t *slots = mem_array(j->m, (size_t)re->groups * 2, sizeof(*slots));
	bool found = regex_search(re, j->text, 0, slots, NULL);
	assert(found == regex_search(re, j->text, 0, NULL, NULL));
	for (uint32_t i = 0; found && i < re->groups; i++) {
		if (slots[2 * i] == RE_NONE || slots[2 * i + 1] == RE_NONE)
			continue;
		assert(slots[2 * i] <= slots[2 * i + 1] && slots[2 * i + 1] <= j->text.size);
		assert(slots[2 * i] >= slots[0] && slots[2 * i + 1] <= slots[1]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 4096)
		return 0;
	const uint8_t *nl = size ? memchr(data, '\n', size) : NULL;
	size_t n = nl ? (size_t)(nl - data) : size;
	struct mem m = {.arena = arena_new(64 << 20)};
	struct job j = {&m, slice_of(data, n), slice_of(data + n, size - n)};
	if (m.arena)
		(void)!mem_guard(&m, run, &j, NULL);
	arena_free(m.arena);
	return 0;
}
