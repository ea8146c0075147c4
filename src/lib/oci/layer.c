/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/layer.h"

#include <zlib.h>
#include <zstd.h>

#include "crypto/cipher.h"
#include "crypto/hash.h"
#include "oci/hash.h"

/* Fits a core's second-level cache together with what is hashed and written from it. */
#define CHUNK_SIZE ((size_t)64 << 10)

struct layer {
	struct layer_options opt;
	uint64_t blob_size, plain_size;
	struct oci_hash *blob_hash, *plain_hash;

	struct ctr *ctr; /* NULL for a clear layer */
	struct hmac *hmac;
	uint8_t decrypted[CHUNK_SIZE];

	z_stream inflate;
	bool inflate_ready;
	ZSTD_DStream *zstd;
	bool stream_open; /* inside a gzip member or zstd frame */
	bool stream_seen; /* at least one has been complete */
	uint8_t plain[CHUNK_SIZE];
	/* What was wrong with the content. An altered blob shows here first, but its digest is the
	 * better answer, so the rest is still hashed. */
	int corrupt;
	struct err corrupt_why;
};

static int fail(int code, const char *what, struct err *reterr)
{
	return err_set(reterr, code, "layer: %s", what);
}

static int setup_cipher(struct layer *l)
{
	const struct ocicrypt_key *key = l->opt.key;
	struct slice bytes = secret_slice(&key->secret);
	struct slice symkey = slice_cut(bytes, 0, OCICRYPT_SYMKEY_SIZE);

	if (bytes.size != OCICRYPT_SYMKEY_SIZE + OCICRYPT_NONCE_SIZE)
		return -EINVAL;
	int r = ctr_new(symkey, slice_cut(bytes, OCICRYPT_SYMKEY_SIZE, SIZE_MAX), &l->ctr);
	return r < 0 ? r : hmac_new(HASH_SHA256, symkey, &l->hmac);
}

static int setup_decompressor(struct layer *l)
{
	if (l->opt.raw || l->opt.compression == OCI_COMPRESSION_NONE)
		return 0;
	if (l->opt.compression == OCI_COMPRESSION_GZIP) {
		if (inflateInit2(&l->inflate, 16 + MAX_WBITS) != Z_OK)
			return -ENOMEM;
		l->inflate_ready = true;
		return 0;
	}
	l->zstd = ZSTD_createDStream();
	if (!l->zstd || ZSTD_isError(ZSTD_DCtx_setParameter(
				l->zstd, ZSTD_d_windowLogMax, LAYER_ZSTD_WINDOW_LOG_MAX)))
		return -ENOMEM;
	return 0;
}

int layer_new(struct layer **ret, const struct layer_options *options, struct err *reterr)
{
	cleanup(layer_free) struct layer *l = calloc(1, sizeof(*l));
	int r = 0;

	if (!l)
		return fail(-ENOMEM, "out of memory", reterr);
	l->opt = *options;
	if (!l->opt.plain_max)
		l->opt.plain_max = LAYER_PLAIN_MAX;
	if (!l->opt.sink || (l->opt.raw && l->opt.diff_id))
		return -EINVAL;
	r = oci_hash_new(&l->blob_hash, l->opt.blob.digest.alg);
	if (r == 0 && l->opt.diff_id)
		r = oci_hash_new(&l->plain_hash, l->opt.diff_id->alg);
	if (r == 0 && l->opt.key)
		r = setup_cipher(l);
	if (r == 0)
		r = setup_decompressor(l);
	if (r < 0)
		return fail(r, "cannot set up the pipeline", reterr);
	*ret = steal_ptr(l);
	return 0;
}

void layer_free(struct layer *l)
{
	if (!l)
		return;
	oci_hash_free(l->blob_hash);
	oci_hash_free(l->plain_hash);
	ctr_free(l->ctr);
	hmac_free(l->hmac);
	if (l->inflate_ready)
		inflateEnd(&l->inflate);
	ZSTD_freeDStream(l->zstd);
	explicit_bzero(l->decrypted, sizeof(l->decrypted));
	explicit_bzero(l->plain, sizeof(l->plain));
	free(l);
}

/* The last stage: uncompressed bytes, or decrypted ones in raw mode. */
static int put_plain(struct layer *l, struct slice piece, struct err *reterr)
{
	if (piece.size == 0)
		return 0;
	if (piece.size > l->opt.plain_max - l->plain_size)
		return err_set(reterr, -E2BIG,
			"layer: unpacks to more than the limit of %llu bytes",
			(unsigned long long)l->opt.plain_max);
	l->plain_size += piece.size;
	if (l->plain_hash)
		oci_hash_update(l->plain_hash, piece);
	return l->opt.sink(l->opt.user, piece, reterr);
}

static int put_gzip(struct layer *l, struct slice piece, struct err *reterr)
{
	z_stream *z = &l->inflate;

	/* zlib's type lacks const; it does not write to its input. */
	z->next_in = (Bytef *)(uintptr_t)piece.data;
	z->avail_in = (uInt)piece.size;
	while (z->avail_in > 0 || z->avail_out == 0) {
		if (!l->stream_open) {
			if (z->avail_in == 0)
				break;
			if (l->stream_seen && inflateReset(z) != Z_OK)
				return fail(-EINVAL, "cannot restart gzip", reterr);
			l->stream_open = true;
		}
		z->next_out = l->plain;
		z->avail_out = CHUNK_SIZE;
		int zr = inflate(z, Z_NO_FLUSH);
		if (zr == Z_MEM_ERROR)
			return fail(-ENOMEM, "out of memory", reterr);
		if (zr != Z_OK && zr != Z_STREAM_END && zr != Z_BUF_ERROR)
			return fail(-EBADMSG, "the gzip data is corrupt", reterr);
		int r = put_plain(l, slice_of(l->plain, CHUNK_SIZE - z->avail_out), reterr);
		if (r < 0)
			return r;
		if (zr == Z_STREAM_END) {
			l->stream_open = false;
			l->stream_seen = true;
			z->avail_out = 1; /* nothing is held back */
		} else if (zr == Z_BUF_ERROR) {
			break;
		}
	}
	return 0;
}

static int put_zstd(struct layer *l, struct slice piece, struct err *reterr)
{
	ZSTD_inBuffer in = {piece.data, piece.size, 0};
	bool full = false;

	while (in.pos < in.size || full) {
		ZSTD_outBuffer out = {l->plain, CHUNK_SIZE, 0};
		size_t left = ZSTD_decompressStream(l->zstd, &out, &in);
		if (ZSTD_isError(left))
			return err_set(reterr, -EBADMSG, "layer: the zstd data is corrupt: %s",
				ZSTD_getErrorName(left));
		l->stream_open = left != 0;
		l->stream_seen |= left == 0;
		full = out.pos == out.size && left != 0;
		int r = put_plain(l, slice_of(l->plain, out.pos), reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

static int put_decrypted(struct layer *l, struct slice piece, struct err *reterr)
{
	if (l->opt.raw || l->opt.compression == OCI_COMPRESSION_NONE)
		return put_plain(l, piece, reterr);
	if (l->opt.compression == OCI_COMPRESSION_GZIP)
		return put_gzip(l, piece, reterr);
	return put_zstd(l, piece, reterr);
}

static int put_chunk(struct layer *l, struct slice piece, struct err *reterr)
{
	if (!l->ctr)
		return put_decrypted(l, piece, reterr);
	int r = ctr_apply(l->ctr, piece.data, l->decrypted, piece.size);
	if (r < 0)
		return fail(r, "cannot decrypt", reterr);
	return put_decrypted(l, slice_of(l->decrypted, piece.size), reterr);
}

int layer_feed(struct layer *l, struct slice piece, struct err *reterr)
{
	if (piece.size > l->opt.blob.size - l->blob_size)
		return err_set(reterr, -E2BIG,
			"layer: the blob is longer than the %llu bytes that the "
			"manifest says",
			(unsigned long long)l->opt.blob.size);
	while (piece.size > 0) {
		struct slice chunk = slice_cut(piece, 0, CHUNK_SIZE);
		l->blob_size += chunk.size;
		oci_hash_update(l->blob_hash, chunk);
		if (l->hmac)
			hmac_update(l->hmac, chunk);
		int r = l->corrupt ? 0 : put_chunk(l, chunk, &l->corrupt_why);
		if (r == -EBADMSG) {
			l->corrupt = r;
		} else if (r < 0) {
			if (reterr)
				*reterr = l->corrupt_why;
			return r;
		}
		piece = slice_cut(piece, chunk.size, SIZE_MAX);
	}
	return 0;
}

static int check_digest(
	struct oci_hash *h, const struct oci_digest *want, const char *what, struct err *reterr)
{
	char text[2][OCI_DIGEST_TEXT_SIZE];
	struct oci_digest got;

	int r = oci_hash_final(h, &got);
	if (r < 0)
		return fail(r, "cannot compute a digest", reterr);
	if (!oci_digest_equal(&got, want))
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, what,
			"layer: the %s digest is %s, expected %s: it was altered", what,
			oci_digest_text(&got, text[0]), oci_digest_text(want, text[1]));
	return 0;
}

static int check_hmac(struct layer *l, struct err *reterr)
{
	struct digest d;

	int r = hmac_final(l->hmac, &d);
	if (r < 0)
		return fail(r, "cannot compute the HMAC", reterr);
	if (!ct_equal(digest_slice(&d), slice_of(l->opt.key->hmac, sizeof(l->opt.key->hmac))))
		return err_at(reterr, -EKEYREJECTED, ERR_NO_OFFSET, "hmac",
			"layer: the HMAC of the encrypted data is wrong: the blob, its options or "
			"its "
			"key have been altered");
	return 0;
}

int layer_finish(struct layer *l, struct err *reterr)
{
	if (l->blob_size != l->opt.blob.size)
		return err_set(reterr, -ENODATA, "layer: the blob ends after %llu of %llu bytes",
			(unsigned long long)l->blob_size, (unsigned long long)l->opt.blob.size);
	int r = check_digest(l->blob_hash, &l->opt.blob.digest, "blob", reterr);
	if (r == 0 && l->hmac)
		r = check_hmac(l, reterr);
	if (r == 0 && l->corrupt) {
		r = l->corrupt;
		if (reterr)
			*reterr = l->corrupt_why;
	}
	if (r < 0)
		return r;
	if (!l->opt.raw && l->opt.compression != OCI_COMPRESSION_NONE &&
		(l->stream_open || !l->stream_seen))
		return fail(-ENODATA, "the compressed data ends too early", reterr);
	return l->plain_hash ? check_digest(l->plain_hash, l->opt.diff_id, "diff_id", reterr) : 0;
}
