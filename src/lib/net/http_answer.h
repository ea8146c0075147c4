/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Reading an HTTP/1.1 answer (RFC 9112) from a connection. */
#include "net/conn.h"
#include "net/http_client.h"

#define HTTP_HEAD_MAX ((size_t)64 << 10)
#define HTTP_FIELDS_MAX 200

struct http_answer_options {
	uint64_t deadline;
	uint64_t body_max;
	bool head_only; /* the request was HEAD: no body follows */
	http_body_fn on_body;
	void *cookie;
};

/**
 * http_answer_read() - one final answer; 1xx answers before it are skipped
 * @ret: filled as far as read; the caller releases it, also on failure
 * @ret_keep: whether the connection can carry another request
 * @ret_started: whether any byte came
 * Return: 0, -EPROTO, -E2BIG, -ETIMEDOUT, -EIO, -ENODATA (closed before the first byte), or of
 * on_body.
 */
must_check int http_answer_read(struct conn *conn, const struct http_answer_options *o,
	struct http_answer *ret, bool *ret_keep, bool *ret_started, struct err *reterr);

/** struct http_head - what the head of an answer says about what follows */
struct http_head {
	int status;
	bool keep_alive;
	bool chunked;
	bool has_length;
	uint64_t length;
};
/**
 * http_head_parse() - status line and header fields, without the empty line at the end
 * @fields: gets "name\0value\0" pairs, names in lower case
 * Return: 0, -EPROTO (with the reason), -E2BIG.
 */
must_check int http_head_parse(
	struct slice head, struct http_head *ret, struct buf *fields, struct err *reterr);
