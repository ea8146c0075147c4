/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The one container: its bundle, crun, its streams and its end.
 *
 * crun runs detached: it leaves when the container has started, the container's first process then
 * belongs to PID 1, which gets its exact end, and no runtime stays in memory.
 */
#include <event2/event.h>
#include <sys/types.h>

#include "base/err.h"
#include "guest/agent/spec.h"

#define CONTAINER_CRUN "/bin/crun"
#define CONTAINER_CGROUPS "/sys/fs/cgroup"
#define CONTAINER_CGROUP_PARENT "/husk"

struct container;

struct container_handlers {
	/* crun has started the container's program. */
	void (*started)(void *cookie);
	/* It could not: @why is for a person. @code: 127 there is no such command, 126 it cannot be
	 * run, as docker and shells have it; 0 something else went wrong. */
	void (*failed)(void *cookie, uint32_t code, const char *why);
	/* The container's program has ended and all its output was delivered. */
	void (*ended)(void *cookie, uint32_t code, const char *reason);
	/* Output. Returns false when the consumer is full: then container_resume() goes on. */
	bool (*output)(void *cookie, bool is_stderr, struct slice bytes);
	/* Input below the limit again (see container_input()). */
	void (*input_drained)(void *cookie);
};

/**
 * container_prepare() - what does not depend on the container, done while there is time
 * @ret_crun: crun in sealed memory, close-on-exec; the caller closes it
 *
 * crun runs from a copy of itself that nobody can write, so that a container cannot change it through
 * /proc/PID/exe. It makes that copy, and starts once more, unless it finds that it runs from one. The
 * parent of the container's cgroup gets its controllers here; crun does it once more, for nothing.
 * Return: 0 or negative errno.
 */
must_check int container_prepare(int *ret_crun, struct err *reterr);

/**
 * container_start() - write the bundle and start crun
 * @crun: from container_prepare(), borrowed
 * @spec: borrowed during the call
 * @rows, @cols: first size of the terminal, 0 when unknown
 * Return: 0 or negative errno.
 */
must_check int container_start(struct event_base *base, int crun, const struct spec *spec,
	uint16_t rows, uint16_t cols, const struct container_handlers *handlers, void *cookie,
	struct container **ret, struct err *reterr);
void container_free(struct container *c);
DEFINE_CLEANUP(struct container *, container_free);

/** container_reaped() - tell of a process that ended; @status as of waitpid(2) */
void container_reaped(struct container *c, pid_t pid, int status);
/** container_resume() - read output again after output() returned false */
void container_resume(struct container *c);

#define CONTAINER_INPUT_HIGH ((size_t)1 << 20)
/**
 * container_input() - queue bytes for the container's input
 * Return: 0; -EAGAIN: queued, but send no more until input_drained(); -ENOMEM, -E2BIG.
 */
must_check int container_input(struct container *c, struct slice bytes);
void container_input_eof(struct container *c);
void container_resize(struct container *c, uint16_t rows, uint16_t cols);
/** container_signal() - send a signal to the container's first process */
void container_signal(struct container *c, int signo);
