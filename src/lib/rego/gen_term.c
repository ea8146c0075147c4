/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions that compute a term. */
#include "rego/compile.h"

static int32_t into(struct unit *u, int32_t dst)
{
	return dst == NONE ? gen_slot(u) : dst;
}

/* A value that exists already, moved only when a certain slot is wanted. */
static int32_t move_to(struct unit *u, int32_t value, int32_t dst)
{
	if (dst == NONE || dst == value)
		return value;
	gen_emit(u, OP_MOVE, 0, dst, value, 0);
	return dst;
}

/*
 * Operands for several terms. One term may bind a variable that another one needs, as in
 * f(i, xs[i]): so those that are ready go first.
 */
static int32_t *gen_operands(struct unit *u, struct term **item, uint32_t count)
{
	int32_t *operand = mem_array(u->m, count + 1, sizeof(*operand));
	bool *done = mem_array(u->m, count + 1, sizeof(*done));
	for (uint32_t left = count, before = count + 1; left > 0 && left < before;) {
		before = left;
		for (uint32_t i = 0; i < count; i++) {
			if (done[i] || !term_ready(item[i]))
				continue;
			operand[i] = gen_term(u, item[i], NONE);
			done[i] = true;
			left--;
		}
		if (left == before) {
			const struct var *v = NULL;
			for (uint32_t i = 0; i < count && !v; i++)
				if (!done[i])
					v = term_unsafe(item[i]);
			if (!v)
				unit_fail(u, item[0]->loc, "rego_compile_error",
					"no order of these terms binds each variable first");
			unit_fail(u, v->loc, "rego_unsafe_var_error", "var %.*s is unsafe",
				(int)MAX(v->name.size, (size_t)1),
				v->name.size ? (const char *)v->name.data : "_");
		}
	}
	return operand;
}

static int32_t gen_collection(struct unit *u, struct term *t, enum opcode op, int32_t dst)
{
	int32_t *operand = gen_operands(u, t->item, t->count);
	int32_t list = gen_list(u->c, operand, t->count);
	dst = into(u, dst);
	gen_emit(u, op, t->count, dst, 0, list);
	return dst;
}

/* v[key]: one look-up, or a loop when the key binds variables. */
static int32_t gen_step(struct unit *u, int32_t base, struct term *key, int32_t dst)
{
	if (key->kind == NODE_LOCAL && !key->var->bound) {
		dst = into(u, dst);
		bool wanted = key->var->name.size > 0;
		gen_emit(u, OP_SCAN, 0, wanted ? key->var->slot : NONE, base, dst);
		key->var->bound = true;
		return dst;
	}
	if (term_ready(key)) {
		int32_t k = gen_term(u, key, NONE);
		dst = into(u, dst);
		gen_emit(u, OP_GET, 0, dst, base, k);
		return dst;
	}
	int32_t k = gen_slot(u);
	dst = into(u, dst);
	gen_emit(u, OP_SCAN, 0, k, base, dst);
	gen_match(u, key, k);
	return dst;
}

static void depends_dynamic(
	struct unit *u, const struct cnode *n, const struct term *t, uint32_t used);

/* Likewise where the values of the next key are known. */
static void depends_known(
	struct unit *u, const struct cnode *n, const struct term *t, uint32_t used)
{
	const struct var *v = t->item[used]->var;
	uint32_t count = v->known ? 1 : value_is_collection(v->known_in) ? v->known_in->count : 0;
	for (uint32_t i = 0; i < count; i++) {
		rv key = v->known			    ? v->known
			 : v->known_in->type == REGO_OBJECT ? v->known_in->pair[i].val
							    : v->known_in->item[i];
		const struct cnode *k = cnode_child(n, key);
		if (k)
			depends_dynamic(u, k, t, used + 1);
	}
}

/* Rules that a reference with variables above them can reach. */
static void depends_dynamic(
	struct unit *u, const struct cnode *n, const struct term *t, uint32_t used)
{
	if (n->group)
		gen_depends(u, n->group);
	const struct term *key = used < t->count ? t->item[used] : NULL;
	if (key && key->kind == NODE_CONST) {
		const struct cnode *k = cnode_child(n, key->value);
		if (k)
			depends_dynamic(u, k, t, used + 1);
		return;
	}
	if (key && key->kind == NODE_LOCAL && (key->var->known || key->var->known_in)) {
		depends_known(u, n, t, used);
		return;
	}
	for (uint32_t i = 0; i < n->child_count; i++)
		depends_dynamic(u, n->child[i], t, used + 1);
}

static void depends_below(struct unit *u, const struct cnode *n)
{
	if (n->group)
		gen_depends(u, n->group);
	for (uint32_t i = 0; i < n->child_count; i++)
		depends_below(u, n->child[i]);
}

/* The constant string keys from @from on, as many as there are. */
static uint32_t constant_keys(
	struct unit *u, const struct term *t, uint32_t from, int32_t *ret_list)
{
	uint32_t count = 0;
	while (from + count < t->count && t->item[from + count]->kind == NODE_CONST)
		count++;
	int32_t *operand = mem_array(u->m, count + 1, sizeof(*operand));
	for (uint32_t i = 0; i < count; i++)
		operand[i] = gen_const(u->c, t->item[from + i]->value);
	*ret_list = gen_list(u->c, operand, count);
	return count;
}

/*
 * The start of a reference into `data`. Returns the operand and how many keys it has used; @node:
 * the result may be a tree node that must be turned into a value at the end.
 */
static int32_t gen_data(struct unit *u, struct term *t, uint32_t *ret_used, bool *ret_node)
{
	struct cnode *n = u->c->root;
	uint32_t used = 1;
	while (used < t->count && t->item[used]->kind == NODE_CONST && !n->group) {
		struct cnode *k = t->item[used]->value->type == REGO_STRING
					  ? cnode_child(n, t->item[used]->value)
					  : NULL;
		if (!k)
			break;
		n = k;
		used++;
	}
	int32_t dst = gen_slot(u), list;
	*ret_used = used;
	if (n->group) {
		if (n->group->group->kind == GROUP_FUNCTION && n->group->group->arity > 0)
			unit_fail(u, t->loc, "rego_type_error", "%s is a function, not a value",
				n->group->group->path);
		gen_depends(u, n->group);
		for (uint32_t i = 0; i < n->child_count; i++)
			depends_below(u, n->child[i]);
		gen_emit(u, OP_RULE, 0, dst, (int32_t)n->group->group->id, 0);
		return dst;
	}
	bool base_only =
		used < t->count && (n->child_count == 0 || t->item[used]->kind == NODE_CONST);
	if (base_only) {
		uint32_t count = constant_keys(u, t, 1, &list);
		gen_emit(u, OP_BASE, count, dst, 0, list);
		*ret_used = 1 + count;
		return dst;
	}
	depends_dynamic(u, n, t, used);
	*ret_node = true;
	gen_emit(u, OP_NODE, 0, dst, (int32_t)n->id, 0);
	return dst;
}

static int32_t gen_ref(struct unit *u, struct term *t, int32_t dst)
{
	uint32_t used = 1;
	bool node = false;
	int32_t base, list;
	struct term *head = t->item[0];
	if (head->kind == NODE_ROOT && head->is_input) {
		uint32_t count = constant_keys(u, t, 1, &list);
		used += count;
		base = used == t->count ? into(u, dst) : gen_slot(u);
		gen_emit(u, OP_INPUT, count, base, 0, list);
	} else if (head->kind == NODE_ROOT) {
		base = gen_data(u, t, &used, &node);
	} else {
		base = gen_term(u, head, NONE);
	}
	for (; used < t->count; used++) {
		bool last = used + 1 == t->count && !node;
		base = gen_step(u, base, t->item[used], last ? dst : NONE);
	}
	if (node) {
		dst = into(u, dst);
		gen_emit(u, OP_FORCE, 0, dst, base, 0);
		return dst;
	}
	return move_to(u, base, dst);
}

static void patch(struct unit *u, uint32_t at)
{
	u->code[at].c = (int32_t)u->code_count;
}

static int32_t gen_comprehension(struct unit *u, struct term *t, int32_t dst)
{
	dst = into(u, dst);
	uint32_t at = gen_emit(u, OP_COMP, t->kind, dst, 0, 0);
	gen_body(u, t->body);
	int32_t *operand = gen_operands(u, t->item, t->count);
	gen_emit(u, OP_EMIT, 0, 0, operand[0], t->count > 1 ? operand[1] : NONE);
	patch(u, at);
	return dst;
}

/* print's and templates' arguments: a set of at most one value, empty when undefined. */
static int32_t gen_optional(struct unit *u, struct term *t)
{
	int32_t dst = gen_slot(u);
	uint32_t at = gen_emit(u, OP_COMP, NODE_SET_COMP, dst, 0, 0);
	int32_t v = gen_term(u, t, NONE);
	gen_emit(u, OP_EMIT, 0, 0, v, NONE);
	patch(u, at);
	return dst;
}

/* A variable that has no value yet; print and templates do not bind any. */
static const struct var *unbound(const struct term *t)
{
	const struct var *v = t->kind == NODE_LOCAL && !t->var->bound ? t->var : NULL;
	for (uint32_t i = 0; !v && !t->body && i < t->count; i++)
		v = unbound(t->item[i]);
	return v ? v : t->body ? term_unsafe(t) : NULL;
}

static int32_t gen_variadic(struct unit *u, struct term *t, int32_t id, int32_t dst)
{
	int32_t *operand = mem_array(u->m, t->count + 1, sizeof(*operand));
	bool print = t->kind == NODE_CALL;
	dst = into(u, dst);
	uint32_t quiet = print ? gen_emit(u, OP_QUIET, 0, dst, 0, 0) : 0;
	for (uint32_t i = 0; i < t->count; i++) {
		const struct var *v = unbound(t->item[i]);
		if (v)
			unit_fail(u, t->kind == NODE_TEMPLATE ? t->loc : v->loc,
				"rego_compile_error", "var %.*s is undeclared",
				v->name.size ? (int)v->name.size : 1,
				v->name.size ? (const char *)v->name.data : "_");
		operand[i] = gen_optional(u, t->item[i]);
	}
	int32_t list = gen_list(u->c, operand, t->count);
	gen_emit(u, OP_BUILTIN, t->count, dst, id, list);
	if (print)
		patch(u, quiet);
	return dst;
}

static int32_t gen_call(struct unit *u, struct term *t, int32_t dst)
{
	uint32_t arity = t->group ? t->group->group->arity : t->builtin ? t->builtin->arity : 2;
	if (!t->group && !t->builtin) {
		/* `(a = b)` as a value. */
		gen_unify(u, t->item[0], t->item[1], t->loc);
		return move_to(u, gen_const(u->c, &value_true), dst);
	}
	if (t->builtin && t->builtin->variadic)
		return gen_variadic(u, t, t->builtin_id, dst);
	int32_t *operand = gen_operands(u, t->item, MIN(t->count, arity));
	int32_t list = gen_list(u->c, operand, arity), wanted = dst;
	bool relation = t->builtin && t->builtin->relation;
	/* With an argument for the result, the call itself is true. */
	dst = relation || t->count > arity ? gen_slot(u) : into(u, dst);
	if (t->group) {
		gen_depends(u, t->group);
		if (t->group->group->kind == GROUP_FUNCTION)
			gen_emit(u, OP_FUNCTION, arity, dst, (int32_t)t->group->group->id, list);
		else
			gen_emit(u, OP_RULE, 0, dst, (int32_t)t->group->group->id, 0);
	} else {
		gen_emit(u, OP_BUILTIN, arity, dst, t->builtin_id, list);
	}
	if (relation) {
		int32_t each = t->count > arity ? gen_slot(u) : into(u, wanted);
		gen_emit(u, OP_SCAN, 0, NONE, dst, each);
		dst = each;
	}
	if (t->count > arity) {
		gen_match(u, t->item[arity], dst);
		return move_to(u, gen_const(u->c, &value_true), wanted);
	}
	return dst;
}

static int32_t gen_root(struct unit *u, struct term *t, int32_t dst)
{
	dst = into(u, dst);
	if (t->is_input) {
		gen_emit(u, OP_INPUT, 0, dst, 0, 0);
		return dst;
	}
	depends_below(u, u->c->root);
	int32_t node = gen_slot(u);
	gen_emit(u, OP_NODE, 0, node, (int32_t)u->c->root->id, 0);
	gen_emit(u, OP_FORCE, 0, dst, node, 0);
	return dst;
}

int32_t gen_term(struct unit *u, struct term *t, int32_t dst)
{
	switch ((int)t->kind) {
	case NODE_CONST:
		return move_to(u, gen_const(u->c, t->value), dst);
	case 100: /* NODE_LOCAL */
		return move_to(u, t->var->slot, dst);
	case 101: /* NODE_ROOT */
		return gen_root(u, t, dst);
	case NODE_REF:
		return gen_ref(u, t, dst);
	case NODE_CALL:
		return gen_call(u, t, dst);
	case NODE_ARRAY:
		return gen_collection(u, t, OP_ARRAY, dst);
	case NODE_SET:
		return gen_collection(u, t, OP_SET, dst);
	case NODE_OBJECT:
		return gen_collection(u, t, OP_OBJECT, dst);
	case NODE_TEMPLATE:
		return gen_variadic(u, t,
			builtin_use(u->c, builtin_find(SLICE_LIT("internal.template_string"))),
			dst);
	default:
		return gen_comprehension(u, t, dst);
	}
}
