/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gRPC server, a whole connection: frames, header compression, framing of messages, deadlines,
 * HTTP/1.1. Callers: husk-as, husk-rvps. Attacker: whoever reaches their ports. Format: what a client
 * sends, from its first byte on.
 */
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/grpc_server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct grpc_call *g_held;

static void handle(void *cookie, struct grpc_call *call)
{
	struct slice message = grpc_call_message(call);

	if (grpc_call_is_get(call))
		grpc_call_reply_http(call, 200, "text/plain", slice_str(grpc_call_path(call)));
	else if (message.size % 3 == 0)
		grpc_call_reply(call, message);
	else if (message.size % 3 == 1 || g_held)
		grpc_call_fail(call, GRPC_ABORTED, grpc_call_path(call));
	else
		g_held = call;
}

static void pure(struct slice in)
{
	cleanup_with(buf_done) struct buf out = buf_init(0);
	char text[256];
	struct slice message;
	uint64_t ms;

	if (grpc_frame_get(in, 1 << 20, &message, NULL) == 0) {
		grpc_frame_put(&out, message);
		if (buf_error(&out) == 0 && !slice_eq(buf_slice(&out), in))
			abort(); /* there is one encoding */
	}
	(void)!grpc_timeout_parse(in, &ms);
	grpc_text_decode(in, text, sizeof(text));
	buf_clear(&out);
	grpc_text_encode(&out, text);
	char again[256];
	grpc_text_decode(buf_slice(&out), again, sizeof(again));
	if (!slice_eq(slice_str(text), slice_str(again)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct grpc_server_options o = {
		.message_max = 4096, .buffered_max = 16384, .streams_max = 8};
	static struct event_base *base;
	struct grpc_server *s = NULL;
	int pair[2];

	if (size > 65536)
		return 0;
	pure(slice_of(data, size));
	if (!base) {
		base = event_base_new();
		signal(SIGPIPE, SIG_IGN);
	}
	if (grpc_server_new(base, &o, handle, NULL, &s, NULL) < 0 ||
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		abort();
	g_held = NULL;
	if (grpc_server_adopt(s, pair[0], "fuzzer") < 0)
		abort();
	for (size_t at = 0; at < size;) {
		ssize_t n = send(pair[1], data + at, size - at, MSG_NOSIGNAL);
		uint8_t drop[4096];

		event_base_loop(base, EVLOOP_NONBLOCK);
		while (recv(pair[1], drop, sizeof(drop), 0) > 0)
			event_base_loop(base, EVLOOP_NONBLOCK);
		if (n <= 0)
			break;
		at += (size_t)n;
	}
	event_base_loop(base, EVLOOP_NONBLOCK);
	if (g_held)
		grpc_call_reply(g_held, SLICE_LIT("late"));
	close(pair[1]);
	event_base_loop(base, EVLOOP_NONBLOCK);
	grpc_server_free(s);
	return 0;
}
