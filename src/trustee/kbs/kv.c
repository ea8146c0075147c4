/* SPDX-License-Identifier: Apache-2.0 */
#include "trustee/kbs/kv.h"

#include "base/str.h"
#include "fmt/json.h"
#include "net/http_client.h"

bool kv_path_valid(const char *path)
{
	size_t dots = 0, size = 0;

	for (const char *p = path;; p++) {
		bool dot = *p == '.';

		if (*p == '/' || *p == '\0') {
			if (size == 0 || dots == size)
				return false;
			if (*p == '\0')
				return true;
			dots = size = 0;
			continue;
		}
		if (!dot && *p != '-' && *p != '_' && !(*p >= '0' && *p <= '9') &&
			!(*p >= 'a' && *p <= 'z') && !(*p >= 'A' && *p <= 'Z'))
			return false;
		dots += dot;
		size++;
	}
}

/* Vault's errors are {"errors": ["..."]}. */
static const char *first_error(const json_t *body)
{
	const char *text = json_string_value(json_array_get(json_object_get(body, "errors"), 0));

	return text ? text : "no reason given";
}

static int read_status(int status, const json_t *body, struct err *reterr)
{
	const char *text = first_error(body);

	if (status == 200 || status == 204)
		return 0;
	if (status == 404)
		return err_set(reterr, -ENOENT, "Vault has no such secret");
	if (status == 401 || status == 403)
		return err_set(reterr, -EACCES, "Vault refuses the token: %.200s", text);
	if (status == 400 && strstr(text, "check-and-set"))
		return err_set(reterr, -ESTALE, "Vault: %.200s", text);
	/* 412: a replica that lags; 472, 473: standby */
	if (status == 412 || status == 429 || status == 472 || status == 473 || status >= 500)
		return err_set(reterr, -EAGAIN, "Vault answers HTTP %d: %.200s", status, text);
	return err_set(reterr, -EBADMSG, "Vault answers HTTP %d: %.200s", status, text);
}

/* Bodies of errors may be anything a proxy makes up; those of answers must be JSON. */
static int read_answer(int status, struct slice body, json_t **ret, struct err *reterr)
{
	struct err unread = {0};
	int parsed = body.size ? json_parse(body, KV_ANSWER_MAX, ret, &unread) : -ENODATA;
	int r = read_status(status, *ret, reterr);

	if (r < 0 || status == 204)
		return r;
	if (parsed < 0)
		return err_set(reterr, -EBADMSG, "Vault's answer is not JSON: %s",
			err_text(&unread, parsed));
	return 0;
}

static int secret_number(const json_t *metadata, int64_t *ret, struct err *reterr)
{
	return json_get_int(metadata, "version", 1, INT64_MAX, ret, reterr);
}

static int read_value(const json_t *secret, struct buf *value, struct err *reterr)
{
	const json_t *v = json_object_get(secret, "data");

	if (!v)
		return err_set(reterr, -EBADMSG, "the secret in Vault has no member \"data\"");
	if (json_is_string(v)) {
		buf_put(value, json_string_value(v), json_string_length(v));
		return buf_error(value);
	}
	if (json_is_array(v))
		return json_get_bytes(secret, "data", KV_ANSWER_MAX, value, reterr);
	/* As Trustee: any other value is its JSON text. */
	char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);

	if (!text)
		return -ENOMEM;
	buf_put_str(value, text);
	explicit_bzero(text, strlen(text));
	free(text);
	return buf_error(value);
}

int kv_read(int status, struct slice body, unsigned version, struct buf *value,
	int64_t *ret_version, struct err *reterr)
{
	cleanup(json_decref) json_t *answer = NULL;
	json_t *data = NULL, *secret = NULL, *metadata = NULL;
	int r = read_answer(status, body, &answer, reterr);

	*ret_version = 0;
	if (r == 0 && status != 200)
		return err_set(reterr, -EBADMSG, "Vault answers a read with HTTP %d", status);
	if (r == 0)
		r = json_get_object(answer, "data", &data, reterr);
	if (r < 0 || version == 1)
		return r < 0 ? r : read_value(data, value, reterr);
	r = json_get_object(data, "data", &secret, reterr);
	if (r == 0)
		r = json_get_object(data, "metadata", &metadata, reterr);
	if (r == 0)
		r = secret_number(metadata, ret_version, reterr);
	return r < 0 ? r : read_value(secret, value, reterr);
}

int kv_read_written(
	int status, struct slice body, unsigned version, int64_t *ret_version, struct err *reterr)
{
	cleanup(json_decref) json_t *answer = NULL;
	json_t *metadata = NULL;
	int r = read_answer(status, body, &answer, reterr);

	*ret_version = 0;
	if (r < 0 || version == 1 || status == 204)
		return r;
	r = json_get_object(answer, "data", &metadata, reterr);
	return r < 0 ? r : secret_number(metadata, ret_version, reterr);
}

static int call(struct http_client *http, const struct kv_settings *s, const char *method,
	const char *url, struct slice body, struct http_answer *ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf bearer = buf_init_secret(0);

	buf_printf(&bearer, "Bearer %s", s->token);
	const struct http_field fields[] = {
		{"Authorization", buf_str(&bearer)},
		{"Content-Type", "application/json"},
		/* What an agent in front of Vault asks for, against forged requests. */
		{"X-Vault-Request", "true"},
	};
	const struct http_call c = {.method = method,
		.url = url,
		.fields = fields,
		.field_count = ARRAY_COUNT(fields),
		.body = body,
		.answer_max = KV_ANSWER_MAX};

	return buf_error(&bearer) < 0 ? -ENOMEM : http_client_call(http, &c, ret, reterr);
}

/* @kind: "data" or "metadata", of version 2 */
static int make_url(const struct kv_settings *s, const char *kind, const char *path, char *ret,
	struct err *reterr)
{
	bool two = s->version == 2;
	int n = snprintf(ret, KV_URL_MAX, "%s/v1/%s/%s%s%s%s%s", s->url, s->mount, two ? kind : "",
		two ? "/" : "", s->prefix ? s->prefix : "", s->prefix ? "/" : "", path);

	if (n < 0 || n >= KV_URL_MAX)
		return err_set(reterr, -E2BIG, "the URL in Vault is too long");
	return kv_path_valid(path) ? 0 : err_set(reterr, -EINVAL, "%s is not a path", path);
}

/* Wipes what it releases: it may hold a secret. */
static void answer_wipe(struct http_answer *a)
{
	if (a->body.data)
		explicit_bzero(a->body.data, a->body.size);
	http_answer_done(a);
}

int kv_get(struct http_client *http, const struct kv_settings *s, const char *path,
	int64_t secret_version, struct buf *value, int64_t *ret_version, struct err *reterr)
{
	struct http_answer a = {0};
	char url[KV_URL_MAX + 32];
	int r = make_url(s, "data", path, url, reterr);

	if (r == 0 && secret_version > 0) {
		size_t n = strlen(url);

		if (s->version == 1)
			r = err_set(reterr, -EINVAL, "this engine of Vault keeps no versions");
		snprintf(url + n, sizeof(url) - n, "?version=%lld", (long long)secret_version);
	}
	if (r == 0)
		r = call(http, s, "GET", url, SLICE_EMPTY, &a, reterr);
	if (r == 0)
		r = kv_read(a.status, buf_slice(&a.body), s->version, value, ret_version, reterr);
	answer_wipe(&a);
	return r;
}

/* {"data": [...]}, in version 2 as "data" beside "options". */
static void make_body(unsigned version, struct slice value, int64_t cas, struct buf *out)
{
	if (version == 2) {
		buf_put_str(out, "{\"options\":{");
		if (cas >= 0)
			buf_printf(out, "\"cas\":%lld", (long long)cas);
		buf_put_str(out, "},\"data\":");
	}
	buf_put_str(out, "{\"data\":[");
	for (size_t i = 0; i < value.size; i++)
		buf_printf(out, i ? ",%u" : "%u", value.data[i]);
	buf_put_str(out, version == 2 ? "]}}" : "]}");
}

int kv_put(struct http_client *http, const struct kv_settings *s, const char *path,
	struct slice value, int64_t cas, int64_t *ret_version, struct err *reterr)
{
	cleanup_with(buf_done) struct buf body = buf_init_secret(0);
	struct http_answer a = {0};
	char url[KV_URL_MAX];
	int r = make_url(s, "data", path, url, reterr);

	if (r == 0 && cas >= 0 && s->version == 1)
		r = err_set(reterr, -EINVAL, "this engine of Vault keeps no versions");
	if (r == 0) {
		make_body(s->version, value, cas, &body);
		r = buf_error(&body);
	}
	if (r == 0)
		r = call(http, s, "POST", url, buf_slice(&body), &a, reterr);
	if (r == 0)
		r = kv_read_written(a.status, buf_slice(&a.body), s->version, ret_version, reterr);
	answer_wipe(&a);
	return r;
}

int kv_delete(
	struct http_client *http, const struct kv_settings *s, const char *path, struct err *reterr)
{
	struct http_answer a = {0};
	char url[KV_URL_MAX];
	int64_t unused;
	int r = make_url(s, "metadata", path, url, reterr);

	if (r == 0)
		r = call(http, s, "DELETE", url, SLICE_EMPTY, &a, reterr);
	if (r == 0)
		r = kv_read_written(a.status, buf_slice(&a.body), 1, &unused, reterr);
	answer_wipe(&a);
	return r;
}
