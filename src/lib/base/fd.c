/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

int fd_fill_stdio(void)
{
	for (int fd = 0; fd < 3; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		/* The lowest number that is free is this one. */
		int got = open("/dev/null", fd == 2 ? O_WRONLY : O_RDONLY);
		if (got != fd)
			return got < 0 ? -errno : -EBADF;
	}
	return 0;
}

int fd_read_full(int fd, void *dst, size_t size)
{
	uint8_t *p = dst;
	while (size > 0) {
		ssize_t n = read(fd, p, size);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (n == 0)
			return -ENODATA;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

int fd_write_full(int fd, const void *src, size_t size)
{
	const uint8_t *p = src;
	while (size > 0) {
		ssize_t n = write(fd, p, size);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

int fd_read_all(int fd, struct buf *out)
{
	for (;;) {
		uint8_t *room = buf_reserve(out, 1);
		if (!room) {
			/* Full to the maximum is fine when nothing more follows. */
			uint8_t extra;
			if (buf_error(out) != -E2BIG)
				return buf_error(out);
			ssize_t n = read(fd, &extra, 1);
			if (n == 0)
				out->error = 0;
			return n == 0 ? 0 : n < 0 ? -errno : -E2BIG;
		}
		size_t max = out->max ? out->max : BUF_DEFAULT_MAX;
		size_t want =
			MIN(MAX(out->capacity - 1 - out->size, (size_t)4096), max - out->size);
		room = buf_reserve(out, want);
		if (!room)
			return buf_error(out);
		ssize_t n = read(fd, room, want);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (n == 0)
			return 0;
		buf_commit(out, (size_t)n);
	}
}

int file_read(const char *path, size_t max, struct buf *out, struct err *reterr)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_set(reterr, -errno, "cannot open %s: %s", path, strerror(errno));
	size_t saved = out->max;
	out->max = out->size + max;
	int r = fd_read_all(fd, out);
	out->max = saved;
	if (r == -E2BIG)
		return err_set(reterr, r, "%s is larger than %zu bytes", path, max);
	if (r < 0)
		return err_set(reterr, r, "cannot read %s: %s", path, strerror(-r));
	return 0;
}

static int sync_parent(const char *path)
{
	char copy[PATH_MAX];
	snprintf(copy, sizeof(copy), "%s", path);
	cleanup_fd int dir = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	return fsync(dir) < 0 ? -errno : 0;
}

int file_write_atomic(const char *path, struct slice content, mode_t mode, struct err *reterr)
{
	char tmp[PATH_MAX];
	int n = snprintf(tmp, sizeof(tmp), "%s.XXXXXX", path);
	if (n < 0 || (size_t)n >= sizeof(tmp))
		return err_set(reterr, -ENAMETOOLONG, "path is too long: %s", path);
	cleanup_fd int fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0)
		return err_set(reterr, -errno, "cannot create %s: %s", path, strerror(errno));
	int r = fd_write_full(fd, content.data, content.size);
	if (r == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0 || rename(tmp, path) < 0))
		r = -errno;
	if (r < 0) {
		unlink(tmp);
		return err_set(reterr, r, "cannot write %s: %s", path, strerror(-r));
	}
	r = sync_parent(path);
	if (r < 0)
		return err_set(reterr, r, "cannot sync the folder of %s: %s", path, strerror(-r));
	return 0;
}

int fd_set_nonblock(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0)
		return -errno;
	flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	return fcntl(fd, F_SETFL, flags) < 0 ? -errno : 0;
}
