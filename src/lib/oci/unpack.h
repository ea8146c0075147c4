/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Unpacking of layers: tar entries become files below one root directory, layer over layer, with
 * whiteouts applied on the way, so that no union file system is needed.
 *
 * Theory of operation. The attacker writes the archive. Every path is cleaned, refused when it has
 * a ".." component, and resolved with openat2(RESOLVE_IN_ROOT): absolute names and links, and links
 * that earlier entries planted, end below the root or nowhere. Nothing is ever followed at the last
 * component. The caller unpacks into a directory that nobody uses yet, and uses it only after all
 * digests have agreed; on any error the whole directory is thrown away.
 *
 * Decisions (each has a test):
 *   devices      block devices are refused. Character devices that every container runtime makes
 *                itself (null, zero, full, random, urandom, tty, console, ptmx) are left out and
 *                counted; 0:0 is a whiteout; all others are refused. So CAP_MKNOD is not needed.
 *   whiteouts    ".wh.NAME" and ".wh..wh..opq" hide what lower layers brought, never what the same
 *                layer brought, whatever the order of entries (OCI image-spec, layer.md).
 *   xattrs       security.capability and POSIX ACLs are set or the unpack fails. user.* is set
 * where the file system has it, other namespaces are left out; both are counted. links        a
 * hard link must point to an entry inside the root that exists and is no directory. limits       a
 * file that claims more than is left of the total is refused at its header.
 *
 * Memory: 8 bytes for each entry of a layer that is not the lowest one, and about 80 bytes for each
 * directory of a layer; see UNPACK_ENTRY_MAX.
 *
 * Spec: OCI image-spec 1.1, layer.md.
 */
#include "oci/tar.h"

#define UNPACK_ENTRY_MAX 1000000u /* entries of all layers together */
#define UNPACK_TOTAL_MAX \
	((uint64_t)64 << 30)  /* bytes of all files, when the caller knows no less */
#define UNPACK_DEPTH_MAX 256u /* components of a path */

/**
 * struct unpack_options - zero means the defaults
 * @total_max: bytes that all files of all layers may have together; 0 means UNPACK_TOTAL_MAX
 * @entry_max: entries of all layers together; 0 means UNPACK_ENTRY_MAX
 * @no_owner: leave owners alone, for callers without CAP_CHOWN
 */
struct unpack_options {
	uint64_t total_max;
	uint64_t entry_max;
	bool no_owner;
};

struct unpack_stats {
	uint64_t entry_count;
	uint64_t file_size; /* bytes written */
	uint64_t whiteout_count;
	uint64_t device_skipped_count;
	uint64_t xattr_dropped_count;
};

struct unpacker;

/**
 * unpack_new() - unpack below @root_fd
 * @root_fd: directory, borrowed; must be usable for openat() (not O_PATH only)
 * Return: NULL on ENOMEM.
 */
struct unpacker *unpack_new(int root_fd, const struct unpack_options *options);
void unpack_free(struct unpacker *u);
DEFINE_CLEANUP(struct unpacker *, unpack_free);
/** unpack_layer_begin() - layers come in order, the lowest first. Return: 0, -ENOMEM. */
must_check int unpack_layer_begin(struct unpacker *u, struct err *reterr);
/**
 * unpack_layer_feed() - the next bytes of the uncompressed tar archive
 * Return: 0; -EBADMSG, -EOPNOTSUPP as tar.h; -E2BIG over a limit; -EACCES refused by the rules
 * above; -ENOSPC; other negative errno of the file system. Only unpack_free() may follow a failure.
 */
must_check int unpack_layer_feed(struct unpacker *u, struct slice tar, struct err *reterr);
/** unpack_layer_end() - checks that the archive is complete, sets modes and times of directories */
must_check int unpack_layer_end(struct unpacker *u, struct err *reterr);
const struct unpack_stats *unpack_stats(const struct unpacker *u);

/**
 * unpack_clean_path() - the canonical relative form of an entry's name
 * @dst: receives e.g. "usr/bin/env"; "" for the root itself
 * Return: 0; -EACCES has a ".." component; -E2BIG too long or too deep.
 */
must_check int unpack_clean_path(const char *path, char dst[TAR_PATH_MAX + 1]);
