/* SPDX-License-Identifier: Apache-2.0 */
#include "trustee/kbs/reply.h"

#include <jansson.h>
#include <stdarg.h>

#define VARIANT_URL "https://github.com/confidential-containers/kbs/errors/"

static const struct {
	int status;
	const char *variant;
} g_errors[REPLY_ERROR_MAX_] = {
	[REPLY_OK] = {200, ""},
	[REPLY_ADMIN_AUTH_ACCESS] = {401, "AdminAuthAccess"},
	[REPLY_ATTESTATION_ERROR] = {401, "AttestationError"},
	[REPLY_PLUGIN_INTERNAL] = {401, "PluginInternalError"},
	[REPLY_PLUGIN_NOT_FOUND] = {404, "PluginNotFound"},
	[REPLY_INVALID_PATH] = {404, "InvalidRequestPath"},
	[REPLY_POLICY_DENY] = {401, "PolicyDeny"},
	[REPLY_PARSE_POLICY] = {401, "ParsePolicyError"},
	[REPLY_POLICY_ENGINE] = {401, "PolicyEngineError"},
	[REPLY_RVPS] = {401, "RvpsError"},
	[REPLY_TOKEN_NOT_FOUND] = {401, "TokenNotFound"},
	[REPLY_TOKEN_VERIFIER] = {401, "TokenVerifierError"},
	[REPLY_JWE] = {401, "JweError"},
	[REPLY_NOT_FOUND] = {404, "NotFound"},
	[REPLY_METHOD] = {405, "MethodNotAllowed"},
	[REPLY_PRECONDITION] = {412, "PreconditionFailed"},
	[REPLY_QUOTA] = {403, "QuotaExceeded"},
	[REPLY_TOO_LARGE] = {413, "PayloadTooLarge"},
	[REPLY_TOO_MANY] = {429, "TooManyRequests"},
	[REPLY_UNAVAILABLE] = {503, "ServiceUnavailable"},
};

void reply_init(struct reply *r)
{
	*r = (struct reply){.status = 200, .body = buf_init_secret(REPLY_BODY_MAX)};
}

void reply_done(struct reply *r)
{
	buf_done(&r->body);
}

void reply_fail(struct reply *r, enum reply_error error, const char *fmt, ...)
{
	cleanup_with(buf_done) struct buf type = buf_init(256);
	char detail[1024];
	json_t *body;
	char *text;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	buf_printf(&type, VARIANT_URL "%s", g_errors[error].variant);
	buf_clear(&r->body);
	/* What the answer would have been about is not in it. */
	r->etag[0] = r->content_type[0] = '\0';
	r->status = g_errors[error].status;
	r->type = REPLY_JSON;
	body = json_pack("{s:s, s:s}", "type", buf_str(&type), "detail", detail);
	if (!body) /* the detail was cut inside a UTF-8 sequence */
		body = json_pack("{s:s, s:s}", "type", buf_str(&type), "detail", "refused");
	text = json_dumps(body, JSON_COMPACT);
	if (text)
		buf_put_str(&r->body, text);
	free(text);
	json_decref(body);
}

void reply_json(struct reply *r, json_t *value)
{
	char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

	json_decref(value);
	if (!text) {
		reply_fail(r, REPLY_UNAVAILABLE, "out of memory");
		return;
	}
	buf_clear(&r->body);
	buf_put_str(&r->body, text);
	r->status = 200;
	r->type = REPLY_JSON;
	free(text);
}
