/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* File descriptors and whole files. Every fd is CLOEXEC at birth; close() is never retried. */
#include <sys/types.h>

#include "base/buf.h"

static inline void fd_close_cleanup_(int *fd)
{
	extern int close(int);
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}
/* `cleanup_fd int fd = -1;` closes at the end of the scope. */
#define cleanup_fd __attribute__((__cleanup__(fd_close_cleanup_)))

/** fd_read_full() - exactly @size bytes. Return: 0, -ENODATA at end of file, negative errno. */
must_check int fd_read_full(int fd, void *dst, size_t size);
/** fd_write_full() - all bytes, over EINTR and short writes. Return: 0, negative errno. */
must_check int fd_write_full(int fd, const void *src, size_t size);
/** fd_read_all() - append everything up to end of file. Return: 0, -E2BIG past out->max, errno. */
must_check int fd_read_all(int fd, struct buf *out);
/**
 * file_read() - append a whole file to @out
 * @max: largest size accepted in bytes
 * Return: 0, -E2BIG, -ENOENT, other negative errno; @reterr names the path.
 */
must_check int file_read(const char *path, size_t max, struct buf *out, struct err *reterr);
/**
 * file_write_atomic() - write a file that appears whole or not at all, durable on return
 * @mode: permission bits; a temporary file beside @path is renamed over it after fsync
 * Return: 0 or negative errno; @reterr names the path.
 */
must_check int file_write_atomic(
	const char *path, struct slice content, mode_t mode, struct err *reterr);
must_check int fd_set_nonblock(int fd, bool on);
/**
 * fd_fill_stdio() - what a program does first whose caller may have closed 0, 1 or 2
 *
 * Else the next file or socket would be taken for one of them. A closed standard input reads as empty,
 * writing to a closed standard output fails, what goes to a closed standard error is lost.
 * Return: 0 or negative errno.
 */
must_check int fd_fill_stdio(void);
