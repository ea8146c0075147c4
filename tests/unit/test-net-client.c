/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP client against our server and against scripted ones, each in a child process. */
#include <arpa/inet.h>
#include <event2/event.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "crypto/x509.h"
#include "net/http_client.h"
#include "net/http_server.h"

#define BIG_SIZE ((size_t)3 << 20)

/* --- our own server in a child ---------------------------------------------------------------- */

struct fixture {
	pid_t pid;
	uint16_t port, tls_port;
	char dir[32];
	struct buf cert;
	char text[128];
};

static unsigned g_count; /* requests on this process, in the child */
static pid_t g_child;

static void reply_text(
	struct http_request *r, int status, const char *name, const char *value, const char *text)
{
	const struct http_header h = {name, value};

	http_request_reply(r, status, &h, name ? 1 : 0, slice_str(text));
}

static void handle(void *cookie, struct http_request *r)
{
	const char *target = http_request_target(r), *value;
	char text[256];

	g_count++;
	if (streq(target, "/echo")) {
		http_request_reply(r, 200, NULL, 0, http_request_body(r));
	} else if (streq(target, "/method")) {
		reply_text(r, 200, NULL, NULL, http_request_method(r));
	} else if (streq(target, "/big")) {
		char *big = malloc(BIG_SIZE);
		memset(big, 'b', BIG_SIZE);
		http_request_reply(r, 200, NULL, 0, slice_of(big, BIG_SIZE));
		free(big);
	} else if (streq(target, "/peer")) {
		reply_text(r, 200, NULL, NULL, http_request_peer(r));
	} else if (streq(target, "/redirect")) {
		reply_text(r, 302, "Location", "/echo2", "gone");
	} else if (streq(target, "/loop")) {
		reply_text(r, 307, "Location", "/loop", "");
	} else if (str_starts(target, "/to?")) {
		reply_text(r, 307, "Location", target + 4, "");
	} else if (streq(target, "/cookie-set")) {
		reply_text(r, 200, "Set-Cookie", "sid=abc; Path=/; HttpOnly", "");
	} else if (streq(target, "/headers")) {
		value = http_request_header(r, "Cookie");
		snprintf(text, sizeof(text), "auth=%s cookie=%s",
			http_request_header(r, "Authorization") ? "yes" : "no",
			value ? value : "none");
		reply_text(r, 200, NULL, NULL, text);
	} else if (streq(target, "/count")) {
		snprintf(text, sizeof(text), "%u", g_count);
		reply_text(r, 200, NULL, NULL, text);
	} else if (streq(target, "/slow")) {
		usleep(1500 * 1000);
		reply_text(r, 200, NULL, NULL, "late");
	} else {
		reply_text(r, 404, NULL, NULL, target);
	}
}

static void serve(const char *dir, int report)
{
	struct event_base *base = event_base_new();
	char cert[64], key[64];
	struct http_server_options plain = {.header_max = 8192, .body_max = 8 << 20, .idle_s = 10};
	struct http_server_options tls = plain;
	struct http_server *a = NULL, *b = NULL;
	uint16_t ports[2];
	struct err e = {0};

	snprintf(cert, sizeof(cert), "%s/cert.pem", dir);
	snprintf(key, sizeof(key), "%s/key.pem", dir);
	tls.certificate = cert;
	tls.private_key = key;
	if (http_server_new(base, &plain, handle, NULL, &a, &e) < 0 ||
		http_server_new(base, &tls, handle, NULL, &b, &e) < 0 ||
		http_server_listen(a, "127.0.0.1:0", &ports[0], &e) < 0 ||
		http_server_listen(b, "127.0.0.1:0", &ports[1], &e) < 0) {
		fprintf(stderr, "server: %s\n", e.text);
		_exit(1);
	}
	if (fd_write_full(report, ports, sizeof(ports)) < 0)
		_exit(1);
	close(report);
	signal(SIGPIPE, SIG_IGN);
	alarm(120);
	event_base_dispatch(base);
	_exit(0);
}

static void write_file(const char *dir, const char *name, struct slice s)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(file_write_atomic(path, s, 0600, NULL), 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const char *names[] = {"127.0.0.1", "localhost"};
	cleanup_with(buf_done) struct buf pem = buf_init(0);
	struct pkey *key = NULL;
	uint16_t ports[2];
	int p[2];

	snprintf(f->dir, sizeof(f->dir), "/tmp/husk-net-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	assert_int_equal(pkey_generate(KEY_P256, 0, &key), 0);
	assert_int_equal(pkey_to_pem_private(key, &pem), 0);
	assert_int_equal(cert_make_self_signed(key, "test", names, 2, 1, &f->cert, NULL), 0);
	write_file(f->dir, "key.pem", buf_slice(&pem));
	write_file(f->dir, "cert.pem", buf_slice(&f->cert));
	pkey_free(key);
	assert_int_equal(pipe(p), 0);
	f->pid = fork();
	if (f->pid == 0) {
		close(p[0]);
		serve(f->dir, p[1]);
	}
	close(p[1]);
	assert_int_equal(fd_read_full(p[0], ports, sizeof(ports)), 0);
	close(p[0]);
	f->port = ports[0];
	f->tls_port = ports[1];
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char path[64];

	kill(f->pid, SIGKILL);
	waitpid(f->pid, NULL, 0);
	snprintf(path, sizeof(path), "%s/key.pem", f->dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/cert.pem", f->dir);
	unlink(path);
	rmdir(f->dir);
	buf_done(&f->cert);
	free(f);
	return 0;
}

static struct http_client *new_client(struct fixture *f, uint32_t timeout_ms)
{
	struct http_client_options o = {
		.roots_pem = buf_slice(&f->cert), .total_timeout_ms = timeout_ms};
	struct http_client *c = NULL;

	assert_int_equal(http_client_new(&o, &c, NULL), 0);
	return c;
}

/* "http:" or "https:" path on the server */
static const char *at(struct fixture *f, bool tls, const char *path)
{
	snprintf(f->text, sizeof(f->text), "%s://127.0.0.1:%u%s", tls ? "https" : "http",
		tls ? f->tls_port : f->port, path);
	return f->text;
}

static void expect(struct http_client *c, const char *method, const char *url, struct slice body,
	int status, const char *want)
{
	struct http_call call = {.method = method, .url = url, .body = body, .keep_cookies = true};
	struct http_answer a = {0};
	struct err e = {0};
	int r = http_client_call(c, &call, &a, &e);

	if (r < 0)
		fail_msg("%s %s: %d %s", method, url, r, e.text);
	assert_int_equal(a.status, status);
	if (want)
		assert_string_equal(buf_str(&a.body), want);
	http_answer_done(&a);
}

static void test_plain_and_tls(void **state)
{
	struct fixture *f = *state;

	for (int tls = 0; tls < 2; tls++) {
		struct http_client *c = new_client(f, 0);

		expect(c, "POST", at(f, tls, "/echo"), SLICE_LIT("hello"), 200, "hello");
		expect(c, "GET", at(f, tls, "/nowhere"), SLICE_EMPTY, 404, "/nowhere");
		expect(c, "DELETE", at(f, tls, "/method"), SLICE_EMPTY, 200, "DELETE");
		expect(c, "PUT", at(f, tls, "/method"), SLICE_EMPTY, 200, "PUT");
		expect(c, "HEAD", at(f, tls, "/big"), SLICE_EMPTY, 200, "");
		expect(c, "GET", at(f, tls, "/peer"), SLICE_EMPTY, 200, "127.0.0.1");
		http_client_free(c);
	}
}

static int count_bytes(void *cookie, struct slice bytes)
{
	*(size_t *)cookie += bytes.size;
	return *(size_t *)cookie > BIG_SIZE ? -E2BIG : 0;
}

static int stop_early(void *cookie, struct slice bytes)
{
	return -ECANCELED;
}

static void test_streaming(void **state)
{
	struct fixture *f = *state;
	struct http_client *c = new_client(f, 0);
	size_t got = 0;
	struct http_call call = {.method = "GET",
		.url = at(f, true, "/big"),
		.answer_max = BIG_SIZE,
		.on_body = count_bytes,
		.cookie = &got};
	struct http_answer a = {0};

	assert_int_equal(http_client_call(c, &call, &a, NULL), 0);
	assert_int_equal(got, BIG_SIZE);
	assert_int_equal(a.body.size, 0);
	http_answer_done(&a);
	call.answer_max = BIG_SIZE - 1;
	assert_int_equal(http_client_call(c, &call, &a, NULL), -E2BIG);
	call.answer_max = BIG_SIZE;
	call.on_body = stop_early;
	assert_int_equal(http_client_call(c, &call, &a, NULL), -ECANCELED);
	/* and the client still works */
	expect(c, "POST", at(f, true, "/echo"), SLICE_LIT("x"), 200, "x");
	http_client_free(c);
}

static void test_upload_from_file(void **state)
{
	struct fixture *f = *state;
	struct http_client *c = new_client(f, 0);
	FILE *file = tmpfile();
	struct http_call call = {.method = "PUT",
		.url = at(f, true, "/echo"),
		.body_fd = fileno(file),
		.body_fd_size = 300000};
	struct http_answer a = {0};

	for (int i = 0; i < 300000; i++)
		fputc('a' + i % 26, file);
	fflush(file);
	rewind(file);
	assert_int_equal(http_client_call(c, &call, &a, NULL), 0);
	assert_int_equal(a.body.size, 300000);
	assert_int_equal(a.body.data[299999], 'a' + 299999 % 26);
	http_answer_done(&a);
	fclose(file);
	http_client_free(c);
}

static void test_cookies_and_redirects(void **state)
{
	struct fixture *f = *state;
	struct http_client *c = new_client(f, 0);
	char url[300];
	const struct http_field auth = {"Authorization", "Bearer x"};
	struct http_call call = {.method = "GET", .url = url, .fields = &auth, .field_count = 1};
	struct http_answer a = {0};
	struct err e = {0};

	expect(c, "GET", at(f, true, "/headers"), SLICE_EMPTY, 200, "auth=no cookie=none");
	expect(c, "GET", at(f, true, "/cookie-set"), SLICE_EMPTY, 200, "");
	expect(c, "GET", at(f, true, "/headers"), SLICE_EMPTY, 200, "auth=no cookie=sid=abc");
	/* a cookie that came over TLS stays there */
	expect(c, "GET", at(f, false, "/headers"), SLICE_EMPTY, 200, "auth=no cookie=none");
	/* a body goes nowhere else on a server's word; a GET does */
	expect(c, "POST", at(f, true, "/redirect"), SLICE_LIT("x"), 302, "gone");
	expect(c, "GET", at(f, true, "/redirect"), SLICE_EMPTY, 404, "/echo2");
	snprintf(url, sizeof(url), "https://127.0.0.1:%u/to?/headers", f->tls_port);
	assert_int_equal(http_client_call(c, &call, &a, &e), 0);
	assert_string_equal(buf_str(&a.body), "auth=yes cookie=none");
	assert_non_null(strstr(buf_str(&a.url), "/headers"));
	http_answer_done(&a);
	/* another port is another host: the token stays behind */
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/to?https://127.0.0.1:%u/headers", f->port,
		f->tls_port);
	assert_int_equal(http_client_call(c, &call, &a, &e), 0);
	assert_string_equal(buf_str(&a.body), "auth=no cookie=none");
	http_answer_done(&a);
	snprintf(url, sizeof(url), "https://127.0.0.1:%u/to?http://127.0.0.1:%u/headers",
		f->tls_port, f->port);
	assert_int_equal(http_client_call(c, &call, &a, &e), -EPROTO);
	assert_non_null(strstr(e.text, "from https to http"));
	snprintf(url, sizeof(url), "https://127.0.0.1:%u/loop", f->tls_port);
	assert_int_equal(http_client_call(c, &call, &a, &e), -EPROTO);
	assert_non_null(strstr(e.text, "redirects"));
	http_client_free(c);
}

/* Redirects as answers: nothing goes anywhere else, whatever the method. */
static void test_no_redirects(void **state)
{
	struct fixture *f = *state;
	const struct http_client_options o = {
		.roots_pem = buf_slice(&f->cert), .no_redirects = true};
	struct http_client *c = NULL;

	assert_int_equal(http_client_new(&o, &c, NULL), 0);
	expect(c, "GET", at(f, true, "/redirect"), SLICE_EMPTY, 302, "gone");
	expect(c, "GET", at(f, true, "/loop"), SLICE_EMPTY, 307, "");
	http_client_free(c);
}

static void expect_failure(struct http_client *c, const char *url, int code, const char *text)
{
	struct http_call call = {.method = "GET", .url = url};
	struct http_answer a = {0};
	struct err e = {0};
	int r = http_client_call(c, &call, &a, &e);

	if (r != code || !strstr(e.text, text))
		fail_msg("%s: %d '%s' instead of %d '%s'", url, r, e.text, code, text);
}

static void test_tls_refusals(void **state)
{
	struct fixture *f = *state;
	struct http_client_options none = {.connect_timeout_ms = 2000};
	const char *wrong[] = {"elsewhere.example"};
	cleanup_with(buf_done) struct buf other = buf_init(0);
	struct http_client *c = NULL;
	struct pkey *key = NULL;

	assert_int_equal(pkey_generate(KEY_P256, 0, &key), 0);
	assert_int_equal(cert_make_self_signed(key, "other", wrong, 1, 1, &other, NULL), 0);
	pkey_free(key);
	none.roots_pem = buf_slice(&other);
	assert_int_equal(http_client_new(&none, &c, NULL), 0);
	expect_failure(c, at(f, true, "/"), -EKEYREJECTED, "is refused: self-signed certificate");
	/* TLS to a plain server */
	snprintf(f->text, sizeof(f->text), "https://127.0.0.1:%u/", f->port);
	expect_failure(c, f->text, -EPROTO, "TLS handshake");
	http_client_free(c);
	/* trusted, but asked for by another name */
	c = new_client(f, 0);
	snprintf(f->text, sizeof(f->text), "https://127.0.0.2:%u/", f->tls_port);
	struct http_call call = {.method = "GET", .url = f->text};
	struct http_answer a = {0};
	assert_true(http_client_call(c, &call, &a, NULL) < 0);
	snprintf(f->text, sizeof(f->text), "https://localhost:%u/echo", f->tls_port);
	expect(c, "GET", f->text, SLICE_EMPTY, 200, "");
	http_client_free(c);
	none.roots_pem = SLICE_LIT("no certificate");
	assert_int_equal(http_client_new(&none, &c, NULL), -EBADMSG);
}

static void test_unreachable_and_slow(void **state)
{
	struct fixture *f = *state;
	struct http_client *c = new_client(f, 500);
	const char *const nobody[] = {"127.0.0.1", NULL};
	struct http_client_options o = {.nameservers = nobody, .connect_timeout_ms = 1000};

	expect_failure(
		c, "http://127.0.0.1:1/", -EHOSTUNREACH, "cannot connect to 127.0.0.1 port 1: ");
	expect_failure(c, at(f, false, "/slow"), -ETIMEDOUT, "no answer in time");
	http_client_free(c);
	assert_int_equal(http_client_new(&o, &c, NULL), 0);
	struct http_call call = {.method = "GET", .url = "http://name.invalid/"};
	struct http_answer a = {0};
	struct err e = {0};
	assert_true(http_client_call(c, &call, &a, &e) < 0);
	assert_non_null(strstr(e.text, "cannot resolve name.invalid: "));
	http_client_free(c);
}

/* --- servers that misbehave ------------------------------------------------------------------- */

struct script {
	const char *answer; /* sent as it is, then the connection is closed */
	int code;	    /* of the call */
	const char *text;   /* in the error, or the body */
};

static uint16_t scripted(const struct script *s, unsigned rounds)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, size), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &size), 0);
	g_child = fork();
	if (g_child == 0) {
		alarm(20);
		for (unsigned i = 0; i < rounds; i++) {
			char in[4096];
			int peer = accept(fd, NULL, NULL);

			if (read(peer, in, sizeof(in)) > 0)
				(void)!fd_write_full(peer, s->answer, strlen(s->answer));
			close(peer);
		}
		_exit(0);
	}
	close(fd);
	return ntohs(a.sin_port);
}

static const struct script g_scripts[] = {
	{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 0, "ok"},
	{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", 0, "ok"},
	{"HTTP/1.0 200 OK\r\n\r\nto the end", 0, "to the end"},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nok\r\n1\r\n!\r\n0\r\nT: "
	 "v\r\n\r\n",
		0, "ok!"},
	/* no answer, or a part of one */
	{"", -EHOSTUNREACH, "the connection broke"},
	{"HTTP/1.1 200 OK\r\nContent-Le", -EHOSTUNREACH, "the connection broke"},
	{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", -EPROTO, "ended after"},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok", -EPROTO, "ended after"},
	/* not HTTP */
	{"SSH-2.0-OpenSSH\r\n\r\n", -EPROTO, "not HTTP/1.1"},
	{"HTTP/2.0 200 OK\r\n\r\n", -EPROTO, "not HTTP/1.1"},
	{"HTTP/1.1 20 OK\r\n\r\n", -EPROTO, "not HTTP/1.1"},
	{"HTTP/1.1 600 OK\r\n\r\n", -EPROTO, "not HTTP/1.1"},
	{"HTTP/1.1 101 Switching\r\n\r\n", -EPROTO, "changes the protocol"},
	/* what two readers could understand differently */
	{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!", -EPROTO,
		"Content-Length"},
	{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		-EPROTO, "both"},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", -EPROTO,
		"Transfer-Encoding"},
	{"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok", -EPROTO, "Content-Length"},
	{"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nok", -EPROTO,
		"Content-Length"},
	{"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n", -EPROTO, "malformed"},
	{"HTTP/1.1 200 OK\r\nBad name: b\r\n\r\n", -EPROTO, "malformed"},
	{"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", -EPROTO, "malformed"},
	{"HTTP/1.1 200 OK\r\nA: \x01\r\n\r\n", -EPROTO, "control character"},
	{"HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n", -EPROTO, "control character"},
	/* chunks */
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", -EPROTO,
		"malformed chunk"},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", -EPROTO, "malformed chunk"},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok!\r\n", -EPROTO,
		"malformed chunk"},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", -EPROTO,
		"malformed chunk"},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", -EPROTO, "malformed chunk"},
	/* too much */
	{"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\nok", -E2BIG, "larger than"},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffff\r\nok", -EPROTO,
		"ended after"},
};

static void test_scripted(void **state)
{
	struct http_client_options o = {.total_timeout_ms = 5000};
	struct http_client *c = NULL;

	assert_int_equal(http_client_new(&o, &c, NULL), 0);
	for (size_t i = 0; i < ARRAY_COUNT(g_scripts); i++) {
		const struct script *s = &g_scripts[i];
		char url[64];

		snprintf(url, sizeof(url), "http://127.0.0.1:%u/", scripted(s, 1));
		if (s->code)
			expect_failure(c, url, s->code, s->text);
		else
			expect(c, "GET", url, SLICE_EMPTY, 200, s->text);
		kill(g_child, SIGKILL);
		waitpid(g_child, NULL, 0);
	}
	http_client_free(c);
}

/* A kept connection that the server closed is replaced without the caller noticing. */
static void test_stale_connection(void **state)
{
	static const struct script s = {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 0, NULL};
	struct http_client_options o = {.total_timeout_ms = 5000};
	struct http_client *c = NULL;
	char url[64];

	assert_int_equal(http_client_new(&o, &c, NULL), 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", scripted(&s, 3));
	for (int i = 0; i < 3; i++) {
		expect(c, i == 1 ? "POST" : "GET", url, SLICE_EMPTY, 200, "ok");
		usleep(20000);
	}
	waitpid(g_child, NULL, 0);
	http_client_free(c);
}

/* Header names and values cannot smuggle a second request. */
/* --- several at once -------------------------------------------------------------------------- */

struct several {
	unsigned order[64], count;
	int refuse; /* what the function returns for status 404 */
	size_t bytes;
};

static int on_answer(void *cookie, size_t index, const struct http_answer *a, struct err *reterr)
{
	struct several *s = cookie;

	s->order[s->count++] = (unsigned)index;
	s->bytes += a->body.size;
	return a->status == 404 && s->refuse ? err_set(reterr, s->refuse, "404 it is") : 0;
}

/* A server whose answer to "GET /N..." takes N fifths of a second, each connection on its own. */
static uint16_t slow_server(pid_t *ret_pid)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(in);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(listener, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(listener, 64), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&in, &size), 0);
	*ret_pid = fork();
	if (*ret_pid == 0) {
		signal(SIGCHLD, SIG_IGN);
		alarm(60);
		for (;;) {
			static const char answer[] =
				"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
			char text[4096];
			int fd = accept(listener, NULL, NULL);

			if (fd < 0 || fork() != 0) {
				close(fd);
				continue;
			}
			alarm(30);
			if (read(fd, text, sizeof(text)) < 6)
				_exit(1);
			usleep((useconds_t)(text[5] - '0') * 200 * 1000);
			_exit(write(fd, answer, sizeof(answer) - 1) < 0);
		}
	}
	close(listener);
	return ntohs(in.sin_port);
}

static void test_several(void **state)
{
	struct fixture *f = *state;
	struct http_client_options o = {
		.roots_pem = buf_slice(&f->cert), .total_timeout_ms = 20000};
	cleanup(http_client_free) struct http_client *c = NULL;
	static char big[200000];
	char urls[40][64];
	struct http_call calls[40];
	struct several s = {0};
	struct err e = {0};

	memset(big, 'x', sizeof(big));
	assert_int_equal(http_client_new(&o, &c, NULL), 0);
	/* More than go at once, over TLS and without, with bodies and without. */
	for (size_t i = 0; i < ARRAY_COUNT(calls); i++) {
		bool tls = i % 2;

		snprintf(urls[i], sizeof(urls[i]), "%s://localhost:%u%s", tls ? "https" : "http",
			tls ? f->tls_port : f->port, i % 4 < 2 ? "/echo" : "/none");
		calls[i] = (struct http_call){.method = "POST",
			.url = urls[i],
			.body = slice_of(big, sizeof(big)),
			.answer_max = sizeof(big)};
	}
	assert_int_equal(http_client_call_all(c, calls, 40, on_answer, &s, &e), 0);
	assert_int_equal(s.count, 40);
	assert_int_equal(s.bytes, 20 * sizeof(big) + 20 * strlen("/none"));
	for (unsigned i = 0; i < 40; i++) {
		unsigned seen = 0;

		for (unsigned k = 0; k < 40; k++)
			seen += s.order[k] == i;
		assert_int_equal(seen, 1);
	}
	/* What the function says is the end; so is an answer over its limit, and what cannot be sent. */
	s = (struct several){.refuse = -EPROTO};
	assert_int_equal(http_client_call_all(c, calls, 40, on_answer, &s, &e), -EPROTO);
	assert_string_equal(e.text, "404 it is");
	assert_true(s.count < 40);
	calls[0].answer_max = 100;
	s = (struct several){0};
	assert_int_equal(http_client_call_all(c, calls, 1, on_answer, &s, NULL), -E2BIG);
	assert_int_equal(s.count, 0);
	calls[0].keep_cookies = true;
	assert_int_equal(http_client_call_all(c, calls, 1, on_answer, &s, NULL), -EINVAL);
	calls[0] = (struct http_call){.method = "GET", .url = "http://127.0.0.1:1/"};
	assert_int_equal(http_client_call_all(c, calls, 1, on_answer, &s, NULL), -EHOSTUNREACH);
	calls[0].url = "nonsense";
	assert_int_equal(http_client_call_all(c, calls, 1, on_answer, &s, NULL), -EINVAL);
	assert_int_equal(http_client_call_all(c, calls, 0, on_answer, &s, NULL), 0);
	assert_int_equal(s.count, 0);
}

static void test_several_at_once(void **state)
{
	static const char *const fifths[] = {"9", "0", "5", "5", "5", "5", "5", "5"};
	struct http_client_options o = {.total_timeout_ms = 5000};
	cleanup(http_client_free) struct http_client *c = NULL;
	pid_t pid;
	uint16_t port = slow_server(&pid);
	char urls[8][64];
	struct http_call calls[8];
	struct several s = {0};
	struct err e = {0};

	assert_int_equal(http_client_new(&o, &c, NULL), 0);
	for (size_t i = 0; i < 8; i++) {
		snprintf(urls[i], sizeof(urls[i]), "http://127.0.0.1:%u/%s", port, fifths[i]);
		calls[i] = (struct http_call){.method = "GET", .url = urls[i]};
	}
	/* One after another they would take 7.8 s, which the time for all does not allow. */
	assert_int_equal(http_client_call_all(c, calls, 8, on_answer, &s, &e), 0);
	assert_int_equal(s.count, 8);
	assert_int_equal(s.order[0], 1);
	assert_int_equal(s.order[7], 0);
	/* The time is for all together. */
	http_client_free(steal_ptr(c));
	o.total_timeout_ms = 600;
	s = (struct several){0};
	assert_int_equal(http_client_new(&o, &c, NULL), 0);
	assert_int_equal(http_client_call_all(c, calls, 8, on_answer, &s, &e), -ETIMEDOUT);
	assert_true(s.count <= 1);
	assert_non_null(strstr(e.text, s.count ? "7 of 8" : "8 of 8"));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void test_injection(void **state)
{
	static const struct http_field bad[] = {{"A", "b\r\nC: d"}, {"A\r\nB", "c"}, {"A:", "b"},
		{"Host", "other"}, {"Content-Length", "5"}, {"", "x"}};
	struct fixture *f = *state;
	struct http_client *c = new_client(f, 0);
	struct http_answer a = {0};

	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		struct http_call call = {.method = "GET",
			.url = at(f, false, "/echo"),
			.fields = &bad[i],
			.field_count = 1};
		assert_int_equal(http_client_call(c, &call, &a, NULL), -EINVAL);
	}
	expect_failure(c, "http://127.0.0.1/a b", -EINVAL, "not allowed in a path");
	expect_failure(c, "http://127.0.0.1/\r\nX: y", -EINVAL, "not allowed in a path");
	http_client_free(c);
}

/* Connections are kept: a second request costs no handshake. */
static void test_rate(void **state)
{
	struct fixture *f = *state;

	for (int tls = 0; tls < 2; tls++) {
		struct http_client *c = new_client(f, 0);
		uint64_t start = clock_mono_ms(), ms;

		for (int i = 0; i < 500; i++)
			expect(c, "GET", at(f, tls, "/count"), SLICE_EMPTY, 200, NULL);
		ms = clock_mono_ms() - start;
		print_message("%s: 500 requests on one connection in %llu ms\n",
			tls ? "TLS" : "plain", (unsigned long long)ms);
		http_client_free(c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_and_tls),
		cmocka_unit_test(test_streaming),
		cmocka_unit_test(test_upload_from_file),
		cmocka_unit_test(test_cookies_and_redirects),
		cmocka_unit_test(test_no_redirects),
		cmocka_unit_test(test_tls_refusals),
		cmocka_unit_test(test_scripted),
		cmocka_unit_test(test_stale_connection),
		cmocka_unit_test(test_several),
		cmocka_unit_test(test_several_at_once),
		cmocka_unit_test(test_injection),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_unreachable_and_slow),
	};

	signal(SIGCHLD, SIG_DFL);
	return cmocka_run_group_tests(tests, setup, teardown);
}
