/* SPDX-License-Identifier: Apache-2.0 */
/* Users of the container: /etc/passwd and /etc/group of the image, which are hostile input. */
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/parse.h"
#include "base/path.h"
#include "base/str.h"
#include "guest/agent/spec.h"

#define FILE_MAX ((size_t)1 << 20)
#define FIELDS 7u

static int read_in(int rootfs_fd, const char *path, struct buf *out)
{
	cleanup_fd int fd = path_open_in(rootfs_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
	if (fd < 0)
		return fd == -ENOENT || fd == -ENOTDIR ? 0 : fd;
	return fd_read_all(fd, out);
}

/* Next line split at ':' into at most FIELDS fields; absent fields are empty. False at the end. */
static bool next_line(struct slice *rest, struct slice fields[FIELDS])
{
	if (rest->size == 0)
		return false;
	const uint8_t *nl = memchr(rest->data, '\n', rest->size);
	size_t size = nl ? (size_t)(nl - rest->data) : rest->size;
	struct slice line = slice_cut(*rest, 0, size);
	*rest = slice_cut(*rest, size + 1, rest->size);
	for (size_t i = 0; i < FIELDS; i++) {
		const uint8_t *colon = line.size ? memchr(line.data, ':', line.size) : NULL;
		size_t n = colon ? (size_t)(colon - line.data) : line.size;
		fields[i] = slice_cut(line, 0, n);
		line = slice_cut(line, n + 1, line.size);
	}
	return true;
}

static int parse_id(struct slice s, uint32_t *ret)
{
	return parse_u32(s, 0, SPEC_ID_MAX, ret);
}

static bool list_has(struct slice list, struct slice name)
{
	while (list.size > 0) {
		const uint8_t *comma = memchr(list.data, ',', list.size);
		size_t n = comma ? (size_t)(comma - list.data) : list.size;
		if (name.size > 0 && slice_eq(slice_cut(list, 0, n), name))
			return true;
		list = slice_cut(list, n + 1, list.size);
	}
	return false;
}

static int set_home(struct spec *spec, struct slice home)
{
	for (size_t i = 0; i < json_array_size(spec->env); i++) {
		if (str_starts(json_string_value(json_array_get(spec->env, i)), "HOME="))
			return 0;
	}
	char text[1024];
	if (home.size == 0 || home.size > 1000 || !utf8_valid(home) ||
		memchr(home.data, '\0', home.size) != NULL)
		home = SLICE_LIT("/");
	snprintf(text, sizeof(text), "HOME=%.*s", SLICE_ARG(home));
	return json_array_append_new(spec->env, json_string(text)) < 0 ? -ENOMEM : 0;
}

/* Finds the user by name or number. @ret_name is a view into @passwd, empty when there is no line.
 */
static int find_user(struct spec *spec, struct slice passwd, struct slice who,
	struct slice *ret_name, struct err *reterr)
{
	struct slice f[FIELDS], rest = passwd;
	uint32_t number = 0, uid, gid;
	bool by_number = parse_id(who, &number) == 0;
	*ret_name = SLICE_EMPTY;
	while (next_line(&rest, f)) {
		if (f[0].size == 0 || parse_id(f[2], &uid) < 0 || parse_id(f[3], &gid) < 0)
			continue;
		if (by_number ? uid != number : !slice_eq(f[0], who))
			continue;
		spec->uid = uid;
		spec->gid = gid;
		*ret_name = f[0];
		return set_home(spec, f[5]);
	}
	if (!by_number)
		return err_at(reterr, -ENOENT, ERR_NO_OFFSET, "User",
			"the image has no user \"%.*s\"", SLICE_ARG(slice_cut(who, 0, 64)));
	spec->uid = number;
	spec->gid = 0;
	return set_home(spec, SLICE_EMPTY);
}

static int find_group(struct spec *spec, struct slice group, struct slice who, struct err *reterr)
{
	struct slice f[FIELDS];
	uint32_t gid;
	if (parse_id(who, &spec->gid) == 0)
		return 0;
	while (next_line(&group, f)) {
		if (slice_eq(f[0], who) && parse_id(f[2], &gid) == 0) {
			spec->gid = gid;
			return 0;
		}
	}
	return err_at(reterr, -ENOENT, ERR_NO_OFFSET, "User", "the image has no group \"%.*s\"",
		SLICE_ARG(slice_cut(who, 0, 64)));
}

static int add_groups(struct spec *spec, struct slice group, struct slice name)
{
	struct slice f[FIELDS];
	uint32_t gid;
	while (next_line(&group, f)) {
		if (!list_has(f[3], name) || parse_id(f[2], &gid) < 0)
			continue;
		if (spec->groups_count == SPEC_GROUPS_MAX)
			return -E2BIG;
		spec->groups[spec->groups_count++] = gid;
	}
	return 0;
}

int spec_resolve_user(struct spec *spec, int rootfs_fd, struct err *reterr)
{
	cleanup_with(buf_done) struct buf passwd = buf_init(FILE_MAX), group = buf_init(FILE_MAX);
	int r = read_in(rootfs_fd, "etc/passwd", &passwd);
	if (r < 0)
		return err_set(reterr, r, "cannot read /etc/passwd of the image");
	r = read_in(rootfs_fd, "etc/group", &group);
	if (r < 0)
		return err_set(reterr, r, "cannot read /etc/group of the image");

	struct slice who = slice_str(spec->user[0] ? spec->user : "0"), name;
	const uint8_t *colon = memchr(who.data, ':', who.size);
	size_t n = colon ? (size_t)(colon - who.data) : who.size;
	r = find_user(spec, buf_slice(&passwd), slice_cut(who, 0, n), &name, reterr);
	if (r < 0)
		return r;
	if (colon != NULL)
		return find_group(spec, buf_slice(&group), slice_cut(who, n + 1, who.size), reterr);
	r = add_groups(spec, buf_slice(&group), name);
	return r < 0 ? err_set(reterr, r, "the user is in too many groups") : 0;
}
