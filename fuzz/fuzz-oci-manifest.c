/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Manifests, indexes, configurations, policies and cosign payloads: all are JSON of a registry or
 * of the key broker. Callers: guest image, CLI. Property: no document is both a manifest and an
 * index.
 */
#include "base/str.h"
#include "oci/manifest.h"
#include "oci/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_policy(struct slice in)
{
	cleanup(oci_policy_free) struct oci_policy *p = NULL;
	const struct oci_requirement *list;
	const char *scope;
	struct oci_ref ref;

	if (oci_policy_parse(&p, in, NULL) < 0 ||
		oci_ref_parse(&ref, "r.example.com:5000/a/b:t", NULL) < 0)
		return;
	int count = oci_policy_find(p, &ref, &list, &scope, NULL);
	for (int i = 0; i < count; i++)
		if (oci_identity_matches(&list[i].identity, &ref, "r.example.com:5000/a/b") &&
			list[i].type == OCI_REQUIRE_REJECT && list[i].key_pem)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of(data, size);
	struct oci_manifest m;
	struct oci_index i;
	struct oci_config c;

	bool is_manifest = oci_manifest_parse(&m, in, NULL) == 0;
	bool is_index = oci_index_parse(&i, in, NULL) == 0;
	if (is_manifest && is_index)
		abort();
	if (is_manifest)
		oci_manifest_done(&m);
	if (is_index) {
		oci_index_pick(&i, "linux", "amd64");
		oci_index_done(&i);
	}
	if (oci_config_parse(&c, in, NULL) == 0)
		oci_config_done(&c);
	try_policy(in);
	return 0;
}
