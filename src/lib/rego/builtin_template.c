/* SPDX-License-Identifier: Apache-2.0 */
/* strings.render_template. */
#include <stdarg.h>

#include "base/str.h"
#include "rego/text.h"
#include "rego/tpl.h"

void tpl_error(struct tpl *t, const char *fmt, ...)
{
	char text[300];
	va_list ap;
	if (t->failed)
		return;
	t->failed = true;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	call_fail(t->c, "template: template:%u: %s", t->line, text);
}

static void print_json(struct tpl *t, struct buf *out, rv v, unsigned depth)
{
	rv json;
	switch (v->type) {
	case REGO_NULL:
		buf_put_str(out, "<nil>");
		return;
	case REGO_STRING:
		buf_put_slice(out, value_slice(v));
		return;
	case REGO_ARRAY:
	case REGO_OBJECT:
		break;
	default:
		json = value_to_json(t->c->m, v);
		buf_put_slice(out, value_slice(json));
		return;
	}
	call_charge(t->c, v->count);
	buf_put_str(out, v->type == REGO_ARRAY ? "[" : "map[");
	for (uint32_t i = 0; i < v->count && !buf_error(out); i++) {
		if (i)
			buf_put_u8(out, ' ');
		if (v->type == REGO_OBJECT) {
			print_json(t, out, v->pair[i].key, depth + 1);
			buf_put_u8(out, ':');
		}
		print_json(t, out, v->type == REGO_OBJECT ? v->pair[i].val : v->item[i], depth + 1);
	}
	buf_put_u8(out, ']');
}

void tpl_print(struct tpl *t, struct buf *out, struct tpl_value v)
{
	if (v.kind == TPL_MISSING || v.kind == TPL_NIL) {
		buf_put_str(out, "<no value>");
	} else if (v.kind == TPL_JSON) {
		print_json(t, out, v.v, 0);
	} else {
		rv arg[2] = {value_cstr(t->c->m, "%v"), value_array(t->c->m, &v.v, 1)};
		rv text = builtin_sprintf(t->c, arg, 2);
		if (text)
			buf_put_slice(out, value_slice(text));
	}
}

/* Whether the variables are what JSON can hold: no sets, no keys but strings. */
static bool is_json(rv v)
{
	if (v->type == REGO_SET)
		return false;
	for (uint32_t i = 0; v->type == REGO_ARRAY && i < v->count; i++)
		if (!is_json(v->item[i]))
			return false;
	for (uint32_t i = 0; v->type == REGO_OBJECT && i < v->count; i++)
		if (v->pair[i].key->type != REGO_STRING || !is_json(v->pair[i].val))
			return false;
	return true;
}

struct job {
	struct tpl *t;
	rv vars;
};

static void run(void *arg)
{
	struct job *j = arg;
	struct tpl *t = j->t;
	struct tpl_node *root = tpl_parse(t);
	if (!t->failed)
		tpl_run(t, root, (struct tpl_value){TPL_JSON, j->vars});
}

/* The result, with OPA's word for what is missing. */
static rv result(struct call *c, struct slice s)
{
	static const char missing[] = "<no value>", as[] = "<undefined>";
	size_t count = 0;
	for (int64_t at = 0; (at = strings_find(s, slice_str(missing), (size_t)at)) >= 0; count++)
		at += (int64_t)strlen(missing);
	if (!count)
		return value_string(c->m, s);
	struct rego_value *v =
		value_string_new(c->m, s.size + count * (strlen(as) - strlen(missing)));
	char *to = (char *)(uintptr_t)v->text;
	size_t from = 0;
	for (; count; count--) {
		size_t at = (size_t)strings_find(s, slice_str(missing), from);
		memcpy(to, s.data + from, at - from);
		to += at - from;
		memcpy(to, as, strlen(as));
		to += strlen(as);
		from = at + strlen(missing);
	}
	memcpy(to, s.data + from, s.size - from);
	return value_string_done(v);
}

static rv render(struct call *c, const rv *arg, uint32_t count)
{
	if (!arg_is(c, arg, 1, REGO_STRING) || !arg_is(c, arg, 2, REGO_OBJECT))
		return NULL;
	if (!is_json(arg[1]))
		return call_fail(c, "the variables are not JSON");
	struct buf out = buf_init(mem_room(c->m));
	struct tpl t = {.c = c, .source = value_slice(arg[0]), .out = &out, .line = 1};
	struct job j = {&t, arg[1]};
	int r = mem_guard(c->m, run, &j, c->m->reterr);
	if (r == 0)
		r = buf_error(&out);
	char *copy = r ? NULL : arena_copy(c->m->arena, buf_slice(&out));
	size_t size = out.size;
	buf_done(&out);
	if (!copy)
		mem_escape(c->m, r ? r : REGO_ERR_MEMORY);
	if (t.failed)
		return NULL;
	if (!utf8_valid(slice_of(copy, size)))
		return call_fail(c, "the result is not UTF-8");
	return result(c, slice_of(copy, size));
}

static const struct builtin items[] = {
	{.name = "strings.render_template", .arity = 2, .fn = render},
};
const struct builtin_table builtin_template_table = {items, ARRAY_COUNT(items)};
