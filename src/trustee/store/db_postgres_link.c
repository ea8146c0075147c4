/* SPDX-License-Identifier: Apache-2.0 */
/* The connection to PostgreSQL: made, waited for with a deadline, lost, and made again. */
#include <arpa/inet.h>
#include <poll.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "net/conn.h"
#include "trustee/store/db_postgres.h"

#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000
#define ADDRESSES_MAX 4

/* libpq ends its messages with a line break. */
static int pg_error(struct postgres *p, int code, struct err *reterr)
{
	const char *text = p->conn ? p->pq->PQerrorMessage(p->conn) : "no connection";

	return err_set(reterr, code, "PostgreSQL: %.*s", (int)MIN(strcspn(text, "\n"), 300), text);
}

void postgres_disconnect(struct postgres *p)
{
	if (p->conn)
		p->pq->PQfinish(p->conn);
	p->conn = NULL;
}

int postgres_lost(struct postgres *p, int code, struct err *reterr)
{
	struct err e = {0};

	(void)pg_error(p, code, &e);
	log_warn("store.connection.lost", LOG_STR("reason", err_text(&e, code)));
	postgres_disconnect(p);
	return err_set(reterr, code, "%s", err_text(&e, code));
}

/* Waits for the socket. Return: 0, -ETIMEDOUT, errno. */
int postgres_wait(struct postgres *p, short events, uint64_t deadline)
{
	for (;;) {
		struct pollfd fd = {.fd = p->pq->PQsocket(p->conn), .events = events};
		uint64_t now = clock_mono_ms();
		int n;

		if (now >= deadline)
			return -ETIMEDOUT;
		n = poll(&fd, 1, (int)MIN(deadline - now, 60000));
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static void no_notice(void *cookie, const char *message)
{
}

/* Name resolution without NSS, like every other client of husk. */
static int resolve(struct postgres *p, char *dst, size_t size, uint64_t deadline, struct err *e)
{
	struct sockaddr_storage found[ADDRESSES_MAX];
	int r = resolve_host(
		p->o->host, (uint16_t)p->o->port, NULL, deadline, found, ADDRESSES_MAX, e);
	const void *address;

	if (r <= 0)
		return r < 0 ? r : err_set(e, -EHOSTUNREACH, "no address of %s", p->o->host);
	address = found[0].ss_family == AF_INET6
			  ? (const void *)&((struct sockaddr_in6 *)&found[0])->sin6_addr
			  : (const void *)&((struct sockaddr_in *)&found[0])->sin_addr;
	return inet_ntop(found[0].ss_family, address, dst, (socklen_t)size) ? 0 : -errno;
}

static PGconn *start_connection(struct postgres *p, const char *address)
{
	const struct db_postgres_options *o = p->o;
	char port[16], alive[16], options[96];
	/* Optional members are empty: libpq takes that for "not given". */
	const char *const names[] = {"host", "hostaddr", "port", "dbname", "user", "password",
		"passfile", "sslmode", "sslrootcert", "sslcert", "sslkey", "gssencmode",
		"application_name", "client_encoding", "tcp_user_timeout", "options", NULL};
	const char *const values[] = {o->host, address, port, o->database, o->user,
		o->password ? o->password : "", "/nonexistent", o->sslmode ? o->sslmode : "",
		o->sslrootcert ? o->sslrootcert : "", o->sslcert ? o->sslcert : "",
		o->sslkey ? o->sslkey : "", "disable", "husk-kbs", "UTF8", alive, options, NULL};

	snprintf(port, sizeof(port), "%u", o->port);
	snprintf(alive, sizeof(alive), "%u", o->statement_timeout_ms);
	snprintf(options, sizeof(options),
		"-c statement_timeout=%u -c lock_timeout=%u -c synchronous_commit=on",
		o->statement_timeout_ms, o->statement_timeout_ms);
	return p->pq->PQconnectStartParams(names, values, 0);
}

static int finish_connection(struct postgres *p, uint64_t deadline, struct err *reterr)
{
	PostgresPollingStatusType state = PGRES_POLLING_WRITING;

	while (state != PGRES_POLLING_OK) {
		int r;

		if (state == PGRES_POLLING_FAILED || p->pq->PQstatus(p->conn) == CONNECTION_BAD)
			return pg_error(p, -EAGAIN, reterr);
		r = postgres_wait(p, state == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline);
		if (r < 0)
			return err_set(
				reterr, -EAGAIN, "PostgreSQL at %s: %s", p->o->host, strerror(-r));
		state = p->pq->PQconnectPoll(p->conn);
	}
	p->pq->PQsetNoticeProcessor(p->conn, no_notice, NULL);
	return p->pq->PQsetnonblocking(p->conn, 1) == 0 ? 0 : -EAGAIN;
}

static int connect_now(struct postgres *p, struct err *reterr)
{
	uint64_t deadline = clock_mono_ms() + p->o->connect_timeout_ms;
	char address[INET6_ADDRSTRLEN] = "";
	int r = p->o->host[0] == '/' ? 0 : resolve(p, address, sizeof(address), deadline, reterr);

	if (r < 0)
		return r;
	p->conn = start_connection(p, address);
	if (!p->conn)
		return -ENOMEM;
	r = finish_connection(p, deadline, reterr);
	if (r < 0)
		postgres_disconnect(p);
	return r;
}

/* One attempt when it is due; the wait doubles, so that a dead server is not hammered. */
int postgres_connect(struct postgres *p, struct err *reterr)
{
	struct err e = {0};
	int r;

	if (p->conn && p->pq->PQstatus(p->conn) == CONNECTION_OK)
		return 0;
	if (p->transaction)
		return err_set(reterr, -EPIPE, "PostgreSQL: the connection was lost");
	postgres_disconnect(p);
	if (clock_mono_ms() < p->retry_at_ms)
		return err_set(reterr, -EAGAIN, "PostgreSQL is not reachable; trying again soon");
	r = connect_now(p, &e);
	if (r == 0) {
		if (p->backoff_ms)
			log_info("store.connection.back", LOG_STR("host", p->o->host));
		p->backoff_ms = 0;
		return 0;
	}
	p->backoff_ms = p->backoff_ms ? MIN(p->backoff_ms * 2, BACKOFF_MAX_MS) : BACKOFF_MIN_MS;
	p->retry_at_ms = clock_mono_ms() + p->backoff_ms;
	log_warn("store.connection.failed", LOG_STR("reason", err_text(&e, r)),
		LOG_U64("retry_ms", p->backoff_ms));
	return err_set(reterr, -EAGAIN, "%s", err_text(&e, r));
}
