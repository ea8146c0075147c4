/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/agent/container.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/parse.h"
#include "base/path.h"
#include "base/str.h"
#include "guest/agent/container_io.h"
#include "guest/agent/spawn.h"

#define ID "app"
#define CGROUP CONTAINER_CGROUP_PARENT "/" ID
#define BUNDLE "/run/husk/bundle"
#define PID_FILE "/run/husk/container.pid"
#define LOG_FILE "/run/husk/crun.log"
#define CONSOLE_SOCKET "/run/husk/console.sock"
#define OOM_FILE CONTAINER_CGROUPS CGROUP "/memory.events"

/* Processes that nobody knew when they ended; the container's first one may be among them when it
 * ends before crun does. */
#define ORPHANS_MAX 16

struct container {
	struct event_base *base;
	const struct container_handlers *handlers;
	void *cookie;
	struct container_io *io;
	pid_t crun, init; /* 0 while unknown */
	bool terminal, ended;
	int status; /* of init, valid when ended */
	struct {
		pid_t pid;
		int status;
	} orphans[ORPHANS_MAX];
	size_t orphans_count;
	bool finished; /* handlers->failed or handlers->ended was called */
};

static int write_bundle(const struct spec *spec, struct err *reterr)
{
	int r = path_make_dirs(BUNDLE, 0700);
	if (r < 0)
		return err_set(reterr, r, "cannot create " BUNDLE);
	json_t *doc = spec_bundle(spec, CGROUP);
	char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
	json_decref(doc);
	if (text == NULL)
		return -ENOMEM;
	r = file_write_atomic(BUNDLE "/config.json", slice_str(text), 0600, reterr);
	free(text);
	return r;
}

static int start_crun(struct container *c, int program, const int fds[3])
{
	/* execve() wants them writable; they must also outlive this block. */
	static char crun[] = CONTAINER_CRUN, root[] = "--root=/run/crun",
		    manager[] = "--cgroup-manager=cgroupfs", log[] = "--log=" LOG_FILE,
		    run[] = "run", detach[] = "--detach", bundle[] = "--bundle=" BUNDLE,
		    pid_file[] = "--pid-file=" PID_FILE,
		    console[] = "--console-socket=" CONSOLE_SOCKET, id[] = ID;
	char *pipes_argv[] = {crun, root, manager, log, run, detach, bundle, pid_file, id, NULL};
	char *console_argv[] = {
		crun, root, manager, log, run, detach, bundle, pid_file, console, id, NULL};
	const struct spawn s = {
		.program_fd = program,
		.argv = c->terminal ? console_argv : pipes_argv,
		.fds = {fds[0], fds[1], fds[2]},
		.fds_count = 3,
	};
	return spawn(&s, &c->crun);
}

int container_start(struct event_base *base, int crun, const struct spec *spec, uint16_t rows,
	uint16_t cols, const struct container_handlers *handlers, void *cookie,
	struct container **ret, struct err *reterr)
{
	cleanup(container_free) struct container *c = calloc(1, sizeof(*c));
	if (c == NULL)
		return -ENOMEM;
	c->base = base;
	c->handlers = handlers;
	c->cookie = cookie;
	c->terminal = spec->terminal;
	int r = write_bundle(spec, reterr);
	if (r < 0)
		return r;
	int fds[3] = {-1, -1, -1};
	r = container_io_new(base, c, c->terminal ? CONSOLE_SOCKET : NULL, fds, &c->io, reterr);
	if (r < 0)
		return r;
	if (c->terminal)
		container_io_resize(c->io, rows, cols);
	r = start_crun(c, crun, fds);
	for (size_t i = 0; i < 3; i++)
		close(fds[i]);
	if (r < 0)
		return err_set(reterr, r, "cannot start " CONTAINER_CRUN);
	*ret = steal_ptr(c);
	return 0;
}

void container_free(struct container *c)
{
	if (c == NULL)
		return;
	container_io_free(c->io);
	free(c);
}

/* By crun's words, which are of one release that we build. The command's name is in them and is the
 * host's choice, but the code is for the host alone. */
static uint32_t code_of(const char *why)
{
	if (strstr(why, "not found in $PATH"))
		return 127;
	return strstr(why, "open executable") || strstr(why, "exec container process") ? 126 : 0;
}

static void failed(struct container *c, const char *fallback)
{
	cleanup_with(buf_done) struct buf log = buf_init(65536);
	if (c->finished)
		return;
	c->finished = true;
	if (file_read(LOG_FILE, 65536, &log, NULL) < 0 || log.size == 0) {
		c->handlers->failed(c->cookie, 0, fallback);
		return;
	}
	/* The last line, without its end, is the error. */
	struct slice text = buf_slice(&log);
	while (text.size > 0 && text.data[text.size - 1] == '\n')
		text.size--;
	const uint8_t *nl = memrchr(text.data, '\n', text.size);
	size_t from = nl ? (size_t)(nl - text.data) + 1 : 0;
	char line[512];
	snprintf(line, sizeof(line), "%.*s", SLICE_ARG(slice_cut(text, from, text.size)));
	c->handlers->failed(c->cookie, code_of(line), line);
}

static bool was_oom_killed(void)
{
	cleanup_with(buf_done) struct buf events = buf_init(4096);
	if (file_read(OOM_FILE, 4096, &events, NULL) < 0)
		return false;
	const char *line = strstr(buf_str(&events), "oom_kill ");
	return line != NULL && line[9] != '0';
}

static void maybe_finish(struct container *c)
{
	if (c->finished || !c->ended || !container_io_drained(c->io))
		return;
	c->finished = true;
	uint32_t code = WIFSIGNALED(c->status) ? 128u + (uint32_t)WTERMSIG(c->status)
					       : (uint32_t)WEXITSTATUS(c->status);
	const char *reason = WIFSIGNALED(c->status) ? "signal" : "exited";
	if (code == 128 + SIGKILL && was_oom_killed())
		reason = "oom-killed";
	c->handlers->ended(c->cookie, code, reason);
}

static int read_pid(pid_t *ret)
{
	cleanup_with(buf_done) struct buf text = buf_init(64);
	uint32_t pid;
	int r = file_read(PID_FILE, 64, &text, NULL);
	if (r < 0)
		return r;
	r = parse_u32(buf_slice(&text), 2, INT32_MAX, &pid);
	if (r < 0)
		return r;
	*ret = (pid_t)pid;
	return 0;
}

static void crun_ended(struct container *c, int status)
{
	c->crun = 0;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		char why[64];
		snprintf(why, sizeof(why), "crun ended with %s %d",
			WIFSIGNALED(status) ? "signal" : "code",
			WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		failed(c, why);
		return;
	}
	if (read_pid(&c->init) < 0 || container_io_started(c->io) < 0) {
		failed(c, "crun did not hand the container over");
		return;
	}
	c->handlers->started(c->cookie);
	for (size_t i = 0; i < c->orphans_count; i++) {
		if (c->orphans[i].pid == c->init)
			container_reaped(c, c->init, c->orphans[i].status);
	}
}

void container_reaped(struct container *c, pid_t pid, int status)
{
	if (pid == c->crun) {
		crun_ended(c, status);
	} else if (c->init == 0) {
		size_t i = c->orphans_count < ORPHANS_MAX ? c->orphans_count++ : ORPHANS_MAX - 1;
		c->orphans[i].pid = pid;
		c->orphans[i].status = status;
	} else if (pid == c->init && !c->ended) {
		c->ended = true;
		c->status = status;
		maybe_finish(c);
	}
}

bool container_io_output(struct container *c, bool is_stderr, struct slice bytes)
{
	return c->handlers->output(c->cookie, is_stderr, bytes);
}

void container_io_input_drained(struct container *c)
{
	c->handlers->input_drained(c->cookie);
}

void container_io_closed(struct container *c)
{
	maybe_finish(c);
}

void container_resume(struct container *c)
{
	container_io_resume(c->io);
}

int container_input(struct container *c, struct slice bytes)
{
	return container_io_input(c->io, bytes);
}

void container_input_eof(struct container *c)
{
	container_io_input_eof(c->io);
}

void container_resize(struct container *c, uint16_t rows, uint16_t cols)
{
	container_io_resize(c->io, rows, cols);
}

void container_signal(struct container *c, int signo)
{
	if (c->init > 0 && !c->ended && kill(c->init, signo) < 0)
		return; /* it is ending; its exit code says all */
}
