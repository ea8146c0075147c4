/* SPDX-License-Identifier: Apache-2.0 */
/* The client's side of HTTP/2: what comes for a call, and what is sent for it. */
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "base/clock.h"
#include "base/parse.h"
#include "base/str.h"
#include "net/grpc_client_internal.h"
#include "net/grpc_server.h"

#define WINDOW ((int32_t)4 << 20)
#define HEADER_BYTES_MAX ((size_t)16 << 10)
#define STREAMS_UNTIL_TOLD 32 /* calls under way before the server has said its limit */
#define TRIES_MAX 3

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
	grpc_client_end(k, GRPC_RESOURCE_EXHAUSTED, "the answer is larger than allowed");
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
		grpc_client_end(
			k, (enum grpc_status)MIN(k->status, (int)GRPC_UNAUTHENTICATED), k->text);
	} else if (k->http_status != 0 && k->http_status != 200) {
		snprintf(text, sizeof(text), "the server answers HTTP %d", k->http_status);
		grpc_client_end(k, from_http(k->http_status), text);
	} else {
		snprintf(text, sizeof(text), "the server ended the call without a status (%s)",
			nghttp2_http2_strerror(error));
		grpc_client_end(k, GRPC_UNAVAILABLE, text);
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

void grpc_client_h2_submit(struct grpc_client *c)
{
	for (struct client_call *k = c->calls; k && c->h2 && !c->leaving; k = k->next) {
		if (k->stream == 0)
			submit(c, k);
	}
	grpc_client_h2_flush(c);
}

void grpc_client_h2_flush(struct grpc_client *c)
{
	while (c->h2 && c->bev && !c->receiving && !c->lost) {
		const uint8_t *bytes;
		ssize_t n = nghttp2_session_mem_send(c->h2, &bytes);

		if (n > 0 && bufferevent_write(c->bev, bytes, (size_t)n) == 0)
			continue;
		if (n != 0)
			grpc_client_lose(c, "cannot send");
		break;
	}
	if (c->h2 && !c->lost && !nghttp2_session_want_read(c->h2) &&
		!nghttp2_session_want_write(c->h2))
		grpc_client_lose(c, "the server said goodbye");
}

bool grpc_client_h2_start(struct grpc_client *c)
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

int grpc_client_h2_set_up(struct grpc_client *c)
{
	if (nghttp2_session_callbacks_new(&c->callbacks) != 0)
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
