/* SPDX-License-Identifier: Apache-2.0 */
/* Source trees as values, in the form of OPA's JSON. */
#include "base/buf.h"
#include "base/enc.h"
#include "rego/module_tree.h"

#define MEMBERS 8

struct tree {
	struct mem *m;
	uint32_t wildcards;
};

struct members {
	struct pair item[MEMBERS];
	uint32_t count;
};

static void put(struct tree *t, struct members *o, const char *name, rv v)
{
	if (v && o->count < MEMBERS)
		o->item[o->count++] = (struct pair){value_cstr(t->m, name), v};
}

static rv object(struct tree *t, const struct members *o)
{
	return value_object(t->m, o->item, o->count);
}

static rv array(struct tree *t, const struct list *l)
{
	return value_array(t->m, l->item, l->count);
}

static rv typed(struct tree *t, const char *type, rv v)
{
	struct members o = {0};
	put(t, &o, "type", value_cstr(t->m, type));
	put(t, &o, "value", v);
	return object(t, &o);
}

static rv term(struct tree *t, const struct node *n);
static rv body(struct tree *t, const struct body *b);

static rv variable(struct tree *t, struct slice name)
{
	char wild[16];
	if (name.size)
		return typed(t, "var", value_string(t->m, name));
	snprintf(wild, sizeof(wild), "$%u", t->wildcards++);
	return typed(t, "var", value_cstr(t->m, wild));
}

/* "a.b" as the reference of a function. */
static rv operator(struct tree *t, struct slice name)
{
	struct list l = {0};
	size_t from = 0;
	for (size_t i = 0; i <= name.size; i++) {
		if (i < name.size && name.data[i] != '.')
			continue;
		struct slice part = {name.data + from, i - from};
		list_push(t->m, &l,
			from ? typed(t, "string", value_string(t->m, part)) : variable(t, part));
		from = i + 1;
	}
	return typed(t, "ref", array(t, &l));
}

static bool is_root(const struct node *n)
{
	return n->kind == NODE_VAR &&
	       (slice_eq_str(n->name, "input") || slice_eq_str(n->name, "data"));
}

static rv parts(struct tree *t, const struct node *n)
{
	struct list l = {0};
	if (n->kind == NODE_VAR)
		list_push(t->m, &l, variable(t, n->name));
	for (uint32_t i = 0; n->kind == NODE_REF && i < n->count; i++)
		list_push(t->m, &l,
			i == 0 && n->item[i]->kind == NODE_VAR ? variable(t, n->item[i]->name)
							       : term(t, n->item[i]));
	return array(t, &l);
}

static void call(struct tree *t, const struct node *n, struct list *l)
{
	if (!n->callee)
		list_push(t->m, l, operator(t, n->name));
	else
		list_push(t->m, l, typed(t, "ref", parts(t, n->callee)));
	for (uint32_t i = 0; i < n->count; i++)
		list_push(t->m, l, term(t, n->item[i]));
}

static rv constant(struct tree *t, rv v)
{
	static const char *const names[] = {
		[REGO_BOOL] = "boolean", [REGO_NUMBER] = "number", [REGO_STRING] = "string"};
	struct list l = {0};
	if (v->type == REGO_NULL)
		return typed(t, "null", &value_empty_object);
	if (!value_is_collection(v))
		return typed(t, names[v->type], v);
	for (uint32_t i = 0; i < v->count; i++) {
		if (v->type != REGO_OBJECT) {
			list_push(t->m, &l, constant(t, v->item[i]));
			continue;
		}
		rv pair[2] = {constant(t, v->pair[i].key), constant(t, v->pair[i].val)};
		list_push(t->m, &l, value_array(t->m, pair, 2));
	}
	return typed(t,
		v->type == REGO_ARRAY ? "array"
		: v->type == REGO_SET ? "set"
				      : "object",
		array(t, &l));
}

/* Where OPA sorts a term of a set: constants, variables, then the rest as written. */
static unsigned rank(const struct node *n)
{
	if (n->kind == NODE_CONST && !value_is_collection(n->value))
		return n->value->type;
	return n->kind == NODE_VAR ? REGO_STRING + 1 : REGO_STRING + 2;
}

static bool precedes(const struct node *a, const struct node *b)
{
	unsigned x = rank(a), y = rank(b);
	if (x != y || x > REGO_STRING)
		return x < y;
	return value_compare(a->value, b->value) < 0;
}

/* @step: 1 for sets, 2 for keys with their values. */
static rv sorted(struct tree *t, const struct node *n, uint32_t step)
{
	struct list l = {0};
	uint32_t count = n->count / step;
	uint32_t *order = mem_array(t->m, count + 1, sizeof(*order));
	for (uint32_t i = 0; i < count; i++) {
		uint32_t at = i;
		for (; at > 0 && precedes(n->item[i * step], n->item[order[at - 1] * step]); at--)
			order[at] = order[at - 1];
		order[at] = i;
	}
	mem_spend(t->m, (uint64_t)count * count);
	for (uint32_t i = 0; i < count; i++) {
		struct node **item = n->item + (size_t)order[i] * step;
		if (step == 1) {
			list_push(t->m, &l, term(t, item[0]));
			continue;
		}
		rv pair[2] = {term(t, item[0]), term(t, item[1])};
		list_push(t->m, &l, value_array(t->m, pair, 2));
	}
	return array(t, &l);
}

static rv comprehension(struct tree *t, const struct node *n)
{
	struct members o = {0};
	bool pair = n->kind == NODE_OBJECT_COMP;
	put(t, &o, pair ? "key" : "term", term(t, n->item[0]));
	if (pair)
		put(t, &o, "value", term(t, n->item[1]));
	put(t, &o, "body", body(t, n->body));
	return typed(t,
		pair			     ? "objectcomprehension"
		: n->kind == NODE_ARRAY_COMP ? "arraycomprehension"
					     : "setcomprehension",
		object(t, &o));
}

static rv template(struct tree *t, const struct node *n)
{
	struct list l = {0};
	struct members o = {0};
	for (uint32_t i = 0; i < n->count; i++) {
		struct members part = {0};
		if (n->item[i]->kind == NODE_CONST && n->item[i]->value->type == REGO_STRING) {
			list_push(t->m, &l, term(t, n->item[i]));
			continue;
		}
		put(t, &part, "index", value_int(t->m, 0));
		put(t, &part, "terms", term(t, n->item[i]));
		list_push(t->m, &l, object(t, &part));
	}
	put(t, &o, "multi_line", value_bool(false));
	put(t, &o, "parts", array(t, &l));
	return typed(t, "templatestring", object(t, &o));
}

static rv term(struct tree *t, const struct node *n)
{
	struct list l = {0};
	switch (n->kind) {
	case NODE_CONST:
		return constant(t, n->value);
	case NODE_VAR:
		return is_root(n) ? typed(t, "ref", parts(t, n)) : variable(t, n->name);
	case NODE_REF:
		return typed(t, "ref", parts(t, n));
	case NODE_CALL:
		call(t, n, &l);
		return typed(t, "call", array(t, &l));
	case NODE_ARRAY:
		for (uint32_t i = 0; i < n->count; i++)
			list_push(t->m, &l, term(t, n->item[i]));
		return typed(t, "array", array(t, &l));
	case NODE_SET:
		return typed(t, "set", sorted(t, n, 1));
	case NODE_OBJECT:
		return typed(t, "object", sorted(t, n, 2));
	case NODE_TEMPLATE:
		return template(t, n);
	default:
		return comprehension(t, n);
	}
}

static rv statement(struct tree *t, const struct literal *lit)
{
	struct list l = {0};
	struct members o = {0};
	switch (lit->kind) {
	case LIT_SOME:
		if (lit->expr)
			list_push(t->m, &l, term(t, lit->expr));
		for (uint32_t i = 0; !lit->expr && i < lit->decl_count; i++)
			list_push(t->m, &l, term(t, lit->decl[i]));
		put(t, &o, "symbols", array(t, &l));
		return object(t, &o);
	case LIT_EVERY:
		put(t, &o, "key", lit->key ? term(t, lit->key) : NULL);
		put(t, &o, "value", term(t, lit->val));
		put(t, &o, "domain", term(t, lit->domain));
		put(t, &o, "body", body(t, lit->body));
		return object(t, &o);
	case LIT_EXPR:
		break;
	}
	if (lit->expr->kind != NODE_CALL)
		return term(t, lit->expr);
	call(t, lit->expr, &l);
	return array(t, &l);
}

static rv modifiers(struct tree *t, const struct literal *lit)
{
	struct list l = {0};
	for (uint32_t i = 0; i < lit->with_count; i++) {
		struct members o = {0};
		const struct node *target = lit->with[i].target;
		put(t, &o, "target",
			target->kind == NODE_VAR ? typed(t, "ref", parts(t, target))
						 : term(t, target));
		put(t, &o, "value", term(t, lit->with[i].value));
		list_push(t->m, &l, object(t, &o));
	}
	return array(t, &l);
}

/* NULL: the body that a rule without one has. */
static rv body(struct tree *t, const struct body *b)
{
	struct list l = {0};
	struct members all = {0};
	if (!b) {
		put(t, &all, "generated", &value_true);
		put(t, &all, "index", value_int(t->m, 0));
		put(t, &all, "terms", constant(t, &value_true));
		list_push(t->m, &l, object(t, &all));
	}
	for (uint32_t i = 0; b && i < b->count; i++) {
		struct members o = {0};
		const struct literal *lit = b->lit[i];
		put(t, &o, "index", value_int(t->m, i));
		if (lit->negated)
			put(t, &o, "negated", &value_true);
		put(t, &o, "terms", statement(t, lit));
		if (lit->with_count)
			put(t, &o, "with", modifiers(t, lit));
		list_push(t->m, &l, object(t, &o));
	}
	return array(t, &l);
}

static rv head(struct tree *t, const struct rule *r, const struct rule *first)
{
	struct members o = {0};
	struct list args = {0};
	const struct node *h = first->head;
	uint32_t size = h->kind == NODE_REF ? h->count : 1;
	const struct node *name = h->kind == NODE_REF ? h->item[0] : h;
	bool entry = size == 2 && r->value && !first->is_function && !first->is_contains;
	if (size == 1 || entry)
		put(t, &o, "name", value_string(t->m, name->name));
	put(t, &o, "ref", parts(t, h));
	if (first->is_contains)
		put(t, &o, "key", term(t, first->key));
	else if (entry)
		put(t, &o, "key", term(t, h->item[1]));
	for (uint32_t i = 0; first->is_function && i < first->arg_count; i++)
		list_push(t->m, &args, term(t, first->arg[i]));
	if (args.count)
		put(t, &o, "args", array(t, &args));
	if (r->value)
		put(t, &o, "value", term(t, r->value));
	else if (!first->is_contains)
		put(t, &o, "value", constant(t, &value_true));
	if (r->is_assign)
		put(t, &o, "assign", &value_true);
	return object(t, &o);
}

static rv rule(struct tree *t, const struct rule *r, const struct rule *first)
{
	struct members o = {0};
	put(t, &o, "head", head(t, r, first));
	put(t, &o, "body", body(t, r->body));
	if (r->is_default)
		put(t, &o, "default", &value_true);
	if (r->orelse)
		put(t, &o, "else", rule(t, r->orelse, first));
	return object(t, &o);
}

static rv imports(struct tree *t, const struct import *i)
{
	struct list l = {0};
	for (; i; i = i->next) {
		struct members o = {0};
		put(t, &o, "path", typed(t, "ref", parts(t, i->path)));
		if (i->renamed)
			put(t, &o, "alias", value_string(t->m, i->alias));
		list_push(t->m, &l, object(t, &o));
	}
	return l.count ? array(t, &l) : NULL;
}

static rv base64(struct tree *t, struct slice s)
{
	struct buf b = buf_init(2 * s.size + 8);
	b64_encode(&b, s, B64_STD);
	char *copy = buf_error(&b) ? NULL : arena_copy(t->m->arena, buf_slice(&b));
	size_t size = b.size;
	buf_done(&b);
	if (!copy)
		mem_escape(t->m, REGO_ERR_MEMORY);
	return value_string(t->m, slice_of(copy, size));
}

static rv comments(struct tree *t, const struct module *m)
{
	struct list l = {0};
	for (uint32_t i = 0; m->comments && i < m->comments->count; i++) {
		const struct comment *c = &m->comments->item[i];
		struct members o = {0}, at = {0};
		put(t, &at, "file", value_cstr(t->m, m->file));
		put(t, &at, "row", value_int(t->m, c->row));
		put(t, &at, "col", value_int(t->m, c->col));
		put(t, &o, "Location", object(t, &at));
		put(t, &o, "Text", base64(t, slice_of(c->text.data + 1, c->text.size - 1)));
		list_push(t->m, &l, object(t, &o));
	}
	return l.count ? array(t, &l) : NULL;
}

rv module_tree(struct mem *m, const struct module *module)
{
	struct tree t = {.m = m};
	struct members o = {0}, package = {0};
	struct list rules = {0};
	const struct node *p = module->package;
	struct list path = {0};
	for (uint32_t i = 0; i < p->count; i++)
		list_push(
			m, &path, i == 0 ? variable(&t, slice_str("data")) : term(&t, p->item[i]));
	put(&t, &package, "path", array(&t, &path));
	put(&t, &o, "package", object(&t, &package));
	put(&t, &o, "imports", imports(&t, module->imports));
	for (const struct rule *r = module->rules; r; r = r->next)
		list_push(m, &rules, rule(&t, r, r));
	put(&t, &o, "rules", rules.count ? array(&t, &rules) : NULL);
	put(&t, &o, "comments", comments(&t, module));
	return object(&t, &o);
}
