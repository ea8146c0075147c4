/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One DHCP exchange on the event loop. The lease is not renewed: a guest outlives no lease. */
#include <event2/event.h>

#include "guest/agent/dhcp.h"

struct dhcp_client;

/** called once, with 0 and a lease or with a negative errno */
typedef void (*dhcp_done_t)(void *cookie, int code, const struct dhcp_lease *lease);

/**
 * dhcp_client_new() - start an exchange on an interface that is up
 * It resends every second until an answer comes; the caller has the deadline.
 * Return: 0 or negative errno.
 */
must_check int dhcp_client_new(struct event_base *base, const char *interface, dhcp_done_t done,
	void *cookie, struct dhcp_client **ret, struct err *reterr);
void dhcp_client_free(struct dhcp_client *client);
DEFINE_CLEANUP(struct dhcp_client *, dhcp_client_free);
