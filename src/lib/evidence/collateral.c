/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/collateral.h"

#include "base/enc.h"
#include "base/str.h"
#include "evidence/collateral_internal.h"
#include "fmt/json.h"

struct item {
	char *key;
	struct buf bytes;
};

struct collateral_store {
	struct item *items; /* sorted by key */
	size_t count, capacity, total;
	struct collateral_provider provider;
};

int collateral_get(const struct collateral_provider *p, const char *key, struct slice *ret)
{
	return p ? p->get(p->ctx, key, ret) : -ENOENT;
}

bool collateral_key_valid(const char *key)
{
	bool start = true;

	if (!*key || strlen(key) >= COLLATERAL_KEY_SIZE)
		return false;
	for (const char *p = key; *p; p++) {
		bool word = (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '_' ||
			    *p == '-' || *p == '.';
		if (start ? !word || *p == '.' : !word && *p != '/')
			return false;
		start = *p == '/';
	}
	return !start;
}

/* Place of @key, or where it belongs. */
static size_t lookup(const struct collateral_store *s, const char *key, bool *ret_found)
{
	size_t low = 0, high = s->count;

	*ret_found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = __builtin_strcmp(s->items[middle].key, key);
		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int store_get(void *ctx, const char *key, struct slice *ret)
{
	const struct collateral_store *s = ctx;
	bool found;
	size_t at = lookup(s, key, &found);

	if (!found)
		return -ENOENT;
	*ret = buf_slice(&s->items[at].bytes);
	return 0;
}

struct collateral_store *collateral_store_new(void)
{
	struct collateral_store *s = calloc(1, sizeof(*s));
	if (s)
		s->provider = (struct collateral_provider){store_get, s};
	return s;
}

void collateral_store_free(struct collateral_store *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->count; i++) {
		free(s->items[i].key);
		buf_done(&s->items[i].bytes);
	}
	free(s->items);
	free(s);
}

static void remove_at(struct collateral_store *s, size_t at)
{
	if (!s->items)
		return;
	s->total -= s->items[at].bytes.size;
	free(s->items[at].key);
	buf_done(&s->items[at].bytes);
	s->count--;
	memmove(&s->items[at], &s->items[at + 1], (s->count - at) * sizeof(*s->items));
}

static int insert_at(struct collateral_store *s, size_t at, const char *key)
{
	if (s->count == COLLATERAL_ITEMS_MAX)
		return -E2BIG;
	if (s->count == s->capacity) {
		size_t more = s->capacity ? 2 * s->capacity : 16;
		struct item *items = reallocarray(s->items, more, sizeof(*items));
		if (!items)
			return -ENOMEM;
		s->items = items;
		s->capacity = more;
	}
	char *copy = strdup(key);
	if (!copy)
		return -ENOMEM;
	memmove(&s->items[at + 1], &s->items[at], (s->count - at) * sizeof(*s->items));
	s->items[at] = (struct item){.key = copy, .bytes = buf_init(COLLATERAL_ITEM_MAX)};
	s->count++;
	return 0;
}

int collateral_store_put(struct collateral_store *s, const char *key, struct slice item)
{
	cleanup_with(buf_done) struct buf copy = buf_init(COLLATERAL_ITEM_MAX);
	bool found;

	if (!collateral_key_valid(key))
		return -EINVAL;
	size_t at = lookup(s, key, &found);
	if (item.size == 0) {
		if (found)
			remove_at(s, at);
		return 0;
	}
	if (item.size > COLLATERAL_TOTAL_MAX - s->total)
		return -E2BIG;
	buf_put_slice(&copy, item);
	int r = buf_error(&copy);
	if (r == 0 && !found)
		r = insert_at(s, at, key);
	if (r != 0 || !s->items)
		return r != 0 ? r : -ENOMEM;
	s->total += item.size - s->items[at].bytes.size;
	buf_done(&s->items[at].bytes);
	s->items[at].bytes = copy;
	copy = buf_init(0);
	return 0;
}

const char *collateral_store_at(
	const struct collateral_store *s, size_t index, struct slice *ret_item)
{
	if (index >= s->count)
		return NULL;
	if (ret_item)
		*ret_item = buf_slice(&s->items[index].bytes);
	return s->items[index].key;
}

const struct collateral_provider *collateral_store_provider(const struct collateral_store *s)
{
	return &s->provider;
}

static int load_items(struct collateral_store *s, json_t *items, struct err *reterr)
{
	const char *key;
	json_t *value;

	json_object_foreach (items, key, value) {
		cleanup_with(buf_done) struct buf bytes = buf_init(COLLATERAL_ITEM_MAX);
		if (!collateral_key_valid(key))
			return err_set(reterr, -EBADMSG, "collateral has a malformed key");
		int r = json_get_b64(items, key, &bytes, reterr);
		if (r == 0)
			r = collateral_store_put(s, key, buf_slice(&bytes));
		if (r < 0)
			return err_wrap(reterr, r, "collateral %s", key);
	}
	return 0;
}

/* All or nothing: into a second store first. */
int collateral_store_load(struct collateral_store *s, const json_t *doc, struct err *reterr)
{
	cleanup(collateral_store_free) struct collateral_store *fresh = collateral_store_new();
	json_t *items = json_object_get(doc, "items");
	struct slice item;
	int r;

	if (!fresh)
		return -ENOMEM;
	if (json_is_object(items))
		r = load_items(fresh, items, reterr);
	else if (json_is_array(doc))
		r = collateral_load_cca(fresh, doc, reterr);
	else if (json_is_object(json_object_get(doc, "collaterals")))
		r = collateral_load_pcs(fresh, json_object_get(doc, "collaterals"), reterr);
	else
		r = err_set(reterr, -EBADMSG,
			"this is no collateral: neither \"items\" nor \"collaterals\" nor a list is "
			"there");
	for (size_t i = 0; r == 0 && i < fresh->count; i++) {
		const char *key = collateral_store_at(fresh, i, &item);
		r = collateral_store_put(s, key, item);
	}
	return r;
}

json_t *collateral_store_save(const struct collateral_store *s)
{
	json_t *items = json_object(), *doc = json_object();
	int r = json_set_take(doc, "items", items);

	for (size_t i = 0; r == 0 && i < s->count; i++)
		r = json_set_b64(items, s->items[i].key, buf_slice(&s->items[i].bytes), B64_STD);
	if (r < 0) {
		json_decref(doc);
		return NULL;
	}
	return doc;
}
