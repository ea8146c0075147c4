/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions. Callers: regex.* built-ins with patterns from policies and requests.
 * Attacker: whoever writes either. Format: pattern, newline, text. Asserts that captures lie in the
 * match, that searching with and without captures agrees, and that a backtracking search over the same
 * program (each place visited once) finds the same match and captures.
 */
#include <assert.h>

#include "base/str.h"
#include "rego/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct job {
	struct mem *m;
	struct slice pattern, text;
};

/* What is left to try: an instruction at a place, or a capture to put back (pc NONE). */
struct todo {
	uint32_t pc;
	size_t at; /* or the old value */
	uint32_t slot;
};

struct naive {
	const struct regex *re;
	struct slice text;
	uint8_t *seen; /* a bit per instruction and place */
	struct todo *stack;
	size_t depth;
	size_t *slots;
};

static bool is_word(const struct slice *s, size_t at)
{
	uint8_t c = at < s->size ? s->data[at] : 0;
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_';
}

static bool holds(const struct naive *k, uint32_t kind, size_t at)
{
	const struct slice *s = &k->text;
	bool word = (at > 0 && is_word(s, at - 1)) != is_word(s, at);
	switch (kind) {
	case RE_TEXT_BEGIN:
		return at == 0;
	case RE_TEXT_END:
		return at == s->size;
	case RE_LINE_BEGIN:
		return at == 0 || s->data[at - 1] == '\n';
	case RE_LINE_END:
		return at == s->size || s->data[at] == '\n';
	case RE_WORD:
		return word;
	default:
		return !word;
	}
}

static bool reads(const struct naive *k, const struct re_insn *in, uint32_t code)
{
	switch (in->op) {
	case RE_CHAR:
		return in->x == code;
	case RE_CLASS:
		return re_in_class(&k->re->class[in->x], code);
	case RE_ANY:
		return code != '\n';
	default:
		return in->op == RE_ANY_NL;
	}
}

static void push(struct naive *k, uint32_t pc, size_t at, uint32_t slot)
{
	k->stack[k->depth++] = (struct todo){pc, at, slot};
}

static void step(struct naive *k, uint32_t pc, size_t at)
{
	const struct re_insn *in = &k->re->insn[pc];
	uint32_t code = 0xfffd;
	size_t size;
	switch (in->op) {
	case RE_JUMP:
		push(k, in->x, at, 0);
		break;
	case RE_SPLIT:
		push(k, in->y, at, 0);
		push(k, in->x, at, 0);
		break;
	case RE_ASSERT:
		if (holds(k, in->x, at))
			push(k, pc + 1, at, 0);
		break;
	case RE_SAVE:
		push(k, UINT32_MAX, k->slots[in->x], in->x);
		k->slots[in->x] = at;
		push(k, pc + 1, at, 0);
		break;
	default:
		if (at == k->text.size)
			break;
		size = utf8_decode(slice_cut(k->text, at, 4), &code);
		if (size == 0)
			code = 0xfffd;
		if (reads(k, in, code))
			push(k, pc + 1, at + MAX(size, (size_t)1), 0);
	}
}

static bool try_at(struct naive *k, size_t from)
{
	push(k, 0, from, 0);
	while (k->depth > 0) {
		struct todo t = k->stack[--k->depth];
		if (t.pc == UINT32_MAX) {
			k->slots[t.slot] = t.at;
			continue;
		}
		size_t bit = (size_t)t.pc * (k->text.size + 1) + t.at;
		if (k->seen[bit / 8] & 1 << bit % 8)
			continue;
		k->seen[bit / 8] |= (uint8_t)(1 << bit % 8);
		if (k->re->insn[t.pc].op == RE_MATCH)
			return true;
		step(k, t.pc, t.at);
	}
	return false;
}

static bool naive_search(struct mem *m, const struct regex *re, struct slice text, size_t *slots)
{
	size_t places = (size_t)re->count * (text.size + 1);
	struct naive k = {.re = re, .text = text, .slots = slots};
	k.seen = mem_alloc(m, places / 8 + 1);
	k.stack = mem_array(m, 3 * places + 3, sizeof(*k.stack));
	for (uint32_t i = 0; i < 2 * re->groups; i++)
		slots[i] = RE_NONE;
	for (size_t at = 0; at <= text.size;) {
		if (try_at(&k, at))
			return true;
		uint32_t code;
		at += at < text.size ? MAX(utf8_decode(slice_cut(text, at, 4), &code), (size_t)1)
				     : 1;
	}
	return false;
}

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
	size_t *other = mem_array(j->m, (size_t)re->groups * 2, sizeof(*other));
	if ((size_t)re->count * (j->text.size + 1) < 200000) {
		assert(found == naive_search(j->m, re, j->text, other));
		assert(!found || memcmp(slots, other, re->groups * 2 * sizeof(*slots)) == 0);
	}
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
