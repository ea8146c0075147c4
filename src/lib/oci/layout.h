/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Images on disk: OCI image layouts (a directory of blobs) and OCI archives (the same as a tar).
 *
 * Blobs are written under a temporary name, hashed on the way and renamed to their digest, so a
 * layout never holds a blob under a wrong name because of an interruption. Blobs that are read are
 * checked against their digest every time: a layout is as foreign as a registry.
 *
 * Spec: OCI image-spec 1.1, image-layout.md.
 */
#include "base/buf.h"
#include "oci/manifest.h"

struct oci_layout;

/**
 * oci_layout_open() - open a layout
 * @create: make the directory and an empty index when there is none
 * Return: 0; -ENOENT; -EBADMSG not a layout; -EOPNOTSUPP its version.
 */
must_check int oci_layout_open(
	struct oci_layout **ret, const char *path, bool create, struct err *reterr);
void oci_layout_free(struct oci_layout *l);
DEFINE_CLEANUP(struct oci_layout *, oci_layout_free);
/** oci_layout_path() - the folder as it was given; borrowed */
const char *oci_layout_path(const struct oci_layout *l);

/**
 * oci_layout_find() - the manifest of a name
 * @name: value of the annotation org.opencontainers.image.ref.name; NULL takes the only entry
 * @ret: the descriptor in the index (may be of an image index); borrowed annotations
 *
 * Return: 0; -ENOENT; -EINVAL several entries and no name.
 */
must_check int oci_layout_find(
	struct oci_layout *l, const char *name, struct oci_descriptor *ret, struct err *reterr);
/**
 * oci_layout_blob_open() - a blob's fd and size; the caller checks the digest
 * @ret_size: bytes, as the file system has them
 * Return: an fd, to be closed; -ENOENT; -EBADMSG not a regular file; errno of opening.
 */
must_check int oci_layout_blob_open(struct oci_layout *l, const struct oci_digest *digest,
	uint64_t *ret_size, struct err *reterr);
/** oci_layout_read() - append a whole small blob; digest, size and OCI_DOCUMENT_MAX checked */
must_check int oci_layout_read(
	struct oci_layout *l, const struct oci_descriptor *d, struct buf *out, struct err *reterr);
/** oci_layout_tag() - point @name at a manifest, replacing an older entry of that name; durable */
must_check int oci_layout_tag(struct oci_layout *l, const char *name, const char *media_type,
	const struct oci_digest *digest, uint64_t size, struct err *reterr);

/* A blob being written. */
struct oci_blob_writer;
/** oci_blob_writer_new() - under a temporary name in @l, which must outlive it. Return: 0, errno. */
must_check int oci_blob_writer_new(
	struct oci_blob_writer **ret, struct oci_layout *l, struct err *reterr);
/** oci_blob_writer_free() - without a finish the blob vanishes */
void oci_blob_writer_free(struct oci_blob_writer *w);
DEFINE_CLEANUP(struct oci_blob_writer *, oci_blob_writer_free);
/** oci_blob_writer_put() - append. Return: 0, -ENOSPC and kin. */
must_check int oci_blob_writer_put(
	struct oci_blob_writer *w, struct slice data, struct err *reterr);
/** oci_blob_writer_finish() - give the blob its name; SHA-256 */
must_check int oci_blob_writer_finish(struct oci_blob_writer *w, struct oci_digest *ret_digest,
	uint64_t *ret_size, struct err *reterr);
/** oci_layout_put() - write a whole blob */
must_check int oci_layout_put(
	struct oci_layout *l, struct slice data, struct oci_digest *ret_digest, struct err *reterr);

/**
 * oci_archive_unpack() - unpack an OCI or docker-save archive (tar, or gzip of it) into a folder
 * @dir: existing empty folder; afterwards an OCI layout
 */
must_check int oci_archive_unpack(const char *archive, const char *dir, struct err *reterr);
