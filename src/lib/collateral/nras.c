/* SPDX-License-Identifier: Apache-2.0 */
#include "collateral/nras.h"

#include "base/str.h"
#include "evidence/nvidia_nras.h"

#define URL_MAX 1024
#define KEYS_PATH "/.well-known/jwks.json"

static int call(struct http_client *http, const char *url, struct slice body, struct buf *out,
	struct err *reterr)
{
	static const struct http_field json = {"Content-Type", "application/json"};
	cleanup_with(http_answer_done) struct http_answer a = {0};
	const struct http_call c = {.method = body.size ? "POST" : "GET",
		.url = url,
		.fields = &json,
		.field_count = body.size ? 1 : 0,
		.body = body,
		.answer_max = NRAS_ANSWER_MAX};

	int r = http_client_call(http, &c, &a, reterr);
	if (r == 0 && a.status != 200)
		r = err_set(reterr, -EPROTO, "%s answered with status %d: %.200s", url, a.status,
			buf_str(&a.body));
	if (r < 0)
		return r;
	buf_put_slice(out, buf_slice(&a.body));
	return buf_error(out);
}

int nras_ask(struct http_client *http, const char *url, const char *endpoint, struct slice body,
	struct buf *answer, struct err *reterr)
{
	char full[URL_MAX];

	if (!streq(endpoint, "gpu") && !streq(endpoint, "switch"))
		return err_set(reterr, -EBADMSG, "NRAS has no endpoint %.32s", endpoint);
	int size = snprintf(full, sizeof(full), "%s/%s", url ? url : NRAS_URL, endpoint);
	if (size < 0 || (size_t)size >= sizeof(full))
		return err_set(reterr, -EBADMSG, "the URL of NRAS is too long");
	return call(http, full, body, answer, reterr);
}

int nras_keys(struct http_client *http, const char *url, struct buf *text, struct err *reterr)
{
	const char *base = url ? url : NRAS_URL;
	const char *host = strstr(base, "://");
	char full[URL_MAX];

	if (!host)
		return err_set(reterr, -EBADMSG, "'%s' is no URL", base);
	size_t origin = (size_t)(host - base) + 3 + strcspn(host + 3, "/");
	int size = snprintf(full, sizeof(full), "%.*s" KEYS_PATH, (int)origin, base);
	if (size < 0 || (size_t)size >= sizeof(full))
		return err_set(reterr, -EBADMSG, "the URL of NRAS is too long");
	int r = call(http, full, SLICE_EMPTY, text, reterr);
	return r < 0 ? err_wrap(reterr, r, "keys of NRAS") : 0;
}
