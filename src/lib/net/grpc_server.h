/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * gRPC server for unary calls, in the caller's event loop.
 *
 * Theory of operation
 *  - nghttp2 reads the frames; this module turns streams into calls. A call is handed over when its
 *    request is complete, and stays valid until it is answered, also when its client has left.
 *  - The client is hostile. Bounded are: connections, streams and unanswered calls of each
 *    connection, size and number of header fields, the message, all request bytes held at a time,
 *    the time a request may take to arrive and an answer may take to leave, idle connections, resets
 *    and frames that move nothing. A connection over a bound is told ENHANCE_YOUR_CALM and closed.
 *  - Compression is not offered, so that a small message is a small message.
 *  - A plain GET (HTTP/1.1 or HTTP/2) is a call without a message: that is how key sets are read.
 *    One HTTP/1.1 request is served for each connection.
 */
#include "base/err.h"
#include "base/slice.h"
#include "net/grpc.h"

struct event_base;
struct tls_pem;
struct grpc_server;
struct grpc_call;

#define GRPC_PATH_MAX 256

/**
 * struct grpc_server_options - zero means the value in brackets
 * @certificate, @private_key: PEM files, read by grpc_server_new(); both NULL for plaintext
 * @client_ca: PEM file; clients must show a certificate of one of these; NULL asks for none
 * @message_max: largest request message in bytes [GRPC_MESSAGE_MAX]
 * @buffered_max: bytes of unfinished requests over all connections [64 MiB]
 * @connections_max: [1024]
 * @streams_max: calls under way on one connection [64]
 * @idle_s: seconds for a request to arrive, an answer to leave, an idle connection to live [15]
 */
struct grpc_server_options {
	const char *certificate;
	const char *private_key;
	const char *client_ca;
	bool tls13_only;
	size_t message_max;
	size_t buffered_max;
	uint32_t connections_max;
	uint32_t streams_max;
	uint32_t idle_s;
};

/** typedef grpc_handler_fn - a complete call; answer it now or later with one of the functions below */
typedef void (*grpc_handler_fn)(void *cookie, struct grpc_call *call);

/** grpc_server_new() - Return: 0, -EBADMSG (certificate or key unusable), -ENOMEM, errno */
must_check int grpc_server_new(struct event_base *base, const struct grpc_server_options *options,
	grpc_handler_fn handler, void *cookie, struct grpc_server **ret, struct err *reterr);
/** grpc_server_set_tls() - as http_server_set_tls() */
must_check int grpc_server_set_tls(
	struct grpc_server *s, const struct tls_pem *pem, struct err *reterr);
/** grpc_server_free() - stop listening and drop connections; calls not answered yet are released */
void grpc_server_free(struct grpc_server *s);
DEFINE_CLEANUP(struct grpc_server *, grpc_server_free);
/** grpc_server_listen() - as http_server_listen() */
must_check int grpc_server_listen(
	struct grpc_server *s, const char *address, uint16_t *ret_port, struct err *reterr);
/**
 * grpc_server_adopt() - serve a connected socket
 * @fd: consumed, also on failure
 * @peer: its address as text
 */
must_check int grpc_server_adopt(struct grpc_server *s, int fd, const char *peer);
/** grpc_server_pause() - stop accepting, tell clients to go elsewhere; running calls go on */
void grpc_server_pause(struct grpc_server *s);
/** grpc_server_open_calls() - handed over and not answered */
size_t grpc_server_open_calls(const struct grpc_server *s);
size_t grpc_server_connections(const struct grpc_server *s);

/** grpc_call_path() - "/package.Service/Method", or the target of a GET */
const char *grpc_call_path(const struct grpc_call *c);
/** grpc_call_is_get() - a plain GET, to be answered with grpc_call_reply_http() */
bool grpc_call_is_get(const struct grpc_call *c);
/** grpc_call_message() - the request message; borrowed until the answer */
struct slice grpc_call_message(const struct grpc_call *c);
/** grpc_call_peer() - client address without port, "" when unknown */
const char *grpc_call_peer(const struct grpc_call *c);

/** grpc_call_reply() - answer OK with @message, and release the call */
void grpc_call_reply(struct grpc_call *c, struct slice message);
/** grpc_call_fail() - answer with an error, and release the call; @text is cut to GRPC_TEXT_MAX */
void grpc_call_fail(struct grpc_call *c, enum grpc_status status, const char *text);
/** grpc_call_reply_http() - answer a GET, and release the call */
void grpc_call_reply_http(struct grpc_call *c, int status, const char *type, struct slice body);
