/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cca_sim.h"

#include "base/enc.h"
#include "base/str.h"
#include "crypto/cose.h"
#include "fmt/cca_token.h"
#include "fmt/json.h"

struct cca_sim {
	struct pkey *cpak, *rak, *other;
	int64_t platform_alg;
	uint8_t implementation[CCA_IMPLEMENTATION_ID_SIZE];
	uint8_t instance[CCA_INSTANCE_ID_SIZE];
};

static int64_t alg_of(enum key_type type)
{
	return type == KEY_P256 ? COSE_ES256 : type == KEY_P384 ? COSE_ES384 : COSE_ES512;
}

struct cca_sim *cca_sim_new(enum key_type platform_type)
{
	cleanup(cca_sim_free) struct cca_sim *s = calloc(1, sizeof(*s));
	enum key_type type = platform_type == KEY_NONE ? KEY_P384 : platform_type;

	if (!s || pkey_generate(type, 0, &s->cpak) < 0 || pkey_generate(KEY_P384, 0, &s->rak) < 0 ||
		pkey_generate(KEY_P384, 0, &s->other) < 0 ||
		random_bytes(s->implementation, sizeof(s->implementation)) < 0 ||
		random_bytes(s->instance, sizeof(s->instance)) < 0)
		return NULL;
	s->platform_alg = alg_of(type);
	s->instance[0] = 1;
	return steal_ptr(s);
}

void cca_sim_free(struct cca_sim *s)
{
	if (!s)
		return;
	pkey_free(s->cpak);
	pkey_free(s->rak);
	pkey_free(s->other);
	free(s);
}

json_t *cca_sim_publish(const struct cca_sim *s)
{
	json_t *entry = json_object(), *list = json_array();

	if (json_set_take(entry, "pkey", pkey_to_jwk(s->cpak)) < 0 ||
		json_set_hex(entry, "implementation-id",
			slice_of(s->implementation, sizeof(s->implementation))) < 0 ||
		json_set_hex(entry, "instance-id", slice_of(s->instance, sizeof(s->instance))) <
			0) {
		json_decref(entry);
		json_decref(list);
		return NULL;
	}
	json_array_append_new(list, entry);
	return list;
}

/* A point, or a COSE_Key {1: 2, -1: 2, -2: x, -3: y}. */
static int put_rak(const struct pkey *key, bool raw, struct buf *out)
{
	cleanup_with(buf_done) struct buf point = buf_init(256);

	int r = pkey_ec_point(key, &point);
	if (r < 0)
		return r;
	if (raw) {
		buf_put_slice(out, buf_slice(&point));
		return buf_error(out);
	}
	cbor_put_head(out, CBOR_MAP, 4);
	cbor_put_int(out, 1);
	cbor_put_int(out, 2);
	cbor_put_int(out, -1);
	cbor_put_int(out, 2);
	cbor_put_int(out, -2);
	cbor_put_bytes(out, slice_cut(buf_slice(&point), 1, 48));
	cbor_put_int(out, -3);
	cbor_put_bytes(out, slice_cut(buf_slice(&point), 49, 48));
	return buf_error(out);
}

static void put_padded(struct buf *out, int64_t key, struct slice value)
{
	uint8_t bytes[64] = {0};

	if (value.size > 0)
		memcpy(bytes, value.data, MIN(value.size, sizeof(bytes)));
	cbor_put_int(out, key);
	cbor_put_bytes(out, slice_of(bytes, sizeof(bytes)));
}

static void put_realm(const struct cca_sim_token *t, struct slice rak, struct buf *out)
{
	static const uint8_t measurement[32] = {0x11};
	struct slice m = slice_of(measurement, sizeof(measurement));

	cbor_put_head(out, CBOR_MAP, 7U + (t->raw_key ? 0 : 1) + (t->twice ? 1 : 0));
	put_padded(out, 10, t->report_data);
	if (t->twice)
		put_padded(out, 10, SLICE_LIT("another"));
	if (!t->raw_key) {
		cbor_put_int(out, 265);
		cbor_put_text(out, "tag:arm.com,2023:realm#1.0.0");
	}
	put_padded(out, 44235, t->init_data);
	cbor_put_int(out, 44236);
	cbor_put_text(out, "sha-256");
	cbor_put_int(out, 44237);
	cbor_put_bytes(out, rak);
	cbor_put_int(out, 44238);
	cbor_put_bytes(out, m);
	cbor_put_int(out, 44239);
	cbor_put_head(out, CBOR_ARRAY, 4);
	for (int i = 0; i < 4; i++)
		cbor_put_bytes(out, m);
	cbor_put_int(out, 44240);
	cbor_put_text(out, t->hash_name ? t->hash_name : "sha-256");
}

static void put_platform(const struct cca_sim *s, const struct cca_sim_token *t,
	struct slice challenge, struct buf *out)
{
	static const uint8_t hash[32] = {0x22};

	cbor_put_head(out, CBOR_MAP, 8);
	cbor_put_int(out, 10);
	cbor_put_bytes(out, challenge);
	cbor_put_int(out, 256);
	cbor_put_bytes(out, slice_of(s->instance, sizeof(s->instance)));
	cbor_put_int(out, 265);
	cbor_put_text(out, t->raw_key ? "http://arm.com/CCA-SSD/1.0.0"
				      : "tag:arm.com,2023:cca_platform#1.0.0");
	cbor_put_int(out, 2395);
	cbor_put_int(out, t->lifecycle ? t->lifecycle : 0x3003);
	cbor_put_int(out, 2396);
	cbor_put_bytes(out, slice_of(s->implementation, sizeof(s->implementation)));
	cbor_put_int(out, 2399);
	cbor_put_head(out, CBOR_ARRAY, 1);
	cbor_put_head(out, CBOR_MAP, 3);
	cbor_put_int(out, 1);
	cbor_put_text(out, "RMM");
	cbor_put_int(out, 2);
	cbor_put_bytes(out, slice_of(hash, sizeof(hash)));
	cbor_put_int(out, 5);
	cbor_put_bytes(out, slice_of(hash, sizeof(hash)));
	cbor_put_int(out, 2401);
	cbor_put_bytes(out, SLICE_LIT("\xCF\xCF"));
	cbor_put_int(out, 2402);
	cbor_put_text(out, "sha-256");
}

static void put_token(bool cmw, int64_t key, struct slice token, struct buf *out)
{
	cbor_put_int(out, key);
	if (cmw) {
		cbor_put_head(out, CBOR_ARRAY, 2);
		cbor_put_int(out, CCA_CONTENT_FORMAT);
	}
	cbor_put_bytes(out, token);
}

int cca_sim_token(const struct cca_sim *s, const struct cca_sim_token *t, struct buf *out)
{
	cleanup_with(buf_done) struct buf rak = buf_init(0), realm = buf_init(0),
					  platform = buf_init(0), realm_token = buf_init(0),
					  platform_token = buf_init(0);
	struct digest d = {0};

	int r = put_rak(s->rak, t->raw_key, &rak);
	if (r == 0)
		r = hash_once(t->hash_name ? HASH_SHA512 : HASH_SHA256,
			t->other_challenge ? SLICE_LIT("another key") : buf_slice(&rak), &d);
	if (r < 0)
		return r;
	put_realm(t, buf_slice(&rak), &realm);
	put_platform(s, t, digest_slice(&d), &platform);
	r = cose_sign1(
		t->other_rak ? s->other : s->rak, COSE_ES384, buf_slice(&realm), &realm_token);
	if (r == 0)
		r = cose_sign1(t->other_cpak ? s->other : s->cpak,
			t->other_cpak ? COSE_ES384 : s->platform_alg, buf_slice(&platform),
			&platform_token);
	if (r < 0)
		return r;
	cbor_put_head(out, CBOR_TAG, t->cmw ? CCA_TAG_CMW : CCA_TAG_LEGACY);
	cbor_put_head(out, CBOR_MAP, 2);
	put_token(t->cmw, 44234, buf_slice(&platform_token), out);
	put_token(t->cmw, 44241, buf_slice(&realm_token), out);
	return buf_error(out);
}

json_t *cca_sim_evidence(const struct cca_sim *s, const struct cca_sim_token *t)
{
	cleanup_with(buf_done) struct buf token = buf_init(0);
	json_t *bytes = json_array();

	if (cca_sim_token(s, t, &token) < 0) {
		json_decref(bytes);
		return NULL;
	}
	for (size_t i = 0; i < token.size; i++)
		json_array_append_new(bytes, json_integer(token.data[i]));
	return json_pack("{s:o}", "token", bytes);
}
