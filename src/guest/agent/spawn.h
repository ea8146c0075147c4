/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Starting processes from PID 1. */
#include <sys/types.h>

#include "base/err.h"

/**
 * struct spawn - what to start
 * @path: program, or NULL for the one that @program_fd is open on; @argv: NULL-terminated
 * @program_fd: borrowed; counts only without @path
 * @env: NULL-terminated, or NULL for an empty environment
 * @fds: the child's descriptors 0 to fds_count-1, borrowed; all others are closed
 * @oom_score_adj: as in proc(5)
 */
struct spawn {
	const char *path;
	int program_fd;
	char *const *argv;
	char *const *env;
	int fds[6];
	size_t fds_count;
	int oom_score_adj;
};

/**
 * spawn() - start a process in its own session with default signals
 * Return: 0 with the pid; negative errno of fork. A failing execve() shows as exit code 127.
 */
must_check int spawn(const struct spawn *s, pid_t *ret);
