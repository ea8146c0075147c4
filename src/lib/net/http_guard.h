/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What libevent's HTTP server does not bound by itself, for TLS connections: how long a request may
 * take to arrive, how large it may be, also when its body is dropped as it comes, and how many bytes
 * of unfinished requests all connections hold together. A connection that is over is shut down;
 * libevent then sees its end and frees it.
 */
#include "base/err.h"

struct bufferevent;
struct event_base;
struct ssl_st;
struct http_guard;

/**
 * struct http_guard_limits
 * @request_s: seconds from the first byte of a request, or from accepting, to its last byte
 * @request_max: bytes of one request
 * @buffered_max: bytes of all unfinished requests
 */
struct http_guard_limits {
	int request_s;
	size_t request_max;
	size_t buffered_max;
};

/** http_guard_new() - Return: NULL on ENOMEM */
struct http_guard *http_guard_new(struct event_base *base, const struct http_guard_limits *limits);
/** http_guard_free() - after the last of its connections */
void http_guard_free(struct http_guard *g);
/** http_guard_add() - watch a new connection until its @ssl is freed. Return: 0, -ENOMEM. */
must_check int http_guard_add(struct http_guard *g, struct bufferevent *bev, struct ssl_st *ssl);
/** http_guard_busy() - a request of this connection is being answered, or was just answered */
void http_guard_busy(struct bufferevent *bev, bool busy);
