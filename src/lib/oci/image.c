/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/fd.h"
#include "base/str.h"
#include "oci/hash.h"
#include "oci/layer.h"
#include "oci/ocicrypt_recipient.h"

#define READ_SIZE ((size_t)128 << 10)

/* --- sources ---------------------------------------------------------------------------------- */

static int layout_manifest(void *user, const char *name, struct buf *out, struct err *reterr)
{
	struct oci_descriptor d = {0};

	if (oci_digest_parse(&d.digest, slice_str(name)) == 0) {
		cleanup_fd int fd = oci_layout_blob_open(user, &d.digest, &d.size, reterr);
		if (fd < 0)
			return fd;
	} else {
		int r = oci_layout_find(user, name, &d, reterr);
		if (r < 0)
			return r;
	}
	return oci_layout_read(user, &d, out, reterr);
}

static int layout_blob(void *user, const struct oci_descriptor *d,
	int (*sink)(void *, struct slice, struct err *), void *sink_user, struct err *reterr)
{
	uint64_t size;
	cleanup(free_ptr) uint8_t *chunk = malloc(READ_SIZE);

	cleanup_fd int fd = oci_layout_blob_open(user, &d->digest, &size, reterr);
	if (fd < 0)
		return fd;
	if (!chunk)
		return -ENOMEM;
	for (;;) {
		ssize_t n = read(fd, chunk, READ_SIZE);
		if (n < 0)
			return err_set(reterr, -errno, "cannot read a blob: %s", strerror(errno));
		if (n == 0)
			return 0;
		int r = sink(sink_user, slice_of(chunk, (size_t)n), reterr);
		if (r < 0)
			return r;
	}
}

struct oci_source oci_layout_source(struct oci_layout *l)
{
	return (struct oci_source){layout_manifest, layout_blob, l};
}

static int append_sink(void *user, struct slice piece, struct err *reterr)
{
	buf_put_slice(user, piece);
	return buf_error(user);
}

int oci_source_read(const struct oci_source *s, const struct oci_descriptor *d, struct buf *out,
	struct err *reterr)
{
	char text[OCI_DIGEST_TEXT_SIZE];

	if (d->size > OCI_DOCUMENT_MAX)
		return err_set(reterr, -E2BIG, "blob %s: %llu bytes are over the limit",
			oci_digest_text(&d->digest, text), (unsigned long long)d->size);
	buf_clear(out);
	int r = s->blob(s->user, d, append_sink, out, reterr);
	if (r < 0)
		return r;
	if (out->size != d->size)
		return err_set(reterr, -EBADMSG, "blob %s: has %zu bytes, the descriptor says %llu",
			oci_digest_text(&d->digest, text), out->size, (unsigned long long)d->size);
	return oci_digest_check(&d->digest, buf_slice(out), "blob", reterr);
}

/* --- resolving -------------------------------------------------------------------------------- */

void oci_image_done(struct oci_image *i)
{
	buf_done(&i->manifest_json);
	buf_done(&i->config_json);
	oci_manifest_done(&i->manifest);
	oci_config_done(&i->config);
	*i = (struct oci_image){0};
}

/* Fetches a manifest; its digest is computed when the name does not give one. */
static int fetch_manifest(const struct oci_source *s, const char *name,
	const struct oci_digest *want, struct buf *out, struct oci_digest *ret, struct err *reterr)
{
	enum oci_digest_alg alg = want->alg == OCI_DIGEST_NONE ? OCI_DIGEST_SHA256 : want->alg;

	buf_clear(out);
	int r = s->manifest(s->user, name, out, reterr);
	if (r < 0)
		return r;
	if (want->alg != OCI_DIGEST_NONE) {
		r = oci_digest_check(want, buf_slice(out), "manifest", reterr);
		if (r < 0)
			return r;
	}
	return oci_digest_of(ret, alg, buf_slice(out));
}

/* The bytes are an index: go on to the platform's manifest. */
static int follow_index(
	struct oci_image *i, const struct oci_source *s, const char *arch, struct err *reterr)
{
	char name[OCI_DIGEST_TEXT_SIZE];
	struct oci_index index;

	int r = oci_index_parse(&index, buf_slice(&i->manifest_json), reterr);
	if (r < 0)
		return r;
	const struct oci_index_entry *e = oci_index_pick(&index, "linux", arch);
	if (!e) {
		oci_index_done(&index);
		return err_set(reterr, -ENOENT, "the image has no variant for linux/%s", arch);
	}
	i->index_digest = i->digest;
	struct oci_descriptor d = e->descriptor;
	oci_index_done(&index);
	r = fetch_manifest(s, oci_digest_text(&d.digest, name), &d.digest, &i->manifest_json,
		&i->digest, reterr);
	if (r == 0 && i->manifest_json.size != d.size)
		r = err_set(reterr, -EBADMSG, "manifest %s: has %zu bytes, the index says %llu",
			name, i->manifest_json.size, (unsigned long long)d.size);
	return r;
}

static int resolve(struct oci_image *i, const struct oci_source *s, const char *name,
	const struct oci_digest *want, const char *arch, struct err *reterr)
{
	bool is_index = false;

	i->manifest_json = buf_init(OCI_DOCUMENT_MAX);
	i->config_json = buf_init(OCI_DOCUMENT_MAX);
	int r = fetch_manifest(s, name, want, &i->manifest_json, &i->digest, reterr);
	if (r == 0)
		r = oci_is_index(buf_slice(&i->manifest_json), &is_index, reterr);
	if (r == 0 && is_index)
		r = follow_index(i, s, arch, reterr);
	if (r == 0)
		r = oci_manifest_parse(&i->manifest, buf_slice(&i->manifest_json), reterr);
	if (r == 0)
		r = oci_source_read(s, &i->manifest.config, &i->config_json, reterr);
	if (r == 0)
		r = oci_config_parse(&i->config, buf_slice(&i->config_json), reterr);
	if (r == 0 && i->config.diff_id_count != i->manifest.layer_count)
		r = err_set(reterr, -EBADMSG,
			"the manifest has %zu layers, the configuration describes %zu",
			i->manifest.layer_count, i->config.diff_id_count);
	return r;
}

int oci_image_resolve(struct oci_image *ret, const struct oci_source *s, const struct oci_ref *ref,
	const char *architecture, struct err *reterr)
{
	struct oci_image i = {0};
	char name[OCI_DIGEST_TEXT_SIZE], text[OCI_REF_TEXT_SIZE];

	int r = resolve(&i, s,
		ref->digest.alg != OCI_DIGEST_NONE ? oci_digest_text(&ref->digest, name) : ref->tag,
		&ref->digest, architecture, reterr);
	if (r < 0) {
		oci_image_done(&i);
		return err_wrap(reterr, r, "image '%s'", oci_ref_text(ref, text));
	}
	*ret = i;
	return 0;
}

int oci_image_from_digest(struct oci_image *ret, const struct oci_source *s,
	const struct oci_digest *digest, const char *architecture, struct err *reterr)
{
	struct oci_image i = {0};
	char name[OCI_DIGEST_TEXT_SIZE];

	int r = resolve(&i, s, oci_digest_text(digest, name), digest, architecture, reterr);
	if (r < 0)
		oci_image_done(&i);
	else
		*ret = i;
	return r;
}

/* --- layers ----------------------------------------------------------------------------------- */

/* The private options of a packet for a key broker. */
static int open_provider(
	struct slice json, const struct oci_fetcher *keks, struct secret *ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf kek = buf_init_secret(OCICRYPT_OPTIONS_MAX);
	cleanup_with(ocicrypt_packet_done) struct ocicrypt_packet packet = {0};

	int r = ocicrypt_packet_parse(&packet, json, reterr);
	if (r == 0)
		r = keks->get(keks->user, packet.kid, &kek, reterr);
	return r == 0 ? ocicrypt_packet_unwrap(&packet, buf_slice(&kek), ret, reterr) : r;
}

/* One element of the annotation's comma-separated list. */
static int try_packet(const struct oci_descriptor *layer, const char *annotation,
	struct slice element, const struct oci_fetcher *keks, struct ocicrypt_key *ret,
	struct err *reterr)
{
	cleanup_with(buf_done) struct buf packet = buf_init(OCICRYPT_OPTIONS_MAX);
	cleanup_with(buf_done) struct buf pub = buf_init(OCICRYPT_OPTIONS_MAX);
	cleanup_with(secret_done) struct secret options = {0};
	const char *pubopts = oci_descriptor_annotation(layer, OCICRYPT_ANNOTATION_PUBOPTS);

	if (!pubopts || b64_decode(&pub, slice_str(pubopts), B64_STD) < 0)
		return err_set(reterr, -EBADMSG, "encrypted layer: bad or missing annotation '%s'",
			OCICRYPT_ANNOTATION_PUBOPTS);
	if (b64_decode(&packet, element, B64_STD) < 0)
		return err_set(reterr, -EBADMSG, "encrypted layer: a key packet is not base64");
	int r = str_starts(annotation, OCICRYPT_ANNOTATION_PROVIDER)
			? open_provider(buf_slice(&packet), keks, &options, reterr)
			: ocicrypt_recipient_open(keks->recipient, annotation, buf_slice(&packet),
				  &options, reterr);
	return r < 0 ? r
		     : ocicrypt_key_from_options(
			       ret, buf_slice(&pub), secret_slice(&options), reterr);
}

int oci_layer_key(const struct oci_descriptor *layer, const struct oci_fetcher *keks,
	struct ocicrypt_key *ret, struct err *reterr)
{
	const char *name;
	json_t *v;
	/* The provider's name in the annotation is the encryptor's choice, so any is tried. */
	int r = err_set(reterr, -ENOKEY, "encrypted layer: no annotation '%s*' carries its key",
		OCICRYPT_ANNOTATION_PROVIDER);

	json_object_foreach (layer->annotations, name, v) {
		struct slice list = slice_str(json_string_value(v));
		if (!str_starts(name, OCICRYPT_ANNOTATION_PROVIDER) &&
			!ocicrypt_recipient_reads(keks->recipient, name))
			continue;
		while (list.size > 0) {
			const uint8_t *comma = memchr(list.data, ',', list.size);
			struct slice one = slice_of(
				list.data, comma ? (size_t)(comma - list.data) : list.size);
			r = try_packet(layer, name, one, keks, ret, reterr);
			if (r == 0)
				return 0;
			list = slice_cut(list, one.size + 1, SIZE_MAX);
		}
	}
	return r;
}

struct unpack_run {
	const struct oci_image *image;
	const struct oci_source *source;
	const struct oci_fetcher *keks;
	const struct oci_progress *progress;
	struct unpacker *unpacker;
	struct layer *layer; /* the one that is running */
	uint64_t done, total, shown_ms;
	uint64_t total_max;
};

static int tar_sink(void *user, struct slice piece, struct err *reterr)
{
	struct unpack_run *u = user;
	return unpack_layer_feed(u->unpacker, piece, reterr);
}

static int blob_sink(void *user, struct slice piece, struct err *reterr)
{
	struct unpack_run *u = user;

	u->done += piece.size;
	if (u->progress && u->progress->bytes) {
		uint64_t now = clock_mono_ms();
		if (now - u->shown_ms >= 100 || u->done == u->total) {
			u->shown_ms = now;
			u->progress->bytes(u->progress->user, u->done, u->total);
		}
	}
	return layer_feed(u->layer, piece, reterr);
}

static int run_layer(struct unpack_run *u, size_t n, const struct ocicrypt_key *key,
	enum oci_compression compression, struct err *reterr)
{
	cleanup(layer_free) struct layer *layer = NULL;
	const struct oci_descriptor *d = &u->image->manifest.layers[n];
	struct layer_options opt = {.blob = *d,
		.compression = compression,
		.key = key,
		.diff_id = &u->image->config.diff_ids[n],
		.sink = tar_sink,
		.user = u,
		/* Headers and padding come on top of the files' bytes. */
		.plain_max = u->total_max + u->total_max / 4 + ((uint64_t)64 << 20)};

	int r = layer_new(&layer, &opt, reterr);
	if (r == 0)
		r = unpack_layer_begin(u->unpacker, reterr);
	if (r < 0)
		return r;
	u->layer = layer;
	r = u->source->blob(u->source->user, d, blob_sink, u, reterr);
	u->layer = NULL;
	if (r == 0)
		r = layer_finish(layer, reterr);
	return r < 0 ? r : unpack_layer_end(u->unpacker, reterr);
}

static int unpack_one(struct unpack_run *u, size_t n, struct err *reterr)
{
	const struct oci_descriptor *d = &u->image->manifest.layers[n];
	cleanup_with(ocicrypt_key_done) struct ocicrypt_key key = {0};
	enum oci_compression compression;
	bool encrypted;

	int r = oci_layer_type(d->media_type, &compression, &encrypted);
	if (r < 0)
		return err_set(reterr, r, "unsupported media type '%s'", d->media_type);
	if (encrypted)
		r = oci_layer_key(d, u->keks, &key, reterr);
	return r < 0 ? r : run_layer(u, n, encrypted ? &key : NULL, compression, reterr);
}

int oci_image_unpack(const struct oci_image *i, const struct oci_source *s,
	const struct oci_fetcher *keks, int root_fd, const struct unpack_options *options,
	const struct oci_progress *progress, struct unpack_stats *ret_stats, struct err *reterr)
{
	cleanup(unpack_free) struct unpacker *unpacker = unpack_new(root_fd, options);
	struct unpack_run u = {.image = i,
		.source = s,
		.keks = keks,
		.progress = progress,
		.unpacker = unpacker,
		.total_max = options && options->total_max ? options->total_max : UNPACK_TOTAL_MAX};
	char text[OCI_DIGEST_TEXT_SIZE];

	if (!unpacker)
		return err_set(reterr, -ENOMEM, "out of memory");
	for (size_t n = 0; n < i->manifest.layer_count; n++)
		u.total += i->manifest.layers[n].size;
	for (size_t n = 0; n < i->manifest.layer_count; n++) {
		int r = unpack_one(&u, n, reterr);
		if (r < 0)
			return err_wrap(reterr, r, "layer %zu (%s)", n + 1,
				oci_digest_text(&i->manifest.layers[n].digest, text));
	}
	if (ret_stats)
		*ret_stats = *unpack_stats(unpacker);
	return 0;
}
