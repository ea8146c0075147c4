/* SPDX-License-Identifier: Apache-2.0 */
/* Fragments of programs: made, joined and copied. */
#include "base/str.h"
#include "rego/regex_parse.h"

const struct frag re_nothing;

#define SHOWN_MAX 200

struct frag re_fail_part(struct parser *p, const char *what, size_t from, size_t to)
{
	struct slice part = slice_cut(p->s, from, MIN(to - from, (size_t)SHOWN_MAX));
	if (p->error)
		return re_nothing;
	size_t room = strlen(what) + part.size + 8;
	char *text = mem_alloc(p->m, room);
	snprintf(text, room, "%s: `%.*s`", what, SLICE_ARG(part));
	p->error = text;
	return re_nothing;
}

struct frag re_fail(struct parser *p, const char *what)
{
	return re_fail_part(p, what, 0, p->s.size);
}

struct frag re_frag_new(struct parser *p, uint32_t count)
{
	if (count > RE_MAX_INSNS)
		return re_fail(p, "expression is too large");
	return (struct frag){mem_array(p->m, count + 1, sizeof(struct re_insn)), count};
}

struct frag re_single(struct parser *p, enum re_op op, uint32_t x)
{
	struct frag f = re_frag_new(p, 1);
	f.insn[0] = (struct re_insn){op, x, 0};
	return f;
}

struct frag re_join(struct parser *p, struct frag a, struct frag b)
{
	if (a.count == 0)
		return b;
	if (b.count == 0)
		return a;
	struct frag f = re_frag_new(p, a.count + b.count);
	if (p->error)
		return re_nothing;
	memcpy(f.insn, a.insn, a.count * sizeof(*f.insn));
	memcpy(f.insn + a.count, b.insn, b.count * sizeof(*f.insn));
	return f;
}

static struct frag with_split(struct parser *p, struct frag a, bool before, bool loop, bool lazy)
{
	/* before: SPLIT a; loop: a JUMP/SPLIT back. */
	struct frag f = re_frag_new(p, a.count + (before ? 1 : 0) + (loop ? 1 : 0));
	if (p->error)
		return re_nothing;
	uint32_t n = 0, out = f.count;
	if (before) {
		f.insn[n] = (struct re_insn){RE_SPLIT, lazy ? out : 1, lazy ? 1 : out};
		n++;
	}
	memcpy(f.insn + n, a.insn, a.count * sizeof(*f.insn));
	n += a.count;
	if (loop && before)
		f.insn[n] = (struct re_insn){RE_JUMP, 0u - n, 0};
	else if (loop)
		f.insn[n] = (struct re_insn){RE_SPLIT, lazy ? 1 : 0u - n, lazy ? 0u - n : 1};
	return f;
}

static struct frag star(struct parser *p, struct frag a, bool lazy)
{
	return with_split(p, a, true, true, lazy);
}

static struct frag plus(struct parser *p, struct frag a, bool lazy)
{
	return with_split(p, a, false, true, lazy);
}

static struct frag optional(struct parser *p, struct frag a, bool lazy)
{
	return with_split(p, a, true, false, lazy);
}

struct frag re_repeat(struct parser *p, struct frag a, int min, int max, bool lazy)
{
	struct frag f = re_nothing;
	if ((uint64_t)a.count * (uint64_t)MAX(min, max) > RE_MAX_INSNS)
		return re_fail(p, "expression is too large");
	/* x{n,}: n-1 copies and x+. */
	if (max < 0) {
		if (min == 0)
			return star(p, a, lazy);
		for (int i = 1; i < min; i++)
			f = re_join(p, f, a);
		return re_join(p, f, plus(p, a, lazy));
	}
	for (int i = min; i < max; i++)
		f = optional(p, re_join(p, a, f), lazy);
	for (int i = 0; i < min; i++)
		f = re_join(p, a, f);
	return f;
}

struct frag re_alternate(struct parser *p, struct frag a, struct frag b)
{
	struct frag f = re_frag_new(p, a.count + b.count + 2);
	if (p->error)
		return re_nothing;
	f.insn[0] = (struct re_insn){RE_SPLIT, 1, a.count + 2};
	memcpy(f.insn + 1, a.insn, a.count * sizeof(*f.insn));
	f.insn[a.count + 1] = (struct re_insn){RE_JUMP, b.count + 1, 0};
	memcpy(f.insn + a.count + 2, b.insn, b.count * sizeof(*f.insn));
	return f;
}

int re_peek(struct parser *p)
{
	return p->at < p->s.size ? p->s.data[p->at] : -1;
}

bool re_accept(struct parser *p, int c)
{
	if (re_peek(p) != c)
		return false;
	p->at++;
	return true;
}

uint32_t re_next_rune(struct parser *p)
{
	uint32_t code;
	size_t n = utf8_decode(slice_cut(p->s, p->at, 4), &code);
	if (n == 0) {
		re_fail(p, "invalid UTF-8");
		p->at = p->s.size;
		return 0;
	}
	p->at += n;
	return code;
}

struct frag re_class_frag(struct parser *p, struct re_ranges *r, bool negate)
{
	if (p->flags & FLAG_FOLD)
		re_ranges_fold(p->m, r);
	re_ranges_finish(r);
	if (negate)
		re_ranges_negate(p->m, r);
	if (p->class_count == p->class_capacity) {
		uint32_t capacity = p->class_capacity ? p->class_capacity * 2 : 8;
		struct re_class *more = mem_array(p->m, capacity, sizeof(*more));
		if (p->class_count)
			memcpy(more, p->class, p->class_count * sizeof(*more));
		p->class = more;
		p->class_capacity = capacity;
	}
	p->class[p->class_count] = (struct re_class){r->range, r->count};
	return re_single(p, r->count ? RE_CLASS : RE_NEVER, p->class_count++);
}

struct frag re_literal(struct parser *p, uint32_t code)
{
	if (p->flags & FLAG_FOLD) {
		struct re_ranges r = {0};
		re_ranges_add(p->m, &r, code, code);
		re_ranges_fold(p->m, &r);
		if (r.count > 1 || r.range[0] != r.range[1])
			return re_class_frag(p, &r, false);
	}
	return re_single(p, RE_CHAR, code);
}
