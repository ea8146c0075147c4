/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which definitions of a rule can hold, given the input or the arguments.
 *
 * Theory of operation
 *
 * A statement `input.a.b == "x"` that stands in a body unconditionally is a guard: where the input
 * has another value there, the definition cannot hold and need not run. So are `==` and `=` with a
 * constant on either side, `in` with a constant array or set, the same on arguments, and constants
 * as arguments in the head. A group with enough definitions gets a tree: each level takes the key that
 * splits its definitions best, has a hash table from constant to the next level, and an "other"
 * branch for definitions that do not look at the key. Evaluation follows both.
 *
 * Only strings, integers, booleans and null are indexed: they have one representation, so that equal
 * values have equal hashes. Definitions with `else` always run, for a failure there is not the end.
 */
#include "rego/compile.h"
#include "rego/index.h"

#define MAX_LEVELS 4
#define MAX_KEYS 16	  /* that are weighed at one level */
#define MAX_GUARDS 16	  /* per definition */
#define MIN_DEFINITIONS 4 /* fewer just run */
#define MAX_MEMBERS 64	  /* of a collection on the right of `in` */

struct guard {
	struct guard *next;
	struct index_key key;
	const rv *value;
	uint32_t value_count;
};

/* One definition while the tree is made. */
struct item {
	uint32_t def;
	const struct guard *guards;
	uint32_t used; /* bits of the guards that a level above has tested */
};

static bool key_eq(const struct index_key *a, const struct index_key *b)
{
	if (a->arg != b->arg || a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++)
		if (!value_eq(a->key[i], b->key[i]))
			return false;
	return true;
}

/* A path of constants below the input or an argument. */
static bool key_of(struct unit *u, const struct term *t, uint32_t args, struct index_key *ret)
{
	const struct term *head = t->kind == NODE_REF ? t->item[0] : t;
	uint32_t count = t->kind == NODE_REF ? t->count - 1 : 0;
	if (head->kind == NODE_ROOT && head->is_input)
		ret->arg = -1;
	else if (head->kind == NODE_LOCAL && head->var->bound && (uint32_t)head->var->slot < args)
		ret->arg = head->var->slot;
	else
		return false;
	rv *key = mem_array(&u->c->pmem, count + 1, sizeof(rv));
	for (uint32_t i = 0; i < count; i++) {
		if (t->item[i + 1]->kind != NODE_CONST)
			return false;
		int32_t id = gen_const(u->c, t->item[i + 1]->value);
		key[i] = u->c->constant[~id];
	}
	ret->key = key;
	ret->count = (uint16_t)count;
	return count <= UINT16_MAX;
}

static bool constants_of(struct unit *u, const struct term *t, bool members, struct guard *g)
{
	if (t->kind != NODE_CONST)
		return false;
	const rv *from = &t->value;
	g->value_count = 1;
	if (members) {
		if (t->value->type != REGO_ARRAY && t->value->type != REGO_SET)
			return false;
		from = t->value->item;
		g->value_count = t->value->count;
	}
	if (g->value_count > MAX_MEMBERS)
		return false;
	rv *value = mem_array(&u->c->mem, g->value_count + 1, sizeof(rv));
	for (uint32_t i = 0; i < g->value_count; i++) {
		if (!index_can_hold(from[i]))
			return false;
		int32_t id = gen_const(u->c, from[i]);
		value[i] = u->c->constant[~id];
	}
	g->value = value;
	return true;
}

static void add_guard(struct unit *u, struct cdef *d, const struct term *key,
	const struct term *value, bool members, uint32_t args)
{
	struct guard g = {0};
	uint32_t count = 0;
	if (!key_of(u, key, args, &g.key) || !constants_of(u, value, members, &g))
		return;
	for (const struct guard *o = d->guards; o; o = o->next, count++)
		if (key_eq(&o->key, &g.key))
			return;
	if (count >= MAX_GUARDS)
		return;
	struct guard *kept = mem_new(&u->c->mem, struct guard);
	*kept = g;
	kept->next = d->guards;
	d->guards = kept;
}

void index_argument(struct unit *u, struct cdef *d, uint32_t arg, const struct term *t)
{
	struct var v = {.slot = (int32_t)arg, .bound = true};
	struct term local = {.kind = NODE_LOCAL, .var = &v};
	add_guard(u, d, &local, t, false, arg + 1);
}

void index_body(struct unit *u, struct cdef *d, const struct stmts *b, uint32_t args)
{
	for (uint32_t i = 0; i < b->count; i++) {
		const struct stmt *s = b->item[i];
		const struct term *t = s->expr;
		if (s->kind != LIT_EXPR || s->negated || s->with_count || s->some_in || !t ||
			t->kind != NODE_CALL || t->group || t->count != 2)
			continue;
		if (t->builtin && slice_eq_str(t->name, "internal.member_2")) {
			add_guard(u, d, t->item[0], t->item[1], true, args);
		} else if (!t->builtin || slice_eq_str(t->name, "equal")) {
			add_guard(u, d, t->item[0], t->item[1], false, args);
			add_guard(u, d, t->item[1], t->item[0], false, args);
		}
	}
}

static const struct guard *guard_with(const struct item *it, const struct index_key *key)
{
	uint32_t bit = 0;
	for (const struct guard *g = it->guards; g; g = g->next, bit++)
		if (!(it->used & 1u << bit) && key_eq(&g->key, key))
			return g;
	return NULL;
}

/* Definitions by constant, while a level is made. */
struct bucket {
	rv value;
	struct item *item;
	uint32_t count, capacity;
};

struct level {
	struct index_key key;
	struct bucket *slot;
	uint32_t size, used; /* of the table; buckets in it */
	struct item *other;
	uint32_t other_count;
};

static void bucket_push(struct mem *m, struct bucket *b, struct item it)
{
	if (b->count == b->capacity) {
		uint32_t capacity = b->capacity ? b->capacity * 2 : 2;
		struct item *item = mem_array(m, capacity, sizeof(*item));
		if (b->count)
			memcpy(item, b->item, b->count * sizeof(*item));
		b->item = item;
		b->capacity = capacity;
	}
	b->item[b->count++] = it;
}

static struct bucket *bucket_of(struct level *l, rv value)
{
	uint32_t at = index_hash(value) & (l->size - 1);
	while (l->slot[at].value && !value_eq(l->slot[at].value, value))
		at = (at + 1) & (l->size - 1);
	if (!l->slot[at].value)
		l->used++;
	l->slot[at].value = value;
	return &l->slot[at];
}

static struct item without(struct item it, const struct guard *g)
{
	uint32_t bit = 0;
	for (const struct guard *o = it.guards; o != g; o = o->next)
		bit++;
	it.used |= 1u << bit;
	return it;
}

static struct level *split(
	struct mem *m, struct index_key key, const struct item *item, uint32_t count)
{
	struct level *l = mem_new(m, struct level);
	uint32_t values = 0;
	for (uint32_t i = 0; i < count; i++) {
		const struct guard *g = guard_with(&item[i], &key);
		values += g ? g->value_count : 0;
	}
	for (l->size = 4; l->size < 2 * values;)
		l->size *= 2;
	l->key = key;
	l->slot = mem_array(m, l->size, sizeof(*l->slot));
	l->other = mem_array(m, count + 1, sizeof(*l->other));
	for (uint32_t i = 0; i < count; i++) {
		const struct guard *g = guard_with(&item[i], &key);
		if (!g)
			l->other[l->other_count++] = item[i];
		for (uint32_t k = 0; g && k < g->value_count; k++)
			bucket_push(m, bucket_of(l, g->value[k]), without(item[i], g));
	}
	return l;
}

/* How many definitions are left to run, about, after @l has been looked at. */
static uint32_t cost(const struct level *l, uint32_t count)
{
	return l->other_count + (count - l->other_count) / MAX(l->used, 1u);
}

static struct level *best_level(struct mem *m, const struct item *item, uint32_t count)
{
	struct index_key seen[MAX_KEYS];
	uint32_t keys = 0;
	struct level *best = NULL;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t bit = 0;
		for (const struct guard *g = item[i].guards; g; g = g->next, bit++) {
			bool known = (item[i].used & 1u << bit) || keys == MAX_KEYS;
			for (uint32_t k = 0; k < keys && !known; k++)
				known = key_eq(&seen[k], &g->key);
			if (known)
				continue;
			seen[keys++] = g->key;
			struct level *l = split(m, g->key, item, count);
			if (!best || cost(l, count) < cost(best, count))
				best = l;
		}
	}
	return best && cost(best, count) <= count - count / 4 ? best : NULL;
}

/* Bounded by MAX_LEVELS. */
static const struct rule_index *make_index(
	struct rego_compiler *c, const struct item *item, uint32_t count, unsigned levels)
{
	struct rule_index *x = mem_new(&c->pmem, struct rule_index);
	struct level *l =
		levels > 0 && count >= MIN_DEFINITIONS ? best_level(&c->mem, item, count) : NULL;
	if (!l) {
		uint32_t *def = mem_array(&c->pmem, count + 1, sizeof(*def));
		for (uint32_t i = 0; i < count; i++)
			def[i] = item[i].def;
		x->def = def;
		x->count = count;
		return x;
	}
	struct index_slot *slot = mem_array(&c->pmem, l->size, sizeof(*slot));
	for (uint32_t i = 0; i < l->size; i++) {
		const struct bucket *b = &l->slot[i];
		if (!b->value)
			continue;
		slot[i].value = b->value;
		slot[i].sub = make_index(c, b->item, b->count, levels - 1);
	}
	x->key = l->key;
	x->size = l->size;
	x->slot = slot;
	if (l->other_count)
		x->other = make_index(c, l->other, l->other_count, levels - 1);
	return x;
}

void compile_index(struct rego_compiler *c, struct cgroup *g)
{
	if (g->def_count < MIN_DEFINITIONS)
		return;
	struct item *item = mem_array(&c->mem, g->def_count, sizeof(*item));
	uint32_t count = 0;
	for (const struct cdef *d = g->defs; d; d = d->next, count++)
		item[count] =
			(struct item){.def = count, .guards = d->def->orelse ? NULL : d->guards};
	const struct rule_index *x = make_index(c, item, count, MAX_LEVELS);
	g->group->index = x->size ? x : NULL;
}
