/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files of the gRPC client share. */
#include <nghttp2/nghttp2.h>

#include "net/conn.h"
#include "net/grpc_client.h"
#include "net/grpc_server.h"

struct grpc_client {
	struct event_base *base;
	struct url url;
	char authority[URL_HOST_MAX + 16];
	struct tls_client *tls; /* owned; NULL for plaintext */
	size_t message_max;
	uint32_t connect_ms;
	nghttp2_session_callbacks *callbacks; /* owned */
	nghttp2_option *h2_options;	      /* owned */
	struct bufferevent *bev;	      /* owned; NULL while there is no connection */
	nghttp2_session *h2;		      /* owned; NULL until connected */
	struct client_call *calls;
	struct event *wake; /* owned; failures and retries out of the caller's stack */
	bool receiving;
	bool leaving; /* the server takes no further calls on this connection */
	bool lost;    /* the connection is to be given up */
	char lost_text[ERR_TEXT_SIZE];
};

struct client_call {
	struct grpc_client *client;
	char path[GRPC_PATH_MAX];
	struct buf request;
	size_t sent;
	int32_t stream; /* 0: not submitted */
	uint64_t deadline_ms;
	struct event *timer; /* owned */
	grpc_reply_fn done;
	void *cookie;
	unsigned tries;	   /* connections that broke under it */
	unsigned refusals; /* streams that the server refused */
	/* what came */
	int http_status;
	int status; /* -1: none yet */
	size_t header_bytes;
	struct buf body;
	char text[GRPC_TEXT_MAX];
	struct client_call *next, *prev;
};

/* grpc_client.c */
/* Ends a call: its last use. */
void grpc_client_end(struct client_call *k, enum grpc_status status, const char *text);
/* The connection is to be given up, outside of the caller's stack. */
void grpc_client_lose(struct grpc_client *c, const char *why);

/* grpc_client_h2.c */
must_check int grpc_client_h2_set_up(struct grpc_client *c);
/* Starts HTTP/2 on the connection. Return: false when memory ran out. */
bool grpc_client_h2_start(struct grpc_client *c);
/* Sends the calls that wait. */
void grpc_client_h2_submit(struct grpc_client *c);
/* Sends what HTTP/2 has to say. */
void grpc_client_h2_flush(struct grpc_client *c);
