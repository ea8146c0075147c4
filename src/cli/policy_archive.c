/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bundles as archives: a tar file, usually within gzip, as `opa build` and registries make them.
 *
 * Theory of operation. The archive is read as a stream into files in memory; nothing is written.
 * Only modules, data.json, data.yaml and the manifest are kept, from regular files; links, devices
 * and anything else that is no file are refused, as is a name that leaves the bundle. What the whole
 * may unpack to is limited, so that no small archive fills the memory.
 *
 * Spec: OPA, "Bundles", section "Bundle File Format".
 */
#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include "base/fd.h"
#include "base/str.h"
#include "cli/policy_internal.h"
#include "oci/tar.h"

#define GZIP_WINDOW (16 + MAX_WBITS)
#define UNPACKED_MAX ((uint64_t)1 << 30)
#define CHUNK_SIZE 65536u

struct archive {
	struct policy_files *f;
	const char *path; /* of the archive */
	size_t first;	  /* of its files in @f */
	struct policy_file *open;
	struct buf manifest;
	bool has_manifest, in_manifest;
	uint64_t unpacked;
};

/* The name within the bundle: "./a/b" and "/a/b" are a/b. NULL when it leaves the bundle. */
static const char *clean_name(const char *name)
{
	while (name[0] == '/' || (name[0] == '.' && name[1] == '/'))
		name += name[0] == '/' ? 1 : 2;
	for (const char *p = name; *p; p++) {
		size_t n = strcspn(p, "/");
		if (n == 2 && p[0] == '.' && p[1] == '.')
			return NULL;
		p += n;
		if (!*p)
			break;
	}
	return name;
}

static int on_entry(void *user, const struct tar_entry *e, struct err *reterr)
{
	struct archive *a = user;
	const char *name = clean_name(e->path), *base;
	char path[8192];
	a->open = NULL;
	a->in_manifest = false;
	if (!name)
		return err_set(
			reterr, -EBADMSG, "%s: '%.200s' leaves the bundle", a->path, e->path);
	if (e->type == TAR_DIR)
		return 0;
	if (e->type != TAR_FILE)
		return err_set(reterr, -EBADMSG, "%s: '%.200s' is no regular file", a->path, name);
	if (e->size > POLICY_FILE_MAX || a->unpacked + e->size > UNPACKED_MAX)
		return err_set(reterr, -E2BIG, "%s: '%.200s' is too large", a->path, name);
	a->unpacked += e->size;
	if (streq(name, ".manifest")) {
		if (a->has_manifest)
			return err_set(reterr, -EBADMSG, "%s: two manifests", a->path);
		a->has_manifest = a->in_manifest = true;
		return 0;
	}
	base = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
	if (!policy_wanted(base, POLICY_BUNDLE) || policy_ignored(a->f, base))
		return 0;
	int n = snprintf(path, sizeof(path), "%s/%s", a->path, name);
	if (n < 0 || (size_t)n >= sizeof(path))
		return err_set(reterr, -ENAMETOOLONG, "%s: a name is too long", a->path);
	/* A document stands under the names of the folders it lies in. */
	char *prefix = strndup(name, base > name ? (size_t)(base - name) - 1 : 0);
	int r = prefix ? policy_new_file(a->f, path, prefix, &a->open, reterr) : -ENOMEM;
	free(prefix);
	return r;
}

static int on_data(void *user, struct slice data, struct err *reterr)
{
	struct archive *a = user;
	struct buf *b = a->in_manifest ? &a->manifest : a->open ? &a->open->text : NULL;
	if (!b)
		return 0;
	buf_put_slice(b, data);
	return buf_error(b);
}

static int on_entry_end(void *user, struct err *reterr)
{
	struct archive *a = user;
	a->open = NULL;
	a->in_manifest = false;
	return 0;
}

/* One piece of the file through gzip, if that is what it is, into the reader. */
static int feed(struct tar_reader *tar, z_stream *z, struct slice data, bool *ended, struct err *e)
{
	uint8_t out[CHUNK_SIZE];
	z->next_in = (Bytef *)(uintptr_t)data.data;
	z->avail_in = (uInt)data.size;
	while (z->avail_in > 0 || z->avail_out == 0) {
		if (*ended)
			return err_set(e, -EBADMSG, "text after the end of the archive");
		z->next_out = out;
		z->avail_out = sizeof(out);
		int r = inflate(z, Z_NO_FLUSH);
		if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
			return err_set(e, -EBADMSG, "the gzip stream is damaged");
		int fed = tar_reader_feed(tar, slice_of(out, sizeof(out) - z->avail_out), e);
		if (fed < 0)
			return fed;
		*ended = r == Z_STREAM_END;
		if (r == Z_BUF_ERROR)
			break;
	}
	return 0;
}

static int read_stream(int fd, struct tar_reader *tar, struct err *e)
{
	uint8_t in[CHUNK_SIZE];
	z_stream z = {0};
	bool gzip = false, ended = false;
	int r = 0;
	for (bool first = true; r == 0; first = false) {
		ssize_t n = read(fd, in, sizeof(in));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			r = n < 0 ? -errno : 0;
			break;
		}
		if (first) {
			gzip = n > 2 && in[0] == 0x1f && in[1] == 0x8b;
			if (gzip && inflateInit2(&z, GZIP_WINDOW) != Z_OK)
				return -ENOMEM;
		}
		struct slice data = slice_of(in, (size_t)n);
		r = gzip ? feed(tar, &z, data, &ended, e) : tar_reader_feed(tar, data, e);
	}
	if (gzip)
		inflateEnd(&z);
	if (r == 0 && gzip && !ended)
		return err_set(e, -ENODATA, "the gzip stream is cut short");
	return r < 0 ? r : tar_reader_finish(tar, e);
}

int policy_load_archive(struct policy_files *f, const char *path, struct err *reterr)
{
	static const struct tar_sink sink = {on_entry, on_data, on_entry_end};
	struct archive a = {
		.f = f, .path = path, .first = f->count, .manifest = buf_init(POLICY_FILE_MAX)};
	struct err e = {0};
	cleanup(tar_reader_free) struct tar_reader *tar = tar_reader_new(&sink, &a);
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(reterr, -errno, "%s: %s", path, strerror(errno));
	int r = tar ? read_stream(fd, tar, &e) : -ENOMEM;
	if (r == 0 && a.has_manifest)
		r = policy_check_roots(f, a.first, path, buf_slice(&a.manifest), &e);
	buf_done(&a.manifest);
	if (r < 0)
		return str_starts(e.text, path)
			       ? err_set(reterr, r, "%s", e.text)
			       : err_set(reterr, r, "%s: %s", path, err_text(&e, r));
	return 0;
}
