/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: the driver announces ports and the host's connection in messages that come
 * after the module is loaded. There is no event for "name is known and host is connected", so until
 * then a timer looks every LOOK_MS; later the port is driven by readiness alone. A port without
 * host reads as end of file, and so does a host that went away: that ends the link for good.
 */
#include "guest/agent/link.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

#define LOOK_MS 2
#define PAUSED_LOOK_S 1
#define PORTS "/sys/class/virtio-ports"
/* A whole frame, and what came along with its end. */
#define READ_SIZE 65536
#define INPUT_MAX (HOSTLINK_HEADER_SIZE + HOSTLINK_PAYLOAD_MAX + READ_SIZE)
/* Producers pause at LINK_QUEUE_HIGH; above it must fit the largest single frame and FATAL. */
#define QUEUE_MAX (LINK_QUEUE_HIGH + 2 * HOSTLINK_PAYLOAD_MAX)

struct link {
	struct event_base *base;
	const struct link_handlers *handlers;
	void *cookie;
	int fd;
	struct event *look, *readable, *writable;
	struct buf in, out;
	bool up, lost, broken, paused, finishing, was_high, dispatching;
};

static void lost(struct link *link, int code, const char *why)
{
	if (link->lost)
		return;
	link->lost = true;
	if (link->readable != NULL)
		event_del(link->readable);
	if (link->writable != NULL)
		event_del(link->writable);
	event_del(link->look);
	link->handlers->lost(link->cookie, code, why);
}

static void broken(struct link *link, int code, const char *why)
{
	event_del(link->readable);
	link->paused = link->broken = true;
	link->handlers->broken(link->cookie, code, why);
}

static bool port_has_name(const char *port)
{
	char path[300];
	cleanup_with(buf_done) struct buf name = buf_init(256);
	snprintf(path, sizeof(path), PORTS "/%s/name", port);
	return file_read(path, 256, &name, NULL) == 0 &&
	       slice_eq_str(buf_slice(&name), HOSTLINK_PORT "\n");
}

static int open_port(void)
{
	int fd = -ENOENT;
	DIR *dir = opendir(PORTS);
	if (dir == NULL)
		return -errno;
	for (struct dirent *e; fd < 0 && (e = readdir(dir)) != NULL;) {
		char path[300];
		if (e->d_name[0] == '.' || !port_has_name(e->d_name))
			continue;
		snprintf(path, sizeof(path), "/dev/%s", e->d_name);
		fd = open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (fd < 0)
			fd = -errno;
	}
	closedir(dir);
	return fd;
}

static void dispatch(struct link *link)
{
	/* A handler that resumes a paused link must not run this loop inside itself. */
	if (link->dispatching)
		return;
	link->dispatching = true;
	while (!link->paused && !link->lost && !link->finishing) {
		struct hostlink_frame frame;
		struct err e = {0};
		size_t size;
		int r = hostlink_parse(buf_slice(&link->in), HOSTLINK_FROM_HOST, &frame, &size, &e);
		if (r == -ENODATA)
			break;
		if (r < 0) {
			broken(link, r, err_text(&e, r));
			break;
		}
		link->handlers->frame(link->cookie, &frame);
		buf_consume(&link->in, size);
	}
	link->dispatching = false;
}

static void on_readable(evutil_socket_t fd, short what, void *cookie)
{
	struct link *link = cookie;
	uint8_t dropped[4096];
	uint8_t *room = link->finishing ? dropped : buf_reserve(&link->in, READ_SIZE);
	if (room == NULL) {
		broken(link, buf_error(&link->in), "no memory for a frame of the host");
		return;
	}
	ssize_t n = read(fd, room, link->finishing ? sizeof(dropped) : READ_SIZE);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		lost(link, n < 0 ? -errno : -EPIPE, "the host closed the link");
		return;
	}
	if (link->finishing)
		return;
	buf_commit(&link->in, (size_t)n);
	dispatch(link);
}

static void on_writable(evutil_socket_t fd, short what, void *cookie)
{
	link_flush(cookie);
}

static int start_io(struct link *link)
{
	link->readable = event_new(link->base, link->fd, EV_READ | EV_PERSIST, on_readable, link);
	link->writable = event_new(link->base, link->fd, EV_WRITE, on_writable, link);
	if (link->readable == NULL || link->writable == NULL || event_add(link->readable, NULL) < 0)
		return -ENOMEM;
	return 0;
}

/* While the link is paused nobody reads, so a host that went away is looked for. */
static void check_paused(struct link *link)
{
	const struct timeval again = {PAUSED_LOOK_S, 0};
	struct pollfd p = {.fd = link->fd, .events = POLLOUT};
	if (poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)) != 0)
		lost(link, -EPIPE, "the host closed the link");
	else if (link->paused && event_add(link->look, &again) < 0)
		lost(link, -ENOMEM, "no memory for a timer");
}

static void on_look(evutil_socket_t fd, short what, void *cookie)
{
	struct link *link = cookie;
	const struct timeval again = {0, LOOK_MS * 1000};
	if (link->up) {
		check_paused(link);
		return;
	}
	if (link->fd < 0)
		link->fd = open_port();
	struct pollfd p = {.fd = link->fd, .events = POLLOUT};
	if (link->fd < 0 || poll(&p, 1, 0) < 0 || (p.revents & POLLHUP) != 0 ||
		(p.revents & POLLOUT) == 0) {
		if (event_add(link->look, &again) < 0)
			lost(link, -ENOMEM, "no memory for a timer");
		return;
	}
	if (start_io(link) < 0) {
		lost(link, -ENOMEM, "no memory for the link");
		return;
	}
	link->up = true;
	link->handlers->up(link->cookie);
	link_flush(link);
}

int link_new(struct event_base *base, const struct link_handlers *handlers, void *cookie,
	struct link **ret)
{
	static const struct timeval now = {0, 0};
	cleanup(link_free) struct link *link = calloc(1, sizeof(*link));
	if (link == NULL)
		return -ENOMEM;
	link->base = base;
	link->handlers = handlers;
	link->cookie = cookie;
	link->fd = -1;
	link->in = buf_init(INPUT_MAX);
	link->out = buf_init(QUEUE_MAX);
	link->look = event_new(base, -1, 0, on_look, link);
	if (link->look == NULL || event_add(link->look, &now) < 0)
		return -ENOMEM;
	*ret = steal_ptr(link);
	return 0;
}

void link_free(struct link *link)
{
	if (link == NULL)
		return;
	if (link->look != NULL)
		event_free(link->look);
	if (link->readable != NULL)
		event_free(link->readable);
	if (link->writable != NULL)
		event_free(link->writable);
	buf_done(&link->in);
	buf_done(&link->out);
	if (link->fd >= 0)
		close(link->fd);
	free(link);
}

struct buf *link_queue(struct link *link)
{
	return &link->out;
}

size_t link_pending(const struct link *link)
{
	return link->out.size;
}

void link_flush(struct link *link)
{
	if (!link->up || link->lost)
		return;
	if (buf_error(&link->out) < 0) {
		lost(link, buf_error(&link->out), "a frame could not be queued");
		return;
	}
	size_t done = 0;
	while (done < link->out.size) {
		ssize_t n =
			write(link->fd, link->out.data + done, MIN(link->out.size - done, 32768));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0) {
			lost(link, n < 0 ? -errno : -EPIPE, "the host closed the link");
			return;
		}
		done += (size_t)n;
	}
	buf_consume(&link->out, done);
	if (link->out.size > 0 && event_add(link->writable, NULL) < 0)
		lost(link, -ENOMEM, "no memory for an event");
	bool high = link->out.size > LINK_QUEUE_HIGH;
	bool fell = link->was_high && !high;
	link->was_high = high;
	if (fell || (done > 0 && !high))
		link->handlers->writable(link->cookie);
}

void link_pause(struct link *link, bool pause)
{
	if (link->lost || link->broken || link->finishing || link->paused == pause)
		return;
	link->paused = pause;
	if (!link->up)
		return;
	if (pause) {
		event_del(link->readable);
		check_paused(link);
		return;
	}
	event_del(link->look);
	if (event_add(link->readable, NULL) < 0)
		lost(link, -ENOMEM, "no memory for an event");
	dispatch(link);
}

void link_finish(struct link *link)
{
	link->finishing = true;
	if (!link->up || link->lost)
		return;
	event_del(link->look);
	if (event_add(link->readable, NULL) < 0)
		lost(link, -ENOMEM, "no memory for an event");
}

bool link_is_up(const struct link *link)
{
	return link->up && !link->lost;
}
