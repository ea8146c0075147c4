/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Shared by the files of the gRPC server. */
#include <event2/event.h>
#include <nghttp2/nghttp2.h>

#include "base/buf.h"
#include "net/grpc_server.h"

struct bufferevent;
struct evconnlistener;
struct ssl_ctx_st;

#define GRPC_LISTENERS_MAX 16

struct grpc_server {
	struct event_base *base;
	struct ssl_ctx_st *tls; /* owned; NULL for plaintext */
	struct grpc_server_options o;
	nghttp2_session_callbacks *callbacks; /* owned */
	nghttp2_option *h2_options;	      /* owned */
	grpc_handler_fn handler;
	void *cookie;
	struct evconnlistener *listeners[GRPC_LISTENERS_MAX]; /* owned */
	size_t listener_count;
	struct event *tick, *resume; /* owned */
	struct grpc_peer *peers;
	size_t peer_count;
	size_t open_calls;
	size_t buffered; /* bytes in request bodies */
	bool paused;
};

/* A connection. Lives until it is closed and its last call is released. */
struct grpc_peer {
	struct grpc_server *server;
	struct bufferevent *bev; /* owned; NULL once closed */
	nghttp2_session *h2;	 /* owned; NULL until the preface came, and for HTTP/1.1 */
	struct grpc_call *calls;
	size_t call_count;
	struct grpc_peer *next, *prev;
	uint64_t active_ms;
	unsigned idle_frames; /* in this second */
	bool receiving;	      /* within nghttp2's receive function */
	bool doomed;	      /* close when the call stack allows */
	bool ending;	      /* close when everything is sent */
	char address[64];
};

struct grpc_call {
	struct grpc_peer *peer;
	int32_t stream; /* 0: HTTP/1.1 */
	char path[GRPC_PATH_MAX];
	bool post, get, grpc_type, encoded, path_seen;
	bool complete; /* the whole request came */
	bool handed;   /* the handler has it */
	bool answered;
	bool gone; /* no stream any more */
	size_t header_bytes;
	uint64_t timeout_ms, since_ms;
	struct buf body;
	struct slice message; /* in body */
	struct event *deadline;
	struct buf out; /* what is left to send of it is from @sent on */
	size_t sent;
	bool trailers; /* a status follows the body */
	struct grpc_call *next, *prev;
};

/* grpc_stream.c */
must_check int grpc_callbacks_new(nghttp2_session_callbacks **ret);
void grpc_call_release(struct grpc_call *c);
/* A whole HTTP/1.1 request head is in the buffer. */
void grpc_http1_request(struct grpc_peer *p, struct slice head);
/* Once a second: calls that take too long. */
void grpc_call_check_age(struct grpc_call *c, uint64_t now);

/* grpc_server.c */
/* Sends what there is; may close the connection. */
void grpc_peer_flush(struct grpc_peer *p);
/* Ends the connection with a reason in the eyes of HTTP/2. */
void grpc_peer_refuse(struct grpc_peer *p, uint32_t h2_error);
void grpc_peer_write(struct grpc_peer *p, struct slice bytes);
/* Frees the connection if it is closed and nothing refers to it. */
void grpc_peer_release(struct grpc_peer *p);
