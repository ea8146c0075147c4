/* SPDX-License-Identifier: Apache-2.0 */
#include "rego/annotate.h"

#include <stdarg.h>

#include "base/buf.h"
#include "base/str.h"

/* --- YAML, by the embedder's built-in --- */

static const struct builtin *find_yaml(const struct rego_compiler *c)
{
	for (const struct host_builtin *h = c->host; h; h = h->next)
		if (streq(h->builtin.name, "yaml.unmarshal") && h->builtin.arity == 1)
			return &h->builtin;
	return NULL;
}

static int yaml_program(const struct builtin *yaml, struct rego_program **ret, struct err *e)
{
	cleanup(rego_compiler_free) struct rego_compiler *c = rego_compiler_new(NULL);
	if (!c)
		return -ENOMEM;
	int r = rego_compiler_builtin(c, yaml->name, 1, yaml->host);
	if (r == 0)
		r = rego_compiler_module(
			c, "yaml", SLICE_LIT("package y\n\nv := yaml.unmarshal(input)"), e);
	return r < 0 ? r : rego_compiler_finish(c, ret, e);
}

/* @text as JSON, appended to @out. */
static int yaml_to_json(
	const struct rego_program *p, struct slice text, struct buf *out, struct err *e)
{
	struct rego_eval_options o = {.strict_errors = true, .max_memory = 16 << 20};
	cleanup(rego_eval_free) struct rego_eval *ev = rego_eval_new(p, &o);
	enum rego_outcome outcome = REGO_UNDEFINED;
	const struct rego_value *v = NULL;
	if (!ev)
		return -ENOMEM;
	rego_eval_input(ev, rego_make_string(ev, text));
	int r = rego_eval_path(ev, "data.y.v", &outcome, &v, e);
	if (r < 0)
		return r;
	if (outcome != REGO_VALUE)
		return err_set(e, -EBADMSG, "yaml: not understood");
	rego_json(out, v);
	return buf_error(out);
}

/* --- blocks --- */

struct block_text {
	const struct comment *first;
	uint32_t last_row;
	struct buf text;
};

static bool is_header(const struct comment *c)
{
	struct slice s = slice_cut(c->text, 1, c->text.size);
	while (s.size && (s.data[0] == ' ' || s.data[0] == '\t'))
		s = slice_cut(s, 1, s.size);
	return slice_eq_str(s, "METADATA");
}

/* The lines below the header, without '#'; returns the index after the block. */
static uint32_t read_block(const struct comments *list, uint32_t at, struct block_text *b)
{
	b->first = &list->item[at];
	b->last_row = b->first->row;
	buf_clear(&b->text);
	for (at++; at < list->count; at++) {
		const struct comment *c = &list->item[at];
		if (c->row != b->last_row + 1 || c->col != b->first->col)
			break;
		buf_put_slice(&b->text, slice_cut(c->text, 1, c->text.size));
		buf_put_u8(&b->text, '\n');
		b->last_row = c->row;
	}
	return at;
}

/* What the block stands above: a rule, the package, or nothing that can have metadata. */
static bool find_target(const struct module *m, uint32_t row, const struct rule **ret)
{
	uint32_t best = UINT32_MAX;
	bool found = false;
	*ret = NULL;
	if (m->package_loc.row > row) {
		best = m->package_loc.row;
		found = true;
	}
	for (const struct import *i = m->imports; i; i = i->next)
		if (i->loc.row > row && i->loc.row < best) {
			best = i->loc.row;
			found = false;
		}
	for (const struct rule *r = m->rules; r; r = r->next)
		if (r->loc.row > row && r->loc.row < best) {
			best = r->loc.row;
			*ret = r;
			found = true;
		}
	return found;
}

/* --- the fields --- */

struct reader {
	struct rego_compiler *c;
	struct module *module;
	struct loc loc;
	struct pair pair[16];
	uint32_t count;
};

static void complain(struct reader *r, const char *fmt, ...) format_printf(2, 3);
static void complain(struct reader *r, const char *fmt, ...)
{
	char text[256];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	diag_add(&r->c->mem, r->module->file, r->loc, "rego_parse_error", text);
}

static void put(struct reader *r, const char *name, rv v)
{
	if (v && r->count < ARRAY_COUNT(r->pair))
		r->pair[r->count++] = (struct pair){value_cstr(&r->c->mem, name), v};
}

static void put_typed(
	struct reader *r, rv from, const char *name, enum rego_type type, const char *want)
{
	rv v = value_get_str(from, slice_str(name));
	if (!v || v->type == REGO_NULL)
		return;
	/* YAML's numbers and booleans are text where text is wanted. */
	if (type == REGO_STRING && (v->type == REGO_NUMBER || v->type == REGO_BOOL))
		v = value_to_json(&r->c->mem, v);
	if (v->type != type) {
		complain(r, "annotation field '%s' must be %s", name, want);
	} else if (v->type == REGO_BOOL ? v == &value_true : v->count > 0) {
		put(r, name, v);
	}
}

static struct slice trim(struct slice s)
{
	while (s.size && s.data[0] == ' ')
		s = slice_cut(s, 1, s.size);
	while (s.size && s.data[s.size - 1] == ' ')
		s.size--;
	return s;
}

/* "Name <email>", or an object with both. */
static rv author(struct reader *r, rv v)
{
	struct mem *m = &r->c->mem;
	if (v->type != REGO_STRING)
		return v;
	struct slice s = value_slice(v), email = SLICE_EMPTY;
	const uint8_t *open = s.size ? memchr(s.data, '<', s.size) : NULL;
	if (open && s.data[s.size - 1] == '>') {
		size_t at = (size_t)(open - s.data);
		email = slice_cut(s, at + 1, s.size - at - 2);
		s = slice_cut(s, 0, at);
	}
	struct pair pair[2];
	uint32_t n = 0;
	s = trim(s);
	if (s.size)
		pair[n++] = (struct pair){value_cstr(m, "name"), value_string(m, s)};
	if (email.size)
		pair[n++] = (struct pair){value_cstr(m, "email"), value_string(m, email)};
	return value_object(m, pair, n);
}

/* A bare address is an object with it. */
static rv resource(struct reader *r, rv v)
{
	struct pair pair = {value_cstr(&r->c->mem, "ref"), v};
	return v->type == REGO_STRING ? value_object(&r->c->mem, &pair, 1) : v;
}

static void put_list(struct reader *r, rv from, const char *name, rv (*each)(struct reader *, rv))
{
	rv v = value_get_str(from, slice_str(name));
	if (!v || v->type == REGO_NULL)
		return;
	if (v->type != REGO_ARRAY) {
		complain(r, "annotation field '%s' must be a list", name);
		return;
	}
	rv *item = mem_array(&r->c->mem, v->count + 1, sizeof(rv));
	for (uint32_t i = 0; i < v->count; i++)
		item[i] = each ? each(r, v->item[i]) : v->item[i];
	if (v->count)
		put(r, name, value_array(&r->c->mem, item, v->count));
}

/* "a.b" as an array of its parts. */
static rv parts(struct mem *m, struct slice s)
{
	struct list l = {0};
	while (s.size) {
		const uint8_t *dot = memchr(s.data, '.', s.size);
		size_t n = dot ? (size_t)(dot - s.data) : s.size;
		list_push(m, &l, value_string(m, slice_cut(s, 0, n)));
		s = slice_cut(s, n + 1, s.size);
	}
	return value_array(m, l.item, l.count);
}

/* {input.x: schema.y} is {"path": ["input", "x"], "schema": ["schema", "y"]}. */
static rv schema(struct reader *r, rv v)
{
	struct mem *m = &r->c->mem;
	if (v->type != REGO_OBJECT || v->count != 1 || v->pair[0].key->type != REGO_STRING)
		return v;
	rv what = v->pair[0].val;
	struct pair pair[] = {{value_cstr(m, "path"), parts(m, value_slice(v->pair[0].key))},
		{value_cstr(m, what->type == REGO_STRING ? "schema" : "definition"),
			what->type == REGO_STRING ? parts(m, value_slice(what)) : what}};
	return value_object(m, pair, 2);
}

static const char *const scopes[] = {"rule", "document", "package", "subpackages"};

static bool read_scope(struct reader *r, rv from, const struct rule *rule, struct annotation *a)
{
	rv v = value_get_str(from, SLICE_LIT("scope"));
	rv entry = value_get_str(from, SLICE_LIT("entrypoint"));
	a->scope = !rule ? SCOPE_PACKAGE : entry == &value_true ? SCOPE_DOCUMENT : SCOPE_RULE;
	if (v && v->type != REGO_NULL) {
		size_t i = 0;
		while (i < ARRAY_COUNT(scopes) && !value_str_is(v, scopes[i]))
			i++;
		if (i == ARRAY_COUNT(scopes)) {
			complain(r, "invalid annotation scope, must be one of %s",
				"rule, document, package, subpackages");
			return false;
		}
		a->scope = (enum annotation_scope)i;
	}
	bool of_rule = a->scope == SCOPE_RULE || a->scope == SCOPE_DOCUMENT;
	if (of_rule != (rule != NULL)) {
		complain(r, "annotation scope '%s' must be applied to %s (have %s)",
			scopes[a->scope], of_rule ? "rule" : "package", rule ? "rule" : "package");
		return false;
	}
	return true;
}

static void add_annotation(struct reader *r, rv v, const struct rule *rule)
{
	struct annotation *a = mem_new(&r->c->mem, struct annotation);
	if (v->type != REGO_OBJECT) {
		complain(r, "%s",
			v->type == REGO_NULL ? "expected METADATA block, found whitespace"
					     : "METADATA must be a mapping");
		return;
	}
	*a = (struct annotation){.module = r->module, .rule = rule, .row = r->loc.row};
	if (!read_scope(r, v, rule, a))
		return;
	put(r, "scope", value_cstr(&r->c->mem, scopes[a->scope]));
	put_typed(r, v, "title", REGO_STRING, "a string");
	put_typed(r, v, "description", REGO_STRING, "a string");
	put_typed(r, v, "entrypoint", REGO_BOOL, "a boolean");
	put_list(r, v, "organizations", NULL);
	put_list(r, v, "related_resources", resource);
	put_list(r, v, "authors", author);
	put_list(r, v, "schemas", schema);
	put_typed(r, v, "custom", REGO_OBJECT, "a mapping");
	a->value = value_object(&r->c->mem, r->pair, r->count);
	*r->c->annotations_end = a;
	r->c->annotations_end = &a->next;
}

/* The JSON text of a block in the compiler's memory; NULL after a complaint. */
static char *block_json(
	struct reader *r, const struct rego_program *yaml, struct slice text, size_t *ret_size)
{
	cleanup_with(buf_done) struct buf json = buf_init(1 << 20);
	struct err e = {0};
	int error = yaml_to_json(yaml, text, &json, &e);
	*ret_size = json.size;
	if (error == 0)
		return arena_copy(r->c->mem.arena, buf_slice(&json));
	complain(r, "%s", err_text(&e, error));
	return NULL;
}

static void annotate_module(
	struct rego_compiler *c, struct module *m, const struct rego_program *yaml)
{
	struct block_text b = {.text = buf_init(1 << 20)};
	for (uint32_t at = 0; at < m->comments->count;) {
		if (!is_header(&m->comments->item[at])) {
			at++;
			continue;
		}
		at = read_block(m->comments, at, &b);
		const struct comment *h = b.first;
		uint32_t offset = (uint32_t)(h->text.data - m->source.data);
		struct reader r = {.c = c, .module = m, .loc = {h->row, h->col, offset, offset}};
		const struct rule *rule;
		size_t size;
		char *text = block_json(&r, yaml, buf_slice(&b.text), &size);
		rv v = NULL;
		/* Nothing may escape while the buffer is ours: parse from a copy. */
		if (!text || !find_target(m, b.last_row, &rule))
			continue;
		buf_done(&b.text);
		if (rego_json_parse(&c->mem, slice_of(text, size), 64, &v, NULL) == 0)
			add_annotation(&r, v, rule);
	}
	buf_done(&b.text);
}

void annotate_modules(struct rego_compiler *c)
{
	const struct builtin *yaml = find_yaml(c);
	c->annotations_end = &c->annotations;
	for (struct module *m = c->modules; m && yaml; m = m->next) {
		if (!m->comments)
			continue;
		if (!c->yaml && yaml_program(yaml, &c->yaml, NULL) < 0)
			return;
		annotate_module(c, m, c->yaml);
	}
}

/* --- use --- */

rv annotation_rule(struct rego_compiler *c, const struct rule *rule)
{
	rv found = &value_empty_object;
	/* The block closest to the rule is the last one. */
	for (const struct annotation *a = c->annotations; a; a = a->next)
		if (a->rule == rule && a->scope == SCOPE_RULE)
			found = a->value;
	return found;
}

static rv path_value(struct mem *m, const struct cnode *n)
{
	uint32_t depth = 0;
	for (const struct cnode *k = n; k->parent; k = k->parent)
		depth++;
	rv *item = mem_array(m, depth + 1, sizeof(rv));
	for (uint32_t i = depth; n->parent; n = n->parent)
		item[--i] = n->key;
	return value_array(m, item, depth);
}

static void push_link(struct mem *m, struct list *l, const struct cnode *path, rv annotations)
{
	struct pair pair[] = {{value_cstr(m, "path"), path_value(m, path)},
		{value_cstr(m, "annotations"), annotations}};
	list_push(m, l, value_object(m, pair, annotations ? 2 : 1));
}

static bool same_rule(const struct cgroup *g, const struct rule *rule)
{
	if (g->fallback && g->fallback->rule == rule)
		return true;
	for (const struct cdef *d = g->defs; d; d = d->next)
		if (d->rule == rule)
			return true;
	return false;
}

rv annotation_chain(struct rego_compiler *c, const struct rule *rule, const struct cgroup *group)
{
	struct mem *m = &c->mem;
	struct list l = {0};
	const struct cnode *package = cnode_package(c, rule->module);
	for (uint32_t row = UINT32_MAX;;) {
		const struct annotation *best = NULL;
		for (const struct annotation *a = c->annotations; a; a = a->next)
			if (a->rule == rule && a->scope == SCOPE_RULE && a->row < row &&
				(!best || a->row > best->row))
				best = a;
		if (!best)
			break;
		push_link(m, &l, group->node, best->value);
		row = best->row;
	}
	if (l.count == 0)
		push_link(m, &l, group->node, NULL);
	for (const struct annotation *a = c->annotations; a; a = a->next)
		if (a->scope == SCOPE_DOCUMENT && same_rule(group, a->rule))
			push_link(m, &l, group->node, a->value);
	for (const struct annotation *a = c->annotations; a; a = a->next)
		if (a->scope == SCOPE_PACKAGE && cnode_package(c, a->module) == package)
			push_link(m, &l, package, a->value);
	for (const struct cnode *n = package; n; n = n->parent)
		for (const struct annotation *a = c->annotations; a; a = a->next)
			if (a->scope == SCOPE_SUBPACKAGES && cnode_package(c, a->module) == n)
				push_link(m, &l, n, a->value);
	return value_array(m, l.item, l.count);
}
