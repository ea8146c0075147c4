/* SPDX-License-Identifier: Apache-2.0 */
/* regex.* built-ins. */
#include "base/buf.h"
#include "rego/eval.h"
#include "rego/regex.h"
#include "rego/schema.h"
#include "rego/text.h"

static struct regex *pattern_arg(struct call *c, const rv *arg, unsigned pos)
{
	const char *error = NULL;
	if (!arg_is(c, arg, pos, REGO_STRING))
		return NULL;
	struct regex *re = regex_cached(c->ev, arg[pos - 1], &error);
	if (!re)
		call_fail(c, "error parsing regexp: %s", error);
	return re;
}

static bool search(struct call *c, struct regex *re, struct slice s, size_t from, size_t *slots)
{
	struct re_meter meter = {regex_charge, c->ev};
	return regex_search(re, s, from, slots, &meter);
}

struct regex *call_regex(struct call *c, rv pattern)
{
	const char *error;
	return regex_cached(c->ev, pattern, &error);
}

bool call_regex_match(struct call *c, struct regex *re, struct slice text)
{
	return search(c, re, text, 0, NULL);
}

static rv is_valid(struct call *c, const rv *arg, uint32_t count)
{
	const char *error;
	return value_bool(arg[0]->type == REGO_STRING && regex_cached(c->ev, arg[0], &error));
}

/* Operands are checked before the pattern is looked at. */
static bool two_texts(struct call *c, const rv *arg)
{
	return arg_is(c, arg, 1, REGO_STRING) && arg_is(c, arg, 2, REGO_STRING);
}

static rv match(struct call *c, const rv *arg, uint32_t count)
{
	struct regex *re = two_texts(c, arg) ? pattern_arg(c, arg, 1) : NULL;
	if (!re)
		return NULL;
	return value_bool(search(c, re, value_slice(arg[1]), 0, NULL));
}

/* All matches that do not overlap, at most @limit (negative: all), as Go's FindAll. */
static void each_match(struct call *c, struct regex *re, struct slice s, int64_t limit,
	void (*fn)(void *, const size_t *), void *cookie)
{
	size_t *slots = mem_array(c->m, re->groups * 2 + 1, sizeof(size_t));
	size_t at = 0, previous = RE_NONE;
	while (at <= s.size && limit != 0 && search(c, re, s, at, slots)) {
		bool empty = slots[0] == slots[1];
		bool accept = !(empty && slots[0] == previous);
		if (slots[1] > at)
			at = slots[1];
		else
			at += at < s.size ? strings_step(s, at) : 1;
		previous = slots[1];
		if (accept) {
			fn(cookie, slots);
			limit--;
		}
	}
}

struct collect {
	struct call *c;
	struct regex *re;
	struct slice s;
	struct list out;
	rv template;
	struct buf text;
	size_t last, end; /* where the last match ended and began */
	bool groups;
};

static rv group_text(struct collect *k, const size_t *slots, uint32_t i)
{
	if (slots[2 * i] == RE_NONE || slots[2 * i + 1] == RE_NONE)
		return value_string(k->c->m, SLICE_EMPTY);
	return value_string(
		k->c->m, slice_cut(k->s, slots[2 * i], slots[2 * i + 1] - slots[2 * i]));
}

static void collect_match(void *cookie, const size_t *slots)
{
	struct collect *k = cookie;
	if (!k->groups) {
		list_push(k->c->m, &k->out, group_text(k, slots, 0));
		return;
	}
	rv *item = mem_array(k->c->m, k->re->groups, sizeof(rv));
	for (uint32_t i = 0; i < k->re->groups; i++)
		item[i] = group_text(k, slots, i);
	list_push(k->c->m, &k->out, value_array(k->c->m, item, k->re->groups));
}

static rv find(struct call *c, const rv *arg, bool groups)
{
	int64_t limit;
	if (!two_texts(c, arg) || !arg_int(c, arg, 3, &limit))
		return NULL;
	struct regex *re = pattern_arg(c, arg, 1);
	if (!re)
		return NULL;
	struct collect k = {.c = c, .re = re, .s = value_slice(arg[1]), .groups = groups};
	each_match(c, re, k.s, limit, collect_match, &k);
	return value_array(c->m, k.out.item, k.out.count);
}

static rv find_n(struct call *c, const rv *arg, uint32_t count)
{
	return find(c, arg, false);
}

static rv find_submatch_n(struct call *c, const rv *arg, uint32_t count)
{
	return find(c, arg, true);
}

static void split_at(void *cookie, const size_t *slots)
{
	struct collect *k = cookie;
	k->end = slots[0];
	if (slots[1] != 0) /* an empty match before the first character splits nothing off */
		list_push(k->c->m, &k->out,
			value_string(k->c->m, slice_cut(k->s, k->last, slots[0] - k->last)));
	k->last = slots[1];
}

static rv split(struct call *c, const rv *arg, uint32_t count)
{
	struct regex *re = two_texts(c, arg) ? pattern_arg(c, arg, 1) : NULL;
	if (!re)
		return NULL;
	struct collect k = {.c = c, .re = re, .s = value_slice(arg[1])};
	if (arg[0]->count > 0 && k.s.size == 0) {
		list_push(c->m, &k.out, arg[1]);
		return value_array(c->m, k.out.item, k.out.count);
	}
	/* Nothing is left behind a match that begins at the end. */
	each_match(c, re, k.s, -1, split_at, &k);
	if (k.end != k.s.size)
		list_push(c->m, &k.out, value_string(c->m, slice_cut(k.s, k.last, k.s.size)));
	return value_array(c->m, k.out.item, k.out.count);
}

static bool name_char(uint8_t ch)
{
	return (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
	       ch == '_';
}

static void put_group(struct collect *k, const size_t *slots, struct slice name)
{
	uint32_t index = 0;
	bool number = name.size > 0;
	for (size_t i = 0; i < name.size; i++) {
		number = number && name.data[i] >= '0' && name.data[i] <= '9' && index < 100000;
		if (number)
			index = index * 10 + (name.data[i] - '0');
	}
	if (!number) {
		for (index = 1; index < k->re->groups; index++)
			if (slice_eq(k->re->name[index], name))
				break;
	}
	if (index < k->re->groups && slots[2 * index] != RE_NONE)
		buf_put_slice(&k->text,
			slice_cut(k->s, slots[2 * index], slots[2 * index + 1] - slots[2 * index]));
}

/* Go's Expand: $1, ${name}, $$. */
static void expand(struct collect *k, const size_t *slots)
{
	struct slice t = value_slice(k->template);
	for (size_t i = 0; i < t.size; i++) {
		if (t.data[i] != '$' || i + 1 >= t.size) {
			buf_put_u8(&k->text, t.data[i]);
			continue;
		}
		if (t.data[i + 1] == '$') {
			buf_put_u8(&k->text, '$');
			i++;
			continue;
		}
		bool braces = t.data[i + 1] == '{';
		size_t start = i + 1 + braces, end = start;
		while (end < t.size && name_char(t.data[end]))
			end++;
		if (end == start || (braces && (end >= t.size || t.data[end] != '}'))) {
			buf_put_u8(&k->text, '$');
			continue;
		}
		put_group(k, slots, slice_cut(t, start, end - start));
		i = end - 1 + braces;
	}
}

static void replace_at(void *cookie, const size_t *slots)
{
	struct collect *k = cookie;
	buf_put_slice(&k->text, slice_cut(k->s, k->last, slots[0] - k->last));
	expand(k, slots);
	k->last = slots[1];
}

static void run_replace(void *arg)
{
	struct collect *k = arg;
	each_match(k->c, k->re, k->s, -1, replace_at, k);
}

static rv replace(struct call *c, const rv *arg, uint32_t count)
{
	struct regex *re =
		two_texts(c, arg) && arg_is(c, arg, 3, REGO_STRING) ? pattern_arg(c, arg, 2) : NULL;
	if (!re)
		return NULL;
	struct collect k = {.c = c,
		.re = re,
		.s = value_slice(arg[0]),
		.template = arg[2],
		.text = buf_init(mem_room(c->m))};
	int r = mem_guard(c->m, run_replace, &k, c->m->reterr);
	buf_put_slice(&k.text, slice_cut(k.s, k.last, k.s.size));
	if (r == 0)
		r = buf_error(&k.text);
	char *copy = r ? NULL : arena_copy(c->m->arena, buf_slice(&k.text));
	size_t size = k.text.size;
	buf_done(&k.text);
	if (!copy)
		mem_escape(c->m, r ? r : REGO_ERR_MEMORY);
	return value_string(c->m, slice_of(copy, size));
}

/* regex.template_match: text between the delimiters is a pattern, the rest is literal. */
static rv template_match(struct call *c, const rv *arg, uint32_t count)
{
	for (unsigned i = 1; i <= 4; i++)
		if (!arg_is(c, arg, i, REGO_STRING))
			return NULL;
	for (unsigned i = 2; i < 4; i++)
		if (arg[i]->count != 1) /* OPA tells the size of the first one for both */
			return call_fail(c,
				"%s delimiter has to be exactly one character long but is %u long",
				i == 2 ? "start" : "end", (unsigned)arg[2]->count);
	char open = arg[2]->text[0], close = arg[3]->text[0];
	struct slice t = value_slice(arg[0]);
	char *out = mem_alloc(c->m, t.size * 2 + 16);
	size_t n = 0;
	int level = 0;
	out[n++] = '^';
	for (size_t i = 0; i < t.size; i++) {
		char ch = (char)t.data[i];
		bool opens = ch == open, closes = ch == close && !opens;
		if (opens && level++ == 0) {
			out[n++] = '(';
		} else if (closes && --level <= 0) {
			if (level < 0)
				return call_fail(
					c, "unbalanced braces in %s", text_quoted(c->m, t));
			out[n++] = ')';
		} else {
			if (level == 0 && strchr("\\.+*?()|[]{}^$", ch))
				out[n++] = '\\';
			out[n++] = ch;
		}
	}
	if (level != 0)
		return call_fail(c, "unbalanced braces in %s", text_quoted(c->m, t));
	out[n++] = '$';
	rv pattern = value_string(c->m, slice_of(out, n));
	struct regex *re = pattern_arg(c, &pattern, 1);
	return re ? value_bool(search(c, re, value_slice(arg[1]), 0, NULL)) : NULL;
}

static const struct builtin items[] = {
	{.name = "regex.match", .arity = 2, .fn = match},
	{.name = "re_match", .arity = 2, .fn = match},
	{.name = "regex.is_valid", .arity = 1, .fn = is_valid},
	{.name = "regex.find_n", .arity = 3, .fn = find_n},
	{.name = "regex.find_all_string_submatch_n", .arity = 3, .fn = find_submatch_n},
	{.name = "regex.split", .arity = 2, .fn = split},
	{.name = "regex.replace", .arity = 3, .fn = replace},
	{.name = "regex.template_match", .arity = 4, .fn = template_match},
};
const struct builtin_table builtin_regex_table = {items, ARRAY_COUNT(items)};
