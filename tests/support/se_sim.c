/* SPDX-License-Identifier: Apache-2.0 */
#include "support/se_sim.h"

#include "base/enc.h"
#include "crypto/cipher.h"
#include "evidence/se.h"
#include "fmt/json.h"

#define P521_SIZE 66

struct se_sim {
	struct pkey *host, *wrapping;
	uint8_t tags[SE_TAGS_SIZE];
	uint8_t phkh[SE_PHKH_SIZE];
};

struct se_sim *se_sim_new(void)
{
	cleanup(se_sim_free) struct se_sim *s = calloc(1, sizeof(*s));
	cleanup_with(buf_done) struct buf point = buf_init(256);
	uint8_t padded[SE_COORDINATES_SIZE] = {0};
	struct digest d;

	if (!s || pkey_generate(KEY_P521, 0, &s->host) < 0 ||
		pkey_generate(KEY_RSA, 2048, &s->wrapping) < 0 ||
		pkey_ec_point(s->host, &point) < 0 || random_bytes(s->tags, sizeof(s->tags)) < 0)
		return NULL;
	memcpy(padded + 14, point.data + 1, P521_SIZE);
	memcpy(padded + 94, point.data + 1 + P521_SIZE, P521_SIZE);
	if (hash_once(HASH_SHA256, slice_of(padded, sizeof(padded)), &d) < 0)
		return NULL;
	memcpy(s->phkh, d.bytes, sizeof(s->phkh));
	return steal_ptr(s);
}

void se_sim_free(struct se_sim *s)
{
	if (!s)
		return;
	pkey_free(s->host);
	pkey_free(s->wrapping);
	free(s);
}

struct pkey *se_sim_host_key(const struct se_sim *s)
{
	return s->host;
}

const struct pkey *se_sim_wrapping_key(const struct se_sim *s)
{
	return s->wrapping;
}

struct se_tags se_sim_tags(const struct se_sim *s)
{
	struct se_tags t = {0};
	return se_tags_from_bytes(slice_of(s->tags, sizeof(s->tags)), &t) == 0
		       ? t
		       : (struct se_tags){0};
}

/* SHA-256(x || 00000001) of the customer's and the host's keys. */
static int shared_key(const struct se_sim *s, struct slice coordinates, struct digest *ret)
{
	cleanup_with(buf_done) struct buf point = buf_init(256), in = buf_init(256);
	cleanup(pkey_free) struct pkey *customer = NULL;
	cleanup_with(secret_done) struct secret z = {0};

	buf_put_u8(&point, 4);
	buf_put_slice(&point, slice_cut(coordinates, 14, P521_SIZE));
	buf_put_slice(&point, slice_cut(coordinates, 94, P521_SIZE));
	int r = pkey_from_ec_point(KEY_P521, buf_slice(&point), &customer);
	if (r == 0)
		r = ecdh_derive(s->host, customer, &z);
	if (r < 0)
		return r;
	buf_put_slice(&in, secret_slice(&z));
	buf_put_u32be(&in, 1);
	return hash_once(HASH_SHA256, buf_slice(&in), ret);
}

static int open_request(const struct se_sim *s, struct slice blob, struct buf *plain)
{
	static const uint8_t iv[GCM_IV_SIZE];
	cleanup_with(buf_done) struct buf arpk = buf_init(64);
	struct se_request q;
	struct se_attestation a;
	struct digest key;

	int r = se_request_parse(blob, SE_ATTESTATION_REQUEST, &q, NULL);
	if (r == 0)
		r = se_attestation_parse(&q, &a, NULL);
	if (r == 0)
		r = shared_key(s, a.customer_key, &key);
	if (r < 0)
		return r;
	for (size_t i = 0; i < q.keyslots; i++) {
		struct slice slot = slice_cut(a.keyslots, i * SE_KEYSLOT_SIZE, SE_KEYSLOT_SIZE);
		if (!slice_eq(slice_cut(slot, 0, SE_PHKH_SIZE), slice_of(s->phkh, SE_PHKH_SIZE)))
			continue;
		r = gcm_decrypt(digest_slice(&key), slice_of(iv, sizeof(iv)), SLICE_EMPTY,
			slice_cut(slot, 32, 32), slice_cut(slot, 64, 16), &arpk);
		return r == 0 ? se_request_open(&q, buf_slice(&arpk), plain) : r;
	}
	return -ENOENT;
}

static int copy_member(json_t *to, const json_t *from, const char *name)
{
	return json_object_set(to, name, json_object_get(from, name)) < 0 ? -ENOMEM : 0;
}

json_t *se_sim_answer(const struct se_sim *s, const json_t *challenge, struct slice user_data)
{
	static const uint8_t cuid[SE_CUID_SIZE] = {0xC0, 0x1D};
	cleanup_with(buf_done) struct buf blob = buf_init(SE_REQUEST_MAX), plain = buf_init(256),
					  additional = buf_init(64);
	json_t *o = json_object();
	struct digest mac = {0};

	int r = json_get_b64(challenge, "request_blob", &blob, NULL);
	if (r == 0)
		r = open_request(s, buf_slice(&blob), &plain);
	buf_put(&additional, s->phkh, sizeof(s->phkh));
	buf_put(&additional, s->phkh, sizeof(s->phkh));
	const struct se_measured m = {.tags = se_sim_tags(s),
		.config_uid = slice_of(cuid, sizeof(cuid)),
		.user_data = user_data,
		.nonce = slice_cut(buf_slice(&plain), SE_MEASUREMENT_KEY_SIZE, SE_NONCE_SIZE),
		.additional = buf_slice(&additional)};
	if (r == 0)
		r = se_measurement(
			slice_cut(buf_slice(&plain), 0, SE_MEASUREMENT_KEY_SIZE), &m, &mac);
	if (r == 0)
		r = json_set_b64(o, "measurement", digest_slice(&mac), B64_STD);
	if (r == 0)
		r = json_set_b64(o, "additional_data", m.additional, B64_STD);
	if (r == 0)
		r = json_set_b64(o, "user_data", user_data, B64_STD);
	if (r == 0)
		r = json_set_b64(o, "cuid", m.config_uid, B64_STD);
	if (r == 0)
		r = copy_member(o, challenge, "encr_measurement_key");
	if (r == 0)
		r = copy_member(o, challenge, "encr_request_nonce");
	if (r == 0)
		r = copy_member(o, challenge, "image_hdr_tags");
	if (r == 0)
		return o;
	json_decref(o);
	return NULL;
}
