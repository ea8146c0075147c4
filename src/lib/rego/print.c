/* SPDX-License-Identifier: Apache-2.0 */
/* Values to text: canonical JSON, and Rego syntax for messages and sprintf. */
#include "base/buf.h"
#include "base/str.h"
#include "rego/text.h"

static void put_ascii_escape(struct buf *out, uint8_t c)
{
	static const char from[] = "\"\\\n\r\t\b\f", to[] = "\"\\nrtbf";
	const char *at = c ? strchr(from, c) : NULL;
	if (at)
		buf_printf(out, "\\%c", to[at - from]);
	else
		buf_printf(out, "\\u%04x", c);
}

/*
 * As Go's encoding/json without HTML escaping: what is not UTF-8 is replaced, U+2028 and U+2029 are
 * escaped because JavaScript takes them for line ends.
 */
void print_json_string(struct buf *out, struct slice s)
{
	buf_put_u8(out, '"');
	size_t from = 0;
	for (size_t i = 0, n; i < s.size; i += n) {
		uint8_t c = s.data[i];
		n = 1;
		if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\')
			continue;
		uint32_t code = c < 0x80 ? c : text_rune(s, i, &n);
		if (code >= 0x80 && code != UINT32_MAX && code != 0x2028 && code != 0x2029)
			continue;
		buf_put(out, s.data + from, i - from);
		from = i + n;
		if (code < 0x80)
			put_ascii_escape(out, c);
		else
			buf_printf(out, "\\u%04x", code == UINT32_MAX ? 0xfffdu : code);
	}
	buf_put(out, s.data + from, s.size - from);
	buf_put_u8(out, '"');
}

static void print_value(struct buf *out, rv v, bool json);

static void print_items(struct buf *out, rv v, bool json, char open, char close)
{
	buf_put_u8(out, (uint8_t)open);
	for (uint32_t i = 0; i < v->count; i++) {
		if (i)
			buf_put_str(out, json ? "," : ", ");
		print_value(out, v->item[i], json);
	}
	buf_put_u8(out, (uint8_t)close);
}

static void print_key(struct buf *out, rv key, bool json)
{
	if (!json || key->type == REGO_STRING) {
		print_value(out, key, json);
		return;
	}
	/* JSON knows only string keys: others are written as the string of their JSON text. */
	struct buf text = {.max = out->max};
	print_value(&text, key, true);
	print_json_string(out, buf_slice(&text));
	if (buf_error(&text) && !out->error)
		out->error = buf_error(&text);
	buf_done(&text);
}

static void print_object(struct buf *out, rv v, bool json)
{
	buf_put_u8(out, '{');
	for (uint32_t i = 0; i < v->count; i++) {
		if (i)
			buf_put_str(out, json ? "," : ", ");
		print_key(out, v->pair[i].key, json);
		buf_put_str(out, json ? ":" : ": ");
		print_value(out, v->pair[i].val, json);
	}
	buf_put_u8(out, '}');
}

static void print_value(struct buf *out, rv v, bool json)
{
	char scratch[24];
	switch (v->type) {
	case REGO_NULL:
		buf_put_str(out, "null");
		break;
	case REGO_BOOL:
		buf_put_str(out, v->sub ? "true" : "false");
		break;
	case REGO_NUMBER:
		buf_put_slice(out, num_text(v, scratch));
		break;
	case REGO_STRING:
		if (json)
			print_json_string(out, value_slice(v));
		else
			print_quoted(out, value_slice(v));
		break;
	case REGO_ARRAY:
		print_items(out, v, json, '[', ']');
		break;
	case REGO_SET:
		if (json)
			print_items(out, v, json, '[', ']');
		else if (v->count == 0)
			buf_put_str(out, "set()");
		else
			print_items(out, v, json, '{', '}');
		break;
	case REGO_OBJECT:
		print_object(out, v, json);
		break;
	default:
		buf_put_str(out, "null");
	}
}

void rego_json(struct buf *out, const struct rego_value *v)
{
	print_value(out, v, true);
}

void rego_print(struct buf *out, const struct rego_value *v)
{
	print_value(out, v, false);
}

static rv to_text(struct mem *m, rv v, bool json)
{
	struct buf out = buf_init(mem_room(m));
	print_value(&out, v, json);
	int error = buf_error(&out);
	/* Released before anything can escape. */
	struct arena *arena = m->arena;
	char *copy = error ? NULL : arena_copy(arena, buf_slice(&out));
	size_t size = out.size;
	buf_done(&out);
	if (!copy)
		mem_fail(m, REGO_ERR_MEMORY, "memory", "the memory budget is spent");
	return value_string(m, slice_of(copy, size));
}

rv value_to_json(struct mem *m, rv v)
{
	return to_text(m, v, true);
}

rv value_to_rego(struct mem *m, rv v)
{
	return to_text(m, v, false);
}
