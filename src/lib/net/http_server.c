/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libevent's HTTP server with OpenSSL underneath. What libevent 2.1 lacks is added here: a pause in
 * accepting when descriptors run out, instead of spinning.
 */
#include "net/http_server.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>

#include "base/str.h"
#include "net/http_guard.h"
#include "net/tls_server.h"

#define LISTENERS_MAX 16
#define ACCEPT_PAUSE_US 100000
#define DROPPED_FACTOR 8 /* bodies' worth of a request that is too large, read to answer it */

struct http_server {
	struct event_base *base;
	struct evhttp *http;
	SSL_CTX *tls;
	http_handler_fn handler;
	void *cookie;
	struct evhttp_bound_socket *sockets[LISTENERS_MAX];
	size_t socket_count;
	struct event *resume;
	size_t open_requests;
	bool paused;
	struct http_guard *guard; /* of TLS connections; NULL for none */
	struct http_server *next; /* in g_servers */
};

/* A listener's error callback gets libevent's own server as its cookie; this finds ours. */
static struct http_server *g_servers;

struct http_request {
	struct http_server *server;
	struct evhttp_request *req;
	char peer[64];
};

static struct bufferevent *make_connection(struct event_base *base, void *cookie)
{
	struct http_server *s = cookie;
	struct bufferevent *bev;
	SSL *ssl;

	if (!s->tls)
		return bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	ssl = SSL_new(s->tls);
	if (!ssl)
		return NULL;
	bev = bufferevent_openssl_socket_new(
		base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
	if (!bev) {
		SSL_free(ssl);
		return NULL;
	}
	if (s->guard && http_guard_add(s->guard, bev, ssl) < 0) {
		bufferevent_free(bev);
		return NULL;
	}
	return bev;
}

static void on_request(struct evhttp_request *req, void *cookie)
{
	struct http_server *s = cookie;
	struct http_request *r = calloc(1, sizeof(*r));
	struct evhttp_connection *connection = evhttp_request_get_connection(req);
	char *address = NULL;
	ev_uint16_t port;

	if (!r) {
		evhttp_send_error(req, 503, NULL);
		return;
	}
	r->server = s;
	r->req = req;
	if (connection)
		evhttp_connection_get_peer(connection, &address, &port);
	if (!address || str_copy(r->peer, sizeof(r->peer), address) < 0)
		r->peer[0] = '\0';
	/* If the client leaves first, libevent only detaches the request; the reply then frees it. */
	if (connection)
		http_guard_busy(evhttp_connection_get_bufferevent(connection), true);
	s->open_requests++;
	s->handler(s->cookie, r);
}

static void set_accepting(struct http_server *s, bool on)
{
	for (size_t i = 0; i < s->socket_count; i++) {
		struct evconnlistener *l = evhttp_bound_socket_get_listener(s->sockets[i]);

		if (on)
			evconnlistener_enable(l);
		else
			evconnlistener_disable(l);
	}
}

static void on_resume(evutil_socket_t fd, short what, void *cookie)
{
	struct http_server *s = cookie;

	if (!s->paused)
		set_accepting(s, true);
}

/* Usually EMFILE: all descriptors serve clients. Level-triggered, so it must not be polled on. */
static void on_accept_error(struct evconnlistener *l, void *cookie)
{
	struct http_server *s = g_servers;
	const struct timeval pause = {0, ACCEPT_PAUSE_US};

	while (s && s->http != cookie)
		s = s->next;
	if (!s)
		return;

	set_accepting(s, false);
	event_add(s->resume, &pause);
}

int http_server_new(struct event_base *base, const struct http_server_options *options,
	http_handler_fn handler, void *cookie, struct http_server **ret, struct err *reterr)
{
	cleanup(http_server_free) struct http_server *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->base = base;
	s->handler = handler;
	s->cookie = cookie;
	if (options->certificate) {
		const struct tls_server_options tls = {
			.certificate = options->certificate,
			.private_key = options->private_key,
			.client_ca = options->client_ca,
			.tls13_only = options->tls13_only,
		};
		r = tls_server_new(&tls, &s->tls, reterr);
		if (r < 0)
			return r;
	}
	if (s->tls && options->buffered_max) {
		const struct http_guard_limits limits = {
			.request_s = options->request_s,
			.request_max = options->header_max + DROPPED_FACTOR * options->body_max,
			.buffered_max = options->buffered_max,
		};
		s->guard = http_guard_new(base, &limits);
		if (!s->guard)
			return -ENOMEM;
	}
	s->http = evhttp_new(base);
	s->resume = evtimer_new(base, on_resume, s);
	if (!s->http || !s->resume)
		return -ENOMEM;
	s->next = g_servers;
	g_servers = s;
	evhttp_set_bevcb(s->http, make_connection, s);
	evhttp_set_gencb(s->http, on_request, s);
	evhttp_set_timeout(s->http, options->idle_s);
	evhttp_set_max_headers_size(s->http, (ssize_t)options->header_max);
	evhttp_set_max_body_size(s->http, (ssize_t)options->body_max);
	/* The rest of a body that is too large is read and dropped before 413 is said: a client that
	 * sends first and reads then would see a broken connection instead. */
	if (s->guard) /* who ends it when it goes on and on */
		evhttp_set_flags(s->http, EVHTTP_SERVER_LINGERING_CLOSE);
	evhttp_set_default_content_type(s->http, NULL);
	evhttp_set_allowed_methods(s->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_PUT |
						    EVHTTP_REQ_DELETE | EVHTTP_REQ_HEAD |
						    EVHTTP_REQ_OPTIONS | EVHTTP_REQ_PATCH);
	*ret = steal_ptr(s);
	return 0;
}

int http_server_set_tls(struct http_server *s, const struct tls_pem *pem, struct err *reterr)
{
	if (!s->tls)
		return err_set(reterr, -EINVAL, "this server speaks plain HTTP");
	return tls_server_set_pem(s->tls, pem, reterr);
}

void http_server_free(struct http_server *s)
{
	struct http_server **at = &g_servers;

	if (!s)
		return;
	while (*at && *at != s)
		at = &(*at)->next;
	if (*at)
		*at = s->next;
	if (s->resume)
		event_free(s->resume);
	if (s->http)
		evhttp_free(s->http);
	http_guard_free(s->guard);
	SSL_CTX_free(s->tls);
	free(s);
}

int http_server_listen(
	struct http_server *s, const char *address, uint16_t *ret_port, struct err *reterr)
{
	struct evhttp_bound_socket *sock;
	struct sockaddr_storage at;
	struct evconnlistener *l;
	socklen_t size = 0;
	int on = 1;
	int r = listen_sockaddr(address, &at, &size, reterr);

	if (r < 0)
		return r;
	if (s->socket_count == LISTENERS_MAX)
		return err_set(reterr, -E2BIG, "more than %d sockets", LISTENERS_MAX);
	l = evconnlistener_new_bind(s->base, NULL, NULL,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE, -1,
		(const struct sockaddr *)&at, (int)size);
	if (!l)
		return err_set(reterr, -errno, "cannot listen on %s: %m", address);
	sock = evhttp_bind_listener(s->http, l);
	if (!sock) {
		evconnlistener_free(l);
		return -ENOMEM;
	}
	evconnlistener_set_error_cb(evhttp_bound_socket_get_listener(sock), on_accept_error);
	/* Connections inherit it. Without it a kept connection waits 40 ms for the client's delayed
	 * acknowledgement between head and body of each answer. */
	(void)setsockopt(
		evhttp_bound_socket_get_fd(sock), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	s->sockets[s->socket_count++] = sock;
	return ret_port ? listen_port(evhttp_bound_socket_get_fd(sock), ret_port, reterr) : 0;
}

void http_server_pause(struct http_server *s)
{
	s->paused = true;
	set_accepting(s, false);
}

size_t http_server_open_requests(const struct http_server *s)
{
	return s->open_requests;
}

const char *http_request_method(const struct http_request *r)
{
	switch (evhttp_request_get_command(r->req)) {
	case EVHTTP_REQ_GET:
		return "GET";
	case EVHTTP_REQ_POST:
		return "POST";
	case EVHTTP_REQ_PUT:
		return "PUT";
	case EVHTTP_REQ_DELETE:
		return "DELETE";
	case EVHTTP_REQ_HEAD:
		return "HEAD";
	case EVHTTP_REQ_PATCH:
		return "PATCH";
	default:
		return "OTHER";
	}
}

const char *http_request_target(const struct http_request *r)
{
	const char *uri = evhttp_request_get_uri(r->req);

	return uri ? uri : "";
}

const char *http_request_header(const struct http_request *r, const char *name)
{
	return evhttp_find_header(evhttp_request_get_input_headers(r->req), name);
}

struct slice http_request_body(struct http_request *r)
{
	struct evbuffer *in = evhttp_request_get_input_buffer(r->req);
	size_t size = evbuffer_get_length(in);

	return size ? slice_of(evbuffer_pullup(in, -1), size) : SLICE_EMPTY;
}

const char *http_request_peer(const struct http_request *r)
{
	return r->peer;
}

void http_request_reply(struct http_request *r, int status, const struct http_header *headers,
	size_t count, struct slice body)
{
	struct evkeyvalq *out = evhttp_request_get_output_headers(r->req);
	struct evbuffer *content = evbuffer_new();
	struct evhttp_connection *connection;

	for (size_t i = 0; i < count; i++) {
		if (headers[i].value && headers[i].value[0])
			evhttp_add_header(out, headers[i].name, headers[i].value);
	}
	/* libevent would send the body of an answer to HEAD, which its client takes for garbage. */
	if (evhttp_request_get_command(r->req) == EVHTTP_REQ_HEAD) {
		char size[24];

		snprintf(size, sizeof(size), "%zu", body.size);
		evhttp_add_header(out, "Content-Length", size);
	} else if (content) {
		evbuffer_add(content, body.data, body.size);
	}
	connection = evhttp_request_get_connection(r->req);
	if (connection)
		http_guard_busy(evhttp_connection_get_bufferevent(connection), false);
	r->server->open_requests--;
	evhttp_send_reply(r->req, status, NULL, content);
	if (content)
		evbuffer_free(content);
	free(r);
}
