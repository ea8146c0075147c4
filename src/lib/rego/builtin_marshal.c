/* SPDX-License-Identifier: Apache-2.0 */
/* json.marshal and json.marshal_with_options: JSON as Go's encoder lays it out. */
#include "base/buf.h"
#include "rego/builtin.h"

static rv done(struct call *c, struct buf *b)
{
	char *copy = buf_error(b) ? NULL : arena_copy(c->m->arena, buf_slice(b));
	size_t size = b->size;
	buf_done(b);
	if (!copy)
		mem_fail(c->m, REGO_ERR_MEMORY, "memory", "the memory budget is spent");
	return value_string(c->m, slice_of(copy, size));
}

/* '<', '>' and '&' appear in strings only, and are escaped so that JSON can stand in HTML. */
static void put_byte(struct buf *b, uint8_t ch)
{
	if (ch == '<' || ch == '>' || ch == '&')
		buf_printf(b, "\\u%04x", ch);
	else
		buf_put_u8(b, ch);
}

static rv marshal(struct call *c, const rv *arg, uint32_t count)
{
	struct buf b = buf_init(mem_room(c->m));
	rv plain = value_to_json(c->m, arg[0]);
	if (!memchr(plain->text, '<', plain->count) && !memchr(plain->text, '>', plain->count) &&
		!memchr(plain->text, '&', plain->count))
		return plain;
	for (uint32_t i = 0; i < plain->count; i++)
		put_byte(&b, (uint8_t)plain->text[i]);
	return done(c, &b);
}

struct layout {
	struct slice prefix, indent;
	size_t depth;
};

static void new_line(struct buf *b, const struct layout *l)
{
	buf_put_u8(b, '\n');
	buf_put_slice(b, l->prefix);
	for (size_t i = 0; i < l->depth; i++)
		buf_put_slice(b, l->indent);
}

/* Spreads compact JSON over lines; empty collections stay together. */
static void spread(struct buf *b, struct slice s, struct layout *l)
{
	bool text = false;
	for (size_t i = 0; i < s.size; i++) {
		uint8_t ch = s.data[i];
		if (text && ch == '\\') {
			buf_put(b, s.data + i++, 2);
			continue;
		}
		text ^= ch == '"';
		if (text || !strchr("[]{},:", ch)) {
			put_byte(b, ch);
			continue;
		}
		bool opens = ch == '[' || ch == '{', closes = ch == ']' || ch == '}';
		bool empty = opens && i + 1 < s.size && s.data[i + 1] == ch + 2;
		if (empty) {
			buf_put(b, s.data + i++, 2);
			continue;
		}
		l->depth += opens;
		l->depth -= closes;
		if (closes)
			new_line(b, l);
		buf_put_u8(b, ch);
		if (opens || ch == ',')
			new_line(b, l);
		if (ch == ':')
			buf_put_u8(b, ' ');
	}
}

/* Reads the options; false after reporting. */
static bool read_options(struct call *c, rv o, struct layout *l, bool *pretty)
{
	bool explicit = false, implicit = false;
	*l = (struct layout){.indent = SLICE_LIT("\t")};
	for (uint32_t i = 0; i < o->count; i++) {
		rv k = o->pair[i].key, v = o->pair[i].val;
		bool prefix = value_str_is(k, "prefix");
		if (prefix || value_str_is(k, "indent")) {
			if (v->type != REGO_STRING) {
				call_operand_error(c, 2,
					"key %s failed cast to string: operand %u must be string "
					"but got %s",
					k->text, i, value_type_name(v));
				return false;
			}
			*(prefix ? &l->prefix : &l->indent) = value_slice(v);
			implicit = true;
		} else if (value_str_is(k, "pretty")) {
			if (v->type != REGO_BOOL) {
				call_operand_error(c, 2, "key pretty failed cast to bool");
				return false;
			}
			explicit = true;
			*pretty = rego_is_true(v);
		} else if (k->type != REGO_STRING) {
			rv name = value_to_rego(c->m, k);
			call_operand_error(c, 2,
				"failed to stringify key %.*s at index %u: operand %u must be "
				"string but got %s",
				(int)MIN(name->count, 100u), name->text, i, i, value_type_name(k));
			return false;
		} else {
			rv name = value_to_json(c->m, k);
			call_operand_error(c, 2, "object contained unknown key %.*s",
				(int)MIN(name->count, 200u), name->text);
			return false;
		}
	}
	if (!explicit)
		*pretty = implicit;
	return true;
}

static rv marshal_with_options(struct call *c, const rv *arg, uint32_t count)
{
	struct layout l;
	struct buf b = buf_init(mem_room(c->m));
	bool pretty = false;
	if (!arg_is(c, arg, 2, REGO_OBJECT) || !read_options(c, arg[1], &l, &pretty))
		return NULL;
	if (!pretty)
		return marshal(c, arg, 1);
	rv plain = value_to_json(c->m, arg[0]);
	buf_put_slice(&b, l.prefix);
	spread(&b, value_slice(plain), &l);
	return done(c, &b);
}

static const struct builtin items[] = {
	{.name = "json.marshal", .arity = 1, .fn = marshal},
	{.name = "json.marshal_with_options", .arity = 2, .fn = marshal_with_options},
};
const struct builtin_table builtin_marshal_table = {items, ARRAY_COUNT(items)};
