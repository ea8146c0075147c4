/* SPDX-License-Identifier: Apache-2.0 */
/* From HTTP/2 streams to calls and back. */
#include "base/clock.h"
#include "base/str.h"
#include "net/grpc_internal.h"

#define HEADER_BYTES_MAX ((size_t)16 << 10) /* of one request, counted as RFC 9113 6.5.2 does */
#define FIELD_OVERHEAD 32
#define IDLE_FRAMES_MAX 500 /* a second, of frames that move no call on */
#define OUT_MAX ((size_t)64 << 20)

static void unlink_call(struct grpc_call *c)
{
	struct grpc_peer *p = c->peer;

	*(c->prev ? &c->prev->next : &p->calls) = c->next;
	if (c->next)
		c->next->prev = c->prev;
	p->call_count--;
}

static void drop_body(struct grpc_call *c)
{
	c->peer->server->buffered -= c->body.size;
	buf_done(&c->body);
	c->message = SLICE_EMPTY;
}

void grpc_call_release(struct grpc_call *c)
{
	struct grpc_peer *p = c->peer;

	if (c->handed || !c->gone)
		return;
	drop_body(c);
	unlink_call(c);
	if (c->deadline)
		event_free(c->deadline);
	buf_done(&c->out);
	free(c);
	grpc_peer_release(p);
}

static struct grpc_call *call_new(struct grpc_peer *p, int32_t stream)
{
	struct grpc_call *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->peer = p;
	c->stream = stream;
	c->since_ms = p->active_ms = clock_mono_ms();
	c->body = buf_init_secret(p->server->o.message_max + GRPC_FRAME_HEAD);
	c->out = buf_init_secret(OUT_MAX);
	c->next = p->calls;
	if (p->calls)
		p->calls->prev = c;
	p->calls = c;
	p->call_count++;
	return c;
}

/* --- answers --- */

static nghttp2_nv field(const char *name, const char *value)
{
	/* nghttp2 takes uint8_t * without const, and copies. */
	return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
		strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static ssize_t read_answer(nghttp2_session *h2, int32_t stream, uint8_t *dst, size_t size,
	uint32_t *flags, nghttp2_data_source *source, void *cookie)
{
	struct grpc_call *c = source->ptr;
	const nghttp2_nv status[] = {field("grpc-status", "0")};
	size_t n = MIN(size, c->out.size - c->sent);

	if (n > 0)
		memcpy(dst, c->out.data + c->sent, n);
	c->sent += n;
	if (c->sent < c->out.size)
		return (ssize_t)n;
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (c->trailers) {
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		if (nghttp2_submit_trailer(h2, stream, status, ARRAY_COUNT(status)) != 0)
			return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	}
	return (ssize_t)n;
}

static void submit(struct grpc_call *c, const nghttp2_nv *fields, size_t count, bool body)
{
	struct grpc_peer *p = c->peer;
	const nghttp2_data_provider provider = {{.ptr = c}, read_answer};

	c->answered = true;
	c->since_ms = p->active_ms = clock_mono_ms();
	if (nghttp2_submit_response(p->h2, c->stream, fields, count, body ? &provider : NULL) != 0)
		(void)!nghttp2_submit_rst_stream(
			p->h2, NGHTTP2_FLAG_NONE, c->stream, NGHTTP2_INTERNAL_ERROR);
	grpc_peer_flush(p);
}

/* The rest of a request that is answered already is of no use (RFC 9113, 8.1). */
static int on_sent(nghttp2_session *h2, const nghttp2_frame *frame, void *cookie)
{
	struct grpc_call *c = nghttp2_session_get_stream_user_data(h2, frame->hd.stream_id);

	if (c && c->answered && !c->complete &&
		(frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
		(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		(void)!nghttp2_submit_rst_stream(
			h2, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
	return 0;
}

static void submit_error(struct grpc_call *c, enum grpc_status status, const char *text)
{
	cleanup_with(buf_done) struct buf encoded = buf_init(4 * GRPC_TEXT_MAX);
	char number[16], cut[GRPC_TEXT_MAX];

	snprintf(number, sizeof(number), "%d", (int)status);
	snprintf(cut, sizeof(cut), "%s", text);
	grpc_text_encode(&encoded, cut);
	const nghttp2_nv fields[] = {
		field(":status", "200"),
		field("content-type", "application/grpc"),
		field("grpc-status", number),
		field("grpc-message", buf_str(&encoded)),
	};
	submit(c, fields, ARRAY_COUNT(fields), false);
}

static void answer_http1(struct grpc_call *c, int status, const char *type, struct slice body)
{
	cleanup_with(buf_done) struct buf out = buf_init(OUT_MAX);
	struct grpc_peer *p = c->peer;

	buf_printf(&out,
		"HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
		"Cache-Control: no-store\r\nConnection: close\r\n\r\n",
		status, status < 400 ? "OK" : "Refused", type, body.size);
	buf_put_slice(&out, body);
	grpc_peer_write(p, buf_slice(&out));
	p->ending = true;
	c->gone = true;
	grpc_call_release(c);
	grpc_peer_flush(p);
}

/* The handler gives the call back. Return: true when it can still be answered. */
static bool take_back(struct grpc_call *c)
{
	if (!c->handed)
		return true; /* answered before it was handed over */
	c->handed = false;
	c->peer->server->open_calls--;
	drop_body(c);
	if (c->deadline)
		event_del(c->deadline);
	if (c->gone || c->answered) {
		grpc_call_release(c);
		return false;
	}
	return true;
}

void grpc_call_reply(struct grpc_call *c, struct slice message)
{
	const nghttp2_nv fields[] = {
		field(":status", "200"),
		field("content-type", "application/grpc"),
		field("grpc-accept-encoding", "identity"),
	};

	/* @message may lie in the request: copy it first. */
	grpc_frame_put(&c->out, message);
	if (!take_back(c))
		return;
	if (c->get || buf_error(&c->out) < 0) {
		grpc_call_fail(c, GRPC_INTERNAL, "the answer cannot be sent");
		return;
	}
	c->trailers = true;
	submit(c, fields, ARRAY_COUNT(fields), true);
}

void grpc_call_fail(struct grpc_call *c, enum grpc_status status, const char *text)
{
	if (!take_back(c))
		return;
	if (c->stream == 0) {
		answer_http1(c, 500, "text/plain", slice_str(text));
	} else {
		submit_error(c, status, text);
	}
}

void grpc_call_reply_http(struct grpc_call *c, int status, const char *type, struct slice body)
{
	char number[16];

	if (!take_back(c))
		return;
	if (c->stream == 0) {
		answer_http1(c, status, type, body);
		return;
	}
	snprintf(number, sizeof(number), "%d", status);
	buf_clear(&c->out);
	buf_put_slice(&c->out, body);
	const nghttp2_nv fields[] = {
		field(":status", number),
		field("content-type", type),
		field("cache-control", "no-store"),
	};
	submit(c, fields, ARRAY_COUNT(fields), true);
}

/* --- requests --- */

static void on_deadline(evutil_socket_t fd, short what, void *cookie)
{
	struct grpc_call *c = cookie;

	if (!c->answered && !c->gone)
		submit_error(c, GRPC_DEADLINE_EXCEEDED, "the deadline of the call has passed");
}

static void start_deadline(struct grpc_call *c)
{
	const struct timeval wait = {
		(time_t)(c->timeout_ms / 1000), (suseconds_t)(c->timeout_ms % 1000 * 1000)};

	if (c->timeout_ms == 0)
		return;
	c->deadline = evtimer_new(c->peer->server->base, on_deadline, c);
	if (c->deadline)
		event_add(c->deadline, &wait);
}

static void hand_over(struct grpc_call *c)
{
	struct grpc_server *s = c->peer->server;

	c->complete = true;
	c->handed = true;
	s->open_calls++;
	start_deadline(c);
	s->handler(s->cookie, c);
}

static void dispatch(struct grpc_call *c)
{
	struct err e = {0};
	int r;

	if (c->answered)
		return;
	c->complete = true;
	if (c->get) {
		hand_over(c);
		return;
	}
	if (c->encoded) {
		submit_error(c, GRPC_UNIMPLEMENTED, "this server takes no compressed messages");
		return;
	}
	r = grpc_frame_get(buf_slice(&c->body), c->peer->server->o.message_max, &c->message, &e);
	if (r < 0)
		submit_error(c,
			r == -EOPNOTSUPP ? GRPC_UNIMPLEMENTED
			: r == -E2BIG	 ? GRPC_RESOURCE_EXHAUSTED
					 : GRPC_INTERNAL,
			err_text(&e, r));
	else
		hand_over(c);
}

static int on_begin_headers(nghttp2_session *h2, const nghttp2_frame *frame, void *cookie)
{
	struct grpc_peer *p = cookie;
	struct grpc_call *c;

	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	/* Calls whose stream was reset still cost somebody work: they count, too. */
	if (p->call_count >= p->server->o.streams_max)
		return nghttp2_submit_rst_stream(h2, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
			       NGHTTP2_REFUSED_STREAM) == 0
			       ? 0
			       : NGHTTP2_ERR_CALLBACK_FAILURE;
	c = call_new(p, frame->hd.stream_id);
	if (!c)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	return nghttp2_session_set_stream_user_data(h2, frame->hd.stream_id, c) == 0
		       ? 0
		       : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static void take_field(struct grpc_call *c, struct slice name, struct slice value)
{
	static const char type[] = "application/grpc";

	if (slice_eq(name, SLICE_LIT(":method"))) {
		c->post = slice_eq(value, SLICE_LIT("POST"));
		c->get = slice_eq(value, SLICE_LIT("GET"));
	} else if (slice_eq(name, SLICE_LIT(":path"))) {
		/* Too long to be one of ours stays "", which nobody serves. */
		(void)!str_copy_slice(c->path, sizeof(c->path), value);
	} else if (slice_eq(name, SLICE_LIT("content-type"))) {
		size_t n = sizeof(type) - 1;

		c->grpc_type = slice_eq(slice_cut(value, 0, n), slice_str(type)) &&
			       (value.size == n || value.data[n] == '+' || value.data[n] == ';');
	} else if (slice_eq(name, SLICE_LIT("grpc-encoding"))) {
		c->encoded = !slice_eq(value, SLICE_LIT("identity"));
	} else if (slice_eq(name, SLICE_LIT("grpc-timeout"))) {
		(void)!grpc_timeout_parse(value, &c->timeout_ms);
	}
}

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
	size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags, void *cookie)
{
	struct grpc_call *c = nghttp2_session_get_stream_user_data(h2, frame->hd.stream_id);

	if (!c || frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	c->header_bytes += name_size + value_size + FIELD_OVERHEAD;
	if (c->header_bytes > HEADER_BYTES_MAX)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		take_field(c, slice_of(name, name_size), slice_of(value, value_size));
	return 0;
}

static int on_data(nghttp2_session *h2, uint8_t flags, int32_t stream, const uint8_t *data,
	size_t size, void *cookie)
{
	struct grpc_peer *p = cookie;
	struct grpc_server *s = p->server;
	struct grpc_call *c = nghttp2_session_get_stream_user_data(h2, stream);

	if (!c || c->answered)
		return 0;
	if (size > s->o.buffered_max - s->buffered) {
		submit_error(c, GRPC_RESOURCE_EXHAUSTED, "too many requests are under way");
		return 0;
	}
	if (size > c->body.max - c->body.size) {
		submit_error(c, GRPC_RESOURCE_EXHAUSTED, "the request is larger than allowed");
		return 0;
	}
	buf_put(&c->body, data, size);
	if (buf_error(&c->body) < 0)
		submit_error(c, GRPC_RESOURCE_EXHAUSTED, "out of memory");
	else
		s->buffered += size;
	return 0;
}

/* Return: whether the frame could be part of honest progress. */
static bool moves_something(const nghttp2_frame *frame)
{
	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
	case NGHTTP2_GOAWAY:
	case NGHTTP2_WINDOW_UPDATE:
		return true;
	case NGHTTP2_DATA:
		return frame->hd.length > 0 || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
	default:
		return false;
	}
}

static int on_frame(nghttp2_session *h2, const nghttp2_frame *frame, void *cookie)
{
	struct grpc_peer *p = cookie;
	struct grpc_call *c;

	if (!moves_something(frame) && ++p->idle_frames > IDLE_FRAMES_MAX) {
		grpc_peer_refuse(p, NGHTTP2_ENHANCE_YOUR_CALM);
		return 0;
	}
	if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
		return 0;
	c = nghttp2_session_get_stream_user_data(h2, frame->hd.stream_id);
	if (!c || c->answered)
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS && !c->get && (!c->post || !c->grpc_type)) {
		const nghttp2_nv refused[] = {field(":status", c->post ? "415" : "405")};

		submit(c, refused, ARRAY_COUNT(refused), false);
		return 0;
	}
	if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
		dispatch(c);
	return 0;
}

static int on_close(nghttp2_session *h2, int32_t stream, uint32_t error, void *cookie)
{
	struct grpc_call *c = nghttp2_session_get_stream_user_data(h2, stream);

	if (!c)
		return 0;
	c->peer->active_ms = clock_mono_ms();
	c->gone = true;
	grpc_call_release(c);
	return 0;
}

int grpc_callbacks_new(nghttp2_session_callbacks **ret)
{
	nghttp2_session_callbacks *cb = NULL;

	if (nghttp2_session_callbacks_new(&cb) != 0)
		return -ENOMEM;
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_sent);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
	*ret = cb;
	return 0;
}

void grpc_http1_request(struct grpc_peer *p, struct slice head)
{
	struct grpc_call *c = call_new(p, 0);
	const uint8_t *end = head.size > 4 ? memchr(head.data + 4, ' ', head.size - 4) : NULL;

	if (!c || !end || memcmp(head.data, "GET ", 4) != 0 ||
		str_copy_slice(c->path, sizeof(c->path),
			slice_of(head.data + 4, (size_t)(end - head.data) - 4)) < 0) {
		p->doomed = true;
		if (c) {
			c->gone = true;
			grpc_call_release(c);
		}
		return;
	}
	c->get = true;
	hand_over(c);
}

void grpc_call_check_age(struct grpc_call *c, uint64_t now)
{
	uint64_t limit = (uint64_t)c->peer->server->o.idle_s * 1000;

	if (c->gone || c->stream == 0 || now - c->since_ms < limit)
		return;
	if (c->answered)
		(void)!nghttp2_submit_rst_stream(
			c->peer->h2, NGHTTP2_FLAG_NONE, c->stream, NGHTTP2_CANCEL);
	else if (!c->complete)
		submit_error(c, GRPC_DEADLINE_EXCEEDED, "the request did not arrive in time");
}

const char *grpc_call_path(const struct grpc_call *c)
{
	return c->path;
}

bool grpc_call_is_get(const struct grpc_call *c)
{
	return c->get;
}

struct slice grpc_call_message(const struct grpc_call *c)
{
	return c->message;
}

const char *grpc_call_peer(const struct grpc_call *c)
{
	return c->peer->address;
}
