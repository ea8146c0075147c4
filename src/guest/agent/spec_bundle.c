/* SPDX-License-Identifier: Apache-2.0 */
/* The OCI runtime configuration. Its defaults are docker's: what people's images expect. */
#include "guest/agent/spec.h"

/* Docker's default set; everything else is dropped. */
static const char *const capabilities[] = {"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID",
	"CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID", "CAP_SETUID", "CAP_SETFCAP",
	"CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE"};

static const char *const masked_paths[] = {"/proc/acpi", "/proc/asound", "/proc/kcore",
	"/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
	"/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/kernel/security",
	/* the guest link and the TPM belong to the agent */
	"/sys/class/virtio-ports", "/sys/class/tpm"};

static const char *const readonly_paths[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};

/* The network namespace is the guest's own: the guest is the pod. */
static const char *const namespaces[] = {"pid", "ipc", "uts", "mount", "cgroup"};

static const struct {
	const char *target, *type, *source, *options[6];
} mounts[] = {
	{"/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}},
	{"/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}},
	{"/dev/pts", "devpts", "devpts",
		{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
	{"/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}},
	{"/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}},
	{"/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}},
	{"/sys/fs/cgroup", "cgroup2", "cgroup", {"nosuid", "noexec", "nodev", "ro"}},
	{"/etc/resolv.conf", "bind", "/etc/resolv.conf", {"bind", "nosuid", "nodev", "noexec"}},
};

static json_t *strings(const char *const *list, size_t count)
{
	json_t *out = json_array();
	for (size_t i = 0; out != NULL && i < count && list[i] != NULL; i++) {
		if (json_array_append_new(out, json_string(list[i])) < 0) {
			json_decref(out);
			return NULL;
		}
	}
	return out;
}

static json_t *make_mounts(void)
{
	json_t *out = json_array();
	for (size_t i = 0; out != NULL && i < ARRAY_COUNT(mounts); i++) {
		json_t *m = json_pack("{s:s,s:s,s:s,s:o}", "destination", mounts[i].target, "type",
			mounts[i].type, "source", mounts[i].source, "options",
			strings(mounts[i].options, ARRAY_COUNT(mounts[i].options)));
		if (json_array_append_new(out, m) < 0) {
			json_decref(out);
			return NULL;
		}
	}
	return out;
}

static json_t *make_namespaces(void)
{
	json_t *out = json_array();
	for (size_t i = 0; out != NULL && i < ARRAY_COUNT(namespaces); i++) {
		if (json_array_append_new(out, json_pack("{s:s}", "type", namespaces[i])) < 0) {
			json_decref(out);
			return NULL;
		}
	}
	return out;
}

static json_t *make_capabilities(void)
{
	const size_t n = ARRAY_COUNT(capabilities);
	return json_pack("{s:o,s:o,s:o}", "bounding", strings(capabilities, n), "effective",
		strings(capabilities, n), "permitted", strings(capabilities, n));
}

static json_t *make_user(const struct spec *spec)
{
	json_t *groups = json_array();
	for (size_t i = 0; groups != NULL && i < spec->groups_count; i++) {
		if (json_array_append_new(groups, json_integer(spec->groups[i])) < 0) {
			json_decref(groups);
			return NULL;
		}
	}
	return json_pack("{s:I,s:I,s:o}", "uid", (json_int_t)spec->uid, "gid",
		(json_int_t)spec->gid, "additionalGids", groups);
}

static json_t *make_resources(const struct spec *spec)
{
	/* Deny all devices, then what crun allows by default (null, zero, tty, ...). */
	json_t *out = json_pack("{s:[{s:b,s:s}],s:{s:I}}", "devices", "allow", 0, "access", "rwm",
		"pids", "limit", (json_int_t)32768);
	if (out == NULL)
		return NULL;
	int r = 0;
	if (spec->memory > 0)
		r |= json_object_set_new(
			out, "memory", json_pack("{s:I}", "limit", (json_int_t)spec->memory));
	if (spec->cpu_millis > 0)
		r |= json_object_set_new(out, "cpu",
			json_pack("{s:I,s:I}", "quota", (json_int_t)spec->cpu_millis * 100,
				"period", (json_int_t)100000));
	if (r != 0) {
		json_decref(out);
		return NULL;
	}
	return out;
}

json_t *spec_bundle(const struct spec *spec, const char *cgroup)
{
	json_t *process = json_pack("{s:b,s:o,s:O,s:O,s:s,s:o,s:[{s:s,s:i,s:i}],s:i}", "terminal",
		(int)spec->terminal, "user", make_user(spec), "args", spec->args, "env", spec->env,
		"cwd", spec->cwd, "capabilities", make_capabilities(), "rlimits", "type",
		"RLIMIT_NOFILE", "soft", 1024, "hard", 524288, "oomScoreAdj", 500);
	json_t *linux_part = json_pack("{s:s,s:o,s:o,s:o,s:o}", "cgroupsPath", cgroup, "namespaces",
		make_namespaces(), "resources", make_resources(spec), "maskedPaths",
		strings(masked_paths, ARRAY_COUNT(masked_paths)), "readonlyPaths",
		strings(readonly_paths, ARRAY_COUNT(readonly_paths)));
	return json_pack("{s:s,s:o,s:{s:s,s:b},s:s,s:o,s:o}", "ociVersion", "1.0.2", "process",
		process, "root", "path", spec->rootfs, "readonly", 0, "hostname", spec->hostname,
		"mounts", make_mounts(), "linux", linux_part);
}
