/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * One token of a PKCS#11 module (version 2.40): a session that is opened, logged in and opened again
 * when the module has lost it.
 *
 * The module is other people's code in this address space: whoever calls this holds nothing but the
 * PIN, and bounds the time from outside, since a call may never come back. A PIN that the token refused
 * is never shown again, for the token counts.
 */
#include "base/buf.h"
#include "base/err.h"
#include "crypto/key.h"

#define P11_VALUE_MAX ((size_t)1 << 20)
#define P11_FIELD_SIZE 128

/**
 * struct p11_token - which one of the module's; empty strings match anything
 * @slot_index: among the slots that have a matching token
 */
struct p11_token {
	char label[P11_FIELD_SIZE], manufacturer[P11_FIELD_SIZE], serial[P11_FIELD_SIZE],
		model[P11_FIELD_SIZE];
	unsigned slot_index;
};

struct p11;

/**
 * p11_load() - load the module; nothing is asked of it yet
 * @module: path of the shared object
 * @pin: of the user, copied
 *
 * Return: 0, -ENOENT (no such module), -ENOEXEC (it is none), -ENOMEM; @reterr has the loader's words.
 */
must_check int p11_load(const char *module, const struct p11_token *token, struct slice pin,
	struct p11 **ret, struct err *reterr);
void p11_free(struct p11 *p);
DEFINE_CLEANUP(struct p11 *, p11_free);

/*
 * Errors of all calls below: -ENODEV (no such token), -EACCES (the token refused the PIN, or the
 * object), -EIO (another error of the token, named in @reterr). A session that was lost is made anew
 * and the call repeated once.
 */

/** p11_open() - have a session, logged in; other calls do it by themselves */
must_check int p11_open(struct p11 *p, struct err *reterr);
/** p11_get() - append the value of the object of that label. Return: -ENOENT, -E2BIG besides. */
must_check int p11_get(struct p11 *p, const char *label, struct buf *out, struct err *reterr);
/**
 * p11_put() - keep @value as a generic secret on the token
 *
 * Secrets of the same label are removed once it is there. Return: as above, -E2BIG.
 */
must_check int p11_put(struct p11 *p, const char *label, struct slice value, struct err *reterr);
/** p11_delete() - remove the secrets of that label. Return: -ENOENT besides. */
must_check int p11_delete(struct p11 *p, const char *label, struct err *reterr);

/**
 * struct p11_key - which key; what is empty matches anything
 * @id: CKA_ID
 */
struct p11_key {
	char label[P11_FIELD_SIZE];
	uint8_t id[P11_FIELD_SIZE];
	size_t id_size;
};

/**
 * p11_public() - the public half of a key pair, EC or RSA: the token's public key, or a certificate's
 * Return: -ENOENT, -EEXIST (several match), -EBADMSG besides.
 */
must_check int p11_public(
	struct p11 *p, const struct p11_key *key, struct pkey **ret, struct err *reterr);
/**
 * p11_oaep_decrypt() - by the private RSA key; with MGF1 of @hash and no label
 *
 * A module that has no such OAEP decrypts without padding, and the padding is removed here.
 * Return: -ENOENT, -EBADMSG (not encrypted for this key) besides.
 */
must_check int p11_oaep_decrypt(struct p11 *p, const struct p11_key *key, enum hash_alg hash,
	struct slice in, struct buf *out, struct err *reterr);
/**
 * p11_sign_ecdsa() - sign a digest by the private EC key
 * @out: raw r||s is appended
 */
must_check int p11_sign_ecdsa(struct p11 *p, const struct p11_key *key, struct slice digest,
	struct buf *out, struct err *reterr);

/**
 * struct p11_uri - a URI of RFC 7512 that names one key
 * @module, @pin_source: paths; the PIN itself is never in a URI
 */
struct p11_uri {
	struct p11_token token;
	struct p11_key key;
	char module[512], pin_source[512];
};
/**
 * p11_uri_parse() - "pkcs11:token=...;object=...?module-path=...&pin-source=..."
 *
 * Attributes: token, manufacturer, serial, model, object, id, type (private).
 * Return: 0, -EINVAL (no such URI, an unknown attribute or one twice, pin-value), -E2BIG.
 */
must_check int p11_uri_parse(const char *text, struct p11_uri *ret, struct err *reterr);
