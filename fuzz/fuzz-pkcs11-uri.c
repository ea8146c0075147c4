/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PKCS#11 URIs. Caller: the configuration of the token key (attacker: nobody who is not the operator;
 * the reader is as careful as the others). Then the bytes as a padded block: what a token decrypted
 * without looking (attacker: whoever made the ciphertext), and as a TPM's key file (attacker: as of the
 * URI). Property: what is read fits its fields.
 */
#include <stdlib.h>

#include "base/str.h"
#include "crypto/oaep.h"
#include "fmt/tpm_sign.h"
#include "trustee/hsm/p11.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_with(buf_done) struct buf out = buf_init_secret(0);
	char *text = slice_strdup(slice_of(data, size));
	struct tpm_key_file file;
	struct p11_uri u;

	if (text && p11_uri_parse(text, &u, NULL) == 0 &&
		(u.module[0] != '/' || u.key.id_size >= sizeof(u.key.id) ||
			(!u.key.label[0] && u.key.id_size == 0)))
		abort();
	free(text);
	if (oaep_decode(HASH_SHA256, slice_of(data, size), &out) == 0 && out.size + 66 > size)
		abort();
	if (tpm_key_file_parse(slice_of(data, size), &file, NULL) == 0 &&
		(file.public.size < 3 || file.private.size < 3))
		abort();
	return 0;
}
