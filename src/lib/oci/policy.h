/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Image security policies (containers-policy.json): which signatures an image must have.
 *
 * Everything that is not understood invalidates the whole policy, because a requirement that is
 * skipped is a requirement that is met. A reference that no scope covers gets the default list; an
 * empty list refuses. Scopes are tried from the most to the least specific: full reference with
 * digest or tag, repository, its parents, host with port, "*.domain" (longest first), "", default.
 *
 * keyData is the base64 of a PEM key, as the format says; raw PEM is accepted too, because deployed
 * guests (guest-components) read only that.
 *
 * Spec: containers-policy.json(5) of containers/image; docs/compatibility.md for the differences.
 */
#include <jansson.h>

#include "oci/reference.h"

#define OCI_POLICY_MAX (1u << 20)      /* bytes of a policy */
#define OCI_POLICY_REQUIREMENT_MAX 32u /* requirements in one list */

enum oci_requirement_type {
	OCI_REQUIRE_REJECT = 0,
	OCI_REQUIRE_NOTHING,  /* insecureAcceptAnything */
	OCI_REQUIRE_SIGSTORE, /* sigstoreSigned */
	OCI_REQUIRE_GPG,      /* signedBy: simple signing */
};

enum oci_identity_type {
	/*
	 * The default for sigstoreSigned: the repository must be the same, and the tag where the
	 * signature names one. (The format's own default cannot be met by cosign, which signs the
	 * repository only, and guest-components checks no name at all.)
	 */
	OCI_IDENTITY_REPOSITORY_OR_EXACT = 0,
	OCI_IDENTITY_REPO_DIGEST_OR_EXACT,
	OCI_IDENTITY_EXACT,
	OCI_IDENTITY_REPOSITORY,
	OCI_IDENTITY_EXACT_REFERENCE,
	OCI_IDENTITY_EXACT_REPOSITORY,
	OCI_IDENTITY_REMAP,
};

/**
 * struct oci_identity - which name a signature must carry
 * @value: dockerReference, dockerRepository or prefix; borrowed from the policy
 * @signed_prefix: for OCI_IDENTITY_REMAP
 */
struct oci_identity {
	enum oci_identity_type type;
	const char *value, *signed_prefix;
};

/** struct oci_pem - a key or certificates: of a file or resource (@path), or in the policy (@pem);
 * both NULL: none */
struct oci_pem {
	const char *path;
	char *pem;
};

/**
 * struct oci_requirement - one element of a list
 * @key_path: file or resource with the key; NULL when another member has it
 * @key_paths: array of such, of which any may have signed (signedBy only); borrowed, NULL when absent
 * @fulcio: certificates of this authority instead of a key (sigstoreSigned only)
 * @rekor: the signature must be in the log of this key; mandatory with @fulcio
 * @key_pem, @key_size: from keyData, owned by the policy: NUL-terminated PEM, or a keyring
 */
struct oci_requirement {
	enum oci_requirement_type type;
	const char *key_path;
	const json_t *key_paths;
	char *key_pem;
	size_t key_size;
	struct oci_pem rekor;
	struct {
		struct oci_pem ca;
		const char *issuer, *subject; /* borrowed; NULL: no certificates */
	} fulcio;
	struct oci_identity identity;
};

struct oci_policy;

/** oci_policy_parse() - Return: 0; -EBADMSG; -E2BIG; -EOPNOTSUPP an unknown type; -ENOMEM. */
must_check int oci_policy_parse(struct oci_policy **ret, struct slice json, struct err *reterr);
void oci_policy_free(struct oci_policy *p);
DEFINE_CLEANUP(struct oci_policy *, oci_policy_free);
/**
 * oci_policy_find() - the requirements for an image
 * @ret: array owned by the policy; all of them must be met
 * @ret_scope: the scope that matched, for explanations; "default" for the default list
 *
 * Return: count of requirements, at least 1; -EACCES when the list is empty.
 */
must_check int oci_policy_find(const struct oci_policy *p, const struct oci_ref *ref,
	const struct oci_requirement **ret, const char **ret_scope, struct err *reterr);
/**
 * oci_identity_matches() - may a signature for @signed_ref stand for the image @ref?
 * @signed_ref: "docker-reference" of the signature's payload, untrusted until the signature holds
 */
bool oci_identity_matches(
	const struct oci_identity *id, const struct oci_ref *ref, const char *signed_ref);
