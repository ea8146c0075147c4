/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * HTTP/1.1 server over TLS, in the caller's event loop. Answers may come later: a request stays
 * valid until http_request_reply(), also when its client has gone meanwhile.
 */
#include <sys/types.h>

#include "base/err.h"
#include "base/slice.h"

struct event_base;
struct tls_pem;
struct http_server;
struct http_request;

/**
 * struct http_server_options
 * @certificate, @private_key: PEM files, read by http_server_new(); both NULL for plain HTTP
 * @client_ca: PEM file; clients must show a certificate of one of these; NULL asks for none
 * @tls13_only: refuse TLS 1.2
 * @header_max, @body_max: limits in bytes; beyond them 400 and 413 are answered here. Under TLS 413
 *	comes after the rest of the body, unless that is over eight times the limit; then the
 *	connection is cut.
 * @idle_s: seconds without progress after which a connection is closed
 * @request_s, @buffered_max: see http_guard_new(); @buffered_max 0 and plain HTTP have no such limits
 */
struct http_server_options {
	const char *certificate;
	const char *private_key;
	const char *client_ca;
	bool tls13_only;
	size_t header_max;
	size_t body_max;
	int idle_s;
	int request_s;
	size_t buffered_max;
};

typedef void (*http_handler_fn)(void *cookie, struct http_request *request);

/** http_server_new() - Return: 0, -EBADMSG (certificate or key unusable), -ENOMEM, errno */
must_check int http_server_new(struct event_base *base, const struct http_server_options *options,
	http_handler_fn handler, void *cookie, struct http_server **ret, struct err *reterr);
/**
 * http_server_set_tls() - as tls_server_set_pem()
 * Return: 0, -EBADMSG (unusable; the old ones stay), -EINVAL (plain HTTP), -ENOMEM.
 */
must_check int http_server_set_tls(
	struct http_server *s, const struct tls_pem *pem, struct err *reterr);
/** http_server_free() - stop listening and drop connections */
void http_server_free(struct http_server *s);
DEFINE_CLEANUP(struct http_server *, http_server_free);
/**
 * http_server_listen() - listen on "ADDRESS:PORT" or "[ADDRESS]:PORT"; port 0 picks one
 * @ret_port: the port in use; may be NULL
 */
must_check int http_server_listen(
	struct http_server *s, const char *address, uint16_t *ret_port, struct err *reterr);
/** http_server_pause() - stop accepting; running requests go on */
void http_server_pause(struct http_server *s);
size_t http_server_open_requests(const struct http_server *s);

const char *http_request_method(const struct http_request *r);
/** http_request_target() - path and query as sent */
const char *http_request_target(const struct http_request *r);
/** http_request_header() - value, NULL when absent */
const char *http_request_header(const struct http_request *r, const char *name);
/** http_request_body() - whole body, contiguous; borrowed until the reply */
struct slice http_request_body(struct http_request *r);
/** http_request_peer() - client address without port, "" when unknown */
const char *http_request_peer(const struct http_request *r);

struct http_header {
	const char *name;
	const char *value; /* NULL or "" leaves the header out */
};

/** http_request_reply() - answer and release the request */
void http_request_reply(struct http_request *r, int status, const struct http_header *headers,
	size_t count, struct slice body);
