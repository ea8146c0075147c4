/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/agent/channel.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

#define BUFFER_MAX (CHILD_HEADER_SIZE + CHILD_PAYLOAD_MAX + 65536)

struct channel {
	int fd;
	const struct channel_handlers *handlers;
	void *cookie;
	struct event *readable, *writable;
	struct buf in, out;
	bool closed;
};

static void closed(struct channel *channel, int code)
{
	if (channel->closed)
		return;
	channel->closed = true;
	event_del(channel->readable);
	event_del(channel->writable);
	channel->handlers->closed(channel->cookie, code);
}

static void handle_input(struct channel *channel);

/* False when nothing is left to read now. */
static bool read_some(struct channel *channel)
{
	uint8_t *room = buf_reserve(&channel->in, 65536);
	if (room == NULL) {
		closed(channel, buf_error(&channel->in));
		return false;
	}
	ssize_t n = read(channel->fd, room, 65536);
	if (n < 0 && errno == EINTR)
		return true;
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		closed(channel, n < 0 ? -errno : -EPIPE);
		return false;
	}
	buf_commit(&channel->in, (size_t)n);
	handle_input(channel);
	return true;
}

static void on_readable(evutil_socket_t fd, short what, void *cookie)
{
	read_some(cookie);
}

void channel_drain(struct channel *channel)
{
	while (!channel->closed && read_some(channel))
		;
}

static void handle_input(struct channel *channel)
{
	while (!channel->closed) {
		enum child_type type;
		struct slice payload;
		size_t size;
		int r = child_parse(buf_slice(&channel->in), &type, &payload, &size);
		if (r == -ENODATA)
			return;
		if (r < 0) {
			closed(channel, r);
			return;
		}
		channel->handlers->frame(channel->cookie, type, payload);
		buf_consume(&channel->in, size);
	}
}

static int flush(struct channel *channel)
{
	while (channel->out.size > 0) {
		ssize_t n = send(channel->fd, channel->out.data, channel->out.size, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return event_add(channel->writable, NULL) < 0 ? -ENOMEM : 0;
		if (n < 0)
			return -errno;
		buf_consume(&channel->out, (size_t)n);
	}
	return 0;
}

static void on_writable(evutil_socket_t fd, short what, void *cookie)
{
	struct channel *channel = cookie;
	int r = flush(channel);
	if (r < 0)
		closed(channel, r);
}

int channel_send(struct channel *channel, enum child_type type, struct slice payload)
{
	if (channel->closed)
		return -EPIPE;
	child_put(&channel->out, type, payload);
	if (buf_error(&channel->out) < 0)
		return buf_error(&channel->out);
	return flush(channel);
}

void channel_end(struct channel *channel)
{
	if (!channel->closed)
		shutdown(channel->fd, SHUT_WR);
}

int channel_new(struct event_base *base, int fd, const struct channel_handlers *handlers,
	void *cookie, struct channel **ret)
{
	cleanup_fd int owned = fd;
	cleanup(channel_free) struct channel *channel = calloc(1, sizeof(*channel));
	if (channel == NULL)
		return -ENOMEM;
	channel->fd = steal_fd(&owned);
	channel->handlers = handlers;
	channel->cookie = cookie;
	/* What a child says may quote a secret by mistake of ours; do not leave copies behind. */
	channel->in = buf_init_secret(BUFFER_MAX);
	channel->out = buf_init_secret(BUFFER_MAX);
	int r = fd_set_nonblock(channel->fd, true);
	if (r < 0)
		return r;
	channel->readable =
		event_new(base, channel->fd, EV_READ | EV_PERSIST, on_readable, channel);
	channel->writable = event_new(base, channel->fd, EV_WRITE, on_writable, channel);
	if (channel->readable == NULL || channel->writable == NULL ||
		event_add(channel->readable, NULL) < 0)
		return -ENOMEM;
	*ret = steal_ptr(channel);
	return 0;
}

void channel_free(struct channel *channel)
{
	if (channel == NULL)
		return;
	if (channel->readable != NULL)
		event_free(channel->readable);
	if (channel->writable != NULL)
		event_free(channel->writable);
	if (channel->fd >= 0)
		close(channel->fd);
	buf_done(&channel->in);
	buf_done(&channel->out);
	free(channel);
}
