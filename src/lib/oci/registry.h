/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A repository in a registry (OCI distribution-spec, Docker registry v2): pull as a struct
 * oci_source, and push.
 *
 * Theory of operation. One object is one repository over one kept-alive connection. The registry's
 * challenge decides between no, Basic and Bearer (token) authentication; tokens are fetched when a
 * request is answered with 401, once. Credentials leave only over TLS, except to a registry that
 * the caller named insecure. A blob whose transfer breaks is taken up again with a Range request,
 * so that the running hashes go on; a registry that lies about the range is noticed by the digest.
 *
 * Attacker: registry and network. Answers are bounded by the descriptor's size or OCI_DOCUMENT_MAX;
 * whoever uses this checks digests (image.h does).
 *
 * Spec: OCI distribution-spec 1.1; distribution's "Token Authentication Specification".
 */
#include "oci/image.h"

#define OCI_REGISTRY_RETRY_MAX 4 /* attempts for one transfer, the first included */
#define OCI_REGISTRY_CHUNK_MIN ((uint64_t)1 << 20)

/**
 * struct oci_registry_options - zero means the defaults
 * @username, @password: NULL for anonymous; borrowed during oci_registry_new()
 * @insecure_http: plain HTTP instead of TLS
 * @roots_pem: trusted certificates instead of the system's
 * @nameservers: see http_client.h
 * @proxy: see http_client.h
 * @chunk_size: upload blobs in pieces of this size (PATCH); 0 sends them whole
 */
struct oci_registry_options {
	const char *username, *password;
	bool insecure_http;
	struct slice roots_pem;
	const char *const *nameservers;
	const char *proxy;
	uint64_t chunk_size;
};

struct oci_registry;

/** oci_registry_new() - @ref names registry and repository. Return: 0, -ENOMEM, -EBADMSG. */
must_check int oci_registry_new(struct oci_registry **ret, const struct oci_ref *ref,
	const struct oci_registry_options *options, struct err *reterr);
void oci_registry_free(struct oci_registry *r);
DEFINE_CLEANUP(struct oci_registry *, oci_registry_free);

/**
 * oci_registry_source() - pull from it; borrowed
 * Errors besides those of http_client_call(): -ENOENT; -EACCES credentials missing or refused;
 * -EPROTO another status.
 */
struct oci_source oci_registry_source(struct oci_registry *r);

/** oci_registry_has_blob() - Return: 1 yes, 0 no, negative errno. */
must_check int oci_registry_has_blob(
	struct oci_registry *r, const struct oci_digest *digest, struct err *reterr);
/** oci_registry_put_blob() - upload @size bytes of @fd from its start */
must_check int oci_registry_put_blob(struct oci_registry *r, int fd, uint64_t size,
	const struct oci_digest *digest, struct err *reterr);
/** oci_registry_put_bytes() - upload a small blob */
must_check int oci_registry_put_bytes(struct oci_registry *r, struct slice bytes,
	const struct oci_digest *digest, struct err *reterr);
/** oci_registry_put_manifest() - @name: tag, or text of the digest */
must_check int oci_registry_put_manifest(struct oci_registry *r, const char *name,
	const char *media_type, struct slice bytes, struct err *reterr);

/**
 * struct oci_credentials - from an auth file ({"auths":{KEY:{"auth":base64(user:password)}}})
 *
 * Wipe with oci_credentials_done(). Empty username: none found.
 */
struct oci_credentials {
	char username[256];
	char password[4096];
};
void oci_credentials_done(struct oci_credentials *c);
/**
 * oci_credentials_find() - the entry with the longest matching prefix of the repository, then the
 * registry's host; https:// and paths of old files are understood
 * Return: 0 (also when there is none), -EBADMSG.
 */
must_check int oci_credentials_find(struct slice auth_file, const struct oci_ref *ref,
	struct oci_credentials *ret, struct err *reterr);

#define OCI_CANDIDATE_MAX 8

/** struct oci_candidate - one place where an image may be fetched from */
struct oci_candidate {
	struct oci_ref ref;
	bool insecure_http;
};
/**
 * oci_registries_resolve() - apply a registry configuration (containers-registries.conf, as JSON)
 * @config: {"registry":[{"prefix","location","insecure","blocked","mirror":[{...}]}]} or NULL
 * @ret: mirrors first, then the location
 *
 * Prefixes are anchored at the start of the name and end at a path boundary; the longest wins.
 * Return: count of candidates, at least 1; -EACCES blocked; -EBADMSG.
 */
must_check int oci_registries_resolve(const json_t *config, const struct oci_ref *ref,
	struct oci_candidate ret[OCI_CANDIDATE_MAX], struct err *reterr);
