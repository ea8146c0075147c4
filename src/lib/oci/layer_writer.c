/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/layer_writer.h"

#include <zlib.h>

#include "oci/hash.h"

#define CHUNK_SIZE ((size_t)64 << 10)

struct layer_writer {
	struct oci_blob_writer *blob;
	struct oci_hash *diff;
	uint64_t plain_size;
	z_stream z;
	bool z_ready;
	uint8_t out[CHUNK_SIZE];
};

int layer_writer_new(struct layer_writer **ret, struct oci_layout *l, int level, struct err *reterr)
{
	cleanup(layer_writer_free) struct layer_writer *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	/* 31: a gzip header, which zlib fills with time 0 and no name. */
	if (deflateInit2(&w->z, level ? level : 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return err_set(reterr, -EINVAL, "bad compression level");
	w->z_ready = true;
	int r = oci_hash_new(&w->diff, OCI_DIGEST_SHA256);
	if (r == 0)
		r = oci_blob_writer_new(&w->blob, l, reterr);
	if (r == 0)
		*ret = steal_ptr(w);
	return r;
}

void layer_writer_free(struct layer_writer *w)
{
	if (!w)
		return;
	if (w->z_ready)
		deflateEnd(&w->z);
	oci_hash_free(w->diff);
	oci_blob_writer_free(w->blob);
	free(w);
}

static int compress_bytes(struct layer_writer *w, struct slice in, int flush, struct err *reterr)
{
	/* zlib's type lacks const; it does not write to its input. */
	w->z.next_in = (Bytef *)(uintptr_t)in.data;
	w->z.avail_in = (uInt)in.size;
	do {
		w->z.next_out = w->out;
		w->z.avail_out = CHUNK_SIZE;
		if (deflate(&w->z, flush) == Z_STREAM_ERROR)
			return err_set(reterr, -EIO, "gzip failed");
		int r = oci_blob_writer_put(
			w->blob, slice_of(w->out, CHUNK_SIZE - w->z.avail_out), reterr);
		if (r < 0)
			return r;
	} while (w->z.avail_out == 0);
	return 0;
}

int layer_writer_put(struct layer_writer *w, struct slice tar, struct err *reterr)
{
	while (tar.size > 0) {
		struct slice piece = slice_cut(tar, 0, (size_t)1 << 20);
		oci_hash_update(w->diff, piece);
		w->plain_size += piece.size;
		int r = compress_bytes(w, piece, Z_NO_FLUSH, reterr);
		if (r < 0)
			return r;
		tar = slice_cut(tar, piece.size, SIZE_MAX);
	}
	return 0;
}

int layer_writer_finish(struct layer_writer *w, struct oci_digest *ret_blob, uint64_t *ret_size,
	struct oci_digest *ret_diff_id, struct err *reterr)
{
	int r = compress_bytes(w, SLICE_EMPTY, Z_FINISH, reterr);
	if (r == 0)
		r = oci_hash_final(w->diff, ret_diff_id);
	return r < 0 ? r : oci_blob_writer_finish(w->blob, ret_blob, ret_size, reterr);
}

uint64_t layer_writer_plain_size(const struct layer_writer *w)
{
	return w->plain_size;
}
