/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/kbs_admin.h"

#include "base/enc.h"
#include "base/fd.h"
#include "base/str.h"
#include "fmt/json.h"

#define TOKEN_MAX ((size_t)64 << 10)
#define ANSWER_MAX ((uint64_t)64 << 20)

struct kbs_admin {
	struct http_client *http;
	char *url;		  /* without a slash at its end */
	char *tenant;		  /* NULL for none */
	struct buf authorization; /* "Bearer ..."; empty without a token */
};

void kbs_admin_free(struct kbs_admin *a)
{
	if (!a)
		return;
	http_client_free(a->http);
	free(a->url);
	free(a->tenant);
	buf_done(&a->authorization);
	free(a);
}

static const char *option_or_env(const struct cli *cli, const char *option, const char *env)
{
	const char *value = cli_opt(cli, option);
	if (!value)
		value = getenv(env);
	return value && *value ? value : NULL;
}

static int read_token(struct kbs_admin *a, const char *file, struct err *reterr)
{
	cleanup_with(buf_done) struct buf token = buf_init_secret(TOKEN_MAX);
	a->authorization = buf_init_secret(TOKEN_MAX + 16);
	if (!file)
		return 0;
	int r = file_read(file, TOKEN_MAX, &token, reterr);
	if (r < 0)
		return r;
	while (token.size > 0 && strchr(" \t\r\n", token.data[token.size - 1]))
		token.data[--token.size] = 0;
	if (token.size == 0)
		return err_set(reterr, -EBADMSG, "%s is empty", file);
	buf_put_str(&a->authorization, "Bearer ");
	buf_put_slice(&a->authorization, buf_slice(&token));
	return buf_error(&a->authorization);
}

int kbs_admin_new(const struct cli *cli, struct kbs_admin **ret, struct err *reterr)
{
	cleanup(kbs_admin_free) struct kbs_admin *a = calloc(1, sizeof(*a));
	cleanup_with(buf_done) struct buf roots = buf_init(1 << 20);
	const char *url = option_or_env(cli, "url", "HUSK_KBS_URL");
	const char *tenant = option_or_env(cli, "tenant", "HUSK_KBS_TENANT");
	const char *cert = option_or_env(cli, "cert-file", "HUSK_KBS_CERT");

	if (!a)
		return -ENOMEM;
	a->url = strdup(url ? url : "https://127.0.0.1:8080");
	if (!a->url)
		return -ENOMEM;
	for (size_t n = strlen(a->url); n > 0 && a->url[n - 1] == '/'; n--)
		a->url[n - 1] = 0;
	if (tenant) {
		a->tenant = strdup(tenant);
		if (!a->tenant)
			return -ENOMEM;
		if (strspn(tenant, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(tenant))
			return err_set(reterr, -EINVAL, "%s is no name of a tenant", tenant);
	}
	int r = read_token(
		a, option_or_env(cli, "admin-token-file", "HUSK_KBS_ADMIN_TOKEN_FILE"), reterr);
	if (r == 0 && cert)
		r = file_read(cert, 1 << 20, &roots, reterr);
	if (r < 0)
		return r;
	/* A token over plain HTTP is readable by everybody on the way. */
	if (a->authorization.size > 0 && !str_starts(a->url, "https://"))
		cli_note(cli, "warning: the admin token goes to %s unencrypted", a->url);
	struct http_client_options options = {.roots_pem = buf_slice(&roots)};
	r = http_client_new(&options, &a->http, reterr);
	if (r == 0)
		*ret = steal_ptr(a);
	return r;
}

const char *kbs_admin_tenant(const struct kbs_admin *a)
{
	return a->tenant;
}

/* The key broker's errors are {"type", "detail"}. */
static int judge(const struct http_answer *answer, struct err *reterr)
{
	cleanup(json_decref) json_t *j = NULL;
	const char *detail = NULL;

	if (answer->status >= 200 && answer->status < 300)
		return 0;
	if (json_parse(buf_slice(&answer->body), 0, &j, NULL) == 0)
		detail = json_string_value(json_object_get(j, "detail"));
	int code = answer->status == 401 || answer->status == 403 ? -EACCES
		   : answer->status == 404			  ? -ENOENT
		   : answer->status == 412			  ? -ESTALE
								  : -EPROTO;
	return err_set(reterr, code, "the key broker answers %d: %s", answer->status,
		detail ? detail : "no reason given");
}

int kbs_admin_send(
	struct kbs_admin *a, const struct kbs_request *q, struct buf *ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf url = buf_init(16 << 10);
	cleanup_with(buf_done) struct buf bearer = buf_init_secret(TOKEN_MAX + 16);
	struct http_answer answer = {0};
	const char *authorization = a->authorization.size ? buf_str(&a->authorization) : NULL;

	if (q->bearer) {
		buf_printf(&bearer, "Bearer %s", q->bearer);
		authorization = buf_str(&bearer);
	}
	const struct http_field fields[] = {
		{"Authorization", authorization},
		{"Content-Type", q->type},
		{"If-Match", q->if_match},
		{"If-None-Match", q->if_none_match},
	};
	if (q->path[0] == '/')
		buf_printf(&url, "%s%s", a->url, q->path);
	else
		buf_printf(&url, "%s%s%s/kbs/v0/%s", a->url, a->tenant ? "/tenants/" : "",
			a->tenant ? a->tenant : "", q->path);
	if (buf_error(&url) < 0 || buf_error(&bearer) < 0)
		return -E2BIG;
	struct http_call call = {
		.method = q->method,
		.url = buf_str(&url),
		.fields = fields,
		.field_count = ARRAY_COUNT(fields),
		.body = q->type ? (q->body.data ? q->body : SLICE_LIT("")) : SLICE_EMPTY,
		.answer_max = ANSWER_MAX,
		.keep_cookies = q->cookies,
	};
	int r = http_client_call(a->http, &call, &answer, reterr);
	if (r < 0)
		return r;
	r = judge(&answer, reterr);
	if (r == 0 && ret) {
		buf_put_slice(ret, buf_slice(&answer.body));
		r = buf_error(ret);
	}
	http_answer_done(&answer);
	return r;
}

int kbs_admin_call(struct kbs_admin *a, const char *method, const char *path, const char *type,
	struct slice body, struct buf *ret, struct err *reterr)
{
	const struct kbs_request q = {.method = method, .path = path, .type = type, .body = body};

	return kbs_admin_send(a, &q, ret, reterr);
}

int kbs_admin_json(struct kbs_admin *a, const char *path, json_t **ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf body = buf_init_secret(ANSWER_MAX);
	int r = kbs_admin_call(a, "GET", path, NULL, SLICE_EMPTY, &body, reterr);
	if (r < 0)
		return r;
	r = json_parse(buf_slice(&body), ANSWER_MAX, ret, reterr);
	return r < 0 ? err_wrap(reterr, -EPROTO, "answer of the key broker") : 0;
}

int kbs_admin_send_values(struct kbs_admin *a, const char *type, struct slice payload,
	const char *expiration, bool stage, struct err *reterr)
{
	cleanup_with(buf_done) struct buf text = buf_init(0);
	cleanup(json_decref) json_t *message = json_object();

	int r = json_set_str(message, "version", "0.1.0");
	if (r == 0)
		r = json_set_str(message, "type", type);
	if (r == 0)
		r = json_set_b64(message, "payload", payload, B64_STD);
	if (r == 0 && expiration)
		r = json_set_str(message, "expiration", expiration);
	if (r == 0 && stage)
		r = json_set_take(message, "stage", json_true());
	if (r == 0)
		r = json_write(message, &text);
	return r < 0 ? r
		     : kbs_admin_call(a, "POST", "reference-value", "application/json",
			       buf_slice(&text), NULL, reterr);
}

int kbs_admin_register(
	struct kbs_admin *a, const json_t *values, const char *expiration, struct err *reterr)
{
	cleanup_with(buf_done) struct buf payload = buf_init(0);
	int r = json_write(values, &payload);

	return r < 0 ? r
		     : kbs_admin_send_values(
			       a, "sample", buf_slice(&payload), expiration, false, reterr);
}

void kbs_path_part(struct buf *out, const char *text)
{
	pct_encode(out, slice_str(text), "/");
}
