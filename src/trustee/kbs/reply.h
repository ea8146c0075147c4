/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Answers to clients. Deployed clients depend on the shape: every error is 401 except an unknown
 * path or plugin, which is 404; the body is {"type": URL of the variant, "detail": text}. husk adds
 * 405 (wrong method), 413 (body over the limit), 429 (too many handshakes) and 503 (not ready),
 * which those clients treat as any other failure.
 */
#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"

enum reply_error {
	REPLY_OK,
	REPLY_ADMIN_AUTH_ACCESS,
	REPLY_ATTESTATION_ERROR,
	REPLY_PLUGIN_INTERNAL,
	REPLY_PLUGIN_NOT_FOUND,
	REPLY_INVALID_PATH,
	REPLY_POLICY_DENY,
	REPLY_PARSE_POLICY,
	REPLY_POLICY_ENGINE,
	REPLY_RVPS,
	REPLY_TOKEN_NOT_FOUND,
	REPLY_TOKEN_VERIFIER,
	REPLY_JWE,
	REPLY_NOT_FOUND, /* husk's admin API only */
	REPLY_METHOD,
	REPLY_PRECONDITION,
	REPLY_QUOTA,
	REPLY_TOO_LARGE,
	REPLY_TOO_MANY,
	REPLY_UNAVAILABLE,
	REPLY_ERROR_MAX_,
};

#define REPLY_BODY_MAX ((size_t)64 << 20) /* a backup; all else is far smaller */
#define REPLY_COOKIE_SIZE 160

/**
 * struct reply - an answer under construction
 * @type: content type, static text; NULL sends none
 * @cookie: value of Set-Cookie, "" for none
 * @etag: value of ETag, "" for none
 * @content_type: what an encrypted resource is inside, sent as X-Husk-Content-Type
 */
struct reply {
	int status;
	const char *type;
	char cookie[REPLY_COOKIE_SIZE];
	char etag[32];
	char content_type[128];
	struct buf body;
};

#define REPLY_JSON "application/json"
#define REPLY_TEXT "text/plain; charset=utf-8"
#define REPLY_XML "text/xml" /* what upstream says of empty and raw plugin answers */

/** reply_init() - an empty 200 */
void reply_init(struct reply *r);
void reply_done(struct reply *r);
/**
 * reply_fail() - make @r the error @error, replacing what it held (a cookie stays)
 * @fmt: the detail as text; for plugin names and other fixed shapes the caller gives the whole text
 */
void reply_fail(struct reply *r, enum reply_error error, const char *fmt, ...) format_printf(3, 4);
/** reply_json() - 200 with the JSON text of @value, which is consumed (may be NULL: out of memory) */

void reply_json(struct reply *r, json_t *value);
