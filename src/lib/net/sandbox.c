/* SPDX-License-Identifier: Apache-2.0 */
#include "net/sandbox.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

int sandbox_basic(struct err *reterr)
{
	static const struct rlimit no_core = {0, 0};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(reterr, -errno, "cannot give up privileges: %m");
	/* LeakSanitizer's helper attaches to the process at its end. */
	if (prctl(PR_SET_DUMPABLE, WITH_SANITIZER, 0, 0, 0) < 0 ||
		setrlimit(RLIMIT_CORE, &no_core) < 0)
		return err_set(reterr, -errno, "cannot switch core dumps off: %m");
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return err_set(reterr, -errno, "cannot bind to the parent's life: %m");
	return 0;
}

int sandbox_memory(size_t bytes, struct err *reterr)
{
	const struct rlimit limit = {bytes, bytes};

	if (!WITH_SANITIZER && setrlimit(RLIMIT_DATA, &limit) < 0)
		return err_set(reterr, -errno, "cannot limit memory: %m");
	return 0;
}

#define FILE_READ (LANDLOCK_ACCESS_FS_READ_FILE)
#define DIR_READ (FILE_READ | LANDLOCK_ACCESS_FS_READ_DIR)
#define FILE_WRITE (FILE_READ | LANDLOCK_ACCESS_FS_WRITE_FILE)
#define DIR_WRITE                                                                 \
	(DIR_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | \
		LANDLOCK_ACCESS_FS_REMOVE_FILE)
/* Everything of Landlock's first version is refused unless a rule gives it back. */
#define FS_FIRST                                                                  \
	(LANDLOCK_ACCESS_FS_EXECUTE | DIR_WRITE | LANDLOCK_ACCESS_FS_REMOVE_DIR | \
		LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |      \
		LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |     \
		LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)

/* Linking between folders is always refused unless a rule gives it back; the second version of
 * Landlock (Linux 5.19) has the right for it. */
static uint64_t all_rights(void)
{
	long version =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	return version >= 2 ? FS_FIRST | LANDLOCK_ACCESS_FS_REFER : FS_FIRST;
}

static uint64_t folder_rights(enum sandbox_access access)
{
	switch (access) {
	case SANDBOX_TREE:
		return all_rights() & ~LANDLOCK_ACCESS_FS_EXECUTE;
	case SANDBOX_WRITE:
		return DIR_WRITE;
	default:
		return DIR_READ;
	}
}

static int add_path(int ruleset, const struct sandbox_path *p, struct err *reterr)
{
	cleanup_fd int fd = open(p->path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr rule = {.parent_fd = fd};
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(reterr, -errno, "cannot open %s for the sandbox: %m", p->path);
	if (S_ISDIR(st.st_mode))
		rule.allowed_access = folder_rights(p->access);
	else
		rule.allowed_access = p->access == SANDBOX_READ ? FILE_READ : FILE_WRITE;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		return err_set(reterr, -errno, "cannot allow %s in the sandbox: %m", p->path);
	return 0;
}

int sandbox_files(const struct sandbox_path *paths, size_t count, struct err *reterr)
{
	const struct landlock_ruleset_attr attr = {.handled_access_fs = all_rights()};
	cleanup_fd int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);

	if (ruleset < 0) {
		if (errno == ENOSYS || errno == EOPNOTSUPP)
			return err_set(reterr, -EOPNOTSUPP,
				"this kernel has no Landlock (it must be built in and listed in "
				"the boot parameter lsm=)");
		return err_set(reterr, -errno, "cannot make a Landlock rule set: %m");
	}
	for (size_t i = 0; i < count; i++) {
		int r = add_path(ruleset, &paths[i], reterr);

		if (r < 0)
			return r;
	}
	/* Where LeakSanitizer finds threads and memory; never in a release build. */
	if (WITH_SANITIZER) {
		const struct sandbox_path proc = {"/proc", SANDBOX_READ};
		int r = add_path(ruleset, &proc, reterr);

		if (r < 0)
			return r;
	}
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return err_set(reterr, -errno, "cannot enter the Landlock sandbox: %m");
	return 0;
}

/* What every process needs once it has started. */
static const int g_base[] = {
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(close),
	SCMP_SYS(lseek),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat), /* glibc's fstat() */
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(mlock), /* struct secret */
	SCMP_SYS(munlock),
	SCMP_SYS(brk),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(alarm),
	SCMP_SYS(setitimer),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(futex),
	SCMP_SYS(getrandom),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(getuid), /* OpenSSL and SQLite ask whether they run setuid */
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(sched_yield),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
};
static const int g_events[] = {
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
};
static const int g_sockets[] = {
	SCMP_SYS(accept4),
	SCMP_SYS(accept),
	SCMP_SYS(recvfrom),
	SCMP_SYS(sendto),
	SCMP_SYS(sendmsg),
	SCMP_SYS(recvmsg),
	SCMP_SYS(shutdown),
	SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt),
	SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
	SCMP_SYS(sendfile),
};
static const int g_files[] = {
	SCMP_SYS(openat),
	SCMP_SYS(open),
	SCMP_SYS(stat),
	SCMP_SYS(lstat),
	SCMP_SYS(access),
	SCMP_SYS(faccessat),
	SCMP_SYS(getcwd),
	SCMP_SYS(readlink),
	SCMP_SYS(unlink),
	SCMP_SYS(ftruncate),
	SCMP_SYS(fsync),
	SCMP_SYS(fdatasync),
	SCMP_SYS(pread64),
	SCMP_SYS(pwrite64),
	SCMP_SYS(fchmod),
	SCMP_SYS(fchown),
};
static const int g_connect[] = {
	SCMP_SYS(getdents64), /* OpenSSL looks for a root through the folder of the system's */
	SCMP_SYS(connect),
	SCMP_SYS(bind), /* the resolver's socket */
	SCMP_SYS(uname),
	SCMP_SYS(sysinfo),
	SCMP_SYS(epoll_create1), /* each name is looked up in a loop of its own */
	SCMP_SYS(eventfd2),
	SCMP_SYS(pipe2),
	SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_settime),
};
static const int g_trees[] = {
	SCMP_SYS(openat2),
	SCMP_SYS(mkdir),
	SCMP_SYS(mkdirat),
	SCMP_SYS(mknodat), /* fifos; device nodes need a capability */
	SCMP_SYS(symlinkat),
	SCMP_SYS(linkat),
	SCMP_SYS(renameat),
	SCMP_SYS(renameat2),
	SCMP_SYS(unlinkat),
	SCMP_SYS(readlinkat),
	SCMP_SYS(getdents64),
	SCMP_SYS(fchownat),
	SCMP_SYS(fchmodat),
	SCMP_SYS(utimensat),
	SCMP_SYS(fsetxattr),
	SCMP_SYS(fstatfs),
	SCMP_SYS(umask),
};
static const int g_foreign[] = {
	SCMP_SYS(clone),
	SCMP_SYS(clone3),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
	SCMP_SYS(tgkill),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(nanosleep),
	SCMP_SYS(uname),
	SCMP_SYS(sysinfo),
	SCMP_SYS(getppid),
	SCMP_SYS(pipe2),
	SCMP_SYS(eventfd2),
	SCMP_SYS(statfs),
	SCMP_SYS(statx),
	SCMP_SYS(rename),
	SCMP_SYS(chmod),
	SCMP_SYS(flock),
	SCMP_SYS(dup),
	SCMP_SYS(select),
	SCMP_SYS(pselect6),
};
static const int g_disk[] = {SCMP_SYS(io_submit), SCMP_SYS(io_getevents)};
static const int g_fdpass[] = {SCMP_SYS(recvmsg)};
/* LeakSanitizer and symbolisers; never in a release build. */
static const int g_sanitizer[] = {
	SCMP_SYS(getdents),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(openat),
	SCMP_SYS(readlink),
	SCMP_SYS(prctl),
	SCMP_SYS(getrlimit),
	SCMP_SYS(prlimit64),
	SCMP_SYS(mprotect),
	SCMP_SYS(clone),
	SCMP_SYS(wait4),
	SCMP_SYS(tgkill),
	SCMP_SYS(mmap),
	SCMP_SYS(ptrace),
	SCMP_SYS(getdents64),
	SCMP_SYS(stat),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
	SCMP_SYS(sysinfo),
	SCMP_SYS(getppid),
	SCMP_SYS(arch_prctl),
	SCMP_SYS(open),
};

static int allow(scmp_filter_ctx ctx, const int *calls, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0);

		if (r < 0 && r != -EEXIST)
			return r;
	}
	return 0;
}

/* Calls whose arguments matter. */
static int allow_checked(scmp_filter_ctx ctx, unsigned groups)
{
	/* Memory may be mapped and re-protected, but never be made executable. */
	int r = seccomp_rule_add(
		ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));

	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
			SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	/* Flags of descriptors and advisory locks; no duplication, no leases. */
	for (size_t i = 0; r == 0 && i < 8; i++) {
		static const unsigned commands[8] = {F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK,
			F_SETLK, F_SETLKW, F_OFD_SETLK};

		if (i < 4 || (groups & SANDBOX_FILES))
			r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
				SCMP_A1(SCMP_CMP_EQ, commands[i]));
	}
	/* Unix sockets would reach the other processes of the machine: a group of their own. */
	for (size_t i = 0; r == 0 && (groups & SANDBOX_CONNECT) && i < 2; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
			SCMP_A0(SCMP_CMP_EQ, i == 0 ? AF_INET : AF_INET6));
	if (r == 0 && (groups & SANDBOX_UNIX))
		r = seccomp_rule_add(
			ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
	if (r == 0 && (groups & SANDBOX_UNIX))
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(connect), 0);
	/* libc opens files lazily (time zone, NSS, OpenSSL's configuration): refuse, do not kill. */
	if (r == 0 && !(groups & SANDBOX_FILES) && !WITH_SANITIZER) {
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(openat), 0);
		if (r == 0)
			r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(open), 0);
	}
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOTTY), SCMP_SYS(ioctl), 0);
	return r;
}

int sandbox_calls(unsigned groups, struct err *reterr)
{
	scmp_filter_ctx ctx = seccomp_init(
		groups & SANDBOX_FOREIGN ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_KILL_PROCESS);
	int r = ctx ? allow(ctx, g_base, ARRAY_COUNT(g_base)) : -ENOMEM;

	if (r == 0)
		r = allow_checked(ctx, groups);
	if (r == 0 && (groups & SANDBOX_EVENTS))
		r = allow(ctx, g_events, ARRAY_COUNT(g_events));
	if (r == 0 && (groups & SANDBOX_SOCKETS))
		r = allow(ctx, g_sockets, ARRAY_COUNT(g_sockets));
	if (r == 0 && (groups & SANDBOX_FILES))
		r = allow(ctx, g_files, ARRAY_COUNT(g_files));
	if (r == 0 && (groups & SANDBOX_CONNECT))
		r = allow(ctx, g_connect, ARRAY_COUNT(g_connect));
	if (r == 0 && (groups & SANDBOX_TREES))
		r = allow(ctx, g_trees, ARRAY_COUNT(g_trees));
	if (r == 0 && (groups & SANDBOX_FOREIGN))
		r = allow(ctx, g_foreign, ARRAY_COUNT(g_foreign));
	if (r == 0 && (groups & SANDBOX_DISK))
		r = allow(ctx, g_disk, ARRAY_COUNT(g_disk));
	if (r == 0 && (groups & SANDBOX_FDPASS))
		r = allow(ctx, g_fdpass, ARRAY_COUNT(g_fdpass));
	if (r == 0 && WITH_SANITIZER)
		r = allow(ctx, g_sanitizer, ARRAY_COUNT(g_sanitizer));
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r < 0 ? err_set(reterr, r, "cannot install the system-call filter: %s", strerror(-r))
		     : 0;
}
