/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Paths that somebody else chose. All opens resolve below a root directory fd with openat2(2) and
 * RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS: "..", absolute links and links that were swapped under
 * us cannot leave the root. There is no fallback for kernels without openat2 (Linux >= 5.6 is
 * required).
 */
#include <sys/types.h>

#include "base/err.h"
#include "base/slice.h"

/** path_open_in() - open @path below @root_fd. Return: fd, or negative errno. */
must_check int path_open_in(int root_fd, const char *path, int flags, mode_t mode);
/**
 * path_open_parent_in() - open the folder that holds the last component of @path
 * @make: create missing folders with mode 0755
 * @ret_name: the last component, borrowed from @path; never "", ".", ".."
 * Return: fd of the folder (O_PATH), -EINVAL when @path has no usable last component, or errno.
 */
must_check int path_open_parent_in(int root_fd, const char *path, bool make, const char **ret_name);
/** path_make_dirs() - mkdir -p on the ordinary file system. Return: 0 or negative errno. */
must_check int path_make_dirs(const char *path, mode_t mode);
/** path_remove_tree() - rm -r below @dir_fd/@name without following links; absent is fine */
must_check int path_remove_tree(int dir_fd, const char *name);
