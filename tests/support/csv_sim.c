/* SPDX-License-Identifier: Apache-2.0 */
#include "support/csv_sim.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>

#include "base/buf.h"
#include "base/enc.h"
#include "base/str.h"
#include "crypto/hash.h"
#include "fmt/csv.h"
#include "fmt/json.h"

#define UID_FIELD 254
#define SIGNER_OFFSET_V1 336
#define SIGNER_OFFSET_V2 1168
#define SIGNER_SIZE (CSV_CERT_SIZE + 64 + 32)

struct csv_sim {
	EVP_PKEY *hrk, *hsk, *cek, *pek, *other;
	uint8_t root[CSV_CA_CERT_SIZE];
	uint8_t pair[CSV_CA_CERT_SIZE + CSV_CERT_SIZE];
	uint8_t pek_cert[CSV_CERT_SIZE];
};

static void put_le(uint8_t *to, size_t size, uint64_t v)
{
	for (size_t i = 0; i < size; i++)
		to[i] = (uint8_t)(v >> 8 * i);
}

static int put_number(uint8_t *to, const BIGNUM *n)
{
	return n && BN_bn2lebinpad(n, to, 72) == 72 ? 0 : -EIO;
}

static int put_point(EVP_PKEY *p, uint8_t *to)
{
	BIGNUM *x = NULL, *y = NULL;
	int r = -EIO;

	if (EVP_PKEY_get_bn_param(p, OSSL_PKEY_PARAM_EC_PUB_X, &x) == 1 &&
		EVP_PKEY_get_bn_param(p, OSSL_PKEY_PARAM_EC_PUB_Y, &y) == 1) {
		put_le(to, 4, CSV_CURVE_SM2);
		r = put_number(to + 4, x);
		if (r == 0)
			r = put_number(to + 76, y);
	}
	BN_free(x);
	BN_free(y);
	return r;
}

static int put_signature(uint8_t *to, const uint8_t *der, size_t size)
{
	const uint8_t *at = der;
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)size);
	int r = sig ? put_number(to, ECDSA_SIG_get0_r(sig)) : -EIO;
	if (r == 0)
		r = put_number(to + 72, ECDSA_SIG_get0_s(sig));
	ECDSA_SIG_free(sig);
	return r;
}

static int sign(EVP_PKEY *p, const char *uid, const uint8_t *in, size_t size, uint8_t *to)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx = NULL;
	uint8_t der[128];
	size_t der_size = sizeof(der);
	int r = -EIO;

	if (ctx && EVP_DigestSignInit_ex(ctx, &pctx, "SM3", NULL, NULL, p, NULL) == 1 &&
		EVP_PKEY_CTX_set1_id(pctx, uid, (int)strlen(uid)) == 1 &&
		EVP_DigestSign(ctx, der, &der_size, in, size) == 1)
		r = put_signature(to, der, der_size);
	EVP_MD_CTX_free(ctx);
	return r;
}

static int make_ca(
	EVP_PKEY *p, const char *uid, uint8_t id, uint32_t usage, EVP_PKEY *signer, uint8_t *c)
{
	put_le(c, 4, 1);
	memset(c + 4, id, 16);
	memset(c + 20, 0xA1, 16); /* the root's */
	put_le(c + 36, 4, usage);
	put_le(c + 212, 2, strlen(uid));
	memcpy(c + 214, uid, strlen(uid));
	int r = put_point(p, c + 64);
	return r == 0 ? sign(signer, "SIM-HRK", c, 576, c + 576) : r;
}

static int make_cert(EVP_PKEY *p, const char *uid, uint32_t usage, EVP_PKEY *signer,
	const char *signer_uid, uint32_t signer_usage, uint8_t *c)
{
	put_le(c, 4, 1);
	c[4] = 1;
	put_le(c + 8, 4, usage);
	put_le(c + 12, 4, CSV_ALGO_SM2);
	put_le(c + 164, 2, strlen(uid));
	memcpy(c + 166, uid, strlen(uid));
	if (usage == CSV_USAGE_CEK)
		memset(c + 420, 0xB2, 16);
	put_le(c + 1044, 4, signer_usage);
	put_le(c + 1048, 4, CSV_ALGO_SM2);
	put_le(c + 1564, 4, CSV_USAGE_NONE);
	int r = put_point(p, c + 16);
	return r == 0 ? sign(signer, signer_uid, c, 1044, c + 1052) : r;
}

static int make_world(struct csv_sim *s)
{
	int r = make_ca(s->hrk, "SIM-HRK", 0xA1, CSV_USAGE_HRK, s->hrk, s->root);
	if (r == 0)
		r = make_ca(s->hsk, "SIM-HSK", 0xB2, CSV_USAGE_HSK, s->hrk, s->pair);
	if (r == 0)
		r = make_cert(s->cek, "SIM-CEK", CSV_USAGE_CEK, s->hsk, "SIM-HSK", CSV_USAGE_HSK,
			s->pair + CSV_CA_CERT_SIZE);
	return r == 0 ? make_cert(s->pek, "SIM-PEK", CSV_USAGE_PEK, s->cek, "SIM-CEK",
				CSV_USAGE_CEK, s->pek_cert)
		      : r;
}

struct csv_sim *csv_sim_new(void)
{
	cleanup(csv_sim_free) struct csv_sim *s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	EVP_PKEY **const keys[] = {&s->hrk, &s->hsk, &s->cek, &s->pek, &s->other};
	for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
		*keys[i] = EVP_PKEY_Q_keygen(NULL, NULL, "SM2");
		if (!*keys[i])
			return NULL;
	}
	return make_world(s) < 0 ? NULL : steal_ptr(s);
}

void csv_sim_free(struct csv_sim *s)
{
	if (!s)
		return;
	EVP_PKEY_free(s->hrk);
	EVP_PKEY_free(s->hsk);
	EVP_PKEY_free(s->cek);
	EVP_PKEY_free(s->pek);
	EVP_PKEY_free(s->other);
	free(s);
}

struct slice csv_sim_root(const struct csv_sim *s)
{
	return slice_of(s->root, sizeof(s->root));
}

struct slice csv_sim_hsk_cek(const struct csv_sim *s)
{
	return slice_of(s->pair, sizeof(s->pair));
}

json_t *csv_sim_publish(const struct csv_sim *s)
{
	json_t *items = json_object();

	if (json_set_b64(items, "hygon/csv/hsk_cek/sim0001", csv_sim_hsk_cek(s), B64_STD) < 0 ||
		json_set_b64(items, "hygon/dcu/hsk_cek/sim0001", csv_sim_hsk_cek(s), B64_STD) < 0) {
		json_decref(items);
		return NULL;
	}
	return json_pack("{s:o}", "items", items);
}

static void mask(uint8_t *bytes, size_t size, uint32_t anonce)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] ^= (uint8_t)(anonce >> 8 * (i % 4));
}

static void put_cut(uint8_t *to, size_t size, struct slice value)
{
	if (value.size > 0)
		memcpy(to, value.data, MIN(size, value.size));
}

/* A page with a report. */
static int make_report(
	const struct csv_sim *s, const struct csv_sim_report *r, uint8_t page[CSV_PAGE_SIZE])
{
	uint32_t anonce = r->version == 2 ? 0 : 0x5DC7D726;
	size_t signer = r->version == 2 ? SIGNER_OFFSET_V2 : SIGNER_OFFSET_V1;
	size_t sig = r->version == 2 ? 1024 : 192;
	struct digest mac;

	memset(page, 0, CSV_PAGE_SIZE);
	put_cut(page + 64, 64, r->report_data);
	memset(page + 128, 0x4E, 16);
	put_cut(page + 144, 32, r->measure);
	put_le(page + 176, 4, r->policy);
	put_le(page + 180, 4, CSV_USAGE_PEK);
	put_le(page + 184, 4, CSV_ALGO_SM2);
	if (r->version == 2)
		put_le(page + 192, 2, 1);
	struct slice key = slice_of(page + 128, 16);
	uint8_t nonce[16];
	memcpy(nonce, key.data, sizeof(nonce));
	memcpy(page + signer, s->pek_cert, CSV_CERT_SIZE);
	memcpy(page + signer + CSV_CERT_SIZE, CSV_SIM_SERIAL, strlen(CSV_SIM_SERIAL));
	mask(page, 188, anonce);
	mask(page + signer, SIGNER_SIZE, anonce);
	if (r->version != 2)
		put_le(page + 188, 4, anonce);
	int e = sign(r->other_pek ? s->other : s->pek, "SIM-PEK", page,
		r->version == 2 ? 1024 : 180, page + sig);
	if (e == 0)
		e = hmac_once(HASH_SM3, slice_of(nonce, sizeof(nonce)),
			slice_of(page + signer, SIGNER_SIZE), &mac);
	if (e < 0)
		return e;
	memcpy(page + signer + SIGNER_SIZE, mac.bytes, 32);
	if (r->restored)
		mask(page + signer, SIGNER_SIZE, anonce);
	return 0;
}

static json_t *bytes_json(const uint8_t *bytes, size_t size)
{
	json_t *a = json_array();
	for (size_t i = 0; i < size; i++)
		json_array_append_new(a, json_integer(bytes[i]));
	return a;
}

static json_t *number_json(const uint8_t *bytes, size_t size)
{
	json_int_t n = 0;
	for (size_t i = 0; i < size; i++)
		n |= (json_int_t)bytes[i] << 8 * i;
	return json_integer(n);
}

static json_t *ca_json(const uint8_t *c)
{
	return json_pack("{s:{s:{s:o, s:{s:o, s:o, s:o, s:o}}, s:{s:o, s:o, s:o}, s:o, s:o, s:o}, "
			 "s:{s:o, s:o}, s:o}",
		"body", "preamble", "ver", number_json(c, 4), "data", "kid", bytes_json(c + 4, 16),
		"sid", bytes_json(c + 20, 16), "usage", number_json(c + 36, 4), "reserved",
		bytes_json(c + 40, 24), "pubkey", "g", number_json(c + 64, 4), "x",
		bytes_json(c + 68, 72), "y", bytes_json(c + 140, 72), "uid_size",
		number_json(c + 212, 2), "user_id", bytes_json(c + 214, UID_FIELD), "reserved",
		bytes_json(c + 468, 108), "signature", "r", bytes_json(c + 576, 72), "s",
		bytes_json(c + 648, 72), "_reserved", bytes_json(c + 720, 112));
}

static json_t *signature_json(const uint8_t *c)
{
	return json_pack("{s:o, s:o, s:{s:o, s:o}, s:o}", "usage", number_json(c, 4), "algo",
		number_json(c + 4, 4), "signature", "r", bytes_json(c + 8, 72), "s",
		bytes_json(c + 80, 72), "_reserved", bytes_json(c + 152, 368));
}

static json_t *cert_json(const uint8_t *c)
{
	return json_pack("{s:{s:o, s:{s:{s:o, s:o}, s:o, s:{s:o, s:o, s:{s:o, s:o, s:o}}, s:o, "
			 "s:o, s:o, s:o}}, s:[o, o]}",
		"body", "ver", number_json(c, 4), "data", "firmware", "major",
		number_json(c + 4, 1), "minor", number_json(c + 5, 1), "reserved1",
		number_json(c + 6, 2), "pubkey", "usage", number_json(c + 8, 4), "algo",
		number_json(c + 12, 4), "key", "g", number_json(c + 16, 4), "x",
		bytes_json(c + 20, 72), "y", bytes_json(c + 92, 72), "uid_size",
		number_json(c + 164, 2), "user_id", bytes_json(c + 166, UID_FIELD), "sid",
		bytes_json(c + 420, 16), "reserved2", bytes_json(c + 436, 608), "sigs",
		signature_json(c + 1044), signature_json(c + 1564));
}

json_t *csv_sim_evidence(const struct csv_sim *s, const struct csv_sim_report *r, bool with_chain)
{
	static const uint8_t zero[16];
	uint8_t page[CSV_PAGE_SIZE], serial[64] = CSV_SIM_SERIAL;

	if (make_report(s, r, page) < 0)
		return NULL;
	const uint8_t *magic = r->version == 2 ? (const uint8_t *)"ATTESTATION_EXT" : zero;
	json_t *pair = with_chain ? json_pack("{s:o, s:o}", "hsk", ca_json(s->pair), "cek",
					    cert_json(s->pair + CSV_CA_CERT_SIZE))
				  : json_null();
	return json_pack("{s:{s:o, s:i, s:o}, s:{s:o, s:o}, s:o, s:n}", "attestation_report",
		"magic", bytes_json(magic, 16), "flags", r->version == 2 ? 1 : 0, "data",
		bytes_json(page, sizeof(page)), "cert_chain", "hsk_cek", pair, "pek",
		cert_json(s->pek_cert), "serial_number", bytes_json(serial, sizeof(serial)),
		"cc_eventlog");
}

json_t *csv_sim_raw(const struct csv_sim *s, const struct csv_sim_report *r)
{
	uint8_t page[CSV_PAGE_SIZE];
	json_t *o = json_pack("{s:i}", "version", r->version == 2 ? 2 : 1);
	size_t size = r->version == 2 ? CSV_REPORT_V2_SIZE : CSV_REPORT_V1_SIZE;

	if (make_report(s, r, page) < 0 ||
		json_set_b64(o, "csv_report", slice_of(page, size), B64_STD) < 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}

json_t *csv_sim_dcu_evidence(const struct csv_sim *s, struct slice user_data, size_t count)
{
	json_t *reports = json_array();

	for (size_t i = 0; i < count; i++) {
		uint8_t b[CSV_DCU_REPORT_SIZE] = {2};
		memcpy(b + 4, CSV_SIM_SERIAL, strlen(CSV_SIM_SERIAL));
		put_cut(b + 20, 64, user_data);
		memset(b + 84, 0x33, 32);
		put_le(b + 244, 4, CSV_USAGE_CEK);
		put_le(b + 248, 4, CSV_ALGO_SM2);
		if (sign(s->cek, "SIM-CEK", b, CSV_DCU_BODY_SIZE, b + CSV_DCU_BODY_SIZE) < 0) {
			json_decref(reports);
			return NULL;
		}
		json_array_append_new(reports,
			json_pack("{s:{s:o, s:o, s:o, s:o, s:o, s:o, s:o}, s:{s:o, s:o}}", "body",
				"version", number_json(b, 4), "chip_id", bytes_json(b + 4, 16),
				"user_data", bytes_json(b + 20, 64), "measure",
				bytes_json(b + 84, 32), "reserved", bytes_json(b + 116, 128),
				"sig_usage", number_json(b + 244, 4), "sig_algo",
				number_json(b + 248, 4), "sig", "r", bytes_json(b + 252, 72), "s",
				bytes_json(b + 324, 72)));
	}
	return json_pack("{s:o}", "attestation_reports", reports);
}
