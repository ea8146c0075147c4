/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * HTTP/1.1 client. Calls block until the answer is complete or a limit is hit. One client keeps a
 * connection alive between calls, so that a second request to the same server costs no handshake.
 * For command-line programs and for child processes of the guest; never for PID 1.
 *
 * The first client of a process that still has the default action for SIGPIPE ignores that signal:
 * a peer that goes away must be an error, not the end of the process.
 */
#include "base/buf.h"
#include "base/err.h"

struct http_client;

/**
 * struct http_client_options - zero-initialise, then set what differs
 * @roots_pem: trusted certificates (PEM text); empty means the system's folder of roots
 * @insecure_skip_tls_verify: do not verify the server; never set by default, the caller warns
 * @user_agent: NULL for "husk/VERSION"
 * @connect_timeout_ms, @total_timeout_ms: 0 means 10 s and 120 s; the total covers one call
 * @nameservers: literal addresses; NULL-terminated; NULL uses /etc/resolv.conf
 * @proxy: "http://host:port" for plain forwarding and CONNECT, NULL for none
 * @redirects: followed at most; 0 means 5. Authorization is dropped when the host changes.
 * @no_redirects: hand redirects out as answers: for requests whose other headers are secrets, too
 */
struct http_client_options {
	struct slice roots_pem;
	bool insecure_skip_tls_verify;
	const char *user_agent;
	uint32_t connect_timeout_ms;
	uint32_t total_timeout_ms;
	const char *const *nameservers;
	const char *proxy;
	int redirects;
	bool no_redirects;
};

/** http_client_new() - Return: 0, -EBADMSG (roots are not certificates), -ENOMEM */
must_check int http_client_new(
	const struct http_client_options *options, struct http_client **ret, struct err *reterr);
void http_client_free(struct http_client *c);
DEFINE_CLEANUP(struct http_client *, http_client_free);

struct http_field {
	const char *name;
	const char *value;
};

/**
 * typedef http_body_fn - takes the next bytes of an answer's body (only for 2xx)
 * Return: 0 to go on; a negative errno stops the call, which then returns it.
 */
typedef int (*http_body_fn)(void *cookie, struct slice bytes);

/**
 * struct http_call - one request
 * @method: "GET", "POST", ...
 * @url: absolute http:// or https:// URL
 * @fields: extra request headers; Host, Content-Length, Connection are set by the client
 * @body: sent with Content-Length; NULL data for none
 * @body_fd: file to send from its current offset instead of @body, -1 or 0 for none, with
 * @body_fd_size bytes
 * @answer_max: largest answer body in bytes; 0 means 4 MiB
 * @on_body, @cookie: stream the body instead of collecting it; error bodies (not 2xx) are collected
 * @keep_cookies: send and store cookies of this client
 */
struct http_call {
	const char *method;
	const char *url;
	const struct http_field *fields;
	size_t field_count;
	struct slice body;
	int body_fd;
	uint64_t body_fd_size;
	uint64_t answer_max;
	http_body_fn on_body;
	void *cookie;
	bool keep_cookies;
};

/** struct http_answer - release with http_answer_done() */
struct http_answer {
	int status;
	struct buf body;    /* collected body; empty when streamed */
	struct buf headers; /* "name\0value\0" pairs, names in lower case */
	struct buf url;	    /* where the answer came from, after redirects */
};
/** http_answer_header() - value of a header (lower-case @name), NULL when absent */
const char *http_answer_header(const struct http_answer *a, const char *name);
void http_answer_done(struct http_answer *a);

/**
 * http_client_call() - send a request and wait for its answer
 *
 * Return: 0 with any HTTP status in @ret; -EHOSTUNREACH (name or connection), -EKEYREJECTED (the
 * certificate is not trusted or names another host; the reason is in words), -EPROTO (not HTTP),
 * -ETIMEDOUT, -E2BIG (answer over its limit), -EINVAL (URL), or what @on_body returned. @reterr
 * names the host and the phase.
 */
must_check int http_client_call(struct http_client *c, const struct http_call *call,
	struct http_answer *ret, struct err *reterr);

#define HTTP_CALLS_AT_ONCE 16

/**
 * typedef http_answer_fn - one of several calls was answered, with any HTTP status
 * @index: of the call
 * @answer: borrowed for the call
 * Return: 0 to go on; a negative errno ends all calls, and is returned.
 */
typedef int (*http_answer_fn)(
	void *cookie, size_t index, const struct http_answer *answer, struct err *reterr);
/**
 * http_client_call_all() - send several requests, HTTP_CALLS_AT_ONCE at a time, and wait for all answers
 * @calls: without on_body, body_fd and keep_cookies; redirects are handed out as answers. Nothing is
 *         sent twice.
 * @on_answer: once for each call, in the order of the answers
 *
 * The client's total time is for all of them together. The first failure ends all.
 * Return: 0, -EINVAL (a call), and errors of http_client_call() and @on_answer.
 */
must_check int http_client_call_all(struct http_client *c, const struct http_call *calls,
	size_t count, http_answer_fn on_answer, void *cookie, struct err *reterr);
