/* SPDX-License-Identifier: Apache-2.0 */
/* sprintf with the verbs and flags of Go's fmt package. */
#include "base/buf.h"
#include "base/str.h"
#include "rego/text.h"

struct spec {
	bool minus, plus, sharp, space, zero;
	bool has_width, has_precision;
	int width, precision;
};

#define FIELD_MAX 4096 /* widest field */

static size_t runes(struct slice s)
{
	size_t n = 0;
	for (size_t i = 0; i < s.size; i++)
		n += (s.data[i] & 0xc0) != 0x80;
	return n;
}

static void pad(struct buf *out, const struct spec *f, struct slice s, bool numeric)
{
	size_t have = runes(s), width = f->has_width ? (size_t)f->width : 0;
	size_t fill = width > have ? width - have : 0;
	if (!f->minus && f->zero && numeric && s.size && (s.data[0] == '-' || s.data[0] == '+')) {
		buf_put_u8(out, s.data[0]);
		s = slice_cut(s, 1, s.size);
	}
	for (size_t i = 0; !f->minus && i < fill; i++)
		buf_put_u8(out, f->zero && numeric ? '0' : ' ');
	buf_put_slice(out, s);
	for (size_t i = 0; f->minus && i < fill; i++)
		buf_put_u8(out, ' ');
}

static const char *go_type(rv v)
{
	if (v->type == REGO_NUMBER)
		return v->sub == NUM_INT	 ? "int64"
		       : num_is_plain_integer(v) ? "big.Int"
						 : "float64";
	return "string";
}

/* What Go would print with %v: strings bare, everything else as Rego text. */
static rv plain_text(struct call *c, rv v)
{
	return v->type == REGO_STRING ? v : value_to_rego(c->m, v);
}

static rv float_text(struct call *c, rv v, char verb, const struct spec *f)
{
	char text[512];
	double d = num_to_double(v);
	char sign = f->plus ? '+' : ' '; /* of what is not negative */
	bool signed_ = (f->plus || f->space) && d >= 0;
	if (!f->has_precision && (verb == 'v' || verb == 'g' || verb == 'G')) {
		rv t = num_from_double(c->m, d);
		if (!t)
			return value_cstr(c->m, "+Inf");
		t = value_to_rego(c->m, t);
		if (!signed_)
			return t;
		int size = snprintf(text, sizeof(text), "%c%s", sign, t->text);
		return value_string(c->m, slice_of(text, (size_t)size));
	}
	char format[8] = {'%', signed_ ? sign : '-', '.', '*', verb == 'v' ? 'g' : verb, 0};
	int n = 0;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	n = snprintf(text, sizeof(text), format, f->has_precision ? MIN(f->precision, 100) : 6, d);
#pragma GCC diagnostic pop
	return value_string(c->m, slice_of(text, MIN((size_t)n, sizeof(text) - 1)));
}

static rv integer_text(struct call *c, rv v, char verb, const struct spec *f)
{
	struct big b;
	if (!num_to_big(c->m, v, &b))
		return value_cstr(c->m, "?");
	unsigned base = verb == 'd' || verb == 'v' ? 10
			: verb == 'b'		   ? 2
			: (verb | 0x20) == 'o'	   ? 8
						   : 16;
	char *text = big_text(c->m, b, base);
	bool neg = text[0] == '-';
	const char *prefix = "";
	if (verb == 'O' || (f->sharp && verb == 'o'))
		prefix = verb == 'O' ? "0o" : "0";
	else if (f->sharp && (verb | 0x20) == 'x')
		prefix = verb == 'x' ? "0x" : "0X";
	else if (f->sharp && verb == 'b')
		prefix = "0b";
	int digits = (int)strlen(text + neg);
	int zeros = f->has_precision && f->precision > digits ? f->precision - digits : 0;
	size_t room = (size_t)digits + (size_t)zeros + strlen(prefix) + 2;
	struct rego_value *out = value_string_new(c->m, room);
	char *p = (char *)(uintptr_t)out->text;
	const char *sign = neg ? "-" : f->plus ? "+" : f->space ? " " : "";
	int n = snprintf(p, room, "%s%s", sign, prefix);
	memset(p + n, '0', (size_t)zeros);
	n += zeros;
	n += snprintf(p + n, room - (size_t)n, "%s", text + neg);
	if (verb == 'X')
		for (int i = 0; i < n; i++)
			p[i] = (char)strings_upper((uint8_t)p[i]);
	out->count = (uint32_t)n;
	return value_string_done(out);
}

/* Go's %x of a float: as C's %a, with two digits of exponent at least. */
static rv hex_float(struct call *c, rv v, const struct spec *f, bool upper)
{
	char text[64], *p;
	int n = snprintf(text, sizeof(text), f->plus ? "%+a" : "%a", num_to_double(v));
	if ((p = strchr(text, 'p')) && text + n - p == 3) {
		p[3] = p[2];
		p[2] = '0';
		n++;
	}
	for (int i = 0; upper && i < n; i++)
		text[i] = (char)strings_upper((uint8_t)text[i]);
	return value_string(c->m, slice_of(text, (size_t)n));
}

static void bad_verb(struct call *c, struct buf *out, const struct spec *f, char verb, rv v)
{
	rv t = v->type != REGO_NUMBER	 ? plain_text(c, v)
	       : num_is_plain_integer(v) ? integer_text(c, v, 'v', f)
					 : float_text(c, v, 'v', f);
	buf_printf(out, "%%!%c(%s=", verb, go_type(v));
	buf_put_slice(out, value_slice(t));
	buf_put_u8(out, ')');
}

static void pad_buf(struct buf *out, const struct spec *f, struct buf *b)
{
	pad(out, f, buf_slice(b), false);
	if (buf_error(b))
		out->error = buf_error(b);
	buf_done(b);
}

static void put_hex(struct buf *out, const struct spec *f, struct slice s, bool upper)
{
	struct buf b = buf_init(out->max);
	for (size_t i = 0; i < s.size; i++)
		buf_printf(&b, upper ? "%02X" : "%02x", s.data[i]);
	pad_buf(out, f, &b);
}

static void put_quoted(struct buf *out, const struct spec *f, struct slice s)
{
	struct buf b = buf_init(out->max);
	print_json_string(&b, s);
	pad_buf(out, f, &b);
}

static struct slice cut_runes(struct slice s, const struct spec *f)
{
	size_t at = 0;
	for (int i = 0; f->has_precision && i < f->precision && at < s.size; i++)
		at += strings_step(s, at);
	return f->has_precision ? slice_cut(s, 0, at) : s;
}

static void put_number(struct call *c, struct buf *out, const struct spec *f, char verb, rv v)
{
	bool integer = num_is_plain_integer(v);
	rv t;
	switch (verb) {
	case 'v':
		t = integer ? integer_text(c, v, 'v', f) : float_text(c, v, 'v', f);
		pad(out, f, value_slice(t), true);
		return;
	case 'd':
	case 'b':
	case 'o':
	case 'O':
	case 'x':
	case 'X':
		if (!integer && (verb | 0x20) == 'x') {
			t = hex_float(c, v, f, verb == 'X');
			pad(out, f, value_slice(t), true);
			return;
		}
		if (!integer)
			break;
		t = integer_text(c, v, verb, f);
		pad(out, f, value_slice(t), true);
		return;
	case 'e':
	case 'E':
	case 'f':
	case 'F':
	case 'g':
	case 'G':
		if (integer)
			break;
		t = float_text(c, v, verb, f);
		pad(out, f, value_slice(t), true);
		return;
	case 's':
		/* Go's big integers print themselves, its other numbers do not. */
		if (v->sub == NUM_INT || !integer)
			break;
		t = value_to_rego(c->m, v);
		pad(out, f, value_slice(t), false);
		return;
	case 'c':
	case 'U': {
		int64_t code = 0;
		uint8_t utf8[4];
		char text[16];
		if (!integer || !num_to_i64(v, &code))
			break;
		if (verb == 'c')
			pad(out, f, slice_of(utf8, utf8_encode((uint32_t)code, utf8)), false);
		else
			pad(out, f,
				slice_of(text, (size_t)snprintf(text, sizeof(text), "U+%04X",
						       (unsigned)code)),
				false);
		return;
	}
	default:
		break;
	}
	bad_verb(c, out, f, verb, v);
}

static void put_arg(struct call *c, struct buf *out, const struct spec *f, char verb, rv v)
{
	if (verb == 'T') {
		pad(out, f, slice_str(go_type(v)), false);
		return;
	}
	if (v->type == REGO_NUMBER) {
		put_number(c, out, f, verb, v);
		return;
	}
	rv t = plain_text(c, v);
	if (verb == 's' || verb == 'v')
		pad(out, f, cut_runes(value_slice(t), f), false);
	else if (verb == 'q')
		put_quoted(out, f, cut_runes(value_slice(t), f));
	else if (verb == 'x' || verb == 'X')
		put_hex(out, f, value_slice(t), verb == 'X');
	else
		bad_verb(c, out, f, verb, v);
}

static int parse_int(struct slice s, size_t *at)
{
	int v = 0;
	while (*at < s.size && s.data[*at] >= '0' && s.data[*at] <= '9') {
		if (v < FIELD_MAX)
			v = v * 10 + (s.data[*at] - '0');
		(*at)++;
	}
	return MIN(v, FIELD_MAX);
}

static struct spec parse_spec(struct slice s, size_t *at)
{
	struct spec f = {0};
	for (; *at < s.size; (*at)++) {
		uint8_t ch = s.data[*at];
		if (ch == '-')
			f.minus = true;
		else if (ch == '+')
			f.plus = true;
		else if (ch == '#')
			f.sharp = true;
		else if (ch == ' ')
			f.space = true;
		else if (ch == '0')
			f.zero = true;
		else
			break;
	}
	if (*at < s.size && s.data[*at] >= '1' && s.data[*at] <= '9') {
		f.has_width = true;
		f.width = parse_int(s, at);
	}
	if (*at < s.size && s.data[*at] == '.') {
		(*at)++;
		f.has_precision = true;
		f.precision = parse_int(s, at);
	}
	return f;
}

static void put_extra(struct call *c, struct buf *out, rv args, uint32_t used)
{
	if (used >= args->count)
		return;
	buf_put_str(out, "%!(EXTRA ");
	for (uint32_t i = used; i < args->count; i++) {
		rv t = plain_text(c, args->item[i]);
		buf_printf(out, "%s%s=", i > used ? ", " : "", go_type(args->item[i]));
		buf_put_slice(out, value_slice(t));
	}
	buf_put_u8(out, ')');
}

static void format(struct call *c, struct buf *out, struct slice s, rv args)
{
	uint32_t used = 0;
	for (size_t at = 0; at < s.size;) {
		if (s.data[at] != '%') {
			buf_put_u8(out, s.data[at++]);
			continue;
		}
		at++;
		struct spec f = parse_spec(s, &at);
		if (at >= s.size) {
			buf_put_str(out, "%!(NOVERB)");
			break;
		}
		char verb = (char)s.data[at++];
		if (verb == '%')
			buf_put_u8(out, '%');
		else if (used >= args->count)
			buf_printf(out, "%%!%c(MISSING)", verb);
		else
			put_arg(c, out, &f, verb, args->item[used++]);
	}
	put_extra(c, out, args, used);
}

struct job {
	struct call *c;
	struct buf out;
	struct slice s;
	rv args;
};

static void run(void *arg)
{
	struct job *j = arg;
	format(j->c, &j->out, j->s, j->args);
}

rv builtin_sprintf(struct call *c, const rv *arg, uint32_t count)
{
	if (!arg_is(c, arg, 1, REGO_STRING) || !arg_is(c, arg, 2, REGO_ARRAY))
		return NULL;
	/* Values are made while the buffer is filled: escape only after releasing it. */
	struct job j = {
		.c = c, .out = buf_init(mem_room(c->m)), .s = value_slice(arg[0]), .args = arg[1]};
	int r = mem_guard(c->m, run, &j, c->m->reterr);
	if (r == 0)
		r = buf_error(&j.out);
	char *copy = r ? NULL : arena_copy(c->m->arena, buf_slice(&j.out));
	size_t size = j.out.size;
	buf_done(&j.out);
	if (!copy)
		mem_escape(c->m, r ? r : REGO_ERR_MEMORY);
	return value_string(c->m, slice_of(copy, size));
}
