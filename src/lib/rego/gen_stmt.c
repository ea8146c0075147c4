/* SPDX-License-Identifier: Apache-2.0 */
/* Statements of a body, put in order. */
#include "rego/compile.h"

static void set_expr(struct unit *u, const struct stmt *s)
{
	if (u->expr_count == u->expr_capacity) {
		uint32_t capacity = u->expr_capacity ? u->expr_capacity * 2 : 8;
		struct expr_info *more = mem_array(u->m, capacity, sizeof(*more));
		if (u->expr_count)
			memcpy(more, u->expr, u->expr_count * sizeof(*more));
		u->expr = more;
		u->expr_capacity = capacity;
	}
	if (u->expr_count >= UINT16_MAX)
		unit_fail(u, s->loc, "rego_compile_error", "a rule has too many statements");
	u->expr[u->expr_count] = (struct expr_info){s->loc.row, s->loc.col, s->loc.offset,
		s->loc.end > s->loc.offset ? s->loc.end - s->loc.offset : 0};
	u->cur_expr = u->expr_count++;
}

static bool test_op(struct slice name, enum opcode *ret)
{
	static const struct {
		const char *name;
		enum opcode op;
	} ops[] = {{"equal", OP_EQ}, {"neq", OP_NE}, {"lt", OP_LT}, {"lte", OP_LE}, {"gt", OP_GT},
		{"gte", OP_GE}, {"internal.member_2", OP_IN}};
	for (size_t i = 0; i < ARRAY_COUNT(ops); i++)
		if (slice_eq_str(name, ops[i].name)) {
			*ret = ops[i].op;
			return true;
		}
	return false;
}

/* Both sides of a test; the side that binds a variable for the other goes first. */
static void gen_test(struct unit *u, struct term *t, enum opcode op)
{
	int32_t x, y;
	if (term_ready(t->item[0])) {
		x = gen_term(u, t->item[0], NONE);
		y = gen_term(u, t->item[1], NONE);
	} else {
		y = gen_term(u, t->item[1], NONE);
		x = gen_term(u, t->item[0], NONE);
	}
	gen_emit(u, op, 0, 0, x, y);
}

static void gen_expr(struct unit *u, struct term *t, struct stmt *capture)
{
	enum opcode op;
	if (t->kind == NODE_CALL && !t->builtin && !t->group) {
		gen_unify(u, t->item[0], t->item[1], t->loc);
		return;
	}
	if (capture && !(t->kind == NODE_CALL && t->builtin && t->builtin->variadic)) {
		capture->operand = gen_term(u, t, NONE);
		return;
	}
	/* `with` may replace the built-in: only those that cannot be replaced become tests. */
	if (t->kind == NODE_CALL && t->builtin && t->count == 2 && t->builtin->arity == 2 &&
		test_op(t->name, &op)) {
		gen_test(u, t, op);
		return;
	}
	int32_t v = gen_term(u, t, NONE);
	if (t->kind == NODE_CALL && t->builtin && t->builtin->variadic)
		return;
	gen_emit(u, OP_TRUE, 0, 0, v, 0);
}

static void gen_some_in(struct unit *u, struct stmt *s)
{
	int32_t domain = gen_term(u, s->domain, NONE);
	struct term *k = s->key, *v = s->val;
	if (k && term_ready(k)) {
		int32_t value = gen_slot(u);
		gen_emit(u, OP_GET, 0, value, domain, gen_term(u, k, NONE));
		gen_match(u, v, value);
		return;
	}
	int32_t key = NONE, value = NONE;
	bool fresh_key = k && k->kind == NODE_LOCAL && !k->var->bound;
	bool fresh_val = v->kind == NODE_LOCAL && !v->var->bound;
	if (k)
		key = fresh_key ? (k->var->name.size ? k->var->slot : NONE) : gen_slot(u);
	if (!fresh_val || v->var->name.size)
		value = fresh_val ? v->var->slot : gen_slot(u);
	gen_emit(u, OP_SCAN, 0, key, domain, value);
	if (fresh_key)
		k->var->bound = true;
	else if (k)
		gen_match(u, k, key);
	if (fresh_val) {
		v->var->bound = true;
		v->var->known_in = s->domain->kind == NODE_CONST ? s->domain->value : NULL;
	} else {
		gen_match(u, v, value);
	}
}

static void gen_every(struct unit *u, struct stmt *s)
{
	int32_t domain = gen_term(u, s->domain, NONE);
	int32_t key = NONE, value = gen_slot(u);
	if (s->key) {
		key = s->key->var->slot;
		s->key->var->bound = true;
	}
	uint32_t at = gen_emit(u, OP_EVERY, (uint32_t)value, key, domain, 0);
	uint32_t expr = u->cur_expr;
	if (s->val->var->name.size)
		gen_match(u, s->val, value);
	gen_body(u, s->body);
	gen_emit(u, OP_DONE, 0, 0, 0, 0);
	u->code[at].c = (int32_t)u->code_count;
	u->cur_expr = expr;
}

static void gen_plain(struct unit *u, struct stmt *s)
{
	if (s->negated) {
		uint32_t at = gen_emit(u, OP_NOT, 0, 0, 0, 0);
		gen_expr(u, s->expr, NULL);
		gen_emit(u, OP_DONE, 0, 0, 0, 0);
		u->code[at].c = (int32_t)u->code_count;
	} else if (s->kind == LIT_EVERY) {
		gen_every(u, s);
	} else if (s->some_in) {
		gen_some_in(u, s);
	} else {
		gen_expr(u, s->expr, s->capture ? s : NULL);
	}
}

/*
 * One replacement in the operand list: kind, id, value operand or NONE, replacing group or built-in
 * (group as id, built-in as ~id), number of keys, keys.
 */
static void gen_with(struct unit *u, struct stmt *s)
{
	int32_t *item = mem_array(u->m, s->with_count * 5 + 64, sizeof(*item));
	uint32_t n = 0, room = s->with_count * 5 + 64;
	for (uint32_t i = 0; i < s->with_count; i++) {
		const struct stmt_with *w = &s->with[i];
		uint32_t keys = w->path && w->path->kind == NODE_REF ? w->path->count - 1 : 0;
		if (n + 5 + keys > room)
			unit_fail(u, s->loc, "rego_compile_error", "a path in `with` is too long");
		item[n++] = (int32_t)w->kind;
		item[n++] = w->id;
		item[n++] = w->value ? gen_term(u, w->value, NONE) : NONE;
		item[n++] = w->group	 ? (int32_t)w->group->group->id
			    : w->builtin ? ~w->builtin_id
					 : NONE;
		if (w->group)
			gen_depends(u, w->group);
		item[n++] = (int32_t)keys;
		for (uint32_t k = 0; k < keys; k++)
			item[n++] = gen_term(u, w->path->item[k + 1], NONE);
	}
	gen_emit(u, OP_WITH, s->with_count, 0, 0, gen_list(u->c, item, n));
}

static void gen_stmt(struct unit *u, struct stmt *s)
{
	set_expr(u, s);
	s->operand = NONE;
	if (s->with_count)
		gen_with(u, s);
	gen_plain(u, s);
	if (s->with_count)
		gen_emit(u, OP_WITH_END, 0, 0, 0, 0);
}

/* Unbound variables of @t that no closure in it owns, each reported once. */
static void report_term(struct unit *u, const struct term *t, struct loc loc, bool *found)
{
	if (!t)
		return;
	if (t->kind == NODE_CALL && t->builtin && t->builtin->variadic) {
		const struct var *v = term_unsafe(t);
		if (v && v->name.size > 0) {
			unit_report(u, v->loc, "rego_compile_error", "var %.*s is undeclared",
				SLICE_ARG(v->name));
			*found = true;
		}
		return;
	}
	if (t->kind == NODE_LOCAL && !t->var->bound && t->var->name.size > 0) {
		unit_report(u, loc, "rego_unsafe_var_error", "var %.*s is unsafe",
			SLICE_ARG(t->var->name));
		t->var->bound = *found = true;
	}
	for (uint32_t i = 0; !t->body && i < t->count; i++)
		report_term(u, t->item[i], loc, found);
}

/* Every variable that keeps a statement from being put in order, at the statement. */
static noreturn_fn void report_unsafe(struct unit *u, const struct stmts *b, uint32_t first)
{
	uint32_t before = u->m->diags->count;
	for (uint32_t i = first; i < b->count; i++) {
		const struct stmt *s = b->item[i];
		bool found = false;
		struct var *v;
		if (s->done)
			continue;
		report_term(u, s->expr, s->loc, &found);
		report_term(u, s->domain, s->loc, &found);
		for (uint32_t k = 0; k < s->with_count; k++)
			report_term(u, s->with[k].value, s->loc, &found);
		/* In a closure, or a wildcard. */
		for (; !found && (v = stmt_unsafe(s)) && !v->bound; v->bound = true)
			unit_report(u, v->name.size ? v->loc : s->loc, "rego_unsafe_var_error",
				"var %.*s is unsafe", v->name.size ? (int)v->name.size : 1,
				v->name.size ? (const char *)v->name.data : "_");
	}
	if (u->m->diags->count == before)
		unit_fail(u, b->item[first]->loc, "rego_compile_error",
			"no order of these statements binds each variable first");
	mem_escape(u->m, REGO_ERR_COMPILE);
}

/* internal.test_case([KEY...]), once all keys are known. */
static void gen_test_case(struct unit *u)
{
	const struct builtin *b = find_builtin(u, SLICE_LIT("internal.test_case"));
	for (uint32_t i = 0; b && i < u->case_count; i++)
		if (!term_ready(u->case_key[i]))
			return;
	u->case_body = NULL;
	if (!b)
		return;
	int32_t *operand = mem_array(u->m, u->case_count + 1, sizeof(*operand));
	for (uint32_t i = 0; i < u->case_count; i++)
		operand[i] = gen_term(u, u->case_key[i], NONE);
	int32_t name = gen_slot(u), result = gen_slot(u);
	gen_emit(u, OP_ARRAY, u->case_count, name, 0, gen_list(u->c, operand, u->case_count));
	gen_emit(u, OP_BUILTIN, 1, result, builtin_use(u->c, b), gen_list(u->c, &name, 1));
}

void gen_body(struct unit *u, struct stmts *b)
{
	uint32_t left = b->count, first = 0;
	while (left > 0) {
		if (u->case_body == b)
			gen_test_case(u);
		struct stmt *next = NULL;
		for (uint32_t i = first; i < b->count && !next; i++)
			if (!b->item[i]->done && stmt_ready(b->item[i]))
				next = b->item[i];
		if (!next)
			report_unsafe(u, b, first);
		gen_stmt(u, next);
		next->done = true;
		left--;
		while (first < b->count && b->item[first]->done)
			first++;
	}
}
