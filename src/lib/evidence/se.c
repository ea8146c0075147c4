/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to the ultravisor, and the measurement that it answers with. */
#include "evidence/se.h"

#include "base/enc.h"
#include "crypto/cipher.h"
#include "fmt/json.h"

#define COORDINATE_SIZE 80
#define P521_SIZE 66
#define ADDITIONAL_SIZE (2 * SE_PHKH_SIZE)
#define CONFIDENTIAL_SIZE (SE_MEASUREMENT_KEY_SIZE + SE_NONCE_SIZE)

static int se_secrets_random(struct se_secrets *ret)
{
	struct se_secrets s = {0};

	int r = random_bytes(s.protection_key, sizeof(s.protection_key));
	if (r == 0)
		r = random_bytes(s.iv, sizeof(s.iv));
	if (r == 0)
		r = random_bytes(s.measurement_key, sizeof(s.measurement_key));
	if (r == 0)
		r = random_bytes(s.nonce, sizeof(s.nonce));
	if (r == 0)
		r = pkey_generate(KEY_P521, 0, &s.customer_key);
	if (r == 0)
		*ret = s;
	explicit_bzero(&s, sizeof(s));
	return r;
}

void se_secrets_done(struct se_secrets *s)
{
	pkey_free(s->customer_key);
	explicit_bzero(s, sizeof(*s));
}

/* x and y, 80 bytes each. */
static int coordinates(const struct pkey *key, uint8_t ret[SE_COORDINATES_SIZE])
{
	cleanup_with(buf_done) struct buf point = buf_init(256);

	if (pkey_type(key) != KEY_P521)
		return -EINVAL;
	int r = pkey_ec_point(key, &point);
	if (r < 0)
		return r;
	memset(ret, 0, SE_COORDINATES_SIZE);
	memcpy(ret + COORDINATE_SIZE - P521_SIZE, point.data + 1, P521_SIZE);
	memcpy(ret + 2 * COORDINATE_SIZE - P521_SIZE, point.data + 1 + P521_SIZE, P521_SIZE);
	return 0;
}

/* The key of a slot: SHA-256 of the shared x and a counter that is always 1. */
static int slot_key(const struct pkey *customer, const struct pkey *host, struct digest *ret)
{
	static const uint8_t one[] = {0, 0, 0, 1};
	cleanup_with(secret_done) struct secret shared = {0};
	cleanup_with(buf_done) struct buf in = buf_init_secret(P521_SIZE + sizeof(one));

	int r = ecdh_derive(customer, host, &shared);
	if (r < 0)
		return r;
	buf_put_slice(&in, secret_slice(&shared));
	buf_put(&in, one, sizeof(one));
	return buf_error(&in) < 0 ? buf_error(&in) : hash_once(HASH_SHA256, buf_slice(&in), ret);
}

static int put_slot(const struct se_secrets *s, const struct pkey *host, struct buf *out)
{
	static const uint8_t iv[GCM_IV_SIZE];
	uint8_t point[SE_COORDINATES_SIZE], tag[GCM_TAG_SIZE];
	struct digest key = {0}, phkh = {0};

	int r = coordinates(host, point);
	if (r == 0)
		r = hash_once(HASH_SHA256, slice_of(point, sizeof(point)), &phkh);
	if (r == 0)
		r = slot_key(s->customer_key, host, &key);
	if (r == 0) {
		buf_put_slice(out, digest_slice(&phkh));
		r = gcm_encrypt(digest_slice(&key), slice_of(iv, sizeof(iv)), SLICE_EMPTY,
			slice_of(s->protection_key, sizeof(s->protection_key)), out, tag);
	}
	if (r == 0)
		buf_put(out, tag, sizeof(tag));
	explicit_bzero(&key, sizeof(key));
	return r == 0 ? buf_error(out) : r;
}

static int put_confidential(const struct se_secrets *s, struct slice aad, struct buf *out)
{
	cleanup_with(buf_done) struct buf plain = buf_init_secret(CONFIDENTIAL_SIZE);
	uint8_t tag[GCM_TAG_SIZE];

	buf_put(&plain, s->measurement_key, sizeof(s->measurement_key));
	buf_put(&plain, s->nonce, sizeof(s->nonce));
	int r = buf_error(&plain);
	if (r == 0)
		r = gcm_encrypt(slice_of(s->protection_key, sizeof(s->protection_key)),
			slice_of(s->iv, sizeof(s->iv)), aad, buf_slice(&plain), out, tag);
	if (r == 0)
		buf_put(out, tag, sizeof(tag));
	return r == 0 ? buf_error(out) : r;
}

int se_request_make(const struct se_secrets *s, uint64_t flags, struct pkey *const *host_keys,
	size_t host_key_count, struct buf *out)
{
	cleanup_with(buf_done) struct buf aad = buf_init(SE_REQUEST_MAX);
	uint8_t point[SE_COORDINATES_SIZE];

	if (host_key_count == 0 || host_key_count > SE_HOST_KEYS_MAX)
		return -EINVAL;
	size_t size = SE_REQUEST_HEADER_SIZE + 16 + SE_COORDINATES_SIZE +
		      host_key_count * SE_KEYSLOT_SIZE + CONFIDENTIAL_SIZE + SE_GCM_TAG_SIZE;
	se_request_put_header(&aad, (uint32_t)size, slice_of(s->iv, sizeof(s->iv)),
		(uint8_t)host_key_count, CONFIDENTIAL_SIZE);
	buf_put_u64be(&aad, flags);
	buf_put_u32be(&aad, SE_MEAS_HMAC_SHA512);
	buf_put_u32be(&aad, 0);
	int r = coordinates(s->customer_key, point);
	buf_put(&aad, point, sizeof(point));
	for (size_t i = 0; r == 0 && i < host_key_count; i++)
		r = put_slot(s, host_keys[i], &aad);
	if (r == 0)
		r = buf_error(&aad);
	if (r < 0)
		return r;
	buf_put_slice(out, buf_slice(&aad));
	return put_confidential(s, buf_slice(&aad), out);
}

int se_request_open(const struct se_request *q, struct slice protection_key, struct buf *out)
{
	return gcm_decrypt(protection_key, q->iv, q->aad, q->encrypted, q->tag, out);
}

static int set_wrapped(json_t *o, const char *name, const struct pkey *wrapping, struct slice plain)
{
	cleanup_with(buf_done) struct buf out = buf_init(2048);

	int r = rsa_pkcs1_encrypt(wrapping, plain, &out);
	return r == 0 ? json_set_b64(o, name, buf_slice(&out), B64_STD) : r;
}

static int fill_challenge(const struct se_secrets *s, const struct pkey *wrapping,
	const struct se_tags *tags, struct slice request, json_t *o)
{
	cleanup_with(buf_done) struct buf tag_bytes = buf_init(SE_TAGS_SIZE);

	se_tags_put(tags, &tag_bytes);
	int r = json_set_b64(o, "request_blob", request, B64_STD);
	if (r == 0)
		r = json_set_int(o, "measurement_size", SE_MEASUREMENT_SIZE);
	if (r == 0)
		r = json_set_int(o, "additional_size", ADDITIONAL_SIZE);
	if (r == 0)
		r = set_wrapped(o, "encr_measurement_key", wrapping,
			slice_of(s->measurement_key, sizeof(s->measurement_key)));
	if (r == 0)
		r = set_wrapped(
			o, "encr_request_nonce", wrapping, slice_of(s->nonce, sizeof(s->nonce)));
	return r == 0 ? json_set_b64(o, "image_hdr_tags", buf_slice(&tag_bytes), B64_STD) : r;
}

int se_challenge(const struct pkey *wrapping, const struct se_tags *tags,
	struct pkey *const *host_keys, size_t host_key_count, json_t **ret)
{
	cleanup_with(se_secrets_done) struct se_secrets s = {0};
	cleanup_with(buf_done) struct buf request = buf_init(SE_REQUEST_MAX);
	cleanup(json_decref) json_t *o = json_object();

	int r = se_secrets_random(&s);
	if (r == 0)
		r = se_request_make(&s,
			SE_FLAG_NONCE | SE_FLAG_IMAGE_PHKH | SE_FLAG_ATTESTATION_PHKH, host_keys,
			host_key_count, &request);
	if (r == 0)
		r = fill_challenge(&s, wrapping, tags, buf_slice(&request), o);
	if (r == 0)
		*ret = json_incref(o);
	return r;
}

int se_measurement(struct slice key, const struct se_measured *m, struct digest *ret)
{
	cleanup_with(buf_done) struct buf in = buf_init(1 << 20);

	if (m->config_uid.size != SE_CUID_SIZE || m->user_data.size > UINT16_MAX ||
		(m->nonce.size > 0 && m->nonce.size != SE_NONCE_SIZE))
		return -EINVAL;
	se_tags_put(&m->tags, &in);
	buf_put_slice(&in, m->config_uid);
	buf_put_u16be(&in, (uint16_t)m->user_data.size);
	buf_put_u16be(&in, 0);
	buf_put_u32be(&in, (uint32_t)m->additional.size);
	buf_put_slice(&in, m->user_data);
	buf_put_slice(&in, m->nonce);
	buf_put_slice(&in, m->additional);
	return buf_error(&in) < 0 ? buf_error(&in)
				  : hmac_once(HASH_SHA512, key, buf_slice(&in), ret);
}
