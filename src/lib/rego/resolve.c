/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names to variables, paths of `data` and `input`, and functions.
 *
 * A name is, in this order: a variable of an enclosing body that is declared so far; the root
 * documents; an import; a rule of the package; else a new variable. An undeclared variable belongs
 * to the outermost body that mentions it outside of a comprehension.
 */
#include "rego/compile.h"

struct scope *scope_push(struct unit *u, struct closure *closure)
{
	struct scope *s = mem_new(u->m, struct scope);
	s->parent = u->scope;
	s->closure = closure ? closure : u->scope ? u->scope->closure : NULL;
	u->scope = s;
	return s;
}

static void scope_pop(struct unit *u)
{
	u->scope = u->scope->parent;
}

static struct closure *new_closure(struct unit *u)
{
	struct closure *k = mem_new(u->m, struct closure);
	k->parent = u->scope ? u->scope->closure : NULL;
	return k;
}

static struct var *new_var(struct unit *u, struct slice name, struct loc loc)
{
	struct var *v = mem_new(u->m, struct var);
	v->name = name;
	v->loc = loc;
	v->closure = u->scope->closure;
	v->slot = gen_slot(u);
	v->next = u->scope->vars;
	u->scope->vars = v;
	return v;
}

struct var *scope_declare(struct unit *u, struct slice name, struct loc loc)
{
	struct var *v = new_var(u, name, loc);
	v->declared = true;
	return v;
}

static struct var *lookup(const struct unit *u, struct slice name)
{
	for (const struct scope *s = u->scope; s; s = s->parent)
		for (struct var *v = s->vars; v; v = v->next)
			if (slice_eq(v->name, name))
				return v;
	return NULL;
}

static struct term *term_new(struct unit *u, enum node_kind kind, struct loc loc)
{
	struct term *t = mem_new(u->m, struct term);
	t->kind = kind;
	t->loc = loc;
	return t;
}

struct term *term_const(struct unit *u, rv v, struct loc loc)
{
	struct term *t = term_new(u, NODE_CONST, loc);
	t->value = v;
	return t;
}

static struct term *local(struct unit *u, struct var *v, struct loc loc)
{
	struct term *t = term_new(u, NODE_LOCAL, loc);
	t->var = v;
	v->used = true;
	return t;
}

static struct term *root(struct unit *u, bool is_input, struct loc loc)
{
	struct term *t = term_new(u, NODE_ROOT, loc);
	t->is_input = is_input;
	return t;
}

/* data, the package's path and @name as a reference. */
static struct term *package_ref(struct unit *u, struct slice name, struct loc loc)
{
	const struct node *package = u->module->package;
	struct term *t = term_new(u, NODE_REF, loc);
	t->count = package->count + 1;
	t->item = mem_array(u->m, t->count, sizeof(*t->item));
	t->item[0] = root(u, false, loc);
	for (uint32_t i = 1; i < package->count; i++)
		t->item[i] = term_const(u, package->item[i]->value, loc);
	t->item[package->count] = term_const(u, value_string(u->m, name), loc);
	return t;
}

static struct term *import_ref(struct unit *u, const struct import *imp, struct loc loc)
{
	const struct node *p = imp->path;
	struct slice first = p->kind == NODE_VAR ? p->name : p->item[0]->name;
	struct term *head = root(u, slice_eq_str(first, "input"), loc);
	if (p->kind == NODE_VAR)
		return head;
	struct term *t = term_new(u, NODE_REF, loc);
	t->count = p->count;
	t->item = mem_array(u->m, t->count, sizeof(*t->item));
	t->item[0] = head;
	for (uint32_t i = 1; i < p->count; i++)
		t->item[i] = term_const(u, p->item[i]->value, loc);
	return t;
}

/* What @name means outside of the bodies; NULL when nothing. */
static struct term *global(struct unit *u, struct slice name, struct loc loc)
{
	if (slice_eq_str(name, "input"))
		return root(u, true, loc);
	if (slice_eq_str(name, "data"))
		return root(u, false, loc);
	if (!u->module)
		return NULL;
	for (struct import *imp = u->module->imports; imp; imp = imp->next)
		if (slice_eq(imp->alias, name)) {
			imp->used = true;
			return import_ref(u, imp, loc);
		}
	/* A package below this one is not in scope by its bare name: only rules are. */
	const struct cnode *n = cnode_child(u->package, value_string(u->m, name));
	return n && n->named ? package_ref(u, name, loc) : NULL;
}

static struct term *resolve_var(struct unit *u, const struct node *n)
{
	if (n->name.size == 0) {
		struct var *v = new_var(u, SLICE_EMPTY, n->loc);
		/* Wildcards are never looked up again. */
		u->scope->vars = v->next;
		return local(u, v, n->loc);
	}
	struct var *v = lookup(u, n->name);
	if (v)
		return local(u, v, n->loc);
	struct term *t = global(u, n->name, n->loc);
	if (t)
		return t;
	return local(u, new_var(u, n->name, n->loc), n->loc);
}

/* Bounded by the parser's depth. */
static bool is_constant(const struct node *n)
{
	if (n->kind != NODE_ARRAY && n->kind != NODE_SET && n->kind != NODE_OBJECT)
		return n->kind == NODE_CONST;
	for (uint32_t i = 0; i < n->count; i++)
		if (!is_constant(n->item[i]))
			return false;
	return true;
}

/* Collections of constants are constants. */
static rv constant_of(struct unit *u, const struct node *n)
{
	if (n->kind == NODE_CONST)
		return n->value;
	rv *item = mem_array(u->m, n->count + 1, sizeof(rv));
	for (uint32_t i = 0; i < n->count; i++)
		item[i] = constant_of(u, n->item[i]);
	if (n->kind == NODE_ARRAY)
		return value_array(u->m, item, n->count);
	if (n->kind == NODE_SET)
		return value_set(u->m, item, n->count);
	return value_object(u->m, (const struct pair *)(const void *)item, n->count / 2);
}

static void resolve_items(struct unit *u, const struct node *n, struct term *t)
{
	t->count = n->count;
	t->item = mem_array(u->m, n->count + 1, sizeof(*t->item));
	for (uint32_t i = 0; i < n->count; i++)
		t->item[i] = resolve_term(u, n->item[i]);
}

static void resolve_ref(struct unit *u, const struct node *n, struct term *t)
{
	struct term *head = resolve_term(u, n->item[0]);
	/* A head that is a path itself is made one with this path. */
	uint32_t lead = head->kind == NODE_REF ? head->count : 1;
	t->count = lead + n->count - 1;
	t->item = mem_array(u->m, t->count, sizeof(*t->item));
	if (head->kind == NODE_REF)
		memcpy(t->item, head->item, lead * sizeof(*t->item));
	else
		t->item[0] = head;
	for (uint32_t i = 1; i < n->count; i++)
		t->item[lead + i - 1] = resolve_term(u, n->item[i]);
	check_ref(u, t, n->item[0]);
}

static void resolve_comprehension(struct unit *u, const struct node *n, struct term *t)
{
	t->closure = new_closure(u);
	scope_push(u, t->closure);
	t->body = resolve_body(u, n->body);
	resolve_items(u, n, t);
	scope_pop(u);
}

struct term *resolve_term(struct unit *u, const struct node *n)
{
	struct term *t;
	if (n->kind == NODE_VAR)
		return resolve_var(u, n);
	t = term_new(u, n->kind, n->loc);
	switch (n->kind) {
	case NODE_CONST:
		t->value = n->value;
		break;
	case NODE_REF:
		resolve_ref(u, n, t);
		break;
	case NODE_CALL:
		resolve_call(u, n, t);
		break;
	case NODE_ARRAY:
	case NODE_SET:
	case NODE_OBJECT:
		if (is_constant(n)) {
			t->kind = NODE_CONST;
			t->value = constant_of(u, n);
		} else {
			resolve_items(u, n, t);
		}
		break;
	case NODE_TEMPLATE:
		resolve_items(u, n, t);
		break;
	default:
		resolve_comprehension(u, n, t);
	}
	return t;
}

/* --- bodies --- */

void scope_declare_pattern(struct unit *u, const struct node *n)
{
	if (n->kind == NODE_VAR && n->name.size > 0) {
		scope_declare(u, n->name, n->loc);
	} else if (n->kind == NODE_ARRAY) {
		for (uint32_t i = 0; i < n->count; i++)
			scope_declare_pattern(u, n->item[i]);
	} else if (n->kind == NODE_OBJECT) {
		for (uint32_t i = 1; i < n->count; i += 2)
			scope_declare_pattern(u, n->item[i]);
	}
}

static bool is_call(const struct node *n, const char *name)
{
	return n && n->kind == NODE_CALL && !n->callee && slice_eq_str(n->name, name);
}

static bool declares(const struct node *pattern, struct slice name)
{
	if (pattern->kind == NODE_VAR)
		return slice_eq(pattern->name, name);
	if (pattern->kind == NODE_ARRAY || pattern->kind == NODE_OBJECT)
		for (uint32_t i = 0; i < pattern->count; i++)
			if (declares(pattern->item[i], name))
				return true;
	return false;
}

static bool body_declares(const struct body *b, struct slice name)
{
	for (uint32_t i = 0; i < b->count; i++) {
		const struct literal *lit = b->lit[i];
		if (lit->kind == LIT_SOME) {
			for (uint32_t k = 0; k < lit->decl_count; k++)
				if (declares(lit->decl[k], name))
					return true;
		} else if (is_call(lit->expr, "assign") && declares(lit->expr->item[0], name)) {
			return true;
		}
	}
	return false;
}

/* Make the undeclared variables that a body mentions outside of its closures. */
static void collect(struct unit *u, const struct body *b, const struct node *n)
{
	if (!n)
		return;
	if (n->kind == NODE_VAR) {
		if (n->name.size > 0 && !lookup(u, n->name) && !body_declares(b, n->name) &&
			!global(u, n->name, n->loc))
			new_var(u, n->name, n->loc);
		return;
	}
	if (n->kind >= NODE_ARRAY_COMP && n->kind <= NODE_OBJECT_COMP)
		return;
	for (uint32_t i = 0; i < n->count; i++)
		collect(u, b, n->item[i]);
}

/* `with f as count`: a built-in as the replacement, not a variable. */
static bool names_builtin(const struct node *n)
{
	char name[64];
	size_t size = 0;
	if (n->kind != NODE_VAR && n->kind != NODE_REF)
		return false;
	for (uint32_t i = 0; i < (n->kind == NODE_REF ? n->count : 1); i++) {
		const struct node *k = n->kind == NODE_REF ? n->item[i] : n;
		struct slice part = k->kind == NODE_VAR ? k->name
				    : k->kind == NODE_CONST && k->value->type == REGO_STRING
					    ? value_slice(k->value)
					    : SLICE_EMPTY;
		if (part.size == 0 || size + part.size + 1 >= sizeof(name))
			return false;
		if (i)
			name[size++] = '.';
		memcpy(name + size, part.data, part.size);
		size += part.size;
	}
	return builtin_find(slice_of(name, size)) != NULL;
}

static void collect_body(struct unit *u, const struct body *b)
{
	for (uint32_t i = 0; i < b->count; i++) {
		const struct literal *lit = b->lit[i];
		if (lit->kind == LIT_EXPR || lit->expr)
			collect(u, b, lit->expr);
		collect(u, b, lit->domain);
		for (uint32_t k = 0; k < lit->with_count; k++)
			if (!names_builtin(lit->with[k].value))
				collect(u, b, lit->with[k].value);
	}
}

static void resolve_every(struct unit *u, const struct literal *lit, struct stmt *s)
{
	s->domain = resolve_term(u, lit->domain);
	s->closure = new_closure(u);
	scope_push(u, s->closure);
	if (lit->key) {
		scope_declare_pattern(u, lit->key);
		s->key = resolve_term(u, lit->key);
	}
	scope_declare_pattern(u, lit->val);
	s->val = resolve_term(u, lit->val);
	s->body = resolve_body(u, lit->body);
	scope_pop(u);
}

static void resolve_assign(struct unit *u, const struct node *n, struct stmt *s)
{
	struct term *right = resolve_term(u, n->item[1]);
	scope_declare_pattern(u, n->item[0]);
	struct term *t = term_new(u, NODE_CALL, n->loc);
	t->name = SLICE_LIT("assign");
	t->count = 2;
	t->item = mem_array(u->m, 2, sizeof(*t->item));
	t->item[0] = resolve_term(u, n->item[0]);
	t->item[1] = right;
	if (t->item[0]->kind == NODE_LOCAL) {
		t->item[0]->var->types = term_types(u, right);
		t->item[0]->var->shape = n->item[1];
	}
	s->expr = t;
}

static void resolve_some(struct unit *u, const struct literal *lit, struct stmt *s)
{
	if (!lit->expr) {
		for (uint32_t i = 0; i < lit->decl_count; i++)
			scope_declare_pattern(u, lit->decl[i]);
		return;
	}
	const struct node *n = lit->expr;
	s->some_in = true;
	s->domain = resolve_term(u, n->item[n->count - 1]);
	for (uint32_t i = 0; i < lit->decl_count; i++)
		scope_declare_pattern(u, lit->decl[i]);
	if (lit->decl_count == 2)
		s->key = resolve_term(u, lit->decl[0]);
	s->val = resolve_term(u, lit->decl[lit->decl_count - 1]);
}

static struct stmt *resolve_literal(struct unit *u, const struct literal *lit)
{
	struct stmt *s = mem_new(u->m, struct stmt);
	s->kind = lit->kind;
	s->negated = lit->negated;
	s->loc = lit->loc;
	s->home = u->scope->closure;
	s->with_count = lit->with_count;
	if (lit->with_count) {
		s->with = mem_array(u->m, lit->with_count, sizeof(*s->with));
		for (uint32_t i = 0; i < lit->with_count; i++)
			resolve_with(u, &lit->with[i], &s->with[i]);
	}
	if (lit->kind == LIT_EVERY)
		resolve_every(u, lit, s);
	else if (lit->kind == LIT_SOME)
		resolve_some(u, lit, s);
	else if (is_call(lit->expr, "assign") && !lit->negated)
		resolve_assign(u, lit->expr, s);
	else
		s->expr = resolve_term(u, lit->expr);
	return s;
}

struct stmts *resolve_body(struct unit *u, const struct body *b)
{
	struct stmts *list = mem_new(u->m, struct stmts);
	collect_body(u, b);
	list->item = mem_array(u->m, b->count, sizeof(*list->item));
	for (uint32_t i = 0; i < b->count; i++) {
		struct stmt *s = resolve_literal(u, b->lit[i]);
		if (s->kind == LIT_SOME && !s->some_in)
			continue;
		list->item[list->count++] = s;
	}
	return list;
}
