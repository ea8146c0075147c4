/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Making images: from a directory tree, and from another image by encryption or decryption.
 *
 * Building is reproducible: entries are sorted by name, owners and modes are taken from the tree,
 * times are cut to `mtime_max`, and the gzip header carries neither name nor time. Device nodes and
 * sockets are left out and counted: container runtimes make their own.
 */
#include "oci/image.h"

#define OCI_BUILD_DEPTH_MAX 200u /* folders inside each other */

/**
 * struct oci_build_config - the run-time half of the image configuration; NULL and 0: left out
 * @entrypoint, @cmd, @env: lists of text, or NULL
 * @created: seconds; 0 leaves it out, which keeps the image reproducible
 */
struct oci_build_config {
	json_t *entrypoint, *cmd, *env, *labels;
	const char *user, *workdir, *architecture;
	int64_t created;
};

/**
 * struct oci_build_options - how a tree becomes an image
 * @compression: of the layer. Every reader knows gzip; zstd is half the work for a guest, but
 *   guest-components reads it only from layers that are not encrypted
 * @level: of the compression, 1 to 9; 0 for a default
 * @mtime_max: seconds; 0: no cut
 */
struct oci_build_options {
	enum oci_compression compression;
	int level;
	int64_t mtime_max;
	struct oci_build_config config;
};

struct oci_build_stats {
	uint64_t file_count, plain_size, blob_size, skipped_count;
};

/**
 * oci_build_rootfs() - an image of one layer from the tree at @rootfs
 * @ret: descriptor of the manifest
 */
must_check int oci_build_rootfs(struct oci_layout *l, const char *rootfs,
	const struct oci_build_options *options, struct oci_descriptor *ret,
	struct oci_build_stats *ret_stats, struct err *reterr);

/**
 * struct oci_crypt_options - how an image is copied
 * @kid, @kek: encrypt every layer that is clear, wrapping keys under this KEK; or
 * @keks: decrypt every layer that is encrypted
 * With neither, blobs are copied as they are.
 */
struct oci_crypt_options {
	const char *kid;
	struct slice kek;
	const struct oci_fetcher *keks;
};

/**
 * oci_image_copy() - copy an image into a layout, perhaps encrypting or decrypting it
 * @i: resolved from @s
 * @ret: descriptor of the manifest in @dst; when nothing changed, of the same bytes
 *
 * Digests, HMACs and diff_ids of everything read are verified before the copy gets a name.
 * Return: 0; -EALREADY nothing to encrypt or decrypt; errors of the source and of layer.h.
 */
must_check int oci_image_copy(const struct oci_image *i, const struct oci_source *s,
	struct oci_layout *dst, const struct oci_crypt_options *options,
	const struct oci_progress *progress, struct oci_descriptor *ret, struct err *reterr);
