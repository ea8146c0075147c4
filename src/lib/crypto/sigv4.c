/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/sigv4.h"

#include <stdlib.h>
#include <time.h>

#include "base/enc.h"
#include "crypto/hash.h"

const char *sigv4_stamp(int64_t unix_s, char ret[SIGV4_STAMP_SIZE])
{
	time_t t = unix_s;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || strftime(ret, SIGV4_STAMP_SIZE, "%Y%m%dT%H%M%SZ", &tm) == 0)
		ret[0] = '\0';
	return ret;
}

int sigv4_hash(struct slice in, char ret[SIGV4_HASH_SIZE])
{
	struct digest d;
	int r = hash_once(HASH_SHA256, in, &d);

	ret[0] = '\0';
	if (r == 0)
		hex_str(digest_slice(&d), ret, SIGV4_HASH_SIZE);
	return r;
}

static int by_name(const void *a, const void *b)
{
	const struct sigv4_header *x = a, *y = b;
	size_t n = MIN(x->name.size, y->name.size);
	int order = n ? memcmp(x->name.data, y->name.data, n) : 0;

	return order ? order : (x->name.size > y->name.size) - (x->name.size < y->name.size);
}

void sigv4_sort(struct sigv4_header *headers, size_t count)
{
	if (count > 0)
		qsort(headers, count, sizeof(*headers), by_name);
}

static struct slice day_of(const struct sigv4 *s)
{
	return slice_cut(slice_str(s->stamp), 0, 8);
}

static void put_names(const struct sigv4 *s, struct buf *out)
{
	for (size_t i = 0; i < s->header_count; i++) {
		if (i)
			buf_put_u8(out, ';');
		buf_put_slice(out, s->headers[i].name);
	}
}

static void put_scope(const struct sigv4 *s, struct buf *out)
{
	buf_put_slice(out, day_of(s));
	buf_put_u8(out, '/');
	buf_put_slice(out, s->region);
	buf_put_u8(out, '/');
	buf_put_slice(out, s->service);
	buf_put_str(out, "/aws4_request");
}

static void canonical_request(const struct sigv4 *s, struct buf *out)
{
	buf_put_slice(out, s->method);
	buf_put_u8(out, '\n');
	buf_put_slice(out, s->path);
	buf_put_u8(out, '\n');
	buf_put_slice(out, s->query);
	buf_put_u8(out, '\n');
	for (size_t i = 0; i < s->header_count; i++) {
		buf_put_slice(out, s->headers[i].name);
		buf_put_u8(out, ':');
		buf_put_slice(out, s->headers[i].value);
		buf_put_u8(out, '\n');
	}
	buf_put_u8(out, '\n');
	put_names(s, out);
	buf_put_u8(out, '\n');
	buf_put_slice(out, s->payload_hash);
}

static int string_to_sign(const struct sigv4 *s, struct buf *out)
{
	cleanup_with(buf_done) struct buf request = buf_init_secret(0);
	char hash[SIGV4_HASH_SIZE];
	int r;

	canonical_request(s, &request);
	r = buf_error(&request);
	if (r == 0)
		r = sigv4_hash(buf_slice(&request), hash);
	if (r < 0)
		return r;
	buf_printf(out, "AWS4-HMAC-SHA256\n%s\n", s->stamp);
	put_scope(s, out);
	buf_printf(out, "\n%s", hash);
	return buf_error(out);
}

/* Each part of the scope is hashed with the result of the one before. */
static int signature(const struct sigv4 *s, struct digest *ret)
{
	cleanup_with(buf_done) struct buf text = {0}, first = buf_init_secret(0);
	const struct slice part[] = {day_of(s), s->region, s->service, SLICE_LIT("aws4_request")};
	struct digest key = {0};
	int r = string_to_sign(s, &text);

	buf_put_str(&first, "AWS4");
	buf_put_slice(&first, s->secret);
	if (r == 0)
		r = buf_error(&first);
	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(part); i++) {
		struct digest before = key;
		struct slice k = i ? digest_slice(&before) : buf_slice(&first);

		r = hmac_once(HASH_SHA256, k, part[i], &key);
		explicit_bzero(&before, sizeof(before));
	}
	if (r == 0)
		r = hmac_once(HASH_SHA256, digest_slice(&key), buf_slice(&text), ret);
	explicit_bzero(&key, sizeof(key));
	return r;
}

int sigv4_authorization(const struct sigv4 *s, struct buf *out)
{
	struct digest d = {0};
	int r = strlen(s->stamp) == SIGV4_STAMP_SIZE - 1 ? signature(s, &d) : -EINVAL;

	if (r < 0)
		return r;
	buf_put_str(out, "AWS4-HMAC-SHA256 Credential=");
	buf_put_slice(out, s->access);
	buf_put_u8(out, '/');
	put_scope(s, out);
	buf_put_str(out, ",SignedHeaders=");
	put_names(s, out);
	buf_put_str(out, ",Signature=");
	hex_encode(out, digest_slice(&d));
	return buf_error(out);
}
