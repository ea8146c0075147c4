/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * gRPC client for unary calls, in the caller's event loop. One client is one server and at most one
 * connection, made when it is needed; calls share it. A call that the server certainly did not
 * start (refused, or cut off by its farewell) is tried once more on a fresh connection.
 *
 * The server's name is resolved with the first call of a connection, which may block for up to
 * two seconds; literal addresses do not.
 */
#include "base/err.h"
#include "base/slice.h"
#include "net/grpc.h"

struct event_base;
struct grpc_client;

/**
 * struct grpc_client_options
 * @url: http://HOST:PORT (plaintext) or https://HOST:PORT
 * @roots_pem: trusted certificates; empty: the system's
 * @certificate_pem, @key_pem: what this client shows; empty: nothing
 * @message_max: largest answer in bytes; 0: GRPC_MESSAGE_MAX
 * @connect_ms: for connection and TLS handshake; 0: 10,000
 */
struct grpc_client_options {
	const char *url;
	struct slice roots_pem;
	struct slice certificate_pem;
	struct slice key_pem;
	size_t message_max;
	uint32_t connect_ms;
};

/**
 * typedef grpc_reply_fn - the end of a call
 * @status: GRPC_OK, or why there is no @reply
 * @text: for a person; "" when there is nothing to say
 * @reply: borrowed for the call
 */
typedef void (*grpc_reply_fn)(
	void *cookie, enum grpc_status status, const char *text, struct slice reply);

/** grpc_client_new() - Return: 0, -EINVAL (URL), -EBADMSG (roots), -ENOMEM */
must_check int grpc_client_new(struct event_base *base, const struct grpc_client_options *options,
	struct grpc_client **ret, struct err *reterr);
/** grpc_client_free() - calls under way are dropped, their functions not called */
void grpc_client_free(struct grpc_client *c);
DEFINE_CLEANUP(struct grpc_client *, grpc_client_free);

/**
 * grpc_client_call() - start a call
 * @path: "/package.Service/Method", copied
 * @message: copied
 * @timeout_ms: from now on; 0: 30,000
 * @done: called exactly once if this returns 0, never from within it
 *
 * Return: 0, -ENOMEM, -EINVAL (path).
 */
must_check int grpc_client_call(struct grpc_client *c, const char *path, struct slice message,
	uint32_t timeout_ms, grpc_reply_fn done, void *cookie);
/**
 * grpc_client_wait() - one call, running the event loop until it has ended
 * @reply: the answer is appended
 * Return: 0, or the errno of the status; @reterr has its name and text.
 */
must_check int grpc_client_wait(struct grpc_client *c, const char *path, struct slice message,
	uint32_t timeout_ms, struct buf *reply, struct err *reterr);
