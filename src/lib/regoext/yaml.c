/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml.marshal, yaml.unmarshal, yaml.is_valid. libyaml reads events; values are made bottom up on a
 * stack of our own. Aliases become shared values, so that no document grows by naming a part of
 * itself again and again.
 */
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <yaml.h>

#include "base/enc.h"
#include "base/str.h"
#include "ext.h"
#include "yaml_emit.h"
#include "yaml_scalar.h"

#define TAG "tag:yaml.org,2002:"
#define DEPTH_MAX 500

/* A collection that is being read. */
struct frame {
	bool mapping;
	struct ext_list items;	/* elements, or keys and values in turn */
	struct ext_list merges; /* mappings that "<<" brings in */
	val key;		/* a key that waits for its value */
	bool merge;		/* it is "<<" */
	char *anchor;
};

struct anchor {
	struct anchor *next;
	val v; /* NULL: not complete */
	char name[];
};

struct reader {
	struct rego_eval *e;
	struct frame stack[DEPTH_MAX];
	size_t depth;
	struct anchor *anchors;
	val root;
	char text[256]; /* why it failed */
	int error;
};

static val fail(struct reader *r, const char *fmt, ...) format_printf(2, 3);
static val fail(struct reader *r, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	if (!r->error)
		vsnprintf(r->text, sizeof(r->text), fmt, ap);
	va_end(ap);
	r->error = -EBADMSG;
	return NULL;
}

/* --- scalars --- */

static val number(struct reader *r, const struct scalar *s)
{
	cleanup_with(buf_done) struct buf text = {0};
	if (s->kind == SCALAR_INF)
		return fail(r, "json: unsupported value: %s",
			isnan(s->number) ? "NaN"
			: s->negative	 ? "-Inf"
					 : "+Inf");
	if (s->kind == SCALAR_INT)
		buf_printf(
			&text, "%s%llu", s->negative ? "-" : "", (unsigned long long)s->magnitude);
	else
		go_float(&text, s->number, true);
	return rego_make_number(r->e, buf_slice(&text));
}

static val binary(struct reader *r, struct slice text)
{
	cleanup_with(buf_done) struct buf bytes = {0};
	if (b64_decode_lenient(&bytes, text, B64_STD, NULL) < 0)
		return fail(r, "yaml: !!binary value contains invalid base64 data");
	return rego_make_string(r->e, buf_slice(&bytes));
}

static const char *kind_tag(enum scalar_kind kind)
{
	static const char *const names[] = {[SCALAR_STR] = "str",
		[SCALAR_NULL] = "null",
		[SCALAR_TRUE] = "bool",
		[SCALAR_FALSE] = "bool",
		[SCALAR_INT] = "int",
		[SCALAR_FLOAT] = "float",
		[SCALAR_INF] = "float",
		[SCALAR_TIME] = "timestamp",
		[SCALAR_MERGE] = "merge"};
	return names[kind];
}

/* What the scalar means; false after a failure. */
static bool classify(struct reader *r, const yaml_event_t *ev, struct scalar *s, bool *is_binary)
{
	const char *tag = (const char *)ev->data.scalar.tag;
	struct slice text = slice_of(ev->data.scalar.value, ev->data.scalar.length);
	bool is_plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	*s = (struct scalar){.kind = SCALAR_STR};
	*is_binary = false;
	if (!tag || streq(tag, "")) {
		if (is_plain)
			*s = yaml_resolve(text);
		return true;
	}
	if (strncmp(tag, TAG, sizeof(TAG) - 1) != 0)
		return true;
	const char *name = tag + sizeof(TAG) - 1;
	*is_binary = streq(name, "binary");
	if (!streq(name, "bool") && !streq(name, "int") && !streq(name, "float") &&
		!streq(name, "null") && !streq(name, "timestamp") && !streq(name, "merge"))
		return true;
	*s = yaml_resolve(text);
	if (streq(name, "float") && s->kind == SCALAR_INT)
		*s = (struct scalar){.kind = SCALAR_FLOAT,
			.number = s->negative ? -(double)s->magnitude : (double)s->magnitude};
	if (streq(name, kind_tag(s->kind)))
		return true;
	fail(r, "yaml: cannot decode !!%s `%.*s` as a !!%s", kind_tag(s->kind),
		(int)MIN(text.size, (size_t)80), text.data, name);
	return false;
}

/* A key is text in JSON, whatever it was. */
static val scalar_key(struct reader *r, struct slice text, const struct scalar *s)
{
	cleanup_with(buf_done) struct buf out = {0};
	switch (s->kind) {
	case SCALAR_NULL:
		return fail(r, "unsupported map key of type: null");
	case SCALAR_TRUE:
	case SCALAR_FALSE:
		return rego_make_string(r->e, slice_str(s->kind == SCALAR_TRUE ? "true" : "false"));
	case SCALAR_INT:
		buf_printf(
			&out, "%s%llu", s->negative ? "-" : "", (unsigned long long)s->magnitude);
		break;
	case SCALAR_FLOAT:
		go_float32(&out, (float)s->number);
		break;
	case SCALAR_INF:
		buf_put_str(&out, isnan(s->number) ? ".nan" : s->negative ? "-.inf" : ".inf");
		break;
	default:
		return rego_make_string(r->e, text);
	}
	return rego_make_string(r->e, buf_slice(&out));
}

static val scalar_value(struct reader *r, struct slice text, const struct scalar *s)
{
	switch (s->kind) {
	case SCALAR_NULL:
		return rego_make_null();
	case SCALAR_TRUE:
	case SCALAR_FALSE:
		return rego_make_bool(s->kind == SCALAR_TRUE);
	case SCALAR_INT:
	case SCALAR_FLOAT:
	case SCALAR_INF:
		return number(r, s);
	default:
		return rego_make_string(r->e, text);
	}
}

/* --- collections --- */

static bool wants_key(const struct reader *r)
{
	return r->depth > 0 && r->stack[r->depth - 1].mapping && !r->stack[r->depth - 1].key;
}

static void add_merge(struct reader *r, struct frame *f, val v)
{
	static const char what[] = "yaml: map merge requires map or sequence of maps as the value";
	if (rego_type(v) == REGO_OBJECT) {
		ext_push(&f->merges, v);
		return;
	}
	if (rego_type(v) != REGO_ARRAY) {
		fail(r, what);
		return;
	}
	for (size_t i = 0; i < rego_count(v); i++) {
		if (rego_type(rego_item(v, i)) != REGO_OBJECT)
			fail(r, what);
		ext_push(&f->merges, rego_item(v, i));
	}
}

/* A complete value goes where the innermost open collection wants it. */
static void add(struct reader *r, val v)
{
	if (!v) {
		if (!r->error)
			r->error = REGO_ERR_MEMORY;
		return;
	}
	if (r->depth == 0) {
		r->root = v;
		return;
	}
	struct frame *f = &r->stack[r->depth - 1];
	if (!f->mapping) {
		ext_push(&f->items, v);
	} else if (!f->key) {
		/* A key that is no scalar, or an alias to one. */
		if (rego_type(v) == REGO_STRING)
			f->key = v;
		else
			fail(r, "yaml: invalid map key");
	} else if (f->merge) {
		add_merge(r, f, v);
		f->key = NULL;
		f->merge = false;
	} else {
		ext_push(&f->items, f->key);
		ext_push(&f->items, v);
		f->key = NULL;
	}
}

/* Own members win over merged ones, and earlier merged mappings over later ones. */
static val finish_mapping(struct reader *r, struct frame *f)
{
	if (f->merges.count == 0)
		return f->items.failed ? NULL
				       : rego_make_object(r->e, f->items.item, f->items.count / 2);
	struct ext_list all = {0};
	for (size_t i = f->merges.count; i-- > 0;)
		for (size_t k = 0; k < rego_count(f->merges.item[i]); k++) {
			ext_push(&all, rego_key(f->merges.item[i], k));
			ext_push(&all, rego_item(f->merges.item[i], k));
		}
	for (size_t i = 0; i < f->items.count; i++)
		ext_push(&all, f->items.item[i]);
	bool failed = all.failed || f->items.failed || f->merges.failed;
	val v = failed ? NULL : rego_make_object(r->e, all.item, all.count / 2);
	ext_list_done(&all);
	return v;
}

static void frame_done(struct frame *f)
{
	ext_list_done(&f->items);
	ext_list_done(&f->merges);
	free(f->anchor);
	*f = (struct frame){0};
}

static void set_anchor(struct reader *r, const char *name, val v)
{
	if (!name)
		return;
	size_t size = strlen(name) + 1;
	struct anchor *a = malloc(sizeof(*a) + size);
	if (!a) {
		r->error = -ENOMEM;
		return;
	}
	a->next = r->anchors;
	a->v = v;
	memcpy(a->name, name, size);
	r->anchors = a;
}

static void open_collection(struct reader *r, bool mapping, const yaml_char_t *anchor)
{
	if (r->depth == DEPTH_MAX) {
		fail(r, "yaml: exceeded max depth of %d", DEPTH_MAX);
		return;
	}
	set_anchor(r, (const char *)anchor, NULL);
	struct frame *f = &r->stack[r->depth++];
	*f = (struct frame){.mapping = mapping};
	f->anchor = anchor ? strdup((const char *)anchor) : NULL;
}

static void close_collection(struct reader *r)
{
	struct frame *f = &r->stack[r->depth - 1];
	val v = f->mapping ? finish_mapping(r, f) : ext_array(&f->items, r->e);
	if (f->anchor)
		set_anchor(r, f->anchor, v);
	frame_done(f);
	r->depth--;
	add(r, v);
}

static void read_alias(struct reader *r, const char *name)
{
	for (const struct anchor *a = r->anchors; a; a = a->next) {
		if (!streq(a->name, name))
			continue;
		if (a->v)
			add(r, a->v);
		else
			fail(r, "yaml: anchor '%s' value contains itself", name);
		return;
	}
	fail(r, "yaml: unknown anchor '%s' referenced", name);
}

static void read_scalar(struct reader *r, const yaml_event_t *ev)
{
	struct slice text = slice_of(ev->data.scalar.value, ev->data.scalar.length);
	struct scalar s;
	bool is_binary, key = wants_key(r);
	if (!classify(r, ev, &s, &is_binary))
		return;
	val v = is_binary ? binary(r, text)
		: key	  ? scalar_key(r, text, &s)
			  : scalar_value(r, text, &s);
	set_anchor(r, (const char *)ev->data.scalar.anchor, v);
	if (key)
		r->stack[r->depth - 1].merge = s.kind == SCALAR_MERGE;
	add(r, v);
}

static void forget_anchors(struct reader *r)
{
	while (r->anchors) {
		struct anchor *next = r->anchors->next;
		free(r->anchors);
		r->anchors = next;
	}
}

static void read_event(struct reader *r, const yaml_event_t *ev)
{
	switch (ev->type) {
	case YAML_ALIAS_EVENT:
		read_alias(r, (const char *)ev->data.alias.anchor);
		break;
	case YAML_SCALAR_EVENT:
		read_scalar(r, ev);
		break;
	case YAML_SEQUENCE_START_EVENT:
		open_collection(r, false, ev->data.sequence_start.anchor);
		break;
	case YAML_MAPPING_START_EVENT:
		open_collection(r, true, ev->data.mapping_start.anchor);
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		close_collection(r);
		break;
	default:
		break;
	}
}

static void syntax_error(struct reader *r, const yaml_parser_t *p)
{
	size_t line = p->context_mark.line ? p->context_mark.line : p->problem_mark.line;
	const char *problem = p->problem ? p->problem : "unknown problem parsing YAML content";
	if (line && p->error == YAML_SCANNER_ERROR)
		line++;
	if (line)
		fail(r, "yaml: line %zu: %s", line, problem);
	else
		fail(r, "yaml: %s", problem);
}

/* The first document; those after it must be well-formed, but are dropped. */
static int read_yaml(struct rego_eval *e, struct slice text, val *ret, char *why, size_t why_size)
{
	struct reader *r = calloc(1, sizeof(*r));
	yaml_parser_t p;
	yaml_event_t ev;
	bool first = true;
	if (!r)
		return -ENOMEM;
	if (!yaml_parser_initialize(&p)) {
		free(r);
		return -ENOMEM;
	}
	r->e = e;
	r->root = rego_make_null();
	yaml_parser_set_input_string(&p, text.size ? text.data : (const uint8_t *)"", text.size);
	for (bool end = false; !end && !r->error;) {
		if (!yaml_parser_parse(&p, &ev)) {
			syntax_error(r, &p);
			break;
		}
		if (first)
			read_event(r, &ev);
		end = ev.type == YAML_STREAM_END_EVENT || ev.type == YAML_NO_EVENT;
		first &= ev.type != YAML_DOCUMENT_END_EVENT;
		yaml_event_delete(&ev);
	}
	yaml_parser_delete(&p);
	while (r->depth > 0)
		frame_done(&r->stack[--r->depth]);
	forget_anchors(r);
	int error = r->error;
	*ret = r->root;
	snprintf(why, why_size, "%s", r->text);
	free(r);
	return error;
}

/* --- built-ins --- */

static int unmarshal(struct rego_call *call, const val *arg, size_t count, val *ret)
{
	char why[256];
	val v;
	if (rego_type(arg[0]) != REGO_STRING)
		return rego_call_type_error(call, 1, "string", arg[0]);
	int r = read_yaml(rego_call_eval(call), rego_text(arg[0]), &v, why, sizeof(why));
	if (r == -EBADMSG)
		return rego_call_fail(call, "%s", why);
	return r < 0 ? r : ext_return(ret, v);
}

static int is_valid(struct rego_call *call, const val *arg, size_t count, val *ret)
{
	char why[256];
	val v;
	int r = rego_type(arg[0]) != REGO_STRING
			? -EBADMSG
			: read_yaml(rego_call_eval(call), rego_text(arg[0]), &v, why, sizeof(why));
	if (r < 0 && r != -EBADMSG)
		return r;
	*ret = rego_make_bool(r == 0);
	return 0;
}

static int marshal(struct rego_call *call, const val *arg, size_t count, val *ret)
{
	cleanup_with(buf_done) struct buf out = {0};
	int r = yaml_emit(&out, arg[0]);
	if (r == -EBADMSG)
		return rego_call_fail(call, "yaml: control characters are not allowed");
	if (r < 0 && !buf_error(&out))
		return rego_call_fail(call, "yaml: the value is nested too deeply");
	return ext_return(ret, ext_buf(call, &out));
}

const struct rego_builtin ext_yaml_list[] = {
	{"yaml.marshal", 1, marshal},
	{"yaml.unmarshal", 1, unmarshal},
	{"yaml.is_valid", 1, is_valid},
};
const size_t ext_yaml_count = ARRAY_COUNT(ext_yaml_list);
