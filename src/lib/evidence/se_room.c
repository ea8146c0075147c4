/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence of Secure Execution guests: {"measurement", "additional_data", "user_data", "cuid",
 * "encr_measurement_key", "encr_request_nonce", "image_hdr_tags"}, base64.
 *
 * Which image the guest runs is in its tags, which the evidence carries and the measurement
 * confirms: the appraisal policy compares them. There is no field for initdata.
 *
 * Decryption is PKCS#1 v1.5, so it must not be told whether the padding was good: a key that cannot
 * be decrypted is replaced by a random one, and the measurement does not fit then.
 */
#include "base/enc.h"
#include "evidence/se.h"
#include "fmt/json.h"

#define FIELD_MAX 0x8000
#define USER_MAX 256
#define REPORT_DATA_SIZE 64

struct se_evidence {
	struct buf measurement, additional, user, cuid, key, nonce, tags;
};

static void se_evidence_done(struct se_evidence *t)
{
	buf_done(&t->measurement);
	buf_done(&t->additional);
	buf_done(&t->user);
	buf_done(&t->cuid);
	buf_done(&t->key);
	buf_done(&t->nonce);
	buf_done(&t->tags);
}

static int decode(const json_t *evidence, struct se_evidence *t, struct err *reterr)
{
	const struct {
		const char *name;
		struct buf *to;
		size_t max, exact;
	} fields[] = {{"measurement", &t->measurement, FIELD_MAX, SE_MEASUREMENT_SIZE},
		{"additional_data", &t->additional, FIELD_MAX, 0},
		{"user_data", &t->user, USER_MAX, 0}, {"cuid", &t->cuid, FIELD_MAX, SE_CUID_SIZE},
		{"encr_measurement_key", &t->key, FIELD_MAX, 0},
		{"encr_request_nonce", &t->nonce, FIELD_MAX, 0},
		{"image_hdr_tags", &t->tags, FIELD_MAX, SE_TAGS_SIZE}};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(fields); i++) {
		*fields[i].to = buf_init(fields[i].max);
		r = json_get_b64(evidence, fields[i].name, fields[i].to, reterr);
		if (r == 0 && fields[i].exact && fields[i].to->size != fields[i].exact)
			r = err_at(reterr, -EBADMSG, ERR_NO_OFFSET, fields[i].name,
				"member \"%s\" has %zu bytes, not %zu", fields[i].name,
				fields[i].to->size, fields[i].exact);
	}
	if (r == 0 && t->additional.size < (size_t)2 * SE_PHKH_SIZE)
		r = err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "additional_data",
			"member \"additional_data\" holds no two hashes of host keys");
	return r;
}

static int unwrap(const struct pkey *key, struct slice in, size_t size, struct buf *out)
{
	int r = rsa_pkcs1_decrypt(key, in, out);
	if (r == -ENOMEM || (r == 0 && out->size == size))
		return r;
	buf_clear(out);
	uint8_t *room = buf_reserve(out, size);
	if (!room)
		return buf_error(out);
	r = random_bytes(room, size);
	buf_commit(out, size);
	return r;
}

static int check_measurement(const struct evidence_request *request, const struct se_evidence *t,
	struct evidence_result *result)
{
	cleanup_with(buf_done) struct buf key = buf_init_secret(2048),
					  nonce = buf_init_secret(2048);
	struct se_measured m = {.config_uid = buf_slice(&t->cuid),
		.user_data = buf_slice(&t->user),
		.additional = buf_slice(&t->additional)};
	struct digest want = {0};

	int r = se_tags_from_bytes(buf_slice(&t->tags), &m.tags);
	if (r == 0)
		r = unwrap(request->ibm_key, buf_slice(&t->key), SE_MEASUREMENT_KEY_SIZE, &key);
	if (r == 0)
		r = unwrap(request->ibm_key, buf_slice(&t->nonce), SE_NONCE_SIZE, &nonce);
	m.nonce = buf_slice(&nonce);
	if (r == 0)
		r = se_measurement(buf_slice(&key), &m, &want);
	if (r < 0)
		return r;
	/* What it should be is as secret as the key: who knows it can forge this evidence. */
	bool good = ct_equal(digest_slice(&want), buf_slice(&t->measurement));
	explicit_bzero(&want, sizeof(want));
	return check_note(result, "measurement", good, NULL, NULL,
		good ? NULL
		     : "the HMAC does not fit the key, the nonce (of 16 bytes), the image and the "
		       "data: another image, another machine, or altered evidence");
}

static int make_claims(const struct se_evidence *t, json_t *c)
{
	uint8_t report_data[REPORT_DATA_SIZE] = {0};
	struct slice additional = buf_slice(&t->additional);

	memcpy(report_data, t->user.data, MIN(t->user.size, sizeof(report_data)));
	int r = json_set_hex(c, "cuid", buf_slice(&t->cuid));
	if (r == 0)
		r = json_set_hex(c, "report_data", slice_of(report_data, sizeof(report_data)));
	if (r == 0)
		r = json_set_int(c, "version", SE_REQUEST_VERSION);
	if (r == 0)
		r = json_set_hex(c, "image_phkh", slice_cut(additional, 0, SE_PHKH_SIZE));
	if (r == 0)
		r = json_set_hex(
			c, "attestation_phkh", slice_cut(additional, SE_PHKH_SIZE, SE_PHKH_SIZE));
	return r == 0 ? json_set_hex(c, "tag", slice_cut(buf_slice(&t->tags), 192, 16)) : r;
}

int evidence_se_verify(
	const struct evidence_request *request, struct evidence_result *result, struct err *reterr)
{
	cleanup_with(se_evidence_done) struct se_evidence t = {0};
	struct err e = {0};

	int r = decode(request->evidence, &t, &e);
	r = check_errno(result, "evidence format", r, &e);
	if (r == 0 && !request->ibm_key)
		r = check_note(result, "wrapping key", false, NULL, NULL,
			"there is no RSA key to decrypt the measurement key of IBM Secure "
			"Execution with");
	if (r == 0 && request->init_data.size > 0)
		r = check_note(result, "initdata", false, NULL, NULL,
			"Secure Execution has no field for initdata, and some came along");
	if (r == 0)
		r = check_bindings(request, slice_cut(buf_slice(&t.user), 0, REPORT_DATA_SIZE), "",
			SLICE_EMPTY, result);
	if (r == 0)
		r = check_measurement(request, &t, result);
	if (r < 0)
		return r;
	result->claims = json_object();
	return result->claims ? make_claims(&t, result->claims) : -ENOMEM;
}
