/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/se.h"

#include "base/rd.h"

#define ADD_SECRET_MAGIC SLICE_LIT("asrcbM\0\0")
#define ATTESTATION_MAGIC SLICE_LIT("\0\0\0\0\0\0\0\0")
#define EXCHANGE_MAGIC SLICE_LIT("pvattest")
#define EXCHANGE_HEADER_SIZE 64
#define MEASUREMENT_MAX 0x8000
#define ADDITIONAL_MAX 0x8000
#define USER_MAX 256
#define IMAGE_MAGIC SLICE_LIT("SeImgLnx")
#define IMAGE_MAGIC_OFFSET 0xc000
#define HEADER_MAGIC SLICE_LIT("IBMSecEx")
#define HEADER_VERSION 0x100
#define HEADER_HEAD_SIZE 416
#define HEADER_DIGESTS_OFFSET 224
#define HEADER_TAG_SIZE 16
#define HEADER_PAGES 0x15 /* how far into an image its header may begin */
#define PAGE_SIZE 4096

static int malformed(struct err *reterr, int r, const char *what)
{
	return err_set(reterr, r, "%s is %s", what, r == -ENODATA ? "truncated" : "malformed");
}

int se_request_parse(
	struct slice in, enum se_request_kind kind, struct se_request *ret, struct err *reterr)
{
	struct se_request q = {0};
	struct rd rd = rd_init(in);
	struct slice magic;

	int r = rd_slice(&rd, 8, &magic);
	if (r == 0 && !slice_eq(magic, kind == SE_ATTESTATION_REQUEST ? ATTESTATION_MAGIC
								      : ADD_SECRET_MAGIC))
		return err_set(reterr, -EBADMSG, "this is no %s request",
			kind == SE_ATTESTATION_REQUEST ? "attestation" : "add-secret");
	if (r == 0)
		r = rd_u32be(&rd, &q.version);
	if (r == 0)
		r = rd_u32be(&rd, &q.size);
	if (r == 0)
		r = rd_slice(&rd, SE_IV_SIZE, &q.iv);
	if (r == 0)
		r = rd_zero(&rd, 4 + 7);
	if (r == 0)
		r = rd_u8(&rd, &q.keyslots);
	if (r == 0)
		r = rd_zero(&rd, 4);
	if (r == 0)
		r = rd_u32be(&rd, &q.encrypted_size);
	if (r < 0)
		return malformed(reterr, r, "the header of the request");
	if (q.version != SE_REQUEST_VERSION)
		return err_set(
			reterr, -EOPNOTSUPP, "requests of version %#x are not known", q.version);
	if (q.size != in.size || in.size > SE_REQUEST_MAX)
		return err_set(reterr, q.size > in.size ? -ENODATA : -EBADMSG,
			"the request says that it has %u bytes, and has %zu", q.size, in.size);
	if (q.encrypted_size > in.size - SE_REQUEST_HEADER_SIZE ||
		in.size - SE_REQUEST_HEADER_SIZE - q.encrypted_size < SE_GCM_TAG_SIZE)
		return err_set(reterr, -EBADMSG, "the request is smaller than its parts");
	q.aad = slice_cut(in, 0, in.size - q.encrypted_size - SE_GCM_TAG_SIZE);
	q.dependent = slice_cut(q.aad, SE_REQUEST_HEADER_SIZE, q.aad.size);
	q.encrypted = slice_cut(in, q.aad.size, q.encrypted_size);
	q.tag = slice_cut(in, in.size - SE_GCM_TAG_SIZE, SE_GCM_TAG_SIZE);
	*ret = q;
	return 0;
}

int se_attestation_parse(
	const struct se_request *request, struct se_attestation *ret, struct err *reterr)
{
	struct se_attestation a = {0};
	struct rd rd = rd_init(request->dependent);

	int r = rd_u64be(&rd, &a.flags);
	if (r == 0)
		r = rd_u32be(&rd, &a.measurement_alg);
	if (r == 0)
		r = rd_zero(&rd, 4);
	if (r == 0 && a.measurement_alg != SE_MEAS_HMAC_SHA512)
		return err_set(reterr, -EOPNOTSUPP,
			"measurement algorithm %u is not known (1 is HMAC-SHA-512)",
			a.measurement_alg);
	if (r == 0)
		r = rd_slice(&rd, SE_COORDINATES_SIZE, &a.customer_key);
	if (r == 0)
		r = rd_slice(&rd, (size_t)request->keyslots * SE_KEYSLOT_SIZE, &a.keyslots);
	if (r == 0)
		r = rd_done(&rd);
	if (r == 0 && request->encrypted_size < SE_MEASUREMENT_KEY_SIZE)
		r = -EBADMSG;
	if (r < 0)
		return malformed(reterr, r, "the attestation request");
	*ret = a;
	return 0;
}

void se_request_put_header(
	struct buf *out, uint32_t size, struct slice iv, uint8_t keyslots, uint32_t encrypted_size)
{
	buf_put_slice(out, ATTESTATION_MAGIC);
	buf_put_u32be(out, SE_REQUEST_VERSION);
	buf_put_u32be(out, size);
	buf_put_slice(out, iv);
	buf_put_zero(out, 4 + 7);
	buf_put_u8(out, keyslots);
	buf_put_zero(out, 4);
	buf_put_u32be(out, encrypted_size);
}

/* A part lies behind the header, or only its size is said. */
static int take_part(struct rd *rd, struct slice file, size_t max, struct se_part *p)
{
	int r = rd_u32be(rd, &p->size);
	if (r == 0)
		r = rd_u32be(rd, &p->offset);
	if (r < 0)
		return r;
	if (p->size > max)
		return -EBADMSG;
	if (p->size == 0 || p->offset == 0)
		return 0;
	if (p->offset < EXCHANGE_HEADER_SIZE)
		return -EBADMSG;
	if (p->offset > file.size || p->size > file.size - p->offset)
		return -ENODATA;
	p->data = slice_cut(file, p->offset, p->size);
	return 0;
}

int se_exchange_parse(struct slice in, bool response, struct se_exchange *ret, struct err *reterr)
{
	struct se_exchange x = {0};
	struct rd rd = rd_init(in);
	struct slice magic;

	int r = rd_slice(&rd, 8, &magic);
	if (r == 0 && !slice_eq(magic, EXCHANGE_MAGIC))
		return err_set(reterr, -EBADMSG, "this is no file of pvattest");
	if (r == 0)
		r = rd_u32be(&rd, &x.version);
	if (r == 0)
		r = rd_u32be(&rd, &x.size);
	if (r == 0 && x.version != SE_REQUEST_VERSION)
		return err_set(reterr, -EOPNOTSUPP, "pvattest files of version %#x are not known",
			x.version);
	if (r == 0)
		r = x.size < EXCHANGE_HEADER_SIZE ? -EBADMSG : x.size > in.size ? -ENODATA : 0;
	struct slice file = slice_cut(in, 0, x.size);
	if (r == 0)
		r = rd_skip(&rd, 8);
	if (r == 0)
		r = take_part(&rd, file, SE_REQUEST_MAX, &x.arcb);
	if (r == 0)
		r = take_part(&rd, file, MEASUREMENT_MAX, &x.measurement);
	if (r == 0)
		r = take_part(&rd, file, ADDITIONAL_MAX, &x.additional);
	if (r == 0)
		r = take_part(&rd, file, USER_MAX, &x.user);
	if (r == 0)
		r = take_part(&rd, file, SE_CUID_SIZE, &x.config_uid);
	if (r < 0)
		return malformed(reterr, r, "the pvattest file");
	if (x.arcb.data.size == 0 || x.measurement.size == 0)
		return err_set(reterr, -EBADMSG, "the pvattest file holds no attestation request");
	if (response && (x.measurement.data.size == 0 || x.config_uid.data.size != SE_CUID_SIZE))
		return err_set(reterr, -EBADMSG,
			"the pvattest file holds no measurement, or no config UID of 16 bytes");
	*ret = x;
	return 0;
}

/* Where the header is: an image says so, else it is at the start of one of the first pages. */
static int find_header(struct slice image, size_t *ret)
{
	struct rd rd = rd_init(slice_cut(image, IMAGE_MAGIC_OFFSET, 16));
	struct slice magic;
	uint64_t offset = 0;

	if (rd_slice(&rd, 8, &magic) == 0 && slice_eq(magic, IMAGE_MAGIC) &&
		rd_u64be(&rd, &offset) == 0) {
		if (offset > image.size)
			return -ENODATA;
		*ret = (size_t)offset;
		return slice_starts(slice_cut(image, *ret, 8), HEADER_MAGIC) ? 0 : -ENOENT;
	}
	for (size_t page = 0; page < HEADER_PAGES; page++) {
		*ret = page * PAGE_SIZE;
		if (slice_starts(slice_cut(image, *ret, 8), HEADER_MAGIC))
			return 0;
	}
	return -ENOENT;
}

int se_tags_from_image(struct slice image, struct se_tags *ret, struct err *reterr)
{
	struct se_tags t = {0};
	uint32_t version = 0, size = 0;

	int r = find_header(image, &t.header_offset);
	if (r < 0)
		return err_set(reterr, r, "the image has no boot header of Secure Execution");
	struct slice header = slice_cut(image, t.header_offset, image.size);
	struct rd rd = rd_init(header);
	r = rd_skip(&rd, 8);
	if (r == 0)
		r = rd_u32be(&rd, &version);
	if (r == 0)
		r = rd_u32be(&rd, &size);
	if (r == 0 && version != HEADER_VERSION)
		return err_set(
			reterr, -EOPNOTSUPP, "boot header version %#x is not known", version);
	if (r == 0)
		r = size < HEADER_HEAD_SIZE + HEADER_TAG_SIZE ? -EBADMSG
		    : size > header.size		      ? -ENODATA
							      : 0;
	if (r < 0)
		return malformed(reterr, r, "the boot header");
	t.header_size = size;
	t.pld = slice_cut(header, HEADER_DIGESTS_OFFSET, 64);
	t.ald = slice_cut(header, HEADER_DIGESTS_OFFSET + 64, 64);
	t.tld = slice_cut(header, HEADER_DIGESTS_OFFSET + 128, 64);
	t.tag = slice_cut(header, size - HEADER_TAG_SIZE, HEADER_TAG_SIZE);
	*ret = t;
	return 0;
}

int se_tags_from_bytes(struct slice in, struct se_tags *ret)
{
	if (in.size != SE_TAGS_SIZE)
		return -EBADMSG;
	*ret = (struct se_tags){.pld = slice_cut(in, 0, 64),
		.ald = slice_cut(in, 64, 64),
		.tld = slice_cut(in, 128, 64),
		.tag = slice_cut(in, 192, 16)};
	return 0;
}

void se_tags_put(const struct se_tags *t, struct buf *out)
{
	buf_put_slice(out, t->pld);
	buf_put_slice(out, t->ald);
	buf_put_slice(out, t->tld);
	buf_put_slice(out, t->tag);
}
