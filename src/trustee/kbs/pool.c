/* SPDX-License-Identifier: Apache-2.0 */
#include "trustee/kbs/pool.h"

struct work {
	uint64_t id;
	json_t *header;
	uint8_t *body; /* owned while queued */
	size_t body_size;
	int64_t since_ms;
	pool_done_fn done;
	void *cookie;
	struct work *next;
};

struct verifier {
	bool up;
	struct work *current; /* owned */
};

struct pool {
	struct pool_ops ops;
	struct verifier *verifiers;
	unsigned count;
	struct work *first, *last; /* queued, oldest first */
	size_t queued, queued_bytes;
	uint64_t next_id;
};

struct pool *pool_new(unsigned count, const struct pool_ops *ops)
{
	struct pool *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->verifiers = calloc(count, sizeof(*p->verifiers));
	if (!p->verifiers) {
		free(p);
		return NULL;
	}
	p->count = count;
	p->ops = *ops;
	return p;
}

static void work_free(struct work *w)
{
	if (!w)
		return;
	json_decref(w->header);
	free(w->body);
	free(w);
}
DEFINE_CLEANUP(struct work *, work_free);

void pool_free(struct pool *p)
{
	if (!p)
		return;
	while (p->first) {
		struct work *next = p->first->next;

		work_free(p->first);
		p->first = next;
	}
	for (unsigned i = 0; i < p->count; i++)
		work_free(p->verifiers[i].current);
	free(p->verifiers);
	free(p);
}

static void finish(struct work *w, int error, const json_t *result)
{
	w->done(w->cookie, error, result);
	work_free(w);
}

static int idle_verifier(const struct pool *p)
{
	for (unsigned i = 0; i < p->count; i++) {
		if (p->verifiers[i].up && !p->verifiers[i].current)
			return (int)i;
	}
	return -1;
}

/* Takes over @w. A failed send counts as the death that the transport will report soon. */
static void start(struct pool *p, unsigned index, struct work *w, struct slice body)
{
	int r = p->ops.send(p->ops.cookie, index, w->header, body);

	if (r < 0) {
		finish(w, r, NULL);
		return;
	}
	free(w->body);
	w->body = NULL;
	json_decref(w->header);
	w->header = NULL;
	p->verifiers[index].current = w;
}

static struct work *dequeue(struct pool *p)
{
	struct work *w = p->first;

	if (!w)
		return NULL;
	p->first = w->next;
	if (!p->first)
		p->last = NULL;
	w->next = NULL;
	p->queued--;
	p->queued_bytes -= w->body_size;
	return w;
}

static void pump(struct pool *p)
{
	int index;

	while (p->first && (index = idle_verifier(p)) >= 0) {
		struct work *w = dequeue(p);

		start(p, (unsigned)index, w, slice_of(w->body, w->body_size));
	}
}

static int enqueue(struct pool *p, struct work *w, struct slice body)
{
	if (p->queued >= POOL_QUEUE_MAX || body.size > POOL_QUEUE_BYTES_MAX - p->queued_bytes)
		return -EAGAIN;
	if (body.size) {
		w->body = malloc(body.size);
		if (!w->body)
			return -ENOMEM;
		memcpy(w->body, body.data, body.size);
	}
	w->body_size = body.size;
	*(p->last ? &p->last->next : &p->first) = w;
	p->last = w;
	p->queued++;
	p->queued_bytes += body.size;
	return 0;
}

int pool_submit(struct pool *p, json_t *header, struct slice body, int64_t now_ms,
	pool_done_fn done, void *cookie)
{
	cleanup(work_free) struct work *w = calloc(1, sizeof(*w));
	int index = idle_verifier(p);
	int r;

	if (!w || !header) {
		json_decref(header);
		return -ENOMEM;
	}
	w->header = header;
	w->id = ++p->next_id;
	w->since_ms = now_ms;
	w->done = done;
	w->cookie = cookie;
	if (json_object_set_new(header, "work", json_integer((json_int_t)w->id)) < 0)
		return -ENOMEM;
	if (index >= 0 && !p->first) {
		/* Before it: a send that fails is the end of @cookie. */
		if (p->ops.taken)
			p->ops.taken(p->ops.cookie, cookie);
		start(p, (unsigned)index, steal_ptr(w), body);
		return 0;
	}
	r = enqueue(p, w, body);
	if (r < 0)
		return r;
	w = NULL;
	if (p->ops.taken)
		p->ops.taken(p->ops.cookie, cookie);
	return 0;
}

void pool_up(struct pool *p, unsigned index, int64_t now_ms)
{
	if (index >= p->count)
		return;
	pool_down(p, index);
	if (p->ops.init(p->ops.cookie, index) < 0)
		return;
	p->verifiers[index].up = true;
	pool_expire(p, now_ms);
	pump(p);
}

void pool_down(struct pool *p, unsigned index)
{
	struct work *w;

	if (index >= p->count)
		return;
	p->verifiers[index].up = false;
	w = steal_ptr(p->verifiers[index].current);
	if (w)
		finish(w, -EPIPE, NULL);
}

int pool_answer(struct pool *p, unsigned index, const json_t *header, int64_t now_ms)
{
	const json_t *id = json_object_get(header, "work");
	struct work *w;
	int error = (int)json_integer_value(json_object_get(header, "error"));

	if (index >= p->count || !p->verifiers[index].current || !json_is_integer(id) ||
		(uint64_t)json_integer_value(id) != p->verifiers[index].current->id)
		return -EPROTO;
	w = steal_ptr(p->verifiers[index].current);
	/* Only negative numbers are errors; anything else positive would be a confused verifier. */
	if (error > 0)
		error = -EPROTO;
	finish(w, error, header);
	pool_expire(p, now_ms);
	pump(p);
	return 0;
}

void pool_broadcast(struct pool *p, const json_t *header, struct slice body)
{
	for (unsigned i = 0; i < p->count; i++) {
		if (p->verifiers[i].up)
			(void)!p->ops.send(p->ops.cookie, i, header, body);
	}
}

void pool_expire(struct pool *p, int64_t now_ms)
{
	while (p->first && now_ms - p->first->since_ms > POOL_WAIT_MS)
		finish(dequeue(p), -ETIMEDOUT, NULL);
}

size_t pool_queued(const struct pool *p)
{
	return p->queued;
}

unsigned pool_up_count(const struct pool *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->count; i++)
		n += p->verifiers[i].up;
	return n;
}
