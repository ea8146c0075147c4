/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays, walk and graphs. */
#include "rego/builtin.h"

static rv array_concat(struct call *c, const rv *arg, uint32_t count)
{
	if (!arg_is(c, arg, 1, REGO_ARRAY) || !arg_is(c, arg, 2, REGO_ARRAY))
		return NULL;
	uint32_t a = arg[0]->count, b = arg[1]->count;
	rv *item = mem_array(c->m, (size_t)a + b + 1, sizeof(rv));
	memcpy(item, arg[0]->item, a * sizeof(rv));
	memcpy(item + a, arg[1]->item, b * sizeof(rv));
	return value_array(c->m, item, (size_t)a + b);
}

static rv array_slice(struct call *c, const rv *arg, uint32_t count)
{
	int64_t from, to;
	if (!arg_is(c, arg, 1, REGO_ARRAY) || !arg_int(c, arg, 2, &from) ||
		!arg_int(c, arg, 3, &to))
		return NULL;
	int64_t size = arg[0]->count;
	from = MAX(from, 0);
	to = MIN(to, size);
	if (from >= to)
		return &value_empty_array;
	return value_array(c->m, arg[0]->item + from, (size_t)(to - from));
}

static rv array_reverse(struct call *c, const rv *arg, uint32_t count)
{
	if (!arg_is(c, arg, 1, REGO_ARRAY))
		return NULL;
	uint32_t n = arg[0]->count;
	rv *item = mem_array(c->m, n + 1, sizeof(rv));
	for (uint32_t i = 0; i < n; i++)
		item[i] = arg[0]->item[n - 1 - i];
	return value_array(c->m, item, n);
}

static rv array_flatten(struct call *c, const rv *arg, uint32_t count)
{
	if (!arg_is(c, arg, 1, REGO_ARRAY))
		return NULL;
	struct list l = {0};
	for (uint32_t i = 0; i < arg[0]->count; i++) {
		rv v = arg[0]->item[i];
		if (v->type != REGO_ARRAY)
			list_push(c->m, &l, v);
		for (uint32_t k = 0; v->type == REGO_ARRAY && k < v->count; k++)
			list_push(c->m, &l, v->item[k]);
	}
	return value_array(c->m, l.item, l.count);
}

/* The neighbours of a node: an array or set; NULL when there are none. */
static rv neighbours(rv graph, rv node)
{
	rv v = value_get(graph, node);
	return v && (v->type == REGO_ARRAY || v->type == REGO_SET) ? v : NULL;
}

static bool graph_args(struct call *c, const rv *arg)
{
	if (!arg_is(c, arg, 1, REGO_OBJECT))
		return false;
	if (arg[1]->type == REGO_ARRAY || arg[1]->type == REGO_SET)
		return true;
	call_type_error(c, 2, "{array, set}", arg[1]);
	return false;
}

static rv reachable(struct call *c, const rv *arg, uint32_t count)
{
	if (!graph_args(c, arg))
		return NULL;
	/* Marks by position of the key in the graph; others have no neighbours. */
	rv graph = arg[0];
	uint8_t *seen = mem_array(c->m, graph->count + 1, 1);
	struct list queue = {0}, found = {0};
	for (uint32_t i = 0; i < arg[1]->count; i++)
		list_push(c->m, &queue, arg[1]->item[i]);
	while (queue.count > 0) {
		rv node = queue.item[--queue.count];
		int64_t at = value_find_pair(graph, node);
		call_charge(c, 1);
		if (at < 0 || seen[at])
			continue;
		seen[at] = 1;
		list_push(c->m, &found, node);
		rv next = neighbours(graph, node);
		for (uint32_t i = 0; next && i < next->count; i++)
			list_push(c->m, &queue, next->item[i]);
	}
	return value_set(c->m, found.item, found.count);
}

struct paths {
	struct call *c;
	rv graph;
	struct list path, found;
};

static bool on_path(const struct list *path, rv node)
{
	for (uint32_t i = 0; i < path->count; i++)
		if (value_eq(path->item[i], node))
			return true;
	return false;
}

static void put_path(struct paths *p)
{
	list_push(p->c->m, &p->found, value_array(p->c->m, p->path.item, p->path.count));
}

static void walk_paths(struct paths *p, rv node);

/* On from the last node of the path: one that was there before ends the path here. */
static void walk_next(struct paths *p, rv next)
{
	for (uint32_t i = 0; i < next->count; i++) {
		if (on_path(&p->path, next->item[i]))
			put_path(p);
		else
			walk_paths(p, next->item[i]);
	}
}

/* A node that is not in the graph ends the path before it; one without a list of edges, with it. */
static void walk_paths(struct paths *p, rv node)
{
	call_charge(p->c, 1 + p->path.count);
	if (p->path.count >= VALUE_MAX_DEPTH)
		mem_fail(p->c->m, REGO_ERR_DEPTH, "depth", "a path of the graph is too long");
	if (value_find_pair(p->graph, node) < 0) {
		put_path(p);
		return;
	}
	list_push(p->c->m, &p->path, node);
	rv next = neighbours(p->graph, node);
	if (!next || next->count == 0)
		put_path(p);
	else
		walk_next(p, next);
	p->path.count--;
}

/* As OPA: the neighbours of a first node are followed even when they are that node itself. */
static void paths_from(struct paths *p, rv node)
{
	if (value_find_pair(p->graph, node) < 0)
		return;
	rv next = neighbours(p->graph, node);
	list_push(p->c->m, &p->path, node);
	for (uint32_t i = 0; next && i < next->count; i++)
		walk_paths(p, next->item[i]);
	if (!next || next->count == 0)
		put_path(p);
	p->path.count--;
}

static rv reachable_paths(struct call *c, const rv *arg, uint32_t count)
{
	if (!graph_args(c, arg))
		return NULL;
	struct paths p = {.c = c, .graph = arg[0]};
	for (uint32_t i = 0; i < arg[1]->count; i++)
		paths_from(&p, arg[1]->item[i]);
	return value_set(c->m, p.found.item, p.found.count);
}

struct walk {
	struct call *c;
	struct list path, found;
};

/* Bounded by the depth of the value. */
static void walk_value(struct walk *w, rv v)
{
	struct mem *m = w->c->m;
	rv item[2] = {value_array(m, w->path.item, w->path.count), v};
	list_push(m, &w->found, value_array(m, item, 2));
	call_charge(w->c, 1 + w->path.count);
	if (!value_is_collection(v))
		return;
	for (uint32_t i = 0; i < v->count; i++) {
		rv key = v->type == REGO_OBJECT ? v->pair[i].key
			 : v->type == REGO_SET	? v->item[i]
						: value_int(m, i);
		list_push(m, &w->path, key);
		walk_value(w, v->type == REGO_OBJECT ? v->pair[i].val : v->item[i]);
		w->path.count--;
	}
}

/* All [path, value] pairs as an array; as a statement the compiler scans it. */
static rv walk(struct call *c, const rv *arg, uint32_t count)
{
	struct walk w = {.c = c};
	walk_value(&w, arg[0]);
	return value_array(c->m, w.found.item, w.found.count);
}

static const struct builtin items[] = {
	{.name = "array.concat", .arity = 2, .fn = array_concat},
	{.name = "array.slice", .arity = 3, .fn = array_slice},
	{.name = "array.reverse", .arity = 1, .fn = array_reverse},
	{.name = "array.flatten", .arity = 1, .fn = array_flatten},
	{.name = "graph.reachable", .arity = 2, .fn = reachable},
	{.name = "graph.reachable_paths", .arity = 2, .fn = reachable_paths},
	{.name = "walk", .arity = 1, .relation = true, .fn = walk},
};
const struct builtin_table builtin_collection_table = {items, ARRAY_COUNT(items)};
