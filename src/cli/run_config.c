/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/run_config.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/parse.h"
#include "base/str.h"
#include "fmt/initdata.h"

#define MEMORY_DEFAULT ((uint64_t)512 << 20)
#define CPUS_DEFAULT 2 /* a guest that starts does two things at once: keys, and layers */
#define BOOT_TIMEOUT_MS 120000
#define INITDATA_MAX ((size_t)1 << 20)

/* "1.5" as thousandths of a CPU. */
static int parse_cpus(const char *text, uint32_t *ret_millis)
{
	const char *dot = strchr(text, '.');
	struct slice whole = slice_of(text, dot ? (size_t)(dot - text) : strlen(text));
	uint32_t n, millis = 0, unit = 100;
	int r = parse_u32(whole, 0, VMM_CPUS_MAX, &n);
	for (const char *p = dot ? dot + 1 : ""; *p && r == 0; p++, unit /= 10) {
		if (*p < '0' || *p > '9' || unit == 0)
			return -EINVAL;
		millis += unit * (uint32_t)(*p - '0');
	}
	*ret_millis = n * 1000 + millis;
	return r < 0 || (dot && !dot[1]) || *ret_millis < 10 || *ret_millis > VMM_CPUS_MAX * 1000
		       ? -EINVAL
		       : 0;
}

/* More than the host has would only take turns. */
static uint32_t default_cpu_millis(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN) < CPUS_DEFAULT ? 1000 : CPUS_DEFAULT * 1000;
}

static int get_size(const struct cli *cli, struct run_config *c, struct err *reterr)
{
	const char *memory = cli_opt(cli, "memory"), *cpus = cli_opt(cli, "cpus");
	uint32_t millis = default_cpu_millis();
	c->vmm.memory = MEMORY_DEFAULT;
	if (memory &&
		parse_size(slice_str(memory), VMM_MEMORY_MIN, VMM_MEMORY_MAX, &c->vmm.memory) < 0)
		return err_at(reterr, -EINVAL, ERR_NO_OFFSET, "memory",
			"'%s' is not a size of 128M to 1T", memory);
	if (cpus && parse_cpus(cpus, &millis) < 0)
		return err_at(reterr, -EINVAL, ERR_NO_OFFSET, "cpus",
			"'%s' is not a number of CPUs, 0.01 to %u", cpus, VMM_CPUS_MAX);
	c->vmm.cpus = (millis + 999) / 1000;
	c->run.cpu_millis = millis % 1000 ? millis : 0;
	return 0;
}

static int get_network(const struct cli *cli, struct run_config *c, struct err *reterr)
{
	const char *name = cli_opt_or(cli, "network", "user");
	if (streq(name, "user")) {
		c->vmm.network = VMM_NET_USER;
	} else if (streq(name, "none")) {
		c->vmm.network = VMM_NET_NONE;
	} else if (str_starts(name, "tap:")) {
		c->vmm.network = VMM_NET_TAP;
		if (str_copy(c->tap, sizeof(c->tap), name + 4) < 0)
			return err_at(reterr, -EINVAL, ERR_NO_OFFSET, "network",
				"the name of the interface is too long");
		c->vmm.tap = c->tap;
	} else {
		return err_at(reterr, -EINVAL, ERR_NO_OFFSET, "network",
			"'%s' is not user, none or tap:INTERFACE", name);
	}
	return 0;
}

static int get_accel(const struct cli *cli, struct run_config *c)
{
	const char *name = cli_opt_or(cli, "accel", "auto");
	c->vmm.accel = streq(name, "kvm")   ? VMM_ACCEL_KVM
		       : streq(name, "tcg") ? VMM_ACCEL_TCG
					    : VMM_ACCEL_AUTO;
	return 0;
}

/* NAME=value, or NAME for the value it has here; a NAME without a value here is left out. */
static int get_env(const struct cli *cli, struct run_config *c, struct err *reterr)
{
	const char *entry;
	size_t count = 0;
	while (cli_opt_at(cli, "env", count))
		count++;
	c->run.env = calloc(count + 1, sizeof(*c->run.env));
	if (!c->run.env)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		entry = cli_opt_at(cli, "env", i);
		const char *value = strchr(entry, '=') ? NULL : getenv(entry);
		char *text = NULL;
		if (entry[0] == '=' || !entry[0])
			return err_at(reterr, -EINVAL, ERR_NO_OFFSET, "env",
				"'%s' is not NAME=value or NAME", entry);
		if (!strchr(entry, '=') && !value)
			continue;
		int n = value ? asprintf(&text, "%s=%s", entry, value)
			      : asprintf(&text, "%s", entry);
		if (n < 0)
			return -ENOMEM;
		c->run.env[c->run.env_count++] = text;
	}
	return 0;
}

static int get_args(const struct cli *cli, struct run_config *c)
{
	c->run.args = calloc(cli->rest_count + 1, sizeof(*c->run.args));
	if (!c->run.args)
		return -ENOMEM;
	for (size_t i = 0; i < cli->rest_count; i++) {
		c->run.args[i] = strdup(cli->rest[i]);
		if (!c->run.args[i])
			return -ENOMEM;
		c->run.args_count++;
	}
	return 0;
}

static int get_terminal(const struct cli *cli, struct run_config *c, struct err *reterr)
{
	struct winsize size = {0};
	c->interactive = cli_flag(cli, "interactive");
	c->terminal = c->run.terminal = cli_flag(cli, "tty");
	if (!c->terminal)
		return 0;
	if (c->interactive && !isatty(STDIN_FILENO))
		return err_at(reterr, -EINVAL, ERR_NO_OFFSET, "tty",
			"standard input is not a terminal; leave out -t");
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
		c->run.rows = size.ws_row;
		c->run.cols = size.ws_col;
	}
	return 0;
}

/* A copy: struct hostlink_run owns its strings. */
static int copy_text(const char *text, char **ret)
{
	*ret = text ? strdup(text) : NULL;
	return text && !*ret ? -ENOMEM : 0;
}

static int get_names(const struct cli *cli, struct run_config *c)
{
	int r = copy_text(cli_arg(cli, 0), &c->run.image);
	if (r == 0)
		r = copy_text(cli_opt(cli, "name"), &c->run.name);
	if (r == 0)
		r = copy_text(cli_opt_or(cli, "hostname", cli_opt(cli, "name")), &c->run.hostname);
	return r;
}

static int get_initdata(const struct cli *cli, struct run_config *c, struct err *reterr)
{
	const char *path = cli_opt(cli, "initdata");
	c->initdata = buf_init(INITDATA_MAX);
	int r = path ? file_read(path, INITDATA_MAX, &c->initdata, reterr) : 0;
	c->vmm.initdata = buf_slice(&c->initdata);
	return r;
}

static int get_timeouts(const struct cli *cli, struct run_config *c, struct err *reterr)
{
	const char *text = cli_opt(cli, "start-timeout");
	uint32_t seconds = 1800;
	if (text && parse_u32(slice_str(text), 1, 86400, &seconds) < 0)
		return err_at(reterr, -EINVAL, ERR_NO_OFFSET, "start-timeout",
			"'%s' is not a number of seconds, 1 to 86400", text);
	c->vmm.boot_timeout_ms = MIN(BOOT_TIMEOUT_MS, (uint64_t)seconds * 1000);
	c->vmm.start_timeout_ms = (uint64_t)seconds * 1000;
	return 0;
}

static int get_all(const struct cli *cli, struct run_config *c, struct err *reterr)
{
	int r = get_names(cli, c);
	if (r == 0)
		r = get_size(cli, c, reterr);
	if (r == 0)
		r = get_network(cli, c, reterr);
	if (r == 0)
		r = get_accel(cli, c);
	if (r == 0)
		r = get_env(cli, c, reterr);
	if (r == 0)
		r = get_args(cli, c);
	if (r == 0)
		r = get_terminal(cli, c, reterr);
	if (r == 0)
		r = get_initdata(cli, c, reterr);
	if (r == 0)
		r = get_timeouts(cli, c, reterr);
	return r < 0 ? r : guest_files_get(cli, &c->files, reterr);
}

int run_config_get(const struct cli *cli, struct run_config *c, struct err *reterr)
{
	*c = (struct run_config){0};
	int r = get_all(cli, c, reterr);
	if (r < 0) {
		run_config_done(c);
		return r;
	}
	c->vmm.qemu = cli_opt_or(cli, "qemu", "qemu-system-x86_64");
	c->vmm.swtpm = cli_opt_or(cli, "swtpm", "swtpm");
	c->vmm.firmware = c->files.firmware;
	c->vmm.kernel = c->files.kernel;
	c->vmm.initrd = c->files.initrd;
	c->vmm.append = c->files.append;
	c->vmm.tpm_state = cli_opt(cli, "tpm-state");
	c->vmm.run = &c->run;
	return 0;
}

void run_config_done(struct run_config *c)
{
	hostlink_run_done(&c->run);
	buf_done(&c->initdata);
}
