/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation for values, source trees and programs: a cursor into blocks of an arena. */
#include <stdarg.h>

#include "rego/value.h"

#define BLOCK ((size_t)16 << 10)

noreturn_fn void mem_escape(struct mem *m, int error)
{
	m = mem_root(m);
	m->error = error;
	longjmp(*m->escape, 1);
}

noreturn_fn void mem_fail(struct mem *m, int error, const char *field, const char *fmt, ...)
{
	m = mem_root(m);
	if (m->reterr) {
		va_list ap;
		va_start(ap, fmt);
		char text[ERR_TEXT_SIZE];
		vsnprintf(text, sizeof(text), fmt, ap);
		va_end(ap);
		err_at(m->reterr, error, ERR_NO_OFFSET, field, "%s", text);
	}
	mem_escape(m, error);
}

void *mem_slow(struct mem *m, size_t size)
{
	size_t need = (size + 7) & ~(size_t)7;
	if (need < size)
		need = SIZE_MAX;
	/* A large request gets a block of its own, so that the current one is not wasted. */
	if (need > BLOCK / 4) {
		void *p = arena_alloc(m->arena, need);
		if (!p)
			mem_fail(m, REGO_ERR_MEMORY, "memory", "the memory budget is spent");
		return p;
	}
	uint8_t *p = arena_alloc(m->arena, BLOCK);
	if (!p)
		mem_fail(m, REGO_ERR_MEMORY, "memory", "the memory budget is spent");
	m->cursor = p + need;
	m->end = p + BLOCK;
	return p;
}

void *mem_array(struct mem *m, size_t count, size_t size)
{
	size_t total;
	if (__builtin_mul_overflow(count, size, &total))
		total = SIZE_MAX;
	return mem_alloc(m, total);
}

char *mem_text(struct mem *m, struct slice s)
{
	char *p = mem_alloc(m, s.size + 1);
	if (s.size)
		memcpy(p, s.data, s.size);
	return p;
}

size_t mem_room(const struct mem *m)
{
	return MAX(arena_room(m->arena), (size_t)1); /* 0 would be a default to struct buf */
}

void mem_reset(struct mem *m)
{
	arena_reset(m->arena);
	m->cursor = m->end = NULL;
}

void list_grow(struct mem *m, struct list *l)
{
	uint32_t capacity = l->capacity ? l->capacity * 2 : 8;
	if (capacity < l->capacity)
		mem_fail(m, REGO_ERR_MEMORY, "memory", "a collection has too many elements");
	rv *item = mem_array(m, capacity, sizeof(rv));
	if (l->count)
		memcpy(item, l->item, l->count * sizeof(rv));
	l->item = item;
	l->capacity = capacity;
}

int mem_guard(struct mem *m, void (*fn)(void *), void *arg, struct err *reterr)
{
	jmp_buf here, *outer = m->escape;
	struct err *outer_err = m->reterr;
	m->escape = &here;
	m->reterr = reterr;
	m->error = 0;
	if (setjmp(here) == 0)
		fn(arg);
	m->escape = outer;
	m->reterr = outer_err;
	int r = m->error;
	m->error = 0; /* a guard around this one has not failed */
	return r;
}
