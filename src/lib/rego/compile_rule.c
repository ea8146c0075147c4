/* SPDX-License-Identifier: Apache-2.0 */
/* Definitions to blocks, groups with their definitions, queries. */
#include "rego/compile.h"

static void start_unit(struct unit *u, struct rego_compiler *c, struct module *m, struct cgroup *g)
{
	*u = (struct unit){.c = c, .m = &c->work, .module = m, .group = g};
	if (m) {
		u->file = m->file;
		u->source = m->source;
		u->package = cnode_package(c, m);
	}
	scope_push(u, mem_new(u->m, struct closure));
}

static void *copy_array(struct mem *m, const void *from, uint32_t count, size_t size)
{
	void *p = mem_array(m, count + 1, size);
	if (count)
		memcpy(p, from, count * size);
	return p;
}

static void finish_block(struct unit *u, struct block *b)
{
	struct mem *p = &u->c->pmem;
	b->code = copy_array(p, u->code, u->code_count, sizeof(*u->code));
	b->expr_of = copy_array(p, u->expr_of, u->code_count, sizeof(*u->expr_of));
	b->expr = copy_array(p, u->expr, u->expr_count, sizeof(*u->expr));
	b->count = u->code_count;
	b->expr_count = u->expr_count;
	b->slots = u->slots;
}

static const struct program_module *program_module(struct rego_compiler *c, struct module *m)
{
	if (!m->frozen) {
		struct program_module *p = mem_new(&c->pmem, struct program_module);
		p->file = mem_text(&c->pmem, slice_str(m->file));
		p->package = node_path(c, cnode_package(c, m));
		p->source = slice_of(mem_text(&c->pmem, m->source), m->source.size);
		m->frozen = p;
	}
	return m->frozen;
}

/* Arguments arrive in the first slots; what is not a plain new variable is matched. */
static struct term **resolve_args(struct unit *u, const struct rule *r)
{
	struct term **arg = mem_array(u->m, r->arg_count + 1, sizeof(*arg));
	u->slots = r->arg_count;
	for (uint32_t i = 0; i < r->arg_count; i++) {
		const struct node *n = r->arg[i];
		if (n->kind == NODE_VAR && n->name.size > 0) {
			bool again = false;
			for (const struct var *v = u->scope->vars; v; v = v->next)
				again = again || slice_eq(v->name, n->name);
			if (!again)
				scope_declare(u, n->name, n->loc)->is_arg = true;
		} else {
			scope_declare_pattern(u, n);
		}
	}
	for (uint32_t i = 0; i < r->arg_count; i++)
		arg[i] = resolve_term(u, r->arg[i]);
	return arg;
}

static void gen_args(struct unit *u, struct term **arg, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (arg[i]->kind == NODE_LOCAL && !arg[i]->var->bound) {
			arg[i]->var->slot = (int32_t)i;
			arg[i]->var->bound = true;
			arg[i] = NULL;
		}
	for (uint32_t i = 0; i < count; i++)
		if (arg[i] && pattern_ready(arg[i])) {
			gen_match(u, arg[i], (int32_t)i);
			arg[i] = NULL;
		}
}

/* Arguments that need variables of the body, such as f($"{x}"). */
static void gen_late_args(struct unit *u, struct term **arg, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (arg[i])
			gen_match(u, arg[i], (int32_t)i);
}

/* Every variable of the head that the body does not bind. */
static void require(struct unit *u, const struct term *t)
{
	struct var *v;
	uint32_t before = u->m->diags->count;
	while ((v = term_unsafe(t)) && !v->bound) {
		unit_report(u, v->loc, "rego_unsafe_var_error", "var %.*s is unsafe",
			v->name.size ? (int)v->name.size : 1,
			v->name.size ? (const char *)v->name.data : "_");
		v->bound = true;
	}
	if (v || u->m->diags->count > before)
		mem_escape(u->m, REGO_ERR_COMPILE);
}

static void gen_put(struct unit *u, struct term **path, uint32_t count, struct term *leaf)
{
	struct term all = {.kind = NODE_ARRAY, .count = count + 1};
	all.item = mem_array(u->m, count + 1, sizeof(*all.item));
	memcpy(all.item, path, count * sizeof(*all.item));
	all.item[count] = leaf;
	require(u, &all);
	int32_t *operand = mem_array(u->m, count + 1, sizeof(*operand));
	for (uint32_t i = 0; i < count; i++) {
		operand[i] = gen_term(u, path[i], NONE);
	}
	operand[count] = gen_term(u, leaf, NONE);
	gen_emit(u, OP_PUT, count + 1, 0, 0, gen_list(u->c, operand, count + 1));
}

/* test_NAME[KEY]: the value of each key is the verdict of one case. */
static bool is_test_with_cases(const struct cdef *d, const struct rule *r)
{
	const struct node *name = r->head->kind == NODE_REF ? r->head->item[0] : r->head;
	return d->group->group->kind == GROUP_PARTIAL && !r->is_contains && d->path_count > 0 &&
	       slice_starts(name->name, SLICE_LIT("test_"));
}

static struct def *compile_def(struct rego_compiler *c, struct cdef *d, struct rule *r)
{
	struct unit unit, *u = &unit;
	struct def *def = mem_new(&c->pmem, struct def);
	start_unit(u, c, r->module, d->group);
	u->rule = d->rule;
	def->group = d->group->group;
	def->module = program_module(c, r->module);
	def->row = r->loc.row;
	def->col = r->loc.col;
	def->offset = r->loc.offset;
	def->end = r->loc.end;
	def->head_end = r->head_end;
	struct term **arg = resolve_args(u, r);
	struct stmts *body = r->body ? resolve_body(u, r->body) : NULL;
	struct term **path = mem_array(u->m, d->path_count + 1, sizeof(*path));
	for (uint32_t i = 0; i < d->path_count; i++)
		path[i] = resolve_term(u, d->path[i]);
	struct term *leaf = r->is_contains ? resolve_term(u, r->key)
			    : r->value	   ? resolve_term(u, r->value)
					   : term_const(u, &value_true, r->loc);
	for (uint32_t i = 0; i < r->arg_count; i++)
		if (arg[i]->kind == NODE_CONST)
			index_argument(u, d, i, arg[i]);
	gen_args(u, arg, r->arg_count);
	if (body) {
		index_body(u, d, body, r->arg_count);
		if (c->options.test_cases && is_test_with_cases(d, r)) {
			u->case_key = path;
			u->case_count = d->path_count;
			u->case_body = body;
		}
		gen_body(u, body);
	}
	gen_late_args(u, arg, r->arg_count);
	if (leaf->kind == NODE_CONST && !r->is_contains) {
		int32_t id = gen_const(c, leaf->value); /* may move the pool */
		def->const_value = c->constant[~id];
	}
	def->path_count = (uint16_t)d->path_count;
	def->leaf_is_set = r->is_contains;
	if (d->group->group->kind == GROUP_PARTIAL) {
		gen_put(u, path, d->path_count, leaf);
	} else {
		require(u, leaf);
		int32_t v = gen_term(u, leaf, NONE);
		gen_emit(u, OP_RETURN, def->const_value ? 1 : 0, 0, v, 0);
	}
	finish_block(u, &def->block);
	def->cover = c->program->cover_count;
	c->program->cover_count += 1 + def->block.expr_count;
	return def;
}

/* A definition with its else chain, which may be long. */
static struct def *compile_chain(struct rego_compiler *c, struct cdef *d)
{
	struct def *first = NULL, *last = NULL;
	for (struct rule *r = d->rule; r; r = r->orelse) {
		struct def *def = compile_def(c, d, r);
		if (last)
			last->orelse = def;
		else
			first = def;
		last = def;
	}
	return first;
}

static bool plain(const struct cgroup *g, uint32_t path_count, bool leaf_is_set)
{
	for (const struct cdef *d = g->defs; d; d = d->next)
		if (d->path_count != path_count || d->rule->is_contains != leaf_is_set)
			return false;
	return !g->group->has_children;
}

static bool same_constant(const struct cgroup *g)
{
	rv first = NULL;
	for (const struct cdef *d = g->defs; d; d = d->next)
		for (const struct def *def = d->def; def; def = def->orelse) {
			if (!def->const_value || (first && !value_eq(first, def->const_value)))
				return false;
			first = def->const_value;
		}
	return first != NULL;
}

struct guarded {
	struct rego_compiler *c;
	struct cdef *d;
	const struct cquery *q;
	struct def *result;
};

static void guarded_def(void *arg)
{
	struct guarded *g = arg;
	g->result = compile_chain(g->c, g->d);
}

/* NULL when it has errors; then there will be no program. */
static struct def *try_def(struct rego_compiler *c, struct cdef *d)
{
	struct guarded g = {.c = c, .d = d};
	compile_guard(c, guarded_def, &g);
	return g.result;
}

/* Functions that loop or call functions; others are as fast as a look at the memory. */
static bool is_worth_keeping(const struct cgroup *g)
{
	for (const struct cdef *d = g->defs; d; d = d->next)
		for (const struct def *def = d->def; def; def = def->orelse)
			for (uint32_t i = 0; i < def->block.count; i++) {
				uint8_t op = def->block.code[i].op;
				if (op == OP_FUNCTION || op == OP_SCAN || op == OP_EVERY)
					return true;
			}
	return false;
}

static void compile_group(struct rego_compiler *c, struct cgroup *g)
{
	const struct def **list = mem_array(&c->pmem, g->def_count + 1, sizeof(struct def *));
	uint32_t i = 0;
	for (struct cdef *d = g->defs; d; d = d->next) {
		d->def = try_def(c, d);
		mem_reset(&c->work);
		list[i++] = d->def;
	}
	g->group->def = list;
	g->group->def_count = i;
	if (g->fallback)
		g->group->fallback = g->fallback->def = try_def(c, g->fallback);
	mem_reset(&c->work);
	if (c->diags.count > 0)
		return;
	g->group->plain_set = plain(g, 0, true);
	g->group->plain_object = plain(g, 1, false);
	for (const struct cdef *d = g->defs; d; d = d->next)
		g->group->has_set |= d->def->leaf_is_set && d->path_count == 0;
	g->group->same_constant = same_constant(g);
	g->group->memo = g->group->kind == GROUP_FUNCTION && is_worth_keeping(g);
	compile_index(c, g);
}

static struct tree_node *freeze(struct rego_compiler *c, const struct cnode *n,
	const struct tree_node *parent, const struct tree_node **all)
{
	struct tree_node *t = mem_new(&c->pmem, struct tree_node);
	t->key = n->key ? value_clone(&c->pmem, n->key) : NULL;
	t->parent = parent;
	t->id = n->id;
	all[n->id] = t;
	if (n->group) {
		t->group = n->group->group;
		n->group->group->node = t;
	}
	const struct tree_node **child = mem_array(&c->pmem, n->child_count + 1, sizeof(*child));
	for (uint32_t i = 0; i < n->child_count; i++)
		child[i] = freeze(c, n->child[i], t, all);
	t->child = child;
	t->child_count = n->child_count;
	return t;
}

void compile_groups(struct rego_compiler *c)
{
	struct rego_program *p = c->program;
	const struct tree_node **all = mem_array(&c->pmem, c->node_count + 1, sizeof(*all));
	p->root = freeze(c, c->root, NULL, all);
	p->node = all;
	p->node_count = c->node_count;
	const struct group **group = mem_array(&c->pmem, c->group_count + 1, sizeof(*group));
	for (struct cgroup *g = c->groups; g; g = g->next) {
		compile_group(c, g);
		group[g->group->id] = g->group;
	}
	p->group = group;
	p->group_count = c->group_count;
}

static int32_t row_object(
	struct unit *u, const char *const *name, const int32_t *value, uint32_t count)
{
	int32_t operand[8], slot = gen_slot(u);
	for (uint32_t i = 0; i < count; i++) {
		operand[2 * i] = gen_const(u->c, value_cstr(u->m, name[i]));
		operand[2 * i + 1] = value[i];
	}
	gen_emit(u, OP_OBJECT, count * 2, slot, 0, gen_list(u->c, operand, count * 2));
	return slot;
}

/* {"expressions": [...], "bindings": {...}} of one solution. */
static int32_t gen_row(
	struct unit *u, const struct stmts *body, int32_t bindings, bool has_bindings)
{
	int32_t *item = mem_array(u->m, body->count + 1, sizeof(*item)), list = gen_slot(u);
	for (uint32_t i = 0; i < body->count; i++) {
		const struct stmt *s = body->item[i];
		struct pair place[] = {{value_cstr(u->m, "row"), value_int(u->m, s->loc.row)},
			{value_cstr(u->m, "col"), value_int(u->m, s->loc.col)}};
		struct slice text = slice_cut(u->source, s->loc.offset,
			s->loc.end > s->loc.offset ? s->loc.end - s->loc.offset : 0);
		int32_t value[] = {s->operand == NONE ? gen_const(u->c, &value_true) : s->operand,
			gen_const(u->c, value_string(u->m, text)),
			gen_const(u->c, value_object(u->m, place, 2))};
		item[i] =
			row_object(u, (const char *const[]){"value", "text", "location"}, value, 3);
	}
	gen_emit(u, OP_ARRAY, body->count, list, 0, gen_list(u->c, item, body->count));
	return row_object(u, (const char *const[]){"expressions", "bindings"},
		(int32_t[]){list, bindings}, has_bindings ? 2 : 1);
}

/* A query returns an array of objects: its own variables by name. */
static struct def *compile_query(struct rego_compiler *c, const struct cquery *q)
{
	struct unit unit, *u = &unit;
	struct def *def = mem_new(&c->pmem, struct def);
	start_unit(u, c, q->module, NULL);
	u->file = "query";
	u->source = q->source;
	struct closure *k = mem_new(u->m, struct closure);
	k->parent = u->scope->closure;
	struct scope *s = scope_push(u, k);
	struct stmts *body = resolve_body(u, q->body);
	for (uint32_t i = 0; q->rows && i < body->count; i++)
		body->item[i]->capture = true;
	int32_t result = gen_slot(u), item = gen_slot(u);
	uint32_t at = gen_emit(u, OP_COMP, NODE_ARRAY_COMP, result, 0, 0);
	gen_body(u, body);
	uint32_t count = 0;
	for (struct var *v = s->vars; v; v = v->next)
		count++;
	int32_t *operand = mem_array(u->m, count * 2 + 1, sizeof(*operand));
	count = 0;
	for (struct var *v = s->vars; v; v = v->next) {
		if (!v->bound)
			continue;
		operand[count++] = gen_const(c, value_string(u->m, v->name));
		operand[count++] = v->slot;
	}
	gen_emit(u, OP_OBJECT, count, item, 0, gen_list(c, operand, count));
	if (q->rows)
		item = gen_row(u, body, item, count > 0);
	gen_emit(u, OP_EMIT, 0, 0, item, NONE);
	u->code[at].c = (int32_t)u->code_count;
	gen_emit(u, OP_RETURN, 0, 0, result, 0);
	struct program_module *m = mem_new(&c->pmem, struct program_module);
	m->file = "query";
	m->source = slice_of(mem_text(&c->pmem, q->source), q->source.size);
	def->module = m;
	finish_block(u, &def->block);
	return def;
}

static void guarded_query(void *arg)
{
	struct guarded *g = arg;
	g->result = compile_query(g->c, g->q);
}

void compile_queries(struct rego_compiler *c)
{
	struct query *query = mem_array(&c->pmem, c->query_count + 1, sizeof(*query));
	uint32_t i = 0;
	for (const struct cquery *q = c->queries; q; q = q->next) {
		struct guarded g = {.c = c, .q = q};
		compile_guard(c, guarded_query, &g);
		query[i++].def = g.result;
		mem_reset(&c->work);
	}
	c->program->query = query;
	c->program->query_count = i;
}
