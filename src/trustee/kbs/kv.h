/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Client of HashiCorp Vault's (and OpenBao's) key-value engine, versions 1 and 2, with a token.
 * Spec: the HTTP API of the engine, /v1/MOUNT/PATH and /v1/MOUNT/{data,metadata}/PATH. A resource is
 * the member "data" of a secret: bytes as an array of numbers, which Trustee writes, or a string,
 * which `vault kv put` writes.
 */
#include "base/buf.h"
#include "base/err.h"

#define KV_URL_MAX 2048
#define KV_ANSWER_MAX ((size_t)16 << 20)

struct http_client;

/**
 * struct kv_settings - where the secrets are; strings are borrowed
 * @url: http:// or https://, without a path
 * @token: sent as bearer token, so that it does not follow a redirect to another host
 * @mount: path of the engine
 * @prefix: in front of each path; NULL for none
 * @version: of the engine, 1 or 2
 */
struct kv_settings {
	const char *url, *token, *mount, *prefix;
	unsigned version;
};

/** kv_path_valid() - segments of [A-Za-z0-9_.-] with one slash between them, none of dots only */
bool kv_path_valid(const char *path);
/**
 * kv_read() - a secret in an answer of the engine
 * @version: of the engine
 * @value: receives the resource, appended
 * @ret_version: of the secret; 0 with version 1 of the engine
 *
 * Return: 0, -ENOENT (status 404), -EACCES (401, 403), -EAGAIN (Vault is sealed, busy or out of
 * order: 412, 429, 472, 473, 5xx), -ESTALE (a write's precondition does not hold), -EBADMSG
 * (anything else), -E2BIG, -ENOMEM. @reterr has Vault's own message.
 */
must_check int kv_read(int status, struct slice body, unsigned version, struct buf *value,
	int64_t *ret_version, struct err *reterr);
/** kv_read_written() - likewise the answer to a write or deletion */
must_check int kv_read_written(
	int status, struct slice body, unsigned version, int64_t *ret_version, struct err *reterr);
/**
 * kv_get() - @secret_version: 0 for the current one
 * Return: as kv_read() and http_client_call(); -EINVAL for a version of version 1.
 */
must_check int kv_get(struct http_client *http, const struct kv_settings *s, const char *path,
	int64_t secret_version, struct buf *value, int64_t *ret_version, struct err *reterr);
/**
 * kv_put() - @cas: version that must be the current one, 0: there must be none, -1: whatever is
 * Return: as kv_get(); -ESTALE when @cas does not hold.
 */
must_check int kv_put(struct http_client *http, const struct kv_settings *s, const char *path,
	struct slice value, int64_t cas, int64_t *ret_version, struct err *reterr);
/** kv_delete() - all versions. What does not exist is no error. Return: as kv_get(). */
must_check int kv_delete(struct http_client *http, const struct kv_settings *s, const char *path,
	struct err *reterr);
