/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns to programs. The parser emits instructions as fragments that it can copy and join. */
#include "base/str.h"
#include "rego/regex_parse.h"

static struct frag alternatives(struct parser *p);

/* After "(?": flags, or a named group. Returns false when it was only flags for what follows. */
static bool group_flags(struct parser *p, bool *ret_group)
{
	bool negative = false, any = true;
	unsigned flags = p->flags;
	*ret_group = false;
	for (;;) {
		int c = re_peek(p);
		unsigned bit = c == 'i'	  ? FLAG_FOLD
			       : c == 'm' ? FLAG_LINES
			       : c == 's' ? FLAG_DOT_NL
			       : c == 'U' ? FLAG_UNGREEDY
					  : 0u;
		p->at++;
		if (bit) {
			flags = negative ? flags & ~bit : flags | bit;
			any = true;
		} else if (c == '-' && !negative) {
			negative = true;
			any = false;
		} else if ((c == ':' || c == ')') && any) {
			p->flags = flags;
			*ret_group = c == ':';
			return true;
		} else {
			return false;
		}
	}
}

static bool group_name(struct parser *p, struct slice *ret)
{
	size_t start = p->at;
	while (re_peek(p) != '>' && re_peek(p) != -1)
		p->at++;
	*ret = slice_cut(p->s, start, p->at - start);
	bool ok = re_accept(p, '>') && ret->size > 0;
	for (size_t i = 0; ok && i < ret->size; i++) {
		uint8_t c = ret->data[i], l = c | 0x20;
		ok = c == '_' || (c >= '0' && c <= '9') || (l >= 'a' && l <= 'z');
	}
	return ok;
}

static struct frag capture(struct parser *p, struct slice name)
{
	uint32_t index = p->groups++;
	if (index >= p->name_capacity) {
		uint32_t capacity = p->name_capacity * 2 + 8;
		struct slice *more = mem_array(p->m, capacity, sizeof(*more));
		if (p->name_capacity)
			memcpy(more, p->name, p->name_capacity * sizeof(*more));
		p->name = more;
		p->name_capacity = capacity;
	}
	p->name[index] = name;
	struct frag inner = alternatives(p);
	if (!re_accept(p, ')'))
		return re_fail(p, "missing closing )");
	struct frag f = re_join(p, re_single(p, RE_SAVE, 2 * index), inner);
	return re_join(p, f, re_single(p, RE_SAVE, 2 * index + 1));
}

static struct frag group(struct parser *p)
{
	unsigned flags = p->flags;
	struct frag f;
	size_t begin = p->at - 1;
	struct slice name = SLICE_EMPTY;
	if (!re_accept(p, '?')) {
		f = capture(p, name);
		p->flags = flags;
		return f;
	}
	struct slice rest = slice_cut(p->s, p->at, p->s.size);
	if (slice_starts(rest, SLICE_LIT("P<")) || slice_starts(rest, SLICE_LIT("<"))) {
		p->at += rest.data[0] == 'P' ? 2 : 1;
		if (!group_name(p, &name))
			return re_fail_part(p, "invalid named capture", begin, p->at);
		f = capture(p, name);
		p->flags = flags;
		return f;
	}
	bool is_group;
	if (!group_flags(p, &is_group))
		return re_fail_part(
			p, "invalid or unsupported Perl syntax", begin, MIN(p->at, p->s.size));
	if (!is_group)
		return re_nothing; /* the flags stay for the rest of the enclosing group */
	f = alternatives(p);
	if (!re_accept(p, ')'))
		return re_fail(p, "missing closing )");
	p->flags = flags;
	return f;
}

static struct frag atom(struct parser *p)
{
	int c = re_peek(p);
	switch (c) {
	case '(':
		p->at++;
		if (++p->depth > RE_MAX_DEPTH)
			return re_fail(p, "expression nests too deeply");
		struct frag f = group(p);
		p->depth--;
		return f;
	case '[':
		p->at++;
		return re_bracket(p);
	case '.':
		p->at++;
		return re_single(p, p->flags & FLAG_DOT_NL ? RE_ANY_NL : RE_ANY, 0);
	case '^':
		p->at++;
		return re_single(
			p, RE_ASSERT, p->flags & FLAG_LINES ? RE_LINE_BEGIN : RE_TEXT_BEGIN);
	case '$':
		p->at++;
		return re_single(p, RE_ASSERT, p->flags & FLAG_LINES ? RE_LINE_END : RE_TEXT_END);
	case '\\':
		p->at++;
		return re_escape(p);
	case '*':
	case '+':
	case '?':
		return re_fail_part(p, "missing argument to repetition operator", p->at,
			p->at + 1 + (p->at + 1 < p->s.size && p->s.data[p->at + 1] == '?'));
	default:
		return re_literal(p, re_next_rune(p));
	}
}

/* {n}, {n,}, {n,m}; anything else is a literal brace. */
static bool counts(struct parser *p, int *ret_min, int *ret_max)
{
	size_t at = p->at + 1;
	int v[2] = {0, -1};
	int n = 0;
	for (; n < 2; n++) {
		size_t start = at;
		int value = 0;
		while (at < p->s.size && p->s.data[at] >= '0' && p->s.data[at] <= '9') {
			if (value <= RE_MAX_REPEAT)
				value = value * 10 + (p->s.data[at] - '0');
			at++;
		}
		if (at == start && n == 0)
			return false;
		v[n] = at == start ? -1 : value;
		if (n == 0 && at < p->s.size && p->s.data[at] == '}')
			v[1] = value;
		if (at < p->s.size && p->s.data[at] == '}')
			break;
		if (n > 0 || at >= p->s.size || p->s.data[at] != ',')
			return false;
		at++;
	}
	p->at = at + 1;
	*ret_min = v[0];
	*ret_max = v[1];
	return true;
}

/* As Go: parts in repeats in repeats are limited together. */
static bool count_repeats(struct parser *p, int min, int max)
{
	uint32_t times = max < 0 ? (uint32_t)min : (uint32_t)max;
	if (min < 2 && max < 2)
		return true;
	p->repeats *= MAX(times, 1u);
	return p->repeats <= RE_MAX_REPEAT;
}

static struct frag quantified(struct parser *p)
{
	uint32_t outside = p->repeats;
	p->repeats = 1;
	struct frag f = atom(p);
	size_t last = SIZE_MAX; /* where the operator before begins */
	while (!p->error) {
		size_t begin = p->at;
		int c = re_peek(p), min = c == '+', max = c == '?' ? 1 : -1;
		if (c == '{') {
			if (!counts(p, &min, &max))
				break;
			if (min > RE_MAX_REPEAT || max > RE_MAX_REPEAT || (max >= 0 && max < min))
				return re_fail_part(p, "invalid repeat count", begin, p->at);
		} else if (c == '*' || c == '+' || c == '?') {
			p->at++;
		} else {
			break;
		}
		bool lazy = re_accept(p, '?') != ((p->flags & FLAG_UNGREEDY) != 0);
		if (last != SIZE_MAX)
			return re_fail_part(p, "invalid nested repetition operator", last, p->at);
		if (c == '{' && !count_repeats(p, min, max))
			return re_fail_part(p, "invalid repeat count", begin, p->at);
		last = begin;
		/* Repeating nothing, as in (?:)*, is nothing. */
		if (f.count > 0)
			f = re_repeat(p, f, min, max, lazy);
	}
	p->repeats = MAX(p->repeats, outside);
	return f;
}

static struct frag quoted(struct parser *p)
{
	struct frag f = re_nothing;
	p->at += 2;
	while (!p->error && p->at < p->s.size) {
		if (slice_starts(slice_cut(p->s, p->at, 2), SLICE_LIT("\\E"))) {
			p->at += 2;
			break;
		}
		f = re_join(p, f, re_literal(p, re_next_rune(p)));
	}
	return f;
}

static struct frag sequence(struct parser *p)
{
	/* Pieces are collected first: joining one by one would copy quadratically. */
	struct frag *piece = NULL;
	uint32_t count = 0, capacity = 0, total = 0;
	while (!p->error && re_peek(p) != -1 && re_peek(p) != '|' && re_peek(p) != ')') {
		struct frag f = slice_starts(slice_cut(p->s, p->at, 2), SLICE_LIT("\\Q"))
					? quoted(p)
					: quantified(p);
		if (count == capacity) {
			capacity = capacity ? capacity * 2 : 8;
			struct frag *more = mem_array(p->m, capacity, sizeof(*more));
			if (count)
				memcpy(more, piece, count * sizeof(*more));
			piece = more;
		}
		piece[count++] = f;
		total += f.count;
		if (total > RE_MAX_INSNS)
			return re_fail(p, "expression is too large");
	}
	if (p->error)
		return re_nothing;
	struct frag f = re_frag_new(p, total);
	uint32_t n = 0;
	for (uint32_t i = 0; i < count; i++) {
		if (piece[i].count)
			memcpy(f.insn + n, piece[i].insn, piece[i].count * sizeof(*f.insn));
		n += piece[i].count;
	}
	return f;
}

static struct frag alternatives(struct parser *p)
{
	struct frag branch[64];
	uint32_t count = 0;
	struct frag all = re_nothing;
	bool any = false;
	for (;;) {
		branch[count++] = sequence(p);
		bool more = re_accept(p, '|');
		if (!more || count == ARRAY_COUNT(branch)) {
			struct frag f = branch[count - 1];
			for (uint32_t i = count - 1; i-- > 0;)
				f = re_alternate(p, branch[i], f);
			all = any ? re_alternate(p, all, f) : f;
			any = true;
			count = 0;
		}
		if (!more || p->error)
			return all;
	}
}

/* Jumps become absolute; the bytes every match begins with are found. */
static void finish(struct mem *m, struct regex *re)
{
	for (uint32_t i = 0; i < re->count; i++) {
		struct re_insn *in = &re->insn[i];
		if (in->op == RE_SPLIT || in->op == RE_JUMP)
			in->x += i;
		if (in->op == RE_SPLIT)
			in->y += i;
	}
	for (uint32_t k = 0; k < re->class_count; k++)
		for (uint32_t code = 0; code < 128; code++)
			if (re_in_class(&re->class[k], code))
				re->class[k].ascii[code / 64] |= (uint64_t)1 << code % 64;
	uint32_t i = 0;
	while (re->insn[i].op == RE_SAVE)
		i++;
	if (re->insn[i].op == RE_ASSERT && re->insn[i].x == RE_TEXT_BEGIN) {
		re->anchored = true;
		i++;
	}
	uint8_t *bytes = mem_alloc(m, (size_t)re->count * 4 + 4);
	size_t n = 0;
	for (; re->insn[i].op == RE_CHAR || re->insn[i].op == RE_SAVE; i++) {
		if (re->insn[i].op == RE_SAVE)
			continue;
		/* A character that a loop or alternative jumps to ends the prefix by itself, since
		 * such an instruction is not reached in a straight line. */
		size_t size = utf8_encode(re->insn[i].x, bytes + n);
		if (size == 0)
			break;
		bool repeated = re->insn[i + 1].op == RE_SPLIT;
		n += size;
		if (repeated) {
			i++;
			break;
		}
	}
	re->prefix = slice_of(bytes, n);
	re->after_prefix = i;
}

struct regex *regex_compile(struct mem *m, struct slice pattern, const char **ret_error)
{
	struct parser p = {.m = m, .s = pattern, .groups = 1, .repeats = 1};
	struct frag body = alternatives(&p);
	if (!p.error && re_peek(&p) == ')')
		re_fail(&p, "unexpected )");
	if (p.error) {
		*ret_error = p.error;
		return NULL;
	}
	struct regex *re = mem_new(m, struct regex);
	re->insn = mem_array(m, body.count + 3, sizeof(*re->insn));
	re->insn[0] = (struct re_insn){RE_SAVE, 0, 0};
	if (body.count)
		memcpy(re->insn + 1, body.insn, body.count * sizeof(*re->insn));
	re->insn[body.count + 1] = (struct re_insn){RE_SAVE, 1, 0};
	re->insn[body.count + 2] = (struct re_insn){RE_MATCH, 0, 0};
	re->count = body.count + 3;
	re->class = p.class;
	re->class_count = p.class_count;
	re->groups = p.groups;
	re->name = p.name;
	finish(m, re);
	return re;
}
