/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/tpm_quote.h"

/* Coordinates may lack leading zeros. */
static int padded(struct buf *out, struct slice s, size_t size)
{
	if (s.size > size)
		return -EBADMSG;
	buf_put_zero(out, size - s.size);
	buf_put_slice(out, s);
	return buf_error(out);
}

int tpm_public_key(const struct tpm_public *p, struct pkey **ret, struct err *reterr)
{
	if (p->type == TPM_ALG_RSA) {
		uint8_t e[4];
		for (int i = 0; i < 4; i++)
			e[i] = (uint8_t)(p->exponent >> (24 - 8 * i));
		int r = pkey_from_rsa(p->modulus, slice_of(e, 4), ret);
		return r < 0 ? err_set(reterr, r, "TPM key is not a usable RSA key") : 0;
	}
	static const struct {
		uint16_t curve;
		enum key_type type;
		size_t size;
	} curves[] = {{3, KEY_P256, 32}, {4, KEY_P384, 48}, {5, KEY_P521, 66}};
	for (size_t i = 0; i < ARRAY_COUNT(curves); i++) {
		if (curves[i].curve != p->curve)
			continue;
		cleanup_with(buf_done) struct buf point = buf_init(256);
		buf_put_u8(&point, 4);
		int r = padded(&point, p->x, curves[i].size);
		if (r == 0)
			r = padded(&point, p->y, curves[i].size);
		if (r == 0)
			r = pkey_from_ec_point(curves[i].type, buf_slice(&point), ret);
		return r < 0 ? err_set(reterr, r, "TPM key is not a point of its curve") : 0;
	}
	return err_set(
		reterr, -EOPNOTSUPP, "TPM key uses curve %04x, which is not supported", p->curve);
}

static enum sig_alg scheme_of(uint16_t alg, uint16_t hash)
{
	static const struct {
		uint16_t alg, hash;
		enum sig_alg sig;
	} schemes[] = {
		{TPM_ALG_RSASSA, TPM_ALG_SHA256, SIG_RS256},
		{TPM_ALG_RSASSA, TPM_ALG_SHA384, SIG_RS384},
		{TPM_ALG_RSASSA, TPM_ALG_SHA512, SIG_RS512},
		{TPM_ALG_RSAPSS, TPM_ALG_SHA256, SIG_PS256},
		{TPM_ALG_RSAPSS, TPM_ALG_SHA384, SIG_PS384},
		{TPM_ALG_RSAPSS, TPM_ALG_SHA512, SIG_PS512},
		{TPM_ALG_ECDSA, TPM_ALG_SHA256, SIG_ES256},
		{TPM_ALG_ECDSA, TPM_ALG_SHA384, SIG_ES384},
		{TPM_ALG_ECDSA, TPM_ALG_SHA512, SIG_ES512},
	};
	for (size_t i = 0; i < ARRAY_COUNT(schemes); i++) {
		if (schemes[i].alg == alg && schemes[i].hash == hash)
			return schemes[i].sig;
	}
	return SIG_NONE;
}

int tpm_signature_check(
	const struct pkey *key, struct slice attest, struct slice signature, struct err *reterr)
{
	struct tpm_signature s;
	cleanup_with(buf_done) struct buf raw = buf_init(1024);

	int r = tpm_signature_parse(signature, &s, reterr);
	if (r < 0)
		return r;
	enum sig_alg alg = scheme_of(s.alg, s.hash);
	if (alg == SIG_NONE)
		return err_set(reterr, -EOPNOTSUPP,
			"signature scheme %04x with hash %04x is not accepted", s.alg, s.hash);
	if (s.alg == TPM_ALG_ECDSA) {
		size_t size = alg == SIG_ES256 ? 32 : alg == SIG_ES384 ? 48 : 66;
		r = padded(&raw, s.r, size);
		if (r == 0)
			r = padded(&raw, s.s, size);
		if (r < 0)
			return err_set(reterr, -EBADMSG, "ECDSA signature has an impossible size");
	} else {
		buf_put_slice(&raw, s.rsa);
	}
	r = buf_error(&raw) < 0 ? buf_error(&raw) : pkey_verify(key, alg, attest, buf_slice(&raw));
	if (r == -EINVAL)
		return err_set(reterr, -EKEYREJECTED,
			"the signature is %s but the key is of another type", sig_name(alg));
	return r < 0 ? err_set(reterr, r, "the quote is not signed by this key") : 0;
}

static int hash_selection(struct hash *h, const struct tpm_selection *selection,
	const struct slice *values, struct err *reterr)
{
	size_t size = tpm_alg_digest_size(selection->hash);

	for (unsigned i = 0; i < TPM_PCR_COUNT; i++) {
		if (!(selection->mask & 1U << i))
			continue;
		if (values[i].size != size)
			return err_set(reterr, -EBADMSG,
				"the value of quoted PCR %u has %zu bytes, expected %zu", i,
				values[i].size, size);
		hash_update(h, values[i]);
	}
	return 0;
}

int tpm_pcr_digest_banks(const struct tpm_quote *q, const struct tpm_bank *banks, size_t bank_count,
	enum hash_alg hash, struct digest *ret, struct err *reterr)
{
	cleanup(hash_free) struct hash *h = NULL;

	int r = hash_new(hash, &h);
	if (r < 0)
		return err_set(reterr, r, "cannot hash PCR values");
	for (size_t i = 0; r == 0 && i < q->selection_count; i++) {
		size_t k = 0;
		while (k < bank_count && banks[k].hash != q->selections[i].hash)
			k++;
		r = k < bank_count ? hash_selection(h, &q->selections[i], banks[k].values, reterr)
				   : err_set(reterr, -EBADMSG, "a quoted PCR bank is not there");
	}
	return r == 0 ? hash_final(h, ret) : r;
}

int tpm_pcr_digest(const struct tpm_quote *q, const struct slice *values, enum hash_alg hash,
	struct digest *ret, struct err *reterr)
{
	struct tpm_bank bank = {.hash = q->selections[0].hash};

	if (q->selection_count != 1)
		return err_set(reterr, -EBADMSG, "quote covers %zu PCR banks, expected one",
			q->selection_count);
	memcpy(bank.values, values, sizeof(bank.values));
	return tpm_pcr_digest_banks(q, &bank, 1, hash, ret, reterr);
}
