/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/agent/dhcp_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "guest/agent/netif.h"

#define SERVER_PORT 67
#define CLIENT_PORT 68
#define RESEND_S 1

struct dhcp_client {
	int fd;
	struct event *readable, *timer;
	uint32_t xid;
	uint8_t mac[6];
	bool offered, finished;
	struct dhcp_lease offer;
	dhcp_done_t done;
	void *cookie;
};

static void finish(struct dhcp_client *c, int code, const struct dhcp_lease *lease)
{
	if (c->finished)
		return;
	c->finished = true;
	event_del(c->readable);
	event_del(c->timer);
	c->done(c->cookie, code, lease);
}

static int send_message(struct dhcp_client *c)
{
	const struct timeval resend = {RESEND_S, 0};
	const struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(SERVER_PORT),
		.sin_addr.s_addr = htonl(INADDR_BROADCAST),
	};
	cleanup_with(buf_done) struct buf out = buf_init(DHCP_MESSAGE_MAX);
	dhcp_build(&out, c->offered ? DHCP_REQUEST : DHCP_DISCOVER, c->xid, c->mac,
		c->offered ? &c->offer : NULL);
	if (buf_error(&out) < 0)
		return buf_error(&out);
	/* A full queue is a lost packet: the timer sends it again. */
	if (sendto(c->fd, out.data, out.size, 0, (const struct sockaddr *)&to, sizeof(to)) < 0 &&
		errno != EAGAIN && errno != ENOBUFS)
		return -errno;
	return event_add(c->timer, &resend) < 0 ? -ENOMEM : 0;
}

static void on_timer(evutil_socket_t fd, short what, void *cookie)
{
	struct dhcp_client *c = cookie;
	int r = send_message(c);
	if (r < 0)
		finish(c, r, NULL);
}

static void on_readable(evutil_socket_t fd, short what, void *cookie)
{
	struct dhcp_client *c = cookie;
	uint8_t packet[DHCP_MESSAGE_MAX];
	struct dhcp_lease lease;
	ssize_t n = recv(fd, packet, sizeof(packet), 0);
	/* Anybody may send here: what is not our answer is ignored, the deadline stays. */
	if (n <= 0 || dhcp_parse(slice_of(packet, (size_t)n), c->xid, c->mac, &lease) < 0)
		return;
	if (!c->offered && lease.type == DHCP_OFFER) {
		c->offered = true;
		c->offer = lease;
		int r = send_message(c);
		if (r < 0)
			finish(c, r, NULL);
	} else if (c->offered && lease.type == DHCP_ACK) {
		finish(c, 0, &lease);
	} else if (c->offered && lease.type == DHCP_NAK) {
		finish(c, -EADDRNOTAVAIL, NULL);
	}
}

static int open_socket(const char *interface)
{
	const int on = 1;
	const struct sockaddr_in from = {
		.sin_family = AF_INET,
		.sin_port = htons(CLIENT_PORT),
	};
	cleanup_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)) < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface,
			(socklen_t)strlen(interface)) < 0 ||
		bind(fd, (const struct sockaddr *)&from, sizeof(from)) < 0)
		return -errno;
	return steal_fd(&fd);
}

int dhcp_client_new(struct event_base *base, const char *interface, dhcp_done_t done, void *cookie,
	struct dhcp_client **ret, struct err *reterr)
{
	cleanup(dhcp_client_free) struct dhcp_client *c = calloc(1, sizeof(*c));
	if (c == NULL)
		return -ENOMEM;
	c->done = done;
	c->cookie = cookie;
	c->fd = open_socket(interface);
	if (c->fd < 0)
		return err_set(reterr, c->fd, "cannot open a DHCP socket on %s", interface);
	int r = netif_mac(interface, c->mac);
	if (r < 0)
		return err_set(reterr, r, "%s has no Ethernet address", interface);
	if (getrandom(&c->xid, sizeof(c->xid), 0) != sizeof(c->xid))
		return err_set(reterr, -EIO, "no random numbers");
	c->readable = event_new(base, c->fd, EV_READ | EV_PERSIST, on_readable, c);
	c->timer = event_new(base, -1, 0, on_timer, c);
	if (c->readable == NULL || c->timer == NULL || event_add(c->readable, NULL) < 0)
		return -ENOMEM;
	r = send_message(c);
	if (r < 0)
		return err_set(reterr, r, "cannot send on %s", interface);
	*ret = steal_ptr(c);
	return 0;
}

void dhcp_client_free(struct dhcp_client *c)
{
	if (c == NULL)
		return;
	if (c->readable != NULL)
		event_free(c->readable);
	if (c->timer != NULL)
		event_free(c->timer);
	if (c->fd >= 0)
		close(c->fd);
	free(c);
}
