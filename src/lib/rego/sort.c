/* SPDX-License-Identifier: Apache-2.0 */
#include "rego/sort.h"

#define INSERTION 8

static void insert_values(rv *item, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		rv v = item[i];
		size_t j = i;
		for (; j > 0 && value_compare(item[j - 1], v) > 0; j--)
			item[j] = item[j - 1];
		item[j] = v;
	}
}

static void insert_pairs(struct pair *pair, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct pair p = pair[i];
		size_t j = i;
		for (; j > 0 && value_compare(pair[j - 1].key, p.key) > 0; j--)
			pair[j] = pair[j - 1];
		pair[j] = p;
	}
}

static bool values_sorted(const rv *item, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (value_compare(item[i - 1], item[i]) > 0)
			return false;
	return true;
}

static bool pairs_sorted(const struct pair *pair, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (value_compare(pair[i - 1].key, pair[i].key) > 0)
			return false;
	return true;
}

void sort_values(struct mem *m, rv *item, size_t count)
{
	if (count <= INSERTION) {
		insert_values(item, count);
		return;
	}
	if (values_sorted(item, count))
		return;
	rv *from = item, *to = mem_array(m, count, sizeof(rv));
	for (size_t i = 0; i < count; i += INSERTION)
		insert_values(item + i, MIN((size_t)INSERTION, count - i));
	for (size_t width = INSERTION; width < count; width *= 2) {
		for (size_t i = 0; i < count; i += 2 * width) {
			size_t a = i, mid = MIN(i + width, count), b = mid;
			size_t end = MIN(i + 2 * width, count);
			for (size_t k = i; k < end; k++) {
				bool left = a < mid &&
					    (b >= end || value_compare(from[a], from[b]) <= 0);
				to[k] = left ? from[a++] : from[b++];
			}
		}
		rv *t = from;
		from = to;
		to = t;
	}
	if (from != item)
		memcpy(item, from, count * sizeof(rv));
}

void sort_pairs(struct mem *m, struct pair *pair, size_t count)
{
	if (count <= INSERTION) {
		insert_pairs(pair, count);
		return;
	}
	if (pairs_sorted(pair, count))
		return;
	struct pair *from = pair, *to = mem_array(m, count, sizeof(*to));
	for (size_t i = 0; i < count; i += INSERTION)
		insert_pairs(pair + i, MIN((size_t)INSERTION, count - i));
	for (size_t width = INSERTION; width < count; width *= 2) {
		for (size_t i = 0; i < count; i += 2 * width) {
			size_t a = i, mid = MIN(i + width, count), b = mid;
			size_t end = MIN(i + 2 * width, count);
			for (size_t k = i; k < end; k++) {
				bool left = a < mid && (b >= end || value_compare(from[a].key,
									    from[b].key) <= 0);
				to[k] = left ? from[a++] : from[b++];
			}
		}
		struct pair *t = from;
		from = to;
		to = t;
	}
	if (from != pair)
		memcpy(pair, from, count * sizeof(*pair));
}
