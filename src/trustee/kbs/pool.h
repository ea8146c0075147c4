/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The vault's view of its verifiers: work is queued and given out one piece at a time, so that
 * evidence which crashes a verifier fails its own request and nobody else's. State (policies,
 * reference values) is pushed to each verifier when it comes up and on every change; a verifier
 * reads its messages in order, so work sent after a change sees the change.
 */
#include <jansson.h>

#include "base/err.h"
#include "base/slice.h"

#define POOL_QUEUE_MAX 4096
#define POOL_QUEUE_BYTES_MAX ((size_t)128 << 20)
#define POOL_WAIT_MS 15000

struct pool;

/**
 * typedef pool_done_fn - the end of a piece of work
 * @error: 0; -EPIPE (the verifier died), -ETIMEDOUT, or what the verifier reported
 * @result: answer header, borrowed; NULL unless @error is 0
 */
typedef void (*pool_done_fn)(void *cookie, int error, const json_t *result);

struct pool_ops {
	/* Send to verifier @index. Return: 0 or negative errno. */
	int (*send)(void *cookie, unsigned index, const json_t *header, struct slice body);
	/* Bring the fresh verifier @index up to date with send(). Return: as above. */
	int (*init)(void *cookie, unsigned index);
	void *cookie;
	/* Work of @work_cookie was taken on; may be NULL. */
	void (*taken)(void *cookie, void *work_cookie);
};

/** pool_new() - @ops is copied. Return: NULL on ENOMEM. */
struct pool *pool_new(unsigned count, const struct pool_ops *ops);
/** pool_free() - drops queued work without calling back */
void pool_free(struct pool *p);
DEFINE_CLEANUP(struct pool *, pool_free);
/**
 * pool_submit() - queue work; @done is called exactly once, unless this fails
 * @header: consumed, also on failure; "work" is added to it
 * @body: copied when it cannot be sent at once
 * Return: 0, -EAGAIN (queue full), -ENOMEM.
 */
must_check int pool_submit(struct pool *p, json_t *header, struct slice body, int64_t now_ms,
	pool_done_fn done, void *cookie);
/** pool_up() - verifier @index has a new connection */
void pool_up(struct pool *p, unsigned index, int64_t now_ms);
/** pool_down() - its connection ended; its work fails with -EPIPE */
void pool_down(struct pool *p, unsigned index);
/** pool_answer() - a message from verifier @index. Return: -EPROTO when it was not asked for. */
must_check int pool_answer(struct pool *p, unsigned index, const json_t *header, int64_t now_ms);
/** pool_broadcast() - state for every verifier that is up */
void pool_broadcast(struct pool *p, const json_t *header, struct slice body);
/** pool_expire() - fail queued work that waited too long */
void pool_expire(struct pool *p, int64_t now_ms);
/** pool_up_count() - verifiers that are up */
unsigned pool_up_count(const struct pool *p);
size_t pool_queued(const struct pool *p);
