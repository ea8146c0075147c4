/* SPDX-License-Identifier: Apache-2.0 */
/*
 * glob.match, glob.quote_meta. A pattern becomes a regular expression of our own linear engine, so
 * that no pattern can backtrack: `*` is any run without a delimiter, `**` any run, `?` one character
 * that is no delimiter, [a-z] and [!a-z] classes, {a,b} alternatives, \ quotes.
 */
#include "base/buf.h"
#include "rego/eval.h"
#include "rego/regex.h"
#include "rego/text.h"

static void put_literal(struct buf *out, struct slice rune)
{
	if (rune.size == 1 && memchr("\\.+*?()|[]{}^$-&~#", rune.data[0], 18))
		buf_put_u8(out, '\\');
	buf_put_slice(out, rune);
}

/* A class of everything but the delimiters. */
static void put_not_delimiters(struct buf *out, rv delimiters)
{
	if (delimiters->count == 0) {
		buf_put_str(out, "(?s:.)");
		return;
	}
	buf_put_str(out, "[^");
	for (uint32_t i = 0; i < delimiters->count; i++)
		put_literal(out, value_slice(delimiters->item[i]));
	buf_put_u8(out, ']');
}

struct glob {
	struct buf *out;
	struct slice p;
	size_t at;
	const char *error;
};

static bool wrong(struct glob *g, const char *what)
{
	g->error = what;
	return false;
}

static struct slice next_rune(struct glob *g)
{
	size_t n = g->at < g->p.size ? strings_step(g->p, g->at) : 0;
	struct slice rune = slice_cut(g->p, g->at, n);
	g->at += rune.size;
	return rune;
}

static bool accept(struct glob *g, char ch)
{
	if (g->at >= g->p.size || g->p.data[g->at] != (uint8_t)ch)
		return false;
	g->at++;
	return true;
}

/* The closing bracket is all that may follow. */
static bool close_class(struct glob *g)
{
	if (g->at >= g->p.size)
		return wrong(g, "unexpected end of input");
	if (slice_eq_str(next_rune(g), "]")) {
		buf_put_u8(g->out, ']');
		return true;
	}
	return wrong(g, "expected close range character");
}

/* After '[': one range, or characters that stand for themselves; '!' before it negates. */
static bool put_class(struct glob *g)
{
	bool not = accept(g, '!'), empty = true;
	buf_put_str(g->out, not ? "[^" : "[");
	if (g->at >= g->p.size)
		return wrong(g, "unexpected end of input");
	size_t start = g->at;
	struct slice low = next_rune(g);
	if (accept(g, '-')) {
		struct slice high = next_rune(g);
		size_t n;
		if (high.size == 0)
			return wrong(g, "unexpected end of input");
		if (text_rune(high, 0, &n) < text_rune(low, 0, &n)) {
			g->at += g->at < g->p.size; /* told where the class ends */
			return wrong(g, "range hi character is less than lo");
		}
		put_literal(g->out, low);
		buf_put_u8(g->out, '-');
		put_literal(g->out, high);
		return close_class(g);
	}
	for (g->at = start; g->at < g->p.size && g->p.data[g->at] != ']'; empty = false) {
		if (accept(g, '\\') && g->at >= g->p.size)
			return wrong(g, "trailing backslash");
		put_literal(g->out, next_rune(g));
	}
	if (!close_class(g))
		return false;
	return empty ? wrong(g, "could not parse range") : true;
}

static bool put_piece(struct glob *g, rv delimiters, unsigned *braces)
{
	struct slice rune = next_rune(g);
	char ch = rune.size == 1 ? (char)rune.data[0] : 0;
	if (ch == '*') {
		if (accept(g, '*'))
			buf_put_str(g->out, "(?s:.)");
		else
			put_not_delimiters(g->out, delimiters);
		buf_put_u8(g->out, '*');
		while (accept(g, '*'))
			;
	} else if (ch == '?') {
		put_not_delimiters(g->out, delimiters);
	} else if (ch == '[') {
		return put_class(g);
	} else if (ch == '{') {
		buf_put_str(g->out, "(?:");
		(*braces)++;
	} else if (ch == '}' && *braces > 0) {
		buf_put_u8(g->out, ')');
		(*braces)--;
	} else if (ch == ',' && *braces > 0) {
		buf_put_u8(g->out, '|');
	} else if (ch == '\\') {
		if (g->at >= g->p.size)
			return wrong(g, "trailing backslash");
		put_literal(g->out, next_rune(g));
	} else {
		put_literal(g->out, rune);
	}
	return true;
}

static bool translate(struct glob *g, rv delimiters)
{
	unsigned braces = 0;
	buf_put_str(g->out, "\\A(?:");
	while (g->at < g->p.size)
		if (!put_piece(g, delimiters, &braces))
			return false;
	buf_put_str(g->out, ")\\z");
	return braces == 0 || wrong(g, "unclosed `{`");
}

static bool delimiters_arg(struct call *c, const rv *arg, rv *ret)
{
	rv v = arg[1];
	if (v->type == REGO_NULL) {
		*ret = &value_empty_array;
		return true;
	}
	if (v->type != REGO_ARRAY) {
		call_type_error(c, 2, "one of {array, null}", v);
		return false;
	}
	for (uint32_t i = 0; i < v->count; i++) {
		rv e = v->item[i];
		bool text = e->type == REGO_STRING;
		if (text && e->count && strings_step(value_slice(e), 0) == e->count)
			continue;
		call_operand_error(c, 2, "must be array of %ss but got array containing %s",
			text ? "rune" : "string", value_type_name(e));
		return false;
	}
	*ret = v;
	/* No delimiters given means the dot. */
	if (v->count == 0) {
		rv dot = value_cstr(c->m, ".");
		*ret = value_array(c->m, &dot, 1);
	}
	return true;
}

static rv match(struct call *c, const rv *arg, uint32_t count)
{
	rv delimiters;
	if (!arg_is(c, arg, 1, REGO_STRING) || !delimiters_arg(c, arg, &delimiters) ||
		!arg_is(c, arg, 3, REGO_STRING))
		return NULL;
	struct buf pattern = buf_init(1 << 20);
	struct glob g = {.out = &pattern, .p = value_slice(arg[0])};
	bool ok = translate(&g, delimiters) && !buf_error(&pattern);
	char *copy = ok ? arena_copy(c->m->arena, buf_slice(&pattern)) : NULL;
	size_t size = pattern.size;
	buf_done(&pattern);
	if (g.error)
		return call_fail(c, "glob: syntax error at %zu: %s", g.at, g.error);
	if (!copy)
		return call_fail(c, "invalid glob pattern %.100s", arg[0]->text);
	const char *error;
	struct regex *re = regex_cached(c->ev, value_string(c->m, slice_of(copy, size)), &error);
	if (!re)
		return call_fail(c, "invalid glob pattern %.100s: %s", arg[0]->text, error);
	struct re_meter meter = {regex_charge, c->ev};
	bool found = regex_search(re, value_slice(arg[2]), 0, NULL, &meter);
	call_charge(c, size);
	return value_bool(found);
}

static rv quote_meta(struct call *c, const rv *arg, uint32_t count)
{
	if (!arg_is(c, arg, 1, REGO_STRING))
		return NULL;
	char *out = mem_alloc(c->m, arg[0]->count * 2 + 1);
	size_t n = 0;
	for (uint32_t i = 0; i < arg[0]->count; i++) {
		if (strchr("*?\\[]{}", arg[0]->text[i]) && arg[0]->text[i])
			out[n++] = '\\';
		out[n++] = arg[0]->text[i];
	}
	return value_string(c->m, slice_of(out, n));
}

static const struct builtin items[] = {
	{.name = "glob.match", .arity = 3, .fn = match},
	{.name = "glob.quote_meta", .arity = 1, .fn = quote_meta},
};
const struct builtin_table builtin_glob_table = {items, ARRAY_COUNT(items)};
