/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The pipeline the other way: tar bytes -> digest(diff_id) -> compression -> blob. Private to
 * build.c. The same bytes give the same blob, with the same version of zlib or zstd.
 */
#include "oci/layout.h"

struct layer_writer;
/** layer_writer_new() - @level: 1 to 9; 0 for a default. Return: 0, -EINVAL, -ENOMEM, -EIO. */
must_check int layer_writer_new(struct layer_writer **ret, struct oci_layout *l,
	enum oci_compression compression, int level, struct err *reterr);
/** layer_writer_free() - without a finish the blob vanishes */
void layer_writer_free(struct layer_writer *w);
DEFINE_CLEANUP(struct layer_writer *, layer_writer_free);
/** layer_writer_put() - compress and append bytes of the tar. Return: 0, -EIO, -ENOSPC and kin. */
must_check int layer_writer_put(struct layer_writer *w, struct slice tar, struct err *reterr);
/**
 * layer_writer_finish() - end the stream and give the blob its name
 * @ret_blob: SHA-256 of the compressed bytes; @ret_size: how many
 * @ret_diff_id: SHA-256 of the tar
 * Return: as layer_writer_put().
 */
must_check int layer_writer_finish(struct layer_writer *w, struct oci_digest *ret_blob,
	uint64_t *ret_size, struct oci_digest *ret_diff_id, struct err *reterr);
/** layer_writer_plain_size() - bytes of the tar so far */
uint64_t layer_writer_plain_size(const struct layer_writer *w);
