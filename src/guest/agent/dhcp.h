/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * DHCP messages (RFC 2131, options RFC 2132): what a client sends and how it reads the answers. No
 * I/O. The server is the host or its network: hostile. Addresses are in host byte order.
 */
#include "base/buf.h"
#include "base/err.h"

#define DHCP_MESSAGE_MAX 1500u
#define DHCP_DNS_MAX 3u

enum dhcp_type {
	DHCP_DISCOVER = 1,
	DHCP_OFFER = 2,
	DHCP_REQUEST = 3,
	DHCP_ACK = 5,
	DHCP_NAK = 6,
};

struct dhcp_lease {
	enum dhcp_type type; /* OFFER, ACK or NAK */
	uint32_t address, server, gateway;
	uint8_t prefix; /* 1 to 32 */
	uint32_t dns[DHCP_DNS_MAX];
	size_t dns_count;
};

/**
 * dhcp_build() - append a DISCOVER, or a REQUEST for what @offer holds
 * @xid: transaction, chosen at random for each exchange
 * @mac: Ethernet address of the client
 * @offer: NULL with DISCOVER
 */
void dhcp_build(struct buf *out, enum dhcp_type type, uint32_t xid, const uint8_t mac[6],
	const struct dhcp_lease *offer);

/**
 * dhcp_parse() - read a server's message (UDP payload)
 * Return: 0; -ENODATA (truncated); -EBADMSG (malformed, no address or netmask); -ESRCH (an answer
 * to somebody else: other transaction, other client, not a reply); -EOPNOTSUPP (another message
 * type). Limits: DHCP_MESSAGE_MAX; options are read from the options field only (no overload, RFC
 * 2132 section 9.3), further name servers are dropped.
 */
must_check int dhcp_parse(
	struct slice in, uint32_t xid, const uint8_t mac[6], struct dhcp_lease *ret);
