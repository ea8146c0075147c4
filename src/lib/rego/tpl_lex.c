/* SPDX-License-Identifier: Apache-2.0 */
/* The tokens of a template. */
#include "rego/text.h"
#include "rego/tpl.h"

struct lexer {
	struct tpl *t;
	struct slice s;
	size_t at;
	uint32_t line;
};

static struct tpl_token *put(struct lexer *l, enum tpl_token_kind kind, size_t from, size_t to)
{
	struct tpl *t = l->t;
	if (t->count == t->capacity) {
		size_t capacity = t->capacity ? t->capacity * 2 : 32;
		struct tpl_token *more = mem_array(t->c->m, capacity, sizeof(*more));
		if (t->count)
			memcpy(more, t->tokens, t->count * sizeof(*more));
		t->tokens = more;
		t->capacity = capacity;
	}
	struct tpl_token *tok = &t->tokens[t->count++];
	*tok = (struct tpl_token){kind, l->line, {l->s.data + from, to - from}};
	return tok;
}

static void bad(struct lexer *l, const char *text)
{
	put(l, TPL_T_ERROR, 0, 0)->text = slice_str(text);
	l->at = l->s.size;
}

static bool space(uint8_t ch)
{
	return ch == ' ' || ch == '\t' || ch == '\r' || ch == '\n';
}

static bool word(const struct lexer *l, size_t at)
{
	if (at >= l->s.size)
		return false;
	uint8_t ch = l->s.data[at];
	return ch == '_' || (ch | 32u) - 'a' < 26u || ch - (unsigned)'0' < 10u || ch >= 0x80;
}

static bool starts(const struct lexer *l, size_t at, const char *text)
{
	size_t n = strlen(text);
	return at <= l->s.size && l->s.size - at >= n && memcmp(l->s.data + at, text, n) == 0;
}

static void count_lines(struct lexer *l, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		l->line += l->s.data[i] == '\n';
}

static bool trims_right(const struct lexer *l, size_t at)
{
	return at < l->s.size && space(l->s.data[at]) && starts(l, at + 1, "-}}");
}

/* After "}}": with a trim marker, what blank space follows is dropped. */
static void close_action(struct lexer *l, bool trim)
{
	size_t from = l->at;
	l->at += trim ? 4 : 2;
	while (trim && l->at < l->s.size && space(l->s.data[l->at]))
		l->at++;
	put(l, TPL_T_RIGHT, from, from);
	count_lines(l, from, l->at);
}

/* At the mark of a comment; true when it is one. */
static bool comment(struct lexer *l, size_t mark)
{
	if (!starts(l, mark, "/*"))
		return false;
	int64_t end = strings_find(l->s, slice_str("*/"), mark + 2);
	if (end < 0) {
		bad(l, "unclosed comment");
		return true;
	}
	size_t from = l->at;
	l->at = (size_t)end + 2;
	bool trim = trims_right(l, l->at);
	if (!trim && !starts(l, l->at, "}}")) {
		bad(l, "comment ends before closing delimiter");
		return true;
	}
	l->at += trim ? 4 : 2;
	while (trim && l->at < l->s.size && space(l->s.data[l->at]))
		l->at++;
	count_lines(l, from, l->at);
	return true;
}

static bool ends_word(const struct lexer *l, size_t at)
{
	return at >= l->s.size || space(l->s.data[at]) || strchr(".,|:()", l->s.data[at]) ||
	       starts(l, at, "}}");
}

static void name(struct lexer *l, enum tpl_token_kind alone, enum tpl_token_kind kind)
{
	size_t from = l->at++;
	if (kind != TPL_T_WORD && ends_word(l, l->at)) {
		put(l, alone, from, l->at);
		return;
	}
	while (word(l, l->at))
		l->at++;
	if (ends_word(l, l->at))
		put(l, kind, kind == TPL_T_FIELD ? from + 1 : from, l->at);
	else
		bad(l, "bad character in a name");
}

static void quoted(struct lexer *l, uint8_t quote)
{
	size_t from = l->at++;
	for (; l->at < l->s.size && l->s.data[l->at] != quote; l->at++) {
		if (quote == '`')
			continue;
		if (l->s.data[l->at] == '\n')
			break;
		l->at += l->s.data[l->at] == '\\';
	}
	if (l->at >= l->s.size || l->s.data[l->at] != quote) {
		bad(l, quote == '`'    ? "unterminated raw quoted string"
			: quote == '"' ? "unterminated quoted string"
				       : "unterminated character constant");
		return;
	}
	l->at++;
	put(l, quote == '"' ? TPL_T_STRING : quote == '`' ? TPL_T_RAW : TPL_T_CHAR, from, l->at);
	count_lines(l, from, l->at);
}

static void number(struct lexer *l)
{
	size_t from = l->at;
	l->at += l->s.data[l->at] == '+' || l->s.data[l->at] == '-';
	bool hex = starts(l, l->at, "0x") || starts(l, l->at, "0X");
	for (; l->at < l->s.size; l->at++) {
		uint8_t ch = l->s.data[l->at], last = l->at > from ? l->s.data[l->at - 1] : 0;
		bool sign =
			(ch == '+' || ch == '-') && (hex ? (last | 32) == 'p' : (last | 32) == 'e');
		if (!word(l, l->at) && ch != '.' && !(sign && l->at > from + 1))
			break;
	}
	put(l, TPL_T_NUMBER, from, l->at);
}

static void blank(struct lexer *l)
{
	size_t from = l->at;
	while (l->at < l->s.size && space(l->s.data[l->at]) && !trims_right(l, l->at))
		l->at++;
	put(l, TPL_T_SPACE, from, l->at);
	count_lines(l, from, l->at);
}

static void one(struct lexer *l, enum tpl_token_kind kind)
{
	put(l, kind, l->at, l->at + 1);
	l->at++;
}

static void punctuation(struct lexer *l, uint8_t ch)
{
	if (ch == '=')
		one(l, TPL_T_ASSIGN);
	else if (ch == '|')
		one(l, TPL_T_PIPE);
	else if (ch == ',')
		one(l, TPL_T_COMMA);
	else if (starts(l, l->at, ":=")) {
		one(l, TPL_T_DECLARE);
		l->at++;
	} else
		bad(l, ch == ':' ? "expected :=" : "unrecognized character in action");
}

/* From "{{" to "}}". */
static void action(struct lexer *l)
{
	unsigned parens = 0;
	while (l->at < l->s.size) {
		bool trim = trims_right(l, l->at);
		if (trim || starts(l, l->at, "}}")) {
			if (parens)
				bad(l, "unclosed left paren");
			else
				close_action(l, trim);
			return;
		}
		uint8_t ch = l->s.data[l->at];
		uint8_t next = l->at + 1 < l->s.size ? l->s.data[l->at + 1] : 0;
		if (space(ch))
			blank(l);
		else if (ch == '"' || ch == '`' || ch == '\'')
			quoted(l, ch);
		else if (ch - (unsigned)'0' < 10u || ch == '+' || ch == '-' ||
			 (ch == '.' && next - (unsigned)'0' < 10u))
			number(l);
		else if (ch == '.')
			name(l, TPL_T_DOT, TPL_T_FIELD);
		else if (ch == '$')
			name(l, TPL_T_VARIABLE, TPL_T_VARIABLE);
		else if (word(l, l->at))
			name(l, TPL_T_WORD, TPL_T_WORD);
		else if (ch == '(') {
			parens++;
			one(l, TPL_T_OPEN);
		} else if (ch == ')') {
			if (!parens--) {
				bad(l, "unexpected right paren");
				return;
			}
			one(l, TPL_T_CLOSE);
		} else
			punctuation(l, ch);
		if (l->t->tokens[l->t->count - 1].kind == TPL_T_ERROR)
			return;
	}
	bad(l, "unclosed action");
}

void tpl_lex(struct tpl *t)
{
	struct lexer l = {.t = t, .s = t->source, .line = 1};
	while (l.at < l.s.size) {
		int64_t left = strings_find(l.s, slice_str("{{"), l.at);
		size_t to = left < 0 ? l.s.size : (size_t)left;
		size_t text = to;
		bool trim = left >= 0 && starts(&l, to + 2, "-") && to + 3 < l.s.size &&
			    space(l.s.data[to + 3]);
		while (trim && text > l.at && space(l.s.data[text - 1]))
			text--;
		if (text > l.at)
			put(&l, TPL_T_TEXT, l.at, text);
		count_lines(&l, l.at, to);
		l.at = to;
		if (left < 0)
			break;
		if (comment(&l, to + (trim ? 4 : 2)))
			continue;
		put(&l, TPL_T_LEFT, to, to + 2);
		l.at = to + (trim ? 3 : 2);
		action(&l);
	}
	put(&l, TPL_T_EOF, l.s.size, l.s.size);
}
