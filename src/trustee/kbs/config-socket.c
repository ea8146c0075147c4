/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses to listen on: what they look like, and who can reach them. */
#include <netinet/in.h>

#include "net/tls_server.h"
#include "trustee/kbs/config-read.h"

/* 127.0.0.0/8 and ::1, and the former as IPv6 writes it. */
static bool is_loopback(const struct sockaddr_storage *at)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)at;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)at;

	if (at->ss_family == AF_INET)
		return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) ||
	       (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) && v6->sin6_addr.s6_addr[12] == 127);
}

int config_check_sockets(const struct config_strings *list, const char *section, const char *key,
	const char **ret_beyond, struct err *reterr)
{
	for (size_t i = 0; i < list->count; i++) {
		struct sockaddr_storage at;
		socklen_t size;
		int r = listen_sockaddr(list->items[i], &at, &size, reterr);

		if (r < 0)
			return err_wrap(reterr, r, "[%s] %s", section, key);
		if (ret_beyond && !*ret_beyond && !is_loopback(&at))
			*ret_beyond = list->items[i];
	}
	return 0;
}
