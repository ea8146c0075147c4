/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Keys that verify or sign tokens: of a PEM block, a JWK, or a set of JWKs. */
#include "crypto/key.h"
#include "crypto/x509.h"

struct jwt_key {
	struct pkey *key; /* NULL: a secret, or a kind that verifies nothing here */
	struct buf secret;
	char *kid, *alg; /* NULL when absent */
};

struct jwt_keys {
	struct jwt_key *item;
	size_t count;
};
#define JWT_KEYS_MAX 256

/** jwt_algorithm_known() - whether @name is one of the algorithms of io.jwt, "HS256" included */
bool jwt_algorithm_known(struct slice name);

/**
 * jwt_keys_parse() - PEM certificate or public key, JWK or JWK set
 * Keys of a set that name an unknown algorithm are left out.
 * Return: 0, -EBADMSG with OPA's text in @reterr, -ENOMEM.
 */
must_check int jwt_keys_parse(struct slice text, struct jwt_keys *ret, struct err *reterr);
/** jwt_keys_parse_jwk() - likewise, JSON only, algorithms unseen: for signing */
must_check int jwt_keys_parse_jwk(struct slice text, struct jwt_keys *ret, struct err *reterr);
void jwt_keys_done(struct jwt_keys *k);
