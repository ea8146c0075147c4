/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Image manifests, indexes and configurations, of OCI and of Docker (v2 schema 2).
 *
 * The bytes of a manifest are what digests and signatures cover, so they are parsed as they came
 * and never re-serialised on the reading side. Duplicate members are refused: two readers of one
 * document must not see two images.
 *
 * Spec: OCI image-spec 1.1 (manifest.md, image-index.md, config.md, descriptor.md); Docker image
 * manifest version 2, schema 2.
 */
#include <jansson.h>

#include "oci/digest.h"

#define OCI_DOCUMENT_MAX (4u << 20) /* bytes of a manifest, index or config */
#define OCI_LAYER_COUNT_MAX 256u
#define OCI_INDEX_COUNT_MAX 1024u
#define OCI_BLOB_MAX ((uint64_t)64 << 30) /* bytes a descriptor may claim */
#define OCI_MEDIA_TYPE_MAX 127u

#define OCI_TYPE_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define OCI_TYPE_INDEX "application/vnd.oci.image.index.v1+json"
#define OCI_TYPE_CONFIG "application/vnd.oci.image.config.v1+json"
#define OCI_TYPE_LAYER "application/vnd.oci.image.layer.v1.tar"
#define OCI_TYPE_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define OCI_TYPE_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define OCI_TYPE_DOCKER_LAYER "application/vnd.docker.image.rootfs.diff.tar"

enum oci_compression { OCI_COMPRESSION_NONE, OCI_COMPRESSION_GZIP, OCI_COMPRESSION_ZSTD };

/**
 * struct oci_descriptor - a reference to a blob
 * @annotations: borrowed from the document; NULL when absent; values are checked to be strings
 */
struct oci_descriptor {
	char media_type[OCI_MEDIA_TYPE_MAX + 1];
	struct oci_digest digest;
	uint64_t size;
	json_t *annotations;
};

/** oci_descriptor_annotation() - value of an annotation, borrowed; NULL when absent */
const char *oci_descriptor_annotation(const struct oci_descriptor *d, const char *name);

/**
 * oci_layer_type() - what a layer's media type says about its bytes
 * Return: 0; -EOPNOTSUPP this is not the type of a layer that husk can unpack.
 */
must_check int oci_layer_type(
	const char *media_type, enum oci_compression *ret_compression, bool *ret_encrypted);

struct oci_manifest {
	json_t *doc; /* owned */
	char media_type[OCI_MEDIA_TYPE_MAX + 1];
	struct oci_descriptor config;
	struct oci_descriptor *layers; /* owned array */
	size_t layer_count;
};
/**
 * oci_manifest_parse() - a manifest of either kind
 * Return: 0; -EBADMSG; -E2BIG over a limit; -EOPNOTSUPP another document (an index, schema 1).
 */
must_check int oci_manifest_parse(struct oci_manifest *ret, struct slice json, struct err *reterr);
void oci_manifest_done(struct oci_manifest *m);

struct oci_index_entry {
	struct oci_descriptor descriptor;
	const char *os, *architecture, *variant; /* borrowed; "" when absent */
};
struct oci_index {
	json_t *doc; /* owned */
	struct oci_index_entry *entries;
	size_t entry_count;
};
/** oci_index_parse() - an OCI index or Docker manifest list. Return: as oci_manifest_parse(). */
must_check int oci_index_parse(struct oci_index *ret, struct slice json, struct err *reterr);
void oci_index_done(struct oci_index *i);
/** oci_index_pick() - the first entry of a platform; NULL when there is none */
const struct oci_index_entry *oci_index_pick(
	const struct oci_index *i, const char *os, const char *architecture);
/** oci_is_index() - tell an index from a manifest by its mediaType or its members */
must_check int oci_is_index(struct slice json, bool *ret, struct err *reterr);

/**
 * struct oci_config - an image configuration
 * @diff_ids: digests of the uncompressed layers, the lowest first
 */
struct oci_config {
	json_t *doc; /* owned */
	const char *os, *architecture;
	struct oci_digest *diff_ids; /* owned array */
	size_t diff_id_count;
};
must_check int oci_config_parse(struct oci_config *ret, struct slice json, struct err *reterr);
void oci_config_done(struct oci_config *c);

/** oci_host_architecture() - this machine's name in OCI words: amd64, arm64, s390x... */
const char *oci_host_architecture(void);
/**
 * oci_json_parse() - json_parse() with this module's limit, and errors that name the document
 * Return: 0 with a new reference, -E2BIG, -EBADMSG (duplicates, trailing bytes, bad UTF-8).
 */
must_check int oci_json_parse(
	json_t **ret, struct slice json, const char *what, struct err *reterr);
