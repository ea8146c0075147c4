/* SPDX-License-Identifier: Apache-2.0 */
/* URLs, answer heads, and the client against a scripted peer and against our own server over TLS.
 */
#include <arpa/inet.h>
#include <event2/event.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "crypto/x509.h"
#include "net/http_answer.h"
#include "net/http_client.h"
#include "net/http_server.h"

static void test_url(void **state)
{
	struct url u, v;
	char text[URL_MAX];

	assert_int_equal(url_parse("https://Example.org/a/b?c=d#e", &u, NULL), 0);
	assert_true(u.tls && u.port == 443 && streq(u.host, "Example.org") &&
		    streq(u.target, "/a/b?c=d"));
	assert_int_equal(url_parse("http://[::1]:8080", &u, NULL), 0);
	assert_true(!u.tls && u.port == 8080 && u.host_is_ipv6 && streq(u.host, "::1") &&
		    streq(u.target, "/"));
	assert_int_equal(url_format(&u, text, sizeof(text)), 0);
	assert_string_equal(text, "http://[::1]:8080/");
	assert_int_equal(url_parse("http://h?x", &u, NULL), 0);
	assert_string_equal(u.target, "/?x");
	assert_int_equal(url_parse("https://h:444/x", &u, NULL), 0);
	assert_int_equal(url_resolve(&u, "/y?z", &v, NULL), 0);
	assert_true(v.port == 444 && streq(v.target, "/y?z"));
	assert_int_equal(url_resolve(&u, "//other/y", &v, NULL), 0);
	assert_true(v.port == 443 && streq(v.host, "other"));
	assert_int_equal(url_resolve(&u, "relative", &v, NULL), -EINVAL);
	static const char *const bad[] = {"", "ftp://x", "http://", "http:///x", "http://a b/",
		"http://a/\x01", "http://u@h/", "http://h:0/", "http://h:65536/", "http://h:/",
		"http://h:1a/", "http://[::1", "http://[::1]x/", "http://[zz]/",
		"http://h/\r\nX: y", "http://h\xC3\xA9/", "http://a_b,c/"};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		assert_int_equal(url_parse(bad[i], &u, NULL), -EINVAL);
}

static void test_head(void **state)
{
	struct http_head h;
	static const char good[] =
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Y:  a b \r\nConnection: close";
	cleanup_with(buf_done) struct buf f = buf_init(4096);
	assert_int_equal(http_head_parse(slice_str(good), &h, &f, NULL), 0);
	assert_true(h.status == 200 && h.has_length && h.length == 5 && !h.keep_alive);
	struct http_answer a = {.headers = f};
	assert_string_equal(http_answer_header(&a, "x-y"), "a b");
	assert_null(http_answer_header(&a, "absent"));
	static const char *const bad[] = {"", "HTTP/2 200", "HTTP/1.1 20", "HTTP/1.1 abc OK",
		"HTTP/1.1  200 OK", "HTTP/1.1 200 OK\r\nno colon", "HTTP/1.1 200 OK\r\n: empty",
		"HTTP/1.1 200 OK\r\nA b: c", "HTTP/1.1 200 OK\r\n folded: x",
		"HTTP/1.1 200 OK\r\nContent-Length: -1",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip", "HTTP/1.1 200 OK\r\nX: a\x01"};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		cleanup_with(buf_done) struct buf g = buf_init(4096);
		assert_int_equal(http_head_parse(slice_str(bad[i]), &h, &g, NULL), -EPROTO);
	}
}

/* A peer that answers each connection with the next script, then closes. */
static pid_t scripted(const char *const *scripts, uint16_t *ret_port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t size = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &size), 0);
	*ret_port = ntohs(addr.sin_port);
	pid_t pid = fork();
	if (pid == 0) {
		alarm(30);
		for (size_t i = 0; scripts[i]; i++) {
			char in[8192];
			int c = accept(fd, NULL, NULL);
			ssize_t n = recv(c, in, sizeof(in), 0);
			n = send(c, scripts[i], strlen(scripts[i]), MSG_NOSIGNAL);
			(void)n;
			if (str_ends(scripts[i], "HANG"))
				sleep(5);
			close(c);
		}
		_exit(0);
	}
	close(fd);
	return pid;
}

static int get(struct http_client *c, uint16_t port, const struct http_call *base,
	struct http_answer *a, struct err *e)
{
	char url[64];
	struct http_call call = *base;
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/x", port);
	call.method = "GET";
	call.url = url;
	*e = (struct err){0};
	return http_client_call(c, &call, a, e);
}

static int count_bytes(void *cookie, struct slice bytes)
{
	*(size_t *)cookie += bytes.size;
	return 0;
}

static int refuse_bytes(void *cookie, struct slice bytes)
{
	return -ECANCELED;
}

static void test_answers(void **state)
{
	static const char *const scripts[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		"3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: v\r\n\r\n",
		"HTTP/1.0 200 OK\r\n\r\nuntil the end",
		"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone",
		"HTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
		"HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\nx",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
		"SSH-2.0-x\r\n\r\n",
		"",
		"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody",
		"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody",
		"HTTP/1.1 302 Found\r\nLocation: ftp://x\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nHANG",
		NULL,
	};
	static const struct {
		int r, status;
		const char *body;
	} want[] = {{0, 200, "hello"}, {0, 200, "abcde"}, {0, 200, "until the end"},
		{0, 404, "gone"}, {0, 204, ""}, {-EPROTO, 0, 0}, {-E2BIG, 0, 0}, {-EPROTO, 0, 0},
		{-EPROTO, 0, 0}, {-EPROTO, 0, 0}, {-EHOSTUNREACH, 0, 0}};
	struct http_client_options o = {.total_timeout_ms = 1500};
	cleanup(http_client_free) struct http_client *c = NULL;
	struct http_call call = {0};
	struct http_answer a = {0};
	struct err e;
	uint16_t port;
	pid_t pid = scripted(scripts, &port);

	assert_int_equal(http_client_new(&o, &c, NULL), 0);
	for (size_t i = 0; i < ARRAY_COUNT(want); i++) {
		int r = get(c, port, &call, &a, &e);
		if (r != want[i].r)
			fail_msg("answer %zu: %d %s", i, r, e.text);
		if (r < 0) {
			assert_true(e.text[0] != 0);
			continue;
		}
		assert_int_equal(a.status, want[i].status);
		assert_string_equal(buf_str(&a.body), want[i].body);
		http_answer_done(&a);
	}
	size_t count = 0;
	call.on_body = count_bytes;
	call.cookie = &count;
	assert_int_equal(get(c, port, &call, &a, &e), 0);
	assert_int_equal(count, 4);
	assert_int_equal(a.body.size, 0);
	http_answer_done(&a);
	call.on_body = refuse_bytes;
	assert_int_equal(get(c, port, &call, &a, &e), -ECANCELED);
	call.on_body = NULL;
	assert_int_equal(get(c, port, &call, &a, &e), -EINVAL);
	assert_int_equal(get(c, port, &call, &a, &e), -ETIMEDOUT);
	assert_non_null(strstr(e.text, "127.0.0.1"));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(get(c, port, &call, &a, &e), -EHOSTUNREACH);
	struct http_field smuggle = {"X", "a\r\nY: b"};
	call.fields = &smuggle;
	call.field_count = 1;
	assert_true(get(c, port, &call, &a, &e) < 0);
}

struct tls_files {
	char dir[32], cert[64], key[64];
	struct buf pem;
};

static void make_files(struct tls_files *f, const char *const *names, size_t count)
{
	cleanup(pkey_free) struct pkey *k = NULL;
	cleanup_with(buf_done) struct buf key = buf_init_secret(0);
	snprintf(f->dir, sizeof(f->dir), "/tmp/husk-tls-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->cert, sizeof(f->cert), "%s/cert", f->dir);
	snprintf(f->key, sizeof(f->key), "%s/key", f->dir);
	assert_int_equal(pkey_generate(KEY_P256, 0, &k), 0);
	assert_int_equal(cert_make_self_signed(k, "test", names, count, 2, &f->pem, NULL), 0);
	assert_int_equal(pkey_to_pem_private(k, &key), 0);
	assert_int_equal(file_write_atomic(f->cert, buf_slice(&f->pem), 0600, NULL), 0);
	assert_int_equal(file_write_atomic(f->key, buf_slice(&key), 0600, NULL), 0);
}

static void drop_files(struct tls_files *f)
{
	unlink(f->cert);
	unlink(f->key);
	rmdir(f->dir);
	buf_done(&f->pem);
}

static void echo(void *cookie, struct http_request *q)
{
	static int served;
	char count[16];
	snprintf(count, sizeof(count), "%d", ++served);
	const char *sent = http_request_header(q, "Cookie");
	struct http_header headers[] = {{"X-Count", count}, {"X-Cookie", sent},
		{"Set-Cookie", "session=abc; HttpOnly"}, {"X-Method", http_request_method(q)}};
	http_request_reply(q, 200, headers, ARRAY_COUNT(headers), http_request_body(q));
}

static pid_t serve_tls(const struct tls_files *f, uint16_t *ret_port)
{
	int ready[2];
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct event_base *base = event_base_new();
		struct http_server_options o = {.certificate = f->cert,
			.private_key = f->key,
			.header_max = 16384,
			.body_max = 4 << 20,
			.idle_s = 10};
		struct http_server *s = NULL;
		struct err e = {0};
		uint16_t port = 0;
		alarm(30);
		if (http_server_new(base, &o, echo, NULL, &s, &e) < 0 ||
			http_server_listen(s, "127.0.0.1:0", &port, &e) < 0)
			_exit(1);
		if (write(ready[1], &port, sizeof(port)) != sizeof(port))
			_exit(1);
		event_base_dispatch(base);
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(fd_read_full(ready[0], ret_port, sizeof(*ret_port)), 0);
	close(ready[0]);
	return pid;
}

static void test_tls(void **state)
{
	static const char *const names[] = {"127.0.0.1"}, *const others[] = {"127.0.0.2"};
	struct tls_files f = {0}, wrong = {0}, stranger = {0};
	uint16_t port, wrong_port;
	make_files(&f, names, 1);
	make_files(&wrong, others, 1);
	make_files(&stranger, names, 1);
	pid_t pid = serve_tls(&f, &port), wrong_pid = serve_tls(&wrong, &wrong_port);

	cleanup(http_client_free) struct http_client *c = NULL, *c2 = NULL, *c3 = NULL;
	struct http_client_options o = {.roots_pem = buf_slice(&f.pem), .total_timeout_ms = 5000};
	struct http_answer a = {0};
	struct err e = {0};
	char url[64];
	assert_int_equal(http_client_new(&o, &c, &e), 0);
	snprintf(url, sizeof(url), "https://127.0.0.1:%u/echo", port);
	cleanup_with(buf_done) struct buf big = buf_init(0);
	for (int i = 0; i < 300000; i++)
		buf_put_u8(&big, (uint8_t)i);
	for (int i = 0; i < 3; i++) {
		struct http_call call = {.method = "POST",
			.url = url,
			.keep_cookies = true,
			.body = i == 2 ? buf_slice(&big) : SLICE_LIT("hello")};
		if (http_client_call(c, &call, &a, &e) < 0)
			fail_msg("%s", e.text);
		assert_int_equal(a.status, 200);
		assert_true(slice_eq(buf_slice(&a.body), call.body));
		if (i > 0)
			assert_string_equal(http_answer_header(&a, "x-cookie"), "session=abc");
		http_answer_done(&a);
	}
	struct http_call call = {.method = "GET", .url = url};
	o.roots_pem = buf_slice(&stranger.pem);
	assert_int_equal(http_client_new(&o, &c2, &e), 0);
	assert_int_equal(http_client_call(c2, &call, &a, &e), -EKEYREJECTED);
	o.roots_pem = buf_slice(&wrong.pem);
	assert_int_equal(http_client_new(&o, &c3, &e), 0);
	snprintf(url, sizeof(url), "https://127.0.0.1:%u/echo", wrong_port);
	e = (struct err){0};
	assert_int_equal(http_client_call(c3, &call, &a, &e), -EKEYREJECTED);
	assert_non_null(strstr(e.text, "mismatch"));
	o.roots_pem = SLICE_LIT("no certificate");
	struct http_client *none = NULL;
	assert_int_equal(http_client_new(&o, &none, &e), -EBADMSG);
	kill(pid, SIGKILL);
	kill(wrong_pid, SIGKILL);
	waitpid(pid, NULL, 0);
	waitpid(wrong_pid, NULL, 0);
	drop_files(&f);
	drop_files(&wrong);
	drop_files(&stranger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_url),
		cmocka_unit_test(test_head),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_tls),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
