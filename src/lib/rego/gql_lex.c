/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>

#include "base/buf.h"
#include "base/str.h"
#include "rego/gql.h"
#include "rego/text.h"

static struct gql_tok token(const struct gql *g, enum gql_token kind, size_t from, uint32_t runes)
{
	return (struct gql_tok){.kind = kind,
		.value = slice_cut(g->s, from, g->at - from),
		.line = g->line,
		.col = runes - g->start + 1};
}

static struct gql_tok invalid(struct gql *g, const char *fmt, ...) format_printf(2, 3);
static struct gql_tok invalid(struct gql *g, const char *fmt, ...)
{
	struct gql_tok t = {.kind = GT_INVALID, .line = g->line, .col = g->runes - g->start + 1};
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(g->bad.text, sizeof(g->bad.text), fmt, ap);
	va_end(ap);
	g->bad.set = g->bad.located = true;
	g->bad.line = t.line;
	g->bad.col = t.col;
	return t;
}

static bool at(const struct gql *g, size_t offset, const char *text)
{
	size_t n = strlen(text);
	return g->s.size - MIN(g->s.size, offset) >= n && memcmp(g->s.data + offset, text, n) == 0;
}

static void step(struct gql *g)
{
	g->at += g->s.data[g->at] < 0x80 ? 1 : strings_step(g->s, g->at);
	g->runes++;
}

static void skip_blanks(struct gql *g)
{
	while (g->at < g->s.size) {
		uint8_t c = g->s.data[g->at];
		if (c == '\t' || c == ' ' || c == ',') {
			step(g);
		} else if (c == '\n' || c == '\r') {
			step(g);
			g->line++;
			g->start = g->runes;
			if (c == '\r' && at(g, g->at, "\n"))
				step(g);
		} else if (at(g, g->at, "\xef\xbb\xbf")) {
			step(g);
		} else {
			return;
		}
	}
}

static size_t digits(struct gql *g)
{
	size_t n = 0;
	while (g->at < g->s.size && g->s.data[g->at] >= '0' && g->s.data[g->at] <= '9') {
		step(g);
		n++;
	}
	return n;
}

static struct gql_tok bad_number(struct gql *g, const char *what)
{
	if (g->at >= g->s.size)
		return invalid(g, "Invalid number, %s: <EOF>.", what);
	return invalid(g, "Invalid number, %s: \"%c\".", what, g->s.data[g->at]);
}

static struct gql_tok read_number(struct gql *g)
{
	size_t from = g->at;
	uint32_t runes = g->runes;
	bool is_float = false;
	if (at(g, g->at, "-"))
		step(g);
	if (at(g, g->at, "0")) {
		step(g);
		if (g->at < g->s.size && g->s.data[g->at] >= '0' && g->s.data[g->at] <= '9')
			return bad_number(g, "unexpected digit after 0");
	} else if (digits(g) == 0) {
		return bad_number(g, "expected digit but got");
	}
	if (at(g, g->at, ".")) {
		step(g);
		is_float = true;
		if (digits(g) == 0)
			return bad_number(g, "expected digit but got");
	}
	if (at(g, g->at, "e") || at(g, g->at, "E")) {
		step(g);
		is_float = true;
		if (at(g, g->at, "+") || at(g, g->at, "-"))
			step(g);
		if (digits(g) == 0)
			return bad_number(g, "expected digit but got");
	}
	return token(g, is_float ? GT_FLOAT : GT_INT, from, runes);
}

/* Text that has been put together, as the value of a token. */
static void take(struct gql *g, struct gql_tok *t, struct buf *b)
{
	char *copy = buf_error(b) ? NULL : arena_copy(g->c->m->arena, buf_slice(b));
	size_t size = b->size;
	buf_done(b);
	if (!copy)
		mem_escape(g->c->m, REGO_ERR_MEMORY);
	t->value = slice_of(copy, size);
}

static void put_code(struct buf *b, uint32_t c)
{
	uint8_t bytes[4];
	size_t n = utf8_encode(c, bytes);
	if (n == 0)
		n = utf8_encode(0xfffd, bytes); /* half of a pair */
	buf_put(b, bytes, n);
}

static bool hex(struct slice s, uint32_t *ret)
{
	*ret = 0;
	for (size_t i = 0; i < s.size; i++) {
		uint8_t c = s.data[i];
		uint32_t d = c >= '0' && c <= '9'		      ? c - '0' + 0u
			     : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10u
								      : 99;
		if (d > 15)
			return false;
		*ret = *ret << 4 | d;
	}
	return s.size > 0;
}

/* A \u escape at the cursor. Return: bytes read, 0 when it is malformed. */
static size_t unicode_escape(struct gql *g, uint32_t *ret)
{
	struct slice s = slice_cut(g->s, g->at, g->s.size - g->at);
	uint32_t low;
	if (s.size > 2 && s.data[2] == '{') {
		size_t n = 3;
		while (n < s.size && n < 12 && s.data[n] != '}')
			n++;
		bool ok = n < s.size && s.data[n] == '}' && n <= 11 &&
			  hex(slice_cut(s, 3, n - 3), ret) && *ret < 0x110000 &&
			  !(*ret >= 0xd800 && *ret < 0xe000);
		return ok ? n + 1 : 0;
	}
	if (s.size <= 6 || !hex(slice_cut(s, 2, 4), ret))
		return 0;
	bool pair = *ret >= 0xd800 && *ret < 0xdc00 && s.size > 12 && at(g, g->at + 6, "\\u") &&
		    hex(slice_cut(s, 8, 4), &low) && low >= 0xdc00 && low < 0xe000;
	if (!pair)
		return 6;
	*ret = 0x10000 + ((*ret - 0xd800) << 10) + (low - 0xdc00);
	return 12;
}

/* A backslash and what follows; false after reporting in @t. */
static bool read_escape(struct gql *g, struct buf *b, struct gql_tok *t)
{
	static const char from[] = "\"/\\bfnrt", to[] = "\"/\\\b\f\n\r\t";
	if (g->at + 1 >= g->s.size) {
		step(g);
		*t = invalid(g, "Invalid character escape sequence.");
		return false;
	}
	uint8_t c = g->s.data[g->at + 1];
	uint32_t code;
	size_t n = c == 'u' ? unicode_escape(g, &code) : 0;
	if (n > 0) {
		put_code(b, code);
		g->at += n;
		g->runes += (uint32_t)n;
		return true;
	}
	const char *p = c ? strchr(from, c) : NULL;
	if (!p) {
		size_t size = c == 'u' ? MIN(g->s.size - g->at - 1, (size_t)5) : 1;
		step(g);
		*t = invalid(g, "Invalid character escape sequence: \\%.*s.", (int)size,
			g->s.data + g->at);
		return false;
	}
	buf_put_u8(b, (uint8_t)to[p - from]);
	step(g);
	step(g);
	return true;
}

static struct gql_tok read_string(struct gql *g)
{
	struct buf b = buf_init(mem_room(g->c->m));
	struct gql_tok t = {.kind = GT_STRING, .line = g->line, .col = g->runes - g->start + 2};
	step(g);
	while (g->at < g->s.size) {
		uint8_t c = g->s.data[g->at];
		if (c == '\n' || c == '\r')
			break;
		if (c < 0x20 && c != '\t') {
			buf_done(&b);
			return invalid(g, "Invalid character within String: \"\\u%04x\".", c);
		}
		if (c == '"') {
			step(g);
			take(g, &t, &b);
			return t;
		}
		if (c == '\\') {
			if (!read_escape(g, &b, &t)) {
				buf_done(&b);
				return t;
			}
			continue;
		}
		size_t from = g->at;
		step(g);
		buf_put(&b, g->s.data + from, g->at - from);
	}
	buf_done(&b);
	return invalid(g, "Unterminated string.");
}

/* --- block strings --- */

static size_t line_size(struct slice s, size_t from)
{
	const void *p = from < s.size ? memchr(s.data + from, '\n', s.size - from) : NULL;
	return p ? (size_t)((const uint8_t *)p - s.data) - from : s.size - from;
}

static size_t indent_of(struct slice line)
{
	size_t n = 0;
	while (n < line.size && (line.data[n] == ' ' || line.data[n] == '\t'))
		n++;
	return n;
}

/* The common indent of all lines goes, and so do blank lines at both ends. */
static void unindent(struct buf *out, struct slice raw)
{
	size_t common = SIZE_MAX, first = SIZE_MAX, last = 0, number = 0;
	for (size_t i = 0; i <= raw.size; number++) {
		struct slice line = slice_cut(raw, i, line_size(raw, i));
		size_t n = indent_of(line);
		if (n < line.size) {
			common = MIN(common, n);
			first = MIN(first, number);
			last = number;
		}
		i += line.size + 1;
	}
	number = 0;
	for (size_t i = 0; i <= raw.size; number++) {
		struct slice line = slice_cut(raw, i, line_size(raw, i));
		i += line.size + 1;
		if (number < first || number > last)
			continue;
		if (number > first)
			buf_put_u8(out, '\n');
		if (number > 0)
			line = slice_cut(line, MIN(common, line.size), line.size);
		buf_put_slice(out, line);
	}
}

static struct gql_tok read_block(struct gql *g)
{
	struct buf b = buf_init(mem_room(g->c->m)), text = buf_init(mem_room(g->c->m));
	uint32_t first = g->runes + 3;
	for (int i = 0; i < 3; i++)
		step(g);
	while (g->at < g->s.size) {
		uint8_t c = g->s.data[g->at];
		if (at(g, g->at, "\"\"\"")) {
			while (at(g, g->at + 3, "\"")) {
				buf_put_u8(&b, '"');
				step(g);
			}
			struct gql_tok t = {
				.kind = GT_BLOCK, .line = g->line, .col = first - g->start + 1};
			for (int i = 0; i < 3; i++)
				step(g);
			unindent(&text, buf_slice(&b));
			buf_done(&b);
			take(g, &t, &text);
			return t;
		}
		if (c < 0x20 && c != '\t' && c != '\n' && c != '\r') {
			buf_done(&b);
			return invalid(g, "Invalid character within String: \"\\u%04x\".", c);
		}
		if (at(g, g->at, "\\\"\"\"")) {
			buf_put_str(&b, "\"\"\"");
			for (int i = 0; i < 4; i++)
				step(g);
			continue;
		}
		size_t from = g->at;
		step(g);
		if (c == '\r' && at(g, g->at, "\n"))
			g->at++;
		if (c == '\r')
			buf_put_u8(&b, '\n');
		else
			buf_put(&b, g->s.data + from, g->at - from);
		if (c == '\n' || c == '\r') {
			g->line++;
			g->start = g->runes;
		}
	}
	buf_done(&b);
	return invalid(g, "Unterminated string.");
}

/* --- tokens --- */

static bool name_char(uint8_t c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_';
}

struct gql_tok gql_read(struct gql *g)
{
	static const char marks[] = "!$&():=@[]{}|";
	static const enum gql_token kinds[] = {GT_BANG, GT_DOLLAR, GT_AMP, GT_PAREN_L, GT_PAREN_R,
		GT_COLON, GT_EQUALS, GT_AT, GT_BRACKET_L, GT_BRACKET_R, GT_BRACE_L, GT_BRACE_R,
		GT_PIPE};
	skip_blanks(g);
	call_charge(g->c, 1);
	size_t from = g->at;
	uint32_t runes = g->runes;
	if (from >= g->s.size)
		return token(g, GT_EOF, from, runes);
	uint8_t c = g->s.data[from];
	const char *mark = c ? strchr(marks, c) : NULL;
	if (mark) {
		step(g);
		struct gql_tok t = token(g, kinds[mark - marks], from, runes);
		t.value = SLICE_EMPTY;
		return t;
	}
	if (at(g, from, "...")) {
		for (int i = 0; i < 3; i++)
			step(g);
		struct gql_tok t = token(g, GT_SPREAD, from, runes);
		t.value = SLICE_EMPTY;
		return t;
	}
	if (c == '#') {
		while (g->at < g->s.size && (g->s.data[g->at] > 0x1f || g->s.data[g->at] == '\t'))
			step(g);
		return token(g, GT_COMMENT, from, runes);
	}
	if (c == '-' || (c >= '0' && c <= '9'))
		return read_number(g);
	if (name_char(c)) {
		while (g->at < g->s.size && name_char(g->s.data[g->at]))
			step(g);
		return token(g, GT_NAME, from, runes);
	}
	if (c == '"')
		return at(g, from, "\"\"\"") ? read_block(g) : read_string(g);
	if (c < 0x20)
		return invalid(g, "Cannot contain the invalid character \"\\u%04x\"", c);
	if (c == '\'')
		return invalid(g, "Unexpected single quote character ('), did you mean to use a "
				  "double quote (\")?");
	return invalid(g, "Cannot parse the unexpected character \"%.*s\".",
		(int)strings_step(g->s, from), g->s.data + from);
}
