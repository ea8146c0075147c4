/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The streams of the container: three pipes, or a terminal that crun hands over through a socket.
 * Only container.c uses this.
 */
#include <event2/event.h>

#include "base/err.h"
#include "base/slice.h"

struct container;
struct container_io;

/**
 * container_io_new() - make the streams
 * @console: path of the socket for the terminal, NULL for pipes
 * @ret_fds: the child's fd 0, 1, 2; owned by the caller
 */
must_check int container_io_new(struct event_base *base, struct container *c, const char *console,
	int ret_fds[3], struct container_io **ret, struct err *reterr);
void container_io_free(struct container_io *io);
/** container_io_started() - crun is done. Return: 0, -ENOTTY when no terminal was handed over. */
must_check int container_io_started(struct container_io *io);
/** container_io_drained() - all output was delivered and no more can come */
bool container_io_drained(const struct container_io *io);
void container_io_resume(struct container_io *io);
must_check int container_io_input(struct container_io *io, struct slice bytes);
void container_io_input_eof(struct container_io *io);
void container_io_resize(struct container_io *io, uint16_t rows, uint16_t cols);

/* Called by container_io.c, implemented by container.c. */
bool container_io_output(struct container *c, bool is_stderr, struct slice bytes);
void container_io_input_drained(struct container *c);
void container_io_closed(struct container *c);
