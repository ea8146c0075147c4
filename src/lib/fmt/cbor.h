/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * CBOR (RFC 8949) from untrusted bytes, as attestation tokens use it: every item is checked in
 * whole when it is parsed, and read as views of the input. Refused, because two readers could
 * understand them differently or because they cost without bound: indefinite lengths, arguments
 * that are longer than needed, keys that occur twice in a map, text that is not UTF-8, and nesting
 * deeper than CBOR_DEPTH_MAX. (The EAT and CCA profiles demand the same of whoever writes.) docs/decisions
 * says why no library does this.
 */
#include "base/buf.h"

#define CBOR_DEPTH_MAX 16
#define CBOR_PAIRS_MAX 256 /* of one map */

enum cbor_kind {
	CBOR_UINT = 0, /* major types of the encoding */
	CBOR_NEGINT = 1,
	CBOR_BYTES = 2,
	CBOR_TEXT = 3,
	CBOR_ARRAY = 4,
	CBOR_MAP = 5,
	CBOR_TAG = 6,
	CBOR_SIMPLE = 7, /* false, true, null, floats... */
};

#define CBOR_NULL 22 /* @number of a CBOR_SIMPLE */

/**
 * struct cbor - one item
 * @number: the value n, -1-n for CBOR_NEGINT, the count of elements or pairs, the number of a tag
 * @bytes: of a string: its bytes; of an array, map or tag: the items inside, for cbor_next()
 * @raw: the whole item as it is encoded
 */
struct cbor {
	enum cbor_kind kind;
	uint64_t number;
	struct slice bytes;
	struct slice raw;
};

/** cbor_parse() - one item and nothing after it. Return: 0, -EBADMSG with the offset, -ENODATA. */
must_check int cbor_parse(struct slice in, struct cbor *ret, struct err *reterr);
/**
 * cbor_next() - take the next item off @rest, the inside of an item that cbor_parse() accepted
 * Return: 0, -ENODATA when nothing is left.
 */
must_check int cbor_next(struct slice *rest, struct cbor *ret);
/** cbor_find() - the value of integer key @key of a map. Return: 0, -ENOENT (also: no map). */
must_check int cbor_find(const struct cbor *map, int64_t key, struct cbor *ret);
/** cbor_int() - an integer of either sign. Return: 0, -EBADMSG (another kind, or out of range). */
must_check int cbor_int(const struct cbor *c, int64_t *ret);

/* Writing. */
void cbor_put_head(struct buf *out, enum cbor_kind kind, uint64_t number);
void cbor_put_int(struct buf *out, int64_t value);
void cbor_put_bytes(struct buf *out, struct slice bytes);
void cbor_put_text(struct buf *out, const char *text);
