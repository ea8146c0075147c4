/* SPDX-License-Identifier: Apache-2.0 */
/* Key pairs of the token: the public half out, the private half used. */
#include "trustee/hsm/p11_internal.h"

#include "base/str.h"
#include "crypto/oaep.h"
#include "crypto/x509.h"

#define BYTES_MAX ((size_t)16 << 10)
#define BLOCK_MAX ((size_t)1024) /* RSA of 8192 bits */

struct work {
	const struct p11_key *key;
	enum hash_alg hash;
	struct slice in;
	struct buf *out;
	struct pkey *public;
};

static CK_RV find(struct p11 *p, const struct p11_key *key, CK_OBJECT_CLASS class,
	CK_OBJECT_HANDLE *ret, size_t *ret_count)
{
	CK_OBJECT_HANDLE handles[P11_FOUND_MAX];
	CK_ATTRIBUTE template[3] = {{CKA_CLASS, &class, sizeof(class)}};
	size_t n = 1;
	CK_RV rv;

	/* Templates want pointers that are not const; modules do not write through them. */
	if (key->label[0])
		template[n++] = (CK_ATTRIBUTE){
			CKA_LABEL, (void *)(uintptr_t)key->label, strlen(key->label)};
	if (key->id_size)
		template[n++] = (CK_ATTRIBUTE){CKA_ID, (void *)(uintptr_t)key->id, key->id_size};
	rv = p11_find(p, template, n, handles, ret_count);
	if (rv == CKR_OK && *ret_count > 0)
		*ret = handles[0];
	return rv;
}

/* Exactly one: another one would be another key. */
static CK_RV find_one(struct p11 *p, const struct p11_key *key, CK_OBJECT_CLASS class,
	const char *what, CK_OBJECT_HANDLE *ret_object, int *ret, struct err *reterr)
{
	size_t count = 0;
	CK_RV rv = find(p, key, class, ret_object, &count);

	if (rv == CKR_OK && count == 0)
		*ret = err_set(reterr, -ENOENT, "the token has no %s %s", what, key->label);
	else if (rv == CKR_OK && count > 1)
		*ret = err_set(reterr, -EEXIST, "the token has several %ss %s", what, key->label);
	return rv;
}

/* --- the public half --- */

/* An OBJECT IDENTIFIER of a named curve, as DER. */
static enum key_type curve_of(struct slice params)
{
	static const struct {
		const char *der;
		size_t size;
		enum key_type type;
	} curves[] = {
		{"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", 10, KEY_P256},
		{"\x06\x05\x2b\x81\x04\x00\x22", 7, KEY_P384},
		{"\x06\x05\x2b\x81\x04\x00\x23", 7, KEY_P521},
	};

	for (size_t i = 0; i < ARRAY_COUNT(curves); i++) {
		if (slice_eq(params, slice_of(curves[i].der, curves[i].size)))
			return curves[i].type;
	}
	return KEY_NONE;
}

/* CKA_EC_POINT is an OCTET STRING around the point; some modules give the point alone. */
static struct slice point_of(struct slice value)
{
	const uint8_t *d = value.data;

	if (value.size > 2 && d[0] == 4 && d[1] < 128 && (size_t)d[1] + 2 == value.size)
		return slice_cut(value, 2, value.size);
	if (value.size > 3 && d[0] == 4 && d[1] == 0x81 && (size_t)d[2] + 3 == value.size)
		return slice_cut(value, 3, value.size);
	return value;
}

static CK_RV read_ec(
	struct p11 *p, CK_OBJECT_HANDLE object, struct pkey **ret_key, int *ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf params = buf_init(BYTES_MAX), point = buf_init(BYTES_MAX);
	enum key_type type;
	CK_RV rv = p11_attribute(p, object, CKA_EC_PARAMS, BYTES_MAX, &params);

	if (rv == CKR_OK)
		rv = p11_attribute(p, object, CKA_EC_POINT, BYTES_MAX, &point);
	if (rv != CKR_OK)
		return rv;
	type = curve_of(buf_slice(&params));
	*ret = type == KEY_NONE ? -EOPNOTSUPP
				: pkey_from_ec_point(type, point_of(buf_slice(&point)), ret_key);
	if (*ret < 0)
		(void)!err_set(reterr, *ret,
			"the token's EC key is of no curve that is known, or "
			"its point is not on it");
	return CKR_OK;
}

static CK_RV read_rsa(
	struct p11 *p, CK_OBJECT_HANDLE object, struct pkey **ret_key, int *ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf n = buf_init(BYTES_MAX), e = buf_init(BYTES_MAX);
	CK_RV rv = p11_attribute(p, object, CKA_MODULUS, BYTES_MAX, &n);

	if (rv == CKR_OK)
		rv = p11_attribute(p, object, CKA_PUBLIC_EXPONENT, BYTES_MAX, &e);
	if (rv != CKR_OK)
		return rv;
	*ret = pkey_from_rsa(buf_slice(&n), buf_slice(&e), ret_key);
	if (*ret < 0)
		(void)!err_set(reterr, *ret, "the token's RSA key cannot be used");
	return CKR_OK;
}

static CK_RV read_certificate(
	struct p11 *p, CK_OBJECT_HANDLE object, struct pkey **ret_key, int *ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf der = buf_init(P11_VALUE_MAX);
	cleanup(cert_free) struct cert *cert = NULL;
	CK_RV rv = p11_attribute(p, object, CKA_VALUE, P11_VALUE_MAX, &der);

	if (rv != CKR_OK)
		return rv;
	*ret = cert_from_der(buf_slice(&der), &cert, reterr);
	if (*ret == 0)
		*ret = cert_key(cert, ret_key);
	return CKR_OK;
}

static CK_RV read_public(struct p11 *p, void *cookie, int *ret, struct err *reterr)
{
	struct work *w = cookie;
	CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
	CK_KEY_TYPE type = 0;
	CK_ATTRIBUTE a = {CKA_KEY_TYPE, &type, sizeof(type)};
	size_t count = 0;
	CK_RV rv = find(p, w->key, CKO_PUBLIC_KEY, &object, &count);

	if (rv != CKR_OK)
		return rv;
	if (count == 0) {
		rv = find_one(p, w->key, CKO_CERTIFICATE, "public key or certificate", &object, ret,
			reterr);
		return rv == CKR_OK && *ret == 0
			       ? read_certificate(p, object, &w->public, ret, reterr)
			       : rv;
	}
	if (count > 1) {
		*ret = err_set(
			reterr, -EEXIST, "the token has several public keys %s", w->key->label);
		return CKR_OK;
	}
	rv = p->f->C_GetAttributeValue(p->session, object, &a, 1);
	if (rv != CKR_OK)
		return rv;
	if (type == CKK_EC)
		return read_ec(p, object, &w->public, ret, reterr);
	if (type == CKK_RSA)
		return read_rsa(p, object, &w->public, ret, reterr);
	*ret = err_set(
		reterr, -EOPNOTSUPP, "the token's key %s is neither EC nor RSA", w->key->label);
	return CKR_OK;
}

int p11_public(struct p11 *p, const struct p11_key *key, struct pkey **ret, struct err *reterr)
{
	struct work w = {.key = key};
	int r = p11_run(p, read_public, &w, reterr);

	if (r < 0)
		pkey_free(w.public);
	else
		*ret = w.public;
	return r;
}

/* --- the private half --- */

static CK_RV decrypt(struct p11 *p, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key,
	struct slice in, struct buf *out)
{
	CK_ULONG size = BLOCK_MAX;
	uint8_t *room = buf_reserve(out, size);
	CK_RV rv = room ? p->f->C_DecryptInit(p->session, mechanism, key) : CKR_HOST_MEMORY;

	if (rv == CKR_OK)
		rv = p->f->C_Decrypt(
			p->session, (CK_BYTE_PTR)(uintptr_t)in.data, in.size, room, &size);
	if (rv == CKR_OK)
		buf_commit(out, MIN((size_t)size, BLOCK_MAX));
	return rv;
}

/* The padding is ours then. A block that came without its leading zeros gets them back. */
static CK_RV decrypt_raw(struct p11 *p, CK_OBJECT_HANDLE key, struct work *w, int *ret)
{
	cleanup_with(buf_done) struct buf raw = buf_init_secret(BLOCK_MAX);
	cleanup_with(buf_done) struct buf block = buf_init_secret(BLOCK_MAX);
	CK_MECHANISM mechanism = {CKM_RSA_X_509, NULL, 0};
	CK_RV rv = decrypt(p, &mechanism, key, w->in, &raw);

	if (rv != CKR_OK)
		return rv;
	if (raw.size > w->in.size)
		return CKR_DATA_LEN_RANGE;
	buf_put_zero(&block, w->in.size - raw.size);
	buf_put_slice(&block, buf_slice(&raw));
	*ret = buf_error(&block);
	if (*ret == 0)
		*ret = oaep_decode(w->hash, buf_slice(&block), w->out);
	return CKR_OK;
}

static CK_RV oaep(struct p11 *p, void *cookie, int *ret, struct err *reterr)
{
	struct work *w = cookie;
	bool sha1 = w->hash == HASH_SHA1;
	CK_RSA_PKCS_OAEP_PARAMS params = {.hashAlg = sha1 ? CKM_SHA_1 : CKM_SHA256,
		.mgf = sha1 ? CKG_MGF1_SHA1 : CKG_MGF1_SHA256,
		.source = CKZ_DATA_SPECIFIED};
	CK_MECHANISM mechanism = {CKM_RSA_PKCS_OAEP, &params, sizeof(params)};
	CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
	CK_RV rv = find_one(p, w->key, CKO_PRIVATE_KEY, "private key", &key, ret, reterr);

	if (rv != CKR_OK || *ret < 0)
		return rv;
	rv = decrypt(p, &mechanism, key, w->in, w->out);
	if (rv == CKR_ARGUMENTS_BAD || rv == CKR_MECHANISM_PARAM_INVALID ||
		rv == CKR_MECHANISM_INVALID)
		rv = decrypt_raw(p, key, w, ret);
	/* One answer for all that is wrong with the ciphertext. */
	if (*ret < 0 || rv == CKR_ENCRYPTED_DATA_INVALID || rv == CKR_ENCRYPTED_DATA_LEN_RANGE ||
		rv == CKR_DATA_INVALID || rv == CKR_DATA_LEN_RANGE) {
		*ret = err_set(
			reterr, -EBADMSG, "this is not encrypted for the key %s", w->key->label);
		rv = CKR_OK;
	}
	return rv;
}

int p11_oaep_decrypt(struct p11 *p, const struct p11_key *key, enum hash_alg hash, struct slice in,
	struct buf *out, struct err *reterr)
{
	struct work w = {.key = key, .hash = hash, .in = in, .out = out};

	if (in.size == 0 || in.size > BLOCK_MAX)
		return err_set(
			reterr, -EBADMSG, "this is not encrypted for the key %s", key->label);
	return p11_run(p, oaep, &w, reterr);
}

static CK_RV sign(struct p11 *p, void *cookie, int *ret, struct err *reterr)
{
	struct work *w = cookie;
	CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
	CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
	CK_BYTE signature[256];
	CK_ULONG size = sizeof(signature);
	CK_RV rv = find_one(p, w->key, CKO_PRIVATE_KEY, "private key", &key, ret, reterr);

	if (rv != CKR_OK || *ret < 0)
		return rv;
	rv = p->f->C_SignInit(p->session, &mechanism, key);
	if (rv == CKR_OK)
		rv = p->f->C_Sign(p->session, (CK_BYTE_PTR)(uintptr_t)w->in.data, w->in.size,
			signature, &size);
	if (rv == CKR_OK)
		buf_put(w->out, signature, MIN((size_t)size, sizeof(signature)));
	return rv;
}

int p11_sign_ecdsa(struct p11 *p, const struct p11_key *key, struct slice digest, struct buf *out,
	struct err *reterr)
{
	struct work w = {.key = key, .in = digest, .out = out};

	return p11_run(p, sign, &w, reterr);
}
