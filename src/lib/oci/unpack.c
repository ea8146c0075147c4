/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/unpack_internal.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

#define WHITEOUT_PREFIX ".wh."
#define WHITEOUT_META ".wh..wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"

static const struct unpack_options g_defaults = {
	.total_max = UNPACK_TOTAL_MAX, .entry_max = UNPACK_ENTRY_MAX};

static int sink_entry(void *user, const struct tar_entry *e, struct err *reterr);
static int sink_data(void *user, struct slice data, struct err *reterr);
static int sink_entry_end(void *user, struct err *reterr);
static const struct tar_sink g_sink = {sink_entry, sink_data, sink_entry_end};

struct unpacker *unpack_new(int root_fd, const struct unpack_options *options)
{
	struct unpacker *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->root_fd = root_fd;
	u->opt = options ? *options : g_defaults;
	if (!u->opt.total_max)
		u->opt.total_max = UNPACK_TOTAL_MAX;
	if (!u->opt.entry_max)
		u->opt.entry_max = UNPACK_ENTRY_MAX;
	u->file_fd = u->parent_fd = -1;
	u->late_paths = buf_init((size_t)256 << 20);
	u->late_dirs = buf_init((size_t)UNPACK_ENTRY_MAX * sizeof(struct late_dir));
	return u;
}

static void forget_file(struct unpacker *u)
{
	if (u->file_fd >= 0)
		close(u->file_fd);
	u->file_fd = -1;
}

void unpack_free(struct unpacker *u)
{
	if (!u)
		return;
	unpack_forget_parent(u);
	forget_file(u);
	tar_reader_free(u->tar);
	own_set_free(u->own);
	buf_done(&u->late_paths);
	buf_done(&u->late_dirs);
	free(u);
}

const struct unpack_stats *unpack_stats(const struct unpacker *u)
{
	return &u->stats;
}

int unpack_clean_path(const char *path, char dst[TAR_PATH_MAX + 1])
{
	size_t used = 0, depth = 0;

	dst[0] = 0;
	while (*path) {
		size_t n = strcspn(path, "/");
		bool dot = n == 1 && path[0] == '.';
		if (n == 2 && path[0] == '.' && path[1] == '.')
			return -EACCES;
		if (n > 0 && !dot) {
			if (n > NAME_MAX || used + n + 2 > TAR_PATH_MAX + 1 ||
				++depth > UNPACK_DEPTH_MAX)
				return -E2BIG;
			if (used)
				dst[used++] = '/';
			memcpy(dst + used, path, n);
			used += n;
			dst[used] = 0;
		}
		path += n + (path[n] == '/');
	}
	return 0;
}

/* --- removal ---------------------------------------------------------------------------------- */

/* Removing may take the cached parent away (through a link), so the cache starts anew. */
static int remove_entry(struct unpacker *u, const char *path, const char *name, struct err *reterr)
{
	cleanup_fd int parent = steal_fd(&u->parent_fd);
	int r = path_remove_tree(parent, name);

	return r < 0 ? unpack_fail_os(r, path, "remove what lower layers brought", reterr) : 0;
}

static int whiteout(struct unpacker *u, const char *path, const char *name, struct err *reterr)
{
	u->stats.whiteout_count++;
	if (name[0] == 0 || streq(name, ".") || streq(name, ".."))
		return unpack_fail(-EBADMSG, path, "this whiteout names nothing", reterr);
	if (!u->own) /* nothing is below the lowest layer */
		return 0;
	int r = own_set_hide(u->own, u->parent_fd, name);
	return r < 0 ? unpack_fail_os(r, path, "hide what lower layers brought", reterr) : 0;
}

static int opaque(struct unpacker *u, const char *path, struct err *reterr)
{
	u->stats.whiteout_count++;
	if (!u->own)
		return 0;
	int r = own_set_hide_all(u->own, steal_fd(&u->parent_fd));
	return r < 0 ? unpack_fail_os(r, path, "hide what lower layers brought", reterr) : 0;
}

/* --- making entries --------------------------------------------------------------------------- */

/* One attempt to create @name in the parent; -EEXIST when something is in the way. */
static int create(struct unpacker *u, const char *name, const struct tar_entry *e)
{
	int fd;

	switch (e->type) {
	case TAR_FILE:
		fd = openat(u->parent_fd, name,
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0)
			return -errno;
		u->file_fd = fd;
		return 0;
	case TAR_DIR:
		return mkdirat(u->parent_fd, name, 0700) < 0 ? -errno : 0;
	case TAR_SYMLINK:
		return symlinkat(e->link, u->parent_fd, name) < 0 ? -errno : 0;
	case TAR_FIFO:
		return mkfifoat(u->parent_fd, name, 0600) < 0 ? -errno : 0;
	default:
		return -EINVAL;
	}
}

static int enter_dir(struct unpacker *u, const char *path, const char *name,
	const struct tar_entry *e, struct err *reterr)
{
	cleanup_fd int fd =
		openat(u->parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return unpack_fail_os(-errno, path, "open the folder", reterr);
	int r = unpack_set_metadata(u, fd, e, reterr);
	if (r == 0)
		r = unpack_remember_dir(u, path, e);
	return r;
}

static int make_entry(struct unpacker *u, const char *path, const char *name,
	const struct tar_entry *e, struct err *reterr)
{
	int r = create(u, name, e);

	if (r == -EEXIST) {
		struct stat st;
		if (e->type == TAR_DIR &&
			fstatat(u->parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			S_ISDIR(st.st_mode)) {
			r = 0; /* a folder again: lower content stays, metadata is the new one */
		} else {
			r = remove_entry(u, path, name, reterr);
			if (r < 0)
				return r;
			r = unpack_open_parent(u, path, &name, reterr);
			if (r < 0)
				return r;
			r = create(u, name, e);
		}
	}
	if (r < 0)
		return unpack_fail_os(r, path, "create it", reterr);
	r = unpack_note_own(u, u->parent_ino, name);
	if (r < 0)
		return unpack_fail_os(r, path, "remember it", reterr);
	if (e->type == TAR_DIR)
		return enter_dir(u, path, name, e, reterr);
	if (e->type == TAR_FILE) {
		u->file = *e; /* its metadata comes after the data, because writing clears some of
				 it */
		return 0;
	}
	return unpack_set_metadata_at(u, name, e, reterr);
}

static bool same_inode(int dir_a, const char *a, int dir_b, const char *b)
{
	struct stat x, y;

	return fstatat(dir_a, a, &x, AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstatat(dir_b, b, &y, AT_SYMLINK_NOFOLLOW) == 0 && x.st_ino == y.st_ino &&
	       x.st_dev == y.st_dev;
}

static int make_hardlink(struct unpacker *u, const char *path, const char *name,
	const struct tar_entry *e, struct err *reterr)
{
	char target[TAR_PATH_MAX + 1];
	const char *target_name;

	int r = unpack_clean_path(e->link, target);
	if (r < 0 || !target[0])
		return unpack_fail(r < 0 ? r : -EACCES, path,
			"the link's target is outside the image", reterr);
	cleanup_fd int dir = path_open_parent_in(u->root_fd, target, false, &target_name);
	if (dir < 0)
		return unpack_fail_os(dir, path, "find the link's target", reterr);
	r = linkat(dir, target_name, u->parent_fd, name, 0) < 0 ? -errno : 0;
	if (r == -EEXIST && !same_inode(dir, target_name, u->parent_fd, name)) {
		r = remove_entry(u, path, name, reterr);
		if (r == 0)
			r = unpack_open_parent(u, path, &name, reterr);
		if (r < 0)
			return r;
		r = linkat(dir, target_name, u->parent_fd, name, 0) < 0 ? -errno : 0;
	} else if (r == -EEXIST) {
		r = 0;
	}
	if (r < 0)
		return unpack_fail_os(r, path, "link it", reterr);
	r = unpack_note_own(u, u->parent_ino, name);
	return r < 0 ? unpack_fail_os(r, path, "remember it", reterr) : 0;
}

static bool device_is_runtimes(uint32_t major, uint32_t minor)
{
	static const struct {
		uint32_t major, minor;
	} known[] = {{1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0}, {5, 1}, {5, 2}};

	for (size_t i = 0; i < ARRAY_COUNT(known); i++)
		if (known[i].major == major && known[i].minor == minor)
			return true;
	return false;
}

static int device(struct unpacker *u, const char *path, const char *name, const struct tar_entry *e,
	struct err *reterr)
{
	if (e->type == TAR_CHAR_DEVICE && e->dev_major == 0 && e->dev_minor == 0)
		return whiteout(u, path, name, reterr);
	if (e->type == TAR_CHAR_DEVICE && device_is_runtimes(e->dev_major, e->dev_minor)) {
		u->stats.device_skipped_count++;
		return 0;
	}
	return err_set(reterr, -EACCES, "unpack: '%.300s': %s device %u:%u is refused", path,
		e->type == TAR_BLOCK_DEVICE ? "block" : "character", e->dev_major, e->dev_minor);
}

static int root_entry(struct unpacker *u, const struct tar_entry *e, struct err *reterr)
{
	if (e->type != TAR_DIR)
		return unpack_fail(-EBADMSG, e->path, "the root must be a folder", reterr);
	cleanup_fd int fd = openat(u->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return unpack_fail_os(-errno, e->path, "open the root", reterr);
	int r = unpack_set_metadata(u, fd, e, reterr);
	return r < 0 ? r : unpack_remember_dir(u, "", e);
}

static int check_limits(struct unpacker *u, const struct tar_entry *e, struct err *reterr)
{
	if (++u->stats.entry_count > u->opt.entry_max)
		return unpack_fail(-E2BIG, e->path, "the image has too many entries", reterr);
	if (e->size > u->opt.total_max - u->stats.file_size)
		return err_set(reterr, -E2BIG,
			"unpack: '%.300s' claims %llu bytes; the image may unpack to %llu bytes",
			e->path, (unsigned long long)e->size, (unsigned long long)u->opt.total_max);
	return 0;
}

static int sink_entry(void *user, const struct tar_entry *e, struct err *reterr)
{
	struct unpacker *u = user;
	char path[TAR_PATH_MAX + 1];
	const char *name;

	u->ignore_data = false;
	int r = check_limits(u, e, reterr);
	if (r < 0)
		return r;
	r = unpack_clean_path(e->path, path);
	if (r < 0)
		return unpack_fail(r, e->path,
			r == -EACCES ? "the name leaves the image" : "the name is too long",
			reterr);
	if (!path[0])
		return root_entry(u, e, reterr);
	r = unpack_open_parent(u, path, &name, reterr);
	if (r < 0)
		return r;
	if (str_starts(name, WHITEOUT_PREFIX)) {
		u->ignore_data = true;
		if (streq(name, WHITEOUT_OPAQUE))
			return opaque(u, path, reterr);
		if (str_starts(name, WHITEOUT_META))
			return 0; /* notes of a storage driver to itself */
		return whiteout(u, path, name + strlen(WHITEOUT_PREFIX), reterr);
	}
	if (e->type == TAR_HARDLINK)
		return make_hardlink(u, path, name, e, reterr);
	if (e->type == TAR_CHAR_DEVICE || e->type == TAR_BLOCK_DEVICE)
		return device(u, path, name, e, reterr);
	return make_entry(u, path, name, e, reterr);
}

static int sink_data(void *user, struct slice data, struct err *reterr)
{
	struct unpacker *u = user;

	if (u->ignore_data)
		return 0;
	u->stats.file_size += data.size;
	int r = fd_write_full(u->file_fd, data.data, data.size);
	return r < 0 ? err_set(reterr, r, "unpack: cannot write a file: %s", strerror(-r)) : 0;
}

static int sink_entry_end(void *user, struct err *reterr)
{
	struct unpacker *u = user;

	if (u->file_fd < 0)
		return 0;
	int r = unpack_set_metadata(u, u->file_fd, &u->file, reterr);
	forget_file(u);
	return r;
}

int unpack_layer_begin(struct unpacker *u, struct err *reterr)
{
	own_set_free(u->own);
	u->own = NULL;
	if (u->layer_count++ > 0) {
		int r = unpack_fd_ino(u->root_fd, &u->root_ino);
		if (r < 0)
			return err_set(reterr, r, "unpack: cannot examine the root");
		u->own = own_set_new();
		if (!u->own)
			return err_set(reterr, -ENOMEM, "unpack: out of memory");
	}
	tar_reader_free(u->tar);
	u->tar = tar_reader_new(&g_sink, u);
	return u->tar ? 0 : err_set(reterr, -ENOMEM, "unpack: out of memory");
}

int unpack_layer_feed(struct unpacker *u, struct slice tar, struct err *reterr)
{
	return u->tar ? tar_reader_feed(u->tar, tar, reterr) : -EINVAL;
}

int unpack_layer_end(struct unpacker *u, struct err *reterr)
{
	if (!u->tar)
		return -EINVAL;
	int r = tar_reader_finish(u->tar, reterr);
	tar_reader_free(u->tar);
	u->tar = NULL;
	forget_file(u);
	unpack_forget_parent(u);
	return r < 0 ? r : unpack_finish_dirs(u, reterr);
}
