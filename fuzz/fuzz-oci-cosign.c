/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cosign signatures. Caller: guest image; payload and annotation come from the registry. The input
 * is used as the payload and as the base64 signature. Property: no verdict without a signature.
 */
#include "oci/cosign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct pkey *g_key;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char pem[] =
		"-----BEGIN PUBLIC KEY-----\n"
		"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEF8Ntwu+wnmKvapN9JUq6FVwGpn7D\n"
		"gC50O0fVOwhB5fnzgUGYV6js1m5iJlNjWS/VUbw2/hls2pG41BaZX7OzHw==\n"
		"-----END PUBLIC KEY-----\n";
	static const char sig[] = "MEUCIQDx";
	struct oci_identity id = {0};
	struct oci_digest digest = {.alg = OCI_DIGEST_SHA256, .size = 32};
	struct slice in = slice_of(data, size);
	struct oci_ref ref;

	if (!g_key && pkey_from_pem(slice_str(pem), &g_key, NULL) < 0)
		abort();
	if (oci_ref_parse(&ref, "r.example/a:t", NULL) < 0)
		abort();
	if (cosign_verify(g_key, in, slice_str(sig), &digest, &ref, &id, NULL) == 0 ||
		cosign_verify(g_key, in, in, &digest, &ref, &id, NULL) == 0)
		abort();
	return 0;
}
