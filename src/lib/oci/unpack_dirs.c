/* SPDX-License-Identifier: Apache-2.0 */
/* Folders and metadata of what is unpacked: parents through a cache, owners, modes, late times. */
#include "oci/unpack_internal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

void unpack_forget_parent(struct unpacker *u)
{
	if (u->parent_fd >= 0)
		close(u->parent_fd);
	u->parent_fd = -1;
}

int unpack_fail(int code, const char *path, const char *what, struct err *reterr)
{
	return err_set(reterr, code, "unpack: '%.300s': %s", path, what);
}

int unpack_fail_os(int code, const char *path, const char *doing, struct err *reterr)
{
	return err_set(
		reterr, code, "unpack: '%.300s': cannot %s: %s", path, doing, strerror(-code));
}

/* --- parents ---------------------------------------------------------------------------------- */

int unpack_note_own(struct unpacker *u, uint64_t parent_ino, const char *name)
{
	return u->own ? own_set_add(u->own, parent_ino, name) : 0;
}

int unpack_fd_ino(int fd, uint64_t *ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	*ret = st.st_ino;
	return 0;
}

/* Makes the missing components of @path (cleaned), each owned by root with mode 0755. */
static int make_parents(struct unpacker *u, const char *path)
{
	char part[TAR_PATH_MAX + 1];
	uint64_t ino = 0;

	for (size_t i = 1; i <= strlen(path); i++) {
		if (path[i] != '/' && path[i] != 0)
			continue;
		if (str_copy_slice(part, sizeof(part), slice_of(path, i)) < 0)
			return -ENAMETOOLONG;
		cleanup_fd int fd = path_open_in(u->root_fd, part, O_PATH | O_DIRECTORY, 0);
		if (fd >= 0)
			continue;
		if (fd != -ENOENT)
			return fd;
		const char *name;
		cleanup_fd int parent = path_open_parent_in(u->root_fd, part, false, &name);
		if (parent < 0)
			return parent;
		if (mkdirat(parent, name, 0755) < 0)
			return -errno;
		int r = unpack_fd_ino(parent, &ino);
		if (r == 0)
			r = unpack_note_own(u, ino, name);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Opens the parent of cleaned @path through the cache; the fd stays the cache's. */
int unpack_open_parent(
	struct unpacker *u, const char *path, const char **ret_name, struct err *reterr)
{
	const char *slash = strrchr(path, '/');
	struct slice parent = slice_of(path, slash ? (size_t)(slash - path) : 0);

	*ret_name = slash ? slash + 1 : path;
	if (u->parent_fd >= 0 && slice_eq_str(parent, u->parent_path))
		return 0;
	unpack_forget_parent(u);
	if (str_copy_slice(u->parent_path, sizeof(u->parent_path), parent) < 0)
		return unpack_fail(-E2BIG, path, "the name is too long", reterr);
	int fd = path_open_in(u->root_fd, u->parent_path, O_RDONLY | O_DIRECTORY, 0);
	if (fd == -ENOENT) {
		int r = make_parents(u, u->parent_path);
		if (r < 0)
			return unpack_fail_os(r, path, "make its folders", reterr);
		fd = path_open_in(u->root_fd, u->parent_path, O_RDONLY | O_DIRECTORY, 0);
	}
	if (fd < 0)
		return unpack_fail_os(fd, path, "open its folder", reterr);
	u->parent_fd = fd;
	int r = unpack_fd_ino(fd, &u->parent_ino);
	if (r == 0 && u->own)
		r = own_set_touch(u->own, fd, u->root_ino);
	return r < 0 ? unpack_fail_os(r, path, "examine its folder", reterr) : 0;
}

/* --- metadata --------------------------------------------------------------------------------- */

static int set_xattrs(struct unpacker *u, int fd, const struct tar_entry *e, struct err *reterr)
{
	for (size_t i = 0; i < e->xattr_count; i++) {
		const struct tar_xattr *x = &e->xattrs[i];
		bool needed = streq(x->name, "security.capability") ||
			      str_starts(x->name, "system.posix_acl_");
		if (!needed && !str_starts(x->name, "user.")) {
			u->stats.xattr_dropped_count++;
			continue;
		}
		if (fsetxattr(fd, x->name, x->value.data, x->value.size, 0) == 0)
			continue;
		if (needed || errno != EOPNOTSUPP)
			return err_set(reterr, -errno,
				"unpack: '%.300s': cannot set attribute '%.64s': %s", e->path,
				x->name, strerror(errno));
		u->stats.xattr_dropped_count++;
	}
	return 0;
}

static void entry_times(const struct tar_entry *e, struct timespec ts[2])
{
	ts[0] = (struct timespec){.tv_sec = e->mtime_s, .tv_nsec = e->mtime_ns};
	ts[1] = ts[0];
}

/* Owner first: chown(2) clears set-user-ID bits and capabilities. */
int unpack_set_metadata(struct unpacker *u, int fd, const struct tar_entry *e, struct err *reterr)
{
	struct timespec ts[2];

	if (!u->opt.no_owner && fchown(fd, e->uid, e->gid) < 0)
		return unpack_fail_os(-errno, e->path, "set its owner", reterr);
	int r = set_xattrs(u, fd, e, reterr);
	if (r < 0)
		return r;
	if (e->type == TAR_DIR)
		return 0; /* the rest comes late */
	if (fchmod(fd, e->mode) < 0)
		return unpack_fail_os(-errno, e->path, "set its mode", reterr);
	entry_times(e, ts);
	if (futimens(fd, ts) < 0)
		return unpack_fail_os(-errno, e->path, "set its time", reterr);
	return 0;
}

int unpack_set_metadata_at(
	struct unpacker *u, const char *name, const struct tar_entry *e, struct err *reterr)
{
	struct timespec ts[2];
	int dir = u->parent_fd;

	if (!u->opt.no_owner && fchownat(dir, name, e->uid, e->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return unpack_fail_os(-errno, e->path, "set its owner", reterr);
	if (e->type != TAR_SYMLINK && fchmodat(dir, name, e->mode, 0) < 0)
		return unpack_fail_os(-errno, e->path, "set its mode", reterr);
	entry_times(e, ts);
	if (utimensat(dir, name, ts, AT_SYMLINK_NOFOLLOW) < 0)
		return unpack_fail_os(-errno, e->path, "set its time", reterr);
	return 0;
}

int unpack_remember_dir(struct unpacker *u, const char *path, const struct tar_entry *e)
{
	struct late_dir d = {.path = u->late_paths.size,
		.mode = e->mode,
		.mtime_s = e->mtime_s,
		.mtime_ns = e->mtime_ns};

	buf_put(&u->late_paths, path, strlen(path) + 1);
	buf_put(&u->late_dirs, &d, sizeof(d));
	return buf_error(&u->late_paths) < 0 ? buf_error(&u->late_paths) : buf_error(&u->late_dirs);
}

/* Children before parents, so that a caller without privileges can still enter. */
int unpack_finish_dirs(struct unpacker *u, struct err *reterr)
{
	for (size_t i = u->late_dirs.size / sizeof(struct late_dir); i > 0; i--) {
		struct late_dir d;
		memcpy(&d, u->late_dirs.data + (i - 1) * sizeof(d), sizeof(d));
		const char *path = (const char *)u->late_paths.data + d.path;
		struct timespec ts[2] = {{d.mtime_s, d.mtime_ns}, {d.mtime_s, d.mtime_ns}};
		cleanup_fd int fd =
			path_open_in(u->root_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
		if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
			continue; /* a later entry took its place */
		if (fd < 0)
			return unpack_fail_os(fd, path, "open the folder again", reterr);
		if (fchmod(fd, d.mode) < 0 || futimens(fd, ts) < 0)
			return unpack_fail_os(-errno, path, "set mode and time", reterr);
	}
	buf_clear(&u->late_paths);
	buf_clear(&u->late_dirs);
	return 0;
}
