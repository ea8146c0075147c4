/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/cose.h"

#define TAG_SIGN1 18
#define TAG_SIGN 98
#define HEADER_ALG 1
#define HEADER_CRIT 2
#define HEADER_CONTENT_TYPE 3
#define HEADER_KID 4
#define CRITICAL_MAX 8
#define TO_BE_SIGNED_MAX ((size_t)4 << 20)

static const struct {
	int64_t alg;
	const char *name;
	enum hash_alg hash;
	enum sig_alg sig; /* SIG_NONE: ECDSA, whatever the curve */
} g_algs[] = {
	{COSE_ES256, "ES256", HASH_SHA256, SIG_NONE},
	{COSE_ES384, "ES384", HASH_SHA384, SIG_NONE},
	{COSE_ES512, "ES512", HASH_SHA512, SIG_NONE},
	{COSE_EDDSA, "EdDSA", HASH_NONE, SIG_EDDSA},
	{COSE_PS256, "PS256", HASH_NONE, SIG_PS256},
	{COSE_PS384, "PS384", HASH_NONE, SIG_PS384},
	{COSE_PS512, "PS512", HASH_NONE, SIG_PS512},
};

const char *cose_alg_name(int64_t alg)
{
	for (size_t i = 0; i < ARRAY_COUNT(g_algs); i++) {
		if (g_algs[i].alg == alg)
			return g_algs[i].name;
	}
	return NULL;
}

/* The protected header is a byte string that holds a map, or nothing. */
static int take_headers(struct slice *rest, struct slice *ret_protected, struct cbor *ret_map,
	struct cbor *ret_unprotected, struct err *reterr)
{
	struct cbor wrapped;

	if (cbor_next(rest, &wrapped) < 0 || cbor_next(rest, ret_unprotected) < 0 ||
		wrapped.kind != CBOR_BYTES || ret_unprotected->kind != CBOR_MAP)
		return err_set(reterr, -EBADMSG, "COSE headers are not a byte string and a map");
	*ret_map = (struct cbor){.kind = CBOR_MAP};
	*ret_protected = SLICE_EMPTY;
	if (wrapped.bytes.size == 0)
		return 0;
	int r = cbor_parse(wrapped.bytes, ret_map, reterr);
	if (r == 0 && ret_map->kind != CBOR_MAP)
		r = err_set(reterr, -EBADMSG, "the protected COSE header is not a map");
	/* What is signed for an empty map is an empty string, however it was sent. */
	if (r == 0 && ret_map->number > 0)
		*ret_protected = wrapped.bytes;
	return r < 0 ? err_wrap(reterr, r, "protected COSE header") : 0;
}

static int check_buckets(const struct cbor *map, const struct cbor *other, struct err *reterr)
{
	struct slice rest = map->bytes, others;
	struct cbor key, value, k, v;

	while (cbor_next(&rest, &key) == 0 && cbor_next(&rest, &value) == 0) {
		others = other->bytes;
		while (cbor_next(&others, &k) == 0 && cbor_next(&others, &v) == 0) {
			if (slice_eq(k.raw, key.raw))
				return err_set(reterr, -EBADMSG,
					"a COSE header is both protected and unprotected");
		}
	}
	return 0;
}

static int check_critical(
	const struct cbor *map, const struct cbor *unprotected, struct err *reterr)
{
	struct cbor crit, label;
	int64_t number;

	if (cbor_find(unprotected, HEADER_CRIT, &crit) == 0)
		return err_set(reterr, -EBADMSG, "the COSE header crit is not protected");
	if (cbor_find(map, HEADER_CRIT, &crit) < 0)
		return 0;
	if (crit.kind != CBOR_ARRAY || crit.number == 0 || crit.number > CRITICAL_MAX)
		return err_set(reterr, -EBADMSG, "the COSE header crit is not a list of labels");
	for (struct slice rest = crit.bytes; cbor_next(&rest, &label) == 0;) {
		if (cbor_int(&label, &number) < 0 || number < HEADER_ALG || number > HEADER_KID)
			return err_set(
				reterr, -EOPNOTSUPP, "a critical COSE header is not understood");
	}
	return 0;
}

static int find_header(
	const struct cbor *map, const struct cbor *unprotected, int64_t key, struct cbor *ret)
{
	return cbor_find(map, key, ret) == 0 ? 0 : cbor_find(unprotected, key, ret);
}

/* What of [protected, unprotected, ...] belongs to a signature. */
static int take_signer(
	struct slice *rest, struct cose_signer *s, struct slice *content_type, struct err *reterr)
{
	struct cbor map, unprotected, found;

	int r = take_headers(rest, &s->protected_header, &map, &unprotected, reterr);
	if (r == 0)
		r = check_buckets(&map, &unprotected, reterr);
	if (r == 0)
		r = check_critical(&map, &unprotected, reterr);
	if (r < 0)
		return r;
	if (find_header(&map, &unprotected, HEADER_ALG, &found) < 0 ||
		cbor_int(&found, &s->alg) < 0)
		return err_set(reterr, -EBADMSG, "COSE names no algorithm, or not by number");
	if (find_header(&map, &unprotected, HEADER_KID, &found) == 0) {
		if (found.kind != CBOR_BYTES)
			return err_set(reterr, -EBADMSG, "the COSE key id is not a byte string");
		s->kid = found.bytes;
	}
	if (content_type && find_header(&map, &unprotected, HEADER_CONTENT_TYPE, &found) == 0)
		*content_type = found.raw;
	return 0;
}

static int take_payload(struct slice *rest, struct cose *c, struct err *reterr)
{
	struct cbor payload;

	if (cbor_next(rest, &payload) == 0 && payload.kind == CBOR_BYTES) {
		c->payload = payload.bytes;
		return 0;
	}
	c->detached = payload.kind == CBOR_SIMPLE && payload.number == CBOR_NULL;
	return c->detached ? 0 : err_set(reterr, -EBADMSG, "the COSE payload is no byte string");
}

static int take_signature(struct slice *rest, struct cose_signer *s, struct err *reterr)
{
	struct cbor signature;

	if (cbor_next(rest, &signature) < 0 || signature.kind != CBOR_BYTES)
		return err_set(reterr, -EBADMSG, "the COSE signature is no byte string");
	s->signature = signature.bytes;
	return 0;
}

static int take_signers(struct slice *rest, struct cose *c, struct err *reterr)
{
	struct cbor list, item;
	int r = 0;

	if (cbor_next(rest, &list) < 0 || list.kind != CBOR_ARRAY || list.number == 0)
		return err_set(reterr, -EBADMSG, "COSE_Sign has no signatures");
	if (list.number > COSE_SIGNERS_MAX)
		return err_set(
			reterr, -E2BIG, "COSE_Sign has more than %d signatures", COSE_SIGNERS_MAX);
	for (struct slice all = list.bytes; r == 0 && cbor_next(&all, &item) == 0;) {
		struct cose_signer *s = &c->signers[c->signer_count++];
		struct slice parts = item.bytes;
		if (item.kind != CBOR_ARRAY || item.number != 3)
			return err_set(reterr, -EBADMSG, "a COSE signature has not three parts");
		r = take_signer(&parts, s, NULL, reterr);
		if (r == 0)
			r = take_signature(&parts, s, reterr);
	}
	return r;
}

static int parse_sign(struct slice rest, struct cose *c, struct err *reterr)
{
	struct cbor map, unprotected, found;

	int r = take_headers(&rest, &c->body_protected, &map, &unprotected, reterr);
	if (r == 0)
		r = check_buckets(&map, &unprotected, reterr);
	if (r == 0)
		r = check_critical(&map, &unprotected, reterr);
	if (r == 0 && find_header(&map, &unprotected, HEADER_CONTENT_TYPE, &found) == 0)
		c->content_type = found.raw;
	if (r == 0)
		r = take_payload(&rest, c, reterr);
	return r == 0 ? take_signers(&rest, c, reterr) : r;
}

int cose_parse(struct slice in, struct cose *ret, struct err *reterr)
{
	struct cose c = {.is_sign1 = true};
	struct cbor item;

	int r = cbor_parse(in, &item, reterr);
	if (r < 0)
		return r;
	if (item.kind == CBOR_TAG) {
		struct slice inside = item.bytes;
		if (item.number != TAG_SIGN1 && item.number != TAG_SIGN)
			return err_set(reterr, -EBADMSG,
				"CBOR tag %llu is neither COSE_Sign1 (18) nor COSE_Sign (98)",
				(unsigned long long)item.number);
		c.is_sign1 = item.number == TAG_SIGN1;
		r = cbor_next(&inside, &item);
	}
	if (r < 0 || item.kind != CBOR_ARRAY || item.number != 4)
		return err_set(reterr, -EBADMSG, "a COSE message has four parts");
	if (c.is_sign1) {
		struct slice rest = item.bytes;
		c.signer_count = 1;
		r = take_signer(&rest, &c.signers[0], &c.content_type, reterr);
		if (r == 0)
			r = take_payload(&rest, &c, reterr);
		if (r == 0)
			r = take_signature(&rest, &c.signers[0], reterr);
	} else {
		r = parse_sign(item.bytes, &c, reterr);
	}
	if (r == 0)
		*ret = c;
	return r;
}

/* RFC 9052, section 4.4. */
static void put_to_be_signed(
	const struct cose *c, const struct cose_signer *s, struct slice external, struct buf *out)
{
	cbor_put_head(out, CBOR_ARRAY, c->is_sign1 ? 4 : 5);
	cbor_put_text(out, c->is_sign1 ? "Signature1" : "Signature");
	if (!c->is_sign1)
		cbor_put_bytes(out, c->body_protected);
	cbor_put_bytes(out, s->protected_header);
	cbor_put_bytes(out, external);
	cbor_put_bytes(out, c->payload);
}

int cose_verify(const struct cose *c, size_t index, const struct pkey *key, struct slice external,
	struct err *reterr)
{
	cleanup_with(buf_done) struct buf signed_bytes = buf_init(TO_BE_SIGNED_MAX);

	if (index >= c->signer_count)
		return -EINVAL;
	const struct cose_signer *s = &c->signers[index];
	put_to_be_signed(c, s, external, &signed_bytes);
	int r = buf_error(&signed_bytes);
	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(g_algs); i++) {
		if (g_algs[i].alg != s->alg)
			continue;
		struct slice in = buf_slice(&signed_bytes);
		r = g_algs[i].sig == SIG_NONE
			    ? pkey_verify_ecdsa(key, g_algs[i].hash, in, s->signature)
			    : pkey_verify(key, g_algs[i].sig, in, s->signature);
		if (r == -EINVAL)
			return err_set(reterr, -EKEYREJECTED,
				"the COSE algorithm is %s but the key is of another type",
				g_algs[i].name);
		return r < 0 ? err_set(reterr, r, "the COSE signature is not by this key") : 0;
	}
	return r < 0 ? r
		     : err_set(reterr, -EOPNOTSUPP, "COSE algorithm %lld is not supported",
			       (long long)s->alg);
}

int cose_sign1(const struct pkey *key, int64_t alg, struct slice payload, struct buf *out)
{
	cleanup_with(buf_done) struct buf header = buf_init(64),
					  to_sign = buf_init(TO_BE_SIGNED_MAX),
					  signature = buf_init(1024);
	int r = -EOPNOTSUPP;

	cbor_put_head(&header, CBOR_MAP, 1);
	cbor_put_int(&header, HEADER_ALG);
	cbor_put_int(&header, alg);
	const struct cose c = {.is_sign1 = true, .payload = payload};
	const struct cose_signer s = {.protected_header = buf_slice(&header)};
	put_to_be_signed(&c, &s, SLICE_EMPTY, &to_sign);
	if (buf_error(&to_sign) < 0)
		return buf_error(&to_sign);
	if (cose_alg_name(alg))
		r = pkey_sign(key, sig_from_name(slice_str(cose_alg_name(alg))),
			buf_slice(&to_sign), &signature);
	if (r < 0)
		return r;
	cbor_put_head(out, CBOR_TAG, TAG_SIGN1);
	cbor_put_head(out, CBOR_ARRAY, 4);
	cbor_put_bytes(out, buf_slice(&header));
	cbor_put_head(out, CBOR_MAP, 0);
	cbor_put_bytes(out, payload);
	cbor_put_bytes(out, buf_slice(&signature));
	return buf_error(out);
}
