/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which statements can run given what is bound, so that bodies can be put in order: a variable must
 * be bound before it is used, except where a reference or a pattern binds it.
 */
#include "rego/compile.h"

static struct var *stmts_unsafe_outer(const struct stmts *b, const struct closure *outer);

/* Whether @v belongs to @k or a closure around it. */
static bool around(const struct var *v, const struct closure *k)
{
	for (; k; k = k->parent)
		if (v->closure == k)
			return true;
	return false;
}

/* The first variable of @outer, or around it, that @t mentions and that is not bound. */
static struct var *term_unsafe_outer(const struct term *t, const struct closure *outer)
{
	struct var *v = NULL;
	if (!t)
		return NULL;
	if (t->kind == NODE_LOCAL)
		return !t->var->bound && around(t->var, outer) ? t->var : NULL;
	for (uint32_t i = 0; i < t->count && !v; i++)
		v = term_unsafe_outer(t->item[i], outer);
	if (!v && t->body)
		v = stmts_unsafe_outer(t->body, outer);
	return v;
}

static struct var *stmt_unsafe_outer(const struct stmt *s, const struct closure *outer)
{
	struct var *v = term_unsafe_outer(s->expr, outer);
	if (!v)
		v = term_unsafe_outer(s->key, outer);
	if (!v)
		v = term_unsafe_outer(s->val, outer);
	if (!v)
		v = term_unsafe_outer(s->domain, outer);
	if (!v && s->body)
		v = stmts_unsafe_outer(s->body, outer);
	for (uint32_t i = 0; i < s->with_count && !v; i++)
		v = term_unsafe_outer(s->with[i].value, outer);
	return v;
}

static struct var *stmts_unsafe_outer(const struct stmts *b, const struct closure *outer)
{
	struct var *v = NULL;
	for (uint32_t i = 0; i < b->count && !v; i++)
		v = stmt_unsafe_outer(b->item[i], outer);
	return v;
}

/* A variable that keeps @t from being evaluated. References may bind their own index variables. */
struct var *term_unsafe(const struct term *t)
{
	struct var *v = NULL;
	switch ((int)t->kind) {
	case NODE_CONST:
	case 101: /* NODE_ROOT */
		return NULL;
	case 100: /* NODE_LOCAL */
		return t->var->bound ? NULL : t->var;
	case NODE_REF:
		v = term_unsafe(t->item[0]);
		for (uint32_t i = 1; i < t->count && !v; i++)
			if (!pattern_ready(t->item[i]))
				v = term_unsafe(t->item[i]);
		return v;
	case NODE_ARRAY_COMP:
	case NODE_SET_COMP:
	case NODE_OBJECT_COMP:
		v = stmts_unsafe_outer(t->body, t->closure->parent);
		for (uint32_t i = 0; i < t->count && !v; i++)
			v = term_unsafe_outer(t->item[i], t->closure->parent);
		return v;
	case NODE_CALL:
	case NODE_TEMPLATE:
	default:
		for (uint32_t i = 0; i < t->count && !v; i++)
			v = term_unsafe(t->item[i]);
		return v;
	}
}

/* Variables that evaluating references inside @t would bind. */
static void bind_generated(const struct term *t, bool bind, bool index)
{
	if (t->kind == NODE_LOCAL) {
		if (bind && index && !t->var->bound)
			t->var->bound = t->var->tentative = true;
		else if (!bind && t->var->tentative)
			t->var->bound = t->var->tentative = false;
		return;
	}
	if (t->body)
		return;
	for (uint32_t i = 0; i < t->count; i++)
		bind_generated(t->item[i], bind, t->kind == NODE_REF ? i > 0 : index);
}

bool term_ready(const struct term *t)
{
	return !term_unsafe(t);
}

bool pattern_ready(const struct term *t)
{
	switch ((int)t->kind) {
	case 100: /* NODE_LOCAL */
		return true;
	case NODE_ARRAY:
		for (uint32_t i = 0; i < t->count; i++)
			if (!pattern_ready(t->item[i]))
				return false;
		return true;
	case NODE_OBJECT:
		for (uint32_t i = 0; i < t->count; i += 2)
			if (!term_ready(t->item[i]) || !pattern_ready(t->item[i + 1]))
				return false;
		return true;
	default:
		return term_ready(t);
	}
}

static bool is_unify(const struct term *t)
{
	return t->kind == NODE_CALL && !t->builtin && !t->group;
}

/* Arguments of a call, of which the last may be its result. */
static struct var *call_unsafe(const struct term *t)
{
	uint32_t arity = t->group ? t->group->group->arity : t->builtin->arity;
	struct var *v = NULL;
	for (uint32_t i = 0; i < t->count && !v; i++) {
		if (i == arity && !(t->builtin && t->builtin->variadic))
			v = pattern_ready(t->item[i]) ? NULL : term_unsafe(t->item[i]);
		else
			v = term_unsafe(t->item[i]);
	}
	return v;
}

static struct var *expr_unsafe(const struct term *t)
{
	if (is_unify(t)) {
		if (unify_ready(t->item[0], t->item[1]))
			return NULL;
		struct var *v = term_unsafe(t->item[0]);
		if (v && pattern_ready(t->item[0]))
			v = NULL;
		if (!v)
			v = term_unsafe(t->item[1]);
		return v ? v : term_unsafe(t->item[0]);
	}
	if (t->kind == NODE_CALL)
		return call_unsafe(t);
	return term_unsafe(t);
}

static struct var *plain_unsafe(const struct stmt *s)
{
	struct var *v = NULL;
	if (s->kind == LIT_EVERY) {
		v = term_unsafe(s->domain);
		return v ? v : stmts_unsafe_outer(s->body, s->closure->parent);
	}
	if (s->some_in) {
		v = term_unsafe(s->domain);
		if (!v && s->key && !pattern_ready(s->key))
			v = term_unsafe(s->key);
		if (!v && !pattern_ready(s->val))
			v = term_unsafe(s->val);
		return v;
	}
	v = expr_unsafe(s->expr);
	if (!v || is_unify(s->expr))
		return v;
	/* f(xs[i], i): the index binds i before the call needs it. */
	struct var *all = v;
	bind_generated(s->expr, true, false);
	v = expr_unsafe(s->expr);
	bind_generated(s->expr, false, false);
	return v ? all : NULL;
}

static struct var *with_unsafe(const struct stmt_with *w)
{
	struct var *v = w->value ? term_unsafe(w->value) : NULL;
	for (uint32_t i = 1; !v && w->path && w->path->kind == NODE_REF && i < w->path->count; i++)
		v = term_unsafe(w->path->item[i]);
	return v;
}

struct var *stmt_unsafe(const struct stmt *s)
{
	struct var *v = NULL;
	for (uint32_t i = 0; i < s->with_count && !v; i++)
		v = with_unsafe(&s->with[i]);
	if (v)
		return v;
	if (s->negated)
		return term_unsafe_outer(s->expr, s->home);
	return plain_unsafe(s);
}

bool stmt_ready(const struct stmt *s)
{
	return !stmt_unsafe(s);
}
