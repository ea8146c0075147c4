/* SPDX-License-Identifier: Apache-2.0 */
/* A gRPC server and peers that mean harm: frames made by hand, requests that are none, slow readers. */
#include <fcntl.h>
#include <nghttp2/nghttp2.h>
#include <sys/socket.h>

#include "grpc-world.h"

static void put_frame(
	struct buf *out, uint8_t type, uint8_t flags, uint32_t stream, struct slice payload)
{
	buf_put_u8(out, (uint8_t)(payload.size >> 16));
	buf_put_u16be(out, (uint16_t)payload.size);
	buf_put_u8(out, type);
	buf_put_u8(out, flags);
	buf_put_u32be(out, stream);
	buf_put_slice(out, payload);
}

/* HPACK: literal without indexing, new name, no Huffman. */
static void put_field(struct buf *out, const char *name, const char *value)
{
	buf_put_u8(out, 0);
	buf_put_u8(out, (uint8_t)strlen(name));
	buf_put_str(out, name);
	buf_put_u8(out, (uint8_t)strlen(value));
	buf_put_str(out, value);
}

static void put_preface(struct buf *out)
{
	buf_put_str(out, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	put_frame(out, 4, 0, 0, SLICE_EMPTY);
}

static void put_request(
	struct buf *out, const char *path, const char *type, uint8_t flags, uint32_t stream)
{
	cleanup_with(buf_done) struct buf fields = buf_init(0);

	put_field(&fields, ":method", "POST");
	put_field(&fields, ":scheme", "http");
	put_field(&fields, ":path", path);
	put_field(&fields, ":authority", "x");
	put_field(&fields, "content-type", type);
	put_frame(out, 1, flags, stream, buf_slice(&fields));
}

static int dial(struct world *w)
{
	int pair[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(grpc_server_adopt(w->server, pair[0], "hostile"), 0);
	return pair[1];
}

/* Sends, runs the server, and collects what it says. Return: whether it hung up. */
static bool talk(struct world *w, int fd, struct slice bytes, unsigned ms, struct buf *heard)
{
	uint64_t until = clock_mono_ms() + ms;
	bool closed = false;

	while (clock_mono_ms() < until && !closed) {
		uint8_t block[4096];
		ssize_t n = bytes.size ? send(fd, bytes.data, bytes.size, MSG_NOSIGNAL) : 0;

		if (n > 0)
			bytes = slice_cut(bytes, (size_t)n, bytes.size);
		event_base_loop(w->base, EVLOOP_NONBLOCK);
		while ((n = recv(fd, block, sizeof(block), 0)) > 0)
			if (heard)
				buf_put(heard, block, (size_t)n);
		closed = n == 0 || (n < 0 && errno != EAGAIN);
		usleep(200);
	}
	return closed;
}

/* The error code of the first GOAWAY in what the server said; -1 without one. */
static int goaway_code(struct slice said)
{
	while (said.size >= 9) {
		size_t size = (size_t)said.data[0] << 16 | said.data[1] << 8 | said.data[2];

		if (size > said.size - 9)
			return -1;
		if (said.data[3] == 7 && size >= 8)
			return said.data[9 + 7];
		said = slice_cut(said, 9 + size, said.size);
	}
	return -1;
}

/* The header fields in what the server said, as text; they come Huffman-coded. */
static bool said(const struct buf *heard, const char *text)
{
	cleanup_with(buf_done) struct buf fields = buf_init(0);
	struct slice in = buf_slice(heard);
	nghttp2_hd_inflater *inflater = NULL;

	assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
	while (in.size >= 9) {
		size_t size = (size_t)in.data[0] << 16 | in.data[1] << 8 | in.data[2];
		struct slice block = slice_cut(in, 9, size);
		int flags = 0;

		while (in.data[3] == 1 && !(flags & NGHTTP2_HD_INFLATE_FINAL)) {
			nghttp2_nv nv;
			ssize_t n = nghttp2_hd_inflate_hd2(
				inflater, &nv, &flags, block.data, block.size, 1);

			assert_true(n >= 0);
			block = slice_cut(block, (size_t)n, block.size);
			if (flags & NGHTTP2_HD_INFLATE_EMIT)
				buf_printf(&fields, "%.*s: %.*s\n", (int)nv.namelen, nv.name,
					(int)nv.valuelen, nv.value);
		}
		if (in.data[3] == 1)
			nghttp2_hd_inflate_end_headers(inflater);
		in = slice_cut(in, 9 + size, in.size);
	}
	nghttp2_hd_inflate_del(inflater);
	return strstr(buf_str(&fields), text) != NULL;
}

struct attack {
	const char *name;
	void (*make)(struct buf *out);
	int goaway; /* -1: none needed, but the connection must be closed */
};

static void make_garbage(struct buf *out)
{
	buf_put_str(out, "\x16\x03\x01 no preface at all");
}
static void make_half_preface(struct buf *out)
{
	buf_put_str(out, "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n");
	put_frame(out, 4, 0, 0, SLICE_EMPTY);
}
static void make_oversized(struct buf *out)
{
	put_preface(out);
	buf_put(out, "\x10\x00\x00\x00\x00\x00\x00\x00\x01", 9); /* DATA of 1 MiB */
}
static void make_data_on_zero(struct buf *out)
{
	put_preface(out);
	put_frame(out, 0, 0, 0, SLICE_LIT("x"));
}
static void make_resets(struct buf *out)
{
	put_preface(out);
	for (uint32_t i = 0; i < 2000; i++) {
		put_request(out, SERVICE "Hold", "application/grpc", 4, 2 * i + 1);
		put_frame(out, 0, 1, 2 * i + 1, SLICE_LIT("\0\0\0\0\0"));
		put_frame(out, 3, 0, 2 * i + 1, SLICE_LIT("\0\0\0\10"));
	}
}
static void make_pings(struct buf *out)
{
	put_preface(out);
	for (int i = 0; i < 20000; i++)
		put_frame(out, 6, 0, 0, SLICE_LIT("12345678"));
}
static void make_settings(struct buf *out)
{
	put_preface(out);
	for (int i = 0; i < 20000; i++)
		put_frame(out, 4, 0, 0, SLICE_EMPTY);
}
static void make_empty_data(struct buf *out)
{
	put_preface(out);
	put_request(out, SERVICE "Echo", "application/grpc", 4, 1);
	for (int i = 0; i < 20000; i++)
		put_frame(out, 0, 0, 1, SLICE_EMPTY);
}
static void make_continuations(struct buf *out)
{
	put_preface(out);
	put_request(out, SERVICE "Echo", "application/grpc", 0, 1);
	for (int i = 0; i < 1000; i++)
		put_frame(out, 9, 0, 1, SLICE_LIT("\0\1a\1b"));
}
static void make_bad_hpack(struct buf *out)
{
	put_preface(out);
	put_frame(out, 1, 5, 1, SLICE_LIT("\xff\xff\xff\xff\xff\xff"));
}
static void make_even_stream(struct buf *out)
{
	put_preface(out);
	put_request(out, SERVICE "Echo", "application/grpc", 5, 2);
}
static void make_window_overflow(struct buf *out)
{
	put_preface(out);
	put_frame(out, 8, 0, 0, SLICE_LIT("\x7f\xff\xff\xff"));
	put_frame(out, 8, 0, 0, SLICE_LIT("\x7f\xff\xff\xff"));
}
static void make_long_http1(struct buf *out)
{
	buf_put_str(out, "GET /keys HTTP/1.1\r\nX: ");
	for (int i = 0; i < 10000; i++)
		buf_put_u8(out, 'a');
}

static void test_attacks(void **state)
{
	static const struct attack attacks[] = {
		{"garbage", make_garbage, -1},
		{"half a preface", make_half_preface, -1},
		{"oversized frame", make_oversized, 6},
		{"data on stream 0", make_data_on_zero, 1},
		{"rapid reset", make_resets, -1},
		{"ping flood", make_pings, 11},
		{"settings flood", make_settings, -1},
		{"empty data flood", make_empty_data, 11},
		{"continuation flood", make_continuations, -1},
		{"malformed hpack", make_bad_hpack, 9},
		{"stream of the server", make_even_stream, 1},
		{"window overflow", make_window_overflow, 3},
		{"endless HTTP/1.1 head", make_long_http1, -1},
	};
	const struct grpc_server_options o = {.idle_s = 30};
	struct world w;

	start(&w, &o);
	for (size_t i = 0; i < ARRAY_COUNT(attacks); i++) {
		cleanup_with(buf_done) struct buf bytes = buf_init(0), heard = buf_init(0);
		int fd = dial(&w);

		attacks[i].make(&bytes);
		if (!talk(&w, fd, buf_slice(&bytes), 10000, &heard))
			fail_msg("%s: the connection lives on", attacks[i].name);
		if (attacks[i].goaway >= 0 && goaway_code(buf_slice(&heard)) != attacks[i].goaway)
			fail_msg("%s: goaway %d", attacks[i].name, goaway_code(buf_slice(&heard)));
		close(fd);
		run_ms(&w, 2);
	}
	/* Each reset call still costs its handler: no more than one connection's share. */
	assert_in_range(w.held_count, 1, 64);
	for (size_t i = 0; i < w.held_count; i++)
		grpc_call_reply(w.held[i], SLICE_EMPTY);
	run_ms(&w, 5);
	assert_int_equal(grpc_server_connections(w.server), 0);
	/* And an honest client is served as before. */
	struct grpc_client *c = connect_to(&w, "http", SLICE_EMPTY);
	cleanup_with(buf_done) struct buf reply = buf_init(0);
	assert_int_equal(
		grpc_client_wait(c, SERVICE "Echo", SLICE_LIT("x"), 5000, &reply, NULL), 0);
	grpc_client_free(c);
	stop(&w);
}

/* Header list over its limit: the stream goes, the connection stays. */
static void test_header_list(void **state)
{
	const struct grpc_server_options o = {0};
	cleanup_with(buf_done) struct buf bytes = buf_init(0), fields = buf_init(0);
	cleanup_with(buf_done) struct buf heard = buf_init(0);
	struct world w;

	start(&w, &o);
	int fd = dial(&w);
	put_preface(&bytes);
	for (int i = 0; i < 700; i++)
		put_field(&fields, "a", "b");
	put_frame(&bytes, 1, 5, 1, buf_slice(&fields));
	put_request(&bytes, SERVICE "Echo", "application/grpc", 4, 3);
	put_frame(&bytes, 0, 1, 3, SLICE_LIT("\0\0\0\0\0"));
	assert_false(talk(&w, fd, buf_slice(&bytes), 100, &heard));
	assert_int_equal(w.handled, 1);
	close(fd);
	stop(&w);
}

/* A wrong type, a wrong method, a message in pieces, and every cut of a request. */
static void test_requests(void **state)
{
	const struct grpc_server_options o = {.idle_s = 30};
	cleanup_with(buf_done) struct buf good = buf_init(0);
	struct world w;

	start(&w, &o);
	put_preface(&good);
	put_request(&good, SERVICE "Echo", "application/grpc", 4, 1);
	put_frame(&good, 0, 0, 1, SLICE_LIT("\0\0\0"));
	put_frame(&good, 0, 1, 1, SLICE_LIT("\0\3abc"));
	for (size_t n = 0; n < good.size; n++) {
		int fd = dial(&w);

		(void)!talk(&w, fd, slice_of(good.data, n), 1, NULL);
		close(fd);
		run_ms(&w, 1);
		assert_int_equal(w.handled, 0);
	}
	cleanup_with(buf_done) struct buf heard = buf_init(0);
	int fd = dial(&w);
	assert_false(talk(&w, fd, buf_slice(&good), 50, &heard));
	assert_int_equal(w.handled, 1);
	assert_non_null(memmem(heard.data, heard.size, "\0\0\0\0\3abc", 8));
	close(fd);
	/* A handler is not bothered with what is no gRPC. */
	cleanup_with(buf_done) struct buf odd = buf_init(0);
	put_preface(&odd);
	put_request(&odd, SERVICE "Echo", "text/html", 5, 1);
	put_request(&odd, SERVICE "Echo", "application/grpcx", 5, 3);
	put_request(&odd, SERVICE "Echo", "application/grpc", 5, 5); /* no message */
	fd = dial(&w);
	assert_false(talk(&w, fd, buf_slice(&odd), 50, NULL));
	assert_int_equal(w.handled, 1);
	close(fd);
	stop(&w);
}

static void test_client_leaves(void **state)
{
	const struct grpc_server_options o = {.idle_s = 30};
	cleanup_with(buf_done) struct buf bytes = buf_init(0);
	struct world w;

	start(&w, &o);
	int fd = dial(&w);
	put_preface(&bytes);
	put_request(&bytes, SERVICE "Hold", "application/grpc", 4, 1);
	put_frame(&bytes, 0, 1, 1, SLICE_LIT("\0\0\0\0\1x"));
	(void)!talk(&w, fd, buf_slice(&bytes), 30, NULL);
	assert_int_equal(w.held_count, 1);
	close(fd);
	run_ms(&w, 20);
	/* The message is valid until the answer. */
	assert_true(slice_eq(grpc_call_message(w.held[0]), SLICE_LIT("x")));
	assert_string_equal(grpc_call_peer(w.held[0]), "hostile");
	grpc_call_reply(w.held[0], SLICE_LIT("nobody hears"));
	assert_int_equal(grpc_server_connections(w.server), 0);
	/* The server goes while calls are held. */
	fd = dial(&w);
	(void)!talk(&w, fd, buf_slice(&bytes), 30, NULL);
	assert_int_equal(w.held_count, 2);
	close(fd);
	run_ms(&w, 20);
	stop(&w);
}

/* Requests that never end, answers that nobody takes, connections that say nothing. */
static void test_slow(void **state)
{
	const struct grpc_server_options o = {.idle_s = 1};
	cleanup_with(buf_done) struct buf half = buf_init(0), heard = buf_init(0);
	struct world w;

	start(&w, &o);
	put_preface(&half);
	put_request(&half, SERVICE "Echo", "application/grpc", 4, 1);
	int silent = dial(&w), slow = dial(&w);
	assert_false(talk(&w, slow, buf_slice(&half), 50, NULL));
	(void)!talk(&w, slow, SLICE_EMPTY, 3500, &heard);
	assert_true(said(&heard, "did not arrive in time"));
	assert_true(talk(&w, silent, SLICE_EMPTY, 4000, NULL));
	assert_true(talk(&w, slow, SLICE_EMPTY, 4000, NULL));
	assert_int_equal(grpc_server_connections(w.server), 0);
	close(silent);
	close(slow);
	stop(&w);
}

static void test_http1(void **state)
{
	static const struct {
		const char *request, *answer;
	} cases[] = {
		{"GET /keys HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\n"},
		{"GET /other HTTP/1.1\r\n\r\n", "HTTP/1.1 404 Refused\r\n"},
		{"GET /a HTTP/1.1\r\n\r\nGET /keys HTTP/1.1\r\n\r\n", "HTTP/1.1 404 Refused\r\n"},
		{"POST /keys HTTP/1.1\r\n\r\n", ""},
		{"GET \r\n\r\n", ""},
	};
	const struct grpc_server_options o = {.idle_s = 30};
	struct world w;

	start(&w, &o);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		cleanup_with(buf_done) struct buf heard = buf_init(0);
		int fd = dial(&w);

		assert_true(talk(&w, fd, slice_str(cases[i].request), 2000, &heard));
		assert_true(str_starts(buf_str(&heard), cases[i].answer));
		assert_int_equal(heard.size > 0, cases[i].answer[0] != '\0');
		close(fd);
	}
	stop(&w);
}

/* Bytes of unfinished requests are bounded over all connections. */
static void test_memory(void **state)
{
	const struct grpc_server_options o = {
		.idle_s = 30, .buffered_max = 20000, .message_max = 15000};
	cleanup_with(buf_done) struct buf bytes = buf_init(0), data = buf_init(0);
	cleanup_with(buf_done) struct buf heard = buf_init(0);
	struct world w;

	start(&w, &o);
	put_preface(&bytes);
	put_request(&bytes, SERVICE "Echo", "application/grpc", 4, 1);
	buf_put(&data, "\0\0\0\x30\0", 5);
	buf_put_zero(&data, 12000);
	put_frame(&bytes, 0, 0, 1, buf_slice(&data));
	int first = dial(&w), second = dial(&w);
	assert_false(talk(&w, first, buf_slice(&bytes), 50, &heard));
	assert_false(said(&heard, "too many requests"));
	assert_false(talk(&w, second, buf_slice(&bytes), 50, &heard));
	assert_true(said(&heard, "too many requests"));
	/* The first one goes; its bytes are free again. */
	close(first);
	run_ms(&w, 10);
	buf_clear(&heard);
	int third = dial(&w);
	assert_false(talk(&w, third, buf_slice(&bytes), 50, &heard));
	assert_false(said(&heard, "too many requests"));
	close(second);
	close(third);
	stop(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attacks),
		cmocka_unit_test(test_header_list),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_client_leaves),
		cmocka_unit_test(test_slow),
		cmocka_unit_test(test_http1),
		cmocka_unit_test(test_memory),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
