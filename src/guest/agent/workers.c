/* SPDX-License-Identifier: Apache-2.0 */
/* aa and image: started early, connected to each other and to PID 1, watched until they are done.
 */
#ifdef __x86_64__
#include <cpuid.h>
#endif
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/parse.h"
#include "guest/agent/agent.h"
#include "guest/agent/spawn.h"

#define SELF "/proc/self/exe"
#define CPUID_HYPERVISOR (1u << 31)
#define HYPERVISOR_LEAF 0x40000000u
/* OpenSSL: without AVX, SSSE3 and AVX2. */
#define SCALAR_HASHES "OPENSSL_ia32cap=~0x1000020000000000:~0x20"
/* The kernel's choice when memory runs out: the container first, never PID 1. */
#define WORKER_OOM_SCORE (-500)

/* What a child prints goes to the operator line by line; a long line is cut into pieces. */
static void on_log(evutil_socket_t fd, short what, void *cookie)
{
	struct agent *a = cookie;
	char text[768];
	ssize_t n = read(fd, text, sizeof(text) - 1);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	struct worker *w = a->aa.log_fd == fd ? &a->aa : &a->image;
	if (n <= 0) {
		event_free(w->log_event);
		w->log_event = NULL;
		close(fd);
		w->log_fd = -1;
		return;
	}
	text[n] = '\0';
	for (char *line = text, *end; *line != '\0'; line = end) {
		end = line + strcspn(line, "\n");
		bool more = *end != '\0';
		*end = '\0';
		if (line[0] != '\0')
			agent_log(a, "%s: %s", w->name, line);
		end += more;
	}
}

/* QEMU calls a function for each instruction on vectors, so OpenSSL's best code for a real processor is
 * its slowest for an emulated one: 18 ms for a MiB of SHA-256 against 12 ms of the scalar code. */
static bool is_emulated(void)
{
#ifdef __x86_64__
	uint32_t a, vendor[3];
	__cpuid(1, a, vendor[0], vendor[1], vendor[2]);
	if ((vendor[1] & CPUID_HYPERVISOR) == 0)
		return false;
	__cpuid(HYPERVISOR_LEAF, a, vendor[0], vendor[1], vendor[2]);
	return memcmp(vendor, "TCGTCGTCGTCG", sizeof(vendor)) == 0;
#else
	return false;
#endif
}

static int watch_log(struct agent *a, struct worker *w, int fd)
{
	w->log_fd = fd;
	int r = fd_set_nonblock(fd, true);
	if (r < 0)
		return r;
	w->log_event = event_new(a->base, fd, EV_READ | EV_PERSIST, on_log, a);
	return w->log_event != NULL && event_add(w->log_event, NULL) == 0 ? 0 : -ENOMEM;
}

static int start_one(struct agent *a, struct worker *w, const char *name, int resource_fd,
	const struct channel_handlers *handlers)
{
	int pair[2], log[2];
	w->name = name;
	w->log_fd = -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	cleanup_fd int theirs = pair[1];
	int r = channel_new(a->base, pair[0], handlers, a, &w->channel);
	if (r < 0)
		return r;
	if (pipe2(log, O_CLOEXEC) < 0)
		return -errno;
	cleanup_fd int log_write = log[1];
	r = watch_log(a, w, log[0]);
	if (r < 0)
		return r;
	cleanup_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return -errno;
	char argv0[32];
	snprintf(argv0, sizeof(argv0), "%s", name);
	static char scalar[] = SCALAR_HASHES;
	char *argv[] = {argv0, NULL}, *env[] = {is_emulated() ? scalar : NULL, NULL};
	const struct spawn s = {
		.path = SELF,
		.argv = argv,
		.env = env,
		.fds = {null, log_write, log_write, theirs, resource_fd},
		.fds_count = 5,
		.oom_score_adj = WORKER_OOM_SCORE,
	};
	return spawn(&s, &w->pid);
}

int worker_start_aa(struct agent *a, struct err *reterr)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(reterr, -errno, "cannot connect the guest's processes");
	cleanup_fd int aa_end = pair[0];
	a->image_end = pair[1];
	int r = start_one(a, &a->aa, CHILD_NAME_AA, aa_end, &flow_aa_handlers);
	return r < 0 ? err_set(reterr, r, "cannot start " CHILD_NAME_AA) : 0;
}

int worker_start_image(struct agent *a, struct err *reterr)
{
	cleanup_fd int image_end = steal_fd(&a->image_end);
	int r = start_one(a, &a->image, CHILD_NAME_IMAGE, image_end, &flow_image_handlers);
	return r < 0 ? err_set(reterr, r, "cannot start " CHILD_NAME_IMAGE) : 0;
}

bool worker_reaped(struct agent *a, pid_t pid, int status)
{
	struct worker *w = pid == a->aa.pid ? &a->aa : pid == a->image.pid ? &a->image : NULL;
	if (w == NULL)
		return false;
	w->pid = 0;
	flow_worker_ended(a, w, status);
	return true;
}

/* Proportional set size; 0 when it cannot be read. */
static uint64_t pss_kib(pid_t pid)
{
	cleanup_with(buf_done) struct buf text = buf_init(8192);
	char path[64];
	uint64_t kib = 0;
	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	if (pid <= 0 || file_read(path, 8192, &text, NULL) < 0)
		return 0;
	const char *line = strstr(buf_str(&text), "\nPss:");
	if (line == NULL)
		return 0;
	line += 5;
	line += strspn(line, " ");
	size_t size = strspn(line, "0123456789");
	return parse_u64(slice_of(line, size), 0, UINT32_MAX, &kib) == 0 ? kib : 0;
}

void workers_log_memory(struct agent *a)
{
	uint64_t init = pss_kib(1), aa = pss_kib(a->aa.pid);
	agent_log(a, "memory of the guest's own processes: init %llu KiB, aa %llu KiB (PSS)",
		(unsigned long long)init, (unsigned long long)aa);
}

static void end_worker(struct worker *w)
{
	if (w->pid <= 0)
		return;
	/* What looks for leaks at its end must come to its end; sanitized_end() waits for it. */
	if (WITH_SANITIZER)
		channel_end(w->channel);
	else
		kill(w->pid, SIGKILL);
}

void workers_kill(struct agent *a)
{
	a->aa.done = a->image.done = true;
	end_worker(&a->aa);
	end_worker(&a->image);
	if (a->container != NULL)
		container_signal(a->container, SIGKILL);
}
