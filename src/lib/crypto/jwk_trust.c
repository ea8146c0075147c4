/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/jwk_trust.h"

#include "base/enc.h"
#include "base/str.h"
#include "fmt/json.h"

/*
 * The one algorithm that a key is used with
 * @jwk: its "alg", when it has one, must fit the key; "use" must be "sig" when it is there
 * @offered: what the token's header says; decides among the RSA algorithms when @jwk names none
 * Return: SIG_NONE when the key is not for signatures or does not fit @offered.
 */
static enum sig_alg jwk_sig_alg(const json_t *jwk, const struct pkey *key, enum sig_alg offered)
{
	const char *name = json_string_value(json_object_get(jwk, "alg")),
		   *use = json_string_value(json_object_get(jwk, "use"));

	if (use && !streq(use, "sig"))
		return SIG_NONE;
	enum sig_alg fits = pkey_sig_alg(key, offered);
	if (fits != offered || (name && sig_from_name(slice_str(name)) != fits))
		return SIG_NONE;
	return fits;
}

int jws_check_jwk(const struct jws *j, const json_t *jwk, struct err *reterr)
{
	cleanup(pkey_free) struct pkey *key = NULL;

	int r = pkey_from_jwk(jwk, &key, reterr);
	if (r < 0)
		return err_wrap(reterr, r == -ENOMEM ? r : -EBADMSG, "JWK");
	enum sig_alg alg = jwk_sig_alg(jwk, key, j->alg);
	if (alg == SIG_NONE)
		return err_at(reterr, -EKEYREJECTED, ERR_NO_OFFSET, "alg",
			"the token's algorithm is not one that this key is used with");
	return jws_check(j, key, alg, reterr);
}

int jws_check_set(const struct jws *j, const json_t *jwks, struct err *reterr)
{
	const char *kid = json_string_value(json_object_get(j->header, "kid"));
	const json_t *found = NULL;
	json_t *keys = NULL;

	int r = json_get_array(jwks, "keys", JWKS_KEYS_MAX, &keys, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "key set");
	if (!kid)
		return err_at(reterr, -EKEYREJECTED, ERR_NO_OFFSET, "kid",
			"the token does not name its key");
	for (size_t i = 0; i < json_array_size(keys); i++) {
		const json_t *jwk = json_array_get(keys, i);
		if (!streq_null(json_string_value(json_object_get(jwk, "kid")), kid))
			continue;
		if (found)
			return err_set(reterr, -EKEYREJECTED,
				"the key set has more than one key '%.64s'", kid);
		found = jwk;
	}
	return found ? jws_check_jwk(j, found, reterr)
		     : err_set(reterr, -EKEYREJECTED, "the key set has no key '%.64s'", kid);
}

struct chain {
	struct cert *certs[X5C_COUNT_MAX];
	size_t count;
};

static void chain_done(struct chain *c)
{
	for (size_t i = 0; i < c->count; i++)
		cert_free(c->certs[i]);
}

static int read_certificate(const json_t *item, struct cert **ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf text = buf_init(X5C_CERT_MAX * 2);
	cleanup_with(buf_done) struct buf der = buf_init(X5C_CERT_MAX);
	const char *s = json_string_value(item);

	for (; s && *s; s++) {
		if (*s != '\n' && *s != '\r')
			buf_put_u8(&text, (uint8_t)*s);
	}
	int r = buf_error(&text);
	if (r == 0)
		r = b64_decode_any(&der, buf_slice(&text));
	if (r == 0 && der.size == 0)
		r = -EBADMSG;
	if (r < 0)
		return err_at(reterr, r, ERR_NO_OFFSET, "x5c", "a certificate is not base64");
	return cert_from_der(buf_slice(&der), ret, reterr);
}

static int read_x5c(const json_t *x5c, struct chain *c, struct err *reterr)
{
	size_t count = json_array_size(x5c);

	if (count == 0)
		return err_at(
			reterr, -EKEYREJECTED, ERR_NO_OFFSET, "x5c", "the key has no certificate");
	if (count > X5C_COUNT_MAX)
		return err_at(reterr, -E2BIG, ERR_NO_OFFSET, "x5c", "more than %d", X5C_COUNT_MAX);
	while (c->count < count) {
		int r = read_certificate(
			json_array_get(x5c, c->count), &c->certs[c->count], reterr);
		if (r < 0)
			return r;
		c->count++;
	}
	return 0;
}

int pkey_check_endorsed(const struct pkey *key, const json_t *x5c, struct cert *const *roots,
	size_t root_count, int64_t at, struct err *reterr)
{
	cleanup_with(chain_done) struct chain c = {0};
	cleanup(pkey_free) struct pkey *certified = NULL;

	int r = read_x5c(x5c, &c, reterr);
	if (r == 0 && cert_key(c.certs[0], &certified) < 0)
		r = err_set(reterr, -EKEYREJECTED, "the certificate's key has an unknown type");
	if (r == 0 && !pkey_equal(key, certified))
		r = err_at(reterr, -EKEYREJECTED, ERR_NO_OFFSET, "x5c",
			"the first certificate is for another key");
	if (r < 0)
		return r;
	r = cert_verify_chain(c.certs[0], c.certs + 1, c.count - 1, roots, root_count, at, reterr);
	return r == -EINVAL ? -EKEYREJECTED : r;
}
