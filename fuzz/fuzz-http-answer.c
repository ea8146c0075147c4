/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Callers: whatever asks a registry, a vendor, a cloud's store or a key broker. Attacker: that server,
 * or who answers in its place. Format: HTTP/1.1 answers with their bodies, also in chunks. Properties:
 * an answer is the same however its bytes arrive; limits hold; header fields are pairs of clean texts.
 */
#include "base/str.h"
#include "net/http_answer.h"

#define BODY_MAX 4096

/* What conn.c has behind this name is not reached: reading is wrapped. */
struct conn {
	struct slice left;
	size_t piece;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
ssize_t __wrap_conn_read(struct conn *c, void *dst, size_t size, uint64_t deadline);

ssize_t __wrap_conn_read(struct conn *c, void *dst, size_t size, uint64_t deadline)
{
	size_t n = MIN(MIN(size, c->piece), c->left.size);

	if (n > 0)
		memcpy(dst, c->left.data, n);
	c->left = slice_cut(c->left, n, SIZE_MAX);
	return (ssize_t)n;
}

static int read_answer(struct slice in, size_t piece, bool head_only, struct http_answer *ret)
{
	const struct http_answer_options o = {.body_max = BODY_MAX, .head_only = head_only};
	struct conn c = {in, piece};
	bool keep, started = false;

	return http_answer_read(&c, &o, ret, &keep, &started, NULL);
}

static void check(const struct http_answer *a)
{
	const struct buf *h = &a->headers;
	size_t texts = 0;

	if (a->status < 200 || a->status > 999 || a->body.size > BODY_MAX)
		abort();
	for (size_t i = 0; i < h->size; i++) {
		uint8_t c = h->data[i];
		texts += c == 0;
		if (c == '\n' || c == '\r' || c == 0x7f || (texts % 2 == 0 && c >= 'A' && c <= 'Z'))
			abort();
	}
	if (texts % 2 != 0 || (h->size > 0 && h->data[h->size - 1] != 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_cut(slice_of(data, size), 1, SIZE_MAX);

	if (size == 0)
		return 0;
	for (int head_only = 0; head_only < 2; head_only++) {
		struct http_answer whole = {0}, parts = {0};
		int r = read_answer(in, SIZE_MAX, head_only, &whole);

		if (read_answer(in, data[0] + 1u, head_only, &parts) != r)
			abort();
		if (r == 0) {
			check(&whole);
			if (whole.status != parts.status ||
				!slice_eq(buf_slice(&whole.headers), buf_slice(&parts.headers)) ||
				!slice_eq(buf_slice(&whole.body), buf_slice(&parts.body)))
				abort();
		}
		http_answer_done(&whole);
		http_answer_done(&parts);
	}
	return 0;
}
