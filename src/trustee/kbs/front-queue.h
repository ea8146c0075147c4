/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Guests' requests wait in the front, where they are anyway, until few others are under way: the
 * vault copies what it queues, and the evidence of a thousand guests would be there twice more.
 * First come, first served, whatever they want, so that all wait equally long. Requests that wait
 * for somebody outside leave the queue, so that nobody waits for them. Requests are known by the
 * numbers of their slots.
 */
#include "base/compiler.h"

struct front_queue;

/**
 * front_queue_new() - @slots: numbers are below it; @bytes_max: under way at once, but always one
 * Return: NULL on ENOMEM.
 */
struct front_queue *front_queue_new(uint32_t slots, size_t bytes_max);
void front_queue_free(struct front_queue *q);
DEFINE_CLEANUP(struct front_queue *, front_queue_free);
/** front_queue_enter() - a request of @bytes. Return: may it go on? False: it waits. */
bool front_queue_enter(struct front_queue *q, uint32_t slot, size_t bytes);
/** front_queue_leave() - it was answered, whether it was under way, waited or neither */
void front_queue_leave(struct front_queue *q, uint32_t slot);
/** front_queue_next() - one that waited and may go on now. Return: false: there is none. */
bool front_queue_next(struct front_queue *q, uint32_t *ret_slot);
