/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns to programs. The parser emits instructions as fragments that it can copy and join. */
#include "base/str.h"
#include "rego/regex.h"

/* Instructions with jumps relative to their own position, so that fragments can be moved. */
struct frag {
	struct re_insn *insn;
	uint32_t count;
};

enum {
	FLAG_FOLD = 1,	   /* i */
	FLAG_LINES = 2,	   /* m */
	FLAG_DOT_NL = 4,   /* s */
	FLAG_UNGREEDY = 8, /* U */
};

struct parser {
	struct mem *m;
	struct slice s;
	size_t at;
	unsigned flags;
	unsigned depth;
	uint32_t repeats; /* how often the innermost part of what was read last is repeated */
	const char *error;
	struct re_class *class;
	uint32_t class_count, class_capacity;
	uint32_t groups;
	struct slice *name;
	uint32_t name_capacity;
};

static const struct frag nothing;

#define SHOWN_MAX 200

/* "WHAT: `PART`" in the words of Go's regexp, with the part of the pattern that is wrong. */
static struct frag fail_part(struct parser *p, const char *what, size_t from, size_t to)
{
	struct slice part = slice_cut(p->s, from, MIN(to - from, (size_t)SHOWN_MAX));
	if (p->error)
		return nothing;
	size_t room = strlen(what) + part.size + 8;
	char *text = mem_alloc(p->m, room);
	snprintf(text, room, "%s: `%.*s`", what, SLICE_ARG(part));
	p->error = text;
	return nothing;
}

static struct frag fail(struct parser *p, const char *what)
{
	return fail_part(p, what, 0, p->s.size);
}

static struct frag alloc(struct parser *p, uint32_t count)
{
	if (count > RE_MAX_INSNS)
		return fail(p, "expression is too large");
	return (struct frag){mem_array(p->m, count + 1, sizeof(struct re_insn)), count};
}

static struct frag single(struct parser *p, enum re_op op, uint32_t x)
{
	struct frag f = alloc(p, 1);
	f.insn[0] = (struct re_insn){op, x, 0};
	return f;
}

static struct frag join(struct parser *p, struct frag a, struct frag b)
{
	if (a.count == 0)
		return b;
	if (b.count == 0)
		return a;
	struct frag f = alloc(p, a.count + b.count);
	if (p->error)
		return nothing;
	memcpy(f.insn, a.insn, a.count * sizeof(*f.insn));
	memcpy(f.insn + a.count, b.insn, b.count * sizeof(*f.insn));
	return f;
}

static struct frag with_split(struct parser *p, struct frag a, bool before, bool loop, bool lazy)
{
	/* before: SPLIT a; loop: a JUMP/SPLIT back. */
	struct frag f = alloc(p, a.count + (before ? 1 : 0) + (loop ? 1 : 0));
	if (p->error)
		return nothing;
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

static struct frag repeat(struct parser *p, struct frag a, int min, int max, bool lazy)
{
	struct frag f = nothing;
	if ((uint64_t)a.count * (uint64_t)MAX(min, max) > RE_MAX_INSNS)
		return fail(p, "expression is too large");
	/* x{n,}: n-1 copies and x+. */
	if (max < 0) {
		if (min == 0)
			return star(p, a, lazy);
		for (int i = 1; i < min; i++)
			f = join(p, f, a);
		return join(p, f, plus(p, a, lazy));
	}
	for (int i = min; i < max; i++)
		f = optional(p, join(p, a, f), lazy);
	for (int i = 0; i < min; i++)
		f = join(p, a, f);
	return f;
}

static struct frag alternate(struct parser *p, struct frag a, struct frag b)
{
	struct frag f = alloc(p, a.count + b.count + 2);
	if (p->error)
		return nothing;
	f.insn[0] = (struct re_insn){RE_SPLIT, 1, a.count + 2};
	memcpy(f.insn + 1, a.insn, a.count * sizeof(*f.insn));
	f.insn[a.count + 1] = (struct re_insn){RE_JUMP, b.count + 1, 0};
	memcpy(f.insn + a.count + 2, b.insn, b.count * sizeof(*f.insn));
	return f;
}

static int peek(struct parser *p)
{
	return p->at < p->s.size ? p->s.data[p->at] : -1;
}

static bool accept(struct parser *p, int c)
{
	if (peek(p) != c)
		return false;
	p->at++;
	return true;
}

static uint32_t next_rune(struct parser *p)
{
	uint32_t code;
	size_t n = utf8_decode(slice_cut(p->s, p->at, 4), &code);
	if (n == 0) {
		fail(p, "invalid UTF-8");
		p->at = p->s.size;
		return 0;
	}
	p->at += n;
	return code;
}

static struct frag class_frag(struct parser *p, struct re_ranges *r, bool negate)
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
	return single(p, r->count ? RE_CLASS : RE_NEVER, p->class_count++);
}

static struct frag literal(struct parser *p, uint32_t code)
{
	if (p->flags & FLAG_FOLD) {
		struct re_ranges r = {0};
		re_ranges_add(p->m, &r, code, code);
		re_ranges_fold(p->m, &r);
		if (r.count > 1 || r.range[0] != r.range[1])
			return class_frag(p, &r, false);
	}
	return single(p, RE_CHAR, code);
}

static int hex_value(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* After "\x". */
static bool hex_escape(struct parser *p, uint32_t *ret)
{
	uint32_t v = 0;
	int digits = 0;
	bool braces = accept(p, '{');
	while (hex_value(peek(p)) >= 0 && (braces ? digits < 8 : digits < 2)) {
		v = v << 4 | (uint32_t)hex_value(peek(p));
		p->at++;
		digits++;
	}
	if ((braces && !accept(p, '}')) || digits == 0 || (!braces && digits != 2) || v > 0x10ffff)
		return false;
	*ret = v;
	return true;
}

/* An escape that stands for one code point, after the backslash. */
static bool char_escape(struct parser *p, uint32_t *ret)
{
	static const char from[] = "afnrtv", to[] = "\a\f\n\r\t\v";
	int c = peek(p);
	if (c == -1)
		return false;
	const char *at = c < 0x80 ? memchr(from, c, 6) : NULL;
	if (at) {
		p->at++;
		*ret = (uint8_t)to[at - from];
		return true;
	}
	if (c == 'x') {
		p->at++;
		return hex_escape(p, ret);
	}
	if (c == '0' || (c >= '1' && c <= '7' && p->at + 1 < p->s.size &&
				p->s.data[p->at + 1] >= '0' && p->s.data[p->at + 1] <= '7')) {
		uint32_t v = 0;
		for (int i = 0; i < 3 && peek(p) >= '0' && peek(p) <= '7'; i++)
			v = v * 8 + (uint32_t)(p->s.data[p->at++] - '0');
		*ret = v;
		return true;
	}
	bool alnum =
		(c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c >= 0x80;
	if (alnum)
		return false;
	p->at++;
	*ret = (uint32_t)c;
	return true;
}

/* \pL, \p{Greek}, \P..., after the 'p'; adds to @r. */
static bool unicode_escape(struct parser *p, struct re_ranges *r, bool negate)
{
	struct slice name;
	if (accept(p, '{')) {
		size_t start = p->at;
		while (peek(p) != '}' && peek(p) != -1)
			p->at++;
		name = slice_cut(p->s, start, p->at - start);
		if (!accept(p, '}'))
			return false;
	} else {
		name = slice_cut(p->s, p->at, 1);
		p->at++;
	}
	if (name.size && name.data[0] == '^') {
		negate = !negate;
		name = slice_cut(name, 1, name.size);
	}
	struct re_ranges own = {0};
	if (!re_unicode_class(p->m, &own, name))
		return false;
	re_ranges_finish(&own);
	if (negate)
		re_ranges_negate(p->m, &own);
	for (uint32_t i = 0; i < own.count; i++)
		re_ranges_add(p->m, r, own.range[2 * i], own.range[2 * i + 1]);
	return true;
}

/* One member of [...]; false: an error. *ret_code is set when it can begin a range. */
static bool class_member(
	struct parser *p, struct re_ranges *r, uint32_t *ret_code, bool *ret_single)
{
	*ret_single = false;
	if (peek(p) == '[' && p->at + 1 < p->s.size && p->s.data[p->at + 1] == ':') {
		size_t end = p->at + 2;
		while (end + 1 < p->s.size && !(p->s.data[end] == ':' && p->s.data[end + 1] == ']'))
			end++;
		if (end + 1 < p->s.size) {
			struct slice name = slice_cut(p->s, p->at + 2, end - p->at - 2);
			p->at = end + 2;
			return re_posix_class(p->m, r, name);
		}
	}
	if (accept(p, '\\')) {
		int c = peek(p);
		if (c == 'p' || c == 'P') {
			p->at++;
			return unicode_escape(p, r, c == 'P');
		}
		if (c != -1 && re_perl_class(p->m, r, (uint8_t)c)) {
			p->at++;
			return true;
		}
		*ret_single = true;
		return char_escape(p, ret_code);
	}
	*ret_single = true;
	*ret_code = next_rune(p);
	return !p->error;
}

/* The upper end of a range; a class like \d is none. */
static bool class_bound(struct parser *p, uint32_t *ret)
{
	if (accept(p, '\\'))
		return char_escape(p, ret);
	*ret = next_rune(p);
	return !p->error;
}

/* What began at @start is no member of a class: an unknown class, or a bad escape. */
static struct frag member_failed(struct parser *p, size_t start)
{
	struct slice s = slice_cut(p->s, start, p->s.size);
	size_t end = start + 2;
	if (s.size < 2 && s.size && s.data[0] == '\\')
		return fail_part(p, "trailing backslash at end of expression", start, start);
	if (s.size > 1 && s.data[0] == '\\' && (s.data[1] | 0x20) != 'p')
		return fail_part(p, "invalid escape sequence", start, MIN(end, p->s.size));
	while (end < p->s.size && p->s.data[end - 1] != (s.data[0] == '[' ? ']' : '}') &&
		(s.data[0] == '[' || p->s.data[start + 2] == '{'))
		end++;
	return fail_part(p, "invalid character class range", start,
		MIN(end + (s.data[0] != '[' && end == start + 2), p->s.size));
}

static struct frag bracket(struct parser *p)
{
	struct re_ranges r = {0};
	size_t begin = p->at - 1;
	bool negate = accept(p, '^');
	bool first = true;
	while (first || peek(p) != ']') {
		uint32_t from, to;
		bool one;
		if (peek(p) == -1)
			return fail_part(p, "missing closing ]", begin, p->s.size);
		first = false;
		size_t start = p->at;
		if (!class_member(p, &r, &from, &one))
			return member_failed(p, start);
		if (!one)
			continue;
		to = from;
		if (peek(p) == '-' && p->at + 1 < p->s.size && p->s.data[p->at + 1] != ']') {
			p->at++;
			size_t second = p->at;
			bool ok = class_bound(p, &to);
			if (!ok)
				return member_failed(p, second);
			if (to < from)
				return fail_part(p, "invalid character class range", start, p->at);
		}
		re_ranges_add(p->m, &r, from, to);
	}
	p->at++;
	return class_frag(p, &r, negate);
}

static struct frag escape(struct parser *p)
{
	int c = peek(p);
	uint32_t code;
	size_t begin = p->at - 1;
	struct re_ranges r = {0};
	switch (c) {
	case 'A':
		p->at++;
		return single(p, RE_ASSERT, RE_TEXT_BEGIN);
	case 'z':
		p->at++;
		return single(p, RE_ASSERT, RE_TEXT_END);
	case 'b':
		p->at++;
		return single(p, RE_ASSERT, RE_WORD);
	case 'B':
		p->at++;
		return single(p, RE_ASSERT, RE_NOT_WORD);
	case 'p':
	case 'P':
		p->at++;
		if (!unicode_escape(p, &r, c == 'P'))
			return member_failed(p, begin);
		return class_frag(p, &r, false);
	case -1:
		return fail_part(p, "trailing backslash at end of expression", begin, begin);
	default:
		break;
	}
	if (re_perl_class(p->m, &r, (uint8_t)c)) {
		p->at++;
		return class_frag(p, &r, false);
	}
	if (!char_escape(p, &code))
		return fail_part(
			p, "invalid escape sequence", begin, MAX(p->at, MIN(begin + 2, p->s.size)));
	return literal(p, code);
}

static struct frag alternatives(struct parser *p);

/* After "(?": flags, or a named group. Returns false when it was only flags for what follows. */
static bool group_flags(struct parser *p, bool *ret_group)
{
	bool negative = false, any = true;
	unsigned flags = p->flags;
	*ret_group = false;
	for (;;) {
		int c = peek(p);
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
	while (peek(p) != '>' && peek(p) != -1)
		p->at++;
	*ret = slice_cut(p->s, start, p->at - start);
	bool ok = accept(p, '>') && ret->size > 0;
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
	if (!accept(p, ')'))
		return fail(p, "missing closing )");
	struct frag f = join(p, single(p, RE_SAVE, 2 * index), inner);
	return join(p, f, single(p, RE_SAVE, 2 * index + 1));
}

static struct frag group(struct parser *p)
{
	unsigned flags = p->flags;
	struct frag f;
	size_t begin = p->at - 1;
	struct slice name = SLICE_EMPTY;
	if (!accept(p, '?')) {
		f = capture(p, name);
		p->flags = flags;
		return f;
	}
	struct slice rest = slice_cut(p->s, p->at, p->s.size);
	if (slice_starts(rest, SLICE_LIT("P<")) || slice_starts(rest, SLICE_LIT("<"))) {
		p->at += rest.data[0] == 'P' ? 2 : 1;
		if (!group_name(p, &name))
			return fail_part(p, "invalid named capture", begin, p->at);
		f = capture(p, name);
		p->flags = flags;
		return f;
	}
	bool is_group;
	if (!group_flags(p, &is_group))
		return fail_part(
			p, "invalid or unsupported Perl syntax", begin, MIN(p->at, p->s.size));
	if (!is_group)
		return nothing; /* the flags stay for the rest of the enclosing group */
	f = alternatives(p);
	if (!accept(p, ')'))
		return fail(p, "missing closing )");
	p->flags = flags;
	return f;
}

static struct frag atom(struct parser *p)
{
	int c = peek(p);
	switch (c) {
	case '(':
		p->at++;
		if (++p->depth > RE_MAX_DEPTH)
			return fail(p, "expression nests too deeply");
		struct frag f = group(p);
		p->depth--;
		return f;
	case '[':
		p->at++;
		return bracket(p);
	case '.':
		p->at++;
		return single(p, p->flags & FLAG_DOT_NL ? RE_ANY_NL : RE_ANY, 0);
	case '^':
		p->at++;
		return single(p, RE_ASSERT, p->flags & FLAG_LINES ? RE_LINE_BEGIN : RE_TEXT_BEGIN);
	case '$':
		p->at++;
		return single(p, RE_ASSERT, p->flags & FLAG_LINES ? RE_LINE_END : RE_TEXT_END);
	case '\\':
		p->at++;
		return escape(p);
	case '*':
	case '+':
	case '?':
		return fail_part(p, "missing argument to repetition operator", p->at,
			p->at + 1 + (p->at + 1 < p->s.size && p->s.data[p->at + 1] == '?'));
	default:
		return literal(p, next_rune(p));
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
		int c = peek(p), min = c == '+', max = c == '?' ? 1 : -1;
		if (c == '{') {
			if (!counts(p, &min, &max))
				break;
			if (min > RE_MAX_REPEAT || max > RE_MAX_REPEAT || (max >= 0 && max < min))
				return fail_part(p, "invalid repeat count", begin, p->at);
		} else if (c == '*' || c == '+' || c == '?') {
			p->at++;
		} else {
			break;
		}
		bool lazy = accept(p, '?') != ((p->flags & FLAG_UNGREEDY) != 0);
		if (last != SIZE_MAX)
			return fail_part(p, "invalid nested repetition operator", last, p->at);
		if (c == '{' && !count_repeats(p, min, max))
			return fail_part(p, "invalid repeat count", begin, p->at);
		last = begin;
		/* Repeating nothing, as in (?:)*, is nothing. */
		if (f.count > 0)
			f = repeat(p, f, min, max, lazy);
	}
	p->repeats = MAX(p->repeats, outside);
	return f;
}

static struct frag quoted(struct parser *p)
{
	struct frag f = nothing;
	p->at += 2;
	while (!p->error && p->at < p->s.size) {
		if (slice_starts(slice_cut(p->s, p->at, 2), SLICE_LIT("\\E"))) {
			p->at += 2;
			break;
		}
		f = join(p, f, literal(p, next_rune(p)));
	}
	return f;
}

static struct frag sequence(struct parser *p)
{
	/* Pieces are collected first: joining one by one would copy quadratically. */
	struct frag *piece = NULL;
	uint32_t count = 0, capacity = 0, total = 0;
	while (!p->error && peek(p) != -1 && peek(p) != '|' && peek(p) != ')') {
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
			return fail(p, "expression is too large");
	}
	if (p->error)
		return nothing;
	struct frag f = alloc(p, total);
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
	struct frag all = nothing;
	bool any = false;
	for (;;) {
		branch[count++] = sequence(p);
		bool more = accept(p, '|');
		if (!more || count == ARRAY_COUNT(branch)) {
			struct frag f = branch[count - 1];
			for (uint32_t i = count - 1; i-- > 0;)
				f = alternate(p, branch[i], f);
			all = any ? alternate(p, all, f) : f;
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
	if (!p.error && peek(&p) == ')')
		fail(&p, "unexpected )");
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
