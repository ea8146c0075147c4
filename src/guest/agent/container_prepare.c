/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/str.h"
#include "guest/agent/container.h"

#define PARENT CONTAINER_CGROUPS CONTAINER_CGROUP_PARENT
#define CONTROLLERS_MAX 1024u
/* What crun looks for, to the bit. */
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static int copy_crun(int *ret, struct err *reterr)
{
	struct stat st;
	cleanup_fd int from = open(CONTAINER_CRUN, O_RDONLY | O_CLOEXEC);
	if (from < 0 || fstat(from, &st) < 0)
		return err_set(reterr, -errno, "cannot open " CONTAINER_CRUN);
	cleanup_fd int to = memfd_create("crun", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (to < 0)
		return err_set(reterr, -errno, "cannot get memory for " CONTAINER_CRUN);
	for (off_t left = st.st_size; left > 0;) {
		ssize_t n = sendfile(to, from, NULL, (size_t)left);
		if (n <= 0)
			return err_set(
				reterr, n < 0 ? -errno : -EIO, "cannot copy " CONTAINER_CRUN);
		left -= n;
	}
	if (fcntl(to, F_ADD_SEALS, SEALS) < 0)
		return err_set(reterr, -errno, "cannot seal " CONTAINER_CRUN);
	*ret = steal_fd(&to);
	return 0;
}

/* The controllers that crun asks for and this kernel has, for the children of @folder. */
static int enable_controllers(const char *folder, struct err *reterr)
{
	static const char *const wanted[] = {"cpu", "io", "memory", "pids", "cpuset", "hugetlb"};
	cleanup_with(buf_done) struct buf have = buf_init(CONTROLLERS_MAX);
	cleanup_with(buf_done) struct buf text = buf_init(CONTROLLERS_MAX);
	char path[128];
	snprintf(path, sizeof(path), "%s/cgroup.controllers", folder);
	int r = file_read(path, CONTROLLERS_MAX, &have, reterr);
	if (r < 0)
		return r;
	for (const char *p = buf_str(&have); *p != '\0'; p += strspn(p, " \n")) {
		struct slice name = slice_of(p, strcspn(p, " \n"));
		p += name.size;
		for (size_t i = 0; i < ARRAY_COUNT(wanted); i++) {
			if (slice_eq_str(name, wanted[i]))
				buf_printf(&text, "+%s ", wanted[i]);
		}
	}
	if (buf_error(&text) < 0)
		return buf_error(&text);
	snprintf(path, sizeof(path), "%s/cgroup.subtree_control", folder);
	cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(reterr, -errno, "cannot open %s", path);
	r = text.size > 0 ? fd_write_full(fd, text.data, text.size) : 0;
	return r < 0 ? err_set(reterr, r, "cannot enable controllers in %s", folder) : 0;
}

int container_prepare(int *ret_crun, struct err *reterr)
{
	cleanup_fd int crun = -1;
	int r = copy_crun(&crun, reterr);
	if (r == 0 && mkdir(PARENT, 0755) < 0 && errno != EEXIST)
		r = err_set(reterr, -errno, "cannot create " PARENT);
	if (r == 0)
		r = enable_controllers(CONTAINER_CGROUPS, reterr);
	if (r == 0)
		r = enable_controllers(PARENT, reterr);
	if (r == 0)
		*ret_crun = steal_fd(&crun);
	return r;
}
