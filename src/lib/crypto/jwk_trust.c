/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/jwk_trust.h"

#include "base/enc.h"
#include "base/str.h"
#include "fmt/json.h"

enum sig_alg jwk_sig_alg(const json_t *jwk, const struct pkey *key, enum sig_alg offered)
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
	struct cert *certs[JWK_X5C_MAX];
	size_t count;
};

static void chain_done(struct chain *c)
{
	for (size_t i = 0; i < c->count; i++)
		cert_free(c->certs[i]);
}

static int read_x5c(const json_t *jwk, struct chain *c, struct err *reterr)
{
	json_t *list = NULL;

	if (!json_object_get(jwk, "x5c"))
		return err_at(
			reterr, -EKEYREJECTED, ERR_NO_OFFSET, "x5c", "the key has no certificate");
	int r = json_get_array(jwk, "x5c", JWK_X5C_MAX, &list, reterr);
	for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
		cleanup_with(buf_done) struct buf der = buf_init(64 << 10);
		const char *text = json_string_value(json_array_get(list, i));
		if (!text || b64_decode(&der, slice_str(text), B64_STD) < 0)
			return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "x5c",
				"certificate %zu is not base64", i);
		r = cert_from_der(buf_slice(&der), &c->certs[i], reterr);
		c->count += r == 0;
	}
	if (r == 0 && c->count == 0)
		r = err_at(reterr, -EKEYREJECTED, ERR_NO_OFFSET, "x5c", "it holds no certificate");
	return r;
}

int jwk_check_endorsed(const json_t *jwk, struct cert *const *roots, size_t root_count, int64_t at,
	struct err *reterr)
{
	cleanup_with(chain_done) struct chain c = {0};
	cleanup(pkey_free) struct pkey *key = NULL, *certified = NULL;

	int r = pkey_from_jwk(jwk, &key, reterr);
	if (r < 0)
		return err_wrap(reterr, r == -ENOMEM ? r : -EBADMSG, "JWK");
	r = read_x5c(jwk, &c, reterr);
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
