/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* PID 1's end of a child's socket (child.h): frames in, frames out, never blocking. */
#include <event2/event.h>

#include "guest/agent/child.h"

struct channel;

struct channel_handlers {
	/* One frame of the child; the payload is valid during the call. */
	void (*frame)(void *cookie, enum child_type type, struct slice payload);
	/* The child closed its end or broke the protocol; called at most once. */
	void (*closed)(void *cookie, int code);
};

/** channel_new() - @fd is consumed, also on failure. Return: 0, -ENOMEM. */
must_check int channel_new(struct event_base *base, int fd, const struct channel_handlers *handlers,
	void *cookie, struct channel **ret);
void channel_free(struct channel *channel);
DEFINE_CLEANUP(struct channel *, channel_free);
/** channel_drain() - handle everything that has arrived, e.g. a dead child's last words */
void channel_drain(struct channel *channel);
/** channel_end() - nothing more is sent: the child reads the end and may end by itself */
void channel_end(struct channel *channel);
/** channel_send() - queue a frame. Return: 0, -E2BIG, -ENOMEM, -EPIPE when the child is gone. */
must_check int channel_send(struct channel *channel, enum child_type type, struct slice payload);
