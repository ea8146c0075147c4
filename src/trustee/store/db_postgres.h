/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files of the PostgreSQL store share. */
#include "trustee/store/db_internal.h"
#include "trustee/store/libpq.h"

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

/* Waits for the socket. Return: 0, -ETIMEDOUT, errno. */
must_check int postgres_wait(struct postgres *p, short events, uint64_t deadline);
/* One attempt when it is due. Return: 0, -EAGAIN, -EPIPE (it broke within a transaction). */
must_check int postgres_connect(struct postgres *p, struct err *reterr);
void postgres_disconnect(struct postgres *p);
/* Logs why, disconnects. Return: @code. */
int postgres_lost(struct postgres *p, int code, struct err *reterr);
