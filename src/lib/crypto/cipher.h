/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Symmetric encryption: AES-256-GCM, AES-CTR streams, AES key wrap (RFC 3394), ECDH Concat KDF. */
#include "base/buf.h"
#include "base/secret.h"

#define GCM_IV_SIZE 12
#define GCM_TAG_SIZE 16

/**
 * gcm_encrypt() - AES-128/192/256-GCM by key size (16, 24, 32)
 * @iv: 12 bytes, never used twice with one key
 * @out: gets ciphertext of the size of @plain
 * Return: 0, -EINVAL (sizes), -EIO, or the error of @out.
 */
must_check int gcm_encrypt(struct slice key, struct slice iv, struct slice aad, struct slice plain,
	struct buf *out, uint8_t ret_tag[GCM_TAG_SIZE]);
/** gcm_decrypt() - Return: 0, -EKEYREJECTED (tag is bad; @out unchanged), -EINVAL, -EIO. */
must_check int gcm_decrypt(struct slice key, struct slice iv, struct slice aad, struct slice cipher,
	struct slice tag, struct buf *out);

/* AES-256-CTR stream with a 16-byte big-endian counter block; the same for both directions. */
struct ctr;
/** ctr_new() - @key: 32 bytes, @nonce: 16 bytes. Return: 0, -EINVAL, -ENOMEM, -EIO. */
must_check int ctr_new(struct slice key, struct slice nonce, struct ctr **ret);
/** ctr_apply() - transform @size bytes; @in may equal @out. Return: 0, -EIO. */
must_check int ctr_apply(struct ctr *c, const uint8_t *in, uint8_t *out, size_t size);
void ctr_free(struct ctr *c);
DEFINE_CLEANUP(struct ctr *, ctr_free);

/** aes_wrap() - RFC 3394 default IV; @plain is a multiple of 8 bytes, at least 16 */
must_check int aes_wrap(struct slice kek, struct slice plain, struct buf *out);
/** aes_unwrap() - Return: 0, -EKEYREJECTED (integrity), -EINVAL, -EIO. */
must_check int aes_unwrap(struct slice kek, struct slice wrapped, struct buf *out);
/**
 * concat_kdf() - NIST SP 800-56A Concat KDF with SHA-256 as in RFC 7518 section 4.6.2
 * @alg: AlgorithmID text; apu and apv empty
 * @ret: 1 to 32 bytes of key
 */
must_check int concat_kdf(struct slice z, const char *alg, uint8_t *ret, size_t size);
