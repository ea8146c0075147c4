/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/build.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "fmt/json.h"
#include "oci/layer_writer.h"

#define READ_SIZE ((size_t)128 << 10)
#define LINK_COUNT_MAX 1000000u
#define XATTR_BYTES_MAX 65536u

/* A file with several names: the later ones become hard links to the first. */
struct seen_link {
	dev_t dev;
	ino_t ino;
	size_t path; /* offset in link_paths */
};

struct build {
	struct layer_writer *out;
	const struct oci_build_options *opt;
	struct oci_build_stats *stats;
	struct buf tar, links, link_paths;
	uint8_t *chunk;
	char path[TAR_PATH_MAX + 1];
	size_t path_size;
	unsigned depth;
	struct err *reterr;
};

static int fail(struct build *b, int code, const char *doing)
{
	return err_set(b->reterr, code, "'%.400s': cannot %s: %s", b->path, doing, strerror(-code));
}

static int flush_tar(struct build *b)
{
	int r = buf_error(&b->tar);
	if (r == 0)
		r = layer_writer_put(b->out, buf_slice(&b->tar), b->reterr);
	buf_clear(&b->tar);
	return r;
}

/* The path of an earlier name of the same inode, or NULL after remembering this one. */
static const char *earlier_name(struct build *b, const struct stat *st)
{
	struct seen_link l = {st->st_dev, st->st_ino, b->link_paths.size};

	for (size_t i = 0; i + sizeof(l) <= b->links.size; i += sizeof(l)) {
		struct seen_link have;
		memcpy(&have, b->links.data + i, sizeof(have));
		if (have.dev == l.dev && have.ino == l.ino)
			return (const char *)b->link_paths.data + have.path;
	}
	buf_put(&b->links, &l, sizeof(l));
	buf_put(&b->link_paths, b->path, b->path_size + 1);
	return NULL;
}

static bool xattr_wanted(const char *name)
{
	return streq(name, "security.capability") || str_starts(name, "user.") ||
	       str_starts(name, "system.posix_acl_");
}

struct xattrs {
	struct tar_xattr items[TAR_XATTR_COUNT_MAX];
	size_t count;
	char names[XATTR_BYTES_MAX];
	uint8_t values[XATTR_BYTES_MAX];
};

/* Kernel order is arbitrary, so they are sorted. */
static int xattr_order(const void *a, const void *b)
{
	const struct tar_xattr *x = a, *y = b;
	return __builtin_strcmp(x->name, y->name);
}

static int read_xattrs(struct build *b, int fd, struct xattrs *x)
{
	size_t used = 0;

	ssize_t size = flistxattr(fd, x->names, sizeof(x->names));
	x->count = 0;
	if (size < 0)
		return errno == EOPNOTSUPP ? 0 : fail(b, -errno, "list its attributes");
	for (ssize_t at = 0; at < size; at += (ssize_t)strlen(x->names + at) + 1) {
		const char *name = x->names + at;
		if (!xattr_wanted(name))
			continue;
		if (x->count == TAR_XATTR_COUNT_MAX)
			return fail(b, -E2BIG, "store its attributes");
		ssize_t n = fgetxattr(fd, name, x->values + used, sizeof(x->values) - used);
		if (n < 0)
			return fail(b, -errno, "read its attributes");
		x->items[x->count++] =
			(struct tar_xattr){name, slice_of(x->values + used, (size_t)n)};
		used += (size_t)n;
	}
	qsort(x->items, x->count, sizeof(x->items[0]), xattr_order);
	return 0;
}

static int put_data(struct build *b, int fd, uint64_t size)
{
	int r = flush_tar(b);
	for (uint64_t left = size; r == 0 && left > 0;) {
		size_t n = (size_t)MIN(left, (uint64_t)READ_SIZE);
		r = fd_read_full(fd, b->chunk, n);
		if (r < 0)
			return fail(b, r, "read it (did it change?)");
		r = layer_writer_put(b->out, slice_of(b->chunk, n), b->reterr);
		left -= n;
	}
	tar_write_padding(&b->tar, size);
	return r;
}

static int put_header(struct build *b, struct tar_entry *e, const struct stat *st)
{
	e->mode = st->st_mode & 07777;
	e->uid = st->st_uid;
	e->gid = st->st_gid;
	e->mtime_s = st->st_mtim.tv_sec;
	if (b->opt->mtime_max && e->mtime_s > b->opt->mtime_max)
		e->mtime_s = b->opt->mtime_max;
	b->stats->file_count++;
	int r = tar_write_entry(&b->tar, e);
	return r < 0 ? fail(b, r, "write its header") : 0;
}

static int put_file(struct build *b, int dir, const char *name, const struct stat *st)
{
	struct tar_entry e = {.type = TAR_FILE, .path = b->path, .link = ""};
	const char *first = st->st_nlink > 1 ? earlier_name(b, st) : NULL;

	if (first) {
		e.type = TAR_HARDLINK;
		e.link = first;
		return put_header(b, &e, st);
	}
	cleanup(free_ptr) struct xattrs *x = malloc(sizeof(*x));
	cleanup_fd int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || !x)
		return fail(b, fd < 0 ? -errno : -ENOMEM, "open it");
	int r = read_xattrs(b, fd, x);
	e.xattrs = x->items;
	e.xattr_count = x->count;
	e.size = (uint64_t)st->st_size;
	if (r == 0)
		r = put_header(b, &e, st);
	return r < 0 ? r : put_data(b, fd, e.size);
}

static int put_symlink(struct build *b, int dir, const char *name, const struct stat *st)
{
	char target[TAR_PATH_MAX + 1];
	struct tar_entry e = {.type = TAR_SYMLINK, .path = b->path, .link = target};

	ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);
	if (n <= 0)
		return fail(b, n < 0 ? -errno : -EINVAL, "read the link");
	target[n] = 0;
	return put_header(b, &e, st);
}

static int put_dir(struct build *b, int parent, const char *name, const struct stat *st);

static int put_entry(struct build *b, int dir, const char *name)
{
	struct tar_entry fifo = {.type = TAR_FIFO, .path = b->path, .link = ""};
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(b, -errno, "examine it");
	switch (st.st_mode & S_IFMT) {
	case S_IFREG:
		return put_file(b, dir, name, &st);
	case S_IFLNK:
		return put_symlink(b, dir, name, &st);
	case S_IFDIR:
		return put_dir(b, dir, name, &st);
	case S_IFIFO:
		return put_header(b, &fifo, &st);
	default: /* devices and sockets */
		b->stats->skipped_count++;
		return 0;
	}
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return __builtin_strcmp((*a)->d_name, (*b)->d_name);
}

static int not_dots(const struct dirent *e)
{
	return !streq(e->d_name, ".") && !streq(e->d_name, "..");
}

static int put_children(struct build *b, int dir)
{
	struct dirent **list = NULL;
	size_t size = b->path_size;
	int r = 0;

	int count = scandirat(dir, ".", &list, not_dots, by_name);
	if (count < 0)
		return fail(b, -errno, "read the folder");
	for (int i = 0; i < count; i++) {
		size_t n = strlen(list[i]->d_name);
		if (r == 0 && size + n + 1 > TAR_PATH_MAX)
			r = fail(b, -ENAMETOOLONG, "store its entries");
		if (r == 0) {
			memcpy(b->path + size, list[i]->d_name, n + 1);
			b->path_size = size + n;
			r = put_entry(b, dir, list[i]->d_name);
			b->path_size = size;
			b->path[size] = 0;
		}
		free(list[i]);
	}
	free(list);
	return r;
}

/* Depth is bounded by OCI_BUILD_DEPTH_MAX. */
static int put_dir(struct build *b, int parent, const char *name, const struct stat *st)
{
	struct tar_entry e = {.type = TAR_DIR, .path = b->path, .link = ""};
	cleanup(free_ptr) struct xattrs *x = malloc(sizeof(*x));

	cleanup_fd int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || !x)
		return fail(b, fd < 0 ? -errno : -ENOMEM, "open the folder");
	if (b->path_size + 1 > TAR_PATH_MAX || b->depth == OCI_BUILD_DEPTH_MAX)
		return fail(b, -ENAMETOOLONG, "go deeper");
	b->path[b->path_size++] = '/';
	b->path[b->path_size] = 0;
	b->depth++;
	int r = read_xattrs(b, fd, x);
	e.xattrs = x->items;
	e.xattr_count = x->count;
	if (r == 0)
		r = put_header(b, &e, st);
	if (r == 0)
		r = put_children(b, fd);
	b->depth--;
	b->path[--b->path_size] = 0;
	return r;
}

static int put_tree(struct build *b, const char *rootfs)
{
	struct stat st;

	cleanup_fd int fd = open(rootfs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(b->reterr, -errno, "cannot open '%s': %s", rootfs, strerror(errno));
	struct tar_entry root = {.type = TAR_DIR, .path = "./", .link = ""};
	int r = put_header(b, &root, &st);
	if (r == 0)
		r = put_children(b, fd);
	tar_write_end(&b->tar);
	return r < 0 ? r : flush_tar(b);
}

/* --- documents -------------------------------------------------------------------------------- */

static void set_text(json_t *o, const char *name, const char *value)
{
	if (value)
		json_object_set_new(o, name, json_string(value));
}

static void set_json(json_t *o, const char *name, json_t *value)
{
	if (value)
		json_object_set(o, name, value);
}

static json_t *make_config(const struct oci_build_config *c, const struct oci_digest *diff_id)
{
	char text[OCI_DIGEST_TEXT_SIZE], created[RFC3339_SIZE];
	json_t *doc = json_object(), *run = json_object();

	if (c->created)
		set_text(doc, "created", rfc3339_format(c->created, created));
	set_text(doc, "architecture", c->architecture ? c->architecture : oci_host_architecture());
	set_text(doc, "os", "linux");
	set_text(run, "User", c->user);
	set_json(run, "Env", c->env);
	set_json(run, "Entrypoint", c->entrypoint);
	set_json(run, "Cmd", c->cmd);
	set_text(run, "WorkingDir", c->workdir);
	set_json(run, "Labels", c->labels);
	json_object_set_new(doc, "config", run);
	json_object_set_new(doc, "rootfs",
		json_pack("{s:s, s:[s]}", "type", "layers", "diff_ids",
			oci_digest_text(diff_id, text)));
	return doc;
}

static int put_document(struct oci_layout *l, json_t *doc, const char *type,
	struct oci_descriptor *ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf text = buf_init(OCI_DOCUMENT_MAX);

	*ret = (struct oci_descriptor){0};
	int r = doc ? json_write(doc, &text) : -ENOMEM;
	if (r == 0)
		r = str_copy(ret->media_type, sizeof(ret->media_type), type);
	if (r == 0)
		r = oci_layout_put(l, buf_slice(&text), &ret->digest, reterr);
	ret->size = text.size;
	return r;
}

static json_t *descriptor_json(const struct oci_descriptor *d)
{
	char text[OCI_DIGEST_TEXT_SIZE];
	return json_pack("{s:s, s:s, s:I}", "mediaType", d->media_type, "digest",
		oci_digest_text(&d->digest, text), "size", (json_int_t)d->size);
}

static int put_image(struct oci_layout *l, const struct oci_build_config *c,
	const struct oci_descriptor *layer, const struct oci_digest *diff_id,
	struct oci_descriptor *ret, struct err *reterr)
{
	cleanup(json_decref) json_t *config = make_config(c, diff_id), *manifest = NULL;
	struct oci_descriptor d;

	int r = put_document(l, config, OCI_TYPE_CONFIG, &d, reterr);
	if (r < 0)
		return r;
	manifest = json_pack("{s:i, s:s, s:o, s:[o]}", "schemaVersion", 2, "mediaType",
		OCI_TYPE_MANIFEST, "config", descriptor_json(&d), "layers", descriptor_json(layer));
	return put_document(l, manifest, OCI_TYPE_MANIFEST, ret, reterr);
}

int oci_build_rootfs(struct oci_layout *l, const char *rootfs,
	const struct oci_build_options *options, struct oci_descriptor *ret,
	struct oci_build_stats *ret_stats, struct err *reterr)
{
	cleanup(layer_writer_free) struct layer_writer *out = NULL;
	struct oci_build_stats stats = {0};
	static const char *const types[] = {[OCI_COMPRESSION_NONE] = OCI_TYPE_LAYER,
		[OCI_COMPRESSION_GZIP] = OCI_TYPE_LAYER "+gzip",
		[OCI_COMPRESSION_ZSTD] = OCI_TYPE_LAYER "+zstd"};
	struct oci_descriptor layer = {0};
	struct oci_digest diff_id;
	struct build b = {.opt = options,
		.stats = &stats,
		.reterr = reterr,
		.tar = buf_init(0),
		.links = buf_init(LINK_COUNT_MAX * sizeof(struct seen_link)),
		.link_paths = buf_init((size_t)256 << 20),
		.chunk = malloc(READ_SIZE)};

	int r = b.chunk ? str_copy(layer.media_type, sizeof(layer.media_type),
				  types[options->compression])
			: -ENOMEM;
	if (r == 0)
		r = layer_writer_new(&out, l, options->compression, options->level, reterr);
	b.out = out;
	if (r == 0)
		r = put_tree(&b, rootfs);
	if (r == 0)
		r = layer_writer_finish(out, &layer.digest, &layer.size, &diff_id, reterr);
	if (r == 0)
		r = put_image(l, &options->config, &layer, &diff_id, ret, reterr);
	if (r == 0) {
		stats.plain_size = layer_writer_plain_size(out);
		stats.blob_size = layer.size;
		*ret_stats = stats;
	}
	buf_done(&b.tar);
	buf_done(&b.links);
	buf_done(&b.link_paths);
	free(b.chunk);
	return r;
}
