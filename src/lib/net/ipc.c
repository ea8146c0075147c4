/* SPDX-License-Identifier: Apache-2.0 */
#include "net/ipc.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd.h"

#define HEAD_SIZE 4

struct ipc {
	struct bufferevent *bev;
	size_t max;
	ipc_message_fn message;
	ipc_closed_fn closed;
	void *cookie;
	bool broken;
	bool reading; /* inside on_read(): ipc_free() only marks */
	bool dead;
};

int ipc_pair(int ret[2])
{
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ret) < 0 ? -errno : 0;
}

static uint32_t head_size(const uint8_t head[HEAD_SIZE])
{
	return (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3];
}

static void put_head(uint8_t head[HEAD_SIZE], size_t size)
{
	for (int i = 0; i < HEAD_SIZE; i++)
		head[i] = (uint8_t)(size >> (24 - 8 * i));
}

static void fail(struct ipc *i)
{
	if (i->broken)
		return;
	i->broken = true;
	bufferevent_disable(i->bev, EV_READ | EV_WRITE);
	i->closed(i->cookie);
}

static void on_read(struct bufferevent *bev, void *cookie)
{
	struct ipc *i = cookie;
	struct evbuffer *in = bufferevent_get_input(bev);

	i->reading = true;
	while (!i->broken && !i->dead) {
		uint8_t head[HEAD_SIZE];
		uint32_t size;

		if (evbuffer_copyout(in, head, HEAD_SIZE) < HEAD_SIZE)
			break;
		size = head_size(head);
		if (size > i->max) {
			fail(i);
			break;
		}
		if (evbuffer_get_length(in) - HEAD_SIZE < size)
			break;
		evbuffer_drain(in, HEAD_SIZE);
		i->message(i->cookie, slice_of(evbuffer_pullup(in, size), size));
		evbuffer_drain(in, size);
	}
	i->reading = false;
	if (i->dead)
		ipc_free(i);
}

static void on_event(struct bufferevent *bev, short what, void *cookie)
{
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		fail(cookie);
}

struct ipc *ipc_new(struct event_base *base, int fd, size_t max, ipc_message_fn message,
	ipc_closed_fn closed, void *cookie)
{
	struct ipc *i = calloc(1, sizeof(*i));

	if (!i || fd_set_nonblock(fd, true) < 0 ||
		!(i->bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE))) {
		close(fd);
		free(i);
		return NULL;
	}
	i->max = MIN(max, IPC_MESSAGE_MAX);
	i->message = message;
	i->closed = closed;
	i->cookie = cookie;
	bufferevent_setcb(i->bev, on_read, NULL, on_event, i);
	bufferevent_enable(i->bev, EV_READ | EV_WRITE);
	return i;
}

void ipc_free(struct ipc *i)
{
	if (!i)
		return;
	if (i->reading) {
		i->dead = true;
		return;
	}
	bufferevent_free(i->bev);
	free(i);
}

int ipc_send(struct ipc *i, struct slice message)
{
	struct evbuffer *out = bufferevent_get_output(i->bev);
	uint8_t head[HEAD_SIZE];

	if (i->broken)
		return -EPIPE;
	if (message.size > IPC_MESSAGE_MAX)
		return -E2BIG;
	put_head(head, message.size);
	if (evbuffer_expand(out, message.size + HEAD_SIZE) < 0 ||
		evbuffer_add(out, head, HEAD_SIZE) < 0 ||
		evbuffer_add(out, message.data, message.size) < 0)
		return -ENOMEM;
	return 0;
}

size_t ipc_pending(const struct ipc *i)
{
	return evbuffer_get_length(bufferevent_get_output(i->bev));
}

int ipc_read(int fd, size_t max, struct buf *out)
{
	uint8_t head[HEAD_SIZE];
	uint8_t *room;
	size_t size;
	ssize_t n;
	int r;

	buf_clear(out);
	do {
		n = read(fd, head, 1);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n == 0 ? -ENODATA : -errno;
	r = fd_read_full(fd, head + 1, HEAD_SIZE - 1);
	if (r < 0)
		return r == -ENODATA ? -EPROTO : r;
	size = head_size(head);
	if (size > max)
		return -E2BIG;
	if (size == 0)
		return 0;
	room = buf_reserve(out, size);
	if (!room)
		return buf_error(out);
	r = fd_read_full(fd, room, size);
	if (r < 0)
		return r == -ENODATA ? -EPROTO : r;
	buf_commit(out, size);
	return 0;
}

int ipc_write(int fd, struct slice message)
{
	uint8_t head[HEAD_SIZE];
	int r;

	if (message.size > IPC_MESSAGE_MAX)
		return -E2BIG;
	put_head(head, message.size);
	/* A small message goes out in one call, so that its reader wakes up once. */
	if (message.size <= 4096) {
		uint8_t whole[4096 + HEAD_SIZE];

		memcpy(whole, head, HEAD_SIZE);
		if (message.size)
			memcpy(whole + HEAD_SIZE, message.data, message.size);
		return fd_write_full(fd, whole, message.size + HEAD_SIZE);
	}
	r = fd_write_full(fd, head, HEAD_SIZE);
	return r < 0 ? r : fd_write_full(fd, message.data, message.size);
}

int ipc_send_fd(int sock, int fd, uint32_t tag)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = &tag, .iov_len = sizeof(tag)};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	ssize_t n;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	do {
		n = sendmsg(sock, &msg, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n == sizeof(tag) ? 0 : n < 0 ? -errno : -EPROTO;
}

int ipc_recv_fd(int sock, int *ret_fd, uint32_t *ret_tag)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	uint32_t tag;
	struct iovec iov = {.iov_base = &tag, .iov_len = sizeof(tag)};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *c;
	ssize_t n;

	do {
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n == 0 ? -ENODATA : -errno;
	c = CMSG_FIRSTHDR(&msg);
	if (n != sizeof(tag) || !c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
		c->cmsg_len != CMSG_LEN(sizeof(int)))
		return -EPROTO;
	memcpy(ret_fd, CMSG_DATA(c), sizeof(int));
	*ret_tag = tag;
	return 0;
}
