/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PostgreSQL through libpq's asynchronous calls, each with a deadline: a server that hangs, or a
 * network that swallows packets, costs at most the statement timeout and then counts as lost.
 */
#include <arpa/inet.h>
#include <poll.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/str.h"
#include "net/conn.h"
#include "trustee/store/db_internal.h"
#include "trustee/store/libpq.h"

#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000
#define SERVER_MARGIN_MS 500 /* the server gives up on a statement before we do */
#define PARAMS_MAX 16
#define ADDRESSES_MAX 4

/* Object identifiers of the built-in types that parameters have. */
enum { OID_BYTEA = 17, OID_INT8 = 20, OID_TEXT = 25 };

struct postgres {
	struct db db;
	const struct libpq *pq;
	const struct db_postgres_options *o;
	struct db_postgres_options options;
	PGconn *conn;
	bool transaction; /* between begin and its end, also when the connection broke */
	uint64_t retry_at_ms;
	uint32_t backoff_ms;
};
struct postgres_rows {
	struct db_rows rows;
	struct postgres *postgres;
	PGresult *result;
	int row;
};

static struct postgres *own(const struct db *db)
{
	return (struct postgres *)(uintptr_t)db;
}

static const struct postgres_rows *own_rows(const struct db_rows *rows)
{
	return (const struct postgres_rows *)(const void *)rows;
}

/* libpq ends its messages with a line break. */
static int pg_error(struct postgres *p, int code, struct err *reterr)
{
	const char *text = p->conn ? p->pq->PQerrorMessage(p->conn) : "no connection";

	return err_set(reterr, code, "PostgreSQL: %.*s", (int)MIN(strcspn(text, "\n"), 300), text);
}

static void disconnect(struct postgres *p)
{
	if (p->conn)
		p->pq->PQfinish(p->conn);
	p->conn = NULL;
}

static int lost(struct postgres *p, int code, struct err *reterr)
{
	struct err e = {0};

	(void)pg_error(p, code, &e);
	log_warn("store.connection.lost", LOG_STR("reason", err_text(&e, code)));
	disconnect(p);
	return err_set(reterr, code, "%s", err_text(&e, code));
}

/* Waits for the socket. Return: 0, -ETIMEDOUT, errno. */
static int wait_socket(struct postgres *p, short events, uint64_t deadline)
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
		r = wait_socket(p, state == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline);
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
		disconnect(p);
	return r;
}

/* One attempt when it is due; the wait doubles, so that a dead server is not hammered. */
static int ensure_connection(struct postgres *p, struct err *reterr)
{
	struct err e = {0};
	int r;

	if (p->conn && p->pq->PQstatus(p->conn) == CONNECTION_OK)
		return 0;
	if (p->transaction)
		return err_set(reterr, -EPIPE, "PostgreSQL: the connection was lost");
	disconnect(p);
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

static int code_of_state(const char *state)
{
	static const struct {
		const char *state; /* SQLSTATE or its first characters */
		int code;
	} rows[] = {
		{"23", -EEXIST},       /* integrity constraint */
		{"40", -EBUSY},	       /* serialization failure, deadlock */
		{"55P03", -EBUSY},     /* lock not available */
		{"57014", -ETIMEDOUT}, /* statement timeout */
		{"57P", -EPIPE},       /* the server shuts down */
		{"08", -EPIPE},
		{"53100", -ENOSPC},
		{"53", -EAGAIN}, /* out of memory, too many connections */
		{"42501", -EPERM},
	};

	for (size_t i = 0; state && i < ARRAY_COUNT(rows); i++) {
		if (str_starts(state, rows[i].state))
			return rows[i].code;
	}
	return -EIO;
}

/* The last result of what was sent; earlier ones are dropped. */
static int collect(struct postgres *p, uint64_t deadline, PGresult **ret, struct err *reterr)
{
	const struct libpq *pq = p->pq;
	PGresult *last = NULL, *next;
	int r = 0, pending;

	while ((pending = pq->PQflush(p->conn)) == 1 && r == 0)
		r = wait_socket(p, POLLIN | POLLOUT, deadline);
	if (pending < 0)
		r = -EPIPE;
	while (r == 0) {
		while (r == 0 && pq->PQisBusy(p->conn)) {
			r = wait_socket(p, POLLIN, deadline);
			if (r == 0 && pq->PQconsumeInput(p->conn) == 0)
				r = -EPIPE;
		}
		if (r < 0)
			break;
		next = pq->PQgetResult(p->conn);
		if (!next)
			break;
		if (last)
			pq->PQclear(last);
		last = next;
		if (pq->PQresultStatus(last) == PGRES_FATAL_ERROR &&
			pq->PQstatus(p->conn) == CONNECTION_BAD)
			break;
	}
	if (r < 0 || !last || pq->PQstatus(p->conn) == CONNECTION_BAD) {
		if (last)
			pq->PQclear(last);
		return lost(p, r == -ETIMEDOUT ? r : -EPIPE, reterr);
	}
	*ret = last;
	return 0;
}

static int judge(struct postgres *p, PGresult *result, struct err *reterr)
{
	ExecStatusType status = p->pq->PQresultStatus(result);
	const char *text;
	int code;

	if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
		return 0;
	text = p->pq->PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	code = code_of_state(p->pq->PQresultErrorField(result, PG_DIAG_SQLSTATE));
	return err_set(reterr, code, "PostgreSQL: %.300s", text ? text : "unknown error");
}

static uint64_t deadline_of(const struct postgres *p)
{
	return clock_mono_ms() + p->o->statement_timeout_ms + SERVER_MARGIN_MS;
}

static int postgres_exec(struct db *db, const char *sql, struct err *reterr)
{
	struct postgres *p = own(db);
	PGresult *result = NULL;
	int r = ensure_connection(p, reterr);

	if (r < 0)
		return r;
	if (p->pq->PQsendQuery(p->conn, sql) != 1)
		return lost(p, -EPIPE, reterr);
	r = collect(p, deadline_of(p), &result, reterr);
	if (r < 0)
		return r;
	r = judge(p, result, reterr);
	p->pq->PQclear(result);
	return r;
}

static void postgres_rows_free(struct db_rows *rows)
{
	const struct postgres_rows *own = own_rows(rows);

	if (own->result)
		own->postgres->pq->PQclear(own->result);
	free(rows);
}

static int send_query(
	struct postgres *p, const char *sql, const struct db_value *params, size_t count)
{
	static const Oid oids[] = {
		[DB_TYPE_INT] = OID_INT8, [DB_TYPE_TEXT] = OID_TEXT, [DB_TYPE_BLOB] = OID_BYTEA};
	Oid types[PARAMS_MAX];
	const char *values[PARAMS_MAX];
	int lengths[PARAMS_MAX], formats[PARAMS_MAX];
	uint8_t numbers[PARAMS_MAX][8];

	for (size_t i = 0; i < count; i++) {
		const struct db_value *v = &params[i];
		bool number = v->type == DB_TYPE_INT;

		for (int b = 0; b < 8; b++)
			numbers[i][b] = (uint8_t)((uint64_t)v->number >> (56 - 8 * b));
		types[i] = oids[v->type];
		formats[i] = 1;
		lengths[i] = number ? 8 : (int)v->bytes.size;
		values[i] = number	    ? (const char *)numbers[i]
			    : v->bytes.data ? (const char *)v->bytes.data
					    : "";
	}
	return p->pq->PQsendQueryParams(
		p->conn, sql, (int)count, types, values, lengths, formats, 1);
}

static int postgres_query(struct db *db, const char *sql, const struct db_value *params,
	size_t count, struct db_rows **ret, struct err *reterr)
{
	struct postgres *p = own(db);
	struct postgres_rows *rows;
	int r = count > PARAMS_MAX ? -EINVAL : ensure_connection(p, reterr);

	if (r < 0)
		return r;
	rows = calloc(1, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	*rows = (struct postgres_rows){.rows = {db->ops}, .postgres = p, .row = -1};
	if (send_query(p, sql, params, count) != 1)
		r = lost(p, -EPIPE, reterr);
	if (r == 0)
		r = collect(p, deadline_of(p), &rows->result, reterr);
	if (r == 0)
		r = judge(p, rows->result, reterr);
	if (r < 0) {
		postgres_rows_free(&rows->rows);
		return r;
	}
	*ret = &rows->rows;
	return 0;
}

static int postgres_next(struct db_rows *rows, struct err *reterr)
{
	struct postgres_rows *own = (struct postgres_rows *)(void *)rows;

	own->row++;
	return own->row < own->postgres->pq->PQntuples(own->result);
}

static uint64_t postgres_changed(const struct db_rows *rows)
{
	const struct postgres_rows *own = own_rows(rows);
	const char *text = own->postgres->pq->PQcmdTuples(own->result);
	uint64_t n = 0;

	return parse_u64(slice_str(text), 0, UINT64_MAX, &n) == 0 ? n : 0;
}

/* Borrowed from the result: valid until the rows are freed. */
static struct slice postgres_blob(const struct db_rows *rows, int column)
{
	const struct postgres_rows *own = own_rows(rows);
	const struct libpq *pq = own->postgres->pq;

	if (pq->PQgetisnull(own->result, own->row, column))
		return SLICE_EMPTY;
	return slice_of(pq->PQgetvalue(own->result, own->row, column),
		(size_t)pq->PQgetlength(own->result, own->row, column));
}

static const char *postgres_text(const struct db_rows *rows, int column)
{
	struct slice s = postgres_blob(rows, column);

	return s.data ? (const char *)s.data : ""; /* libpq puts a NUL behind each value */
}

/* int2, int4, int8 and bool arrive big-endian. */
static int64_t postgres_int(const struct db_rows *rows, int column)
{
	struct slice s = postgres_blob(rows, column);
	uint64_t v = s.size > 0 && (s.data[0] & 0x80) ? UINT64_MAX : 0;

	for (size_t i = 0; i < s.size && i < 8; i++)
		v = v << 8 | s.data[i];
	return (int64_t)v;
}

static int postgres_begin(struct db *db, struct err *reterr)
{
	struct postgres *p = own(db);
	int r;

	p->transaction = false;
	r = postgres_exec(db, "BEGIN", reterr);
	p->transaction = r == 0;
	return r;
}

static bool postgres_in_transaction(const struct db *db)
{
	const struct postgres *p = own(db);

	return p->transaction && p->conn && p->pq->PQstatus(p->conn) == CONNECTION_OK &&
	       p->pq->PQtransactionStatus(p->conn) != PQTRANS_IDLE;
}

static void postgres_rollback(struct db *db)
{
	struct postgres *p = own(db);

	if (postgres_in_transaction(db) && postgres_exec(db, "ROLLBACK", NULL) < 0)
		disconnect(p);
	p->transaction = false;
}

static int postgres_commit(struct db *db, struct err *reterr)
{
	struct postgres *p = own(db);
	/* COMMIT of a failed transaction succeeds and rolls back: that must not look like success. */
	bool good = postgres_in_transaction(db) &&
		    p->pq->PQtransactionStatus(p->conn) == PQTRANS_INTRANS;
	int r = good ? postgres_exec(db, "COMMIT", reterr)
		     : err_set(reterr, -EPIPE, "PostgreSQL: the transaction was lost");

	if (r < 0)
		postgres_rollback(db);
	p->transaction = false;
	return r;
}

static int postgres_sync(struct db *db, struct err *reterr)
{
	return 0;
}

static int postgres_sync_fd(struct db *db)
{
	return -1;
}

static void postgres_close(struct db *db)
{
	disconnect(own(db));
	free(db);
}

static const struct db_ops g_postgres = {
	.kind = DB_POSTGRES,
	.close = postgres_close,
	.exec = postgres_exec,
	.query = postgres_query,
	.begin = postgres_begin,
	.commit = postgres_commit,
	.sync = postgres_sync,
	.sync_fd = postgres_sync_fd,
	.rollback = postgres_rollback,
	.in_transaction = postgres_in_transaction,
	.next = postgres_next,
	.changed = postgres_changed,
	.rows_free = postgres_rows_free,
	.as_int = postgres_int,
	.as_text = postgres_text,
	.as_blob = postgres_blob,
};

int db_postgres_open(const struct db_postgres_options *o, struct db **ret, struct err *reterr)
{
	struct postgres *p;
	const struct libpq *pq;
	int r = libpq_load(&pq, reterr);

	if (r < 0)
		return r;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->db.ops = &g_postgres;
	p->pq = pq;
	p->options = *o;
	p->o = &p->options;
	r = ensure_connection(p, reterr);
	if (r < 0) {
		postgres_close(&p->db);
		return r;
	}
	*ret = &p->db;
	return 0;
}
