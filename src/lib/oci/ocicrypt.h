/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Encrypted layers: the two option blocks of a layer, the packets that carry a wrapped layer key,
 * and the key-provider protocol that lets containers/ocicrypt (skopeo, containerd) use them.
 *
 * Theory of operation. A layer is encrypted with AES-256-CTR under its own random key; HMAC-SHA256
 * with the same key covers the ciphertext (not the nonce). The public options (cipher, HMAC) stand
 * in a clear annotation. The private options (key, nonce, digest of the plaintext) are wrapped for
 * each recipient: a key provider of the CoCo kind encrypts them with AES-256-GCM under a key
 * encryption key (KEK) that the key broker holds under the packet's `kid`.
 * Attacker: whoever can write to the registry. Both option blocks and packets are parsed strictly.
 *
 * Spec: containers/ocicrypt, "spec" folder and keyprovider protocol; CoCo annotation packet v1, v2.
 */
#include "base/buf.h"
#include "base/secret.h"

#define OCICRYPT_CIPHER "AES_256_CTR_HMAC_SHA256"
#define OCICRYPT_ANNOTATION_PUBOPTS "org.opencontainers.image.enc.pubopts"
#define OCICRYPT_ANNOTATION_JWE "org.opencontainers.image.enc.keys.jwe"
#define OCICRYPT_ANNOTATION_PROVIDER "org.opencontainers.image.enc.keys.provider."
#define OCICRYPT_PROVIDER "attestation-agent" /* the provider's name that CoCo's guests expect */

#define OCICRYPT_OPTIONS_MAX 65536u /* bytes of an option block or packet */
#define OCICRYPT_KEK_SIZE 32u
#define OCICRYPT_KID_MAX 1024u

/**
 * struct ocicrypt_key - what the cipher of one layer needs
 * @secret: 32 bytes of key, 16 bytes of nonce; see ocicrypt_key_bytes()
 * @hmac: of the ciphertext, from the public options
 * @plain_digest: text of the digest of the decrypted (still compressed) layer; "" when not given
 *
 * Release with ocicrypt_key_done().
 */
struct ocicrypt_key {
	struct secret secret;
	uint8_t hmac[32];
	char plain_digest[136];
};
#define OCICRYPT_SYMKEY_SIZE 32u
#define OCICRYPT_NONCE_SIZE 16u
void ocicrypt_key_done(struct ocicrypt_key *key);

/**
 * ocicrypt_key_from_options() - combine the two blocks of a layer
 * @public_options: JSON; a nonce in here wins over a private one, as in containers/ocicrypt
 * @private_options: JSON
 *
 * Return: 0; -EBADMSG malformed; -EOPNOTSUPP another cipher; -ENOMEM.
 */
must_check int ocicrypt_key_from_options(struct ocicrypt_key *ret, struct slice public_options,
	struct slice private_options, struct err *reterr);
/** ocicrypt_key_new() - a random key and nonce for a new layer; hmac and digest are set later */
must_check int ocicrypt_key_new(struct ocicrypt_key *ret);
/** ocicrypt_public_options() - append the JSON of a finished key */
must_check int ocicrypt_public_options(const struct ocicrypt_key *key, struct buf *out);
/** ocicrypt_private_options() - append the JSON; make @out with buf_init_secret() */
must_check int ocicrypt_private_options(const struct ocicrypt_key *key, struct buf *out);

enum ocicrypt_wrap { OCICRYPT_WRAP_NONE, OCICRYPT_WRAP_A256GCM, OCICRYPT_WRAP_A256CTR };

/**
 * struct ocicrypt_packet - a parsed annotation packet
 * @version: "" for v1, which has no version member
 * @kid: names the KEK; usually "kbs:///repository/type/tag"
 * @provider: who decrypts; "kbs" when the packet does not say
 * @iv: 12 bytes for A256GCM, 16 for A256CTR; empty when absent
 * @wrapped: ciphertext, for A256GCM followed by the 16-byte tag
 *
 * Release with ocicrypt_packet_done().
 */
struct ocicrypt_packet {
	char version[16];
	char kid[OCICRYPT_KID_MAX + 1];
	char provider[64];
	enum ocicrypt_wrap wrap;
	struct buf iv, wrapped;
};
void ocicrypt_packet_done(struct ocicrypt_packet *p);

/**
 * ocicrypt_packet_parse() - from JSON (the base64-decoded annotation element), either version
 * Return: 0; -EBADMSG malformed; -E2BIG; -EOPNOTSUPP unknown version or wrap_type; -ENOMEM.
 */
must_check int ocicrypt_packet_parse(
	struct ocicrypt_packet *ret, struct slice json, struct err *reterr);
/**
 * ocicrypt_packet_unwrap() - decrypt the private options with the KEK
 * @kek: exactly OCICRYPT_KEK_SIZE bytes
 * @ret: private options JSON, released by the caller with secret_done()
 *
 * Return: 0; -EKEYREJECTED the KEK is not the right one or the packet was altered; -EINVAL size of
 * the KEK; -EOPNOTSUPP the provider is not "kbs", or no wrap_type.
 */
must_check int ocicrypt_packet_unwrap(
	const struct ocicrypt_packet *p, struct slice kek, struct secret *ret, struct err *reterr);
/**
 * ocicrypt_packet_wrap() - append a v1 packet: the version every deployed reader accepts
 * @kid: see struct ocicrypt_packet
 */
must_check int ocicrypt_packet_wrap(struct buf *out, const char *kid, struct slice kek,
	struct slice private_options, struct err *reterr);

/**
 * struct ocicrypt_kek_source - where ocicrypt_provider_handle() finds KEKs
 * @get: fetch the KEK named @kid into @ret; @path: the file that the request's keypath parameter
 *   names, or NULL; 0 or negative errno
 * @wrap_kid: chosen kid for new packets when the request names none; may be NULL
 */
struct ocicrypt_kek_source {
	int (*get)(void *user, const char *kid, const char *path, struct secret *ret,
		struct err *reterr);
	void *user;
	const char *wrap_kid;
};

/**
 * ocicrypt_provider_handle() - answer one request of the key-provider protocol
 * @request: JSON with op keywrap or keyunwrap
 * @out: JSON answer; results are arrays of numbers, which Go and Rust readers both accept. Make it
 * with buf_init_secret(), as an unwrap answer holds a key.
 *
 * Parameters (`--encryption-key provider:NAME:keyid=URI::keypath=FILE::algorithm=A256GCM`, likewise
 * `--decryption-key provider:NAME:keypath=FILE`), as CoCo's key provider has them: keyid names the
 * KEK in the packet, keypath the file with the KEK. `sample=true` is refused.
 * Return: 0; -EBADMSG; -EOPNOTSUPP unknown op, or a parameter's value; -EINVAL no kid, or an
 * unknown parameter; or as get() and the packet calls.
 */
must_check int ocicrypt_provider_handle(struct slice request,
	const struct ocicrypt_kek_source *source, struct buf *out, struct err *reterr);
