/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/tar.h"

#include "base/str.h"

static const char g_type_flags[] = {
	[TAR_FILE] = '0',
	[TAR_HARDLINK] = '1',
	[TAR_SYMLINK] = '2',
	[TAR_CHAR_DEVICE] = '3',
	[TAR_BLOCK_DEVICE] = '4',
	[TAR_DIR] = '5',
	[TAR_FIFO] = '6',
};

static void put_octal(uint8_t *field, size_t size, uint64_t v)
{
	char text[32];

	snprintf(text, sizeof(text), "%0*llo", (int)size - 1, (unsigned long long)v);
	memcpy(field, text, size - 1);
}

static bool fits(uint64_t v, unsigned digits)
{
	return v >> (3 * digits) == 0;
}

static bool is_ascii(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s >= 0x80)
			return false;
	return true;
}

/* "LENGTH KEY=VALUE\n", where LENGTH counts its own digits as well. */
static void pax_put(struct buf *out, const char *prefix, const char *key, struct slice value)
{
	size_t rest = strlen(prefix) + strlen(key) + value.size + 3;
	size_t size = rest + 1, digits = 1;

	for (size_t limit = 10; size >= limit; limit *= 10) {
		digits++;
		size = rest + digits;
	}
	buf_printf(out, "%zu %s%s=", size, prefix, key);
	buf_put_slice(out, value);
	buf_put_u8(out, '\n');
}

static void pax_put_u64(struct buf *out, const char *key, uint64_t v)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
	pax_put(out, "", key, slice_str(text));
}

/* Splits a long path at a slash into ustar's prefix and name. Return: size of the prefix. */
static size_t split_path(const char *path)
{
	size_t size = strlen(path);

	if (size <= 100)
		return 0;
	for (size_t i = MIN(size - 1, (size_t)155); i > 0; i--)
		if (path[i] == '/' && size - i - 1 <= 100 && size - i - 1 > 0)
			return i;
	return SIZE_MAX;
}

static void put_header(struct buf *out, const struct tar_entry *e, char flag, uint64_t size)
{
	uint8_t h[TAR_BLOCK_SIZE] = {0};
	size_t prefix = split_path(e->path);
	const char *name = e->path;
	uint32_t sum = 0;

	if (prefix != 0 && prefix != SIZE_MAX) {
		memcpy(h + 345, e->path, prefix);
		name += prefix + 1;
	}
	memcpy(h, name, MIN(strlen(name), (size_t)100));
	put_octal(h + 100, 8, e->mode & 07777);
	put_octal(h + 108, 8, fits(e->uid, 7) ? e->uid : 0);
	put_octal(h + 116, 8, fits(e->gid, 7) ? e->gid : 0);
	put_octal(h + 124, 12, fits(size, 11) ? size : 0);
	put_octal(h + 136, 12,
		e->mtime_s > 0 && fits((uint64_t)e->mtime_s, 11) ? (uint64_t)e->mtime_s : 0);
	h[156] = (uint8_t)flag;
	memcpy(h + 157, e->link, MIN(strlen(e->link), (size_t)100));
	memcpy(h + 257,
		"ustar\0"
		"00",
		8);
	put_octal(h + 329, 8, e->dev_major);
	put_octal(h + 337, 8, e->dev_minor);
	memset(h + 148, ' ', 8);
	for (size_t i = 0; i < sizeof(h); i++)
		sum += h[i];
	put_octal(h + 148, 7, sum);
	buf_put(out, h, sizeof(h));
}

int tar_write_entry(struct buf *out, const struct tar_entry *e)
{
	cleanup_with(buf_done) struct buf pax = buf_init(TAR_META_MAX);

	if (!e->path[0] || strlen(e->path) > TAR_PATH_MAX || strlen(e->link) > TAR_PATH_MAX ||
		e->xattr_count > TAR_XATTR_COUNT_MAX || e->type < TAR_FILE || e->type > TAR_FIFO)
		return -EINVAL;
	if (split_path(e->path) == SIZE_MAX || !is_ascii(e->path))
		pax_put(&pax, "", "path", slice_str(e->path));
	if (strlen(e->link) > 100 || !is_ascii(e->link))
		pax_put(&pax, "", "linkpath", slice_str(e->link));
	if (!fits(e->size, 11))
		pax_put_u64(&pax, "size", e->size);
	if (!fits(e->uid, 7))
		pax_put_u64(&pax, "uid", e->uid);
	if (!fits(e->gid, 7))
		pax_put_u64(&pax, "gid", e->gid);
	for (size_t i = 0; i < e->xattr_count; i++)
		pax_put(&pax, "SCHILY.xattr.", e->xattrs[i].name, e->xattrs[i].value);
	if (buf_error(&pax) < 0)
		return buf_error(&pax);
	if (pax.size > 0) {
		struct tar_entry x = {.type = TAR_FILE,
			.path = "PaxHeaders",
			.link = "",
			.mode = 0644,
			.mtime_s = e->mtime_s};
		put_header(out, &x, 'x', pax.size);
		buf_put_slice(out, buf_slice(&pax));
		tar_write_padding(out, pax.size);
	}
	put_header(out, e, g_type_flags[e->type], e->size);
	return buf_error(out);
}

void tar_write_padding(struct buf *out, uint64_t size)
{
	buf_put_zero(out, (size_t)((TAR_BLOCK_SIZE - size % TAR_BLOCK_SIZE) % TAR_BLOCK_SIZE));
}

void tar_write_end(struct buf *out)
{
	buf_put_zero(out, (size_t)2 * TAR_BLOCK_SIZE);
}
