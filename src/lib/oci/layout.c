/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/layout.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "oci/hash.h"

#define REF_NAME "org.opencontainers.image.ref.name"

struct oci_layout {
	char path[PATH_MAX];
	int fd;
	struct oci_index parsed;
};

struct oci_blob_writer {
	struct oci_layout *layout;
	struct oci_hash *hash;
	uint64_t size;
	int fd;
	char name[64];
};

static int fail(const struct oci_layout *l, int code, const char *what, struct err *reterr)
{
	(void)err_set(reterr, code, "OCI layout '%s': %s", l->path, what);
	return code;
}

static int load_index(struct oci_layout *l, struct err *reterr)
{
	char path[PATH_MAX + 16];
	cleanup_with(buf_done) struct buf text = buf_init(OCI_DOCUMENT_MAX);

	snprintf(path, sizeof(path), "%s/index.json", l->path);
	int r = file_read(path, OCI_DOCUMENT_MAX, &text, reterr);
	if (r < 0)
		return r;
	struct oci_index parsed;
	r = oci_index_parse(&parsed, buf_slice(&text), reterr);
	if (r < 0)
		return r;
	oci_index_done(&l->parsed);
	l->parsed = parsed;
	return 0;
}

static int check_version(struct oci_layout *l, struct err *reterr)
{
	char path[PATH_MAX + 16];
	cleanup_with(buf_done) struct buf text = buf_init(4096);
	json_t *doc = NULL;

	snprintf(path, sizeof(path), "%s/oci-layout", l->path);
	int r = file_read(path, 4096, &text, reterr);
	if (r == -ENOENT)
		return fail(l, -ENOENT, "not an OCI image layout (no file 'oci-layout')", reterr);
	if (r < 0)
		return r;
	r = oci_json_parse(&doc, buf_slice(&text), "oci-layout", reterr);
	if (r < 0)
		return r;
	const char *version = json_string_value(json_object_get(doc, "imageLayoutVersion"));
	bool ok = version && str_starts(version, "1.0.");
	json_decref(doc);
	return ok ? 0 : fail(l, -EOPNOTSUPP, "unsupported imageLayoutVersion", reterr);
}

static int write_file(
	const struct oci_layout *l, const char *name, struct slice content, struct err *reterr)
{
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/%s", l->path, name);
	return file_write_atomic(path, content, 0644, reterr);
}

static int create_layout(struct oci_layout *l, struct err *reterr)
{
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/oci-layout", l->path);
	if (access(path, F_OK) == 0)
		return 0;
	snprintf(path, sizeof(path), "%s/blobs/sha256", l->path);
	int r = path_make_dirs(path, 0755);
	if (r < 0)
		return err_set(reterr, r, "cannot create '%s': %s", path, strerror(-r));
	r = write_file(l, "index.json",
		SLICE_LIT("{\"schemaVersion\":2,\"mediaType\":\"" OCI_TYPE_INDEX
			  "\",\"manifests\":[]}"),
		reterr);
	/* Last, because its presence says that the layout is complete. */
	return r < 0 ? r
		     : write_file(l, "oci-layout", SLICE_LIT("{\"imageLayoutVersion\":\"1.0.0\"}"),
			       reterr);
}

int oci_layout_open(struct oci_layout **ret, const char *path, bool create, struct err *reterr)
{
	cleanup(oci_layout_free) struct oci_layout *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->fd = -1;
	if (str_copy(l->path, sizeof(l->path), path) < 0)
		return err_set(reterr, -ENAMETOOLONG, "'%.100s...': the path is too long", path);
	int r = create ? create_layout(l, reterr) : 0;
	if (r == 0)
		r = check_version(l, reterr);
	if (r < 0)
		return r;
	l->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (l->fd < 0)
		return err_set(reterr, -errno, "cannot open '%s': %s", path, strerror(errno));
	r = load_index(l, reterr);
	if (r == 0)
		*ret = steal_ptr(l);
	return r;
}

void oci_layout_free(struct oci_layout *l)
{
	if (!l)
		return;
	if (l->fd >= 0)
		close(l->fd);
	oci_index_done(&l->parsed);
	free(l);
}

const char *oci_layout_path(const struct oci_layout *l)
{
	return l->path;
}

int oci_layout_find(
	struct oci_layout *l, const char *name, struct oci_descriptor *ret, struct err *reterr)
{
	const struct oci_index *i = &l->parsed;

	if (!name) {
		if (i->entry_count == 1) {
			*ret = i->entries[0].descriptor;
			return 0;
		}
		return fail(l, i->entry_count ? -EINVAL : -ENOENT,
			i->entry_count ? "holds several images; name one as PATH:TAG"
				       : "holds no image",
			reterr);
	}
	for (size_t k = 0; k < i->entry_count; k++) {
		const char *have = oci_descriptor_annotation(&i->entries[k].descriptor, REF_NAME);
		if (have && streq(have, name)) {
			*ret = i->entries[k].descriptor;
			return 0;
		}
	}
	return err_set(
		reterr, -ENOENT, "OCI layout '%s': holds no image named '%s'", l->path, name);
}

static void blob_path(const struct oci_digest *d, char dst[256])
{
	char hex[OCI_DIGEST_TEXT_SIZE];

	snprintf(dst, 256, "blobs/%s/%s", oci_digest_name(d->alg), oci_digest_hex(d, hex));
}

int oci_layout_blob_open(struct oci_layout *l, const struct oci_digest *digest, uint64_t *ret_size,
	struct err *reterr)
{
	char path[256];
	struct stat st;

	blob_path(digest, path);
	cleanup_fd int fd = path_open_in(l->fd, path, O_RDONLY, 0);
	if (fd < 0)
		return err_set(
			reterr, fd, "OCI layout '%s': blob '%s': %s", l->path, path, strerror(-fd));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return fail(l, -EBADMSG, "a blob is not a file", reterr);
	*ret_size = (uint64_t)st.st_size;
	return steal_fd(&fd);
}

int oci_layout_read(
	struct oci_layout *l, const struct oci_descriptor *d, struct buf *out, struct err *reterr)
{
	uint64_t size = 0;

	cleanup_fd int fd = oci_layout_blob_open(l, &d->digest, &size, reterr);
	if (fd < 0)
		return fd;
	if (size > OCI_DOCUMENT_MAX)
		return fail(l, -E2BIG, "a document is over the limit", reterr);
	if (size != d->size)
		return fail(
			l, -EBADMSG, "a blob has another size than its descriptor says", reterr);
	buf_clear(out);
	int r = fd_read_all(fd, out);
	if (r < 0)
		return fail(l, r, "cannot read a blob", reterr);
	return oci_digest_check(&d->digest, buf_slice(out), "blob", reterr);
}

static int store_index(struct oci_layout *l, json_t *doc, struct err *reterr)
{
	char *text = json_dumps(doc, JSON_COMPACT);

	if (!text)
		return -ENOMEM;
	int r = write_file(l, "index.json", slice_str(text), reterr);
	free(text);
	return r < 0 ? r : load_index(l, reterr);
}

int oci_layout_tag(struct oci_layout *l, const char *name, const char *media_type,
	const struct oci_digest *digest, uint64_t size, struct err *reterr)
{
	char text[OCI_DIGEST_TEXT_SIZE];
	json_t *manifests = json_object_get(l->parsed.doc, "manifests"), *o;
	size_t i;

	json_array_foreach (manifests, i, o) {
		const char *have = json_string_value(
			json_object_get(json_object_get(o, "annotations"), REF_NAME));
		if (have && streq(have, name)) {
			json_array_remove(manifests, i);
			break;
		}
	}
	o = json_pack("{s:s, s:s, s:I, s:{s:s}}", "mediaType", media_type, "digest",
		oci_digest_text(digest, text), "size", (json_int_t)size, "annotations", REF_NAME,
		name);
	if (!o || json_array_append_new(manifests, o) < 0)
		return -ENOMEM;
	return store_index(l, l->parsed.doc, reterr);
}

int oci_blob_writer_new(struct oci_blob_writer **ret, struct oci_layout *l, struct err *reterr)
{
	static unsigned counter;
	cleanup(oci_blob_writer_free) struct oci_blob_writer *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->layout = l;
	w->fd = -1;
	snprintf(w->name, sizeof(w->name), "blobs/.tmp-%d-%u", (int)getpid(), counter++);
	w->fd = path_open_in(l->fd, w->name, O_WRONLY | O_CREAT | O_EXCL, 0644);
	if (w->fd < 0)
		return fail(l, w->fd, "cannot create a blob", reterr);
	int r = oci_hash_new(&w->hash, OCI_DIGEST_SHA256);
	if (r < 0)
		return r;
	*ret = steal_ptr(w);
	return 0;
}

void oci_blob_writer_free(struct oci_blob_writer *w)
{
	if (!w)
		return;
	if (w->fd >= 0) {
		close(w->fd);
		unlinkat(w->layout->fd, w->name, 0);
	}
	oci_hash_free(w->hash);
	free(w);
}

int oci_blob_writer_put(struct oci_blob_writer *w, struct slice data, struct err *reterr)
{
	oci_hash_update(w->hash, data);
	w->size += data.size;
	int r = fd_write_full(w->fd, data.data, data.size);
	return r < 0 ? fail(w->layout, r, strerror(-r), reterr) : 0;
}

int oci_blob_writer_finish(struct oci_blob_writer *w, struct oci_digest *ret_digest,
	uint64_t *ret_size, struct err *reterr)
{
	char path[256];

	int r = oci_hash_final(w->hash, ret_digest);
	if (r < 0)
		return fail(w->layout, r, "cannot compute a digest", reterr);
	blob_path(ret_digest, path);
	if (renameat(w->layout->fd, w->name, w->layout->fd, path) < 0)
		return fail(w->layout, -errno, "cannot name a blob", reterr);
	close(steal_fd(&w->fd));
	*ret_size = w->size;
	return 0;
}

int oci_layout_put(
	struct oci_layout *l, struct slice data, struct oci_digest *ret_digest, struct err *reterr)
{
	cleanup(oci_blob_writer_free) struct oci_blob_writer *w = NULL;
	uint64_t size = 0;

	int r = oci_blob_writer_new(&w, l, reterr);
	if (r < 0)
		return r;
	r = oci_blob_writer_put(w, data, reterr);
	return r < 0 ? r : oci_blob_writer_finish(w, ret_digest, &size, reterr);
}
