/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/own_set.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

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

bool own_set_has(const struct own_set *s, uint64_t dir_ino, const char *name)
{
	return s->slots[find_slot(s->slots, s->capacity, entry_hash(dir_ino, name))] != 0;
}

/* Handles one name of a folder. Return: fd of a folder to descend into, -1 when done, or errno. */
static int purge_name(const struct own_set *s, int dir, uint64_t ino, const char *name, int *ret_fd)
{
	*ret_fd = -1;
	if (!own_set_has(s, ino, name))
		return path_remove_tree(dir, name);
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno != ENOTDIR && errno != ELOOP && errno != ENXIO)
		return -errno;
	*ret_fd = fd;
	return 0;
}

int own_set_purge_others(const struct own_set *s, int dir_fd)
{
	DIR *stack[OWN_SET_PURGE_DEPTH_MAX];
	int depth = 0, r = 0;

	for (int next = dir_fd;;) {
		if (next >= 0) {
			if (depth == OWN_SET_PURGE_DEPTH_MAX || !(stack[depth] = fdopendir(next))) {
				r = depth == OWN_SET_PURGE_DEPTH_MAX ? -ELOOP : -ENOMEM;
				close(next);
				break;
			}
			rewinddir(stack[depth++]);
			next = -1;
		}
		if (depth == 0)
			break;
		int dir = dirfd(stack[depth - 1]);
		struct stat st;
		struct dirent *e = readdir(stack[depth - 1]);
		if (!e) {
			closedir(stack[--depth]);
			continue;
		}
		if (streq(e->d_name, ".") || streq(e->d_name, ".."))
			continue;
		if (fstat(dir, &st) < 0) {
			r = -errno;
			break;
		}
		r = purge_name(s, dir, st.st_ino, e->d_name, &next);
		if (r < 0)
			break;
	}
	while (depth > 0)
		closedir(stack[--depth]);
	return r;
}
