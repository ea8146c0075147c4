/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/initdata_annotation.h"

#include <zlib.h>

#include "base/enc.h"
#include "fmt/initdata.h"

#define GZIP_WINDOW (15 + 16) /* zlib: 16 asks for a gzip header and trailer */
#define CHUNK 16384u

static int inflate_all(z_stream *z, struct buf *out)
{
	int r = Z_OK;

	while (r == Z_OK) {
		uint8_t *room = buf_reserve(out, CHUNK);
		if (!room)
			return buf_error(out);
		z->next_out = room;
		z->avail_out = CHUNK;
		r = inflate(z, Z_NO_FLUSH);
		buf_commit(out, CHUNK - z->avail_out);
		if (r == Z_BUF_ERROR)
			return -ENODATA;
	}
	if (r == Z_MEM_ERROR)
		return -ENOMEM;
	return r == Z_STREAM_END && z->avail_in == 0 ? 0 : -EBADMSG;
}

int initdata_annotation_decode(struct slice annotation, struct buf *out, struct err *reterr)
{
	cleanup_with(buf_done) struct buf packed = buf_init(INITDATA_ANNOTATION_MAX);
	/* One chunk more than is allowed is reserved before its size is known. */
	cleanup_with(buf_done) struct buf plain = buf_init(INITDATA_SIZE_MAX + CHUNK);

	if (annotation.size == 0 || annotation.size > INITDATA_ANNOTATION_MAX)
		return err_set(reterr, annotation.size ? -E2BIG : -EBADMSG,
			"initdata annotation has an impossible size");
	if (b64_decode_any(&packed, annotation) < 0)
		return err_set(reterr, -EBADMSG, "initdata annotation is not base64");
	z_stream z = {.next_in = packed.data, .avail_in = (uInt)packed.size};
	if (inflateInit2(&z, GZIP_WINDOW) != Z_OK)
		return -ENOMEM;
	int r = inflate_all(&z, &plain);
	inflateEnd(&z);
	if (r == -E2BIG || (r == 0 && plain.size > INITDATA_SIZE_MAX))
		return err_set(
			reterr, -E2BIG, "initdata is larger than %zu bytes", INITDATA_SIZE_MAX);
	if (r < 0)
		return r == -ENOMEM ? r
				    : err_set(reterr, -EBADMSG,
					      "initdata annotation is not gzip, or damaged");
	buf_put_slice(out, buf_slice(&plain));
	return buf_error(out);
}

int initdata_annotation_encode(struct slice toml, struct buf *out, struct err *reterr)
{
	cleanup_with(buf_done) struct buf packed = buf_init(INITDATA_ANNOTATION_MAX);
	z_stream z = {0};

	if (toml.size > INITDATA_SIZE_MAX)
		return err_set(
			reterr, -E2BIG, "initdata is larger than %zu bytes", INITDATA_SIZE_MAX);
	if (deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) !=
		Z_OK)
		return -ENOMEM;
	size_t bound = deflateBound(&z, toml.size);
	uint8_t *room = buf_reserve(&packed, bound);
	z.next_in = (uint8_t *)(uintptr_t)toml.data;
	z.avail_in = (uInt)toml.size;
	z.next_out = room;
	z.avail_out = (uInt)bound;
	/* Without a header of our own zlib writes none of time or name. */
	int r = room && deflate(&z, Z_FINISH) == Z_STREAM_END ? 0 : -ENOMEM;
	if (r == 0)
		buf_commit(&packed, bound - z.avail_out);
	deflateEnd(&z);
	if (r == 0)
		b64_encode(out, buf_slice(&packed), B64_STD);
	return r == 0 ? buf_error(out) : r;
}
