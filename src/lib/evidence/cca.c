/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens of Arm CCA.
 *
 * Theory of operation. The realm management monitor signs the realm token with a key of its own,
 * made at boot (RAK), which is in that token; the platform token, signed with a key that the
 * platform's maker vouches for (CPAK), holds the hash of the RAK as its challenge. So: platform key
 * -> platform token -> RAK -> realm token -> challenge of this session. Attacker: whoever sends
 * evidence. The lifecycle and the firmware of the platform are claims, for the appraisal policy.
 */
#include "evidence/cca.h"

#include "base/enc.h"
#include "crypto/cose.h"
#include "fmt/json.h"

#define POINT_FIRST_BYTE 4 /* an uncompressed point; a COSE_Key starts with a map's head */

void cca_collateral_key(
	struct slice implementation_id, struct slice instance_id, char dst[COLLATERAL_KEY_SIZE])
{
	char implementation[2 * CCA_IMPLEMENTATION_ID_SIZE + 1];
	char instance[2 * CCA_INSTANCE_ID_SIZE + 1];

	hex_str(implementation_id, implementation, sizeof(implementation));
	hex_str(instance_id, instance, sizeof(instance));
	snprintf(dst, COLLATERAL_KEY_SIZE, "arm/cca/%s/%s", implementation, instance);
}

static int load_key(struct slice item, struct pkey **ret, struct err *reterr)
{
	cleanup(json_decref) json_t *jwk = NULL;

	if (slice_starts(item, SLICE_LIT("-----BEGIN")))
		return pkey_from_pem(item, ret, reterr);
	if (item.size > 0 && item.data[0] == '{') {
		int r = json_parse(item, 0, &jwk, reterr);
		return r == 0 ? pkey_from_jwk(jwk, ret, reterr) : r;
	}
	return pkey_from_spki(item, ret, reterr);
}

static int platform_key(const struct evidence_request *request, const struct cca_platform *p,
	struct evidence_result *result, struct pkey **ret)
{
	char key[COLLATERAL_KEY_SIZE];
	struct slice item;
	struct err e = {0};

	cca_collateral_key(p->implementation_id, p->instance_id, key);
	int r = check_collateral(result, request->collateral, key, &item);
	if (r < 0)
		return r;
	r = load_key(item, ret, &e);
	return check_errno(result, "platform key", r, &e);
}

/* COSE_Sign1 with its payload inside. */
static int open_token(struct slice token, struct cose *ret, struct err *reterr)
{
	int r = cose_parse(token, ret, reterr);
	if (r == 0 && (!ret->is_sign1 || ret->detached))
		r = err_set(reterr, -EBADMSG, "the token is not a COSE_Sign1 message with content");
	return r;
}

int cca_verify_platform(const struct evidence_request *request, struct slice token,
	struct evidence_result *result, struct cca *ret)
{
	cleanup(pkey_free) struct pkey *key = NULL;
	struct cose c = {0};
	struct err e = {0};

	int r = open_token(token, &c, &e);
	if (r == 0)
		r = cca_platform_parse(c.payload, &ret->platform, &e);
	r = check_errno(result, "platform token", r, &e);
	if (r == 0)
		r = platform_key(request, &ret->platform, result, &key);
	if (r < 0)
		return r;
	ret->platform_alg = c.signers[0].alg;
	r = cose_verify(&c, 0, key, SLICE_EMPTY, &e);
	return check_errno(result, "platform signature", r, &e);
}

static int realm_key(const struct cca_realm *realm, struct pkey **ret, struct err *reterr)
{
	static const enum key_type types[] = {KEY_P256, KEY_P384, KEY_P521};

	if (realm->public_key.data[0] != POINT_FIRST_BYTE)
		return cose_key_parse(realm->public_key, ret, reterr);
	for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
		if (pkey_from_ec_point(types[i], realm->public_key, ret) == 0)
			return 0;
	}
	return err_set(reterr, -EBADMSG, "the realm's public key is no point of a known curve");
}

static int verify_realm(struct slice token, struct evidence_result *result, struct cca *ret)
{
	cleanup(pkey_free) struct pkey *key = NULL;
	struct cose c = {0};
	struct err e = {0};

	int r = open_token(token, &c, &e);
	if (r == 0)
		r = cca_realm_parse(c.payload, &ret->realm, &e);
	if (r == 0)
		r = realm_key(&ret->realm, &key, &e);
	r = check_errno(result, "realm token", r, &e);
	if (r < 0)
		return r;
	ret->realm_alg = c.signers[0].alg;
	r = cose_verify(&c, 0, key, SLICE_EMPTY, &e);
	return check_errno(result, "realm signature", r, &e);
}

/* IANA's names of hashes. */
static enum hash_alg named_hash(struct slice name)
{
	return slice_eq_str(name, "sha-256")   ? HASH_SHA256
	       : slice_eq_str(name, "sha-384") ? HASH_SHA384
	       : slice_eq_str(name, "sha-512") ? HASH_SHA512
					       : HASH_NONE;
}

static int check_realm_key(const struct cca *t, struct evidence_result *result)
{
	enum hash_alg alg = named_hash(t->realm.public_key_hash_alg);
	struct digest d = {0};

	if (alg == HASH_NONE)
		return check_note(result, "realm key binding", false, "sha-256, sha-384 or sha-512",
			NULL, "the hash algorithm of the realm's key is not known");
	int r = hash_once(alg, t->realm.public_key, &d);
	return r < 0 ? r
		     : check_bytes(result, "realm key binding", digest_slice(&d),
			       t->platform.challenge,
			       "the platform token does not vouch for the key of the realm token");
}

int cca_verify(const struct evidence_request *request, struct slice token,
	struct evidence_result *result, struct cca *ret)
{
	struct err e = {0};

	*ret = (struct cca){0};
	int r = cca_collection_parse(token, &ret->collection, &e);
	r = check_errno(result, "evidence format", r, &e);
	if (r == 0)
		r = cca_verify_platform(request, ret->collection.platform, result, ret);
	if (r == 0)
		r = verify_realm(ret->collection.realm, result, ret);
	return r == 0 ? check_realm_key(ret, result) : r;
}
