/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The layer pipeline: from the bytes of a blob to the tar stream of a layer, in one pass.
 *
 *   blob bytes -> digest(blob) -> HMAC, AES-256-CTR -> inflate or zstd -> digest(diff_id) -> sink
 *
 * Theory of operation. layer_feed() takes whatever piece of the blob has arrived and pushes it
 * through all stages over fixed buffers (about 200 KiB, for zstd its window in addition), so memory
 * does not depend on the size of the layer. No stage's verdict is known before the end; therefore
 * the sink gets bytes that are not verified yet and must keep what it makes of them unreachable
 * until layer_finish() has returned 0. layer_finish() checks, in this order: size and digest of the
 * blob, HMAC, end of the compressed stream, digest of the plaintext. All of them must agree.
 *
 * Attacker: registry and network choose every byte. Decompression is bounded by plain_max, input by
 * the size in the descriptor; gzip may have several members and zstd several frames, as the formats
 * say, but nothing else may follow.
 *
 * Spec: RFC 1952, RFC 8878, ocicrypt.h.
 */
#include "oci/manifest.h"
#include "oci/ocicrypt.h"

#define LAYER_ZSTD_WINDOW_LOG_MAX 27u /* 128 MiB: what zstd's command line accepts by default */
#define LAYER_PLAIN_MAX ((uint64_t)64 << 30)

/**
 * struct layer_options - one layer
 * @blob: expected digest and size
 * @compression: of the decrypted bytes
 * @key: NULL for a clear layer; borrowed
 * @diff_id: expected digest of the tar stream; NULL only for tools that do not have the
 *   configuration (then nothing vouches for the plaintext but @blob)
 * @raw: hand out the decrypted bytes without decompressing them; @diff_id must be NULL
 * @plain_max: bytes that may come out; 0 means LAYER_PLAIN_MAX
 * @sink: receives the output in pieces; @user is passed on
 */
struct layer_options {
	struct oci_descriptor blob;
	enum oci_compression compression;
	const struct ocicrypt_key *key;
	const struct oci_digest *diff_id;
	bool raw;
	uint64_t plain_max;
	int (*sink)(void *user, struct slice piece, struct err *reterr);
	void *user;
};

struct layer;

/** layer_new() - @options are copied. Return: 0, -ENOMEM, -EINVAL, -EOPNOTSUPP. */
must_check int layer_new(
	struct layer **ret, const struct layer_options *options, struct err *reterr);
void layer_free(struct layer *l);
DEFINE_CLEANUP(struct layer *, layer_free);
/**
 * layer_feed() - the next bytes of the blob
 * Corrupt content (-EBADMSG) is not reported here but by layer_finish(), after the digest of the
 * whole blob: an altered blob is then called that. Return: 0; -E2BIG more than the descriptor or
 * plain_max says; or what the sink returned. Only layer_free() may follow a failure.
 */
must_check int layer_feed(struct layer *l, struct slice piece, struct err *reterr);
/**
 * layer_finish() - the blob is complete; verify everything
 * Return: 0 only when every check agreed; -ENODATA truncated; -EKEYREJECTED HMAC; -EBADMSG digest.
 */
must_check int layer_finish(struct layer *l, struct err *reterr);
