/* SPDX-License-Identifier: Apache-2.0 */
#include "yaml_emit.h"

#include <stdlib.h>

#include "base/str.h"
#include "yaml_scalar.h"

#define SIMPLE_KEY_MAX 128 /* longer keys need the explicit form */

/* --- strings --- */

/* What a string has in it that decides how it can be written. */
struct traits {
	bool lines;   /* line ends */
	bool special; /* characters that only double quotes can carry */
	bool tabs;
	bool plain; /* no indicator that would start something else */
	bool edges; /* blank or line end first or last */
	bool trailing_blank;
	bool blank_after_line, blank_before_line;
};

/* One code point; malformed bytes come as themselves. */
static uint32_t code_at(struct slice s, size_t at, size_t *ret_size)
{
	uint8_t c = s.data[at];
	size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
	n = MIN(n, s.size - at);
	uint32_t code = n == 1 ? c : c & (0x7fu >> n);
	for (size_t i = 1; i < n; i++)
		code = code << 6 | (s.data[at + i] & 0x3fu);
	*ret_size = n;
	return code;
}

/* What lies beyond the basic plane is escaped, as Go's emitter does it. */
static bool printable(uint32_t c)
{
	return c == '\n' || (c >= 0x20 && c <= 0x7e) ||
	       (c >= 0xa0 && c < 0xd800 && c != 0x2028 && c != 0x2029) ||
	       (c >= 0xe000 && c <= 0xfffd && c != 0xfeff);
}

static bool starts_something(struct slice s)
{
	bool blank_follows = s.size < 2 || strchr(" \t\n", s.data[1]);
	if (s.size >= 3 && (memcmp(s.data, "---", 3) == 0 || memcmp(s.data, "...", 3) == 0))
		return true;
	if (strchr("#,[]{}&*!|>'\"%@`", s.data[0]) && s.data[0])
		return true;
	return blank_follows && (s.data[0] == '?' || s.data[0] == ':' || s.data[0] == '-');
}

static struct traits look(struct slice s)
{
	struct traits t = {.plain = s.size == 0 || !starts_something(s)};
	uint32_t before = '\n';
	size_t size;
	for (size_t i = 0; i < s.size; i += size) {
		uint32_t c = code_at(s, i, &size);
		bool last = i + size >= s.size, end = last || strchr(" \t\n", s.data[i + size]);
		if (i > 0 && ((c == ':' && end) || (c == '#' && (before == ' ' || before == '\t' ||
									before == '\n'))))
			t.plain = false;
		t.tabs |= c == '\t';
		t.special |= c != '\t' && !printable(c);
		t.lines |= c == '\n';
		t.edges |= (i == 0 || last) && (c == ' ' || c == '\n');
		t.trailing_blank |= last && c == ' ';
		t.blank_after_line |= i > 0 && c == ' ' && before == '\n';
		t.blank_before_line |= c == '\n' && before == ' ';
		before = c;
	}
	return t;
}

static void put_double(struct buf *out, struct slice s)
{
	static const struct {
		uint32_t code;
		char letter;
	} short_form[] = {{0, '0'}, {7, 'a'}, {8, 'b'}, {9, 't'}, {10, 'n'}, {11, 'v'}, {12, 'f'},
		{13, 'r'}, {27, 'e'}, {'"', '"'}, {'\\', '\\'}, {0x85, 'N'}, {0x2028, 'L'},
		{0x2029, 'P'}};
	size_t size;
	buf_put_u8(out, '"');
	for (size_t i = 0; i < s.size; i += size) {
		uint32_t c = code_at(s, i, &size);
		if (printable(c) && c != '"' && c != '\\' && c != '\n') {
			buf_put(out, s.data + i, size);
			continue;
		}
		char letter = 0;
		for (size_t k = 0; k < ARRAY_COUNT(short_form); k++)
			if (short_form[k].code == c)
				letter = short_form[k].letter;
		if (letter)
			buf_printf(out, "\\%c", letter);
		else if (c <= 0xff)
			buf_printf(out, "\\x%02X", c);
		else
			buf_printf(out, c <= 0xffff ? "\\u%04X" : "\\U%08X", c);
	}
	buf_put_u8(out, '"');
}

static void put_single(struct buf *out, struct slice s)
{
	buf_put_u8(out, '\'');
	for (size_t i = 0; i < s.size; i++) {
		if (s.data[i] == '\'')
			buf_put_u8(out, '\'');
		buf_put_u8(out, s.data[i]);
	}
	buf_put_u8(out, '\'');
}

static void put_blanks(struct buf *out, size_t count)
{
	while (count-- > 0)
		buf_put_u8(out, ' ');
}

static void put_literal(struct buf *out, struct slice s, size_t indent)
{
	size_t n = s.size;
	buf_put_u8(out, '|');
	if (s.data[0] == ' ' || s.data[0] == '\n')
		buf_put_u8(out, '2');
	if (s.data[n - 1] != '\n')
		buf_put_u8(out, '-');
	else if (n == 1 || s.data[n - 2] == '\n')
		buf_put_u8(out, '+');
	bool at_start = true;
	buf_put_u8(out, '\n');
	for (size_t i = 0; i < n; i++) {
		if (at_start && s.data[i] != '\n')
			put_blanks(out, indent);
		at_start = s.data[i] == '\n';
		/* The line end after the value is written by whatever comes next. */
		if (i + 1 < n || !at_start)
			buf_put_u8(out, s.data[i]);
	}
}

static void put_string(struct buf *out, struct slice s, size_t indent, bool simple_key)
{
	struct traits t = look(s);
	bool quotes = yaml_needs_quotes(s);
	if (t.lines) {
		bool block = !simple_key && !t.trailing_blank && !t.special && !t.blank_before_line;
		if (block)
			put_literal(out, s, indent);
		else
			put_double(out, s);
	} else if (quotes || t.special || t.tabs) {
		put_double(out, s);
	} else if (t.plain && !t.edges) {
		buf_put_slice(out, s);
	} else {
		put_single(out, s);
	}
}

/* --- numbers and keys --- */

static void put_number(struct buf *out, val v)
{
	cleanup_with(buf_done) struct buf text = {0};
	rego_json(&text, v);
	struct scalar s = yaml_resolve(buf_slice(&text));
	if (s.kind == SCALAR_INT)
		buf_printf(out, "%s%llu", s.negative ? "-" : "", (unsigned long long)s.magnitude);
	else if (s.kind == SCALAR_FLOAT)
		go_float(out, s.number, false);
	else
		buf_put_slice(out, buf_slice(&text));
}

/* Keys that are no strings are written as their JSON. */
static void key_text(struct buf *out, val key)
{
	if (rego_type(key) == REGO_STRING)
		buf_put_slice(out, rego_text(key));
	else
		rego_json(out, key);
}

static bool is_digit(uint32_t c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(uint32_t c)
{
	return c >= 0x80 || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static int64_t run(struct slice s, size_t *at, int64_t n)
{
	while (*at < s.size && is_digit(s.data[*at]) && n < INT64_MAX / 16)
		n = n * 10 + (s.data[(*at)++] - '0');
	return n;
}

/* Natural order: "a2" before "a10", punctuation before letters. */
static int compare_keys(struct slice a, struct slice b)
{
	bool digits = false;
	for (size_t i = 0; i < a.size && i < b.size; i++) {
		uint8_t x = a.data[i], y = b.data[i];
		if (x == y) {
			digits = is_digit(x);
			continue;
		}
		bool xl = is_letter(x), yl = is_letter(y);
		if (xl && yl)
			return x < y ? -1 : 1;
		if (xl || yl)
			return (digits ? xl : yl) ? -1 : 1;
		int64_t xn = 0, yn = 0;
		if (x == '0' || y == '0')
			for (size_t k = i; k > 0 && is_digit(a.data[k - 1]); k--)
				if (a.data[k - 1] != '0')
					xn = yn = 1;
		size_t xi = i, yi = i;
		xn = run(a, &xi, xn);
		yn = run(b, &yi, yn);
		if (xn != yn)
			return xn < yn ? -1 : 1;
		if (xi != yi)
			return xi < yi ? -1 : 1;
		return x < y ? -1 : 1;
	}
	return a.size < b.size ? -1 : a.size > b.size;
}

struct entry {
	struct buf key;
	val v;
};

static int by_key(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	return compare_keys(buf_slice(&x->key), buf_slice(&y->key));
}

/* --- nodes --- */

static int put_node(struct buf *out, val v, size_t indent, unsigned depth);

static bool is_block(val v)
{
	return rego_type(v) >= REGO_ARRAY && rego_count(v) > 0;
}

static void put_line(struct buf *out, size_t indent)
{
	buf_put_u8(out, '\n');
	put_blanks(out, indent);
}

static int put_pair(struct buf *out, const struct entry *e, size_t indent, unsigned depth)
{
	struct slice key = buf_slice(&e->key);
	bool simple = key.size <= SIMPLE_KEY_MAX && !look(key).lines;
	if (!simple) {
		buf_put_str(out, "? ");
		put_string(out, key, indent + 2, false);
		put_line(out, indent);
		buf_put_str(out, ": ");
		return put_node(out, e->v, indent + 2, depth);
	}
	if (key.size == 0)
		buf_put_str(out, "\"\"");
	else
		put_string(out, key, indent, true);
	buf_put_u8(out, ':');
	if (is_block(e->v))
		put_line(out, indent + 2);
	else
		buf_put_u8(out, ' ');
	return put_node(out, e->v, indent + 2, depth);
}

static int put_mapping(struct buf *out, val v, size_t indent, unsigned depth)
{
	size_t n = rego_count(v);
	int r = 0;
	struct entry *e = calloc(n, sizeof(*e));
	if (!e)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		key_text(&e[i].key, rego_key(v, i));
		e[i].v = rego_item(v, i);
	}
	qsort(e, n, sizeof(*e), by_key);
	for (size_t i = 0; i < n && r == 0; i++) {
		if (i > 0)
			put_line(out, indent);
		r = put_pair(out, &e[i], indent, depth);
	}
	for (size_t i = 0; i < n; i++)
		buf_done(&e[i].key);
	free(e);
	return r;
}

static int put_sequence(struct buf *out, val v, size_t indent, unsigned depth)
{
	int r = 0;
	for (size_t i = 0; i < rego_count(v) && r == 0; i++) {
		if (i > 0)
			put_line(out, indent);
		buf_put_str(out, "- ");
		r = put_node(out, rego_item(v, i), indent + 2, depth);
	}
	return r;
}

static bool carries(struct slice s)
{
	size_t size;
	for (size_t i = 0; i < s.size; i += size)
		if (code_at(s, i, &size) == 0x7f)
			return false;
	return true;
}

/* The cursor is where the node begins; further lines of it start at @indent. */
static int put_node(struct buf *out, val v, size_t indent, unsigned depth)
{
	if (depth > YAML_DEPTH_MAX)
		return -E2BIG;
	switch (rego_type(v)) {
	case REGO_NULL:
		buf_put_str(out, "null");
		return 0;
	case REGO_BOOL:
		buf_put_str(out, rego_is_true(v) ? "true" : "false");
		return 0;
	case REGO_NUMBER:
		put_number(out, v);
		return 0;
	case REGO_STRING:
		if (!carries(rego_text(v)))
			return -EBADMSG;
		put_string(out, rego_text(v), indent, false);
		return 0;
	case REGO_OBJECT:
		if (rego_count(v) > 0)
			return put_mapping(out, v, indent, depth + 1);
		buf_put_str(out, "{}");
		return 0;
	default:
		if (rego_count(v) > 0)
			return put_sequence(out, v, indent, depth + 1);
		buf_put_str(out, "[]");
		return 0;
	}
}

int yaml_emit(struct buf *out, val v)
{
	/* Text on the top level is indented, collections are not. */
	int r = put_node(out, v, is_block(v) ? 0 : 2, 0);
	buf_put_u8(out, '\n');
	return r == 0 ? buf_error(out) : r;
}
