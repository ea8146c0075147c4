/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The Merkle tree of RFC 6962 (RFC 9162 section 2.1) over SHA-256: an append-only log whose head
 * commits to every entry. Leaf and node hashes are domain-separated by a leading byte.
 */
#include "base/buf.h"
#include "base/err.h"

#define MERKLE_HASH_SIZE 32
#define MERKLE_LEVELS 48
#define MERKLE_PATH_MAX (2 * MERKLE_LEVELS)

/**
 * struct merkle - a tree reduced to what appending needs
 * @size: leaves
 * @nodes: hashes of the perfect subtrees it consists of, largest first
 */
struct merkle {
	uint64_t size;
	unsigned count;
	uint8_t nodes[MERKLE_LEVELS][MERKLE_HASH_SIZE];
};

/** merkle_leaf() - hash of an entry. Return: 0, -EIO. */
must_check int merkle_leaf(struct slice entry, uint8_t ret[MERKLE_HASH_SIZE]);
/** merkle_append() - add a leaf hash. Return: 0, -E2BIG, -EIO. */
must_check int merkle_append(struct merkle *m, const uint8_t leaf[MERKLE_HASH_SIZE]);
/** merkle_root() - the tree's head; of an empty tree the hash of nothing. Return: 0, -EIO. */
must_check int merkle_root(const struct merkle *m, uint8_t ret[MERKLE_HASH_SIZE]);

/**
 * typedef merkle_subtree_fn - hash of the perfect subtree with leaves [index << level, (index + 1)
 * << level)
 */
typedef int (*merkle_subtree_fn)(
	void *cookie, unsigned level, uint64_t index, uint8_t ret[MERKLE_HASH_SIZE]);
/**
 * merkle_inclusion() - proof that leaf @index is in the tree of @size leaves
 * @path: hashes are appended, from the leaf upwards
 * Return: 0, -EINVAL (@index is not below @size), and what @subtree returns.
 */
must_check int merkle_inclusion(
	uint64_t index, uint64_t size, merkle_subtree_fn subtree, void *cookie, struct buf *path);
/** merkle_consistency() - proof that the tree of @size leaves continues the one of @old_size */
must_check int merkle_consistency(uint64_t old_size, uint64_t size, merkle_subtree_fn subtree,
	void *cookie, struct buf *path);

/**
 * merkle_inclusion_check() - RFC 9162 section 2.1.3.2
 * @path: hashes one after the other
 * Return: 0, -EKEYREJECTED (the proof does not hold), -EBADMSG (shape), -EIO.
 */
must_check int merkle_inclusion_check(uint64_t index, uint64_t size,
	const uint8_t leaf[MERKLE_HASH_SIZE], struct slice path,
	const uint8_t root[MERKLE_HASH_SIZE]);
/** merkle_consistency_check() - RFC 9162 section 2.1.4.2. Return: as above. */
must_check int merkle_consistency_check(uint64_t old_size, const uint8_t old_root[MERKLE_HASH_SIZE],
	uint64_t size, const uint8_t root[MERKLE_HASH_SIZE], struct slice path);
