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

/* [...] as it stands; the position after it, or 0 when it does not end. */
static size_t put_class(struct buf *out, struct slice p, size_t at)
{
	size_t i = at + 1;
	buf_put_u8(out, '[');
	if (i < p.size && (p.data[i] == '!' || p.data[i] == '^')) {
		buf_put_u8(out, '^');
		i++;
	}
	for (; i < p.size && p.data[i] != ']'; i++) {
		if (p.data[i] == '\\' && i + 1 < p.size) {
			i++;
			put_literal(out, slice_cut(p, i, 1));
		} else if (p.data[i] == '[') {
			buf_put_str(out, "\\[");
		} else {
			buf_put_u8(out, p.data[i]);
		}
	}
	buf_put_u8(out, ']');
	return i < p.size ? i + 1 : 0;
}

static bool translate(struct buf *out, struct slice p, rv delimiters)
{
	unsigned braces = 0;
	buf_put_str(out, "\\A(?:");
	for (size_t at = 0; at < p.size;) {
		uint8_t ch = p.data[at];
		size_t n = strings_step(p, at);
		if (ch == '*') {
			bool all = at + 1 < p.size && p.data[at + 1] == '*';
			if (all)
				buf_put_str(out, "(?s:.)");
			else
				put_not_delimiters(out, delimiters);
			buf_put_u8(out, '*');
			while (at < p.size && p.data[at] == '*')
				at++;
			continue;
		}
		if (ch == '?') {
			put_not_delimiters(out, delimiters);
		} else if (ch == '[') {
			size_t next = put_class(out, p, at);
			if (next == 0)
				return false;
			at = next;
			continue;
		} else if (ch == '{') {
			buf_put_str(out, "(?:");
			braces++;
		} else if (ch == '}' && braces > 0) {
			buf_put_u8(out, ')');
			braces--;
		} else if (ch == ',' && braces > 0) {
			buf_put_u8(out, '|');
		} else if (ch == '\\' && at + 1 < p.size) {
			at++;
			n = strings_step(p, at);
			put_literal(out, slice_cut(p, at, n));
		} else {
			put_literal(out, slice_cut(p, at, n));
		}
		at += n;
	}
	buf_put_str(out, ")\\z");
	return braces == 0;
}

static bool delimiters_arg(struct call *c, const rv *arg, rv *ret)
{
	rv v = arg[1];
	if (v->type == REGO_NULL) {
		*ret = &value_empty_array;
		return true;
	}
	if (!arg_is(c, arg, 2, REGO_ARRAY))
		return false;
	for (uint32_t i = 0; i < v->count; i++)
		if (v->item[i]->type != REGO_STRING || v->item[i]->count == 0 ||
			strings_step(value_slice(v->item[i]), 0) != v->item[i]->count) {
			call_operand_error(c, 2, "must be array of single characters");
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
	bool ok = translate(&pattern, value_slice(arg[0]), delimiters) && !buf_error(&pattern);
	char *copy = ok ? arena_copy(c->m->arena, buf_slice(&pattern)) : NULL;
	size_t size = pattern.size;
	buf_done(&pattern);
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
		if (strchr("*?\\[]{},", arg[0]->text[i]) && arg[0]->text[i])
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
