/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first process: it starts the roles and waits. It parses nothing but its configuration.
 *
 *  - A verifier that ends is replaced; its new socket goes to the vault.
 *  - The front or the vault ending is the end of all: a broker without one of them is useless, and
 *    the service manager restarts it whole.
 *  - Children are killed by the kernel when the supervisor dies (PDEATHSIG), so that none stays.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "fmt/json.h"
#include "net/ipc.h"
#include "trustee/kbs/backend.h"
#include "trustee/kbs/role.h"

/* Processes look for leaks at their end when they were built for it. */
#define STOP_WAIT_MS (WITH_SANITIZER ? 60000 : 5000)
#define WORKERS_STOP_WAIT_MS (WITH_SANITIZER ? 30000 : 500)
#define RESTART_DELAY_MS 100
#define START_WAIT_MS 30000
#define RELOAD_WAIT_MS 15000 /* the vault may wait for its database meanwhile */

struct child {
	pid_t pid;
	int64_t restart_at_ms; /* verifier that waits for its turn; 0 when it runs */
};

/* Roles with secrets of their own in the configuration; all others see what the front sees. */
static const char *const g_views[] = {"vault", "remote", "backend", "hsm", "front"};

struct supervisor {
	const struct kbs_config *config;
	const struct role_source *source;
	int views[ARRAY_COUNT(g_views)]; /* the configuration as each sees it; -1: not yet */
	struct kbs_config fresh;	 /* what config is after a reload */
	struct child front, vault;
	struct child workers[WORKERS_MAX];
	int front_control, vault_control;
	int signals;
	bool stopping;
};

/* After fork: only async-signal-safe calls. */
static noreturn_fn void exec_role(
	const char *role, char *const *envp, int config, int link, int control)
{
	char *const argv[] = {(char *)"husk-kbs", (char *)"--role", (char *)(uintptr_t)role, NULL};
	sigset_t none;
	int from[3] = {config, link, control};

	/* First out of the way of the fixed numbers, then onto them; dup2() clears CLOEXEC. */
	for (int i = 0; i < 3; i++)
		from[i] = from[i] < 0 ? -1 : fcntl(from[i], F_DUPFD_CLOEXEC, 16);
	for (int i = 0; i < 3; i++) {
		if (from[i] >= 0 && dup2(from[i], ROLE_FD_CONFIG + i) < 0)
			_exit(127);
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve("/proc/self/exe", argv, envp);
	_exit(127);
}

static int config_of(const struct supervisor *s, const char *role)
{
	size_t i = 0;

	while (i + 1 < ARRAY_COUNT(g_views) && !streq(role, g_views[i]))
		i++;
	return s->views[i];
}

static int spawn(struct supervisor *s, const char *role, int link, int control, struct child *ret)
{
	char *const *envp = backend_environment(s->config, role);
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0)
		exec_role(role, envp, config_of(s, role), link, control);
	*ret = (struct child){.pid = pid};
	return 0;
}

static int start_worker(struct supervisor *s, unsigned index)
{
	int pair[2];
	int r = ipc_pair(pair);

	if (r < 0)
		return r;
	r = spawn(s, role_worker_name(s->config, index), pair[1], -1, &s->workers[index]);
	if (r == 0)
		r = ipc_send_fd(s->vault_control, pair[0], index);
	close(pair[0]);
	close(pair[1]);
	return r;
}

/* Return: 0, -EACCES (it refuses), -ECHILD (no answer). */
static int wait_tag(int control, int timeout_ms)
{
	struct pollfd p = {.fd = control, .events = POLLIN};
	uint32_t tag = 0;
	ssize_t n = 0;

	if (poll(&p, 1, timeout_ms) == 1)
		n = recv(control, &tag, sizeof(tag), 0);
	if (n != sizeof(tag))
		return -ECHILD;
	return tag == CONTROL_READY ? 0 : -EACCES;
}

static int wait_ready(int control, const char *role, struct err *reterr)
{
	if (wait_tag(control, START_WAIT_MS) == 0)
		return 0;
	return err_set(reterr, -ECHILD, "the %s did not start: see the message above", role);
}

static int start_all(struct supervisor *s, struct err *reterr)
{
	int link[2] = {-1, -1}, front[2] = {-1, -1}, vault[2] = {-1, -1};
	int r = ipc_pair(link);

	if (r == 0)
		r = ipc_pair(front);
	if (r == 0)
		r = ipc_pair(vault);
	if (r < 0)
		return r;
	s->front_control = front[0];
	s->vault_control = vault[0];
	r = spawn(s, "vault", link[0], vault[1], &s->vault);
	close(vault[1]);
	close(link[0]);
	if (r == 0)
		r = wait_ready(s->vault_control, "vault", reterr);
	for (unsigned i = 0; r == 0 && i < role_workers(s->config); i++)
		r = start_worker(s, i);
	if (r == 0)
		r = spawn(s, "front", link[1], front[1], &s->front);
	close(front[1]);
	close(link[1]);
	if (r == 0)
		r = wait_ready(s->front_control, "front", reterr);
	return r;
}

static void log_end(const char *role, int status)
{
	if (WIFSIGNALED(status))
		log_error("kbs.process.killed", LOG_STR("role", role),
			LOG_STR("signal", strsignal(WTERMSIG(status))));
	else
		log_error("kbs.process.ended", LOG_STR("role", role),
			LOG_I64("code", WEXITSTATUS(status)));
}

/* At the end of all, processes end; but none fails. */
static bool is_news(const struct supervisor *s, int status)
{
	return !s->stopping || (WIFEXITED(status) && WEXITSTATUS(status) != 0);
}

/* Return: false when the broker cannot go on. */
static bool child_ended(struct supervisor *s, pid_t pid, int status)
{
	for (unsigned i = 0; i < role_workers(s->config); i++) {
		if (s->workers[i].pid != pid)
			continue;
		if (is_news(s, status))
			log_end(role_worker_name(s->config, i), status);
		/* Whoever can crash verifiers must not also get our processor. */
		s->workers[i] = (struct child){
			.restart_at_ms = (int64_t)clock_mono_ms() + RESTART_DELAY_MS};
		return true;
	}
	if (pid != s->front.pid && pid != s->vault.pid)
		return true;
	if (is_news(s, status))
		log_end(pid == s->front.pid ? "front" : "vault", status);
	*(pid == s->front.pid ? &s->front.pid : &s->vault.pid) = 0;
	return false;
}

static bool reap(struct supervisor *s)
{
	bool go_on = true;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		go_on &= child_ended(s, pid, status);
	return go_on;
}

/* Return: milliseconds until the next restart is due, -1 for none. */
static int restart_due(struct supervisor *s)
{
	int64_t now = (int64_t)clock_mono_ms();
	int wait = -1;

	for (unsigned i = 0; i < role_workers(s->config); i++) {
		struct child *c = &s->workers[i];

		if (c->restart_at_ms == 0)
			continue;
		if (c->restart_at_ms > now) {
			wait = RESTART_DELAY_MS;
		} else if (start_worker(s, i) < 0) {
			c->restart_at_ms = now + RESTART_DELAY_MS;
			wait = RESTART_DELAY_MS;
		}
	}
	return wait;
}

static void stop_child(const struct child *c, int signo)
{
	if (c->pid > 0)
		kill(c->pid, signo);
}

static bool workers_run(const struct supervisor *s)
{
	for (unsigned i = 0; i < role_workers(s->config); i++) {
		if (s->workers[i].pid > 0)
			return true;
	}
	return false;
}

/* Front first: it finishes what it answers, then the vault sees it go and flushes. */
static void stop_all(struct supervisor *s)
{
	int64_t deadline = (int64_t)clock_mono_ms() + STOP_WAIT_MS;
	struct pollfd p = {.fd = s->signals, .events = POLLIN};

	s->stopping = true;
	stop_child(&s->front, SIGTERM);
	while ((s->front.pid > 0 || s->vault.pid > 0) && (int64_t)clock_mono_ms() < deadline) {
		struct signalfd_siginfo info;

		if (poll(&p, 1, 100) == 1)
			(void)!read(s->signals, &info, sizeof(info));
		(void)reap(s);
		if (s->front.pid == 0)
			stop_child(&s->vault, SIGTERM);
	}
	stop_child(&s->front, SIGKILL);
	stop_child(&s->vault, SIGKILL);
	/* Without a vault workers end by themselves, unless they are busy. */
	deadline = (int64_t)clock_mono_ms() + WORKERS_STOP_WAIT_MS;
	while (workers_run(s) && (int64_t)clock_mono_ms() < deadline) {
		(void)poll(NULL, 0, 10);
		(void)reap(s);
	}
	for (unsigned i = 0; i < role_workers(s->config); i++)
		stop_child(&s->workers[i], SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

static int seal(const json_t *value)
{
	cleanup(free_ptr) char *text = json_dumps(value, JSON_COMPACT);
	cleanup_fd int fd = memfd_create("husk-kbs-config", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (!text || fd < 0)
		return -ENOMEM;
	r = fd_write_full(fd, text, strlen(text));
	explicit_bzero(text, strlen(text));
	if (r < 0)
		return r;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0 ||
		lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	return steal_fd(&fd);
}

static int seal_config(struct supervisor *s, const struct kbs_config *c)
{
	for (size_t i = 0; i < ARRAY_COUNT(s->views); i++) {
		cleanup(json_decref) json_t *view = kbs_config_seen_by(c->root, g_views[i]);
		int fd = view ? seal(view) : -ENOMEM;

		if (fd < 0)
			return fd;
		if (s->views[i] >= 0)
			close(s->views[i]);
		s->views[i] = fd;
	}
	return 0;
}

/* --- reload --- */

/* PEM texts of the front's files. */
struct front_files {
	struct buf certificate, private_key, client_ca;
};

static void front_files_done(struct front_files *f)
{
	buf_done(&f->certificate);
	buf_done(&f->private_key);
	buf_done(&f->client_ca);
}

static int read_pem(const char *path, struct buf *out, struct err *reterr)
{
	return path ? file_read(path, CONFIG_FILE_MAX, out, reterr) : 0;
}

static int read_files(const struct kbs_config *c, struct front_files *f, struct err *reterr)
{
	int r = read_pem(c->http.certificate, &f->certificate, reterr);

	if (r == 0)
		r = read_pem(c->http.private_key, &f->private_key, reterr);
	if (r == 0)
		r = read_pem(c->husk.client_ca, &f->client_ca, reterr);
	return r;
}

/* An answer that came too late for the last question is none to this one. */
static void drop_answers(int control)
{
	uint32_t tag;

	while (recv(control, &tag, sizeof(tag), MSG_DONTWAIT) > 0)
		;
}

/* @root is consumed. @files NULL: none. Return: 0 once @role follows it. */
static int send_reload(int control, const char *role, uint32_t tag, json_t *root,
	const struct front_files *files, struct err *reterr)
{
	cleanup(json_decref) json_t *message = json_object();
	cleanup_fd int fd = -1;
	int r = json_set_take(message, "config", root);

	if (r == 0)
		r = json_set_str(message, "certificate", files ? buf_str(&files->certificate) : "");
	if (r == 0)
		r = json_set_str(message, "private_key", files ? buf_str(&files->private_key) : "");
	if (r == 0)
		r = json_set_str(message, "client_ca", files ? buf_str(&files->client_ca) : "");
	fd = r == 0 ? seal(message) : r;
	if (fd < 0)
		return fd;
	drop_answers(control);
	r = ipc_send_fd(control, fd, tag);
	if (r == 0)
		r = wait_tag(control, RELOAD_WAIT_MS);
	if (r == -EACCES)
		return err_set(reterr, r, "the %s refuses: see the message above", role);
	return r < 0 ? err_set(reterr, r, "the %s does not answer", role) : 0;
}

/* First the front says whether it could, so that the vault does not change alone. */
static int reload_from(struct supervisor *s, const struct kbs_config *c, struct err *reterr)
{
	cleanup_with(front_files_done) struct front_files files = {buf_init(CONFIG_FILE_MAX),
		buf_init_secret(CONFIG_FILE_MAX), buf_init(CONFIG_FILE_MAX)};
	int r = read_files(c, &files, reterr);

	if (r == 0)
		r = send_reload(s->front_control, "front", CONTROL_CHECK,
			kbs_config_seen_by(c->root, "front"), &files, reterr);
	if (r == 0)
		r = send_reload(s->vault_control, "vault", CONTROL_RELOAD,
			kbs_config_seen_by(c->root, "vault"), NULL, reterr);
	if (r == 0)
		r = seal_config(s, c);
	if (r == 0)
		r = send_reload(s->front_control, "front", CONTROL_RELOAD,
			kbs_config_seen_by(c->root, "front"), &files, reterr);
	return r;
}

/* It reads its key when it starts. The one that follows has the new configuration. */
static void restart_signer(struct supervisor *s)
{
	for (unsigned i = 0; i < role_workers(s->config); i++) {
		if (streq(role_worker_name(s->config, i), "signer"))
			stop_child(&s->workers[i], SIGKILL);
	}
}

/* A configuration that is wrong, or that running processes cannot follow, changes nothing. */
static void reload(struct supervisor *s)
{
	struct kbs_config c = {0};
	struct err e = {0};
	int r;

	role_notify("RELOADING=1");
	r = s->source->load(s->source->cookie, &c, &e);
	if (r == 0)
		r = kbs_config_may_reload(s->config, &c, &e);
	if (r == 0)
		r = reload_from(s, &c, &e);
	if (r < 0) {
		log_error("kbs.reload.refused", LOG_STR("reason", err_text(&e, r)));
		kbs_config_done(&c);
	} else {
		kbs_config_done(&s->fresh);
		s->fresh = c;
		s->config = &s->fresh;
		role_log(s->config, NULL);
		restart_signer(s);
		log_info("kbs.reload", LOG_STR("file", s->source->name));
	}
	role_notify("READY=1");
}

static int run(struct supervisor *s)
{
	for (;;) {
		struct pollfd p = {.fd = s->signals, .events = POLLIN};
		struct signalfd_siginfo info;

		if (poll(&p, 1, restart_due(s)) == 1 &&
			read(s->signals, &info, sizeof(info)) == sizeof(info)) {
			if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) {
				role_notify("STOPPING=1");
				return 0;
			}
			if (info.ssi_signo == SIGHUP)
				reload(s);
		}
		if (!reap(s))
			return 1;
	}
}

int role_supervisor(const struct kbs_config *c, const struct role_source *source)
{
	struct supervisor s = {
		.config = c, .source = source, .front_control = -1, .vault_control = -1};
	struct err e = {0};
	sigset_t wanted;
	int r;

	for (size_t i = 0; i < ARRAY_COUNT(s.views); i++)
		s.views[i] = -1;
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&wanted);
	sigaddset(&wanted, SIGCHLD);
	sigaddset(&wanted, SIGTERM);
	sigaddset(&wanted, SIGINT);
	sigaddset(&wanted, SIGHUP);
	sigprocmask(SIG_BLOCK, &wanted, NULL);
	s.signals = signalfd(-1, &wanted, SFD_CLOEXEC);
	r = s.signals < 0 ? -errno : backend_try(c, &e);
	if (r == 0)
		r = seal_config(&s, c);
	if (r == 0)
		r = start_all(&s, &e);
	if (r < 0) {
		log_error("kbs.start", LOG_STR("reason", err_text(&e, r)));
		stop_all(&s);
		return 1;
	}
	role_notify("READY=1");
	r = run(&s);
	stop_all(&s);
	kbs_config_done(&s.fresh);
	return r;
}
