/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Values: immutable, allocated in a struct mem, never freed one by one.
 *
 * Objects and sets are sorted arrays, so that lookup is a binary search, comparison and output are
 * one pass, and no choice of keys by an attacker can degrade them. A string carries its first eight
 * bytes as a big-endian number: most comparisons end there.
 */
#include <setjmp.h>

#include "base/arena.h"
#include "rego/rego.h"

typedef const struct rego_value *rv;

enum {
	NUM_INT, /* .i */
	NUM_DEC, /* text, anything that is not a plain int64_t */
};

/* A position inside `data` that is not yet a value: rules and base documents below it. */
#define REGO_NODE 7

struct pair {
	rv key;
	rv val;
};

struct rego_value {
	uint8_t type;
	uint8_t sub;	/* NUM_*, or the boolean */
	uint16_t depth; /* of nesting: 0 for scalars */
	uint32_t count; /* bytes of text, elements, pairs */
	union {
		int64_t i;	 /* NUM_INT */
		uint64_t prefix; /* strings: the first 8 bytes, big-endian, zero filled */
		uint64_t
			weight; /* collections: all values inside, shared ones each time, and itself */
		const struct tree_node *node; /* REGO_NODE; item[0] is the base document or NULL */
	};
	union {
		const char text[0]; /* followed by a NUL that is not counted */
		const rv item[0];
		const struct pair pair[0];
	};
};

#define VALUE_MAX_DEPTH 1000
/*
 * Values share parts, so that a few steps could make one whose comparison or text never ends. No
 * constructor exceeds this, which is more than any budget of memory holds when nothing is shared.
 */
#define VALUE_MAX_WEIGHT (1 << 26)

/*
 * Where a compilation or evaluation allocates. Running out does not return: it jumps to the entry
 * point that set `escape`, which releases everything with the arena. Nothing else is owned in
 * between, so nothing can leak. Only api_*.c sets the escape.
 */
struct diags;
struct mem {
	uint8_t *cursor;
	uint8_t *end;
	struct arena *arena;
	struct mem
		*parent; /* whose escape, error and diagnostics count for this one, too; or NULL */
	jmp_buf *escape;
	int error; /* negative errno while escaping */
	struct err *reterr;
	/* Told of work that is not proportional to memory; may escape. NULL: nobody counts. */
	void (*spend)(void *cookie, uint64_t steps);
	void *cookie;
	struct diags *diags; /* where the compiler collects errors; NULL elsewhere */
};

/* @work: values looked at, limbs multiplied. */
static inline void mem_spend(const struct mem *m, uint64_t work)
{
	if (m->spend && work >= 64)
		m->spend(m->cookie, work / 32);
}

/* Allocation of @size bytes, 8-byte aligned, zeroed. Never NULL. */
void *mem_slow(struct mem *m, size_t size);
static inline struct mem *mem_root(struct mem *m)
{
	return m->parent ? m->parent : m;
}
noreturn_fn void mem_escape(struct mem *m, int error);
/* Escape with an error described as in err_at(); @field is OPA's error code. */
noreturn_fn void mem_fail(struct mem *m, int error, const char *field, const char *fmt, ...)
	format_printf(4, 5);

static inline void *mem_alloc(struct mem *m, size_t size)
{
	size_t need = (size + 7) & ~(size_t)7;
	if (need < size || need > (size_t)(m->end - m->cursor))
		return mem_slow(m, size);
	void *p = m->cursor;
	m->cursor += need;
	return p;
}
/* Bytes that may still be allocated: the limit for texts that are made outside. */
size_t mem_room(const struct mem *m);
/* Calls fn(arg); returns 0, or the error it escaped with. Nests. */
int mem_guard(struct mem *m, void (*fn)(void *), void *arg, struct err *reterr);
void *mem_array(struct mem *m, size_t count, size_t size);
#define mem_new(m, type) ((type *)mem_alloc((m), sizeof(type)))
char *mem_text(struct mem *m, struct slice s);
void mem_reset(struct mem *m);

/* A growing list in a struct mem: doubling copies, old memory stays until the reset. */
struct list {
	rv *item;
	uint32_t count;
	uint32_t capacity;
};
void list_grow(struct mem *m, struct list *l);
static inline void list_push(struct mem *m, struct list *l, rv v)
{
	if (l->count == l->capacity)
		list_grow(m, l);
	l->item[l->count++] = v;
}

extern const struct rego_value value_null, value_true, value_false;
extern const struct rego_value value_empty_array, value_empty_object, value_empty_set;

static inline rv value_bool(bool b)
{
	return b ? &value_true : &value_false;
}
rv value_int_slow(struct mem *m, int64_t i);
#define SMALL_INT_MIN (-16)
#define SMALL_INT_MAX 255
extern const struct rego_value value_small_ints[SMALL_INT_MAX - SMALL_INT_MIN + 1];
static inline rv value_int(struct mem *m, int64_t i)
{
	if (i >= SMALL_INT_MIN && i <= SMALL_INT_MAX)
		return &value_small_ints[i - SMALL_INT_MIN];
	return value_int_slow(m, i);
}
rv value_string(struct mem *m, struct slice s);
rv value_cstr(struct mem *m, const char *s);
/* A string of @size bytes to be filled in before value_string_done(). */
struct rego_value *value_string_new(struct mem *m, size_t size);
rv value_string_done(struct rego_value *v);
rv value_array(struct mem *m, const rv *items, size_t count);
/* Sorts and removes duplicates in place of its own copy. */
rv value_set(struct mem *m, const rv *items, size_t count);
/* Pairs in any order; of equal keys the last one wins. */
rv value_object(struct mem *m, const struct pair *pairs, size_t count);
/* Likewise; returns NULL when one key has two different values. */
rv value_object_unique(struct mem *m, const struct pair *pairs, size_t count);
/* Elements that are sorted and unique already: copied as they are. */
rv value_set_sorted(struct mem *m, const rv *items, size_t count);
rv value_object_sorted(struct mem *m, const struct pair *pairs, size_t count);

int value_compare_slow(rv a, rv b);
static inline int value_compare(rv a, rv b)
{
	if (a == b)
		return 0;
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	if (a->type == REGO_STRING && a->prefix != b->prefix)
		return a->prefix < b->prefix ? -1 : 1;
	return value_compare_slow(a, b);
}
static inline bool value_eq(rv a, rv b)
{
	if (a == b)
		return true;
	if (a->type != b->type)
		return false;
	if (a->type == REGO_STRING && (a->prefix != b->prefix || a->count != b->count))
		return false;
	return value_compare_slow(a, b) == 0;
}
static inline bool value_is_collection(rv v)
{
	return v->type >= REGO_ARRAY && v->type <= REGO_SET;
}
static inline uint64_t value_weight(rv v)
{
	return value_is_collection(v) ? v->weight : 1;
}
/* Index of @key in a sorted array of values or pairs, or the complement of where it would go. */
int64_t value_find_pair(rv object, rv key);
int64_t value_find_item(rv set, rv key);
/* What v[key] is; NULL when undefined. For a set: the element itself. */
rv value_get(rv v, rv key);
rv value_get_str(rv object, struct slice key);
static inline struct slice value_slice(rv v)
{
	return (struct slice){(const uint8_t *)v->text, v->count};
}
static inline bool value_str_is(rv v, const char *s)
{
	return v->type == REGO_STRING && slice_eq_str(value_slice(v), s);
}
const char *value_type_of(unsigned type);
const char *value_type_name(rv v);
/* Deep copy into another struct mem. */
rv value_clone(struct mem *m, rv v);

/* json.c */
enum {
	JSON_STRICT_NUL = 1,
};
int rego_json_parse(
	struct mem *m, struct slice text, unsigned max_depth, rv *ret, struct err *reterr);

/* print.c */
/* Code point at @at, its bytes in @ret_size; UINT32_MAX for a byte that is no UTF-8. */
uint32_t text_rune(struct slice s, size_t at, size_t *ret_size);
void print_json_string(struct buf *out, struct slice s);
/* The text of a value as a new string value, as rego_json() or rego_print() write it. */
rv value_to_json(struct mem *m, rv v);
rv value_to_rego(struct mem *m, rv v);
