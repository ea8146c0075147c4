/* SPDX-License-Identifier: Apache-2.0 */
/* Unification, decided when compiling: assignments, tests and taking patterns apart. */
#include "rego/compile.h"

static bool is_pattern(const struct term *t)
{
	return t->kind == NODE_ARRAY || t->kind == NODE_OBJECT;
}

/* Elements to be unified one by one: two arrays of the same size, or objects with the same keys. */
static bool pairwise(const struct term *a, const struct term *b)
{
	if (a->kind == NODE_ARRAY && b->kind == NODE_ARRAY)
		return a->count == b->count;
	if (a->kind != NODE_OBJECT || b->kind != NODE_OBJECT || a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i += 2)
		if (a->item[i]->kind != NODE_CONST || b->item[i]->kind != NODE_CONST ||
			!value_eq(a->item[i]->value, b->item[i]->value))
			return false;
	return true;
}

static bool bind_pattern(struct term *t, bool bind);

bool unify_ready(const struct term *a, const struct term *b)
{
	if ((term_ready(a) && pattern_ready(b)) || (term_ready(b) && pattern_ready(a)))
		return true;
	if (!pairwise(a, b))
		return false;
	/* Try the elements, each one making variables known to the others. */
	bool *done = __builtin_calloc(a->count + 1, sizeof(bool));
	if (!done)
		return false;
	uint32_t left = 0, step = a->kind == NODE_OBJECT ? 2 : 1, first = step - 1;
	for (uint32_t i = first; i < a->count; i += step)
		left++;
	for (uint32_t before = left + 1; left > 0 && left < before;) {
		before = left;
		for (uint32_t i = first; i < a->count; i += step) {
			if (done[i] || !unify_ready(a->item[i], b->item[i]))
				continue;
			bind_pattern(a->item[i], true);
			bind_pattern(b->item[i], true);
			done[i] = true;
			left--;
		}
	}
	for (uint32_t i = first; i < a->count; i += step) {
		bind_pattern(a->item[i], false);
		bind_pattern(b->item[i], false);
	}
	__builtin_free(done);
	return left == 0;
}

static bool bind_pattern(struct term *t, bool bind)
{
	if (t->kind == NODE_LOCAL) {
		if (bind && !t->var->bound)
			t->var->bound = t->var->tentative = true;
		else if (!bind && t->var->tentative)
			t->var->bound = t->var->tentative = false;
	}
	if (!t->body)
		for (uint32_t i = 0; i < t->count; i++)
			bind_pattern(t->item[i], bind);
	return true;
}

static void match_local(struct unit *u, struct var *v, int32_t value)
{
	if (v->bound) {
		gen_emit(u, OP_EQ, 0, 0, v->slot, value);
		return;
	}
	v->bound = true;
	if (v->name.size > 0)
		gen_emit(u, OP_MOVE, 0, v->slot, value, 0);
}

/* Elements that are not ready yet wait for the others. */
static void match_elements(struct unit *u, struct term *t, int32_t value)
{
	uint32_t step = t->kind == NODE_OBJECT ? 2 : 1, left = 0, before;
	bool *done = mem_array(u->m, t->count + 1, sizeof(bool));
	for (uint32_t i = 0; i < t->count; i += step)
		left++;
	do {
		before = left;
		for (uint32_t i = 0; i < t->count; i += step) {
			struct term *e = t->item[i + step - 1];
			if (done[i] || !pattern_ready(e))
				continue;
			done[i] = true;
			left--;
			if (e->kind == NODE_LOCAL && !e->var->bound && e->var->name.size == 0)
				continue;
			int32_t key = step == 2 ? gen_term(u, t->item[i], NONE)
						: gen_const(u->c, value_int(u->m, i));
			bool fresh = e->kind == NODE_LOCAL && !e->var->bound;
			int32_t slot = fresh ? e->var->slot : gen_slot(u);
			gen_emit(u, OP_GET, 0, slot, value, key);
			if (fresh)
				e->var->bound = true;
			else
				gen_match(u, e, slot);
		}
	} while (left > 0 && left < before);
	if (left > 0)
		unit_fail(
			u, t->loc, "rego_unsafe_var_error", "a variable of the pattern is unsafe");
}

void gen_match(struct unit *u, struct term *pattern, int32_t value)
{
	if (pattern->kind == NODE_LOCAL) {
		match_local(u, pattern->var, value);
	} else if (is_pattern(pattern) && !term_ready(pattern)) {
		bool array = pattern->kind == NODE_ARRAY;
		gen_emit(u, array ? OP_IS_ARRAY : OP_IS_OBJECT, 0, 0, value,
			(int32_t)(array ? pattern->count : pattern->count / 2));
		match_elements(u, pattern, value);
	} else {
		gen_emit(u, OP_EQ, 0, 0, gen_term(u, pattern, NONE), value);
	}
}

static void unify_pairwise(struct unit *u, struct term *a, struct term *b, struct loc loc)
{
	uint32_t step = a->kind == NODE_OBJECT ? 2 : 1, first = step - 1, left = 0, before;
	bool *done = mem_array(u->m, a->count + 1, sizeof(bool));
	for (uint32_t i = first; i < a->count; i += step)
		left++;
	do {
		before = left;
		for (uint32_t i = first; i < a->count; i += step) {
			if (done[i] || !unify_ready(a->item[i], b->item[i]))
				continue;
			gen_unify(u, a->item[i], b->item[i], loc);
			done[i] = true;
			left--;
		}
	} while (left > 0 && left < before);
}

/* A constant is remembered: it tells which rules a reference with this variable reaches. */
static void bind_known(struct var *v, const struct term *value)
{
	v->bound = true;
	v->known = value->kind == NODE_CONST ? value->value : NULL;
}

void gen_unify(struct unit *u, struct term *a, struct term *b, struct loc loc)
{
	bool ra = term_ready(a), rb = term_ready(b);
	if (a->kind == NODE_LOCAL && !a->var->bound && rb) {
		gen_term(u, b, a->var->slot);
		bind_known(a->var, b);
		return;
	}
	if (b->kind == NODE_LOCAL && !b->var->bound && ra) {
		gen_term(u, a, b->var->slot);
		bind_known(b->var, a);
		return;
	}
	if (ra && rb) {
		int32_t x = gen_term(u, a, NONE), y = gen_term(u, b, NONE);
		gen_emit(u, OP_EQ, 0, 0, x, y);
	} else if (pairwise(a, b)) {
		unify_pairwise(u, a, b, loc);
	} else if (rb && pattern_ready(a)) {
		gen_match(u, a, gen_term(u, b, NONE));
	} else if (ra && pattern_ready(b)) {
		gen_match(u, b, gen_term(u, a, NONE));
	} else {
		unit_fail(u, loc, "rego_unsafe_var_error", "expression is unsafe");
	}
}
