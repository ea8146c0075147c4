/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/agent/container_io.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/str.h"
#include "guest/agent/container.h"

#define CHUNK 65536
#define INPUT_MAX (CONTAINER_INPUT_HIGH + ((size_t)4 << 20))
#define ASCII_EOT 0x04

struct stream {
	struct container_io *io;
	int fd;
	struct event *event;
	bool is_stderr, stalled;
};

struct container_io {
	struct event_base *base;
	struct container *c;
	bool terminal, started, high, input_eof;
	int listen_fd, console_fd, input_fd;
	struct event *listen_event, *console_event, *input_event;
	struct stream out[2]; /* output and errors; the terminal is out[0] */
	uint16_t rows, cols;
	struct buf input;
	uint8_t chunk[CHUNK];
};

static void close_event(struct event **event, int *fd)
{
	if (*event != NULL)
		event_free(*event);
	*event = NULL;
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void close_input(struct container_io *io)
{
	/* With a terminal this is a copy of the output's descriptor, so it is closed all the same.
	 */
	close_event(&io->input_event, &io->input_fd);
	buf_done(&io->input);
}

static void on_output(evutil_socket_t fd, short what, void *cookie)
{
	struct stream *s = cookie;
	ssize_t n = read(fd, s->io->chunk, CHUNK);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		/* EIO is how a terminal says that nobody holds its other end any more */
		close_event(&s->event, &s->fd);
		container_io_closed(s->io->c);
		return;
	}
	if (!container_io_output(s->io->c, s->is_stderr, slice_of(s->io->chunk, (size_t)n))) {
		s->stalled = true;
		event_del(s->event);
	}
}

/* Until the container has started, only crun writes, and what it says is in its log as well: it waits in
 * the pipe, and is dropped with it when there is no container. */
static int add_stream(struct container_io *io, size_t i, int fd)
{
	struct stream *s = &io->out[i];
	s->fd = fd;
	s->event = event_new(io->base, fd, EV_READ | EV_PERSIST, on_output, s);
	if (s->event == NULL)
		return -ENOMEM;
	return io->started && event_add(s->event, NULL) < 0 ? -ENOMEM : 0;
}

static void flush_input(struct container_io *io)
{
	while (io->input_fd >= 0 && io->input.size > 0) {
		ssize_t n = write(io->input_fd, io->input.data, io->input.size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			if (event_add(io->input_event, NULL) < 0)
				close_input(io);
			break;
		}
		if (n < 0)
			close_input(io); /* the container closed its input: drop the rest */
		else
			buf_consume(&io->input, (size_t)n);
	}
	if (io->input.size == 0 && io->input_eof && !io->terminal)
		close_input(io);
	if (io->high && io->input.size <= CONTAINER_INPUT_HIGH) {
		io->high = false;
		container_io_input_drained(io->c);
	}
}

static void on_input(evutil_socket_t fd, short what, void *cookie)
{
	flush_input(cookie);
}

static int add_input(struct container_io *io, int fd)
{
	io->input_fd = fd;
	io->input_event = event_new(io->base, fd, EV_WRITE, on_input, io);
	return io->input_event != NULL ? fd_set_nonblock(fd, true) : -ENOMEM;
}

static int make_pipes(struct container_io *io, int ret_fds[3])
{
	int in[2], out[2];
	if (pipe2(in, O_CLOEXEC) < 0)
		return -errno;
	ret_fds[0] = in[0];
	int r = add_input(io, in[1]);
	for (size_t i = 0; i < 2 && r == 0; i++) {
		if (pipe2(out, O_CLOEXEC) < 0)
			return -errno;
		ret_fds[1 + i] = out[1];
		r = add_stream(io, i, out[0]);
		if (r == 0)
			r = fd_set_nonblock(out[0], true);
	}
	return r;
}

/* The terminal's descriptor arrives as ancillary data of one message. */
static int receive_fd(int from)
{
	char byte[256];
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {byte, sizeof(byte)};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	if (recvmsg(from, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) < 0)
		return -errno;
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	if (c == NULL || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
		c->cmsg_len != CMSG_LEN(sizeof(int)))
		return -EPROTO;
	int fd;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

static int take_terminal(struct container_io *io, int fd)
{
	close_event(&io->console_event, &io->console_fd);
	close_event(&io->listen_event, &io->listen_fd);
	int r = fd_set_nonblock(fd, true);
	if (r < 0 || (r = add_stream(io, 0, fd)) < 0)
		return r;
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0)
		return -errno;
	r = add_input(io, copy);
	if (r < 0)
		return r;
	container_io_resize(io, io->rows, io->cols);
	flush_input(io);
	return 0;
}

static void on_console(evutil_socket_t fd, short what, void *cookie)
{
	int master = receive_fd(fd);
	/* crun waits for nothing here, so a failure shows when it is done (container_io_started) */
	if (master >= 0 && take_terminal(cookie, master) < 0)
		close_input(cookie);
}

static void on_listen(evutil_socket_t fd, short what, void *cookie)
{
	struct container_io *io = cookie;
	if (io->console_fd >= 0)
		return;
	io->console_fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (io->console_fd < 0)
		return;
	io->console_event =
		event_new(io->base, io->console_fd, EV_READ | EV_PERSIST, on_console, io);
	if (io->console_event == NULL || event_add(io->console_event, NULL) < 0)
		close_event(&io->console_event, &io->console_fd);
}

static int make_console(
	struct container_io *io, const char *path, int ret_fds[3], struct err *reterr)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int r = str_copy(address.sun_path, sizeof(address.sun_path), path);
	if (r < 0)
		return r;
	io->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (io->listen_fd < 0 ||
		bind(io->listen_fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(io->listen_fd, 1) < 0)
		return err_set(reterr, -errno, "cannot listen on %s", path);
	io->listen_event = event_new(io->base, io->listen_fd, EV_READ | EV_PERSIST, on_listen, io);
	if (io->listen_event == NULL || event_add(io->listen_event, NULL) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < 3; i++) {
		ret_fds[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (ret_fds[i] < 0)
			return -errno;
	}
	return 0;
}

int container_io_new(struct event_base *base, struct container *c, const char *console,
	int ret_fds[3], struct container_io **ret, struct err *reterr)
{
	struct container_io *io = calloc(1, sizeof(*io));
	if (io == NULL)
		return -ENOMEM;
	io->base = base;
	io->c = c;
	io->terminal = console != NULL;
	io->listen_fd = io->console_fd = io->input_fd = -1;
	io->input = buf_init(INPUT_MAX);
	for (size_t i = 0; i < 2; i++)
		io->out[i] = (struct stream){.io = io, .fd = -1, .is_stderr = i == 1};
	int fds[3] = {-1, -1, -1};
	int r = io->terminal ? make_console(io, console, fds, reterr) : make_pipes(io, fds);
	if (r < 0) {
		for (size_t i = 0; i < 3; i++) {
			if (fds[i] >= 0)
				close(fds[i]);
		}
		container_io_free(io);
		return err_wrap(reterr, r, "streams of the container");
	}
	memcpy(ret_fds, fds, sizeof(fds));
	*ret = io;
	return 0;
}

void container_io_free(struct container_io *io)
{
	if (io == NULL)
		return;
	close_event(&io->listen_event, &io->listen_fd);
	close_event(&io->console_event, &io->console_fd);
	close_event(&io->out[0].event, &io->out[0].fd);
	close_event(&io->out[1].event, &io->out[1].fd);
	close_input(io);
	free(io);
}

int container_io_started(struct container_io *io)
{
	io->started = true;
	for (size_t i = 0; i < 2; i++) {
		if (io->out[i].event != NULL && event_add(io->out[i].event, NULL) < 0)
			return -ENOMEM;
	}
	if (!io->terminal)
		return 0;
	/* crun has connected and sent before it left; its message may not have been looked at yet
	 */
	if (io->listen_fd >= 0 && io->console_fd < 0)
		on_listen(io->listen_fd, EV_READ, io);
	if (io->console_fd >= 0)
		on_console(io->console_fd, EV_READ, io);
	return io->out[0].fd >= 0 ? 0 : -ENOTTY;
}

bool container_io_drained(const struct container_io *io)
{
	return io->out[0].fd < 0 && io->out[1].fd < 0;
}

void container_io_resume(struct container_io *io)
{
	for (size_t i = 0; i < 2; i++) {
		if (!io->out[i].stalled)
			continue;
		io->out[i].stalled = false;
		if (io->out[i].event != NULL && event_add(io->out[i].event, NULL) < 0)
			io->out[i].stalled = true;
	}
}

int container_io_input(struct container_io *io, struct slice bytes)
{
	if (io->input_eof)
		return 0;
	/* The terminal may not be there yet: then it waits in the queue. */
	if (io->input_fd < 0 && !(io->terminal && io->listen_fd >= 0))
		return 0;
	buf_put_slice(&io->input, bytes);
	if (buf_error(&io->input) < 0)
		return buf_error(&io->input);
	io->high = io->input.size > CONTAINER_INPUT_HIGH;
	bool high = io->high;
	flush_input(io);
	return high && io->high ? -EAGAIN : 0;
}

void container_io_input_eof(struct container_io *io)
{
	static const uint8_t eot = ASCII_EOT;
	if (io->input_eof)
		return;
	/* A terminal has no end of file; its driver makes one from this character. */
	if (io->terminal && container_io_input(io, slice_of(&eot, 1)) < 0)
		close_input(io);
	io->input_eof = true;
	flush_input(io);
}

void container_io_resize(struct container_io *io, uint16_t rows, uint16_t cols)
{
	const struct winsize size = {.ws_row = rows, .ws_col = cols};
	io->rows = rows;
	io->cols = cols;
	if (io->terminal && io->out[0].fd >= 0 && rows > 0 && cols > 0 &&
		ioctl(io->out[0].fd, TIOCSWINSZ, &size) < 0)
		return; /* a wrong size is a nuisance, not a failure */
}
