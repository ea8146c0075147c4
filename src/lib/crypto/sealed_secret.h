/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Sealed secrets of Confidential Containers: "sealed." and a JWS whose payload says where a secret
 * is (type vault), or holds it encrypted (type envelope). The signature is by the owner, so that the
 * host, which carries the text in a Kubernetes secret, cannot point a guest elsewhere.
 *
 * Order of use: sealed_parse(), fetch the public key @kid, sealed_check(); only then may the payload
 * be believed. There is no switch that skips the check.
 * Spec: guest-components, confidential-data-hub/docs/SEALED_SECRET.md, version 0.1.0.
 */
#include "crypto/jose.h"

#define SEALED_SIZE_MAX ((size_t)1 << 20)
#define SEALED_KID_MAX 256

enum sealed_type { SEALED_NONE, SEALED_VAULT, SEALED_ENVELOPE };

/**
 * struct sealed_secret - release with sealed_done()
 * @kid: of the key that signed: a resource "kbs:///REPOSITORY/TYPE/TAG", or the plain name of a
 * file that the guest has; never a path
 * @provider, @name: vault: who keeps the secret, and under which name
 * @key_id, @wrap_type: envelope: the key encryption key, and the algorithm of the data
 * All text is borrowed from @payload.
 */
struct sealed_secret {
	struct jws jws;
	struct buf text; /* own copy: the JWS borrows from it */
	json_t *payload;
	const char *kid;
	enum sealed_type type;
	const char *provider, *name;
	const char *key_id, *wrap_type;
	bool checked;
};

/** sealed_is() - the text is meant as a sealed secret */
bool sealed_is(struct slice text);
/**
 * sealed_parse() - read the text; nothing is verified
 * Return: 0; -EBADMSG (sections, JSON, members, kid), -EOPNOTSUPP (version, type), -E2BIG, -ENOMEM.
 */
must_check int sealed_parse(struct slice text, struct sealed_secret *ret, struct err *reterr);
void sealed_done(struct sealed_secret *s);
/** sealed_check() - verify the signature with the key @jwk, which @kid named. Return: 0;
 * -EKEYREJECTED; -EBADMSG (key); -EOPNOTSUPP (critical header). */
must_check int sealed_check(struct sealed_secret *s, const json_t *jwk, struct err *reterr);
/**
 * sealed_open() - the data of an envelope, with its unwrapped data key
 * @s: checked
 * @dek: 32 bytes
 * Return: 0 with the secret; -EKEYREJECTED (another key, or altered); -EINVAL (not a checked
 * envelope, size of @dek); -EOPNOTSUPP (wrap_type); -EBADMSG; -ENOMEM.
 */
must_check int sealed_open(
	const struct sealed_secret *s, struct slice dek, struct secret *ret, struct err *reterr);
