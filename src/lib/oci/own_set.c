/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/own_set.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

#define FIRST_CAPACITY 1024u

struct own_set {
	uint64_t *slots; /* 0 is a free slot */
	size_t capacity; /* a power of two */
	size_t count;
};

struct own_set *own_set_new(void)
{
	struct own_set *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->capacity = FIRST_CAPACITY;
	s->slots = calloc(s->capacity, sizeof(*s->slots));
	if (!s->slots) {
		free(s);
		return NULL;
	}
	return s;
}

void own_set_free(struct own_set *s)
{
	if (!s)
		return;
	free(s->slots);
	free(s);
}

/*
 * FNV-1a with a final mix. Whoever could make two entries collide wrote the layer, and can decide
 * about the survival of a lower entry more easily; so no secret key is needed.
 */
static uint64_t entry_hash(uint64_t ino, const char *name)
{
	uint64_t h = 0xcbf29ce484222325u ^ (ino * 0x9e3779b97f4a7c15u);

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 0x100000001b3u;
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93u;
	h ^= h >> 32;
	return h ? h : 1;
}

static size_t find_slot(const uint64_t *slots, size_t capacity, uint64_t h)
{
	size_t i = (size_t)h & (capacity - 1);

	while (slots[i] != 0 && slots[i] != h)
		i = (i + 1) & (capacity - 1);
	return i;
}

static int grow(struct own_set *s)
{
	size_t capacity = s->capacity * 2;
	uint64_t *slots = calloc(capacity, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < s->capacity; i++)
		if (s->slots[i])
			slots[find_slot(slots, capacity, s->slots[i])] = s->slots[i];
	free(s->slots);
	s->slots = slots;
	s->capacity = capacity;
	return 0;
}

int own_set_add(struct own_set *s, uint64_t dir_ino, const char *name)
{
	uint64_t h = entry_hash(dir_ino, name);

	if (s->count >= s->capacity / 2) {
		int r = grow(s);
		if (r < 0)
			return r;
	}
	size_t i = find_slot(s->slots, s->capacity, h);
	if (s->slots[i] == 0) {
		s->slots[i] = h;
		s->count++;
	}
	return 0;
}

static bool has(const struct own_set *s, uint64_t dir_ino, const char *name)
{
	return s->slots[find_slot(s->slots, s->capacity, entry_hash(dir_ino, name))] != 0;
}

/* A touched folder is kept under its own inode and the empty name, which no entry has. */
int own_set_touch(struct own_set *s, int dir_fd, uint64_t root_ino)
{
	cleanup_fd int held = -1;
	int fd = dir_fd;

	for (int depth = 0; depth < OWN_SET_DEPTH_MAX; depth++) {
		struct stat st;
		if (fstat(fd, &st) < 0)
			return -errno;
		if (has(s, st.st_ino, ""))
			return 0;
		int r = own_set_add(s, st.st_ino, "");
		if (r < 0 || st.st_ino == root_ino)
			return r;
		int up = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (up < 0)
			return -errno;
		if (held >= 0)
			close(held);
		fd = held = up;
	}
	return -ELOOP;
}

/* Hides one name of a folder. @ret_fd: a folder whose content is to be hidden instead, or -1. */
static int hide_name(const struct own_set *s, int dir, uint64_t ino, const char *name, int *ret_fd)
{
	struct stat st;

	*ret_fd = -1;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISDIR(st.st_mode))
		return has(s, ino, name) ? 0 : path_remove_tree(dir, name);
	if (!has(s, ino, name) && !has(s, st.st_ino, ""))
		return path_remove_tree(dir, name);
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

int own_set_hide(const struct own_set *s, int dir_fd, const char *name)
{
	struct stat st;
	int fd;

	if (fstat(dir_fd, &st) < 0)
		return -errno;
	int r = hide_name(s, dir_fd, st.st_ino, name, &fd);
	return r == 0 && fd >= 0 ? own_set_hide_all(s, fd) : r;
}

/* Reads on in the innermost folder. @ret_fd: a folder to go into, or -1. Return: 0 or errno. */
static int hide_step(const struct own_set *s, DIR **stack, int *depth, int *ret_fd)
{
	DIR *dir = stack[*depth - 1];
	struct stat st;
	struct dirent *e = readdir(dir);

	*ret_fd = -1;
	if (!e) {
		closedir(stack[--*depth]);
		return 0;
	}
	if (streq(e->d_name, ".") || streq(e->d_name, ".."))
		return 0;
	if (fstat(dirfd(dir), &st) < 0)
		return -errno;
	return hide_name(s, dirfd(dir), st.st_ino, e->d_name, ret_fd);
}

int own_set_hide_all(const struct own_set *s, int dir_fd)
{
	DIR *stack[OWN_SET_DEPTH_MAX] = {NULL};
	int depth = 0, r = 0, next = dir_fd;

	do {
		if (next >= 0) {
			if (depth == OWN_SET_DEPTH_MAX || !(stack[depth] = fdopendir(next))) {
				r = depth == OWN_SET_DEPTH_MAX ? -ELOOP : -ENOMEM;
				close(next);
				break;
			}
			rewinddir(stack[depth++]);
		}
		r = hide_step(s, stack, &depth, &next);
	} while (r == 0 && (depth > 0 || next >= 0));
	while (depth > 0)
		closedir(stack[--depth]);
	return r;
}
