/* SPDX-License-Identifier: Apache-2.0 */
/* Strings. Positions count code points, as in OPA. */
#include "base/buf.h"
#include "base/str.h"
#include "rego/builtin.h"
#include "rego/text.h"

static struct slice text(rv v)
{
	return value_slice(v);
}

int64_t strings_find(struct slice s, struct slice what, size_t from)
{
	if (from > s.size)
		return -1;
	if (what.size == 0)
		return (int64_t)from;
	/* Linear, whatever the texts. */
	const uint8_t *p = memmem(s.data + from, s.size - from, what.data, what.size);
	return p ? p - s.data : -1;
}

size_t strings_step(struct slice s, size_t at)
{
	uint32_t code;
	size_t n = utf8_decode(slice_cut(s, at, 4), &code);
	return n ? n : 1;
}

static int64_t runes_before(struct slice s, size_t end)
{
	int64_t n = 0;
	for (size_t i = 0; i < end && i < s.size; i++)
		n += (s.data[i] & 0xc0) != 0x80;
	return n;
}

/* Byte offset of code point @index, or the size. */
static size_t offset_of(struct slice s, int64_t index)
{
	size_t at = 0;
	while (index-- > 0 && at < s.size)
		at += strings_step(s, at);
	return at;
}

static bool two_strings(struct call *c, const rv *arg)
{
	return arg_is(c, arg, 1, REGO_STRING) && arg_is(c, arg, 2, REGO_STRING);
}

static rv contains(struct call *c, const rv *arg, uint32_t count)
{
	return two_strings(c, arg) ? value_bool(strings_find(text(arg[0]), text(arg[1]), 0) >= 0)
				   : NULL;
}

static rv startswith(struct call *c, const rv *arg, uint32_t count)
{
	return two_strings(c, arg) ? value_bool(slice_starts(text(arg[0]), text(arg[1]))) : NULL;
}

static bool ends(struct slice s, struct slice end)
{
	return s.size >= end.size && slice_eq(slice_cut(s, s.size - end.size, end.size), end);
}

static rv endswith(struct call *c, const rv *arg, uint32_t count)
{
	return two_strings(c, arg) ? value_bool(ends(text(arg[0]), text(arg[1]))) : NULL;
}

static rv concat(struct call *c, const rv *arg, uint32_t count)
{
	if (!arg_is(c, arg, 1, REGO_STRING))
		return NULL;
	rv list = arg[1];
	if (list->type != REGO_ARRAY && list->type != REGO_SET)
		return call_type_error(c, 2, "one of {set, array}", list);
	size_t size = 0;
	for (uint32_t i = 0; i < list->count; i++) {
		if (list->item[i]->type != REGO_STRING)
			return call_operand_error(c, 2,
				"must be %s of strings but got %s containing %s",
				value_type_name(list), value_type_name(list),
				value_type_name(list->item[i]));
		size += list->item[i]->count + (i ? arg[0]->count : 0);
	}
	struct rego_value *v = value_string_new(c->m, size);
	char *out = (char *)(uintptr_t)v->text;
	for (uint32_t i = 0; i < list->count; i++) {
		if (i) {
			memcpy(out, arg[0]->text, arg[0]->count);
			out += arg[0]->count;
		}
		memcpy(out, list->item[i]->text, list->item[i]->count);
		out += list->item[i]->count;
	}
	return value_string_done(v);
}

static rv indexof(struct call *c, const rv *arg, uint32_t count)
{
	if (!two_strings(c, arg))
		return NULL;
	if (arg[1]->count == 0)
		return call_fail(c, "empty search character");
	int64_t at = strings_find(text(arg[0]), text(arg[1]), 0);
	return value_int(c->m, at < 0 ? -1 : runes_before(text(arg[0]), (size_t)at));
}

static rv indexof_n(struct call *c, const rv *arg, uint32_t count)
{
	if (!two_strings(c, arg))
		return NULL;
	if (arg[1]->count == 0)
		return call_fail(c, "empty search character");
	struct list l = {0};
	struct slice s = text(arg[0]);
	size_t from = 0, last = 0;
	int64_t at, runes = 0;
	while ((at = strings_find(s, text(arg[1]), from)) >= 0) {
		runes += runes_before(slice_cut(s, last, s.size), (size_t)at - last);
		last = (size_t)at;
		list_push(c->m, &l, value_int(c->m, runes));
		from = (size_t)at + 1;
	}
	return value_array(c->m, l.item, l.count);
}

static rv substring(struct call *c, const rv *arg, uint32_t count)
{
	int64_t from, size;
	if (!arg_is(c, arg, 1, REGO_STRING) || !arg_int(c, arg, 2, &from) ||
		!arg_int(c, arg, 3, &size))
		return NULL;
	if (from < 0)
		return call_fail(c, "negative offset");
	struct slice s = text(arg[0]);
	size_t start = offset_of(s, from);
	struct slice rest = slice_cut(s, start, s.size);
	if (size >= 0)
		rest = slice_cut(rest, 0, offset_of(rest, size));
	return value_string(c->m, rest);
}

static rv split(struct call *c, const rv *arg, uint32_t count)
{
	if (!two_strings(c, arg))
		return NULL;
	struct list l = {0};
	struct slice s = text(arg[0]), sep = text(arg[1]);
	if (sep.size == 0) {
		for (size_t at = 0; at < s.size;) {
			size_t n = strings_step(s, at);
			list_push(c->m, &l, value_string(c->m, slice_cut(s, at, n)));
			at += n;
		}
		return value_array(c->m, l.item, l.count);
	}
	size_t from = 0;
	int64_t at;
	while ((at = strings_find(s, sep, from)) >= 0) {
		list_push(c->m, &l, value_string(c->m, slice_cut(s, from, (size_t)at - from)));
		from = (size_t)at + sep.size;
	}
	list_push(c->m, &l, value_string(c->m, slice_cut(s, from, s.size)));
	return value_array(c->m, l.item, l.count);
}

/* The first @n parts, or the last ones when it is negative; the separators decide, not the rest. */
static rv split_n(struct call *c, const rv *arg, uint32_t count)
{
	int64_t n;
	if (!two_strings(c, arg) || !arg_int(c, arg, 3, &n))
		return NULL;
	rv all = split(c, arg, 2);
	size_t total = all->count;
	if (n >= 0)
		return value_array(c->m, all->item, MIN((uint64_t)n, total));
	size_t keep = MIN(-(uint64_t)n, total);
	return value_array(c->m, all->item + (total - keep), keep);
}

static rv from_buf(struct call *c, struct buf *b)
{
	int error = buf_error(b);
	char *copy = error ? NULL : arena_copy(c->m->arena, buf_slice(b));
	size_t size = b->size;
	buf_done(b);
	if (!copy)
		mem_fail(c->m, REGO_ERR_MEMORY, "memory", "the memory budget is spent");
	return value_string(c->m, slice_of(copy, size));
}

/* Counts first, so that the result is made in one piece. */
static rv replace_all(struct call *c, rv v, struct slice old, struct slice new)
{
	struct slice s = text(v);
	size_t hits = 0, from = 0, n = 0, size;
	int64_t at;
	for (; (at = strings_find(s, old, from)) >= 0; hits++)
		from = (size_t)at + old.size;
	if (hits == 0)
		return v;
	if (__builtin_mul_overflow(hits, new.size, &size))
		mem_fail(c->m, REGO_ERR_MEMORY, "memory", "a string is too long");
	struct rego_value *out = value_string_new(c->m, s.size - hits * old.size + size);
	char *dst = (char *)(uintptr_t)out->text;
	for (from = 0; hits-- > 0; from = (size_t)at + old.size) {
		at = strings_find(s, old, from);
		memcpy(dst + n, s.data + from, (size_t)at - from);
		n += (size_t)at - from;
		if (new.size)
			memcpy(dst + n, new.data, new.size);
		n += new.size;
	}
	memcpy(dst + n, s.data + from, s.size - from);
	return value_string_done(out);
}

static rv replace(struct call *c, const rv *arg, uint32_t count)
{
	if (!two_strings(c, arg) || !arg_is(c, arg, 3, REGO_STRING))
		return NULL;
	struct slice s = text(arg[0]), old = text(arg[1]), new = text(arg[2]);
	if (old.size > 0)
		return replace_all(c, arg[0], old, new);
	struct buf b = buf_init(mem_room(c->m));
	for (size_t i = 0; i < s.size;) {
		size_t n = strings_step(s, i);
		buf_put_slice(&b, new);
		buf_put_slice(&b, slice_cut(s, i, n));
		i += n;
	}
	buf_put_slice(&b, new);
	return from_buf(c, &b);
}

/* The first of the old strings, in order of the object, that matches at each place. */
static rv replace_n(struct call *c, const rv *arg, uint32_t count)
{
	if (!arg_is(c, arg, 1, REGO_OBJECT) || !arg_is(c, arg, 2, REGO_STRING))
		return NULL;
	rv map = arg[0];
	for (uint32_t i = 0; i < map->count; i++)
		if (map->pair[i].key->type != REGO_STRING || map->pair[i].val->type != REGO_STRING)
			return call_operand_error(c, 1, "non-string %s found in pattern object",
				map->pair[i].key->type != REGO_STRING ? "key" : "value");
	struct slice s = text(arg[1]);
	mem_spend(c->m, (uint64_t)s.size * map->count);
	struct buf b = buf_init(mem_room(c->m));
	bool empty = false; /* the empty string was replaced here: it is not replaced twice */
	for (size_t at = 0; at <= s.size;) {
		rv found = NULL;
		for (uint32_t i = 0; i < map->count && !found; i++) {
			struct slice old = text(map->pair[i].key);
			if ((old.size || !empty) && slice_starts(slice_cut(s, at, s.size), old)) {
				found = map->pair[i].val;
				at += old.size;
				empty = old.size == 0;
			}
		}
		if (found) {
			buf_put_slice(&b, text(found));
			continue;
		}
		empty = false;
		size_t n = at < s.size ? strings_step(s, at) : 1;
		buf_put_slice(&b, slice_cut(s, at, n));
		at += n;
	}
	return from_buf(c, &b);
}

static rv reverse(struct call *c, const rv *arg, uint32_t count)
{
	if (!arg_is(c, arg, 1, REGO_STRING))
		return NULL;
	struct slice s = text(arg[0]);
	struct rego_value *v = value_string_new(c->m, s.size);
	char *out = (char *)(uintptr_t)v->text + s.size;
	for (size_t at = 0; at < s.size;) {
		size_t n = MIN(strings_step(s, at), s.size - at);
		out -= n;
		memcpy(out, s.data + at, n);
		at += n;
	}
	return value_string_done(v);
}

static rv count_of(struct call *c, const rv *arg, uint32_t count)
{
	if (!two_strings(c, arg))
		return NULL;
	struct slice s = text(arg[0]), what = text(arg[1]);
	if (what.size == 0)
		return value_int(c->m, runes_before(s, s.size) + 1);
	int64_t n = 0, at;
	for (size_t from = 0; (at = strings_find(s, what, from)) >= 0; n++)
		from = (size_t)at + what.size;
	return value_int(c->m, n);
}

/* --- trimming --- */

static bool in_cutset(struct slice cutset, struct slice rune)
{
	return strings_find(cutset, rune, 0) >= 0;
}

static struct slice trim_left(struct slice s, struct slice cutset)
{
	while (s.size > 0) {
		size_t n = strings_step(s, 0);
		if (!in_cutset(cutset, slice_cut(s, 0, n)))
			break;
		s = slice_cut(s, n, s.size);
	}
	return s;
}

static struct slice trim_right(struct slice s, struct slice cutset)
{
	while (s.size > 0) {
		size_t at = s.size - 1;
		while (at > 0 && (s.data[at] & 0xc0) == 0x80)
			at--;
		if (!in_cutset(cutset, slice_cut(s, at, s.size)))
			break;
		s = slice_cut(s, 0, at);
	}
	return s;
}

static rv trim_fn(struct call *c, const rv *arg, uint32_t count)
{
	if (!two_strings(c, arg))
		return NULL;
	return value_string(c->m, trim_right(trim_left(text(arg[0]), text(arg[1])), text(arg[1])));
}

static rv trim_left_fn(struct call *c, const rv *arg, uint32_t count)
{
	return two_strings(c, arg) ? value_string(c->m, trim_left(text(arg[0]), text(arg[1])))
				   : NULL;
}

static rv trim_right_fn(struct call *c, const rv *arg, uint32_t count)
{
	return two_strings(c, arg) ? value_string(c->m, trim_right(text(arg[0]), text(arg[1])))
				   : NULL;
}

static rv trim_prefix(struct call *c, const rv *arg, uint32_t count)
{
	if (!two_strings(c, arg))
		return NULL;
	struct slice s = text(arg[0]);
	if (slice_starts(s, text(arg[1])))
		s = slice_cut(s, arg[1]->count, s.size);
	return value_string(c->m, s);
}

static rv trim_suffix(struct call *c, const rv *arg, uint32_t count)
{
	if (!two_strings(c, arg))
		return NULL;
	struct slice s = text(arg[0]);
	if (ends(s, text(arg[1])))
		s = slice_cut(s, 0, s.size - arg[1]->count);
	return value_string(c->m, s);
}

static rv trim_space(struct call *c, const rv *arg, uint32_t count)
{
	/* What Go calls white space. */
	static const char blanks[] =
		" \t\n\v\f\r\xc2\x85\xc2\xa0\xe1\x9a\x80\xe2\x80\x80\xe2\x80\x81"
		"\xe2\x80\x82\xe2\x80\x83\xe2\x80\x84\xe2\x80\x85\xe2\x80\x86"
		"\xe2\x80\x87\xe2\x80\x88\xe2\x80\x89\xe2\x80\x8a\xe2\x80\xa8"
		"\xe2\x80\xa9\xe2\x80\xaf\xe2\x81\x9f\xe3\x80\x80";
	if (!arg_is(c, arg, 1, REGO_STRING))
		return NULL;
	return value_string(
		c->m, trim_right(trim_left(text(arg[0]), slice_str(blanks)), slice_str(blanks)));
}

/* --- case --- */

static rv map_case(struct call *c, rv v, uint32_t (*map)(uint32_t))
{
	struct slice s = text(v);
	/* A mapped code point takes at most three bytes more. */
	struct buf b = buf_init(mem_room(c->m));
	for (size_t at = 0; at < s.size;) {
		uint32_t code;
		size_t n = utf8_decode(slice_cut(s, at, 4), &code);
		uint8_t out[4];
		if (n == 0) {
			buf_put_u8(&b, s.data[at++]);
			continue;
		}
		buf_put(&b, out, utf8_encode(map(code), out));
		at += n;
	}
	return from_buf(c, &b);
}

static rv lower(struct call *c, const rv *arg, uint32_t count)
{
	return arg_is(c, arg, 1, REGO_STRING) ? map_case(c, arg[0], strings_lower) : NULL;
}

static rv upper(struct call *c, const rv *arg, uint32_t count)
{
	return arg_is(c, arg, 1, REGO_STRING) ? map_case(c, arg[0], strings_upper) : NULL;
}

/* --- any_prefix_match, any_suffix_match --- */

static bool string_or_list(struct call *c, const rv *arg, unsigned pos)
{
	rv v = arg[pos - 1];
	if (v->type == REGO_STRING)
		return true;
	if (v->type != REGO_ARRAY && v->type != REGO_SET) {
		call_type_error(c, pos, "one of {string, set, array}", v);
		return false;
	}
	for (uint32_t i = 0; i < v->count; i++)
		if (v->item[i]->type != REGO_STRING) {
			call_operand_error(c, pos, "must be %s of strings but got %s containing %s",
				value_type_name(v), value_type_name(v),
				value_type_name(v->item[i]));
			return false;
		}
	return true;
}

static rv any_match(struct call *c, const rv *arg, bool (*match)(struct slice, struct slice))
{
	if (!string_or_list(c, arg, 1) || !string_or_list(c, arg, 2))
		return NULL;
	uint32_t n = arg[0]->type == REGO_STRING ? 1 : arg[0]->count;
	uint32_t k = arg[1]->type == REGO_STRING ? 1 : arg[1]->count;
	for (uint32_t i = 0; i < n; i++) {
		rv s = arg[0]->type == REGO_STRING ? arg[0] : arg[0]->item[i];
		for (uint32_t j = 0; j < k; j++) {
			rv p = arg[1]->type == REGO_STRING ? arg[1] : arg[1]->item[j];
			if (match(text(s), text(p)))
				return &value_true;
		}
	}
	return &value_false;
}

static rv any_prefix(struct call *c, const rv *arg, uint32_t count)
{
	return any_match(c, arg, slice_starts);
}

static rv any_suffix(struct call *c, const rv *arg, uint32_t count)
{
	return any_match(c, arg, ends);
}

static const struct builtin items[] = {
	{.name = "concat", .arity = 2, .fn = concat},
	{.name = "contains", .arity = 2, .fn = contains},
	{.name = "startswith", .arity = 2, .fn = startswith},
	{.name = "endswith", .arity = 2, .fn = endswith},
	{.name = "indexof", .arity = 2, .fn = indexof},
	{.name = "indexof_n", .arity = 2, .fn = indexof_n},
	{.name = "lower", .arity = 1, .fn = lower},
	{.name = "upper", .arity = 1, .fn = upper},
	{.name = "replace", .arity = 3, .fn = replace},
	{.name = "split", .arity = 2, .fn = split},
	{.name = "strings.split_n", .arity = 3, .fn = split_n},
	{.name = "sprintf", .arity = 2, .fn = builtin_sprintf},
	{.name = "substring", .arity = 3, .fn = substring},
	{.name = "trim", .arity = 2, .fn = trim_fn},
	{.name = "trim_left", .arity = 2, .fn = trim_left_fn},
	{.name = "trim_right", .arity = 2, .fn = trim_right_fn},
	{.name = "trim_prefix", .arity = 2, .fn = trim_prefix},
	{.name = "trim_suffix", .arity = 2, .fn = trim_suffix},
	{.name = "trim_space", .arity = 1, .fn = trim_space},
	{.name = "strings.reverse", .arity = 1, .fn = reverse},
	{.name = "strings.replace_n", .arity = 2, .fn = replace_n},
	{.name = "strings.count", .arity = 2, .fn = count_of},
	{.name = "strings.any_prefix_match", .arity = 2, .fn = any_prefix},
	{.name = "strings.any_suffix_match", .arity = 2, .fn = any_suffix},
};
const struct builtin_table builtin_string_table = {items, ARRAY_COUNT(items)};
