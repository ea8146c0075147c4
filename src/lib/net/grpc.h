/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What gRPC adds to HTTP/2 (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md): status
 * codes, the five bytes before each message, percent-encoded texts and deadlines. Pure functions.
 */
#include "base/buf.h"
#include "base/err.h"

/* doc/statuscodes.md; the numbers go over the wire. */
enum grpc_status {
	GRPC_OK = 0,
	GRPC_CANCELLED = 1,
	GRPC_UNKNOWN = 2,
	GRPC_INVALID_ARGUMENT = 3,
	GRPC_DEADLINE_EXCEEDED = 4,
	GRPC_NOT_FOUND = 5,
	GRPC_ALREADY_EXISTS = 6,
	GRPC_PERMISSION_DENIED = 7,
	GRPC_RESOURCE_EXHAUSTED = 8,
	GRPC_FAILED_PRECONDITION = 9,
	GRPC_ABORTED = 10,
	GRPC_OUT_OF_RANGE = 11,
	GRPC_UNIMPLEMENTED = 12,
	GRPC_INTERNAL = 13,
	GRPC_UNAVAILABLE = 14,
	GRPC_DATA_LOSS = 15,
	GRPC_UNAUTHENTICATED = 16,
};

#define GRPC_MESSAGE_MAX ((size_t)4 << 20) /* what peers accept unless told otherwise */
#define GRPC_FRAME_HEAD 5
#define GRPC_TEXT_MAX 1024 /* of a grpc-message before it is encoded */

/** grpc_status_name() - as in the specification, "UNKNOWN" for a number that is not in it */
const char *grpc_status_name(enum grpc_status status);
/** grpc_errno() - the house's error for a status that is not OK */
int grpc_errno(enum grpc_status status);

/** grpc_frame_put() - append @message with its prefix, not compressed */
void grpc_frame_put(struct buf *out, struct slice message);
/**
 * grpc_frame_get() - the only message of a unary call
 * @body: everything that came on the stream
 * @max: largest message in bytes
 * @ret: borrowed from @body
 *
 * Return: 0; -ENODATA (ends within the message, or there is none), -EBADMSG (flags, or a second
 * message), -EOPNOTSUPP (compressed: no encoding was offered), -E2BIG.
 */
must_check int grpc_frame_get(struct slice body, size_t max, struct slice *ret, struct err *reterr);
/** grpc_text_encode() - percent-encode for grpc-message: all but 0x20..0x7e without '%' */
void grpc_text_encode(struct buf *out, const char *text);
/** grpc_text_decode() - lenient as the specification asks: what is no escape stays as it is */
void grpc_text_decode(struct slice text, char *dst, size_t size);
/**
 * grpc_timeout_parse() - value of grpc-timeout: 1 to 8 digits and one of H M S m u n
 * @ret_ms: rounded up, at least 1
 * Return: 0, -EBADMSG.
 */
must_check int grpc_timeout_parse(struct slice text, uint64_t *ret_ms);
