/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files of the unpacker share. */
#include "oci/own_set.h"
#include "oci/unpack.h"

/* A directory whose mode and time are set when its content is complete. */
struct late_dir {
	size_t path; /* offset in late_paths */
	uint32_t mode;
	uint32_t mtime_ns;
	int64_t mtime_s;
};

struct unpacker {
	int root_fd;
	uint64_t root_ino;
	struct unpack_options opt;
	struct unpack_stats stats;
	struct tar_reader *tar;
	unsigned layer_count;
	struct own_set *own; /* what this layer brought; NULL in the lowest layer */

	int file_fd;	       /* the file being written, else -1 */
	struct tar_entry file; /* borrowed from the reader while file_fd is open */
	bool ignore_data;

	/* The last parent directory, as most entries share it with their predecessor. */
	char parent_path[TAR_PATH_MAX + 1];
	int parent_fd;
	uint64_t parent_ino;

	struct buf late_paths, late_dirs;
};

int unpack_fail(int code, const char *path, const char *what, struct err *reterr);
int unpack_fail_os(int code, const char *path, const char *doing, struct err *reterr);
/* Opens the parent of cleaned @path through the cache; the fd stays the cache's. */
must_check int unpack_open_parent(
	struct unpacker *u, const char *path, const char **ret_name, struct err *reterr);
void unpack_forget_parent(struct unpacker *u);
must_check int unpack_fd_ino(int fd, uint64_t *ret);
/* Remembers that this layer brought @name. */
must_check int unpack_note_own(struct unpacker *u, uint64_t parent_ino, const char *name);
must_check int unpack_set_metadata(
	struct unpacker *u, int fd, const struct tar_entry *e, struct err *reterr);
must_check int unpack_set_metadata_at(
	struct unpacker *u, const char *name, const struct tar_entry *e, struct err *reterr);
/* Mode and time of a folder are set when its content is complete. */
must_check int unpack_remember_dir(struct unpacker *u, const char *path, const struct tar_entry *e);
must_check int unpack_finish_dirs(struct unpacker *u, struct err *reterr);
