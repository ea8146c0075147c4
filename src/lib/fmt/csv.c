/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/csv.h"

#include "base/rd.h"

#define FIELD_SIZE 72
#define UID_MAX 254
#define SN_SIZE 64
#define SIGNER_PLAIN_SIZE (CSV_CERT_SIZE + SN_SIZE + 32)
#define MAC_SIZE 32

/* A number in a field of 72 bytes, to big-endian. */
static int take_number(struct rd *rd, uint8_t ret[CSV_NUMBER_SIZE])
{
	struct slice in;

	int r = rd_slice(rd, CSV_NUMBER_SIZE, &in);
	if (r == 0)
		r = rd_zero(rd, FIELD_SIZE - CSV_NUMBER_SIZE);
	for (size_t i = 0; r == 0 && i < CSV_NUMBER_SIZE; i++)
		ret[i] = in.data[CSV_NUMBER_SIZE - 1 - i];
	return r;
}

static int take_numbers(struct rd *rd, struct csv_signature *s)
{
	int r = take_number(rd, s->r);
	return r == 0 ? take_number(rd, s->s) : r;
}

static int take_key(struct rd *rd, struct csv_cert *c)
{
	int r = rd_u32le(rd, &c->curve);
	if (r == 0)
		r = take_number(rd, c->x);
	if (r == 0)
		r = take_number(rd, c->y);
	if (r == 0 && c->curve != CSV_CURVE_SM2)
		r = -EBADMSG;
	return r;
}

static int take_uid(struct rd *rd, struct csv_cert *c)
{
	uint16_t size = 0;

	int r = rd_u16le(rd, &size);
	if (r == 0 && (size == 0 || size > UID_MAX))
		return -EBADMSG;
	if (r == 0)
		r = rd_slice(rd, size, &c->uid);
	return r == 0 ? rd_skip(rd, UID_MAX - size) : r;
}

static int cert_error(struct err *reterr, int r, const char *kind, const struct rd *rd)
{
	return err_at(reterr, r, rd_pos(rd), kind, "%s is %s near byte %zu", kind,
		r == -ENODATA ? "truncated" : "malformed", rd_pos(rd));
}

int csv_ca_cert_parse(struct slice in, struct csv_cert *ret, struct err *reterr)
{
	struct csv_cert c = {.algo = CSV_ALGO_SM2};
	struct rd rd = rd_init(in);

	int r = rd_u32le(&rd, &c.version);
	if (r == 0)
		r = rd_slice(&rd, 16, &c.key_id);
	if (r == 0)
		r = rd_slice(&rd, 16, &c.signer_id);
	if (r == 0)
		r = rd_u32le(&rd, &c.usage);
	if (r == 0)
		r = rd_skip(&rd, 24);
	if (r == 0)
		r = take_key(&rd, &c);
	if (r == 0)
		r = take_uid(&rd, &c);
	if (r == 0)
		r = rd_skip(&rd, 108);
	if (r == 0) {
		c.body = slice_cut(in, 0, rd_pos(&rd));
		c.signatures[0] = (struct csv_signature){
			.there = true, .usage = CSV_USAGE_HRK, .algo = CSV_ALGO_SM2};
		r = take_numbers(&rd, &c.signatures[0]);
	}
	if (r == 0)
		r = rd_zero(&rd, 112);
	if (r == 0)
		r = rd_done(&rd);
	if (r < 0)
		return cert_error(reterr, r, "Hygon CA certificate", &rd);
	*ret = c;
	return 0;
}

/* An unused one says so, and may hold anything else. */
static int take_signature(struct rd *rd, struct csv_signature *s)
{
	int r = rd_u32le(rd, &s->usage);
	if (r == 0)
		r = rd_u32le(rd, &s->algo);
	s->there = s->usage != CSV_USAGE_NONE && s->algo == CSV_ALGO_SM2;
	if (r == 0)
		r = s->there ? take_numbers(rd, s) : rd_skip(rd, 2 * FIELD_SIZE);
	return r == 0 ? rd_skip(rd, 368) : r;
}

int csv_cert_parse(struct slice in, struct csv_cert *ret, struct err *reterr)
{
	struct csv_cert c = {0};
	struct rd rd = rd_init(in);

	int r = rd_u32le(&rd, &c.version);
	if (r == 0)
		r = rd_u8(&rd, &c.firmware_major);
	if (r == 0)
		r = rd_u8(&rd, &c.firmware_minor);
	if (r == 0)
		r = rd_skip(&rd, 2);
	if (r == 0)
		r = rd_u32le(&rd, &c.usage);
	if (r == 0)
		r = rd_u32le(&rd, &c.algo);
	if (r == 0)
		r = take_key(&rd, &c);
	if (r == 0)
		r = take_uid(&rd, &c);
	if (r == 0)
		r = rd_slice(&rd, 16, &c.signer_id);
	if (r == 0)
		r = rd_skip(&rd, 608);
	if (r == 0)
		c.body = slice_cut(in, 0, rd_pos(&rd));
	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(c.signatures); i++)
		r = take_signature(&rd, &c.signatures[i]);
	if (r == 0)
		r = rd_done(&rd);
	if (r < 0)
		return cert_error(reterr, r, "CSV certificate", &rd);
	*ret = c;
	return 0;
}

/* Fields that both versions have. */
static int take_head(struct rd *rd, struct csv_report *c)
{
	const struct {
		struct slice *to;
		size_t size;
	} fields[] = {{&c->user_pubkey_digest, 32}, {&c->vm_id, 16}, {&c->vm_version, 16},
		{&c->report_data, 64}, {&c->mnonce, 16}, {&c->measure, 32}};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(fields); i++)
		r = rd_slice(rd, fields[i].size, fields[i].to);
	if (r == 0)
		r = rd_u32le(rd, &c->policy);
	if (r == 0)
		r = rd_u32le(rd, &c->sig_usage);
	return r == 0 ? rd_u32le(rd, &c->sig_algo) : r;
}

static int take_v2(struct rd *rd, struct csv_report *c)
{
	int r = rd_u32le(rd, &c->build);
	if (r == 0)
		r = rd_u16le(rd, &c->rtmr_version);
	if (r == 0)
		r = rd_slice(rd, 14, &c->reserved0);
	for (size_t i = 0; r == 0 && i < CSV_RTMR_COUNT; i++)
		r = rd_slice(rd, CSV_RTMR_SIZE, &c->rtmr[i]);
	return r == 0 ? rd_slice(rd, 656, &c->reserved1) : r;
}

static bool all_zero(struct slice s)
{
	for (size_t i = 0; i < s.size; i++) {
		if (s.data[i])
			return false;
	}
	return true;
}

/* The signature's number and the MAC are not masked. */
static void unmask(struct csv_report *c, size_t size)
{
	size_t signer = size - MAC_SIZE - SIGNER_PLAIN_SIZE;

	for (size_t i = 0; i < size - MAC_SIZE; i++) {
		if (i < 188 || i >= signer)
			c->plain[i] ^= (uint8_t)(c->anonce >> 8 * (i % 4));
	}
}

/* Versions of certificates are small numbers. */
static bool is_cert_version(const uint8_t *at)
{
	return at[0] < 16 && at[1] == 0 && at[2] == 0 && at[3] == 0;
}

/* Guests that checked the MAC send the signer's part without its mask, or not at all. */
static void open_mask(struct csv_report *c, struct slice in, size_t size)
{
	size_t at = size - MAC_SIZE - SIGNER_PLAIN_SIZE;
	struct slice signer = slice_cut(in, at, SIGNER_PLAIN_SIZE);
	struct rd rd = rd_init(slice_cut(in, 188, 4));

	if (rd_u32le(&rd, &c->anonce) < 0)
		return;
	unmask(c, size);
	if (all_zero(signer) || (!is_cert_version(c->plain + at) && is_cert_version(signer.data)))
		memcpy(c->plain + at, signer.data, signer.size);
}

static int take_signer(struct rd *rd, struct csv_report *c)
{
	int r = rd_slice(rd, CSV_CERT_SIZE, &c->pek);
	if (r == 0)
		r = rd_slice(rd, SN_SIZE, &c->serial_number);
	if (r == 0)
		r = rd_skip(rd, 32);
	if (r == 0)
		r = rd_slice(rd, MAC_SIZE, &c->mac);
	c->has_signer = r == 0 && !(all_zero(c->pek) && all_zero(c->serial_number));
	return r;
}

int csv_report_parse(struct slice in, unsigned version, struct csv_report *ret, struct err *reterr)
{
	size_t size = version == 1 ? CSV_REPORT_V1_SIZE : CSV_REPORT_V2_SIZE;

	if (version != 1 && version != 2)
		return err_set(reterr, -EOPNOTSUPP, "CSV report version %u is not known", version);
	if (in.size < size)
		return err_at(reterr, -ENODATA, in.size, NULL,
			"CSV report is truncated: %zu bytes, version %u has %zu", in.size, version,
			size);
	if (in.size > CSV_PAGE_SIZE || !all_zero(slice_cut(in, size, in.size - size)))
		return err_at(reterr, -EBADMSG, size, NULL, "bytes follow after the CSV report");
	memset(ret, 0, sizeof(*ret));
	ret->version = version;
	memcpy(ret->plain, in.data, size);
	if (version == 1)
		open_mask(ret, in, size);
	struct rd rd = rd_init(slice_of(ret->plain, size));
	int r = take_head(&rd, ret);
	if (r == 0)
		r = version == 1 ? rd_skip(&rd, 4) : take_v2(&rd, ret);
	ret->signed_bytes = slice_cut(in, 0, version == 1 ? 180 : rd_pos(&rd));
	ret->signature = (struct csv_signature){true, ret->sig_usage, ret->sig_algo, {0}, {0}};
	if (r == 0)
		r = take_numbers(&rd, &ret->signature);
	ret->mac_bytes = slice_cut(in, rd_pos(&rd), SIGNER_PLAIN_SIZE);
	if (r == 0)
		r = take_signer(&rd, ret);
	return r < 0 ? cert_error(reterr, r, "CSV report", &rd) : 0;
}

int csv_dcu_report_parse(struct slice in, struct csv_dcu_report *ret, struct err *reterr)
{
	struct csv_dcu_report c = {0};
	struct rd rd = rd_init(in);
	const struct {
		struct slice *to;
		size_t size;
	} fields[] = {{&c.chip_id, 16}, {&c.user_data, 64}, {&c.measure, 32}, {&c.reserved, 128}};

	int r = rd_u32le(&rd, &c.version);
	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(fields); i++)
		r = rd_slice(&rd, fields[i].size, fields[i].to);
	if (r == 0)
		r = rd_u32le(&rd, &c.sig_usage);
	if (r == 0)
		r = rd_u32le(&rd, &c.sig_algo);
	c.signature = (struct csv_signature){true, c.sig_usage, c.sig_algo, {0}, {0}};
	if (r == 0)
		r = take_numbers(&rd, &c.signature);
	if (r == 0)
		r = rd_done(&rd);
	if (r < 0)
		return cert_error(reterr, r, "DCU report", &rd);
	c.signed_bytes = slice_cut(in, 0, CSV_DCU_BODY_SIZE);
	*ret = c;
	return 0;
}
