/* SPDX-License-Identifier: Apache-2.0 */
/* OPA's total order: null, booleans, numbers, strings, arrays, objects, sets. */
#include "rego/number.h"

static int compare_text(rv a, rv b)
{
	uint32_t n = MIN(a->count, b->count);
	int order = n ? memcmp(a->text, b->text, n) : 0;
	if (order == 0)
		order = a->count < b->count ? -1 : a->count > b->count;
	return order;
}

static int compare_items(rv a, rv b)
{
	uint32_t n = MIN(a->count, b->count);
	for (uint32_t i = 0; i < n; i++) {
		int order = value_compare(a->item[i], b->item[i]);
		if (order)
			return order;
	}
	return a->count < b->count ? -1 : a->count > b->count;
}

/* Objects compare key by key, then value by value, as OPA does. */
static int compare_objects(rv a, rv b)
{
	uint32_t n = MIN(a->count, b->count);
	for (uint32_t i = 0; i < n; i++) {
		int order = value_compare(a->pair[i].key, b->pair[i].key);
		if (order == 0)
			order = value_compare(a->pair[i].val, b->pair[i].val);
		if (order)
			return order;
	}
	return a->count < b->count ? -1 : a->count > b->count;
}

/* Recursion is bounded by VALUE_MAX_DEPTH, which no constructor exceeds. */
int value_compare_slow(rv a, rv b)
{
	switch (a->type) {
	case REGO_NULL:
		return 0;
	case REGO_BOOL:
		return (int)a->sub - (int)b->sub;
	case REGO_NUMBER:
		return num_compare(a, b);
	case REGO_STRING:
		return compare_text(a, b);
	case REGO_OBJECT:
		return compare_objects(a, b);
	default:
		return compare_items(a, b);
	}
}
