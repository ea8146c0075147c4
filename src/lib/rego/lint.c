/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names: OPA's rules about declaring variables. A scope is a body with its closures; a name is an
 * argument, assigned (:=), declared (some) or merely seen, whichever came first.
 */
#include "rego/lint.h"

#include "base/str.h"

enum how { SEEN, ASSIGNED, DECLARED, ARGUMENT };

struct name {
	struct name *next;
	struct slice text;
	enum how how;
	uint32_t count;
	struct loc loc; /* of the statement that declared it */
};

struct names {
	struct names *outer;
	const struct body *body;
	struct name *first, **end;
};

struct lint {
	struct rego_compiler *c;
	struct module *module;
	struct names *scope;
	bool strict;	 /* what v1 and strict mode refuse */
	uint32_t before; /* errors before this rule */
};

/* BEFORE NAME AFTER */
static void report(struct lint *l, struct loc loc, const char *code, const char *before,
	struct slice name, const char *after)
{
	diag_addf(
		&l->c->mem, l->module->file, loc, code, "%s%.*s%s", before, SLICE_ARG(name), after);
}

static bool failed(const struct lint *l)
{
	return l->c->diags.count > l->before;
}

static void push(struct lint *l, struct names *scope, const struct body *body)
{
	*scope = (struct names){.outer = l->scope, .body = body};
	scope->end = &scope->first;
	l->scope = scope;
}

static void pop(struct lint *l)
{
	l->scope = l->scope->outer;
}

static struct name *find_in(const struct names *s, struct slice text)
{
	for (struct name *n = s->first; n; n = n->next)
		if (slice_eq(n->text, text))
			return n;
	return NULL;
}

static struct name *find(const struct lint *l, struct slice text)
{
	struct name *n = NULL;
	for (const struct names *s = l->scope; s && !n; s = s->outer)
		n = find_in(s, text);
	return n;
}

static struct name *add(struct lint *l, struct slice text, enum how how, struct loc loc)
{
	struct name *n = mem_new(&l->c->mem, struct name);
	*n = (struct name){.text = text, .how = how, .count = 1, .loc = loc};
	*l->scope->end = n;
	l->scope->end = &n->next;
	return n;
}

static bool in_pattern(const struct node *n, struct slice text)
{
	if (n->kind == NODE_VAR)
		return slice_eq(n->name, text);
	for (uint32_t i = 0; (n->kind == NODE_ARRAY || n->kind == NODE_OBJECT) && i < n->count; i++)
		if (in_pattern(n->item[i], text))
			return true;
	return false;
}

static bool is_assign(const struct node *n)
{
	return n && n->kind == NODE_CALL && !n->callee && slice_eq_str(n->name, "assign");
}

/* Whether a body around makes a variable of this name anywhere. */
static bool declared_around(const struct lint *l, struct slice text)
{
	for (const struct names *s = l->scope; s; s = s->outer)
		for (uint32_t i = 0; s->body && i < s->body->count; i++) {
			const struct literal *lit = s->body->lit[i];
			for (uint32_t k = 0; k < lit->decl_count; k++)
				if (in_pattern(lit->decl[k], text))
					return true;
			if (is_assign(lit->expr) && in_pattern(lit->expr->item[0], text))
				return true;
		}
	return false;
}

/* What a name means when no body declares it: a document, an import, a rule. */
static bool is_global(const struct lint *l, struct slice text)
{
	if (slice_eq_str(text, "input") || slice_eq_str(text, "data"))
		return true;
	for (const struct import *i = l->module->imports; i; i = i->next)
		if (slice_eq(i->alias, text))
			return true;
	const struct cnode *n =
		cnode_child(cnode_package(l->c, l->module), value_string(&l->c->mem, text));
	return n && n->named;
}

static void see(struct lint *l, struct slice text, struct loc loc)
{
	struct name *n = find(l, text);
	if (n)
		n->count++;
	else if (declared_around(l, text) || !is_global(l, text))
		add(l, text, SEEN, loc);
}

static void declare(struct lint *l, struct slice text, enum how how, struct loc loc, struct loc at)
{
	static const char *const after[] = {[SEEN] = " referenced above",
		[ASSIGNED] = " assigned above",
		[DECLARED] = " declared above",
		[ARGUMENT] = " redeclared"};
	const struct name *n = find_in(l->scope, text);
	if (text.size == 0)
		return;
	if (n)
		report(l, loc, "rego_compile_error", n->how == ARGUMENT ? "arg " : "var ", text,
			after[n->how]);
	else
		add(l, text, how, at);
}

/* --- terms --- */

static void lint_body(struct lint *l, const struct body *b);
static void lint_node(struct lint *l, const struct node *n);

static void lint_items(struct lint *l, const struct node *n)
{
	for (uint32_t i = 0; i < n->count; i++)
		lint_node(l, n->item[i]);
}

static void check_unused(struct lint *l, const struct body *b);

static void lint_comprehension(struct lint *l, const struct node *n)
{
	struct names scope;
	push(l, &scope, n->body);
	lint_body(l, n->body);
	lint_items(l, n);
	check_unused(l, n->body);
	pop(l);
}

static void lint_node(struct lint *l, const struct node *n)
{
	if (!n)
		return;
	if (n->kind == NODE_VAR) {
		if (n->name.size > 0)
			see(l, n->name, n->loc);
	} else if (n->kind >= NODE_ARRAY_COMP && n->kind <= NODE_OBJECT_COMP) {
		lint_comprehension(l, n);
	} else {
		lint_items(l, n);
	}
}

static bool is_deprecated(struct slice name)
{
	static const char *const names[] = {"all", "any", "cast_array", "cast_boolean", "cast_null",
		"cast_object", "cast_set", "cast_string", "net.cidr_overlap", "re_match",
		"set_diff"};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		if (slice_eq_str(name, names[i]))
			return true;
	return false;
}

/* Calls anywhere in a term, those in bodies of closures excepted. */
static void check_calls(struct lint *l, const struct node *n)
{
	if (!n)
		return;
	if (n->kind == NODE_CALL && n->callee) {
		const struct node *c = n->callee;
		char name[64] = "";
		if (c->kind == NODE_VAR)
			snprintf(name, sizeof(name), "%.*s", SLICE_ARG(c->name));
		else if (c->kind == NODE_REF && c->count == 2 && c->item[0]->kind == NODE_VAR &&
			 c->item[1]->kind == NODE_CONST)
			snprintf(name, sizeof(name), "%.*s.%.*s", SLICE_ARG(c->item[0]->name),
				SLICE_ARG(value_slice(c->item[1]->value)));
		if (is_deprecated(slice_str(name)) && !is_global(l, slice_str(name)))
			report(l, n->loc, diag_soft_type,
				"deprecated built-in function calls in expression: ",
				slice_str(name), "");
	}
	for (uint32_t i = 0; i < n->count; i++)
		check_calls(l, n->item[i]);
}

/* --- statements --- */

static void lint_target(struct lint *l, const struct node *n, struct loc at)
{
	if (n->kind == NODE_VAR) {
		bool root = slice_eq_str(n->name, "input") || slice_eq_str(n->name, "data");
		if (!(root && l->strict))
			declare(l, n->name, ASSIGNED, n->loc, at);
	} else if (n->kind == NODE_ARRAY) {
		for (uint32_t i = 0; i < n->count; i++)
			lint_target(l, n->item[i], at);
	} else if (n->kind == NODE_OBJECT) {
		for (uint32_t i = 0; i < n->count; i += 2) {
			lint_node(l, n->item[i]);
			lint_target(l, n->item[i + 1], at);
		}
	} else {
		static const char *const names[] = {[NODE_REF] = "ref",
			[NODE_CALL] = "call",
			[NODE_SET] = "set",
			[NODE_ARRAY_COMP] = "arraycomprehension",
			[NODE_SET_COMP] = "setcomprehension",
			[NODE_OBJECT_COMP] = "objectcomprehension",
			[NODE_TEMPLATE] = "templatestring"};
		const char *name =
			n->kind == NODE_CONST ? value_type_name(n->value) : names[n->kind];
		report(l, n->loc, "rego_compile_error", "cannot assign to ", slice_str(name), "");
	}
}

static void lint_assign(struct lint *l, const struct literal *lit)
{
	const struct node *n = lit->expr;
	if (lit->negated) {
		report(l, lit->loc, "rego_compile_error",
			"cannot assign vars inside negated expression", SLICE_EMPTY, "");
		return;
	}
	lint_node(l, n->item[1]);
	for (uint32_t i = 0; i < lit->with_count; i++)
		lint_node(l, lit->with[i].value);
	if (l->strict && n->item[0]->kind == NODE_VAR &&
		(slice_eq_str(n->item[0]->name, "input") || slice_eq_str(n->item[0]->name, "data")))
		report(l, lit->loc, diag_soft, "variables must not shadow ", n->item[0]->name,
			" (use a different variable name)");
	lint_target(l, n->item[0], lit->loc);
}

/* What a pattern binds; keys of objects are only used. */
static void lint_bound(struct lint *l, const struct node *n, struct loc at)
{
	if (n->kind == NODE_VAR) {
		if (n->name.size == 0)
			return;
		declare(l, n->name, DECLARED, at, at);
		see(l, n->name, n->loc);
	} else if (n->kind == NODE_ARRAY) {
		for (uint32_t i = 0; i < n->count; i++)
			lint_bound(l, n->item[i], at);
	} else if (n->kind == NODE_OBJECT) {
		for (uint32_t i = 1; i < n->count; i += 2) {
			lint_node(l, n->item[i - 1]);
			lint_bound(l, n->item[i], at);
		}
	} else {
		lint_node(l, n);
	}
}

static bool mentions(const struct node *n, struct slice name)
{
	if (n->kind == NODE_VAR)
		return slice_eq(n->name, name);
	for (uint32_t i = 0; i < n->count && !n->body; i++)
		if (mentions(n->item[i], name))
			return true;
	return false;
}

static void lint_some(struct lint *l, const struct literal *lit)
{
	const struct node *domain = lit->expr ? lit->expr->item[lit->expr->count - 1] : NULL;
	bool bad = false;
	for (uint32_t i = 0; domain && i < lit->decl_count; i++)
		if (lit->decl[i]->kind == NODE_VAR && lit->decl[i]->name.size > 0 &&
			mentions(domain, lit->decl[i]->name)) {
			report(l, lit->loc, "rego_compile_error", "var ", lit->decl[i]->name,
				" assigned before");
			bad = true;
		}
	if (bad)
		return;
	lint_node(l, domain);
	for (uint32_t i = 0; i < lit->decl_count; i++)
		if (domain)
			lint_bound(l, lit->decl[i], lit->loc);
		else
			declare(l, lit->decl[i]->name, DECLARED, lit->loc, lit->loc);
}

static void lint_every(struct lint *l, const struct literal *lit)
{
	struct names scope;
	lint_node(l, lit->domain);
	push(l, &scope, lit->body);
	if (lit->key && lit->key->kind == NODE_VAR)
		declare(l, lit->key->name, DECLARED, lit->loc, lit->loc);
	if (lit->val->kind == NODE_VAR)
		declare(l, lit->val->name, DECLARED, lit->loc, lit->loc);
	for (struct name *n = scope.first; n; n = n->next)
		n->count++;
	lint_body(l, lit->body);
	check_unused(l, lit->body);
	pop(l);
}

static void lint_literal(struct lint *l, const struct literal *lit)
{
	if (l->strict)
		check_calls(l, lit->expr ? lit->expr : lit->domain);
	if (is_assign(lit->expr))
		lint_assign(l, lit);
	else if (lit->kind == LIT_SOME)
		lint_some(l, lit);
	else if (lit->kind == LIT_EVERY)
		lint_every(l, lit);
	else
		lint_node(l, lit->expr);
	for (uint32_t i = 0; i < lit->with_count && !is_assign(lit->expr); i++) {
		lint_node(l, lit->with[i].target);
		lint_node(l, lit->with[i].value);
	}
}

static void lint_body(struct lint *l, const struct body *b)
{
	for (uint32_t i = 0; i < b->count; i++)
		lint_literal(l, b->lit[i]);
}

/* After everything that could use the names of the current scope was seen. */
static void check_unused(struct lint *l, const struct body *b)
{
	if (failed(l) || b->count == 0)
		return;
	for (const struct name *n = l->scope->first; n; n = n->next) {
		if (n->count > 1)
			continue;
		if (n->how == DECLARED)
			report(l, n->loc, diag_soft, "declared var ", n->text, " unused");
		else if (n->how == ASSIGNED && l->c->options.strict)
			report(l, n->loc, diag_soft, "assigned var ", n->text, " unused");
	}
}

/* --- rules --- */

static void lint_args(struct lint *l, const struct node *n)
{
	if (n->kind == NODE_VAR) {
		struct name *before = n->name.size > 0 ? find_in(l->scope, n->name) : NULL;
		if (before)
			before->count++; /* twice the same: a test */
		else if (n->name.size > 0)
			add(l, n->name, ARGUMENT, n->loc);
		return;
	}
	if (n->kind == NODE_ARRAY || n->kind == NODE_OBJECT)
		for (uint32_t i = 0; i < n->count; i++)
			lint_args(l, n->item[i]);
}

static void check_roots(struct lint *l, const struct rule *r)
{
	struct slice name = r->head->kind == NODE_VAR ? r->head->name : r->head->item[0]->name;
	if (slice_eq_str(name, "input") || slice_eq_str(name, "data"))
		report(l, r->loc, diag_soft, "rules must not shadow ", name,
			" (use a different rule name)");
	for (uint32_t i = 0; i < r->arg_count; i++)
		if (r->arg[i]->kind == NODE_VAR && (slice_eq_str(r->arg[i]->name, "input") ||
							   slice_eq_str(r->arg[i]->name, "data")))
			report(l, r->arg[i]->loc, diag_soft, "args must not shadow ",
				r->arg[i]->name, " (use a different variable name)");
}

/* One rule of an else chain; arguments keep their counts from one to the next. */
static void lint_one(struct lint *l, const struct rule *r, struct names *scope)
{
	struct name **end = &scope->first;
	scope->body = r->body;
	if (r->body)
		lint_body(l, r->body);
	if (r->head->kind == NODE_REF)
		for (uint32_t i = 1; i < r->head->count; i++)
			lint_node(l, r->head->item[i]);
	lint_node(l, r->key);
	lint_node(l, r->value);
	if (l->strict) {
		check_calls(l, r->key);
		check_calls(l, r->value);
	}
	if (r->body)
		check_unused(l, r->body);
	for (struct name *n = scope->first; n; n = n->next)
		if (n->how == ARGUMENT) {
			*end = n;
			end = &n->next;
		}
	*end = NULL;
	scope->end = end;
}

static void lint_rule(struct lint *l, const struct rule *r)
{
	struct names scope;
	l->before = l->c->diags.count;
	if (l->strict)
		check_roots(l, r);
	l->before = l->c->diags.count;
	push(l, &scope, NULL);
	for (uint32_t i = 0; i < r->arg_count; i++)
		lint_args(l, r->arg[i]);
	for (const struct rule *e = r; e; e = e->orelse)
		lint_one(l, e, &scope);
	for (const struct name *n = scope.first; l->c->options.strict && !failed(l) && n;
		n = n->next)
		if (n->count == 1)
			report(l, r->loc, diag_soft, "unused argument ", n->text,
				". (hint: use _ (wildcard variable) instead)");
	pop(l);
}

/* --- imports --- */

static void check_imports(struct lint *l)
{
	char text[512];
	for (const struct import *i = l->module->imports; i; i = i->next) {
		const struct import *k = l->module->imports;
		while (k != i && (k->directive || i->directive || !slice_eq(k->alias, i->alias)))
			k = k->next;
		if (k == i)
			continue;
		lint_import_text(text, sizeof(text), k);
		report(l, i->loc, diag_soft, "import must not shadow ", slice_str(text), "");
	}
}

void lint_modules(struct rego_compiler *c)
{
	for (struct module *m = c->modules; m; m = m->next) {
		struct lint l = {.c = c, .module = m, .strict = c->options.strict || m->v1};
		if (l.strict)
			check_imports(&l);
		for (const struct rule *r = m->rules; r; r = r->next)
			lint_rule(&l, r);
	}
}
