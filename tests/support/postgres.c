/* SPDX-License-Identifier: Apache-2.0 */
#include "support/postgres.h"

#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

#define WAIT_MS 60000
#define USER "postgres"

static int find_programs(struct pg_server *s)
{
	glob_t found;
	int r = glob("/usr/lib/postgresql/*/bin/postgres", 0, NULL, &found);

	if (r != 0)
		return -ENOENT;
	(void)!str_copy(s->bin, sizeof(s->bin), found.gl_pathv[found.gl_pathc - 1]);
	*strrchr(s->bin, '/') = '\0';
	globfree(&found);
	return 0;
}

/* PostgreSQL refuses to run as root. In the child only. */
static void become_postgres(const char *log)
{
	const struct passwd *user = getpwnam(USER);
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

	if (geteuid() == 0 && (!user || setgroups(0, NULL) < 0 || setgid(user->pw_gid) < 0 ||
				      setuid(user->pw_uid) < 0))
		_exit(126);
	if (fd >= 0) {
		dup2(fd, 1);
		dup2(fd, 2);
	}
	if (chdir("/") < 0)
		_exit(126);
}

static int make_cluster(struct pg_server *s)
{
	const struct passwd *user = getpwnam(USER);
	char program[128], data[96], log[96];
	int status;
	pid_t pid;

	snprintf(s->dir, sizeof(s->dir), "/tmp/husk-pg-XXXXXX");
	if (!mkdtemp(s->dir))
		return -errno;
	if (geteuid() == 0 && (!user || chown(s->dir, user->pw_uid, user->pw_gid) < 0))
		return -ENOENT;
	snprintf(program, sizeof(program), "%s/initdb", s->bin);
	snprintf(data, sizeof(data), "%s/data", s->dir);
	snprintf(log, sizeof(log), "%s/log", s->dir);
	pid = fork();
	if (pid == 0) {
		become_postgres(log);
		execl(program, program, "-D", data, "-U", USER, "-A", "trust", "-E", "UTF8",
			"--locale=C", "--no-sync", (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ECHILD;
}

static int wait_answer(struct pg_server *s)
{
	const struct db_postgres_options o = pg_server_options(s, "postgres");
	uint64_t deadline = clock_mono_ms() + WAIT_MS;

	while (clock_mono_ms() < deadline) {
		cleanup(db_close) struct db *db = NULL;

		if (db_postgres_open(&o, &db, NULL) == 0)
			return 0;
		if (waitpid(s->pid, NULL, WNOHANG) == s->pid) {
			s->pid = 0;
			return -ECHILD;
		}
		usleep(50000);
	}
	return -ETIMEDOUT;
}

int pg_server_start(struct pg_server *s)
{
	char program[128], data[96], log[96];
	/* Only processes crash in tests, so what the kernel has is safe: no fsync. */
	int r = s->bin[0] ? 0 : find_programs(s);

	if (r == 0 && !s->dir[0])
		r = make_cluster(s);
	if (r < 0)
		return r;
	snprintf(program, sizeof(program), "%s/postgres", s->bin);
	snprintf(data, sizeof(data), "%s/data", s->dir);
	snprintf(log, sizeof(log), "%s/log", s->dir);
	s->pid = fork();
	if (s->pid == 0) {
		setpgid(0, 0);
		become_postgres(log);
		prctl(PR_SET_PDEATHSIG, SIGINT); /* after setuid(), which clears it */
		execl(program, program, "-D", data, "-k", s->dir, "-c", "listen_addresses=", "-c",
			"shared_buffers=8MB", "-c", "fsync=off", "-c", "max_connections=30",
			(char *)NULL);
		_exit(127);
	}
	return s->pid < 0 ? -errno : wait_answer(s);
}

void pg_server_kill(struct pg_server *s)
{
	if (s->pid <= 0)
		return;
	kill(-s->pid, SIGKILL);
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	/* Its children are in sessions of their own: they end when they notice, and the next start
	 * waits for that. */
	s->pid = 0;
}

void pg_server_stop(struct pg_server *s)
{
	if (s->pid <= 0)
		return;
	kill(s->pid, SIGINT);
	waitpid(s->pid, NULL, 0);
	s->pid = 0;
}

void pg_server_remove(struct pg_server *s)
{
	cleanup_fd int tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);

	pg_server_stop(s);
	if (s->dir[0] && tmp >= 0)
		(void)!path_remove_tree(tmp, s->dir + strlen("/tmp/"));
	*s = (struct pg_server){0};
}

struct db_postgres_options pg_server_options(const struct pg_server *s, const char *database)
{
	return (struct db_postgres_options){
		.host = s->dir,
		.port = 5432,
		.database = database,
		.user = USER,
		.connect_timeout_ms = 3000,
		.statement_timeout_ms = 5000,
	};
}

int pg_server_database(struct pg_server *s, char *name, size_t size)
{
	struct db_postgres_options o = pg_server_options(s, "postgres");
	cleanup(db_close) struct db *db = NULL;
	char sql[96];
	int r;

	o.statement_timeout_ms = WAIT_MS; /* it copies a database, on a machine that is busy */
	r = db_postgres_open(&o, &db, NULL);
	snprintf(name, size, "husk%u", s->databases++);
	snprintf(sql, sizeof(sql), "CREATE DATABASE %s", name);
	return r < 0 ? r : db_exec(db, sql, NULL);
}
