/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * An image as a whole: find its manifest, decide whether it may be used, unpack it.
 *
 * The order is the point. oci_image_resolve() fetches manifest and configuration and ties every
 * byte to the manifest's digest. oci_image_verify() applies the signature policy to that digest.
 * Only then oci_image_unpack() fetches layers, in order, each through the pipeline of layer.h, into
 * a directory that the caller puts to use only after success. There is no cache that could be hit
 * before the policy is asked.
 *
 * Where bytes come from is a struct oci_source: a registry (registry.h) or a layout on disk.
 */
#include "base/secret.h"
#include "crypto/key.h"
#include "oci/layout.h"
#include "oci/ocicrypt.h"
#include "oci/pgp.h"
#include "oci/policy.h"
#include "oci/unpack.h"

/**
 * struct oci_source - where manifests and blobs come from; foreign in every case
 * @manifest: append the manifest named by a tag or by the text of a digest; -ENOENT when absent
 * @blob: pass the bytes of a blob to @sink in order, each exactly once, at most d->size of them;
 *   the receiver checks the digest
 * @simple: OpenPGP signatures; NULL: there are none, or nobody to read them
 */
struct oci_simple;
struct oci_source {
	int (*manifest)(void *user, const char *name, struct buf *out, struct err *reterr);
	int (*blob)(void *user, const struct oci_descriptor *d,
		int (*sink)(void *sink_user, struct slice piece, struct err *reterr),
		void *sink_user, struct err *reterr);
	void *user;
	const struct oci_simple *simple;
};

/**
 * struct oci_simple - where simple signatures are and who reads them
 * @get: append signature @n (from 1) of a manifest of @ref; -ENOENT when there are no more
 * @now: seconds since the epoch
 */
struct oci_simple {
	const struct oci_pgp *pgp;
	int64_t now;
	int (*get)(void *user, const struct oci_ref *ref, const struct oci_digest *manifest,
		unsigned n, struct buf *out, struct err *reterr);
	void *user;
};
/** oci_layout_source() - a layout as a source; borrowed */
struct oci_source oci_layout_source(struct oci_layout *l);

/** oci_source_read() - append a whole small blob; its size, digest and OCI_DOCUMENT_MAX checked */
must_check int oci_source_read(const struct oci_source *s, const struct oci_descriptor *d,
	struct buf *out, struct err *reterr);

/**
 * struct oci_image - a resolved image; release with oci_image_done()
 * @digest: of the manifest bytes
 * @index_digest: of the index that led to the manifest; unset when there was none
 */
struct oci_image {
	struct buf manifest_json, config_json;
	struct oci_digest digest, index_digest;
	struct oci_manifest manifest;
	struct oci_config config;
};
void oci_image_done(struct oci_image *i);
/**
 * oci_image_resolve() - manifest and configuration of an image
 * @ref: when it holds a digest, the manifest (or index) must have it
 * @architecture: which entry of an index to take; the operating system is linux
 *
 * Return: 0; -ENOENT; -EBADMSG malformed, or a digest or size does not agree; -E2BIG; -EOPNOTSUPP.
 */
must_check int oci_image_resolve(struct oci_image *ret, const struct oci_source *s,
	const struct oci_ref *ref, const char *architecture, struct err *reterr);
/** oci_image_from_digest() - likewise for a manifest whose digest is known */
must_check int oci_image_from_digest(struct oci_image *ret, const struct oci_source *s,
	const struct oci_digest *digest, const char *architecture, struct err *reterr);

struct ocicrypt_recipient;

/**
 * struct oci_fetcher - how keys and KEKs are found: get() appends the resource named @uri
 * @recipient: key pairs that layers may be encrypted for (ocicrypt_recipient.h); NULL: none
 */
struct oci_fetcher {
	int (*get)(void *user, const char *uri, struct buf *out, struct err *reterr);
	void *user;
	const struct ocicrypt_recipient *recipient;
};

enum oci_verdict { OCI_VERDICT_DENY = 0, OCI_VERDICT_ALLOW };

/**
 * oci_image_verify() - apply a policy
 * @signatures: where the signature image is looked for; usually the image's own source
 * @keys: reads a requirement's keyPath
 * @ret: OCI_VERDICT_ALLOW only when every requirement of the matching scope is met
 *
 * A failure to find out is a refusal too. Return: 0 when allowed; -EACCES refused; -EKEYREJECTED no
 * signature holds; other negative errno. @reterr names the scope and the reason.
 */
must_check int oci_image_verify(const struct oci_image *i, const struct oci_ref *ref,
	const struct oci_source *signatures, const struct oci_policy *policy,
	const struct oci_fetcher *keys, enum oci_verdict *ret, struct err *reterr);
/** oci_image_verify_key() - is there a good signature under this one key? Return: as above. */
must_check int oci_image_verify_key(const struct oci_image *i, const struct oci_ref *ref,
	const struct oci_source *signatures, const struct pkey *key,
	const struct oci_identity *identity, struct err *reterr);

/**
 * oci_layer_key() - the key of an encrypted layer
 * @keks: finds a KEK by its kid
 * @ret: release with ocicrypt_key_done()
 *
 * Return: 0; -ENOKEY no annotation that husk can use; -EKEYREJECTED; or as the fetcher.
 */
must_check int oci_layer_key(const struct oci_descriptor *layer, const struct oci_fetcher *keks,
	struct ocicrypt_key *ret, struct err *reterr);

/**
 * struct oci_progress - called at most some times a second with bytes of all layers
 * @phase: called once when the last byte has arrived; may be NULL
 */
struct oci_progress {
	void (*bytes)(void *user, uint64_t done, uint64_t total);
	void *user;
};

/**
 * oci_image_unpack() - all layers into @root_fd
 * @progress: may be NULL
 * On failure @root_fd holds unverified files: remove them.
 */
must_check int oci_image_unpack(const struct oci_image *i, const struct oci_source *s,
	const struct oci_fetcher *keks, int root_fd, const struct unpack_options *options,
	const struct oci_progress *progress, struct unpack_stats *ret_stats, struct err *reterr);
