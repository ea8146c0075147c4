/* SPDX-License-Identifier: Apache-2.0 */
/* sprintf with the verbs and flags of Go's fmt package. */
#include "base/str.h"
#include "rego/sprintf.h"

static const char *go_type(rv v)
{
	if (v->type != REGO_NUMBER)
		return "string";
	return sprintf_is_big(v) ? "*big.Int" : sprintf_is_float(v) ? "float64" : "int64";
}

/* --- text --- */

static void bad_verb(struct format *o, const struct spec *f, struct slice verb, rv v);

static void put_hex(struct format *o, const struct spec *f, struct slice s, bool upper)
{
	struct buf b = buf_init(o->out->max);
	size_t n = f->has_precision ? MIN(s.size, (size_t)f->precision) : s.size;
	for (size_t i = 0; i < n; i++) {
		if (f->space && i)
			buf_put_u8(&b, ' ');
		if (f->sharp && (f->space || i == 0))
			buf_put_str(&b, upper ? "0X" : "0x");
		buf_printf(&b, upper ? "%02X" : "%02x", s.data[i]);
	}
	sprintf_pad(o->out, f, buf_slice(&b));
	if (buf_error(&b))
		o->out->error = buf_error(&b);
	buf_done(&b);
}

/* Whether a text fits between back quotes as it is. */
static bool plain_quotable(struct slice s)
{
	for (size_t i = 0, n; i < s.size; i += n) {
		uint32_t code = text_rune(s, i, &n);
		if (code == UINT32_MAX || code == 0xfeff || code == '`' || code == 0x7f ||
			(code < ' ' && code != '\t'))
			return false;
	}
	return true;
}

static void put_quoted(struct format *o, const struct spec *f, struct slice s)
{
	struct buf b = buf_init(o->out->max);
	if (f->sharp && plain_quotable(s)) {
		buf_put_u8(&b, '`');
		buf_put_slice(&b, s);
		buf_put_u8(&b, '`');
	} else if (f->plus) {
		print_quoted_ascii(&b, s);
	} else {
		print_quoted(&b, s);
	}
	sprintf_pad(o->out, f, buf_slice(&b));
	if (buf_error(&b))
		o->out->error = buf_error(&b);
	buf_done(&b);
}

static struct slice cut_runes(struct slice s, const struct spec *f)
{
	size_t at = 0;
	for (int i = 0; f->has_precision && i < f->precision && at < s.size; i++)
		at += strings_step(s, at);
	return f->has_precision ? slice_cut(s, 0, at) : s;
}

static void put_arg(struct format *o, const struct spec *f, struct slice verb, rv v)
{
	char ch = verb.size == 1 ? (char)verb.data[0] : 0;
	if (ch == 'T') {
		sprintf_pad(o->out, f, cut_runes(slice_str(go_type(v)), f));
		return;
	}
	if (v->type == REGO_NUMBER) {
		if (!sprintf_number(o, f, ch, v))
			bad_verb(o, f, verb, v);
		return;
	}
	/* Strings are themselves, everything else is its Rego text. */
	struct slice t = value_slice(v->type == REGO_STRING ? v : value_to_rego(o->c->m, v));
	if (ch == 'q' || (ch == 'v' && f->sharp_v))
		put_quoted(o, f, cut_runes(t, f));
	else if (ch == 's' || ch == 'v')
		sprintf_pad(o->out, f, cut_runes(t, f));
	else if (ch == 'x' || ch == 'X')
		put_hex(o, f, t, ch == 'X');
	else
		bad_verb(o, f, verb, v);
}

static void bad_verb(struct format *o, const struct spec *f, struct slice verb, rv v)
{
	static const struct spec plain;
	const char *type = v->type == REGO_NUMBER && sprintf_is_big(v) ? "big.Int" : go_type(v);
	buf_put_str(o->out, "%!");
	buf_put_slice(o->out, verb);
	buf_printf(o->out, "(%s=", type);
	/* Big integers tell themselves without flags. */
	put_arg(o, type[0] == 'b' ? &plain : f, SLICE_LIT("v"), v);
	buf_put_u8(o->out, ')');
}

/* --- the format --- */

static int peek(const struct format *o)
{
	return o->at < o->s.size ? o->s.data[o->at] : -1;
}

static bool number(struct format *o, int *ret)
{
	size_t start = o->at;
	int v = 0;
	for (; peek(o) >= '0' && peek(o) <= '9'; o->at++)
		v = v <= NUMBER_MAX ? v * 10 + (peek(o) - '0') : v;
	*ret = MIN(v, FIELD_MAX);
	return o->at > start && v <= NUMBER_MAX;
}

/* "[n]" names the argument that comes next. */
static bool index_of(struct format *o)
{
	int n = 0;
	if (peek(o) != '[')
		return false;
	o->reordered = true;
	size_t open = o->at++, close = o->at;
	while (close < o->s.size && o->s.data[close] != ']')
		close++;
	bool ok = close < o->s.size && number(o, &n) && o->at == close;
	o->at = close < o->s.size ? close + 1 : open + 1;
	if (ok && n >= 1 && (uint32_t)n <= o->args->count)
		o->used = (uint32_t)n - 1;
	else
		o->good_index = false;
	return ok;
}

/* "*": the next argument is a width or precision; false when it is none. */
static bool number_arg(struct format *o, int *ret)
{
	int64_t n = 0;
	if (o->used >= o->args->count)
		return false;
	rv v = o->args->item[o->used++];
	if (v->type != REGO_NUMBER || v->sub != NUM_INT || !num_to_i64(v, &n) || n > NUMBER_MAX ||
		n < -NUMBER_MAX)
		return false;
	*ret = (int)(n < -FIELD_MAX ? -FIELD_MAX : MIN(n, FIELD_MAX));
	return true;
}

static void read_flags(struct format *o)
{
	o->f = (struct spec){0};
	for (;; o->at++) {
		int ch = peek(o);
		if (ch == '-')
			o->f.minus = true;
		else if (ch == '+')
			o->f.plus = true;
		else if (ch == '#')
			o->f.sharp = true;
		else if (ch == ' ')
			o->f.space = true;
		else if (ch == '0')
			o->f.zero = true;
		else
			return;
	}
}

static void read_width(struct format *o, bool *indexed)
{
	struct spec *f = &o->f;
	if (peek(o) == '*') {
		o->at++;
		f->has_width = number_arg(o, &f->width);
		if (!f->has_width)
			buf_put_str(o->out, "%!(BADWIDTH)");
		if (f->width < 0) {
			f->width = -f->width;
			f->minus = true;
			f->zero = false;
		}
		*indexed = false;
		return;
	}
	f->has_width = number(o, &f->width);
	if (*indexed && f->has_width)
		o->good_index = false; /* "%[3]2d" */
}

static void read_precision(struct format *o, bool *indexed)
{
	struct spec *f = &o->f;
	if (peek(o) != '.' || o->at + 1 > o->s.size)
		return;
	o->at++;
	if (*indexed)
		o->good_index = false; /* "%[3].2d" */
	*indexed = index_of(o);
	if (peek(o) != '*') {
		(void)number(o, &f->precision);
		f->has_precision = true;
		return;
	}
	o->at++;
	f->has_precision = number_arg(o, &f->precision);
	if (f->precision < 0)
		f->has_precision = false;
	if (!f->has_precision)
		buf_put_str(o->out, "%!(BADPREC)");
	*indexed = false;
}

static void put_verb(struct format *o)
{
	size_t n = MIN(strings_step(o->s, o->at), o->s.size - o->at);
	struct slice verb = slice_cut(o->s, o->at, n);
	o->at += n;
	if (slice_eq_str(verb, "%")) {
		buf_put_u8(o->out, '%');
		return;
	}
	if (!o->good_index || o->used >= o->args->count) {
		buf_put_str(o->out, "%!");
		buf_put_slice(o->out, verb);
		buf_put_str(o->out, o->good_index ? "(MISSING)" : "(BADINDEX)");
		return;
	}
	if (slice_eq_str(verb, "v")) {
		o->f.sharp_v = o->f.sharp;
		o->f.plus_v = o->f.plus;
		o->f.sharp = o->f.plus = false;
	}
	put_arg(o, &o->f, verb, o->args->item[o->used++]);
}

static void put_extra(struct format *o)
{
	if (o->reordered || o->used >= o->args->count)
		return;
	buf_put_str(o->out, "%!(EXTRA ");
	for (uint32_t i = o->used; i < o->args->count; i++) {
		rv v = o->args->item[i];
		buf_printf(o->out, "%s%s=", i > o->used ? ", " : "", go_type(v));
		put_arg(o, &(struct spec){0}, SLICE_LIT("v"), v);
	}
	buf_put_u8(o->out, ')');
}

static void format(struct format *o)
{
	while (o->at < o->s.size) {
		if (peek(o) != '%') {
			buf_put_u8(o->out, o->s.data[o->at++]);
			continue;
		}
		o->at++;
		o->good_index = true;
		read_flags(o);
		bool indexed = index_of(o);
		read_width(o, &indexed);
		read_precision(o, &indexed);
		if (!indexed)
			(void)index_of(o);
		if (o->at >= o->s.size) {
			buf_put_str(o->out, "%!(NOVERB)");
			break;
		}
		put_verb(o);
	}
	put_extra(o);
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
	struct format o = {.c = j->c, .out = &j->out, .s = j->s, .args = j->args};
	format(&o);
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
