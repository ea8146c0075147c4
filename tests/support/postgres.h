/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A PostgreSQL server of one's own: a cluster in a temporary folder, on a unix socket only. */
#include <sys/types.h>

#include "base/err.h"
#include "trustee/store/db.h"

struct pg_server {
	char dir[64]; /* also where the socket is */
	char bin[96];
	pid_t pid;
	unsigned databases;
};

/** pg_server_start() - make the cluster, unless it exists, and wait until it answers
 * Return: 0, -ENOENT (PostgreSQL is not installed), -ETIMEDOUT, errno. */
must_check int pg_server_start(struct pg_server *s);
/** pg_server_kill() - SIGKILL to the server and its children: a crash */
void pg_server_kill(struct pg_server *s);
/** pg_server_stop() - a fast, clean shutdown */
void pg_server_stop(struct pg_server *s);
/** pg_server_remove() - stop and delete everything */
void pg_server_remove(struct pg_server *s);
/** pg_server_options() - how to reach @database */
struct db_postgres_options pg_server_options(const struct pg_server *s, const char *database);
/** pg_server_database() - make a fresh database; its name goes to @name */
must_check int pg_server_database(struct pg_server *s, char *name, size_t size);
