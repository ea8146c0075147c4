/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/agent/setup.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/path.h"

static int g_console = -1;

/* The initramfs is the root of all mounts and has no parent, so pivot_root(2) refuses to leave it;
 * containers need that call. A bind mount of it, moved over it, has a parent. Nothing is copied. */
static int leave_rootfs(struct err *reterr)
{
	if (mkdir("/root", 0700) < 0 && errno != EEXIST)
		return err_set(reterr, -errno, "cannot create /root");
	if (mount("/", "/root", NULL, MS_BIND, NULL) < 0)
		return err_set(reterr, -errno, "cannot bind the root file system");
	if (chdir("/root") < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 ||
		chdir("/") < 0)
		return err_set(reterr, -errno, "cannot move the root file system");
	return 0;
}

static const struct {
	const char *type, *target, *options;
	unsigned long flags;
} mounts[] = {
	{"proc", "/proc", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC},
	{"sysfs", "/sys", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC},
	{"devtmpfs", "/dev", "mode=0755", MS_NOSUID | MS_NOEXEC},
	{"devpts", "/dev/pts", "mode=0620,gid=5,ptmxmode=0666", MS_NOSUID | MS_NOEXEC},
	{"tmpfs", "/dev/shm", "mode=1777", MS_NOSUID | MS_NODEV | MS_NOEXEC},
	{"tmpfs", "/run", "mode=0755", MS_NOSUID | MS_NODEV},
	/* The container's files live here; its size is bounded by memory only. */
	{"tmpfs", "/run/image", "mode=0700,size=90%", 0},
	{"cgroup2", "/sys/fs/cgroup", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC},
	{"securityfs", "/sys/kernel/security", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC},
};

int setup_root(struct err *reterr)
{
	umask(0022);
	int r = leave_rootfs(reterr);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_COUNT(mounts); i++) {
		r = path_make_dirs(mounts[i].target, 0755);
		/* folders of sysfs exist or cannot be made; then mount() says so */
		if (r < 0 && r != -EEXIST && r != -EPERM && r != -EACCES && r != -EROFS)
			return err_set(reterr, r, "cannot create %s", mounts[i].target);
		if (mount(mounts[i].type, mounts[i].target, mounts[i].type, mounts[i].flags,
			    mounts[i].options) < 0 &&
			errno != EBUSY)
			return err_set(reterr, -errno, "cannot mount %s", mounts[i].target);
	}
	r = path_make_dirs("/run/husk", 0700);
	if (r < 0)
		return err_set(reterr, r, "cannot create /run/husk");
	/* Nothing in the guest dumps core: memory holds keys. */
	const struct rlimit none = {0, 0};
	if (setrlimit(RLIMIT_CORE, &none) < 0)
		return err_set(reterr, -errno, "cannot forbid core dumps");
	return 0;
}

static bool name_char(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

int module_list_next(struct slice *rest, struct slice *ret)
{
	while (rest->size > 0) {
		const uint8_t *nl = memchr(rest->data, '\n', rest->size);
		size_t size = nl ? (size_t)(nl - rest->data) : rest->size;
		struct slice line = slice_cut(*rest, 0, size);
		*rest = slice_cut(*rest, size + 1, rest->size);
		if (line.size == 0 || line.data[0] == '#')
			continue;
		if (line.size > MODULE_NAME_MAX)
			return -EBADMSG;
		for (size_t i = 0; i < line.size; i++) {
			if (!name_char(line.data[i]))
				return -EBADMSG;
		}
		*ret = line;
		return 1;
	}
	return 0;
}

static int load_module(struct slice name, struct err *reterr)
{
	char path[sizeof(MODULES_DIR) + MODULE_NAME_MAX + 8];
	snprintf(path, sizeof(path), MODULES_DIR "/%.*s.ko", SLICE_ARG(name));
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(reterr, -errno, "cannot open %s", path);
	if (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST)
		return err_set(reterr, -errno, "cannot load %s", path);
	return 0;
}

int setup_modules(enum modules which, struct err *reterr)
{
	cleanup_with(buf_done) struct buf list = buf_init(16384);
	int r = file_read(MODULES_LIST, 16384, &list, reterr);
	if (r < 0)
		return r;
	struct slice rest = buf_slice(&list), name, next = SLICE_EMPTY;
	r = module_list_next(&rest, &name);
	for (; r > 0; name = next) {
		r = module_list_next(&rest, &next);
		if ((r == 0) == (which == MODULES_BUS)) {
			int loaded = load_module(name, reterr);
			if (loaded < 0)
				return loaded;
		}
	}
	return r < 0 ? err_set(reterr, r, "%s is malformed", MODULES_LIST) : 0;
}

void setup_console(void)
{
	g_console = open("/dev/console", O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
}

void console_write(const char *text)
{
	char line[1024];
	size_t n = 0;
	static const char prefix[] = "husk-guest: ";
	memcpy(line, prefix, sizeof(prefix) - 1);
	n = sizeof(prefix) - 1;
	for (; *text != '\0' && n + 2 < sizeof(line); text++)
		line[n++] = (*text >= 0x20 && *text < 0x7F) ? *text : '?';
	line[n++] = '\r';
	line[n++] = '\n';
	/* A full line buffer drops the rest of the message; PID 1 must not wait for a console. */
	ssize_t ignored = g_console >= 0 ? write(g_console, line, n) : 0;
	(void)ignored;
}
