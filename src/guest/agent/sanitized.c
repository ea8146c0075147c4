/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/agent/sanitized.h"

#include <fcntl.h>
#include <sanitizer/lsan_interface.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"

#define FAILED 99
#define WORKERS_END_MS 20000
#define LOOK_US 10000

HUSK_API const char *__asan_default_options(void);
HUSK_API const char *__ubsan_default_options(void);

/* There is nobody to set an environment. Freed memory is kept for a while, but a guest is small. */
const char *__asan_default_options(void)
{
	return "detect_stack_use_after_return=1:allocator_may_return_null=1:quarantine_size_mb=16:"
	       "abort_on_error=1";
}

const char *__ubsan_default_options(void)
{
	return "halt_on_error=1:print_stacktrace=1:print_summary=1:abort_on_error=1";
}

/* When PID 1 ends the kernel panics at once, and what the console has not sent yet is lost. */
static void on_abort(int sig)
{
	tcdrain(STDERR_FILENO);
	_exit(FAILED);
}

void sanitized_start(void)
{
	int fd = open("/dev/console", O_WRONLY | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0 && fd != STDERR_FILENO) {
		dup2(fd, STDERR_FILENO);
		close(fd);
	}
	signal(SIGABRT, on_abort);
}

static bool wait_for(const struct worker *w, uint64_t deadline_ms)
{
	int status;
	while (w->pid > 0 && waitpid(w->pid, &status, WNOHANG) == 0) {
		if (clock_mono_ms() > deadline_ms) {
			dprintf(STDERR_FILENO, "husk-guest: %s did not look for leaks in time\r\n",
				w->name);
			return false;
		}
		usleep(LOOK_US);
	}
	return true;
}

void sanitized_end(const struct agent *a)
{
	const uint64_t deadline_ms = clock_mono_ms() + WORKERS_END_MS;
	bool ended = wait_for(&a->aa, deadline_ms);
	ended &= wait_for(&a->image, deadline_ms);
	/* The tests want to read this. */
	if (__lsan_do_recoverable_leak_check() == 0 && ended)
		dprintf(STDERR_FILENO, "husk-guest: no leaks\r\n");
	tcdrain(STDERR_FILENO);
}
