/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/agent/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

/* After fork() in the child: only async-signal-safe calls. */
static noreturn_fn void child_side(const struct spawn *s)
{
	static char *const no_env[] = {NULL};
	char *const *env = s->env != NULL ? s->env : no_env;
	int above[ARRAY_COUNT(s->fds)], count = (int)s->fds_count, program = -1;
	sigset_t none;
	for (int sig = 1; sig < 32; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();

	/* First out of the way of all targets, then into place. */
	for (int i = 0; i < count; i++) {
		above[i] = fcntl(s->fds[i], F_DUPFD_CLOEXEC, 64);
		if (above[i] < 0)
			_exit(126);
	}
	if (s->path == NULL && (program = fcntl(s->program_fd, F_DUPFD_CLOEXEC, 64)) < 0)
		_exit(126);
	for (int i = 0; i < count; i++) {
		if (dup2(above[i], i) < 0)
			_exit(126);
	}
	/* The program's descriptor closes by itself when the program starts. */
	if (program >= 0 && (program = dup3(program, count++, O_CLOEXEC)) < 0)
		_exit(126);
	if (syscall(SYS_close_range, (unsigned)count, ~0U, 0) < 0)
		_exit(126);
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		char text[16];
		int n = snprintf(text, sizeof(text), "%d", s->oom_score_adj);
		if (write(fd, text, (size_t)n) != n)
			_exit(126);
		close(fd);
	}
	if (program >= 0)
		execveat(program, "", s->argv, env, AT_EMPTY_PATH);
	else
		execve(s->path, s->argv, env);
	_exit(127);
}

int spawn(const struct spawn *s, pid_t *ret)
{
	if (s->fds_count > ARRAY_COUNT(s->fds))
		return -EINVAL;
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		child_side(s);
	*ret = pid;
	return 0;
}
