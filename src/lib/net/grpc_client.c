/* SPDX-License-Identifier: Apache-2.0 */
#include "net/grpc_client_internal.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/str.h"

#define CONNECT_MS 10000
#define CALL_MS 30000
#define RESOLVE_MS 2000
#define REQUEST_MAX ((size_t)80 << 20)

static void call_free(struct client_call *k)
{
	struct grpc_client *c = k->client;

	*(k->prev ? &k->prev->next : &c->calls) = k->next;
	if (k->next)
		k->next->prev = k->prev;
	if (k->timer)
		event_free(k->timer);
	buf_done(&k->request);
	buf_done(&k->body);
	free(k);
}

/* The last use of @k. */
void grpc_client_end(struct client_call *k, enum grpc_status status, const char *text)
{
	struct grpc_client *c = k->client;
	struct slice reply = SLICE_EMPTY;
	char copy[GRPC_TEXT_MAX];
	struct err e = {0};

	if (k->stream != 0 && c->h2)
		(void)!nghttp2_session_set_stream_user_data(c->h2, k->stream, NULL);
	snprintf(copy, sizeof(copy), "%s", text);
	if (status == GRPC_OK &&
		grpc_frame_get(buf_slice(&k->body), c->message_max, &reply, &e) < 0) {
		status = GRPC_INTERNAL;
		snprintf(copy, sizeof(copy), "malformed answer: %s", e.text);
	}
	k->done(k->cookie, status, copy, reply);
	call_free(k);
}

static void close_connection(struct grpc_client *c)
{
	nghttp2_session_del(c->h2);
	c->h2 = NULL;
	if (c->bev)
		bufferevent_free(c->bev);
	c->bev = NULL;
	c->lost = c->leaving = false;
}

/* The connection is gone: calls that it did not see start anew, the others fail. */
static void give_up(struct grpc_client *c)
{
	struct client_call *next;
	char text[ERR_TEXT_SIZE];

	(void)!str_copy(text, sizeof(text), c->lost_text);
	close_connection(c);
	for (struct client_call *k = c->calls; k; k = next) {
		next = k->next;
		if (k->stream != 0 || ++k->tries > 1)
			grpc_client_end(k, GRPC_UNAVAILABLE, text);
	}
	/* A done function may have freed nothing but calls; those left start anew. */
	if (c->calls)
		event_active(c->wake, EV_TIMEOUT, 0);
}

void grpc_client_lose(struct grpc_client *c, const char *why)
{
	if (c->lost)
		return;
	c->lost = true;
	snprintf(c->lost_text, sizeof(c->lost_text), "%.250s: %.250s", c->authority, why);
	event_active(c->wake, EV_TIMEOUT, 0);
}

/* --- the connection --- */

static void on_read(struct bufferevent *bev, void *cookie)
{
	struct grpc_client *c = cookie;
	struct evbuffer *in = bufferevent_get_input(bev);

	c->receiving = true;
	while (c->h2 && !c->lost && evbuffer_get_length(in) > 0) {
		struct evbuffer_iovec v;
		ssize_t n;

		if (evbuffer_peek(in, -1, NULL, &v, 1) < 1)
			break;
		n = nghttp2_session_mem_recv(c->h2, v.iov_base, v.iov_len);
		if (n < 0)
			grpc_client_lose(c, "the server does not speak HTTP/2");
		else
			evbuffer_drain(in, (size_t)n);
	}
	c->receiving = false;
	grpc_client_h2_flush(c);
}

static void on_event(struct bufferevent *bev, short what, void *cookie)
{
	struct grpc_client *c = cookie;
	SSL *ssl = c->tls ? bufferevent_openssl_get_ssl(bev) : NULL;

	if (what & BEV_EVENT_CONNECTED) {
		bufferevent_set_timeouts(bev, NULL, NULL);
		if (grpc_client_h2_start(c))
			grpc_client_h2_submit(c);
		else
			grpc_client_lose(c, "out of memory");
		return;
	}
	if (what & BEV_EVENT_TIMEOUT)
		grpc_client_lose(c, "no connection in time");
	else if (ssl && !c->h2 && SSL_get_verify_result(ssl) != X509_V_OK)
		grpc_client_lose(c, X509_verify_cert_error_string(SSL_get_verify_result(ssl)));
	else if (what & BEV_EVENT_EOF)
		grpc_client_lose(c, "the server closed the connection");
	else if (errno != 0 && !c->h2)
		grpc_client_lose(c, strerror(errno));
	else
		grpc_client_lose(c, c->h2 ? "the connection broke" : "cannot connect");
}

static int open_socket(struct grpc_client *c, struct err *reterr)
{
	const struct timeval wait = {
		(time_t)(c->connect_ms / 1000), (suseconds_t)(c->connect_ms % 1000 * 1000)};
	struct sockaddr_storage addr;
	struct ssl_st *ssl = NULL;
	int r = resolve_host(
		c->url.host, c->url.port, NULL, clock_mono_ms() + RESOLVE_MS, &addr, 1, reterr);

	if (r < 1)
		return r < 0 ? r : -EHOSTUNREACH;
	if (c->tls) {
		r = tls_client_session(c->tls, &c->url, "h2", &ssl, reterr);
		if (r < 0)
			return r;
		c->bev = bufferevent_openssl_socket_new(
			c->base, -1, ssl, BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE);
		if (!c->bev)
			SSL_free(ssl);
	} else {
		c->bev = bufferevent_socket_new(c->base, -1, BEV_OPT_CLOSE_ON_FREE);
	}
	if (!c->bev)
		return -ENOMEM;
	bufferevent_setcb(c->bev, on_read, NULL, on_event, c);
	bufferevent_set_timeouts(c->bev, &wait, &wait);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	errno = 0;
	if (bufferevent_socket_connect(c->bev, (struct sockaddr *)&addr,
		    addr.ss_family == AF_INET ? sizeof(struct sockaddr_in)
					      : sizeof(struct sockaddr_in6)) < 0)
		return err_set(reterr, errno ? -errno : -EHOSTUNREACH, "cannot connect: %m");
	return 0;
}

/* Everything that must not happen in somebody else's stack. */
static void on_wake(evutil_socket_t fd, short what, void *cookie)
{
	struct grpc_client *c = cookie;
	struct err e = {0};
	int r;

	if (c->lost)
		give_up(c);
	if (!c->calls)
		return;
	if (!c->bev) {
		r = open_socket(c, &e);
		if (r < 0)
			grpc_client_lose(c, err_text(&e, r));
	} else if (c->h2) {
		grpc_client_h2_submit(c);
	}
}

static void on_timeout(evutil_socket_t fd, short what, void *cookie)
{
	struct client_call *k = cookie;
	struct grpc_client *c = k->client;

	if (k->stream != 0 && c->h2)
		(void)!nghttp2_submit_rst_stream(
			c->h2, NGHTTP2_FLAG_NONE, k->stream, NGHTTP2_CANCEL);
	grpc_client_end(k, GRPC_DEADLINE_EXCEEDED, "no answer in time");
	grpc_client_h2_flush(c);
}

/* --- the interface --- */

static int set_up(struct grpc_client *c, const struct grpc_client_options *o, struct err *reterr)
{
	int r = url_parse(o->url, &c->url, reterr);

	if (r < 0)
		return r;
	c->message_max = o->message_max ? o->message_max : GRPC_MESSAGE_MAX;
	c->connect_ms = o->connect_ms ? o->connect_ms : CONNECT_MS;
	snprintf(c->authority, sizeof(c->authority), c->url.host_is_ipv6 ? "[%s]:%u" : "%s:%u",
		c->url.host, c->url.port);
	if (c->url.tls) {
		r = tls_client_new(o->roots_pem, false, &c->tls, reterr);
		if (r == 0 && o->certificate_pem.size > 0)
			r = tls_client_identity(c->tls, o->certificate_pem, o->key_pem, reterr);
		if (r < 0)
			return r;
	}
	c->wake = evtimer_new(c->base, on_wake, c);
	return c->wake ? grpc_client_h2_set_up(c) : -ENOMEM;
}

int grpc_client_new(struct event_base *base, const struct grpc_client_options *options,
	struct grpc_client **ret, struct err *reterr)
{
	cleanup(grpc_client_free) struct grpc_client *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->base = base;
	r = set_up(c, options, reterr);
	if (r == 0)
		*ret = steal_ptr(c);
	return r;
}

void grpc_client_free(struct grpc_client *c)
{
	if (!c)
		return;
	close_connection(c);
	while (c->calls)
		call_free(c->calls);
	if (c->wake)
		event_free(c->wake);
	nghttp2_session_callbacks_del(c->callbacks);
	nghttp2_option_del(c->h2_options);
	tls_client_free(c->tls);
	free(c);
}

int grpc_client_call(struct grpc_client *c, const char *path, struct slice message,
	uint32_t timeout_ms, grpc_reply_fn done, void *cookie)
{
	uint32_t ms = timeout_ms ? timeout_ms : CALL_MS;
	const struct timeval wait = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};
	struct client_call *k = calloc(1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	k->client = c;
	k->next = c->calls;
	if (c->calls)
		c->calls->prev = k;
	c->calls = k;
	k->request = buf_init_secret(REQUEST_MAX);
	k->body = buf_init_secret(c->message_max + GRPC_FRAME_HEAD);
	k->status = -1;
	k->deadline_ms = clock_mono_ms() + ms;
	k->done = done;
	k->cookie = cookie;
	k->timer = evtimer_new(c->base, on_timeout, k);
	grpc_frame_put(&k->request, message);
	if (!k->timer || buf_error(&k->request) < 0 ||
		str_copy(k->path, sizeof(k->path), path) < 0) {
		call_free(k);
		return strlen(path) >= GRPC_PATH_MAX ? -EINVAL : -ENOMEM;
	}
	event_add(k->timer, &wait);
	event_active(c->wake, EV_TIMEOUT, 0);
	return 0;
}

struct waiting {
	bool done;
	enum grpc_status status;
	struct buf *reply;
	struct err *reterr;
};

static void on_waited(void *cookie, enum grpc_status status, const char *text, struct slice reply)
{
	struct waiting *w = cookie;

	w->done = true;
	w->status = status;
	if (status == GRPC_OK)
		buf_put_slice(w->reply, reply);
	else
		(void)!err_set(w->reterr, grpc_errno(status), "%s: %.400s",
			grpc_status_name(status), text);
}

int grpc_client_wait(struct grpc_client *c, const char *path, struct slice message,
	uint32_t timeout_ms, struct buf *reply, struct err *reterr)
{
	struct waiting w = {.reply = reply, .reterr = reterr};
	int r = grpc_client_call(c, path, message, timeout_ms, on_waited, &w);

	while (r == 0 && !w.done)
		r = event_base_loop(c->base, EVLOOP_ONCE) < 0 ? -EIO : 0;
	if (r == 0)
		r = grpc_errno(w.status);
	return r < 0 ? r : buf_error(reply);
}
