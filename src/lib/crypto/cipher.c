/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/cipher.h"

#include <openssl/evp.h>

#include "crypto/hash.h"

typedef EVP_CIPHER_CTX *cipher_ctx;
static void ctx_free(EVP_CIPHER_CTX *c)
{
	EVP_CIPHER_CTX_free(c);
}
DEFINE_CLEANUP(cipher_ctx, ctx_free);

static const EVP_CIPHER *gcm_for(size_t key_size)
{
	switch (key_size) {
	case 16:
		return EVP_aes_128_gcm();
	case 24:
		return EVP_aes_192_gcm();
	case 32:
		return EVP_aes_256_gcm();
	}
	return NULL;
}

int gcm_encrypt(struct slice key, struct slice iv, struct slice aad, struct slice plain,
	struct buf *out, uint8_t ret_tag[GCM_TAG_SIZE])
{
	const EVP_CIPHER *cipher = gcm_for(key.size);
	int n = 0, last = 0;

	if (!cipher || iv.size != GCM_IV_SIZE || plain.size > INT32_MAX || aad.size > INT32_MAX)
		return -EINVAL;
	cleanup(ctx_free) cipher_ctx c = EVP_CIPHER_CTX_new();
	uint8_t *room = buf_reserve(out, plain.size + 16);
	if (!room)
		return buf_error(out);
	if (!c || EVP_EncryptInit_ex(c, cipher, NULL, key.data, iv.data) != 1)
		return -EIO;
	if (aad.size > 0 && EVP_EncryptUpdate(c, NULL, &n, aad.data, (int)aad.size) != 1)
		return -EIO;
	n = 0;
	if (plain.size > 0 && EVP_EncryptUpdate(c, room, &n, plain.data, (int)plain.size) != 1)
		return -EIO;
	if (EVP_EncryptFinal_ex(c, room + n, &last) != 1 ||
		EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, GCM_TAG_SIZE, ret_tag) != 1)
		return -EIO;
	buf_commit(out, (size_t)n + (size_t)last);
	return 0;
}

int gcm_decrypt(struct slice key, struct slice iv, struct slice aad, struct slice in,
	struct slice tag, struct buf *out)
{
	const EVP_CIPHER *cipher = gcm_for(key.size);
	uint8_t tag_copy[GCM_TAG_SIZE];
	int n = 0, last = 0;

	if (!cipher || iv.size != GCM_IV_SIZE || tag.size != GCM_TAG_SIZE || in.size > INT32_MAX ||
		aad.size > INT32_MAX)
		return -EINVAL;
	memcpy(tag_copy, tag.data, sizeof(tag_copy));
	cleanup(ctx_free) cipher_ctx c = EVP_CIPHER_CTX_new();
	uint8_t *room = buf_reserve(out, in.size + 16);
	if (!room)
		return buf_error(out);
	if (!c || EVP_DecryptInit_ex(c, cipher, NULL, key.data, iv.data) != 1)
		return -EIO;
	if (aad.size > 0 && EVP_DecryptUpdate(c, NULL, &n, aad.data, (int)aad.size) != 1)
		return -EIO;
	n = 0;
	if (in.size > 0 && EVP_DecryptUpdate(c, room, &n, in.data, (int)in.size) != 1)
		return -EIO;
	if (EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, GCM_TAG_SIZE, tag_copy) != 1)
		return -EIO;
	if (EVP_DecryptFinal_ex(c, room + n, &last) != 1) {
		/* Plaintext that failed its tag must not stay in the caller's buffer. */
		explicit_bzero(room, in.size + 16);
		return -EKEYREJECTED;
	}
	buf_commit(out, (size_t)n + (size_t)last);
	return 0;
}

struct ctr {
	EVP_CIPHER_CTX *ctx;
};

int ctr_new(struct slice key, struct slice nonce, struct ctr **ret)
{
	if (key.size != 32 || nonce.size != 16)
		return -EINVAL;
	cleanup(ctr_free) struct ctr *c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->ctx = EVP_CIPHER_CTX_new();
	if (!c->ctx)
		return -ENOMEM;
	if (EVP_EncryptInit_ex(c->ctx, EVP_aes_256_ctr(), NULL, key.data, nonce.data) != 1)
		return -EIO;
	*ret = steal_ptr(c);
	return 0;
}

int ctr_apply(struct ctr *c, const uint8_t *in, uint8_t *out, size_t size)
{
	while (size > 0) {
		int step = (int)MIN(size, (size_t)1 << 30), n = 0;
		if (EVP_EncryptUpdate(c->ctx, out, &n, in, step) != 1 || n != step)
			return -EIO;
		in += step;
		out += step;
		size -= (size_t)step;
	}
	return 0;
}

void ctr_free(struct ctr *c)
{
	if (!c)
		return;
	EVP_CIPHER_CTX_free(c->ctx);
	free(c);
}

static const EVP_CIPHER *wrap_for(size_t key_size)
{
	switch (key_size) {
	case 16:
		return EVP_aes_128_wrap();
	case 24:
		return EVP_aes_192_wrap();
	case 32:
		return EVP_aes_256_wrap();
	}
	return NULL;
}

static int wrap_run(bool encrypt, struct slice kek, struct slice in, struct buf *out)
{
	const EVP_CIPHER *cipher = wrap_for(kek.size);
	int n = 0, last = 0;

	if (!cipher || in.size % 8 != 0 || in.size < (encrypt ? 16U : 24U) || in.size > 1 << 20)
		return -EINVAL;
	cleanup(ctx_free) cipher_ctx c = EVP_CIPHER_CTX_new();
	uint8_t *room = buf_reserve(out, in.size + 16);
	if (!room)
		return buf_error(out);
	if (!c)
		return -ENOMEM;
	EVP_CIPHER_CTX_set_flags(c, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	if (EVP_CipherInit_ex(c, cipher, NULL, kek.data, NULL, encrypt) != 1)
		return -EIO;
	if (EVP_CipherUpdate(c, room, &n, in.data, (int)in.size) != 1 ||
		EVP_CipherFinal_ex(c, room + n, &last) != 1)
		return encrypt ? -EIO : -EKEYREJECTED;
	buf_commit(out, (size_t)n + (size_t)last);
	return 0;
}

int aes_wrap(struct slice kek, struct slice plain, struct buf *out)
{
	return wrap_run(true, kek, plain, out);
}

int aes_unwrap(struct slice kek, struct slice wrapped, struct buf *out)
{
	return wrap_run(false, kek, wrapped, out);
}

int concat_kdf(struct slice z, const char *alg, uint8_t *ret, size_t size)
{
	cleanup_with(buf_done) struct buf in = buf_init_secret(4096);
	struct digest d;

	if (size == 0 || size > 32)
		return -EINVAL;
	buf_put_u32be(&in, 1);
	buf_put_slice(&in, z);
	buf_put_u32be(&in, (uint32_t)strlen(alg));
	buf_put_str(&in, alg);
	buf_put_u32be(&in, 0); /* apu */
	buf_put_u32be(&in, 0); /* apv */
	buf_put_u32be(&in, (uint32_t)size * 8);
	if (buf_error(&in) < 0)
		return buf_error(&in);
	int r = hash_once(HASH_SHA256, buf_slice(&in), &d);
	if (r == 0)
		memcpy(ret, d.bytes, size);
	explicit_bzero(&d, sizeof(d));
	return r;
}
