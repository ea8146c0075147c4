/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * struct secret: key material. Its memory is locked where the limits allow, kept out of core dumps,
 * and wiped on release. There is no way to print one.
 */
#include "base/err.h"
#include "base/slice.h"

struct secret {
	uint8_t *data; /* owned, page-aligned mapping; NULL while empty */
	size_t size;
};

#define SECRET_MAX ((size_t)16 << 20)

/**
 * secret_new() - zeroed secret of @size bytes (1 to SECRET_MAX)
 * Return: 0, -EINVAL (size 0), -E2BIG, -ENOMEM.
 */
must_check int secret_new(struct secret *ret, size_t size);
/** secret_copy() - secret holding a copy of @s; the caller wipes its own copy */
must_check int secret_copy(struct secret *ret, struct slice s);
/** secret_done() - wipe and release; accepts an empty secret */
void secret_done(struct secret *s);
static inline struct slice secret_slice(const struct secret *s)
{
	return (struct slice){s->data, s->size};
}
/** secret_steal() - hand ownership out, leaving @s empty */
static inline struct secret secret_steal(struct secret *s)
{
	struct secret out = *s;
	*s = (struct secret){NULL, 0};
	return out;
}
/** ct_equal() - compare in time that depends on the sizes only; false when the sizes differ */
bool ct_equal(struct slice a, struct slice b);
