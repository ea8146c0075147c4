/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/tpm.h"

size_t tpm_alg_digest_size(uint16_t alg)
{
	switch (alg) {
	case TPM_ALG_SHA1:
		return 20;
	case TPM_ALG_SHA256:
	case TPM_ALG_SM3_256:
		return 32;
	case TPM_ALG_SHA384:
		return 48;
	case TPM_ALG_SHA512:
		return 64;
	}
	return 0;
}

/* TPM2B_*: u16 size, then the bytes. */
static int sized(struct rd *r, struct slice *ret)
{
	struct rd saved = *r;
	uint16_t size;
	if (rd_u16be(r, &size) < 0 || rd_slice(r, size, ret) < 0) {
		*r = saved;
		return -ENODATA;
	}
	return 0;
}

static int fail(struct err *e, int code, const struct rd *r, const char *field)
{
	const char *what = code == -ENODATA ? "is cut short" : "has an unexpected value";
	return err_at(e, code, rd_pos(r), field, "%s %s", field, what);
}

static int selections(struct rd *r, struct tpm_quote *q, struct err *reterr)
{
	uint32_t count;

	if (rd_u32be(r, &count) < 0)
		return fail(reterr, -ENODATA, r, "pcrSelect");
	if (count > TPM_SELECTIONS_MAX)
		return err_at(reterr, -E2BIG, rd_pos(r), "pcrSelect", "more than %d PCR selections",
			TPM_SELECTIONS_MAX);
	for (uint32_t i = 0; i < count; i++) {
		struct tpm_selection *s = &q->selections[i];
		struct slice mask;
		uint8_t size;
		if (rd_u16be(r, &s->hash) < 0 || rd_u8(r, &size) < 0 ||
			rd_slice(r, size, &mask) < 0)
			return fail(reterr, -ENODATA, r, "pcrSelect");
		s->mask = 0;
		for (size_t b = 0; b < mask.size; b++) {
			if (b < 3)
				s->mask |= (uint32_t)mask.data[b] << (8 * b);
			else if (mask.data[b] != 0)
				return fail(reterr, -EBADMSG, r, "pcrSelect");
		}
		if (tpm_alg_digest_size(s->hash) == 0)
			return fail(reterr, -EOPNOTSUPP, r, "pcrSelect hash");
		/* The same bank twice would make "the PCR values of a bank" ambiguous. */
		for (uint32_t k = 0; k < i; k++) {
			if (q->selections[k].hash == s->hash)
				return fail(reterr, -EBADMSG, r, "pcrSelect");
		}
	}
	q->selection_count = count;
	return 0;
}

int tpm_quote_parse(struct slice in, struct tpm_quote *ret, struct err *reterr)
{
	struct rd r = rd_init(in);
	struct tpm_quote q = {0};
	uint32_t magic;
	uint16_t type;
	uint8_t safe;

	if (rd_u32be(&r, &magic) < 0)
		return fail(reterr, -ENODATA, &r, "magic");
	if (magic != TPM_GENERATED_VALUE)
		return err_at(reterr, -EBADMSG, 0, "magic",
			"magic is %08x, not TPM_GENERATED: this was not made inside a TPM", magic);
	if (rd_u16be(&r, &type) < 0)
		return fail(reterr, -ENODATA, &r, "type");
	if (type != TPM_ST_ATTEST_QUOTE)
		return err_at(reterr, -EOPNOTSUPP, 4, "type",
			"attestation type %04x is not a quote", type);
	if (sized(&r, &q.qualified_signer) < 0)
		return fail(reterr, -ENODATA, &r, "qualifiedSigner");
	if (sized(&r, &q.extra_data) < 0)
		return fail(reterr, -ENODATA, &r, "extraData");
	if (rd_u64be(&r, &q.clock) < 0 || rd_u32be(&r, &q.reset_count) < 0 ||
		rd_u32be(&r, &q.restart_count) < 0 || rd_u8(&r, &safe) < 0)
		return fail(reterr, -ENODATA, &r, "clockInfo");
	if (safe > 1)
		return fail(reterr, -EBADMSG, &r, "clockInfo");
	q.safe = safe;
	if (rd_u64be(&r, &q.firmware_version) < 0)
		return fail(reterr, -ENODATA, &r, "firmwareVersion");
	int e = selections(&r, &q, reterr);
	if (e < 0)
		return e;
	if (sized(&r, &q.pcr_digest) < 0)
		return fail(reterr, -ENODATA, &r, "pcrDigest");
	if (rd_done(&r) < 0)
		return err_at(reterr, -EBADMSG, rd_pos(&r), NULL, "bytes after the quote");
	*ret = q;
	return 0;
}

int tpm_signature_parse(struct slice in, struct tpm_signature *ret, struct err *reterr)
{
	struct rd r = rd_init(in);
	struct tpm_signature s = {0};

	if (rd_u16be(&r, &s.alg) < 0 || rd_u16be(&r, &s.hash) < 0)
		return fail(reterr, -ENODATA, &r, "sigAlg");
	switch (s.alg) {
	case TPM_ALG_RSASSA:
	case TPM_ALG_RSAPSS:
		if (sized(&r, &s.rsa) < 0)
			return fail(reterr, -ENODATA, &r, "signature");
		break;
	case TPM_ALG_ECDSA:
		if (sized(&r, &s.r) < 0 || sized(&r, &s.s) < 0)
			return fail(reterr, -ENODATA, &r, "signature");
		break;
	default:
		return err_at(reterr, -EOPNOTSUPP, 0, "sigAlg",
			"signature algorithm %04x is not supported", s.alg);
	}
	if (rd_done(&r) < 0)
		return err_at(reterr, -EBADMSG, rd_pos(&r), NULL, "bytes after the signature");
	*ret = s;
	return 0;
}

/* Symmetric definition, then the signing scheme, of a key: both may be TPM_ALG_NULL. */
static int key_schemes(struct rd *r, struct tpm_public *p, struct err *reterr)
{
	uint16_t symmetric;

	if (rd_u16be(r, &symmetric) < 0)
		return fail(reterr, -ENODATA, r, "symmetric");
	if (symmetric != TPM_ALG_NULL && rd_skip(r, 4) < 0)
		return fail(reterr, -ENODATA, r, "symmetric");
	if (rd_u16be(r, &p->scheme) < 0)
		return fail(reterr, -ENODATA, r, "scheme");
	if (p->scheme != TPM_ALG_NULL && rd_u16be(r, &p->scheme_hash) < 0)
		return fail(reterr, -ENODATA, r, "scheme");
	return 0;
}

static int rsa_part(struct rd *r, struct tpm_public *p, struct err *reterr)
{
	uint16_t bits;
	if (rd_u16be(r, &bits) < 0 || rd_u32be(r, &p->exponent) < 0 || sized(r, &p->modulus) < 0)
		return fail(reterr, -ENODATA, r, "rsaDetail");
	if (p->exponent == 0)
		p->exponent = 65537;
	return p->modulus.size == bits / 8U ? 0 : fail(reterr, -EBADMSG, r, "unique");
}

static int ecc_part(struct rd *r, struct tpm_public *p, struct err *reterr)
{
	uint16_t kdf;
	if (rd_u16be(r, &p->curve) < 0 || rd_u16be(r, &kdf) < 0 ||
		(kdf != TPM_ALG_NULL && rd_skip(r, 2) < 0) || sized(r, &p->x) < 0 ||
		sized(r, &p->y) < 0)
		return fail(reterr, -ENODATA, r, "eccDetail");
	return 0;
}

int tpm_public_parse(struct slice in, struct tpm_public *ret, struct err *reterr)
{
	struct rd r = rd_init(in);
	struct tpm_public p = {0};
	struct slice policy;

	if (rd_u16be(&r, &p.type) < 0 || rd_u16be(&r, &p.name_alg) < 0 ||
		rd_u32be(&r, &p.attributes) < 0 || sized(&r, &policy) < 0)
		return fail(reterr, -ENODATA, &r, "publicArea");
	if (p.type != TPM_ALG_RSA && p.type != TPM_ALG_ECC)
		return err_at(
			reterr, -EOPNOTSUPP, 0, "type", "key type %04x is not supported", p.type);
	int e = key_schemes(&r, &p, reterr);
	if (e == 0)
		e = p.type == TPM_ALG_RSA ? rsa_part(&r, &p, reterr) : ecc_part(&r, &p, reterr);
	if (e < 0)
		return e;
	if (rd_done(&r) < 0)
		return err_at(reterr, -EBADMSG, rd_pos(&r), NULL, "bytes after the public area");
	*ret = p;
	return 0;
}
