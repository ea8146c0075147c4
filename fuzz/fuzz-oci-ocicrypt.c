/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ocicrypt option blocks, key packets and key-provider requests. Callers: guest image (annotations
 * of a foreign manifest), CLI (requests of skopeo). Property: a packet that was not made with this
 * KEK never unwraps under A256GCM.
 */
#include "oci/ocicrypt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int zero_kek(
	void *user, const char *kid, const char *path, struct secret *ret, struct err *reterr)
{
	return secret_new(ret, OCICRYPT_KEK_SIZE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char pub[] = "{\"cipher\":\"AES_256_CTR_HMAC_SHA256\",\"hmac\":"
				  "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}";
	static const uint8_t kek[OCICRYPT_KEK_SIZE] = {1};
	struct ocicrypt_kek_source source = {zero_kek, NULL, NULL};
	cleanup_with(buf_done) struct buf out = buf_init_secret(1 << 22);
	struct slice in = slice_of(data, size);
	struct ocicrypt_packet p = {0};
	struct ocicrypt_key key = {0};
	struct secret options = {0};

	if (ocicrypt_packet_parse(&p, in, NULL) == 0) {
		if (ocicrypt_packet_unwrap(&p, slice_of(kek, sizeof(kek)), &options, NULL) == 0) {
			if (p.wrap == OCICRYPT_WRAP_A256GCM)
				abort();
			secret_done(&options);
		}
		ocicrypt_packet_done(&p);
	}
	if (ocicrypt_key_from_options(&key, slice_str(pub), in, NULL) == 0)
		ocicrypt_key_done(&key);
	if (ocicrypt_key_from_options(&key, in, SLICE_LIT("{}"), NULL) == 0)
		abort();
	if (ocicrypt_provider_handle(in, &source, &out, NULL) < 0)
		return 0;
	return 0;
}
