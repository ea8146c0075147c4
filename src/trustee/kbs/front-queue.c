/* SPDX-License-Identifier: Apache-2.0 */
#include "trustee/kbs/front-queue.h"

#include <stdlib.h>

#define NOBODY UINT32_MAX

enum place { OUTSIDE, WAITING, UNDER_WAY };

struct guest {
	enum place place;
	size_t bytes;
	uint32_t previous, next; /* of those that wait */
};

struct front_queue {
	struct guest *guests;
	uint32_t count;
	uint32_t first, last; /* NOBODY: none waits */
	size_t bytes, bytes_max;
	uint32_t under_way;
};

struct front_queue *front_queue_new(uint32_t slots, size_t bytes_max)
{
	struct front_queue *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->guests = calloc(slots, sizeof(*q->guests));
	if (!q->guests) {
		free(q);
		return NULL;
	}
	q->count = slots;
	q->first = q->last = NOBODY;
	q->bytes_max = bytes_max;
	return q;
}

void front_queue_free(struct front_queue *q)
{
	if (!q)
		return;
	free(q->guests);
	free(q);
}

static bool has_room(const struct front_queue *q, size_t bytes)
{
	return q->under_way == 0 || (q->bytes <= q->bytes_max && bytes <= q->bytes_max - q->bytes);
}

static void admit(struct front_queue *q, struct guest *g)
{
	g->place = UNDER_WAY;
	q->bytes += g->bytes;
	q->under_way++;
}

static void unlink_waiting(struct front_queue *q, const struct guest *g)
{
	*(g->previous == NOBODY ? &q->first : &q->guests[g->previous].next) = g->next;
	*(g->next == NOBODY ? &q->last : &q->guests[g->next].previous) = g->previous;
}

bool front_queue_enter(struct front_queue *q, uint32_t slot, size_t bytes)
{
	struct guest *g;

	if (slot >= q->count)
		return true;
	front_queue_leave(q, slot);
	g = &q->guests[slot];
	*g = (struct guest){.bytes = bytes, .previous = q->last, .next = NOBODY};
	if (q->first == NOBODY && has_room(q, bytes)) {
		admit(q, g);
		return true;
	}
	g->place = WAITING;
	*(q->last == NOBODY ? &q->first : &q->guests[q->last].next) = slot;
	q->last = slot;
	return false;
}

void front_queue_leave(struct front_queue *q, uint32_t slot)
{
	struct guest *g = slot < q->count ? &q->guests[slot] : NULL;

	if (!g || g->place == OUTSIDE)
		return;
	if (g->place == WAITING) {
		unlink_waiting(q, g);
	} else {
		q->bytes -= g->bytes;
		q->under_way--;
	}
	g->place = OUTSIDE;
}

bool front_queue_next(struct front_queue *q, uint32_t *ret_slot)
{
	struct guest *g = q->first == NOBODY ? NULL : &q->guests[q->first];

	if (!g || !has_room(q, g->bytes))
		return false;
	*ret_slot = q->first;
	unlink_waiting(q, g);
	admit(q, g);
	return true;
}
