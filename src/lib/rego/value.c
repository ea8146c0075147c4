/* SPDX-License-Identifier: Apache-2.0 */
/* Construction and access of values. Order and numbers are in compare.c and number.c. */
#include "rego/value.h"
#include "rego/sort.h"

const struct rego_value value_null = {.type = REGO_NULL};
const struct rego_value value_true = {.type = REGO_BOOL, .sub = 1};
const struct rego_value value_false = {.type = REGO_BOOL};
const struct rego_value value_empty_array = {.type = REGO_ARRAY, .depth = 1, .weight = 1};
const struct rego_value value_empty_object = {.type = REGO_OBJECT, .depth = 1, .weight = 1};
const struct rego_value value_empty_set = {.type = REGO_SET, .depth = 1, .weight = 1};

#define N1(v)                                                 \
	{                                                     \
		.type = REGO_NUMBER, .sub = NUM_INT, .i = (v) \
	}
#define N4(v) N1(v), N1((v) + 1), N1((v) + 2), N1((v) + 3)
#define N16(v) N4(v), N4((v) + 4), N4((v) + 8), N4((v) + 12)
#define N64(v) N16(v), N16((v) + 16), N16((v) + 32), N16((v) + 48)
const struct rego_value value_small_ints[SMALL_INT_MAX - SMALL_INT_MIN + 1] = {
	N16(-16), N64(0), N64(64), N64(128), N64(192)};

rv value_int_slow(struct mem *m, int64_t i)
{
	struct rego_value *v = mem_new(m, struct rego_value);
	v->type = REGO_NUMBER;
	v->sub = NUM_INT;
	v->i = i;
	return v;
}

static struct rego_value *new_value(struct mem *m, enum rego_type type, size_t count, size_t each)
{
	if (count > UINT32_MAX / 2)
		mem_fail(m, REGO_ERR_MEMORY, "memory", "a value has too many elements");
	struct rego_value *v = mem_alloc(m, sizeof(*v) + count * each);
	v->type = (uint8_t)type;
	v->count = (uint32_t)count;
	return v;
}

struct rego_value *value_string_new(struct mem *m, size_t size)
{
	struct rego_value *v = new_value(m, REGO_STRING, size + 1, 1);
	v->count = (uint32_t)size;
	return v;
}

rv value_string_done(struct rego_value *v)
{
	uint8_t head[8] = {0};
	memcpy(head, v->text, v->count < 8 ? v->count : 8);
	uint64_t prefix;
	memcpy(&prefix, head, 8);
	v->prefix = __builtin_bswap64(prefix);
	return v;
}

rv value_string(struct mem *m, struct slice s)
{
	struct rego_value *v = value_string_new(m, s.size);
	if (s.size)
		memcpy((char *)(uintptr_t)v->text, s.data, s.size);
	return value_string_done(v);
}

rv value_cstr(struct mem *m, const char *s)
{
	return value_string(m, slice_str(s));
}

/* Depth and weight of a collection, from those of what it holds. */
static void measured(struct mem *m, struct rego_value *v, unsigned depth, uint64_t weight)
{
	if (depth >= VALUE_MAX_DEPTH)
		mem_fail(m, REGO_ERR_DEPTH, "depth", "a value is nested more than %d levels deep",
			VALUE_MAX_DEPTH);
	if (weight >= VALUE_MAX_WEIGHT)
		mem_fail(m, REGO_ERR_MEMORY, "memory", "a value has more than %d parts",
			VALUE_MAX_WEIGHT);
	v->depth = (uint16_t)(depth + 1);
	v->weight = weight + 1;
}

static void measure_items(struct mem *m, struct rego_value *v)
{
	unsigned depth = 0;
	uint64_t weight = 0;
	for (uint32_t i = 0; i < v->count; i++) {
		depth = MAX(depth, v->item[i]->depth);
		weight += value_weight(v->item[i]);
	}
	measured(m, v, depth, weight);
}

static void measure_pairs(struct mem *m, struct rego_value *v)
{
	unsigned depth = 0;
	uint64_t weight = 0;
	for (uint32_t i = 0; i < v->count; i++) {
		depth = MAX(depth, MAX(v->pair[i].key->depth, v->pair[i].val->depth));
		weight += value_weight(v->pair[i].key) + value_weight(v->pair[i].val);
	}
	measured(m, v, depth, weight);
}

rv value_array(struct mem *m, const rv *items, size_t count)
{
	if (count == 0)
		return &value_empty_array;
	struct rego_value *v = new_value(m, REGO_ARRAY, count, sizeof(rv));
	memcpy((rv *)(uintptr_t)v->item, items, count * sizeof(rv));
	measure_items(m, v);
	return v;
}

rv value_set_sorted(struct mem *m, const rv *items, size_t count)
{
	if (count == 0)
		return &value_empty_set;
	struct rego_value *v = new_value(m, REGO_SET, count, sizeof(rv));
	memcpy((rv *)(uintptr_t)v->item, items, count * sizeof(rv));
	measure_items(m, v);
	return v;
}

rv value_set(struct mem *m, const rv *items, size_t count)
{
	if (count == 0)
		return &value_empty_set;
	struct rego_value *v = new_value(m, REGO_SET, count, sizeof(rv));
	rv *item = (rv *)(uintptr_t)v->item;
	memcpy(item, items, count * sizeof(rv));
	sort_values(m, item, count);
	size_t kept = 1;
	for (size_t i = 1; i < count; i++)
		if (!value_eq(item[kept - 1], item[i]))
			item[kept++] = item[i];
	v->count = (uint32_t)kept;
	measure_items(m, v);
	mem_spend(m, v->weight);
	return v;
}

rv value_object_sorted(struct mem *m, const struct pair *pairs, size_t count)
{
	if (count == 0)
		return &value_empty_object;
	struct rego_value *v = new_value(m, REGO_OBJECT, count, sizeof(struct pair));
	memcpy((struct pair *)(uintptr_t)v->pair, pairs, count * sizeof(struct pair));
	measure_pairs(m, v);
	return v;
}

static rv make_object(struct mem *m, const struct pair *pairs, size_t count, bool unique)
{
	if (count == 0)
		return &value_empty_object;
	struct rego_value *v = new_value(m, REGO_OBJECT, count, sizeof(struct pair));
	struct pair *pair = (struct pair *)(uintptr_t)v->pair;
	memcpy(pair, pairs, count * sizeof(*pair));
	sort_pairs(m, pair, count);
	size_t kept = 1;
	for (size_t i = 1; i < count; i++) {
		if (!value_eq(pair[kept - 1].key, pair[i].key)) {
			pair[kept++] = pair[i];
			continue;
		}
		if (unique && !value_eq(pair[kept - 1].val, pair[i].val))
			return NULL;
		pair[kept - 1].val = pair[i].val;
	}
	v->count = (uint32_t)kept;
	measure_pairs(m, v);
	mem_spend(m, v->weight);
	return v;
}

rv value_object(struct mem *m, const struct pair *pairs, size_t count)
{
	return make_object(m, pairs, count, false);
}

rv value_object_unique(struct mem *m, const struct pair *pairs, size_t count)
{
	return make_object(m, pairs, count, true);
}

int64_t value_find_pair(rv object, rv key)
{
	size_t low = 0, high = object->count;
	while (low < high) {
		size_t mid = (low + high) / 2;
		int order = value_compare(object->pair[mid].key, key);
		if (order == 0)
			return (int64_t)mid;
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return ~(int64_t)low;
}

int64_t value_find_item(rv set, rv key)
{
	size_t low = 0, high = set->count;
	while (low < high) {
		size_t mid = (low + high) / 2;
		int order = value_compare(set->item[mid], key);
		if (order == 0)
			return (int64_t)mid;
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return ~(int64_t)low;
}

rv value_get(rv v, rv key)
{
	int64_t i;
	switch (v->type) {
	case REGO_OBJECT:
		i = value_find_pair(v, key);
		return i >= 0 ? v->pair[i].val : NULL;
	case REGO_SET:
		i = value_find_item(v, key);
		return i >= 0 ? v->item[i] : NULL;
	case REGO_ARRAY:
		if (key->type != REGO_NUMBER || rego_int(key, &i) < 0 || i < 0 || i >= v->count)
			return NULL;
		return v->item[i];
	default:
		return NULL;
	}
}

rv value_get_str(rv object, struct slice key)
{
	if (object->type != REGO_OBJECT)
		return NULL;
	for (size_t low = 0, high = object->count; low < high;) {
		size_t mid = (low + high) / 2;
		rv at = object->pair[mid].key;
		int order = at->type < REGO_STRING ? -1 : at->type > REGO_STRING ? 1 : 0;
		if (order == 0) {
			size_t n = MIN(at->count, key.size);
			order = n ? memcmp(at->text, key.data, n) : 0;
			if (order == 0)
				order = at->count < key.size ? -1 : at->count > key.size;
		}
		if (order == 0)
			return object->pair[mid].val;
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

const char *value_type_of(unsigned type)
{
	static const char *const names[] = {
		"null", "boolean", "number", "string", "array", "object", "set", "object"};
	return names[type & 7];
}

const char *value_type_name(rv v)
{
	return value_type_of(v->type);
}

rv value_clone(struct mem *m, rv v)
{
	struct rego_value *copy;
	switch (v->type) {
	case REGO_STRING:
		return value_string(m, value_slice(v));
	case REGO_NUMBER:
		if (v->sub == NUM_INT)
			return value_int(m, v->i);
		copy = mem_alloc(m, sizeof(*v) + v->count + 1);
		memcpy(copy, v, sizeof(*v) + v->count);
		return copy;
	case REGO_ARRAY:
	case REGO_SET:
		copy = mem_alloc(m, sizeof(*v) + v->count * sizeof(rv));
		memcpy(copy, v, sizeof(*v));
		for (uint32_t i = 0; i < v->count; i++)
			((rv *)(uintptr_t)copy->item)[i] = value_clone(m, v->item[i]);
		return copy;
	case REGO_OBJECT:
		copy = mem_alloc(m, sizeof(*v) + v->count * sizeof(struct pair));
		memcpy(copy, v, sizeof(*v));
		for (uint32_t i = 0; i < v->count; i++)
			((struct pair *)(uintptr_t)copy->pair)[i] = (struct pair){
				value_clone(m, v->pair[i].key), value_clone(m, v->pair[i].val)};
		return copy;
	case REGO_BOOL:
		return value_bool(v->sub);
	default:
		return &value_null;
	}
}

/* --- the public accessors --- */

enum rego_type rego_type(const struct rego_value *v)
{
	return (enum rego_type)v->type;
}

bool rego_is_true(const struct rego_value *v)
{
	return v && v->type == REGO_BOOL && v->sub;
}

struct slice rego_text(const struct rego_value *v)
{
	if (v && (v->type == REGO_STRING || (v->type == REGO_NUMBER && v->sub == NUM_DEC)))
		return value_slice(v);
	return SLICE_EMPTY;
}

size_t rego_count(const struct rego_value *v)
{
	return v && value_is_collection(v) ? v->count : 0;
}

const struct rego_value *rego_item(const struct rego_value *v, size_t index)
{
	if (index >= rego_count(v))
		return NULL;
	return v->type == REGO_OBJECT ? v->pair[index].val : v->item[index];
}

const struct rego_value *rego_key(const struct rego_value *v, size_t index)
{
	if (index >= rego_count(v) || v->type == REGO_ARRAY)
		return NULL;
	return v->type == REGO_OBJECT ? v->pair[index].key : v->item[index];
}

const struct rego_value *rego_member(const struct rego_value *v, const char *name)
{
	return v ? value_get_str(v, slice_str(name)) : NULL;
}

int rego_compare(const struct rego_value *a, const struct rego_value *b)
{
	return value_compare(a, b);
}
