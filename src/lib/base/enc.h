/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Text encodings of bytes: hex and base64 (RFC 4648), percent-encoding (RFC 3986, 2.1). Decoders are
 * strict: no white space, padding exactly as the variant says, unused bits zero.
 */
#include "base/buf.h"

enum b64_variant {
	B64_STD,	/* '+' '/', padded: "b64" in the ecosystem's documents */
	B64_URL,	/* '-' '_', no padding: JOSE, "b64url" */
	B64_URL_PADDED, /* '-' '_', padded: Azure evidence */
};

/** hex_encode() - append lower-case hex of @in to @out */
void hex_encode(struct buf *out, struct slice in);
/** hex_str() - lower-case hex of @in into @dst (2*size+1 bytes); @dst is "" when it does not fit */
const char *hex_str(struct slice in, char *dst, size_t dst_size);
/** hex_decode() - append bytes of hex text (either case). Return: 0, -EBADMSG, -E2BIG, -ENOMEM. */
must_check int hex_decode(struct buf *out, struct slice in);
/** hex_decode_fixed() - exactly @size bytes. Return: 0, -EBADMSG. */
must_check int hex_decode_fixed(uint8_t *dst, size_t size, struct slice in);
void b64_encode(struct buf *out, struct slice in, enum b64_variant variant);
/** b64_decode() - append decoded bytes. Return: 0, -EBADMSG, -E2BIG, -ENOMEM. */
must_check int b64_decode(struct buf *out, struct slice in, enum b64_variant variant);
/**
 * b64_decode_any() - accept any of the three variants, padded or not; for fields where deployed
 * producers disagree. Return: as b64_decode().
 */
must_check int b64_decode_any(struct buf *out, struct slice in);
/**
 * b64_decode_lenient() - the decoder of Go's standard library: line ends are skipped and bits that
 * the padding cuts off are ignored. Only for formats whose reference is that decoder.
 * @ret_bad: offset of the fault, as Go reports it; may be NULL
 * Return: 0, -EBADMSG, -E2BIG, -ENOMEM.
 */
must_check int b64_decode_lenient(
	struct buf *out, struct slice in, enum b64_variant variant, size_t *ret_bad);

/**
 * pct_encode() - append @in with all but the unreserved characters (RFC 3986, 2.3) percent-encoded
 * @keep: further characters that stay as they are, such as "/"
 */
void pct_encode(struct buf *out, struct slice in, const char *keep);
/**
 * pct_decode() - append the bytes of percent-encoded text; '+' is no blank
 * Return: 0, -EBADMSG (a '%' without two hex digits; @out is then partly written), -E2BIG, -ENOMEM.
 */
must_check int pct_decode(struct buf *out, struct slice in);
/**
 * pct_decode_text() - percent-encoded text as a C string
 * @dst: @size bytes, the NUL included
 * Return: 0, -E2BIG, -EBADMSG (malformed, not UTF-8, or a control character, which has no place in
 * a name and could split log lines or headers).
 */
must_check int pct_decode_text(char *dst, size_t size, struct slice in);
