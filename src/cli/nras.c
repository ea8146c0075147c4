/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/nras.h"

#include "base/fd.h"
#include "base/str.h"
#include "evidence/nvidia_nras.h"
#include "fmt/json.h"

#define ROOTS_MAX ((size_t)4 << 20)
#define URL_MAX 1024
#define KEYS_PATH "/.well-known/jwks.json"

void nras_done(struct nras *n)
{
	http_client_free(n->http);
	json_decref(n->keys);
	*n = (struct nras){0};
}

static int call(
	struct nras *n, const char *url, struct slice body, struct buf *out, struct err *reterr)
{
	static const struct http_field json = {"Content-Type", "application/json"};
	cleanup_with(http_answer_done) struct http_answer a = {0};
	const struct http_call c = {.method = body.size ? "POST" : "GET",
		.url = url,
		.fields = &json,
		.field_count = body.size ? 1 : 0,
		.body = body,
		.answer_max = NRAS_ANSWER_MAX};

	int r = http_client_call(n->http, &c, &a, reterr);
	if (r == 0 && a.status != 200)
		r = err_set(reterr, -EPROTO, "%s answered with status %d: %.200s", url, a.status,
			buf_str(&a.body));
	if (r < 0)
		return r;
	buf_put_slice(out, buf_slice(&a.body));
	return buf_error(out);
}

static int ask(
	void *ctx, const char *endpoint, struct slice body, struct buf *answer, struct err *reterr)
{
	struct nras *n = ctx;
	char url[URL_MAX];

	int size = snprintf(url, sizeof(url), "%s/%s", n->url, endpoint);
	if (size < 0 || (size_t)size >= sizeof(url))
		return err_set(reterr, -EBADMSG, "the URL of NRAS is too long");
	return call(n, url, body, answer, reterr);
}

static int fetch_keys(struct nras *n, struct err *reterr)
{
	cleanup_with(buf_done) struct buf text = buf_init(NRAS_ANSWER_MAX);
	const char *host = strstr(n->url, "://");
	char url[URL_MAX];

	if (!host)
		return err_set(reterr, -EBADMSG, "'%s' is no URL", n->url);
	size_t origin = (size_t)(host - n->url) + 3 + strcspn(host + 3, "/");
	int size = snprintf(url, sizeof(url), "%.*s" KEYS_PATH, (int)origin, n->url);
	if (size < 0 || (size_t)size >= sizeof(url))
		return err_set(reterr, -EBADMSG, "the URL of NRAS is too long");
	int r = call(n, url, SLICE_EMPTY, &text, reterr);
	if (r == 0)
		r = json_parse(buf_slice(&text), NRAS_ANSWER_MAX, &n->keys, reterr);
	return r < 0 ? err_wrap(reterr, r, "keys of NRAS") : 0;
}

int nras_open(struct nras *n, const char *url, const char *cert_file, struct err *reterr)
{
	cleanup_with(buf_done) struct buf roots = buf_init(ROOTS_MAX);
	struct http_client_options options = {0};

	*n = (struct nras){.url = url ? url : NRAS_URL};
	int r = cert_file ? file_read(cert_file, ROOTS_MAX, &roots, reterr) : 0;
	options.roots_pem = buf_slice(&roots);
	if (r == 0)
		r = http_client_new(&options, &n->http, reterr);
	if (r == 0)
		r = fetch_keys(n, reterr);
	n->remote = (struct evidence_remote){ask, n, n->keys};
	return r;
}
