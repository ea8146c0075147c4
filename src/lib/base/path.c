/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

#define TREE_DEPTH_MAX 512

int path_open_in(int root_fd, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
		.mode = (flags & (O_CREAT | O_TMPFILE)) ? mode : 0,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd;
	int tries = 0;

	/* EAGAIN: a rename raced with the resolution of ".."; the kernel asks us to try again. */
	do {
		fd = syscall(SYS_openat2, root_fd, path[0] ? path : ".", &how, sizeof(how));
	} while (fd < 0 && (errno == EAGAIN || errno == EINTR) && ++tries < 64);
	return fd < 0 ? -errno : (int)fd;
}

static bool is_dots(const char *name, size_t size)
{
	return (size == 1 && name[0] == '.') || (size == 2 && name[0] == '.' && name[1] == '.');
}

static int make_missing(int root_fd, const char *path, size_t size)
{
	char part[PATH_MAX];

	for (size_t i = 1; i <= size; i++) {
		if (i < size && path[i] != '/')
			continue;
		int r = str_copy_slice(part, sizeof(part), slice_of(path, i));
		if (r < 0)
			return -ENAMETOOLONG;
		cleanup_fd int fd = path_open_in(root_fd, part, O_PATH | O_DIRECTORY, 0);
		if (fd >= 0)
			continue;
		if (fd != -ENOENT)
			return fd;
		const char *name;
		cleanup_fd int parent = path_open_parent_in(root_fd, part, false, &name);
		if (parent < 0)
			return parent;
		if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

int path_open_parent_in(int root_fd, const char *path, bool make, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	char parent[PATH_MAX];

	if (name[0] == 0 || is_dots(name, strlen(name)) || strlen(name) > NAME_MAX)
		return -EINVAL;
	size_t size = slash ? (size_t)(slash - path) : 0;
	if (str_copy_slice(parent, sizeof(parent), slice_of(path, size)) < 0)
		return -ENAMETOOLONG;
	int fd = path_open_in(root_fd, parent, O_PATH | O_DIRECTORY, 0);
	if (fd == -ENOENT && make) {
		int r = make_missing(root_fd, parent, size);
		if (r < 0)
			return r;
		fd = path_open_in(root_fd, parent, O_PATH | O_DIRECTORY, 0);
	}
	if (fd >= 0)
		*ret_name = name;
	return fd;
}

int path_make_dirs(const char *path, mode_t mode)
{
	char part[PATH_MAX];
	size_t size = strlen(path);

	if (str_copy(part, sizeof(part), path) < 0)
		return -ENAMETOOLONG;
	for (size_t i = 1; i <= size; i++) {
		if (i < size && part[i] != '/')
			continue;
		part[i] = 0;
		if (mkdir(part, mode) < 0 && errno != EEXIST)
			return -errno;
		if (i < size)
			part[i] = '/';
	}
	return 0;
}

/* Removes entries depth first with an explicit stack, so that a hostile tree cannot exhaust ours.
 */
int path_remove_tree(int dir_fd, const char *name)
{
	DIR *stack[TREE_DEPTH_MAX];
	char names[TREE_DEPTH_MAX][NAME_MAX + 1];
	int depth = 0, r = 0;

	if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	stack[0] = fdopendir(fd);
	if (!stack[0]) {
		close(fd);
		return -ENOMEM;
	}
	depth = 1;
	while (depth > 0) {
		int at = dirfd(stack[depth - 1]);
		struct dirent *e = readdir(stack[depth - 1]);
		if (!e) {
			closedir(stack[--depth]);
			int parent = depth > 0 ? dirfd(stack[depth - 1]) : dir_fd;
			const char *gone = depth > 0 ? names[depth] : name;
			if (r == 0 && unlinkat(parent, gone, AT_REMOVEDIR) < 0)
				r = -errno;
			continue;
		}
		if (is_dots(e->d_name, strlen(e->d_name)) || r < 0)
			continue;
		if (unlinkat(at, e->d_name, 0) == 0)
			continue;
		if (errno != EISDIR && errno != EPERM) {
			r = -errno;
			continue;
		}
		fd = openat(at, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 || depth == TREE_DEPTH_MAX) {
			r = fd < 0 ? -errno : -ELOOP;
			if (fd >= 0)
				close(fd);
			continue;
		}
		stack[depth] = fdopendir(fd);
		if (!stack[depth]) {
			close(fd);
			r = -ENOMEM;
			continue;
		}
		memcpy(names[depth], e->d_name, strlen(e->d_name) + 1);
		depth++;
	}
	return r;
}
