/* SPDX-License-Identifier: Apache-2.0 */
#include "support/tpm_sim.h"

#include "base/enc.h"
#include "fmt/json.h"
#include "fmt/tpm.h"

#define NOW TPM_SIM_NOW
#define DAY TPM_SIM_DAY

static int add_crl(
	X509 *issuer, const struct sim_key *key, int64_t until, long revoked, struct buf *out)
{
	cleanup_with(buf_done) struct buf der = buf_init(0), text = buf_init(0);

	int r = sim_crl(issuer, key, NOW - DAY, until, revoked, &der);
	if (r < 0)
		return r;
	b64_encode(&text, buf_slice(&der), B64_STD);
	buf_put_str(out, "-----BEGIN X509 CRL-----\n");
	for (size_t i = 0; i < text.size; i += 64) {
		buf_put_slice(out, slice_cut(buf_slice(&text), i, 64));
		buf_put_str(out, "\n");
	}
	buf_put_str(out, "-----END X509 CRL-----\n");
	return buf_error(out);
}

static int make_certs(struct tpm_sim *s, const struct tpm_sim_options *o)
{
	const struct sim_cert root = {.common_name = "Root",
		.key = &s->root_key,
		.serial = 1,
		.ca = true,
		.path_length = -1,
		.from = NOW - 9 * DAY,
		.until = NOW + 9 * DAY};
	s->root = sim_cert_new(&root);
	const struct sim_cert ca = {.common_name = "CA",
		.key = &s->ca_key,
		.issuer = s->root,
		.issuer_key = &s->root_key,
		.serial = 2,
		.ca = true,
		.path_length = 0,
		.from = NOW - 9 * DAY,
		.until = o->expired_ca ? NOW - DAY : NOW + 9 * DAY};
	s->ca = s->root ? sim_cert_new(&ca) : NULL;
	const struct sim_cert ak = {.common_name = "AK",
		.key = o->other_key ? &s->root_key : &s->ak,
		.issuer = s->ca,
		.issuer_key = &s->ca_key,
		.serial = 3,
		.ca = o->ca_as_ak,
		.path_length = -1,
		.from = NOW - 9 * DAY,
		.until = o->expired_ak ? NOW - DAY : NOW + 9 * DAY};
	s->ak_cert = s->ca ? sim_cert_new(&ak) : NULL;
	return s->ak_cert ? 0 : -EIO;
}

static int publish(struct tpm_sim *s, const struct tpm_sim_options *o)
{
	cleanup_with(buf_done) struct buf roots = buf_init(0), crls = buf_init(0);

	int r = sim_pem(s->root, &roots);
	if (r == 0)
		r = add_crl(s->ca, &s->ca_key, o->expired_crl ? NOW - 1 : NOW + DAY,
			o->revoked_ak ? 3 : 0, &crls);
	if (r == 0 && !o->no_crl_of_root)
		r = add_crl(s->root, &s->root_key, NOW + DAY, 0, &crls);
	if (r == 0)
		r = collateral_store_put(s->store, "tpm/roots", buf_slice(&roots));
	return r == 0 ? collateral_store_put(s->store, "tpm/crls", buf_slice(&crls)) : r;
}

int tpm_sim_new(const struct tpm_sim_options *o, struct tpm_sim *ret)
{
	uint8_t *der = NULL;

	*ret = (struct tpm_sim){.store = collateral_store_new()};
	if (!ret->store)
		return -ENOMEM;
	int r = sim_key_new(&ret->root_key);
	if (r == 0)
		r = sim_key_new(&ret->ca_key);
	if (r == 0)
		r = sim_key_new(&ret->ak);
	if (r == 0)
		r = make_certs(ret, o);
	if (r < 0)
		return r;
	int size = i2d_X509(ret->ak_cert, &der);
	if (size > 0)
		buf_put(&ret->ak_der, der, (size_t)size);
	buf_put_zero(&ret->ak_der, 8);
	OPENSSL_free(der);
	r = sim_pem(ret->ca, &ret->chain);
	return r == 0 ? publish(ret, o) : r;
}

void tpm_sim_done(struct tpm_sim *s)
{
	sim_key_done(&s->root_key);
	sim_key_done(&s->ca_key);
	sim_key_done(&s->ak);
	X509_free(s->root);
	X509_free(s->ca);
	X509_free(s->ak_cert);
	collateral_store_free(s->store);
	buf_done(&s->ak_der);
	buf_done(&s->chain);
}

static int put_quote(struct slice nonce, struct buf *out)
{
	static const uint8_t zero[TPM_PCR_COUNT * 32];
	struct digest d = {0};

	int r = hash_once(HASH_SHA256, slice_of(zero, sizeof(zero)), &d);
	buf_put_u32be(out, TPM_GENERATED_VALUE);
	buf_put_u16be(out, TPM_ST_ATTEST_QUOTE);
	buf_put_u16be(out, 0);
	buf_put_u16be(out, (uint16_t)nonce.size);
	buf_put_slice(out, nonce);
	buf_put_zero(out, 16);
	buf_put_u8(out, 1);
	buf_put_zero(out, 8);
	buf_put_u32be(out, 1);
	buf_put_u16be(out, TPM_ALG_SHA256);
	buf_put_u32be(out, 0x03FFFFFF);
	buf_put_u16be(out, 32);
	buf_put_slice(out, digest_slice(&d));
	return r < 0 ? r : buf_error(out);
}

static int sign_quote(const struct tpm_sim *s, struct slice quote, struct buf *out)
{
	cleanup_with(buf_done) struct buf raw = buf_init(0);

	int r = pkey_sign(s->ak.key, SIG_ES256, quote, &raw);
	buf_put_u16be(out, TPM_ALG_ECDSA);
	buf_put_u16be(out, TPM_ALG_SHA256);
	for (size_t i = 0; i < 2; i++) {
		buf_put_u16be(out, 32);
		buf_put_slice(out, slice_cut(buf_slice(&raw), 32 * i, 32));
	}
	return r < 0 ? r : buf_error(out);
}

json_t *tpm_sim_evidence(const struct tpm_sim *s, struct slice nonce)
{
	cleanup_with(buf_done) struct buf quote = buf_init(0), signature = buf_init(0),
					  spki = buf_init(0);
	json_t *pcrs = json_array(), *tpm = json_pack("{s:o}", "pcrs", pcrs);
	json_t *evidence = json_pack("{s:o}", "tpm_quote", tpm);
	char zero[65];

	memset(zero, '0', 64);
	zero[64] = 0;
	for (size_t i = 0; i < TPM_PCR_COUNT; i++)
		json_array_append_new(pcrs, json_string(zero));
	int r = put_quote(nonce, &quote);
	if (r == 0)
		r = sign_quote(s, buf_slice(&quote), &signature);
	if (r == 0)
		r = pkey_to_spki(s->ak.key, &spki);
	if (r == 0)
		r = json_set_b64(tpm, "message", buf_slice(&quote), B64_STD);
	if (r == 0)
		r = json_set_b64(tpm, "signature", buf_slice(&signature), B64_STD);
	if (r == 0)
		r = json_set_b64(evidence, "ak_public", buf_slice(&spki), B64_STD);
	if (r == 0)
		r = json_set_b64(evidence, "ak_certificate", buf_slice(&s->ak_der), B64_STD);
	if (r == 0)
		r = json_set_slice(evidence, "ak_certificate_chain", buf_slice(&s->chain));
	if (r == 0)
		return evidence;
	json_decref(evidence);
	return NULL;
}
