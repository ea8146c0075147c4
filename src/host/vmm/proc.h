/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Children of the VMM: held by pidfd, dead at the latest when the VMM dies. */
#include <sys/types.h>

#include "base/err.h"

#define PROC_FDS_MAX 8u

struct proc {
	pid_t pid; /* 0: none */
	int pidfd; /* readable when the child has ended; -1: none */
};
#define PROC_NONE ((struct proc){0, -1})

/**
 * proc_spawn() - start a program
 * @argv: NULL-terminated; argv[0] is looked up in PATH when it holds no slash
 * @stdio: fds that become 0, 1, 2; -1 for /dev/null
 * @keep: fds that stay open under the same number; borrowed
 *
 * The child gets its own session (no signals from the terminal), default signal handling and an
 * empty signal mask. Return: 0, -ENOENT (no such program), other negative errno; @reterr names it.
 */
must_check int proc_spawn(struct proc *ret, char *const argv[], const int stdio[3], const int *keep,
	size_t keep_count, struct err *reterr);

/** proc_signal() - send a signal to exactly this child; nothing when it is gone */
void proc_signal(const struct proc *p, int signo);
/**
 * proc_wait() - reap the child
 * @timeout_ms: 0 to look only
 * @ret_status: as of waitpid(2)
 *
 * Return: 0 (reaped; @p is PROC_NONE), -ETIMEDOUT, -ECHILD (there is none).
 */
must_check int proc_wait(struct proc *p, int timeout_ms, int *ret_status);
/** proc_done() - kill and reap; accepts PROC_NONE */
void proc_done(struct proc *p);
/** proc_status_text() - "exit code 1", "signal 9 (Killed)" in @dst. Return: @dst. */
const char *proc_status_text(int status, char *dst, size_t size);
