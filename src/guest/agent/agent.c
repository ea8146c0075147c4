/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/agent/agent.h"

#include <signal.h>
#include <stdarg.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "guest/agent/sanitized.h"
#include "guest/agent/setup.h"

/* How long the last frames may take to reach the host. */
/* Seconds after the last word: for a host that is connected, and for one that never was. */
#define END_S 60
#define END_UNHEARD_S 3
/* Sanitizers and emulation together. */
#define SLOWER (WITH_SANITIZER ? 4u : 1u)
#define RESERVE_SIZE ((size_t)64 << 10)

static const struct {
	const char *name;
	uint32_t deadline_s; /* 0: none */
} stages[] = {
	[STAGE_BOOT] = {"boot", 30},
	[STAGE_MODULES] = {"modules", 30},
	[STAGE_LINK] = {"link", 30},
	[STAGE_INITDATA] = {"initdata", 60},
	[STAGE_NETWORK] = {"network", 20},
	[STAGE_ATTEST] = {"attest", 90},
	[STAGE_PULL] = {"pull", 1800},
	[STAGE_UNPACK] = {"unpack", 1800},
	[STAGE_POLICY] = {"policy", 30},
	[STAGE_START] = {"start", 60},
	[STAGE_RUNNING] = {"run", 0},
	[STAGE_ENDING] = {"end", 0},
};

/* Freed when the guest gives up, so that saying why does not need memory that is not there. */
static void *g_reserve;

static noreturn_fn void power_off(const struct agent *a)
{
	if (getpid() != 1)
		_exit(1);
	sanitized_end(a);
	/* There is nothing on disk; what runs is stopped by the machine. */
	reboot(RB_POWER_OFF);
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

static uint32_t deadline_s(enum stage stage)
{
	return stages[stage].deadline_s * SLOWER;
}

static void on_deadline(evutil_socket_t fd, short what, void *cookie)
{
	struct agent *a = cookie;
	if (a->stage == STAGE_ENDING)
		power_off(a);
	agent_fatal(a, NULL, NULL, "did not finish within %u seconds", deadline_s(a->stage));
}

void agent_stage(struct agent *a, enum stage stage)
{
	if (a->stage == STAGE_ENDING)
		return;
	a->stage = stage;
	event_del(a->deadline);
	const struct timeval t = {(time_t)deadline_s(stage), 0};
	if (t.tv_sec > 0 && event_add(a->deadline, &t) < 0)
		agent_fatal(a, NULL, NULL, "no memory for a timer");
}

void agent_phase(struct agent *a, const char *phase)
{
	/* EXIT and FATAL are the last word. */
	if (a->stage == STAGE_ENDING)
		return;
	struct hostlink_phase m = {.ms = clock_boot_ms()};
	snprintf(m.phase, sizeof(m.phase), "%s", phase);
	hostlink_phase_put(link_queue(a->link), &m);
	link_flush(a->link);
}

void agent_log(struct agent *a, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text) - 1, fmt, ap);
	va_end(ap);
	console_write(text);
	/* The operator's log may be dropped, the link must not be: it is bounded. */
	if (a->link == NULL || link_pending(a->link) > LINK_QUEUE_HIGH)
		return;
	size_t n = strlen(text);
	text[n] = '\n';
	hostlink_put(link_queue(a->link), HOSTLINK_LOG, slice_of(text, n + 1));
	link_flush(a->link);
}

/* A host that takes something has as long again for the rest. */
static void wait_for_host(struct agent *a)
{
	const struct timeval t = {link_is_up(a->link) ? END_S : END_UNHEARD_S, 0};
	event_del(a->deadline);
	if (event_add(a->deadline, &t) < 0)
		power_off(a);
}

/*
 * From here on only the queue of the link is served. What was written is not what was read: the
 * virtqueue and QEMU hold output that a power-off would lose. So the host, which closes the link
 * after the last word, says when it has all; the deadline is for one that does not.
 */
static void start_ending(struct agent *a)
{
	a->stage = STAGE_ENDING;
	/* Without a loop nothing more can be said. */
	if (a->link == NULL)
		power_off(a);
	workers_kill(a);
	wait_for_host(a);
	link_finish(a->link);
	link_flush(a->link);
}

void agent_fatal(struct agent *a, const char *stage, const char *id, const char *fmt, ...)
{
	struct hostlink_fatal m = {.code = a->fail_code};
	char line[800];
	va_list ap;
	if (a->stage == STAGE_ENDING)
		return;
	free(g_reserve);
	g_reserve = NULL;
	snprintf(m.stage, sizeof(m.stage), "%s", stage && stage[0] ? stage : stages[a->stage].name);
	snprintf(m.id, sizeof(m.id), "%s", id ? id : "");
	va_start(ap, fmt);
	vsnprintf(m.reason, sizeof(m.reason), fmt, ap);
	va_end(ap);
	snprintf(line, sizeof(line), "FATAL %s: %s%s%s", m.stage, m.reason, m.id[0] ? ", id " : "",
		m.id);
	console_write(line);
	if (a->link != NULL)
		hostlink_fatal_put(link_queue(a->link), &m);
	start_ending(a);
}

void agent_fatal_err(struct agent *a, const struct err *e, int code)
{
	agent_fatal(a, NULL, NULL, "%s", err_text(e, code));
}

void agent_exit(struct agent *a, uint32_t code, const char *reason)
{
	struct hostlink_exit m = {.code = code};
	char line[128];
	if (a->stage == STAGE_ENDING)
		return;
	workers_log_memory(a);
	snprintf(m.reason, sizeof(m.reason), "%s", reason);
	snprintf(line, sizeof(line), "container ended with code %u, %s", code, reason);
	console_write(line);
	hostlink_exit_put(link_queue(a->link), &m);
	start_ending(a);
}

static void on_link_up(void *cookie)
{
	struct agent *a = cookie;
	agent_phase(a, "link");
	agent_stage(a, STAGE_INITDATA);
}

static void on_link_lost(void *cookie, int code, const char *why)
{
	struct agent *a = cookie;
	if (a->stage == STAGE_ENDING)
		power_off(a);
	agent_fatal(a, "link", NULL, "%s", why);
	power_off(a);
}

static void on_link_broken(void *cookie, int code, const char *why)
{
	agent_fatal(cookie, "link", NULL, "%s", why);
}

static void on_link_writable(void *cookie)
{
	struct agent *a = cookie;
	if (a->stage == STAGE_ENDING)
		wait_for_host(a);
	else if (a->container != NULL)
		container_resume(a->container);
}

static void on_child(evutil_socket_t sig, short what, void *cookie)
{
	struct agent *a = cookie;
	int status;
	for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
		if (!worker_reaped(a, pid, status) && a->container != NULL)
			container_reaped(a->container, pid, status);
	}
}

static void on_stop(evutil_socket_t sig, short what, void *cookie)
{
	agent_fatal(cookie, NULL, NULL, "the guest was told to stop (signal %d)", (int)sig);
}

static int start_loop(struct agent *a)
{
	static const struct link_handlers link_handlers = {
		.frame = flow_link_frame,
		.up = on_link_up,
		.lost = on_link_lost,
		.broken = on_link_broken,
		.writable = on_link_writable,
	};
	struct hostlink_hello hello = {.protocol = HOSTLINK_PROTOCOL, .version = HUSK_VERSION};
	a->base = event_base_new();
	if (a->base == NULL)
		return -ENOMEM;
	a->deadline = event_new(a->base, -1, 0, on_deadline, a);
	a->child_signal = evsignal_new(a->base, SIGCHLD, on_child, a);
	a->term_signal = evsignal_new(a->base, SIGTERM, on_stop, a);
	a->int_signal = evsignal_new(a->base, SIGINT, on_stop, a);
	if (!a->deadline || !a->child_signal || !a->term_signal || !a->int_signal ||
		event_add(a->child_signal, NULL) < 0 || event_add(a->term_signal, NULL) < 0 ||
		event_add(a->int_signal, NULL) < 0)
		return -ENOMEM;
	int r = link_new(a->base, &link_handlers, a, &a->link);
	if (r < 0)
		return r;
	/* Frames wait in the queue until the host is there; HELLO is the first of them. */
	hostlink_hello_put(link_queue(a->link), &hello);
	return 0;
}

int agent_main(void)
{
	static struct agent agent = {.image_end = -1, .crun = -1};
	struct agent *a = &agent;
	struct err e = {0};
	setup_console();
	signal(SIGPIPE, SIG_IGN);
	int r = setup_root(&e);
	if (r < 0) {
		setup_console();
		agent_fatal_err(a, &e, r);
	}
	setup_console();
	reboot(RB_DISABLE_CAD);
	g_reserve = malloc(RESERVE_SIZE);
	r = g_reserve ? start_loop(a) : -ENOMEM;
	if (r < 0)
		agent_fatal_err(a, &e, r);
	agent_phase(a, "boot");

	agent_stage(a, STAGE_MODULES);
	r = setup_modules(MODULES_DRIVERS, &e);
	/* It has much to prepare, on another processor if there is one. Not earlier: loading a module
	 * stops the other processors again and again, and waits for those that are busy. */
	if (r == 0)
		r = worker_start_aa(a, &e);
	if (r == 0)
		r = setup_modules(MODULES_BUS, &e);
	if (r < 0)
		agent_fatal_err(a, &e, r);
	agent_phase(a, "modules");

	agent_stage(a, STAGE_LINK);
	/* Likewise, while the host's connection is waited for. */
	r = a->stage == STAGE_ENDING ? 0 : worker_start_image(a, &e);
	if (r < 0)
		agent_fatal_err(a, &e, r);
	event_base_dispatch(a->base);
	/* Only a failure of epoll itself comes here. */
	console_write("the event loop failed");
	power_off(a);
}
