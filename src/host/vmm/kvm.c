/* SPDX-License-Identifier: Apache-2.0 */
#include "host/vmm/kvm.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "host/vmm/proc.h"

/* kvm_probe.S */
extern const uint8_t husk_kvm_probe[], husk_kvm_probe_end[];

#define ROM_SIZE 65536u
#define PROBE_TIMEOUT_MS 5000
/* isa-debug-exit ends QEMU with (value << 1) | 1; the probe writes 0x2a. */
#define PROBE_EXIT_CODE 85

static int make_rom(int *ret_fd)
{
	static uint8_t rom[ROM_SIZE];
	/* cppcheck-suppress comparePointers; two labels of one piece of code */
	size_t size = (size_t)(husk_kvm_probe_end - husk_kvm_probe);
	cleanup_fd int fd = memfd_create("husk-kvm-probe", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	memcpy(rom + ROM_SIZE - size, husk_kvm_probe, size);
	int r = fd_write_full(fd, rom, sizeof(rom));
	if (r < 0)
		return r;
	*ret_fd = steal_fd(&fd);
	return 0;
}

/* Boot the probe without looking at earlier answers; @accel "kvm" or "tcg" */
static bool kvm_probe(const char *qemu, const char *accel, char *ret_why, size_t why_size)
{
	cleanup_fd int rom = -1;
	char path[32], machine[32];
	struct err e = {0};
	int r = make_rom(&rom);
	if (r < 0) {
		snprintf(ret_why, why_size, "cannot make the probe: %s", strerror(-r));
		return false;
	}
	snprintf(path, sizeof(path), "/dev/fd/%d", rom);
	snprintf(machine, sizeof(machine), "q35,accel=%s", accel);
	const char *const argv[] = {qemu, "-nodefaults", "-no-user-config", "-display", "none",
		"-no-reboot", "-machine", machine, "-cpu", "max", "-m", "16M", "-bios", path,
		"-device", "isa-debug-exit,iobase=0xf4,iosize=0x04", NULL};
	struct proc p = PROC_NONE;
	const int stdio[3] = {-1, -1, -1};
	r = proc_spawn(&p, (char *const *)(uintptr_t)argv, stdio, &rom, 1, &e);
	if (r < 0) {
		snprintf(ret_why, why_size, "%s", err_text(&e, r));
		return false;
	}
	int status = 0;
	char text[64];
	r = proc_wait(&p, PROBE_TIMEOUT_MS, &status);
	proc_done(&p);
	if (r < 0)
		snprintf(ret_why, why_size, "the probe guest did not end within %d s",
			PROBE_TIMEOUT_MS / 1000);
	else if (!WIFEXITED(status) || WEXITSTATUS(status) != PROBE_EXIT_CODE)
		snprintf(ret_why, why_size, "QEMU ended the probe guest with %s",
			proc_status_text(status, text, sizeof(text)));
	else
		return true;
	return false;
}

/* Path of the remembered answer; false when there is no private place for it. */
static bool cache_path(const char *qemu, char *dst, size_t size)
{
	char dir[256];
	struct stat st;
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	if (geteuid() == 0)
		snprintf(dir, sizeof(dir), "/run/husk");
	else if (runtime && runtime[0] == '/')
		snprintf(dir, sizeof(dir), "%.200s/husk", runtime);
	else
		return false;
	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return false;
	if (lstat(dir, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
		(st.st_mode & 022))
		return false;
	cleanup_with(buf_done) struct buf id = {0};
	if (file_read("/proc/sys/kernel/random/boot_id", 64, &id, NULL) < 0 || id.size < 36)
		return false;
	/* A replaced QEMU is probed anew. */
	unsigned long long inode = 0;
	if (stat(qemu, &st) == 0)
		inode = (unsigned long long)st.st_ino;
	uint32_t hash = 2166136261u;
	for (const char *p = qemu; *p; p++)
		hash = (hash ^ (uint8_t)*p) * 16777619u;
	snprintf(dst, size, "%s/kvm-%.36s-%08x-%llx", dir, buf_str(&id), hash, inode);
	return true;
}

bool kvm_usable(const char *qemu, char *ret_why, size_t why_size)
{
	char path[512];
	cleanup_fd int dev = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (dev < 0) {
		snprintf(ret_why, why_size, "/dev/kvm: %s", strerror(errno));
		return false;
	}
	bool cached = cache_path(qemu, path, sizeof(path));
	cleanup_with(buf_done) struct buf old = buf_init(512);
	if (cached && file_read(path, 512, &old, NULL) == 0) {
		snprintf(ret_why, why_size, "%s", buf_str(&old));
		return streq(buf_str(&old), "yes");
	}
	bool works = kvm_probe(qemu, "kvm", ret_why, why_size);
	if (cached && file_write_atomic(path, slice_str(works ? "yes" : ret_why), 0600, NULL) < 0)
		return works; /* it is probed again next time */
	return works;
}
