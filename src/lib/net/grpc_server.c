/* SPDX-License-Identifier: Apache-2.0 */
/* Listening, and connections from their first byte to their last. */
#include "net/grpc_server.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/listener.h>
#include <event2/util.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "net/grpc_internal.h"
#include "net/tls_server.h"

#define ACCEPT_PAUSE_US 100000
#define OUT_HIGH ((size_t)1 << 20) /* unsent bytes beyond which nothing is read */
#define HTTP1_HEAD_MAX ((size_t)8 << 10)
#define WINDOW_STREAM ((int32_t)1 << 20)
#define WINDOW_CONNECTION ((int32_t)4 << 20)
#define HEADER_LIST_MAX (16u << 10)
#define CONTINUATIONS_MAX 4
#define RESETS_BURST 200 /* streams that a client may give up at once, and then a second */
#define RESETS_RATE 20

/* --- the end of a connection --- */

void grpc_peer_release(struct grpc_peer *p)
{
	struct grpc_server *s = p->server;

	if (p->bev || p->calls)
		return;
	*(p->prev ? &p->prev->next : &s->peers) = p->next;
	if (p->next)
		p->next->prev = p->prev;
	s->peer_count--;
	free(p);
}

static void peer_close(struct grpc_peer *p)
{
	struct grpc_call *next;

	if (!p->bev)
		return;
	bufferevent_free(p->bev);
	nghttp2_session_del(p->h2);
	p->h2 = NULL;
	for (struct grpc_call *c = p->calls; c; c = next) {
		next = c->next;
		c->gone = true;
		grpc_call_release(c);
	}
	p->bev = NULL;
	grpc_peer_release(p);
}

void grpc_peer_refuse(struct grpc_peer *p, uint32_t h2_error)
{
	if (p->ending)
		return;
	p->ending = true;
	if (!p->h2 || nghttp2_session_terminate_session(p->h2, h2_error) != 0)
		p->doomed = true;
}

void grpc_peer_write(struct grpc_peer *p, struct slice bytes)
{
	if (bufferevent_write(p->bev, bytes.data, bytes.size) < 0)
		p->doomed = true;
}

static size_t unsent(const struct grpc_peer *p)
{
	return evbuffer_get_length(bufferevent_get_output(p->bev));
}

/* Moves frames to the socket's buffer. Return: whether the connection goes on. */
static bool pump(struct grpc_peer *p)
{
	while (p->h2 && !p->doomed && unsent(p) < OUT_HIGH) {
		const uint8_t *bytes;
		ssize_t n = nghttp2_session_mem_send(p->h2, &bytes);

		if (n < 0)
			return false;
		if (n == 0)
			break;
		grpc_peer_write(p, slice_of(bytes, (size_t)n));
	}
	if (p->doomed)
		return false;
	if (p->h2 && !nghttp2_session_want_read(p->h2) && !nghttp2_session_want_write(p->h2))
		p->ending = true;
	return !p->ending || unsent(p) > 0 || (p->h2 && nghttp2_session_want_write(p->h2));
}

void grpc_peer_flush(struct grpc_peer *p)
{
	if (p->receiving || !p->bev)
		return;
	if (!pump(p))
		peer_close(p);
	else if (unsent(p) >= OUT_HIGH)
		bufferevent_disable(p->bev, EV_READ);
}

/* --- what comes in --- */

static bool start_h2(struct grpc_peer *p)
{
	const struct grpc_server *s = p->server;
	const nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, s->o.streams_max},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEADER_LIST_MAX},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, (uint32_t)WINDOW_STREAM},
	};

	return nghttp2_session_server_new2(&p->h2, s->callbacks, p, s->h2_options) == 0 &&
	       nghttp2_submit_settings(p->h2, NGHTTP2_FLAG_NONE, settings, ARRAY_COUNT(settings)) ==
		       0 &&
	       nghttp2_session_set_local_window_size(
		       p->h2, NGHTTP2_FLAG_NONE, 0, WINDOW_CONNECTION) == 0;
}

/* An HTTP/1.1 request: only its first line counts. */
static void take_http1(struct grpc_peer *p, struct evbuffer *in)
{
	size_t size = evbuffer_get_length(in);
	const uint8_t *bytes = evbuffer_pullup(in, -1);

	if (p->calls || p->ending)
		evbuffer_drain(in, size);
	else if (memmem(bytes, size, "\r\n\r\n", 4))
		grpc_http1_request(p, slice_of(bytes, size));
	else if (size > HTTP1_HEAD_MAX)
		p->doomed = true;
}

static void take_h2(struct grpc_peer *p, struct evbuffer *in)
{
	while (!p->doomed && evbuffer_get_length(in) > 0) {
		struct evbuffer_iovec v;
		ssize_t n;

		if (evbuffer_peek(in, -1, NULL, &v, 1) < 1)
			return;
		n = nghttp2_session_mem_recv(p->h2, v.iov_base, v.iov_len);
		if (n < 0)
			p->doomed = true;
		else
			evbuffer_drain(in, (size_t)n);
	}
}

static void on_read(struct bufferevent *bev, void *cookie)
{
	static const char preface[] = "PRI ";
	struct grpc_peer *p = cookie;
	struct evbuffer *in = bufferevent_get_input(bev);
	char start[4];

	p->receiving = true;
	if (!p->h2 && evbuffer_copyout(in, start, sizeof(start)) == sizeof(start)) {
		if (memcmp(start, preface, sizeof(start)) == 0)
			p->doomed = !start_h2(p);
		else if (memcmp(start, "GET ", sizeof(start)) == 0)
			take_http1(p, in);
		else
			p->doomed = true;
	}
	if (p->h2)
		take_h2(p, in);
	p->receiving = false;
	grpc_peer_flush(p);
}

static void on_write(struct bufferevent *bev, void *cookie)
{
	struct grpc_peer *p = cookie;

	bufferevent_enable(bev, EV_READ);
	grpc_peer_flush(p);
}

static void on_event(struct bufferevent *bev, short what, void *cookie)
{
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT))
		peer_close(cookie);
}

/* --- listening --- */

static struct bufferevent *wrap_socket(struct grpc_server *s, int fd)
{
	struct bufferevent *bev;
	SSL *ssl;

	if (!s->tls)
		return bufferevent_socket_new(s->base, fd, BEV_OPT_CLOSE_ON_FREE);
	ssl = SSL_new(s->tls);
	bev = ssl ? bufferevent_openssl_socket_new(
			    s->base, fd, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE)
		  : NULL;
	if (!bev)
		SSL_free(ssl);
	return bev;
}

static void set_accepting(struct grpc_server *s, bool on)
{
	for (size_t i = 0; i < s->listener_count; i++) {
		if (on)
			evconnlistener_enable(s->listeners[i]);
		else
			evconnlistener_disable(s->listeners[i]);
	}
}

static void pause_accepting(struct grpc_server *s)
{
	const struct timeval pause = {0, ACCEPT_PAUSE_US};

	set_accepting(s, false);
	event_add(s->resume, &pause);
}

static void on_resume(evutil_socket_t fd, short what, void *cookie)
{
	struct grpc_server *s = cookie;

	if (s->paused)
		return;
	if (s->peer_count < s->o.connections_max)
		set_accepting(s, true);
	else
		pause_accepting(s);
}

int grpc_server_adopt(struct grpc_server *s, int fd, const char *peer)
{
	const struct timeval stuck = {(time_t)s->o.idle_s, 0};
	struct grpc_peer *p = calloc(1, sizeof(*p));

	if (p)
		p->bev = wrap_socket(s, fd);
	if (!p || !p->bev) {
		close(fd);
		free(p);
		return -ENOMEM;
	}
	p->server = s;
	p->active_ms = clock_mono_ms();
	if (str_copy(p->address, sizeof(p->address), peer) < 0)
		p->address[0] = '\0';
	p->next = s->peers;
	if (s->peers)
		s->peers->prev = p;
	s->peers = p;
	s->peer_count++;
	bufferevent_setcb(p->bev, on_read, on_write, on_event, p);
	/* A client that takes nothing; who sends nothing is the tick's business. */
	bufferevent_set_timeouts(p->bev, NULL, &stuck);
	bufferevent_setwatermark(p->bev, EV_READ, 0, OUT_HIGH);
	bufferevent_enable(p->bev, EV_READ | EV_WRITE);
	if (s->peer_count >= s->o.connections_max)
		pause_accepting(s);
	return 0;
}

static void on_accept(
	struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *addr, int size, void *cookie)
{
	char host[64] = "";
	int on = 1;

	if (addr->sa_family != AF_UNIX) {
		(void)!getnameinfo(
			addr, (socklen_t)size, host, sizeof(host), NULL, 0, NI_NUMERICHOST);
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	}
	(void)!grpc_server_adopt(cookie, fd, host);
}

static void on_accept_error(struct evconnlistener *l, void *cookie)
{
	pause_accepting(cookie);
}

int grpc_server_listen(
	struct grpc_server *s, const char *address, uint16_t *ret_port, struct err *reterr)
{
	struct sockaddr_storage at;
	socklen_t size = 0;
	struct evconnlistener *l;
	int r = listen_sockaddr(address, &at, &size, reterr);

	if (r < 0)
		return r;
	if (s->listener_count == GRPC_LISTENERS_MAX)
		return err_set(reterr, -E2BIG, "more than %d sockets", GRPC_LISTENERS_MAX);
	l = evconnlistener_new_bind(s->base, on_accept, s,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE, -1,
		(const struct sockaddr *)&at, (int)size);
	if (!l)
		return err_set(reterr, -errno, "cannot listen on %s: %m", address);
	evconnlistener_set_error_cb(l, on_accept_error);
	s->listeners[s->listener_count++] = l;
	return ret_port ? listen_port(evconnlistener_get_fd(l), ret_port, reterr) : 0;
}

/* --- life of the server --- */

static void check_peer(struct grpc_peer *p, uint64_t now)
{
	struct grpc_call *next;
	bool idle = !p->calls && now - p->active_ms > (uint64_t)p->server->o.idle_s * 1000;

	p->idle_frames = 0;
	if (!p->bev)
		return;
	if (idle && p->ending)
		p->doomed = true; /* it had its time to take the farewell */
	else if (idle)
		grpc_peer_refuse(p, NGHTTP2_NO_ERROR);
	p->receiving = true; /* one flush for all */
	for (struct grpc_call *c = p->calls; c; c = next) {
		next = c->next;
		grpc_call_check_age(c, now);
	}
	p->receiving = false;
	grpc_peer_flush(p);
}

static void on_tick(evutil_socket_t fd, short what, void *cookie)
{
	struct grpc_server *s = cookie;
	uint64_t now = clock_mono_ms();
	struct grpc_peer *next;

	for (struct grpc_peer *p = s->peers; p; p = next) {
		next = p->next;
		check_peer(p, now);
	}
}

static int set_up(struct grpc_server *s, struct err *reterr)
{
	const struct tls_server_options tls = {
		.certificate = s->o.certificate,
		.private_key = s->o.private_key,
		.client_ca = s->o.client_ca,
		.alpn = "h2",
		.tls13_only = s->o.tls13_only,
	};
	const struct timeval second = {1, 0};
	int r = grpc_callbacks_new(&s->callbacks);

	if (r < 0)
		return r;
	if (nghttp2_option_new(&s->h2_options) != 0)
		return -ENOMEM;
	nghttp2_option_set_stream_reset_rate_limit(s->h2_options, RESETS_BURST, RESETS_RATE);
	nghttp2_option_set_max_continuations(s->h2_options, CONTINUATIONS_MAX);
	nghttp2_option_set_no_closed_streams(s->h2_options, 1);
	s->tick = event_new(s->base, -1, EV_PERSIST, on_tick, s);
	s->resume = evtimer_new(s->base, on_resume, s);
	if (!s->tick || !s->resume)
		return -ENOMEM;
	event_add(s->tick, &second);
	return s->o.certificate ? tls_server_new(&tls, &s->tls, reterr) : 0;
}

int grpc_server_new(struct event_base *base, const struct grpc_server_options *options,
	grpc_handler_fn handler, void *cookie, struct grpc_server **ret, struct err *reterr)
{
	cleanup(grpc_server_free) struct grpc_server *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->base = base;
	s->handler = handler;
	s->cookie = cookie;
	s->o = *options;
	s->o.message_max = s->o.message_max ? s->o.message_max : GRPC_MESSAGE_MAX;
	s->o.buffered_max = s->o.buffered_max ? s->o.buffered_max : (size_t)64 << 20;
	s->o.connections_max = s->o.connections_max ? s->o.connections_max : 1024;
	s->o.streams_max = s->o.streams_max ? s->o.streams_max : 64;
	s->o.idle_s = s->o.idle_s ? s->o.idle_s : 15;
	r = set_up(s, reterr);
	if (r == 0)
		*ret = steal_ptr(s);
	return r;
}

int grpc_server_set_tls(struct grpc_server *s, const struct tls_pem *pem, struct err *reterr)
{
	if (!s->tls)
		return err_set(reterr, -EINVAL, "this server speaks plaintext");
	return tls_server_set_pem(s->tls, pem, reterr);
}

void grpc_server_free(struct grpc_server *s)
{
	struct grpc_peer *next;

	if (!s)
		return;
	for (size_t i = 0; i < s->listener_count; i++)
		evconnlistener_free(s->listeners[i]);
	for (struct grpc_peer *p = s->peers; p; p = next) {
		next = p->next;
		for (struct grpc_call *c = p->calls; c; c = c->next)
			c->handed = false;
		if (p->bev) {
			peer_close(p);
			continue;
		}
		while (p->calls && p->calls->next)
			grpc_call_release(p->calls);
		grpc_call_release(p->calls); /* the last one takes the connection along */
	}
	if (s->tick)
		event_free(s->tick);
	if (s->resume)
		event_free(s->resume);
	nghttp2_session_callbacks_del(s->callbacks);
	nghttp2_option_del(s->h2_options);
	SSL_CTX_free(s->tls);
	free(s);
}

void grpc_server_pause(struct grpc_server *s)
{
	struct grpc_peer *next;

	s->paused = true;
	set_accepting(s, false);
	for (struct grpc_peer *p = s->peers; p; p = next) {
		next = p->next;
		if (p->h2)
			(void)!nghttp2_submit_goaway(p->h2, NGHTTP2_FLAG_NONE,
				nghttp2_session_get_last_proc_stream_id(p->h2), NGHTTP2_NO_ERROR,
				NULL, 0);
		grpc_peer_flush(p);
	}
}

size_t grpc_server_open_calls(const struct grpc_server *s)
{
	return s->open_calls;
}

size_t grpc_server_connections(const struct grpc_server *s)
{
	return s->peer_count;
}
