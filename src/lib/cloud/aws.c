/* SPDX-License-Identifier: Apache-2.0 */
/* AWS Secrets Manager, by its JSON 1.1 protocol with requests that Signature Version 4 signs. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/str.h"
#include "cloud/internal.h"
#include "crypto/sigv4.h"
#include "fmt/json.h"
#include "net/url.h"

#define REFRESH_S 300
#define TYPE "application/x-amz-json-1.1"

static struct aws *aws_of(struct cloud_store *s)
{
	return (struct aws *)s;
}

/* The host as the client will send it; the URL of the region when none is set. */
static int find_place(struct aws *a, struct err *reterr)
{
	bool china = str_starts(a->region, "cn-");
	struct url u;
	int n = a->set.endpoint_url ? snprintf(a->url, sizeof(a->url), "%s", a->set.endpoint_url)
				    : snprintf(a->url, sizeof(a->url),
					      "https://secretsmanager.%s.amazonaws.com%s/",
					      a->region, china ? ".cn" : "");
	int r = n < (int)sizeof(a->url) ? url_parse(a->url, &u, reterr) : -E2BIG;

	if (r == 0 && !streq(u.target, "/"))
		r = err_set(reterr, -EINVAL, "endpoint_url must not have a path");
	if (r < 0)
		return r;
	n = snprintf(a->host, sizeof(a->host), "%s%s%s", u.host_is_ipv6 ? "[" : "", u.host,
		u.host_is_ipv6 ? "]" : "");
	if (u.port != (u.tls ? 443 : 80))
		snprintf(a->host + n, sizeof(a->host) - (size_t)n, ":%u", u.port);
	return 0;
}

/* Credentials that still hold; old ones are used to their end when there are no new ones. */
static int need_credentials(struct aws *a, struct err *reterr)
{
	const struct aws_credentials *c = &a->credentials;
	struct aws_credentials fresh = {0};
	int64_t now = clock_unix_s();
	bool usable = c->access.size > 0 && (c->expires_s == 0 || now < c->expires_s);
	int r;

	if (usable && (c->expires_s == 0 || now < c->expires_s - REFRESH_S))
		return 0;
	r = aws_credentials_find(a, &fresh, reterr);
	if (r < 0)
		return usable ? 0 : r;
	aws_credentials_done(&a->credentials);
	a->credentials = fresh;
	return 0;
}

struct signed_call {
	char stamp[SIGV4_STAMP_SIZE], hash[SIGV4_HASH_SIZE], target[64];
	struct buf authorization;
};

static int sign(
	const struct aws *a, struct signed_call *c, const char *operation, struct slice body)
{
	const struct aws_credentials *who = &a->credentials;
	struct sigv4_header headers[] = {
		{SLICE_LIT("content-type"), SLICE_LIT(TYPE)},
		{SLICE_LIT("host"), slice_str(a->host)},
		{SLICE_LIT("x-amz-date"), slice_str(c->stamp)},
		{SLICE_LIT("x-amz-security-token"), buf_slice(&who->token)},
		{SLICE_LIT("x-amz-target"), slice_str(c->target)},
	};
	size_t count = ARRAY_COUNT(headers);
	int r = sigv4_hash(body, c->hash);

	sigv4_stamp(clock_unix_s(), c->stamp);
	snprintf(c->target, sizeof(c->target), "secretsmanager.%s", operation);
	/* Both were measured before they were written. */
	headers[2].value = slice_str(c->stamp);
	headers[4].value = slice_str(c->target);
	if (who->token.size == 0)
		headers[3] = headers[--count];
	const struct sigv4 s = {.access = buf_slice(&who->access),
		.secret = buf_slice(&who->secret),
		.region = slice_str(a->region),
		.service = SLICE_LIT("secretsmanager"),
		.stamp = c->stamp,
		.method = SLICE_LIT("POST"),
		.path = SLICE_LIT("/"),
		.headers = headers,
		.header_count = count,
		.payload_hash = slice_str(c->hash)};

	c->authorization = buf_init_secret(0);
	return r < 0 ? r : sigv4_authorization(&s, &c->authorization);
}

static int call_once(struct aws *a, const char *operation, struct slice body,
	struct http_answer *ret, struct err *reterr)
{
	struct signed_call c = {0};
	int r = need_credentials(a, reterr);

	if (r == 0)
		r = sign(a, &c, operation, body);
	const struct http_field fields[] = {
		{"Content-Type", TYPE},
		{"X-Amz-Date", c.stamp},
		{"X-Amz-Target", c.target},
		{"Authorization", buf_str(&c.authorization)},
		{"X-Amz-Security-Token",
			a->credentials.token.size ? buf_str(&a->credentials.token) : NULL},
	};
	const struct http_call call = {.method = "POST",
		.url = a->url,
		.fields = fields,
		.field_count = ARRAY_COUNT(fields),
		.body = body};
	if (r == 0)
		r = cloud_call(a->base.http, &call, ret, reterr);
	buf_done(&c.authorization);
	return r;
}

/* @name: what GetSecretValue asks for, or NULL */
static int read_answer(
	const struct http_answer *a, const char *name, struct buf *value, struct err *reterr)
{
	struct slice body = buf_slice(&a->body);

	return name ? aws_read_value(a->status, body, name, value, reterr)
		    : aws_read_done(a->status, body, reterr);
}

/* Credentials that the service refuses are looked for again, once: they may have been replaced. */
static int call(struct aws *a, const char *operation, struct slice body, const char *name,
	struct buf *value, struct err *reterr)
{
	int r = aws_region_find(a, reterr);

	if (r == 0 && !a->host[0])
		r = find_place(a, reterr);
	for (int again = 0; r == 0; again++) {
		struct http_answer answer = {0};
		bool old = a->credentials.access.size > 0;

		r = call_once(a, operation, body, &answer, reterr);
		if (r == 0)
			r = read_answer(&answer, name, value, reterr);
		http_answer_done(&answer);
		if (r != -EACCES)
			return r;
		aws_credentials_done(&a->credentials);
		if (!old || again > 0)
			return r;
		r = 0;
	}
	return r;
}

static int get(struct cloud_store *s, const char *name, int64_t version, struct buf *value,
	int64_t *ret_version, struct err *reterr)
{
	cleanup_with(buf_done) struct buf body = {0};

	/* Names hold nothing that JSON escapes. */
	buf_printf(&body, "{\"SecretId\":\"%s\"}", name);
	return buf_error(&body) < 0
		       ? buf_error(&body)
		       : call(aws_of(s), "GetSecretValue", buf_slice(&body), name, value, reterr);
}

static int write_value(struct aws *a, const char *operation, const char *member, const char *name,
	struct slice value, struct err *reterr)
{
	cleanup_with(buf_done) struct buf body = buf_init_secret(0);
	uint8_t token[16];
	int r = random_bytes(token, sizeof(token));

	/* The token makes a request that is sent twice by the way one version. */
	buf_printf(&body, "{\"%s\":\"%s\",\"ClientRequestToken\":\"", member, name);
	hex_encode(&body, slice_of(token, sizeof(token)));
	buf_put_str(&body, "\",\"SecretBinary\":\"");
	b64_encode(&body, value, B64_STD);
	buf_put_str(&body, "\"}");
	if (r == 0)
		r = buf_error(&body);
	return r < 0 ? r : call(a, operation, buf_slice(&body), NULL, NULL, reterr);
}

static int put(struct cloud_store *s, const char *name, struct slice value, int64_t cas,
	int64_t *ret_version, struct err *reterr)
{
	struct aws *a = aws_of(s);
	int r = -ENOENT;

	if (cas < 0)
		r = write_value(a, "PutSecretValue", "SecretId", name, value, reterr);
	return r == -ENOENT ? write_value(a, "CreateSecret", "Name", name, value, reterr) : r;
}

/* With the recovery window of the account: what was deleted by mistake can be restored. */
static int delete_secret(struct cloud_store *s, const char *name, struct err *reterr)
{
	cleanup_with(buf_done) struct buf body = {0};

	buf_printf(&body, "{\"SecretId\":\"%s\"}", name);
	return buf_error(&body) < 0
		       ? buf_error(&body)
		       : call(aws_of(s), "DeleteSecret", buf_slice(&body), NULL, NULL, reterr);
}

static void free_store(struct cloud_store *s)
{
	aws_credentials_done(&aws_of(s)->credentials);
	free(s);
}

static const struct cloud_ops g_ops = {CLOUD_AWS, get, put, delete_secret, free_store};

int aws_store_new(const struct aws_settings *s, const struct cloud_options *o,
	struct cloud_store **ret, struct err *reterr)
{
	struct aws *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	a->set = *s;
	r = cloud_store_init(&a->base, &g_ops, o, reterr);
	a->set.endpoint_url = r == 0 ? cloud_setting(&a->base, s->endpoint_url,
					       "AWS_ENDPOINT_URL_SECRETS_MANAGER")
				     : NULL;
	if (r == 0 && a->set.endpoint_url && !cloud_url_valid(a->set.endpoint_url))
		r = err_set(reterr, -EINVAL, "endpoint_url must be https://HOST");
	if (r == 0 && !s->access_key_id != !s->secret_access_key)
		r = err_set(
			reterr, -EINVAL, "access_key_id and secret_access_key are given together");
	if (r < 0)
		cloud_store_free(&a->base);
	else
		*ret = &a->base;
	return r;
}
