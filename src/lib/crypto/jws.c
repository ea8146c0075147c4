/* SPDX-License-Identifier: Apache-2.0 */
#include "base/enc.h"
#include "base/str.h"
#include "crypto/jose.h"
#include "fmt/json.h"

int jws_start(enum sig_alg alg, json_t *header, struct slice payload, struct buf *out)
{
	cleanup_with(buf_done) struct buf text = buf_init(JWS_SIZE_MAX);

	if (json_set_str(header, "alg", sig_name(alg)) < 0)
		return -ENOMEM;
	int r = json_write(header, &text);
	if (r < 0)
		return r;
	b64_encode(out, buf_slice(&text), B64_URL);
	buf_put_u8(out, '.');
	b64_encode(out, payload, B64_URL);
	return buf_error(out);
}

int jws_end(struct slice signature, struct buf *out)
{
	buf_put_u8(out, '.');
	b64_encode(out, signature, B64_URL);
	return buf_error(out);
}

int jws_sign(const struct pkey *k, enum sig_alg alg, json_t *header, struct slice payload,
	struct buf *out)
{
	cleanup_with(buf_done) struct buf sig = buf_init(4096);
	size_t start = out->size;
	int r = jws_start(alg, header, payload, out);

	if (r == 0)
		r = pkey_sign(k, alg, slice_cut(buf_slice(out), start, out->size - start), &sig);
	return r < 0 ? r : jws_end(buf_slice(&sig), out);
}

static int split(struct slice text, struct slice parts[3])
{
	size_t from = 0, count = 0;
	for (size_t i = 0; i <= text.size; i++) {
		if (i < text.size && text.data[i] != '.')
			continue;
		if (count == 3)
			return -EBADMSG;
		parts[count++] = slice_cut(text, from, i - from);
		from = i + 1;
	}
	return count == 3 ? 0 : -EBADMSG;
}

static int decode(struct slice part, struct buf *out, const char *what, struct err *reterr)
{
	if (b64_decode(out, part, B64_URL) < 0)
		return err_at(
			reterr, -EBADMSG, ERR_NO_OFFSET, what, "JWS %s is not base64url", what);
	return 0;
}

static int parse_into(struct slice text, struct jws *j, struct err *reterr)
{
	struct slice parts[3];
	const char *alg = NULL;
	cleanup_with(buf_done) struct buf header = buf_init(JWS_SIZE_MAX);

	if (text.size > JWS_SIZE_MAX)
		return err_set(reterr, -E2BIG, "JWS is larger than %zu bytes", JWS_SIZE_MAX);
	if (split(text, parts) < 0)
		return err_set(reterr, -EBADMSG, "JWS must have three parts");
	int r = decode(parts[0], &header, "header", reterr);
	if (r == 0)
		r = decode(parts[1], &j->payload, "payload", reterr);
	if (r == 0)
		r = decode(parts[2], &j->signature, "signature", reterr);
	if (r == 0)
		r = json_parse(buf_slice(&header), 0, &j->header, reterr);
	if (r == 0)
		r = json_get_str(j->header, "alg", &alg, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "JWS header");
	j->alg = sig_from_name(slice_str(alg));
	j->signed_text = slice_cut(text, 0, parts[0].size + 1 + parts[1].size);
	return 0;
}

int jws_parse(struct slice text, struct jws *ret, struct err *reterr)
{
	struct jws j = {.payload = buf_init(JWS_SIZE_MAX), .signature = buf_init(JWS_SIZE_MAX)};
	int r = parse_into(text, &j, reterr);
	if (r < 0) {
		jws_done(&j);
		return r;
	}
	*ret = j;
	return 0;
}

void jws_done(struct jws *j)
{
	json_decref(j->header);
	buf_done(&j->payload);
	buf_done(&j->signature);
	*j = (struct jws){0};
}

int jws_check(const struct jws *j, const struct pkey *k, enum sig_alg alg, struct err *reterr)
{
	/* RFC 7515 section 4.1.11: a header that lists critical extensions we do not know is
	 * refused. */
	if (json_object_get(j->header, "crit"))
		return err_at(reterr, -EOPNOTSUPP, ERR_NO_OFFSET, "crit",
			"JWS uses critical header extensions");
	if (alg == SIG_NONE || j->alg != alg)
		return err_at(reterr, -EKEYREJECTED, ERR_NO_OFFSET, "alg",
			"JWS is signed with %s, expected %s", sig_name(j->alg), sig_name(alg));
	int r = pkey_verify(k, alg, j->signed_text, buf_slice(&j->signature));
	if (r == -EKEYREJECTED)
		return err_set(reterr, r, "JWS signature does not verify");
	return r < 0 ? err_set(reterr, r, "key does not fit the JWS algorithm %s", sig_name(alg))
		     : 0;
}
