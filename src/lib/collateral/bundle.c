/* SPDX-License-Identifier: Apache-2.0 */
#include "collateral/bundle.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/str.h"
#include "collateral/expiry.h"
#include "crypto/hash.h"
#include "crypto/jose.h"
#include "fmt/jcs.h"
#include "fmt/json.h"

#define BUNDLE_TYPE "husk-collateral+jws"

static int add_digest(json_t *digests, const char *key, struct slice item)
{
	struct digest d;

	int r = hash_once(HASH_SHA256, item, &d);
	return r == 0 ? json_set_hex(digests, key, digest_slice(&d)) : r;
}

/* The payload of the signature. */
static int describe(const struct collateral_store *s, const char *made, struct buf *out)
{
	cleanup(json_decref) json_t *digests = json_object(), *payload = json_object();
	cleanup_with(buf_done) struct buf text = buf_init(COLLATERAL_TOTAL_MAX);
	struct digest all = {0};
	struct slice item;
	const char *key;
	size_t count = 0;
	int r = digests && payload ? 0 : -ENOMEM;

	for (; r == 0 && (key = collateral_store_at(s, count, &item)) != NULL; count++)
		r = add_digest(digests, key, item);
	if (r == 0)
		r = jcs_write(digests, &text);
	if (r == 0)
		r = hash_once(HASH_SHA256, buf_slice(&text), &all);
	if (r == 0)
		r = json_set_int(payload, "items", (int64_t)count);
	if (r == 0)
		r = json_set_str(payload, "made", made);
	if (r == 0)
		r = json_set_hex(payload, "sha256", digest_slice(&all));
	return r == 0 ? jcs_write(payload, out) : r;
}

/* Not RSA: what signs bundles is the operator's own, and new. */
static enum sig_alg alg_for(const struct pkey *key)
{
	return pkey_sig_alg(key, SIG_NONE);
}

int collateral_bundle_make(const struct collateral_store *s, const struct pkey *key, int64_t now,
	json_t **ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf payload = buf_init(4096), jws = buf_init(JWS_SIZE_MAX);
	cleanup(json_decref) json_t *header = json_object(), *doc = collateral_store_save(s);
	char made[RFC3339_SIZE];

	if (alg_for(key) == SIG_NONE)
		return err_set(reterr, -EINVAL,
			"bundles are signed with keys on P-256, P-384, P-521 or Ed25519");
	rfc3339_format(now, made);
	int r = header && doc ? describe(s, made, &payload) : -ENOMEM;
	if (r == 0)
		r = json_set_str(header, "typ", BUNDLE_TYPE);
	if (r == 0)
		r = jws_sign(key, alg_for(key), header, buf_slice(&payload), &jws);
	if (r == 0)
		r = json_set_str(doc, "made", made);
	if (r == 0)
		r = json_set_slice(doc, "signature", buf_slice(&jws));
	if (r == 0)
		*ret = steal_ptr(doc);
	return r;
}

static int check_signer(
	const struct jws *j, struct pkey *const *keys, size_t key_count, struct err *reterr)
{
	const char *type = json_string_value(json_object_get(j->header, "typ"));

	if (!streq_null(type, BUNDLE_TYPE))
		return err_set(reterr, -EKEYREJECTED,
			"the signature is of another type than " BUNDLE_TYPE);
	for (size_t i = 0; i < key_count; i++) {
		enum sig_alg alg = alg_for(keys[i]);
		if (alg != SIG_NONE && jws_check(j, keys[i], alg, NULL) == 0)
			return 0;
	}
	return err_set(reterr, -EKEYREJECTED, "none of the trusted keys signed the bundle");
}

int collateral_bundle_open(const json_t *bundle, struct pkey *const *keys, size_t key_count,
	struct collateral_store *s, int64_t *ret_made, struct err *reterr)
{
	const char *signature = json_string_value(json_object_get(bundle, "signature"));
	const char *made = json_string_value(json_object_get(bundle, "made"));
	cleanup_with(buf_done) struct buf payload = buf_init(4096);
	cleanup_with(jws_done) struct jws j = {0};

	if (!signature || !made || rfc3339_parse(slice_str(made), ret_made) < 0)
		return err_set(reterr, -EKEYREJECTED, "the bundle is not signed");
	int r = jws_parse(slice_str(signature), &j, reterr);
	if (r == 0)
		r = check_signer(&j, keys, key_count, reterr);
	if (r == 0)
		r = collateral_store_load(s, bundle, reterr);
	if (r == 0)
		r = describe(s, made, &payload);
	if (r == 0 && !slice_eq(buf_slice(&payload), buf_slice(&j.payload)))
		r = err_set(reterr, -EKEYREJECTED,
			"the bundle holds other items than those that were signed");
	return r;
}

int collateral_merge(struct collateral_store *s, const char *key, struct slice item,
	enum collateral_fate *ret, struct err *reterr)
{
	struct collateral_life fresh, old;
	struct slice have;

	*ret = COLLATERAL_KEPT;
	if (!collateral_key_valid(key) || item.size == 0)
		return err_set(reterr, -EINVAL, "no key, or nothing below it");
	int r = collateral_life(item, &fresh, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "collateral %s", key);
	bool there = collateral_get(collateral_store_provider(s), key, &have) == 0;
	if (there && slice_eq(have, item)) {
		*ret = COLLATERAL_SAME;
		return 0;
	}
	if (there && collateral_life(have, &old, NULL) == 0 && old.kind == fresh.kind &&
		old.from > fresh.from)
		return 0;
	r = collateral_store_put(s, key, item);
	if (r == 0)
		*ret = there ? COLLATERAL_REPLACED : COLLATERAL_ADDED;
	return r;
}
