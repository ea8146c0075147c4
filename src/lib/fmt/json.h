/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * JSON from untrusted bytes: strict RFC 8259 through jansson, with duplicate keys, NUL in strings,
 * oversize and over-deep input refused; typed getters whose errors name the member.
 */
#include <jansson.h>

#include "base/buf.h"

#define JSON_SIZE_DEFAULT ((size_t)4 << 20)
#define JSON_DEPTH_MAX 64

static inline void json_decref_cleanup_(json_t **j)
{
	json_decref(*j);
}
/* `cleanup(json_decref) json_t *j = NULL;` drops the reference at the end of the scope. */

/**
 * json_parse() - one JSON value and nothing after it
 * @max: largest input accepted in bytes, 0 for JSON_SIZE_DEFAULT
 * Return: 0 with a new reference; -E2BIG (size or depth), -EBADMSG (with the byte offset), -ENOMEM.
 */
must_check int json_parse(struct slice in, size_t max, json_t **ret, struct err *reterr);
/**
 * json_parse_own() - as json_parse(), for what a process of husk wrote, or who holds a key it
 * trusts: no limit but jansson's depth of 2048, and no error to tell
 * Return: new reference, NULL.
 */
json_t *json_parse_own(struct slice in);

/**
 * Getters of object members. Errors: -EBADMSG when @o is not an object, the member is absent or has
 * another type; the error names @name. Strings are borrowed from @o.
 */
must_check int json_get_str(
	const json_t *o, const char *name, const char **ret, struct err *reterr);
must_check int json_get_int(const json_t *o, const char *name, int64_t min, int64_t max,
	int64_t *ret, struct err *reterr);
must_check int json_get_bool(const json_t *o, const char *name, bool *ret, struct err *reterr);
must_check int json_get_object(const json_t *o, const char *name, json_t **ret, struct err *reterr);
must_check int json_get_array(
	const json_t *o, const char *name, size_t max_count, json_t **ret, struct err *reterr);
/** json_get_b64() - base64 member (any variant), appended to @out */
must_check int json_get_b64(const json_t *o, const char *name, struct buf *out, struct err *reterr);
must_check int json_get_hex(const json_t *o, const char *name, struct buf *out, struct err *reterr);
/** json_byte() - a number 0 to 255. Return: 0, -EBADMSG. */
must_check int json_byte(const json_t *v, uint8_t *ret);
/** json_get_bytes() - array of numbers 0 to 255, appended to @out. Return: 0, -EBADMSG, -E2BIG. */
must_check int json_get_bytes(
	const json_t *o, const char *name, size_t max, struct buf *out, struct err *reterr);
/** json_opt_str() - NULL when absent or null; another type is -EBADMSG */
must_check int json_opt_str(
	const json_t *o, const char *name, const char **ret, struct err *reterr);

/** json_set_str() and kin - set a member; return 0 or -ENOMEM (also for malformed UTF-8) */
must_check int json_set_str(json_t *o, const char *name, const char *value);
must_check int json_set_slice(json_t *o, const char *name, struct slice value);
must_check int json_set_hex(json_t *o, const char *name, struct slice value);
must_check int json_set_b64(json_t *o, const char *name, struct slice value, int b64_variant);
must_check int json_set_int(json_t *o, const char *name, int64_t value);
must_check int json_set_bool(json_t *o, const char *name, bool value);
/** json_set_take() - consumes @value in every case; NULL @value is -ENOMEM */
must_check int json_set_take(json_t *o, const char *name, json_t *value);

/** json_write() - compact text appended to @out, members in insertion order. Return: 0, -ENOMEM,
 * -E2BIG. */
must_check int json_write(const json_t *j, struct buf *out);
/** json_write_pretty() - two-space indentation, for people */
must_check int json_write_pretty(const json_t *j, struct buf *out);
