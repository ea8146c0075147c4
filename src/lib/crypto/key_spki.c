/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Public keys on the three curves without OpenSSL's decoders. Those try every format of every
 * algorithm, in a guest without KVM for 20 ms and at the first use for 50 ms; the keys that guests are
 * given are nearly all of this one form. What is not exactly that form is left to OpenSSL.
 */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/str.h"
#include "crypto/key_internal.h"
#include "fmt/der.h"

#define PRIVATE "PRIVATE KEY"

/* RFC 5480, 2.1.1 */
static const uint8_t g_ec_public_key[] = {0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01};
static const uint8_t g_p256[] = {0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07};
static const uint8_t g_p384[] = {0x2B, 0x81, 0x04, 0x00, 0x22};
static const uint8_t g_p521[] = {0x2B, 0x81, 0x04, 0x00, 0x23};

static enum key_type curve_from_oid(struct slice oid)
{
	if (slice_eq(oid, slice_of(g_p256, sizeof(g_p256))))
		return KEY_P256;
	if (slice_eq(oid, slice_of(g_p384, sizeof(g_p384))))
		return KEY_P384;
	return slice_eq(oid, slice_of(g_p521, sizeof(g_p521))) ? KEY_P521 : KEY_NONE;
}

int spki_ec_read(struct slice der, struct pkey **ret)
{
	struct slice info, algorithm, bits, oid;
	struct rd r = rd_init(der);
	if (der_expect(&r, DER_SEQUENCE, &info) < 0 || rd_left(&r) != 0)
		return -EBADMSG;
	r = rd_init(info);
	if (der_expect(&r, DER_SEQUENCE, &algorithm) < 0 ||
		der_expect(&r, DER_BIT_STRING, &bits) < 0 || rd_left(&r) != 0)
		return -EBADMSG;
	r = rd_init(algorithm);
	if (der_expect(&r, DER_OID, &oid) < 0 ||
		!slice_eq(oid, slice_of(g_ec_public_key, sizeof(g_ec_public_key))) ||
		der_expect(&r, DER_OID, &oid) < 0 || rd_left(&r) != 0)
		return -EBADMSG;
	/* No bit of the last byte is unused. */
	if (bits.size == 0 || bits.data[0] != 0)
		return -EBADMSG;
	return pkey_from_ec_point(curve_from_oid(oid), slice_cut(bits, 1, bits.size), ret);
}

int pem_ec_read(struct slice pem, struct pkey **ret)
{
	char *name = NULL, *header = NULL;
	unsigned char *data = NULL;
	long size = 0;
	int r = -EBADMSG;
	/* Where there is a private key, it is the one that counts. */
	if (memmem(pem.data, pem.size, PRIVATE, sizeof(PRIVATE) - 1) != NULL)
		return r;
	BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
	if (bio && PEM_read_bio(bio, &name, &header, &data, &size) == 1 &&
		streq(name, PEM_STRING_PUBLIC) && header[0] == '\0')
		r = spki_ec_read(slice_of(data, (size_t)size), ret);
	BIO_free(bio);
	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_free(data);
	ERR_clear_error();
	return r;
}
