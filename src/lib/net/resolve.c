/* SPDX-License-Identifier: Apache-2.0 */
/* Names to addresses with libevent's resolver: static programs cannot use NSS. */
#include <arpa/inet.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "net/conn.h"

struct lookup {
	struct event_base *base;
	bool done;
	int error;
	struct evutil_addrinfo *answers;
};

static int literal(const char *host, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, host, &v4.sin_addr) == 1)
		memcpy(ret, &v4, sizeof(v4));
	else if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1)
		memcpy(ret, &v6, sizeof(v6));
	else
		return -ENOENT;
	return 1;
}

static void on_answer(int result, struct evutil_addrinfo *answers, void *cookie)
{
	struct lookup *l = cookie;
	l->done = true;
	l->error = result;
	l->answers = answers;
	event_base_loopbreak(l->base);
}

static int run_lookup(struct lookup *l, struct evdns_base *dns, const char *host, uint16_t port,
	uint64_t deadline)
{
	struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	uint64_t now = clock_mono_ms();
	char service[8];

	if (now >= deadline)
		return -ETIMEDOUT;
	snprintf(service, sizeof(service), "%u", port);
	struct timeval left = {
		(time_t)((deadline - now) / 1000), (suseconds_t)((deadline - now) % 1000 * 1000)};
	struct evdns_getaddrinfo_request *q =
		evdns_getaddrinfo(dns, host, service, &hints, on_answer, l);
	if (q) {
		event_base_loopexit(l->base, &left);
		event_base_dispatch(l->base);
		if (!l->done) {
			/* Cancelled, it calls back once more. */
			evdns_getaddrinfo_cancel(q);
			event_base_loop(l->base, EVLOOP_NONBLOCK);
			return -ETIMEDOUT;
		}
	}
	return l->answers ? 0 : -EHOSTUNREACH;
}

int resolve_host(const char *host, uint16_t port, const char *const *nameservers, uint64_t deadline,
	struct sockaddr_storage *ret, size_t max, struct err *reterr)
{
	struct lookup l = {0};
	int count = 0;

	if (max > 0 && literal(host, port, ret) == 1)
		return 1;
	/* RFC 6761, 6.3: never a question for a name server. */
	if (max > 0 && strcasecmp(host, "localhost") == 0)
		return literal("127.0.0.1", port, ret);
	l.base = event_base_new();
	struct evdns_base *dns = l.base ? evdns_base_new(l.base, 0) : NULL;
	/* Without the file libevent asks 127.0.0.1, which then fails with a reason of its own. */
	if (dns && !nameservers)
		(void)evdns_base_resolv_conf_parse(dns, DNS_OPTIONS_ALL, "/etc/resolv.conf");
	if (dns)
		(void)evdns_base_load_hosts(dns, "/etc/hosts");
	for (size_t i = 0; dns && nameservers && nameservers[i]; i++)
		evdns_base_nameserver_ip_add(dns, nameservers[i]);
	int r = dns ? run_lookup(&l, dns, host, port, deadline) : -ENOMEM;
	if (r < 0)
		err_set(reterr, r, "cannot resolve %s: %s", host,
			r == -ETIMEDOUT ? "no answer from the name server in time"
					: evutil_gai_strerror(l.error));
	for (struct evutil_addrinfo *a = l.answers; a && (size_t)count < max; a = a->ai_next) {
		if (a->ai_addrlen > sizeof(*ret))
			continue;
		memset(&ret[count], 0, sizeof(*ret));
		memcpy(&ret[count++], a->ai_addr, a->ai_addrlen);
	}
	if (l.answers)
		evutil_freeaddrinfo(l.answers);
	if (dns)
		evdns_base_free(dns, 0);
	if (l.base)
		event_base_free(l.base);
	if (r < 0)
		return r;
	return count > 0 ? count : err_set(reterr, -EHOSTUNREACH, "%s has no address", host);
}
