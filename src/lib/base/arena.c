/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#define ALIGN ((size_t)16)
#define FIRST_CHUNK ((size_t)8 << 10)
#define LAST_CHUNK ((size_t)1 << 20)

struct chunk {
	struct chunk *next;
	size_t size; /* of data */
	size_t used;
	uint8_t data[] __attribute__((aligned(16)));
};

struct arena {
	struct chunk *head; /* the chunk being filled */
	size_t max;
	size_t used;
};

struct arena *arena_new(size_t max)
{
	struct arena *a = calloc(1, sizeof(*a));
	if (a)
		a->max = max;
	return a;
}

static void free_chunks(struct chunk *c, const struct chunk *until)
{
	while (c != until) {
		struct chunk *next = c->next;
		free(c);
		c = next;
	}
}

void arena_free(struct arena *a)
{
	if (!a)
		return;
	free_chunks(a->head, NULL);
	free(a);
}

void arena_reset(struct arena *a)
{
	struct chunk *kept = NULL;
	while (a->head) {
		struct chunk *c = a->head, *drop = c;
		a->head = c->next;
		if (c->size <= LAST_CHUNK && (!kept || c->size > kept->size)) {
			drop = kept;
			kept = c;
		}
		free(drop);
	}
	if (kept) {
		memset(kept->data, 0, kept->used);
		kept->used = 0;
		kept->next = NULL;
	}
	a->head = kept;
	a->used = 0;
}

static struct chunk *add_chunk(struct arena *a, size_t need)
{
	size_t size = a->head ? MIN(a->head->size * 2, LAST_CHUNK) : FIRST_CHUNK;
	if (size < need)
		size = need;
	struct chunk *c = calloc(1, sizeof(*c) + size);
	if (!c)
		return NULL;
	c->size = size;
	c->next = a->head;
	a->head = c;
	return c;
}

void *arena_alloc(struct arena *a, size_t size)
{
	if (size > SIZE_MAX / 2)
		return NULL;
	size_t rounded = (size + ALIGN - 1) & ~(ALIGN - 1);
	if (rounded == 0)
		rounded = ALIGN;
	if (a->max && (rounded > a->max || a->used > a->max - rounded))
		return NULL;
	struct chunk *c = a->head;
	if (!c || rounded > c->size - c->used) {
		c = add_chunk(a, rounded);
		if (!c)
			return NULL;
	}
	void *p = c->data + c->used;
	c->used += rounded;
	a->used += rounded;
	return p;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
	size_t total;
	if (__builtin_mul_overflow(count, size, &total))
		return NULL;
	return arena_alloc(a, total);
}

void *arena_copy(struct arena *a, struct slice s)
{
	if (s.size == SIZE_MAX)
		return NULL;
	uint8_t *p = arena_alloc(a, s.size + 1);
	if (p && s.size > 0)
		memcpy(p, s.data, s.size);
	return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_copy(a, slice_str(s));
}

size_t arena_used(const struct arena *a)
{
	return a->used;
}

size_t arena_room(const struct arena *a)
{
	return a->max ? a->max - a->used : SIZE_MAX;
}
