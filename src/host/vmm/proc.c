/* SPDX-License-Identifier: Apache-2.0 */
#include "host/vmm/proc.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

/* In the child. Reports errno through @report, which closes by itself when exec succeeds. */
static noreturn_fn void child(char *const argv[], const int stdio[3], const int *keep,
	size_t keep_count, pid_t parent, int report)
{
	int error = 0, null = -1;
	sigset_t none;
	sigemptyset(&none);
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent || setsid() < 0 ||
		sigprocmask(SIG_SETMASK, &none, NULL) != 0)
		error = errno ? errno : ECHILD;
	if (!error && (null = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0)
		error = errno;
	for (int i = 0; i < 3 && !error; i++)
		if (dup2(stdio[i] >= 0 ? stdio[i] : null, i) < 0)
			error = errno;
	for (size_t i = 0; i < keep_count && !error; i++)
		if (fcntl(keep[i], F_SETFD, 0) != 0)
			error = errno;
	if (!error) {
		execvp(argv[0], argv);
		error = errno;
	}
	if (write(report, &error, sizeof(error)) != sizeof(error))
		_exit(126);
	_exit(127);
}

int proc_spawn(struct proc *ret, char *const argv[], const int stdio[3], const int *keep,
	size_t keep_count, struct err *reterr)
{
	int pipe_fds[2], error = 0;
	if (pipe2(pipe_fds, O_CLOEXEC) != 0)
		return err_set(reterr, -errno, "cannot make a pipe for %s", argv[0]);
	cleanup_fd int from_child = pipe_fds[0];
	cleanup_fd int to_parent = pipe_fds[1];
	pid_t parent = getpid(), pid = fork();
	if (pid < 0)
		return err_set(reterr, -errno, "cannot start %s", argv[0]);
	if (pid == 0)
		child(argv, stdio, keep, keep_count, parent, to_parent);
	close(steal_fd(&to_parent));
	struct proc p = {pid, (int)syscall(SYS_pidfd_open, pid, 0)};
	int pidfd_error = p.pidfd < 0 ? -errno : 0;
	if (fd_read_full(from_child, &error, sizeof(error)) == 0) {
		waitpid(pid, NULL, 0);
		if (p.pidfd >= 0)
			close(p.pidfd);
		if (error == ENOENT)
			return err_at(reterr, -ENOENT, ERR_NO_OFFSET, argv[0],
				"there is no program '%s'; is its package installed?", argv[0]);
		return err_at(reterr, -error, ERR_NO_OFFSET, argv[0], "cannot start %s: %s",
			argv[0], strerror(error));
	}
	if (p.pidfd < 0) {
		/* Our own child, not yet waited for: its number cannot have another owner. */
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return err_set(reterr, pidfd_error, "pidfd_open failed; husk needs Linux 5.6");
	}
	*ret = p;
	return 0;
}

void proc_signal(const struct proc *p, int signo)
{
	if (p->pid > 0)
		(void)syscall(SYS_pidfd_send_signal, p->pidfd, signo, NULL, 0);
}

int proc_wait(struct proc *p, int timeout_ms, int *ret_status)
{
	if (p->pid <= 0)
		return -ECHILD;
	struct pollfd pfd = {.fd = p->pidfd, .events = POLLIN};
	int r;
	do
		r = poll(&pfd, 1, timeout_ms);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		return -ETIMEDOUT;
	int status = 0;
	if (waitpid(p->pid, &status, 0) < 0)
		return -ECHILD;
	close(p->pidfd);
	*p = PROC_NONE;
	*ret_status = status;
	return 0;
}

void proc_done(struct proc *p)
{
	int status;
	if (p->pid <= 0)
		return;
	proc_signal(p, SIGKILL);
	(void)!proc_wait(p, -1, &status);
}

const char *proc_status_text(int status, char *dst, size_t size)
{
	if (WIFSIGNALED(status))
		snprintf(
			dst, size, "signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(dst, size, "exit code %d", WEXITSTATUS(status));
	return dst;
}
