/* SPDX-License-Identifier: Apache-2.0 */
/* The definitions that the index of a group leaves to run. */
#include "rego/eval.h"
#include "rego/index.h"

static rv key_value(const struct rego_eval *ev, const struct index_key *key, const rv *arg)
{
	rv v = key->arg < 0 ? ev->ctx->input : arg[key->arg];
	for (uint32_t i = 0; v && i < key->count; i++)
		v = value_get(v, key->key[i]);
	return v;
}

static const struct rule_index *find(struct rego_eval *ev, const struct rule_index *x, rv v)
{
	int64_t i;
	if (!v || v->type >= REGO_ARRAY)
		return NULL;
	if (v->type == REGO_NUMBER && v->sub != NUM_INT) {
		/* 1.0 is 1 */
		if (!num_to_i64(v, &i))
			return NULL;
		v = value_int(&ev->mem, i);
	}
	uint32_t at = index_hash(v) & (x->size - 1);
	for (; x->slot[at].value; at = (at + 1) & (x->size - 1))
		if (value_eq(x->slot[at].value, v))
			return x->slot[at].sub;
	return NULL;
}

/* Lists of several leaves become one, in order of the source. */
static void join(struct rego_eval *ev, struct candidates *c, const uint32_t *def, uint32_t count)
{
	if (c->count == 0 || count == 0) {
		if (count)
			*c = (struct candidates){def, count};
		return;
	}
	uint32_t *all = mem_array(&ev->mem, c->count + count, sizeof(*all));
	uint32_t i = 0, k = 0, n = 0;
	while (i < c->count || k < count)
		all[n++] =
			k == count || (i < c->count && c->def[i] < def[k]) ? c->def[i++] : def[k++];
	*c = (struct candidates){all, n};
}

/* Bounded by the levels that compile_index.c makes. */
static void collect(
	struct rego_eval *ev, const struct rule_index *x, const rv *arg, struct candidates *c)
{
	for (; x && x->size; x = x->other) {
		const struct rule_index *sub = find(ev, x, key_value(ev, &x->key, arg));
		if (sub)
			collect(ev, sub, arg, c);
	}
	if (x)
		join(ev, c, x->def, x->count);
}

struct candidates eval_candidates(struct rego_eval *ev, const struct rule_index *x, const rv *arg)
{
	struct candidates c = {0};
	collect(ev, x, arg, &c);
	return c;
}
