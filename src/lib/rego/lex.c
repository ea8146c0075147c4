/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>

#include "base/str.h"
#include "rego/ast.h"
#include "rego/diag.h"
#include "rego/number.h"

static noreturn_fn format_printf(6, 0) void vfail(struct mem *m, const char *file, struct loc loc,
	int error, const char *code, const char *fmt, va_list ap)
{
	char text[DIAG_TEXT_SIZE];
	vsnprintf(text, sizeof(text), fmt, ap);
	diag_add(m, file, loc, code, text);
	m = mem_root(m);
	if (m->reterr)
		err_at(m->reterr, error, loc.offset, code, "%s:%u:%u: %.*s", file, loc.row, loc.col,
			ERR_TEXT_SIZE - 128, text);
	mem_escape(m, error);
}

noreturn_fn void source_fail(struct mem *m, const char *file, struct loc loc, int error,
	const char *code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vfail(m, file, loc, error, code, fmt, ap);
	/* cppcheck-suppress va_end_missing; vfail() does not return */
}

noreturn_fn void lex_fail(
	struct lexer *l, struct loc loc, int error, const char *code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vfail(l->m, l->file, loc, error, code, fmt, ap);
	/* cppcheck-suppress va_end_missing; vfail() does not return */
}

static noreturn_fn void fail_here(struct lexer *l, const char *what)
{
	/* The place is where the token began. */
	lex_fail(l, l->loc, REGO_ERR_SYNTAX, "rego_parse_error", "%s", what);
}

static int at(const struct lexer *l, uint32_t ahead)
{
	return l->source.size - l->at > ahead ? l->source.data[l->at + ahead] : -1;
}

/* After a failed attempt the same text is read again: comments are kept in order, each once. */
static void keep_comment(struct lexer *l, uint32_t start)
{
	struct comments *list = l->comments;
	uint32_t end = l->at;
	if (list->count && list->item[list->count - 1].text.data >= l->source.data + start)
		return;
	if (list->count == list->capacity) {
		uint32_t capacity = list->capacity ? list->capacity * 2 : 16;
		struct comment *more = mem_array(l->m, capacity, sizeof(*more));
		if (list->count)
			memcpy(more, list->item, list->count * sizeof(*more));
		list->item = more;
		list->capacity = capacity;
	}
	while (end > start + 1 &&
		(l->source.data[end - 1] == ' ' || l->source.data[end - 1] == '\t' ||
			l->source.data[end - 1] == '\r'))
		end--;
	list->item[list->count++] = (struct comment){
		slice_of(l->source.data + start, end - start), l->row, start - l->line_start + 1};
}

static void skip_space(struct lexer *l)
{
	for (;;) {
		int c = at(l, 0);
		if (c == '\n') {
			l->newline_before = true;
			l->row++;
			l->line_start = l->at + 1;
		} else if (c == '#') {
			uint32_t start = l->at;
			while (at(l, 0) != '\n' && at(l, 0) != -1)
				l->at++;
			if (l->comments)
				keep_comment(l, start);
			l->space_before = true;
			continue;
		} else if (c != ' ' && c != '\t' && c != '\r') {
			return;
		}
		l->space_before = true;
		l->at++;
	}
}

static bool ident_start(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool digit(int c)
{
	return c >= '0' && c <= '9';
}

static int hex4(struct lexer *l)
{
	int v = 0;
	for (int i = 0; i < 4; i++) {
		int c = at(l, 0);
		int d = digit(c)				 ? c - '0'
			: (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
								 : -1;
		if (d < 0)
			fail_here(l, "expected four hex digits after \\u");
		v = v << 4 | d;
		l->at++;
	}
	return v;
}

static size_t unicode_escape(struct lexer *l, uint8_t *out)
{
	uint32_t point = (uint32_t)hex4(l);
	if (point >= 0xd800 && point < 0xdc00 && at(l, 0) == '\\' && at(l, 1) == 'u') {
		l->at += 2;
		uint32_t low = (uint32_t)hex4(l);
		if (low < 0xdc00 || low > 0xdfff)
			fail_here(l, "invalid surrogate pair");
		point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
	}
	size_t n = utf8_encode(point, out);
	return n ? n : utf8_encode(0xfffd, out);
}

/* After the backslash. */
static size_t escape(struct lexer *l, uint8_t *out, bool in_template)
{
	int c = at(l, 0);
	l->at++;
	switch (c) {
	case '"':
	case '\\':
	case '/':
		*out = (uint8_t)c;
		return 1;
	case '{':
	case '}':
		if (!in_template)
			break;
		*out = (uint8_t)c;
		return 1;
	case 'b':
		*out = '\b';
		return 1;
	case 'f':
		*out = '\f';
		return 1;
	case 'n':
		*out = '\n';
		return 1;
	case 'r':
		*out = '\r';
		return 1;
	case 't':
		*out = '\t';
		return 1;
	case 'u':
		return unicode_escape(l, out);
	default:
		break;
	}
	l->at--;
	fail_here(l, "illegal escape sequence");
}

static void lex_string(struct lexer *l)
{
	uint32_t start = ++l->at;
	uint32_t end = start;
	while (end < l->source.size && l->source.data[end] != '"' && l->source.data[end] != '\n')
		end += l->source.data[end] == '\\' ? 2 : 1;
	if (end >= l->source.size || l->source.data[end] != '"')
		fail_here(l, "non-terminated string");
	struct rego_value *v = value_string_new(l->m, end - start);
	uint8_t *out = (uint8_t *)(uintptr_t)v->text;
	size_t n = 0;
	while (l->at < end) {
		int c = at(l, 0);
		l->at++;
		if (c == '\\')
			n += escape(l, out + n, false);
		else
			out[n++] = (uint8_t)c;
	}
	out[n] = 0;
	v->count = (uint32_t)n;
	l->at++;
	l->value = value_string_done(v);
	l->tok = TOK_STRING;
}

static void lex_raw_string(struct lexer *l)
{
	uint32_t start = ++l->at;
	while (at(l, 0) != '`') {
		if (at(l, 0) == -1)
			fail_here(l, "non-terminated string");
		if (at(l, 0) == '\n') {
			l->row++;
			l->line_start = l->at + 1;
		}
		l->at++;
	}
	l->value = value_string(l->m, slice_of(l->source.data + start, l->at - start));
	l->at++;
	l->tok = TOK_STRING;
}

bool lex_template_text(struct lexer *l, bool raw, rv *ret_text)
{
	struct rego_value *v = value_string_new(l->m, l->source.size - l->at);
	uint8_t *out = (uint8_t *)(uintptr_t)v->text;
	size_t n = 0;
	for (;;) {
		int c = at(l, 0);
		if (c == -1 || (!raw && c == '\n'))
			fail_here(l, "non-terminated template string");
		l->at++;
		if (c == (raw ? '`' : '"') || c == '{') {
			out[n] = 0;
			v->count = (uint32_t)n;
			*ret_text = value_string_done(v);
			return c == '{';
		}
		if (c == '\n') {
			l->row++;
			l->line_start = l->at;
		}
		if (c == '\\' && (!raw || at(l, 0) == '{'))
			n += escape(l, out + n, true);
		else
			out[n++] = (uint8_t)c;
	}
}

static void lex_number(struct lexer *l)
{
	uint32_t start = l->at;
	while (digit(at(l, 0)))
		l->at++;
	if (at(l, 0) == '.' && digit(at(l, 1))) {
		l->at++;
		while (digit(at(l, 0)))
			l->at++;
	}
	int sign = at(l, 1) == '+' || at(l, 1) == '-';
	if ((at(l, 0) | 0x20) == 'e' && digit(at(l, 1 + (uint32_t)sign))) {
		l->at += 1 + (uint32_t)sign;
		while (digit(at(l, 0)))
			l->at++;
	}
	struct slice s = slice_of(l->source.data + start, l->at - start);
	if (ident_start(at(l, 0)) || !num_text_ok(s))
		fail_here(l, "illegal number format");
	l->value = num_from_text(l->m, s);
	l->tok = TOK_NUMBER;
}

static void lex_punctuation(struct lexer *l, int c)
{
	static const struct {
		char text[3];
		uint8_t tok;
	} table[] = {
		{":=", TOK_ASSIGN},
		{"==", TOK_EQ},
		{"!=", TOK_NE},
		{"<=", TOK_LE},
		{">=", TOK_GE},
		{".", TOK_DOT},
		{",", TOK_COMMA},
		{":", TOK_COLON},
		{";", TOK_SEMICOLON},
		{"{", TOK_LBRACE},
		{"}", TOK_RBRACE},
		{"[", TOK_LBRACKET},
		{"]", TOK_RBRACKET},
		{"(", TOK_LPAREN},
		{")", TOK_RPAREN},
		{"=", TOK_UNIFY},
		{"<", TOK_LT},
		{">", TOK_GT},
		{"+", TOK_PLUS},
		{"-", TOK_MINUS},
		{"*", TOK_MUL},
		{"/", TOK_DIV},
		{"%", TOK_REM},
		{"&", TOK_AND},
		{"|", TOK_OR},
	};
	for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
		if (table[i].text[0] != c || (table[i].text[1] && table[i].text[1] != at(l, 1)))
			continue;
		l->at += table[i].text[1] ? 2 : 1;
		l->tok = table[i].tok;
		return;
	}
	fail_here(l, "illegal token");
}

void lex_next(struct lexer *l)
{
	l->space_before = l->newline_before = false;
	l->last_end = l->at;
	skip_space(l);
	l->loc = (struct loc){l->row, l->at - l->line_start + 1, l->at, l->at};
	uint32_t start = l->at;
	int c = at(l, 0);
	if (c == -1) {
		l->tok = TOK_EOF;
	} else if (ident_start(c)) {
		while (ident_start(at(l, 0)) || digit(at(l, 0)))
			l->at++;
		l->tok = TOK_IDENT;
	} else if (digit(c)) {
		lex_number(l);
	} else if (c == '"') {
		lex_string(l);
	} else if (c == '`') {
		lex_raw_string(l);
	} else if (c == '$' && (at(l, 1) == '"' || at(l, 1) == '`')) {
		l->template_raw = at(l, 1) == '`';
		l->at += 2;
		l->tok = TOK_TEMPLATE;
	} else {
		lex_punctuation(l, c);
	}
	l->text = slice_of(l->source.data + start, l->at - start);
	l->loc.end = l->at;
}
