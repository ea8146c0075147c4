/* SPDX-License-Identifier: Apache-2.0 */
/*
 * References into what is known: a member that no definition of a rule and no literal has. OPA
 * refuses these always; here they are part of the strict checks, because policies of the ecosystem
 * that run on engines without types ask for members which their documents leave out.
 *
 * Only what the source shows is known: literals, comprehensions, and rules of these. Whatever else a
 * value comes from may have any member.
 */
#include "base/buf.h"
#include "rego/compile.h"

struct keys {
	struct term *const *item;
	uint32_t count;
};

static struct keys after(struct keys k, uint32_t n)
{
	return (struct keys){k.item + n, k.count - n};
}

static bool possible(const struct node *n, struct keys k);

static bool constant(const struct term *t)
{
	return t->kind == NODE_CONST;
}

static bool possible_member(const struct node *n, struct keys k)
{
	for (uint32_t i = 0; i + 1 < n->count; i += 2) {
		const struct node *name = n->item[i];
		if (name->kind != NODE_CONST)
			return true;
		if ((!constant(k.item[0]) || value_eq(name->value, k.item[0]->value)) &&
			possible(n->item[i + 1], after(k, 1)))
			return true;
	}
	return false;
}

static bool possible_element(const struct node *n, struct keys k)
{
	int64_t at;
	if (!constant(k.item[0])) {
		for (uint32_t i = 0; i < n->count; i++)
			if (possible(n->item[i], after(k, 1)))
				return true;
		return false;
	}
	return k.item[0]->value->type == REGO_NUMBER && num_to_i64(k.item[0]->value, &at) &&
	       at >= 0 && at < n->count && possible(n->item[at], after(k, 1));
}

/* Whether a value written as @n may have something at these keys. Bounded by the source's depth. */
static bool possible(const struct node *n, struct keys k)
{
	if (k.count == 0)
		return true;
	switch (n->kind) {
	case NODE_CONST:
	case NODE_TEMPLATE:
		return false;
	case NODE_OBJECT:
		return possible_member(n, k);
	case NODE_ARRAY:
		return possible_element(n, k);
	case NODE_ARRAY_COMP:
		return !constant(k.item[0]) || k.item[0]->value->type == REGO_NUMBER;
	default:
		return true;
	}
}

static bool possible_rule(const struct rule *r, struct keys k)
{
	for (; r; r = r->orelse)
		if (r->value ? possible(r->value, k) : k.count == 0)
			return true;
	return false;
}

/* A partial definition puts its value below the keys of its head. */
static bool possible_def(const struct cdef *d, struct keys k)
{
	for (uint32_t i = 0; i < d->path_count && i < k.count; i++)
		if (d->path[i]->kind == NODE_CONST && constant(k.item[i]) &&
			!value_eq(d->path[i]->value, k.item[i]->value))
			return false;
	if (k.count <= d->path_count || d->rule->is_contains)
		return true;
	return possible_rule(d->rule, after(k, d->path_count));
}

static bool possible_group(const struct cgroup *g, struct keys k)
{
	if (g->fallback && possible_rule(g->fallback->rule, k))
		return true;
	for (const struct cdef *d = g->defs; d; d = d->next)
		if (possible_def(d, k))
			return true;
	return false;
}

static void put_name(struct buf *out, const struct term *t)
{
	if (t->kind == NODE_ROOT)
		buf_put_str(out, t->is_input ? "input" : "data");
	else if (t->kind == NODE_LOCAL)
		buf_put_slice(out, t->var->name.size ? t->var->name : SLICE_LIT("_"));
	else if (t->kind == NODE_CONST)
		rego_print(out, t->value);
	else
		buf_put_str(out, "...");
}

static bool is_word(rv v)
{
	bool ok =
		v->type == REGO_STRING && v->count > 0 && !(v->text[0] >= '0' && v->text[0] <= '9');
	for (uint32_t i = 0; ok && i < v->count; i++) {
		uint8_t c = (uint8_t)v->text[i], l = c | 0x20;
		ok = c == '_' || (c >= '0' && c <= '9') || (l >= 'a' && l <= 'z');
	}
	return ok;
}

static void report(struct unit *u, const struct term *t)
{
	char text[256];
	struct buf out = buf_init(1 << 16);
	put_name(&out, t->item[0]);
	for (uint32_t i = 1; i < t->count; i++) {
		if (constant(t->item[i]) && is_word(t->item[i]->value)) {
			buf_printf(&out, ".%s", t->item[i]->value->text);
			continue;
		}
		buf_put_u8(&out, '[');
		put_name(&out, t->item[i]);
		buf_put_u8(&out, ']');
	}
	snprintf(text, sizeof(text), "%s", buf_str(&out));
	buf_done(&out);
	unit_report(u, t->loc, diag_late_type, "undefined ref: %s", text);
}

void check_ref(struct unit *u, const struct term *t, const struct node *head)
{
	struct keys k = {t->item + 1, t->count - 1};
	bool ok = true;
	if (!u->c->options.strict)
		return;
	if (t->item[0]->kind == NODE_ROOT && !t->item[0]->is_input) {
		const struct cnode *n = u->c->root, *next;
		for (; k.count > 0 && !n->group && constant(k.item[0]); k = after(k, 1)) {
			next = cnode_child(n, k.item[0]->value);
			if (!next)
				return;
			n = next;
		}
		ok = !n->group || n->child_count > 0 || n->group->group->kind == GROUP_FUNCTION ||
		     possible_group(n->group, k);
	} else if (t->item[0]->kind == NODE_LOCAL) {
		ok = !t->item[0]->var->shape || possible(t->item[0]->var->shape, k);
	} else if (head->kind != NODE_VAR && head->kind != NODE_REF) {
		ok = possible(head, k);
	}
	if (!ok)
		report(u, t);
}
