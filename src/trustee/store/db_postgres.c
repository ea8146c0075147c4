/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PostgreSQL through libpq's asynchronous calls, each with a deadline: a server that hangs, or a
 * network that swallows packets, costs at most the statement timeout and then counts as lost.
 */
#include <poll.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/str.h"
#include "trustee/store/db_postgres.h"

#define SERVER_MARGIN_MS 500 /* the server gives up on a statement before we do */
#define PARAMS_MAX 16

/* Object identifiers of the built-in types that parameters have. */
enum { OID_BYTEA = 17, OID_INT8 = 20, OID_TEXT = 25 };

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
		r = postgres_wait(p, POLLIN | POLLOUT, deadline);
	if (pending < 0)
		r = -EPIPE;
	while (r == 0) {
		while (r == 0 && pq->PQisBusy(p->conn)) {
			r = postgres_wait(p, POLLIN, deadline);
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
		return postgres_lost(p, r == -ETIMEDOUT ? r : -EPIPE, reterr);
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
	int r = postgres_connect(p, reterr);

	if (r < 0)
		return r;
	if (p->pq->PQsendQuery(p->conn, sql) != 1)
		return postgres_lost(p, -EPIPE, reterr);
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
	int r = count > PARAMS_MAX ? -EINVAL : postgres_connect(p, reterr);

	if (r < 0)
		return r;
	rows = calloc(1, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	*rows = (struct postgres_rows){.rows = {db->ops}, .postgres = p, .row = -1};
	if (send_query(p, sql, params, count) != 1)
		r = postgres_lost(p, -EPIPE, reterr);
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
		postgres_disconnect(p);
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
	postgres_disconnect(own(db));
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
	r = postgres_connect(p, reterr);
	if (r < 0) {
		postgres_close(&p->db);
		return r;
	}
	*ret = &p->db;
	return 0;
}
