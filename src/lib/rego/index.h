/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Looking up which definitions of a group can hold; compile_index.c has the theory. */
#include "rego/program.h"

/* Where a guard looks: a path below the input (arg -1) or below an argument. */
struct index_key {
	int32_t arg;
	uint16_t count;
	const rv *key;
};

struct index_slot {
	rv value; /* NULL: empty */
	const struct rule_index *sub;
};

/* A level of the tree, or with size 0 a leaf. */
struct rule_index {
	struct index_key key;
	uint32_t size; /* of the table, a power of two; probing is linear */
	const struct index_slot *slot;
	const struct rule_index *other; /* definitions that do not look at the key, or NULL */
	const uint32_t *def;		/* leaf: numbers of definitions, ascending */
	uint32_t count;
};

static inline bool index_can_hold(rv v)
{
	return v->type < REGO_ARRAY && !(v->type == REGO_NUMBER && v->sub != NUM_INT);
}

static inline uint32_t index_hash(rv v)
{
	if (v->type == REGO_STRING) {
		uint64_t h = v->prefix * 0x9e3779b97f4a7c15u;
		for (uint32_t i = 8; i < v->count; i++)
			h = (h ^ (uint8_t)v->text[i]) * 0x100000001b3u;
		return (uint32_t)(h >> 32 ^ h);
	}
	if (v->type == REGO_NUMBER)
		return (uint32_t)((uint64_t)v->i * 0x9e3779b97f4a7c15u >> 32);
	return (uint32_t)v->type * 2 + v->sub;
}
