/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * struct arena: memory of one request or one evaluation, released at once. Allocations are zeroed,
 * aligned to 16 bytes, and bounded by a hard maximum over the whole arena.
 */
#include "base/slice.h"

struct arena;

/** arena_new() - @max: hard maximum of bytes handed out; 0 means no limit. Return: NULL on ENOMEM.
 */
struct arena *arena_new(size_t max);
/** arena_free() - release everything; accepts NULL */
void arena_free(struct arena *a);
DEFINE_CLEANUP(struct arena *, arena_free);
/** arena_reset() - forget all allocations, keep the largest chunk of an ordinary size */
void arena_reset(struct arena *a);
/** arena_alloc() - zeroed memory. Return: NULL when the maximum or the memory is exhausted. */
void *arena_alloc(struct arena *a, size_t size);
/** arena_array() - zeroed @count elements of @size; NULL also when the product overflows */
void *arena_array(struct arena *a, size_t count, size_t size);
/** arena_copy() - a private copy of the bytes, followed by a NUL that is not counted */
void *arena_copy(struct arena *a, struct slice s);
char *arena_strdup(struct arena *a, const char *s);
/** arena_used() - bytes handed out so far */
size_t arena_used(const struct arena *a);
/** arena_room() - bytes that may still be handed out; SIZE_MAX without a maximum */
size_t arena_room(const struct arena *a);
#define arena_new_of(a, type) ((type *)arena_alloc(a, sizeof(type)))
