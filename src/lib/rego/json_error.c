/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is wrong with a text that is not JSON, in the words of Go's decoder, which policies' tests
 * compare. Only looked at when json.c has refused the text; knows no values.
 */
#include "base/buf.h"
#include "base/str.h"
#include "rego/text.h"

struct scan {
	struct mem *m;
	struct slice s;
	size_t at;
	char *open; /* brackets that are open */
	size_t depth;
	struct buf *out;
};

static int peek(struct scan *p)
{
	return p->at < p->s.size ? p->s.data[p->at] : -1;
}

static int skip_blanks(struct scan *p)
{
	while (p->at < p->s.size && strchr(" \t\r\n", p->s.data[p->at]) && p->s.data[p->at])
		p->at++;
	return peek(p);
}

/* Always false. A byte is named by the character of its number. */
static bool bad(struct scan *p, const char *where)
{
	int c = peek(p);
	uint8_t utf8[4];
	if (c < 0) {
		buf_put_str(p->out, "unexpected EOF");
		return false;
	}
	if (c == '\'' || c == '"') {
		buf_printf(p->out, "invalid character '%s%c' %s", c == '"' ? "" : "\\", c, where);
		return false;
	}
	const char *name = text_quoted(p->m, slice_of(utf8, utf8_encode((uint32_t)c, utf8)));
	buf_printf(p->out, "invalid character '%.*s' %s", (int)strlen(name) - 2, name + 1, where);
	return false;
}

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static bool digits(struct scan *p, const char *where)
{
	if (!is_digit(peek(p)))
		return bad(p, where);
	while (is_digit(peek(p)))
		p->at++;
	return true;
}

static bool scan_number(struct scan *p)
{
	if (peek(p) == '-')
		p->at++;
	if (peek(p) == '0')
		p->at++;
	else if (!digits(p, "in numeric literal"))
		return false;
	if (peek(p) == '.') {
		p->at++;
		if (!digits(p, "after decimal point in numeric literal"))
			return false;
	}
	if (peek(p) != 'e' && peek(p) != 'E')
		return true;
	p->at++;
	if (peek(p) == '+' || peek(p) == '-')
		p->at++;
	return digits(p, "in exponent of numeric literal");
}

static bool scan_string(struct scan *p)
{
	for (p->at++; peek(p) != '"'; p->at++) {
		int c = peek(p);
		if (c < 0x20)
			return bad(p, "in string literal");
		if (c != '\\')
			continue;
		p->at++;
		c = peek(p);
		if (c < 0 || !strchr("bfnrt\\/\"u", c) || c == 0)
			return bad(p, "in string escape code");
		for (int i = 0; c == 'u' && i < 4; i++) {
			p->at++;
			int h = peek(p) | 0x20;
			if (!is_digit(peek(p)) && (h < 'a' || h > 'f'))
				return bad(p, "in \\u hexadecimal character escape");
		}
	}
	p->at++;
	return true;
}

static bool scan_word(struct scan *p, const char *word)
{
	char where[64];
	for (size_t i = 0; word[i]; i++, p->at++) {
		snprintf(where, sizeof(where), "in literal %s (expecting '%c')", word, word[i]);
		if (peek(p) != word[i])
			return bad(p, where);
	}
	return true;
}

static bool scan_scalar(struct scan *p)
{
	int c = peek(p);
	if (c == '"')
		return scan_string(p);
	if (c == '-' || is_digit(c))
		return scan_number(p);
	if (c == 't' || c == 'f' || c == 'n')
		return scan_word(p, c == 't' ? "true" : c == 'f' ? "false" : "null");
	return bad(p, "looking for beginning of value");
}

/* The key of a member and its colon. */
static bool scan_key(struct scan *p)
{
	if (skip_blanks(p) != '"')
		return bad(p, "looking for beginning of object key string");
	if (!scan_string(p))
		return false;
	if (skip_blanks(p) != ':')
		return bad(p, "after object key");
	p->at++;
	return true;
}

/* Behind a value: closes collections, stops before the next element; false when it is wrong. */
static bool scan_end(struct scan *p)
{
	while (p->depth > 0) {
		bool array = p->open[p->depth - 1] == '[';
		int c = skip_blanks(p);
		if (c == ',') {
			p->at++;
			return array || scan_key(p);
		}
		if (c != (array ? ']' : '}'))
			return bad(
				p, array ? "after array element" : "after object key:value pair");
		p->at++;
		p->depth--;
	}
	return true;
}

static bool scan_value(struct scan *p)
{
	do {
		int c = skip_blanks(p);
		if (c != '[' && c != '{') {
			if (!scan_scalar(p) || !scan_end(p))
				return false;
			continue;
		}
		p->open[p->depth++] = (char)c;
		p->at++;
		if (skip_blanks(p) == c + 2) {
			p->at++;
			p->depth--;
			if (!scan_end(p))
				return false;
		} else if (c == '{' && !scan_key(p)) {
			return false;
		}
	} while (p->depth > 0);
	return true;
}

static void scan_rest(struct scan *p)
{
	int c = skip_blanks(p);
	size_t from = p->at;
	if (c < 0)
		return;
	if (c == '[' || c == '{')
		p->at++;
	else if (!scan_scalar(p))
		return;
	bool text = c == '"';
	struct slice s = slice_cut(p->s, from + text, p->at - from - (text ? 2 : 0));
	buf_put_str(p->out, "error: invalid character '");
	buf_put_slice(p->out, s);
	buf_put_str(p->out, "' after top-level value");
}

const char *json_error_text(struct mem *m, struct slice text)
{
	struct buf out = buf_init(512);
	struct scan p = {.m = m, .s = text, .out = &out};
	p.open = mem_alloc(m, text.size + 1);
	if (skip_blanks(&p) < 0)
		buf_put_str(&out, "EOF");
	else if (scan_value(&p))
		scan_rest(&p);
	char *copy = arena_copy(m->arena, buf_slice(&out));
	buf_done(&out);
	if (!copy)
		mem_escape(m, REGO_ERR_MEMORY);
	return copy;
}
