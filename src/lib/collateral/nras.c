/* SPDX-License-Identifier: Apache-2.0 */
#include "collateral/nras.h"

#include "base/str.h"
#include "evidence/nvidia_nras.h"

#define URL_MAX 1024
#define KEYS_PATH "/.well-known/jwks.json"

static const struct http_field g_json = {"Content-Type", "application/json"};

/* @body empty: GET */
static struct http_call make_call(const char *url, struct slice body)
{
	return (struct http_call){.method = body.size ? "POST" : "GET",
		.url = url,
		.fields = &g_json,
		.field_count = body.size ? 1 : 0,
		.body = body,
		.answer_max = NRAS_ANSWER_MAX};
}

static int take(const char *url, const struct http_answer *a, struct buf *out, struct err *reterr)
{
	if (a->status != 200)
		return err_set(reterr, -EPROTO, "%s answered with status %d: %.200s", url,
			a->status, buf_str(&a->body));
	buf_put_slice(out, buf_slice(&a->body));
	return buf_error(out);
}

static int call(struct http_client *http, const char *url, struct slice body, struct buf *out,
	struct err *reterr)
{
	cleanup_with(http_answer_done) struct http_answer a = {0};
	const struct http_call c = make_call(url, body);
	int r = http_client_call(http, &c, &a, reterr);

	return r < 0 ? r : take(url, &a, out, reterr);
}

static int device_url(const char *url, const char *endpoint, char dst[URL_MAX], struct err *reterr)
{
	if (!streq(endpoint, "gpu") && !streq(endpoint, "switch"))
		return err_set(reterr, -EBADMSG, "NRAS has no endpoint %.32s", endpoint);
	int size = snprintf(dst, URL_MAX, "%s/%s", url ? url : NRAS_URL, endpoint);
	return size < 0 || size >= URL_MAX
		       ? err_set(reterr, -EBADMSG, "the URL of NRAS is too long")
		       : 0;
}

static int keys_url(const char *url, char dst[URL_MAX], struct err *reterr)
{
	const char *base = url ? url : NRAS_URL;
	const char *host = strstr(base, "://");

	if (!host)
		return err_set(reterr, -EBADMSG, "'%s' is no URL", base);
	size_t origin = (size_t)(host - base) + 3 + strcspn(host + 3, "/");
	int size = snprintf(dst, URL_MAX, "%.*s" KEYS_PATH, (int)origin, base);
	return size < 0 || size >= URL_MAX
		       ? err_set(reterr, -EBADMSG, "the URL of NRAS is too long")
		       : 0;
}

int nras_ask(struct http_client *http, const char *url, const char *endpoint, struct slice body,
	struct buf *answer, struct err *reterr)
{
	char full[URL_MAX];
	int r = device_url(url, endpoint, full, reterr);

	return r < 0 ? r : call(http, full, body, answer, reterr);
}

int nras_keys(struct http_client *http, const char *url, struct buf *text, struct err *reterr)
{
	char full[URL_MAX];
	int r = keys_url(url, full, reterr);

	if (r == 0)
		r = call(http, full, SLICE_EMPTY, text, reterr);
	return r < 0 ? err_wrap(reterr, r, "keys of NRAS") : 0;
}

/* The first call is for the keys. */
struct round {
	char urls[1 + NRAS_QUESTIONS_MAX][URL_MAX];
	struct http_call calls[1 + NRAS_QUESTIONS_MAX];
	const struct nras_question *questions;
	struct buf *keys;
};

static int answered(void *cookie, size_t index, const struct http_answer *a, struct err *reterr)
{
	struct round *round = cookie;
	struct buf *out = index ? round->questions[index - 1].answer : round->keys;
	int r = take(round->urls[index], a, out, reterr);

	return r < 0 && index == 0 ? err_wrap(reterr, r, "keys of NRAS") : r;
}

int nras_ask_all(struct http_client *http, const char *url, const struct nras_question *questions,
	size_t count, struct buf *keys, struct err *reterr)
{
	struct round *round;
	int r;

	if (count > NRAS_QUESTIONS_MAX)
		return err_set(
			reterr, -E2BIG, "more than %d questions to NRAS", NRAS_QUESTIONS_MAX);
	round = calloc(1, sizeof(*round));
	if (!round)
		return -ENOMEM;
	round->questions = questions;
	round->keys = keys;
	r = keys_url(url, round->urls[0], reterr);
	round->calls[0] = make_call(round->urls[0], SLICE_EMPTY);
	for (size_t i = 0; r == 0 && i < count; i++) {
		r = device_url(url, questions[i].endpoint, round->urls[i + 1], reterr);
		round->calls[i + 1] = make_call(round->urls[i + 1], questions[i].body);
	}
	if (r == 0)
		r = http_client_call_all(http, round->calls, count + 1, answered, round, reterr);
	free(round);
	return r;
}
