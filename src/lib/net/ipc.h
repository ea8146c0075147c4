/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Messages between husk's own processes over a socketpair: u32be size, then the bytes. One end may
 * live in an event loop (struct ipc) and the other be a simple blocking loop (ipc_read()).
 */
#include "base/buf.h"
#include "base/err.h"

struct event_base;
struct ipc;

#define IPC_MESSAGE_MAX ((size_t)80 << 20)

/** typedef ipc_message_fn - a whole message; @message is borrowed for the call */
typedef void (*ipc_message_fn)(void *cookie, struct slice message);
/** typedef ipc_closed_fn - the peer is gone or broke the framing; called once, not by ipc_free() */
typedef void (*ipc_closed_fn)(void *cookie);

/** ipc_pair() - two connected, CLOEXEC sockets. Return: 0 or negative errno. */
must_check int ipc_pair(int ret[2]);
/**
 * ipc_new() - serve one end in an event loop
 * @fd: consumed, also on failure
 * @max: largest message accepted in bytes, at most IPC_MESSAGE_MAX
 *
 * In @closed and @message the owner may call ipc_free(). Return: NULL on ENOMEM.
 */
struct ipc *ipc_new(struct event_base *base, int fd, size_t max, ipc_message_fn message,
	ipc_closed_fn closed, void *cookie);
/** ipc_free() - close; accepts NULL */
void ipc_free(struct ipc *i);
DEFINE_CLEANUP(struct ipc *, ipc_free);
/** ipc_send() - queue one message. Return: 0, -E2BIG, -ENOMEM, -EPIPE (closed). */
must_check int ipc_send(struct ipc *i, struct slice message);
/** ipc_pending() - bytes queued and not yet taken by the kernel */
size_t ipc_pending(const struct ipc *i);

/**
 * ipc_read() - block for one message and put it into @out, which is cleared first
 * Return: 0, -ENODATA (peer closed between messages), -EPROTO (within one), -E2BIG, errno.
 */
must_check int ipc_read(int fd, size_t max, struct buf *out);
/** ipc_write() - block until one message is written. Return: 0, -E2BIG, errno. */
must_check int ipc_write(int fd, struct slice message);

/** ipc_send_fd() - pass a file descriptor with a number over a datagram or stream socket */
must_check int ipc_send_fd(int sock, int fd, uint32_t tag);
/** ipc_recv_fd() - Return: 0 with a CLOEXEC descriptor, -ENODATA (closed), -EAGAIN, -EPROTO. */
must_check int ipc_recv_fd(int sock, int *ret_fd, uint32_t *ret_tag);
