/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several requests at once.
 *
 * Theory of operation. What takes time is the server's work, so connections are opened and requests
 * are sent one after another, and then all of them are waited for together. Whichever answers first is
 * read first, and its place is taken by the next request. One deadline, and one failure, is everybody's.
 */
#include "base/clock.h"
#include "net/http_client_internal.h"

/* A request under way; free while @conn is NULL. */
struct lane {
	struct conn *conn; /* owned */
	struct attempt attempt;
	size_t index; /* of the call */
};

static int begin(struct http_client *c, const struct http_call *call, uint64_t deadline,
	struct lane *lane, struct err *reterr)
{
	cleanup(conn_free) struct conn *conn = NULL;
	struct attempt *a = &lane->attempt;

	*a = (struct attempt){.call = call,
		.method = call->method,
		.send_body = call->body.data != NULL,
		.deadline = deadline};
	if (call->on_body || call->body_fd > 0 || call->keep_cookies)
		return err_set(reterr, -EINVAL, "a call of several cannot stream or keep cookies");
	int r = url_parse(call->url, &a->url, reterr);
	if (r < 0)
		return r;
	r = http_client_connect(c, a, &conn, reterr);
	/* A server may answer, and close, before it has read all of a body it does not want. */
	if (r == 0)
		r = http_client_send(c, conn, a, reterr);
	if (r < 0 && (r != -EIO || !conn))
		return http_client_fail(a, r, false, reterr);
	lane->conn = steal_ptr(conn);
	return 0;
}

static int finish(struct lane *lane, http_answer_fn on_answer, void *cookie, struct err *reterr)
{
	cleanup_with(http_answer_done) struct http_answer answer = {0};
	bool keep = false, started = false;
	int r = http_client_receive(lane->conn, &lane->attempt, &answer, &keep, &started, reterr);

	conn_free(steal_ptr(lane->conn));
	if (r < 0)
		return http_client_fail(&lane->attempt, r, started, reterr);
	return on_answer(cookie, lane->index, &answer, reterr);
}

/* The lane whose answer begins, or negative errno. */
static int wait_any(const struct lane *lanes, uint64_t deadline)
{
	struct conn *list[HTTP_CALLS_AT_ONCE];

	for (size_t i = 0; i < HTTP_CALLS_AT_ONCE; i++)
		list[i] = lanes[i].conn;
	return conn_wait_any(list, HTTP_CALLS_AT_ONCE, deadline);
}

static int run(struct http_client *c, const struct http_call *calls, size_t count,
	struct lane *lanes, http_answer_fn on_answer, void *cookie, struct err *reterr)
{
	uint64_t deadline = clock_mono_ms() + c->total_timeout_ms;
	size_t next = 0, ended = 0;

	while (ended < count) {
		for (size_t i = 0; next < count && i < HTTP_CALLS_AT_ONCE; i++) {
			if (lanes[i].conn)
				continue;
			lanes[i].index = next;
			int r = begin(c, &calls[next++], deadline, &lanes[i], reterr);
			if (r < 0)
				return r;
		}
		int ready = wait_any(lanes, deadline);
		if (ready < 0)
			return err_set(reterr, ready, "%zu of %zu requests have no answer in time",
				count - ended, count);
		struct lane *lane = &lanes[ready];
		int r = finish(lane, on_answer, cookie, reterr);
		if (r < 0)
			return r;
		ended++;
	}
	return 0;
}

int http_client_call_all(struct http_client *c, const struct http_call *calls, size_t count,
	http_answer_fn on_answer, void *cookie, struct err *reterr)
{
	struct lane *lanes = calloc(HTTP_CALLS_AT_ONCE, sizeof(*lanes));
	int r = lanes ? run(c, calls, count, lanes, on_answer, cookie, reterr) : -ENOMEM;

	for (size_t i = 0; lanes && i < HTTP_CALLS_AT_ONCE; i++)
		conn_free(lanes[i].conn);
	free(lanes);
	return r;
}
