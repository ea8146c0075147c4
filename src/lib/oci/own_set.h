/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Which directory entries the current layer brought, as a set of hashes of (folder's inode, name).
 * Whiteouts need it: they hide what lower layers brought and nothing else. Private to unpack.c.
 */
#include "base/err.h"

#define OWN_SET_PURGE_DEPTH_MAX 256 /* folders inside each other while purging */

struct own_set;
struct own_set *own_set_new(void);
void own_set_free(struct own_set *s);
DEFINE_CLEANUP(struct own_set *, own_set_free);
/** own_set_add() - Return: 0, -ENOMEM. */
must_check int own_set_add(struct own_set *s, uint64_t dir_ino, const char *name);
bool own_set_has(const struct own_set *s, uint64_t dir_ino, const char *name);
/**
 * own_set_purge_others() - below a folder, remove everything that is not in the set
 * @dir_fd: consumed; open for reading
 * Return: 0, -ELOOP nested deeper than OWN_SET_PURGE_DEPTH_MAX, other negative errno.
 */
must_check int own_set_purge_others(const struct own_set *s, int dir_fd);
