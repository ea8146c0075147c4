/* SPDX-License-Identifier: Apache-2.0 */
/* gRPC: the pure functions, server and client together, TLS. Peers that mean harm: test-grpc-hostile.c. */
#include "base/enc.h"
#include "base/fd.h"
#include "crypto/x509.h"
#include "grpc-world.h"

/* --- pure functions --- */

static void test_frame(void **state)
{
	static const struct {
		struct slice body;
		int code;
	} bad[] = {
		{SLICE_LIT(""), -ENODATA},
		{SLICE_LIT("\0\0\0\0"), -ENODATA},
		{SLICE_LIT("\0\0\0\0\2x"), -ENODATA},
		{SLICE_LIT("\2\0\0\0\0"), -EBADMSG},		 /* reserved flag */
		{SLICE_LIT("\1\0\0\0\1x"), -EOPNOTSUPP},	 /* compressed */
		{SLICE_LIT("\0\0\0\0\1xy"), -EBADMSG},		 /* bytes behind it */
		{SLICE_LIT("\0\0\0\0\1x\0\0\0\0\1y"), -EBADMSG}, /* a second message */
		{SLICE_LIT("\0\0\0\0\11123456789"), -E2BIG},	 /* over the limit of 8 */
		{SLICE_LIT("\0\377\377\377\377"), -E2BIG},	 /* a length that would wrap */
		{SLICE_LIT("\0\x80\0\0\0"), -E2BIG},
	};
	cleanup_with(buf_done) struct buf out = buf_init(64);
	struct slice got;

	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		struct err e = {0};

		assert_int_equal(grpc_frame_get(bad[i].body, 8, &got, &e), bad[i].code);
		assert_int_equal(e.code, bad[i].code);
	}
	grpc_frame_put(&out, SLICE_LIT("hello"));
	assert_memory_equal(out.data, "\0\0\0\0\5hello", 10);
	assert_int_equal(grpc_frame_get(buf_slice(&out), 5, &got, NULL), 0);
	assert_true(slice_eq(got, SLICE_LIT("hello")));
	for (size_t n = 0; n < out.size; n++)
		assert_int_equal(grpc_frame_get(slice_of(out.data, n), 5, &got, NULL), -ENODATA);
	assert_int_equal(grpc_frame_get(SLICE_LIT("\0\0\0\0\0"), 5, &got, NULL), 0);
	assert_int_equal(got.size, 0);
}

static void test_text(void **state)
{
	static const struct {
		const char *plain, *wire;
	} pairs[] = {
		{"", ""},
		{"plain text, 7/8!", "plain text, 7/8!"},
		{"100%", "100%25"},
		{"a\nb\x7f", "a%0Ab%7F"},
		{"\xc3\xa4", "%C3%A4"},
	};
	char text[64];

	for (size_t i = 0; i < ARRAY_COUNT(pairs); i++) {
		cleanup_with(buf_done) struct buf out = buf_init(256);

		grpc_text_encode(&out, pairs[i].plain);
		assert_string_equal(buf_str(&out), pairs[i].wire);
		grpc_text_decode(slice_str(pairs[i].wire), text, sizeof(text));
		assert_string_equal(text, pairs[i].plain);
	}
	grpc_text_decode(SLICE_LIT("50% off %4 %zz %00 %41"), text, sizeof(text));
	assert_string_equal(text, "50% off %4 %zz   A");
	grpc_text_decode(SLICE_LIT("123456789"), text, 5);
	assert_string_equal(text, "1234");
}

static void test_timeout(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms; /* 0: refused */
	} cases[] = {{"1S", 1000}, {"99999999H", 359999996400000}, {"2M", 120000}, {"250m", 250},
		{"1500u", 2}, {"1n", 1}, {"0S", 1}, {"", 0}, {"S", 0}, {"1", 0}, {"1s", 0},
		{"-1S", 0}, {" 1S", 0}, {"123456789S", 0}, {"1.5S", 0}, {"1SS", 0}};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		uint64_t ms = 0;

		assert_int_equal(grpc_timeout_parse(slice_str(cases[i].text), &ms),
			cases[i].ms ? 0 : -EBADMSG);
		assert_int_equal(ms, cases[i].ms);
	}
}

/* --- server and client --- */

static void test_calls(void **state)
{
	const struct grpc_server_options o = {.message_max = 1 << 20};
	struct world w;
	struct err e = {0};

	start(&w, &o);
	struct grpc_client *c = connect_to(&w, "http", SLICE_EMPTY);
	cleanup_with(buf_done) struct buf big = buf_init(0), reply = buf_init(0);

	assert_int_equal(grpc_client_wait(c, SERVICE "Echo", SLICE_LIT("hi"), 5000, &reply, &e), 0);
	assert_true(slice_eq(buf_slice(&reply), SLICE_LIT("hi")));
	buf_clear(&reply);
	assert_int_equal(grpc_client_wait(c, SERVICE "Echo", SLICE_EMPTY, 5000, &reply, &e), 0);
	assert_int_equal(reply.size, 0);
	/* Larger than every window and frame. */
	for (unsigned i = 0; i < (1 << 20) / 4; i++)
		buf_put_u32be(&big, i);
	buf_clear(&reply);
	assert_int_equal(
		grpc_client_wait(c, SERVICE "Echo", buf_slice(&big), 20000, &reply, &e), 0);
	assert_true(slice_eq(buf_slice(&reply), buf_slice(&big)));
	/* One byte too many. */
	buf_put_u8(&big, 0);
	buf_clear(&reply);
	assert_int_equal(
		grpc_client_wait(c, SERVICE "Echo", buf_slice(&big), 20000, &reply, &e), -E2BIG);
	assert_non_null(strstr(e.text, "RESOURCE_EXHAUSTED"));
	/* Errors keep their text. */
	assert_int_equal(
		grpc_client_wait(c, SERVICE "Fail", SLICE_EMPTY, 5000, &reply, &e), -ECONNABORTED);
	assert_string_equal(e.text, "ABORTED: 100 % \xc3\xa4rger\nsecond line");
	assert_int_equal(
		grpc_client_wait(c, SERVICE "None", SLICE_EMPTY, 5000, &reply, &e), -EOPNOTSUPP);
	/* Nobody answers: both sides know the deadline. */
	assert_int_equal(
		grpc_client_wait(c, SERVICE "Hold", SLICE_EMPTY, 50, &reply, &e), -ETIMEDOUT);
	run_ms(&w, 20);
	assert_int_equal(w.held_count, 1);
	assert_int_equal(grpc_server_open_calls(w.server), 1);
	grpc_call_reply(w.held[0], SLICE_LIT("late"));
	assert_int_equal(grpc_server_open_calls(w.server), 0);
	buf_clear(&reply);
	assert_int_equal(
		grpc_client_wait(c, SERVICE "Echo", SLICE_LIT("still"), 5000, &reply, &e), 0);
	assert_int_equal(grpc_server_connections(w.server), 1);
	grpc_client_free(c);
	stop(&w);
}

static size_t g_done, g_good;

static void on_done(void *cookie, enum grpc_status status, const char *text, struct slice reply)
{
	g_done++;
	g_good += status == GRPC_OK && slice_eq(reply, SLICE_LIT("x"));
}

static void test_many_at_once(void **state)
{
	const struct grpc_server_options o = {0};
	struct world w;

	start(&w, &o);
	struct grpc_client *c = connect_to(&w, "http", SLICE_EMPTY);
	g_done = g_good = 0;
	/* More than the server takes at a time: the rest waits its turn. */
	for (int i = 0; i < 500; i++)
		assert_int_equal(
			grpc_client_call(c, SERVICE "Echo", SLICE_LIT("x"), 20000, on_done, NULL),
			0);
	while (g_done < 500)
		event_base_loop(w.base, EVLOOP_ONCE);
	assert_int_equal(g_good, 500);
	grpc_client_free(c);
	stop(&w);
}

static void test_server_gone(void **state)
{
	const struct grpc_server_options o = {0};
	struct world w;
	struct err e = {0};

	start(&w, &o);
	struct grpc_client *c = connect_to(&w, "http", SLICE_EMPTY);
	cleanup_with(buf_done) struct buf reply = buf_init(0);

	assert_int_equal(grpc_client_wait(c, SERVICE "Echo", SLICE_LIT("x"), 5000, &reply, &e), 0);
	/* It says goodbye; the next call needs a new connection, which nobody accepts. */
	grpc_server_free(w.server);
	assert_int_equal(grpc_client_wait(c, SERVICE "Echo", SLICE_LIT("x"), 5000, &reply, &e),
		-EHOSTUNREACH);
	/* Back again on the same port: the client recovers. */
	char address[32];
	snprintf(address, sizeof(address), "127.0.0.1:%u", w.port);
	assert_int_equal(grpc_server_new(w.base, &o, handle, &w, &w.server, NULL), 0);
	assert_int_equal(grpc_server_listen(w.server, address, NULL, NULL), 0);
	assert_int_equal(grpc_client_wait(c, SERVICE "Echo", SLICE_LIT("x"), 5000, &reply, &e), 0);
	grpc_client_free(c);
	stop(&w);
}

/* --- TLS --- */

static void write_file(const char *dir, const char *name, struct slice content)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(file_write_atomic(path, content, 0600, NULL), 0);
}

static void make_identity(const char *name, struct buf *cert, struct buf *key)
{
	static const char *const names[] = {"127.0.0.1"};
	cleanup(pkey_free) struct pkey *k = NULL;

	assert_int_equal(pkey_generate(KEY_P256, 0, &k), 0);
	assert_int_equal(cert_make_self_signed(k, name, names, 1, 2, cert, NULL), 0);
	assert_int_equal(pkey_to_pem_private(k, key), 0);
}

/* husk makes server certificates only. */
static void make_client(const char *dir, struct buf *cert, struct buf *key)
{
	char command[512], path[64];

	snprintf(command, sizeof(command),
		"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
		" -subj /CN=client -addext extendedKeyUsage=clientAuth -keyout %s/ckey"
		" -out %s/ca 2>%s/log",
		dir, dir, dir);
	assert_int_equal(system(command), 0);
	snprintf(path, sizeof(path), "%s/ca", dir);
	assert_int_equal(file_read(path, 65536, cert, NULL), 0);
	snprintf(path, sizeof(path), "%s/ckey", dir);
	assert_int_equal(file_read(path, 65536, key, NULL), 0);
}

static void test_tls(void **state)
{
	cleanup_with(buf_done) struct buf cert = buf_init(0), key = buf_init(0);
	cleanup_with(buf_done) struct buf ccert = buf_init(0), ckey = buf_init(0);
	cleanup_with(buf_done) struct buf reply = buf_init(0);
	char dir[] = "/tmp/husk-grpc-XXXXXX", a[64], b[64], ca[64], command[64];
	struct grpc_client *c;
	struct err e = {0};
	struct world w;

	assert_non_null(mkdtemp(dir));
	make_identity("server", &cert, &key);
	make_client(dir, &ccert, &ckey);
	write_file(dir, "crt", buf_slice(&cert));
	write_file(dir, "key", buf_slice(&key));
	snprintf(a, sizeof(a), "%s/crt", dir);
	snprintf(b, sizeof(b), "%s/key", dir);
	snprintf(ca, sizeof(ca), "%s/ca", dir);
	const struct grpc_server_options plain = {.certificate = a, .private_key = b};
	start(&w, &plain);
	c = connect_to(&w, "https", buf_slice(&cert));
	if (grpc_client_wait(c, SERVICE "Echo", SLICE_LIT("x"), 5000, &reply, &e) < 0)
		fail_msg("%s", e.text);
	grpc_client_free(c);
	/* A server that is not trusted. */
	c = connect_to(&w, "https", buf_slice(&ccert));
	assert_int_equal(grpc_client_wait(c, SERVICE "Echo", SLICE_LIT("x"), 5000, &reply, &e),
		-EHOSTUNREACH);
	assert_non_null(strstr(e.text, "self-signed"));
	grpc_client_free(c);
	/* Plaintext to a TLS port. */
	c = connect_to(&w, "http", SLICE_EMPTY);
	assert_int_equal(grpc_client_wait(c, SERVICE "Echo", SLICE_LIT("x"), 5000, &reply, &e),
		-EHOSTUNREACH);
	grpc_client_free(c);
	stop(&w);
	/* Clients must show who they are. */
	const struct grpc_server_options mutual = {
		.certificate = a, .private_key = b, .client_ca = ca};
	start(&w, &mutual);
	c = connect_to(&w, "https", buf_slice(&cert));
	assert_int_equal(grpc_client_wait(c, SERVICE "Echo", SLICE_LIT("x"), 5000, &reply, &e),
		-EHOSTUNREACH);
	assert_int_equal(w.handled, 0);
	grpc_client_free(c);
	char url[64];
	snprintf(url, sizeof(url), "https://127.0.0.1:%u", w.port);
	const struct grpc_client_options with = {.url = url,
		.roots_pem = buf_slice(&cert),
		.certificate_pem = buf_slice(&ccert),
		.key_pem = buf_slice(&ckey)};
	assert_int_equal(grpc_client_new(w.base, &with, &c, NULL), 0);
	assert_int_equal(grpc_client_wait(c, SERVICE "Echo", SLICE_LIT("x"), 5000, &reply, &e), 0);
	grpc_client_free(c);
	const struct grpc_client_options wrong = {.url = url,
		.roots_pem = buf_slice(&cert),
		.certificate_pem = buf_slice(&ccert),
		.key_pem = buf_slice(&key)};
	assert_int_equal(grpc_client_new(w.base, &wrong, &c, &e), -EBADMSG);
	stop(&w);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frame),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_many_at_once),
		cmocka_unit_test(test_server_gone),
		cmocka_unit_test(test_tls),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
