/* SPDX-License-Identifier: Apache-2.0 */
/* The rule tree: where each definition lives below `data`, and what kind of rule it makes. */
#include "base/buf.h"
#include "rego/compile.h"

static uint32_t find_child(const struct cnode *n, rv key, bool *ret_found)
{
	uint32_t low = 0, high = n->child_count;
	while (low < high) {
		uint32_t mid = (low + high) / 2;
		int order = value_compare(n->child[mid]->key, key);
		if (order == 0) {
			*ret_found = true;
			return mid;
		}
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	*ret_found = false;
	return low;
}

struct cnode *cnode_child(const struct cnode *n, rv key)
{
	bool found;
	uint32_t i = find_child(n, key, &found);
	return found ? n->child[i] : NULL;
}

static struct cnode *cnode_add(struct rego_compiler *c, struct cnode *n, rv key)
{
	bool found;
	uint32_t i = find_child(n, key, &found);
	if (found)
		return n->child[i];
	if (n->child_count == n->child_capacity) {
		uint32_t capacity = n->child_capacity ? n->child_capacity * 2 : 4;
		struct cnode **child = mem_array(&c->mem, capacity, sizeof(*child));
		if (n->child_count)
			memcpy(child, n->child, n->child_count * sizeof(*child));
		n->child = child;
		n->child_capacity = capacity;
	}
	memmove(n->child + i + 1, n->child + i, (n->child_count - i) * sizeof(*n->child));
	struct cnode *k = mem_new(&c->mem, struct cnode);
	k->key = key;
	k->parent = n;
	k->id = c->node_count++;
	n->child[i] = k;
	n->child_count++;
	return k;
}

struct cnode *cnode_package(struct rego_compiler *c, const struct module *m)
{
	struct cnode *n = c->root;
	for (uint32_t i = 1; i < m->package->count; i++)
		n = cnode_add(c, n, m->package->item[i]->value);
	return n;
}

static void path_text(struct buf *out, const struct cnode *n)
{
	if (!n->parent) {
		buf_put_str(out, "data");
		return;
	}
	path_text(out, n->parent);
	bool plain = n->key->count > 0 && !(n->key->text[0] >= '0' && n->key->text[0] <= '9');
	for (uint32_t i = 0; i < n->key->count; i++) {
		char ch = n->key->text[i];
		plain = plain && (ch == '_' || (ch >= '0' && ch <= '9') ||
					 (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z'));
	}
	if (plain)
		buf_put_u8(out, '.');
	else
		buf_put_u8(out, '[');
	if (plain)
		buf_put_slice(out, value_slice(n->key));
	else
		rego_json(out, n->key);
	if (!plain)
		buf_put_u8(out, ']');
}

const char *node_path(struct rego_compiler *c, const struct cnode *n)
{
	struct buf out = buf_init(0);
	path_text(&out, n);
	const char *text = buf_error(&out) ? NULL : arena_strdup(c->program->arena, buf_str(&out));
	buf_done(&out);
	if (!text)
		mem_escape(&c->mem, REGO_ERR_MEMORY);
	return text;
}

static struct cgroup *new_group(
	struct rego_compiler *c, struct cnode *n, enum group_kind kind, const struct rule *r)
{
	struct cgroup *g = mem_new(&c->mem, struct cgroup);
	g->group = mem_new(&c->pmem, struct group);
	g->group->kind = kind;
	g->group->id = c->group_count++;
	g->group->arity = r->arg_count;
	g->group->path = node_path(c, n);
	g->node = n;
	g->loc = r->loc;
	g->file = r->module->file;
	g->defs_end = &g->defs;
	n->group = g;
	*c->groups_end = g;
	c->groups_end = &g->next;
	return g;
}

static bool string_key(const struct node *n)
{
	return n->kind == NODE_CONST && n->value->type == REGO_STRING;
}

static void add_def(struct rego_compiler *c, struct cnode *package, struct rule *r)
{
	const struct node *h = r->head;
	struct slice name = h->kind == NODE_VAR ? h->name : h->item[0]->name;
	struct cnode *n = cnode_add(c, package, value_string(&c->mem, name));
	n->named = true;
	uint32_t i = 1, count = h->kind == NODE_REF ? h->count : 1;
	while (i < count && string_key(h->item[i]))
		n = cnode_add(c, n, h->item[i++]->value);
	if (r->is_function && i < count)
		source_fail(&c->mem, r->module->file, r->loc, REGO_ERR_COMPILE, "rego_type_error",
			"the name of a function must not hold variables");
	enum group_kind kind = r->is_function		     ? GROUP_FUNCTION
			       : r->is_contains || i < count ? GROUP_PARTIAL
							     : GROUP_COMPLETE;
	struct cgroup *g = n->group;
	if (!g)
		g = new_group(c, n, kind, r);
	if (g->group->kind != kind || g->group->arity != r->arg_count)
		source_fail(&c->mem, g->file, g->loc, REGO_ERR_COMPILE, "rego_type_error",
			"conflicting rules %s found", g->group->path);
	struct cdef *d = mem_new(&c->mem, struct cdef);
	d->rule = r;
	d->group = g;
	d->path = count > 1 ? h->item + i : NULL;
	d->path_count = count - i;
	if (r->is_default) {
		if (g->fallback)
			source_fail(&c->mem, r->module->file, r->module->package_loc,
				REGO_ERR_COMPILE, "rego_type_error",
				"multiple default rules %s found at %s:%u, %s:%u", g->group->path,
				g->fallback->rule->module->file, g->fallback->rule->loc.row,
				r->module->file, r->loc.row);
		g->fallback = d;
		return;
	}
	*g->defs_end = d;
	g->defs_end = &d->next;
	g->def_count++;
}

/* Objects may have rules below them: those make more members. */
static bool may_have_children(const struct cgroup *g)
{
	if (g->group->kind != GROUP_PARTIAL)
		return false;
	for (const struct cdef *d = g->defs; d; d = d->next)
		if (d->path_count == 0)
			return false;
	return true;
}

static void list_rules(struct buf *out, const struct cnode *n)
{
	if (n->group)
		buf_printf(out, "\n  rule %s at %s:%u", n->group->group->path, n->group->file,
			n->group->loc.row);
	for (uint32_t i = 0; i < n->child_count; i++)
		list_rules(out, n->child[i]);
}

static void report_children(struct rego_compiler *c, const struct cgroup *g)
{
	struct buf text = buf_init(DIAG_TEXT_SIZE / 2);
	for (uint32_t i = 0; i < g->node->child_count; i++)
		list_rules(&text, g->node->child[i]);
	diag_addf(&c->mem, g->file, g->loc, "rego_type_error", "rule %s conflicts with:%s",
		g->group->path, text.size ? buf_str(&text) : " a package below it");
	buf_done(&text);
}

void compile_tree(struct rego_compiler *c)
{
	for (struct module *m = c->modules; m; m = m->next) {
		struct cnode *package = cnode_package(c, m);
		for (struct rule *r = m->rules; r; r = r->next)
			add_def(c, package, r);
	}
	for (struct cquery *q = c->queries; q; q = q->next)
		if (q->module)
			cnode_package(c, q->module);
	for (struct cgroup *g = c->groups; g; g = g->next) {
		g->group->has_children = g->node->child_count > 0;
		if (g->group->has_children && !may_have_children(g))
			report_children(c, g);
	}
}
