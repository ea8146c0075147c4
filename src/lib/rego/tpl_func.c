/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: the predefined functions. */
#include "rego/text.h"
#include "rego/tpl.h"

bool tpl_truth(struct tpl_value v)
{
	switch (v.kind) {
	case TPL_MISSING:
	case TPL_NIL:
		return false;
	case TPL_INT:
	case TPL_FLOAT:
		return num_sign(v.v) != 0;
	case TPL_JSON:
		break;
	}
	if (v.v->type == REGO_BOOL)
		return rego_is_true(v.v);
	return v.v->type == REGO_NUMBER || v.v->count > 0;
}

static struct tpl_value fail(struct tpl *t, const char *name, const char *text)
{
	tpl_error(t, "error calling %s: %s", name, text);
	return (struct tpl_value){TPL_MISSING, NULL};
}

/* json.Number is text, too. */
static bool text_of(struct tpl *t, struct tpl_value v, struct slice *ret)
{
	if (v.kind != TPL_JSON || (v.v->type != REGO_STRING && v.v->type != REGO_NUMBER))
		return false;
	*ret = value_slice(v.v->type == REGO_STRING ? v.v : value_to_json(t->c->m, v.v));
	return true;
}

/* What fmt.Sprint writes; @pass: blanks between all operands, as fmt.Sprintln does. */
static void sprint(
	struct tpl *t, struct buf *out, const struct tpl_value *arg, uint32_t count, bool line)
{
	struct slice s;
	bool text = true;
	for (uint32_t i = 0; i < count; i++) {
		bool now = text_of(t, arg[i], &s);
		if (i && (line || (!text && !now)))
			buf_put_u8(out, ' ');
		text = now;
		if (arg[i].kind == TPL_MISSING || arg[i].kind == TPL_NIL)
			buf_put_str(out, "<nil>");
		else
			tpl_print(t, out, arg[i]);
	}
	if (line)
		buf_put_u8(out, '\n');
}

/* Moves @out into a value; nothing may escape while a buffer is open. */
static struct tpl_value take(struct tpl *t, struct buf *out)
{
	char *copy = buf_error(out) ? NULL : arena_copy(t->c->m->arena, buf_slice(out));
	size_t size = out->size;
	buf_done(out);
	if (!copy) {
		tpl_error(t, "the memory budget is spent");
		return (struct tpl_value){TPL_MISSING, NULL};
	}
	return tpl_string(t, slice_of(copy, size));
}

struct job {
	struct tpl *t;
	struct buf *out;
	const struct tpl_value *arg;
	uint32_t count;
	bool line;
};

static void run_job(void *arg)
{
	struct job *j = arg;
	sprint(j->t, j->out, j->arg, j->count, j->line);
}

/* sprint() into a buffer of its own, which is released when something escapes. */
static struct slice sprint_text(
	struct tpl *t, const struct tpl_value *arg, uint32_t count, bool line)
{
	struct buf out = buf_init(mem_room(t->c->m));
	struct job j = {t, &out, arg, count, line};
	int r = mem_guard(t->c->m, run_job, &j, t->c->m->reterr);
	if (r) {
		buf_done(&out);
		mem_escape(t->c->m, r);
	}
	struct tpl_value v = take(t, &out);
	return v.v ? value_slice(v.v) : (struct slice){0};
}

static struct tpl_value print(struct tpl *t, const struct tpl_value *arg, uint32_t count)
{
	return tpl_string(t, sprint_text(t, arg, count, false));
}

static struct tpl_value println(struct tpl *t, const struct tpl_value *arg, uint32_t count)
{
	return tpl_string(t, sprint_text(t, arg, count, true));
}

static struct tpl_value print_format(struct tpl *t, const struct tpl_value *arg, uint32_t count)
{
	struct slice s;
	if (!tpl_is(arg[0], REGO_STRING))
		return fail(t, "printf", "wrong type for value; expected string");
	rv *list = mem_array(t->c->m, count, sizeof(*list));
	for (uint32_t i = 1; i < count; i++) {
		bool scalar = arg[i].kind == TPL_INT || arg[i].kind == TPL_FLOAT ||
			      tpl_is(arg[i], REGO_BOOL);
		if (scalar)
			list[i - 1] = arg[i].v;
		else if (text_of(t, arg[i], &s))
			list[i - 1] = value_string(t->c->m, s);
		else
			list[i - 1] = value_string(t->c->m, sprint_text(t, &arg[i], 1, false));
	}
	rv in[2] = {arg[0].v, value_array(t->c->m, list, count - 1)};
	rv text = builtin_sprintf(t->c, in, 2);
	return text ? (struct tpl_value){TPL_JSON, text} : fail(t, "printf", "failed");
}

static struct tpl_value length(struct tpl *t, const struct tpl_value *arg, uint32_t count)
{
	struct slice s;
	if (text_of(t, arg[0], &s))
		return tpl_int(t, (int64_t)s.size);
	if (tpl_is(arg[0], REGO_ARRAY) || tpl_is(arg[0], REGO_OBJECT))
		return tpl_int(t, arg[0].v->count);
	if (arg[0].kind == TPL_MISSING || arg[0].kind == TPL_NIL)
		return fail(t, "len", "len of nil pointer");
	return fail(t, "len", "len of this type");
}

/* An index into something of @size. */
static bool index_of(struct tpl *t, const char *name, struct tpl_value v, size_t size, size_t *ret)
{
	int64_t i;
	if (v.kind != TPL_INT || !num_to_i64(v.v, &i)) {
		fail(t, name, "cannot index slice/array with this type");
		return false;
	}
	if (i < 0 || (uint64_t)i > size) {
		tpl_error(t, "error calling %s: index out of range: %lld", name, (long long)i);
		return false;
	}
	*ret = (size_t)i;
	return true;
}

static struct tpl_value element(struct tpl *t, struct tpl_value v, struct tpl_value at)
{
	size_t i = 0;
	struct slice s;
	if (tpl_is(v, REGO_OBJECT)) {
		if (!tpl_is(at, REGO_STRING))
			return fail(t, "index", "value should be a string");
		rv found = value_get(v.v, at.v);
		return found ? tpl_element(found) : (struct tpl_value){TPL_NIL, NULL};
	}
	bool list = tpl_is(v, REGO_ARRAY);
	if (!list && !text_of(t, v, &s))
		return fail(t, "index", "can't index item of this type");
	size_t size = list ? v.v->count : s.size;
	if (!index_of(t, "index", at, size, &i))
		return v;
	if (i == size)
		return fail(t, "index", "reflect: slice index out of range");
	return list ? tpl_element(v.v->item[i]) : tpl_int(t, s.data[i]);
}

static struct tpl_value index_into(struct tpl *t, const struct tpl_value *arg, uint32_t count)
{
	struct tpl_value v = arg[0];
	if (v.kind == TPL_MISSING || v.kind == TPL_NIL)
		return fail(t, "index", "index of untyped nil");
	for (uint32_t i = 1; i < count && !t->failed; i++) {
		if (v.kind == TPL_NIL)
			return fail(t, "index", "index of nil pointer");
		v = element(t, v, arg[i]);
	}
	return v;
}

static struct tpl_value slice_part(struct tpl *t, const struct tpl_value *arg, uint32_t count)
{
	struct slice s = {0};
	bool list = tpl_is(arg[0], REGO_ARRAY);
	if (!list && !text_of(t, arg[0], &s))
		return fail(t, "slice", "can't slice item of this type");
	if (!list && count == 4)
		return fail(t, "slice", "cannot 3-index slice a string");
	size_t size = list ? arg[0].v->count : s.size;
	size_t at[3] = {0, size, size};
	for (uint32_t i = 1; i < count; i++)
		if (!index_of(t, "slice", arg[i], size, &at[i - 1]))
			return arg[0];
	if (at[0] > at[1] || at[1] > at[2])
		return fail(t, "slice", "invalid slice index");
	if (!list)
		return tpl_string(t, (struct slice){s.data + at[0], at[1] - at[0]});
	rv part = value_array(t->c->m, arg[0].v->item + at[0], at[1] - at[0]);
	return (struct tpl_value){TPL_JSON, part};
}

static struct tpl_value negate(struct tpl *t, const struct tpl_value *arg, uint32_t count)
{
	return tpl_bool(!tpl_truth(arg[0]));
}

enum basic { B_NONE, B_BOOL, B_INT, B_FLOAT, B_TEXT };
static enum basic basic(struct tpl *t, struct tpl_value v, struct slice *ret)
{
	if (text_of(t, v, ret))
		return B_TEXT;
	if (tpl_is(v, REGO_BOOL))
		return B_BOOL;
	return v.kind == TPL_INT ? B_INT : v.kind == TPL_FLOAT ? B_FLOAT : B_NONE;
}

static bool absent(struct tpl_value v)
{
	return v.kind == TPL_MISSING || v.kind == TPL_NIL;
}

static bool equal(struct tpl *t, const char *name, struct tpl_value a, struct tpl_value b)
{
	struct slice s = {0}, o = {0};
	enum basic k = basic(t, a, &s), l = basic(t, b, &o);
	if (k != l) {
		if (!absent(a) && !absent(b))
			fail(t, name, "incompatible types for comparison");
		return false;
	}
	if (k == B_TEXT)
		return slice_eq(s, o);
	if (k != B_NONE)
		return value_eq(a.v, b.v);
	if (absent(a) || absent(b))
		return absent(a) && absent(b);
	fail(t, name, a.v->type == b.v->type ? "non-comparable type" : "non-comparable types");
	return false;
}

static struct tpl_value eq(struct tpl *t, const struct tpl_value *arg, uint32_t count)
{
	if (count < 2)
		return fail(t, "eq", "missing argument for comparison");
	for (uint32_t i = 1; i < count && !t->failed; i++)
		if (equal(t, "eq", arg[0], arg[i]))
			return tpl_bool(true);
	return tpl_bool(false);
}

static struct tpl_value ne(struct tpl *t, const struct tpl_value *arg, uint32_t count)
{
	return tpl_bool(!equal(t, "ne", arg[0], arg[1]));
}

/* -1, 0, 1; reports what has no order. */
static int order(struct tpl *t, const char *name, const struct tpl_value *arg)
{
	struct slice a = {0}, b = {0};
	enum basic k = basic(t, arg[0], &a), l = basic(t, arg[1], &b);
	if (k == B_NONE || l == B_NONE || (k == l && k == B_BOOL))
		fail(t, name, "invalid type for comparison");
	else if (k != l)
		fail(t, name, "incompatible types for comparison");
	else if (k == B_TEXT)
		return value_compare(value_string(t->c->m, a), value_string(t->c->m, b));
	else
		return value_compare(arg[0].v, arg[1].v);
	return 0;
}

static struct tpl_value lt(struct tpl *t, const struct tpl_value *arg, uint32_t count)
{
	return tpl_bool(order(t, "lt", arg) < 0);
}
static struct tpl_value le(struct tpl *t, const struct tpl_value *arg, uint32_t count)
{
	return tpl_bool(order(t, "le", arg) <= 0);
}
static struct tpl_value gt(struct tpl *t, const struct tpl_value *arg, uint32_t count)
{
	return tpl_bool(order(t, "gt", arg) > 0);
}
static struct tpl_value ge(struct tpl *t, const struct tpl_value *arg, uint32_t count)
{
	return tpl_bool(order(t, "ge", arg) >= 0);
}

static struct tpl_value html(struct tpl *t, const struct tpl_value *arg, uint32_t count)
{
	struct slice s = sprint_text(t, arg, count, false);
	struct buf out = buf_init(mem_room(t->c->m));
	for (size_t i = 0; i < s.size; i++) {
		uint8_t ch = s.data[i];
		const char *as = ch == '"'    ? "&#34;"
				 : ch == '\'' ? "&#39;"
				 : ch == '&'  ? "&amp;"
				 : ch == '<'  ? "&lt;"
				 : ch == '>'  ? "&gt;"
				 : ch == 0    ? "\xef\xbf\xbd"
					      : NULL;
		if (as)
			buf_put_str(&out, as);
		else
			buf_put_u8(&out, ch);
	}
	return take(t, &out);
}

static struct tpl_value js(struct tpl *t, const struct tpl_value *arg, uint32_t count)
{
	struct slice s = sprint_text(t, arg, count, false);
	struct buf out = buf_init(mem_room(t->c->m));
	for (size_t i = 0; i < s.size; i++) {
		uint8_t ch = s.data[i];
		if (ch == '\\' || ch == '\'' || ch == '"')
			buf_printf(&out, "\\%c", ch);
		else if (ch < ' ' || ch == '<' || ch == '>' || ch == '&' || ch == '=')
			buf_printf(&out, "\\u%04X", ch);
		else
			buf_put_u8(&out, ch);
	}
	return take(t, &out);
}

static struct tpl_value urlquery(struct tpl *t, const struct tpl_value *arg, uint32_t count)
{
	struct slice s = sprint_text(t, arg, count, false);
	struct buf out = buf_init(mem_room(t->c->m));
	for (size_t i = 0; i < s.size; i++) {
		uint8_t ch = s.data[i];
		if ((ch | 32u) - 'a' < 26u || ch - (unsigned)'0' < 10u ||
			(ch && strchr("-_.~", ch)))
			buf_put_u8(&out, ch);
		else if (ch == ' ')
			buf_put_u8(&out, '+');
		else
			buf_printf(&out, "%%%02X", ch);
	}
	return take(t, &out);
}

static struct tpl_value no_call(struct tpl *t, const struct tpl_value *arg, uint32_t count)
{
	return fail(t, "call", "non-function");
}

static const struct tpl_function functions[] = {
	{"and", 1, UINT32_MAX, negate},
	{"or", 1, UINT32_MAX, negate},
	{"call", 1, UINT32_MAX, no_call},
	{"eq", 1, UINT32_MAX, eq},
	{"ge", 2, 2, ge},
	{"gt", 2, 2, gt},
	{"html", 0, UINT32_MAX, html},
	{"index", 1, UINT32_MAX, index_into},
	{"js", 0, UINT32_MAX, js},
	{"le", 2, 2, le},
	{"len", 1, 1, length},
	{"lt", 2, 2, lt},
	{"ne", 2, 2, ne},
	{"not", 1, 1, negate},
	{"print", 0, UINT32_MAX, print},
	{"printf", 1, UINT32_MAX, print_format},
	{"println", 0, UINT32_MAX, println},
	{"slice", 1, 4, slice_part},
	{"urlquery", 0, UINT32_MAX, urlquery},
};

const struct tpl_function *tpl_function_find(struct slice name)
{
	for (size_t i = 0; i < ARRAY_COUNT(functions); i++)
		if (slice_eq_str(name, functions[i].name))
			return &functions[i];
	return NULL;
}

/* and, or are evaluated by the caller. */
bool tpl_is_and(const struct tpl_function *f)
{
	return f == &functions[0];
}

bool tpl_is_or(const struct tpl_function *f)
{
	return f == &functions[1];
}
