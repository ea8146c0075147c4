/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents of the tree: nodes that stand for rules and base documents below them until a value is
 * needed, and partial rules, whose definitions together make a set or an object.
 */
#include "rego/eval.h"

const struct tree_node *tree_child(const struct tree_node *node, rv key)
{
	uint32_t low = 0, high = node->child_count;
	while (low < high) {
		uint32_t mid = (low + high) / 2;
		int order = value_compare(node->child[mid]->key, key);
		if (order == 0)
			return node->child[mid];
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

static rv base_at(struct rego_eval *ev, const struct tree_node *n)
{
	if (!n->parent)
		return ev->ctx->data;
	rv above = base_at(ev, n->parent);
	return above ? value_get(above, n->key) : NULL;
}

static rv make_node(struct rego_eval *ev, const struct tree_node *n, rv base)
{
	struct rego_value *v = mem_alloc(&ev->mem, sizeof(*v) + sizeof(rv));
	v->type = REGO_NODE;
	v->node = n;
	((rv *)(uintptr_t)v->item)[0] = base;
	return v;
}

/* A node with rules is their value; one above rules stays a node. */
static rv enter_node(struct rego_eval *ev, const struct tree_node *n, rv base)
{
	rv v;
	if (ev->ctx->overrides && eval_overridden(ev, n, &v))
		return v;
	if (!n->group)
		return make_node(ev, n, base);
	if (n->group->kind == GROUP_FUNCTION && n->group->arity > 0)
		return NULL;
	if (n->group->kind == GROUP_FUNCTION)
		return eval_function(ev, n->group, NULL, 0);
	return eval_rule(ev, n->group);
}

rv eval_node(struct rego_eval *ev, const struct tree_node *n)
{
	return enter_node(ev, n, base_at(ev, n));
}

rv eval_node_get(struct rego_eval *ev, rv node, rv key)
{
	rv base = node->item[0];
	rv below = base ? value_get(base, key) : NULL;
	const struct tree_node *child = tree_child(node->node, key);
	return child ? enter_node(ev, child, below) : below;
}

rv eval_node_keys(struct rego_eval *ev, rv node)
{
	const struct tree_node *n = node->node;
	rv base = node->item[0];
	uint32_t more = base && base->type == REGO_OBJECT ? base->count : 0;
	rv *key = mem_array(&ev->mem, n->child_count + more + 1, sizeof(rv));
	for (uint32_t i = 0; i < n->child_count; i++)
		key[i] = n->child[i]->key;
	for (uint32_t i = 0; i < more; i++)
		key[n->child_count + i] = base->pair[i].key;
	return value_set(&ev->mem, key, n->child_count + more);
}

/* Bounded by the depth of package names. */
rv eval_force(struct rego_eval *ev, rv v)
{
	if (!v || v->type != REGO_NODE)
		return v;
	rv keys = eval_node_keys(ev, v);
	struct pair *pair = mem_array(&ev->mem, keys->count + 1, sizeof(*pair));
	uint32_t count = 0;
	for (uint32_t i = 0; i < keys->count; i++) {
		rv val = eval_node_get(ev, v, keys->item[i]);
		rv base = v->item[0] ? value_get(v->item[0], keys->item[i]) : NULL;
		/* Where a rule and a base document meet, the whole document shows the base. */
		if (base && val && val->type != REGO_NODE && !ev->ctx->overrides)
			val = base;
		val = eval_force(ev, val);
		if (val)
			pair[count++] = (struct pair){keys->item[i], val};
	}
	return value_object_sorted(&ev->mem, pair, count);
}

/* --- partial rules with longer heads --- */

struct entry {
	const rv *key;
	uint32_t count;
	bool leaf_is_set;
	bool empty; /* a set that has no elements */
	rv leaf;
};

struct entries {
	struct entry *item;
	uint32_t count, capacity;
};

static void push_entry(struct mem *m, struct entries *l, struct entry e)
{
	if (l->count == l->capacity) {
		uint32_t capacity = l->capacity ? l->capacity * 2 : 16;
		struct entry *item = mem_array(m, capacity, sizeof(*item));
		if (l->count)
			memcpy(item, l->item, l->count * sizeof(*item));
		l->item = item;
		l->capacity = capacity;
	}
	l->item[l->count++] = e;
}

static noreturn_fn void key_conflict(struct rego_eval *ev, const struct group *g)
{
	const struct def *d = g->def_count ? g->def[0] : g->fallback;
	mem_fail(&ev->mem, REGO_ERR_CONFLICT, "eval_conflict_error",
		"%s:%u: eval_conflict_error: object keys must be unique: %s",
		d ? d->module->file : "", d ? d->row : 0, g->path);
}

static int compare_entries(const struct entry *a, const struct entry *b, uint32_t depth)
{
	return value_compare(a->key[depth], b->key[depth]);
}

/* Stable insertion by key at @depth keeps groups together. */
static void sort_entries(struct mem *m, struct entry *e, uint32_t count, uint32_t depth)
{
	struct entry *to = mem_array(m, count, sizeof(*to)), *from = e;
	for (uint32_t width = 1; width < count; width *= 2) {
		for (uint32_t i = 0; i < count; i += 2 * width) {
			uint32_t a = i, mid = MIN(i + width, count), b = mid;
			uint32_t end = MIN(i + 2 * width, count);
			for (uint32_t k = i; k < end; k++) {
				bool left = a < mid && (b >= end || compare_entries(&from[a],
									    &from[b], depth) <= 0);
				to[k] = left ? from[a++] : from[b++];
			}
		}
		struct entry *t = from;
		from = to;
		to = t;
	}
	if (from != e)
		memcpy(e, from, count * sizeof(*e));
}

static rv leaves(struct rego_eval *ev, const struct group *g, struct entry *e, uint32_t count)
{
	if (!e[0].leaf_is_set) {
		for (uint32_t i = 1; i < count; i++)
			if (e[i].leaf_is_set || !value_eq(e[0].leaf, e[i].leaf))
				key_conflict(ev, g);
		return e[0].leaf;
	}
	struct list l = {0};
	for (uint32_t i = 0; i < count; i++) {
		if (!e[i].leaf_is_set)
			key_conflict(ev, g);
		if (!e[i].empty)
			list_push(&ev->mem, &l, e[i].leaf);
	}
	return value_set(&ev->mem, l.item, l.count);
}

/* Bounded by the length of rule heads. */
static rv build(struct rego_eval *ev, const struct group *g, struct entry *e, uint32_t count,
	uint32_t depth)
{
	uint32_t ends = 0;
	for (uint32_t i = 0; i < count; i++)
		ends += e[i].count == depth;
	if (ends == count)
		return leaves(ev, g, e, count);
	if (ends > 0)
		key_conflict(ev, g);
	sort_entries(&ev->mem, e, count, depth);
	struct pair *pair = mem_array(&ev->mem, count, sizeof(*pair));
	uint32_t pairs = 0;
	for (uint32_t i = 0, end; i < count; i = end) {
		for (end = i + 1; end < count; end++)
			if (compare_entries(&e[i], &e[end], depth) != 0)
				break;
		rv v = build(ev, g, e + i, end - i, depth + 1);
		pair[pairs++] = (struct pair){e[i].key[depth], v};
	}
	return value_object_sorted(&ev->mem, pair, pairs);
}

/* The elements of one definition: lists of path keys and leaf. */
static void run_partial(struct rego_eval *ev, const struct def *def, struct acc *acc)
{
	struct stack_mark mark = eval_mark(ev);
	struct frame f = {.def = def, .block = &def->block, .acc = acc};
	f.slot = eval_push(ev, def->block.slots);
	uint32_t before = acc->list.count;
	if (ev->explain)
		f.trace = explain_enter(ev, def);
	eval_run(ev, &f, 0);
	if (f.trace)
		explain_leave(ev, f.trace,
			acc->list.count > before ? acc->list.item[acc->list.count - 1] : NULL);
	eval_pop(ev, mark, f.slot);
}

static const rv *join_keys(
	struct rego_eval *ev, const rv *prefix, uint32_t count, const rv *more, uint32_t more_count)
{
	rv *key = mem_array(&ev->mem, count + more_count + 1, sizeof(rv));
	if (count)
		memcpy(key, prefix, count * sizeof(rv));
	if (more_count)
		memcpy(key + count, more, more_count * sizeof(rv));
	return key;
}

static void collect(struct rego_eval *ev, const struct tree_node *n, const rv *prefix,
	uint32_t count, struct entries *out);

static void collect_defs(struct rego_eval *ev, const struct group *g, const rv *prefix,
	uint32_t count, struct entries *out)
{
	bool any = false;
	struct candidates c = eval_choose(ev, g, NULL);
	for (uint32_t i = 0; i < c.count; i++) {
		const struct def *d = candidate(g, &c, i);
		struct acc acc = {0};
		run_partial(ev, d, &acc);
		uint32_t each = d->path_count + 1u;
		for (uint32_t k = 0; k + each <= acc.list.count; k += each) {
			const rv *key =
				join_keys(ev, prefix, count, acc.list.item + k, d->path_count);
			push_entry(&ev->mem, out,
				(struct entry){.key = key,
					.count = count + d->path_count,
					.leaf_is_set = d->leaf_is_set,
					.leaf = acc.list.item[k + d->path_count]});
			any = true;
		}
	}
	if (g->has_set && !any)
		push_entry(&ev->mem, out,
			(struct entry){.key = join_keys(ev, prefix, count, NULL, 0),
				.count = count,
				.leaf_is_set = true,
				.empty = true});
}

static void collect_child(struct rego_eval *ev, const struct tree_node *n, const rv *prefix,
	uint32_t count, struct entries *out)
{
	const struct group *g = n->group;
	const rv *key = join_keys(ev, prefix, count, &n->key, 1);
	rv v;
	if (ev->ctx->overrides && eval_overridden(ev, n, &v)) {
		if (v)
			push_entry(&ev->mem, out,
				(struct entry){.key = key, .count = count + 1, .leaf = v});
		return;
	}
	if (g && g->kind == GROUP_FUNCTION)
		return;
	if (g && g->kind == GROUP_COMPLETE) {
		v = eval_rule(ev, g);
		if (v)
			push_entry(&ev->mem, out,
				(struct entry){.key = key, .count = count + 1, .leaf = v});
		return;
	}
	collect(ev, n, key, count + 1, out);
}

static void collect(struct rego_eval *ev, const struct tree_node *n, const rv *prefix,
	uint32_t count, struct entries *out)
{
	if (n->group)
		collect_defs(ev, n->group, prefix, count, out);
	for (uint32_t i = 0; i < n->child_count; i++)
		collect_child(ev, n->child[i], prefix, count, out);
}

rv eval_partial(struct rego_eval *ev, const struct group *g)
{
	if (g->plain_set || g->plain_object) {
		struct acc acc = {0};
		struct candidates c = eval_choose(ev, g, NULL);
		for (uint32_t i = 0; i < c.count; i++)
			run_partial(ev, candidate(g, &c, i), &acc);
		if (g->plain_set)
			return value_set(&ev->mem, acc.list.item, acc.list.count);
		rv v = value_object_unique(&ev->mem,
			(const struct pair *)(const void *)acc.list.item, acc.list.count / 2);
		if (!v)
			key_conflict(ev, g);
		return v;
	}
	struct entries l = {0};
	collect(ev, g->node, NULL, 0, &l);
	if (l.count == 0)
		return &value_empty_object;
	return build(ev, g, l.item, l.count, 0);
}
