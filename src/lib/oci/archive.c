/* SPDX-License-Identifier: Apache-2.0 */
/* Archives of layouts. An archive is unpacked like a layer: it is just as foreign. */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "oci/hash.h"
#include "oci/layout.h"
#include "oci/unpack.h"

#define READ_SIZE ((size_t)128 << 10)

/* gzread() passes plain files through, so one loop reads .tar and .tar.gz. */
static int feed_all(gzFile f, struct unpacker *u, struct err *reterr)
{
	cleanup(free_ptr) uint8_t *chunk = malloc(READ_SIZE);

	if (!chunk)
		return -ENOMEM;
	for (;;) {
		int n = gzread(f, chunk, READ_SIZE);
		if (n < 0)
			return err_set(reterr, -EBADMSG, "cannot read or decompress it");
		if (n == 0)
			return unpack_layer_end(u, reterr);
		int r = unpack_layer_feed(u, slice_of(chunk, (size_t)n), reterr);
		if (r < 0)
			return r;
	}
}

static int unpack_file(const char *archive, int dir, struct err *reterr)
{
	struct unpack_options opt = {.no_owner = true, .entry_max = 100000};
	cleanup(unpack_free) struct unpacker *u = unpack_new(dir, &opt);
	gzFile f = gzopen(archive, "rbe");

	if (!f)
		return err_set(reterr, errno ? -errno : -ENOMEM, "cannot open '%s'", archive);
	int r = u ? unpack_layer_begin(u, reterr) : -ENOMEM;
	if (r == 0)
		r = feed_all(f, u, reterr);
	gzclose_r(f);
	return r < 0 ? err_wrap(reterr, r, "archive '%s'", archive) : 0;
}

/* Moves a file of a docker-save archive to its place among the blobs. */
static int adopt(struct oci_layout *l, int dir, const char *name, struct oci_digest *ret_digest,
	uint64_t *ret_size, struct err *reterr)
{
	cleanup(oci_blob_writer_free) struct oci_blob_writer *w = NULL;
	cleanup(free_ptr) uint8_t *chunk = malloc(READ_SIZE);

	cleanup_fd int fd = path_open_in(dir, name, O_RDONLY, 0);
	if (fd < 0)
		return err_set(reterr, fd, "docker archive: '%s': %s", name, strerror(-fd));
	int r = chunk ? oci_blob_writer_new(&w, l, reterr) : -ENOMEM;
	while (r == 0) {
		ssize_t n = read(fd, chunk, READ_SIZE);
		if (n <= 0) {
			r = n < 0 ? -errno : 0;
			break;
		}
		r = oci_blob_writer_put(w, slice_of(chunk, (size_t)n), reterr);
	}
	return r < 0 ? r : oci_blob_writer_finish(w, ret_digest, ret_size, reterr);
}

static json_t *descriptor(const char *type, const struct oci_digest *d, uint64_t size)
{
	char text[OCI_DIGEST_TEXT_SIZE];
	return json_pack("{s:s, s:s, s:I}", "mediaType", type, "digest", oci_digest_text(d, text),
		"size", (json_int_t)size);
}

/* One image of manifest.json: {"Config": FILE, "RepoTags": [...], "Layers": [FILE...]} */
static int convert_image(struct oci_layout *l, int dir, json_t *image, struct err *reterr)
{
	const char *config = json_string_value(json_object_get(image, "Config"));
	json_t *layers = json_array(), *files = json_object_get(image, "Layers"), *file;
	struct oci_digest d = {0};
	uint64_t size = 0;
	size_t i;

	if (!config || json_array_size(files) > OCI_LAYER_COUNT_MAX)
		return err_set(reterr, -EBADMSG, "docker archive: bad manifest.json");
	json_array_foreach (files, i, file) {
		const char *name = json_string_value(file);
		int r = name ? adopt(l, dir, name, &d, &size, reterr) : -EBADMSG;
		if (r < 0)
			return r;
		json_array_append_new(layers, descriptor(OCI_TYPE_LAYER, &d, size));
	}
	int r = adopt(l, dir, config, &d, &size, reterr);
	if (r < 0)
		return r;
	json_t *m = json_pack("{s:i, s:s, s:o, s:o}", "schemaVersion", 2, "mediaType",
		OCI_TYPE_MANIFEST, "config", descriptor(OCI_TYPE_CONFIG, &d, size), "layers",
		layers);
	char *text = m ? json_dumps(m, JSON_COMPACT) : NULL;
	json_decref(m);
	if (!text)
		return -ENOMEM;
	r = oci_layout_put(l, slice_str(text), &d, reterr);
	if (r == 0)
		r = oci_layout_tag(l, "latest", OCI_TYPE_MANIFEST, &d, strlen(text), reterr);
	free(text);
	return r;
}

static int convert_docker(const char *dir_path, int dir, struct err *reterr)
{
	cleanup(oci_layout_free) struct oci_layout *l = NULL;
	cleanup_with(buf_done) struct buf text = buf_init(OCI_DOCUMENT_MAX);
	json_t *doc = NULL;

	cleanup_fd int fd = path_open_in(dir, "manifest.json", O_RDONLY, 0);
	if (fd < 0)
		return err_set(reterr, -EBADMSG, "neither an OCI nor a docker archive");
	int r = fd_read_all(fd, &text);
	if (r == 0)
		r = oci_json_parse(&doc, buf_slice(&text), "manifest.json", reterr);
	if (r < 0)
		return r;
	if (json_array_size(doc) != 1)
		r = err_set(reterr, -EINVAL, "docker archive: must hold exactly one image");
	if (r == 0)
		r = oci_layout_open(&l, dir_path, true, reterr);
	if (r == 0)
		r = convert_image(l, dir, json_array_get(doc, 0), reterr);
	json_decref(doc);
	return r;
}

int oci_archive_unpack(const char *archive, const char *dir_path, struct err *reterr)
{
	cleanup_fd int dir = open(dir_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return err_set(reterr, -errno, "cannot open '%s': %s", dir_path, strerror(errno));
	int r = unpack_file(archive, dir, reterr);
	if (r < 0 || faccessat(dir, "oci-layout", F_OK, 0) == 0)
		return r;
	return convert_docker(dir_path, dir, reterr);
}
