/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regex.globs_match: whether some string matches both patterns. Patterns are characters, '.', sets
 * in brackets, and '+' or '*' behind any of these; a backslash takes the special meaning away.
 * Pairs of positions in both patterns are searched breadth-first, so the time is their product.
 */
#include "rego/text.h"

#define TOKENS_MAX 4096

struct range {
	uint32_t low, high;
};

struct token {
	bool any, repeat; /* '.', any number of times */
	const struct range *range;
	uint32_t count;
};

struct pattern {
	struct call *c;
	struct slice s;
	size_t at;
	struct token *token;
	uint32_t count;
	bool failed;
};

static uint32_t code_at(struct pattern *p)
{
	struct slice s = p->s;
	size_t n = strings_step(s, p->at);
	uint32_t code = n == 1 ? s.data[p->at] : s.data[p->at] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++)
		code = code << 6 | (s.data[p->at + i] & 0x3fu);
	p->at += n;
	return code;
}

static bool fail(struct pattern *p, const char *why)
{
	if (!p->failed)
		call_fail(p->c, "input:%.*s, pos:%zu, %s: the input provided is invalid",
			(int)MIN(p->s.size, (size_t)200), p->s.data, p->at, why);
	p->failed = true;
	return false;
}

/* The next character; false at the end or after a failure. */
static bool next(struct pattern *p, uint32_t *ret, bool *escaped)
{
	*escaped = false;
	if (p->at >= p->s.size)
		return false;
	*ret = code_at(p);
	if (*ret != '\\')
		return true;
	*escaped = true;
	if (p->at >= p->s.size)
		return fail(p, "input ends with a \\ (escape) character");
	*ret = code_at(p);
	return true;
}

static bool close_range(struct pattern *p, struct range *last, bool open)
{
	uint32_t code;
	bool escaped;
	if (!open)
		return fail(p, "range character '-' must be preceded by a Unicode character");
	if (!next(p, &code, &escaped))
		return fail(p, "range character '-' must be followed by a Unicode character");
	if (!escaped && (code == ']' || code == '-'))
		return fail(p, "range character '-' cannot be followed by a special symbol");
	if (code < last->low)
		return fail(p, "range is out of order");
	last->high = code;
	return true;
}

static bool read_set(struct pattern *p, struct token *t)
{
	struct range *range = mem_array(p->c->m, p->s.size - p->at + 1, sizeof(*range));
	uint32_t code;
	bool escaped, open = false;
	t->range = range;
	while (next(p, &code, &escaped)) {
		if (!escaped && code == ']')
			return true;
		if (!escaped && code == '-') {
			if (!close_range(p, &range[t->count ? t->count - 1 : 0], open))
				return false;
			open = false;
			continue;
		}
		range[t->count++] = (struct range){code, code};
		open = true;
	}
	return fail(p, "found [ without matching ]");
}

static bool read_token(struct pattern *p, uint32_t code, bool escaped, struct token *t)
{
	*t = (struct token){0};
	if (escaped || !code || code > 0x7f || !strchr(".[]+*", (int)code)) {
		struct range *one = mem_new(p->c->m, struct range);
		*one = (struct range){code, code};
		t->range = one;
		t->count = 1;
		return true;
	}
	if (code == '[')
		return read_set(p, t);
	if (code == ']')
		return fail(p, "set-close ']' with no preceding '['");
	if (code != '.')
		return fail(p, code == '+' ? "flag '+' must be preceded by a non-flag"
					   : "flag '*' must be preceded by a non-flag");
	t->any = true;
	return true;
}

/* "t+" becomes "t" and "t*". */
static bool read_pattern(struct pattern *p)
{
	uint32_t code;
	bool escaped;
	p->token = mem_array(p->c->m, 2 * p->s.size + 2, sizeof(*p->token));
	while (next(p, &code, &escaped)) {
		struct token t;
		if (!read_token(p, code, escaped, &t))
			return false;
		uint8_t flag = p->at < p->s.size ? p->s.data[p->at] : 0;
		if (flag == '+')
			p->token[p->count++] = t;
		if (flag == '+' || flag == '*') {
			p->at++;
			t.repeat = true;
		}
		p->token[p->count++] = t;
		if (p->count > TOKENS_MAX)
			return fail(p, "the pattern is too long");
	}
	return !p->failed;
}

/* Whether some character is in both. */
static bool overlap(struct call *c, const struct token *a, const struct token *b)
{
	if (a->any || b->any)
		return (a->any || a->count) && (b->any || b->count);
	call_charge(c, 1 + (uint64_t)a->count * b->count / 8);
	for (uint32_t i = 0; i < a->count; i++)
		for (uint32_t k = 0; k < b->count; k++)
			if (a->range[i].low <= b->range[k].high &&
				b->range[k].low <= a->range[i].high)
				return true;
	return false;
}

struct search {
	uint32_t *queue;
	uint8_t *seen;
	size_t head, tail, width;
};

static void visit(struct search *s, size_t i, size_t k)
{
	size_t state = i * s->width + k;
	if (s->seen[state >> 3] & (1 << (state & 7)))
		return;
	s->seen[state >> 3] |= (uint8_t)(1 << (state & 7));
	s->queue[s->tail++] = (uint32_t)state;
}

static bool meet(struct call *c, const struct pattern *a, const struct pattern *b)
{
	size_t states = (size_t)(a->count + 1) * (b->count + 1);
	call_charge(c, states / 8);
	struct search s = {.queue = mem_array(c->m, states, sizeof(uint32_t)),
		.seen = mem_alloc(c->m, states / 8 + 1),
		.width = (size_t)b->count + 1};
	visit(&s, 0, 0);
	while (s.head < s.tail) {
		size_t i = s.queue[s.head] / s.width, k = s.queue[s.head] % s.width;
		s.head++;
		call_charge(c, 1);
		if (i == a->count && k == b->count)
			return true;
		const struct token *x = i < a->count ? &a->token[i] : NULL;
		const struct token *y = k < b->count ? &b->token[k] : NULL;
		if (x && x->repeat)
			visit(&s, i + 1, k);
		if (y && y->repeat)
			visit(&s, i, k + 1);
		if (x && y && overlap(c, x, y))
			visit(&s, x->repeat ? i : i + 1, y->repeat ? k : k + 1);
	}
	return false;
}

static rv globs_match(struct call *c, const rv *arg, uint32_t count)
{
	if (!arg_is(c, arg, 1, REGO_STRING) || !arg_is(c, arg, 2, REGO_STRING))
		return NULL;
	struct pattern a = {.c = c, .s = value_slice(arg[0])};
	struct pattern b = {.c = c, .s = value_slice(arg[1])};
	if (!read_pattern(&a) || !read_pattern(&b))
		return NULL;
	return value_bool(meet(c, &a, &b));
}

static const struct builtin items[] = {
	{.name = "regex.globs_match", .arity = 2, .fn = globs_match},
};
const struct builtin_table builtin_meet_table = {items, ARRAY_COUNT(items)};
