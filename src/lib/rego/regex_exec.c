/* SPDX-License-Identifier: Apache-2.0 */
/* Pike's machine: all threads advance together over the text, in order of preference. */
#include "base/str.h"
#include "rego/regex.h"

struct threads {
	uint32_t *dense, *sparse;
	uint32_t count;
	size_t *slots; /* per instruction */
};

struct re_scratch {
	struct threads a, b;
	uint32_t *stack;
	size_t *saved; /* undo stack for captures: slot, value */
	size_t *empty; /* no captures */
};

struct machine {
	struct regex *re;
	struct slice text;
	uint32_t slot_count;
	uint64_t work;
};

static bool in_set(const struct threads *t, uint32_t pc)
{
	uint32_t i = t->sparse[pc];
	return i < t->count && t->dense[i] == pc;
}

void regex_prepare(struct mem *m, struct regex *re)
{
	struct re_scratch *s = mem_new(m, struct re_scratch);
	uint32_t n = re->count;
	for (int i = 0; i < 2; i++) {
		struct threads *t = i ? &s->b : &s->a;
		t->dense = mem_array(m, n + 1, sizeof(uint32_t));
		t->sparse = mem_array(m, n + 1, sizeof(uint32_t));
		t->slots = mem_array(m, (size_t)n * re->groups * 2 + 1, sizeof(size_t));
	}
	s->stack = mem_array(m, 3 * (size_t)n + 3, sizeof(uint32_t));
	s->saved = mem_array(m, 2 * (size_t)n + 2, sizeof(size_t));
	s->empty = mem_array(m, (size_t)re->groups * 2 + 1, sizeof(size_t));
	for (uint32_t i = 0; i < re->groups * 2; i++)
		s->empty[i] = RE_NONE;
	re->scratch = s;
}

static bool is_word(int c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '_';
}

static bool assertion(const struct machine *k, uint32_t kind, size_t at)
{
	int before = at > 0 ? k->text.data[at - 1] : -1;
	int after = at < k->text.size ? k->text.data[at] : -1;
	switch (kind) {
	case RE_TEXT_BEGIN:
		return at == 0;
	case RE_TEXT_END:
		return after == -1;
	case RE_LINE_BEGIN:
		return at == 0 || before == '\n';
	case RE_LINE_END:
		return after == -1 || after == '\n';
	case RE_WORD:
		return is_word(before) != is_word(after);
	default:
		return is_word(before) == is_word(after);
	}
}

/* Marks on the stack of add(): undo one capture. */
#define UNDO UINT32_MAX

/* Follow @pc through instructions that read nothing; @cap is the thread's captures. */
static void add(struct machine *k, struct re_scratch *s, struct threads *t, uint32_t pc, size_t at,
	size_t *cap)
{
	uint32_t depth = 0, undo = 0;
	s->stack[depth++] = pc;
	while (depth > 0) {
		pc = s->stack[--depth];
		if (pc == UNDO) {
			undo--;
			cap[s->saved[2 * undo]] = s->saved[2 * undo + 1];
			continue;
		}
		if (in_set(t, pc))
			continue;
		k->work++;
		t->sparse[pc] = t->count;
		t->dense[t->count++] = pc;
		const struct re_insn *in = &k->re->insn[pc];
		switch (in->op) {
		case RE_JUMP:
			s->stack[depth++] = in->x;
			break;
		case RE_SPLIT:
			s->stack[depth++] = in->y;
			s->stack[depth++] = in->x;
			break;
		case RE_ASSERT:
			if (assertion(k, in->x, at))
				s->stack[depth++] = pc + 1;
			break;
		case RE_SAVE:
			if (in->x < k->slot_count) {
				s->saved[2 * undo] = in->x;
				s->saved[2 * undo + 1] = cap[in->x];
				undo++;
				cap[in->x] = at;
				s->stack[depth++] = UNDO;
			}
			s->stack[depth++] = pc + 1;
			break;
		default:
			if (k->slot_count)
				memcpy(t->slots + (size_t)pc * k->slot_count, cap,
					k->slot_count * sizeof(size_t));
		}
	}
}

static bool in_class(const struct re_class *c, uint32_t code)
{
	if (code < 128)
		return c->ascii[code / 64] >> code % 64 & 1;
	return re_in_class(c, code);
}

static bool consumes(const struct regex *re, const struct re_insn *in, uint32_t code)
{
	switch (in->op) {
	case RE_CHAR:
		return in->x == code;
	case RE_CLASS:
		return in_class(&re->class[in->x], code);
	case RE_ANY:
		return code != '\n';
	case RE_ANY_NL:
		return true;
	default:
		return false;
	}
}

/* One step over a code point; true when a thread matched, with its captures in @best. */
static bool step(struct machine *k, struct re_scratch *s, struct threads *now, struct threads *next,
	size_t at, size_t size, uint32_t code, size_t *best)
{
	next->count = 0;
	for (uint32_t i = 0; i < now->count; i++) {
		uint32_t pc = now->dense[i];
		const struct re_insn *in = &k->re->insn[pc];
		size_t *cap = now->slots + (size_t)pc * k->slot_count;
		if (in->op == RE_MATCH) {
			if (best)
				memcpy(best, cap, k->slot_count * sizeof(size_t));
			return true; /* threads after this one are less preferred */
		}
		if (size > 0 && consumes(k->re, in, code))
			add(k, s, next, pc + 1, at + size, cap);
	}
	return false;
}

static size_t find_prefix(const struct regex *re, struct slice text, size_t from)
{
	struct slice p = re->prefix;
	const uint8_t *hit = memmem(text.data + from, text.size - from, p.data, p.size);
	return hit ? (size_t)(hit - text.data) : RE_NONE;
}

/* How much work passes before the meter is told. */
#define PORTION 65536

static void tell(struct machine *k, const struct re_meter *meter)
{
	if (meter)
		meter->charge(meter->cookie, k->work);
	k->work = 0;
}

bool regex_search(struct regex *re, struct slice text, size_t from, size_t *ret_slots,
	const struct re_meter *meter)
{
	struct re_scratch *s = re->scratch;
	struct machine k = {.re = re, .text = text, .slot_count = ret_slots ? re->groups * 2 : 0};
	struct threads *now = &s->a, *next = &s->b;
	now->count = 0;
	bool matched = false;
	if (re->anchored && (from > 0 || !slice_starts(text, re->prefix)))
		return false;
	if (re->anchored && !ret_slots && re->prefix.size) {
		from = re->prefix.size;
		add(&k, s, now, re->after_prefix, from, s->empty);
	}
	for (size_t at = from; at <= text.size;) {
		if (k.work >= PORTION)
			tell(&k, meter);
		if (now->count == 0) {
			if (matched || (re->anchored && at > 0))
				break;
			if (re->prefix.size && !re->anchored) {
				at = find_prefix(re, text, at);
				if (at == RE_NONE)
					break;
			}
		}
		if (!matched && !(re->anchored && at > 0))
			add(&k, s, now, 0, at, s->empty);
		uint32_t code = 0;
		size_t size = 0;
		if (at < text.size && text.data[at] < 0x80) {
			code = text.data[at];
			size = 1;
		} else if (at < text.size) {
			size = utf8_decode(slice_cut(text, at, 4), &code);
			if (size == 0) {
				size = 1;
				code = 0xfffd;
			}
		}
		if (step(&k, s, now, next, at, size, code, ret_slots)) {
			matched = true;
			if (!ret_slots)
				break;
		}
		struct threads *t = now;
		now = next;
		next = t;
		if (size == 0)
			break;
		at += size;
	}
	tell(&k, meter);
	return matched;
}
