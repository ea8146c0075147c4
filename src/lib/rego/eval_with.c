/* SPDX-License-Identifier: Apache-2.0 */
/* The `with` modifier: replaced documents, functions and built-ins. */
#include "rego/eval.h"

/* A copy of @doc with the value at the path replaced; objects are made where there are none. */
static rv value_patch(struct mem *m, rv doc, const rv *key, uint32_t count, rv value)
{
	if (count == 0)
		return value;
	bool object = doc && doc->type == REGO_OBJECT;
	int64_t at = object ? value_find_pair(doc, key[0]) : ~(int64_t)0;
	uint32_t old = object ? doc->count : 0;
	struct pair *pair = mem_array(m, old + 1, sizeof(*pair));
	rv inner = value_patch(m, at >= 0 ? doc->pair[at].val : NULL, key + 1, count - 1, value);
	if (at >= 0) {
		memcpy(pair, doc->pair, old * sizeof(*pair));
		pair[at].val = inner;
		return value_object_sorted(m, pair, old);
	}
	uint32_t place = (uint32_t)~at;
	if (place)
		memcpy(pair, doc->pair, place * sizeof(*pair));
	pair[place] = (struct pair){key[0], inner};
	if (old > place)
		memcpy(pair + place + 1, doc->pair + place, (old - place) * sizeof(*pair));
	return value_object_sorted(m, pair, old + 1);
}

static void replace_data(
	struct rego_eval *ev, struct context *ctx, const rv *key, uint32_t count, rv value)
{
	const struct tree_node *n = ev->p->root;
	for (uint32_t i = 0; n && i < count; i++) {
		if (n->group)
			return; /* below a rule: nothing to replace there */
		n = tree_child(n, key[i]);
	}
	ctx->data = value_patch(&ev->mem, ctx->data, key, count, value);
	if (!n)
		return;
	struct override *o = mem_new(&ev->mem, struct override);
	*o = (struct override){.next = ctx->overrides, .node = n, .value = value};
	ctx->overrides = o;
}

static void replace_function(struct rego_eval *ev, struct context *ctx, bool is_builtin, int32_t id,
	rv value, int32_t by)
{
	struct mock *m = mem_new(&ev->mem, struct mock);
	*m = (struct mock){.next = ctx->mocks, .is_builtin = is_builtin, .id = id, .value = value};
	if (by != NONE && by >= 0)
		m->group = ev->p->group[by];
	else if (by != NONE)
		m->builtin = ev->p->builtin[~by];
	ctx->mocks = m;
}

struct context *eval_with(struct rego_eval *ev, struct frame *f, const struct insn *in)
{
	struct context *ctx = mem_new(&ev->mem, struct context);
	*ctx = *ev->ctx;
	ctx->outer = ev->ctx;
	ctx->memo = NULL;
	ctx->cache = mem_array(&ev->mem, ev->p->group_count + 1, sizeof(*ctx->cache));
	const int32_t *l = ev->p->list + in->c;
	for (uint32_t i = 0; i < in->n; i++) {
		enum with_kind kind = (enum with_kind)l[0];
		rv value = l[2] == NONE ? NULL : operand(ev, f, l[2]);
		uint32_t count = (uint32_t)l[4];
		rv *key = mem_array(&ev->mem, count + 1, sizeof(rv));
		for (uint32_t k = 0; k < count; k++)
			key[k] = operand(ev, f, l[5 + k]);
		if (kind == WITH_INPUT)
			ctx->input = value_patch(&ev->mem, ctx->input, key, count, value);
		else if (kind == WITH_DATA)
			replace_data(ev, ctx, key, count, value);
		else
			replace_function(ev, ctx, kind == WITH_BUILTIN, l[1], value, l[3]);
		l += 5 + count;
	}
	return ctx;
}

/* Whether @above is @n or one of its ancestors. */
static bool is_above(const struct tree_node *above, const struct tree_node *n)
{
	for (; n; n = n->parent)
		if (n == above)
			return true;
	return false;
}

static rv value_below(const struct tree_node *from, const struct tree_node *n, rv value)
{
	if (n == from)
		return value;
	rv v = value_below(from, n->parent, value);
	return v ? value_get(v, n->key) : NULL;
}

bool eval_overridden(struct rego_eval *ev, const struct tree_node *n, rv *ret)
{
	for (const struct override *o = ev->ctx->overrides; o; o = o->next)
		if (is_above(o->node, n)) {
			*ret = value_below(o->node, n, o->value);
			return true;
		}
	return false;
}
