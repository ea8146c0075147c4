/* SPDX-License-Identifier: Apache-2.0 */
#include "net/url.h"

#include <arpa/inet.h>

#include "base/parse.h"
#include "base/str.h"

static int bad(struct err *reterr, const char *why)
{
	return err_set(reterr, -EINVAL, "bad URL: %s", why);
}

static bool is_host_char(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_';
}

static int parse_host(struct slice host, struct url *u, struct err *reterr)
{
	uint8_t addr[16];

	if (str_copy_slice(u->host, sizeof(u->host), host) < 0 || host.size == 0)
		return bad(reterr, "host is empty or too long");
	if (u->host_is_ipv6)
		return inet_pton(AF_INET6, u->host, addr) == 1 ? 0
							       : bad(reterr, "not an IPv6 address");
	for (size_t i = 0; i < host.size; i++) {
		if (!is_host_char(host.data[i]))
			return bad(reterr, "host has a character that is not allowed");
	}
	return 0;
}

/* host[:port] or [v6][:port] */
static int parse_authority(struct slice in, struct url *u, struct err *reterr)
{
	struct slice host = in, port = SLICE_EMPTY;
	uint32_t number = u->tls ? 443 : 80;

	if (in.size > 0 && in.data[0] == '[') {
		const uint8_t *end = memchr(in.data, ']', in.size);
		if (!end)
			return bad(reterr, "']' is missing");
		size_t n = (size_t)(end - in.data);
		u->host_is_ipv6 = true;
		host = slice_cut(in, 1, n - 1);
		port = slice_cut(in, n + 1, in.size);
		if (port.size > 0 && port.data[0] != ':')
			return bad(reterr, "text after ']'");
		port = slice_cut(port, 1, port.size);
	} else {
		const uint8_t *colon = in.size ? memchr(in.data, ':', in.size) : NULL;
		if (colon) {
			size_t n = (size_t)(colon - in.data);
			host = slice_cut(in, 0, n);
			port = slice_cut(in, n + 1, in.size);
			if (port.size == 0)
				return bad(reterr, "port is missing");
		}
	}
	if (port.size > 0 && parse_u32(port, 1, 65535, &number) < 0)
		return bad(reterr, "port is not a number from 1 to 65535");
	u->port = (uint16_t)number;
	return parse_host(host, u, reterr);
}

static int set_target(struct slice in, struct url *u, struct err *reterr)
{
	const uint8_t *fragment = in.size ? memchr(in.data, '#', in.size) : NULL;
	if (fragment)
		in = slice_cut(in, 0, (size_t)(fragment - in.data));
	for (size_t i = 0; i < in.size; i++) {
		if (in.data[i] <= ' ' || in.data[i] >= 0x7F)
			return bad(reterr,
				"a character that is not allowed in a path; write it as %XX");
	}
	const char *slash = in.size == 0 || in.data[0] != '/' ? "/" : "";
	int n = snprintf(u->target, sizeof(u->target), "%s%.*s", slash, (int)in.size,
		in.data ? (const char *)in.data : "");
	return n < 0 || (size_t)n >= sizeof(u->target) ? err_set(reterr, -E2BIG, "URL is too long")
						       : 0;
}

int url_parse(const char *text, struct url *ret, struct err *reterr)
{
	struct url u = {0};
	size_t skip;

	if (strlen(text) >= URL_MAX)
		return err_set(reterr, -E2BIG, "URL is longer than %d bytes", URL_MAX);
	if (strncasecmp(text, "https://", 8) == 0) {
		u.tls = true;
		skip = 8;
	} else if (strncasecmp(text, "http://", 7) == 0) {
		skip = 7;
	} else {
		return bad(reterr, "it must start with http:// or https://");
	}
	struct slice rest = slice_str(text + skip);
	size_t n = strcspn(text + skip, "/?#");
	struct slice authority = slice_cut(rest, 0, n);
	if (authority.size > 0 && memchr(authority.data, '@', authority.size))
		return bad(reterr, "user information is not allowed");
	int r = parse_authority(authority, &u, reterr);
	if (r == 0)
		r = set_target(slice_cut(rest, n, rest.size), &u, reterr);
	if (r == 0)
		*ret = u;
	return r;
}

int url_resolve(const struct url *base, const char *location, struct url *ret, struct err *reterr)
{
	if (str_starts(location, "//")) {
		char text[URL_MAX];
		if (snprintf(text, sizeof(text), "%s:%s", base->tls ? "https" : "http", location) >=
			(int)sizeof(text))
			return err_set(reterr, -E2BIG, "URL is too long");
		return url_parse(text, ret, reterr);
	}
	if (location[0] == '/') {
		struct url u = *base;
		int r = set_target(slice_str(location), &u, reterr);
		if (r == 0)
			*ret = u;
		return r;
	}
	return url_parse(location, ret, reterr);
}

int url_format(const struct url *u, char *dst, size_t size)
{
	bool default_port = u->port == (u->tls ? 443 : 80);
	char port[8] = "";

	if (!default_port)
		snprintf(port, sizeof(port), ":%u", u->port);
	int n = snprintf(dst, size, "%s://%s%s%s%s%s", u->tls ? "https" : "http",
		u->host_is_ipv6 ? "[" : "", u->host, u->host_is_ipv6 ? "]" : "", port, u->target);
	return n < 0 || (size_t)n >= size ? -E2BIG : 0;
}
