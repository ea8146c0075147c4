/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of OAuth 2.0 (RFC 6749) and what asks for them (RFC 7523). */
#include "base/clock.h"
#include "base/parse.h"
#include "base/str.h"
#include "cloud/internal.h"
#include "crypto/jose.h"
#include "fmt/json.h"

/* A token is renewed this long before its end, or at half of a short life. */
#define MARGIN_S 60
#define LIFE_MAX_S 86400

void cloud_token_done(struct cloud_token *t)
{
	buf_done(&t->value);
	*t = (struct cloud_token){0};
}

bool cloud_token_fresh(const struct cloud_token *t, int64_t now_s)
{
	return t->value.size > 0 && now_s < t->refresh_s;
}

/* "error" is a word (RFC 6749), or with Google an object. */
static const char *reason_of(const json_t *body)
{
	const json_t *error = json_object_get(body, "error");
	const char *text = json_string_value(json_object_get(body, "error_description"));

	if (!text)
		text = json_string_value(
			json_is_object(error) ? json_object_get(error, "message") : error);
	return text ? text : "";
}

/* A number; Azure's metadata service writes it as text. */
static int life_of(const json_t *body, int64_t *ret)
{
	const json_t *v = json_object_get(body, "expires_in");
	const char *text = json_string_value(v);
	uint64_t number;

	if (text && parse_u64(slice_str(text), 1, INT64_MAX, &number) == 0)
		*ret = (int64_t)number;
	else if (json_is_integer(v) && json_integer_value(v) > 0)
		*ret = json_integer_value(v);
	else
		return -EBADMSG;
	*ret = MIN(*ret, LIFE_MAX_S);
	return 0;
}

/* A wrong credential is a 400 (RFC 6749, 5.2): invalid_client, invalid_grant. */
static int check_status(const char *service, int status, const json_t *body, struct err *reterr)
{
	const char *text = reason_of(body);
	int r = cloud_status(service, status, text, reterr);

	if (status == 400 || status == 404)
		return err_set(reterr, -EACCES, "%s gives no token (HTTP %d)%s%.200s", service,
			status, text[0] ? ": " : "", text);
	return r;
}

int oauth_read(const char *service, int status, struct slice body, int64_t now_s,
	struct cloud_token *ret, struct err *reterr)
{
	cleanup(json_decref) json_t *answer = NULL;
	struct buf value = buf_init_secret(CLOUD_TOKEN_MAX);
	const char *token = NULL, *type = NULL;
	struct err unread = {0};
	int64_t life = 0;
	int parsed = json_parse(body, CLOUD_TOKEN_MAX, &answer, &unread);
	int r = check_status(service, status, answer, reterr);

	if (r < 0)
		return r;
	if (parsed < 0)
		return err_set(reterr, -EBADMSG, "%s: the answer is not JSON: %s", service,
			err_text(&unread, parsed));
	r = json_get_str(answer, "access_token", &token, reterr);
	if (r == 0)
		r = json_opt_str(answer, "token_type", &type, reterr);
	if (r == 0 && type && strcasecmp(type, "Bearer") != 0)
		r = err_set(reterr, -EBADMSG, "the token is not a bearer token");
	if (r == 0 && !cloud_printable(slice_str(token)))
		r = err_set(reterr, -EBADMSG, "access_token is not printable ASCII");
	if (r == 0 && life_of(answer, &life) < 0)
		r = err_set(reterr, -EBADMSG, "expires_in is not a number of seconds");
	if (r < 0)
		return err_wrap(reterr, r, "%s", service);
	buf_put_str(&value, token);
	/* The tree is freed by its library, which does not know what is in it. */
	explicit_bzero((void *)(uintptr_t)token, strlen(token));
	if (buf_error(&value) < 0)
		return buf_error(&value);
	cloud_token_done(ret);
	*ret = (struct cloud_token){value, now_s + life - MIN(MARGIN_S, life / 2)};
	return 0;
}

int oauth_call(struct http_client *http, const char *service, const char *url, struct slice form,
	const struct http_field *field, struct cloud_token *ret, struct err *reterr)
{
	static const struct http_field g_form = {
		"Content-Type", "application/x-www-form-urlencoded"};
	const struct http_call call = {.method = form.size ? "POST" : "GET",
		.url = url,
		.fields = field ? field : &g_form,
		.field_count = 1,
		.body = form,
		.answer_max = CLOUD_TOKEN_MAX};
	struct http_answer a = {0};
	int r = cloud_call(http, &call, &a, reterr);

	if (r == 0)
		r = oauth_read(service, a.status, buf_slice(&a.body), clock_unix_s(), ret, reterr);
	http_answer_done(&a);
	return r;
}

int oauth_sign(const struct oauth_assertion *a, struct buf *out)
{
	const int64_t until = a->now_s + a->life_s;
	cleanup(json_decref) json_t *header = json_pack("{s:s, s:s, s:s*}", "alg", "", "typ", "JWT",
		a->header_name ? a->header_name : "kid", a->header_value);
	cleanup(json_decref) json_t *claims = json_pack("{s:s, s:s*, s:s, s:s*, s:s*, s:I, s:I}",
		"iss", a->issuer, "sub", a->subject, "aud", a->audience, "scope", a->scope, "jti",
		a->jti, "iat", (json_int_t)a->now_s, "exp", (json_int_t)until);
	cleanup_with(buf_done) struct buf payload = {0};
	int r = header && claims ? 0 : -ENOMEM;

	/* Who asks for an identifier asks for this, too. */
	if (r == 0 && a->jti)
		r = json_set_int(claims, "nbf", a->now_s);
	if (r == 0)
		r = json_write(claims, &payload);
	return r < 0 ? r : jws_sign(a->key, a->alg, header, buf_slice(&payload), out);
}

static int bearer_call_once(struct http_client *http, const struct oauth_bearer *b,
	const char *method, const char *url, struct slice body, struct http_answer *ret,
	struct err *reterr)
{
	cleanup_with(buf_done) struct buf bearer = buf_init_secret(0);
	int r = b->need(b->cookie, reterr);

	buf_printf(&bearer, "Bearer %s", buf_str(&b->token->value));
	const struct http_field fields[] = {
		{"Authorization", buf_str(&bearer)},
		{"Content-Type", "application/json"},
	};
	const struct http_call c = {.method = method,
		.url = url,
		.fields = fields,
		.field_count = ARRAY_COUNT(fields),
		.body = body};

	if (r == 0)
		r = buf_error(&bearer);
	return r < 0 ? r : cloud_call(http, &c, ret, reterr);
}

int oauth_bearer_call(struct http_client *http, const struct oauth_bearer *b, const char *method,
	const char *url, struct slice body, struct http_answer *ret, struct err *reterr)
{
	bool old = b->token->value.size > 0;
	int r = bearer_call_once(http, b, method, url, body, ret, reterr);

	if (r < 0 || ret->status != 401)
		return r;
	cloud_token_done(b->token);
	if (!old)
		return 0;
	http_answer_done(ret);
	return bearer_call_once(http, b, method, url, body, ret, reterr);
}
