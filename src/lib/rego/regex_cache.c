/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiled patterns. Those that fit into a small arena of their own outlive rego_eval_reset(): most
 * policies use the same patterns for each request. When that arena is full at a reset it is emptied;
 * patterns that do not fit belong to the evaluation and its memory budget.
 */
#include "rego/eval.h"
#include "rego/index.h"
#include "rego/regex.h"

#define KEEP_MAX ((size_t)2 << 20)
#define KEEP_FULL ((size_t)1 << 20)
#define BUCKETS 128

struct regex_entry {
	struct regex_entry *next;
	rv pattern;
	struct regex *re; /* NULL: invalid */
	const char *error;
};

struct regex_cache {
	struct mem mem;
	struct regex_entry *kept[BUCKETS];
	struct regex_entry *passing; /* of this evaluation */
};

struct job {
	struct mem *m;
	rv pattern;
	struct regex_entry *entry;
};

static void compile(void *arg)
{
	struct job *j = arg;
	struct regex_entry *e = mem_new(j->m, struct regex_entry);
	e->pattern = value_string(j->m, value_slice(j->pattern));
	e->re = regex_compile(j->m, value_slice(j->pattern), &e->error);
	if (e->re)
		regex_prepare(j->m, e->re);
	j->entry = e;
}

static struct regex_cache *cache_of(struct rego_eval *ev)
{
	if (ev->regexes)
		return ev->regexes;
	struct regex_cache *k = calloc(1, sizeof(*k));
	if (k)
		k->mem.arena = arena_new(KEEP_MAX);
	if (!k || !k->mem.arena) {
		free(k);
		mem_escape(&ev->mem, -ENOMEM);
	}
	ev->regexes = k;
	return k;
}

static struct regex_entry *find(struct regex_entry *e, rv pattern)
{
	while (e && !value_eq(e->pattern, pattern))
		e = e->next;
	return e;
}

struct regex *regex_cached(struct rego_eval *ev, rv pattern, const char **ret_error)
{
	struct regex_cache *k = cache_of(ev);
	struct regex_entry **bucket = &k->kept[index_hash(pattern) % BUCKETS];
	struct regex_entry *e = find(*bucket, pattern);
	if (!e)
		e = find(k->passing, pattern);
	if (!e) {
		struct job j = {.m = &k->mem, .pattern = pattern};
		/* Half-made patterns stay in the arena until it is emptied. */
		if (mem_guard(&k->mem, compile, &j, NULL) < 0) {
			j.m = &ev->mem;
			compile(&j);
			bucket = &k->passing;
		}
		e = j.entry;
		e->next = *bucket;
		*bucket = e;
		eval_charge(ev, pattern->count + (e->re ? e->re->count : 0));
	}
	*ret_error = e->error;
	return e->re;
}

void regex_charge(void *cookie, uint64_t work)
{
	eval_charge(cookie, work / 8 + 1);
}

void regex_cache_reset(struct regex_cache *k)
{
	if (!k)
		return;
	k->passing = NULL;
	if (arena_used(k->mem.arena) < KEEP_FULL)
		return;
	mem_reset(&k->mem);
	memset(k->kept, 0, sizeof(k->kept));
}

void regex_cache_free(struct regex_cache *k)
{
	if (!k)
		return;
	arena_free(k->mem.arena);
	free(k);
}
