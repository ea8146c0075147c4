/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Image references: [registry[:port]/]path[/path...][:tag][@digest].
 *
 * Parsing is strict and normalising: a reference without a registry means docker.io, one path
 * component there means library/NAME, and a reference with neither tag nor digest gets the tag
 * "latest". Policies and signatures compare the normalised form only.
 *
 * Spec: distribution reference grammar; OCI distribution-spec 1.1, "Pulling manifests".
 */
#include "oci/digest.h"

#define OCI_REF_NAME_MAX 255 /* registry, '/' and repository together, as registries enforce */
#define OCI_REF_TAG_MAX 128
#define OCI_REF_TEXT_SIZE 800

/**
 * struct oci_ref - a normalised reference
 * @registry: host[:port], e.g. "docker.io", "localhost:5000", "[::1]:5000"
 * @repository: path below the registry, e.g. "library/busybox"
 * @tag: "" when only a digest was given
 * @digest: unset when only a tag was given
 */
struct oci_ref {
	char registry[OCI_REF_NAME_MAX + 1];
	char repository[OCI_REF_NAME_MAX + 1];
	char tag[OCI_REF_TAG_MAX + 1];
	struct oci_digest digest;
};

/**
 * oci_ref_parse() - parse and normalise
 * @text: without a transport prefix ("docker://" is accepted and dropped)
 *
 * Return: 0; -EBADMSG malformed; -E2BIG a part is too long; -EOPNOTSUPP unknown digest algorithm.
 */
must_check int oci_ref_parse(struct oci_ref *ret, const char *text, struct err *reterr);
/** oci_ref_text() - the whole reference into @dst. Return: @dst. */
const char *oci_ref_text(const struct oci_ref *ref, char dst[OCI_REF_TEXT_SIZE]);
/** oci_ref_name() - "registry/repository" into @dst. Return: @dst. */
const char *oci_ref_name(const struct oci_ref *ref, char dst[OCI_REF_TEXT_SIZE]);
/** oci_ref_host() - the host that serves the API: registry-1.docker.io for docker.io */
const char *oci_ref_host(const struct oci_ref *ref);
