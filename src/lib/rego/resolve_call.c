/* SPDX-License-Identifier: Apache-2.0 */
/* Calls and the targets of `with`: which function or built-in a dotted name stands for. */
#include "base/buf.h"
#include "rego/annotate.h"

struct cgroup *group_at_path(struct unit *u, const struct term *ref)
{
	if (ref->kind != NODE_REF || ref->item[0]->kind != NODE_ROOT || ref->item[0]->is_input)
		return NULL;
	struct cnode *n = u->c->root;
	for (uint32_t i = 1; n && i < ref->count; i++)
		n = ref->item[i]->kind == NODE_CONST ? cnode_child(n, ref->item[i]->value) : NULL;
	return n ? n->group : NULL;
}

int32_t builtin_use(struct rego_compiler *c, const struct builtin *b)
{
	for (uint32_t i = 0; i < c->builtin_count; i++)
		if (c->builtin[i] == b)
			return (int32_t)i;
	if (c->builtin_count == c->builtin_capacity) {
		uint32_t capacity = c->builtin_capacity ? c->builtin_capacity * 2 : 16;
		const struct builtin **more =
			mem_array(&c->mem, capacity, sizeof(struct builtin *));
		if (c->builtin_count)
			memcpy(more, c->builtin, c->builtin_count * sizeof(struct builtin *));
		c->builtin = more;
		c->builtin_capacity = capacity;
	}
	c->builtin[c->builtin_count] = b;
	return (int32_t)c->builtin_count++;
}

const struct builtin *find_builtin(struct unit *u, struct slice name)
{
	for (const struct host_builtin *h = u->c->host; h; h = h->next)
		if (slice_eq_str(name, h->builtin.name))
			return &h->builtin;
	return builtin_find(name);
}

static struct slice dotted(struct unit *u, const struct node *callee)
{
	if (callee->kind == NODE_VAR)
		return callee->name;
	size_t size = callee->item[0]->name.size;
	if (callee->item[0]->kind != NODE_VAR || size == 0)
		unit_fail(u, callee->loc, "rego_type_error", "a function is called by its name");
	for (uint32_t i = 1; i < callee->count; i++) {
		if (callee->item[i]->kind != NODE_CONST ||
			callee->item[i]->value->type != REGO_STRING)
			unit_fail(u, callee->loc, "rego_type_error",
				"the name of a function must not hold variables");
		size += 1 + callee->item[i]->value->count;
	}
	char *text = mem_alloc(u->m, size + 1), *at = text;
	memcpy(at, callee->item[0]->name.data, callee->item[0]->name.size);
	at += callee->item[0]->name.size;
	for (uint32_t i = 1; i < callee->count; i++) {
		*at++ = '.';
		memcpy(at, callee->item[i]->value->text, callee->item[i]->value->count);
		at += callee->item[i]->value->count;
	}
	return slice_of(text, size);
}

/* The user's function a name stands for, NULL when it is none. */
static struct cgroup *user_function(struct unit *u, const struct node *callee)
{
	const struct node *head = callee->kind == NODE_VAR ? callee : callee->item[0];
	if (head->kind != NODE_VAR || head->name.size == 0)
		return NULL;
	/* Resolving a name that means nothing would make a variable: undo that. */
	struct var *before = u->scope->vars;
	struct term *t = resolve_term(u, callee);
	u->scope->vars = before;
	return group_at_path(u, t);
}

static void resolve_args(struct unit *u, const struct node *n, struct term *t)
{
	t->count = n->count;
	t->item = mem_array(u->m, n->count + 1, sizeof(*t->item));
	for (uint32_t i = 0; i < n->count; i++)
		t->item[i] = resolve_term(u, n->item[i]);
}

/* A variable of a function's name hides it. */
static void check_shadowed(struct unit *u, const struct node *callee)
{
	if (callee->kind != NODE_VAR)
		return;
	for (const struct scope *s = u->scope; s; s = s->parent)
		for (const struct var *v = s->vars; v; v = v->next)
			if (v->declared && slice_eq(v->name, callee->name))
				unit_fail(u, callee->loc, "rego_compile_error",
					"called function %.*s shadowed", SLICE_ARG(callee->name));
}

/* What is known of the rule when compiling. */
static bool metadata_call(struct unit *u, struct term *t)
{
	bool chain = slice_eq_str(t->name, "rego.metadata.chain");
	if (!u->rule || (!chain && !slice_eq_str(t->name, "rego.metadata.rule")))
		return false;
	t->value =
		chain ? annotation_chain(u->c, u->rule, u->group) : annotation_rule(u->c, u->rule);
	t->kind = NODE_CONST;
	return true;
}

void resolve_call(struct unit *u, const struct node *n, struct term *t)
{
	t->name = n->callee ? dotted(u, n->callee) : n->name;
	if (n->callee)
		check_shadowed(u, n->callee);
	if (n->callee)
		t->group = user_function(u, n->callee);
	if (!t->group && n->count == 0 && metadata_call(u, t))
		return;
	resolve_args(u, n, t);
	int name_size = (int)MIN(t->name.size, (size_t)100);
	const char *name = (const char *)t->name.data;
	if (t->group) {
		/* A complete rule may be called with no arguments. */
		uint32_t arity = t->group->group->arity;
		if (t->count != arity && t->count != arity + 1)
			unit_fail(u, t->loc, "rego_type_error", "%s: arity mismatch",
				t->group->group->path);
		return;
	}
	if (slice_eq_str(t->name, "eq") || slice_eq_str(t->name, "assign")) {
		check_call_types(u, t);
		return;
	}
	t->builtin = find_builtin(u, t->name);
	if (!t->builtin)
		unit_fail(u, t->loc, "rego_type_error", "undefined function %.*s", name_size, name);
	uint32_t arity = t->builtin->arity;
	if (!t->builtin->variadic && t->count != arity && t->count != arity + 1)
		unit_fail(u, t->loc, "rego_type_error", "%.*s: arity mismatch", name_size, name);
	t->builtin_id = builtin_use(u->c, t->builtin);
	check_call_types(u, t);
}

/* with f as ...: f is a function or built-in. */
static bool function_target(struct unit *u, const struct node *target, struct stmt_with *out)
{
	const struct node *head = target->kind == NODE_REF ? target->item[0] : target;
	if (head->kind != NODE_VAR || slice_eq_str(head->name, "input"))
		return false;
	struct cgroup *g = user_function(u, target);
	if (g && g->group->kind == GROUP_FUNCTION) {
		out->kind = WITH_FUNCTION;
		out->id = (int32_t)g->group->id;
		return true;
	}
	if (g || slice_eq_str(head->name, "data"))
		return false;
	const struct builtin *b = find_builtin(u, dotted(u, target));
	if (!b)
		return false;
	out->kind = WITH_BUILTIN;
	out->id = builtin_use(u->c, b);
	return true;
}

static bool function_value(struct unit *u, const struct node *value, struct stmt_with *out)
{
	if (value->kind != NODE_VAR && value->kind != NODE_REF)
		return false;
	const struct node *head = value->kind == NODE_REF ? value->item[0] : value;
	if (head->kind != NODE_VAR || head->name.size == 0)
		return false;
	for (const struct scope *s = u->scope; s; s = s->parent)
		for (const struct var *v = s->vars; v; v = v->next)
			if (slice_eq(v->name, head->name))
				return false;
	struct cgroup *g = user_function(u, value);
	if (g) {
		out->group = g->group->kind == GROUP_FUNCTION ? g : NULL;
		return out->group != NULL;
	}
	for (uint32_t i = 1; value->kind == NODE_REF && i < value->count; i++)
		if (value->item[i]->kind != NODE_CONST ||
			value->item[i]->value->type != REGO_STRING)
			return false;
	out->builtin = find_builtin(u, dotted(u, value));
	if (out->builtin)
		out->builtin_id = builtin_use(u->c, out->builtin);
	return out->builtin != NULL;
}

void resolve_with(struct unit *u, const struct with *w, struct stmt_with *out)
{
	if (function_target(u, w->target, out)) {
		if (!function_value(u, w->value, out))
			out->value = resolve_term(u, w->value);
		return;
	}
	struct term *t = resolve_term(u, w->target);
	const struct term *head = t->kind == NODE_REF ? t->item[0] : t;
	if (head->kind != NODE_ROOT)
		unit_fail(u, w->target->loc, "rego_type_error",
			"with keyword target must reference existing input, data, or a function");
	out->kind = head->is_input ? WITH_INPUT : WITH_DATA;
	out->path = t;
	out->value = resolve_term(u, w->value);
}
