/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation. A call opens a connection, or takes the idle one when it goes to the same
 * place; sends the request; reads the answer through http_answer_reader. A kept connection that the
 * server closed in the meantime fails before the first byte of an answer: then, and only then, the
 * request is sent once more on a new one. Redirects start over with another URL.
 */
#include "net/http_client.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "net/http_answer.h"
#include "net/http_client_internal.h"

#define CONNECT_TIMEOUT_MS 10000
#define TOTAL_TIMEOUT_MS 120000
#define ANSWER_MAX ((uint64_t)4 << 20)

static void free_nameservers(struct http_client *c)
{
	for (size_t i = 0; c->nameservers && c->nameservers[i]; i++)
		free(c->nameservers[i]);
	free(c->nameservers);
}

void http_client_free(struct http_client *c)
{
	if (!c)
		return;
	conn_free(c->idle);
	tls_client_free(c->tls);
	free_nameservers(c);
	if (c->cookies)
		explicit_bzero(c->cookies, COOKIES_MAX * sizeof(*c->cookies));
	free(c->cookies);
	free(c);
}

static int copy_nameservers(struct http_client *c, const char *const *list)
{
	size_t n = 0;
	while (list && list[n])
		n++;
	if (!list)
		return 0;
	c->nameservers = calloc(n + 1, sizeof(*c->nameservers));
	for (size_t i = 0; c->nameservers && i < n; i++) {
		c->nameservers[i] = strdup(list[i]);
		if (!c->nameservers[i])
			return -ENOMEM;
	}
	return c->nameservers ? 0 : -ENOMEM;
}

int http_client_new(
	const struct http_client_options *o, struct http_client **ret, struct err *reterr)
{
	cleanup(http_client_free) struct http_client *c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->connect_timeout_ms = o->connect_timeout_ms ? o->connect_timeout_ms : CONNECT_TIMEOUT_MS;
	c->total_timeout_ms = o->total_timeout_ms ? o->total_timeout_ms : TOTAL_TIMEOUT_MS;
	c->redirects = o->redirects ? o->redirects : 5;
	c->no_redirects = o->no_redirects;
	snprintf(c->user_agent, sizeof(c->user_agent), "%s",
		o->user_agent ? o->user_agent : "husk/" HUSK_VERSION);
	int r = copy_nameservers(c, o->nameservers);
	if (r == 0 && o->proxy) {
		c->has_proxy = true;
		r = url_parse(o->proxy, &c->proxy, reterr);
		if (r == 0 && c->proxy.tls)
			r = err_set(reterr, -EINVAL, "the proxy must be an http:// URL");
	}
	c->insecure_skip_tls_verify = o->insecure_skip_tls_verify;
	if (r == 0 && o->roots_pem.size > 0)
		r = tls_client_new(o->roots_pem, o->insecure_skip_tls_verify, &c->tls, reterr);
	if (r == 0)
		*ret = steal_ptr(c);
	return r;
}

static bool same_place(const struct url *a, const struct url *b)
{
	return a->tls == b->tls && a->port == b->port && strcasecmp(a->host, b->host) == 0;
}

/* A line break would smuggle in another header, a second length another request. */
static bool usable(const struct http_field *f)
{
	static const char *const own[] = {
		"host", "content-length", "connection", "transfer-encoding"};

	for (size_t i = 0; i < ARRAY_COUNT(own); i++)
		if (strcasecmp(f->name, own[i]) == 0)
			return false;
	return f->name[0] && !strpbrk(f->name, "\r\n: ") && !strpbrk(f->value, "\r\n");
}

static int put_fields(
	struct http_client *c, const struct attempt *a, struct buf *out, struct err *reterr)
{
	for (size_t i = 0; i < a->call->field_count; i++) {
		const struct http_field *f = &a->call->fields[i];
		if (!f->value)
			continue;
		if (!usable(f))
			return err_set(
				reterr, -EINVAL, "'%.32s' is not a usable request header", f->name);
		if (a->drop_auth && strcasecmp(f->name, "Authorization") == 0)
			continue;
		buf_printf(out, "%s: %s\r\n", f->name, f->value);
	}
	const char *sep = "Cookie: ";
	for (size_t i = 0; a->call->keep_cookies && i < c->cookie_count; i++) {
		if (strcasecmp(c->cookies[i].host, a->url.host) != 0 ||
			(c->cookies[i].tls && !a->url.tls))
			continue;
		buf_printf(out, "%s%s=%s", sep, c->cookies[i].name, c->cookies[i].value);
		sep = "; ";
	}
	if (sep[0] == ';')
		buf_put_str(out, "\r\n");
	return 0;
}

static int build_request(struct http_client *c, const struct attempt *a, uint64_t body_size,
	struct buf *out, struct err *reterr)
{
	char absolute[URL_MAX + URL_HOST_MAX];
	const char *target = a->url.target;
	bool default_port = a->url.port == (a->url.tls ? 443 : 80);

	if (c->has_proxy && !a->url.tls) {
		if (url_format(&a->url, absolute, sizeof(absolute)) < 0)
			return -E2BIG;
		target = absolute;
	}
	buf_printf(out, "%s %s HTTP/1.1\r\nHost: %s%s%s", a->method, target,
		a->url.host_is_ipv6 ? "[" : "", a->url.host, a->url.host_is_ipv6 ? "]" : "");
	if (!default_port)
		buf_printf(out, ":%u", a->url.port);
	buf_printf(out, "\r\nUser-Agent: %s\r\n", c->user_agent);
	int r = put_fields(c, a, out, reterr);
	if (r < 0)
		return r;
	if (a->send_body || streq(a->method, "POST") || streq(a->method, "PUT"))
		buf_printf(out, "Content-Length: %llu\r\n", (unsigned long long)body_size);
	buf_put_str(out, "\r\n");
	return buf_error(out);
}

static int send_file(
	struct conn *conn, int fd, uint64_t size, uint64_t deadline, struct err *reterr)
{
	uint8_t block[64 << 10];

	while (size > 0) {
		ssize_t n = read(fd, block, (size_t)MIN(size, (uint64_t)sizeof(block)));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_set(
				reterr, n < 0 ? -errno : -ENODATA, "the file to send ended early");
		int r = conn_write(conn, block, (size_t)n, deadline);
		if (r < 0)
			return r;
		size -= (uint64_t)n;
	}
	return 0;
}

int http_client_send(
	struct http_client *c, struct conn *conn, const struct attempt *a, struct err *reterr)
{
	cleanup_with(buf_done) struct buf head = buf_init_secret(256 << 10);
	bool from_file = a->call->body_fd > 0;
	uint64_t size = !a->send_body ? 0 : from_file ? a->call->body_fd_size : a->call->body.size;

	int r = build_request(c, a, size, &head, reterr);
	/* A small body goes out with the head, in one record. */
	if (r == 0 && a->send_body && !from_file && size <= 16 << 10) {
		buf_put_slice(&head, a->call->body);
		r = buf_error(&head);
		size = 0;
	}
	if (r == 0)
		r = conn_write(conn, head.data, head.size, a->deadline);
	if (r == 0 && a->send_body && size > 0)
		r = from_file
			    ? send_file(conn, a->call->body_fd, size, a->deadline, reterr)
			    : conn_write(conn, a->call->body.data, a->call->body.size, a->deadline);
	return r;
}

int http_client_receive(struct conn *conn, const struct attempt *a, struct http_answer *ret,
	bool *ret_keep, bool *ret_started, struct err *reterr)
{
	const struct http_answer_options o = {
		.deadline = a->deadline,
		.body_max = a->call->answer_max ? a->call->answer_max : ANSWER_MAX,
		.head_only = streq(a->method, "HEAD"),
		.on_body = a->call->on_body,
		.cookie = a->call->cookie,
	};
	return http_answer_read(conn, &o, ret, ret_keep, ret_started, reterr);
}

/* One exchange on @conn. @ret_started: whether any byte of an answer came. */
static int exchange(struct http_client *c, struct conn *conn, const struct attempt *a,
	struct http_answer *ret, bool *ret_keep, bool *ret_started, struct err *reterr)
{
	*ret_started = false;
	int r = http_client_send(c, conn, a, reterr);
	/* A server may answer, and close, before it has read all of a body it does not want. */
	if (r < 0 && r != -EIO)
		return r;
	int sent = r;
	r = http_client_receive(conn, a, ret, ret_keep, ret_started, reterr);
	return r < 0 && sent < 0 && !*ret_started ? sent : r;
}

int http_client_fail(const struct attempt *a, int r, bool started, struct err *reterr)
{
	/* Before the answer began only the connection can have failed so. */
	if (r == -EIO || (r == -ENODATA && !started))
		r = -EHOSTUNREACH;
	/* What the caller's body function returned is its own affair. */
	if (reterr && reterr->text[0] == 0)
		return err_set(reterr, r, "%s %s://%s:%u: %s", a->method,
			a->url.tls ? "https" : "http", a->url.host, a->url.port,
			r == -ETIMEDOUT	     ? "no answer in time"
			: r == -EHOSTUNREACH ? "the connection broke"
					     : strerror(-r));
	return r;
}

int http_client_connect(
	struct http_client *c, const struct attempt *a, struct conn **ret, struct err *reterr)
{
	uint64_t limit = MIN(a->deadline, clock_mono_ms() + c->connect_timeout_ms);
	int r = 0;

	if (a->url.tls && !c->tls)
		r = tls_client_new(SLICE_EMPTY, c->insecure_skip_tls_verify, &c->tls, reterr);
	return r < 0 ? r
		     : conn_open(c->tls, &a->url, c->has_proxy ? &c->proxy : NULL,
			       (const char *const *)c->nameservers, limit, ret, reterr);
}

static int attempt_call(
	struct http_client *c, const struct attempt *a, struct http_answer *ret, struct err *reterr)
{
	bool keep = false, started = false;

	for (int again = 0;; again++) {
		cleanup(conn_free) struct conn *conn = NULL;
		bool reused = false;
		int r = 0;
		if (c->idle && same_place(&c->idle_url, &a->url)) {
			conn = steal_ptr(c->idle);
			reused = true;
		} else {
			conn_free(steal_ptr(c->idle));
			r = http_client_connect(c, a, &conn, reterr);
		}
		if (r < 0)
			return http_client_fail(a, r, false, reterr);
		r = exchange(c, conn, a, ret, &keep, &started, reterr);
		if (r < 0 && reused && !started && again == 0 && a->call->body_fd <= 0 &&
			(r == -EIO || r == -ENODATA)) {
			http_answer_done(ret);
			if (reterr)
				*reterr = (struct err){0};
			continue;
		}
		if (r < 0) {
			http_answer_done(ret);
			return http_client_fail(a, r, started, reterr);
		}
		if (keep) {
			c->idle = steal_ptr(conn);
			c->idle_url = a->url;
		}
		return 0;
	}
}

static void store_cookie(struct http_client *c, const struct url *u, const char *text)
{
	struct cookie k = {.tls = u->tls};
	const char *eq = strchr(text, '=');
	size_t end = strcspn(text, ";");

	if (!eq || (size_t)(eq - text) >= end || str_copy(k.host, sizeof(k.host), u->host) < 0 ||
		str_copy_slice(k.name, sizeof(k.name), slice_of(text, (size_t)(eq - text))) < 0 ||
		str_copy_slice(k.value, sizeof(k.value),
			slice_of(eq + 1, end - (size_t)(eq - text) - 1)) < 0)
		return;
	if (!c->cookies)
		c->cookies = calloc(COOKIES_MAX, sizeof(*c->cookies));
	if (!c->cookies)
		return;
	size_t i = 0;
	while (i < c->cookie_count &&
		!(streq(c->cookies[i].name, k.name) && strcasecmp(c->cookies[i].host, k.host) == 0))
		i++;
	if (i == COOKIES_MAX)
		return;
	c->cookies[i] = k;
	if (i == c->cookie_count)
		c->cookie_count++;
}

static bool is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* Prepares @a for the place a redirect names. Return: 1 to go there, 0 to hand the answer out. */
static int follow(struct attempt *a, const struct http_answer *answer, struct err *reterr)
{
	const char *location = http_answer_header(answer, "location");
	bool safe = streq(a->method, "GET") || streq(a->method, "HEAD");
	struct url next;

	if (!is_redirect(answer->status) || !location)
		return 0;
	if (!safe && answer->status != 303)
		return 0; /* a body is never sent to another place on a server's word */
	int r = url_resolve(&a->url, location, &next, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "redirect of %s", a->url.host);
	if (a->url.tls && !next.tls)
		return err_set(reterr, -EPROTO, "%s redirects from https to http", a->url.host);
	if (!same_place(&a->url, &next))
		a->drop_auth = true;
	if (!safe)
		a->method = "GET";
	a->send_body = false;
	a->url = next;
	return 1;
}

int http_client_call(struct http_client *c, const struct http_call *call, struct http_answer *ret,
	struct err *reterr)
{
	struct attempt a = {.call = call, .method = call->method};
	struct http_answer answer = {0};
	char text[URL_MAX + URL_HOST_MAX];

	int r = url_parse(call->url, &a.url, reterr);
	if (r < 0)
		return r;
	a.send_body = call->body.data != NULL || call->body_fd > 0;
	a.deadline = clock_mono_ms() + c->total_timeout_ms;
	for (int hops = 0;; hops++) {
		r = attempt_call(c, &a, &answer, reterr);
		if (r < 0)
			return r;
		const char *cookie =
			call->keep_cookies ? http_answer_header(&answer, "set-cookie") : NULL;
		if (cookie)
			store_cookie(c, &a.url, cookie);
		r = c->no_redirects ? 0 : follow(&a, &answer, reterr);
		if (r > 0 && hops == c->redirects)
			r = err_set(reterr, -EPROTO, "more than %d redirects", c->redirects);
		if (r <= 0)
			break;
		http_answer_done(&answer);
	}
	if (r == 0 && url_format(&a.url, text, sizeof(text)) == 0)
		buf_put_str(&answer.url, text);
	if (r < 0) {
		http_answer_done(&answer);
		return r;
	}
	*ret = answer;
	return 0;
}
