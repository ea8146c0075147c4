/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/merkle.h"

#include "crypto/hash.h"

#define H MERKLE_HASH_SIZE

static int hash_parts(uint8_t prefix, struct slice a, struct slice b, uint8_t ret[H])
{
	cleanup(hash_free) struct hash *h = NULL;
	struct digest d;
	int r = hash_new(HASH_SHA256, &h);

	if (r < 0)
		return r;
	hash_update(h, slice_of(&prefix, 1));
	hash_update(h, a);
	hash_update(h, b);
	r = hash_final(h, &d);
	if (r == 0)
		memcpy(ret, d.bytes, H);
	return r;
}

int merkle_leaf(struct slice entry, uint8_t ret[H])
{
	return hash_parts(0, entry, SLICE_EMPTY, ret);
}

static int node(const uint8_t left[H], const uint8_t right[H], uint8_t ret[H])
{
	return hash_parts(1, slice_of(left, H), slice_of(right, H), ret);
}

int merkle_append(struct merkle *m, const uint8_t leaf[H])
{
	uint8_t top[H];
	unsigned count = m->count;
	int r = 0;

	memcpy(top, leaf, H);
	/* Each trailing 1 of the size is a perfect subtree that merges with the new one. */
	for (uint64_t size = m->size; (size & 1) && count > 0 && r == 0; size >>= 1)
		r = node(m->nodes[--count], top, top);
	if (r < 0)
		return r;
	if (count == MERKLE_LEVELS)
		return -E2BIG;
	memcpy(m->nodes[count], top, H);
	m->count = count + 1;
	m->size++;
	return 0;
}

int merkle_root(const struct merkle *m, uint8_t ret[H])
{
	struct digest d;
	int r;

	if (m->count == 0) {
		r = hash_once(HASH_SHA256, SLICE_EMPTY, &d);
		if (r == 0)
			memcpy(ret, d.bytes, H);
		return r;
	}
	memcpy(ret, m->nodes[m->count - 1], H);
	r = 0;
	for (unsigned i = m->count - 1; i > 0 && r == 0; i--)
		r = node(m->nodes[i - 1], ret, ret);
	return r;
}

/* Largest power of two smaller than @n, which is at least 2. */
static uint64_t split_of(uint64_t n)
{
	return (uint64_t)1 << (63 - __builtin_clzll(n - 1));
}

/* Hash of leaves [from, to); @from is a multiple of the largest power of two in the range. */
static int range_hash(
	uint64_t from, uint64_t to, merkle_subtree_fn subtree, void *cookie, uint8_t ret[H])
{
	struct merkle m = {0};
	int r = 0;

	while (from < to && r == 0) {
		unsigned level = (unsigned)(63 - __builtin_clzll(to - from));

		if (m.count == MERKLE_LEVELS)
			return -E2BIG;
		r = subtree(cookie, level, from >> level, m.nodes[m.count++]);
		from += (uint64_t)1 << level;
	}
	return r < 0 ? r : merkle_root(&m, ret);
}

struct path {
	uint8_t hashes[MERKLE_PATH_MAX][H];
	unsigned count;
};

static int push(struct path *p, uint64_t from, uint64_t to, merkle_subtree_fn subtree, void *cookie)
{
	if (p->count == MERKLE_PATH_MAX)
		return -E2BIG;
	return range_hash(from, to, subtree, cookie, p->hashes[p->count++]);
}

/* They were found from the root down. */
static int put_reversed(const struct path *p, struct buf *out)
{
	for (unsigned i = p->count; i > 0; i--)
		buf_put(out, p->hashes[i - 1], H);
	return buf_error(out);
}

int merkle_inclusion(
	uint64_t index, uint64_t size, merkle_subtree_fn subtree, void *cookie, struct buf *path)
{
	struct path p = {.count = 0};
	uint64_t from = 0, to = size;
	int r = index < size ? 0 : -EINVAL;

	while (r == 0 && to - from > 1) {
		uint64_t middle = from + split_of(to - from);

		if (index < middle) {
			r = push(&p, middle, to, subtree, cookie);
			to = middle;
		} else {
			r = push(&p, from, middle, subtree, cookie);
			from = middle;
		}
	}
	return r < 0 ? r : put_reversed(&p, path);
}

int merkle_consistency(
	uint64_t old_size, uint64_t size, merkle_subtree_fn subtree, void *cookie, struct buf *path)
{
	struct path p = {.count = 0};
	uint64_t from = 0, to = size;
	bool whole = true; /* the old tree is a left-most subtree, known to the verifier */
	int r = old_size <= size ? 0 : -EINVAL;

	if (r == 0 && old_size == 0)
		return 0;
	while (r == 0 && old_size < to) {
		uint64_t middle = from + split_of(to - from);

		if (old_size <= middle) {
			r = push(&p, middle, to, subtree, cookie);
			to = middle;
		} else {
			r = push(&p, from, middle, subtree, cookie);
			from = middle;
			whole = false;
		}
	}
	if (r == 0 && !whole)
		r = push(&p, from, to, subtree, cookie);
	return r < 0 ? r : put_reversed(&p, path);
}

static int read_path(struct slice path, unsigned *ret_count)
{
	if (path.size % H || path.size / H > MERKLE_PATH_MAX)
		return -EBADMSG;
	*ret_count = (unsigned)(path.size / H);
	return 0;
}

int merkle_inclusion_check(uint64_t index, uint64_t size, const uint8_t leaf[H], struct slice path,
	const uint8_t root[H])
{
	uint64_t at = index, last = size - 1;
	uint8_t have[H];
	unsigned count = 0;
	int r = read_path(path, &count);

	if (r == 0 && index >= size)
		r = -EKEYREJECTED;
	memcpy(have, leaf, H);
	for (unsigned i = 0; i < count && r == 0; i++) {
		const uint8_t *p = path.data + (size_t)i * H;

		if (last == 0)
			return -EKEYREJECTED;
		if ((at & 1) || at == last) {
			r = node(p, have, have);
			while (!(at & 1) && at != 0) {
				at >>= 1;
				last >>= 1;
			}
		} else {
			r = node(have, p, have);
		}
		at >>= 1;
		last >>= 1;
	}
	if (r < 0)
		return r;
	return last == 0 && memcmp(have, root, H) == 0 ? 0 : -EKEYREJECTED;
}

/* Both heads, rebuilt from the path; the verifier compares them with what it knows. */
static int rebuild(uint64_t at, uint64_t last, struct slice path, uint8_t old[H], uint8_t new[H],
	uint64_t *ret_last)
{
	int r = 0;

	for (size_t i = 0; i < path.size / H && r == 0; i++) {
		const uint8_t *p = path.data + i * H;

		if (last == 0)
			return -EKEYREJECTED;
		if ((at & 1) || at == last) {
			r = node(p, old, old);
			if (r == 0)
				r = node(p, new, new);
			while (!(at & 1) && at != 0) {
				at >>= 1;
				last >>= 1;
			}
		} else {
			r = node(new, p, new);
		}
		at >>= 1;
		last >>= 1;
	}
	*ret_last = last;
	return r;
}

int merkle_consistency_check(uint64_t old_size, const uint8_t old_root[H], uint64_t size,
	const uint8_t root[H], struct slice path)
{
	static const struct merkle empty;
	uint64_t at = old_size - 1, last = size - 1;
	uint8_t old[H], new[H];
	unsigned count = 0;
	int r = read_path(path, &count);

	if (r < 0)
		return r;
	if (old_size > size)
		return -EKEYREJECTED;
	if (old_size == 0) {
		r = merkle_root(&empty, old);
		return r < 0 ? r : count == 0 && memcmp(old, old_root, H) == 0 ? 0 : -EKEYREJECTED;
	}
	if (old_size == size)
		return count == 0 && memcmp(old_root, root, H) == 0 ? 0 : -EKEYREJECTED;
	while (at & 1) {
		at >>= 1;
		last >>= 1;
	}
	/* An old tree whose size is a power of two is a node of the new one: it starts the path. */
	if ((old_size & (old_size - 1)) == 0) {
		memcpy(old, old_root, H);
	} else {
		if (count == 0)
			return -EKEYREJECTED;
		memcpy(old, path.data, H);
		path = slice_cut(path, H, path.size);
	}
	memcpy(new, old, H);
	r = rebuild(at, last, path, old, new, &last);
	if (r < 0)
		return r;
	return last == 0 && memcmp(old, old_root, H) == 0 && memcmp(new, root, H) == 0
		       ? 0
		       : -EKEYREJECTED;
}
