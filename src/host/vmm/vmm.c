/* SPDX-License-Identifier: Apache-2.0 */
#include "host/vmm/vmm.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "host/vmm/kvm.h"
#include "host/vmm/qemu_args.h"
#include "host/vmm/swtpm.h"

#define CONSOLE_KEEP ((size_t)16 << 10)
/* From the guest's last word to its power-off; a sanitized guest looks for leaks in between. */
#define END_TIMEOUT_MS (WITH_SANITIZER ? 120000 : 10000)
#define STOP_TIMEOUT_MS 3000 /* from SIGTERM to SIGKILL */
#define READ_HIGH (HOSTLINK_PAYLOAD_MAX + HOSTLINK_HEADER_SIZE)

/* QEMU's user network: fixed addresses, so that the guest needs no DHCP. */
#define USER_NET_GUEST 0x0a00020fu
#define USER_NET_GATEWAY 0x0a000202u
#define USER_NET_DNS 0x0a000203u

struct vmm {
	struct event_base *base;
	struct vmm_config config;
	struct vmm_events events;
	struct proc qemu;
	struct swtpm tpm;
	int console_fd;
	struct bufferevent *link;
	struct event *on_exit, *on_console, *on_timer;
	struct buf console;
	uint64_t started_ms;
	const char *waiting_for; /* what the timer limits */
	bool kvm, hello, running, said_end, stopping, link_closed, qemu_gone, ended;
	int qemu_status;
	struct vmm_result result;
};

static void set_timer(struct vmm *v, uint64_t ms, const char *waiting_for)
{
	const struct timeval tv = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};
	v->waiting_for = waiting_for;
	evtimer_del(v->on_timer);
	if (ms != 0)
		evtimer_add(v->on_timer, &tv);
}

static void tell_phase(struct vmm *v, const char *phase, uint64_t guest_ms)
{
	if (v->events.phase)
		v->events.phase(v->events.user, phase, guest_ms, clock_mono_ms() - v->started_ms);
}

/* The first end counts: what follows is its consequence. */
format_printf(4, 5) static void set_end(
	struct vmm *v, enum vmm_end end, const char *stage, const char *fmt, ...)
{
	va_list ap;
	if (v->ended)
		return;
	v->ended = true;
	v->result.end = end;
	snprintf(v->result.stage, sizeof(v->result.stage), "%s", stage);
	va_start(ap, fmt);
	vsnprintf(v->result.reason, sizeof(v->result.reason), fmt, ap);
	va_end(ap);
}

static void stop_qemu(struct vmm *v)
{
	if (v->stopping)
		return;
	v->stopping = true;
	proc_signal(&v->qemu, SIGTERM);
	set_timer(v, STOP_TIMEOUT_MS, "QEMU to end");
}

static void finish_when_done(struct vmm *v)
{
	char text[64];
	if (!v->qemu_gone || !v->link_closed || !v->events.done)
		return;
	if (WIFEXITED(v->qemu_status) && WEXITSTATUS(v->qemu_status) == 0)
		set_end(v, VMM_END_LOST, v->hello ? "guest" : "boot", "the guest %s",
			v->hello ? "powered off without saying why"
				 : "ended before it spoke to the host: see its console");
	else
		set_end(v, v->hello ? VMM_END_LOST : VMM_END_ERROR, "qemu", "QEMU ended with %s",
			proc_status_text(v->qemu_status, text, sizeof(text)));
	set_timer(v, 0, NULL);
	void (*done)(void *, const struct vmm_result *) = v->events.done;
	v->events.done = NULL;
	done(v->events.user, &v->result);
}

static void send_run(struct vmm *v)
{
	struct hostlink_run run = *v->config.run;
	cleanup_with(buf_done) struct buf out = buf_init((size_t)4 << 20);
	switch (v->config.network) {
	case VMM_NET_NONE:
		run.network = HOSTLINK_NET_NONE;
		break;
	case VMM_NET_TAP:
		run.network = HOSTLINK_NET_DHCP;
		break;
	case VMM_NET_USER:
		run.network = HOSTLINK_NET_STATIC;
		run.address = USER_NET_GUEST;
		run.prefix = 24;
		run.gateway = USER_NET_GATEWAY;
		run.dns[0] = USER_NET_DNS;
		run.dns_count = 1;
		break;
	}
	hostlink_put(&out, HOSTLINK_INITDATA, v->config.initdata);
	hostlink_run_put(&out, &run);
	if (buf_error(&out) < 0 || bufferevent_write(v->link, out.data, out.size) != 0) {
		set_end(v, VMM_END_ERROR, "run", "cannot tell the guest what to run: %s",
			strerror(-(buf_error(&out) ?: -ENOMEM)));
		stop_qemu(v);
	}
}

static int on_hello(struct vmm *v, struct slice payload, struct err *reterr)
{
	struct hostlink_hello hello;
	int r = hostlink_hello_parse(payload, &hello, reterr);
	if (r < 0)
		return r;
	v->hello = true;
	set_timer(v, v->config.start_timeout_ms, "the container to start");
	send_run(v);
	return 0;
}

static int on_phase(struct vmm *v, struct slice payload, struct err *reterr)
{
	struct hostlink_phase phase;
	int r = hostlink_phase_parse(payload, &phase, reterr);
	if (r < 0)
		return r;
	if (streq(phase.phase, "start") && !v->running) {
		v->running = true;
		set_timer(v, v->config.timeout_ms, "the container to end");
	}
	tell_phase(v, phase.phase, phase.ms);
	return 0;
}

static int on_last_word(struct vmm *v, const struct hostlink_frame *f, struct err *reterr)
{
	struct hostlink_exit e;
	struct hostlink_fatal fatal;
	int r;
	if (f->type == HOSTLINK_EXIT) {
		r = hostlink_exit_parse(f->payload, &e, reterr);
		if (r < 0)
			return r;
		set_end(v, VMM_END_EXITED, "run", "%s", e.reason);
		v->result.code = (int)e.code;
	} else {
		r = hostlink_fatal_parse(f->payload, &fatal, reterr);
		if (r < 0)
			return r;
		if (!v->ended)
			snprintf(v->result.id, sizeof(v->result.id), "%s", fatal.id);
		if (!v->ended)
			v->result.code = (int)fatal.code;
		set_end(v, VMM_END_FATAL, fatal.stage, "%s", fatal.reason);
	}
	v->said_end = true;
	set_timer(v, END_TIMEOUT_MS, "the guest to power off");
	return 0;
}

/* Closing says that the last word arrived: the guest waits for it with what it has not sent. */
static void close_link(struct vmm *v)
{
	bufferevent_disable(v->link, EV_READ | EV_WRITE);
	shutdown(bufferevent_getfd(v->link), SHUT_RDWR);
	v->link_closed = true;
}

static int on_frame(struct vmm *v, const struct hostlink_frame *f, struct err *reterr)
{
	const struct vmm_events *e = &v->events;
	if (!v->hello && f->type != HOSTLINK_HELLO && f->type != HOSTLINK_LOG &&
		f->type != HOSTLINK_FATAL && f->type != HOSTLINK_PHASE)
		return err_set(reterr, -EPROTO, "%s before HELLO", hostlink_type_name(f->type));
	switch (f->type) {
	case HOSTLINK_HELLO:
		return v->hello ? err_set(reterr, -EPROTO, "a second HELLO")
				: on_hello(v, f->payload, reterr);
	case HOSTLINK_PHASE:
		return on_phase(v, f->payload, reterr);
	case HOSTLINK_STDOUT:
	case HOSTLINK_STDERR:
		if (e->output)
			e->output(e->user, f->type == HOSTLINK_STDOUT ? 1 : 2, f->payload);
		return 0;
	case HOSTLINK_EXIT:
	case HOSTLINK_FATAL:
		return on_last_word(v, f, reterr);
	case HOSTLINK_LOG:
		if (e->log)
			e->log(e->user, f->payload);
		return 0;
	default: /* hostlink_parse() lets only frames of guests through */
		return -EPROTO;
	}
}

static void on_link_read(struct bufferevent *link, void *user)
{
	struct vmm *v = user;
	struct evbuffer *in = bufferevent_get_input(link);
	for (;;) {
		struct hostlink_frame frame;
		struct err e = {0};
		size_t have = evbuffer_get_length(in), size = 0;
		const uint8_t *data = evbuffer_pullup(in, -1);
		int r = hostlink_parse(
			slice_of(data, data ? have : 0), HOSTLINK_FROM_GUEST, &frame, &size, &e);
		if (r == -ENODATA)
			return;
		if (r == 0)
			r = on_frame(v, &frame, &e);
		if (r < 0) {
			set_end(v, VMM_END_LOST, "link", "the guest broke the protocol: %s",
				err_text(&e, r));
			evbuffer_drain(in, have);
			stop_qemu(v);
			return;
		}
		evbuffer_drain(in, size);
		if (v->said_end) {
			close_link(v);
			return;
		}
	}
}

static void on_link_write(struct bufferevent *link, void *user)
{
	struct vmm *v = user;
	if (v->hello && v->events.writable)
		v->events.writable(v->events.user);
}

static void on_link_event(struct bufferevent *link, short what, void *user)
{
	struct vmm *v = user;
	bufferevent_disable(link, EV_READ | EV_WRITE);
	v->link_closed = true;
	if (!v->qemu_gone && !v->stopping)
		set_timer(v, END_TIMEOUT_MS, "the guest to power off");
	finish_when_done(v);
}

/* Console of the guest and messages of QEMU: only the last part is kept. */
static void read_console(struct vmm *v)
{
	uint8_t bytes[4096];
	ssize_t n;
	while ((n = read(v->console_fd, bytes, sizeof(bytes))) > 0) {
		if (v->console.size + (size_t)n > CONSOLE_KEEP)
			buf_consume(&v->console, v->console.size + (size_t)n - CONSOLE_KEEP);
		buf_put(&v->console, bytes, (size_t)n);
	}
	if (n == 0)
		event_del(v->on_console);
}

static void on_console_ready(evutil_socket_t fd, short what, void *user)
{
	read_console(user);
}

static void on_qemu_exit(evutil_socket_t fd, short what, void *user)
{
	struct vmm *v = user;
	if (proc_wait(&v->qemu, 0, &v->qemu_status) == -ETIMEDOUT)
		return;
	event_del(v->on_exit);
	v->qemu_gone = true;
	read_console(v);
	finish_when_done(v);
}

static void on_timeout(evutil_socket_t fd, short what, void *user)
{
	struct vmm *v = user;
	if (v->stopping || v->said_end || v->link_closed) {
		if (!v->ended)
			set_end(v, VMM_END_LOST, "link", "the guest hung without a word");
		proc_signal(&v->qemu, SIGKILL);
		return;
	}
	set_end(v, VMM_END_TIMEOUT,
		v->running ? "run"
		: v->hello ? "start"
			   : "boot",
		"waited too long for %s", v->waiting_for);
	stop_qemu(v);
}

static int check_file(const char *what, const char *path, struct err *reterr)
{
	if (path && access(path, R_OK) == 0)
		return 0;
	return err_at(reterr, path ? -errno : -EINVAL, ERR_NO_OFFSET, what, "cannot read the %s %s",
		what, path ?: "(none given)");
}

static int check_config(const struct vmm_config *c, struct err *reterr)
{
	int r = check_file("firmware", c->firmware, reterr);
	if (r == 0)
		r = check_file("kernel", c->kernel, reterr);
	if (r == 0)
		r = check_file("initrd", c->initrd, reterr);
	if (r < 0)
		return r;
	if (c->memory < VMM_MEMORY_MIN || c->memory > VMM_MEMORY_MAX)
		return err_at(reterr, -EINVAL, ERR_NO_OFFSET, "memory",
			"a pod VM has 128 MiB to 1 TiB of memory");
	if (c->cpus < 1 || c->cpus > VMM_CPUS_MAX)
		return err_at(reterr, -EINVAL, ERR_NO_OFFSET, "cpus",
			"a pod VM has 1 to %u virtual CPUs", VMM_CPUS_MAX);
	if (c->network == VMM_NET_TAP &&
		(!c->tap || strchr(c->tap, ',') || strlen(c->tap) >= IF_NAMESIZE ||
			if_nametoindex(c->tap) == 0))
		return err_at(reterr, -EINVAL, ERR_NO_OFFSET, "network",
			"there is no network interface '%s'", c->tap ?: "");
	return 0;
}

static int choose_accel(struct vmm *v, struct err *reterr)
{
	char why[300] = "";
	if (v->config.accel == VMM_ACCEL_TCG)
		return 0;
	v->kvm = kvm_usable(v->config.qemu, why, sizeof(why));
	if (!v->kvm && v->config.accel == VMM_ACCEL_KVM)
		return err_at(reterr, -EOPNOTSUPP, ERR_NO_OFFSET, "accel",
			"KVM does not work here: %s", why);
	return 0;
}

/* Start QEMU with its ends of @link and the TPM; the parent keeps neither. */
static int spawn_qemu(struct vmm *v, int link_fd, struct err *reterr)
{
	struct qemu_args args;
	int console[2];
	if (pipe2(console, O_CLOEXEC) != 0)
		return err_set(reterr, -errno, "cannot make a pipe for QEMU");
	cleanup_fd int theirs = console[1];
	v->console_fd = console[0];
	int r = fd_set_nonblock(v->console_fd, true);
	if (r < 0)
		return err_set(reterr, r, "cannot read QEMU's messages");
	qemu_args_make(&v->config, v->kvm, link_fd, v->tpm.ctrl_fd, &args);
	const int stdio[3] = {-1, theirs, theirs};
	const int keep[2] = {link_fd, v->tpm.ctrl_fd};
	r = proc_spawn(&v->qemu, (char *const *)(uintptr_t)args.argv, stdio, keep, 2, reterr);
	close(steal_fd(&v->tpm.ctrl_fd));
	return r;
}

static int watch(struct vmm *v, int link_fd)
{
	v->link = bufferevent_socket_new(v->base, link_fd, BEV_OPT_CLOSE_ON_FREE);
	v->on_exit = event_new(v->base, v->qemu.pidfd, EV_READ | EV_PERSIST, on_qemu_exit, v);
	v->on_console =
		event_new(v->base, v->console_fd, EV_READ | EV_PERSIST, on_console_ready, v);
	v->on_timer = evtimer_new(v->base, on_timeout, v);
	if (!v->link) {
		close(link_fd);
		return -ENOMEM;
	}
	if (!v->on_exit || !v->on_console || !v->on_timer || event_add(v->on_exit, NULL) != 0 ||
		event_add(v->on_console, NULL) != 0)
		return -ENOMEM;
	bufferevent_setcb(v->link, on_link_read, on_link_write, on_link_event, v);
	bufferevent_setwatermark(v->link, EV_READ, 0, READ_HIGH);
	bufferevent_setwatermark(v->link, EV_WRITE, VMM_INPUT_HIGH / 2, 0);
	return bufferevent_enable(v->link, EV_READ | EV_WRITE) == 0 ? 0 : -ENOMEM;
}

static int start(struct vmm *v, struct err *reterr)
{
	int pair[2];
	int r = check_config(&v->config, reterr);
	if (r == 0)
		r = choose_accel(v, reterr);
	if (r < 0)
		return r;
	tell_phase(v, "accel", 0);
	r = swtpm_start(v->config.swtpm, v->config.tpm_state, &v->tpm, reterr);
	if (r < 0)
		return r;
	tell_phase(v, "tpm", 0);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return err_set(reterr, -errno, "cannot make a socket pair");
	cleanup_fd int ours = pair[0];
	cleanup_fd int theirs = pair[1];
	r = fd_set_nonblock(ours, true);
	if (r == 0)
		r = spawn_qemu(v, theirs, reterr);
	if (r < 0)
		return r;
	tell_phase(v, "qemu", 0);
	r = watch(v, steal_fd(&ours));
	if (r < 0)
		return err_set(reterr, r, "cannot watch QEMU");
	set_timer(v, v->config.boot_timeout_ms, "the guest to boot");
	return 0;
}

int vmm_start(struct event_base *base, const struct vmm_config *config,
	const struct vmm_events *events, struct vmm **ret, struct err *reterr)
{
	cleanup(vmm_free) struct vmm *v = calloc(1, sizeof(*v));
	if (!v)
		return err_set(reterr, -ENOMEM, "out of memory");
	v->base = base;
	v->config = *config;
	v->events = *events;
	v->qemu = PROC_NONE;
	v->tpm = SWTPM_NONE;
	v->console_fd = -1;
	v->console = buf_init(CONSOLE_KEEP);
	v->started_ms = clock_mono_ms();
	int r = start(v, reterr);
	if (r < 0)
		return r;
	*ret = steal_ptr(v);
	return 0;
}

void vmm_stop(struct vmm *v, const char *reason)
{
	set_end(v, VMM_END_STOPPED, "run", "%s", reason);
	stop_qemu(v);
}

void vmm_free(struct vmm *v)
{
	if (!v)
		return;
	if (v->link)
		bufferevent_free(v->link);
	if (v->on_exit)
		event_free(v->on_exit);
	if (v->on_console)
		event_free(v->on_console);
	if (v->on_timer)
		event_free(v->on_timer);
	proc_done(&v->qemu);
	swtpm_done(&v->tpm);
	if (v->console_fd >= 0)
		close(v->console_fd);
	buf_done(&v->console);
	free(v);
}

bool vmm_running(const struct vmm *v)
{
	return v->running;
}

bool vmm_using_kvm(const struct vmm *v)
{
	return v->kvm;
}

size_t vmm_input_room(const struct vmm *v)
{
	size_t waiting = evbuffer_get_length(bufferevent_get_output(v->link));
	return !v->hello || v->link_closed || waiting >= VMM_INPUT_HIGH ? 0
									: VMM_INPUT_HIGH - waiting;
}

static void send_frame(struct vmm *v, enum hostlink_type type, struct slice payload)
{
	cleanup_with(buf_done) struct buf out = buf_init(READ_HIGH);
	hostlink_put(&out, type, payload);
	if (!v->link_closed && buf_error(&out) == 0)
		(void)bufferevent_write(v->link, out.data, out.size);
}

void vmm_input(struct vmm *v, struct slice bytes)
{
	send_frame(v, HOSTLINK_STDIN, bytes);
}

void vmm_input_eof(struct vmm *v)
{
	send_frame(v, HOSTLINK_STDIN_EOF, slice_of(NULL, 0));
}

void vmm_winsize(struct vmm *v, uint16_t rows, uint16_t cols)
{
	const struct hostlink_winsize m = {rows, cols};
	cleanup_with(buf_done) struct buf out = buf_init(256);
	hostlink_winsize_put(&out, &m);
	if (v->hello && !v->link_closed && buf_error(&out) == 0)
		(void)bufferevent_write(v->link, out.data, out.size);
}

void vmm_signal(struct vmm *v, uint32_t signo)
{
	const struct hostlink_signal m = {signo};
	cleanup_with(buf_done) struct buf out = buf_init(256);
	hostlink_signal_put(&out, &m);
	if (v->hello && !v->link_closed && buf_error(&out) == 0)
		(void)bufferevent_write(v->link, out.data, out.size);
}

struct slice vmm_console(const struct vmm *v)
{
	return buf_slice(&v->console);
}
