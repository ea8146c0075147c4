/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Absolute http and https URLs (RFC 3986), strictly: no user information, no control bytes, no
 * spaces. */
#include "base/err.h"
#include "base/slice.h"

#define URL_MAX 8192
#define URL_HOST_MAX 254

/**
 * struct url - the parts of an absolute URL
 * @host: name or literal address without brackets
 * @target: path and query for the request line, always starting with '/'; the fragment is dropped
 */
struct url {
	bool tls;
	char host[URL_HOST_MAX];
	uint16_t port;
	bool host_is_ipv6;
	char target[URL_MAX];
};

/** url_parse() - Return: 0, -EINVAL (with the reason), -E2BIG */
must_check int url_parse(const char *text, struct url *ret, struct err *reterr);
/**
 * url_resolve() - a Location header against the URL it came from: absolute, "//host/path" or
 * "/path" Return: as url_parse().
 */
must_check int url_resolve(
	const struct url *base, const char *location, struct url *ret, struct err *reterr);
/** url_format() - text of the URL into @dst. Return: 0, -E2BIG. */
must_check int url_format(const struct url *u, char *dst, size_t size);
