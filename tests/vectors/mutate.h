/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Evidence that was accepted, with one bit of each of its bytes flipped in turn: no such mutant may
 * be accepted. What is not signed may change only where the format says so, and each such place
 * has words for why; it is counted under them.
 */
#include "vectors.h"

/** struct mutation_free - bytes from @from to before @to may change, because of @why */
struct mutation_free {
	size_t from, to;
	const char *why;
};
#define MUTATION_FREE_MAX 8

/**
 * struct mutation - a part of evidence in memory
 * @bytes: changed and restored
 * @accepted: verify what is in memory now; anything it allocates it frees
 * @harmless: what was accepted means the same bytes (PEM text); why, or NULL. May be NULL.
 */
struct mutation {
	const char *part;
	uint8_t *bytes;
	size_t size;
	bool (*accepted)(void *ctx);
	const char *(*harmless)(void *ctx);
	void *ctx;
	struct mutation_free free[MUTATION_FREE_MAX];
	size_t free_count;
};
/** mutate_bytes() - Return: 0; -1 when a mutant was accepted (recorded). */
must_check int mutate_bytes(struct vector *v, const struct mutation *m);

/**
 * mutate_json() - likewise every character of every string and every byte of arrays of numbers
 * @accepted: verify @evidence
 * @explain: why member @path may have another @value; NULL when it may not
 */
struct json_mutation {
	json_t *evidence;
	bool (*accepted)(void *ctx);
	const char *(*explain)(void *ctx, const char *path, const json_t *value);
	void *ctx;
};
must_check int mutate_json(struct vector *v, const struct json_mutation *m);

/** mutate_range() - note that @part, which lies in @m->bytes, may change */
void mutate_range(struct mutation *m, struct slice part, const char *why);
/** mutate_ders() - certificates of a PEM chain, appended as DER; what is between them is skipped */
void mutate_ders(struct slice pem, struct buf *out);
/** mutate_report() - what was tried so far. Return: number of mutants. */
size_t mutate_report(void);
