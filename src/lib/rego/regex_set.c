/* SPDX-License-Identifier: Apache-2.0 */
/* Escapes and sets of characters. */
#include "base/str.h"
#include "rego/regex_parse.h"

static int hex_value(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* After "\x". */
static bool hex_escape(struct parser *p, uint32_t *ret)
{
	uint32_t v = 0;
	int digits = 0;
	bool braces = re_accept(p, '{');
	while (hex_value(re_peek(p)) >= 0 && (braces ? digits < 8 : digits < 2)) {
		v = v << 4 | (uint32_t)hex_value(re_peek(p));
		p->at++;
		digits++;
	}
	if ((braces && !re_accept(p, '}')) || digits == 0 || (!braces && digits != 2) ||
		v > 0x10ffff)
		return false;
	*ret = v;
	return true;
}

/* An escape that stands for one code point, after the backslash. */
static bool char_escape(struct parser *p, uint32_t *ret)
{
	static const char from[] = "afnrtv", to[] = "\a\f\n\r\t\v";
	int c = re_peek(p);
	if (c == -1)
		return false;
	const char *at = c < 0x80 ? memchr(from, c, 6) : NULL;
	if (at) {
		p->at++;
		*ret = (uint8_t)to[at - from];
		return true;
	}
	if (c == 'x') {
		p->at++;
		return hex_escape(p, ret);
	}
	if (c == '0' || (c >= '1' && c <= '7' && p->at + 1 < p->s.size &&
				p->s.data[p->at + 1] >= '0' && p->s.data[p->at + 1] <= '7')) {
		uint32_t v = 0;
		for (int i = 0; i < 3 && re_peek(p) >= '0' && re_peek(p) <= '7'; i++)
			v = v * 8 + (uint32_t)(p->s.data[p->at++] - '0');
		*ret = v;
		return true;
	}
	bool alnum =
		(c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c >= 0x80;
	if (alnum)
		return false;
	p->at++;
	*ret = (uint32_t)c;
	return true;
}

/* \pL, \p{Greek}, \P..., after the 'p'; adds to @r. */
static bool unicode_escape(struct parser *p, struct re_ranges *r, bool negate)
{
	struct slice name;
	if (re_accept(p, '{')) {
		size_t start = p->at;
		while (re_peek(p) != '}' && re_peek(p) != -1)
			p->at++;
		name = slice_cut(p->s, start, p->at - start);
		if (!re_accept(p, '}'))
			return false;
	} else {
		name = slice_cut(p->s, p->at, 1);
		p->at++;
	}
	if (name.size && name.data[0] == '^') {
		negate = !negate;
		name = slice_cut(name, 1, name.size);
	}
	struct re_ranges own = {0};
	if (!re_unicode_class(p->m, &own, name))
		return false;
	re_ranges_finish(&own);
	if (negate)
		re_ranges_negate(p->m, &own);
	for (uint32_t i = 0; i < own.count; i++)
		re_ranges_add(p->m, r, own.range[2 * i], own.range[2 * i + 1]);
	return true;
}

/* One member of [...]; false: an error. *ret_code is set when it can begin a range. */
static bool class_member(
	struct parser *p, struct re_ranges *r, uint32_t *ret_code, bool *ret_single)
{
	*ret_single = false;
	if (re_peek(p) == '[' && p->at + 1 < p->s.size && p->s.data[p->at + 1] == ':') {
		size_t end = p->at + 2;
		while (end + 1 < p->s.size && !(p->s.data[end] == ':' && p->s.data[end + 1] == ']'))
			end++;
		if (end + 1 < p->s.size) {
			struct slice name = slice_cut(p->s, p->at + 2, end - p->at - 2);
			p->at = end + 2;
			return re_posix_class(p->m, r, name);
		}
	}
	if (re_accept(p, '\\')) {
		int c = re_peek(p);
		if (c == 'p' || c == 'P') {
			p->at++;
			return unicode_escape(p, r, c == 'P');
		}
		if (c != -1 && re_perl_class(p->m, r, (uint8_t)c)) {
			p->at++;
			return true;
		}
		*ret_single = true;
		return char_escape(p, ret_code);
	}
	*ret_single = true;
	*ret_code = re_next_rune(p);
	return !p->error;
}

/* The upper end of a range; a class like \d is none. */
static bool class_bound(struct parser *p, uint32_t *ret)
{
	if (re_accept(p, '\\'))
		return char_escape(p, ret);
	*ret = re_next_rune(p);
	return !p->error;
}

/* What began at @start is no member of a class: an unknown class, or a bad escape. */
static struct frag member_failed(struct parser *p, size_t start)
{
	struct slice s = slice_cut(p->s, start, p->s.size);
	size_t end = start + 2;
	bool named = s.size && s.data[0] == '[';
	if (s.size < 2 && s.size && s.data[0] == '\\')
		return re_fail_part(p, "trailing backslash at end of expression", start, start);
	if (s.size > 1 && s.data[0] == '\\' && (s.data[1] | 0x20) != 'p')
		return re_fail_part(p, "invalid escape sequence", start, MIN(end, p->s.size));
	while (end < p->s.size && p->s.data[end - 1] != (named ? ']' : '}') &&
		(named || p->s.data[start + 2] == '{'))
		end++;
	return re_fail_part(p, "invalid character class range", start,
		MIN(end + (!named && end == start + 2), p->s.size));
}

struct frag re_bracket(struct parser *p)
{
	struct re_ranges r = {0};
	size_t begin = p->at - 1;
	bool negate = re_accept(p, '^');
	bool first = true;
	while (first || re_peek(p) != ']') {
		uint32_t from, to;
		bool one;
		if (re_peek(p) == -1)
			return re_fail_part(p, "missing closing ]", begin, p->s.size);
		first = false;
		size_t start = p->at;
		if (!class_member(p, &r, &from, &one))
			return member_failed(p, start);
		if (!one)
			continue;
		to = from;
		if (re_peek(p) == '-' && p->at + 1 < p->s.size && p->s.data[p->at + 1] != ']') {
			p->at++;
			size_t second = p->at;
			bool ok = class_bound(p, &to);
			if (!ok)
				return member_failed(p, second);
			if (to < from)
				return re_fail_part(
					p, "invalid character class range", start, p->at);
		}
		re_ranges_add(p->m, &r, from, to);
	}
	p->at++;
	return re_class_frag(p, &r, negate);
}

struct frag re_escape(struct parser *p)
{
	int c = re_peek(p);
	uint32_t code;
	size_t begin = p->at - 1;
	struct re_ranges r = {0};
	switch (c) {
	case 'A':
		p->at++;
		return re_single(p, RE_ASSERT, RE_TEXT_BEGIN);
	case 'z':
		p->at++;
		return re_single(p, RE_ASSERT, RE_TEXT_END);
	case 'b':
		p->at++;
		return re_single(p, RE_ASSERT, RE_WORD);
	case 'B':
		p->at++;
		return re_single(p, RE_ASSERT, RE_NOT_WORD);
	case 'p':
	case 'P':
		p->at++;
		if (!unicode_escape(p, &r, c == 'P'))
			return member_failed(p, begin);
		return re_class_frag(p, &r, false);
	case -1:
		return re_fail_part(p, "trailing backslash at end of expression", begin, begin);
	default:
		break;
	}
	if (re_perl_class(p->m, &r, (uint8_t)c)) {
		p->at++;
		return re_class_frag(p, &r, false);
	}
	if (!char_escape(p, &code))
		return re_fail_part(
			p, "invalid escape sequence", begin, MAX(p->at, MIN(begin + 2, p->s.size)));
	return re_literal(p, code);
}
