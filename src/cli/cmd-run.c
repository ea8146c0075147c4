/* SPDX-License-Identifier: Apache-2.0 */
/* husk run: a container in a pod VM that has to prove itself, used like `docker run`. */
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/commands.h"
#include "fmt/json.h"
#include "cli/run_config.h"
#include "cli/run_term.h"

DEFINE_CLEANUP(struct event_config *, event_config_free);

#define RUN_FAILED 125 /* as docker run: the failure is ours, not the container's */
#define PHASES_MAX 32u
#define STDIN_CHUNK ((size_t)32 << 10)

struct phase {
	char name[24];
	uint64_t guest_ms, host_ms;
};

struct run {
	const struct cli *cli;
	struct run_config config;
	struct event_base *base;
	struct vmm *vmm;
	struct event *on_stdin, *on_signal[8];
	struct vmm_result result;
	struct phase phases[PHASES_MAX];
	size_t phase_count;
	unsigned interrupts;
	bool show_log, stdin_waits, stdin_ended;
};

static void on_phase(void *user, const char *name, uint64_t guest_ms, uint64_t host_ms)
{
	struct run *run = user;
	if (run->phase_count == PHASES_MAX)
		return;
	struct phase *p = &run->phases[run->phase_count++];
	snprintf(p->name, sizeof(p->name), "%s", name);
	p->guest_ms = guest_ms;
	p->host_ms = host_ms;
	if (streq(name, "start") && run->config.terminal && run->config.interactive)
		(void)run_term_raw();
}

static void on_output(void *user, int fd, struct slice bytes)
{
	struct run *run = user;
	if (run_term_write(fd, bytes.data, bytes.size) < 0)
		vmm_stop(run->vmm,
			fd == 1 ? "standard output was closed" : "standard error was closed");
}

static void on_log(void *user, struct slice text)
{
	struct run *run = user;
	char line[1024];
	while (run->show_log && text.size > 0) {
		const uint8_t *end = memchr(text.data, '\n', text.size);
		size_t n = end ? (size_t)(end - text.data) : text.size;
		snprintf(line, sizeof(line), "%.*s", (int)MIN(n, sizeof(line) - 1), text.data);
		fputs("guest: ", stderr);
		cli_put_text(stderr, line);
		fputc('\n', stderr);
		text = slice_of(text.data + n + (end ? 1 : 0), text.size - n - (end ? 1 : 0));
	}
}

static void on_done(void *user, const struct vmm_result *result)
{
	struct run *run = user;
	run->result = *result;
	event_base_loopbreak(run->base);
}

static void on_stdin(evutil_socket_t fd, short what, void *user)
{
	struct run *run = user;
	uint8_t bytes[STDIN_CHUNK];
	size_t room = vmm_input_room(run->vmm);
	if (room == 0) {
		event_del(run->on_stdin);
		run->stdin_waits = true;
		return;
	}
	ssize_t n = read(STDIN_FILENO, bytes, MIN(room, sizeof(bytes)));
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n > 0) {
		vmm_input(run->vmm, slice_of(bytes, (size_t)n));
		return;
	}
	event_del(run->on_stdin);
	run->stdin_ended = true;
	vmm_input_eof(run->vmm);
}

static void on_writable(void *user)
{
	struct run *run = user;
	if (!run->on_stdin && !run->stdin_ended) {
		/* Without -i the container reads the end of its input at once. */
		run->stdin_ended = true;
		vmm_input_eof(run->vmm);
	}
	if (run->stdin_waits && !run->stdin_ended && vmm_input_room(run->vmm) > 0) {
		run->stdin_waits = false;
		event_add(run->on_stdin, NULL);
	}
}

static void on_signal(evutil_socket_t signo, short what, void *user)
{
	struct run *run = user;
	uint16_t rows, cols;
	if (signo == SIGWINCH) {
		if (run->config.terminal && run_term_size(&rows, &cols))
			vmm_winsize(run->vmm, rows, cols);
		return;
	}
	bool ends = signo == SIGINT || signo == SIGTERM || signo == SIGHUP || signo == SIGQUIT;
	/* The container may ignore it; the third one is for us. */
	if (ends && (!vmm_running(run->vmm) || ++run->interrupts >= 3))
		vmm_stop(run->vmm, "stopped by a signal");
	else if (vmm_running(run->vmm))
		vmm_signal(run->vmm, (uint32_t)signo);
}

static int watch_user(struct run *run)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH};
	_Static_assert(ARRAY_COUNT(signals) <= ARRAY_COUNT(run->on_signal), "room for all");
	for (size_t i = 0; i < ARRAY_COUNT(signals); i++) {
		run->on_signal[i] = evsignal_new(run->base, signals[i], on_signal, run);
		if (!run->on_signal[i] || evsignal_add(run->on_signal[i], NULL) != 0)
			return -ENOMEM;
	}
	if (!run->config.interactive)
		return 0;
	run->on_stdin = event_new(run->base, STDIN_FILENO, EV_READ | EV_PERSIST, on_stdin, run);
	/* Waits for the guest to say hello. */
	run->stdin_waits = true;
	return run->on_stdin ? 0 : -ENOMEM;
}

static int start(struct run *run, struct err *reterr)
{
	const struct vmm_events events = {.phase = on_phase,
		.output = on_output,
		.log = on_log,
		.writable = on_writable,
		.done = on_done,
		.user = run};
	cleanup(event_config_free) struct event_config *config = event_config_new();
	/* Standard input may be a file, which epoll cannot watch. */
	if (!config || event_config_require_features(config, EV_FEATURE_FDS) != 0)
		return -ENOMEM;
	run->base = event_base_new_with_config(config);
	if (!run->base)
		return err_set(reterr, -ENOMEM, "cannot make an event loop");
	int r = vmm_start(run->base, &run->config.vmm, &events, &run->vmm, reterr);
	return r < 0 ? r : watch_user(run);
}

static void run_done(struct run *run)
{
	run_term_restore();
	vmm_free(run->vmm);
	if (run->on_stdin)
		event_free(run->on_stdin);
	for (size_t i = 0; i < ARRAY_COUNT(run->on_signal); i++)
		if (run->on_signal[i])
			event_free(run->on_signal[i]);
	if (run->base)
		event_base_free(run->base);
	run_config_done(&run->config);
}

static const char *end_name(enum vmm_end end)
{
	switch (end) {
	case VMM_END_EXITED:
		return "exited";
	case VMM_END_FATAL:
		return "refused";
	case VMM_END_LOST:
		return "lost";
	case VMM_END_TIMEOUT:
		return "timeout";
	case VMM_END_STOPPED:
		return "stopped";
	case VMM_END_ERROR:
		break;
	}
	return "error";
}

static void print_json(const struct run *run)
{
	const struct vmm_result *e = &run->result;
	cleanup(json_decref) json_t *phases = json_array();
	for (size_t i = 0; i < run->phase_count; i++) {
		const struct phase *p = &run->phases[i];
		json_array_append_new(phases,
			json_pack("{s:s, s:I, s:I}", "phase", p->name, "guest_ms",
				(json_int_t)p->guest_ms, "host_ms", (json_int_t)p->host_ms));
	}
	cleanup(json_decref) json_t *doc = json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:O}", "end",
		end_name(e->end), "code", e->code, "stage", e->stage, "reason", e->reason, "id",
		e->id, "accel", vmm_using_kvm(run->vmm) ? "kvm" : "tcg", "phases", phases);
	if (doc)
		json_dumpf(doc, stderr, JSON_COMPACT);
	fputc('\n', stderr);
}

static void print_timing(const struct run *run)
{
	fprintf(stderr, "%-10s %10s %10s\n", "phase", "guest ms", "host ms");
	for (size_t i = 0; i < run->phase_count; i++) {
		const struct phase *p = &run->phases[i];
		fprintf(stderr, "%-10s %10llu %10llu\n", p->name, (unsigned long long)p->guest_ms,
			(unsigned long long)p->host_ms);
	}
}

/* Why there is no container, for a person; untrusted text is escaped. */
static void print_failure(const struct run *run)
{
	const struct vmm_result *e = &run->result;
	fprintf(stderr, "husk: the guest %s",
		e->end == VMM_END_FATAL ? "gave up" : end_name(e->end));
	fprintf(stderr, " at '");
	cli_put_text(stderr, e->stage);
	fprintf(stderr, "': ");
	cli_put_text(stderr, e->reason);
	fputc('\n', stderr);
	if (e->id[0]) {
		fprintf(stderr, "husk: the key broker knows why: husk kbs why ");
		cli_put_text(stderr, e->id);
		fputc('\n', stderr);
	}
	struct slice console = vmm_console(run->vmm);
	if (e->end == VMM_END_FATAL || e->end == VMM_END_STOPPED || console.size == 0)
		return;
	size_t size = MIN(console.size, (size_t)2000);
	cleanup(free_ptr) char *text =
		strndup((const char *)console.data + console.size - size, size);
	fprintf(stderr, "husk: end of the guest's console:\n");
	for (char *rest = text, *line; rest && (line = strsep(&rest, "\n"));) {
		fputs("  ", stderr);
		cli_put_text(stderr, line);
		fputc('\n', stderr);
	}
}

static int report(const struct run *run)
{
	const struct vmm_result *e = &run->result;
	run_term_restore();
	if (run->cli->json)
		print_json(run);
	else if (cli_flag(run->cli, "timing"))
		print_timing(run);
	if (e->end == VMM_END_EXITED)
		return e->code;
	if (!run->cli->json)
		print_failure(run);
	return e->end == VMM_END_FATAL && e->code ? e->code : RUN_FAILED;
}

static int run_run(struct cli *cli)
{
	cleanup_with(run_done) struct run run = {.cli = cli};
	struct err e = {0};
	run.show_log = cli->verbose;
	int r = run_config_get(cli, &run.config, &e);
	if (r == 0)
		r = start(&run, &e);
	if (r < 0)
		return cli_fail(cli, r, &e, "cannot run %s", cli_arg(cli, 0)) == CLI_USAGE
			       ? CLI_USAGE
			       : RUN_FAILED;
	if (event_base_dispatch(run.base) < 0)
		vmm_stop(run.vmm, "the event loop broke");
	return report(&run);
}

static const struct cli_option g_options[] = {
	{"initdata", .arg = "FILE",
		.help = "the owner's configuration of the guest (husk initdata create); without it "
			"the guest has no policy and refuses",
		.complete = CLI_COMPLETE_FILE},
	{"interactive", 'i', .help = "connect standard input"},
	{"tty", 't', .help = "give the container a terminal"},
	{"rm", .help = "accepted for docker's sake: nothing of a pod VM outlives it"},
	{"env", 'e', .arg = "NAME[=VALUE]", .help = "environment of the container", .many = true},
	{"volume", 'v', .arg = "HOST:GUEST", .help = "refused",
		.refused =
			"a folder of the host would let the host change what the guest runs; put "
			"the data into the image or fetch it from inside"},
	{"memory", .arg = "SIZE", .help = "memory of the pod VM, 128M to 1T (default: 512M)"},
	{"cpus", .arg = "N",
		.help = "CPUs; a fraction limits the container (default: 2, or 1 on a host with one)"},
	{"name", .arg = "NAME", .help = "name of the container"},
	{"hostname", .arg = "NAME", .help = "host name inside (default: --name)"},
	{"network", .arg = "NETWORK",
		.help = "user (NAT by QEMU; the host is 10.0.2.2), tap:INTERFACE (with DHCP) or "
			"none "
			"(default: user)"},
	{"tpm-state", .arg = "DIR",
		.help = "software TPM to use (husk tpm create); without it the TPM and its key are "
			"new in each run",
		.complete = CLI_COMPLETE_DIR},
	GUEST_FILES_OPTIONS,
	{"accel", .arg = "KIND", .choices = "auto|kvm|tcg",
		.help = "kvm, tcg (emulation), or auto: KVM where a guest really runs with it"},
	{"start-timeout", .arg = "SECONDS",
		.help = "limit for the time until the container starts (default: 1800)"},
	{"timing", .help = "print the time of each phase on stderr at the end"},
	{"qemu", .arg = "FILE", .help = "the QEMU program", .complete = CLI_COMPLETE_FILE},
	{"swtpm", .arg = "FILE", .help = "the swtpm program", .complete = CLI_COMPLETE_FILE},
	{NULL},
};

const struct cli_command cmds_run[] = {
	{.name = "run",
		.summary = "Run a container in a pod VM that has to prove itself",
		.args = "REGISTRY/IMAGE",
		.rest = "COMMAND...",
		.args_min = 1,
		.args_max = 1,
		.details =
			"Boots a pod VM under QEMU with husk's firmware, kernel and initrd and a "
			"TPM. "
			"The guest measures its initdata, attests to the key broker named there, "
			"fetches policy and keys, pulls, verifies and decrypts the image, and "
			"starts "
			"the container. Output and exit code come back as with docker run.\n"
			"\n"
			"The host decides nothing about trust: what the guest may run is written "
			"in "
			"initdata, and a changed initdata is another guest to the key broker.\n"
			"\n"
			"With --json, one object with the result and the time of each phase is "
			"printed "
			"on stderr at the end.",
		.exits = "N the exit code of the container; 128+N when signal N ended it\n2 wrong "
			 "usage\n125 the guest refused, failed or could not be started\n126 the "
			 "command cannot be run\n127 there is no such command in the image",
		.examples = "husk run --initdata initdata.toml --tpm-state tpm "
			    "10.0.2.2:5000/demo\nhusk run -it --memory 1G --initdata initdata.toml "
			    "registry.example/app -- /bin/sh",
		.options = g_options,
		.run = run_run},
	{NULL},
};
