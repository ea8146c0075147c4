/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Which directory entries the current layer brought, as a set of hashes of (folder's inode, name).
 * Whiteouts need it: they hide what lower layers brought and nothing else. Private to unpack.c.
 */
#include "base/err.h"

#define OWN_SET_DEPTH_MAX 257 /* folders inside each other */

struct own_set;
struct own_set *own_set_new(void);
void own_set_free(struct own_set *s);
DEFINE_CLEANUP(struct own_set *, own_set_free);
/** own_set_add() - Return: 0, -ENOMEM. */
must_check int own_set_add(struct own_set *s, uint64_t dir_ino, const char *name);
/**
 * own_set_touch() - the layer brings something into this folder, so neither it nor any folder above
 * it may disappear
 * @dir_fd: borrowed; open for reading
 * @root_ino: inode of the root, where climbing ends
 * Return: 0, -ENOMEM, other negative errno.
 */
must_check int own_set_touch(struct own_set *s, int dir_fd, uint64_t root_ino);
/**
 * own_set_hide() - apply a whiteout: remove @name, or what lower layers brought inside of it
 * @dir_fd: borrowed; open for reading
 * Return: 0 (also when there is no such entry), or as own_set_hide_all().
 */
must_check int own_set_hide(const struct own_set *s, int dir_fd, const char *name);
/**
 * own_set_hide_all() - below a folder, remove everything that is not in the set
 * @dir_fd: consumed; open for reading
 * Return: 0, -ELOOP nested deeper than OWN_SET_DEPTH_MAX, other negative errno.
 */
must_check int own_set_hide_all(const struct own_set *s, int dir_fd);
