/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * PID 1's end of the guest link: finds the port, sends frames through a bounded queue, hands
 * received frames to a handler. Never blocks.
 */
#include <event2/event.h>

#include "base/buf.h"
#include "base/err.h"
#include "fmt/hostlink.h"

/* Output waiting for the host above which producers must pause. */
#define LINK_QUEUE_HIGH ((size_t)1 << 20)

struct link;

struct link_handlers {
	/* One frame from the host; the payload is valid during the call. */
	void (*frame)(void *cookie, const struct hostlink_frame *frame);
	/* The host is connected; frames may be sent from now on (earlier ones were queued). */
	void (*up)(void *cookie);
	/* The link is gone: nothing can be sent any more. Called at most once. */
	void (*lost)(void *cookie, int code, const char *why);
	/* The host broke the protocol: nothing is read any more, but frames can be sent. */
	void (*broken)(void *cookie, int code, const char *why);
	/* Queued output fell below LINK_QUEUE_HIGH. */
	void (*writable)(void *cookie);
};

/**
 * link_new() - look for the port named HOSTLINK_PORT and wait until the host is connected
 * @handlers, @cookie: borrowed
 * Return: 0, -ENOMEM.
 */
must_check int link_new(struct event_base *base, const struct link_handlers *handlers, void *cookie,
	struct link **ret);
void link_free(struct link *link);
DEFINE_CLEANUP(struct link *, link_free);

/** link_queue() - the buffer that hostlink_*_put() appends to; call link_flush() afterwards */
struct buf *link_queue(struct link *link);
/** link_flush() - write what the port takes now; the rest follows from the event loop */
void link_flush(struct link *link);
/** link_pending() - bytes that wait for the host */
size_t link_pending(const struct link *link);
/** link_is_up() - whether the host is connected */
bool link_is_up(const struct link *link);
/** link_finish() - drop what the host sends from now on; lost() tells when it closes the link */
void link_finish(struct link *link);
/** link_pause() - stop or resume reading frames */
void link_pause(struct link *link, bool pause);
