/* SPDX-License-Identifier: Apache-2.0 */
/* Id blocks: the owner's signed word on which launch digest a guest must have. */
#include "evidence/measure_snp.h"

#define ECDSA_P384_SHA384 1
#define CURVE_P384 2
#define SCALAR 48
#define SCALAR_FIELD 72
#define KEY_SIZE 1028
#define SIGNATURE_SIZE 512
/* Offsets in the authentication page. */
#define AT_BLOCK_SIGNATURE 64
#define AT_ID_KEY (AT_BLOCK_SIGNATURE + SIGNATURE_SIZE)
#define AT_ID_KEY_SIGNATURE (AT_ID_KEY + KEY_SIZE + 60)
#define AT_AUTHOR_KEY (AT_ID_KEY_SIGNATURE + SIGNATURE_SIZE)

static void put_le(uint8_t *to, size_t size, uint64_t v)
{
	for (size_t i = 0; i < size; i++)
		to[i] = (uint8_t)(v >> 8 * i);
}

/* Two big-endian numbers to two little-endian fields. */
static void put_pair(uint8_t *to, const uint8_t *pair)
{
	for (size_t i = 0; i < SCALAR; i++) {
		to[i] = pair[SCALAR - 1 - i];
		to[SCALAR_FIELD + i] = pair[2 * SCALAR - 1 - i];
	}
}

static int put_key(uint8_t *to, const struct pkey *k)
{
	cleanup_with(buf_done) struct buf spki = buf_init(0);

	int r = pkey_to_spki(k, &spki);
	if (r == 0 && (pkey_type(k) != KEY_P384 || spki.size < 2 * SCALAR))
		r = -EINVAL;
	if (r < 0)
		return r;
	put_le(to, 4, CURVE_P384);
	put_pair(to + 4, spki.data + spki.size - 2 * SCALAR); /* it ends with the point */
	return 0;
}

static int put_signature(uint8_t *to, const struct pkey *k, struct slice in)
{
	cleanup_with(buf_done) struct buf pair = buf_init(0);

	int r = pkey_sign(k, SIG_ES384, in, &pair);
	if (r == 0 && pair.size != 2 * SCALAR)
		r = -EIO;
	if (r == 0)
		put_pair(to, pair.data);
	return r;
}

static void put_block(uint8_t *to, const struct snp_id *id)
{
	memcpy(to, id->launch_digest.data, MEASURE_SNP_DIGEST_SIZE);
	memcpy(to + 48, id->family_id, 16);
	memcpy(to + 64, id->image_id, 16);
	put_le(to + 80, 4, 1); /* version */
	put_le(to + 84, 4, id->guest_svn);
	put_le(to + 88, 8, id->policy);
}

static int put_author(struct snp_id_block *b, const struct pkey *author)
{
	struct slice id_key = slice_of(b->auth + AT_ID_KEY, KEY_SIZE);

	put_le(b->auth + 4, 4, ECDSA_P384_SHA384);
	int r = put_key(b->auth + AT_AUTHOR_KEY, author);
	if (r == 0)
		r = put_signature(b->auth + AT_ID_KEY_SIGNATURE, author, id_key);
	return r == 0 ? hash_once(HASH_SHA384, slice_of(b->auth + AT_AUTHOR_KEY, KEY_SIZE),
				&b->author_key_digest)
		      : r;
}

int measure_snp_id_block(const struct snp_id *id, const struct pkey *id_key,
	const struct pkey *author_key, struct snp_id_block *ret, struct err *reterr)
{
	struct snp_id_block b = {0};

	if (id->launch_digest.size != MEASURE_SNP_DIGEST_SIZE)
		return err_at(reterr, -EINVAL, ERR_NO_OFFSET, "launch digest",
			"an id block is for SNP guests: their launch digest has 48 bytes");
	put_block(b.block, id);
	put_le(b.auth, 4, ECDSA_P384_SHA384);
	int r = put_key(b.auth + AT_ID_KEY, id_key);
	if (r == 0)
		r = put_signature(
			b.auth + AT_BLOCK_SIGNATURE, id_key, slice_of(b.block, sizeof(b.block)));
	if (r == 0)
		r = hash_once(
			HASH_SHA384, slice_of(b.auth + AT_ID_KEY, KEY_SIZE), &b.id_key_digest);
	if (r == 0 && author_key)
		r = put_author(&b, author_key);
	if (r < 0)
		return err_set(reterr, r, "an id block is signed with private P-384 keys");
	*ret = b;
	return 0;
}
