/* SPDX-License-Identifier: Apache-2.0 */
#include "rego/fmt.h"

#include "base/str.h"

static bool body_equal(const struct body *a, const struct body *b);

static bool node_equal(const struct node *a, const struct node *b)
{
	if (!a || !b)
		return a == b;
	/* plus(a, b) is a + b. */
	const char *x = fmt_infix(a), *y = fmt_infix(b);
	if (a->kind != b->kind || a->count != b->count || (x && !(y && streq(x, y))))
		return false;
	bool member = fmt_is_member(a);
	if (member != fmt_is_member(b))
		return false;
	if (!x && !member && a->kind == NODE_CALL &&
		(!slice_eq(a->name, b->name) || !node_equal(a->callee, b->callee)))
		return false;
	if (a->kind == NODE_VAR && !slice_eq(a->name, b->name))
		return false;
	if (a->kind == NODE_CONST && !value_eq(a->value, b->value))
		return false;
	for (uint32_t i = 0; i < a->count; i++)
		if (!node_equal(a->item[i], b->item[i]))
			return false;
	return body_equal(a->body, b->body);
}

static bool literal_equal(const struct literal *a, const struct literal *b)
{
	if (a->kind != b->kind || a->negated != b->negated || a->decl_count != b->decl_count ||
		a->with_count != b->with_count || !node_equal(a->expr, b->expr) ||
		!node_equal(a->key, b->key) || !node_equal(a->val, b->val) ||
		!node_equal(a->domain, b->domain) || !body_equal(a->body, b->body))
		return false;
	for (uint32_t i = 0; i < a->decl_count; i++)
		if (!node_equal(a->decl[i], b->decl[i]))
			return false;
	for (uint32_t i = 0; i < a->with_count; i++)
		if (!node_equal(a->with[i].target, b->with[i].target) ||
			!node_equal(a->with[i].value, b->with[i].value))
			return false;
	return true;
}

static bool body_equal(const struct body *a, const struct body *b)
{
	if (!a || !b)
		return a == b;
	if (a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++)
		if (!literal_equal(a->lit[i], b->lit[i]))
			return false;
	return true;
}

static bool is_true_body(const struct body *b)
{
	return !b || (b->count == 1 && b->lit[0]->kind == LIT_EXPR && !b->lit[0]->negated &&
			     b->lit[0]->with_count == 0 && b->lit[0]->expr->kind == NODE_CONST &&
			     b->lit[0]->expr->value == &value_true);
}

static bool value_equal(const struct node *a, const struct node *b)
{
	bool x = !a || (a->kind == NODE_CONST && a->value == &value_true);
	bool y = !b || (b->kind == NODE_CONST && b->value == &value_true);
	return x && y ? true : node_equal(a, b);
}

static bool one_equal(const struct rule *a, const struct rule *b)
{
	if (a->arg_count != b->arg_count || a->is_function != b->is_function ||
		a->is_default != b->is_default || a->is_contains != b->is_contains ||
		!node_equal(a->head, b->head) || !node_equal(a->key, b->key) ||
		!value_equal(a->value, b->value))
		return false;
	for (uint32_t i = 0; i < a->arg_count; i++)
		if (!node_equal(a->arg[i], b->arg[i]))
			return false;
	return (is_true_body(a->body) && is_true_body(b->body)) || body_equal(a->body, b->body);
}

/* With the else chain. */
static bool rule_equal(const struct rule *a, const struct rule *b)
{
	for (; a && b; a = a->orelse, b = b->orelse)
		if (!one_equal(a, b))
			return false;
	return a == b;
}

static bool has_import(const struct module *m, const struct import *imp)
{
	for (const struct import *i = m->imports; i; i = i->next)
		if (!i->directive && node_equal(i->path, imp->path) &&
			slice_eq(i->alias, imp->alias))
			return true;
	return false;
}

bool module_equal(const struct module *a, const struct module *b, uint32_t *ret_row)
{
	*ret_row = a->package_loc.row;
	if (!node_equal(a->package, b->package))
		return false;
	for (const struct import *i = a->imports; i; i = i->next)
		if (!i->directive && !has_import(b, i))
			return false;
	for (const struct import *i = b->imports; i; i = i->next)
		if (!i->directive && !has_import(a, i))
			return false;
	const struct rule *x = a->rules, *y = b->rules;
	for (; x && y; x = x->next, y = y->next) {
		*ret_row = x->loc.row;
		if (!rule_equal(x, y))
			return false;
	}
	if (x || y)
		return false;
	/* No comment may get lost. */
	return !a->comments || !b->comments || a->comments->count == b->comments->count;
}
