/* SPDX-License-Identifier: Apache-2.0 */
#include "base/temp_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"

#define FALLBACK "/tmp"
/* Programs that the owner started die with it, but may still write a file while they do. */
#define ATTEMPTS 40
#define PAUSE_US 50000u

/* The keeper. It holds nothing of the owner's but the pipe, so that it keeps nobody waiting. */
static noreturn_fn void keep(const char *path, int owner)
{
	char byte;

	for (int s = 1; s < NSIG; s++)
		signal(s, s == SIGCHLD ? SIG_DFL : SIG_IGN);
	if (setsid() < 0 || chdir("/") < 0 || dup2(owner, 0) < 0)
		_exit(1);
	closefrom(1);
	while (read(0, &byte, 1) < 0 && errno == EINTR)
		;
	for (int i = 0; i < ATTEMPTS && access(path, F_OK) == 0; i++) {
		if (path_remove_tree(AT_FDCWD, path) < 0)
			usleep(PAUSE_US);
	}
	_exit(0);
}

static int start_keeper(struct temp_dir *t)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	cleanup_fd int read_end = ends[0];
	cleanup_fd int write_end = ends[1];
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		keep(t->path, read_end);
	t->keeper = pid;
	t->alive_fd = steal_fd(&write_end);
	return 0;
}

int temp_dir_make(
	struct temp_dir *ret, const char *prefix, const char *forbidden, struct err *reterr)
{
	const char *base = getenv("TMPDIR");
	struct temp_dir t = {0};

	*ret = t;
	if (!base || base[0] != '/' || (forbidden && strpbrk(base, forbidden)))
		base = FALLBACK;
	if (snprintf(t.path, sizeof(t.path), "%s/%s-XXXXXX", base, prefix) >= (int)sizeof(t.path))
		return err_set(reterr, -ENAMETOOLONG, "TMPDIR is too long");
	if (!mkdtemp(t.path))
		return err_set(reterr, -errno, "cannot make a private folder in %s: %s", base,
			strerror(errno));
	int r = start_keeper(&t);
	if (r < 0) {
		(void)temp_dir_done(&t);
		return err_set(reterr, r, "cannot watch over %s: %s", base, strerror(-r));
	}
	*ret = t;
	return 0;
}

int temp_dir_done(struct temp_dir *t)
{
	int r = t->path[0] ? path_remove_tree(AT_FDCWD, t->path) : 0;

	/* It tries what did not go, and is waited for: whoever comes next finds nothing. */
	if (t->keeper > 0)
		close(t->alive_fd);
	while (t->keeper > 0 && waitpid(t->keeper, NULL, 0) < 0 && errno == EINTR)
		;
	*t = (struct temp_dir){0};
	return r;
}
