/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON text to values (RFC 8259). Strict syntax, numbers keep their text, the last of equal keys
 * wins as in OPA, nesting is bounded. Bytes that are not UTF-8 and lone surrogates become U+FFFD,
 * which is what OPA's decoder does.
 */
#include "base/str.h"
#include "rego/number.h"

struct parser {
	struct mem *m;
	struct slice text;
	size_t at;
	unsigned depth;
	unsigned max_depth;
	const char *what;
	bool deep;
	/* Elements of all open collections; each collection takes its own off the top. */
	struct list stack;
};

static rv parse_value(struct parser *p);

static rv fail(struct parser *p, const char *what)
{
	if (!p->what)
		p->what = what;
	return NULL;
}

static void skip_blanks(struct parser *p)
{
	while (p->at < p->text.size) {
		uint8_t c = p->text.data[p->at];
		if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
			break;
		p->at++;
	}
}

static int peek(struct parser *p)
{
	return p->at < p->text.size ? p->text.data[p->at] : -1;
}

static int hex4(struct parser *p)
{
	if (p->text.size - p->at < 4)
		return -1;
	int v = 0;
	for (int i = 0; i < 4; i++) {
		uint8_t c = p->text.data[p->at + (size_t)i];
		int d = c >= '0' && c <= '9'			 ? c - '0'
			: (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
								 : -1;
		if (d < 0)
			return -1;
		v = v << 4 | d;
	}
	p->at += 4;
	return v;
}

static bool unescape(struct parser *p, char *out, size_t *n)
{
	int c = peek(p);
	p->at++;
	switch (c) {
	case '"':
	case '\\':
	case '/':
		out[(*n)++] = (char)c;
		return true;
	case 'b':
		out[(*n)++] = '\b';
		return true;
	case 'f':
		out[(*n)++] = '\f';
		return true;
	case 'n':
		out[(*n)++] = '\n';
		return true;
	case 'r':
		out[(*n)++] = '\r';
		return true;
	case 't':
		out[(*n)++] = '\t';
		return true;
	case 'u':
		break;
	default:
		return false;
	}
	int code = hex4(p);
	if (code < 0)
		return false;
	uint32_t point = (uint32_t)code;
	if (point >= 0xd800 && point < 0xdc00 && p->text.size - p->at >= 6 &&
		p->text.data[p->at] == '\\' && p->text.data[p->at + 1] == 'u') {
		size_t back = p->at;
		p->at += 2;
		int low = hex4(p);
		if (low >= 0xdc00 && low < 0xe000)
			point = 0x10000 + ((point - 0xd800) << 10) + ((uint32_t)low - 0xdc00);
		else
			p->at = back;
	}
	size_t size = utf8_encode(point, (uint8_t *)out + *n);
	if (size == 0)
		size = utf8_encode(0xfffd, (uint8_t *)out + *n);
	*n += size;
	return true;
}

/* Returns the size that the string can at most have, and whether it holds no escapes. */
static bool measure(struct parser *p, size_t *ret_end, bool *ret_plain)
{
	*ret_plain = true;
	for (size_t i = p->at; i < p->text.size; i++) {
		uint8_t c = p->text.data[i];
		if (c == '"') {
			*ret_end = i;
			return true;
		}
		if (c < 0x20)
			return false;
		if (c == '\\') {
			*ret_plain = false;
			i++;
		} else if (c >= 0x80) {
			*ret_plain = false;
		}
	}
	return false;
}

static rv parse_string(struct parser *p)
{
	size_t end;
	bool plain;
	p->at++;
	if (!measure(p, &end, &plain))
		return fail(p, "the string does not end or holds a control character");
	if (plain) {
		rv v = value_string(p->m, slice_of(p->text.data + p->at, end - p->at));
		p->at = end + 1;
		return v;
	}
	/* An invalid byte grows to the three bytes of U+FFFD. */
	struct rego_value *v = value_string_new(p->m, (end - p->at) * 3);
	char *out = (char *)(uintptr_t)v->text;
	size_t n = 0;
	while (p->at < end) {
		uint8_t c = p->text.data[p->at];
		if (c == '\\') {
			p->at++;
			if (!unescape(p, out, &n))
				return fail(p, "invalid escape");
		} else if (c < 0x80) {
			out[n++] = (char)c;
			p->at++;
		} else {
			uint32_t code;
			size_t size =
				utf8_decode(slice_of(p->text.data + p->at, end - p->at), &code);
			n += utf8_encode(size ? code : 0xfffd, (uint8_t *)out + n);
			p->at += size ? size : 1;
		}
	}
	out[n] = '\0';
	v->count = (uint32_t)n;
	p->at = end + 1;
	return value_string_done(v);
}

static rv parse_number(struct parser *p)
{
	size_t start = p->at;
	while (p->at < p->text.size) {
		uint8_t c = p->text.data[p->at];
		if (!((c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' ||
			    (c | 0x20) == 'e'))
			break;
		p->at++;
	}
	struct slice s = slice_of(p->text.data + start, p->at - start);
	if (!num_text_ok(s)) {
		p->at = start;
		return fail(p, "invalid number");
	}
	return num_from_text(p->m, s);
}

static rv parse_word(struct parser *p, const char *word, rv v)
{
	struct slice rest = slice_of(p->text.data + p->at, p->text.size - p->at);
	if (!slice_starts(rest, slice_str(word)))
		return fail(p, "invalid literal");
	p->at += strlen(word);
	return v;
}

static rv parse_array(struct parser *p)
{
	uint32_t base = p->stack.count;
	p->at++;
	skip_blanks(p);
	if (peek(p) == ']') {
		p->at++;
		return &value_empty_array;
	}
	for (;;) {
		rv v = parse_value(p);
		if (!v)
			return NULL;
		list_push(p->m, &p->stack, v);
		skip_blanks(p);
		int c = peek(p);
		if (c != ',' && c != ']')
			return fail(p, "expected ',' or ']'");
		p->at++;
		if (c == ']')
			break;
	}
	rv v = value_array(p->m, p->stack.item + base, p->stack.count - base);
	p->stack.count = base;
	return v;
}

static rv parse_object(struct parser *p)
{
	uint32_t base = p->stack.count;
	p->at++;
	skip_blanks(p);
	if (peek(p) == '}') {
		p->at++;
		return &value_empty_object;
	}
	for (;;) {
		skip_blanks(p);
		if (peek(p) != '"')
			return fail(p, "expected a string as key");
		rv key = parse_string(p);
		if (!key)
			return NULL;
		skip_blanks(p);
		if (peek(p) != ':')
			return fail(p, "expected ':'");
		p->at++;
		rv v = parse_value(p);
		if (!v)
			return NULL;
		list_push(p->m, &p->stack, key);
		list_push(p->m, &p->stack, v);
		skip_blanks(p);
		int c = peek(p);
		if (c != ',' && c != '}')
			return fail(p, "expected ',' or '}'");
		p->at++;
		if (c == '}')
			break;
	}
	/* Keys and values alternate: the layout of struct pair. */
	rv v = value_object(p->m, (const struct pair *)(const void *)(p->stack.item + base),
		(p->stack.count - base) / 2);
	p->stack.count = base;
	return v;
}

static rv parse_value(struct parser *p)
{
	skip_blanks(p);
	int c = peek(p);
	rv v;
	switch (c) {
	case '{':
	case '[':
		if (p->depth >= p->max_depth) {
			p->deep = true;
			return fail(p, "nested too deeply");
		}
		p->depth++;
		v = c == '{' ? parse_object(p) : parse_array(p);
		p->depth--;
		return v;
	case '"':
		return parse_string(p);
	case 't':
		return parse_word(p, "true", &value_true);
	case 'f':
		return parse_word(p, "false", &value_false);
	case 'n':
		return parse_word(p, "null", &value_null);
	case -1:
		return fail(p, "unexpected end");
	default:
		return parse_number(p);
	}
}

int rego_json_parse(
	struct mem *m, struct slice text, unsigned max_depth, rv *ret, struct err *reterr)
{
	struct parser p = {.m = m, .text = text, .max_depth = MIN(max_depth, VALUE_MAX_DEPTH - 8)};
	rv v = parse_value(&p);
	if (v) {
		skip_blanks(&p);
		if (p.at == text.size) {
			*ret = v;
			return 0;
		}
		fail(&p, "text after the value");
	}
	return err_at(reterr, p.deep ? REGO_ERR_DEPTH : -EBADMSG, p.at, NULL,
		"JSON at byte %zu: %s", p.at, p.what);
}
