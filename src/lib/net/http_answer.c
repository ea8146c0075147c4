/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http_answer.h"

#include <ctype.h>

#include "base/parse.h"
#include "base/str.h"

#define BLOCK_SIZE ((size_t)64 << 10)

const char *http_answer_header(const struct http_answer *a, const char *name)
{
	const char *at = buf_str(&a->headers), *end = at + a->headers.size;

	while (at < end) {
		const char *value = at + strlen(at) + 1;
		if (streq(at, name))
			return value;
		at = value + strlen(value) + 1;
	}
	return NULL;
}

void http_answer_done(struct http_answer *a)
{
	buf_done(&a->body);
	buf_done(&a->headers);
	buf_done(&a->url);
	*a = (struct http_answer){0};
}

static bool clean(struct slice s)
{
	for (size_t i = 0; i < s.size; i++)
		if ((s.data[i] < ' ' && s.data[i] != '\t') || s.data[i] == 0x7F)
			return false;
	return true;
}

static int status_line(struct slice line, struct http_head *h, struct err *reterr)
{
	uint32_t status;

	if (!slice_starts(line, SLICE_LIT("HTTP/1.")) || line.size < 12 || line.data[8] != ' ' ||
		(line.data[7] != '0' && line.data[7] != '1') || !clean(line) ||
		parse_u32(slice_cut(line, 9, 3), 100, 599, &status) < 0 ||
		(line.size > 12 && line.data[12] != ' '))
		return err_set(reterr, -EPROTO, "the answer is not HTTP/1.1");
	h->status = (int)status;
	h->keep_alive = line.data[7] == '1';
	return 0;
}

static bool is_token(uint8_t c)
{
	return isalnum(c) || (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static int note_field(struct http_head *h, const char *name, struct slice value, struct err *reterr)
{
	uint64_t length;

	if (streq(name, "content-length")) {
		if (parse_u64(value, 0, INT64_MAX, &length) < 0 ||
			(h->has_length && length != h->length))
			return err_set(reterr, -EPROTO, "the answer has a bad Content-Length");
		h->has_length = true;
		h->length = length;
	} else if (streq(name, "transfer-encoding")) {
		if (value.size != 7 || strncasecmp((const char *)value.data, "chunked", 7) != 0)
			return err_set(
				reterr, -EPROTO, "the answer has an unknown Transfer-Encoding");
		h->chunked = true;
	} else if (streq(name, "connection")) {
		if (value.size == 5 && strncasecmp((const char *)value.data, "close", 5) == 0)
			h->keep_alive = false;
	}
	return 0;
}

static int field_line(
	struct slice line, struct http_head *h, struct buf *fields, struct err *reterr)
{
	char name[128];
	const uint8_t *colon = line.size ? memchr(line.data, ':', line.size) : NULL;
	size_t n = colon ? (size_t)(colon - line.data) : 0;

	if (n == 0 || n >= sizeof(name))
		return err_set(reterr, -EPROTO, "the answer has a malformed header field");
	for (size_t i = 0; i < n; i++) {
		if (!is_token(line.data[i]))
			return err_set(reterr, -EPROTO, "the answer has a malformed header name");
		name[i] = (char)tolower(line.data[i]);
	}
	name[n] = 0;
	struct slice value = slice_cut(line, n + 1, line.size);
	while (value.size > 0 && (value.data[0] == ' ' || value.data[0] == '\t'))
		value = slice_cut(value, 1, value.size);
	while (value.size > 0 &&
		(value.data[value.size - 1] == ' ' || value.data[value.size - 1] == '\t'))
		value.size--;
	if (!clean(value))
		return err_set(reterr, -EPROTO, "header %s holds a control character", name);
	buf_put(fields, name, n + 1);
	buf_put_slice(fields, value);
	buf_put_u8(fields, 0);
	return note_field(h, name, value, reterr);
}

int http_head_parse(
	struct slice head, struct http_head *ret, struct buf *fields, struct err *reterr)
{
	struct http_head h = {0};
	size_t count = 0;

	for (size_t from = 0; from <= head.size; count++) {
		struct slice rest = slice_cut(head, from, head.size);
		const uint8_t *end = rest.size ? memmem(rest.data, rest.size, "\r\n", 2) : NULL;
		struct slice line = slice_cut(rest, 0, end ? (size_t)(end - rest.data) : rest.size);
		int r = count == 0 ? status_line(line, &h, reterr)
				   : field_line(line, &h, fields, reterr);
		if (r < 0)
			return r;
		if (count == HTTP_FIELDS_MAX)
			return err_set(reterr, -E2BIG, "the answer has more than %d headers",
				HTTP_FIELDS_MAX);
		from += line.size + 2;
		if (!end)
			break;
	}
	/* RFC 9112 section 6.3: both together is how answers are smuggled. */
	if (h.chunked && h.has_length)
		return err_set(reterr, -EPROTO, "the answer has both Content-Length and chunks");
	if (buf_error(fields) < 0)
		return buf_error(fields);
	*ret = h;
	return 0;
}

struct reader {
	struct conn *conn;
	const struct http_answer_options *o;
	struct http_answer *answer;
	struct buf in; /* read and not used yet */
	uint64_t taken;
	bool stream; /* the body goes to on_body */
	struct err *reterr;
};

static int more(struct reader *r)
{
	uint8_t *room = buf_reserve(&r->in, BLOCK_SIZE);
	if (!room)
		return buf_error(&r->in);
	ssize_t n = conn_read(r->conn, room, BLOCK_SIZE, r->o->deadline);
	if (n > 0)
		buf_commit(&r->in, (size_t)n);
	return n > 0 ? 0 : n < 0 ? (int)n : -ENODATA;
}

static int take_body(struct reader *r, struct slice bytes)
{
	if (bytes.size > r->o->body_max - r->taken)
		return err_set(r->reterr, -E2BIG, "the answer is larger than %llu bytes",
			(unsigned long long)r->o->body_max);
	r->taken += bytes.size;
	if (r->stream)
		return bytes.size > 0 ? r->o->on_body(r->o->cookie, bytes) : 0;
	buf_put_slice(&r->answer->body, bytes);
	return buf_error(&r->answer->body);
}

static int early_end(struct reader *r, int code)
{
	return code == -ENODATA || code == -EIO
		       ? err_set(r->reterr, -EPROTO,
				 "the answer ended after %llu bytes of its body",
				 (unsigned long long)r->taken)
		       : code;
}

static int take_counted(struct reader *r, uint64_t size)
{
	while (size > 0) {
		if (r->in.size == 0) {
			int e = more(r);
			if (e < 0)
				return early_end(r, e);
		}
		size_t n = (size_t)MIN(size, (uint64_t)r->in.size);
		int e = take_body(r, slice_of(r->in.data, n));
		if (e < 0)
			return e;
		buf_consume(&r->in, n);
		size -= n;
	}
	return 0;
}

/* A line of at most 1 KiB, without its end, copied into @line. */
static int take_line(struct reader *r, char *line, size_t size)
{
	for (;;) {
		uint8_t *lf = r->in.size ? memchr(r->in.data, '\n', r->in.size) : NULL;
		if (lf) {
			size_t n = (size_t)(lf - r->in.data);
			size_t kept = n > 0 && r->in.data[n - 1] == '\r' ? n - 1 : n;
			int e = str_copy_slice(line, size, slice_of(r->in.data, kept));
			buf_consume(&r->in, n + 1);
			return e < 0 ? err_set(r->reterr, -EPROTO,
					       "the answer has a malformed chunk")
				     : 0;
		}
		if (r->in.size >= size)
			return err_set(r->reterr, -EPROTO, "the answer has a malformed chunk");
		int e = more(r);
		if (e < 0)
			return early_end(r, e);
	}
}

static int take_chunks(struct reader *r)
{
	char line[1024];
	uint64_t size;

	for (;;) {
		int e = take_line(r, line, sizeof(line));
		if (e < 0)
			return e;
		size_t digits = strspn(line, "0123456789abcdefABCDEF");
		if (digits == 0 || digits > 15 ||
			(line[digits] != 0 && line[digits] != ';' && line[digits] != ' ') ||
			parse_hex64(slice_of(line, digits), &size) < 0)
			return err_set(r->reterr, -EPROTO, "the answer has a malformed chunk");
		if (size == 0)
			break;
		e = take_counted(r, size);
		if (e == 0)
			e = take_line(r, line, sizeof(line));
		if (e < 0)
			return e;
		if (line[0] != 0)
			return err_set(r->reterr, -EPROTO, "the answer has a malformed chunk");
	}
	for (int i = 0; i < HTTP_FIELDS_MAX; i++) { /* trailer fields are not used */
		int e = take_line(r, line, sizeof(line));
		if (e < 0 || line[0] == 0)
			return e;
	}
	return err_set(r->reterr, -E2BIG, "the answer has too many trailer fields");
}

static int take_rest(struct reader *r)
{
	for (;;) {
		int e = take_body(r, buf_slice(&r->in));
		if (e < 0)
			return e;
		buf_consume(&r->in, r->in.size);
		e = more(r);
		if (e == -ENODATA)
			return 0;
		if (e < 0)
			return e;
	}
}

static int take_head(struct reader *r, struct http_head *h, bool *ret_started)
{
	size_t searched = 0;

	for (;;) {
		uint8_t *end = r->in.size >= searched + 4
				       ? memmem(r->in.data + searched, r->in.size - searched,
						 "\r\n\r\n", 4)
				       : NULL;
		if (end) {
			size_t n = (size_t)(end - r->in.data);
			buf_clear(&r->answer->headers);
			int e = http_head_parse(
				slice_of(r->in.data, n), h, &r->answer->headers, r->reterr);
			buf_consume(&r->in, n + 4);
			return e;
		}
		if (r->in.size > HTTP_HEAD_MAX)
			return err_set(r->reterr, -E2BIG,
				"the answer's headers are larger than %zu bytes", HTTP_HEAD_MAX);
		searched = r->in.size > 3 ? r->in.size - 3 : 0;
		int e = more(r);
		if (e < 0)
			return e == -ENODATA && r->in.size > 0 ? -EIO : e;
		*ret_started = true;
	}
}

static int take_answer(struct reader *r, bool *ret_keep, bool *ret_started)
{
	struct http_head h = {0};
	int e, skipped = 0;

	do {
		e = take_head(r, &h, ret_started);
		if (e == 0 && ++skipped > 8)
			e = err_set(r->reterr, -EPROTO, "too many interim answers");
		if (e == 0 && h.status == 101)
			e = err_set(r->reterr, -EPROTO, "the answer changes the protocol");
	} while (e == 0 && h.status < 200);
	if (e < 0)
		return e;
	r->answer->status = h.status;
	r->stream = r->o->on_body && h.status < 300;
	if (r->o->head_only || h.status == 204 || h.status == 304)
		e = 0;
	else if (h.chunked)
		e = take_chunks(r);
	else if (h.has_length && h.length > r->o->body_max)
		e = err_set(r->reterr, -E2BIG, "the answer of %llu bytes is larger than %llu",
			(unsigned long long)h.length, (unsigned long long)r->o->body_max);
	else if (h.has_length)
		e = take_counted(r, h.length);
	else
		e = take_rest(r), h.keep_alive = false;
	/* Bytes after the answer belong to nothing we asked for. */
	*ret_keep = e == 0 && h.keep_alive && r->in.size == 0;
	return e;
}

int http_answer_read(struct conn *conn, const struct http_answer_options *o,
	struct http_answer *ret, bool *ret_keep, bool *ret_started, struct err *reterr)
{
	struct reader r = {
		.conn = conn,
		.o = o,
		.answer = ret,
		.in = buf_init_secret(HTTP_HEAD_MAX + 4 * BLOCK_SIZE),
		.reterr = reterr,
	};
	/* Answers carry encrypted resources and tokens: their memory is wiped. */
	ret->body = buf_init_secret((size_t)MIN(o->body_max, (uint64_t)SIZE_MAX / 4));
	ret->headers = buf_init(HTTP_HEAD_MAX * 2);
	ret->url = buf_init(URL_MAX * 2);
	int e = take_answer(&r, ret_keep, ret_started);
	buf_done(&r.in);
	return e;
}
