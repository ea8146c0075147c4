/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PKCS#7 EnvelopedData (RFC 2315, 10) in the dialect of containers/ocicrypt: RSA PKCS#1 v1.5
 * recipients and AES-GCM content, which PKCS#7 does not know. Its GCM parameters stand inside one
 * more element, of the primitive tag 0x10, and the nonce has tag [4]: CMS of OpenSSL refuses both,
 * hence this reader. Parameters as RFC 5084 writes them are read, too. The tag of GCM is behind the
 * ciphertext.
 */
#include "crypto/cipher.h"
#include "fmt/der.h"
#include "oci/ocicrypt_recipient.h"

#define DER_SET 0x31
#define CONTEXT_0 0xA0
#define CONTEXT_0_PRIMITIVE 0x80
#define CONTEXT_4_PRIMITIVE 0x84
#define OCICRYPT_WRAPPER 0x10
#define RECIPIENTS_MAX 64

/* Contents of OIDs. */
static const uint8_t g_enveloped[] = {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x03};
static const uint8_t g_data[] = {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x01};
static const uint8_t g_rsa[] = {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01};
static const uint8_t g_aes128_gcm[] = {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x06};
static const uint8_t g_aes256_gcm[] = {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2E};

struct content {
	size_t key_size;
	struct slice nonce;
	struct slice sealed; /* ciphertext and tag */
};

static int expect_oid(struct rd *r, struct slice oid)
{
	struct slice found = SLICE_EMPTY;
	int e = der_expect(r, DER_OID, &found);
	return e < 0 ? e : slice_eq(found, oid) ? 0 : -EOPNOTSUPP;
}

static int expect_number(struct rd *r, uint64_t want)
{
	struct slice content = SLICE_EMPTY;
	uint64_t value = 0;
	int e = der_expect(r, DER_INTEGER, &content);
	if (e == 0)
		e = der_uint(content, UINT32_MAX, &value);
	return e < 0 ? e : value == want ? 0 : -EOPNOTSUPP;
}

/* ContentInfo { envelopedData, [0] EnvelopedData }; @ret: inside EnvelopedData */
static int open_shell(struct slice in, struct rd *ret)
{
	struct rd r = rd_init(in);
	struct slice inner = SLICE_EMPTY;

	int e = der_expect(&r, DER_SEQUENCE, &inner);
	if (e == 0)
		e = rd_done(&r);
	r = rd_init(inner);
	if (e == 0)
		e = expect_oid(&r, slice_of(g_enveloped, sizeof(g_enveloped)));
	if (e == 0)
		e = der_expect(&r, CONTEXT_0, &inner);
	if (e == 0)
		e = rd_done(&r);
	r = rd_init(inner);
	if (e == 0)
		e = der_expect(&r, DER_SEQUENCE, &inner);
	if (e == 0)
		e = rd_done(&r);
	*ret = rd_init(inner);
	return e == 0 ? expect_number(ret, 0) : e;
}

/* RecipientInfo { 0, IssuerAndSerialNumber, rsaEncryption, OCTET STRING } */
static int read_recipient(struct slice in, struct slice *ret_wrapped)
{
	struct rd r = rd_init(in);
	struct slice issuer = SLICE_EMPTY, algorithm = SLICE_EMPTY;

	int e = expect_number(&r, 0);
	if (e == 0)
		e = der_expect(&r, DER_SEQUENCE, &issuer);
	if (e == 0)
		e = der_expect(&r, DER_SEQUENCE, &algorithm);
	struct rd a = rd_init(algorithm);
	if (e == 0)
		e = expect_oid(&a, slice_of(g_rsa, sizeof(g_rsa)));
	if (e == 0)
		e = der_expect(&r, DER_OCTET_STRING, ret_wrapped);
	return e == 0 ? rd_done(&r) : e;
}

/* GCMParameters { nonce, ICVlen } */
static int read_parameters(struct rd *algorithm, struct slice *ret_nonce)
{
	struct slice parameters = SLICE_EMPTY;
	uint8_t tag = 0;

	int e = der_next(algorithm, &tag, &parameters);
	if (e == 0)
		e = rd_done(algorithm);
	struct rd r = rd_init(parameters);
	if (e == 0 && tag == OCICRYPT_WRAPPER) {
		e = der_expect(&r, DER_SEQUENCE, &parameters);
		if (e == 0)
			e = rd_done(&r);
		r = rd_init(parameters);
	} else if (e == 0 && tag != DER_SEQUENCE) {
		e = -EBADMSG;
	}
	if (e == 0)
		e = der_next(&r, &tag, ret_nonce);
	if (e == 0 && tag != DER_OCTET_STRING && tag != CONTEXT_4_PRIMITIVE)
		e = -EBADMSG;
	if (e == 0)
		e = expect_number(&r, GCM_TAG_SIZE);
	return e == 0 ? rd_done(&r) : e;
}

static int read_cipher(struct slice algorithm, struct content *c)
{
	struct rd r = rd_init(algorithm);
	struct slice oid;

	int e = der_expect(&r, DER_OID, &oid);
	if (e < 0)
		return e;
	if (slice_eq(oid, slice_of(g_aes128_gcm, sizeof(g_aes128_gcm))))
		c->key_size = 16;
	else if (slice_eq(oid, slice_of(g_aes256_gcm, sizeof(g_aes256_gcm))))
		c->key_size = 32;
	else
		return -EOPNOTSUPP;
	return read_parameters(&r, &c->nonce);
}

/* EncryptedContentInfo { data, algorithm, [0] { OCTET STRING } or [0] IMPLICIT OCTET STRING } */
static int read_content(struct rd *enveloped, struct content *c)
{
	struct slice info = SLICE_EMPTY, algorithm = SLICE_EMPTY, sealed = SLICE_EMPTY;
	uint8_t tag = 0;

	int e = der_expect(enveloped, DER_SEQUENCE, &info);
	if (e == 0)
		e = rd_done(enveloped);
	struct rd r = rd_init(info);
	if (e == 0)
		e = expect_oid(&r, slice_of(g_data, sizeof(g_data)));
	if (e == 0)
		e = der_expect(&r, DER_SEQUENCE, &algorithm);
	if (e == 0)
		e = read_cipher(algorithm, c);
	if (e == 0)
		e = der_next(&r, &tag, &sealed);
	if (e == 0)
		e = rd_done(&r);
	if (e == 0 && tag == CONTEXT_0) {
		r = rd_init(sealed);
		e = der_expect(&r, DER_OCTET_STRING, &sealed);
		if (e == 0)
			e = rd_done(&r);
	} else if (e == 0 && tag != CONTEXT_0_PRIMITIVE) {
		e = -EBADMSG;
	}
	if (e == 0 && sealed.size < GCM_TAG_SIZE)
		e = -EBADMSG;
	c->sealed = sealed;
	return e;
}

/* Which of the recipients the key is shows only when the content opens. */
static int try_recipient(
	const struct pkey *key, struct slice wrapped, const struct content *c, struct secret *ret)
{
	cleanup_with(buf_done) struct buf cek = buf_init_secret(1024), plain = buf_init_secret(0);
	size_t size = c->sealed.size - GCM_TAG_SIZE;

	int r = rsa_pkcs1_decrypt(key, wrapped, &cek);
	if (r == 0 && cek.size != c->key_size)
		r = -EKEYREJECTED;
	if (r == 0)
		r = gcm_decrypt(buf_slice(&cek), c->nonce, SLICE_EMPTY,
			slice_cut(c->sealed, 0, size), slice_cut(c->sealed, size, GCM_TAG_SIZE),
			&plain);
	if (r == 0 && plain.size == 0)
		r = -EBADMSG;
	return r == 0 ? secret_copy(ret, buf_slice(&plain)) : r;
}

int ocicrypt_pkcs7_open(
	const struct pkey *key, struct slice packet, struct secret *ret, struct err *reterr)
{
	struct slice recipients = SLICE_EMPTY, one = SLICE_EMPTY, wrapped = SLICE_EMPTY;
	struct content c = {0};
	struct rd r;

	int e = open_shell(packet, &r);
	if (e == 0)
		e = der_expect(&r, DER_SET, &recipients);
	if (e == 0)
		e = read_content(&r, &c);
	r = rd_init(recipients);
	if (e < 0)
		return err_set(reterr, e == -ENODATA ? -EBADMSG : e, "PKCS#7 key packet: %s",
			e == -EOPNOTSUPP ? "an unknown algorithm or version" : "malformed");
	e = -EKEYREJECTED;
	for (size_t i = 0; e < 0 && e != -ENOMEM && i < RECIPIENTS_MAX && !rd_end(&r); i++) {
		if (der_expect(&r, DER_SEQUENCE, &one) < 0)
			return err_set(reterr, -EBADMSG, "PKCS#7 key packet: malformed");
		if (read_recipient(one, &wrapped) == 0)
			e = try_recipient(key, wrapped, &c, ret);
	}
	return e == 0 || e == -ENOMEM ? e
				      : err_set(reterr, -EKEYREJECTED,
						"this key is not a recipient of the PKCS#7 packet");
}
