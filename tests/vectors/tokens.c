/* SPDX-License-Identifier: Apache-2.0 */
/* Packs of tokens, endorsed keys, sealed secrets and initdata annotations, item by item. */
#include "base/clock.h"
#include "base/enc.h"
#include "base/str.h"
#include "crypto/jwk_trust.h"
#include "crypto/sealed_secret.h"
#include "fmt/ear_check.h"
#include "fmt/initdata.h"
#include "fmt/json.h"
#include "oci/initdata_annotation.h"
#include "vectors.h"

static const char *text_of(const json_t *item, const char *name)
{
	return json_string_value(json_object_get(item, name));
}

static int item_fail(struct vector *v, const json_t *item, const char *why)
{
	const char *name = text_of(item, "name");
	return vector_fail(v, "%s: %s", name ? name : "?", why);
}

static int read_json(struct vector *v, const char *role, json_t **ret)
{
	cleanup_with(buf_done) struct buf text = buf_init(0);

	if (vector_read(v, vector_file(v, role), &text) < 0)
		return -1;
	return json_parse(buf_slice(&text), 0, ret, NULL) == 0
		       ? 0
		       : vector_fail(v, "%s is no JSON", role);
}

/* Runs @run over the items of the pack: accepted and refused as they say. */
static int each(struct vector *v,
	int (*run)(struct vector *v, const json_t *all, const json_t *item, struct err *why))
{
	cleanup(json_decref) json_t *cases = NULL;
	json_t *item;
	size_t i;

	if (read_json(v, "cases", &cases) < 0)
		return -1;
	json_array_foreach (cases, i, item) {
		struct err why = {0};
		bool good = run(v, cases, item, &why) == 0;
		if (v->why[0])
			return -1;
		if (good != json_is_true(json_object_get(item, "accept")))
			return item_fail(v, item, good ? "was accepted" : why.text);
	}
	return i > 0 ? 0 : vector_fail(v, "an empty pack");
}

/*
 * Tokens whose key set is not there: the set of their source's test names the key of the token that
 * it accepts.
 */
static int check_kid(const json_t *all, const json_t *item, const struct jws *j, struct err *why)
{
	const char *kid = text_of(j->header, "kid"), *source = text_of(item, "source");

	for (size_t i = 0; kid && i < json_array_size(all); i++) {
		const json_t *one = json_array_get(all, i);
		cleanup_with(jws_done) struct jws other = {0};
		const char *token = text_of(one, "token");
		if (json_is_true(json_object_get(one, "accept")) &&
			streq_null(text_of(one, "source"), source) &&
			jws_parse(slice_str(token), &other, NULL) == 0 &&
			streq_null(text_of(other.header, "kid"), kid))
			return 0;
	}
	return err_set(why, -EKEYREJECTED, "the key set has no such key");
}

static int run_token(struct vector *v, const json_t *all, const json_t *item, struct err *why)
{
	cleanup_with(jws_done) struct jws j = {0};
	cleanup(json_decref) json_t *claims = NULL;
	const json_t *key = json_object_get(item, "key"), *want = json_object_get(item, "claims");
	const json_t *now = json_object_get(v->expected, "now");
	const char *token = text_of(item, "token");

	int r = jws_parse(slice_str(token), &j, why);
	if (r == 0)
		r = key ? jws_check_jwk(&j, key, why) : check_kid(all, item, &j, why);
	bool crit = r == -EOPNOTSUPP;
	if (key && !crit && json_is_boolean(json_object_get(item, "signature_ok")) &&
		(r == 0) != json_is_true(json_object_get(item, "signature_ok")))
		return item_fail(v, item, "signature holds or not, wrongly");
	if (r == 0)
		r = json_parse(buf_slice(&j.payload), 0, &claims, why);
	if (r == 0 && want && !json_equal(want, claims))
		return item_fail(v, item, "claims differ");
	/* Without a key it is another kind of token, not an EAR. */
	if (r == 0)
		r = key ? ear_check(claims, json_integer_value(now), why)
			: jwt_check_times(claims, json_integer_value(now), why);
	return r;
}

#define ROOTS_MAX 16

/* Any time at which all certificates are valid: the newest notBefore. */
static int64_t time_of(const json_t *validity)
{
	int64_t at = clock_unix_s(), from, until;

	for (size_t i = 0; i < json_array_size(validity); i++) {
		const json_t *c = json_array_get(validity, i);
		if (rfc3339_parse(slice_str(text_of(c, "not_before")), &from) == 0 &&
			rfc3339_parse(slice_str(text_of(c, "not_after")), &until) == 0 &&
			(at < from || at > until))
			at = from;
	}
	return at;
}

static int run_endorsement(struct vector *v, const json_t *all, const json_t *item, struct err *why)
{
	const json_t *jwk = json_object_get(item, "jwk");
	cleanup(pkey_free) struct pkey *key = NULL;
	struct cert *roots[ROOTS_MAX] = {NULL};

	int count = certs_from_pem(slice_str(text_of(item, "trusted_pem")), roots, ROOTS_MAX, why);
	if (count < 0)
		return item_fail(v, item, "the trusted certificates cannot be read");
	int r = pkey_from_jwk(jwk, &key, why);
	if (r == 0)
		r = pkey_check_endorsed(key, json_object_get(jwk, "x5c"), roots, (size_t)count,
			time_of(json_object_get(item, "x5c_validity")), why);
	for (int i = 0; i < count; i++)
		cert_free(roots[i]);
	return r;
}

int vector_jwt(struct vector *v)
{
	cleanup(json_decref) json_t *cases = NULL;

	if (read_json(v, "cases", &cases) < 0)
		return -1;
	return each(
		v, json_object_get(json_array_get(cases, 0), "jwk") ? run_endorsement : run_token);
}

static int open_envelope(
	struct vector *v, const json_t *item, const struct sealed_secret *s, struct err *why)
{
	cleanup_with(buf_done) struct buf dek = buf_init_secret(64);
	cleanup_with(secret_done) struct secret plain = {0};
	const char *want = text_of(item, "plaintext");

	if (!json_object_get(item, "dek_base64"))
		return 0;
	int r = json_get_b64(item, "dek_base64", &dek, why);
	if (r == 0)
		r = sealed_open(s, buf_slice(&dek), &plain, why);
	if (r == 0 && want && !slice_eq_str(secret_slice(&plain), want))
		return item_fail(v, item, "another secret");
	return r;
}

static int run_sealed(struct vector *v, const json_t *all, const json_t *item, struct err *why)
{
	cleanup_with(sealed_done) struct sealed_secret s = {0};
	cleanup(json_decref) json_t *key = NULL;
	const char *text = text_of(item, "sealed");

	if (read_json(v, "test_key", &key) < 0)
		return -1;
	int r = sealed_parse(slice_str(text), &s, why);
	if (r == 0)
		r = sealed_check(&s, key, why);
	if (r == 0 && json_object_get(item, "payload") &&
		!json_equal(json_object_get(item, "payload"), s.payload))
		return item_fail(v, item, "the payload differs");
	return r == 0 ? open_envelope(v, item, &s, why) : r;
}

int vector_sealed(struct vector *v)
{
	return each(v, run_sealed);
}

/* The digest, cut or padded with zeros to the fields of TEEs: "..._48" says their size. */
static int compare_adjusted(struct vector *v, const json_t *item, const struct digest *d)
{
	json_t *adjusted = json_object_get(item, "adjusted"), *value;
	const char *name;

	json_object_foreach (adjusted, name, value) {
		uint8_t field[256] = {0};
		const char *hex = json_string_value(value);
		size_t size = hex ? strlen(hex) / 2 : 0;
		cleanup_with(buf_done) struct buf want = buf_init(sizeof(field));
		if (!hex || hex_decode(&want, slice_str(hex)) < 0)
			return item_fail(v, item, name);
		memcpy(field, d->bytes, MIN(size, d->size));
		/* A register cannot be set, only extended. */
		struct digest pcr = {.size = 32};
		if (strstr(name, "pcr8") && hash_extend(HASH_SHA256, digest_slice(&pcr),
						    slice_of(field, 32), &pcr) == 0)
			memcpy(field, pcr.bytes, size);
		if (!slice_eq(slice_of(field, size), buf_slice(&want)))
			return item_fail(v, item, name);
	}
	return 0;
}

static int run_initdata(struct vector *v, const json_t *all, const json_t *item, struct err *why)
{
	cleanup_with(buf_done) struct buf toml = buf_init(INITDATA_SIZE_MAX), again = buf_init(0),
					  text = buf_init(0);
	cleanup_with(initdata_done) struct initdata init = {0};
	const char *want = text_of(item, "toml"), *digest = text_of(item, "digest");
	char hex[2 * HASH_SIZE_MAX + 1];
	struct digest d;

	int r = initdata_annotation_decode(slice_str(text_of(item, "annotation")), &toml, why);
	if (r == 0 && want && !slice_eq_str(buf_slice(&toml), want))
		return item_fail(v, item, "the TOML differs");
	if (r == 0)
		r = initdata_parse(buf_slice(&toml), &init, why);
	if (r < 0)
		return r;
	if (hash_once(hash_from_name(slice_str(init.algorithm)), buf_slice(&toml), &d) < 0)
		return item_fail(v, item, "no digest");
	if (digest && !streq(digest, hex_str(digest_slice(&d), hex, sizeof(hex))))
		return item_fail(v, item, "the digest differs");
	/* What we write is read again. */
	if (initdata_annotation_encode(buf_slice(&toml), &text, why) < 0 ||
		initdata_annotation_decode(buf_slice(&text), &again, why) < 0 ||
		!slice_eq(buf_slice(&again), buf_slice(&toml)))
		return item_fail(v, item, "our own annotation differs");
	return compare_adjusted(v, item, &d);
}

int vector_initdata(struct vector *v)
{
	return each(v, run_initdata);
}
