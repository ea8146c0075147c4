/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers under the verbs and flags of Go's fmt package. */
#include <inttypes.h>

#include "base/str.h"
#include "rego/sprintf.h"

static size_t runes(struct slice s)
{
	size_t n = 0;
	for (size_t i = 0; i < s.size; i++)
		n += (s.data[i] & 0xc0) != 0x80;
	return n;
}

static void sprintf_fill(struct buf *out, size_t n, char with)
{
	for (size_t i = 0; i < n; i++)
		buf_put_u8(out, (uint8_t)with);
}

void sprintf_pad(struct buf *out, const struct spec *f, struct slice s)
{
	size_t have = runes(s), width = f->has_width ? (size_t)f->width : 0;
	size_t room = width > have ? width - have : 0;
	if (!f->minus)
		sprintf_fill(out, room, f->zero ? '0' : ' ');
	buf_put_slice(out, s);
	if (f->minus)
		sprintf_fill(out, room, ' ');
}

bool sprintf_is_float(rv v)
{
	return v->sub != NUM_INT && !num_is_plain_integer(v);
}

bool sprintf_is_big(rv v)
{
	return v->sub != NUM_INT && num_is_plain_integer(v);
}

static const char *prefix_of(const struct spec *f, char verb, const char *digits)
{
	if (verb == 'O')
		return "0o";
	if (!f->sharp)
		return "";
	switch (verb) {
	case 'b':
		return "0b";
	case 'o':
		return digits[0] == '0' ? "" : "0";
	case 'x':
		return "0x";
	case 'X':
		return "0X";
	default:
		return "";
	}
}

/* Zeros that make the digits as many as the precision, or the zero flag, asks for. */
static size_t leading_zeros(const struct spec *f, size_t digits, bool sign, size_t prefix, bool big)
{
	size_t want = 0;
	if (f->has_precision)
		want = (size_t)f->precision;
	else if (f->zero && !f->minus && f->has_width)
		want = (size_t)f->width - MIN((size_t)f->width, (size_t)sign + (big ? prefix : 0));
	return want > digits ? want - digits : 0;
}

static void put_integer(struct format *o, const struct spec *f, char verb, rv v)
{
	struct big b;
	struct spec spaces = *f;
	struct buf text = buf_init(o->out->max);
	spaces.zero = false;
	if (!num_to_big(o->c->m, v, &b))
		return;
	unsigned base = verb == 'b' ? 2 : (verb | 0x20) == 'o' ? 8 : (verb | 0x20) == 'x' ? 16 : 10;
	char *digits = big_text(o->c->m, b, base);
	bool neg = digits[0] == '-';
	digits += neg;
	if (f->has_precision && f->precision == 0 && digits[0] == '0') {
		sprintf_pad(o->out, &spaces, SLICE_EMPTY);
		return;
	}
	for (char *p = digits; verb == 'X' && *p; p++)
		*p = (char)strings_upper((uint8_t)*p);
	const char *sign = neg						 ? "-"
			   : f->plus || (sprintf_is_big(v) && f->plus_v) ? "+"
			   : f->space					 ? " "
									 : "";
	const char *prefix = prefix_of(f, verb, digits);
	buf_put_str(&text, sign);
	buf_put_str(&text, prefix);
	sprintf_fill(&text,
		leading_zeros(f, strlen(digits), sign[0] != 0, strlen(prefix), sprintf_is_big(v)),
		'0');
	buf_put_str(&text, digits);
	sprintf_pad(o->out, &spaces, buf_slice(&text));
	buf_done(&text);
}

/* Go's %b of a float: the mantissa and its power of two. */
static rv binary_float(struct call *c, double d)
{
	char text[64];
	uint64_t raw;
	memcpy(&raw, &d, sizeof(raw));
	int e = (int)(raw >> 52 & 0x7ff);
	uint64_t mantissa = (raw & (((uint64_t)1 << 52) - 1)) | (e ? (uint64_t)1 << 52 : 0);
	int n = snprintf(text, sizeof(text), "%s%" PRIu64 "p%+d", d < 0 ? "-" : "", mantissa,
		(e ? e : 1) - 1075);
	return value_string(c->m, slice_of(text, (size_t)n));
}

/* Go's %x of a float: as C's %a, with two digits of exponent at least. */
static rv hex_float(struct call *c, double d, const struct spec *f, bool upper)
{
	char text[192], *p;
	int n = f->has_precision ? snprintf(text, sizeof(text), "%.*a", MIN(f->precision, 100), d)
				 : snprintf(text, sizeof(text), "%a", d);
	if ((p = strchr(text, 'p')) && text + n - p == 3) {
		p[3] = p[2];
		p[2] = '0';
		n++;
	}
	for (int i = 0; upper && i < n; i++)
		text[i] = (char)strings_upper((uint8_t)text[i]);
	return value_string(c->m, slice_of(text, (size_t)n));
}

/* The number without flags; NULL: too large for a float64. */
static rv float_digits(struct call *c, rv v, char verb, const struct spec *f)
{
	char text[512];
	double d = num_to_double(v);
	if (verb == 'b')
		return binary_float(c, d);
	if ((verb | 0x20) == 'x')
		return hex_float(c, d, f, verb == 'X');
	/* With the flag #, %g shows six digits and keeps their zeros. */
	if (!f->has_precision && !f->sharp && (verb == 'v' || (verb | 0x20) == 'g')) {
		rv t = num_from_double(c->m, d);
		t = t ? value_to_rego(c->m, t) : value_cstr(c->m, "Inf");
		for (uint32_t i = 0; verb == 'G' && i < t->count; i++)
			if (t->text[i] == 'e')
				((char *)(uintptr_t)t->text)[i] = 'E';
		return t;
	}
	char format[8] = "%.*g";
	format[3] = verb == 'v' ? 'g' : verb;
	if (f->sharp)
		memcpy(format, (char[]){'%', '#', '.', '*', format[3], 0}, 6);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	int n = snprintf(
		text, sizeof(text), format, f->has_precision ? MIN(f->precision, 100) : 6, d);
#pragma GCC diagnostic pop
	return value_string(c->m, slice_of(text, MIN((size_t)n, sizeof(text) - 1)));
}

static void put_float(struct format *o, const struct spec *f, char verb, rv v)
{
	struct slice s = value_slice(float_digits(o->c, v, verb, f));
	bool neg = s.size && s.data[0] == '-';
	char sign = neg ? '-' : f->plus ? '+' : f->space ? ' ' : 0;
	struct buf text = buf_init(o->out->max);
	s = slice_cut(s, neg, s.size);
	size_t have = s.size + (sign != 0), width = f->has_width ? (size_t)f->width : 0;
	if (sign)
		buf_put_u8(&text, (uint8_t)sign);
	if (sign && f->zero && !f->minus && width > have)
		sprintf_fill(&text, width - have, '0');
	buf_put_slice(&text, s);
	sprintf_pad(o->out, f, buf_slice(&text));
	buf_done(&text);
}

static void put_character(struct format *o, const struct spec *f, char verb, int64_t code)
{
	struct spec spaces = *f;
	uint8_t utf8[8];
	struct buf text = buf_init(o->out->max);
	bool valid = code >= 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
	size_t n = utf8_encode(valid ? (uint32_t)code : 0xfffd, utf8);
	if (verb == 'c') {
		buf_put(&text, utf8, n);
	} else if (verb == 'q') {
		print_quoted_rune(&text, valid ? (uint32_t)code : 0xfffd, f->plus);
	} else {
		int digits = f->has_precision && f->precision > 4 ? f->precision : 4;
		buf_printf(&text, "U+%0*" PRIX64, digits, (uint64_t)code);
		if (f->sharp && valid && text_printable((uint32_t)code)) {
			buf_put_str(&text, " '");
			buf_put(&text, utf8, n);
			buf_put_u8(&text, '\'');
		}
		spaces.zero = false;
	}
	sprintf_pad(o->out, &spaces, buf_slice(&text));
	buf_done(&text);
}

bool sprintf_number(struct format *o, const struct spec *f, char verb, rv v)
{
	int64_t code;
	if (!verb)
		return false;
	if (sprintf_is_float(v) && strchr("vbgGxXfFeE", verb))
		put_float(o, f, verb, v);
	else if (!sprintf_is_float(v) &&
		 (strchr("vdboOxX", verb) || (verb == 's' && sprintf_is_big(v))))
		put_integer(o, f, verb, v);
	else if (v->sub == NUM_INT && strchr("cqU", verb) && num_to_i64(v, &code))
		put_character(o, f, verb, code);
	else
		return false;
	return true;
}
