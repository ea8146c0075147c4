/* SPDX-License-Identifier: Apache-2.0 */
#include "net/grpc_client.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/parse.h"
#include "base/str.h"
#include "net/conn.h"
#include "net/grpc_server.h"

#define CONNECT_MS 10000
#define CALL_MS 30000
#define RESOLVE_MS 2000
#define HEADER_BYTES_MAX ((size_t)16 << 10)
#define WINDOW ((int32_t)4 << 20)
#define REQUEST_MAX ((size_t)80 << 20)
#define STREAMS_UNTIL_TOLD 32 /* calls under way before the server has said its limit */
#define TRIES_MAX 3

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

static void flush(struct grpc_client *c);

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
static void finish(struct client_call *k, enum grpc_status status, const char *text)
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
			finish(k, GRPC_UNAVAILABLE, text);
	}
	/* A done function may have freed nothing but calls; those left start anew. */
	if (c->calls)
		event_active(c->wake, EV_TIMEOUT, 0);
}

static void lose(struct grpc_client *c, const char *why)
{
	if (c->lost)
		return;
	c->lost = true;
	snprintf(c->lost_text, sizeof(c->lost_text), "%.250s: %.250s", c->authority, why);
	event_active(c->wake, EV_TIMEOUT, 0);
}

/* --- HTTP/2 --- */

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
	size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags, void *cookie)
{
	struct client_call *k = nghttp2_session_get_stream_user_data(h2, frame->hd.stream_id);
	struct slice n = slice_of(name, name_size), v = slice_of(value, value_size);
	uint32_t number;

	if (!k)
		return 0;
	k->header_bytes += name_size + value_size + 32;
	if (k->header_bytes > HEADER_BYTES_MAX)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	if (slice_eq(n, SLICE_LIT(":status")) && parse_u32(v, 100, 999, &number) == 0)
		k->http_status = (int)number;
	else if (slice_eq(n, SLICE_LIT("grpc-status")))
		k->status = parse_u32(v, 0, 999, &number) == 0 ? (int)number : GRPC_UNKNOWN;
	else if (slice_eq(n, SLICE_LIT("grpc-message")))
		grpc_text_decode(v, k->text, sizeof(k->text));
	return 0;
}

static int on_data(nghttp2_session *h2, uint8_t flags, int32_t stream, const uint8_t *data,
	size_t size, void *cookie)
{
	struct client_call *k = nghttp2_session_get_stream_user_data(h2, stream);

	if (!k)
		return 0;
	buf_put(&k->body, data, size);
	if (buf_error(&k->body) == 0)
		return 0;
	(void)!nghttp2_submit_rst_stream(h2, NGHTTP2_FLAG_NONE, stream, NGHTTP2_CANCEL);
	finish(k, GRPC_RESOURCE_EXHAUSTED, "the answer is larger than allowed");
	return 0;
}

/* doc/http-grpc-status-mapping.md */
static enum grpc_status from_http(int status)
{
	switch (status) {
	case 400:
		return GRPC_INTERNAL;
	case 401:
		return GRPC_UNAUTHENTICATED;
	case 403:
		return GRPC_PERMISSION_DENIED;
	case 404:
		return GRPC_UNIMPLEMENTED;
	case 429:
	case 502:
	case 503:
	case 504:
		return GRPC_UNAVAILABLE;
	default:
		return GRPC_UNKNOWN;
	}
}

static int on_close(nghttp2_session *h2, int32_t stream, uint32_t error, void *cookie)
{
	struct client_call *k = nghttp2_session_get_stream_user_data(h2, stream);
	char text[128];

	if (!k)
		return 0;
	/* Never started over there: refused, or beyond the last stream of a farewell. */
	if (k->status < 0 && error == NGHTTP2_REFUSED_STREAM && k->refusals++ < TRIES_MAX) {
		k->stream = 0;
		event_active(k->client->wake, EV_TIMEOUT, 0);
		return 0;
	}
	if (k->status >= 0) {
		finish(k, (enum grpc_status)MIN(k->status, (int)GRPC_UNAUTHENTICATED), k->text);
	} else if (k->http_status != 0 && k->http_status != 200) {
		snprintf(text, sizeof(text), "the server answers HTTP %d", k->http_status);
		finish(k, from_http(k->http_status), text);
	} else {
		snprintf(text, sizeof(text), "the server ended the call without a status (%s)",
			nghttp2_http2_strerror(error));
		finish(k, GRPC_UNAVAILABLE, text);
	}
	return 0;
}

static ssize_t read_request(nghttp2_session *h2, int32_t stream, uint8_t *dst, size_t size,
	uint32_t *flags, nghttp2_data_source *source, void *cookie)
{
	struct client_call *k = nghttp2_session_get_stream_user_data(h2, stream);
	size_t n;

	if (!k)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	n = MIN(size, k->request.size - k->sent);
	memcpy(dst, k->request.data + k->sent, n);
	k->sent += n;
	if (k->sent == k->request.size)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

static nghttp2_nv field(const char *name, const char *value)
{
	return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
		strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static void submit(struct grpc_client *c, struct client_call *k)
{
	const nghttp2_data_provider provider = {{.ptr = NULL}, read_request};
	uint64_t now = clock_mono_ms();
	char timeout[16];

	snprintf(timeout, sizeof(timeout), "%um",
		(unsigned)MIN(k->deadline_ms > now ? k->deadline_ms - now : 1, (uint64_t)99999999));
	const nghttp2_nv fields[] = {
		field(":method", "POST"),
		field(":scheme", c->tls ? "https" : "http"),
		field(":path", k->path),
		field(":authority", c->authority),
		field("te", "trailers"),
		field("content-type", "application/grpc"),
		field("user-agent", "husk/" HUSK_VERSION),
		field("grpc-timeout", timeout),
	};
	k->sent = 0;
	k->status = -1;
	k->http_status = 0;
	k->header_bytes = 0;
	buf_clear(&k->body);
	k->stream = nghttp2_submit_request(c->h2, NULL, fields, ARRAY_COUNT(fields), &provider, k);
	if (k->stream < 0) {
		k->stream = 0;
		c->leaving = true;
	}
}

static int on_frame(nghttp2_session *h2, const nghttp2_frame *frame, void *cookie)
{
	struct grpc_client *c = cookie;

	if (frame->hd.type == NGHTTP2_GOAWAY)
		c->leaving = true;
	return 0;
}

/* A call that could not be sent, because the server said goodbye in between. */
static int on_not_sent(nghttp2_session *h2, const nghttp2_frame *frame, int error, void *cookie)
{
	struct client_call *k = nghttp2_session_get_stream_user_data(h2, frame->hd.stream_id);

	if (frame->hd.type == NGHTTP2_HEADERS && k) {
		k->stream = 0;
		k->client->leaving = true;
	}
	return 0;
}

static void submit_waiting(struct grpc_client *c)
{
	for (struct client_call *k = c->calls; k && c->h2 && !c->leaving; k = k->next) {
		if (k->stream == 0)
			submit(c, k);
	}
	flush(c);
}

static void flush(struct grpc_client *c)
{
	while (c->h2 && c->bev && !c->receiving && !c->lost) {
		const uint8_t *bytes;
		ssize_t n = nghttp2_session_mem_send(c->h2, &bytes);

		if (n > 0 && bufferevent_write(c->bev, bytes, (size_t)n) == 0)
			continue;
		if (n != 0)
			lose(c, "cannot send");
		break;
	}
	if (c->h2 && !c->lost && !nghttp2_session_want_read(c->h2) &&
		!nghttp2_session_want_write(c->h2))
		lose(c, "the server said goodbye");
}

static bool start_h2(struct grpc_client *c)
{
	const nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, (uint32_t)WINDOW},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)HEADER_BYTES_MAX},
	};

	return nghttp2_session_client_new2(&c->h2, c->callbacks, c, c->h2_options) == 0 &&
	       nghttp2_submit_settings(c->h2, NGHTTP2_FLAG_NONE, settings, ARRAY_COUNT(settings)) ==
		       0 &&
	       nghttp2_session_set_local_window_size(c->h2, NGHTTP2_FLAG_NONE, 0, WINDOW) == 0;
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
			lose(c, "the server does not speak HTTP/2");
		else
			evbuffer_drain(in, (size_t)n);
	}
	c->receiving = false;
	flush(c);
}

static void on_event(struct bufferevent *bev, short what, void *cookie)
{
	struct grpc_client *c = cookie;
	SSL *ssl = c->tls ? bufferevent_openssl_get_ssl(bev) : NULL;

	if (what & BEV_EVENT_CONNECTED) {
		bufferevent_set_timeouts(bev, NULL, NULL);
		if (start_h2(c))
			submit_waiting(c);
		else
			lose(c, "out of memory");
		return;
	}
	if (what & BEV_EVENT_TIMEOUT)
		lose(c, "no connection in time");
	else if (ssl && !c->h2 && SSL_get_verify_result(ssl) != X509_V_OK)
		lose(c, X509_verify_cert_error_string(SSL_get_verify_result(ssl)));
	else if (what & BEV_EVENT_EOF)
		lose(c, "the server closed the connection");
	else if (errno != 0 && !c->h2)
		lose(c, strerror(errno));
	else
		lose(c, c->h2 ? "the connection broke" : "cannot connect");
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
			lose(c, err_text(&e, r));
	} else if (c->h2) {
		submit_waiting(c);
	}
}

static void on_timeout(evutil_socket_t fd, short what, void *cookie)
{
	struct client_call *k = cookie;
	struct grpc_client *c = k->client;

	if (k->stream != 0 && c->h2)
		(void)!nghttp2_submit_rst_stream(
			c->h2, NGHTTP2_FLAG_NONE, k->stream, NGHTTP2_CANCEL);
	finish(k, GRPC_DEADLINE_EXCEEDED, "no answer in time");
	flush(c);
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
	if (!c->wake || nghttp2_session_callbacks_new(&c->callbacks) != 0)
		return -ENOMEM;
	if (nghttp2_option_new(&c->h2_options) != 0)
		return -ENOMEM;
	nghttp2_option_set_peer_max_concurrent_streams(c->h2_options, STREAMS_UNTIL_TOLD);
	nghttp2_session_callbacks_set_on_frame_recv_callback(c->callbacks, on_frame);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(c->callbacks, on_not_sent);
	nghttp2_session_callbacks_set_on_header_callback(c->callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c->callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(c->callbacks, on_close);
	return 0;
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
