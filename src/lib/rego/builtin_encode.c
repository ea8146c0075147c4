/* SPDX-License-Identifier: Apache-2.0 */
/* Encodings: base64, base64url, hex, JSON, URL queries. */
#include "base/buf.h"
#include "base/enc.h"
#include "base/str.h"
#include "rego/text.h"

static rv done(struct call *c, struct buf *b)
{
	int error = buf_error(b);
	char *copy = error ? NULL : arena_copy(c->m->arena, buf_slice(b));
	size_t size = b->size;
	buf_done(b);
	if (!copy)
		mem_fail(c->m, REGO_ERR_MEMORY, "memory", "the memory budget is spent");
	return value_string(c->m, slice_of(copy, size));
}

static rv b64(struct call *c, const rv *arg, enum b64_variant variant)
{
	struct buf b = buf_init(mem_room(c->m));
	if (!arg_is(c, arg, 1, REGO_STRING))
		return NULL;
	b64_encode(&b, value_slice(arg[0]), variant);
	return done(c, &b);
}

static rv b64_encode_fn(struct call *c, const rv *arg, uint32_t count)
{
	return b64(c, arg, B64_STD);
}

static rv b64url_encode_fn(struct call *c, const rv *arg, uint32_t count)
{
	return b64(c, arg, B64_URL_PADDED);
}

static rv b64url_encode_no_pad(struct call *c, const rv *arg, uint32_t count)
{
	return b64(c, arg, B64_URL);
}

static rv decode(struct call *c, struct slice s, enum b64_variant variant)
{
	struct buf b = buf_init(mem_room(c->m));
	size_t bad = 0;
	if (b64_decode_lenient(&b, s, variant, &bad) == -EBADMSG) {
		buf_done(&b);
		return call_fail(c, "illegal base64 data at input byte %zu", bad);
	}
	return done(c, &b);
}

static rv b64_decode_fn(struct call *c, const rv *arg, uint32_t count)
{
	return arg_is(c, arg, 1, REGO_STRING) ? decode(c, value_slice(arg[0]), B64_STD) : NULL;
}

/* Padding may be left out, but not in part. */
static rv b64url_decode_fn(struct call *c, const rv *arg, uint32_t count)
{
	if (!arg_is(c, arg, 1, REGO_STRING))
		return NULL;
	struct slice s = value_slice(arg[0]);
	if (s.size > 0 && s.data[s.size - 1] == '=')
		return decode(c, s, B64_URL_PADDED);
	if (s.size % 4 == 1)
		return call_fail(
			c, "illegal base64url string: %.*s", (int)MIN(s.size, (size_t)200), s.data);
	return decode(c, s, B64_URL);
}

static rv b64_is_valid(struct call *c, const rv *arg, uint32_t count)
{
	struct buf b = buf_init(mem_room(c->m));
	if (arg[0]->type != REGO_STRING)
		return value_bool(false);
	int r = b64_decode_lenient(&b, value_slice(arg[0]), B64_STD, NULL);
	buf_done(&b);
	return value_bool(r == 0);
}

static rv hex_encode_fn(struct call *c, const rv *arg, uint32_t count)
{
	struct buf b = buf_init(mem_room(c->m));
	if (!arg_is(c, arg, 1, REGO_STRING))
		return NULL;
	hex_encode(&b, value_slice(arg[0]));
	return done(c, &b);
}

static bool hex_digit(uint8_t ch)
{
	return (ch >= '0' && ch <= '9') || ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'f');
}

static rv hex_decode_fn(struct call *c, const rv *arg, uint32_t count)
{
	struct buf b = buf_init(mem_room(c->m));
	if (!arg_is(c, arg, 1, REGO_STRING))
		return NULL;
	struct slice s = value_slice(arg[0]);
	for (size_t i = 0; i < s.size; i++) {
		/* A byte is shown as the character of that number. */
		char rune[8] = {(char)s.data[i]};
		if (hex_digit(s.data[i]))
			continue;
		if (s.data[i] == '\'' || s.data[i] == '\\')
			snprintf(rune, sizeof(rune), "\\%c", s.data[i]);
		else if (s.data[i] >= 0x80)
			rune[utf8_encode(s.data[i], (uint8_t *)rune)] = '\0';
		return text_printable(s.data[i])
			       ? call_fail(c, "encoding/hex: invalid byte: U+%04X '%s'", s.data[i],
					 rune)
			       : call_fail(c, "encoding/hex: invalid byte: U+%04X", s.data[i]);
	}
	if (s.size % 2)
		return call_fail(c, "encoding/hex: odd length hex string");
	if (hex_decode(&b, s) < 0) {
		buf_done(&b);
		return call_fail(c, "encoding/hex: invalid byte");
	}
	return done(c, &b);
}

/* --- JSON --- */

static rv json_complaint(struct call *c, struct slice text, const struct err *e)
{
	const char *words = json_error_text(c->m, text);
	return call_fail(c, "%s", words[0] ? words : err_text(e, 0));
}

static rv json_unmarshal(struct call *c, const rv *arg, uint32_t count)
{
	rv v;
	struct err e = {0};
	if (!arg_is(c, arg, 1, REGO_STRING))
		return NULL;
	if (rego_json_parse(c->m, value_slice(arg[0]), VALUE_MAX_DEPTH, &v, &e) < 0)
		return json_complaint(c, value_slice(arg[0]), &e);
	return v;
}

static rv json_is_valid(struct call *c, const rv *arg, uint32_t count)
{
	rv v;
	if (arg[0]->type != REGO_STRING)
		return &value_false;
	return value_bool(
		rego_json_parse(c->m, value_slice(arg[0]), VALUE_MAX_DEPTH, &v, NULL) == 0);
}

/* --- URL queries --- */

static void url_escape(struct buf *b, struct slice s)
{
	for (size_t i = 0; i < s.size; i++) {
		uint8_t ch = s.data[i];
		if ((ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') ||
			(ch >= 'A' && ch <= 'Z') || ch == '-' || ch == '_' || ch == '.' ||
			ch == '~')
			buf_put_u8(b, ch);
		else if (ch == ' ')
			buf_put_u8(b, '+');
		else
			buf_printf(b, "%%%02X", ch);
	}
}

static unsigned nibble(uint8_t ch)
{
	return ch <= '9' ? ch - '0' + 0u : (ch | 0x20u) - 'a' + 10;
}

/* NULL, or the malformed escape. */
static const char *url_unescape(struct buf *b, struct slice s)
{
	for (size_t i = 0; i < s.size; i++) {
		if (s.data[i] == '+') {
			buf_put_u8(b, ' ');
		} else if (s.data[i] != '%') {
			buf_put_u8(b, s.data[i]);
		} else {
			if (s.size - i < 3 || !hex_digit(s.data[i + 1]) ||
				!hex_digit(s.data[i + 2]))
				return (const char *)s.data + i;
			buf_put_u8(
				b, (uint8_t)(nibble(s.data[i + 1]) << 4 | nibble(s.data[i + 2])));
			i += 2;
		}
	}
	return NULL;
}

static rv url_encode(struct call *c, const rv *arg, uint32_t count)
{
	struct buf b = buf_init(mem_room(c->m));
	if (!arg_is(c, arg, 1, REGO_STRING))
		return NULL;
	url_escape(&b, value_slice(arg[0]));
	return done(c, &b);
}

static rv url_decode_text(struct call *c, struct slice s)
{
	struct buf b = buf_init(mem_room(c->m));
	const char *bad = url_unescape(&b, s);
	if (bad) {
		size_t left = s.size - (size_t)(bad - (const char *)s.data);
		buf_done(&b);
		return call_fail(c, "invalid URL escape \"%.*s\"", (int)MIN(left, (size_t)3), bad);
	}
	return done(c, &b);
}

static rv url_decode(struct call *c, const rv *arg, uint32_t count)
{
	return arg_is(c, arg, 1, REGO_STRING) ? url_decode_text(c, value_slice(arg[0])) : NULL;
}

static void put_query(struct buf *b, rv key, rv val)
{
	if (b->size)
		buf_put_u8(b, '&');
	url_escape(b, value_slice(key));
	buf_put_u8(b, '=');
	url_escape(b, value_slice(val));
}

static rv url_encode_object(struct call *c, const rv *arg, uint32_t count)
{
	if (!arg_is(c, arg, 1, REGO_OBJECT))
		return NULL;
	rv o = arg[0], *key = mem_array(c->m, o->count + 1, sizeof(rv));
	for (uint32_t i = 0; i < o->count; i++) {
		rv v = o->pair[i].val;
		/* Keys that are no text are written as in JSON. */
		key[i] = o->pair[i].key;
		if (key[i]->type != REGO_STRING)
			key[i] = value_to_json(c->m, key[i]);
		bool ok = v->type == REGO_STRING || v->type == REGO_ARRAY || v->type == REGO_SET;
		for (uint32_t k = 0; ok && v->type != REGO_STRING && k < v->count; k++)
			ok = v->item[k]->type == REGO_STRING;
		if (!ok)
			return call_operand_error(
				c, 1, "values must be string, array[string], or set[string]");
	}
	struct buf b = buf_init(mem_room(c->m));
	for (uint32_t i = 0; i < o->count; i++) {
		rv v = o->pair[i].val;
		if (v->type == REGO_STRING)
			put_query(&b, key[i], v);
		else
			for (uint32_t k = 0; k < v->count; k++)
				put_query(&b, key[i], v->item[k]);
	}
	return done(c, &b);
}

static rv url_decode_object(struct call *c, const rv *arg, uint32_t count)
{
	if (!arg_is(c, arg, 1, REGO_STRING))
		return NULL;
	struct slice s = value_slice(arg[0]);
	struct list keys = {0}, vals = {0};
	for (size_t at = 0; at < s.size;) {
		size_t end = at;
		while (end < s.size && s.data[end] != '&')
			end++;
		struct slice part = slice_cut(s, at, end - at);
		at = end + 1;
		if (part.size == 0)
			continue;
		if (memchr(part.data, ';', part.size))
			return call_fail(c, "invalid semicolon separator in query");
		size_t eq = 0;
		while (eq < part.size && part.data[eq] != '=')
			eq++;
		rv k = url_decode_text(c, slice_cut(part, 0, eq));
		rv v = url_decode_text(c, slice_cut(part, eq + 1, part.size));
		if (!k || !v)
			return NULL;
		list_push(c->m, &keys, k);
		list_push(c->m, &vals, v);
	}
	struct pair *pair = mem_array(c->m, keys.count + 1, sizeof(*pair));
	for (uint32_t i = 0; i < keys.count; i++) {
		struct list same = {0};
		for (uint32_t k = 0; k < keys.count; k++)
			if (value_eq(keys.item[k], keys.item[i]))
				list_push(c->m, &same, vals.item[k]);
		pair[i] = (struct pair){keys.item[i], value_array(c->m, same.item, same.count)};
	}
	return value_object(c->m, pair, keys.count);
}

static const struct builtin items[] = {
	{.name = "base64.encode", .arity = 1, .fn = b64_encode_fn},
	{.name = "base64.decode", .arity = 1, .fn = b64_decode_fn},
	{.name = "base64.is_valid", .arity = 1, .fn = b64_is_valid},
	{.name = "base64url.encode", .arity = 1, .fn = b64url_encode_fn},
	{.name = "base64url.encode_no_pad", .arity = 1, .fn = b64url_encode_no_pad},
	{.name = "base64url.decode", .arity = 1, .fn = b64url_decode_fn},
	{.name = "hex.encode", .arity = 1, .fn = hex_encode_fn},
	{.name = "hex.decode", .arity = 1, .fn = hex_decode_fn},
	{.name = "json.unmarshal", .arity = 1, .fn = json_unmarshal},
	{.name = "json.is_valid", .arity = 1, .fn = json_is_valid},
	{.name = "urlquery.encode", .arity = 1, .fn = url_encode},
	{.name = "urlquery.decode", .arity = 1, .fn = url_decode},
	{.name = "urlquery.encode_object", .arity = 1, .fn = url_encode_object},
	{.name = "urlquery.decode_object", .arity = 1, .fn = url_decode_object},
};
const struct builtin_table builtin_encode_table = {items, ARRAY_COUNT(items)};
