/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Confinement of a process that has opened what it needs: no new privileges, no core dumps, file
 * system by Landlock, system calls by a seccomp allow-list that kills the process on anything else.
 *
 * Order: sandbox_basic(), sandbox_files(), sandbox_calls(). None can be undone.
 */
#include "base/err.h"

/** sandbox_basic() - no_new_privs, not dumpable, no core files, killed when the parent dies */
must_check int sandbox_basic(struct err *reterr);

/** sandbox_memory() - allocations fail beyond @bytes of data; no limit under a sanitizer */
must_check int sandbox_memory(size_t bytes, struct err *reterr);

/* SANDBOX_TREE: also make, link and rename everything that a root file system holds. */
enum sandbox_access { SANDBOX_READ, SANDBOX_WRITE, SANDBOX_TREE };

struct sandbox_path {
	const char *path; /* file or folder; a missing one is an error */
	enum sandbox_access access;
};

/**
 * sandbox_files() - only these paths can be opened from now on; none for @count 0
 *
 * Return: 0; -EOPNOTSUPP when the kernel has no Landlock (the caller decides whether the
 * system-call list is enough); other negative errno.
 */
must_check int sandbox_files(const struct sandbox_path *paths, size_t count, struct err *reterr);

/**
 * Groups of system calls. Every group adds to SANDBOX_BASE: memory, signals, time, reading and
 * writing descriptors that are open already, exit.
 */
enum sandbox_group {
	SANDBOX_BASE = 0,
	SANDBOX_EVENTS = 1 << 0,  /* epoll, eventfd, pipes: an event loop */
	SANDBOX_SOCKETS = 1 << 1, /* accept, send, receive, socket options; no connect, no socket */
	SANDBOX_FILES = 1 << 2,	  /* open, stat, rename, unlink, fsync, locks: a database */
	SANDBOX_FDPASS = 1 << 3,  /* receive descriptors */
	SANDBOX_CONNECT = 1 << 4, /* open IPv4 and IPv6 sockets and connect them: a client */
	SANDBOX_UNIX = 1 << 6,	  /* open unix sockets and connect them: a local server */
	SANDBOX_DISK = 1 << 7,	  /* asynchronous sync, see base/disk_sync.h */
	SANDBOX_FOREIGN =
		1 << 8,		/* code of others: threads, and what is not allowed fails (EPERM) */
	SANDBOX_TREES = 1 << 5, /* make, link, list and remove everything but device nodes */
};

/**
 * sandbox_calls() - install the seccomp filter for the groups
 * @groups: SANDBOX_* bits
 * Return: 0 or negative errno.
 */
must_check int sandbox_calls(unsigned groups, struct err *reterr);
