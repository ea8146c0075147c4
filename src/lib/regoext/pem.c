/* SPDX-License-Identifier: Apache-2.0 */
#include "pem.h"

#include "base/enc.h"

/* Where @what is in @s from @from on; s.size when it is not there. */
static size_t find(struct slice s, const char *what, size_t from)
{
	size_t n = strlen(what);
	const void *p = from < s.size ? memmem(s.data + from, s.size - from, what, n) : NULL;
	return p ? (size_t)((const uint8_t *)p - s.data) : s.size;
}

static size_t line_end(struct slice s, size_t at)
{
	const void *p = at < s.size ? memchr(s.data + at, '\n', s.size - at) : NULL;
	return p ? (size_t)((const uint8_t *)p - s.data) : s.size;
}

static struct slice trimmed(struct slice s)
{
	while (s.size && (s.data[s.size - 1] == ' ' || s.data[s.size - 1] == '\t' ||
				 s.data[s.size - 1] == '\r'))
		s.size--;
	return s;
}

/* Headers ("Proc-Type: ...") stand before the body: lines with a colon. */
static size_t skip_headers(struct slice s, size_t at, size_t end)
{
	while (at < end) {
		size_t eol = line_end(s, at);
		if (!memchr(s.data + at, ':', MIN(eol, end) - at))
			break;
		at = eol + 1;
	}
	return at;
}

/* A block whose BEGIN line starts at @begin. Return: offset after it, 0 when it is malformed. */
static size_t read_block(struct slice s, size_t begin, struct slice *ret_type, struct buf *der)
{
	size_t eol = line_end(s, begin);
	struct slice label = trimmed(slice_cut(s, begin + 11, eol - MIN(eol, begin + 11)));
	if (label.size < 5 || memcmp(label.data + label.size - 5, "-----", 5) != 0)
		return 0;
	label.size -= 5;
	size_t body = eol + 1, end = find(s, "\n-----END ", eol);
	if (end == s.size)
		return 0;
	size_t tail = end + 10, after = line_end(s, tail);
	struct slice closing = trimmed(slice_cut(s, tail, after - tail));
	if (closing.size != label.size + 5 || memcmp(closing.data, label.data, label.size) != 0 ||
		memcmp(closing.data + label.size, "-----", 5) != 0)
		return 0;
	body = skip_headers(s, body, end);
	buf_clear(der);
	struct slice text = body < end ? slice_cut(s, body, end - body) : SLICE_EMPTY;
	cleanup_with(buf_done) struct buf dense = {0};
	for (size_t i = 0; i < text.size; i++)
		if (text.data[i] != ' ' && text.data[i] != '\t')
			buf_put_u8(&dense, text.data[i]);
	if (b64_decode_lenient(der, buf_slice(&dense), B64_STD, NULL) < 0)
		return 0;
	*ret_type = label;
	return after < s.size ? after + 1 : s.size;
}

int pem_next(struct slice *text, struct slice *ret_type, struct buf *der)
{
	struct slice s = *text;
	for (size_t at = 0; at < s.size;) {
		size_t begin = find(s, "-----BEGIN ", at);
		if (begin == s.size)
			break;
		bool at_line = begin == 0 || s.data[begin - 1] == '\n';
		size_t after = at_line ? read_block(s, begin, ret_type, der) : 0;
		if (after) {
			*text = slice_cut(s, after, s.size - after);
			return buf_error(der);
		}
		at = begin + 11;
	}
	return -ENOENT;
}
