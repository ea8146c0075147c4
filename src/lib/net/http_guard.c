/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http_guard.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"

struct watched {
	struct http_guard *guard;
	struct bufferevent *bev;
	size_t buffered;
	size_t arrived;	   /* of the request at hand, also what is not buffered any more */
	uint64_t since_ms; /* the request at hand began; 0 between requests */
	bool busy;
	struct watched *previous, *next;
};

struct http_guard {
	struct event *tick;
	struct watched *first;
	struct http_guard_limits limits;
	size_t buffered;
};

/* OpenSSL frees what hangs on a connection with it: libevent offers no such moment. */
static void on_ssl_free(
	void *parent, void *ptr, CRYPTO_EX_DATA *data, int index, long argl, void *argp)
{
	struct watched *w = ptr;

	if (!w)
		return;
	w->guard->buffered -= w->buffered;
	*(w->previous ? &w->previous->next : &w->guard->first) = w->next;
	if (w->next)
		w->next->previous = w->previous;
	free(w);
}

static int ex_index(void)
{
	static int index = -1;

	if (index < 0)
		index = SSL_get_ex_new_index(0, NULL, NULL, NULL, on_ssl_free);
	return index;
}

/* libevent closes what was shut down. The close must reset: an orderly one may leave a client whose
 * window is full waiting for a minute on a socket that nobody reads. */
static void shut(const struct watched *w)
{
	static const struct linger reset = {.l_onoff = 1};
	evutil_socket_t fd = bufferevent_getfd(w->bev);

	if (fd < 0)
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	shutdown(fd, SHUT_RDWR);
}

static void on_input(struct evbuffer *in, const struct evbuffer_cb_info *info, void *cookie)
{
	struct watched *w = cookie;
	struct http_guard *g = w->guard;

	g->buffered = g->buffered - w->buffered + evbuffer_get_length(in);
	w->buffered = evbuffer_get_length(in);
	if (info->n_added > 0 && !w->busy && w->since_ms == 0)
		w->since_ms = clock_mono_ms();
	w->arrived += info->n_added;
	if (info->n_added > 0 &&
		(g->buffered > g->limits.buffered_max || w->arrived > g->limits.request_max))
		shut(w);
}

static void on_tick(evutil_socket_t fd, short what, void *cookie)
{
	struct http_guard *g = cookie;
	uint64_t now = clock_mono_ms();

	for (const struct watched *w = g->first; w; w = w->next) {
		if (!w->busy && w->since_ms &&
			now - w->since_ms > (uint64_t)g->limits.request_s * 1000)
			shut(w);
	}
}

struct http_guard *http_guard_new(struct event_base *base, const struct http_guard_limits *limits)
{
	static const struct timeval second = {1, 0};
	struct http_guard *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->limits = *limits;
	g->tick = event_new(base, -1, EV_PERSIST, on_tick, g);
	if (!g->tick || event_add(g->tick, &second) < 0 || ex_index() < 0) {
		http_guard_free(g);
		return NULL;
	}
	return g;
}

void http_guard_free(struct http_guard *g)
{
	if (!g)
		return;
	if (g->tick)
		event_free(g->tick);
	free(g);
}

int http_guard_add(struct http_guard *g, struct bufferevent *bev, struct ssl_st *ssl)
{
	struct watched *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	*w = (struct watched){
		.guard = g, .bev = bev, .since_ms = clock_mono_ms(), .next = g->first};
	if (!SSL_set_ex_data(ssl, ex_index(), w)) {
		free(w);
		return -ENOMEM;
	}
	if (g->first)
		g->first->previous = w;
	g->first = w;
	return evbuffer_add_cb(bufferevent_get_input(bev), on_input, w) ? 0 : -ENOMEM;
}

void http_guard_busy(struct bufferevent *bev, bool busy)
{
	SSL *ssl = bev ? bufferevent_openssl_get_ssl(bev) : NULL;
	struct watched *w = ssl ? SSL_get_ex_data(ssl, ex_index()) : NULL;

	if (!w)
		return;
	w->busy = busy;
	w->arrived = w->buffered;
	/* The next request may be there already, behind this one. */
	w->since_ms = !busy && w->buffered ? clock_mono_ms() : 0;
}
