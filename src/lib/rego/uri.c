/* SPDX-License-Identifier: Apache-2.0 */
#include "rego/uri.h"

enum part { PART_PATH, PART_HOST, PART_ZONE, PART_USER, PART_FRAGMENT };

void uri_done(struct uri *u)
{
	buf_done(&u->scheme);
	buf_done(&u->opaque);
	buf_done(&u->user);
	buf_done(&u->host);
	buf_done(&u->path);
	buf_done(&u->raw_path);
	buf_done(&u->raw_query);
	buf_done(&u->fragment);
}

static bool alnum(uint8_t c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static bool in(uint8_t c, const char *set)
{
	return c && strchr(set, c);
}

/* Whether the encoder would write @c as %XX in this part. */
static bool must_escape(uint8_t c, enum part part)
{
	if (alnum(c) || in(c, "-_.~"))
		return false;
	switch (part) {
	case PART_HOST:
	case PART_ZONE:
		return !in(c, "!$&'()*+,;=:[]<>\"");
	case PART_PATH:
		return !in(c, "$&+,/:;=@");
	case PART_USER:
		return !in(c, "$&+,;=");
	default:
		return !in(c, "$&+,/:;=?@!()*");
	}
}

static int nibble(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

static int bad_escape(struct slice s, size_t at, struct err *e)
{
	size_t n = MIN(s.size - at, (size_t)3);
	return err_set(e, -EBADMSG, "invalid URL escape \"%.*s\"", (int)n, s.data + at);
}

static int unescape(struct buf *out, struct slice s, enum part part, struct err *e)
{
	bool host = part == PART_HOST || part == PART_ZONE;
	for (size_t i = 0; i < s.size; i++) {
		uint8_t c = s.data[i];
		if (c != '%') {
			if (host && c < 0x80 && must_escape(c, part))
				return err_set(e, -EBADMSG,
					"invalid character \"%s%c\" in host name",
					c == '"' || c == '\\' ? "\\" : "", c);
			buf_put_u8(out, c);
			continue;
		}
		int hi = s.size - i > 2 ? nibble(s.data[i + 1]) : -1;
		int lo = s.size - i > 2 ? nibble(s.data[i + 2]) : -1;
		if (hi < 0 || lo < 0)
			return bad_escape(s, i, e);
		uint8_t v = (uint8_t)(hi << 4 | lo);
		bool percent = v == '%';
		/* In a host, escapes are for bytes beyond ASCII, and "%25" in front of a zone. */
		if (part == PART_HOST && hi < 8 && !percent)
			return bad_escape(s, i, e);
		if (part == PART_ZONE && !percent && v != ' ' && must_escape(v, PART_HOST))
			return bad_escape(s, i, e);
		buf_put_u8(out, v);
		i += 2;
	}
	return buf_error(out);
}

static void escape(struct buf *out, struct slice s, enum part part)
{
	for (size_t i = 0; i < s.size; i++) {
		if (must_escape(s.data[i], part))
			buf_printf(out, "%%%02X", s.data[i]);
		else
			buf_put_u8(out, s.data[i]);
	}
}

static size_t find(struct slice s, uint8_t c)
{
	const void *p = s.size ? memchr(s.data, c, s.size) : NULL;
	return p ? (size_t)((const uint8_t *)p - s.data) : s.size;
}

static size_t find_last(struct slice s, uint8_t c)
{
	for (size_t i = s.size; i-- > 0;)
		if (s.data[i] == c)
			return i;
	return s.size;
}

static struct slice from(struct slice s, size_t at)
{
	return slice_cut(s, at, s.size - at);
}

static bool port_ok(struct slice s)
{
	if (s.size == 0)
		return true;
	for (size_t i = 1; i < s.size; i++)
		if (s.data[i] < '0' || s.data[i] > '9')
			return false;
	return s.data[0] == ':';
}

static int bad_port(struct slice port, struct err *e)
{
	return err_set(e, -EBADMSG, "invalid port \"%.*s\" after host",
		(int)MIN(port.size, (size_t)100), port.data);
}

/* An address in brackets, perhaps with a zone behind "%25". */
static int parse_literal(struct slice host, struct buf *out, struct err *e)
{
	size_t end = find_last(host, ']');
	if (end == host.size)
		return err_set(e, -EBADMSG, "missing ']' in host");
	if (!port_ok(from(host, end + 1)))
		return bad_port(from(host, end + 1), e);
	const void *p = memmem(host.data, end, "%25", 3);
	size_t zone = p ? (size_t)((const uint8_t *)p - host.data) : end;
	int r = unescape(out, slice_cut(host, 0, zone), PART_HOST, e);
	if (r == 0)
		r = unescape(out, slice_cut(host, zone, end - zone), PART_ZONE, e);
	if (r == 0)
		r = unescape(out, from(host, end), PART_HOST, e);
	return r;
}

static int parse_host(struct slice host, struct buf *out, struct err *e)
{
	if (host.size && host.data[0] == '[')
		return parse_literal(host, out, e);
	size_t colon = find_last(host, ':');
	if (!port_ok(from(host, colon)))
		return bad_port(from(host, colon), e);
	if (find(host, ':') != colon)
		return err_set(e, -EBADMSG, "invalid character \":\" in host name");
	return unescape(out, host, PART_HOST, e);
}

static int parse_authority(struct slice s, struct uri *u, struct err *e)
{
	size_t at = find_last(s, '@');
	if (at == s.size)
		return parse_host(s, &u->host, e);
	int r = parse_host(from(s, at + 1), &u->host, e);
	if (r < 0)
		return r;
	struct slice user = slice_cut(s, 0, at);
	for (size_t i = 0; i < user.size; i++)
		if (!alnum(user.data[i]) && !in(user.data[i], "-._:~!$&'()*+,;=%@"))
			return err_set(e, -EBADMSG, "net/url: invalid userinfo");
	cleanup_with(buf_done) struct buf unused = {0};
	u->has_user = true;
	buf_put_slice(&u->user, user);
	return unescape(&unused, user, PART_USER, e);
}

/* Bytes of the scheme; 0 when there is none. */
static int scheme_size(struct slice s, size_t *ret, struct err *e)
{
	*ret = 0;
	for (size_t i = 0; i < s.size; i++) {
		uint8_t c = s.data[i];
		if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')
			continue;
		if (c == ':') {
			if (i == 0)
				return err_set(e, -EBADMSG, "missing protocol scheme");
			*ret = i;
			return 0;
		}
		if (i == 0 || !(alnum(c) || in(c, "+-.")))
			return 0;
	}
	return 0;
}

static int parse_path(struct slice s, struct uri *u, struct err *e)
{
	cleanup_with(buf_done) struct buf usual = {0};
	int r = unescape(&u->path, s, PART_PATH, e);
	if (r < 0)
		return r;
	escape(&usual, buf_slice(&u->path), PART_PATH);
	if (!slice_eq(buf_slice(&usual), s))
		buf_put_slice(&u->raw_path, s);
	return buf_error(&usual) ? buf_error(&usual) : buf_error(&u->raw_path);
}

static int parse_rest(struct slice s, struct uri *u, struct err *e)
{
	size_t scheme, query = find(s, '?');
	int r = scheme_size(s, &scheme, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < scheme; i++) {
		uint8_t c = s.data[i];
		buf_put_u8(&u->scheme, c >= 'A' && c <= 'Z' ? c | 0x20 : c);
	}
	u->force_query = query + 1 == s.size;
	if (query < s.size)
		buf_put_slice(&u->raw_query, from(s, query + 1));
	s = slice_cut(s, 0, query);
	if (scheme)
		s = from(s, scheme + 1);
	bool rooted = s.size && s.data[0] == '/';
	if (!rooted && scheme) {
		buf_put_slice(&u->opaque, s);
		return buf_error(&u->opaque);
	}
	size_t first = find(s, '/');
	if (!rooted && find(slice_cut(s, 0, first), ':') < first)
		return err_set(e, -EBADMSG, "first path segment in URL cannot contain colon");
	bool two = s.size > 1 && rooted && s.data[1] == '/';
	bool three = two && s.size > 2 && s.data[2] == '/';
	if (two && (scheme || !three)) {
		s = from(s, 2);
		first = find(s, '/');
		r = parse_authority(slice_cut(s, 0, first), u, e);
		s = from(s, first);
	} else {
		u->omit_host = scheme && rooted;
	}
	return r < 0 ? r : parse_path(s, u, e);
}

int uri_parse(struct slice text, struct uri *ret, struct err *reterr)
{
	*ret = (struct uri){0};
	size_t hash = find(text, '#');
	struct slice s = slice_cut(text, 0, hash);
	for (size_t i = 0; i < s.size; i++)
		if (s.data[i] < 0x20 || s.data[i] == 0x7f)
			return err_set(
				reterr, -EBADMSG, "net/url: invalid control character in URL");
	if (slice_eq_str(s, "*"))
		buf_put_u8(&ret->path, '*');
	else {
		int r = parse_rest(s, ret, reterr);
		if (r < 0)
			return r;
	}
	return hash < text.size
		       ? unescape(&ret->fragment, from(text, hash + 1), PART_FRAGMENT, reterr)
		       : 0;
}

/* Whether a path as written is an encoding at all: then it goes out as it came. */
static bool encoded(struct slice s)
{
	for (size_t i = 0; i < s.size; i++)
		if (!in(s.data[i], "!$&'()*+,;=:@[]%") && must_escape(s.data[i], PART_PATH))
			return false;
	return true;
}

void uri_escaped_path(const struct uri *u, struct buf *out)
{
	struct slice raw = buf_slice(&u->raw_path), path = buf_slice(&u->path);
	if (raw.size && encoded(raw))
		buf_put_slice(out, raw);
	else if (slice_eq_str(path, "*"))
		buf_put_u8(out, '*');
	else
		escape(out, path, PART_PATH);
}

void uri_text(const struct uri *u, struct buf *out)
{
	cleanup_with(buf_done) struct buf path = {0};
	if (u->scheme.size) {
		buf_put_slice(out, buf_slice(&u->scheme));
		buf_put_u8(out, ':');
	}
	if (u->opaque.size) {
		buf_put_slice(out, buf_slice(&u->opaque));
	} else {
		bool authority = u->host.size || u->has_user ||
				 (u->scheme.size && u->path.size && !u->omit_host);
		uri_escaped_path(u, &path);
		if (authority && (u->host.size || u->has_user || u->path.size))
			buf_put_str(out, "//");
		if (u->has_user) {
			buf_put_slice(out, buf_slice(&u->user));
			buf_put_u8(out, '@');
		}
		escape(out, buf_slice(&u->host), PART_HOST);
		if (path.size && path.data[0] != '/' && u->host.size)
			buf_put_u8(out, '/');
		buf_put_slice(out, buf_slice(&path));
	}
	if (u->force_query || u->raw_query.size) {
		buf_put_u8(out, '?');
		buf_put_slice(out, buf_slice(&u->raw_query));
	}
	if (u->fragment.size) {
		buf_put_u8(out, '#');
		escape(out, buf_slice(&u->fragment), PART_FRAGMENT);
	}
}

static void split_port(const struct uri *u, struct slice *host, struct slice *port)
{
	struct slice s = buf_slice(&u->host);
	size_t colon = find_last(s, ':');
	*port = SLICE_EMPTY;
	if (colon < s.size && port_ok(from(s, colon))) {
		*port = from(s, colon + 1);
		s = slice_cut(s, 0, colon);
	}
	if (s.size > 1 && s.data[0] == '[' && s.data[s.size - 1] == ']')
		s = slice_cut(s, 1, s.size - 2);
	*host = s;
}

struct slice uri_hostname(const struct uri *u)
{
	struct slice host, port;
	split_port(u, &host, &port);
	return host;
}

struct slice uri_port(const struct uri *u)
{
	struct slice host, port;
	split_port(u, &host, &port);
	return port;
}
