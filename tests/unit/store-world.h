/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Stores to test with: in memory, in a file, and on a PostgreSQL server of one's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/log.h"
#include "base/str.h"
#include "support/postgres.h"
#include "trustee/store/store.h"

static const struct store_change g_by = {"admin", "127.0.0.1", 1700000000, ""};
static const struct store_change g_acme = {"acme-admin", "127.0.0.1", 1700000000, "acme"};

/* The tests that take their store from here run on both databases. */
static struct pg_server g_postgres;
static bool g_on_postgres;
static char g_database[32];

static inline struct store *open_store(void)
{
	struct store *s = NULL;
	struct err e = {0};
	int r;

	if (g_on_postgres) {
		struct db_postgres_options o;

		assert_int_equal(
			pg_server_database(&g_postgres, g_database, sizeof(g_database)), 0);
		o = pg_server_options(&g_postgres, g_database);
		r = store_open_postgres(&o, &s, &e);
	} else {
		r = store_open(":memory:", &s, &e);
	}
	if (r < 0)
		fail_msg("%s", e.text);
	return s;
}

static inline int put(struct store *s, const struct store_change *by, const char *key,
	struct slice content, bool overwrite, int64_t *version)
{
	const struct store_put p = {.content = content, .overwrite = overwrite, .type = "text/x"};

	return store_resource_put(s, by, key, &p, version, NULL);
}

static inline int get(struct store *s, const char *key, struct secret *ret)
{
	secret_done(ret);
	return store_resource_get(s, "", key, 0, ret, NULL, NULL);
}

static inline char *temp_store(void)
{
	static char path[64];
	int fd;

	snprintf(path, sizeof(path), "/tmp/husk-store-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	unlink(path);
	return path;
}

static inline void remove_store(const char *path)
{
	char wal[96];

	snprintf(wal, sizeof(wal), "%s-wal", path);
	unlink(path);
	unlink(wal);
}

static inline void run_sql(const char *path, const char *sql, int want)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, want);
	sqlite3_close(db);
}

static inline int use_postgres(void **state)
{
	g_on_postgres = true;
	return 0;
}

/* Whether there is a server to test with; a skip where it is not installed, but a failure in CI. */
static inline bool has_postgres(int *failed)
{
	int r = pg_server_start(&g_postgres);

	if (r == -ENOENT && !getenv("CI")) {
		print_message("PostgreSQL is not installed: its tests are skipped\n");
	} else if (r < 0) {
		print_error("PostgreSQL does not start: %s\n", strerror(-r));
		(*failed)++;
	}
	return r == 0;
}
