/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/layer_writer.h"

#include <zlib.h>
#include <zstd.h>

#include "oci/hash.h"

#define CHUNK_SIZE ((size_t)64 << 10)
#define GZIP_LEVEL 6
/* Slower to make than zstd's own default, not slower to read; a guest needs a window of 4 MiB. */
#define ZSTD_LEVEL 9
#define ZSTD_WINDOW_LOG 22

struct layer_writer {
	struct oci_blob_writer *blob;
	struct oci_hash *diff;
	uint64_t plain_size;
	enum oci_compression compression;
	z_stream z;
	bool z_ready;
	ZSTD_CCtx *zstd;
	uint8_t out[CHUNK_SIZE];
};

static int setup_gzip(struct layer_writer *w, int level)
{
	/* 31: a gzip header, which zlib fills with time 0 and no name. */
	if (deflateInit2(&w->z, level ? level : GZIP_LEVEL, Z_DEFLATED, 31, 8,
		    Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	w->z_ready = true;
	return 0;
}

static int setup_zstd(struct layer_writer *w, int level)
{
	w->zstd = ZSTD_createCCtx();
	if (!w->zstd ||
		ZSTD_isError(ZSTD_CCtx_setParameter(
			w->zstd, ZSTD_c_compressionLevel, level ? level : ZSTD_LEVEL)) ||
		ZSTD_isError(ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_windowLog, ZSTD_WINDOW_LOG)) ||
		ZSTD_isError(ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_checksumFlag, 1)))
		return -ENOMEM;
	return 0;
}

int layer_writer_new(struct layer_writer **ret, struct oci_layout *l,
	enum oci_compression compression, int level, struct err *reterr)
{
	cleanup(layer_writer_free) struct layer_writer *w = calloc(1, sizeof(*w));
	int r = 0;

	if (!w)
		return -ENOMEM;
	if (level < 0 || level > 9)
		return err_set(reterr, -EINVAL, "the level of compression is not 1 to 9");
	w->compression = compression;
	if (compression == OCI_COMPRESSION_GZIP)
		r = setup_gzip(w, level);
	else if (compression == OCI_COMPRESSION_ZSTD)
		r = setup_zstd(w, level);
	if (r < 0)
		return err_set(reterr, r, "cannot set up the compression");
	r = oci_hash_new(&w->diff, OCI_DIGEST_SHA256);
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
	ZSTD_freeCCtx(w->zstd);
	oci_hash_free(w->diff);
	oci_blob_writer_free(w->blob);
	free(w);
}

static int put_gzip(struct layer_writer *w, struct slice in, bool end, struct err *reterr)
{
	/* zlib's type lacks const; it does not write to its input. */
	w->z.next_in = (Bytef *)(uintptr_t)in.data;
	w->z.avail_in = (uInt)in.size;
	do {
		w->z.next_out = w->out;
		w->z.avail_out = CHUNK_SIZE;
		if (deflate(&w->z, end ? Z_FINISH : Z_NO_FLUSH) == Z_STREAM_ERROR)
			return err_set(reterr, -EIO, "gzip failed");
		int r = oci_blob_writer_put(
			w->blob, slice_of(w->out, CHUNK_SIZE - w->z.avail_out), reterr);
		if (r < 0)
			return r;
	} while (w->z.avail_out == 0);
	return 0;
}

static int put_zstd(struct layer_writer *w, struct slice piece, bool end, struct err *reterr)
{
	ZSTD_inBuffer in = {piece.data, piece.size, 0};
	size_t left;

	do {
		ZSTD_outBuffer out = {w->out, CHUNK_SIZE, 0};
		left = ZSTD_compressStream2(w->zstd, &out, &in, end ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(left))
			return err_set(reterr, -EIO, "zstd failed: %s", ZSTD_getErrorName(left));
		int r = oci_blob_writer_put(w->blob, slice_of(w->out, out.pos), reterr);
		if (r < 0)
			return r;
	} while (end ? left != 0 : in.pos < in.size);
	return 0;
}

static int put(struct layer_writer *w, struct slice piece, bool end, struct err *reterr)
{
	switch (w->compression) {
	case OCI_COMPRESSION_GZIP:
		return put_gzip(w, piece, end, reterr);
	case OCI_COMPRESSION_ZSTD:
		return put_zstd(w, piece, end, reterr);
	default:
		return oci_blob_writer_put(w->blob, piece, reterr);
	}
}

int layer_writer_put(struct layer_writer *w, struct slice tar, struct err *reterr)
{
	while (tar.size > 0) {
		struct slice piece = slice_cut(tar, 0, (size_t)1 << 20);
		oci_hash_update(w->diff, piece);
		w->plain_size += piece.size;
		int r = put(w, piece, false, reterr);
		if (r < 0)
			return r;
		tar = slice_cut(tar, piece.size, SIZE_MAX);
	}
	return 0;
}

int layer_writer_finish(struct layer_writer *w, struct oci_digest *ret_blob, uint64_t *ret_size,
	struct oci_digest *ret_diff_id, struct err *reterr)
{
	int r = put(w, SLICE_EMPTY, true, reterr);
	if (r == 0)
		r = oci_hash_final(w->diff, ret_diff_id);
	return r < 0 ? r : oci_blob_writer_finish(w->blob, ret_blob, ret_size, reterr);
}

uint64_t layer_writer_plain_size(const struct layer_writer *w)
{
	return w->plain_size;
}
