/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A gRPC server on loopback with a handful of methods, and clients of it, in one event loop. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "net/grpc_client.h"
#include "net/grpc_server.h"

#define SERVICE "/test.Echo/"

struct world {
	struct event_base *base;
	struct grpc_server *server;
	uint16_t port;
	struct grpc_call *held[256];
	size_t held_count, handled;
	char dir[32];
};

static inline void handle(void *cookie, struct grpc_call *call)
{
	struct world *w = cookie;
	const char *path = grpc_call_path(call);

	w->handled++;
	if (grpc_call_is_get(call))
		grpc_call_reply_http(call, streq(path, "/keys") ? 200 : 404, "application/json",
			slice_str(path));
	else if (streq(path, SERVICE "Echo"))
		grpc_call_reply(call, grpc_call_message(call));
	else if (streq(path, SERVICE "Fail"))
		grpc_call_fail(call, GRPC_ABORTED, "100 % \xc3\xa4rger\nsecond line");
	else if (streq(path, SERVICE "Hold") && w->held_count < ARRAY_COUNT(w->held))
		w->held[w->held_count++] = call;
	else
		grpc_call_fail(call, GRPC_UNIMPLEMENTED, "no such method");
}

static inline int start(struct world *w, const struct grpc_server_options *o)
{
	*w = (struct world){.base = event_base_new()};
	assert_non_null(w->base);
	assert_int_equal(grpc_server_new(w->base, o, handle, w, &w->server, NULL), 0);
	assert_int_equal(grpc_server_listen(w->server, "127.0.0.1:0", &w->port, NULL), 0);
	return 0;
}

static inline void stop(struct world *w)
{
	grpc_server_free(w->server);
	event_base_free(w->base);
}

static inline void run_ms(struct world *w, unsigned ms)
{
	uint64_t until = clock_mono_ms() + ms;

	while (clock_mono_ms() < until) {
		event_base_loop(w->base, EVLOOP_NONBLOCK);
		usleep(1000);
	}
}

static inline struct grpc_client *connect_to(
	struct world *w, const char *scheme, struct slice roots)
{
	struct grpc_client *c = NULL;
	char url[64];

	snprintf(url, sizeof(url), "%s://127.0.0.1:%u", scheme, w->port);
	const struct grpc_client_options o = {.url = url, .roots_pem = roots};
	assert_int_equal(grpc_client_new(w->base, &o, &c, NULL), 0);
	return c;
}
