/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The guest's one network interface. IPv4, addresses in host byte order. */
#include <net/if.h>

#include "base/err.h"

#define NETIF_DNS_MAX 3u

struct netif_config {
	uint32_t address, gateway; /* gateway 0: no default route */
	uint8_t prefix;
	uint32_t dns[NETIF_DNS_MAX];
	size_t dns_count;
};

/** netif_find() - the first interface that is not loopback. Return: 0, -ENODEV, negative errno. */
must_check int netif_find(char ret_name[IFNAMSIZ]);
/** netif_up() - bring an interface up (no address). Return: 0 or negative errno. */
must_check int netif_up(const char *name, struct err *reterr);
/** netif_mac() - Ethernet address. Return: 0, -EPROTONOSUPPORT when it is none, negative errno. */
must_check int netif_mac(const char *name, uint8_t ret_mac[6]);
/**
 * netif_configure() - set address, netmask and default route, write /etc/resolv.conf
 * Return: 0 or negative errno.
 */
must_check int netif_configure(
	const char *name, const struct netif_config *config, struct err *reterr);
